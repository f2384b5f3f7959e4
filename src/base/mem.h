/*
 * Memory, and the switch that makes things fail.
 *
 * All memory of tusk comes from here, so that tests can count the live blocks
 * down to zero and make every fallible operation fail once. An operation is
 * fallible when it asks tusk__fail_now(): every allocation, every object of a
 * slab, every mapping and every guard. The count is one for the process, for
 * the threads of a test share one scenario.
 */
#ifndef TUSK_BASE_MEM_H
#define TUSK_BASE_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* Operations until one fails, or 0 when nothing is made to fail. */
extern atomic_long tusk__fail_countdown;

/* Zeroed memory, or NULL. */
void *tusk__alloc(size_t size) __attribute__((malloc, warn_unused_result));

/* The same for count objects; NULL when the product overflows. */
void *tusk__alloc_array(size_t count, size_t size) __attribute__((malloc, warn_unused_result));

/* The same at a multiple of alignment, a power of two of at least sizeof(void *). */
void *tusk__alloc_aligned(size_t alignment, size_t size) __attribute__((malloc, warn_unused_result));

/* Takes what any of the three gave, and NULL. */
void tusk__free(void *memory);

/* How many blocks the process has taken so far: what does not change does not allocate. */
size_t tusk__taken(void);

/* How many blocks are alive in the process. */
size_t tusk__live(void);

/* Lets the nth fallible operation from now on fail (1 is the next), once. 0 switches it off. */
void tusk__fail_after(long n);

/* The slow half of tusk__fail_now(). */
bool tusk__fail_count_down(void);

/* True when the operation that asks must fail. */
static inline bool tusk__fail_now(void)
{
    if (likely(atomic_load_explicit(&tusk__fail_countdown, memory_order_relaxed) == 0))
        return false;
    return tusk__fail_count_down();
}

#endif
