/*
 * Streams: sending files. It is a large write whose data comes from elsewhere: it has its turn among the writers,
 * and keeps it to its end.
 */
#include <poll.h>

#include "base/error.h"
#include "io/sendfile.h"
#include "io/stream.h"

struct to_stream {
    struct tusk__sendfile sendfile;
    struct tusk_stream *stream;
};

static struct tusk_stream *stream_of(struct tusk__sendfile *sendfile)
{
    return container_of(sendfile, struct to_stream, sendfile)->stream;
}

/*
 * The system does not say whose error it is, the file's or the connection's; but a connection that was lost has hung
 * up. One with TLS has broken off in the middle of a record.
 */
static bool is_lost(const struct tusk_stream *stream)
{
    const struct tusk__channel *channel = &stream->channel;

    return channel->kind != &tusk__channel_plain || channel->descriptor->closed ||
           (tusk__system_of(stream->io->loop)->poll(channel->descriptor->watch.fd, POLLOUT) &
            (POLLERR | POLLHUP | POLLNVAL));
}

static ssize_t send_to_stream(struct tusk__sendfile *sendfile, size_t size)
{
    struct tusk_stream *stream = stream_of(sendfile);
    struct tusk__channel *channel = &stream->channel;
    ssize_t rc;

    if (!channel->kind->sendfile)
        return -ENOTSUP;
    while ((rc = channel->kind->sendfile(channel, sendfile->file->fd, &sendfile->offset, size)) == -EAGAIN) {
        tusk_try(tusk__stream_wait_for_room(stream));
        tusk_try(tusk__sendfile_check(sendfile));
    }
    if (rc < 0 && rc != -ENOTSUP && is_lost(stream))
        tusk__stream_fail_to_write(stream, (int)rc);
    return rc;
}

static int write_to_stream(struct tusk__sendfile *sendfile, const void *data, size_t size)
{
    struct tusk_stream *stream = stream_of(sendfile);

    tusk_try(tusk__stream_check(stream));
    return tusk__stream_send_in_turn(stream, data, size);
}

static int breathe(struct tusk__sendfile *sendfile)
{
    struct tusk_stream *stream = stream_of(sendfile);

    if (unlikely(tusk__io_over_budget(stream->io)))
        tusk_try(tusk_sleep(0));
    return tusk__stream_check(stream);
}

static const struct tusk__sendfile_target stream_target = {
    .send = send_to_stream,
    .write = write_to_stream,
    .breathe = breathe,
};

int64_t tusk_stream_sendfile(tusk_stream *stream, int file, off_t offset, size_t count)
{
    struct to_stream to = {.sendfile.target = &stream_target, .stream = stream};
    int64_t rc;

    if (!stream || offset < 0)
        return -EINVAL;
    tusk_try(tusk__stream_check_writable(stream));
    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    to.sendfile.io = stream->io;
    tusk__stream_retain(stream);
    rc = tusk__stream_begin_turn(stream);
    if (rc == 0) {
        rc = tusk__sendfile(&to.sendfile, file, offset, count);
        tusk__stream_end_turn(stream);
    }
    tusk__stream_unref(stream);
    return rc;
}
