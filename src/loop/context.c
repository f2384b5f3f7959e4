/*
 * Context variables: immutable maps, and the cells that refer to them.
 *
 * A map is an array sorted by the variable's address, copied whole on a set.
 * Programs have a handful of variables, read often and set rarely; a tree
 * (CPython uses a HAMT) would win from some hundred variables on.
 */
#include "loop/context.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "loop/loop.h"

struct entry {
    const tusk_context_var *var;
    void *value;
};

struct map {
    /*
     * Atomic, since a loop may be filled in one thread and run in another: then a
     * map belongs to the contexts of both. Relaxed but for the last one, who must see
     * what the others did.
     */
    atomic_int references;
    size_t count;
    struct entry entries[];
};

struct tusk_context {
    int references;
    struct map *map;
};

_Thread_local uintptr_t tusk__thread_cell;

static struct tusk_context *shared(uintptr_t cell)
{
    return cell & 1 ? (struct tusk_context *)(cell & ~(uintptr_t)1) : NULL;
}

static struct map *map_of(uintptr_t cell)
{
    struct tusk_context *context = shared(cell);

    return context ? context->map : (struct map *)cell;
}

static struct map *map_retain(struct map *map)
{
    if (map)
        atomic_fetch_add_explicit(&map->references, 1, memory_order_relaxed);
    return map;
}

static void map_release(struct map *map)
{
    if (map && atomic_fetch_sub_explicit(&map->references, 1, memory_order_acq_rel) == 1)
        tusk__free(map);
}

/* Where the variable stands in the map, or would stand. */
static size_t position(const struct map *map, const tusk_context_var *var)
{
    size_t low = 0;
    size_t high = map ? map->count : 0;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if ((uintptr_t)map->entries[middle].var < (uintptr_t)var)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct entry *find(const struct map *map, const tusk_context_var *var)
{
    size_t at = position(map, var);

    return map && at < map->count && map->entries[at].var == var ? &map->entries[at] : NULL;
}

static struct map *map_new(size_t count)
{
    struct map *map = tusk__alloc(sizeof *map + count * sizeof map->entries[0]);

    if (map) {
        atomic_init(&map->references, 1);
        map->count = count;
    }
    return map;
}

/* The map with the variable set; NULL without memory. */
static struct map *map_with(const struct map *map, const tusk_context_var *var, void *value)
{
    size_t count = map ? map->count : 0;
    size_t at = position(map, var);
    size_t skip = find(map, var) ? 1 : 0;
    struct map *new = map_new(count + 1 - skip);

    if (!new)
        return NULL;
    new->entries[at] = (struct entry){var, value};
    if (!map)
        return new;
    memcpy(new->entries, map->entries, at * sizeof new->entries[0]);
    if (at + skip < count)
        memcpy(&new->entries[at + 1], &map->entries[at + skip], (count - at - skip) * sizeof new->entries[0]);
    return new;
}

/* The map without the variable, which it has; an empty one is NULL, so failure comes as a flag. */
static int map_without(const struct map *map, const tusk_context_var *var, struct map **ret_map)
{
    size_t at = position(map, var);
    struct map *new = NULL;

    if (map->count > 1) {
        new = map_new(map->count - 1);
        if (!new)
            return -ENOMEM;
        memcpy(new->entries, map->entries, at * sizeof new->entries[0]);
        memcpy(&new->entries[at], &map->entries[at + 1], (map->count - at - 1) * sizeof new->entries[0]);
    }
    *ret_map = new;
    return 0;
}

static pthread_key_t thread_end;
static bool has_thread_end;

static void drop_thread_cell(void *cell)
{
    (void)cell;
    tusk__cell_drop(tusk__thread_cell);
    tusk__thread_cell = 0;
}

static void watch_threads(void)
{
    has_thread_end = pthread_key_create(&thread_end, drop_thread_cell) == 0;
}

/* A thread that set variables outside of any loop gives them back when it ends. Where the system
 * has no key left, it leaves them behind. */
static void give_back_at_thread_end(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_threads);
    if (has_thread_end)
        pthread_setspecific(thread_end, &tusk__thread_cell);
}

