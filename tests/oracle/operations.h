/*
 * The operations that are not in operations.c, for the table of all.
 */
#ifndef TUSK_TESTS_ORACLE_OPERATIONS_H
#define TUSK_TESTS_ORACLE_OPERATIONS_H

#include "runner.h"

op_function run_block;
op_function run_try;
op_function run_finally;

/* waits.c */
op_function run_as_completed;
op_function run_shield;
op_function run_wait;
op_function run_wait_for;
op_function run_wait_for_coro;

/* scopes.c */
op_function run_expired;
op_function run_group;
op_function run_group_spawn;
op_function run_reschedule;
op_function run_timeout;
op_function run_timeout_at;
op_function run_when;

/* sync.c */
op_function run_barrier_abort;
op_function run_barrier_reset;
op_function run_barrier_wait;
op_function run_barrier_waiting;
op_function run_bounded_acquire;
op_function run_bounded_locked;
op_function run_bounded_release;
op_function run_condition_acquire;
op_function run_condition_count;
op_function run_condition_notify;
op_function run_condition_notify_all;
op_function run_condition_release;
op_function run_condition_scope;
op_function run_condition_wait;
op_function run_condition_wait_for;
op_function run_event_clear;
op_function run_event_set;
op_function run_event_wait;
op_function run_lock_acquire;
op_function run_lock_locked;
op_function run_lock_release;
op_function run_lock_scope;
op_function run_queue_get;
op_function run_queue_get_nowait;
op_function run_queue_join;
op_function run_queue_put;
op_function run_queue_put_nowait;
op_function run_queue_shutdown;
op_function run_queue_size;
op_function run_queue_task_done;
op_function run_semaphore_acquire;
op_function run_semaphore_locked;
op_function run_semaphore_release;

/* There is nothing to work on. */
int nothing(struct actor *actor);

/* The end of a block: its value is that of a return inside of it. */
int leave_block(struct actor *actor, int rc);

/* True if the operand at that place is a flag. */
bool has_flag(const struct op *op, int position);

/* The number at that place as a time in seconds; infinite if there is none. */
double seconds_of(const struct op *op, int position);

#endif
