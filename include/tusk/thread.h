/*
 * Threads: functions that block, run beside the loop, and coroutines that other threads send to it.
 *
 *     static int read_file(void *arg)                     // runs in a thread
 *     {
 *         const struct file *file = arg;
 *         ...
 *         return tusk_raise(-EIO, "cannot read %s", file->path);
 *     }
 *
 *     rc = tusk_to_thread(read_file, tusk_copy(&file));   // this task waits, the others run
 *
 * A function in a thread returns as a coroutine does: 0 or a positive result, or a negative code,
 * with the message of tusk_raise(). It must not wait for futures or call what belongs to the loop;
 * tusk_loop_call_soon_threadsafe() and tusk_run_coroutine_threadsafe() are its ways there.
 *
 * Nothing stops a function that runs in a thread. Whoever cancels the future, or is cancelled while
 * waiting for it, is free at once; the function goes on, and its result is dropped. So its argument
 * must live until it returns, and not only until the wait is over: a tusk_copy() does, for the job
 * owns it; or the wait is as long as the function, with .wait. One that has not started when its
 * future is cancelled, or when its loop closes, does not start.
 *
 * With a virtual clock, time stands still while functions run in threads.
 */
#ifndef TUSK_THREAD_H
#define TUSK_THREAD_H

#include <tusk/task.h>

TUSK_BEGIN_DECLS

/* ---- from the loop into threads ---- */

/*
 * A pool of threads. (concurrent.futures.ThreadPoolExecutor) Each loop has a default one, made when
 * it is first needed, with 4 threads more than there are processors, 32 at most. Threads start when
 * they are needed and stay.
 */
typedef struct tusk_thread_pool_executor tusk_thread_pool_executor;

/*
 * A pool of up to max_workers threads; 0: as many as the default one. One reference, yours. NULL
 * without memory (tusk_last_error()). Any thread.
 */
TUSK_API tusk_thread_pool_executor *tusk_thread_pool_executor_create(size_t max_workers);

/*
 * The pool takes nothing more, runs what it has, and its threads end. With cancel_futures what has
 * not started is cancelled. With wait this blocks the thread until all have ended: a loop that must
 * go on meanwhile calls it by tusk_to_thread(). May be called again. Returns 0; -EINVAL for NULL;
 * -EDEADLK if one of the pool's own threads would wait. Any thread.
 */
TUSK_API int tusk_thread_pool_executor_shutdown(tusk_thread_pool_executor *executor, bool wait,
                                                bool cancel_futures);

/*
 * Gives the reference back; with the last one the pool is shut down, without waiting. Takes NULL.
 * Any thread.
 */
TUSK_API void tusk_thread_pool_executor_release(tusk_thread_pool_executor *executor);

/*
 * Runs function(arg) in a thread of the executor, or of the default one if it is NULL, in an empty
 * context. Returns a future of its result. NULL on an error (tusk_last_error()): -EINVAL without
 * function, TUSK_NO_RUNNING_LOOP, TUSK_EXECUTOR_SHUT_DOWN, -EAGAIN if the system gives no thread,
 * -ENOMEM. Takes a tusk_copy(). Does not suspend. In C, `where` is left out.
 */
TUSK_API tusk_future *tusk_run_in_executor(tusk_thread_pool_executor *executor, tusk_coro *function,
                                           void *arg, const char *where);

/* The same as tusk_run_in_executor() for a loop that may not run yet. Not from other threads. */
TUSK_API tusk_future *tusk_loop_run_in_executor(tusk_loop *loop, tusk_thread_pool_executor *executor,
                                                tusk_coro *function, void *arg, const char *where);

struct tusk_to_thread_options {
    /* Instead of the default one. */
    tusk_thread_pool_executor *executor;
    /*
     * A cancel waits until the function has ended, and comes then; and so does tusk_loop_close(). So the
     * function may use what stands on this task's stack. One that has not started does not start.
     */
    bool wait;
    const char *tusk__where;
};

/*
 * Runs function(arg) in a thread, in a copy of this task's context, and waits for its end. Returns
 * its result or error; -ECANCELED if this task was cancelled meanwhile, and then the function may
 * still run, unless .wait is set; TUSK_NOT_IN_TASK; or as tusk_run_in_executor(). Takes a
 * tusk_copy(). Suspends. Options: .executor, .wait.
 */
