/*
 * The system calls on descriptors, as a table: the real ones, or those of a poller
 * that has descriptors of its own (the simulated network), or a test's that fail.
 *
 * Each returns what the system call returns, or a negative errno; none waits:
 * -EAGAIN says that there is nothing now. Interrupted calls are made again inside.
 * What creates a descriptor makes it non-blocking and closed by exec.
 */
#ifndef TUSK__LOOP_POLL_SYSTEM_H
#define TUSK__LOOP_POLL_SYSTEM_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What a descriptor is, as far as reading and writing go. */
enum tusk__fd_kind {
    /* A socket of bytes: a read that brings less than asked for has emptied it. */
    TUSK__FD_STREAM,
    /* The same in the Unix domain: unless descriptors or credentials came along. Becomes a STREAM with `parcels`. */
    TUSK__FD_UNIX,
    /* A socket of messages, or one of which we do not know better. */
    TUSK__FD_MESSAGES,
    /* A pipe that tusk made; as a stream. (Those of others may be of packets.) */
    TUSK__FD_PIPE,
    /* A pipe of others in non-blocking mode, perhaps one that has a name and no writer yet. */
    TUSK__FD_FIFO,
    /* Something else in non-blocking mode that can be waited for. */
    TUSK__FD_DEVICE,
    /*
     * The same in blocking mode, often shared with other processes, so it stays so: each
     * call is made only after a look that says it will not block.
     */
    TUSK__FD_BLOCKING,
    /* A regular file and the like: cannot be waited for, a call may take its time. */
    TUSK__FD_FILE,
};

struct tusk__system {
    /* The kind of a descriptor, or -EBADF. */
    int (*kind)(int fd);
    int (*socket)(int domain, int type, int protocol);
    int (*socketpair)(int domain, int type, int protocol, int ret_fds[2]);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t size);
    int (*listen)(int fd, int backlog);
    int (*accept)(int fd, struct sockaddr *ret_address, socklen_t *size);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t size);
    int (*getsockname)(int fd, struct sockaddr *ret_address, socklen_t *size);
    int (*getpeername)(int fd, struct sockaddr *ret_address, socklen_t *size);
    int (*getsockopt)(int fd, int level, int option, void *ret_value, socklen_t *size);
    int (*setsockopt)(int fd, int level, int option, const void *value, socklen_t size);
    ssize_t (*recv)(int fd, void *buffer, size_t size, int flags);
    ssize_t (*send)(int fd, const void *data, size_t size, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    ssize_t (*readv)(int fd, const struct iovec *buffers, int count);
    ssize_t (*writev)(int fd, const struct iovec *data, int count);
    /*
     * The same at a place in a file (-1: where it is), even in blocking mode and of regular files, but only
     * what can be done at once: -EAGAIN. -ENOTSUP: the system cannot say.
     */
    ssize_t (*readv_now)(int fd, const struct iovec *buffers, int count, off_t offset);
    ssize_t (*writev_now)(int fd, const struct iovec *data, int count, off_t offset);
    ssize_t (*pread)(int fd, void *buffer, size_t size, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
    /* At most count bytes of the file from *offset on, which is moved. -ENOTSUP: not from this to that. */
    ssize_t (*sendfile)(int out, int in, off_t *offset, size_t count);
    int (*shutdown)(int fd, int how);
    /* poll(2) with time 0: what of events (POLLIN ...) is there. */
    int (*poll)(int fd, int events);
    int (*close)(int fd);
};

#endif
