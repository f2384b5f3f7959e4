#include "os/port.h"

#include "base/error.h"
#include "base/mem.h"

struct tusk__port *tusk__port_new(struct tusk_loop *loop)
{
    struct tusk__port *port = tusk__alloc(sizeof *port);

    if (!port)
        return NULL;
    pthread_mutex_init(&port->lock, NULL);
    port->loop = loop;
    atomic_init(&port->references, 1);
    return port;
}

void tusk__port_release(struct tusk__port *port)
{
    /* The last one must see what the others did. */
    if (atomic_fetch_sub_explicit(&port->references, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_destroy(&port->lock);
    tusk__free(port);
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
    int rc = TUSK_LOOP_CLOSED;

    pthread_mutex_lock(&port->lock);
    if (port->loop) {
        tusk__loop_post(port->loop, letter);
        rc = 0;
    }
    pthread_mutex_unlock(&port->lock);
    return rc;
}

void tusk__port_close(struct tusk__port *port)
{
    pthread_mutex_lock(&port->lock);
    port->loop = NULL;
    pthread_mutex_unlock(&port->lock);
}