TUSK_API TUSK_MUST_CHECK int tusk_to_thread(tusk_coro *function, void *arg,
                                            const struct tusk_to_thread_options *options);

/*
 * Makes this the loop's default executor; the loop takes a reference of its own, and the one before
 * loses the loop's. Returns 0, -EINVAL, -ENOMEM. Does not suspend.
 */
TUSK_API int tusk_loop_set_default_executor(tusk_loop *loop, tusk_thread_pool_executor *executor);

/*
 * Shuts the default executor down and waits until its threads have ended, for timeout seconds of
 * real time at most (infinite: no limit). After that the loop refuses work for it. tusk_run() does
 * it at its end, with 300 s. Returns 0; -ETIMEDOUT, which is reported too, if threads still run:
 * they are left alone then. -EINVAL for NaN; -ECANCELED; TUSK_NOT_IN_TASK; -EAGAIN, -ENOMEM.
 * Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_loop_shutdown_default_executor(tusk_loop *loop, double timeout);

/* ---- from threads into the loop ---- */

/* A future that threads may wait for. (concurrent.futures.Future) All its functions: any thread. */
typedef struct tusk_concurrent_future tusk_concurrent_future;

/* Called once the future is done, in whatever thread finishes it. Must not block. */
typedef void tusk_concurrent_callback(tusk_concurrent_future *future, void *arg);

/*
 * Runs coro(arg) as a task of the loop, in a copy of this thread's context, and returns a future of
 * its end. One reference, yours: tusk_concurrent_future_release(). NULL on an error
 * (tusk_last_error()): -EINVAL, TUSK_LOOP_CLOSED, -ENOMEM. Takes a tusk_copy(). The caller sees to
 * it that the loop still exists. A loop that closes before the end fails the future with
 * TUSK_LOOP_CLOSED. A virtual clock knows of threads only if tusk_to_thread() or an executor of the
 * loop runs them.
 */
TUSK_API tusk_concurrent_future *tusk_run_coroutine_threadsafe(tusk_loop *loop, tusk_coro *coro, void *arg);

/*
 * Blocks this thread until the future is done, for timeout seconds at most (infinite: no limit).
 * Returns the result or the error, whose message is tusk_message() then; -ECANCELED if it was
 * cancelled; -ETIMEDOUT when the time is over; -EINVAL for NaN; -EDEADLK in the thread of the loop
 * that would have to finish it.
 */
TUSK_API TUSK_MUST_CHECK int tusk_concurrent_future_result(tusk_concurrent_future *future, double timeout);

/*
 * Cancels the future at once, and asks the task to end. A coroutine that has not begun never does.
 * False if the future was done already.
 */
TUSK_API bool tusk_concurrent_future_cancel(tusk_concurrent_future *future);

/* Whether it has a result or an error, or was cancelled; and whether it was cancelled. */
TUSK_API bool tusk_concurrent_future_done(tusk_concurrent_future *future);
TUSK_API bool tusk_concurrent_future_cancelled(tusk_concurrent_future *future);

/*
 * Calls callback(future, arg) once the future is done, in the thread that finishes it: that of the
 * loop, or of who cancels; in this one, at once, if it is done already. In order of registration.
 * It must not block. Returns 0, -EINVAL, -ENOMEM.
 */
TUSK_API int tusk_concurrent_future_add_done_callback(tusk_concurrent_future *future,
                                                      tusk_concurrent_callback *callback, void *arg);

/* Gives the reference back; the task runs on. Takes NULL. */
TUSK_API void tusk_concurrent_future_release(tusk_concurrent_future *future);

#ifndef __cplusplus
#define tusk_run_in_executor(executor, function, arg)                                                        \
    ((tusk_run_in_executor)((executor), (function), (arg), TUSK__HERE))
#define tusk_loop_run_in_executor(loop, executor, function, arg)                                             \
    ((tusk_loop_run_in_executor)((loop), (executor), (function), (arg), TUSK__HERE))
#define tusk_to_thread(function, ...) TUSK__TO_THREAD(function, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__TO_THREAD(function, arg, ...)                                                                  \
    (tusk_to_thread)(function, arg, &(const struct tusk_to_thread_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
