/*
 * Datagram transports. As transport.c: whatever is to be told goes by way of a letter, since
 * the poller must not run code of the user.
 */
#include <tusk/datagram.h>

#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "io/bytes.h"
#include "io/channel.h"

/*
 * asyncio's marks; what a message counts for beside its bytes, so that empty ones count too; and how
 * many are received in a row.
 */
enum { HIGH = 65536, LOW = 16384, HEADER = 8, ROUNDS = 16 };

/* How long to wait when something that nothing tells of is full: from a millisecond to 50. */
enum { SHORTEST_NAP = 1000000, LONGEST_NAP = 50000000 };

/* A message that waits for room. */
struct message {
    struct message *next;
    size_t size;
    struct sockaddr_storage address;
    /* 0: to the only peer. */
    socklen_t length;
    char data[];
};

struct tusk_datagram_transport {
    struct tusk__closable closable;
    struct tusk__letter letter;
    struct tusk__io *io;
    /* With a reference; NULL once it is closed. */
    struct tusk__descriptor *descriptor;
    struct tusk__io_waiter reader;
    struct tusk__io_waiter writer;
    /* Tries again where no poller would tell: see wait_for_room. */
    struct tusk__timer timer;
    int64_t nap;
    const struct tusk_datagram_protocol *protocol;
    void *self;
    struct message *first;
    struct message **end;
    size_t unsent;
    int error;
    bool queued;
    bool made;
    bool readable;
    bool closing;
    bool paused;
    /* The timer runs, or has run out and stands in the ready queue. */
    bool napping;
};

static void schedule(struct tusk_datagram_transport *transport)
{
    if (transport->queued)
        return;
    transport->queued = true;
    tusk__loop_push(transport->io->loop, &transport->letter.handle);
}

/* ---- ending ---- */

static void drop_messages(struct tusk_datagram_transport *transport)
{
    while (transport->first) {
        struct message *message = transport->first;

        transport->first = message->next;
        tusk__free(message);
    }
    transport->end = &transport->first;
    transport->unsent = 0;
}

static void stop_timer(struct tusk_datagram_transport *transport)
{
    struct tusk_loop *loop = transport->io->loop;

    if (!transport->napping)
        return;
    transport->napping = false;
    if (tusk__timer_pending(&transport->timer))
        tusk__wheel_remove(&loop->wheel, &transport->timer);
    else
        tusk__loop_orphan(loop, &transport->timer.handle);
}

/* Closes the descriptor; connection_lost follows. */
static void finish(struct tusk_datagram_transport *transport, int error)
{
    struct tusk__descriptor *descriptor = transport->descriptor;

    transport->closing = true;
    if (!descriptor)
        return;
    transport->descriptor = NULL;
    transport->error = error;
    tusk__descriptor_unlisten(descriptor, TUSK__READ, &transport->reader);
    tusk__descriptor_unlisten(descriptor, TUSK__WRITE, &transport->writer);
    stop_timer(transport);
    drop_messages(transport);
    tusk__descriptor_end(descriptor);
    schedule(transport);
}

static void destroy(struct tusk_datagram_transport *transport)
{
    tusk__io_remove_closable(&transport->closable);
    tusk__cell_drop(transport->letter.handle.context);
    tusk__free(transport);
}

/* ---- sending ---- */

static ssize_t send_one(struct tusk_datagram_transport *transport, const void *data, size_t size,
                        const struct sockaddr *address, socklen_t length)
{
    struct iovec piece = {(void *)data, size};
    struct msghdr message = {
        .msg_name = (void *)address, .msg_namelen = length, .msg_iov = &piece, .msg_iovlen = 1};
    struct tusk__descriptor *descriptor = transport->descriptor;
    ssize_t rc;

    if (descriptor->closed)
        return -EBADF;
    if (!descriptor->directions[TUSK__WRITE].ready)
        return -EAGAIN;
    rc = tusk__system_of(transport->io->loop)->sendmsg(descriptor->watch.fd, &message, 0);
    /* A queue that is full says so in one of two ways. */
    if (rc == -ENOBUFS)
        rc = -EAGAIN;
    tusk__descriptor_account(descriptor, TUSK__WRITE, rc, 0);
    return rc;
}

