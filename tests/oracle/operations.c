/*
 * What the operations do. Those that need nothing but a call are here; what has operations
 * inside, or waits for many, is in the files that operations.h names.
 */
#include "operations.h"

#include <errno.h>
#include <math.h>
#include <string.h>

int nothing(struct actor *actor)
{
    strcpy(actor->outcome, NOTHING);
    return 0;
}

/* The last operand's context, or NULL for a copy of the current one. */
static tusk_context *context_of(const struct actor *actor, const struct op *op)
{
    struct operand last = op->operands[op->count - 1];

    return last.kind == 'x' ? actor->runner->contexts[last.number] : NULL;
}

static struct callback *callback_of(const struct actor *actor, const struct op *op, int position)
{
    return &actor->runner->callbacks[op->operands[position].number];
}

bool has_flag(const struct op *op, int position)
{
    return op->count > position && op->operands[position].kind == '-';
}

double seconds_of(const struct op *op, int position)
{
    bool is_there = op->count > position && op->operands[position].kind == '#';

    return is_there ? op->operands[position].number / 8.0 : (double)INFINITY;
}

/* The text of the message at that place, or NULL. */
static const char *message_of(const struct op *op, int position, char text[static LABEL])
{
    if (op->count <= position)
        return NULL;
    snprintf(text, LABEL, "m%d", op->operands[position].number);
    return text;
}

/* ---- futures ---- */

/* The outcome of a done future, as its result or as an error that the caller raises. */
static int take_result(struct actor *actor, tusk_future *future)
{
    int rc = tusk_future_result(future);

    if (rc < 0)
        return raise_again(rc, tusk_exception_of(future));
    write_results(actor->runner, future, actor->outcome, sizeof actor->outcome);
    return rc;
}

static int run_new_future(struct actor *actor, const struct op *op)
{
    tusk_future **slot = slot_of(actor->runner, op->operands[0]);

    tusk_release(*slot);
    *slot = tusk_create_future();
    return 0;
}

static int run_set_result(struct actor *actor, const struct op *op)
{
    return tusk_future_set_result(future_of(actor, op, 0), op->operands[1].number);
}

static int run_set_exception(struct actor *actor, const struct op *op)
{
    int code = error_code(op->operands[1].number);
    char text[LABEL];
    const char *message = message_of(op, 2, text);

    return (tusk_future_set_exception)(future_of(actor, op, 0), code, message ? "%s" : NULL, message);
}

static int run_result(struct actor *actor, const struct op *op)
{
    tusk_future *future = future_of(actor, op, 0);

    return future ? take_result(actor, future) : nothing(actor);
}

static int run_exception(struct actor *actor, const struct op *op)
{
    tusk_future *future = future_of(actor, op, 0);
    int rc;

    if (!future)
        return nothing(actor);
    rc = tusk_future_exception(future);
    if (!tusk_future_done(future) || tusk_future_cancelled(future))
        return raise_again(rc, tusk_exception_of(future));
    snprintf(actor->outcome, sizeof actor->outcome, "= %s", rc < 0 ? error_name(rc) : "no error");
    return 0;
}

static int run_state(struct actor *actor, const struct op *op)
{
    tusk_future *future = future_of(actor, op, 0);

    if (!future)
        return nothing(actor);
    strcpy(actor->outcome, "= ");
    write_outcome(actor->runner, future, actor->outcome + 2, sizeof actor->outcome - 2);
    return 0;
}

static int run_add_done_callback(struct actor *actor, const struct op *op)
{
    tusk_future *future = future_of(actor, op, 0);

    if (!future)
        return nothing(actor);
    return tusk_future_add_done_callback(future, on_done, callback_of(actor, op, 1),
                                         .context = context_of(actor, op));
}

static int run_remove_done_callback(struct actor *actor, const struct op *op)
{
    tusk_future *future = future_of(actor, op, 0);

    if (!future)
        return nothing(actor);
    return tusk_future_remove_done_callback(future, on_done, callback_of(actor, op, 1));
}

static int run_cancel(struct actor *actor, const struct op *op)
{
    tusk_future *future = future_of(actor, op, 0);
    char text[LABEL];

    return future ? tusk_future_cancel(future, .msg = message_of(op, 1, text)) : nothing(actor);
}

static int run_uncancel(struct actor *actor, const struct op *op)
{
    tusk_future *task = future_of(actor, op, 0);

    return task ? tusk_task_uncancel(task) : nothing(actor);
}

