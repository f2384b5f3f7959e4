/*
 * The event loop: it runs callbacks, one after the other, in one thread.
 *
 * Programs made of tasks need little of this chapter: tusk_run() makes a loop, runs it and closes
 * it. It is here for programs that live on callbacks, that put a tusk loop into another loop, or
 * that reach a loop from another thread.
 *
 *     tusk_loop *loop = tusk_new_event_loop();
 *     tusk_loop_call_later(loop, 0.5, tick, &state);
 *     rc = tusk_loop_run_forever(loop);
 *     tusk_loop_close(loop);
 *
 * One iteration of the loop: poll for I/O (without waiting if anything is ready), append what came,
 * append the timers that are due, then run exactly the callbacks that are ready at this point, in
 * order. What they add is for the next iteration. A loop that is busy polls every few dozen
 * microseconds and not each time round.
 *
 * A callback is int callback(void *arg): 0 or a positive value is fine, a negative code goes to the
 * loop's exception handler, and the loop goes on. Callbacks cannot suspend; what waits is a task
 * (tusk/task.h).
 */
#ifndef TUSK_LOOP_H
#define TUSK_LOOP_H

#include <tusk/base.h>
#include <tusk/context.h>
#include <tusk/error.h>

TUSK_BEGIN_DECLS

/* An event loop. Yours, until tusk_loop_close(), if tusk_new_event_loop() made it. */
typedef struct tusk_loop tusk_loop;

/* A future and a task are one type: whatever takes a future takes a task. */
typedef struct tusk_future tusk_future;
typedef struct tusk_future tusk_task;

/* A callback. Must not suspend. A negative code goes to the exception handler. */
typedef int tusk_callback(void *arg);

/*
 * A callback that was registered. A plain value: nothing to free, and safe to use at any time until
 * its loop is closed, also long after the callback ran. Empty (.handle_ == NULL) when the
 * registration failed: see tusk_last_error().
 */
typedef struct tusk_handle {
    void *handle_;
    uint64_t id_;
} tusk_handle;

/* What time is for a loop. */
enum tusk_clock {
    /* Seconds as they go by. */
    TUSK_CLOCK_REAL = 0,
    /* Time stands still while there is work, and jumps to the next timer when
     * there is none: an hour takes no time. For tests and simulations. */
    TUSK_CLOCK_VIRTUAL = 1,
};

struct tusk_loop_options {
    /* TUSK_CLOCK_VIRTUAL: time that jumps, for tests. */
    enum tusk_clock clock;
    /* Debug mode. Without it the environment decides: TUSK_DEBUG=1. */
    bool debug;
    /*
     * The poller by name: "epoll", "io_uring" (Linux), "kqueue" (macOS and the BSDs), "poll". NULL: the
     * environment's TUSK_POLLER, or else the best there is. On Linux, where io_uring is forbidden or not
     * built in, or the kernel is older than 6.1, who asks for it gets epoll, and debug mode says so once.
     * "simulated", for tests: a network inside of this process, whose delays are drawn from schedule_seed.
     * Its sockets reach only those of the same loop.
     */
    const char *poller;
    /*
     * Not 0: tasks that are ready at once run in an order drawn from this seed, and the same seed
     * gives the same order again. It finds what depends on an order that nobody promised. 0: the
     * environment's TUSK_SCHEDULE_SEED, or first in, first out.
     */
    uint64_t schedule_seed;
    int tusk__end;
};

struct tusk_call_options {
    /* The callback runs in this context instead of a copy of the current one. Retained. */
    tusk_context *context;
    int tusk__end;
};

/*
 * A new loop, to be closed with tusk_loop_close(). NULL on an error, which tusk_last_error() gives:
 * -ENOMEM, -EMFILE, -EINVAL for a poller that this system does not have. Does not suspend. Any
 * thread; the loop belongs to the thread that runs it. Options (last, as designated initializers):
 * .clock, .debug, .poller, .schedule_seed.
 */
TUSK_API tusk_loop *tusk_new_event_loop(const struct tusk_loop_options *options);

/* The loop that runs in this thread, or NULL. Does not suspend. Any thread. */
TUSK_API tusk_loop *tusk_get_running_loop(void);

/*
 * Runs the loop until tusk_loop_stop(). Returns 0; TUSK_LOOP_CLOSED; TUSK_LOOP_RUNNING if this
 * loop, or another one in this thread, runs already; -EDEADLK if the clock is virtual and nothing
 * is left that could wake it; or the error of the poller. Call it outside of tasks and callbacks.
 */
TUSK_API TUSK_MUST_CHECK int tusk_loop_run_forever(tusk_loop *loop);

/*
 * Runs the loop until the future is done; returns its result or error, and takes the reference.
 * TUSK_LOOP_STOPPED if the loop was stopped before. Other errors as of tusk_loop_run_forever().
 */
TUSK_API TUSK_MUST_CHECK int tusk_loop_run_until_complete(tusk_loop *loop, tusk_future *future);

