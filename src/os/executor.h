/*
 * Thread pools from the inside. See tusk/thread.h for what they are.
 */
#ifndef TUSK__OS_EXECUTOR_H
#define TUSK__OS_EXECUTOR_H

#include "os/job.h"

/*
 * Puts a job into the queue; it has the thread's reference then. TUSK_EXECUTOR_SHUT_DOWN
 * if it was; -EAGAIN without any thread to run it.
 */
int tusk__executor_submit(struct tusk_thread_pool_executor *executor, struct tusk__job *job);

/*
 * Runs function(arg) in a thread of the executor, or of the loop's default one if it is NULL. Returns
 * its future, or NULL (tusk_last_error()). Takes the context: a cell. The arg stays the caller's if
 * this fails; else it goes to `forget`, if that is not NULL, as soon as the job does not need it any
 * more: when the function has returned, or will never run.
 */
tusk_future *tusk__executor_start(struct tusk_loop *loop, struct tusk_thread_pool_executor *executor,
                                  tusk_coro *function, void *arg, void (*forget)(void *arg),
                                  uintptr_t context, const char *where);

/* Suspends until the future is done, whoever cancels; true if somebody did. */
bool tusk__outwait(tusk_future *future);

/* Threads that have nothing to do for this long, in nanoseconds, end. For a pool that has none yet. */
void tusk__executor_end_idle(struct tusk_thread_pool_executor *executor, int64_t after);

/*
 * Waits in this thread until the pool, which was shut down, has no threads any more, or
 * until tusk__clock_ns() is at the deadline: -ETIMEDOUT. INT64_MAX: no deadline.
 */
int tusk__executor_wait(struct tusk_thread_pool_executor *executor, int64_t deadline);

/*
 * Shuts the pool down, refuses what has not started, waits for the threads that are idle to end, and
 * gives the reference back. Those that are at work are left to themselves: this does not block for
 * longer than a thread needs to end.
 */
void tusk__executor_dismiss(struct tusk_thread_pool_executor *executor);

struct tusk_thread_pool_executor *tusk__executor_retain(struct tusk_thread_pool_executor *executor);

#endif