/* ---- tasks ---- */

static int run_spawn(struct actor *actor, const struct op *op)
{
    bool eager = has_flag(op, 1);
    int number = op->operands[0].number;
    int rc = runner_spawn(actor->runner, number, eager, eager ? NULL : context_of(actor, op), NULL);

    return rc > 0 ? tusk_future_done(actor->runner->tasks[number]) : nothing(actor);
}

static int run_all_tasks(struct actor *actor, const struct op *op)
{
    (void)actor;
    (void)op;
    return (int)tusk_all_tasks(NULL, 0);
}

static int run_gather(struct actor *actor, const struct op *op)
{
    struct runner *runner = actor->runner;
    int number = op->operands[0].number;
    bool errors = has_flag(op, 1);
    tusk_future *children[OPERANDS];
    struct gathered *gathered = gathered_new(runner);

    for (int i = errors ? 2 : 1; i < op->count; i++)
        if (future_of(actor, op, i))
            children[gathered->count++] = tusk_retain(future_of(actor, op, i));
    gathered->gather =
        tusk_gather(children, gathered->count, .return_exceptions = errors, .results = gathered->values);
    gathered->results = gathered->values;
    runner->gathers[number] = gathered->gather;
    return 0;
}

static int run_await(struct actor *actor, const struct op *op)
{
    tusk_future *future = future_of(actor, op, 0);
    int rc;

    if (!future)
        return nothing(actor);
    rc = tusk_await(tusk_retain(future));
    if (rc >= 0)
        write_results(actor->runner, future, actor->outcome, sizeof actor->outcome);
    return rc;
}

static int run_await_self(struct actor *actor, const struct op *op)
{
    (void)op;
    return tusk_await(tusk_retain(actor->task));
}

static int run_sleep(struct actor *actor, const struct op *op)
{
    (void)actor;
    return tusk_sleep(op->operands[0].number / 8.0);
}

static int run_raise(struct actor *actor, const struct op *op)
{
    char text[LABEL];

    (void)actor;
    return raise_error(error_code(op->operands[0].number), message_of(op, 1, text));
}

static int run_return(struct actor *actor, const struct op *op)
{
    actor->returned = true;
    actor->value = op->operands[0].number;
    return actor->value;
}

/* ---- calls ---- */

static int run_call_soon(struct actor *actor, const struct op *op)
{
    actor->runner->handles[op->operands[0].number] =
        tusk_call_soon(on_call, callback_of(actor, op, 1), .context = context_of(actor, op));
    return 0;
}

static int run_call_later(struct actor *actor, const struct op *op)
{
    actor->runner->handles[op->operands[0].number] =
        tusk_call_later(op->operands[1].number / 8.0, on_call, callback_of(actor, op, 2));
    return 0;
}

static int run_call_at(struct actor *actor, const struct op *op)
{
    actor->runner->handles[op->operands[0].number] =
        tusk_call_at(op->operands[1].number / 8.0, on_call, callback_of(actor, op, 2));
    return 0;
}

static int run_cancel_handle(struct actor *actor, const struct op *op)
{
    tusk_handle handle = actor->runner->handles[op->operands[0].number];

    if (!handle.handle_)
        return nothing(actor);
    tusk_handle_cancel(handle);
    return 0;
}

/* ---- contexts ---- */

static int run_copy_context(struct actor *actor, const struct op *op)
{
    tusk_context **slot = &actor->runner->contexts[op->operands[0].number];

    tusk_context_release(*slot);
    *slot = tusk_copy_context();
    return 0;
}

static int run_get(struct actor *actor, const struct op *op)
{
    (void)actor;
    return (int)(intptr_t)tusk_context_var_get(&variables[op->operands[0].number]);
}

static int run_set(struct actor *actor, const struct op *op)
{
    int number = op->operands[0].number;
    int *count = &actor->token_counts[number];

    if (*count == TOKENS)
        return raise_error(-ENOSPC, "too many tokens");
    return tusk_context_var_set(&variables[number], (void *)(intptr_t)op->operands[1].number,
                                &actor->tokens[number][(*count)++]);
}

static int run_reset(struct actor *actor, const struct op *op)
{
    int number = op->operands[0].number;
    int *count = &actor->token_counts[number];

    if (*count == 0)
        return nothing(actor);
    return tusk_context_var_reset(&variables[number], &actor->tokens[number][--(*count)]);
}

/* ---- all of them ---- */

