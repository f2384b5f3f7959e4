/*
 * tusk_run: from main() into the first coroutine, and back.
 *
 *     int main(void) { return tusk_run(manager, NULL) < 0; }
 */
#ifndef TUSK_RUN_H
#define TUSK_RUN_H

#include <tusk/task.h>

TUSK_BEGIN_DECLS

struct tusk_run_options {
    enum tusk_clock clock;
    /* Debug mode. Without it the environment decides: TUSK_DEBUG=1. */
    bool debug;
    /* Bytes of stack of the main task; 0 for TUSK_STACK_DEFAULT. */
    size_t stack_size;
    /* The poller by name; NULL for the environment's TUSK_POLLER, or the best there is. */
    const char *poller;
    int tusk__end;
};

/*
 * Makes a loop, runs coro(arg) in it as a task until it ends, cancels the tasks
 * that are left and waits for them, reports their errors, and closes the loop.
 * Returns what the coroutine returned. Errors of its own: TUSK_LOOP_RUNNING
 * inside of a loop, -EINVAL, -ENOMEM, TUSK_SHADOW_STACK; -EDEADLK if the clock is
 * virtual and nothing is left that could wake anyone.
 * Call it outside of tasks. Each thread may have a run of its own.
 * Options: .clock, .debug, .stack_size, .poller.
 */
TUSK_API int tusk_run(tusk_coro *coro, void *arg, const struct tusk_run_options *options);

#ifndef __cplusplus
#define tusk_run(coro, ...) TUSK__RUN(coro, __VA_ARGS__, .tusk__end = 0)
#define TUSK__RUN(coro, arg, ...) (tusk_run)(coro, arg, &(const struct tusk_run_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
