/*
 * Programs: from main() into coroutines and back.
 *
 * SIGINT is asyncio's: the first one cancels the main task. For what asyncio does next, raise
 * KeyboardInterrupt wherever the program is, C has no counterpart but the signal
 * itself: so the handler gives SIGINT back to the system as soon as the first one has come.
 */
#include <errno.h>
#include <signal.h>

#include <tusk/run.h>
#include <tusk/thread.h>

#include "base/error.h"
#include "base/sys.h"
#include "os/signal.h"
#include "os/threads.h"
#include "task/run.h"
#include "task/task.h"

/* How long the end of a run waits for threads, in seconds: asyncio's number. */
#define THREAD_JOIN_TIMEOUT 300.0

/* The iterations of asyncio's shutdowns, of generators and of threads, when there are none. */
enum { NO_GENERATORS = 2, NO_THREADS = 2 };

struct tusk_runner {
    struct tusk_loop *loop;
    struct tusk_context *context;
    size_t stack_size;
    /* The task of the present run. */
    struct tusk_future *main;
    struct tusk__signal_listener interrupt;
    /* The interrupt has cancelled the main task. */
    bool cancelled;
};

/* ---- interrupts ---- */

/* It may be a letter from an earlier run, which was too late there: then none has come in this one. */
static void open_interrupt(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk_runner *runner = container_of(letter, struct tusk_runner, interrupt.letter);

    (void)loop;
    tusk__listener_opened(&runner->interrupt);
    if (atomic_load(&runner->interrupt.count) > 0 && runner->main && !runner->cancelled)
        runner->cancelled = tusk__future_cancel(runner->main, NULL);
}

static void drop_interrupt(struct tusk__letter *letter)
{
    (void)letter;
}

static bool listen_for_interrupts(struct tusk_runner *runner)
{
    atomic_store(&runner->interrupt.count, 0);
    runner->cancelled = false;
    return tusk__is_main_thread() && tusk__signal_is_default(SIGINT) &&
           tusk__signal_listen(SIGINT, &runner->interrupt) == 0;
}

/* True if an interrupt is what ended the main task, or came when there was nothing left to cancel. */
static bool was_interrupted(struct tusk_runner *runner, int rc)
{
    if (atomic_load(&runner->interrupt.count) == 0)
        return false;
    if (!runner->cancelled)
        return true;
    return rc == -ECANCELED && tusk_task_uncancel(runner->main) == 0;
}

/* ---- runs ---- */

static int init(struct tusk_runner *runner, const struct tusk_run_options *options)
{
    struct tusk_loop_options loop_options = {0};

    if (options) {
        loop_options.clock = options->clock;
        loop_options.debug = options->debug;
        loop_options.poller = options->poller;
        loop_options.schedule_seed = options->schedule_seed;
        runner->stack_size = options->stack_size;
    }
    runner->loop = (tusk_new_event_loop)(&loop_options);
    if (!runner->loop)
        return tusk_last_error();
    runner->interrupt.letter =
        (struct tusk__letter){{.run = tusk__letter_run}, open_interrupt, drop_interrupt};
    runner->interrupt.loop = runner->loop;
    runner->interrupt.once = true;
    return 0;
}

static int run(struct tusk_runner *runner, tusk_coro *coro, void *arg, struct tusk_context *context)
{
    struct tusk_task_options options = {.stack_size = runner->stack_size, .context = context};
    bool listens;
    int rc;

    /* Those that an earlier run has left may have pointers into its main task's stack. */
    if (runner->loop->tasks && tusk__tasks_of(runner->loop)->pending == 0)
        tusk__tasks_unpin(tusk__tasks_of(runner->loop));
    runner->main = (tusk_loop_create_task)(runner->loop, coro, arg, &options);
    if (!runner->main)
        return tusk_last_error();
    tusk__task_pin(tusk__task_of(runner->main));
    listens = listen_for_interrupts(runner);
    rc = tusk_loop_run_until_complete(runner->loop, tusk_retain(runner->main));
    if (listens)
        tusk__signal_unlisten(SIGINT, &runner->interrupt);
    if (was_interrupted(runner, rc))
        rc = -EINTR;
    if (tusk__future_pending(runner->main))
        tusk__task_unpin(tusk__task_of(runner->main));
    tusk_release(runner->main);
    runner->main = NULL;
    return rc;
}

static int shut_executor_down(void *loop)
{
    return tusk_loop_shutdown_default_executor(loop, THREAD_JOIN_TIMEOUT);
}

static void finish_threads(struct tusk_loop *loop)
{
    tusk_task *task;
    int rc;

    if (!tusk__threads_have_executor(loop)) {
        tusk__run_iterate(loop, NO_THREADS);
        return;
    }
    task = (tusk_loop_create_task)(loop, shut_executor_down, loop, NULL);
    rc = tusk_loop_run_until_complete(loop, task);
    /* What went wrong was reported; without memory for all this the threads are left alone. */
    (void)rc;
}

static void finish(struct tusk_runner *runner)
{
    tusk__run_finish_tasks(runner->loop);
    tusk__run_iterate(runner->loop, NO_GENERATORS);
    finish_threads(runner->loop);
    if (runner->loop->tasks)
        tusk__tasks_unpin(tusk__tasks_of(runner->loop));
    tusk_loop_close(runner->loop);
    tusk_context_release(runner->context);
}

int(tusk_run)(tusk_coro *coro, void *arg, const struct tusk_run_options *options)
{
    struct tusk_runner runner = {0};
    int rc;

    if (tusk__running_loop)
        return TUSK_LOOP_RUNNING;
    rc = init(&runner, options);
    if (rc < 0)
        return rc;
    /* Without a context of its own to share: the main task gets a copy, as any task. */
    rc = run(&runner, coro, arg, NULL);
    finish(&runner);
    return rc;
}

/* ---- runners ---- */

tusk_runner *(tusk_runner_create)(const struct tusk_run_options *options)
{
    struct tusk_runner *runner = tusk__alloc(sizeof *runner);
    int rc;

    if (!runner)
        return tusk__fail(-ENOMEM);
    runner->context = tusk_copy_context();
    rc = runner->context ? init(runner, options) : -ENOMEM;
    if (rc == 0)
        return runner;
    tusk_context_release(runner->context);
    tusk__free(runner);
    return tusk__fail(rc);
}

int(tusk_runner_run)(tusk_runner *runner, tusk_coro *coro, void *arg,
                     const struct tusk_runner_run_options *options)
{
    if (!runner)
        return tusk__creation_error();
    if (tusk__running_loop)
        return TUSK_LOOP_RUNNING;
    return run(runner, coro, arg, options && options->context ? options->context : runner->context);
}

tusk_loop *tusk_runner_get_loop(const tusk_runner *runner)
{
    return runner ? runner->loop : NULL;
}

int tusk_runner_close(tusk_runner *runner)
{
    if (!runner)
        return 0;
    if (tusk__running_loop)
        return TUSK_LOOP_RUNNING;
    finish(runner);
    tusk__free(runner);
    return 0;
}
