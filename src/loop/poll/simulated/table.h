/*
 * The table of calls of the simulated network.
 */
#ifndef TUSK__LOOP_POLL_SIMULATED_TABLE_H
#define TUSK__LOOP_POLL_SIMULATED_TABLE_H

#include "loop/poll/system.h"

extern const struct tusk__system tusk__system_simulated;

/* The calls on what is not the network's. */
void tusk__sim_rest_on(const struct tusk__system *system);

#endif
