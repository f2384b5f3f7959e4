/*
 * Connections: how two sockets for bytes find each other, and how they part.
 *
 * By the Internet this takes time: the request travels to the listener, the answer back, and only what
 * the client sends then completes the connection on the other side. A full queue is silent, and the
 * client asks again after a second, then two, and so on. In the Unix domain it is done at once.
 */
#include <errno.h>
#include <string.h>

#include "loop/poll/simulated/socket.h"

#define SECOND ((int64_t)1000000000)

/* How often a client asks that gets no answer. */
enum { TRIES = 6 };

/* ---- what arrives ---- */

/* The connection is no more. What has come can still be read. */
static void cut(struct tusk__sim_socket *socket, int error)
{
    /* One that waits to be accepted is accepted all the same. */
    if (!socket->listener)
        tusk__sim_stop(socket->network, &socket->step);
    tusk__sim_flow_drop(&socket->in);
    socket->in.ended = true;
    socket->state = TUSK__SIM_CUT;
    socket->error = error;
    socket->read_shut = true;
    socket->write_shut = true;
    if (socket->peer)
        socket->peer->peer = NULL;
    socket->peer = NULL;
    tusk__sim_socket_tell(socket, TUSK__POLL_READ | TUSK__POLL_WRITE);
}

static void be_reset(struct tusk__sim_socket *socket)
{
    if (socket->state == TUSK__SIM_CONNECTING)
        cut(socket, ECONNREFUSED);
    else
        cut(socket, socket->in.ended && !tusk__sim_is_unix(socket) ? EPIPE : ECONNRESET);
}

static void on_arrival(struct tusk__handle *handle)
{
    struct tusk__sim_socket *socket = container_of(handle, struct tusk__sim_socket, in.arrival.handle);

    switch (tusk__sim_flow_arrive(&socket->in)) {
    case TUSK__SIM_BYTES:
        tusk__sim_socket_tell(socket, TUSK__POLL_READ);
        break;
    case TUSK__SIM_END:
        tusk__sim_socket_tell(socket, TUSK__POLL_READ | TUSK__POLL_WRITE);
        break;
    case TUSK__SIM_RESET:
        be_reset(socket);
        break;
    }
}

static void on_room(struct tusk__handle *handle)
{
    struct tusk__sim_socket *socket = container_of(handle, struct tusk__sim_socket, in.room.handle);

    if (tusk__sim_flow_make_room(&socket->in) && socket->peer)
        tusk__sim_socket_tell(socket->peer, TUSK__POLL_WRITE);
}

void tusk__sim_connection_open(struct tusk__sim_socket *socket)
{
    socket->in.arrival.handle.run = on_arrival;
    socket->in.room.handle.run = on_room;
}

void tusk__sim_connection_join(struct tusk__sim_socket *left, struct tusk__sim_socket *right)
{
    left->peer = right;
    right->peer = left;
    left->remote = right->local;
    right->remote = left->local;
    left->state = TUSK__SIM_CONNECTED;
    right->state = TUSK__SIM_CONNECTED;
}

/* ---- listening ---- */

int tusk__sim_listen(struct tusk__sim_socket *socket, int backlog)
{
    if (socket->type != SOCK_STREAM)
        return -EOPNOTSUPP;
    if (socket->state != TUSK__SIM_FRESH && socket->state != TUSK__SIM_LISTENING)
        return -EINVAL;
    if (!socket->bound_from && tusk__sim_is_unix(socket))
        return -EINVAL;
    tusk_try(tusk__sim_bind_any(socket, NULL));
    if (tusk__sim_is_taken(socket))
        return -EADDRINUSE;
    socket->backlog = backlog;
    socket->state = TUSK__SIM_LISTENING;
    return 0;
}

/* One that waits to be accepted. NULL: there is no room for it. */
static struct tusk__sim_socket *enqueue(struct tusk__sim_socket *listener, struct tusk__sim_socket *client)
{
    struct tusk__sim_socket *socket = NULL;

