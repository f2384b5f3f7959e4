/*
 * Queue, LifoQueue, PriorityQueue: who waits, who is woken, and the counts. The items are in items.h.
 *
 * A getter that was woken has no claim to an item: it looks again, and if another one was faster it
 * queues up at the end. So is it with putters and room. One that is cancelled after it was woken
 * wakes the next, if there still is an item, or room: else a wake-up would be lost.
 *
 * Invariant: joiners wait only while unfinished_ is above 0. asyncio's event "finished" is set
 * exactly when it is 0, and needs no field.
 */
#include <errno.h>

#include "base/error.h"
#include "sync/items.h"
#include "sync/waiters.h"

static const struct tusk__sync_kind an_item = {"a queue", " to have an item", offsetof(tusk_queue, getters_)};
static const struct tusk__sync_kind room = {"a queue", " to have room", offsetof(tusk_queue, putters_)};
static const struct tusk__sync_kind an_end = {"a queue", " to be done", offsetof(tusk_queue, joiners_)};

static inline bool is_empty(const tusk_queue *queue)
{
    return queue->count_ == 0;
}

static inline bool is_full(const tusk_queue *queue)
{
    return queue->maxsize_ > 0 && queue->count_ >= queue->maxsize_;
}

/* The errors of queues have no messages: one of an earlier error must not stand beside them. */
static TUSK__COLD int fail(int code)
{
    tusk__receive_text(code, NULL);
    return code;
}

static inline int put(tusk_queue *queue, const void *item)
{
    int rc = tusk__items_push(queue, item);

    if (unlikely(rc < 0))
        return fail(rc);
    queue->unfinished_++;
    tusk__waiters_wake_next(&queue->getters_);
    return 0;
}

static inline int get(tusk_queue *queue, void *ret_item)
{
    tusk__items_pop(queue, ret_item);
    tusk__waiters_wake_next(&queue->putters_);
    /* Nothing can come in any more. */
    if (unlikely(queue->shut_down_) && is_empty(queue))
        tusk__items_free(queue);
    return 0;
}

/* ---- waiting ---- */

enum side { PUT, GET };

static inline bool is_blocked(const tusk_queue *queue, enum side side)
{
    return side == PUT ? is_full(queue) : is_empty(queue);
}

/*
 * put and get when they may have to wait. One function for both sides: then a switch from one to the other
 * returns to where it was called from, and the processor predicts that. item is for PUT,
 * ret_item for GET.
 */
static TUSK__NOINLINE int transfer_slowly(tusk_queue *queue, struct tusk__task *task, enum side side,
                                          const void *item, void *ret_item)
{
    struct tusk__waiters *waiters = side == PUT ? &queue->putters_ : &queue->getters_;
    const struct tusk__sync_kind *what = side == PUT ? &room : &an_item;

    while (is_blocked(queue, side)) {
        struct tusk__sync_waiter waiter;
        int rc;

        if (unlikely(queue->shut_down_))
            return fail(TUSK_QUEUE_SHUT_DOWN);
        rc = tusk__waiters_wait(waiters, task, &waiter, what);
        if (unlikely(rc < 0)) {
            if (waiter.state == TUSK__WOKEN && !is_blocked(queue, side))
                tusk__waiters_wake_next(waiters);
            return rc;
        }
    }
    if (side == GET)
        return get(queue, ret_item);
    return unlikely(queue->shut_down_) ? fail(TUSK_QUEUE_SHUT_DOWN) : put(queue, item);
}

int tusk_queue_put(tusk_queue *queue, const void *item)
{
    struct tusk__task *task = tusk__running_task();

    if (unlikely(!task))
        return tusk__waiters_refuse_place();
    if (unlikely(queue->shut_down_ || is_full(queue)))
        return transfer_slowly(queue, task, PUT, item, NULL);
    return put(queue, item);
}

int tusk_queue_get(tusk_queue *queue, void *ret_item)
{
    struct tusk__task *task = tusk__running_task();

    if (unlikely(!task))
        return tusk__waiters_refuse_place();
    if (is_empty(queue))
        return transfer_slowly(queue, task, GET, NULL, ret_item);
    return get(queue, ret_item);
}

