/*
 * Regular files: nothing tells when a disk is ready. What is in memory is read at once; everything
 * else is done by the poller if it can, or in threads.
 *
 * The buffer is the caller's, often on its stack, so a cancel waits until nobody uses it any more:
 * a file ends its calls by itself, in a while. Nor may the number become another file's meanwhile: see
 * TUSK__CLOSING.
 *
 * With 16 tasks that read 4 KiB each which are not in memory, the poller takes 9 us of the processor for
 * a read and threads 17; for what is appended 2.3 and 4.7. But a poller does not take the lock of the
 * file's position, which only a system call does: two that read or write where the file is, perhaps in
 * two processes, could get or overwrite the same bytes. So these go to threads.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/error.h"
#include "io/operation.h"
#include "os/executor.h"

/*
 * As many calls on files as one disk does at once without getting slower. A thread costs 10 us or so;
 * from some size on the copying takes longer than that, and the loop has better things to do.
 */
enum { FILE_THREADS = 4, AT_ONCE_MAX = 1 << 18 };

struct file_call {
    const struct tusk__operation *operation;
    int fd;
    const atomic_bool *closed;
    ssize_t result;
};

/* ---- at once ---- */

struct reading {
    int fd;
    struct iovec rest;
    /* -1: where the file is. */
    off_t offset;
    size_t done;
};

/* Reads what is in memory. 0: that was all there is, or all that was wanted; -EAGAIN: there may be more; or an error. */
static ssize_t read_at_once(struct reading *reading)
{
    ssize_t rc = 0;

    while (reading->rest.iov_len > 0 &&
           (rc = tusk__system_real.readv_now(reading->fd, &reading->rest, 1, reading->offset)) > 0) {
        reading->rest.iov_base = (char *)reading->rest.iov_base + rc;
        reading->rest.iov_len -= (size_t)rc;
        reading->offset += reading->offset >= 0 ? rc : 0;
        reading->done += (size_t)rc;
    }
    if (rc == -ENOTSUP)
        return -EAGAIN;
    return rc > 0 ? 0 : rc;
}

static bool may_be_at_once(const struct tusk__operation *operation)
{
    return (operation->code == TUSK__OP_READ || operation->code == TUSK__OP_PREAD) && operation->count == 1 &&
           operation->buffers->iov_len > 0 && operation->buffers->iov_len <= AT_ONCE_MAX;
}

/* ---- in a thread ---- */

static ssize_t call(const struct tusk__operation *operation, int fd)
{
    const struct tusk__system *system = &tusk__system_real;
    const struct iovec *first = operation->buffers;

    switch (operation->code) {
    case TUSK__OP_READ:
        return system->readv(fd, operation->buffers, operation->count);
    case TUSK__OP_WRITE:
        return system->writev(fd, operation->buffers, operation->count);
    case TUSK__OP_PREAD:
        return system->pread(fd, first->iov_base, first->iov_len, operation->offset);
    default:
        return system->pwrite(fd, first->iov_base, first->iov_len, operation->offset);
    }
}

static int run(void *arg)
{
    struct file_call *file_call = arg;

    file_call->result = atomic_load(file_call->closed) ? -EBADF : call(file_call->operation, file_call->fd);
    return 0;
}

static int start(struct tusk__io *io, struct file_call *file_call, tusk_future **ret_future)
{
    if (!io->files)
        io->files = tusk_thread_pool_executor_create(FILE_THREADS);
    if (!io->files)
        return tusk_last_error();
    *ret_future = tusk_run_in_executor(io->files, run, file_call);
    return *ret_future ? 0 : tusk_last_error();
}

static ssize_t perform_in_thread(struct tusk__descriptor *descriptor, const struct tusk__operation *operation)
{
    struct file_call file_call = {
        .operation = operation, .fd = descriptor->fd, .closed = &descriptor->closed_for_threads};
    tusk_future *future = NULL;
    bool cancelled;
    int rc;

    tusk_try(start(descriptor->io, &file_call, &future));
    tusk__descriptor_retain(descriptor);
    descriptor->calls++;
    cancelled = tusk__outwait(future);
    rc = tusk_await(future);
    tusk__descriptor_call_ended(descriptor);
    tusk__descriptor_release(descriptor);
    if (rc < 0)
        return rc;
    return cancelled ? -ECANCELED : file_call.result;
}

/* ---- by the poller ---- */

struct file_wait {
    struct tusk__waiter waiter;
    struct tusk__request request;
    struct tusk__descriptor *descriptor;
    ssize_t result;
    bool cancelled;
};

