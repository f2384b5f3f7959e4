/*
 * A pool of stacks, for one loop and its thread.
 *
 * Stacks lie in slots: a guard, then the stack. Guard and stack together take a
 * power of two of at least 64 KiB, and slots of one size are a class. A class
 * maps them by the chunk, from 64 slots up to 1024 (or 320 MiB), so that a
 * million stacks take a thousand mappings. A slot gets its guard when it is
 * first used.
 *
 * A slot has one page more than its power of two, which the guard gets. Else the
 * hot pages of all stacks would have the same low bits in their page numbers and
 * share a few sets of the processor's TLB: a switch between 1000 stacks costs
 * 5.5 ns then, and 3.7 with the odd page; between 10,000, 18 and 13.
 *
 * Idle stacks are an array, hottest last: getting takes the last, putting
 * appends, and the coldest, the first, can be given back without walking a
 * list. The array has room for every stack of the class, so putting never fails.
 *
 * Address space goes back only in tusk__pool_close().
 */
#ifndef TUSK_CORO_POOL_H
#define TUSK_CORO_POOL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/stack.h"

/* What a stack has when nobody asks for a size: TUSK_STACK_DEFAULT of tusk/task.h, a layer further down. */
#define TUSK__STACK_DEFAULT ((size_t)224 * 1024)

/* Slots of 64 KiB << 0 up to 64 KiB << 23, which is 512 GiB. */
#define TUSK__STACK_CLASSES 24

struct tusk__stack_class {
    /* Idle stacks, the hottest last. */
    struct tusk__stack **idle;
    size_t idle_count;
    /* The least idle_count of this period: stacks below were idle all the time. */
    size_t idle_low;
    /* idle[0 .. idle_cold) had their memory given back, unless idle_low is less. */
    size_t idle_cold;
    size_t idle_capacity;
    /* Slots of all chunks. */
    size_t slots;
    /* The newest chunk first; only that one has slots nobody has had yet. */
    struct tusk__stack_chunk *chunks;
    /* Slots of the next chunk. */
    size_t chunk_slots;
    /* Bytes of a slot. */
    size_t slot_size;
    size_t guard_size;
};

struct tusk__pool {
    /* The class of TUSK__STACK_DEFAULT. */
    struct tusk__stack_class *standard;
    /* When the period of the trim ends; 0: there was nothing to give back when it would have begun. */
    int64_t period_end;
    /* A stack was put back since then. */
    bool grown;
    struct tusk__stack_class classes[TUSK__STACK_CLASSES];
    /* Why the last get failed. */
    char reason[200];
};

/* Takes no memory yet. 0 or a negative code. */
int tusk__pool_init(struct tusk__pool *pool);

/* Gives all address space back, whatever is in use. */
void tusk__pool_close(struct tusk__pool *pool);

/* The slow half of tusk__pool_get(). */
int tusk__pool_get_slowly(struct tusk__pool *pool, size_t size, struct tusk__stack **ret_stack);

/*
 * A stack of at least size usable bytes (0: the default), the one that was put
 * back last if there is one. 0, or -ENOMEM with a reason.
 */
static inline int tusk__pool_get(struct tusk__pool *pool, size_t size, struct tusk__stack **ret_stack)
{
    struct tusk__stack_class *standard = pool->standard;
    size_t left = standard->idle_count;

    if (unlikely((size != TUSK__STACK_DEFAULT && size != 0) || left == 0))
        return tusk__pool_get_slowly(pool, size, ret_stack);
    standard->idle_count = --left;
    if (left < standard->idle_low)
        standard->idle_low = left;
    *ret_stack = standard->idle[left];
    return 0;
}

/*
 * Takes a stack back. Its memory stays as it is until the next trim, so the
 * caller may still run on it, to leave it.
 */
static inline void tusk__pool_put(struct tusk__pool *pool, struct tusk__stack *stack)
{
    struct tusk__stack_class *size_class = stack->size_class;

    pool->grown = true;
    tusk__stack_unpoison(stack);
    size_class->idle[size_class->idle_count++] = stack;
}

/* Why the last get failed, as a sentence without a full stop; "" if none has. */
const char *tusk__pool_reason(const struct tusk__pool *pool);

/*
 * Gives back the memory of stacks that were idle for a whole period of a
 * second, coldest first, a bounded number at a time. 16 of a class stay warm.
 * Returns the nanoseconds until it wants to be called again, or -1 when
 * nothing is left to give back.
 */
int64_t tusk__pool_trim(struct tusk__pool *pool, int64_t now_ns);

/* The stack of whose guard this is an address, or NULL. Safe in a signal handler. */
const struct tusk__stack *tusk__pool_find_guard(const struct tusk__pool *pool, const void *address);

#endif
