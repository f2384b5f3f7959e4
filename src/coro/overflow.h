/*
 * The report of a stack overflow: a fault in a guard of this thread's pool ends
 * the program with one line that names the task, by the signal that it is.
 */
#ifndef TUSK_CORO_OVERFLOW_H
#define TUSK_CORO_OVERFLOW_H

#include "coro/pool.h"

/*
 * Before a loop runs in this thread. running_task_name(arg) is called in a
 * signal handler; NULL when no task runs. One pool a thread. 0 or -ENOMEM.
 */
int tusk__overflow_enter(struct tusk__pool *pool, const char *(*running_task_name)(void *arg), void *arg);

/* After it, in the same thread. */
void tusk__overflow_leave(void);

#endif
