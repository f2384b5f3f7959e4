/*
 * Semaphore and BoundedSemaphore.
 *
 * A permit that is released while tasks wait never shows in the value: it is reserved for the
 * first of them, by waking it. If that one is cancelled before it runs, it puts the permit back.
 * Each that stops waiting gives out the permits that are there, for some may have come while it
 * stood in the list and kept newcomers from taking them.
 */
#include "sync/waiters.h"

static const struct tusk__sync_kind a_semaphore = {"a semaphore", "", offsetof(tusk_semaphore, waiters_)};

static inline bool is_locked(const tusk_semaphore *semaphore)
{
    return semaphore->value_ <= 0 || tusk__waiters_any(&semaphore->waiters_);
}

static inline bool reserve_for_next(tusk_semaphore *semaphore)
{
    if (!tusk__waiters_wake_next(&semaphore->waiters_))
        return false;
    semaphore->value_--;
    return true;
}

static TUSK__COLD int refuse(void)
{
    return tusk_raise(-EINVAL, "Semaphore initial value must be >= 0");
}

static TUSK__NOINLINE int acquire_slowly(tusk_semaphore *semaphore, struct tusk__task *task)
{
    struct tusk__sync_waiter waiter;
    int rc;

    if (unlikely(semaphore->value_ < 0))
        return refuse();
    rc = tusk__waiters_wait(&semaphore->waiters_, task, &waiter, &a_semaphore);
    if (unlikely(rc < 0) && waiter.state == TUSK__WOKEN)
        semaphore->value_++;
    while (unlikely(semaphore->value_ > 0) && reserve_for_next(semaphore))
        ;
    return rc;
}

int tusk_semaphore_acquire(tusk_semaphore *semaphore)
{
    struct tusk__task *task = tusk__running_task();

    if (unlikely(!task))
        return tusk__waiters_refuse_place();
    if (is_locked(semaphore))
        return acquire_slowly(semaphore, task);
    semaphore->value_--;
    return 0;
}

int tusk_semaphore_release(tusk_semaphore *semaphore)
{
    if (unlikely(semaphore->value_ < 0))
        return refuse();
    semaphore->value_++;
    reserve_for_next(semaphore);
    return 0;
}

bool tusk_semaphore_locked(const tusk_semaphore *semaphore)
{
    return is_locked(semaphore);
}

int tusk_bounded_semaphore_acquire(tusk_bounded_semaphore *semaphore)
{
    return tusk_semaphore_acquire(&semaphore->semaphore_);
}

int tusk_bounded_semaphore_release(tusk_bounded_semaphore *semaphore)
{
    if (unlikely(semaphore->semaphore_.value_ >= semaphore->bound_))
        return tusk_raise(-EINVAL, "BoundedSemaphore released too many times");
    return tusk_semaphore_release(&semaphore->semaphore_);
}

bool tusk_bounded_semaphore_locked(const tusk_bounded_semaphore *semaphore)
{
    return is_locked(&semaphore->semaphore_);
}
