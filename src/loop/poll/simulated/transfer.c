/*
 * Sending and receiving bytes, and which errors come first.
 */
#include <errno.h>

#include "loop/poll/simulated/socket.h"

#if !defined(MSG_ERRQUEUE)
#define MSG_ERRQUEUE 0
#endif

/* ---- receiving ---- */

/* No byte is there. */
static ssize_t receive_nothing(struct tusk__sim_socket *socket)
{
    bool is_unix = tusk__sim_is_unix(socket);

    if (socket->error)
        return -tusk__sim_socket_take_error(socket);
    if (socket->in.ended || socket->read_shut)
        return 0;
    if (socket->state == TUSK__SIM_FRESH || socket->state == TUSK__SIM_LISTENING)
        return is_unix ? -EINVAL : -ENOTCONN;
    return -EAGAIN;
}

static ssize_t receive_bytes(struct tusk__sim_socket *socket, struct msghdr *message, int flags)
{
    size_t size =
        tusk__sim_flow_read(&socket->in, message->msg_iov, (size_t)message->msg_iovlen, flags & MSG_PEEK);

    message->msg_namelen = 0;
    return size > 0 ? (ssize_t)size : receive_nothing(socket);
}

ssize_t tusk__sim_receive(struct tusk__sim_socket *socket, struct msghdr *message, int flags)
{
    message->msg_controllen = 0;
    message->msg_flags = 0;
    if (flags & MSG_OOB)
        return -EINVAL;
    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    return socket->type == SOCK_STREAM ? receive_bytes(socket, message, flags)
                                       : tusk__sim_message_receive(socket, message, flags);
}

/* ---- sending ---- */

/* Why nothing can be sent; 0: it can. */
static int check(struct tusk__sim_socket *socket)
{
    bool is_unix = tusk__sim_is_unix(socket);

    if (socket->state == TUSK__SIM_FRESH || socket->state == TUSK__SIM_LISTENING)
        return is_unix ? -ENOTCONN : -EPIPE;
    if (socket->state == TUSK__SIM_CONNECTING)
        return -EAGAIN;
    /* Nobody hears that the peer has gone before what it has sent. */
    if (is_unix)
        return socket->write_shut || (!socket->peer && socket->in.ended) ? -EPIPE : 0;
    if (socket->error)
        return -tusk__sim_socket_take_error(socket);
    return socket->write_shut ? -EPIPE : 0;
}

static size_t total(const struct msghdr *message)
{
    size_t size = 0;

    for (size_t i = 0; i < (size_t)message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    return size;
}

/* Nobody is there any more, which the sender does not know yet. */
static ssize_t send_to_nobody(struct tusk__sim_socket *socket, const struct msghdr *message)
{
    tusk__sim_flow_reset(&socket->in);
    return (ssize_t)total(message);
}

static ssize_t send_bytes(struct tusk__sim_socket *socket, const struct msghdr *message)
{
    struct tusk__sim_network *network = socket->network;
    ssize_t rc = check(socket);

    if (rc < 0)
        return rc;
    if (!socket->peer)
        return send_to_nobody(socket, message);
    /* The connection is broken, and neither end knows it yet. */
    if (socket->peer->in.resetting)
        return (ssize_t)total(message);
    rc = tusk__sim_flow_write(&socket->peer->in, message->msg_iov, (size_t)message->msg_iovlen);
    if (tusk__sim_chance(network, network->options.resets))
        tusk__sim_connection_break(socket);
    return rc;
}

ssize_t tusk__sim_send(struct tusk__sim_socket *socket, const struct msghdr *message, int flags)
{
    if (message->msg_controllen > 0 || (flags & MSG_OOB))
        return -EOPNOTSUPP;
    return socket->type == SOCK_STREAM ? send_bytes(socket, message)
                                       : tusk__sim_message_send(socket, message);
}
