/*
 * What waits for many, for a while, or protected from cancels.
 *
 * The futures that an operation names may leave their slots while it waits: it holds references.
 */
#include <math.h>
#include <string.h>

#include "operations.h"

/* The futures that an operation names, those that are there. */
struct futures {
    size_t count;
    tusk_future *list[OPERANDS];
};

static struct futures futures_of(struct actor *actor, const struct op *op)
{
    struct futures futures = {0};

    for (int i = 0; i < op->count; i++) {
        struct operand operand = op->operands[i];
        bool is_future = operand.kind != '#' && operand.kind != '-';

        if (is_future && future_of(actor, op, i))
            futures.list[futures.count++] = tusk_retain(future_of(actor, op, i));
    }
    return futures;
}

static void futures_release(const struct futures *futures)
{
    for (size_t i = 0; i < futures->count; i++)
        tusk_release(futures->list[i]);
}

/* The first number among the operands as the time-out of wait and as_completed, where 0 is no limit. */
static double limit_of(const struct op *op)
{
    for (int i = 0; i < op->count; i++)
        if (op->operands[i].kind == '#')
            return op->operands[i].number == 0 ? -1e-3 : op->operands[i].number / 8.0;
    return 0;
}

static enum tusk_return_when return_when_of(const struct op *op)
{
    if (!has_flag(op, 0))
        return TUSK_ALL_COMPLETED;
    return op->operands[0].number == 'f' ? TUSK_FIRST_COMPLETED : TUSK_FIRST_EXCEPTION;
}

static void write_flags(char *text, const bool *flags, size_t count)
{
    text += sprintf(text, "= [");
    for (size_t i = 0; i < count; i++)
        text += sprintf(text, "%s%d", i > 0 ? "," : "", flags[i]);
    strcpy(text, "]");
}

int run_wait(struct actor *actor, const struct op *op)
{
    struct futures futures = futures_of(actor, op);
    bool done[OPERANDS];
    int rc = tusk_wait(futures.list, futures.count, .return_when = return_when_of(op),
                       .timeout = limit_of(op), .done = done);

    if (rc >= 0)
        write_flags(actor->outcome, done, futures.count);
    futures_release(&futures);
    return rc;
}

int run_wait_for(struct actor *actor, const struct op *op)
{
    tusk_future *future = tusk_retain(future_of(actor, op, 0));
    int rc;

    if (!future)
        return nothing(actor);
    rc = tusk_wait_for(tusk_retain(future), seconds_of(op, 1));
    if (rc >= 0)
        write_results(actor->runner, future, actor->outcome, sizeof actor->outcome);
    tusk_release(future);
    return rc;
}

struct inner {
    struct actor *actor;
    const struct op *op;
};

static int run_inner(void *arg)
{
    const struct inner *inner = arg;

    return run_ops(inner->actor, inner->op->body);
}

int run_wait_for_coro(struct actor *actor, const struct op *op)
{
    struct inner *inner = arena_get(sizeof *inner);

    *inner = (struct inner){actor, op};
    return leave_block(actor, tusk_wait_for_coro(run_inner, inner, seconds_of(op, 0)));
}

int run_shield(struct actor *actor, const struct op *op)
{
    struct runner *runner = actor->runner;
    tusk_future *inner = future_of(actor, op, 1);
    const struct gathered *results = gathered_find(runner, inner);
    struct gathered *gathered;

    if (!inner)
        return nothing(actor);
    gathered = gathered_new(runner);
    gathered->gather = tusk_shield(tusk_retain(inner));
    if (results) {
        gathered->results = results->results;
        gathered->count = results->count;
    }
    runner->gathers[op->operands[0].number] = gathered->gather;
    return 0;
}

static size_t index_of(const struct futures *futures, const tusk_future *future)
{
    size_t i = 0;

    while (futures->list[i] != future)
        i++;
    return i;
}

static int run_each(struct actor *actor, const struct op *op, const struct futures *futures,
                    tusk_as_completed_iterator *iterator)
{
    tusk_future *future;
    int rc;

    while ((rc = tusk_as_completed_next(iterator, &future)) > 0) {
        trace_place(actor->runner);
        fprintf(actor->runner->out, "%s.%d next %zu\n", actor->label, op->index, index_of(futures, future));
        rc = run_ops(actor, op->body);
        if (rc < 0 || actor->returned)
            break;
    }
    return rc;
}

int run_as_completed(struct actor *actor, const struct op *op)
{
    struct futures futures = futures_of(actor, op);
    tusk_as_completed_iterator *iterator =
        tusk_as_completed(futures.list, futures.count, .timeout = limit_of(op));
    int rc = iterator ? run_each(actor, op, &futures, iterator) : tusk_last_error();

    tusk_as_completed_close(iterator);
    futures_release(&futures);
    return leave_block(actor, rc);
}
