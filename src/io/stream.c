/*
 * Streams: their life, and what their two sides have in common.
 */
#include "io/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

/* asyncio's: the limit of its reader, and the marks of its writer. */
enum { LIMIT = 65536, HIGH = 65536, LOW = 16384 };

/* ---- life ---- */

void tusk__stream_destroy(struct tusk_stream *stream)
{
    tusk__io_remove_closable(&stream->closable);
    tusk__bytes_close(stream->io, &stream->in);
    tusk__bytes_close(stream->io, &stream->out);
    tusk__free(stream);
}

static void close_channel(struct tusk_stream *stream)
{
    struct tusk__channel *channel = &stream->channel;

    stream->closed = true;
    tusk__channel_unlisten(channel, &stream->flusher);
    tusk__channel_unlisten(channel, &stream->reader_ear);
    tusk__channel_close(channel);
}

/* The loop closes: nobody will run who could use the stream. */
static void close_with_loop(struct tusk__closable *closable)
{
    struct tusk_stream *stream = container_of(closable, struct tusk_stream, closable);
    struct tusk_exception_context context = {.message = "A stream was never closed"};

    if (stream->io->loop->debug && !stream->closing)
        tusk__loop_report(stream->io->loop, &context);
    if (!stream->closed)
        close_channel(stream);
    tusk__stream_destroy(stream);
}

/* The task that waits to read goes on, if it has not been woken. */
static void wake_reader(struct tusk_stream *stream, int result)
{
    struct tusk__task *task = stream->reader;

    if (unlikely(!task))
        return;
    stream->reader = NULL;
    stream->reader_result = result;
    tusk__wake(task);
}

static void on_readable(struct tusk__io_waiter *ear, int rc)
{
    struct tusk_stream *stream = container_of(ear, struct tusk_stream, reader_ear.waiter);

    /* A descriptor that was closed by its number, under the stream. */
    if (unlikely(rc < 0 && !stream->closed))
        tusk__stream_lose(stream, rc);
    else
        wake_reader(stream, 0);
}

static void on_writable(struct tusk__io_waiter *flusher, int rc)
{
    struct tusk_stream *stream = container_of(flusher, struct tusk_stream, flusher.waiter);

    if (rc < 0)
        tusk__stream_lose(stream, rc);
    else
        tusk__stream_flush(stream);
}

/* Without memory the descriptor stays as it is. */
static struct tusk_stream *make(struct tusk__io *io, struct tusk__descriptor *descriptor, size_t limit)
{
    struct tusk_stream *stream = tusk__alloc(sizeof *stream);

    if (!stream)
        return tusk__fail(-ENOMEM);
    stream->io = io;
    tusk__row_init(&stream->turns);
    tusk__row_init(&stream->waiters);
    stream->references = 2;
    stream->limit = limit ? limit : LIMIT;
    stream->high = HIGH;
    stream->low = LOW;
    stream->flusher.waiter.ready = on_writable;
    stream->reader_ear.waiter.ready = on_readable;
    tusk__channel_open(&stream->channel, descriptor);
    tusk__io_add_closable(io, &stream->closable, close_with_loop);
    return stream;
}

struct tusk_stream *tusk__stream_new(struct tusk__io *io, struct tusk__descriptor *descriptor, size_t limit)
{
    int fd = descriptor->watch.fd;
    struct tusk_stream *stream = make(io, descriptor, limit);

    if (!stream) {
        tusk__descriptor_forget(descriptor);
        tusk__system_of(io->loop)->close(fd);
    }
    return stream;
}

/* Of sockets only those of bytes: an empty message is no end. */
static int check_kind(const struct tusk__descriptor *descriptor)
{
    int type = SOCK_STREAM;
    socklen_t size = sizeof type;

    if (descriptor->kind == TUSK__FD_FILE)
        return tusk_raise(-ENOTSUP, "a regular file is no stream: use tusk_read() and tusk_write()");
    if (descriptor->kind == TUSK__FD_MESSAGES)
        tusk_try(tusk__system_of(descriptor->io->loop)
                     ->getsockopt(descriptor->watch.fd, SOL_SOCKET, SO_TYPE, &type, &size));
    return type == SOCK_STREAM ? 0 : tusk_raise(-EINVAL, "a socket of messages is no stream");
}

