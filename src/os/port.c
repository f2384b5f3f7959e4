#include "os/port.h"

#include <sched.h>

#include "base/error.h"
#include "base/mem.h"

struct tusk__port *tusk__port_new(struct tusk_loop *loop)
{
    struct tusk__port *port = tusk__alloc(sizeof *port);

    if (!port)
        return NULL;
    atomic_init(&port->loop, loop);
    atomic_init(&port->references, 1);
    return port;
}

void tusk__port_release(struct tusk__port *port)
{
    /* The last one must see what the others did. */
    if (atomic_fetch_sub_explicit(&port->references, 1, memory_order_acq_rel) == 1)
        tusk__free(port);
}

struct tusk_loop *tusk__port_enter(struct tusk__port *port)
{
    struct tusk_loop *loop;

    atomic_fetch_add(&port->inside, 1);
    loop = atomic_load(&port->loop);
    if (!loop)
        atomic_fetch_sub(&port->inside, 1);
    return loop;
}

void tusk__port_leave(struct tusk__port *port)
{
    atomic_fetch_sub(&port->inside, 1);
}

void tusk__loop_post(struct tusk_loop *loop, struct tusk__letter *letter)
{
    if (loop == tusk__running_loop)
        tusk__loop_push(loop, &letter->handle);
    else
        tusk__loop_send(loop, letter);
}

int tusk__port_send(struct tusk__port *port, struct tusk__letter *letter)
{
    struct tusk_loop *loop = tusk__port_enter(port);

    if (!loop)
        return TUSK_LOOP_CLOSED;
    tusk__loop_post(loop, letter);
    tusk__port_leave(port);
    return 0;
}

void tusk__port_put(struct tusk__port *port, void *memory)
{
    struct tusk_loop *loop = port ? tusk__port_enter(port) : NULL;

    tusk__stock_put(loop ? &loop->stock : NULL, memory);
    if (loop)
        tusk__port_leave(port);
    if (port)
        tusk__port_release(port);
}

void tusk__port_close(struct tusk__port *port)
{
    atomic_store(&port->loop, NULL);
    while (atomic_load(&port->inside) > 0)
        sched_yield();
}