/* Replaces the map that a cell shows. Takes the reference. */
static void cell_put(uintptr_t *cell, struct map *map)
{
    struct tusk_context *context = shared(*cell);
    struct map *old = map_of(*cell);

    if (cell == &tusk__thread_cell && !*cell)
        give_back_at_thread_end();
    if (context)
        context->map = map;
    else
        *cell = (uintptr_t)map;
    map_release(old);
}

uintptr_t tusk__cell_copy_slow(uintptr_t cell)
{
    return (uintptr_t)map_retain(map_of(cell));
}

uintptr_t tusk__cell_share(struct tusk_context *context)
{
    return (uintptr_t)tusk_context_retain(context) | 1;
}

void tusk__cell_drop_slow(uintptr_t cell)
{
    struct tusk_context *context = shared(cell);

    if (context)
        tusk_context_release(context);
    else
        map_release((struct map *)cell);
}

struct tusk_context *tusk__cell_object(uintptr_t *cell)
{
    struct tusk_context *context = shared(*cell);

    if (!context) {
        context = tusk__alloc(sizeof *context);
        if (!context)
            return tusk__fail(-ENOMEM);
        context->references = 1;
        context->map = (struct map *)*cell;
        *cell = (uintptr_t)context | 1;
    }
    return tusk_context_retain(context);
}

void *tusk_context_var_get(const tusk_context_var *var)
{
    const struct entry *entry;

    if (!var)
        return NULL;
    entry = find(map_of(*tusk__current_cell()), var);
    return entry ? entry->value : var->default_value;
}

int tusk_context_var_set(const tusk_context_var *var, void *value, tusk_token *ret_token)
{
    uintptr_t *cell = tusk__current_cell();
    const struct entry *old;
    struct map *new;

    if (!var)
        return -EINVAL;
    new = map_with(map_of(*cell), var, value);
    if (!new)
        return -ENOMEM;
    if (ret_token) {
        old = find(map_of(*cell), var);
        *ret_token = (tusk_token){var, old ? old->value : NULL, old != NULL};
    }
    cell_put(cell, new);
    return 0;
}

int tusk_context_var_reset(const tusk_context_var *var, tusk_token *token)
{
    uintptr_t *cell = tusk__current_cell();
    int rc = 0;

    if (!var || !token || token->var != var)
        return -EINVAL;
    if (token->was_set) {
        rc = tusk_context_var_set(var, token->old_value, NULL);
    } else if (find(map_of(*cell), var)) {
        struct map *new;

        rc = map_without(map_of(*cell), var, &new);
        if (rc == 0)
            cell_put(cell, new);
    }
    if (rc == 0)
        token->var = NULL;
    return rc;
}

tusk_context *tusk_copy_context(void)
{
    struct tusk_context *context = tusk__alloc(sizeof *context);

    if (!context)
        return tusk__fail(-ENOMEM);
    context->references = 1;
    context->map = map_retain(map_of(*tusk__current_cell()));
    return context;
}

tusk_context *tusk_context_retain(tusk_context *context)
{
    if (context)
        context->references++;
    return context;
}

void tusk_context_release(tusk_context *context)
{
    if (!context || --context->references > 0)
        return;
    map_release(context->map);
    tusk__free(context);
}

int tusk_context_run(tusk_context *context, int (*function)(void *arg), void *arg)
{
    uintptr_t *cell = tusk__current_cell();
    uintptr_t before = *cell;
    int rc;

    if (!context || !function)
        return -EINVAL;
    *cell = tusk__cell_share(context);
    rc = function(arg);
    /* The function may have suspended, but it came back to the same task, and so to the same cell. */
    tusk__cell_drop(*cell);
    *cell = before;
    return rc;
}
