/*
 * The pool: classes, the slow way to a stack, and reasons.
 *
 * A guard has 32 KiB and the odd page. With MADV_GUARD_INSTALL 16 pages cost
 * 0.65 us and one page 0.54, and a large frame can step over a single page.
 *
 * Linked lists of idle stacks were rejected: to give back the coldest, one has
 * to walk past all the hot ones.
 */
#include "coro/pool.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/chunk.h"

#define SLOT_MIN ((size_t)64 * 1024)
#define GUARD_MIN ((size_t)32 * 1024)
#define FIRST_CHUNK_SLOTS ((size_t)64)
#define FIRST_CHUNK_BYTES ((size_t)16 * 1024 * 1024)

/* Memory of stacks is given back when it was idle for so long. */
#define PERIOD_NS ((int64_t)1000000000)
/* So many stacks of a class stay warm for ever. */
#define WARM ((size_t)16)
/* So many stacks are given back in one call, about 0.1 ms; the next call comes after PAUSE_NS. */
#define BATCH ((size_t)256)
#define PAUSE_NS ((int64_t)1000000)

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

static void init_class(struct tusk__stack_class *size_class, size_t slot_size)
{
    /* The odd page: see pool.h. */
    size_class->slot_size = slot_size + tusk__page_size();
    size_class->guard_size = round_up(GUARD_MIN, tusk__page_size()) + tusk__page_size();
    size_class->chunk_slots = FIRST_CHUNK_SLOTS;
    while (size_class->chunk_slots > 1 && size_class->chunk_slots * slot_size > FIRST_CHUNK_BYTES)
        size_class->chunk_slots /= 2;
}

/* The class of the smallest slot that has room for size bytes and a guard, or NULL. */
static struct tusk__stack_class *find_class(struct tusk__pool *pool, size_t size)
{
    for (size_t i = 0; i < TUSK__STACK_CLASSES; i++) {
        struct tusk__stack_class *size_class = &pool->classes[i];

        if (size_class->slot_size > size_class->guard_size &&
            size <= size_class->slot_size - size_class->guard_size)
            return size_class;
    }
    return NULL;
}

int tusk__pool_init(struct tusk__pool *pool)
{
    memset(pool, 0, sizeof *pool);
    for (size_t i = 0; i < TUSK__STACK_CLASSES; i++)
        init_class(&pool->classes[i], SLOT_MIN << i);
    pool->standard = find_class(pool, TUSK__STACK_DEFAULT);
    return 0;
}

void tusk__pool_close(struct tusk__pool *pool)
{
    for (size_t i = 0; i < TUSK__STACK_CLASSES; i++) {
        struct tusk__stack_class *size_class = &pool->classes[i];
        struct tusk__stack_chunk *chunk = size_class->chunks;

        while (chunk != NULL) {
            struct tusk__stack_chunk *next = chunk->next;
            tusk__chunk_close(size_class, chunk);
            chunk = next;
        }
        tusk__free(size_class->idle);
    }
    tusk__pool_init(pool);
}

const char *tusk__pool_reason(const struct tusk__pool *pool)
{
    return pool->reason;
}

static void explain_guard(struct tusk__pool *pool, int rc)
{
    long limit = tusk__map_limit();

    if (rc == -EMFILE && limit > 0)
        snprintf(pool->reason, sizeof pool->reason,
                 "vm.max_map_count = %ld allows no more guarded stacks; raise it with: "
                 "sysctl -w vm.max_map_count=%ld",
                 limit, limit < 1000000 ? 1000000L : 2 * limit);
    else
        snprintf(pool->reason, sizeof pool->reason, "a stack's guard could not be made: %s", strerror(-rc));
}

static void explain_chunk(struct tusk__pool *pool)
{
    snprintf(pool->reason, sizeof pool->reason, "%s",
             tusk__address_space_is_limited() ? "address space limit (ulimit -v) reached"
                                              : "the system has no memory or address space for more stacks");
}

static int carve(struct tusk__pool *pool, struct tusk__stack_class *size_class,
                 struct tusk__stack **ret_stack)
{
    int rc;

    if (size_class->chunks == NULL || size_class->chunks->used == size_class->chunks->slots) {
        if (tusk__chunk_add(size_class) < 0) {
            explain_chunk(pool);
            return -ENOMEM;
        }
    }
    rc = tusk__chunk_take(size_class, ret_stack);
    if (rc < 0) {
        explain_guard(pool, rc);
        return -ENOMEM;
    }
    return 0;
}

