/*
 * Waiters: their timer and their cancel. See waiter.h.
 */
#include "task/waiter.h"

#include <errno.h>

static void time_is_over(struct tusk__handle *handle)
{
    struct tusk__waiter *waiter = container_of(handle, struct tusk__waiter, timer.handle);

    tusk__waiter_end(waiter, waiter->timer_result);
}

void tusk__waiter_start_timer(struct tusk__waiter *waiter, int64_t when, int result)
{
    waiter->timer.handle.run = time_is_over;
    waiter->timer.handle.context = TUSK__LIGHT;
    waiter->timer_result = result;
    tusk__loop_add_timer(waiter->task->future.loop, &waiter->timer, when);
}

bool tusk__waiter_cancel(struct tusk__wait *wait, struct tusk__text *text)
{
    struct tusk__waiter *waiter = container_of(wait, struct tusk__waiter, wait);

    if (waiter->over)
        return false;
    tusk__text_put(&waiter->task->future.text, tusk__text_retain(text));
    tusk__waiter_end(waiter, -ECANCELED);
    return true;
}
