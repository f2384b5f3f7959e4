/*
 * What the operations do. Those that need nothing but a call are here; blocks
 * are in blocks.c.
 */
#include "operations.h"

#include <errno.h>
#include <string.h>

static int nothing(struct actor *actor)
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

static bool has_flag(const struct op *op, int position)
{
    return op->count > position && op->operands[position].kind == '-';
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
        return raise_error(rc, tusk_future_message(future));
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
        return raise_error(rc, tusk_future_message(future));
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
    tusk_task *task =
        runner_spawn(actor->runner, op->operands[0].number, eager, eager ? NULL : context_of(actor, op));

    return task ? tusk_future_done(task) : nothing(actor);
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
    struct gathered *gathered = arena_get(sizeof *gathered);

    for (int i = errors ? 2 : 1; i < op->count; i++)
        if (future_of(actor, op, i))
            children[gathered->count++] = tusk_retain(future_of(actor, op, i));
    gathered->gather =
        tusk_gather(children, gathered->count, .return_exceptions = errors, .results = gathered->values);
    gathered->next = runner->gathered;
    runner->gathered = gathered;
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
    {.name = "await", .run = run_await},
    {.name = "await_self", .run = run_await_self},
    {.name = "block", .run = run_block, .has_body = true},
    {.name = "call_at", .run = run_call_at},
    {.name = "call_later", .run = run_call_later},
    {.name = "call_soon", .run = run_call_soon},
    {.name = "cancel", .run = run_cancel},
    {.name = "cancel_handle", .run = run_cancel_handle},
    {.name = "copy_context", .run = run_copy_context},
    {.name = "exception", .run = run_exception},
    {.name = "finally", .run = run_finally, .has_body = true, .has_handler = true},
    {.name = "gather", .run = run_gather},
    {.name = "get", .run = run_get},
    {.name = "new_future", .run = run_new_future},
    {.name = "raise", .run = run_raise},
    {.name = "remove_done_callback", .run = run_remove_done_callback},
    {.name = "reset", .run = run_reset},
    {.name = "result", .run = run_result},
    {.name = "return", .run = run_return},
    {.name = "set", .run = run_set},
    {.name = "set_exception", .run = run_set_exception},
    {.name = "set_result", .run = run_set_result},
    {.name = "sleep", .run = run_sleep},
    {.name = "spawn", .run = run_spawn},
    {.name = "state", .run = run_state},
    {.name = "try", .run = run_try, .has_body = true, .has_handler = true},
    {.name = "uncancel", .run = run_uncancel},
    {.name = NULL},
};
