/*
 * Locks and their kin: what tasks use to wait for each other. Lock, Event, Condition, Semaphore,
 * BoundedSemaphore, Barrier.
 *
 *     static tusk_lock lock = TUSK_LOCK_INIT;
 *
 *     static int withdraw(void *arg)
 *     {
 *         struct account *account = arg;
 *
 *         tusk_lock_scope(&lock);               // released on every way out of the block
 *         tusk_try(check(account));
 *         return pay(account);
 *     }
 *
 * They are plain structs, ready by an initializer, and most also when zeroed. They own nothing:
 * there is nothing to free. Do not move one while somebody waits. Their fields are tusk's.
 *
 * They are for tasks of one loop, in one thread. A task that waits is in the struct until it runs
 * again; a loop that is closed while tasks wait leaves the struct unusable, until it is initialized
 * again.
 *
 * What suspends is for tasks only and returns TUSK_NOT_IN_TASK elsewhere, also when it would not
 * have to wait; TUSK_OTHER_LOOP if tasks of another loop are waiting; and -ECANCELED if the task
 * was cancelled while it waited: then it holds nothing (but see tusk_condition_wait()). What does
 * not suspend may also be called in callbacks.
 */
#ifndef TUSK_SYNC_H
#define TUSK_SYNC_H

#include <tusk/task.h>

TUSK_BEGIN_DECLS

struct tusk__sync_waiter;

/* Who waits for something, first come first. All of it is tusk's. */
struct tusk__waiters {
    struct tusk__sync_waiter *first;
    struct tusk__sync_waiter *last;
    /* The first that has been neither woken nor cancelled. */
    struct tusk__sync_waiter *waiting;
    /* How many have not been cancelled. */
    size_t live;
};

#define TUSK__WAITERS_INIT                                                                                   \
    {                                                                                                        \
        NULL, NULL, NULL, 0                                                                                  \
    }

/* ---- Lock ---- */

/* A lock: one task at a time. Unlocked when zeroed. It is fair, and not reentrant. */
typedef struct tusk_lock {
    struct tusk__waiters waiters_;
    bool locked_;
} tusk_lock;

/* An unlocked lock. */
#define TUSK_LOCK_INIT                                                                                       \
    {                                                                                                        \
        TUSK__WAITERS_INIT, false                                                                            \
    }

/*
 * Waits until the lock is free and it is this task's turn, and takes it. Returns 0 or an error.
 * Suspends, unless it is free and nobody waits.
 */
TUSK_API TUSK_MUST_CHECK int tusk_lock_acquire(tusk_lock *lock);

/*
 * Unlocks the lock and wakes the first who waits; any task may do that. Returns 0, or TUSK_INVALID_STATE
 * if it is not locked. Does not suspend.
 */
TUSK_API int tusk_lock_release(tusk_lock *lock);

/* True if a task has the lock. Does not suspend. */
TUSK_API bool tusk_lock_locked(const tusk_lock *lock);

/* ---- Event ---- */

/* A flag to wait for. Not set when zeroed. */
typedef struct tusk_event {
    struct tusk__waiters waiters_;
    bool set_;
} tusk_event;

/* An event that is not set. */
#define TUSK_EVENT_INIT                                                                                      \
    {                                                                                                        \
        TUSK__WAITERS_INIT, false                                                                            \
    }

/* Waits until the event is set. Returns 0 or an error. Suspends, unless it is set. */
TUSK_API TUSK_MUST_CHECK int tusk_event_wait(tusk_event *event);

/*
 * Sets the event: all who wait go on, in the order in which they came, also if it is cleared before they
 * run. Does not suspend.
 */
TUSK_API void tusk_event_set(tusk_event *event);

/* Clears the event: who waits from now on waits for the next set. Does not suspend. */
TUSK_API void tusk_event_clear(tusk_event *event);

/* True if the event is set. Does not suspend. */
TUSK_API bool tusk_event_is_set(const tusk_event *event);

/* ---- Condition ---- */

/*
 * A condition: a lock, and a way to wait for a change of what the lock guards. It has a lock of its
 * own, as when zeroed, or shares one by TUSK_CONDITION_INIT_WITH(&lock).
 */
typedef struct tusk_condition {
    struct tusk__waiters waiters_;
    tusk_lock own_lock_;
    /* NULL: its own. */
    tusk_lock *lock_;
} tusk_condition;

