/*
 * Waiting: for many, for a while, or protected from cancels. wait, wait_for, shield, as_completed.
 * (gather is in tusk/task.h.)
 *
 *     int done = tusk_wait(tasks, 3, .return_when = TUSK_FIRST_COMPLETED, .timeout = 5);
 *     for (int i = 0; i < 3; i++)
 *         if (tusk_future_done(tasks[i])) ...
 */
#ifndef TUSK_WAIT_H
#define TUSK_WAIT_H

#include <tusk/task.h>

TUSK_BEGIN_DECLS

/* When tusk_wait() ends, if its time is not over before. */
enum tusk_return_when {
    /* When all futures are done. */
    TUSK_ALL_COMPLETED = 0,
    /* When any of them is done. */
    TUSK_FIRST_COMPLETED,
    /* The first that fails (a cancelled one does not), or all. */
    TUSK_FIRST_EXCEPTION,
};

struct tusk_wait_options {
    /* What to wait for. TUSK_ALL_COMPLETED if it is left out. */
    enum tusk_return_when return_when;
    /* Seconds. 0, or left out: no limit. Negative: as little as possible. */
    double timeout;
    /* Which ones were done when the wait ended: one bool for each. NULL: nowhere. */
    bool *done;
    int tusk__end;
};

/*
 * Waits until all futures, or the first one, are done, or the time is over. Returns how many are
 * done. Never cancels any, and takes no references. Always suspends, for an iteration at least.
 * -EINVAL for no futures, a NULL among them, or NaN; -ECANCELED; -ENOMEM; TUSK_NOT_IN_TASK;
 * TUSK_OTHER_LOOP. Options: .return_when, .timeout, .done.
 */
TUSK_API TUSK_MUST_CHECK int tusk_wait(tusk_future *const *futures, size_t count,
                                       const struct tusk_wait_options *options);

/*
 * Awaits the future for timeout seconds at most (infinite: no limit). Takes the reference. When the
 * time is over, cancels it, waits for its end, and returns -ETIMEDOUT; but its result, or another
 * error, if it chose to end with that. A time-out of 0 or less takes what is done, and cancels what
 * is not. -EINVAL for NaN; otherwise as tusk_await().
 */
TUSK_API TUSK_MUST_CHECK int tusk_wait_for(tusk_future *future, double timeout);

/*
 * The same as tusk_wait_for() for a coroutine: runs coro(arg) in the calling task, for timeout
 * seconds at most. With 0 or less it never begins.
 */
TUSK_API TUSK_MUST_CHECK int tusk_wait_for_coro(tusk_coro *coro, void *arg, double timeout);

/*
 * A future that is done when the given one is, and has its outcome, without the message of a
 * cancel; but whoever cancels it, or awaits it and is cancelled, leaves the given one alone. Takes
 * the reference. One that is done already comes back itself. NULL gives NULL; -ENOMEM,
 * TUSK_LOOP_CLOSED as for any creation (the inner one runs on). Does not suspend.
 *
 *     rc = tusk_await(tusk_shield(tusk_create_task(commit, &transaction)));
 */
TUSK_API tusk_future *tusk_shield(tusk_future *future);

struct tusk_as_completed_options {
    /*
     * Seconds for all of them together. 0, or left out: no limit. Negative: as little as possible.
     */
    double timeout;
    int tusk__end;
};

/* Futures in the order in which they end. */
typedef struct tusk_as_completed_iterator tusk_as_completed_iterator;

/*
 * Begins to wait for futures one after the other, as they end:
 *
 *     tusk_as_completed_iterator *iterator = tusk_as_completed(tasks, 3);
 *     tusk_future *future;
 *     while ((rc = tusk_as_completed_next(iterator, &future)) > 0)
 *         rc = tusk_future_result(future);
 *     tusk_as_completed_close(iterator);
 *
 * Takes no references: the futures must stay until the iterator is closed. One that is there twice
 * comes once. NULL without memory or outside of a loop (tusk_last_error()). Does not suspend.
 * Option: .timeout.
 */
TUSK_API tusk_as_completed_iterator *tusk_as_completed(tusk_future *const *futures, size_t count,
                                                       const struct tusk_as_completed_options *options);

/*
 * Waits for the next one that ends. Returns 1 and the future, borrowed, or 0 when there are no
 * more; -ETIMEDOUT when the time is over (for each one that is left), -ECANCELED, TUSK_NOT_IN_TASK,
 * TUSK_OTHER_LOOP. Several tasks may wait at once: each future goes to one of them, first come
 * first served. Suspends, unless one has ended already.
 */
TUSK_API TUSK_MUST_CHECK int tusk_as_completed_next(tusk_as_completed_iterator *iterator,
                                                    tusk_future **ret_future);

/*
 * Ends the waiting, cancels nothing. Tasks that wait for the next one get TUSK_INVALID_STATE. Takes
 * NULL. Does not suspend.
 */
TUSK_API void tusk_as_completed_close(tusk_as_completed_iterator *iterator);

#ifndef __cplusplus
#define tusk_wait(futures, ...) TUSK__WAIT(futures, __VA_ARGS__, .tusk__end = 0)
#define TUSK__WAIT(futures, count, ...)                                                                      \
    (tusk_wait)(futures, count, &(const struct tusk_wait_options){__VA_ARGS__})
#define tusk_as_completed(futures, ...) TUSK__AS_COMPLETED(futures, __VA_ARGS__, .tusk__end = 0)
#define TUSK__AS_COMPLETED(futures, count, ...)                                                              \
    (tusk_as_completed)(futures, count, &(const struct tusk_as_completed_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