/* It goes on waiting: the buffer is in use. */
static bool cancel(struct tusk__wait *wait, struct tusk__text *text)
{
    struct file_wait *file_wait = container_of(wait, struct file_wait, waiter.wait);
    struct tusk__poller *poller = &file_wait->descriptor->io->loop->poller;

    if (file_wait->waiter.over)
        return false;
    tusk__text_put(&file_wait->waiter.task->future.text, tusk__text_retain(text));
    if (!file_wait->cancelled)
        poller->backend->withdraw(poller, &file_wait->request);
    file_wait->cancelled = true;
    return true;
}

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    const struct file_wait *file_wait = container_of(wait, struct file_wait, waiter.wait);

    snprintf(text, size, "the file of descriptor %d to be %s", file_wait->descriptor->watch.fd,
             file_wait->request.code == TUSK__REQUEST_READ ? "read" : "written");
}

static const struct tusk__wait_kind kind = {.cancel = cancel, .describe = describe};

static void finish(struct tusk__request *request, ssize_t result)
{
    struct file_wait *file_wait = container_of(request, struct file_wait, request);

    file_wait->result = result;
    atomic_fetch_sub(&file_wait->descriptor->io->loop->external, 1);
    tusk__waiter_end(&file_wait->waiter, 0);
}

/* What is appended goes to the file's end, wherever it is. */
static bool appends(const struct tusk__descriptor *descriptor, const struct tusk__operation *operation)
{
    return operation->code == TUSK__OP_WRITE && (fcntl(descriptor->fd, F_GETFL) & O_APPEND);
}

static bool may_be_by_poller(const struct tusk__descriptor *descriptor,
                             const struct tusk__operation *operation)
{
    if (!descriptor->io->loop->poller.backend->submit || descriptor->kind != TUSK__FD_FILE)
        return false;
    return operation->code == TUSK__OP_PREAD || operation->code == TUSK__OP_PWRITE ||
           appends(descriptor, operation);
}

static struct tusk__request request_of(const struct tusk__descriptor *descriptor,
                                       const struct tusk__operation *operation)
{
    return (struct tusk__request){
        .code = operation->code == TUSK__OP_PREAD ? TUSK__REQUEST_READ : TUSK__REQUEST_WRITE,
        .fd = descriptor->fd,
        .buffers = operation->buffers,
        .count = operation->count,
        .offset = operation->code == TUSK__OP_WRITE ? -1 : operation->offset,
        .done = finish,
    };
}

/* Returns what became of it, and whether the poller took it. */
static bool perform_by_poller(struct tusk__descriptor *descriptor, const struct tusk__operation *operation,
                              ssize_t *ret_result)
{
    struct tusk_loop *loop = descriptor->io->loop;
    struct file_wait wait = {.descriptor = descriptor, .request = request_of(descriptor, operation)};

    tusk__waiter_init(&wait.waiter, tusk__running_task(), &kind);
    if (loop->poller.backend->submit(&loop->poller, &wait.request) < 0)
        return false;
    atomic_fetch_add(&loop->external, 1);
    tusk__descriptor_retain(descriptor);
    descriptor->calls++;
    *ret_result = tusk__waiter_wait(&wait.waiter);
    if (*ret_result == 0)
        *ret_result = wait.cancelled ? -ECANCELED : wait.result;
    tusk__descriptor_call_ended(descriptor);
    tusk__descriptor_release(descriptor);
    return true;
}

static ssize_t perform_outside(struct tusk__descriptor *descriptor, const struct tusk__operation *operation)
{
    ssize_t result;

    if (may_be_by_poller(descriptor, operation) && perform_by_poller(descriptor, operation, &result))
        return result;
    return perform_in_thread(descriptor, operation);
}

ssize_t tusk__file_perform(struct tusk__descriptor *descriptor, const struct tusk__operation *operation)
{
    struct tusk__operation rest = *operation;
    struct reading reading;
    ssize_t rc;

    if (operation->code > TUSK__OP_PWRITE)
        return -ENOTSOCK;
    if (!may_be_at_once(operation))
        return perform_outside(descriptor, operation);
    reading = (struct reading){.fd = descriptor->fd,
                               .rest = *operation->buffers,
                               .offset = operation->code == TUSK__OP_PREAD ? operation->offset : -1};
    rc = read_at_once(&reading);
    if (rc == -EAGAIN) {
        rest.buffers = &reading.rest;
        rest.offset = reading.offset;
        rc = perform_outside(descriptor, &rest);
        if (rc == -ECANCELED)
            return rc;
    }
    if (reading.done == 0)
        return rc;
    return (ssize_t)reading.done + (rc > 0 ? rc : 0);
}
