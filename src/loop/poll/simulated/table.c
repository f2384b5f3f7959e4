/*
 * The table of calls: on sockets of this network here, on everything else by the table beneath.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "loop/loop.h"
#include "loop/poll/backends.h"
#include "loop/poll/simulated/socket.h"
#include "loop/poll/simulated/table.h"

/* The same in all loops; set before the first call. */
static _Atomic(const struct tusk__system *) beneath;

void tusk__sim_rest_on(const struct tusk__system *system)
{
    atomic_store(&beneath, system);
}

static const struct tusk__system *real(void)
{
    return atomic_load_explicit(&beneath, memory_order_relaxed);
}

/* By chance something happens between the last call and this one, or is told once more. */
static void surprise(struct tusk__sim_socket *socket)
{
    struct tusk__sim_network *network = socket->network;

    if (tusk__sim_chance(network, network->options.haste)) {
        tusk__sim_fire(network, &socket->in.arrival);
        tusk__sim_fire(network, &socket->step);
        if (socket->peer)
            tusk__sim_fire(network, &socket->peer->in.room);
    }
    if (tusk__sim_chance(network, network->options.repeats))
        tusk__sim_socket_tell(socket, TUSK__POLL_READ | TUSK__POLL_WRITE);
}

/* The socket that has this number, or NULL; and what is due has happened. */
static struct tusk__sim_socket *find(int fd)
{
    struct tusk__sim_socket *socket = tusk__sim_number_find(fd);

    if (!socket)
        return NULL;
    tusk__sim_advance(socket->network);
    surprise(socket);
    return socket;
}

/* The network of the loop that makes a socket here. NULL: it has none. */
static struct tusk__sim_network *running(void)
{
    struct tusk_loop *loop = tusk__running_loop;

    return loop && loop->poller.backend == &tusk__poll_simulated ? loop->poller.state : NULL;
}

static int plain_type(int type)
{
#if defined(SOCK_NONBLOCK)
    type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
#endif
    return type;
}

/* The kinds of sockets that this network has. */
static bool is_known(int domain, int type, int protocol)
{
    bool internet = domain == AF_INET || domain == AF_INET6;

    type = plain_type(type);
    if (domain == AF_UNIX)
        return protocol == 0 && (type == SOCK_STREAM || type == SOCK_DGRAM);
    if (internet && type == SOCK_STREAM)
        return protocol == 0 || protocol == IPPROTO_TCP;
    return internet && type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP);
}

/* ---- making ---- */

static int sim_kind(int fd)
{
    struct tusk__sim_socket *socket;

    tusk__sim_number_check(fd);
    socket = find(fd);
    if (!socket)
        return real()->kind(fd);
    if (socket->type != SOCK_STREAM)
        return TUSK__FD_MESSAGES;
    return tusk__sim_is_unix(socket) ? TUSK__FD_UNIX : TUSK__FD_STREAM;
}

static int sim_socket(int domain, int type, int protocol)
{
    struct tusk__sim_network *network = running();

    return network && is_known(domain, type, protocol)
               ? tusk__sim_socket_open(network, domain, plain_type(type))
               : real()->socket(domain, type, protocol);
}

static int sim_socketpair(int domain, int type, int protocol, int ret_fds[2])
{
    struct tusk__sim_network *network = running();

    return network && domain == AF_UNIX && is_known(domain, type, protocol)
               ? tusk__sim_socket_open_pair(network, domain, plain_type(type), ret_fds)
               : real()->socketpair(domain, type, protocol, ret_fds);
}

static int sim_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_bind(socket, address, size) : real()->bind(fd, address, size);
}

static int sim_listen(int fd, int backlog)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_listen(socket, backlog) : real()->listen(fd, backlog);
}

static int sim_accept(int fd, struct sockaddr *ret_address, socklen_t *size)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_accept(socket, ret_address, size) : real()->accept(fd, ret_address, size);
}

static int sim_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    struct tusk__sim_socket *socket = find(fd);
    struct tusk__sim_address remote;

    if (!socket)
        return real()->connect(fd, address, size);
    tusk_try(tusk__sim_address_take_remote(socket, address, size, &remote));
    return tusk__sim_connect(socket, &remote);
}

/* ---- knowing ---- */

static int sim_getsockname(int fd, struct sockaddr *ret_address, socklen_t *size)
{
    struct tusk__sim_socket *socket = find(fd);

    if (!socket)
        return real()->getsockname(fd, ret_address, size);
    tusk__sim_address_give(&socket->local, ret_address, size);
    return 0;
}

