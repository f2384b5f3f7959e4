/*
 * Time-outs and task groups. Their structs stay until the end of the program: other tasks, and callbacks,
 * look at them when their scope has been left.
 */
#include <math.h>
#include <string.h>

#include "operations.h"

/* Leaves a block whose scope has an error of its own: that takes the place of a return in it. */
static int leave_scope(struct actor *actor, int rc)
{
    if (rc < 0)
        actor->returned = false;
    return leave_block(actor, rc);
}

/* ---- time-outs ---- */

static int run_in_timeout(struct actor *actor, const struct op *op, tusk_timeout *timeout)
{
    actor->runner->timeouts[op->operands[0].number] = timeout;
    return leave_scope(actor, tusk_timeout_exit(timeout, run_ops(actor, op->body)));
}

int run_timeout(struct actor *actor, const struct op *op)
{
    tusk_timeout *timeout = arena_get(sizeof *timeout);

    tusk_try(tusk_timeout_enter(timeout, seconds_of(op, 1)));
    return run_in_timeout(actor, op, timeout);
}

int run_timeout_at(struct actor *actor, const struct op *op)
{
    tusk_timeout *timeout = arena_get(sizeof *timeout);

    tusk_try(tusk_timeout_enter_at(timeout, seconds_of(op, 1)));
    return run_in_timeout(actor, op, timeout);
}

static tusk_timeout *timeout_of(const struct actor *actor, const struct op *op)
{
    return actor->runner->timeouts[op->operands[0].number];
}

int run_reschedule(struct actor *actor, const struct op *op)
{
    tusk_timeout *timeout = timeout_of(actor, op);

    if (!timeout)
        return nothing(actor);
    tusk_try(tusk_timeout_reschedule(timeout, seconds_of(op, 1)));
    return 0;
}

int run_when(struct actor *actor, const struct op *op)
{
    const tusk_timeout *timeout = timeout_of(actor, op);
    double when = timeout ? tusk_timeout_when(timeout) : 0;

    if (!timeout)
        return nothing(actor);
    if (isinf(when))
        strcpy(actor->outcome, "= inf");
    else
        snprintf(actor->outcome, sizeof actor->outcome, "= %ld", lround(when * 8));
    return 0;
}

int run_expired(struct actor *actor, const struct op *op)
{
    const tusk_timeout *timeout = timeout_of(actor, op);

    return timeout ? tusk_timeout_expired(timeout) : nothing(actor);
}

/* ---- task groups ---- */

int run_group(struct actor *actor, const struct op *op)
{
    tusk_task_group *group = arena_get(sizeof *group);

    tusk_try(tusk_task_group_enter(group));
    actor->runner->groups[op->operands[0].number] = group;
    return leave_scope(actor, tusk_task_group_exit(group, run_ops(actor, op->body)));
}

int run_group_spawn(struct actor *actor, const struct op *op)
{
    tusk_task_group *group = actor->runner->groups[op->operands[0].number];
    int number = op->operands[1].number;
    int rc;

    if (!group)
        return nothing(actor);
    rc = runner_spawn(actor->runner, number, has_flag(op, 2), NULL, group);
    tusk_try(rc);
    return rc > 0 ? tusk_future_done(actor->runner->tasks[number]) : nothing(actor);
}
