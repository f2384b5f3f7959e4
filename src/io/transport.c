#include "io/transport.h"

#include <poll.h>

#include "base/error.h"
#include "base/mem.h"

/* What is read at once at most, and how often in a row before others have their turn: 256 KiB, as asyncio reads. */
enum { PORTION = 65536, ROUNDS = 4 };

_Static_assert((int)PORTION <= (int)TUSK__SCRATCH, "a portion fits the memory that is read into");

/* ---- the letter ---- */

static void schedule(struct tusk_transport *transport)
{
    if (transport->queued)
        return;
    transport->queued = true;
    tusk__loop_push(transport->stream->io->loop, &transport->letter.handle);
}

static void on_readable(struct tusk__io_waiter *ear, int rc)
{
    struct tusk_transport *transport = container_of(ear, struct tusk_transport, ear.waiter);

    if (rc < 0)
        tusk__stream_lose(transport->stream, rc);
    transport->readable = true;
    schedule(transport);
}

static void on_change(struct tusk_stream *stream, void *owner)
{
    struct tusk_transport *transport = owner;

    (void)stream;
    schedule(transport);
}

static void stop_listening(struct tusk_transport *transport)
{
    tusk__channel_unlisten(&transport->stream->channel, &transport->ear);
}

static void destroy(struct tusk_transport *transport)
{
    struct tusk_stream *stream = transport->stream;

    tusk__io_remove_closable(&transport->closable);
    tusk__cell_drop(transport->letter.handle.context);
    stream->owner_changed = NULL;
    tusk__free(transport);
    tusk_stream_release(stream);
}

/* ---- reading ---- */

static bool is_reading(const struct tusk_transport *transport)
{
    return !transport->paused_reading && !transport->stream->closing && !transport->stream->eof;
}

/* Waits for more. */
static void wait_for_more(struct tusk_transport *transport)
{
    int rc;

    if (!is_reading(transport))
        return;
    rc = tusk__channel_listen(&transport->stream->channel, TUSK__READ, &transport->ear);
    if (rc < 0)
        tusk__stream_lose(transport->stream, rc);
}

static void receive_eof(struct tusk_transport *transport)
{
    bool stays = false;

    transport->stream->eof = true;
    if (transport->protocol->eof_received)
        stays = transport->protocol->eof_received(transport->self);
    if (!stays)
        tusk_stream_close(transport->stream);
}

/* What can only be written has nothing to read but the news that its reader has gone, as in asyncio. */
static void look_for_reader(struct tusk_transport *transport)
{
    struct tusk_stream *stream = transport->stream;
    const struct tusk__system *system = tusk__system_of(stream->io->loop);
    int events = system->poll(stream->channel.descriptor->watch.fd, POLLOUT);

    transport->readable = false;
    if (events & (POLLERR | POLLHUP | POLLNVAL))
        tusk__stream_lose(stream, tusk__bytes_size(&stream->out) > 0 ? -EPIPE : 0);
}

/* What a read brought; false if nothing is to be expected now. */
static bool account(struct tusk_transport *transport, ssize_t count)
{
    if (count == -EAGAIN)
        transport->readable = false;
    else if (tusk__stream_is_misused(transport->stream, count))
        look_for_reader(transport);
    else if (count == 0)
        receive_eof(transport);
    else if (count < 0)
        tusk__stream_lose(transport->stream, (int)count);
    return count > 0;
}

/* Into memory of the protocol's. */
static bool read_buffered(struct tusk_transport *transport)
{
    size_t size = 0;
    void *buffer = transport->protocol->get_buffer(transport->self, PORTION, &size);
    ssize_t count;

    if (!buffer || size == 0) {
        tusk__stream_lose(transport->stream,
                          tusk_raise(-EINVAL, "get_buffer() of a protocol gave no memory"));
        return false;
    }
    if (!is_reading(transport))
        return false;
    count = tusk__channel_read(&transport->stream->channel, buffer, size);
    if (!account(transport, count))
        return false;
    if (transport->protocol->buffer_updated)
        transport->protocol->buffer_updated(transport->self, (size_t)count);
    return true;
}

static bool read_once(struct tusk_transport *transport, char *buffer)
{
    ssize_t count;

    if (transport->protocol->get_buffer)
        return read_buffered(transport);
    count = tusk__channel_read(&transport->stream->channel, buffer, PORTION);
    if (!account(transport, count))
        return false;
    if (transport->protocol->data_received)
        transport->protocol->data_received(transport->self, buffer, (size_t)count);
    return true;
}

/* Reads what is there, but not for ever; sees to it that what is left comes later. */
static void read_some(struct tusk_transport *transport)
{
    char *scratch = tusk__scratch(transport->stream->io);
    int rounds = 0;

    if (!scratch) {
        tusk__stream_lose(transport->stream, -ENOMEM);
        return;
    }
    while (rounds < ROUNDS && is_reading(transport) && transport->readable && read_once(transport, scratch))
        rounds++;
    if (!is_reading(transport))
        return;
    if (transport->readable)
        schedule(transport);
    else
        wait_for_more(transport);
}

/* ---- telling ---- */

static void tell_of_marks(struct tusk_transport *transport)
{
    size_t kept = tusk__bytes_size(&transport->stream->out);

    if (!transport->paused_writing && kept > transport->stream->high) {
        transport->paused_writing = true;
        if (transport->protocol->pause_writing)
            transport->protocol->pause_writing(transport->self);
    } else if (transport->paused_writing && kept <= transport->stream->low) {
        transport->paused_writing = false;
        if (transport->protocol->resume_writing)
            transport->protocol->resume_writing(transport->self);
    }
}