/*
 * Runs one iteration, waiting for something to do for up to timeout seconds (0: not at all;
 * negative or infinite: as long as it takes). Returns 0 or an error as tusk_loop_run_forever();
 * -EINVAL for NaN. For loops inside of other loops.
 */
TUSK_API TUSK_MUST_CHECK int tusk_loop_run_once(tusk_loop *loop, double timeout);

/*
 * Makes the loop return at the end of this iteration; before a run, after exactly one. Does not
 * suspend.
 */
TUSK_API void tusk_loop_stop(tusk_loop *loop);

/*
 * Closes the loop: forgets all callbacks, reports and frees tasks that are still pending and
 * references that were left. Returns 0, or TUSK_LOOP_RUNNING with nothing changed. Takes NULL. The
 * pointer is invalid afterwards.
 */
TUSK_API int tusk_loop_close(tusk_loop *loop);

/* True between the start and the end of a run. */
TUSK_API bool tusk_loop_is_running(const tusk_loop *loop);

/* The loop's clock, in seconds from some point that never changes. Does not suspend. */
TUSK_API double tusk_loop_time(tusk_loop *loop);

/*
 * Runs callback(arg) in the next iteration. First in, first out, each exactly once. Returns a
 * handle to cancel it by; empty on an error (tusk_last_error(): -EINVAL without callback, -ENOMEM,
 * TUSK_LOOP_CLOSED). Does not suspend. Option: .context.
 */
TUSK_API tusk_handle tusk_loop_call_soon(tusk_loop *loop, tusk_callback *callback, void *arg,
                                         const struct tusk_call_options *options);

/*
 * The same as tusk_loop_call_soon() after delay seconds: at once if that is 0 or less, never if it
 * is infinite. -EINVAL for NaN. Equal deadlines run in the order of their making.
 */
TUSK_API tusk_handle tusk_loop_call_later(tusk_loop *loop, double delay, tusk_callback *callback, void *arg,
                                          const struct tusk_call_options *options);

/* The same as tusk_loop_call_soon() at a point of the loop's clock. */
TUSK_API tusk_handle tusk_loop_call_at(tusk_loop *loop, double when, tusk_callback *callback, void *arg,
                                       const struct tusk_call_options *options);

/*
 * Like tusk_loop_call_soon(), from any thread: wakes the loop if it sleeps. Returns 0, -EINVAL,
 * -ENOMEM or TUSK_LOOP_CLOSED. The callback runs in an empty context. It is the caller's task to
 * see that the loop still exists. Does not suspend. Not for signal handlers.
 */
TUSK_API int tusk_loop_call_soon_threadsafe(tusk_loop *loop, tusk_callback *callback, void *arg);

/*
 * As tusk_loop_call_soon(), tusk_loop_call_later() and tusk_loop_call_at(), for the running loop.
 * TUSK_NO_RUNNING_LOOP without one.
 */
TUSK_API tusk_handle tusk_call_soon(tusk_callback *callback, void *arg,
                                    const struct tusk_call_options *options);
TUSK_API tusk_handle tusk_call_later(double delay, tusk_callback *callback, void *arg,
                                     const struct tusk_call_options *options);
TUSK_API tusk_handle tusk_call_at(double when, tusk_callback *callback, void *arg,
                                  const struct tusk_call_options *options);

/*
 * Cancels a callback. True if it was still to run and will not; false if it ran already, runs right
 * now, was cancelled before, or the handle is empty. Does not suspend.
 */
TUSK_API bool tusk_handle_cancel(tusk_handle handle);

/* True as long as the callback is still to run. Does not suspend. */
TUSK_API bool tusk_handle_pending(tusk_handle handle);

/* When a pending timer is due, on the loop's clock; NaN for anything else. Does not suspend. */
TUSK_API double tusk_handle_when(tusk_handle handle);

/* What went wrong, as the exception handler gets it. Valid during the call. */
struct tusk_exception_context {
    /* What happened, as one line. */
    const char *message;
    /* The error's code, or 0 if there is none, and its own message, or NULL. */
    int error;
    const char *error_message;
    /* The future or task concerned, or NULL, and the task's name, or NULL. */
    tusk_future *future;
    const char *task_name;
    /* Where that was made, as "file.c:12", or NULL if it is not known. */
    const char *where;
    /*
     * Of a step that took long: what it was doing when it had taken too long, a line for each call,
     * the innermost first; or NULL.
     */
    const char *backtrace;
};

/*
 * Hears of errors: see tusk_loop_set_exception_handler(). Must not run the loop or suspend. It may
 * create tasks. Negative: it failed itself.
 */
typedef int tusk_exception_handler(tusk_loop *loop, const struct tusk_exception_context *context, void *arg);

/*
 * Sets what hears of errors that nobody else can: of callbacks, of futures nobody asked, of tasks that
 * were lost. NULL brings back the default, which prints to standard error. Does not suspend.
 */
TUSK_API void tusk_loop_set_exception_handler(tusk_loop *loop, tusk_exception_handler *handler, void *arg);

