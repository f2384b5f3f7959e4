/*
 * Sending files. The system copies from file to socket where it can; it waits
 * for the disk then, in this thread, as every server does that uses it.
 */
#include "io/sendfile.h"

#include "base/error.h"
#include "base/mem.h"
#include "io/operation.h"

/* At once; a cancel and other tasks get their turn in between. */
enum { PORTION = 1 << 20, BUFFER_SIZE = 1 << 16 };

/* ---- whatever to ---- */

static ssize_t copy_portion(struct tusk__sendfile *sendfile, char *buffer, size_t size)
{
    struct iovec vector = {buffer, size < BUFFER_SIZE ? size : BUFFER_SIZE};
    struct tusk__operation operation = {
        .code = TUSK__OP_PREAD, .buffers = &vector, .count = 1, .offset = sendfile->offset};
    ssize_t count = tusk__file_perform(sendfile->file, &operation);

    if (count <= 0)
        return count;
    tusk__io_charge(sendfile->io, (size_t)count);
    tusk_try(sendfile->target->breathe(sendfile));
    tusk_try(sendfile->target->write(sendfile, buffer, (size_t)count));
    sendfile->offset += count;
    return count;
}

static ssize_t send_portion(struct tusk__sendfile *sendfile, size_t size)
{
    ssize_t count = sendfile->target->send(sendfile, size < PORTION ? size : PORTION);

    if (count <= 0)
        return count;
    tusk__io_charge(sendfile->io, (size_t)count);
    tusk_try(sendfile->target->breathe(sendfile));
    return count;
}

/* By way of the buffer, if there is one. */
static int64_t send_all(struct tusk__sendfile *sendfile, size_t size, char *buffer)
{
    int64_t total = 0;

    while (size > 0) {
        ssize_t rc = buffer ? copy_portion(sendfile, buffer, size) : send_portion(sendfile, size);

        if (rc <= 0)
            return rc < 0 ? rc : total;
        total += rc;
        size -= (size_t)rc;
        tusk_try(tusk__sendfile_check(sendfile));
    }
    return total;
}

static int64_t send_or_copy(struct tusk__sendfile *sendfile, size_t size)
{
    off_t start = sendfile->offset;
    int64_t rc = send_all(sendfile, size, NULL);
    int64_t sent = sendfile->offset - start;
    char *buffer;

    if (rc != -ENOTSUP)
        return rc;
    buffer = tusk__alloc(BUFFER_SIZE);
    if (!buffer)
        return -ENOMEM;
    rc = send_all(sendfile, size - (size_t)sent, buffer);
    tusk__free(buffer);
    return rc < 0 ? rc : sent + rc;
}

int64_t tusk__sendfile(struct tusk__sendfile *sendfile, int file, off_t offset, size_t count)
{
    int64_t rc;

    /* Alone of the calls on sockets this one has no flag against it. */
    tusk__system_ignore_sigpipe();
    tusk_try(tusk__descriptor_look(sendfile->io, file, &sendfile->file));
    tusk__descriptor_retain(sendfile->file);
    sendfile->offset = offset;
    rc = send_or_copy(sendfile, count ? count : SIZE_MAX);
    tusk__descriptor_let_go(sendfile->file);
    tusk__descriptor_release(sendfile->file);
    return rc;
}

/* ---- to a descriptor ---- */

struct to_descriptor {
    struct tusk__sendfile sendfile;
    /* Of the descriptor that is written to, with a reference. */
    struct tusk__call call;
};

static struct to_descriptor *of(struct tusk__sendfile *sendfile)
{
    return container_of(sendfile, struct to_descriptor, sendfile);
}

ssize_t tusk__descriptor_sendfile(struct tusk__descriptor *out, int file, off_t *offset, size_t size)
{
    ssize_t rc = -EAGAIN;

    /* What the system's sendfile would block on, or has to be written by threads. */
    if (out->kind == TUSK__FD_BLOCKING || out->kind == TUSK__FD_FILE)
        return -ENOTSUP;
    if (out->directions[TUSK__WRITE].ready)
        rc = tusk__system_of(out->io->loop)->sendfile(out->fd, file, offset, size);
    if (rc == -EAGAIN)
        tusk__descriptor_exhausted(out, TUSK__WRITE);
    return rc;
}

static ssize_t send_to_descriptor(struct tusk__sendfile *sendfile, size_t size)
{
    const struct tusk__call *call = &of(sendfile)->call;
    ssize_t rc;

    while ((rc = tusk__descriptor_sendfile(call->descriptor, sendfile->file->fd, &sendfile->offset, size)) ==
           -EAGAIN) {
        tusk_try(tusk__descriptor_wait(call->task, call->descriptor, TUSK__WRITE));
        tusk_try(tusk__sendfile_check(sendfile));
    }
    return rc;
}

static int write_to_descriptor(struct tusk__sendfile *sendfile, const void *data, size_t size)
{
    const struct tusk__call *call = &of(sendfile)->call;

    return call->descriptor->closed ? -EBADF : tusk__call_write_all(call, data, size);
}

static int breathe(struct tusk__sendfile *sendfile)
{
    return tusk__call_breathe(&of(sendfile)->call);
}

static const struct tusk__sendfile_target descriptor_target = {
    .send = send_to_descriptor,
    .write = write_to_descriptor,
    .breathe = breathe,
};

int64_t tusk_sendfile(int socket, int file, off_t offset, size_t count)
{
    struct to_descriptor to = {.sendfile.target = &descriptor_target};
    int64_t rc;

    if (offset < 0)
        return -EINVAL;
    tusk_try(tusk__call_begin(&to.call, socket));
    to.sendfile.io = to.call.io;
    tusk__descriptor_retain(to.call.descriptor);
    rc = tusk__sendfile(&to.sendfile, file, offset, count);
    tusk__descriptor_release(to.call.descriptor);
    return rc;
}
