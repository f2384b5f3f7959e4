/*
 * A stack, as the rest of tusk sees it: a descriptor outside of the stack's own
 * memory, so that giving the memory back cannot lose it.
 *
 *     low - guard     low                                     start   low + size
 *     | guard, faults | usable, grows downwards ............. | colour |
 *
 * The sets of the first-level cache are chosen by the address within a page. If
 * all stacks began at the same place of their page, the hot ends of a hundred
 * tasks would share a few sets (28 ns a switch over 100,000 stacks, 15 when
 * spread), so each begins a different multiple of 64 bytes below its end: its
 * colour. Colours end early enough that the first frames of a task fit into the
 * same page, for a sleeping task should cost one page.
 */
#ifndef TUSK_CORO_STACK_H
#define TUSK_CORO_STACK_H

#include <stddef.h>

#include "base/compiler.h"

struct tusk__stack_class;

struct tusk__stack {
    /* The lowest usable byte; the guard lies below. */
    char *low;
    /* The first stack pointer: a multiple of 16. */
    char *start;
    /* Usable bytes, colour included. */
    size_t size;
    /* Where the pool keeps it. */
    struct tusk__stack_class *size_class;
    /* By this name valgrind knows it. */
    unsigned valgrind_id;
#if TUSK__ASAN
    /* Dead frames may have left poison from here to the end; NULL if none. */
    char *poisoned;
#endif
#if TUSK__TSAN
    /* The fiber of what runs here, or ran last; NULL before the first start. */
    void *fiber;
    /* How often something began on it. */
    unsigned fiber_starts;
#endif
};

/* Usable bytes. */
static inline size_t tusk__stack_size(const struct tusk__stack *stack)
{
    return stack->size;
}

/*
 * Bytes that have been in use at most since the stack's memory was given back
 * last. Reads only pages that have memory. Pages that were swapped out count
 * as unused.
 */
size_t tusk__stack_used(const struct tusk__stack *stack);

/*
 * The frames on this stack are dead, but others may still look at them: tells valgrind, for
 * which what lies below the stack pointer is gone.
 */
void tusk__stack_keep(const struct tusk__stack *stack);

/* Forgets what dead frames left on the stack for ASan. Nothing without it. */
TUSK__ALWAYS_INLINE void tusk__stack_unpoison(struct tusk__stack *stack);

#if TUSK__ASAN
#include <sanitizer/asan_interface.h>

TUSK__ALWAYS_INLINE void tusk__stack_unpoison(struct tusk__stack *stack)
{
    if (stack->poisoned == NULL)
        return;
    ASAN_UNPOISON_MEMORY_REGION(stack->poisoned, (size_t)(stack->low + stack->size - stack->poisoned));
    stack->poisoned = NULL;
}
#else
TUSK__ALWAYS_INLINE void tusk__stack_unpoison(struct tusk__stack *stack)
{
    (void)stack;
}
#endif

#endif
