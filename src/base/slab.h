/*
 * A slab: objects of one size for one owner, who is one thread.
 *
 * Freed objects form a list through their first 8 bytes; the rest of their
 * bytes stay as they were. Memory goes back only in tusk__slab_close(), so an
 * address that was an object stays one: a stale handle may still look at the
 * generation there and see that it is stale. Objects that were never used are
 * zero.
 *
 * The last object freed is the next one given: it is in the cache. Under ASan
 * it is the other way round: freed objects are poisoned and stay in quarantine
 * until some hundred others were freed after them. Bytes that owners read in
 * freed objects (readable_prefix) are not poisoned.
 *
 * Rejected: a count of objects in use (two more memory operations a pair, for a
 * number that only tests want), a bitmap, and giving chunks back one by one
 * (see stale handles).
 */
#ifndef TUSK_BASE_SLAB_H
#define TUSK_BASE_SLAB_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/mem.h"

struct tusk__slab_object {
    struct tusk__slab_object *next;
};

struct tusk__slab {
    struct tusk__slab_object *free_list;
    /* Objects of the newest chunk that nobody has had yet: [fresh, fresh_end). */
    char *fresh;
    char *fresh_end;
    struct tusk__slab_chunk *chunks;
    /* Rounded up to a multiple of 16. */
    size_t object_size;
    /* Bytes of the next chunk. */
    size_t chunk_size;
    /* Objects that somebody has had, in use now or free. */
    size_t carved;
#if TUSK__ASAN
    size_t readable_prefix;
    struct tusk__slab_object *free_tail;
    size_t free_count;
#endif
};

/* Takes no memory yet. readable_prefix: bytes of a freed object that the owner still reads. */
void tusk__slab_init(struct tusk__slab *slab, size_t object_size, size_t readable_prefix);

/* Gives all memory back, whatever is in use. */
void tusk__slab_close(struct tusk__slab *slab);

/* How many objects are in use. Walks the list of the free ones: for tests and reports. */
size_t tusk__slab_in_use(const struct tusk__slab *slab);

/* An object that nobody has had yet, or NULL without memory. */
void *tusk__slab_carve(struct tusk__slab *slab);

#if TUSK__ASAN
static inline bool tusk__slab_is_ready(const struct tusk__slab *slab)
{
    (void)slab;
    return false;
}

static inline void *tusk__slab_pop(struct tusk__slab *slab)
{
    (void)slab;
    return NULL;
}

void *tusk__slab_get(struct tusk__slab *slab);
void tusk__slab_put(struct tusk__slab *slab, void *object);
#else
/* True if an object is there that nobody has made to fail: then tusk__slab_pop may have it. */
static inline bool tusk__slab_is_ready(const struct tusk__slab *slab)
{
    return slab->free_list != NULL && atomic_load_explicit(&tusk__fail_countdown, memory_order_relaxed) == 0;
}

/* The object that is ready. */
static inline void *tusk__slab_pop(struct tusk__slab *slab)
{
    struct tusk__slab_object *object = slab->free_list;

    slab->free_list = object->next;
    return object;
}

/* An object, its bytes as they were left; NULL without memory. */
static inline void *tusk__slab_get(struct tusk__slab *slab)
{
    struct tusk__slab_object *object = slab->free_list;

    if (unlikely(tusk__fail_now()))
        return NULL;
    if (unlikely(object == NULL))
        return tusk__slab_carve(slab);
    slab->free_list = object->next;
    return object;
}

/* Takes an object back. Its first 8 bytes change, the others stay. */
static inline void tusk__slab_put(struct tusk__slab *slab, void *object)
{
    struct tusk__slab_object *freed = object;

    freed->next = slab->free_list;
    slab->free_list = freed;
}
#endif

#endif
