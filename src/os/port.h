/*
 * A port: the address of a loop, for threads that may outlive it. Once the loop is
 * closed nothing can be sent there any more, and who tries learns it.
 *
 * Invariant: the loop exists as long as the port's lock is held and `loop` is set.
 *
 * Rejected: counting references to the loop itself. Then a thread that hangs
 * would keep a closed loop, with its memory and its descriptors.
 */
#ifndef TUSK__OS_PORT_H
#define TUSK__OS_PORT_H

#include <pthread.h>
#include <stdatomic.h>

#include "loop/loop.h"

struct tusk__port {
    pthread_mutex_t lock;
    /* NULL once it is closed. */
    struct tusk_loop *loop;
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

/* Sends a letter; the loop's own thread finds it behind what is ready there already, as after a call_soon. */
void tusk__loop_post(struct tusk_loop *loop, struct tusk__letter *letter);

/* The same by way of the port. Any thread. TUSK_LOOP_CLOSED: the letter stays the caller's. */
int tusk__port_send(struct tusk__port *port, struct tusk__letter *letter);

/* The loop closes. When this returns, nobody sends to it any more. */
void tusk__port_close(struct tusk__port *port);

#endif
