/*
 * A waiter: a task that waits for one event, with or without a time-out. It is what
 * asyncio makes of a future that nobody else sees: it ends once, by the event, by
 * its timer or by a cancel, and what comes later is too late.
 *
 * Whoever ends it also takes its timer out of the wheel at once: in the next
 * iteration the task may already have left the function whose stack the waiter is on.
 */
#ifndef TUSK__TASK_WAITER_H
#define TUSK__TASK_WAITER_H

#include "task/task.h"

struct tusk__waiter {
    struct tusk__wait wait;
    struct tusk__task *task;
    int result;
    /* It has ended; the task is in the ready queue. */
    bool over;
    /* Ends the waiter with timer_result when it is due, if it was started. */
    int timer_result;
    struct tusk__timer timer;
};

/* The cancel hook for kinds whose wait is a waiter. */
bool tusk__waiter_cancel(struct tusk__wait *wait, struct tusk__text *text);

static inline void tusk__waiter_init(struct tusk__waiter *waiter, struct tusk__task *task,
                                     const struct tusk__wait_kind *kind)
{
    waiter->wait.kind = kind;
    waiter->task = task;
    waiter->result = 0;
    waiter->over = false;
    waiter->timer.link = NULL;
}

/* Lets the time end the waiter with this result; `when` in nanoseconds on the loop's clock. */
void tusk__waiter_start_timer(struct tusk__waiter *waiter, int64_t when, int result);

/* The event: ends the waiter, unless it has ended. */
static inline void tusk__waiter_end(struct tusk__waiter *waiter, int result)
{
    if (waiter->over)
        return;
    waiter->over = true;
    waiter->result = result;
    tusk__loop_remove_timer(waiter->task->future.loop, &waiter->timer);
    tusk__wake(waiter->task);
}

/* Suspends until the end of the waiter; returns its result, or -ECANCELED. */
static inline int tusk__waiter_wait(struct tusk__waiter *waiter)
{
    tusk__park(waiter->task, &waiter->wait);
    return tusk__resumed(waiter->task, waiter->result);
}

#endif
