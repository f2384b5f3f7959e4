/*
 * The backends of this system, best first.
 */
#ifndef TUSK__LOOP_POLL_BACKENDS_H
#define TUSK__LOOP_POLL_BACKENDS_H

#include "loop/poll/poll.h"

extern const struct tusk__poll_backend tusk__poll_epoll;
extern const struct tusk__poll_backend tusk__poll_io_uring;
extern const struct tusk__poll_backend tusk__poll_kqueue;
extern const struct tusk__poll_backend tusk__poll_poll;

/* Not among the best: only for who asks for it. */
extern const struct tusk__poll_backend tusk__poll_simulated;

/* Opens the best real one. */
int tusk__poller_open_best(struct tusk__poller *poller);

#endif
