/*
 * Sleeping. As in asyncio, a timer that is due does not run the task: it makes
 * an entry in the ready queue which wakes the task, and so the task runs one iteration
 * later, behind what was ready before.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "task/task.h"

struct sleep {
    struct tusk__wait wait;
    struct tusk__timer timer;
    struct tusk__task *task;
    double delay;
    int result;
    /* The task is in the ready queue: by the timer, or by a cancel. */
    bool over;
};

static void end(struct sleep *sleep, int result)
{
    sleep->over = true;
    sleep->result = result;
    tusk__wake(sleep->task);
}

static void fired(struct tusk__handle *handle)
{
    struct sleep *sleep = container_of(handle, struct sleep, timer.handle);

    /* Cancelled after the timer had fired: this entry is ahead of the task's in the queue, so the record still stands. */
    if (!sleep->over)
        end(sleep, 0);
}

static bool cancel(struct tusk__wait *wait, struct tusk__text *text)
{
    struct sleep *sleep = container_of(wait, struct sleep, wait);

    if (sleep->over)
        return false;
    tusk__loop_remove_timer(sleep->task->future.loop, &sleep->timer);
    tusk__text_put(&sleep->task->future.text, tusk__text_retain(text));
    end(sleep, -ECANCELED);
    return true;
}

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    snprintf(text, size, "a sleep of %g seconds", container_of(wait, struct sleep, wait)->delay);
}

static const struct tusk__wait_kind kind = {.cancel = cancel, .describe = describe};

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

    sleep.wait.kind = &kind;
    sleep.timer.handle.run = fired;
    sleep.timer.handle.context = TUSK__LIGHT;
    sleep.timer.link = NULL;
    sleep.task = task;
    sleep.delay = delay;
    sleep.over = false;
    if (!isinf(delay))
        tusk__loop_add_timer(loop, &sleep.timer, tusk__loop_deadline(tusk__loop_clock(loop), delay));
    tusk__park(task, &sleep.wait);
    return tusk__resumed(task, sleep.result);
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