/* As all connections here and in asyncio: what is written goes out now. On what has no such option it has no effect. */
static void send_at_once(const struct tusk__descriptor *descriptor)
{
    const int on = 1;

    if (descriptor->kind == TUSK__FD_STREAM && !descriptor->parcels)
        tusk__system_of(descriptor->io->loop)
            ->setsockopt(descriptor->watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int(tusk_open_stream)(int fd, tusk_stream **ret_stream, const struct tusk_stream_options *options)
{
    struct tusk__io *io;
    struct tusk__descriptor *descriptor;

    if (!ret_stream)
        return -EINVAL;
    if (!tusk__running_loop)
        return TUSK_NO_RUNNING_LOOP;
    io = tusk__io_get(tusk__running_loop);
    if (!io)
        return tusk_last_error();
    tusk_try(tusk__descriptor_get(io, fd, &descriptor));
    tusk_try(check_kind(descriptor));
    *ret_stream = make(io, descriptor, options ? options->limit : 0);
    if (!*ret_stream)
        return tusk_last_error();
    send_at_once(descriptor);
    return 0;
}

void tusk_stream_release(tusk_stream *stream)
{
    if (!stream)
        return;
    tusk_stream_close(stream);
    tusk__bytes_close(stream->io, &stream->in);
    tusk__stream_unref(stream);
}

/* ---- those who wait ---- */

/* A task that waits for a change of the stream. */
struct change {
    struct tusk__waiter waiter;
    struct tusk__place place;
    struct tusk_stream *stream;
};

/*
 * The task that waits for something to read. Most of what a waiter has stands in the stream here: whoever wakes the
 * task has that in the cache already, and not the task's stack.
 */
struct reading {
    struct tusk__wait wait;
    struct tusk_stream *stream;
};

static bool cancel_change(struct tusk__wait *wait, struct tusk__text *text)
{
    struct change *change = container_of(wait, struct change, waiter.wait);

    tusk__row_leave(&change->stream->waiters, &change->place);
    return tusk__waiter_cancel(wait, text);
}

static bool cancel_read(struct tusk__wait *wait, struct tusk__text *text)
{
    struct tusk_stream *stream = container_of(wait, struct reading, wait)->stream;

    if (!stream->reader)
        return false;
    tusk__channel_unlisten(&stream->channel, &stream->reader_ear);
    tusk__text_put(&stream->reader->future.text, tusk__text_retain(text));
    wake_reader(stream, -ECANCELED);
    return true;
}

static void describe(const struct tusk_stream *stream, const char *what, char *text, size_t size)
{
    if (stream->closed)
        snprintf(text, size, "a stream");
    else
        snprintf(text, size, "the stream on descriptor %d to %s", stream->channel.descriptor->watch.fd, what);
}

static void describe_change(const struct tusk__wait *wait, char *text, size_t size)
{
    describe(container_of(wait, struct change, waiter.wait)->stream, "take what was written", text, size);
}

static void describe_read(const struct tusk__wait *wait, char *text, size_t size)
{
    describe(container_of(wait, struct reading, wait)->stream, "bring something to read", text, size);
}

static const struct tusk__wait_kind change_kind = {.cancel = cancel_change, .describe = describe_change};
static const struct tusk__wait_kind read_kind = {.cancel = cancel_read, .describe = describe_read};

void tusk__stream_changed(struct tusk_stream *stream)
{
    struct tusk__place *place;

    while ((place = stream->waiters.first) != NULL) {
        tusk__row_leave(&stream->waiters, place);
        tusk__waiter_end(&container_of(place, struct change, place)->waiter, 0);
    }
    if (stream->owner_changed)
        stream->owner_changed(stream, stream->owner);
}

int tusk__stream_wait(struct tusk_stream *stream)
{
    struct change change;
    struct tusk__task *task = tusk__running_task();

    if (!task)
        return TUSK_NOT_IN_TASK;
    change.stream = stream;
    tusk__waiter_init(&change.waiter, task, &change_kind);
    tusk__row_append(&stream->waiters, &change.place);
    return tusk__waiter_wait(&change.waiter);
}

int tusk__stream_wait_readable(struct tusk_stream *stream, struct tusk__task *task)
{
    struct reading reading = {{&read_kind}, stream};

    tusk_try(tusk__channel_listen(&stream->channel, TUSK__READ, &stream->reader_ear));
    stream->reader = task;
    tusk__park(task, &reading.wait);
    return tusk__resumed(task, stream->reader_result);
}

/* ---- sending what is left over ---- */

int tusk__stream_check(const struct tusk_stream *stream)
{
    if (unlikely(stream->error < 0))
        return stream->error;
    return unlikely(stream->closing) ? TUSK_STREAM_CLOSED : 0;
}

/* The channel is closed, and everybody who waits told. */
static void finish(struct tusk_stream *stream, int error)
{
    if (stream->closed)
        return;
    stream->error = error;
    stream->closing = true;
    close_channel(stream);
    tusk__bytes_close(stream->io, &stream->out);
    wake_reader(stream, 0);
    tusk__stream_changed(stream);
    if (stream->closed_hook)
        stream->closed_hook(stream, stream->closed_arg);
    tusk__stream_unref(stream);
}

void tusk__stream_lose(struct tusk_stream *stream, int error)
{
    finish(stream, error);
}

void tusk__stream_fail_to_write(struct tusk_stream *stream, int error)
{
    if (!stream->closing && !stream->owner_changed)
        tusk__stream_save_input(stream);
    finish(stream, error);
}

bool tusk__stream_start_flusher(struct tusk_stream *stream)
{
    int rc = tusk__channel_listen(&stream->channel, TUSK__WRITE, &stream->flusher);

    if (rc < 0)
        tusk__stream_lose(stream, rc);
    return rc == 0;
}

/* Sends what is kept: 0 when all is sent, -EAGAIN, or an error. */
static int send_kept(struct tusk_stream *stream)
{
    while (tusk__bytes_size(&stream->out) > 0) {
        struct iovec rest = {(void *)tusk__bytes_first(&stream->out), tusk__bytes_size(&stream->out)};
        ssize_t rc = tusk__channel_write(&stream->channel, &rest, 1);

        if (rc < 0)
            return (int)rc;
        tusk__bytes_consume(&stream->out, (size_t)rc);
    }
    tusk__bytes_trim(stream->io, &stream->out);
    return 0;
}

/* Tells the peer that this was all, when those who wait for their turn have had it. */
static int send_eof(struct tusk_stream *stream)
{
    bool may = stream->eof_wanted && !stream->eof_sent && !stream->turns.first;
    int rc = may ? stream->channel.kind->shut_down(&stream->channel) : 0;

    if (rc == 0)
        stream->eof_sent = stream->eof_sent || may;
    return rc;
}

static int end_gracefully(struct tusk_stream *stream)
{
    return stream->closing && stream->channel.kind->finish ? stream->channel.kind->finish(&stream->channel)
                                                           : 0;
}

/* Whatever is to be done after what was written, as far as it goes. 0, -EAGAIN or an error. */
static int advance(struct tusk_stream *stream)
{
    int rc = send_kept(stream);

    if (rc == 0 && !stream->writing)
        rc = send_eof(stream);
    if (rc == 0 && !stream->writing)
        rc = end_gracefully(stream);
    return rc;
}

void tusk__stream_flush(struct tusk_stream *stream)
{
    int rc = advance(stream);
    bool is_over;

    if (rc == -EAGAIN) {
        if (tusk__stream_start_flusher(stream) && tusk__bytes_size(&stream->out) <= stream->low)
            tusk__stream_changed(stream);
        return;
    }
    /* A pipe has no half to close: its end is the end of all. */
    is_over = (rc == -ENOTSUP && stream->eof_wanted) || (rc == 0 && stream->closing && !stream->writing);
    if (is_over)
        finish(stream, 0);
    else if (rc < 0)
        tusk__stream_fail_to_write(stream, rc);
    else
        tusk__stream_changed(stream);
}

/* ---- ending ---- */

void tusk_stream_close(tusk_stream *stream)
{
    if (!stream || stream->closing)
        return;
    stream->closing = true;
    if (stream->reader) {
        tusk__channel_unlisten(&stream->channel, &stream->reader_ear);
        wake_reader(stream, TUSK_STREAM_CLOSED);
    }
    tusk__stream_changed(stream);
    tusk__stream_flush(stream);
}

/* Closing a socket with this resets the connection. */
static void reset_on_close(struct tusk_stream *stream)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    struct tusk__descriptor *descriptor = stream->channel.descriptor;

    if (tusk__channel_is_socket(&stream->channel) && !descriptor->closed)
        tusk__system_of(stream->io->loop)
            ->setsockopt(descriptor->watch.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

void tusk_stream_abort(tusk_stream *stream)
{
    if (!stream || stream->closed)
        return;
    reset_on_close(stream);
    finish(stream, stream->error);
}

bool tusk_stream_is_closing(const tusk_stream *stream)
{
    return !stream || stream->closing;
}

int tusk_stream_wait_closed(tusk_stream *stream)
{
    int rc = 0;

    if (!stream)
        return -EINVAL;
    if (!stream->closing)
        return tusk_raise(TUSK_INVALID_STATE, "wait_closed() of a stream that nobody has closed");
    tusk__stream_retain(stream);
    while (rc == 0 && !stream->closed)
        rc = tusk__stream_wait(stream);
    if (rc == 0)
        rc = stream->error;
    tusk__stream_unref(stream);
    return rc;
}

int tusk_stream_write_eof(tusk_stream *stream)
{
    if (!stream)
        return -EINVAL;
    tusk_try(tusk__stream_check(stream));
    if (!stream->channel.kind->shut_down)
        return tusk_raise(-ENOTSUP, "a stream with TLS cannot be half-closed");
    if (!stream->eof_wanted) {
        stream->eof_wanted = true;
        tusk__stream_flush(stream);
    }
    return stream->error;
}

bool tusk_stream_can_write_eof(const tusk_stream *stream)
{
    return stream && !stream->closing && stream->channel.kind->shut_down;
}
