/*
 * Contexts from the inside.
 *
 * Each handle and task has a cell: one word that says which values its code
 * sees. 0 is the empty context. A pointer to a map is a context of one's own,
 * copied when it is written (maps never change, so a copy of a context is a
 * reference to its map). A pointer to a tusk_context with bit 0 set is
 * a shared context: what is set there, all who share it see.
 *
 * Thus a task in a program without context variables pays one word of zero.
 */
#ifndef TUSK__LOOP_CONTEXT_H
#define TUSK__LOOP_CONTEXT_H

#include <stdint.h>
#include <tusk/context.h>

/* A cell with a copy of what this one shows now. */
uintptr_t tusk__cell_copy_slow(uintptr_t cell);

static inline uintptr_t tusk__cell_copy(uintptr_t cell)
{
    return cell ? tusk__cell_copy_slow(cell) : 0;
}

/* A cell that shares the context; retains it. */
uintptr_t tusk__cell_share(struct tusk_context *context);

void tusk__cell_drop_slow(uintptr_t cell);

/* Gives up what a cell refers to. */
static inline void tusk__cell_drop(uintptr_t cell)
{
    if (cell)
        tusk__cell_drop_slow(cell);
}

/* Turns a cell into one that shares its context as an object, and returns that object, retained; NULL without memory. */
struct tusk_context *tusk__cell_object(uintptr_t *cell);

/* The cell for something registered now: that of the given context, or a copy of the current one. */
static inline uintptr_t tusk__cell_for(uintptr_t current, struct tusk_context *context)
{
    return context ? tusk__cell_share(context) : tusk__cell_copy(current);
}

#endif