static void take_first(struct tusk_datagram_transport *transport)
{
    struct message *message = transport->first;

    transport->first = message->next;
    if (!transport->first)
        transport->end = &transport->first;
    transport->unsent -= message->size + HEADER;
    tusk__free(message);
}

static void on_nap_over(struct tusk__handle *handle);

/*
 * It found no room, and yet the socket is writable: then the queue of another Unix socket is full, or that of a
 * device, and perhaps nothing tells when it is not.
 */
static void nap(struct tusk_datagram_transport *transport)
{
    struct tusk_loop *loop = transport->io->loop;

    if (transport->napping)
        return;
    if (transport->nap == 0)
        transport->nap = SHORTEST_NAP;
    else if (transport->nap < LONGEST_NAP)
        transport->nap *= 2;
    transport->napping = true;
    transport->timer.handle.run = on_nap_over;
    transport->timer.handle.context = TUSK__LIGHT;
    tusk__loop_add_timer(loop, &transport->timer, tusk__loop_clock(loop) + transport->nap);
}

static void wait_for_room(struct tusk_datagram_transport *transport)
{
    struct tusk__descriptor *descriptor = transport->descriptor;
    int rc = 0;

    if (tusk__system_of(transport->io->loop)->poll(descriptor->watch.fd, POLLOUT) & POLLOUT)
        nap(transport);
    if (!transport->writer.from)
        rc = tusk__descriptor_listen(descriptor, TUSK__WRITE, &transport->writer);
    if (rc < 0)
        finish(transport, rc);
}

/* Sends what waits. An error is the message's own; it is told, and the next one has its turn. */
static void flush(struct tusk_datagram_transport *transport)
{
    while (transport->first) {
        struct message *message = transport->first;
        const struct sockaddr *address = message->length ? (const struct sockaddr *)&message->address : NULL;
        ssize_t rc = send_one(transport, message->data, message->size, address, message->length);

        if (rc == -EAGAIN) {
            wait_for_room(transport);
            return;
        }
        transport->nap = 0;
        take_first(transport);
        if (rc < 0)
            transport->error = (int)rc;
    }
    if (transport->closing)
        finish(transport, 0);
}

static void on_nap_over(struct tusk__handle *handle)
{
    struct tusk_datagram_transport *transport =
        container_of(handle, struct tusk_datagram_transport, timer.handle);

    transport->napping = false;
    transport->descriptor->directions[TUSK__WRITE].ready = true;
    flush(transport);
    schedule(transport);
}

static void on_writable(struct tusk__io_waiter *waiter, int rc)
{
    struct tusk_datagram_transport *transport = container_of(waiter, struct tusk_datagram_transport, writer);

    if (rc < 0)
        finish(transport, rc);
    else
        flush(transport);
    schedule(transport);
}

static int keep(struct tusk_datagram_transport *transport, const void *data, size_t size,
                const struct sockaddr *address, socklen_t length)
{
    struct message *message = tusk__alloc(sizeof *message + size);

    if (!message)
        return -ENOMEM;
    message->size = size;
    message->length = length;
    if (length > 0)
        memcpy(&message->address, address, length);
    if (size > 0)
        memcpy(message->data, data, size);
    *transport->end = message;
    transport->end = &message->next;
    transport->unsent += size + HEADER;
    flush(transport);
    return 0;
}

static void tell_of_marks(struct tusk_datagram_transport *transport)
{
    if (!transport->paused && transport->unsent > HIGH) {
        transport->paused = true;
        if (transport->protocol->pause_writing)
            transport->protocol->pause_writing(transport->self);
    } else if (transport->paused && transport->unsent <= LOW) {
        transport->paused = false;
        if (transport->protocol->resume_writing)
            transport->protocol->resume_writing(transport->self);
    }
}

