/*
 * Awaiting a future: the task's own handle stands among the future's callbacks.
 */
#include <errno.h>

#include "base/error.h"
#include "task/task.h"

struct await {
    struct tusk__wait wait;
    struct tusk_future *future;
};

static struct tusk_future *future_of(const struct tusk__wait *wait)
{
    return container_of(wait, struct await, wait)->future;
}

static bool cancel(struct tusk__wait *wait, struct tusk__text *text)
{
    return tusk__future_cancel(future_of(wait), text);
}

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    tusk__future_describe(future_of(wait), text, size);
}

static const struct tusk__wait_kind kind = {.cancel = cancel, .describe = describe};

static bool cancel_cut(struct tusk__wait *wait, struct tusk__text *text)
{
    (void)wait;
    (void)text;
    return false;
}

/* An await that was cut off: its task is in the ready queue and not among the future's callbacks. */
static const struct tusk__wait_kind cut_kind = {.cancel = cancel_cut, .describe = describe};

struct tusk_future *tusk__awaited(const struct tusk__wait *wait)
{
    return wait && wait->kind == &kind ? future_of(wait) : NULL;
}

void tusk__await_abandon(struct tusk__task *task)
{
    tusk__future_remove(future_of(task->wait), &task->future.handle);
    task->wait->kind = &cut_kind;
    tusk__wake(task);
}

/* What a done future has for who awaits it: its outcome, and the message with it. */
static int take(struct tusk_future *future)
{
    int rc = tusk__future_outcome(future);

    if (unlikely(rc < 0))
        tusk__receive_text(rc, future->text);
    return rc;
}

/* asyncio throws these into the task in its next step: an iteration goes by. */
static int refuse(struct tusk__task *task, int code)
{
    tusk__wake(task);
    tusk__suspend(task);
    code = tusk__resumed(task, code);
    return code == -ECANCELED ? code : tusk_raise(code, "%s", tusk_strerror(code));
}

/*
 * A ring of awaits was cut here (tusk__await_abandon) by a cancel. That may have
 * been taken back since: then the task waits on.
 */
static TUSK__NOINLINE int await_cut(struct tusk__task *task, struct await *await)
{
    while (!task->must_cancel) {
        await->wait.kind = &kind;
        tusk__future_append(await->future, &task->future.handle);
        tusk__park(task, &await->wait);
        if (!tusk__future_pending(await->future))
            return tusk__resumed(task, take(await->future));
    }
    return tusk__resumed(task, 0);
}

static int await_pending(struct tusk__task *task, struct tusk_future *future)
{
    struct await await = {.wait = {&kind}, .future = future};

    if (unlikely(future == &task->future))
        return refuse(task, TUSK_AWAITED_ITSELF);
    if (unlikely(future->loop != task->future.loop))
        return refuse(task, TUSK_OTHER_LOOP);
    tusk__future_append(future, &task->future.handle);
    tusk__park(task, &await.wait);
    if (unlikely(tusk__future_pending(future)))
        return await_cut(task, &await);
    return tusk__resumed(task, take(future));
}

int tusk_await(tusk_future *future)
{
    struct tusk__task *task = tusk__running_task();
    int rc;

    if (unlikely(!future))
        return tusk__creation_error();
    if (unlikely(future->state == TUSK__FREED))
        return tusk__future_misused(future);
    if (!tusk__future_pending(future))
        rc = take(future);
    else if (likely(task != NULL))
        rc = await_pending(task, future);
    else
        rc = tusk_raise(TUSK_NOT_IN_TASK, "%s", tusk_strerror(TUSK_NOT_IN_TASK));
    tusk__future_release(future);
    return rc;
}
