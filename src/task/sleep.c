/*
 * Sleeping. As in asyncio, a timer that is due does not run the task: it makes
 * an entry in the ready queue which wakes the task, and so the task runs one iteration
 * later, behind what was ready before.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "task/waiter.h"

struct sleep {
    struct tusk__waiter waiter;
    double delay;
};

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    snprintf(text, size, "a sleep of %g seconds", container_of(wait, struct sleep, waiter.wait)->delay);
}

static const struct tusk__wait_kind kind = {.cancel = tusk__waiter_cancel, .describe = describe};

static int yield(struct tusk__task *task)
{
    tusk__wake(task);
    tusk__suspend(task);
    return tusk__resumed(task, 0);
}

static int sleep_for(struct tusk__task *task, double delay)
{
    struct tusk_loop *loop = task->future.loop;
    struct sleep sleep;

    tusk__waiter_init(&sleep.waiter, task, &kind);
    sleep.delay = delay;
    if (!isinf(delay))
        tusk__waiter_start_timer(&sleep.waiter, tusk__loop_deadline(tusk__loop_clock(loop), delay), 0);
    return tusk__waiter_wait(&sleep.waiter);
}

int tusk_sleep(double delay)
{
    struct tusk__task *task = tusk__running_task();

    if (unlikely(!task))
        return TUSK_NOT_IN_TASK;
    if (delay > 0)
        return sleep_for(task, delay);
    if (unlikely(isnan(delay)))
        return tusk_raise(-EINVAL, "a sleep of NaN seconds");
    return yield(task);
}
