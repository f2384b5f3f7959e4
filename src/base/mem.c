/*
 * Memory: a thin cover of the C library's. A counter of bytes was rejected: it
 * needs the size of each block, which is a header a block or a call that not
 * every system has, and tests only ask whether something is left.
 *
 * The counters are relaxed: they order nothing, and a test reads them when its
 * threads have ended.
 */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

atomic_long tusk__fail_countdown;
static atomic_size_t taken_blocks;
static atomic_size_t freed_blocks;

static void *counted(void *memory)
{
    if (memory != NULL)
        atomic_fetch_add_explicit(&taken_blocks, 1, memory_order_relaxed);
    return memory;
}

void *tusk__alloc(size_t size)
{
    return tusk__alloc_array(1, size);
}

void *tusk__alloc_array(size_t count, size_t size)
{
    size_t bytes;

    /* calloc checks too, but sanitizers hold a call that overflows for a bug. */
    if (tusk__fail_now() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    /* calloc may answer 0 bytes with NULL, which callers take for a failure. */
    if (count == 0 || size == 0)
        count = size = 1;
    return counted(calloc(count, size));
}

void *tusk__alloc_aligned(size_t alignment, size_t size)
{
    void *memory = NULL;

    if (tusk__fail_now() || posix_memalign(&memory, alignment, size) != 0)
        return NULL;
    memset(memory, 0, size);
    return counted(memory);
}

void tusk__free(void *memory)
{
    if (memory == NULL)
        return;
    atomic_fetch_add_explicit(&freed_blocks, 1, memory_order_relaxed);
    free(memory);
}

size_t tusk__taken(void)
{
    return atomic_load_explicit(&taken_blocks, memory_order_relaxed);
}

size_t tusk__live(void)
{
    size_t freed = atomic_load_explicit(&freed_blocks, memory_order_relaxed);

    return tusk__taken() - freed;
}

void tusk__fail_after(long n)
{
    atomic_store_explicit(&tusk__fail_countdown, n, memory_order_relaxed);
}

bool tusk__fail_count_down(void)
{
    long left = atomic_load_explicit(&tusk__fail_countdown, memory_order_relaxed);

    while (left > 0) {
        if (atomic_compare_exchange_weak_explicit(&tusk__fail_countdown, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return left == 1;
    }
    return false;
}

_Noreturn void tusk__assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "tusk: %s:%d: broken invariant: %s\n", file, line, condition);
    abort();
}
