/*
 * Lock. A release wakes the first waiter but does not hand the lock over: it is free
 * until that one runs, and newcomers, who see that it has been woken, queue up behind it.
 */
#include "sync/lock.h"

static const struct tusk__sync_kind a_lock = {"a lock", "", offsetof(tusk_lock, waiters_)};

TUSK__NOINLINE int tusk__lock_acquire_slowly(tusk_lock *lock, struct tusk__task *task)
{
    struct tusk__sync_waiter waiter;
    int rc = tusk__waiters_wait(&lock->waiters_, task, &waiter, &a_lock);

    if (likely(rc == 0)) {
        lock->locked_ = true;
        return 0;
    }
    /* It may have been this task's turn. */
    if (!lock->locked_)
        tusk__waiters_wake_first(&lock->waiters_);
    return rc;
}

int tusk_lock_acquire(tusk_lock *lock)
{
    struct tusk__task *task = tusk__running_task();

    if (unlikely(!task))
        return tusk__waiters_refuse_place();
    return tusk__lock_acquire(lock, task);
}

static TUSK__COLD int refuse(void)
{
    return tusk_raise(TUSK_INVALID_STATE, "Lock is not acquired.");
}

int tusk_lock_release(tusk_lock *lock)
{
    if (unlikely(!lock->locked_))
        return refuse();
    tusk__lock_release(lock);
    return 0;
}

bool tusk_lock_locked(const tusk_lock *lock)
{
    return lock->locked_;
}
