/*
 * The inbox: callbacks that other threads send to a loop. A letter is a handle
 * that goes to the ready queue as it is: what was sent cannot get lost for lack of memory.
 *
 * Senders push onto a lock-free stack; the loop takes it whole and turns it
 * round. A sender wakes the loop only if `asleep` is set: the loop sets it before it
 * looks at the inbox for the last time and blocks, a sender reads it after its
 * push. Both sides are sequentially consistent there, so one of them sees
 * the other.
 */
#ifndef TUSK__LOOP_INBOX_H
#define TUSK__LOOP_INBOX_H

#include <stdatomic.h>

#include "loop/handle.h"

struct tusk__inbox {
    /* The newest one; each points to the one before it. */
    _Atomic(struct tusk__handle *) letters;
    /* The loop blocks, or does not run: who sends must wake it. */
    atomic_bool asleep;
};

/* Any thread. Hands a letter over. True if the loop must be woken. */
bool tusk__inbox_send(struct tusk__inbox *inbox, struct tusk__handle *letter);

/* Takes all letters, oldest first. */
struct tusk__handle *tusk__inbox_take(struct tusk__inbox *inbox);

/* True if letters are there. */
static inline bool tusk__inbox_full(struct tusk__inbox *inbox)
{
    return atomic_load(&inbox->letters) != NULL;
}

/* Says that the loop is about to sleep, or does not run; then look at tusk__inbox_full once more. */
static inline void tusk__inbox_sleep(struct tusk__inbox *inbox)
{
    /*
     * An exchange, not a store: the look at the letters that follows must not come before it. A store
     * would do by the rules of C, but emulators (qemu 7 for AArch64 on x86) let the load overtake it,
     * and then both sides miss each other.
     */
    (void)atomic_exchange(&inbox->asleep, true);
}

static inline void tusk__inbox_awake(struct tusk__inbox *inbox)
{
    atomic_store(&inbox->asleep, false);
}

#endif