    if (listener->queued <= listener->backlog)
        socket = tusk__sim_socket_new(listener->network, listener->domain, listener->type);
    if (!socket)
        return NULL;
    socket->local = tusk__sim_is_unix(client) ? listener->local
                                              : tusk__sim_address_for(listener->domain, &client->remote);
    socket->abortive = listener->abortive;
    socket->listener = listener;
    socket->state = TUSK__SIM_CONNECTED;
    socket->remote = tusk__sim_address_for(listener->domain, &client->local);
    socket->peer = client;
    client->peer = socket;
    *listener->queue_end = socket;
    listener->queue_end = &socket->queue_next;
    listener->queued++;
    return socket;
}

static void dequeue(struct tusk__sim_socket *socket)
{
    struct tusk__sim_socket *listener = socket->listener;
    struct tusk__sim_socket **link = &listener->queue;

    while (*link != socket)
        link = &(*link)->queue_next;
    *link = socket->queue_next;
    if (!*link)
        listener->queue_end = link;
    socket->listener = NULL;
    socket->queue_next = NULL;
    listener->queued--;
}

static void complete(struct tusk__sim_socket *socket)
{
    socket->complete = true;
    tusk__sim_socket_tell(socket->listener, TUSK__POLL_READ);
}

static void on_complete(struct tusk__handle *handle)
{
    struct tusk__sim_socket *socket = container_of(handle, struct tusk__sim_socket, step.handle);

    if (socket->listener)
        complete(socket);
}

int tusk__sim_accept(struct tusk__sim_socket *listener, struct sockaddr *ret_address, socklen_t *size)
{
    struct tusk__sim_socket *socket = listener->queue;
    int rc;

    if (listener->type != SOCK_STREAM)
        return -EOPNOTSUPP;
    if (listener->state != TUSK__SIM_LISTENING)
        return -EINVAL;
    while (socket && !socket->complete)
        socket = socket->queue_next;
    if (!socket)
        return -EAGAIN;
    rc = tusk__sim_number_open(socket);
    if (rc < 0)
        return rc;
    dequeue(socket);
    tusk__sim_address_give(&socket->remote, ret_address, size);
    return socket->fd;
}

/* ---- connecting ---- */

static void on_connected(struct tusk__handle *handle)
{
    struct tusk__sim_socket *socket = container_of(handle, struct tusk__sim_socket, step.handle);

    socket->state = TUSK__SIM_CONNECTED;
    tusk__sim_socket_tell(socket, TUSK__POLL_READ | TUSK__POLL_WRITE);
}

static void on_refused(struct tusk__handle *handle)
{
    cut(container_of(handle, struct tusk__sim_socket, step.handle), ECONNREFUSED);
}

/* A delay from now, or `after`, whichever is later. */
static void step_later(struct tusk__sim_socket *socket, void (*run)(struct tusk__handle *handle),
                       int64_t after)
{
    int64_t when = tusk__sim_flow_arrival(&socket->in);

    socket->step.handle.run = run;
    tusk__sim_start_at(socket->network, &socket->step, when > after ? when : after);
}

static void on_request(struct tusk__handle *handle);

static void ask_again(struct tusk__sim_socket *socket)
{
    if (socket->tries == TRIES) {
        cut(socket, ETIMEDOUT);
        return;
    }
    step_later(socket, on_request, tusk__sim_now(socket->network) + (SECOND << socket->tries));
    socket->tries++;
}

/* The request has come to the listener, if there is one. */
static void on_request(struct tusk__handle *handle)
{
    struct tusk__sim_socket *client = container_of(handle, struct tusk__sim_socket, step.handle);
    struct tusk__sim_socket *listener;
    struct tusk__sim_socket *accepted = NULL;
    int rc = tusk__sim_find_receiver(client, &client->remote, &listener);

    if (rc < 0 && !tusk__sim_address_is_silent(&client->remote)) {
        step_later(client, on_refused, 0);
        return;
    }
    if (rc == 0)
        accepted = enqueue(listener, client);
    if (!accepted) {
        ask_again(client);
        return;
    }
    step_later(client, on_connected, 0);
    step_later(accepted, on_complete, client->step.when);
}

static int connect_unix(struct tusk__sim_socket *socket)
{
    struct tusk__sim_socket *listener;
    struct tusk__sim_socket *accepted;

    tusk_try(tusk__sim_find_receiver(socket, &socket->remote, &listener));
    accepted = enqueue(listener, socket);
    if (!accepted)
        return -EAGAIN;
    socket->state = TUSK__SIM_CONNECTED;
    complete(accepted);
    return 0;
}

