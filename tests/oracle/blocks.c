/*
 * Lists of operations, and the blocks that have one inside.
 */
#include <errno.h>
#include <string.h>

#include "operations.h"

static bool catches(const struct op *op, int rc)
{
    return op->catches == 2 || (op->catches == 1 && rc != -ECANCELED);
}

static int run_op(struct actor *actor, const struct op *op)
{
    int rc;

    actor->outcome[0] = '\0';
    rc = op->kind->run(actor, op);
    trace_op(actor, op, rc);
    return rc < 0 && catches(op, rc) ? 0 : rc;
}

int run_ops(struct actor *actor, const struct op *ops)
{
    for (const struct op *op = ops; op; op = op->next) {
        int rc = run_op(actor, op);

        if (rc < 0)
            return rc;
        if (actor->returned)
            return 0;
    }
    return 0;
}

int leave_block(struct actor *actor, int rc)
{
    actor->outcome[0] = '\0';
    return rc == 0 && actor->returned ? actor->value : rc;
}

int run_block(struct actor *actor, const struct op *op)
{
    return leave_block(actor, run_ops(actor, op->body));
}

int run_try(struct actor *actor, const struct op *op)
{
    int rc = run_ops(actor, op->body);

    if (rc < 0)
        rc = run_ops(actor, op->handler);
    return leave_block(actor, rc);
}

/* As in Python: an error or a return of the handler takes the place of what was before. */
int run_finally(struct actor *actor, const struct op *op)
{
    int rc = run_ops(actor, op->body);
    tusk_exception *error = rc < 0 ? tusk_exception_retain(tusk_exception_last()) : NULL;
    bool returned = actor->returned;
    int value = actor->value;
    int last;

    actor->returned = false;
    last = run_ops(actor, op->handler);
    if (last == 0 && !actor->returned) {
        actor->returned = returned;
        actor->value = value;
        last = rc < 0 ? raise_again(rc, error) : rc;
    }
    tusk_exception_release(error);
    return leave_block(actor, last);
}
