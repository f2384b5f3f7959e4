/*
 * The inbox: callbacks that other threads send to a loop.
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
#include <tusk/loop.h>

struct tusk__letter {
    struct tusk__letter *next;
    tusk_callback *callback;
    void *arg;
};

struct tusk__inbox {
    _Atomic(struct tusk__letter *) letters;
    /* The loop blocks, or does not run: who sends must wake it. */
    atomic_bool asleep;
};

/* Any thread. Returns -ENOMEM or whether the loop must be woken (1) or not (0). */
int tusk__inbox_send(struct tusk__inbox *inbox, tusk_callback *callback, void *arg);

/* Takes all letters, oldest first. The caller frees each with tusk__free. */
struct tusk__letter *tusk__inbox_take(struct tusk__inbox *inbox);

/* True if letters are there. */
static inline bool tusk__inbox_full(struct tusk__inbox *inbox)
{
    return atomic_load(&inbox->letters) != NULL;
}

/* Says that the loop is about to sleep, or does not run; then look at tusk__inbox_full once more. */
static inline void tusk__inbox_sleep(struct tusk__inbox *inbox)
{
    atomic_store(&inbox->asleep, true);
}

static inline void tusk__inbox_awake(struct tusk__inbox *inbox)
{
    atomic_store(&inbox->asleep, false);
}

#endif
