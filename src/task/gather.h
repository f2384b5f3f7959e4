/*
 * The inside of a gather, for itself and for the walk of a cancel.
 */
#ifndef TUSK__TASK_GATHER_H
#define TUSK__TASK_GATHER_H

#include "task/task.h"

struct tusk__gather_child {
    struct tusk__handle handle;
    struct tusk__gather *gather;
    /* NULL once it is done: then result is what it had. */
    struct tusk_future *future;
    int32_t result;
    /* The record that counts, for one that is there twice: else its own index. */
    uint32_t same_as;
};

struct tusk__gather {
    struct tusk_future future;
    int *results;
    size_t count;
    /* Children that are not done, duplicates counted once. */
    size_t running;
    /* The message that the last child, in the order of arguments, was cancelled with. */
    struct tusk__text *last_text;
    bool return_exceptions;
    /* cancel() reached a child: it ends cancelled, whatever they return. */
    bool cancel_requested;
    /* Who awaited it was cut out of a ring: nobody will ask for its error. */
    bool abandoned;
    /* A cancel is on its way through this gather (cancel.c): where it came from, who awaits, what it found. */
    bool cancel_here;
    bool cancel_accepted;
    size_t cancel_index;
    struct tusk__gather *cancel_from;
    struct tusk__task *cancel_awaiter;
    struct tusk__gather_child children[];
};

static inline struct tusk__gather *tusk__gather_of(struct tusk_future *future)
{
    return container_of(future, struct tusk__gather, future);
}

/* Frees what the gather owns. */
void tusk__gather_clear(struct tusk_future *future);

#endif
