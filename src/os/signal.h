/*
 * Signals from the inside: who listens to a signal gets a letter.
 *
 * The handler in the sense of the system does nothing but send the listener's letter,
 * which needs no memory: a push onto a lock-free stack and a write to the
 * poller's descriptor, and both may be done in such a handler. A letter that is on its
 * way is not sent again: so signals coalesce.
 *
 * Rejected: signalfd, which works only if all threads of the program block the
 * signal; a pipe of one's own for each loop, which does what the inbox does already.
 */
#ifndef TUSK__OS_SIGNAL_H
#define TUSK__OS_SIGNAL_H

#include "loop/loop.h"

struct tusk__signal_listener {
    struct tusk__letter letter;
    struct tusk_loop *loop;
    /* The letter is on its way. Cleared when it is opened, before anything else is done. */
    atomic_bool sent;
    /* How many signals came. */
    atomic_int count;
    /* The first signal brings the default back. */
    bool once;
};

/*
 * Makes the listener, which has loop, letter and once, the one of this signal; also
 * if another one of the same loop was. -EINVAL, -EBUSY if the signal is another loop's.
 */
int tusk__signal_listen(int signum, struct tusk__signal_listener *listener);

/*
 * Ends that and restores the default, unless someone else has the signal by now. Its letter
 * may still be on its way; but no other will follow.
 */
void tusk__signal_unlisten(int signum, struct tusk__signal_listener *listener);

/* The letter was opened: the next signal sends it again. */
static inline void tusk__listener_opened(struct tusk__signal_listener *listener)
{
    atomic_store(&listener->sent, false);
}

/* True if the signal has its default disposition. */
bool tusk__signal_is_default(int signum);

#endif
