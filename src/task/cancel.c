/*
 * Cancelling a task: asyncio's rules, and one loop instead of a recursion, so
 * that a chain of a million tasks can be cancelled at its head.
 */
#include <errno.h>

#include "task/task.h"

/* Asks one task; true if what it waits for took the request. */
static bool ask(struct tusk__task *task, struct tusk__text *text)
{
    return task->wait && task->wait->kind->cancel(task->wait, text);
}

static void cancel_at_next_step(struct tusk__task *task, struct tusk__text *text)
{
    task->must_cancel = true;
    tusk__text_put(&task->cancel_text, tusk__text_retain(text));
}

/*
 * A ring of tasks that await each other has no leaf that could be cancelled.
 * asyncio recurses until it fails; here the ring is cut at this task.
 */
static void cut_ring(struct tusk__task *task, struct tusk__text *text)
{
    cancel_at_next_step(task, text);
    tusk__await_abandon(task);
}

bool tusk__task_cancel(struct tusk__task *task, struct tusk__text *text)
{
    size_t limit = tusk__tasks_of(task->future.loop)->pending;

    tusk__future_retrieved(&task->future);
    if (!tusk__future_pending(&task->future))
        return false;
    for (;;) {
        struct tusk__task *next = tusk__awaited_task(task->wait);

        task->cancels++;
        if (!next)
            break;
        if (limit-- == 0) {
            cut_ring(task, text);
            return true;
        }
        task = next;
    }
    if (!ask(task, text))
        cancel_at_next_step(task, text);
    return true;
}

bool(tusk_task_cancel)(tusk_task *task, const struct tusk_cancel_options *options)
{
    return (tusk_future_cancel)(task, options);
}

int tusk_task_cancelling(const tusk_task *task)
{
    if (!task || task->kind != TUSK__TASK || task->state == TUSK__FREED)
        return TUSK_INVALID_STATE;
    return tusk__task_of((tusk_task *)task)->cancels;
}

int tusk_task_uncancel(tusk_task *task)
{
    struct tusk__task *self;

    if (!task || task->kind != TUSK__TASK || task->state == TUSK__FREED)
        return TUSK_INVALID_STATE;
    self = tusk__task_of(task);
    if (self->cancels > 0 && --self->cancels == 0)
        self->must_cancel = false;
    return self->cancels;
}
