/*
 * Where a queue keeps its items: a ring for first in, first out; a stack for last in, first out; a
 * heap by a comparison. Which one, the queue's own fields say.
 *
 * Invariants: the items of a stack and of a heap begin at the first place, and head_ is 0; an
 * empty ring may begin anywhere. capacity_ is never more than maxsize_, if there is one.
 */
#ifndef TUSK__SYNC_ITEMS_H
#define TUSK__SYNC_ITEMS_H

#include <string.h>

#include <tusk/queue.h>

#include "base/compiler.h"

/* The sizes most items have are one move each; memcpy with a size that is not known is a call. */
TUSK__ALWAYS_INLINE void tusk__item_copy(void *to, const void *from, size_t size)
{
    if (likely(size == 8))
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else if (size == 16)
        memcpy(to, from, 16);
    else if (size > 0)
        memcpy(to, from, size);
}

static inline char *tusk__item_at(const tusk_queue *queue, size_t index)
{
    return queue->items_ + index * queue->item_size_;
}

/* Makes room for one more item in a queue that has none. 0 or -ENOMEM. */
int tusk__items_grow(tusk_queue *queue);

/* Drops all items and frees the memory, if it is the queue's own. */
void tusk__items_free(tusk_queue *queue);

/* Adds to, or takes from, the heap that the count_ items are. */
void tusk__heap_push(tusk_queue *queue, const void *item);
void tusk__heap_pop(tusk_queue *queue, void *ret_item);

/* index plus the head of the ring. */
static inline size_t tusk__ring_index(const tusk_queue *queue, size_t index)
{
    index += queue->head_;
    return index < queue->capacity_ ? index : index - queue->capacity_;
}

/* Adds an item. 0 or -ENOMEM. */
TUSK__ALWAYS_INLINE int tusk__items_push(tusk_queue *queue, const void *item)
{
    if (unlikely(queue->count_ == queue->capacity_)) {
        int rc = tusk__items_grow(queue);

        if (rc < 0)
            return rc;
    }
    if (unlikely(queue->compare_ != NULL)) {
        tusk__heap_push(queue, item);
    } else {
        size_t place = tusk__ring_index(queue, queue->count_);

        tusk__item_copy(tusk__item_at(queue, place), item, queue->item_size_);
    }
    queue->count_++;
    return 0;
}

/* Takes the next item out of a queue that has one. */
TUSK__ALWAYS_INLINE void tusk__items_pop(tusk_queue *queue, void *ret_item)
{
    queue->count_--;
    if (unlikely(queue->compare_ != NULL)) {
        tusk__heap_pop(queue, ret_item);
    } else if (queue->lifo_) {
        tusk__item_copy(ret_item, tusk__item_at(queue, queue->count_), queue->item_size_);
    } else {
        tusk__item_copy(ret_item, tusk__item_at(queue, queue->head_), queue->item_size_);
        queue->head_ = tusk__ring_index(queue, 1);
    }
}

#endif
