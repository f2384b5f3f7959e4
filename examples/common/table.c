/*
 * Chains of entries. There are more chains than entries, so most have one or none.
 *
 * A table that doubled at once would hold all clients up. So it grows in steps: while `old` is there,
 * each new entry moves two of its chains, and it is empty long before the next growth.
 */
#include "table.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { FIRST_SIZE = 1024 };

/* The seed is random, lest somebody choose keys that all fall into one chain. */
static uint64_t hash_of(const struct table *table, struct text key)
{
    const uint64_t odd = 0x9E3779B97F4A7C15u;
    uint64_t hash = table->seed ^ key.size;

    for (size_t at = 0; at < key.size; at += 8) {
        uint64_t word = 0;

        if (key.size - at >= 8)
            memcpy(&word, key.data + at, 8);
        else
            memcpy(&word, key.data + at, key.size - at);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 32;
    }
    hash *= odd; /* once more, so that the last bytes reach the low bits */
    return hash ^ hash >> 32;
}

static struct entry **chain_of(const struct table *table, uint64_t hash)
{
    size_t in_old = hash & (table->size / 2 - 1);

    if (table->old && in_old >= table->moved)
        return &table->old[in_old];
    return &table->chains[hash & (table->size - 1)];
}

struct text entry_value(const struct entry *entry)
{
    return (struct text){entry->data + entry->key_size, entry->value_size};
}

void table_drop(const struct table *table, struct entry *entry)
{
    if (--entry->references > 0)
        return;
    if (table->on_free)
        table->on_free(entry);
    free(entry);
}

static void unlink_entry(struct table *table, struct entry **link)
{
    struct entry *entry = *link;

    *link = entry->next;
    table->count--;
    table_drop(table, entry);
}

static bool expired(const struct table *table, const struct entry *entry)
{
    return entry->expires != 0 && entry->expires <= table->clock();
}

/* What points to the key's entry; or to the end of its chain, if there is none. */
static struct entry **find(struct table *table, struct text key, uint64_t hash)
{
    struct entry **link = chain_of(table, hash);
    struct entry *entry;

    while ((entry = *link) != NULL) {
        if (entry->hash != hash || entry->key_size != key.size ||
            memcmp(entry->data, key.data, key.size) != 0)
            link = &entry->next;
        else if (expired(table, entry))
            unlink_entry(table, link);
        else
            break;
    }
    return link;
}

struct entry *table_find(struct table *table, struct text key)
{
    return *find(table, key, hash_of(table, key));
}

bool table_remove(struct table *table, struct text key)
{
    struct entry **link = find(table, key, hash_of(table, key));

    if (!*link)
        return false;
    unlink_entry(table, link);
    return true;
}

/* ---- growing ---- */

static void move_chain(struct table *table)
{
    struct entry *next;

    for (struct entry *entry = table->old[table->moved]; entry; entry = next) {
        struct entry **link = &table->chains[entry->hash & (table->size - 1)];

        next = entry->next;
        entry->next = *link;
        *link = entry;
    }
    table->moved++;
    if (table->moved == table->size / 2) {
        free(table->old);
        table->old = NULL;
    }
}

/* After each new entry. Without memory the chains just become longer. */
static void grow(struct table *table)
{
    struct entry **chains;

    for (int i = 0; i < 2 && table->old; i++)
        move_chain(table);
    if (table->count < table->size || table->old)
        return;
    chains = calloc(table->size * 2, sizeof *chains);
    if (!chains)
        return;
    table->old = table->chains;
    table->chains = chains;
    table->moved = 0;
    table->size *= 2;
}

/* ---- storing ---- */

static struct entry *entry_create(struct text key, uint64_t hash, size_t value_size)
{
    struct entry *entry = malloc(sizeof *entry + key.size + value_size);

    if (!entry)
        return NULL;
    *entry = (struct entry){
        .hash = hash, .references = 1, .key_size = (unsigned)key.size, .value_size = value_size};
    memcpy(entry->data, key.data, key.size);
    return entry;
}

static void link_entry(struct table *table, struct entry **link, struct entry *entry)
{
    struct entry *old = *link;

    entry->next = old ? old->next : NULL;
    *link = entry;
    if (old) {
        table_drop(table, old);
    } else {
        table->count++;
        grow(table);
    }
}

/* A value of the same size, which is the usual case, is overwritten, if nobody holds it. */
bool table_set(struct table *table, struct text key, struct text value, double expires)
{
    uint64_t hash = hash_of(table, key);
    struct entry **link = find(table, key, hash);
    struct entry *entry = *link;
    bool fits = entry && entry->references == 1 && entry->value_size == value.size && !table->on_free;

    if (!fits && !(entry = entry_create(key, hash, value.size)))
        return false;
    entry->expires = expires;
    memcpy(entry->data + key.size, value.data, value.size);
    if (!fits)
        link_entry(table, link, entry);
    return true;
}

/* ---- the table as a whole ---- */

bool table_create(struct table *table, double (*clock)(void))
{
    *table = (struct table){.size = FIRST_SIZE, .clock = clock};
    table->chains = calloc(FIRST_SIZE, sizeof(struct entry *));
    return table->chains && getentropy(&table->seed, sizeof table->seed) == 0;
}

void table_destroy(struct table *table)
{
    while (table->old)
        move_chain(table);
    for (size_t i = 0; table->chains && i < table->size; i++)
        while (table->chains[i])
            unlink_entry(table, &table->chains[i]);
    free(table->chains);
}

void table_sweep(struct table *table, size_t *at, size_t chains)
{
    while (chains-- > 0) {
        struct entry **link = &table->chains[(*at)++ & (table->size - 1)];

        while (*link)
            if (expired(table, *link))
                unlink_entry(table, link);
            else
                link = &(*link)->next;
    }
}
