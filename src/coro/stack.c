/*
 * The high-water mark of a stack.
 *
 * New memory is zero, so the lowest byte that is not zero is the deepest that
 * was written. Painting stacks with a pattern was rejected: it would touch every
 * page of every stack.
 */
#include "coro/stack.h"

#include <stdint.h>

#include "base/sys.h"

#ifdef TUSK_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(address, size) ((void)0)
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING ((void)0)
#endif

#define PAGES_AT_ONCE 256

/* The first word in [low, end) that is not zero, or end. Frames are dead there, which sanitizers mind. */
TUSK__NO_SANITIZE static const char *first_used(const char *low, const char *end)
{
    const volatile uint64_t *word = (const volatile uint64_t *)(const void *)low;

    VALGRIND_DISABLE_ERROR_REPORTING;
    while ((const char *)word < end && *word == 0)
        word++;
    VALGRIND_ENABLE_ERROR_REPORTING;
    /* It was found by looking at dead frames, but it is a number like any other. */
    VALGRIND_MAKE_MEM_DEFINED(&word, sizeof word);
    return (const char *)word;
}

static const char *lowest_used(char *low, char *end)
{
    unsigned char pages[PAGES_AT_ONCE];
    size_t page = tusk__page_size();

    while (low < end) {
        size_t count = (size_t)(end - low) / page;

        if (count > PAGES_AT_ONCE)
            count = PAGES_AT_ONCE;
        if (tusk__resident(low, count * page, pages) < 0)
            return end;
        for (size_t i = 0; i < count; i++, low += page) {
            const char *used = (pages[i] & 1) != 0 ? first_used(low, low + page) : low + page;

            if (used < low + page)
                return used;
        }
    }
    return end;
}

size_t tusk__stack_used(const struct tusk__stack *stack)
{
    char *end = stack->low + stack->size;

    return (size_t)(end - lowest_used(stack->low, end));
}

void tusk__stack_keep(const struct tusk__stack *stack)
{
    (void)stack;
    VALGRIND_MAKE_MEM_DEFINED(stack->low, stack->size);
}
