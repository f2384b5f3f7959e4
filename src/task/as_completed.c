/*
 * as_completed: futures in the order of their ends.
 *
 * Each future has a record with a handle among its callbacks. One that has called back
 * goes to the list of the done ones, from which next() takes them.
 *
 * Tasks that wait in next() stand in a list, and each end wakes the first of them. One that was
 * woken has no claim: it looks again, and if another was faster it goes to the end of the list.
 * One that is cancelled after it was woken wakes the next. So it is with the getters of
 * asyncio's queue, of which its as_completed is made.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include <tusk/wait.h>

#include "base/error.h"
#include "task/waiter.h"

struct getter {
    struct tusk__waiter waiter;
    struct getter *next;
};

struct record {
    struct tusk__handle handle;
    struct tusk_as_completed_iterator *iterator;
    struct tusk_future *future;
    /* The next one in the list of the done. */
    struct record *next;
    /* It stands in a list of callbacks, or in the queue. */
    bool linked;
};

struct tusk_as_completed_iterator {
    struct tusk_loop *loop;
    struct tusk__timer timer;
    bool timer_linked;
    /* Who waits in next() and has not been woken. */
    struct getter *getters;
    struct getter *getters_last;
    /* How many tasks are in next(); the last one frees an iterator that was closed meanwhile. */
    size_t users;
    bool closed;
    struct record *done;
    struct record *done_last;
    /* Time-outs that next() has to give yet, one for each that was left when the time was over. */
    size_t timeouts;
    /* How many have neither called back nor timed out. */
    size_t todo;
    /* How many next() has not given yet. */
    size_t left;
    size_t count;
    struct record records[];
};

/* ---- who waits ---- */

static void append_getter(struct tusk_as_completed_iterator *iterator, struct getter *getter)
{
    getter->next = NULL;
    if (iterator->getters)
        iterator->getters_last->next = getter;
    else
        iterator->getters = getter;
    iterator->getters_last = getter;
}

static void remove_getter(struct tusk_as_completed_iterator *iterator, const struct getter *getter)
{
    struct getter *previous = NULL;

    for (struct getter *at = iterator->getters; at; previous = at, at = at->next) {
        if (at != getter)
            continue;
        if (previous)
            previous->next = at->next;
        else
            iterator->getters = at->next;
        if (!at->next)
            iterator->getters_last = previous;
        return;
    }
}

/* Wakes the first one that has not been cancelled; false if there is none. */
static bool wake(struct tusk_as_completed_iterator *iterator)
{
    bool woken = false;

    while (iterator->getters && !woken) {
        struct getter *getter = iterator->getters;

        iterator->getters = getter->next;
        woken = !getter->waiter.over;
        tusk__waiter_end(&getter->waiter, 0);
    }
    return woken;
}

/* ---- what ends ---- */

static void unschedule(struct tusk_as_completed_iterator *iterator)
{
    if (!iterator->timer_linked)
        return;
    iterator->timer_linked = false;
    if (tusk__timer_pending(&iterator->timer))
        tusk__wheel_remove(&iterator->loop->wheel, &iterator->timer);
    else
        tusk__loop_orphan(iterator->loop, &iterator->timer.handle);
}

static void completed(struct tusk__handle *handle)
{
    struct record *record = container_of(handle, struct record, handle);
    struct tusk_as_completed_iterator *iterator = record->iterator;

    record->linked = false;
    if (iterator->todo == 0)
        return;
    record->next = NULL;
    if (iterator->done)
        iterator->done_last->next = record;
    else
        iterator->done = record;
    iterator->done_last = record;
    if (--iterator->todo == 0)
        unschedule(iterator);
    wake(iterator);
}

static void unsubscribe(struct record *record)
{
    if (record->linked && tusk__future_pending(record->future)) {
        tusk__future_remove(record->future, &record->handle);
        record->linked = false;
    }
}

static void time_is_over(struct tusk__handle *handle)
{
    struct tusk_as_completed_iterator *iterator =
        container_of(handle, struct tusk_as_completed_iterator, timer.handle);

    iterator->timer_linked = false;
    for (size_t i = 0; i < iterator->count; i++)
        unsubscribe(&iterator->records[i]);
    iterator->timeouts = iterator->todo;
    iterator->todo = 0;
    for (size_t i = 0; i < iterator->timeouts && wake(iterator); i++)
        ;
}

/* ---- making ---- */

static void subscribe(struct tusk_as_completed_iterator *iterator, struct tusk_future *future)
{
    struct record *record;
    uint32_t index = future->gather_index;

    /* There already? See gather.c. */
    if (index < iterator->count && iterator->records[index].future == future)
        return;
    future->gather_index = (uint32_t)iterator->count;
    record = &iterator->records[iterator->count++];
    record->handle.run = completed;
    record->handle.context = TUSK__LIGHT;
    record->iterator = iterator;
    record->future = future;
    record->linked = true;
    if (tusk__future_pending(future))
        tusk__future_append(future, &record->handle);
    else
        tusk__loop_push(future->loop, &record->handle);
}