/* Reports to the loop's handler; if that fails, to the default one. Does not suspend. */
TUSK_API void tusk_loop_call_exception_handler(tusk_loop *loop, const struct tusk_exception_context *context);

/* The default handler: one line to standard error, and the backtrace, if there is one. Does not suspend. */
TUSK_API void tusk_loop_default_exception_handler(tusk_loop *loop,
                                                  const struct tusk_exception_context *context);

/*
 * Debug mode: use of references that were handed on is an error instead of a crash. It reports
 * references that were never handed on, steps that take long, with a backtrace and while they still
 * run, cancels that were swallowed, scopes that were not left, calls from another thread, and a loop
 * in which nothing is left that could wake it. Set it before the loop makes anything.
 */
TUSK_API void tusk_loop_set_debug(tusk_loop *loop, bool debug);
TUSK_API bool tusk_loop_get_debug(const tusk_loop *loop);

/*
 * How long a callback or a step of a task may take in debug mode before it is reported, in seconds.
 * 0.1 at first; INFINITY: as long as it likes. -EINVAL for NaN or less than 0. Does not suspend. The
 * loop's thread.
 *
 * It is reported twice. As soon as it has taken that long, a thread of debug mode's own prints the
 * task's name and a backtrace to standard error: what blocks the loop for ever is named too. When it
 * ends, the exception handler is told how long it took. (Limits below a millisecond count as one
 * for the first of the two.)
 *
 * For the backtrace the loop's thread gets a signal: SIGURG, or a real-time signal if the program
 * has a handler for that one. It comes once for each such step. System calls go on after it,
 * but those that end with EINTR after any signal, such as sleep(), poll() and select(), end early.
 */
TUSK_API int tusk_loop_set_slow_callback_duration(tusk_loop *loop, double seconds);
TUSK_API double tusk_loop_get_slow_callback_duration(const tusk_loop *loop);

/*
 * For a loop that lives inside another one: a descriptor that is readable when the loop has I/O to
 * handle. -ENOTSUP if this poller has none. Ask tusk_loop_timeout() how long to wait for it.
 */
TUSK_API int tusk_loop_fileno(const tusk_loop *loop);

/*
 * How many seconds an outer loop may wait for the descriptor of tusk_loop_fileno(): 0 if callbacks
 * are ready, infinity if there is no timer. Then call tusk_loop_run_once(loop, 0).
 */
TUSK_API double tusk_loop_timeout(tusk_loop *loop);

/* The name of the loop's poller. Static. */
TUSK_API const char *tusk_loop_poller(const tusk_loop *loop);

#ifndef __cplusplus
/* In C, options are written as designated initializers, or left out. */
#define tusk_new_event_loop(...)                                                                             \
    (tusk_new_event_loop)(&(const struct tusk_loop_options){.tusk__end = 0, __VA_ARGS__})
#define tusk_loop_call_soon(loop, callback, ...)                                                             \
    TUSK__LOOP_CALL_SOON(loop, callback, __VA_ARGS__, .tusk__end = 0)
#define TUSK__LOOP_CALL_SOON(loop, callback, arg, ...)                                                       \
    (tusk_loop_call_soon)(loop, callback, arg, &(const struct tusk_call_options){__VA_ARGS__})
#define tusk_loop_call_later(loop, delay, callback, ...)                                                     \
    TUSK__LOOP_CALL_LATER(loop, delay, callback, __VA_ARGS__, .tusk__end = 0)
#define TUSK__LOOP_CALL_LATER(loop, delay, callback, arg, ...)                                               \
    (tusk_loop_call_later)(loop, delay, callback, arg, &(const struct tusk_call_options){__VA_ARGS__})
#define tusk_loop_call_at(loop, when, callback, ...)                                                         \
    TUSK__LOOP_CALL_AT(loop, when, callback, __VA_ARGS__, .tusk__end = 0)
#define TUSK__LOOP_CALL_AT(loop, when, callback, arg, ...)                                                   \
    (tusk_loop_call_at)(loop, when, callback, arg, &(const struct tusk_call_options){__VA_ARGS__})
#define tusk_call_soon(callback, ...) TUSK__CALL_SOON(callback, __VA_ARGS__, .tusk__end = 0)
#define TUSK__CALL_SOON(callback, arg, ...)                                                                  \
    (tusk_call_soon)(callback, arg, &(const struct tusk_call_options){__VA_ARGS__})
#define tusk_call_later(delay, callback, ...) TUSK__CALL_LATER(delay, callback, __VA_ARGS__, .tusk__end = 0)
#define TUSK__CALL_LATER(delay, callback, arg, ...)                                                          \
    (tusk_call_later)(delay, callback, arg, &(const struct tusk_call_options){__VA_ARGS__})
#define tusk_call_at(when, callback, ...) TUSK__CALL_AT(when, callback, __VA_ARGS__, .tusk__end = 0)
#define TUSK__CALL_AT(when, callback, arg, ...)                                                              \
    (tusk_call_at)(when, callback, arg, &(const struct tusk_call_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