static void tell_error(struct tusk_datagram_transport *transport, int error)
{
    if (error < 0 && transport->protocol->error_received)
        transport->protocol->error_received(transport->self, error);
}

int tusk_datagram_transport_sendto(tusk_datagram_transport *transport, const void *data, size_t size,
                                   const struct sockaddr *address, socklen_t length)
{
    ssize_t rc = -EAGAIN;

    if (!transport || (!data && size > 0) || (!address && length > 0) ||
        length > sizeof(struct sockaddr_storage))
        return -EINVAL;
    if (!address)
        length = 0;
    if (transport->closing)
        return TUSK_STREAM_CLOSED;
    if (!transport->first)
        rc = send_one(transport, data, size, address, length);
    if (rc == -EAGAIN) {
        tusk_try(keep(transport, data, size, address, length));
        tell_of_marks(transport);
        return 0;
    }
    if (rc == -EDESTADDRREQ || rc == -ENOTCONN)
        return tusk_raise(-EINVAL, "a datagram needs an address, for this transport has no peer of its own");
    if (rc == -EMSGSIZE || rc == -EINVAL || rc == -ENOMEM)
        return (int)rc;
    if (rc < 0)
        tell_error(transport, (int)rc);
    return 0;
}

/* ---- receiving ---- */

static void on_readable(struct tusk__io_waiter *waiter, int rc)
{
    struct tusk_datagram_transport *transport = container_of(waiter, struct tusk_datagram_transport, reader);

    if (rc < 0)
        finish(transport, rc);
    transport->readable = true;
    schedule(transport);
}

/* One message, or an error, or nothing: false then. */
static bool receive(struct tusk_datagram_transport *transport, char *buffer)
{
    struct sockaddr_storage address;
    struct iovec piece = {buffer, TUSK__SCRATCH};
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &piece, .msg_iovlen = 1};
    struct tusk__descriptor *descriptor = transport->descriptor;
    ssize_t rc = -EAGAIN;

    if (descriptor->closed) {
        finish(transport, -EBADF);
        return false;
    }
    if (descriptor->directions[TUSK__READ].ready)
        rc = tusk__system_of(transport->io->loop)->recvmsg(descriptor->watch.fd, &message, 0);
    tusk__descriptor_account(descriptor, TUSK__READ, rc, 0);
    if (rc == -EAGAIN)
        return false;
    /* Whole or not at all. */
    if (rc >= 0 && (message.msg_flags & MSG_TRUNC))
        rc = -EMSGSIZE;
    if (rc < 0)
        tell_error(transport, (int)rc);
    else if (transport->protocol->datagram_received)
        transport->protocol->datagram_received(transport->self, buffer, (size_t)rc,
                                               message.msg_namelen ? (struct sockaddr *)&address : NULL,
                                               message.msg_namelen);
    return true;
}

static void receive_some(struct tusk_datagram_transport *transport)
{
    char *scratch = tusk__scratch(transport->io);
    int rounds = 0;

    if (!scratch) {
        finish(transport, -ENOMEM);
        return;
    }
    while (rounds < ROUNDS && !transport->closing && transport->readable) {
        transport->readable = receive(transport, scratch);
        rounds++;
    }
    if (transport->closing)
        return;
    if (transport->readable)
        schedule(transport);
    else if (!transport->reader.from) {
        int rc = tusk__descriptor_listen(transport->descriptor, TUSK__READ, &transport->reader);

        if (rc < 0)
            finish(transport, rc);
    }
}

/* ---- the letter ---- */

static void tell_of_errors(struct tusk_datagram_transport *transport)
{
    int error = transport->error;

    if (!transport->descriptor)
        return;
    transport->error = 0;
    tell_error(transport, error);
}

