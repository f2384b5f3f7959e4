/*
 * A port: the address of a loop, for threads that may outlive it. Once the loop is
 * closed nothing can be sent there any more, and who tries learns it.
 *
 * A thread enters the port, looks whether the loop is there, uses it, and leaves.
 * The loop, when it closes, takes itself away and then waits until nobody is inside. Both
 * sides are sequentially consistent: either the thread sees that the loop has gone, or the loop
 * sees that the thread is inside.
 *
 * Rejected: a lock. The thread would hold it while it wakes the loop, which would
 * wake up to wait for the lock: 15 us a round trip instead of none. And counting
 * references to the loop itself: a thread that hangs would keep a closed loop, with its
 * memory and its descriptors.
 */
#ifndef TUSK__OS_PORT_H
#define TUSK__OS_PORT_H

#include <stdatomic.h>

#include "loop/loop.h"

struct tusk__port {
    /* NULL once it is closed. */
    _Atomic(struct tusk_loop *) loop;
    atomic_int inside;
    atomic_int references;
};

/* The port of a loop, with one reference; NULL without memory. */
struct tusk__port *tusk__port_new(struct tusk_loop *loop);

static inline struct tusk__port *tusk__port_retain(struct tusk__port *port)
{
    atomic_fetch_add_explicit(&port->references, 1, memory_order_relaxed);
    return port;
}

void tusk__port_release(struct tusk__port *port);

/* The loop, which stays until tusk__port_leave; or NULL, and then there is nothing to leave. Not for long. */
struct tusk_loop *tusk__port_enter(struct tusk__port *port);
void tusk__port_leave(struct tusk__port *port);

/* Sends a letter; the loop's own thread finds it behind what is ready there already, as after a call_soon. */
void tusk__loop_post(struct tusk_loop *loop, struct tusk__letter *letter);

/* The same by way of the port. Any thread. TUSK_LOOP_CLOSED: the letter stays the caller's. */
int tusk__port_send(struct tusk__port *port, struct tusk__letter *letter);

/*
 * The end of something that had a block of the loop's and a reference to its port: gives both back.
 * The block is freed if the loop has gone, or if it was never known: port is NULL then. Any thread.
 */
void tusk__port_put(struct tusk__port *port, void *memory);

/* The loop closes. When this returns, nobody sends to it any more. */
void tusk__port_close(struct tusk__port *port);

#endif
