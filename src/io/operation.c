#include "io/operation.h"

#include <limits.h>
#include <poll.h>

#include "base/error.h"

#ifndef PIPE_BUF
enum { PIPE_BUF = 512 };
#endif

/* ---- what results mean ---- */

/* How many bytes a full success would give; 0 if less than that says nothing of what is left. */
static size_t asked(const struct tusk__operation *operation)
{
    if (operation->flags != 0)
        return 0;
    switch (operation->code) {
    case TUSK__OP_READ:
    case TUSK__OP_WRITE:
        return tusk__total(operation->buffers, (size_t)operation->count);
    case TUSK__OP_RECV:
    case TUSK__OP_SEND:
        return operation->size;
    case TUSK__OP_SENDMSG:
        return tusk__total(operation->message->msg_iov, (size_t)operation->message->msg_iovlen);
    default:
        return 0;
    }
}

/* Errors and urgent bytes wait in places of their own: that there are none says nothing of the data. */
static bool is_aside(const struct tusk__operation *operation)
{
    return operation->direction == TUSK__READ && (operation->flags & TUSK__MSG_ASIDE);
}

/* The message is for a Unix socket by name: what is full may be that one's queue, and not ours. */
static bool goes_to_unix(const struct tusk__operation *operation)
{
    const struct msghdr *message = operation->message;

    return operation->code == TUSK__OP_SENDMSG && message->msg_name && message->msg_namelen > 0 &&
           ((const struct sockaddr *)message->msg_name)->sa_family == AF_UNIX;
}

static int look(const struct tusk__descriptor *descriptor, int events)
{
    return tusk__system_of(descriptor->io->loop)->poll(descriptor->fd, events);
}

/* A call found nothing. */
static void account_nothing(struct tusk__descriptor *descriptor, const struct tusk__operation *operation)
{
    if (is_aside(operation))
        tusk__descriptor_expect(descriptor, TUSK__POLL_URGENT);
    else if (!goes_to_unix(operation) || !(look(descriptor, POLLOUT) & POLLOUT))
        tusk__descriptor_empty(descriptor, operation->direction);
}

/* A pipe with a name ends only when its last writer goes. Before the first one comes, it has not begun. */
static bool has_not_begun(const struct tusk__descriptor *descriptor, const struct tusk__operation *operation)
{
    return descriptor->kind == TUSK__FD_FIFO && operation->code == TUSK__OP_READ && asked(operation) > 0 &&
           look(descriptor, POLLIN) == 0;
}

/* Others have closed the number. (It is also what a read says where only writing is allowed.) */
static void account_closed(struct tusk__descriptor *descriptor)
{
    if (!descriptor->closed && tusk__system_of(descriptor->io->loop)->kind(descriptor->watch.fd) == -EBADF)
        tusk__descriptor_forget(descriptor);
}

/* What follows from a result that is not just what was asked for. Returns the result that the caller gets. */
static ssize_t account(struct tusk__descriptor *descriptor, const struct tusk__operation *operation,
                       ssize_t rc)
{
    if (rc > 0)
        tusk__descriptor_account(descriptor, operation->direction, rc, asked(operation));
    if (unlikely(rc == 0) && has_not_begun(descriptor, operation))
        rc = -EAGAIN;
    if (rc == -EAGAIN)
        account_nothing(descriptor, operation);
    if (unlikely(rc == -EBADF))
        account_closed(descriptor);
    return rc;
}

/* ---- calls ---- */

static bool is_socket(const struct tusk__descriptor *descriptor)
{
    return descriptor->kind == TUSK__FD_STREAM || descriptor->kind == TUSK__FD_MESSAGES;
}

/* Reads where reads stop at parcels, and tells from the message's flags whether this one did. */
static ssize_t read_parcels(const struct tusk__system *system, struct tusk__descriptor *descriptor,
                            const struct iovec *buffers, size_t count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)buffers,
                             .msg_iovlen = (__typeof__(message.msg_iovlen))count};
    ssize_t rc = system->recvmsg(descriptor->fd, &message, 0);

    if (rc > 0 && !(message.msg_flags & MSG_CTRUNC) && !descriptor->ended &&
        (size_t)rc < tusk__total(buffers, count))
        tusk__descriptor_exhausted(descriptor, TUSK__READ);
    return rc;
}