const struct op_kind op_kinds[] = {
    {.name = "add_done_callback", .run = run_add_done_callback},
    {.name = "all_tasks", .run = run_all_tasks},
    {.name = "as_completed", .run = run_as_completed, .has_body = true},
    {.name = "await", .run = run_await},
    {.name = "await_self", .run = run_await_self},
    {.name = "barrier_abort", .run = run_barrier_abort},
    {.name = "barrier_reset", .run = run_barrier_reset},
    {.name = "barrier_wait", .run = run_barrier_wait},
    {.name = "barrier_waiting", .run = run_barrier_waiting},
    {.name = "block", .run = run_block, .has_body = true},
    {.name = "bounded_acquire", .run = run_bounded_acquire},
    {.name = "bounded_locked", .run = run_bounded_locked},
    {.name = "bounded_release", .run = run_bounded_release},
    {.name = "call_at", .run = run_call_at},
    {.name = "call_later", .run = run_call_later},
    {.name = "call_soon", .run = run_call_soon},
    {.name = "cancel", .run = run_cancel},
    {.name = "cancel_handle", .run = run_cancel_handle},
    {.name = "condition_acquire", .run = run_condition_acquire},
    {.name = "condition_count", .run = run_condition_count},
    {.name = "condition_notify", .run = run_condition_notify},
    {.name = "condition_notify_all", .run = run_condition_notify_all},
    {.name = "condition_release", .run = run_condition_release},
    {.name = "condition_scope", .run = run_condition_scope, .has_body = true},
    {.name = "condition_wait", .run = run_condition_wait},
    {.name = "condition_wait_for", .run = run_condition_wait_for},
    {.name = "copy_context", .run = run_copy_context},
    {.name = "event_clear", .run = run_event_clear},
    {.name = "event_set", .run = run_event_set},
    {.name = "event_wait", .run = run_event_wait},
    {.name = "exception", .run = run_exception},
    {.name = "expired", .run = run_expired},
    {.name = "finally", .run = run_finally, .has_body = true, .has_handler = true},
    {.name = "gather", .run = run_gather},
    {.name = "get", .run = run_get},
    {.name = "group", .run = run_group, .has_body = true},
    {.name = "group_spawn", .run = run_group_spawn},
    {.name = "lock_acquire", .run = run_lock_acquire},
    {.name = "lock_locked", .run = run_lock_locked},
    {.name = "lock_release", .run = run_lock_release},
    {.name = "lock_scope", .run = run_lock_scope, .has_body = true},
    {.name = "new_future", .run = run_new_future},
    {.name = "queue_get", .run = run_queue_get},
    {.name = "queue_get_nowait", .run = run_queue_get_nowait},
    {.name = "queue_join", .run = run_queue_join},
    {.name = "queue_put", .run = run_queue_put},
    {.name = "queue_put_nowait", .run = run_queue_put_nowait},
    {.name = "queue_shutdown", .run = run_queue_shutdown},
    {.name = "queue_size", .run = run_queue_size},
    {.name = "queue_task_done", .run = run_queue_task_done},
    {.name = "raise", .run = run_raise},
    {.name = "remove_done_callback", .run = run_remove_done_callback},
    {.name = "reschedule", .run = run_reschedule},
    {.name = "reset", .run = run_reset},
    {.name = "result", .run = run_result},
    {.name = "return", .run = run_return},
    {.name = "semaphore_acquire", .run = run_semaphore_acquire},
    {.name = "semaphore_locked", .run = run_semaphore_locked},
    {.name = "semaphore_release", .run = run_semaphore_release},
    {.name = "set", .run = run_set},
    {.name = "set_exception", .run = run_set_exception},
    {.name = "set_result", .run = run_set_result},
    {.name = "shield", .run = run_shield},
    {.name = "sleep", .run = run_sleep},
    {.name = "spawn", .run = run_spawn},
    {.name = "state", .run = run_state},
    {.name = "timeout", .run = run_timeout, .has_body = true},
    {.name = "timeout_at", .run = run_timeout_at, .has_body = true},
    {.name = "try", .run = run_try, .has_body = true, .has_handler = true},
    {.name = "uncancel", .run = run_uncancel},
    {.name = "wait", .run = run_wait},
    {.name = "wait_for", .run = run_wait_for},
    {.name = "wait_for_coro", .run = run_wait_for_coro, .has_body = true},
    {.name = "when", .run = run_when},
    {.name = NULL},
};
