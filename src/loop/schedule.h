/*
 * Random schedules: tasks that are ready in one iteration run in an order drawn
 * from a seed. Callbacks keep their places, for they are promised to run in order; only
 * steps of tasks that follow each other directly change places.
 */
#ifndef TUSK__LOOP_SCHEDULE_H
#define TUSK__LOOP_SCHEDULE_H

#include "loop/handle.h"

/* Shuffles the steps in a batch. The state is that of the generator; not 0. */
void tusk__schedule_shuffle(uint64_t *state, struct tusk__handle **batch,
                            void (*step)(struct tusk__handle *handle));

#endif
