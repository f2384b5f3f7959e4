/*
 * A condition from the inside, for the barrier, whose waits are a condition's.
 */
#ifndef TUSK__SYNC_CONDITION_H
#define TUSK__SYNC_CONDITION_H

#include "sync/lock.h"

static inline tusk_lock *tusk__condition_lock(tusk_condition *condition)
{
    return condition->lock_ ? condition->lock_ : &condition->own_lock_;
}

/* tusk_condition_wait_for, for the running task; `what` it waits for is for reports. */
int tusk__condition_wait_for(tusk_condition *condition, struct tusk__task *task, tusk_predicate *predicate,
                             void *arg, const struct tusk__sync_kind *what);

#endif
