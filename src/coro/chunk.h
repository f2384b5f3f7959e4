/*
 * A chunk: one mapping, cut into slots for stacks of one class, with their
 * descriptors. Shared by the files of the pool alone.
 */
#ifndef TUSK_CORO_CHUNK_H
#define TUSK_CORO_CHUNK_H

#include "coro/pool.h"

struct tusk__stack_chunk {
    struct tusk__stack_chunk *next;
    char *base;
    size_t slots;
    /* Slots with a guard: the first ones. */
    size_t guarded;
    /* Slots with a stack that somebody has had: the first of those. */
    size_t used;
    /* Guards are of the kind that costs mappings. */
    size_t heavy_guards;
    struct tusk__stack stacks[];
};

/* Adds a chunk to a class, smaller than wanted if the system has no more. 0 or -ENOMEM. */
int tusk__chunk_add(struct tusk__stack_class *size_class);

/* The first use of the next slot of the newest chunk: 0, or an error of tusk__guard(). */
int tusk__chunk_take(struct tusk__stack_class *size_class, struct tusk__stack **ret_stack);

/* Unmaps a chunk and frees it. */
void tusk__chunk_close(const struct tusk__stack_class *size_class, struct tusk__stack_chunk *chunk);

#endif
