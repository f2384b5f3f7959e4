/*
 * Accepting. A listener whose socket has become ready accepts until there is nobody left, but
 * `backlog` connections at most in one iteration: then the clients it has come first.
 *
 * Without descriptors or memory the connections that wait stay in the system's queue. The socket is
 * still ready, so to ask again at once would spin: the listener rests for a second.
 */
#include <errno.h>

#include "base/error.h"
#include "io/server.h"
#include "io/share.h"

/* asyncio's ACCEPT_RETRY_DELAY. */
#define REST ((int64_t)1000000000)

static struct tusk_loop *loop_of(const struct tusk__listener *listener)
{
    return listener->server->io->loop;
}

static void queue(struct tusk__listener *listener)
{
    if (listener->queued)
        return;
    listener->queued = true;
    tusk__loop_push(loop_of(listener), &listener->again.handle);
}

static void hear(struct tusk__io_waiter *ear, int rc)
{
    struct tusk__listener *listener = container_of(ear, struct tusk__listener, ear);

    /* Closed by its number: there is nothing to accept from. */
    if (rc == 0)
        queue(listener);
}

void tusk__server_report_shortage(struct tusk_server *server, int rc)
{
    const struct tusk_exception_context context = {
        .message = "socket.accept() out of system resource",
        .error = rc,
        .where = server->options.tusk__where,
    };

    tusk__loop_report(server->io->loop, &context);
}

/* Lets the listener try again later. */
static void rest(struct tusk__listener *listener, int rc)
{
    bool told = listener->starved;
    int64_t now = tusk__loop_clock(loop_of(listener));

    listener->starved = true;
    listener->queued = true;
    tusk__loop_add_timer(loop_of(listener), &listener->again, now + REST);
    if (!told)
        tusk__server_report_shortage(listener->server, rc);
}

/* What became of this one connection before it was accepted says nothing of the next. */
static bool is_of_peer(int rc)
{
    switch (rc) {
    case -ECONNABORTED:
    case -EPROTO:
    case -EPERM:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENOPROTOOPT:
    case -EOPNOTSUPP:
        return true;
    default:
        return false;
    }
}

/* 0; -EAGAIN: nobody is there; or what is short. */
static int accept_one(struct tusk__listener *listener)
{
    struct tusk_server *server = listener->server;
    int fd = tusk__system_of(server->io->loop)->accept(listener->descriptor->watch.fd, NULL, NULL);

    if (fd < 0)
        return is_of_peer(fd) ? 0 : fd;
    return server->share ? tusk__share_deliver(server->share, fd) : tusk__server_take(server, fd);
}

static bool is_closed(const struct tusk__listener *listener)
{
    return !listener->descriptor || listener->descriptor->closed;
}

static int accept_some(struct tusk__listener *listener)
{
    int rc = 0;

    /* An eager task runs in here, and may close the server. */
    for (int i = 0; i < listener->server->options.backlog && rc == 0 && !is_closed(listener); i++)
        rc = accept_one(listener);
    return rc;
}

static int wait_for_more(struct tusk__listener *listener)
{
    listener->starved = false;
    tusk__descriptor_exhausted(listener->descriptor, TUSK__READ);
    return tusk__descriptor_listen(listener->descriptor, TUSK__READ, &listener->ear);
}

static void run(struct tusk__handle *handle)
{
    struct tusk__listener *listener = container_of(handle, struct tusk__listener, again.handle);
    struct tusk_server *server = tusk__server_retain(listener->server);
    struct tusk_loop *loop = server->io->loop;
    int rc;

    listener->queued = false;
    rc = accept_some(listener);
    if (rc == 0 && !is_closed(listener))
        queue(listener);
    if (rc == -EAGAIN)
        rc = wait_for_more(listener);
    if (rc < 0 && !is_closed(listener))
        rest(listener, rc);
    loop->current = NULL;
    tusk__server_unref(server);
}

int tusk__listener_init(struct tusk__listener *listener, struct tusk_server *server, int fd)
{
    int rc = tusk__descriptor_adopt(server->io, fd, server->kind, &listener->descriptor);

    if (rc < 0) {
        listener->descriptor = NULL;
        server->binding.system->close(fd);
        return rc;
    }
    tusk__descriptor_retain(listener->descriptor);
    listener->server = server;
    listener->ear.ready = hear;
    listener->again.handle.run = run;
    listener->again.handle.context = tusk__cell_copy(*tusk__current_cell());
    return 0;
}

int tusk__listener_start(struct tusk__listener *listener)
{
    struct tusk__descriptor *descriptor = listener->descriptor;

    if (listener->ear.from)
        return 0;
    tusk_try(
        listener->server->binding.system->listen(descriptor->watch.fd, listener->server->options.backlog));
    tusk__descriptor_exhausted(descriptor, TUSK__READ);
    if (listener->server->share)
        descriptor->watch.events = TUSK__POLL_EXCLUSIVE;
    return tusk__descriptor_listen(descriptor, TUSK__READ, &listener->ear);
}

/* Takes `again` out of the wheel or the ready queue. */
static void withdraw(struct tusk__listener *listener)
{
    if (!listener->queued)
        return;
    listener->queued = false;
    if (tusk__timer_pending(&listener->again))
        tusk__loop_remove_timer(loop_of(listener), &listener->again);
    else
        tusk__loop_orphan(loop_of(listener), &listener->again.handle);
}

/*
 * Of the workers that sleep one is told of a connection, and that may have been this one: it must not
 * go without a look, or nobody would accept before the next comes.
 */
static void leave_to_others(struct tusk__listener *listener)
{
    const struct tusk_server *server = listener->server;

    if (server->share && tusk__share_is_served(server->share) && !is_closed(listener))
        accept_some(listener);
}

void tusk__listener_close(struct tusk__listener *listener)
{
    struct tusk__descriptor *descriptor = listener->descriptor;

    if (!descriptor)
        return;
    leave_to_others(listener);
    listener->descriptor = NULL;
    withdraw(listener);
    tusk__descriptor_unlisten(descriptor, TUSK__READ, &listener->ear);
    if (!descriptor->closed)
        tusk__descriptor_close(descriptor);
    tusk__descriptor_release(descriptor);
}
