/*
 * A row: those who wait, in the order in which they came. Anyone may leave it at any time.
 */
#ifndef TUSK__IO_ROW_H
#define TUSK__IO_ROW_H

#include <stddef.h>

/* Stands inside of whoever waits. */
struct tusk__place {
    struct tusk__place *next;
    /* Whoever points to this one; NULL: it is in no row. */
    struct tusk__place **from;
};

struct tusk__row {
    struct tusk__place *first;
    struct tusk__place **end;
};

static inline void tusk__row_init(struct tusk__row *row)
{
    row->first = NULL;
    row->end = &row->first;
}

static inline void tusk__row_append(struct tusk__row *row, struct tusk__place *place)
{
    place->next = NULL;
    place->from = row->end;
    *row->end = place;
    row->end = &place->next;
}

/* Also for one that is in no row. */
static inline void tusk__row_leave(struct tusk__row *row, struct tusk__place *place)
{
    if (!place->from)
        return;
    if (row->end == &place->next)
        row->end = place->from;
    *place->from = place->next;
    if (place->next)
        place->next->from = place->from;
    place->from = NULL;
}

#endif