static void open_letter(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk_datagram_transport *transport = container_of(letter, struct tusk_datagram_transport, letter);

    transport->queued = false;
    if (!transport->made && transport->protocol->connection_made)
        transport->protocol->connection_made(transport->self, transport);
    transport->made = true;
    tell_of_errors(transport);
    if (transport->descriptor)
        tell_of_marks(transport);
    if (!transport->closing && transport->readable)
        receive_some(transport);
    if (transport->descriptor || transport->queued)
        return;
    transport->queued = true;
    if (transport->protocol->connection_lost)
        transport->protocol->connection_lost(transport->self, transport->error);
    loop->current = NULL;
    destroy(transport);
}

/* ---- life ---- */

static void drop(struct tusk_datagram_transport *transport)
{
    tusk__cell_drop(transport->letter.handle.context);
    tusk__free(transport);
}

static void drop_letter(struct tusk__letter *letter)
{
    drop(container_of(letter, struct tusk_datagram_transport, letter));
}

/* The loop closes. One whose letter is in the queue goes with that. */
static void close_with_loop(struct tusk__closable *closable)
{
    struct tusk_datagram_transport *transport =
        container_of(closable, struct tusk_datagram_transport, closable);
    bool queued = transport->queued;

    /* Nothing is to be scheduled any more. */
    transport->queued = true;
    finish(transport, 0);
    if (!queued)
        drop(transport);
}

static struct tusk_datagram_transport *make(struct tusk__io *io, struct tusk__descriptor *descriptor,
                                            const struct tusk_datagram_protocol *protocol, void *self)
{
    struct tusk_datagram_transport *transport = tusk__alloc(sizeof *transport);

    if (!transport)
        return tusk__fail(-ENOMEM);
    transport->letter = (struct tusk__letter){
        {.run = tusk__letter_run, .context = tusk__cell_for(*tusk__current_cell(), NULL)},
        open_letter,
        drop_letter};
    transport->io = io;
    transport->descriptor = tusk__descriptor_retain(descriptor);
    transport->reader.ready = on_readable;
    transport->writer.ready = on_writable;
    transport->protocol = protocol;
    transport->self = self;
    transport->end = &transport->first;
    transport->readable = true;
    tusk__io_add_closable(io, &transport->closable, close_with_loop);
    schedule(transport);
    return transport;
}

int(tusk_create_datagram_endpoint)(const struct tusk_datagram_protocol *protocol, void *self,
                                   tusk_datagram_transport **ret_transport,
                                   const struct tusk_datagram_options *options)
{
    struct tusk_datagram_transport *transport;
    struct tusk__io *io;
    int fd;

    if (!protocol)
        return -EINVAL;
    fd = (tusk_open_datagram)(options);
    if (fd < 0)
        return fd;
    io = tusk__io_get(tusk__running_loop);
    transport = make(io, tusk__descriptor_find(io, fd), protocol, self);
    if (!transport) {
        tusk_close(fd);
        return tusk_last_error();
    }
    if (ret_transport)
        *ret_transport = transport;
    return 0;
}

void tusk_datagram_transport_close(tusk_datagram_transport *transport)
{
    if (!transport || transport->closing)
        return;
    transport->closing = true;
    tusk__descriptor_unlisten(transport->descriptor, TUSK__READ, &transport->reader);
    if (!transport->first)
        finish(transport, 0);
}

void tusk_datagram_transport_abort(tusk_datagram_transport *transport)
{
    if (transport)
        finish(transport, 0);
}

bool tusk_datagram_transport_is_closing(const tusk_datagram_transport *transport)
{
    return !transport || transport->closing;
}

int tusk_datagram_transport_fileno(const tusk_datagram_transport *transport)
{
    return transport && transport->descriptor ? transport->descriptor->watch.fd : -EBADF;
}

size_t tusk_datagram_transport_get_write_buffer_size(const tusk_datagram_transport *transport)
{
    return transport ? transport->unsent : 0;
}
