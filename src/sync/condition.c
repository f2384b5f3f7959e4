/*
 * Condition.
 *
 * Invariant: a wait that has released the lock holds it again when it returns, whatever comes. So
 * the lock is asked for again after each cancel, and the cancel is told of at the end. A
 * wait that fails may have been notified: it passes the notification on, also if it was not its
 * own, for a wake-up too many is allowed and one too few is not.
 */
#include "sync/condition.h"

static const struct tusk__sync_kind a_condition = {"a condition", "", offsetof(tusk_condition, waiters_)};

/* Takes the lock, however often the task is cancelled meanwhile; rc, or the last cancel instead. */
static inline int acquire_again(tusk_lock *lock, struct tusk__task *task, int rc)
{
    int acquired;

    while (unlikely((acquired = tusk__lock_acquire(lock, task)) == -ECANCELED))
        rc = -ECANCELED;
    return unlikely(acquired < 0) ? acquired : rc;
}

static void notify(tusk_condition *condition, size_t n)
{
    while (n > 0 && tusk__waiters_wake_next(&condition->waiters_))
        n--;
}

static TUSK__COLD int refuse(const char *message)
{
    return tusk_raise(TUSK_INVALID_STATE, "%s", message);
}

/* Inline, so that a public call is one frame. */
TUSK__ALWAYS_INLINE int wait_here(tusk_condition *condition, struct tusk__task *task,
                                  const struct tusk__sync_kind *what)
{
    tusk_lock *lock = tusk__condition_lock(condition);
    struct tusk__sync_waiter waiter;
    int rc;

    if (unlikely(!lock->locked_))
        return refuse("cannot wait on un-acquired lock");
    if (unlikely(tusk__waiters_are_foreign(&condition->waiters_, task)))
        return tusk__waiters_refuse_loop();
    tusk__lock_release(lock);
    rc = tusk__waiters_wait(&condition->waiters_, task, &waiter, what);
    rc = acquire_again(lock, task, rc);
    if (unlikely(rc < 0))
        notify(condition, 1);
    return rc;
}

int tusk__condition_wait_for(tusk_condition *condition, struct tusk__task *task, tusk_predicate *predicate,
                             void *arg, const struct tusk__sync_kind *what)
{
    int result;

    while ((result = predicate(arg)) == 0) {
        int rc = wait_here(condition, task, what);

        if (rc < 0)
            return rc;
    }
    return result;
}

int tusk_condition_wait(tusk_condition *condition)
{
    struct tusk__task *task = tusk__running_task();

    if (unlikely(!task))
        return tusk__waiters_refuse_place();
    return wait_here(condition, task, &a_condition);
}

int tusk_condition_wait_for(tusk_condition *condition, tusk_predicate *predicate, void *arg)
{
    struct tusk__task *task = tusk__running_task();

    if (unlikely(!task))
        return tusk__waiters_refuse_place();
    return tusk__condition_wait_for(condition, task, predicate, arg, &a_condition);
}

int tusk_condition_notify(tusk_condition *condition, size_t n)
{
    if (unlikely(!tusk__condition_lock(condition)->locked_))
        return refuse("cannot notify on un-acquired lock");
    notify(condition, n);
    return 0;
}

int tusk_condition_notify_all(tusk_condition *condition)
{
    return tusk_condition_notify(condition, SIZE_MAX);
}

int tusk_condition_acquire(tusk_condition *condition)
{
    return tusk_lock_acquire(tusk__condition_lock(condition));
}

int tusk_condition_release(tusk_condition *condition)
{
    return tusk_lock_release(tusk__condition_lock(condition));
}

bool tusk_condition_locked(const tusk_condition *condition)
{
    return condition->lock_ ? condition->lock_->locked_ : condition->own_lock_.locked_;
}
