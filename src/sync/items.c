/*
 * The memory of queues, and the heap.
 *
 * The heap takes the steps of Python's heapq, so that items which compare equal come out in the same
 * order: a pop lets the hole at the top sink to the bottom, along the lesser children, and the
 * last item rises from there. That also compares less often than sifting it down from the top.
 */
#include "sync/items.h"

#include <errno.h>
#include <stdint.h>

#include "base/mem.h"

enum { FIRST_CAPACITY = 8 };

/* ---- memory ---- */

static size_t next_capacity(const tusk_queue *queue)
{
    size_t capacity = queue->capacity_ > 0 ? queue->capacity_ : FIRST_CAPACITY / 2;

    capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : 2 * capacity;
    return queue->maxsize_ > 0 && capacity > queue->maxsize_ ? queue->maxsize_ : capacity;
}

/* Moves the items, all of which are there, to the beginning of new memory. */
static void move_to(tusk_queue *queue, char *items)
{
    size_t first = (queue->capacity_ - queue->head_) * queue->item_size_;
    size_t all = queue->capacity_ * queue->item_size_;

    if (all == 0)
        return;
    memcpy(items, queue->items_ + (all - first), first);
    memcpy(items + first, queue->items_, all - first);
}

TUSK__NOINLINE int tusk__items_grow(tusk_queue *queue)
{
    size_t capacity = next_capacity(queue);
    char *items = tusk__alloc_array(capacity, queue->item_size_);

    if (!items)
        return -ENOMEM;
    move_to(queue, items);
    tusk__free(queue->items_);
    queue->items_ = items;
    queue->capacity_ = capacity;
    queue->head_ = 0;
    return 0;
}

void tusk__items_free(tusk_queue *queue)
{
    queue->count_ = 0;
    queue->head_ = 0;
    if (queue->given_)
        return;
    tusk__free(queue->items_);
    queue->items_ = NULL;
    queue->capacity_ = 0;
}

/* ---- the heap ---- */

static bool is_less(const tusk_queue *queue, const char *left, const char *right)
{
    return queue->compare_(left, right) < 0;
}

static void move(const tusk_queue *queue, size_t to, size_t from)
{
    tusk__item_copy(tusk__item_at(queue, to), tusk__item_at(queue, from), queue->item_size_);
}

/* Lets the hole rise to where the item belongs; returns where. */
static size_t rise(const tusk_queue *queue, size_t hole, const void *item)
{
    while (hole > 0) {
        size_t parent = (hole - 1) / 2;

        if (!is_less(queue, item, tusk__item_at(queue, parent)))
            break;
        move(queue, hole, parent);
        hole = parent;
    }
    return hole;
}

/* Lets the hole at the top of count places sink to the bottom; returns where. */
static size_t sink(const tusk_queue *queue, size_t count)
{
    size_t hole = 0;

    for (size_t child = 1; child < count; child = 2 * hole + 1) {
        size_t right = child + 1;

        if (right < count && !is_less(queue, tusk__item_at(queue, child), tusk__item_at(queue, right)))
            child = right;
        move(queue, hole, child);
        hole = child;
    }
    return hole;
}

void tusk__heap_push(tusk_queue *queue, const void *item)
{
    size_t place = rise(queue, queue->count_, item);

    tusk__item_copy(tusk__item_at(queue, place), item, queue->item_size_);
}

/* count_ is one less already: the last item, outside of the heap now, needs a new place. */
void tusk__heap_pop(tusk_queue *queue, void *ret_item)
{
    size_t last = queue->count_;

    tusk__item_copy(ret_item, tusk__item_at(queue, 0), queue->item_size_);
    if (last > 0)
        move(queue, rise(queue, sink(queue, last), tusk__item_at(queue, last)), last);
}
