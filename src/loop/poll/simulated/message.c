/*
 * Sockets for messages. Those by the Internet may get lost, come twice or in another order, if the
 * options say so, and are lost when their receiver has too many; those in the Unix domain arrive, and a
 * sender waits for room with the receiver.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "loop/poll/simulated/socket.h"

/* The largest message of UDP, and how many a Unix socket keeps. */
enum { LARGEST = 65507, UNIX_QUEUE = 10 };

struct tusk__sim_message {
    struct tusk__timer arrival;
    struct tusk__sim_socket *to;
    struct tusk__sim_address source;
    /* In the list of those that are on their way, or have come. */
    struct tusk__sim_message *next;
    struct tusk__sim_message **from;
    size_t size;
    char data[];
};

static size_t total(const struct msghdr *message)
{
    size_t size = 0;

    for (size_t i = 0; i < (size_t)message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    return size;
}

/* ---- room ---- */

static bool is_full(const struct tusk__sim_socket *socket)
{
    if (tusk__sim_is_unix(socket))
        return socket->message_count >= UNIX_QUEUE;
    return socket->message_bytes >= socket->in.limit && socket->message_count > 0;
}

bool tusk__sim_message_is_writable(const struct tusk__sim_socket *socket)
{
    return !socket->held && !(tusk__sim_is_unix(socket) && socket->peer && is_full(socket->peer));
}

static void tell_writable(struct tusk__sim_socket *socket)
{
    if (!socket->full || !tusk__sim_message_is_writable(socket))
        return;
    socket->full = false;
    tusk__sim_socket_tell(socket, TUSK__POLL_WRITE);
}

/* A Unix socket has room again. */
static void tell_senders(struct tusk__sim_socket *socket)
{
    for (struct tusk__sim_socket *at = socket->network->sockets; at; at = at->next)
        if (at->peer == socket)
            tell_writable(at);
}

static void on_unheld(struct tusk__handle *handle)
{
    struct tusk__sim_socket *socket = container_of(handle, struct tusk__sim_socket, in.room.handle);

    socket->held = false;
    tell_writable(socket);
}

/* By chance there is no room for a while. */
static bool is_held(struct tusk__sim_socket *socket)
{
    struct tusk__sim_network *network = socket->network;

    if (!socket->held && tusk__sim_chance(network, network->options.short_writes)) {
        socket->held = true;
        socket->in.room.handle.run = on_unheld;
        tusk__sim_start_at(network, &socket->in.room, tusk__sim_flow_arrival(&socket->in));
    }
    return socket->held;
}

/* ---- on their way ---- */

static void unlink_message(struct tusk__sim_message *message)
{
    *message->from = message->next;
    if (message->next)
        message->next->from = message->from;
}

static void on_arrival(struct tusk__handle *handle)
{
    struct tusk__sim_message *message = container_of(handle, struct tusk__sim_message, arrival.handle);
    struct tusk__sim_socket *socket = message->to;

    unlink_message(message);
    message->next = NULL;
    message->from = socket->messages_end;
    *socket->messages_end = message;
    socket->messages_end = &message->next;
    tusk__sim_socket_tell(socket, TUSK__POLL_READ);
}

/* Starts its way: behind what was sent to this socket before, unless it may overtake. */
static void start(struct tusk__sim_message *message)
{
    struct tusk__sim_socket *to = message->to;
    struct tusk__sim_network *network = to->network;
    int64_t when = tusk__sim_flow_arrival(&to->in);
    bool overtakes = !tusk__sim_is_unix(to) && tusk__sim_chance(network, network->options.reorders);

    message->arrival.handle.run = on_arrival;
    if (when > to->last_message)
        to->last_message = when;
    tusk__sim_start_at(network, &message->arrival, overtakes ? when : to->last_message);
    message->next = to->coming;
    message->from = &to->coming;
    if (message->next)
        message->next->from = &message->next;
    to->coming = message;
    to->message_count++;
    to->message_bytes += message->size;
}

static int post(struct tusk__sim_socket *to, const struct tusk__sim_address *source,
                const struct msghdr *from)
{
    size_t size = total(from);
    struct tusk__sim_message *message = tusk__alloc(sizeof *message + size);

    if (!message)
        return -ENOMEM;
    message->to = to;
    message->source = tusk__sim_address_for(to->domain, source);
    for (size_t i = 0; i < (size_t)from->msg_iovlen; i++) {
        if (from->msg_iov[i].iov_len > 0)
            memcpy(message->data + message->size, from->msg_iov[i].iov_base, from->msg_iov[i].iov_len);
        message->size += from->msg_iov[i].iov_len;
    }
    start(message);
    return 0;
}

/* ---- sending ---- */

static void on_refused(struct tusk__handle *handle)
{
    struct tusk__sim_socket *socket = container_of(handle, struct tusk__sim_socket, step.handle);

    socket->error = ECONNREFUSED;
    tusk__sim_socket_tell(socket, TUSK__POLL_READ | TUSK__POLL_WRITE);
}

/* Only who is connected hears that nobody is there. */
static void be_refused(struct tusk__sim_socket *socket)
{
    if (socket->remote.size == 0)
        return;
    socket->step.handle.run = on_refused;
    tusk__sim_start_at(socket->network, &socket->step, tusk__sim_flow_arrival(&socket->in));
}

static int send_by_internet(struct tusk__sim_socket *socket, const struct tusk__sim_address *address,
                            const struct msghdr *message)
{
    struct tusk__sim_network *network = socket->network;
    struct tusk__sim_address source;
    struct tusk__sim_socket *to;
    int rc = 0;

    if (total(message) > LARGEST)
        return -EMSGSIZE;
    tusk_try(tusk__sim_bind_any(socket, NULL));
    if (tusk__sim_address_is_silent(address))
        return 0;
    if (tusk__sim_find_receiver(socket, address, &to) < 0) {
        be_refused(socket);
        return 0;
    }
    source = tusk__sim_source(socket, address);
    if (is_full(to) || tusk__sim_chance(network, network->options.losses))
        return 0;
    rc = post(to, &source, message);
    if (rc == 0 && tusk__sim_chance(network, network->options.duplicates))
        rc = post(to, &source, message);
    return rc;
}

static int send_to_unix(struct tusk__sim_socket *socket, struct tusk__sim_socket *to,
                        const struct msghdr *message)
{
    if (to->peer && to->peer != socket)
        return -EPERM;
    if (to->read_shut)
        return -EPIPE;
    if (!is_full(to))
        return post(to, &socket->local, message);
    socket->full = true;
    return -EAGAIN;
}

static int send_by_unix(struct tusk__sim_socket *socket, const struct tusk__sim_address *address,
                        const struct msghdr *message)
{
    struct tusk__sim_socket *to = socket->peer;

    if (address)
        tusk_try(tusk__sim_find_receiver(socket, address, &to));
    if (to)
        return send_to_unix(socket, to, message);
    return socket->orphaned ? -ECONNREFUSED : -ENOTCONN;
}

static int send_to(struct tusk__sim_socket *socket, const struct tusk__sim_address *address,
                   const struct msghdr *message)
{
    if (tusk__sim_is_unix(socket))
        return send_by_unix(socket, address, message);
    if (!address && socket->remote.size == 0)
        return -EDESTADDRREQ;
    return send_by_internet(socket, address ? address : &socket->remote, message);
}

ssize_t tusk__sim_message_send(struct tusk__sim_socket *socket, const struct msghdr *message)
{
    struct tusk__sim_address address;
    bool named = message->msg_name && message->msg_namelen > 0;

    if (named)
        tusk_try(tusk__sim_address_take_remote(socket, message->msg_name, message->msg_namelen, &address));
    if (socket->error)
        return -tusk__sim_socket_take_error(socket);
    if (socket->write_shut)
        return -EPIPE;
    if (is_held(socket)) {
        socket->full = true;
        return -EAGAIN;
    }
    tusk_try(send_to(socket, named ? &address : NULL, message));
    return (ssize_t)total(message);
}

int tusk__sim_message_connect(struct tusk__sim_socket *socket, const struct tusk__sim_address *address)
{
    struct tusk__sim_socket *to = NULL;

    if (tusk__sim_is_unix(socket)) {
        tusk_try(tusk__sim_find_receiver(socket, address, &to));
        if (to->peer && to->peer != socket)
            return -EPERM;
    } else {
        tusk_try(tusk__sim_bind_any(socket, address));
    }
    socket->peer = to;
    socket->orphaned = false;
    socket->remote = *address;
    socket->state = TUSK__SIM_CONNECTED;
    tusk__sim_socket_tell(socket, TUSK__POLL_WRITE);
    return 0;
}

/* ---- receiving ---- */

static size_t copy_out(const struct tusk__sim_message *message, const struct msghdr *to)
{
    size_t copied = 0;

    for (size_t i = 0; i < (size_t)to->msg_iovlen && copied < message->size; i++) {
        size_t left = message->size - copied;
        size_t portion = to->msg_iov[i].iov_len < left ? to->msg_iov[i].iov_len : left;

        if (portion > 0)
            memcpy(to->msg_iov[i].iov_base, message->data + copied, portion);
        copied += portion;
    }
    return copied;
}

static void consume(struct tusk__sim_socket *socket, struct tusk__sim_message *message)
{
    unlink_message(message);
    if (!socket->messages)
        socket->messages_end = &socket->messages;
    socket->message_count--;
    socket->message_bytes -= message->size;
    tusk__free(message);
    if (tusk__sim_is_unix(socket))
        tell_senders(socket);
}

static ssize_t receive(struct tusk__sim_socket *socket, struct tusk__sim_message *message, struct msghdr *to,
                       int flags)
{
    size_t size = message->size;
    size_t copied = copy_out(message, to);

    to->msg_flags = copied < size ? MSG_TRUNC : 0;
    if (to->msg_name && message->source.size > sizeof(sa_family_t))
        tusk__sim_address_give(&message->source, to->msg_name, &to->msg_namelen);
    else
        to->msg_namelen = 0;
    if (!(flags & MSG_PEEK))
        consume(socket, message);
    return (ssize_t)(flags & MSG_TRUNC ? size : copied);
}

ssize_t tusk__sim_message_receive(struct tusk__sim_socket *socket, struct msghdr *message, int flags)
{
    if (socket->error)
        return -tusk__sim_socket_take_error(socket);
    if (socket->messages)
        return receive(socket, socket->messages, message, flags);
    return socket->read_shut ? 0 : -EAGAIN;
}

/* ---- parting ---- */

static void free_messages(struct tusk__sim_network *network, struct tusk__sim_message *list)
{
    while (list) {
        struct tusk__sim_message *next = list->next;

        tusk__sim_stop(network, &list->arrival);
        tusk__free(list);
        list = next;
    }
}

void tusk__sim_message_leave(struct tusk__sim_socket *socket)
{
    free_messages(socket->network, socket->coming);
    free_messages(socket->network, socket->messages);
    for (struct tusk__sim_socket *at = socket->network->sockets; at; at = at->next)
        if (at->peer == socket && at != socket) {
            at->peer = NULL;
            at->orphaned = true;
            tusk__sim_socket_tell(at, TUSK__POLL_READ | TUSK__POLL_WRITE);
        }
}