static int check(const struct tusk_loop *loop, tusk_future *const *futures, size_t count, double timeout)
{
    if (!loop)
        return TUSK_NO_RUNNING_LOOP;
    if ((!futures && count > 0) || count > UINT32_MAX || isnan(timeout))
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (!futures[i])
            return -EINVAL;
        if (futures[i]->state == TUSK__FREED)
            return tusk__future_misused(futures[i]);
        if (futures[i]->loop != loop)
            return TUSK_OTHER_LOOP;
    }
    return 0;
}

static void schedule(struct tusk_as_completed_iterator *iterator, double timeout)
{
    int64_t now = tusk__loop_clock(iterator->loop);

    if (timeout == 0 || (isinf(timeout) && timeout > 0) || iterator->count == 0)
        return;
    iterator->timer.handle.run = time_is_over;
    iterator->timer.handle.context = TUSK__LIGHT;
    iterator->timer_linked = true;
    tusk__loop_add_timer(iterator->loop, &iterator->timer,
                         tusk__loop_deadline(now, timeout < 0 ? 0 : timeout));
}

tusk_as_completed_iterator *(tusk_as_completed)(tusk_future *const *futures, size_t count,
                                                const struct tusk_as_completed_options *options)
{
    struct tusk_loop *loop = tusk__running_loop;
    double timeout = options ? options->timeout : 0;
    struct tusk_as_completed_iterator *iterator;
    int rc = check(loop, futures, count, timeout);

    if (rc < 0)
        return tusk__fail(rc);
    if (count > (SIZE_MAX - sizeof *iterator) / sizeof iterator->records[0])
        return tusk__fail(-ENOMEM);
    iterator = tusk__stock_get(&loop->stock, sizeof *iterator + count * sizeof iterator->records[0]);
    if (!iterator)
        return tusk__fail(-ENOMEM);
    iterator->loop = loop;
    for (size_t i = 0; i < count; i++)
        subscribe(iterator, futures[i]);
    iterator->todo = iterator->count;
    iterator->left = iterator->count;
    schedule(iterator, timeout);
    return iterator;
}

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    (void)wait;
    snprintf(text, size, "the next of several futures");
}

static const struct tusk__wait_kind kind = {.cancel = tusk__waiter_cancel, .describe = describe};

static bool has_something(const struct tusk_as_completed_iterator *iterator)
{
    return iterator->done || iterator->timeouts > 0 || iterator->closed;
}

/* Waits until there is something to give. */
static int wait_for_one(struct tusk__task *task, struct tusk_as_completed_iterator *iterator)
{
    struct getter getter;
    int rc = 0;

    while (rc == 0 && !has_something(iterator)) {
        tusk__waiter_init(&getter.waiter, task, &kind);
        append_getter(iterator, &getter);
        rc = tusk__waiter_wait(&getter.waiter);
    }
    if (rc == 0)
        return 0;
    remove_getter(iterator, &getter);
    if (getter.waiter.result == 0 && has_something(iterator))
        wake(iterator);
    return rc;
}

static int give(struct tusk_as_completed_iterator *iterator, tusk_future **ret_future)
{
    struct record *record = iterator->done;

    if (iterator->closed)
        return tusk_raise(TUSK_INVALID_STATE, "as_completed: the iterator was closed");
    if (!record) {
        iterator->timeouts--;
        return tusk_raise(-ETIMEDOUT, "as_completed: the time is over");
    }
    iterator->done = record->next;
    *ret_future = record->future;
    return 1;
}

static int check_next(const struct tusk__task *task, const struct tusk_as_completed_iterator *iterator,
                      tusk_future *const *ret_future)
{
    if (!ret_future)
        return -EINVAL;
    if (!task)
        return TUSK_NOT_IN_TASK;
    return iterator->loop == task->future.loop ? 0 : TUSK_OTHER_LOOP;
}

/* It may have outlived its loop. */
static void free_iterator(struct tusk_as_completed_iterator *iterator)
{
    tusk__stock_put(iterator->loop == tusk__running_loop ? &iterator->loop->stock : NULL, iterator);
}

int tusk_as_completed_next(tusk_as_completed_iterator *iterator, tusk_future **ret_future)
{
    struct tusk__task *task = tusk__running_task();
    int rc;

    if (!iterator)
        return tusk__creation_error();
    rc = check_next(task, iterator, ret_future);
    if (rc < 0 || iterator->left == 0)
        return rc;
    iterator->left--;
    iterator->users++;
    rc = wait_for_one(task, iterator);
    if (rc == 0)
        rc = give(iterator, ret_future);
    if (--iterator->users == 0 && iterator->closed)
        free_iterator(iterator);
    return rc;
}

void tusk_as_completed_close(tusk_as_completed_iterator *iterator)
{
    if (!iterator)
        return;
    unschedule(iterator);
    for (size_t i = 0; i < iterator->count; i++) {
        unsubscribe(&iterator->records[i]);
        if (iterator->records[i].linked)
            tusk__loop_orphan(iterator->loop, &iterator->records[i].handle);
    }
    iterator->closed = true;
    while (wake(iterator))
        ;
    if (iterator->users == 0)
        free_iterator(iterator);
}
