/*
 * Sending files. The system copies from file to socket where it can; it waits
 * for the disk then, in this thread, as every server does that uses it.
 */
#include "base/error.h"
#include "base/mem.h"
#include "io/operation.h"

/* At once; a cancel and other tasks get their turn in between. */
enum { PORTION = 1 << 20, BUFFER_SIZE = 1 << 16 };

struct sendfile {
    /* Of the descriptor that is written to. Both have a reference, for either may be closed meanwhile. */
    struct tusk__call call;
    struct tusk__descriptor *file;
    off_t offset;
    size_t count;
};

static ssize_t try_portion(const struct sendfile *sendfile, off_t *offset)
{
    struct tusk__descriptor *out = sendfile->call.descriptor;
    size_t portion = sendfile->count < PORTION ? sendfile->count : PORTION;
    ssize_t rc = -EAGAIN;

    if (out->directions[TUSK__WRITE].ready)
        rc = tusk__system_of(out->io->loop)->sendfile(out->fd, sendfile->file->fd, offset, portion);
    if (rc == -EAGAIN)
        tusk__descriptor_exhausted(out, TUSK__WRITE);
    return rc;
}

/* Sends a portion: how many bytes, 0 at the file's end, or a negative code. */
static ssize_t send_portion(struct sendfile *sendfile)
{
    ssize_t rc;

    while ((rc = try_portion(sendfile, &sendfile->offset)) == -EAGAIN) {
        tusk_try(tusk__descriptor_wait(sendfile->call.task, sendfile->call.descriptor, TUSK__WRITE));
        if (sendfile->file->closed)
            return -EBADF;
    }
    return rc;
}

static ssize_t copy_portion(struct sendfile *sendfile, char *buffer)
{
    struct iovec vector = {buffer, sendfile->count < BUFFER_SIZE ? sendfile->count : BUFFER_SIZE};
    struct tusk__operation operation = {
        .code = TUSK__OP_PREAD, .buffers = &vector, .count = 1, .offset = sendfile->offset};
    ssize_t count = tusk__file_perform(sendfile->file, &operation);

    if (count <= 0)
        return count;
    if (sendfile->call.descriptor->closed)
        return -EBADF;
    tusk_try(tusk__call_write_all(&sendfile->call, buffer, (size_t)count));
    if (sendfile->file->closed)
        return -EBADF;
    sendfile->offset += count;
    return count;
}

/* By way of memory, where the system cannot send from this to that. */
static int64_t copy(struct sendfile *sendfile)
{
    char *buffer = tusk__alloc(BUFFER_SIZE);
    int64_t total = 0;
    ssize_t rc = 0;

    if (!buffer)
        return -ENOMEM;
    while (sendfile->count > 0 && (rc = copy_portion(sendfile, buffer)) > 0) {
        total += rc;
        sendfile->count -= (size_t)rc;
    }
    tusk__free(buffer);
    return rc < 0 ? rc : total;
}

static int64_t send_all(struct sendfile *sendfile)
{
    int64_t total = 0;

    while (sendfile->count > 0) {
        ssize_t rc = send_portion(sendfile);

        if (rc == -ENOTSUP && total == 0)
            return copy(sendfile);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
        total += rc;
        sendfile->count -= (size_t)rc;
        tusk__io_charge(sendfile->call.io, (size_t)rc);
        tusk_try(tusk__call_breathe(&sendfile->call));
        if (sendfile->file->closed)
            return -EBADF;
    }
    return total;
}

/* What the system's sendfile would block on, or has to be written by threads. */
static bool must_be_copied(const struct tusk__descriptor *descriptor)
{
    return descriptor->kind == TUSK__FD_BLOCKING || descriptor->kind == TUSK__FD_FILE;
}

int64_t tusk_sendfile(int socket, int file, off_t offset, size_t count)
{
    struct sendfile sendfile = {.offset = offset, .count = count ? count : SIZE_MAX};
    int64_t rc;

    if (offset < 0)
        return -EINVAL;
    tusk_try(tusk__call_begin(&sendfile.call, socket));
    /* Alone of the calls on sockets this one has no flag against it. */
    tusk__system_ignore_sigpipe();
    tusk_try(tusk__descriptor_look(sendfile.call.io, file, &sendfile.file));
    tusk__descriptor_retain(sendfile.call.descriptor);
    tusk__descriptor_retain(sendfile.file);
    rc = must_be_copied(sendfile.call.descriptor) ? copy(&sendfile) : send_all(&sendfile);
    tusk__descriptor_let_go(sendfile.file);
    tusk__descriptor_release(sendfile.file);
    tusk__descriptor_release(sendfile.call.descriptor);
    return rc;
}
