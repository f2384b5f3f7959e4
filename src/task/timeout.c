/*
 * Time-outs. The scope lives on its task's stack and has a timer there; the
 * timer's callback cancels the task, and the exit takes that cancel back.
 */
#include <tusk/timeout.h>

#include <errno.h>
#include <math.h>

#include "task/task.h"

enum state { CREATED, ENTERED, EXPIRING, EXPIRED, EXITED };

struct scope {
    struct tusk__timer timer;
    struct tusk__task *task;
    /* Nanoseconds on the loop's clock; TUSK__FOREVER without a limit. */
    int64_t when;
    /* The task's cancelling() on entry. */
    int cancelling;
    enum state state;
    /* The callback stands in the wheel or in the ready queue. */
    bool scheduled;
};

_Static_assert(sizeof(struct scope) <= sizeof(tusk_timeout), "tusk_timeout is too small");
_Static_assert(_Alignof(struct scope) <= _Alignof(tusk_timeout), "tusk_timeout is not aligned enough");

static struct scope *scope_of(const tusk_timeout *timeout)
{
    return (struct scope *)timeout;
}

static void expire(struct tusk__handle *handle)
{
    struct scope *scope = container_of(handle, struct scope, timer.handle);

    scope->scheduled = false;
    scope->state = EXPIRING;
    tusk__future_cancel(&scope->task->future, NULL);
}

static void unschedule(struct scope *scope)
{
    struct tusk_loop *loop = scope->task->future.loop;

    if (!scope->scheduled)
        return;
    if (tusk__timer_pending(&scope->timer))
        tusk__wheel_remove(&loop->wheel, &scope->timer);
    else
        tusk__loop_orphan(loop, &scope->timer.handle);
    scope->scheduled = false;
}

/* Lets the scope expire at its time, or in the next iteration if that is not after now. */
static void schedule(struct scope *scope, int64_t now)
{
    struct tusk_loop *loop = scope->task->future.loop;

    scope->timer.handle.run = expire;
    scope->timer.handle.context = TUSK__LIGHT;
    scope->timer.link = NULL;
    scope->scheduled = true;
    if (scope->when <= now)
        tusk__loop_push(loop, &scope->timer.handle);
    else
        tusk__loop_add_timer(loop, &scope->timer, scope->when);
}

static int enter(tusk_timeout *timeout, double seconds, bool absolute)
{
    struct scope *scope = scope_of(timeout);
    struct tusk__task *task = tusk__running_task();
    int64_t now;

    if (!timeout)
        return -EINVAL;
    scope->state = CREATED;
    if (isnan(seconds))
        return tusk_raise(-EINVAL, "a time-out of NaN seconds");
    if (!task)
        return TUSK_NOT_IN_TASK;
    scope->task = task;
    task->scopes++;
    scope->cancelling = task->cancels;
    scope->state = ENTERED;
    scope->scheduled = false;
    scope->when = TUSK__FOREVER;
    if (isinf(seconds) && seconds > 0)
        return 0;
    now = tusk__loop_clock(task->future.loop);
    scope->when = tusk__loop_deadline(absolute ? 0 : now, seconds);
    schedule(scope, now);
    return 0;
}

int tusk_timeout_enter(tusk_timeout *timeout, double delay)
{
    return enter(timeout, delay, false);
}

int tusk_timeout_enter_at(tusk_timeout *timeout, double when)
{
    return enter(timeout, when, true);
}

/* The cancel of the time-out is taken back; what comes out is -ETIMEDOUT if nobody else asked for one. */
static int expired_exit(struct scope *scope, int rc)
{
    struct tusk_future *task = &scope->task->future;

    scope->state = EXPIRED;
    if (tusk_task_uncancel(task) > scope->cancelling || rc != -ECANCELED)
        return rc;
    tusk__text_put(&task->text, NULL);
    return -ETIMEDOUT;
}

int tusk_timeout_exit(tusk_timeout *timeout, int rc)
{
    struct scope *scope = scope_of(timeout);

    if (!timeout || (scope->state != ENTERED && scope->state != EXPIRING))
        return TUSK_INVALID_STATE;
    unschedule(scope);
    scope->task->scopes--;
    if (scope->state == EXPIRING)
        return expired_exit(scope, rc);
    scope->state = EXITED;
    return rc;
}

double tusk_timeout_when(const tusk_timeout *timeout)
{
    int64_t when = timeout ? scope_of(timeout)->when : 0;

    if (!timeout)
        return NAN;
    return when == TUSK__FOREVER ? (double)INFINITY : (double)when / 1e9;
}

int tusk_timeout_reschedule(tusk_timeout *timeout, double when)
{
    struct scope *scope = scope_of(timeout);

    if (!timeout || isnan(when))
        return -EINVAL;
    if (scope->state != ENTERED)
        return TUSK_INVALID_STATE;
    unschedule(scope);
    scope->when = tusk__loop_deadline(0, when);
    if (scope->when != TUSK__FOREVER)
        schedule(scope, tusk__loop_clock(scope->task->future.loop));
    return 0;
}

bool tusk_timeout_expired(const tusk_timeout *timeout)
{
    return timeout && (scope_of(timeout)->state == EXPIRING || scope_of(timeout)->state == EXPIRED);
}