static ssize_t transfer_by_socket(const struct tusk__system *system, struct tusk__descriptor *descriptor,
                                  const struct tusk__operation *operation)
{
    struct msghdr message = {.msg_iov = (struct iovec *)operation->buffers,
                             .msg_iovlen = (__typeof__(message.msg_iovlen))operation->count};
    const struct iovec *first = operation->buffers;
    bool reads = operation->code == TUSK__OP_READ;

    if (reads && descriptor->parcels)
        return read_parcels(system, descriptor, operation->buffers, (size_t)operation->count);
    if (operation->count == 1)
        return reads ? system->recv(descriptor->fd, first->iov_base, first->iov_len, 0)
                     : system->send(descriptor->fd, first->iov_base, first->iov_len, 0);
    return reads ? system->recvmsg(descriptor->fd, &message, 0)
                 : system->sendmsg(descriptor->fd, &message, 0);
}

static ssize_t transfer(const struct tusk__system *system, struct tusk__descriptor *descriptor,
                        const struct tusk__operation *operation)
{
    if (is_socket(descriptor))
        return transfer_by_socket(system, descriptor, operation);
    return operation->code == TUSK__OP_READ
               ? system->readv(descriptor->fd, operation->buffers, operation->count)
               : system->writev(descriptor->fd, operation->buffers, operation->count);
}

static ssize_t receive(const struct tusk__system *system, struct tusk__descriptor *descriptor,
                       const struct tusk__operation *operation)
{
    if (descriptor->parcels && operation->flags == 0)
        return read_parcels(system, descriptor, &(struct iovec){operation->buffer, operation->size}, 1);
    return system->recv(descriptor->fd, operation->buffer, operation->size, operation->flags);
}

static ssize_t call(const struct tusk__system *system, struct tusk__descriptor *descriptor,
                    const struct tusk__operation *operation)
{
    int fd = descriptor->fd;

    switch (operation->code) {
    case TUSK__OP_RECV:
        return receive(system, descriptor, operation);
    case TUSK__OP_SEND:
        return system->send(fd, operation->buffer, operation->size, operation->flags);
    case TUSK__OP_RECVMSG:
        return system->recvmsg(fd, operation->message, operation->flags);
    case TUSK__OP_SENDMSG:
        return system->sendmsg(fd, operation->message, operation->flags);
    case TUSK__OP_ACCEPT:
        return system->accept(fd, operation->address, operation->address_size);
    default:
        return transfer(system, descriptor, operation);
    }
}

/* ---- descriptors in blocking mode ---- */

/* The first buffer that is not empty, and no more of it than a pipe takes at once. */
static struct iovec first_portion(const struct tusk__operation *operation)
{
    const struct iovec *buffers = operation->buffers;
    int count = operation->count;

    while (count > 1 && buffers->iov_len == 0) {
        buffers++;
        count--;
    }
    return (struct iovec){buffers->iov_base, buffers->iov_len < PIPE_BUF ? buffers->iov_len : PIPE_BUF};
}

/*
 * First a look whether the call would block. A pipe that is writable takes PIPE_BUF bytes without
 * blocking, and need not take more.
 */
static ssize_t look_and_call(const struct tusk__system *system, struct tusk__descriptor *descriptor,
                             const struct tusk__operation *operation)
{
    struct tusk__operation portion = *operation;
    struct iovec first;
    int rc = look(descriptor, operation->direction == TUSK__READ ? POLLIN : POLLOUT);

    if (rc <= 0)
        return rc < 0 ? rc : -EAGAIN;
    if (operation->code == TUSK__OP_WRITE && operation->count > 0) {
        first = first_portion(operation);
        portion.buffers = &first;
        portion.count = 1;
    }
    return transfer(system, descriptor, &portion);
}

/* Asks the system not to block in this one call, where it can do that. Else others may come between look and call. */
static ssize_t call_carefully(const struct tusk__system *system, struct tusk__descriptor *descriptor,
                              const struct tusk__operation *operation)
{
    ssize_t rc = operation->code == TUSK__OP_READ
                     ? system->readv_now(descriptor->fd, operation->buffers, operation->count, -1)
                     : system->writev_now(descriptor->fd, operation->buffers, operation->count, -1);

    return rc == -ENOTSUP ? look_and_call(system, descriptor, operation) : rc;
}

/* ---- trying and waiting ---- */

/* A call that asks for no bytes says what it says: it need not wait for some. */
static bool tries_anyway(const struct tusk__operation *operation)
{
    return is_aside(operation) ||
           ((operation->code == TUSK__OP_READ || operation->code == TUSK__OP_WRITE) && asked(operation) == 0);
}

ssize_t tusk__operation_try(struct tusk__descriptor *descriptor, const struct tusk__operation *operation)
{
    const struct tusk__system *system = tusk__system_of(descriptor->io->loop);
    ssize_t rc;

    if (!descriptor->directions[operation->direction].ready && likely(!tries_anyway(operation)))
        return -EAGAIN;
    if (unlikely(descriptor->kind == TUSK__FD_BLOCKING) && operation->code <= TUSK__OP_WRITE)
        rc = call_carefully(system, descriptor, operation);
    else
        rc = call(system, descriptor, operation);
    return account(descriptor, operation, rc);
}

