/*
 * wait: until all, the first, or the first failure of many futures.
 *
 * A record for each future stands among its callbacks, as in asyncio, and ends
 * the waiter when it counts. The records are one block of the loop's if they are many;
 * up to a few they are on the waiter's stack. When the wait is over, those of
 * futures that are still pending are taken out; that of a future that became
 * done in just this iteration stands in the ready queue, and leaves an orphan there.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include <tusk/wait.h>

#include "base/error.h"
#include "task/waiter.h"

/* On the stack up to this many: 32 bytes each. */
enum { FEW = 16 };

struct record {
    struct tusk__handle handle;
    struct waiting *waiting;
    struct tusk_future *future;
    /* It stands in a list or in the queue. */
    bool linked;
};

struct waiting {
    struct tusk__waiter waiter;
    struct record *records;
    size_t count;
    /* How many have not called back. */
    size_t left;
    enum tusk_return_when return_when;
};

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    snprintf(text, size, "%zu futures", container_of(wait, struct waiting, waiter.wait)->count);
}

static void abandon(struct tusk__wait *wait)
{
    struct waiting *waiting = container_of(wait, struct waiting, waiter.wait);

    if (waiting->count > FEW)
        tusk__stock_put(&waiting->waiter.task->future.loop->stock, waiting->records);
}

static const struct tusk__wait_kind kind = {
    .cancel = tusk__waiter_cancel, .describe = describe, .abandon = abandon};

static bool has_failed(const struct tusk_future *future)
{
    return future->state != TUSK__CANCELLED && future->result < 0;
}

/* True if this one's end ends the wait, whatever the others do. To look for a failure is to retrieve it. */
static bool is_enough(const struct waiting *waiting, struct tusk_future *future)
{
    if (waiting->return_when != TUSK_FIRST_EXCEPTION)
        return waiting->return_when == TUSK_FIRST_COMPLETED;
    tusk__future_retrieved(future);
    return has_failed(future);
}

static void completed(struct tusk__handle *handle)
{
    struct record *record = container_of(handle, struct record, handle);
    struct waiting *waiting = record->waiting;

    record->linked = false;
    waiting->left--;
    if (waiting->left == 0 || is_enough(waiting, record->future))
        tusk__waiter_end(&waiting->waiter, 0);
}

/* Adds a callback to a future, done or not. */
static void subscribe(struct waiting *waiting, struct record *record, struct tusk_future *future)
{
    record->handle.run = completed;
    record->handle.context = TUSK__LIGHT;
    record->waiting = waiting;
    record->future = future;
    record->linked = true;
    if (tusk__future_pending(future))
        tusk__future_append(future, &record->handle);
    else
        tusk__loop_push(future->loop, &record->handle);
}

static void unsubscribe(struct record *record)
{
    if (!record->linked)
        return;
    if (tusk__future_pending(record->future))
        tusk__future_remove(record->future, &record->handle);
    else
        tusk__loop_orphan(record->future->loop, &record->handle);
}

/* The same future again counts once, as in a set. gather_index finds it; see gather.c. */
static bool is_duplicate(const struct waiting *waiting, struct tusk_future *future)
{
    uint32_t index = future->gather_index;

    return index < waiting->left && waiting->records[index].future == future;
}

static void subscribe_all(struct waiting *waiting, tusk_future *const *futures)
{
    for (size_t i = 0; i < waiting->count; i++) {
        if (is_duplicate(waiting, futures[i]))
            continue;
        futures[i]->gather_index = (uint32_t)waiting->left;
        subscribe(waiting, &waiting->records[waiting->left++], futures[i]);
    }
}

static int count_done(tusk_future *const *futures, size_t count, bool *done)
{
    int result = 0;

    for (size_t i = 0; i < count; i++) {
        bool is_done = tusk_future_done(futures[i]);

        result += is_done;
        if (done)
            done[i] = is_done;
    }
    return result;
}

static int64_t deadline(struct tusk_loop *loop, double timeout)
{
    return tusk__loop_deadline(tusk__loop_clock(loop), timeout < 0 ? 0 : timeout);
}

static int wait_with(struct record *records, struct tusk__task *task, tusk_future *const *futures,
                     size_t count, const struct tusk_wait_options *options)
{
    struct waiting waiting = {.records = records, .count = count, .return_when = options->return_when};
    size_t used;
    int rc;

    tusk__waiter_init(&waiting.waiter, task, &kind);
    if (options->timeout != 0 && !(isinf(options->timeout) && options->timeout > 0))
        tusk__waiter_start_timer(&waiting.waiter, deadline(task->future.loop, options->timeout), 0);
    subscribe_all(&waiting, futures);
    used = waiting.left;
    rc = tusk__waiter_wait(&waiting.waiter);
    for (size_t i = 0; i < used; i++)
        unsubscribe(&records[i]);
    return rc < 0 ? rc : count_done(futures, count, options->done);
}

static int check(const struct tusk__task *task, tusk_future *const *futures, size_t count,
                 const struct tusk_wait_options *options)
{
    if (!task)
        return TUSK_NOT_IN_TASK;
    if (!futures || count == 0 || count > INT32_MAX)
        return tusk_raise(-EINVAL, "there is nothing to wait for");
    if (isnan(options->timeout))
        return tusk_raise(-EINVAL, "a time-out of NaN seconds");
    if (options->return_when > TUSK_FIRST_EXCEPTION)
        return tusk_raise(-EINVAL, "return_when is %d, which is none of its values",
                          (int)options->return_when);
    for (size_t i = 0; i < count; i++) {
        if (!futures[i])
            return tusk_raise(-EINVAL, "future %zu of %zu is NULL", i, count);
        if (futures[i]->state == TUSK__FREED)
            return tusk__future_misused(futures[i]);
        if (futures[i]->loop != task->future.loop)
            return TUSK_OTHER_LOOP;
    }
    return 0;
}

/* With the records in a block. */
static int wait_for_many(struct tusk__task *task, tusk_future *const *futures, size_t count,
                         const struct tusk_wait_options *options)
{
    struct tusk__stock *stock = &task->future.loop->stock;
    struct record *records = NULL;
    int rc;

    if (count <= SIZE_MAX / sizeof *records)
        records = tusk__stock_get(stock, count * sizeof *records);
    if (!records)
        return -ENOMEM;
    rc = wait_with(records, task, futures, count, options);
    tusk__stock_put(stock, records);
    return rc;
}

int(tusk_wait)(tusk_future *const *futures, size_t count, const struct tusk_wait_options *options)
{
    static const struct tusk_wait_options defaults;
    struct tusk__task *task = tusk__running_task();
    struct record few[FEW];
    int rc;

    if (!options)
        options = &defaults;
    rc = check(task, futures, count, options);
    if (rc < 0)
        return rc;
    return count <= FEW ? wait_with(few, task, futures, count, options)
                        : wait_for_many(task, futures, count, options);
}
