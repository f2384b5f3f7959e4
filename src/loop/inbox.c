/*
 * Callbacks from other threads.
 */
#include "loop/inbox.h"

bool tusk__inbox_send(struct tusk__inbox *inbox, struct tusk__handle *letter)
{
    struct tusk__handle *top = atomic_load(&inbox->letters);

    do {
        letter->next = top;
    } while (!atomic_compare_exchange_weak(&inbox->letters, &top, letter));
    return atomic_exchange(&inbox->asleep, false);
}

struct tusk__handle *tusk__inbox_take(struct tusk__inbox *inbox)
{
    struct tusk__handle *letter;
    struct tusk__handle *oldest = NULL;

    /* Most of the time there is none: a load is cheaper than an exchange. */
    if (!tusk__inbox_full(inbox))
        return NULL;
    letter = atomic_exchange(&inbox->letters, NULL);
    while (letter) {
        struct tusk__handle *next = letter->next;

        letter->next = oldest;
        oldest = letter;
        letter = next;
    }
    return oldest;
}
