/*
 * Sockets: the public calls on their descriptors.
 */
#include <poll.h>

#include "base/error.h"
#include "io/operation.h"

/* ---- sending and receiving ---- */

ssize_t tusk_recv(int fd, void *buffer, size_t size, int flags)
{
    struct tusk__operation operation = {.code = TUSK__OP_RECV,
                                        .direction = TUSK__READ,
                                        .fd = fd,
                                        .buffer = buffer,
                                        .size = size,
                                        .flags = flags};

    return buffer || size == 0 ? tusk__operation_perform(&operation) : -EINVAL;
}

ssize_t tusk_send(int fd, const void *data, size_t size, int flags)
{
    struct tusk__operation operation = {.code = TUSK__OP_SEND,
                                        .direction = TUSK__WRITE,
                                        .fd = fd,
                                        .buffer = (void *)data,
                                        .size = size,
                                        .flags = flags};

    return data || size == 0 ? tusk__operation_perform(&operation) : -EINVAL;
}

ssize_t tusk_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct tusk__operation operation = {
        .code = TUSK__OP_RECVMSG, .direction = TUSK__READ, .fd = fd, .message = message, .flags = flags};

    return message ? tusk__operation_perform(&operation) : -EINVAL;
}

ssize_t tusk_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct tusk__operation operation = {.code = TUSK__OP_SENDMSG,
                                        .direction = TUSK__WRITE,
                                        .fd = fd,
                                        .message = (struct msghdr *)message,
                                        .flags = flags};

    return message ? tusk__operation_perform(&operation) : -EINVAL;
}

ssize_t tusk_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *ret_address,
                      socklen_t *address_size)
{
    struct iovec vector = {buffer, size};
    struct msghdr message = {.msg_name = address_size ? ret_address : NULL,
                             .msg_namelen = address_size && ret_address ? *address_size : 0,
                             .msg_iov = &vector,
                             .msg_iovlen = 1};
    ssize_t rc = buffer || size == 0 ? tusk_recvmsg(fd, &message, flags) : -EINVAL;

    if (rc >= 0 && address_size)
        *address_size = message.msg_namelen;
    return rc;
}

ssize_t tusk_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
                    socklen_t address_size)
{
    struct iovec vector = {(void *)data, size};
    struct msghdr message = {.msg_name = (void *)address,
                             .msg_namelen = address ? address_size : 0,
                             .msg_iov = &vector,
                             .msg_iovlen = 1};

    return data || size == 0 ? tusk_sendmsg(fd, &message, flags) : -EINVAL;
}

/* ---- connections ---- */

int tusk_accept(int fd, struct sockaddr *ret_address, socklen_t *address_size)
{
    struct tusk__operation operation = {.code = TUSK__OP_ACCEPT,
                                        .direction = TUSK__READ,
                                        .fd = fd,
                                        .address = address_size ? ret_address : NULL,
                                        .address_size = ret_address ? address_size : NULL};
    struct tusk__call call;
    ssize_t rc;

    tusk_try(tusk__call_begin(&call, fd));
    /* A connection that its peer gave up in the queue is not ours to report. */
    do
        rc = tusk__operation_perform_in(&call, &operation);
    while (rc == -ECONNABORTED);
    return rc < 0 ? (int)rc : tusk__descriptor_keep(call.io, (int)rc, tusk__descriptor_kind(call.descriptor));
}

/*
 * A Unix socket whose listener's queue is full says -EAGAIN, and nothing tells when
 * there is room again: so it is tried now and then.
 */
static int connect_patiently(const struct tusk__call *call, const struct sockaddr *address, socklen_t size)
{
    const struct tusk__system *system = tusk__system_of(call->io->loop);
    double delay = 0;
    int rc;

    while ((rc = system->connect(call->descriptor->fd, address, size)) == -EAGAIN &&
           address->sa_family == AF_UNIX) {
        tusk_try(tusk__nap(&delay));
        if (call->descriptor->closed)
            return -EBADF;
    }
    return rc;
}

/* The connection is on its way: it is there, or has failed, when the socket becomes writable. */
static int await_connection(const struct tusk__call *call)
{
    const struct tusk__system *system = tusk__system_of(call->io->loop);
    int fd = call->descriptor->fd;
    int error = 0;
    socklen_t size = sizeof error;

    do {
        tusk__descriptor_exhausted(call->descriptor, TUSK__WRITE);
        tusk_try(tusk__descriptor_wait(call->task, call->descriptor, TUSK__WRITE));
    } while (system->poll(fd, POLLOUT) == 0);
    tusk_try(system->getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    return tusk__system_error(error);
}

int tusk_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    struct tusk__call call;
    int rc;

    if (!address)
        return -EINVAL;
    tusk_try(tusk__call_begin(&call, fd));
    tusk__descriptor_retain(call.descriptor);
    rc = connect_patiently(&call, address, size);
    if (rc == -EINPROGRESS)
        rc = await_connection(&call);
    /* What was learnt before the socket had a peer means nothing. */
    if (!call.descriptor->closed)
        tusk__descriptor_refresh(call.descriptor);
    tusk__descriptor_release(call.descriptor);
    return rc;
}

/* ---- making ---- */

int tusk_socket(int domain, int type, int protocol)
{
    struct tusk__io *io;
    int fd;

    tusk_try(tusk__io_running(&io));
    fd = tusk__system_of(io->loop)->socket(domain, type, protocol);
    return fd < 0 ? fd : tusk__descriptor_keep(io, fd, tusk__system_kind_of_socket(domain, type, protocol));
}

/* Two new ones, of which both are kept or none. */
static int keep_both(struct tusk__io *io, enum tusk__fd_kind kind, const int fds[2])
{
    int rc = tusk__descriptor_keep(io, fds[0], kind);

    if (rc < 0) {
        tusk__system_of(io->loop)->close(fds[1]);
        return rc;
    }
    rc = tusk__descriptor_keep(io, fds[1], kind);
    if (rc < 0)
        tusk_close(fds[0]);
    return rc < 0 ? rc : 0;
}

int tusk_socketpair(int domain, int type, int protocol, int ret_fds[2])
{
    struct tusk__io *io;
    int fds[2];

    tusk_try(tusk__io_running(&io));
    tusk_try(tusk__system_of(io->loop)->socketpair(domain, type, protocol, fds));
    tusk_try(keep_both(io, tusk__system_kind_of_socket(domain, type, protocol), fds));
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

int tusk_pipe(int ret_ends[2])
{
    struct tusk__io *io;
    int ends[2];

    tusk_try(tusk__io_running(&io));
    tusk_try(tusk__system_pipe(ends));
    tusk__system_ignore_sigpipe();
    tusk_try(keep_both(io, TUSK__FD_PIPE, ends));
    ret_ends[0] = ends[0];
    ret_ends[1] = ends[1];
    return 0;
}

int tusk_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    struct tusk__io *io;

    tusk_try(tusk__io_running(&io));
    return address ? tusk__system_of(io->loop)->bind(fd, address, size) : -EINVAL;
}

int tusk_listen(int fd, int backlog)
{
    struct tusk__io *io;

    tusk_try(tusk__io_running(&io));
    return tusk__system_of(io->loop)->listen(fd, backlog > 0 ? backlog : 128);
}
