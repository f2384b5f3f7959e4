/*
 * Running: from main() into the first coroutine, and back.
 *
 *     int main(void) { return tusk_run(manager, NULL) < 0; }
 *
 * A tusk_runner does the same for several coroutines, one run after the other, on one loop.
 *
 * Ctrl-C: if SIGINT does what it does by default, a run in the main thread takes it over until its
 * coroutine has ended. The first one cancels the coroutine, which may clean up; if it ends
 * cancelled, and by this cancel alone, the run returns -EINTR. It also does if the signal came too
 * late to cancel anything. A second SIGINT ends the process, as does one that comes while the run
 * waits for its last tasks and threads. A program that a script starts in the background, with &, ignores SIGINT from
 * its start, and so does its run: end it by SIGTERM, or give it a handler (tusk/signal.h).
 */
#ifndef TUSK_RUN_H
#define TUSK_RUN_H

#include <tusk/task.h>

TUSK_BEGIN_DECLS

struct tusk_run_options {
    /* TUSK_CLOCK_VIRTUAL: time that jumps, for tests. */
    enum tusk_clock clock;
    /* Debug mode. Without it the environment decides: TUSK_DEBUG=1. */
    bool debug;
    /* Bytes of stack of the main task; 0 for TUSK_STACK_DEFAULT. */
    size_t stack_size;
    /* The poller by name, NULL for the best there is; "simulated" for tests. See tusk/loop.h. */
    const char *poller;
    /* A seed for a random order of tasks: see tusk/loop.h. */
    uint64_t schedule_seed;
    int tusk__end;
};

/*
 * Makes a loop, runs coro(arg) in it as a task until it ends, cancels the tasks that are left and
 * waits for them, reports their errors, waits up to 300 s for the threads of the default executor,
 * and closes the loop. Returns what the coroutine returned. Errors of its own: -EINTR after Ctrl-C,
 * TUSK_LOOP_RUNNING inside of a loop, -EINVAL, -ENOMEM, TUSK_SHADOW_STACK; -EDEADLK if the clock is
 * virtual and nothing is left that could wake anyone. Call it outside of tasks. Each thread may
 * have a run of its own. Options: .clock, .debug, .stack_size, .poller, .schedule_seed.
 */
TUSK_API int tusk_run(tusk_coro *coro, void *arg, const struct tusk_run_options *options);

/*
 * Runs on one loop, which is made at once and lives until tusk_runner_close(). They share one
 * context, a copy of the one in which the runner was made. (asyncio.Runner)
 *
 *     tusk_runner *runner = tusk_runner_create();
 *     rc = tusk_runner_run(runner, connect, &client);
 *     rc = tusk_runner_run(runner, talk, &client);
 *     tusk_runner_close(runner);
 */
typedef struct tusk_runner tusk_runner;

struct tusk_runner_run_options {
    /* Instead of the runner's own. Retained. */
    tusk_context *context;
    int tusk__end;
};

/*
 * A new runner. NULL on an error (tusk_last_error()). Options as of tusk_run(); .stack_size is for
 * each run.
 */
TUSK_API tusk_runner *tusk_runner_create(const struct tusk_run_options *options);

/*
 * Runs coro(arg) as a task until it ends; tasks that it leaves behind wait for the next run.
 * Returns what the coroutine returned, or errors as tusk_run(). Option: .context.
 */
TUSK_API TUSK_MUST_CHECK int tusk_runner_run(tusk_runner *runner, tusk_coro *coro, void *arg,
                                             const struct tusk_runner_run_options *options);

/*
 * The runner's loop: to make futures before a run, or to set its handlers. Not to be closed. NULL
 * for NULL.
 */
TUSK_API tusk_loop *tusk_runner_get_loop(const tusk_runner *runner);

/*
 * Ends what is left, as tusk_run() does, closes the loop and frees the runner. Returns 0, or
 * TUSK_LOOP_RUNNING inside of a loop, with nothing changed. Takes NULL.
 */
TUSK_API int tusk_runner_close(tusk_runner *runner);

#ifndef __cplusplus
#define tusk_runner_create(...)                                                                              \
    (tusk_runner_create)(&(const struct tusk_run_options){.tusk__end = 0, __VA_ARGS__})
#define tusk_runner_run(runner, coro, ...) TUSK__RUNNER_RUN(runner, coro, __VA_ARGS__, .tusk__end = 0)
#define TUSK__RUNNER_RUN(runner, coro, arg, ...)                                                             \
    (tusk_runner_run)(runner, coro, arg, &(const struct tusk_runner_run_options){__VA_ARGS__})
#define tusk_run(coro, ...) TUSK__RUN(coro, __VA_ARGS__, .tusk__end = 0)
#define TUSK__RUN(coro, arg, ...) (tusk_run)(coro, arg, &(const struct tusk_run_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
