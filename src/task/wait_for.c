/*
 * wait_for: an await inside of a time-out. Without any time it is something
 * else: take what is there, cancel what is not, and wait for its end. A future that is done
 * suspends nobody, so that its time cannot be over: no clock is read for it.
 */
#include <errno.h>
#include <math.h>

#include <tusk/timeout.h>
#include <tusk/wait.h>

#include "task/waiter.h"

/* The end of a future that was cancelled, seen through a callback: so this wait can be cancelled by itself. */
struct ending {
    struct tusk__waiter waiter;
    struct tusk__handle handle;
    struct tusk_future *future;
    bool called_back;
};

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    tusk__future_describe(container_of(wait, struct ending, waiter.wait)->future, text, size);
}

static const struct tusk__wait_kind kind = {.cancel = tusk__waiter_cancel, .describe = describe};

static void ended(struct tusk__handle *handle)
{
    struct ending *ending = container_of(handle, struct ending, handle);

    ending->called_back = true;
    tusk__waiter_end(&ending->waiter, 0);
}

static void leave(struct ending *ending)
{
    if (ending->called_back)
        return;
    if (tusk__future_pending(ending->future))
        tusk__future_remove(ending->future, &ending->handle);
    else
        tusk__loop_orphan(ending->future->loop, &ending->handle);
}

static int cancel_and_wait(struct tusk__task *task, struct tusk_future *future)
{
    struct ending ending = {.handle = {.run = ended, .context = TUSK__LIGHT}, .future = future};
    int rc;

    tusk__waiter_init(&ending.waiter, task, &kind);
    tusk__future_append(future, &ending.handle);
    tusk__future_cancel(future, NULL);
    rc = tusk__waiter_wait(&ending.waiter);
    leave(&ending);
    return rc;
}

/* Takes the reference. */
static int without_time(struct tusk__task *task, struct tusk_future *future)
{
    int rc;

    if (!tusk__future_pending(future))
        return tusk_await(future);
    if (!task || future == &task->future || future->loop != task->future.loop)
        return tusk_await(future);
    rc = cancel_and_wait(task, future);
    if (rc < 0) {
        tusk__future_release(future);
        return rc;
    }
    rc = tusk_await(future);
    if (rc == -ECANCELED)
        tusk__receive_text(rc, NULL);
    return rc == -ECANCELED ? -ETIMEDOUT : rc;
}

int tusk_wait_for(tusk_future *future, double timeout)
{
    tusk_timeout scope;
    int rc;

    if (!future)
        return tusk_await(NULL);
    if (future->state == TUSK__FREED)
        return tusk__future_misused(future);
    if (timeout <= 0)
        return without_time(tusk__running_task(), future);
    /* Not for NaN, and not outside of a task: that is refused below. */
    if (timeout > 0 && !tusk__future_pending(future) && tusk__running_task())
        return tusk_await(future);
    rc = tusk_timeout_enter(&scope, timeout);
    if (rc < 0) {
        tusk__future_release(future);
        return rc;
    }
    return tusk_timeout_exit(&scope, tusk_await(future));
}

static int run_with_time(tusk_coro *coro, void *arg, double timeout)
{
    tusk_timeout scope;

    tusk_try(tusk_timeout_enter(&scope, timeout));
    return tusk_timeout_exit(&scope, coro(arg));
}

int tusk_wait_for_coro(tusk_coro *coro, void *arg, double timeout)
{
    bool owns_arg;
    int rc;

    if (timeout <= 0)
        return tusk_wait_for(tusk_create_task(coro, arg), timeout);
    if (tusk__copies_wait() && tusk__copy_failed(arg))
        return -ENOMEM;
    owns_arg = tusk__copies_wait() && tusk__copy_claim(arg);
    rc = coro ? run_with_time(coro, arg, timeout) : -EINVAL;
    if (owns_arg)
        tusk__copy_free(arg);
    return rc;
}
