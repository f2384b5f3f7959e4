/*
 * Time-outs: a scope whose body is cancelled when its time is over.
 *
 *     tusk_timeout timeout;
 *
 *     tusk_try(tusk_timeout_enter(&timeout, 1.5));
 *     rc = tusk_timeout_exit(&timeout, fetch(&page));      // -ETIMEDOUT after 1.5 s
 *
 * When the time is over, the task that entered is cancelled. The exit, which every enter needs,
 * turns that cancel into -ETIMEDOUT, if the body let it through and nobody else has asked for a
 * cancel too. Scopes nest: each takes back its own cancel only.
 */
#ifndef TUSK_TIMEOUT_H
#define TUSK_TIMEOUT_H

#include <tusk/task.h>

TUSK_BEGIN_DECLS

/* A scope. On the stack of its task, from enter to exit; its fields are tusk's. */
typedef struct tusk_timeout {
    void *tusk__private[14];
} tusk_timeout;

/*
 * Enters the scope, with delay seconds from now (infinite: no limit yet; 0 or less: over at the
 * first suspension). Returns 0, -EINVAL for NaN or NULL, or TUSK_NOT_IN_TASK; then there is nothing
 * to exit. Does not suspend, allocates nothing.
 */
TUSK_API TUSK_MUST_CHECK int tusk_timeout_enter(tusk_timeout *timeout, double delay);

/* The same as tusk_timeout_enter() with a point of the loop's clock. (asyncio.timeout_at) */
TUSK_API TUSK_MUST_CHECK int tusk_timeout_enter_at(tusk_timeout *timeout, double when);

/*
 * Leaves the scope with what its body returned. Returns -ETIMEDOUT if the time was over and rc is
 * the -ECANCELED that came of it, and else rc. TUSK_INVALID_STATE if the scope was not entered.
 * Does not suspend.
 */
TUSK_API TUSK_MUST_CHECK int tusk_timeout_exit(tusk_timeout *timeout, int rc);

/* When the time is over, on the loop's clock; infinite without a limit. Does not suspend. */
TUSK_API double tusk_timeout_when(const tusk_timeout *timeout);

/*
 * Another end for a scope that is active and not over. Returns 0, -EINVAL for NaN,
 * TUSK_INVALID_STATE. Does not suspend.
 */
TUSK_API int tusk_timeout_reschedule(tusk_timeout *timeout, double when);

/* True if the time was over before the exit. Also valid after it. Does not suspend. */
TUSK_API bool tusk_timeout_expired(const tusk_timeout *timeout);

TUSK_END_DECLS

#endif
