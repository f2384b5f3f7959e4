/*
 * Copies of arguments that wait for their task.
 *
 * tusk_copy() is called just before the creation that gets its result. So the
 * copy waits in a list of its thread, and the creation that is given exactly
 * this pointer takes it out and owns it. The list is empty nearly always, and one entry
 * long otherwise; a copy that never finds its task goes when the thread closes a loop.
 */
#ifndef TUSK__BASE_COPY_H
#define TUSK__BASE_COPY_H

#include <stdbool.h>
#include <stddef.h>

struct tusk__copy;

extern _Thread_local struct tusk__copy *tusk__waiting_copies;

/* A copy that waits for its task; never NULL: without memory it is one that fails that creation. */
void *tusk__copy_make(const void *data, size_t size);

/* True if any copy waits: the one question that every creation asks. */
static inline bool tusk__copies_wait(void)
{
    return tusk__waiting_copies != NULL;
}

/* True if this arg stands for a copy for which there was no memory. Asking forgets it. */
bool tusk__copy_failed(const void *arg);

/* Takes the copy out of the list; false if arg is no copy that waits. */
bool tusk__copy_claim(void *arg);

/* Frees the arg of a creation that fails, if it is a copy that waits for it. */
static inline void tusk__copy_discard(void *arg);

/* Frees a copy that was claimed. */
void tusk__copy_free(void *arg);

static inline void tusk__copy_discard(void *arg)
{
    if (tusk__copies_wait() && tusk__copy_claim(arg))
        tusk__copy_free(arg);
}

/* Frees the copies of this thread that no task came for; returns how many. */
size_t tusk__copies_drop(void);

#endif
