/*
 * shield: an outer future that follows an inner one, and can be cancelled
 * without it.
 *
 * Two handles, as in asyncio: one among the inner's callbacks, which passes its
 * end on, and one first among the outer's, which lets go of the inner if the outer has
 * ended before it. The shield holds a reference to itself until both have run or
 * were taken out, and one to the inner as long as it follows it.
 */
#include <errno.h>

#include <tusk/wait.h>

#include "base/error.h"
#include "task/task.h"

struct shield {
    struct tusk_future outer;
    struct tusk__handle inner_done;
    struct tusk__handle outer_done;
    /* NULL once it does not follow it any more. */
    struct tusk_future *inner;
    /* Handles that are still to run. */
    int open;
};

static void close_one(struct shield *shield)
{
    shield->outer.loop->current = NULL;
    if (--shield->open == 0)
        tusk__future_release(&shield->outer);
}

static void let_go(struct shield *shield)
{
    struct tusk_future *inner = shield->inner;

    shield->inner = NULL;
    tusk__future_release(inner);
}

/* The outer ends as the inner has; but the message of a cancel stays with the inner, as in asyncio. */
static void follow(struct tusk_future *outer, struct tusk_future *inner)
{
    int result = tusk__future_outcome(inner);

    if (inner->state == TUSK__CANCELLED) {
        tusk__future_finish(outer, TUSK__CANCELLED, result);
        return;
    }
    tusk__text_put(&outer->text, tusk__text_retain(inner->text));
    tusk__future_finish(outer, TUSK__FINISHED, result);
}

static void inner_done(struct tusk__handle *handle)
{
    struct shield *shield = container_of(handle, struct shield, inner_done);

    if (tusk__future_pending(&shield->outer))
        follow(&shield->outer, shield->inner);
    else
        tusk__future_retrieved(shield->inner);
    let_go(shield);
    close_one(shield);
}

static void outer_done(struct tusk__handle *handle)
{
    struct shield *shield = container_of(handle, struct shield, outer_done);

    if (shield->inner && tusk__future_pending(shield->inner)) {
        tusk__future_remove(shield->inner, &shield->inner_done);
        let_go(shield);
        shield->open--;
    }
    close_one(shield);
}

static struct shield *create(struct tusk_future *inner)
{
    struct shield *shield = tusk__stock_get(&inner->loop->stock, sizeof *shield);

    if (!shield)
        return NULL;
    tusk__future_init(&shield->outer, inner->loop, TUSK__SHIELD, inner->where);
    shield->inner = inner;
    shield->open = 2;
    shield->outer.references = 2;
    shield->inner_done = (struct tusk__handle){.run = inner_done, .context = TUSK__LIGHT};
    shield->outer_done = (struct tusk__handle){.run = outer_done, .context = TUSK__LIGHT};
    tusk__future_append(inner, &shield->inner_done);
    tusk__future_append(&shield->outer, &shield->outer_done);
    return shield;
}

tusk_future *tusk_shield(tusk_future *future)
{
    struct shield *shield;
    int rc;

    if (!future)
        return NULL;
    if (future->state == TUSK__FREED)
        return tusk__fail(tusk__future_misused(future));
    if (!tusk__future_pending(future))
        return future;
    shield = future->loop->closed ? NULL : create(future);
    if (shield)
        return &shield->outer;
    rc = future->loop->closed ? TUSK_LOOP_CLOSED : -ENOMEM;
    tusk__future_release(future);
    return tusk__fail(rc);
}
