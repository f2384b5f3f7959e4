/*
 * Chunks: mapping, guards, descriptors.
 */
#include "coro/chunk.h"

#include "base/mem.h"
#include "base/sys.h"

#ifdef TUSK_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0u
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

#if TUSK__TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define CHUNK_SLOTS_MAX ((size_t)1024)
/* 1024 slots of 256 KiB and a page. */
#define CHUNK_BYTES_MAX ((size_t)320 * 1024 * 1024)

/* See stack.h: 24 colours of a cache line each, 1.5 KiB of the topmost page. */
#define COLOURS ((size_t)24)
#define COLOUR_SIZE ((size_t)64)

/* Slots that are made ready at once, when there are many stacks already. */
#define SLOTS_AHEAD ((size_t)64)

static struct tusk__stack_chunk *map_chunk(struct tusk__stack_class *size_class, size_t slots)
{
    struct tusk__stack_chunk *chunk;
    void *base;

    chunk = tusk__alloc(sizeof *chunk + slots * sizeof *chunk->stacks);
    if (chunk == NULL)
        return NULL;
    if (tusk__map(slots * size_class->slot_size, &base) < 0) {
        tusk__free(chunk);
        return NULL;
    }
    chunk->base = base;
    chunk->slots = slots;
    return chunk;
}

/* Room in the array of idle stacks for all there will be. */
static int reserve_idle(struct tusk__stack_class *size_class, size_t slots)
{
    size_t capacity = 2 * size_class->idle_capacity;
    struct tusk__stack **idle;

    if (slots <= size_class->idle_capacity)
        return 0;
    if (capacity < slots)
        capacity = slots;
    idle = tusk__alloc_array(capacity, sizeof *idle);
    if (idle == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < size_class->idle_count; i++)
        idle[i] = size_class->idle[i];
    tusk__free(size_class->idle);
    size_class->idle = idle;
    size_class->idle_capacity = capacity;
    return 0;
}

static size_t next_chunk_slots(const struct tusk__stack_class *size_class)
{
    size_t slots = size_class->chunk_slots * 2;

    if (slots > CHUNK_SLOTS_MAX || slots * size_class->slot_size > CHUNK_BYTES_MAX)
        return size_class->chunk_slots;
    return slots;
}

int tusk__chunk_add(struct tusk__stack_class *size_class)
{
    size_t slots = size_class->chunk_slots;
    struct tusk__stack_chunk *chunk = map_chunk(size_class, slots);

    while (chunk == NULL && slots > 1) {
        slots /= 2;
        chunk = map_chunk(size_class, slots);
    }
    if (chunk == NULL)
        return -ENOMEM;
    if (reserve_idle(size_class, size_class->slots + slots) < 0) {
        tusk__chunk_close(size_class, chunk);
        return -ENOMEM;
    }
    chunk->next = size_class->chunks;
    size_class->chunks = chunk;
    size_class->slots += slots;
    size_class->chunk_slots = next_chunk_slots(size_class);
    return 0;
}

/*
 * Guards the next slots. The first few stacks are made ready as they are wanted;
 * when there are many, more are likely to follow, and many at once cost less. Their topmost
 * pages, which a task touches first, get their memory in the same way.
 */
static int guard_ahead(const struct tusk__stack_class *size_class, struct tusk__stack_chunk *chunk)
{
    bool many = chunk->next != NULL && tusk__guards_are_light();
    size_t left = chunk->slots - chunk->guarded;
    size_t count = many && left > SLOTS_AHEAD ? SLOTS_AHEAD : left;
    char *slot = chunk->base + chunk->guarded * size_class->slot_size;
    size_t page = tusk__page_size();
    int guarded = tusk__guard(slot, size_class->guard_size, size_class->slot_size, many ? count : 1);

    if (guarded < 0)
        return guarded;
    chunk->guarded += (size_t)guarded;
    if (!tusk__guards_are_light())
        chunk->heavy_guards += (size_t)guarded;
    if (guarded > 1)
        tusk__populate(slot + size_class->slot_size - page, page, size_class->slot_size, (size_t)guarded);
    return 0;
}

int tusk__chunk_take(struct tusk__stack_class *size_class, struct tusk__stack **ret_stack)
{
    struct tusk__stack_chunk *chunk = size_class->chunks;
    struct tusk__stack *stack = &chunk->stacks[chunk->used];
    char *slot = chunk->base + chunk->used * size_class->slot_size;
    int rc = chunk->used == chunk->guarded ? guard_ahead(size_class, chunk) : 0;

    if (rc < 0)
        return rc;
    stack->size_class = size_class;
    stack->low = slot + size_class->guard_size;
    stack->size = size_class->slot_size - size_class->guard_size;
    stack->start = stack->low + stack->size - (chunk->used % COLOURS) * COLOUR_SIZE;
    stack->valgrind_id = VALGRIND_STACK_REGISTER(stack->low, stack->low + stack->size);
    chunk->used++;
    *ret_stack = stack;
    return 0;
}

static void forget_stack(struct tusk__stack *stack)
{
    tusk__stack_unpoison(stack);
    VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#if TUSK__TSAN
    if (stack->fiber != NULL)
        __tsan_destroy_fiber(stack->fiber);
#endif
}

void tusk__chunk_close(const struct tusk__stack_class *size_class, struct tusk__stack_chunk *chunk)
{
    for (size_t i = 0; i < chunk->used; i++)
        forget_stack(&chunk->stacks[i]);
    tusk__unmap(chunk->base, chunk->slots * size_class->slot_size);
    tusk__guards_unmapped(chunk->heavy_guards);
    tusk__free(chunk);
}
