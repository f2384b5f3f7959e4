/*
 * Runs: a loop until a future is done, and a program from its first coroutine
 * to its end.
 */
#include <errno.h>

#include <tusk/run.h>

#include "base/error.h"
#include "task/task.h"

/* ---- a loop until a future is done ---- */

struct until_done {
    struct tusk__handle handle;
    struct tusk_loop *loop;
};

static void stop(struct tusk__handle *handle)
{
    tusk_loop_stop(container_of(handle, struct until_done, handle)->loop);
}

static int await_failed_creation(void)
{
    return tusk_last_error() < 0 ? tusk_last_error() : -EINVAL;
}

static int check(struct tusk_loop *loop, struct tusk_future *future)
{
    if (!loop)
        return -EINVAL;
    if (!future)
        return await_failed_creation();
    if (future->state == TUSK__FREED)
        return tusk__future_misused(future);
    return future->loop == loop ? 0 : TUSK_OTHER_LOOP;
}

/* What the future has in the end; rc is how the run went. */
static int outcome(struct tusk_future *future, int rc)
{
    if (tusk__future_pending(future))
        return rc < 0 ? rc : TUSK_LOOP_STOPPED;
    rc = tusk__future_outcome(future);
    if (rc < 0)
        tusk__receive_text(rc, future->text);
    return rc;
}

int tusk_loop_run_until_complete(tusk_loop *loop, tusk_future *future)
{
    struct until_done until = {.handle = {.run = stop, .context = TUSK__LIGHT}, .loop = loop};
    int rc = check(loop, future);

    if (rc < 0) {
        if (future && rc != TUSK_RELEASED)
            tusk__future_release(future);
        return rc;
    }
    if (tusk__future_pending(future))
        tusk__future_append(future, &until.handle);
    else
        tusk__loop_push(loop, &until.handle);
    rc = tusk__loop_run(loop);
    if (tusk__future_pending(future))
        tusk__future_remove(future, &until.handle);
    rc = outcome(future, rc);
    tusk__future_release(future);
    return rc;
}

/* ---- a program ---- */

/*
 * How many iterations asyncio's run still makes at the end, in which tasks that
 * outlived their cancel get that much further: two for the gather that waited
 * for the cancelled ones, two each for its shutdowns of generators and of threads.
 */
enum { AFTER_CANCELLED = 2, AFTER_ALL = 4 };

static void report_late_error(struct tusk_future *task)
{
    char name[128];
    struct tusk_exception_context context = {
        .message = "unhandled exception during tusk_run() shutdown",
        .error = task->result,
        .error_message = task->text ? task->text->text : NULL,
        .future = task,
        .task_name = name,
    };

    tusk__future_describe(task, name, sizeof name);
    tusk__loop_report(task->loop, &context);
}

/* Asks every task to end that has not; each gets a mark and a reference. */
static void cancel_all(struct tusk__tasks *tasks)
{
    for (struct tusk_future *at = tasks->oldest; at; at = at->newer) {
        at->leftover = at->kind == TUSK__TASK && tusk__future_pending(at);
        if (at->leftover)
            at->references++;
    }
    for (struct tusk_future *at = tasks->oldest; at; at = at->newer)
        if (at->leftover)
            tusk__future_cancel(at, NULL);
}

static bool any_pending(const struct tusk__tasks *tasks)
{
    for (struct tusk_future *at = tasks->oldest; at; at = at->newer)
        if (at->leftover && tusk__future_pending(at))
            return true;
    return false;
}

/* Takes the marks and references back, and tells of the errors that came instead of an end. */
static void settle(struct tusk__tasks *tasks)
{
    struct tusk_future *next;

    for (struct tusk_future *at = tasks->oldest; at; at = next) {
        bool failed = at->state == TUSK__FAILED || (at->state == TUSK__FINISHED && at->result < 0);

        next = at->newer;
        if (!at->leftover)
            continue;
        at->leftover = false;
        if (failed) {
            tusk__future_retrieved(at);
            report_late_error(at);
        }
        next = at->newer;
        tusk__future_release(at);
    }
}

static void iterate(struct tusk_loop *loop, int count)
{
    while (count-- > 0 && tusk_loop_run_once(loop, 0) == 0)
        ;
}

static void finish_leftovers(struct tusk_loop *loop)
{
    struct tusk__tasks *tasks = tusk__tasks_of(loop);
    int rc = 0;

    cancel_all(tasks);
    while (rc == 0 && any_pending(tasks))
        rc = tusk_loop_run_once(loop, -1);
    iterate(loop, AFTER_CANCELLED);
    settle(tasks);
}

static void finish_run(struct tusk_loop *loop)
{
    if (loop->tasks && tusk__tasks_of(loop)->pending > 0)
        finish_leftovers(loop);
    iterate(loop, AFTER_ALL);
    tusk_loop_close(loop);
}

static struct tusk_loop *make_loop(const struct tusk_run_options *options)
{
    struct tusk_loop_options loop_options = {0};

    if (options) {
        loop_options.clock = options->clock;
        loop_options.debug = options->debug;
        loop_options.poller = options->poller;
    }
    return (tusk_new_event_loop)(&loop_options);
}

int(tusk_run)(tusk_coro *coro, void *arg, const struct tusk_run_options *options)
{
    struct tusk_task_options task_options = {.stack_size = options ? options->stack_size : 0};
    struct tusk_loop *loop;
    int rc;

    if (tusk__running_loop)
        return TUSK_LOOP_RUNNING;
    loop = make_loop(options);
    if (!loop)
        return tusk_last_error();
    rc = tusk_loop_run_until_complete(loop, (tusk_loop_create_task)(loop, coro, arg, &task_options));
    finish_run(loop);
    return rc;
}

const char *tusk_version(void)
{
    return TUSK_VERSION;
}
