/*
 * Errors of sockets that libkqueue has taken. It asks for the error of a socket when it tells that there is one,
 * and Linux tells an error once only; the real kqueue leaves it there. So the poller keeps it, and the next
 * call on the socket returns it.
 */
#ifndef TUSK__LOOP_POLL_LIBKQUEUE_H
#define TUSK__LOOP_POLL_LIBKQUEUE_H

#include "loop/poll/system.h"

/* The calls that return what was kept. They rest on others: see rest_on in poll.h. */
extern struct tusk__system tusk__system_libkqueue;
void tusk__libkqueue_rest_on(const struct tusk__system *system);

/* From any thread. error > 0, if this is a socket's number; 0: what was kept belongs to nobody any more. */
void tusk__libkqueue_keep_error(int fd, int error);

#endif
