/*
 * Slabs: carving, closing, and the list under ASan.
 *
 * Chunks double from 4 KiB to 64 KiB: a loop of three tasks stays small, and a
 * million objects take some thousand allocations.
 */
#include "base/slab.h"

#include <stdint.h>

#if TUSK__ASAN
#include <sanitizer/asan_interface.h>
#endif

#define CACHE_LINE ((size_t)64)
#define FIRST_CHUNK ((size_t)4 * 1024)
#define LAST_CHUNK ((size_t)64 * 1024)
/* A chunk holds at least this many objects, however large they are. */
#define OBJECTS_MIN ((size_t)8)
/* Under ASan this many freed objects are kept from being used again. */
#define QUARANTINE ((size_t)256)

/* Stands at the start of a chunk, in a cache line of its own. */
struct tusk__slab_chunk {
    struct tusk__slab_chunk *next;
    size_t size;
};

void tusk__slab_init(struct tusk__slab *slab, size_t object_size, size_t readable_prefix)
{
    size_t needed;

    if (object_size < sizeof(struct tusk__slab_object))
        object_size = sizeof(struct tusk__slab_object);
    object_size = (object_size + 15) & ~(size_t)15;
    tusk__assert(object_size <= SIZE_MAX / (2 * OBJECTS_MIN));
    *slab = (struct tusk__slab){.object_size = object_size, .chunk_size = FIRST_CHUNK};
    needed = CACHE_LINE + OBJECTS_MIN * object_size;
    while (slab->chunk_size < needed)
        slab->chunk_size *= 2;
#if TUSK__ASAN
    slab->readable_prefix = readable_prefix;
#else
    (void)readable_prefix;
#endif
}

static int grow(struct tusk__slab *slab)
{
    struct tusk__slab_chunk *chunk = tusk__alloc_aligned(CACHE_LINE, slab->chunk_size);
    size_t count = (slab->chunk_size - CACHE_LINE) / slab->object_size;

    if (chunk == NULL)
        return -1;
    chunk->next = slab->chunks;
    chunk->size = slab->chunk_size;
    slab->chunks = chunk;
    slab->fresh = (char *)chunk + CACHE_LINE;
    slab->fresh_end = slab->fresh + count * slab->object_size;
    if (slab->chunk_size < LAST_CHUNK)
        slab->chunk_size *= 2;
    return 0;
}

void *tusk__slab_carve(struct tusk__slab *slab)
{
    void *object;

    if (slab->fresh == slab->fresh_end && grow(slab) < 0)
        return NULL;
    object = slab->fresh;
    slab->fresh += slab->object_size;
    slab->carved++;
    return object;
}

TUSK__NO_SANITIZE size_t tusk__slab_in_use(const struct tusk__slab *slab)
{
    size_t count = slab->carved;

    for (const struct tusk__slab_object *object = slab->free_list; object != NULL; object = object->next)
        count--;
    return count;
}

void tusk__slab_close(struct tusk__slab *slab)
{
    struct tusk__slab_chunk *chunk = slab->chunks;

    while (chunk != NULL) {
        struct tusk__slab_chunk *next = chunk->next;
#if TUSK__ASAN
        ASAN_UNPOISON_MEMORY_REGION(chunk, chunk->size);
#endif
        tusk__free(chunk);
        chunk = next;
    }
    *slab = (struct tusk__slab){.object_size = slab->object_size, .chunk_size = slab->chunk_size};
}

#if TUSK__ASAN
TUSK__NO_SANITIZE void *tusk__slab_get(struct tusk__slab *slab)
{
    struct tusk__slab_object *object = slab->free_list;

    if (tusk__fail_now())
        return NULL;
    if (slab->free_count <= QUARANTINE)
        return tusk__slab_carve(slab);
    slab->free_list = object->next;
    slab->free_count--;
    ASAN_UNPOISON_MEMORY_REGION(object, slab->object_size);
    return object;
}

TUSK__NO_SANITIZE void tusk__slab_put(struct tusk__slab *slab, void *object)
{
    struct tusk__slab_object *freed = object;
    size_t readable = (slab->readable_prefix + 7) & ~(size_t)7;

    freed->next = NULL;
    if (slab->free_list == NULL)
        slab->free_list = freed;
    else
        slab->free_tail->next = freed;
    slab->free_tail = freed;
    slab->free_count++;
    if (readable < slab->object_size)
        ASAN_POISON_MEMORY_REGION((char *)object + readable, slab->object_size - readable);
}
#endif