int tusk__pool_get_slowly(struct tusk__pool *pool, size_t size, struct tusk__stack **ret_stack)
{
    struct tusk__stack_class *size_class = size == 0 ? pool->standard : find_class(pool, size);

    if (size_class == NULL) {
        snprintf(pool->reason, sizeof pool->reason, "a stack of %zu bytes is more than there can be", size);
        return -ENOMEM;
    }
    if (size_class->idle_count == 0)
        return carve(pool, size_class, ret_stack);
    size_class->idle_count--;
    if (size_class->idle_count < size_class->idle_low)
        size_class->idle_low = size_class->idle_count;
    *ret_stack = size_class->idle[size_class->idle_count];
    return 0;
}

/* How many stacks from idle[first] on, up to end, lie side by side; their common span goes to ret_*. */
static size_t span(const struct tusk__stack_class *size_class, size_t first, size_t end, char **ret_low,
                   char **ret_high)
{
    char *low = size_class->idle[first]->low;
    char *high = low + size_class->idle[first]->size;
    size_t i = first + 1;

    for (; i < end; i++) {
        const struct tusk__stack *stack = size_class->idle[i];

        if (stack->low == high + size_class->guard_size)
            high = stack->low + stack->size;
        else if (stack->low + stack->size + size_class->guard_size == low)
            low = stack->low;
        else
            break;
    }
    *ret_low = low;
    *ret_high = high;
    return i - first;
}

/* The end of the stacks of a class that may be given back: idle for long, and not the last warm ones. */
static size_t cold_end(const struct tusk__stack_class *size_class)
{
    size_t spare = size_class->idle_count > WARM ? size_class->idle_count - WARM : 0;

    return size_class->idle_low < spare ? size_class->idle_low : spare;
}

/* Gives back up to *batch stacks of a class. */
static void trim_class(struct tusk__stack_class *size_class, size_t *batch)
{
    size_t end = cold_end(size_class);

    if (size_class->idle_cold > size_class->idle_low)
        size_class->idle_cold = size_class->idle_low;
    while (size_class->idle_cold<end && * batch> 0) {
        size_t stop = end - size_class->idle_cold > *batch ? size_class->idle_cold + *batch : end;
        char *low;
        char *high;
        size_t count = span(size_class, size_class->idle_cold, stop, &low, &high);

        tusk__discard(low, (size_t)(high - low));
        size_class->idle_cold += count;
        *batch -= count;
    }
}

/* True when stacks are left that will be given back after a period, if they stay idle. */
static bool has_more(const struct tusk__stack_class *size_class)
{
    size_t cold = size_class->idle_cold < size_class->idle_low ? size_class->idle_cold : size_class->idle_low;

    return size_class->idle_count > WARM && cold < size_class->idle_count - WARM;
}

static int64_t begin_period(struct tusk__pool *pool, int64_t now_ns)
{
    bool more = false;

    for (size_t i = 0; i < TUSK__STACK_CLASSES; i++) {
        struct tusk__stack_class *size_class = &pool->classes[i];

        more |= has_more(size_class);
        if (size_class->idle_cold > size_class->idle_low)
            size_class->idle_cold = size_class->idle_low;
        size_class->idle_low = size_class->idle_count;
    }
    pool->grown = false;
    pool->period_end = more ? now_ns + PERIOD_NS : 0;
    return more ? PERIOD_NS : -1;
}

int64_t tusk__pool_trim(struct tusk__pool *pool, int64_t now_ns)
{
    size_t batch = BATCH;

    /* Every sleep of the loop comes here, and in most nothing has changed since the last. */
    if (pool->period_end == 0)
        return pool->grown ? begin_period(pool, now_ns) : -1;
    if (now_ns < pool->period_end)
        return pool->period_end - now_ns;
    for (size_t i = 0; i < TUSK__STACK_CLASSES && batch > 0; i++)
        trim_class(&pool->classes[i], &batch);
    if (batch == 0)
        return PAUSE_NS;
    return begin_period(pool, now_ns);
}

static const struct tusk__stack *find_in_chunk(const struct tusk__stack_class *size_class,
                                               const struct tusk__stack_chunk *chunk, uintptr_t address)
{
    uintptr_t base = (uintptr_t)chunk->base;
    size_t slot;

    if (address < base || address - base >= chunk->slots * size_class->slot_size)
        return NULL;
    slot = (address - base) / size_class->slot_size;
    if (slot >= chunk->used || (address - base) % size_class->slot_size >= size_class->guard_size)
        return NULL;
    return &chunk->stacks[slot];
}

const struct tusk__stack *tusk__pool_find_guard(const struct tusk__pool *pool, const void *address)
{
    for (size_t i = 0; i < TUSK__STACK_CLASSES; i++) {
        const struct tusk__stack_class *size_class = &pool->classes[i];
        const struct tusk__stack_chunk *chunk = size_class->chunks;

        for (; chunk != NULL; chunk = chunk->next) {
            const struct tusk__stack *stack = find_in_chunk(size_class, chunk, (uintptr_t)address);

            if (stack != NULL)
                return stack;
        }
    }
    return NULL;
}
