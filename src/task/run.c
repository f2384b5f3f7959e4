/*
 * Runs: a loop until a future is done, and what becomes of the tasks that are
 * left when a program's run ends.
 */
#include "task/run.h"

#include <errno.h>

#include "base/error.h"
#include "task/task.h"

/* ---- a loop until a future is done ---- */

struct until_done {
    struct tusk__handle handle;
    struct tusk_loop *loop;
    bool called;
};

static void stop(struct tusk__handle *handle)
{
    struct until_done *until = container_of(handle, struct until_done, handle);

    until->called = true;
    tusk_loop_stop(until->loop);
}

/* Takes the handle out of wherever it still is: the loop may have been stopped by others. */
static void withdraw(struct until_done *until, struct tusk_future *future)
{
    if (until->called)
        return;
    if (tusk__future_pending(future))
        tusk__future_remove(future, &until->handle);
    else
        tusk__loop_orphan(until->loop, &until->handle);
}

static int check(struct tusk_loop *loop, struct tusk_future *future)
{
    if (!loop)
        return -EINVAL;
    if (!future)
        return tusk__creation_error();
    if (future->state == TUSK__FREED)
        return tusk__future_misused(future);
    if (loop->running || tusk__running_loop)
        return TUSK_LOOP_RUNNING;
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
    withdraw(&until, future);
    rc = outcome(future, rc);
    tusk__future_release(future);
    return rc;
}

/* ---- the end of a program ---- */

/* The last iterations of the gather in which asyncio waits: who outlived his cancel gets as far. */
enum { AFTER_CANCELLED = 2 };

static void report_late_error(struct tusk_future *task)
{
    char name[128];
    struct tusk_exception_context context = {
        .message = "unhandled exception during tusk_run() shutdown",
        .error = task->result,
        .error_message = task->text ? task->text->text : NULL,
        .future = task,
        .task_name = name,
        .where = task->where,
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
        at->gather_index = 0;
    }
    for (struct tusk_future *at = tasks->oldest; at; at = at->newer)
        if (at->leftover)
            tusk__future_cancel_in_round(at);
}

/* The first from here on that was cancelled and has not ended. Each has a reference, so the list stays as it is. */
static struct tusk_future *first_pending(struct tusk_future *at)
{
    while (at && !(at->leftover && tusk__future_pending(at)))
        at = at->newer;
    return at;
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

void tusk__run_iterate(struct tusk_loop *loop, int count)
{
    while (count-- > 0 && tusk_loop_run_once(loop, 0) == 0)
        ;
}

void tusk__run_finish_tasks(struct tusk_loop *loop)
{
    struct tusk__tasks *tasks = tusk__tasks_of(loop);
    struct tusk_future *at;

    if (!tasks || tasks->pending == 0)
        return;
    cancel_all(tasks);
    at = first_pending(tasks->oldest);
    while (at && tusk_loop_run_once(loop, -1) == 0)
        at = first_pending(at);
    tusk__run_iterate(loop, AFTER_CANCELLED);
    settle(tasks);
}

const char *tusk_version(void)
{
    return TUSK_VERSION;
}