static TUSK__NOINLINE int join_slowly(tusk_queue *queue, struct tusk__task *task)
{
    struct tusk__sync_waiter waiter;

    return tusk__waiters_wait(&queue->joiners_, task, &waiter, &an_end);
}

int tusk_queue_join(tusk_queue *queue)
{
    struct tusk__task *task = tusk__running_task();

    if (unlikely(!task))
        return tusk__waiters_refuse_place();
    return queue->unfinished_ > 0 ? join_slowly(queue, task) : 0;
}

/* ---- without waiting ---- */

int tusk_queue_put_nowait(tusk_queue *queue, const void *item)
{
    if (unlikely(queue->shut_down_))
        return fail(TUSK_QUEUE_SHUT_DOWN);
    if (unlikely(is_full(queue)))
        return fail(TUSK_QUEUE_FULL);
    return put(queue, item);
}

int tusk_queue_get_nowait(tusk_queue *queue, void *ret_item)
{
    if (unlikely(is_empty(queue)))
        return fail(queue->shut_down_ ? TUSK_QUEUE_SHUT_DOWN : TUSK_QUEUE_EMPTY);
    return get(queue, ret_item);
}

/* The work on some items is done. */
static void finish(tusk_queue *queue, size_t count)
{
    queue->unfinished_ -= count;
    if (queue->unfinished_ == 0)
        tusk__waiters_wake_all(&queue->joiners_);
}

int tusk_queue_task_done(tusk_queue *queue)
{
    if (unlikely(queue->unfinished_ == 0))
        return tusk_raise(-EINVAL, "task_done() called too many times");
    finish(queue, 1);
    return 0;
}

/* Only items that are there count: those that were taken are for their takers to call task_done. */
static void drop_items(tusk_queue *queue)
{
    size_t dropped = queue->count_ < queue->unfinished_ ? queue->count_ : queue->unfinished_;

    queue->count_ = 0;
    finish(queue, dropped);
}

void(tusk_queue_shutdown)(tusk_queue *queue, const struct tusk_queue_shutdown_options *options)
{
    queue->shut_down_ = true;
    if (options && options->immediate)
        drop_items(queue);
    if (is_empty(queue))
        tusk__items_free(queue);
    tusk__waiters_wake_all(&queue->getters_);
    tusk__waiters_wake_all(&queue->putters_);
}

/* ---- life ---- */

static void init(tusk_queue *queue, size_t item_size, size_t maxsize, void *memory)
{
    *queue = (tusk_queue){.item_size_ = item_size, .maxsize_ = maxsize};
    if (!memory || maxsize == 0)
        return;
    queue->given_ = true;
    queue->items_ = memory;
    queue->capacity_ = maxsize;
}

void tusk_queue_init(tusk_queue *queue, size_t item_size, size_t maxsize, void *memory)
{
    init(queue, item_size, maxsize, memory);
}

void tusk_lifo_queue_init(tusk_queue *queue, size_t item_size, size_t maxsize, void *memory)
{
    init(queue, item_size, maxsize, memory);
    queue->lifo_ = true;
}

void tusk_priority_queue_init(tusk_queue *queue, size_t item_size, size_t maxsize, void *memory,
                              tusk_queue_compare *compare)
{
    init(queue, item_size, maxsize, memory);
    queue->compare_ = compare;
}

int tusk_queue_close(tusk_queue *queue)
{
    if (queue->getters_.first || queue->putters_.first || queue->joiners_.first)
        return tusk_raise(TUSK_INVALID_STATE, "tasks are waiting for the queue");
    tusk__items_free(queue);
    queue->unfinished_ = 0;
    queue->shut_down_ = false;
    return 0;
}

/* ---- questions ---- */

size_t tusk_queue_qsize(const tusk_queue *queue)
{
    return queue->count_;
}

size_t tusk_queue_maxsize(const tusk_queue *queue)
{
    return queue->maxsize_;
}

bool tusk_queue_empty(const tusk_queue *queue)
{
    return is_empty(queue);
}

bool tusk_queue_full(const tusk_queue *queue)
{
    return is_full(queue);
}
