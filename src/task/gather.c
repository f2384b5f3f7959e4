/*
 * gather: many futures awaited as one.
 *
 * The gather and its children's records are one block. A child's record holds a
 * handle that stands among the child's callbacks, so a gather of a hundred
 * thousand tasks costs one allocation and a turn of the queue for each.
 *
 * It holds its children's references until each is done; what it holds of itself, one
 * reference, until all are: for records stand in the lists of children also
 * after a gather that failed has been awaited and released.
 */
#include <errno.h>

#include "base/error.h"
#include "task/gather.h"

/* ---- ending ---- */

static void write_results(struct tusk__gather *gather)
{
    if (!gather->results)
        return;
    for (size_t i = 0; i < gather->count; i++)
        gather->results[i] = gather->children[gather->children[i].same_as].result;
}

static void fail(struct tusk__gather *gather, int code, struct tusk__text *text)
{
    tusk__text_put(&gather->future.text, tusk__text_retain(text));
    tusk__future_finish(&gather->future, TUSK__FINISHED, code);
    if (gather->abandoned)
        tusk__future_retrieved(&gather->future);
}

/* All children are done and none has ended the gather. */
static void succeed(struct tusk__gather *gather)
{
    if (gather->cancel_requested) {
        fail(gather, -ECANCELED, gather->last_text);
        return;
    }
    write_results(gather);
    tusk__future_finish(&gather->future, TUSK__FINISHED, 0);
}

/* A child has ended: what asyncio's done callback does. */
static void child_done(struct tusk__gather *gather, struct tusk__gather_child *child, int result,
                       struct tusk__text *text)
{
    child->result = result;
    gather->running--;
    if (!tusk__future_pending(&gather->future))
        return;
    if (result < 0 && !gather->return_exceptions)
        fail(gather, result, text);
    else if (gather->running == 0)
        succeed(gather);
}

/* The future of a child is done: takes what it has and gives its reference back. */
static void take(struct tusk__gather *gather, struct tusk__gather_child *child)
{
    struct tusk_future *future = child->future;

    child->future = NULL;
    if (future->state == TUSK__CANCELLED &&
        child == &gather->children[gather->children[gather->count - 1].same_as])
        tusk__text_put(&gather->last_text, tusk__text_retain(future->text));
    child_done(gather, child, tusk__future_outcome(future), future->text);
    tusk__future_release(future);
}

static void run(struct tusk__handle *handle)
{
    struct tusk__gather_child *child = container_of(handle, struct tusk__gather_child, handle);
    struct tusk__gather *gather = child->gather;

    gather->future.loop->current = NULL;
    take(gather, child);
    /* The reference of the children to the gather. */
    if (gather->running == 0)
        tusk__future_release(&gather->future);
}

void tusk__gather_clear(struct tusk_future *future)
{
    tusk__text_release(tusk__gather_of(future)->last_text);
}

/* ---- making ---- */

static struct tusk__gather *allocate(struct tusk_loop *loop, size_t count,
                                     const struct tusk_gather_options *options)
{
    struct tusk__gather *gather;

    if (count > UINT32_MAX || count > (SIZE_MAX - sizeof *gather) / sizeof gather->children[0])
        return NULL;
    gather = tusk__stock_get(&loop->stock, sizeof *gather + count * sizeof gather->children[0]);
    if (!gather)
        return NULL;
    tusk__future_init(&gather->future, loop, TUSK__GATHER, options ? options->tusk__where : NULL);
    gather->count = count;
    gather->results = options ? options->results : NULL;
    gather->return_exceptions = options && options->return_exceptions;
    return gather;
}

/*
 * The index of the first record with this future. A future remembers where the
 * last gather put it; if that place holds it, it is a duplicate. So no table is needed,
 * and nothing has to be reset.
 */
static uint32_t first_index(const struct tusk__gather *gather, struct tusk_future *future, size_t i)
{
    uint32_t index = future->gather_index;

    if (index < i && gather->children[index].future == future)
        return index;
    future->gather_index = (uint32_t)i;
    return (uint32_t)i;
}

/* Fills in the record of one argument. NULL, a creation that failed, is a child that is done with that error. */
static void adopt(struct tusk__gather *gather, size_t i, struct tusk_future *future, int null_error)
{
    struct tusk__gather_child *child = &gather->children[i];
    uint32_t first;

    child->gather = gather;
    child->same_as = (uint32_t)i;
    if (!future) {
        child->result = null_error;
        gather->running++;
        return;
    }
    first = first_index(gather, future, i);
    if (first != i) {
        child->same_as = first;
        tusk__future_release(future);
        return;
    }
    child->future = future;
    gather->running++;
    if (!tusk__future_pending(future))
        return;
    child->handle.run = run;
    child->handle.context = TUSK__LIGHT;
    tusk__future_append(future, &child->handle);
}

/* Children that are done already end what they end at once, as in asyncio. */
static void take_done(struct tusk__gather *gather)
{
    for (size_t i = 0; i < gather->count; i++) {
        struct tusk__gather_child *child = &gather->children[i];

        if (child->future && !tusk__future_pending(child->future)) {
            take(gather, child);
        } else if (!child->future && child->same_as == i) {
            child_done(gather, child, child->result, NULL);
        }
    }
}

static void release_all(tusk_future *const *futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tusk_release(futures[i]);
}

static int check(struct tusk_loop *loop, tusk_future *const *futures, size_t count)
{
    if (!loop)
        return TUSK_NO_RUNNING_LOOP;
    if (!futures && count > 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (futures[i] && futures[i]->state == TUSK__FREED)
            return tusk__future_misused(futures[i]);
        if (futures[i] && futures[i]->loop != loop)
            return TUSK_OTHER_LOOP;
    }
    return 0;
}

tusk_future *(tusk_gather)(tusk_future *const *futures, size_t count,
                           const struct tusk_gather_options *options)
{
    struct tusk_loop *loop = tusk__running_loop;
    int null_error = tusk__creation_error();
    struct tusk__gather *gather;
    int rc = check(loop, futures, count);

    if (rc == 0 && !tusk__tasks_get(loop))
        rc = tusk_last_error();
    if (rc < 0) {
        if (futures && rc != TUSK_RELEASED)
            release_all(futures, count);
        return tusk__fail(rc);
    }
    gather = allocate(loop, count, options);
    if (!gather) {
        release_all(futures, count);
        return tusk__fail(-ENOMEM);
    }
    for (size_t i = 0; i < count; i++)
        adopt(gather, i, futures[i], null_error);
    take_done(gather);
    if (count == 0)
        tusk__future_finish(&gather->future, TUSK__FINISHED, 0);
    if (gather->running > 0)
        gather->future.references++;
    return &gather->future;
}
