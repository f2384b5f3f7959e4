/*
 * Futures: results that are not there yet.
 *
 *     tusk_future *answer = tusk_create_future();
 *     tusk_call_later(1, give_answer, answer);     // calls tusk_future_set_result(answer, 42)
 *     rc = tusk_await(answer);                     // 42
 *
 * A future is pending, then cancelled or finished, and never changes again. A finished one has a
 * result (0 or positive) or an error (negative). A task is a future that a coroutine finishes.
 *
 * Who owns what: whatever returns a future gives you one reference. Hand it on exactly once: to
 * what takes the future to its end (tusk_await, tusk_gather), or to tusk_release. tusk_retain makes
 * another one. What only looks takes nothing. A creation that failed returns NULL, and NULL may go
 * wherever the future would have gone: awaiting it gives the error of the creation.
 */
#ifndef TUSK_FUTURE_H
#define TUSK_FUTURE_H

#include <tusk/loop.h>

TUSK_BEGIN_DECLS

/* Called by the loop once the future is done. Negative: goes to the exception handler. */
typedef int tusk_done_callback(tusk_future *future, void *arg);

struct tusk_cancel_options {
    /* Why, for whoever sees the cancel. Copied. */
    const char *msg;
    int tusk__end;
};

/*
 * A new pending future of the running loop. One reference, yours. NULL on an error
 * (tusk_last_error(): TUSK_NO_RUNNING_LOOP, -ENOMEM). Does not suspend. In C the argument is left
 * out: tusk_create_future(). It says where the future was made, for the reports of debug mode; it
 * is static, or NULL.
 */
TUSK_API tusk_future *tusk_create_future(const char *where);

/*
 * The same as tusk_create_future() for a loop that may not run yet. Also -EINVAL for a NULL loop,
 * and TUSK_LOOP_CLOSED.
 */
TUSK_API tusk_future *tusk_loop_create_future(tusk_loop *loop, const char *where);

/*
 * Waits until the future is done and returns its result or error. Takes the reference. If it is
 * done already, does not suspend. Errors of its own: -ECANCELED if this task was cancelled
 * meanwhile (the cancel went to the awaited future first); TUSK_AWAITED_ITSELF, TUSK_NOT_IN_TASK in
 * a plain callback, TUSK_OTHER_LOOP; for NULL the error of the creation that returned it.
 */
TUSK_API TUSK_MUST_CHECK int tusk_await(tusk_future *future);

/* Another reference; returns the future. Takes NULL. Does not suspend. */
TUSK_API tusk_future *tusk_retain(tusk_future *future);

/*
 * Gives the reference back. A task runs on by itself. With the last reference an error that nobody
 * retrieved is reported. Takes NULL. Does not suspend.
 */
TUSK_API void tusk_release(tusk_future *future);

/*
 * True if it has a result, an error or was cancelled. NULL, a failed creation, is done. Does not
 * suspend.
 */
TUSK_API bool tusk_future_done(const tusk_future *future);

/* True if the future was cancelled. Does not suspend. */
TUSK_API bool tusk_future_cancelled(const tusk_future *future);

/*
 * The result (0 or positive) or the error (negative; -ECANCELED if cancelled), which counts as
 * retrieved then. TUSK_INVALID_STATE if it is not done yet. Does not suspend.
 */
TUSK_API int tusk_future_result(tusk_future *future);

/* The error, or 0 if it has a result; otherwise as tusk_future_result(). */
TUSK_API int tusk_future_exception(tusk_future *future);

/*
 * The message of the error or of the cancel, or NULL if there is none. Valid as long as the future.
 * Does not suspend.
 */
TUSK_API const char *tusk_future_message(const tusk_future *future);

/*
 * Finishes the future with a result of 0 or more. Returns 0, TUSK_INVALID_STATE if it is done
 * already or is a task, -EINVAL for a negative result. Whoever waits runs in the next iteration.
 * Does not suspend.
 */
TUSK_API int tusk_future_set_result(tusk_future *future, int result);

/*
 * Finishes the future with an error, a negative code, and a message (printf's; NULL for none).
 * Returns as tusk_future_set_result(); -EINVAL for a code that is not negative. Does not suspend.
 */
TUSK_API int tusk_future_set_exception(tusk_future *future, int code, const char *format, ...)
    TUSK_PRINTF(3, 4);

/*
 * Asks a future, or a task, to be cancelled. A plain future is cancelled at once; a task gets
 * -ECANCELED from what it waits for (tusk_task_cancel()); a gather cancels its children. False if
 * it is done already. Option: .msg. Does not suspend.
 */
TUSK_API bool tusk_future_cancel(tusk_future *future, const struct tusk_cancel_options *options);

/*
 * Calls callback(future, arg) in the iteration after the one in which the future is done (the next
 * one if it is done already), in order of registration. Returns 0, -EINVAL, -ENOMEM. The future is
 * alive during the call; the callback owns no reference. Option: .context. Does not suspend.
 */
TUSK_API int tusk_future_add_done_callback(tusk_future *future, tusk_done_callback *callback, void *arg,
                                           const struct tusk_call_options *options);

/*
 * Removes every registration of that callback with that arg; returns how many there were. Does not
 * suspend.
 */
TUSK_API int tusk_future_remove_done_callback(tusk_future *future, tusk_done_callback *callback, void *arg);

/* The loop that the future belongs to. Does not suspend. */
TUSK_API tusk_loop *tusk_future_get_loop(const tusk_future *future);

#ifndef __cplusplus
#define tusk_create_future() ((tusk_create_future)(TUSK__HERE))
#define tusk_loop_create_future(loop) ((tusk_loop_create_future)((loop), TUSK__HERE))
#define tusk_future_cancel(...) TUSK__FUTURE_CANCEL(__VA_ARGS__, .tusk__end = 0)
#define TUSK__FUTURE_CANCEL(future, ...)                                                                     \
    (tusk_future_cancel)(future, &(const struct tusk_cancel_options){__VA_ARGS__})
#define tusk_future_add_done_callback(future, callback, ...)                                                 \
    TUSK__ADD_DONE_CALLBACK(future, callback, __VA_ARGS__, .tusk__end = 0)
#define TUSK__ADD_DONE_CALLBACK(future, callback, arg, ...)                                                  \
    (tusk_future_add_done_callback)(future, callback, arg, &(const struct tusk_call_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
