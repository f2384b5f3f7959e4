/*
 * Tasks that wait for one thing, first come first: what asyncio's locks and
 * queues do with a deque of futures.
 *
 *     struct tusk__sync_waiter waiter;
 *     static const struct tusk__sync_kind a_lock = {"a lock", "", offsetof(tusk_lock, waiters_)};
 *     int rc = tusk__waiters_wait(&lock->waiters_, task, &waiter, &a_lock);
 *
 * A waiter's record lies on its stack and is in the list from the call until the task runs
 * again: also after it has been woken or cancelled. Who comes new must see that somebody has been
 * woken and will take what there is; and a lock whose first waiter is cancelled lets that one
 * pass the lock on, in its turn. Order depends on both.
 *
 * States: WAITING, then WOKEN or CANCELLED. A cancel after the wake does not change the state:
 * the task gets -ECANCELED, and the record still says WOKEN, so that its caller knows that it has
 * something to pass on.
 *
 * Invariants: `waiting` is the first record in state WAITING, and so to find whom to wake takes no
 * search; it only moves towards the end of the list, so moving it costs each record one step in all.
 * A search, as asyncio does it, was rejected: a thousand releases in a row would pass a
 * thousand woken ones each.
 *
 * All is inline: each frame between the caller and the switch is a return that the processor
 * predicts wrong.
 */
#ifndef TUSK__SYNC_WAITERS_H
#define TUSK__SYNC_WAITERS_H

#include <errno.h>

#include <tusk/sync.h>

#include "task/task.h"

/* What is waited for, for reports: "a queue at 0x1234 to have room". */
struct tusk__sync_kind {
    const char *noun;
    /* What comes behind the address. */
    const char *rest;
    /* Where the waiters are in the object: so its address is known without being kept. */
    size_t offset;
};

enum tusk__sync_waiter_state { TUSK__WAITING, TUSK__WOKEN, TUSK__WAIT_CANCELLED };

struct tusk__sync_waiter {
    struct tusk__wait wait;
    struct tusk__sync_waiter *next;
    struct tusk__sync_waiter *previous;
    struct tusk__waiters *waiters;
    struct tusk__task *task;
    const struct tusk__sync_kind *what;
    enum tusk__sync_waiter_state state;
};

extern const struct tusk__wait_kind tusk__sync_waiter_kind;

/* True if somebody waits, or has been woken and will run. */
static inline bool tusk__waiters_any(const struct tusk__waiters *waiters)
{
    return waiters->live > 0;
}

static inline void tusk__waiters_append(struct tusk__waiters *waiters, struct tusk__sync_waiter *waiter)
{
    waiter->next = NULL;
    waiter->previous = waiters->last;
    if (waiters->last)
        waiters->last->next = waiter;
    else
        waiters->first = waiter;
    waiters->last = waiter;
    if (!waiters->waiting)
        waiters->waiting = waiter;
    waiters->live++;
}

static inline void tusk__waiters_remove(struct tusk__waiters *waiters, struct tusk__sync_waiter *waiter)
{
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        waiters->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        waiters->last = waiter->previous;
    if (likely(waiter->state != TUSK__WAIT_CANCELLED))
        waiters->live--;
}

/* Ends the waiting of one that is WAITING, and makes its task ready. */
static inline void tusk__sync_waiter_end(struct tusk__sync_waiter *waiter, enum tusk__sync_waiter_state state)
{
    struct tusk__waiters *waiters = waiter->waiters;

    waiter->state = state;
    while (waiters->waiting && waiters->waiting->state != TUSK__WAITING)
        waiters->waiting = waiters->waiting->next;
    tusk__wake(waiter->task);
}

/* Wakes the first one that is still waiting; false if there is none. */
static inline bool tusk__waiters_wake_next(struct tusk__waiters *waiters)
{
    if (!waiters->waiting)
        return false;
    tusk__sync_waiter_end(waiters->waiting, TUSK__WOKEN);
    return true;
}

/* Wakes the first of the list, unless it has been woken or cancelled already. */
static inline void tusk__waiters_wake_first(struct tusk__waiters *waiters)
{
    if (waiters->waiting == waiters->first)
        tusk__waiters_wake_next(waiters);
}

static inline void tusk__waiters_wake_all(struct tusk__waiters *waiters)
{
    while (tusk__waiters_wake_next(waiters))
        ;
}

/* True if tasks of another loop wait there: then this task cannot, for they would wake each other. */
static inline bool tusk__waiters_are_foreign(const struct tusk__waiters *waiters,
                                             const struct tusk__task *task)
{
    return waiters->first && waiters->first->task->future.loop != task->future.loop;
}

/* TUSK_NOT_IN_TASK and TUSK_OTHER_LOOP, with their messages. */
int tusk__waiters_refuse_place(void);
int tusk__waiters_refuse_loop(void);

/*
 * Suspends the task, which is the running one, until it is woken or cancelled. 0, -ECANCELED, or
 * TUSK_OTHER_LOOP; waiter->state says afterwards whether it had been woken.
 */
TUSK__ALWAYS_INLINE int tusk__waiters_wait(struct tusk__waiters *waiters, struct tusk__task *task,
                                           struct tusk__sync_waiter *waiter,
                                           const struct tusk__sync_kind *what)
{
    waiter->wait.kind = &tusk__sync_waiter_kind;
    waiter->waiters = waiters;
    waiter->task = task;
    waiter->what = what;
    waiter->state = TUSK__WAITING;
    if (unlikely(tusk__waiters_are_foreign(waiters, task)))
        return tusk__waiters_refuse_loop();
    tusk__waiters_append(waiters, waiter);
    tusk__park(task, &waiter->wait);
    tusk__waiters_remove(waiters, waiter);
    return tusk__resumed(task, waiter->state == TUSK__WOKEN ? 0 : -ECANCELED);
}

#endif