static int sim_getpeername(int fd, struct sockaddr *ret_address, socklen_t *size)
{
    struct tusk__sim_socket *socket = find(fd);

    if (!socket)
        return real()->getpeername(fd, ret_address, size);
    if (socket->state != TUSK__SIM_CONNECTED)
        return -ENOTCONN;
    tusk__sim_address_give(&socket->remote, ret_address, size);
    return 0;
}

static int sim_getsockopt(int fd, int level, int option, void *ret_value, socklen_t *size)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_socket_get_option(socket, level, option, ret_value, size)
                  : real()->getsockopt(fd, level, option, ret_value, size);
}

static int sim_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_socket_set_option(socket, level, option, value, size)
                  : real()->setsockopt(fd, level, option, value, size);
}

static int sim_poll(int fd, int events)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_socket_poll(socket) & (events | POLLERR | POLLHUP) : real()->poll(fd, events);
}

/* ---- reading and writing ---- */

static ssize_t sim_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_receive(socket, message, flags) : real()->recvmsg(fd, message, flags);
}

static ssize_t sim_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_send(socket, message, flags) : real()->sendmsg(fd, message, flags);
}

static struct msghdr message_of(const struct iovec *vector, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)vector};

    message.msg_iovlen = (__typeof__(message.msg_iovlen))count;
    return message;
}

static ssize_t sim_readv(int fd, const struct iovec *buffers, int count)
{
    struct tusk__sim_socket *socket = find(fd);
    struct msghdr message = message_of(buffers, count);

    return socket ? tusk__sim_receive(socket, &message, 0) : real()->readv(fd, buffers, count);
}

static ssize_t sim_writev(int fd, const struct iovec *data, int count)
{
    struct tusk__sim_socket *socket = find(fd);
    struct msghdr message = message_of(data, count);

    return socket ? tusk__sim_send(socket, &message, 0) : real()->writev(fd, data, count);
}

static ssize_t sim_recv(int fd, void *buffer, size_t size, int flags)
{
    struct tusk__sim_socket *socket = find(fd);
    struct msghdr message = message_of(&(struct iovec){buffer, size}, 1);

    return socket ? tusk__sim_receive(socket, &message, flags) : real()->recv(fd, buffer, size, flags);
}

static ssize_t sim_send(int fd, const void *data, size_t size, int flags)
{
    struct tusk__sim_socket *socket = find(fd);
    struct msghdr message = message_of(&(struct iovec){(void *)data, size}, 1);

    return socket ? tusk__sim_send(socket, &message, flags) : real()->send(fd, data, size, flags);
}

static ssize_t sim_readv_now(int fd, const struct iovec *buffers, int count, off_t offset)
{
    return tusk__sim_number_find(fd) ? -ENOTSUP : real()->readv_now(fd, buffers, count, offset);
}

static ssize_t sim_writev_now(int fd, const struct iovec *data, int count, off_t offset)
{
    return tusk__sim_number_find(fd) ? -ENOTSUP : real()->writev_now(fd, data, count, offset);
}

static ssize_t sim_pread(int fd, void *buffer, size_t size, off_t offset)
{
    return tusk__sim_number_find(fd) ? -ESPIPE : real()->pread(fd, buffer, size, offset);
}

static ssize_t sim_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return tusk__sim_number_find(fd) ? -ESPIPE : real()->pwrite(fd, data, size, offset);
}

static ssize_t sim_sendfile(int out, int in, off_t *offset, size_t count)
{
    if (tusk__sim_number_find(out) || tusk__sim_number_find(in))
        return -ENOTSUP;
    return real()->sendfile(out, in, offset, count);
}

/* ---- ending ---- */

static int sim_shutdown(int fd, int how)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_shutdown(socket, how) : real()->shutdown(fd, how);
}

static int sim_close(int fd)
{
    struct tusk__sim_socket *socket = find(fd);

    return socket ? tusk__sim_socket_close(socket) : real()->close(fd);
}

const struct tusk__system tusk__system_simulated = {
    .kind = sim_kind,
    .socket = sim_socket,
    .socketpair = sim_socketpair,
    .bind = sim_bind,
    .listen = sim_listen,
    .accept = sim_accept,
    .connect = sim_connect,
    .getsockname = sim_getsockname,
    .getpeername = sim_getpeername,
    .getsockopt = sim_getsockopt,
    .setsockopt = sim_setsockopt,
    .recv = sim_recv,
    .send = sim_send,
    .recvmsg = sim_recvmsg,
    .sendmsg = sim_sendmsg,
    .readv = sim_readv,
    .writev = sim_writev,
    .readv_now = sim_readv_now,
    .writev_now = sim_writev_now,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .sendfile = sim_sendfile,
    .shutdown = sim_shutdown,
    .poll = sim_poll,
    .close = sim_close,
};