/*
 * A condition that shares the lock at this address, with other conditions or with code that takes
 * the lock by itself; and one with a lock of its own.
 */
#define TUSK_CONDITION_INIT_WITH(lock)                                                                       \
    {                                                                                                        \
        TUSK__WAITERS_INIT, TUSK_LOCK_INIT, lock                                                             \
    }
#define TUSK_CONDITION_INIT TUSK_CONDITION_INIT_WITH(NULL)

/* What to wait for. 0: wait on; positive: it is true; negative: an error. Must not suspend. */
typedef int tusk_predicate(void *arg);

/*
 * As tusk_lock_acquire(), tusk_lock_release() and tusk_lock_locked(), for the lock of the
 * condition.
 */
TUSK_API TUSK_MUST_CHECK int tusk_condition_acquire(tusk_condition *condition);
TUSK_API int tusk_condition_release(tusk_condition *condition);
TUSK_API bool tusk_condition_locked(const tusk_condition *condition);

/*
 * Releases the lock, waits to be notified, and takes the lock again. On return this task has the
 * lock, also with -ECANCELED, however often it was cancelled meanwhile. It may return 0 although
 * nothing has changed: look again. Returns 0 or an error; TUSK_INVALID_STATE if the lock is not
 * locked. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_condition_wait(tusk_condition *condition);

/*
 * Waits until predicate(arg) is not 0, and returns what it is. The predicate runs with the lock
 * held. Otherwise as tusk_condition_wait(). Suspends, unless it is true at once.
 */
TUSK_API TUSK_MUST_CHECK int tusk_condition_wait_for(tusk_condition *condition, tusk_predicate *predicate,
                                                     void *arg);

/*
 * Wakes the first n who wait, or all there are. They go on when they get the lock, which this
 * leaves alone. Returns 0, or TUSK_INVALID_STATE if the lock is not locked. Does not suspend.
 */
TUSK_API int tusk_condition_notify(tusk_condition *condition, size_t n);

/* The same as tusk_condition_notify() for all who wait. */
TUSK_API int tusk_condition_notify_all(tusk_condition *condition);

/* ---- Semaphore ---- */

/* A counter of permits: acquire takes one, release gives one. When zeroed it has none. */
typedef struct tusk_semaphore {
    struct tusk__waiters waiters_;
    int64_t value_;
} tusk_semaphore;

/*
 * A semaphore with so many permits. The value must not be negative: the calls return -EINVAL then.
 */
#define TUSK_SEMAPHORE_INIT(value)                                                                           \
    {                                                                                                        \
        TUSK__WAITERS_INIT, value                                                                            \
    }

/*
 * Waits for a permit and takes it. Returns 0 or an error. Suspends, unless there is one and nobody
 * waits.
 */
TUSK_API TUSK_MUST_CHECK int tusk_semaphore_acquire(tusk_semaphore *semaphore);

/*
 * Gives a permit back, or a new one. It is reserved for the first task that waits, so that none can
 * come before it. Returns 0 or -EINVAL. Does not suspend.
 */
TUSK_API int tusk_semaphore_release(tusk_semaphore *semaphore);

/*
 * True if an acquire would have to wait: there is no permit, or somebody is waiting. Does not
 * suspend.
 */
TUSK_API bool tusk_semaphore_locked(const tusk_semaphore *semaphore);

/* A semaphore that never has more permits than at first. When zeroed it has none, ever. */
typedef struct tusk_bounded_semaphore {
    tusk_semaphore semaphore_;
    int64_t bound_;
} tusk_bounded_semaphore;

/*
 * A bounded semaphore with so many permits. The value must not be negative: the calls return
 * -EINVAL then.
 */
#define TUSK_BOUNDED_SEMAPHORE_INIT(value)                                                                   \
    {                                                                                                        \
        TUSK_SEMAPHORE_INIT(value), value                                                                    \
    }

/*
 * As tusk_semaphore_acquire(), tusk_semaphore_release() and tusk_semaphore_locked(); but releasing
 * it more often than it was acquired is -EINVAL, and changes nothing.
 */
TUSK_API TUSK_MUST_CHECK int tusk_bounded_semaphore_acquire(tusk_bounded_semaphore *semaphore);
TUSK_API int tusk_bounded_semaphore_release(tusk_bounded_semaphore *semaphore);
TUSK_API bool tusk_bounded_semaphore_locked(const tusk_bounded_semaphore *semaphore);

/* ---- Barrier ---- */

