/*
 * The backends of this system, best first.
 */
#ifndef TUSK__LOOP_POLL_BACKENDS_H
#define TUSK__LOOP_POLL_BACKENDS_H

#include "loop/poll/poll.h"

extern const struct tusk__poll_backend tusk__poll_epoll;
extern const struct tusk__poll_backend tusk__poll_poll;

#endif
