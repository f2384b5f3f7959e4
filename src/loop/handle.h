/*
 * A handle: something that the loop runs once. It stands inside of the thing it
 * runs (a call, a task, a wait record), so that to make something ready
 * allocates nothing and cannot fail.
 *
 * Invariants: a handle is in at most one queue at a time, and its owner keeps it
 * alive for as long as it is in one.
 */
#ifndef TUSK__LOOP_HANDLE_H
#define TUSK__LOOP_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tusk/loop.h>

struct tusk__handle {
    /* The next one in the ready queue, or in the list of a future's callbacks. */
    struct tusk__handle *next;
    void (*run)(struct tusk__handle *handle);
    /* The context to run in, a cell of context.h; or TUSK__LIGHT. */
    uintptr_t context;
};

/*
 * The context of a light handle: it runs a few lines of tusk's own and no code of
 * the user, so it needs no context and may run on any stack, that of a task included.
 */
#define TUSK__LIGHT ((uintptr_t)1)

static inline bool tusk__handle_is_light(const struct tusk__handle *handle)
{
    return handle->context == TUSK__LIGHT;
}

#endif