/* A place where tasks wait for each other: as many as there are parties. Not usable when zeroed. */
typedef struct tusk_barrier {
    tusk_condition condition_;
    size_t parties_;
    /* How many are between their arrival and their leaving. */
    size_t count_;
    int state_;
} tusk_barrier;

/* A barrier for so many parties: at least one, for the calls return -EINVAL otherwise. */
#define TUSK_BARRIER_INIT(parties)                                                                           \
    {                                                                                                        \
        TUSK_CONDITION_INIT, parties, 0, 0                                                                   \
    }

/*
 * Waits until all parties have come. Returns a number from 0 to parties - 1, another one for each;
 * -EINVAL; -ECANCELED, and the barrier waits for another party instead; TUSK_BROKEN_BARRIER if it
 * is broken, or is reset while this task waits. Who comes while the last ones are still leaving
 * waits until they have. Suspends; the last party does not, unless others wait for the barrier's
 * own lock.
 */
TUSK_API TUSK_MUST_CHECK int tusk_barrier_wait(tusk_barrier *barrier);

/*
 * Makes the barrier as new: those who wait get TUSK_BROKEN_BARRIER. Returns 0 or an error, with nothing
 * changed. Suspends while others leave.
 */
TUSK_API TUSK_MUST_CHECK int tusk_barrier_reset(tusk_barrier *barrier);

/*
 * Breaks the barrier, until a reset: all who wait, or will, get TUSK_BROKEN_BARRIER. Otherwise as
 * tusk_barrier_reset().
 */
TUSK_API TUSK_MUST_CHECK int tusk_barrier_abort(tusk_barrier *barrier);

/* How many parties the barrier takes. Does not suspend. */
TUSK_API size_t tusk_barrier_parties(const tusk_barrier *barrier);

/* How many wait for the others now; 0 while they leave. Does not suspend. */
TUSK_API size_t tusk_barrier_n_waiting(const tusk_barrier *barrier);

/* True if the barrier is broken. Does not suspend. */
TUSK_API bool tusk_barrier_broken(const tusk_barrier *barrier);

/* ---- scopes ---- */

#ifndef __cplusplus
/*
 * asyncio's "async with", as a declaration: acquires, and releases on every way out of the block
 * (return, goto, break, its end). If the acquire fails, the function that it stands in returns the
 * code, as with tusk_try(). For functions that return int; one to a line.
 *
 *     tusk_lock_scope(&lock);
 */
#define tusk_lock_scope(lock) TUSK__SCOPE(tusk_lock, lock)
#define tusk_condition_scope(condition) TUSK__SCOPE(tusk_condition, condition)
#define tusk_semaphore_scope(semaphore) TUSK__SCOPE(tusk_semaphore, semaphore)
#define tusk_bounded_semaphore_scope(semaphore) TUSK__SCOPE(tusk_bounded_semaphore, semaphore)

/* One declaration, not two statements: so it cannot be the half-taken branch of an if. */
/* NOLINTBEGIN(bugprone-macro-parentheses): types and names cannot stand in parentheses. */
#define TUSK__SCOPE(type, object) TUSK__SCOPE_NAMED(type, object, TUSK__JOIN(tusk__scope_, __LINE__))
#define TUSK__SCOPE_NAMED(type, object, name)                                                                \
    type *name __attribute__((cleanup(tusk__leave_##type), unused)) = __extension__({                        \
        type *tusk__object = (object);                                                                       \
        tusk_try(type##_acquire(tusk__object));                                                              \
        tusk__object;                                                                                        \
    })
/* NOLINTEND(bugprone-macro-parentheses) */
#define TUSK__JOIN(left, right) TUSK__JOIN_EXPANDED(left, right)
#define TUSK__JOIN_EXPANDED(left, right) left##right

/* The ends of scopes. */
static inline void tusk__leave_tusk_lock(tusk_lock **lock)
{
    tusk_lock_release(*lock);
}

static inline void tusk__leave_tusk_condition(tusk_condition **condition)
{
    tusk_condition_release(*condition);
}

static inline void tusk__leave_tusk_semaphore(tusk_semaphore **semaphore)
{
    tusk_semaphore_release(*semaphore);
}

static inline void tusk__leave_tusk_bounded_semaphore(tusk_bounded_semaphore **semaphore)
{
    tusk_bounded_semaphore_release(*semaphore);
}
#endif

TUSK_END_DECLS

#endif