static void end(struct tusk_transport *transport)
{
    transport->queued = true;
    if (transport->protocol->connection_lost)
        transport->protocol->connection_lost(transport->self, transport->stream->error);
    transport->stream->io->loop->current = NULL;
    destroy(transport);
}

void tusk__transport_begin(struct tusk_transport *transport)
{
    transport->made = true;
    if (transport->protocol->connection_made)
        transport->protocol->connection_made(transport->self, transport);
}

static void open_letter(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk_transport *transport = container_of(letter, struct tusk_transport, letter);

    (void)loop;
    transport->queued = false;
    if (!transport->made)
        tusk__transport_begin(transport);
    if (transport->stream->error == 0)
        tell_of_marks(transport);
    if (is_reading(transport) && transport->readable)
        read_some(transport);
    if (transport->stream->closed && !transport->queued)
        end(transport);
}

/* ---- the loop closes: the stream goes by itself, and a letter in the queue after it ---- */

static void drop(struct tusk_transport *transport)
{
    tusk__cell_drop(transport->letter.handle.context);
    tusk__free(transport);
}

static void drop_letter(struct tusk__letter *letter)
{
    drop(container_of(letter, struct tusk_transport, letter));
}

static void close_with_loop(struct tusk__closable *closable)
{
    struct tusk_transport *transport = container_of(closable, struct tusk_transport, closable);

    /* The stream is older, so it is still there. */
    stop_listening(transport);
    if (!transport->queued)
        drop(transport);
}

/* ---- life ---- */

struct tusk_transport *tusk__transport_new(struct tusk_stream *stream, const struct tusk_protocol *protocol,
                                           void *self)
{
    struct tusk_transport *transport = tusk__alloc(sizeof *transport);

    if (!transport) {
        tusk_stream_release(stream);
        return tusk__fail(-ENOMEM);
    }
    transport->letter = (struct tusk__letter){
        {.run = tusk__letter_run, .context = tusk__cell_for(*tusk__current_cell(), NULL)},
        open_letter,
        drop_letter};
    transport->ear.waiter.ready = on_readable;
    transport->stream = stream;
    transport->protocol = protocol;
    transport->self = self;
    transport->readable = true;
    stream->owner_changed = on_change;
    stream->owner = transport;
    tusk__io_add_closable(stream->io, &transport->closable, close_with_loop);
    schedule(transport);
    return transport;
}

int tusk_open_transport(int fd, const struct tusk_protocol *protocol, void *self,
                        tusk_transport **ret_transport)
{
    tusk_stream *stream;
    tusk_transport *transport;

    if (!protocol)
        return -EINVAL;
    tusk_try(tusk_open_stream(fd, &stream));
    transport = tusk__transport_new(stream, protocol, self);
    if (!transport)
        return tusk_last_error();
    if (ret_transport)
        *ret_transport = transport;
    return 0;
}

/* ---- writing ---- */

int tusk_transport_writelines(tusk_transport *transport, const struct iovec *data, int count)
{
    int rc;

    if (!transport)
        return -EINVAL;
    rc = tusk__stream_post(transport->stream, data, count);
    if (rc == 0)
        tell_of_marks(transport);
    return rc;
}

int tusk_transport_write(tusk_transport *transport, const void *data, size_t size)
{
    struct iovec piece = {(void *)data, size};

    return tusk_transport_writelines(transport, &piece, 1);
}

int tusk_transport_write_eof(tusk_transport *transport)
{
    return transport ? tusk_stream_write_eof(transport->stream) : -EINVAL;
}

bool tusk_transport_can_write_eof(const tusk_transport *transport)
{
    return transport && tusk_stream_can_write_eof(transport->stream);
}

int tusk_transport_set_write_buffer_limits(tusk_transport *transport, size_t high, size_t low)
{
    if (!transport || low > high)
        return -EINVAL;
    tusk_try(tusk_stream_set_write_buffer_limits(transport->stream, high, low));
    tell_of_marks(transport);
    return 0;
}

size_t tusk_transport_get_write_buffer_size(const tusk_transport *transport)
{
    return transport ? tusk_stream_get_write_buffer_size(transport->stream) : 0;
}

/* ---- reading, ending, knowing ---- */

void tusk_transport_pause_reading(tusk_transport *transport)
{
    if (!transport || transport->paused_reading)
        return;
    transport->paused_reading = true;
    stop_listening(transport);
}

void tusk_transport_resume_reading(tusk_transport *transport)
{
    if (!transport || !transport->paused_reading)
        return;
    transport->paused_reading = false;
    /* It looks, which costs nothing if there is nothing. */
    transport->readable = true;
    schedule(transport);
}

bool tusk_transport_is_reading(const tusk_transport *transport)
{
    return transport && is_reading(transport);
}

void tusk_transport_close(tusk_transport *transport)
{
    if (!transport)
        return;
    stop_listening(transport);
    tusk_stream_close(transport->stream);
}

void tusk_transport_abort(tusk_transport *transport)
{
    if (!transport)
        return;
    /* There will be no room to tell of. */
    transport->paused_writing = false;
    tusk_stream_abort(transport->stream);
}

bool tusk_transport_is_closing(const tusk_transport *transport)
{
    return !transport || transport->stream->closing;
}

int tusk_transport_get_extra_info(const tusk_transport *transport, const char *name, void *ret_value,
                                  size_t *size)
{
    return transport ? tusk_stream_get_extra_info(transport->stream, name, ret_value, size) : -EINVAL;
}

int tusk_transport_set_protocol(tusk_transport *transport, const struct tusk_protocol *protocol, void *self)
{
    if (!transport || !protocol)
        return -EINVAL;
    transport->protocol = protocol;
    transport->self = self;
    return 0;
}

void *tusk_transport_get_protocol(const tusk_transport *transport)
{
    return transport ? transport->self : NULL;
}