static int connect_internet(struct tusk__sim_socket *socket)
{
    if (tusk__sim_address_is_nowhere(&socket->remote))
        return -ENETUNREACH;
    tusk_try(tusk__sim_bind_any(socket, &socket->remote));
    socket->state = TUSK__SIM_CONNECTING;
    step_later(socket, on_request, 0);
    return -EINPROGRESS;
}

static int connect_now(struct tusk__sim_socket *socket, const struct tusk__sim_address *address)
{
    int rc;

    socket->remote = *address;
    rc = tusk__sim_is_unix(socket) ? connect_unix(socket) : connect_internet(socket);
    if (rc < 0 && rc != -EINPROGRESS)
        socket->remote.size = 0;
    return rc;
}

int tusk__sim_connect(struct tusk__sim_socket *socket, const struct tusk__sim_address *address)
{
    if (socket->type != SOCK_STREAM)
        return tusk__sim_message_connect(socket, address);
    switch (socket->state) {
    case TUSK__SIM_FRESH:
        return connect_now(socket, address);
    case TUSK__SIM_CONNECTING:
        return -EALREADY;
    case TUSK__SIM_LISTENING:
        return tusk__sim_is_unix(socket) ? -EINVAL : -EISCONN;
    case TUSK__SIM_CONNECTED:
        return -EISCONN;
    default:
        return socket->error ? -tusk__sim_socket_take_error(socket) : -ECONNABORTED;
    }
}

/* ---- parting ---- */

/* The peer is told that the connection is broken; perhaps before what was sent to it has come. */
static void reset(struct tusk__sim_socket *peer)
{
    if (!tusk__sim_is_unix(peer) && tusk__sim_draw(peer->network, 2) == 1)
        tusk__sim_flow_drop(&peer->in);
    tusk__sim_flow_reset(&peer->in);
}

void tusk__sim_connection_break(struct tusk__sim_socket *socket)
{
    struct tusk__sim_socket *peer = socket->peer;

    tusk__sim_flow_drop(&peer->in);
    tusk__sim_flow_drop(&socket->in);
    tusk__sim_flow_reset(&peer->in);
    tusk__sim_flow_reset(&socket->in);
}

/* As the system has it: a connection that is closed with something unread is reset. */
static void part(struct tusk__sim_socket *socket)
{
    struct tusk__sim_socket *peer = socket->peer;
    bool is_unix = tusk__sim_is_unix(socket);

    socket->peer = NULL;
    peer->peer = NULL;
    if ((socket->abortive && !is_unix) || socket->in.arrived > 0) {
        reset(peer);
    } else {
        tusk__sim_flow_end(&peer->in);
        /* What is on its way here will find nobody. */
        if (!is_unix && socket->in.piece_count > 0)
            tusk__sim_flow_reset(&peer->in);
    }
    /* It need not wait for room any more. */
    tusk__sim_socket_tell(peer, TUSK__POLL_WRITE);
}

static void leave_queue(struct tusk__sim_socket *listener)
{
    while (listener->queue) {
        struct tusk__sim_socket *socket = listener->queue;

        dequeue(socket);
        socket->abortive = true;
        if (socket->peer)
            part(socket);
        tusk__sim_socket_free(socket);
    }
}

void tusk__sim_connection_leave(struct tusk__sim_socket *socket)
{
    leave_queue(socket);
    if (socket->peer)
        part(socket);
}

int tusk__sim_shutdown(struct tusk__sim_socket *socket, int how)
{
    struct tusk__sim_socket *peer = socket->peer;
    bool is_unix = tusk__sim_is_unix(socket);

    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (socket->state != TUSK__SIM_CONNECTED && !is_unix)
        return -ENOTCONN;
    if (how != SHUT_RD) {
        socket->write_shut = true;
        if (peer && socket->type == SOCK_STREAM)
            tusk__sim_flow_end(&peer->in);
    }
    if (how != SHUT_WR) {
        socket->read_shut = true;
        if (peer && is_unix) {
            peer->write_shut = true;
            tusk__sim_socket_tell(peer, TUSK__POLL_WRITE);
        }
    }
    tusk__sim_socket_tell(socket, TUSK__POLL_READ | TUSK__POLL_WRITE);
    return 0;
}
