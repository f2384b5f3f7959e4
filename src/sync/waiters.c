/*
 * What waiters do when they are cancelled, and what reports say of them.
 */
#include "sync/waiters.h"

#include <stdio.h>

static struct tusk__sync_waiter *waiter_of(const struct tusk__wait *wait)
{
    return container_of(wait, struct tusk__sync_waiter, wait);
}

static bool cancel(struct tusk__wait *wait, struct tusk__text *text)
{
    struct tusk__sync_waiter *waiter = waiter_of(wait);

    if (waiter->state != TUSK__WAITING)
        return false;
    tusk__text_put(&waiter->task->future.text, tusk__text_retain(text));
    waiter->waiters->live--;
    tusk__sync_waiter_end(waiter, TUSK__WAIT_CANCELLED);
    return true;
}

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    const struct tusk__sync_waiter *waiter = waiter_of(wait);
    const void *object = (const char *)waiter->waiters - waiter->what->offset;

    snprintf(text, size, "%s at %p%s", waiter->what->noun, object, waiter->what->rest);
}

const struct tusk__wait_kind tusk__sync_waiter_kind = {.cancel = cancel, .describe = describe};

int tusk__waiters_refuse_place(void)
{
    return tusk_raise(TUSK_NOT_IN_TASK, "%s", tusk_strerror(TUSK_NOT_IN_TASK));
}

int tusk__waiters_refuse_loop(void)
{
    return tusk_raise(TUSK_OTHER_LOOP, "tasks of another loop are waiting there");
}
