/*
 * A lock from the inside, for what is built on locks.
 */
#ifndef TUSK__SYNC_LOCK_H
#define TUSK__SYNC_LOCK_H

#include "sync/waiters.h"

/* tusk_lock_acquire, when it has to wait. */
int tusk__lock_acquire_slowly(tusk_lock *lock, struct tusk__task *task);

/* The same as tusk_lock_acquire, for the running task. */
static inline int tusk__lock_acquire(tusk_lock *lock, struct tusk__task *task)
{
    if (unlikely(lock->locked_ || tusk__waiters_any(&lock->waiters_)))
        return tusk__lock_acquire_slowly(lock, task);
    lock->locked_ = true;
    return 0;
}

/* Unlocks a lock that is locked. */
static inline void tusk__lock_release(tusk_lock *lock)
{
    lock->locked_ = false;
    tusk__waiters_wake_first(&lock->waiters_);
}

#endif