int tusk__nap(double *delay)
{
    *delay = *delay == 0 ? 0.001 : *delay < 0.05 ? *delay * 2 : *delay;
    return tusk_sleep(*delay);
}

/*
 * Waits until the call is worth another try. It found no room, and yet the descriptor is
 * writable: then the queue of another Unix socket is full, and nothing tells when it is not.
 */
static int wait_for_try(const struct tusk__call *call, const struct tusk__operation *operation, double *delay)
{
    struct tusk__descriptor *descriptor = call->descriptor;
    int rc;

    if (likely(operation->direction == TUSK__READ || !descriptor->directions[TUSK__WRITE].ready))
        return tusk__descriptor_wait(call->task, descriptor, operation->direction);
    tusk__descriptor_retain(descriptor);
    rc = tusk__nap(delay);
    if (rc == 0 && descriptor->closed)
        rc = -EBADF;
    tusk__descriptor_release(descriptor);
    return rc;
}

static ssize_t wait_and_try(const struct tusk__call *call, const struct tusk__operation *operation)
{
    double delay = 0;
    ssize_t rc;

    do {
        rc = wait_for_try(call, operation, &delay);
        if (unlikely(rc == -EPERM)) {
            /* A device that is always ready, or never says so. */
            call->descriptor->kind = TUSK__FD_FILE;
            return tusk__file_perform(call->descriptor, operation);
        }
        if (rc == 0)
            rc = tusk__operation_try(call->descriptor, operation);
    } while (rc == -EAGAIN);
    return rc;
}

/* Only files have places; what has none says so. */
static bool is_for_files(const struct tusk__descriptor *descriptor, const struct tusk__operation *operation)
{
    return descriptor->kind == TUSK__FD_FILE || operation->code == TUSK__OP_PREAD ||
           operation->code == TUSK__OP_PWRITE;
}

static ssize_t try_and_wait(const struct tusk__call *call, const struct tusk__operation *operation)
{
    ssize_t rc = tusk__operation_try(call->descriptor, operation);

    return rc == -EAGAIN && likely(!(operation->flags & MSG_DONTWAIT)) ? wait_and_try(call, operation) : rc;
}

ssize_t tusk__operation_perform_in(const struct tusk__call *call, const struct tusk__operation *operation)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): a call that did not begin does not get here. */
    ssize_t rc = unlikely(is_for_files(call->descriptor, operation))
                     ? tusk__file_perform(call->descriptor, operation)
                     : try_and_wait(call, operation);

    if (rc > 0 && operation->code != TUSK__OP_ACCEPT)
        tusk__io_charge(call->io, (size_t)rc);
    return rc;
}

ssize_t tusk__operation_perform(const struct tusk__operation *operation)
{
    struct tusk__call call;
    int rc = tusk__call_begin(&call, operation->fd);

    return unlikely(rc < 0) ? rc : tusk__operation_perform_in(&call, operation);
}

/* ---- beginning ---- */

static int let_others_run(const struct tusk__call *call)
{
    tusk_try(tusk_sleep(0));
    return call->descriptor->closed ? -EBADF : 0;
}

int tusk__call_breathe(const struct tusk__call *call)
{
    return likely(!tusk__io_over_budget(call->io)) ? 0 : let_others_run(call);
}

TUSK__ALWAYS_INLINE int begin(struct tusk__call *call, int fd,
                              int (*get)(struct tusk__io *io, int fd,
                                         struct tusk__descriptor **ret_descriptor))
{
    int rc;

    call->task = tusk__running_task();
    if (unlikely(!call->task))
        return TUSK_NOT_IN_TASK;
    call->io = tusk__io_get(call->task->future.loop);
    if (unlikely(!call->io))
        return tusk_last_error();
    rc = get(call->io, fd, &call->descriptor);
    if (unlikely(rc < 0))
        return rc;
    if (likely(!tusk__io_over_budget(call->io)))
        return 0;
    tusk__descriptor_retain(call->descriptor);
    rc = let_others_run(call);
    tusk__descriptor_release(call->descriptor);
    return rc;
}

int tusk__call_begin(struct tusk__call *call, int fd)
{
    return begin(call, fd, tusk__descriptor_get);
}

int tusk__call_begin_with(struct tusk__call *call, int fd,
                          int (*get)(struct tusk__io *io, int fd, struct tusk__descriptor **ret_descriptor))
{
    return begin(call, fd, get);
}
