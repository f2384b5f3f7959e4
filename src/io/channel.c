/*
 * The plain channel: bytes of a descriptor as they are.
 */
#include "io/channel.h"

#include "io/operation.h"
#include "io/sendfile.h"

static ssize_t perform(struct tusk__channel *channel, enum tusk__operation_code code,
                       const struct iovec *buffers, int count)
{
    const struct tusk__operation operation = {
        .code = code,
        .direction = code == TUSK__OP_READ ? TUSK__READ : TUSK__WRITE,
        .fd = channel->descriptor->watch.fd,
        .buffers = buffers,
        .count = count,
    };

    return tusk__operation_try(channel->descriptor, &operation);
}

static ssize_t plain_read(struct tusk__channel *channel, void *buffer, size_t size)
{
    struct tusk__descriptor *descriptor = channel->descriptor;
    ssize_t rc;

    /* Closed by its number: that may be somebody else's by now. */
    if (unlikely(descriptor->closed))
        return -EBADF;
    if (unlikely(descriptor->kind != TUSK__FD_STREAM || descriptor->parcels))
        return perform(channel, TUSK__OP_READ, &(struct iovec){buffer, size}, 1);
    if (!descriptor->directions[TUSK__READ].ready)
        return -EAGAIN;
    rc = tusk__system_of(descriptor->io->loop)->recv(descriptor->watch.fd, buffer, size, 0);
    tusk__descriptor_account(descriptor, TUSK__READ, rc, size);
    return rc;
}

static ssize_t plain_write(struct tusk__channel *channel, const struct iovec *data, int count)
{
    struct tusk__descriptor *descriptor = channel->descriptor;
    ssize_t rc;

    if (unlikely(descriptor->closed))
        return -EBADF;
    if (unlikely(descriptor->kind != TUSK__FD_STREAM || count != 1))
        return perform(channel, TUSK__OP_WRITE, data, count);
    if (!descriptor->directions[TUSK__WRITE].ready)
        return -EAGAIN;
    rc = tusk__system_of(descriptor->io->loop)->send(descriptor->watch.fd, data->iov_base, data->iov_len, 0);
    tusk__descriptor_account(descriptor, TUSK__WRITE, rc, data->iov_len);
    return rc;
}

static ssize_t plain_sendfile(struct tusk__channel *channel, int file, off_t *offset, size_t size)
{
    return channel->descriptor->closed ? -EBADF
                                       : tusk__descriptor_sendfile(channel->descriptor, file, offset, size);
}

/* Where the connection is lost there is nobody to be told; whoever reads learns why. */
static int plain_shut_down(struct tusk__channel *channel)
{
    struct tusk__descriptor *descriptor = channel->descriptor;
    int rc;

    if (descriptor->closed)
        return -EBADF;
    if (!tusk__channel_is_socket(channel))
        return -ENOTSUP;
    rc = tusk__system_of(descriptor->io->loop)->shutdown(descriptor->watch.fd, SHUT_WR);
    return rc == -ENOTCONN ? 0 : rc;
}

const struct tusk__channel_kind tusk__channel_plain = {
    .read = plain_read,
    .write = plain_write,
    .sendfile = plain_sendfile,
    .shut_down = plain_shut_down,
};

void tusk__channel_open(struct tusk__channel *channel, struct tusk__descriptor *descriptor)
{
    channel->kind = &tusk__channel_plain;
    channel->descriptor = tusk__descriptor_retain(descriptor);
    channel->wants[TUSK__READ] = TUSK__READ;
    channel->wants[TUSK__WRITE] = TUSK__WRITE;
    channel->state = NULL;
}

void tusk__channel_close(struct tusk__channel *channel)
{
    struct tusk__descriptor *descriptor = channel->descriptor;

    if (channel->kind->close)
        channel->kind->close(channel);
    channel->descriptor = NULL;
    tusk__descriptor_end(descriptor);
}
