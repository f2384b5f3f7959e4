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

/* The end of a block: its value is that of a return inside of it. */
static int leave(struct actor *actor, int rc)
{
    actor->outcome[0] = '\0';
    return rc == 0 && actor->returned ? actor->value : rc;
}

int run_block(struct actor *actor, const struct op *op)
{
    return leave(actor, run_ops(actor, op->body));
}

int run_try(struct actor *actor, const struct op *op)
{
    int rc = run_ops(actor, op->body);

    if (rc < 0)
        rc = run_ops(actor, op->handler);
    return leave(actor, rc);
}

/* As in Python: an error or a return of the handler takes the place of what was before. */
int run_finally(struct actor *actor, const struct op *op)
{
    int rc = run_ops(actor, op->body);
    char message[OUTCOME] = "";
    bool returned = actor->returned;
    int value = actor->value;
    int last;

    if (rc < 0 && tusk_message())
        snprintf(message, sizeof message, "%s", tusk_message());
    actor->returned = false;
    last = run_ops(actor, op->handler);
    if (last < 0 || actor->returned)
        return leave(actor, last);
    actor->returned = returned;
    actor->value = value;
    return leave(actor, rc < 0 ? raise_error(rc, *message ? message : NULL) : rc);
}
