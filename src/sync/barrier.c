/*
 * Barrier: a condition and a state.
 *
 * FILLING until all parties have come; then DRAINING, until the last of them has left. A reset
 * makes it RESETTING until those who waited have left. BROKEN is left by a reset only. All changes
 * are made with the condition's lock held, and all are told to all who wait: so the steps, and
 * their order, are asyncio's.
 */
#include "sync/condition.h"

/* FILLING is 0: an initializer need not name it. */
enum { FILLING, DRAINING, RESETTING, BROKEN };

enum { WAITERS = offsetof(tusk_barrier, condition_) + offsetof(tusk_condition, waiters_) };

static const struct tusk__sync_kind a_barrier = {"a barrier", "", WAITERS};
static const struct tusk__sync_kind a_barrier_to_drain = {"a barrier", " to drain", WAITERS};

static int is_open(void *arg)
{
    const tusk_barrier *barrier = arg;

    return barrier->state_ != DRAINING && barrier->state_ != RESETTING;
}

static int is_full(void *arg)
{
    const tusk_barrier *barrier = arg;

    return barrier->state_ != FILLING;
}

static void change(tusk_barrier *barrier, int state)
{
    barrier->state_ = state;
    tusk_condition_notify_all(&barrier->condition_);
}

/* Waits until the party before this one has left. */
static int enter(tusk_barrier *barrier, struct tusk__task *task)
{
    int rc = tusk__condition_wait_for(&barrier->condition_, task, is_open, barrier, &a_barrier_to_drain);

    if (rc >= 0 && barrier->state_ == BROKEN)
        return tusk_raise(TUSK_BROKEN_BARRIER, "Barrier aborted");
    return rc;
}

/* Waits for the parties that are still to come. */
static int stay(tusk_barrier *barrier, struct tusk__task *task)
{
    int rc = tusk__condition_wait_for(&barrier->condition_, task, is_full, barrier, &a_barrier);

    if (rc >= 0 && barrier->state_ != DRAINING)
        return tusk_raise(TUSK_BROKEN_BARRIER, "Abort or reset of barrier");
    return rc;
}

static void leave(tusk_barrier *barrier)
{
    if (--barrier->count_ > 0)
        return;
    if (barrier->state_ == RESETTING || barrier->state_ == DRAINING)
        barrier->state_ = FILLING;
    tusk_condition_notify_all(&barrier->condition_);
}

static int wait_locked(tusk_barrier *barrier, struct tusk__task *task)
{
    int rc = enter(barrier, task);
    size_t index;

    if (rc < 0)
        return rc;
    index = barrier->count_++;
    if (index + 1 == barrier->parties_)
        change(barrier, DRAINING);
    else
        rc = stay(barrier, task);
    leave(barrier);
    return rc < 0 ? rc : (int)index;
}

static int acquire(tusk_barrier *barrier, struct tusk__task *task)
{
    if (unlikely(!task))
        return tusk__waiters_refuse_place();
    if (unlikely(barrier->parties_ == 0))
        return tusk_raise(-EINVAL, "parties must be > 0");
    return tusk__lock_acquire(tusk__condition_lock(&barrier->condition_), task);
}

static void release(tusk_barrier *barrier)
{
    tusk__lock_release(tusk__condition_lock(&barrier->condition_));
}

int tusk_barrier_wait(tusk_barrier *barrier)
{
    struct tusk__task *task = tusk__running_task();
    int rc = acquire(barrier, task);

    if (rc < 0)
        return rc;
    rc = wait_locked(barrier, task);
    release(barrier);
    return rc;
}

int tusk_barrier_reset(tusk_barrier *barrier)
{
    int rc = acquire(barrier, tusk__running_task());

    if (rc < 0)
        return rc;
    change(barrier, barrier->count_ > 0 ? RESETTING : FILLING);
    release(barrier);
    return 0;
}

int tusk_barrier_abort(tusk_barrier *barrier)
{
    int rc = acquire(barrier, tusk__running_task());

    if (rc < 0)
        return rc;
    change(barrier, BROKEN);
    release(barrier);
    return 0;
}

size_t tusk_barrier_parties(const tusk_barrier *barrier)
{
    return barrier->parties_;
}

size_t tusk_barrier_n_waiting(const tusk_barrier *barrier)
{
    return barrier->state_ == FILLING ? barrier->count_ : 0;
}

bool tusk_barrier_broken(const tusk_barrier *barrier)
{
    return barrier->state_ == BROKEN;
}
