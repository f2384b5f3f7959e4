/*
 * Thread pools from the inside. See tusk/thread.h for what they are.
 */
#ifndef TUSK__OS_EXECUTOR_H
#define TUSK__OS_EXECUTOR_H

#include "os/job.h"

/*
 * Puts a job into the queue; it has the thread's reference then. TUSK_INVALID_STATE
 * if the pool was shut down; -EAGAIN without any thread to run it.
 */
int tusk__executor_submit(struct tusk_thread_pool_executor *executor, struct tusk__job *job);

/*
 * Waits in this thread until the pool, which was shut down, has no threads any more, or
 * until tusk__clock_ns() is at the deadline: -ETIMEDOUT. INT64_MAX: no deadline.
 */
int tusk__executor_wait(struct tusk_thread_pool_executor *executor, int64_t deadline);

struct tusk_thread_pool_executor *tusk__executor_retain(struct tusk_thread_pool_executor *executor);

#endif
