/*
 * Operations: one system call on a descriptor, as data, so that it can be tried,
 * tried again when the descriptor is ready, or handed to a thread.
 */
#ifndef TUSK__IO_OPERATION_H
#define TUSK__IO_OPERATION_H

#include "io/descriptor.h"

enum tusk__operation_code {
    TUSK__OP_READ,
    TUSK__OP_WRITE,
    TUSK__OP_PREAD,
    TUSK__OP_PWRITE,
    TUSK__OP_RECV,
    TUSK__OP_SEND,
    TUSK__OP_RECVMSG,
    TUSK__OP_SENDMSG,
    TUSK__OP_ACCEPT,
};

struct tusk__operation {
    enum tusk__operation_code code;
    enum tusk__direction direction;
    /* Whose record the first call asks for; calls are made on the record's descriptor. */
    int fd;
    int flags;
    /* READ to PWRITE. */
    const struct iovec *buffers;
    int count;
    /* RECV and SEND. */
    void *buffer;
    size_t size;
    /* PREAD and PWRITE. */
    off_t offset;
    /* RECVMSG and SENDMSG. */
    struct msghdr *message;
    /* ACCEPT. */
    struct sockaddr *address;
    socklen_t *address_size;
};

/* What every public call begins with: the task that runs, its I/O, and its turn among others. Suspends rarely. */
struct tusk__call {
    struct tusk__task *task;
    struct tusk__io *io;
    struct tusk__descriptor *descriptor;
};

/* Fills it in. 0; TUSK_NOT_IN_TASK, -EBADF, -ECANCELED, -ENOMEM. */
int tusk__call_begin(struct tusk__call *call, int fd);

/* The same with the record that get gives. */
int tusk__call_begin_with(struct tusk__call *call, int fd,
                          int (*get)(struct tusk__io *io, int fd, struct tusk__descriptor **ret_descriptor));

/*
 * Lets others run if this task had its share. The call must have a reference to its descriptor:
 * -EBADF if it was closed meanwhile, or -ECANCELED.
 */
int tusk__call_breathe(const struct tusk__call *call);

/* Writes all of it: 0 or an error. Suspends. */
int tusk__call_write_all(const struct tusk__call *call, const void *data, size_t size);

/* Makes the system call, and waits as often as need be. Suspends. */
ssize_t tusk__operation_perform(const struct tusk__operation *operation);

/* The same in a call that has begun. */
ssize_t tusk__operation_perform_in(const struct tusk__call *call, const struct tusk__operation *operation);

/*
 * Makes the system call once if it may succeed: its result, or -EAGAIN. Remembers what
 * it learnt of the descriptor. Never for a file.
 */
ssize_t tusk__operation_try(struct tusk__descriptor *descriptor, const struct tusk__operation *operation);

/* Makes the call on a file: at once if what it wants is in memory, or in a thread. Suspends until that is done, also if it is cancelled. */
ssize_t tusk__file_perform(struct tusk__descriptor *descriptor, const struct tusk__operation *operation);

/* How many bytes the buffers have. */
static inline size_t tusk__total(const struct iovec *buffers, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += buffers[i].iov_len;
    return size;
}

/*
 * Sleeps because something that nothing tells of is full: a millisecond at first, then longer.
 * *delay: 0 before the first time. 0 or -ECANCELED.
 */
int tusk__nap(double *delay);

#endif
