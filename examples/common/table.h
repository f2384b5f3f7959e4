/*
 * A hash table from bytes to bytes, with values that end by themselves at a time.
 *
 * Each entry is one block of memory, and an entry may be held (references++) while the table goes on:
 * it is then neither changed nor freed, though it may be gone from the table.
 */
#ifndef EXAMPLES_TABLE_H
#define EXAMPLES_TABLE_H

#include <stdint.h>

#include "text.h"

struct entry {
    struct entry *next;
    uint64_t hash;
    /* In seconds on the table's clock; 0: never. */
    double expires;
    unsigned references;
    unsigned key_size;
    size_t value_size;
    /* The key, then the value. */
    char data[];
};

struct table {
    struct entry **chains;
    /* Those from before the last growth: the first `moved` are empty. NULL: all were moved. */
    struct entry **old;
    size_t size;
    size_t moved;
    size_t count;
    uint64_t seed;
    double (*clock)(void);
    /* Called when an entry is freed: for what its value owns. May be NULL. */
    void (*on_free)(const struct entry *entry);
};

/* An empty table. False without memory. */
bool table_create(struct table *table, double (*clock)(void));
void table_destroy(struct table *table);

/* NULL: there is none, or its time is over. */
struct entry *table_find(struct table *table, struct text key);

/* False without memory, and then nothing has changed. */
bool table_set(struct table *table, struct text key, struct text value, double expires);

/* False if there was none. */
bool table_remove(struct table *table, struct text key);

/* Looks through so many chains from *at on, which moves on, for what has expired. */
void table_sweep(struct table *table, size_t *at, size_t chains);

struct text entry_value(const struct entry *entry);

/* Gives up an entry that was held. */
void table_drop(const struct table *table, struct entry *entry);

#endif
