/*
 * Callbacks from other threads.
 */
#include "loop/inbox.h"

#include <errno.h>

#include "base/mem.h"

int tusk__inbox_send(struct tusk__inbox *inbox, tusk_callback *callback, void *arg)
{
    struct tusk__letter *letter = tusk__alloc(sizeof *letter);
    struct tusk__letter *top;

    if (!letter)
        return -ENOMEM;
    letter->callback = callback;
    letter->arg = arg;
    top = atomic_load(&inbox->letters);
    do {
        letter->next = top;
    } while (!atomic_compare_exchange_weak(&inbox->letters, &top, letter));
    return atomic_exchange(&inbox->asleep, false);
}

struct tusk__letter *tusk__inbox_take(struct tusk__inbox *inbox)
{
    struct tusk__letter *letter;
    struct tusk__letter *oldest = NULL;

    /* Most of the time there is none: a load is cheaper than an exchange. */
    if (!tusk__inbox_full(inbox))
        return NULL;
    letter = atomic_exchange(&inbox->letters, NULL);
    while (letter) {
        struct tusk__letter *next = letter->next;

        letter->next = oldest;
        oldest = letter;
        letter = next;
    }
    return oldest;
}
