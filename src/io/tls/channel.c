/*
 * The channel inside of TLS. See connection.h for what `pending` is.
 */
#include <string.h>

#include "io/tls/connection.h"

/* What a record of TLS holds at most. */
enum { RECORD = 16384 };

/*
 * How much of what a peer still sends is thrown away while a stream waits for its goodbye. More than is on
 * the way, as a rule; who sends so much has not been told to stop.
 */
enum { TOLERANCE = 1 << 20 };

/* ---- reading ---- */

/* Without the kernel's TLS the BIO knows. */
static bool cannot_read(const struct tusk__tls *tls)
{
    return tls->direct && !tls->channel->descriptor->directions[TUSK__READ].ready &&
           !SSL_has_pending(tls->ssl);
}

/*
 * Reads records until the buffer is full or nothing is there: how many bytes, 0 at the end, -EAGAIN
 * or an error.
 */
static ssize_t read_records(struct tusk__tls *tls, char *buffer, size_t size, enum tusk__direction *wants)
{
    size_t count = 0;
    size_t got;
    ssize_t rc = 0;

    while (count < size) {
        if (cannot_read(tls)) {
            *wants = TUSK__READ;
            rc = -EAGAIN;
            break;
        }
        tusk__tls_begin(tls);
        if (SSL_read_ex(tls->ssl, buffer + count, size - count, &got) != 1) {
            rc = tusk__tls_result(tls, 0, wants);
            break;
        }
        count += got;
    }
    return count > 0 ? (ssize_t)count : rc;
}

static ssize_t tls_read(struct tusk__channel *channel, void *buffer, size_t size)
{
    struct tusk__tls *tls = tusk__tls_of(channel);
    ssize_t rc;

    if (unlikely(tls->error < 0))
        return tusk__tls_raise_kept(tls, tls->error);
    /* The task that shakes hands reads. */
    if (unlikely(!tls->established))
        return -EAGAIN;
    if (unlikely(tls->ended))
        return 0;
    rc = read_records(tls, buffer, size, &channel->wants[TUSK__READ]);
    return unlikely(rc < 0 && rc != -EAGAIN) ? tusk__tls_raise_kept(tls, (int)rc) : rc;
}

/* ---- writing ---- */

/*
 * After a write that failed: -EAGAIN, or the error. That the socket takes nothing says nothing of what
 * it still has for us.
 */
static int write_result(struct tusk__tls *tls)
{
    int rc = tusk__tls_result(tls, 0, &tls->pending_wants);

    if (rc < 0 && rc != -EAGAIN)
        tls->write_error = rc;
    if (tls->system_error < 0)
        tls->error = 0;
    return rc;
}

/* Lets `ear` hear when what is pending may go. */
static int listen_for_pending(struct tusk__tls *tls)
{
    int rc =
        tls->ear.from ? 0 : tusk__descriptor_listen(tls->channel->descriptor, tls->pending_wants, &tls->ear);

    if (rc < 0)
        tls->write_error = rc;
    return rc < 0 ? rc : -EAGAIN;
}

/* Sends what is pending: 0 when it is gone, -EAGAIN, or an error. */
static int send_pending(struct tusk__tls *tls)
{
    size_t sent;

    if (likely(!tls->pending.data))
        return 0;
    while (tusk__bytes_size(&tls->pending) > 0) {
        tusk__tls_begin(tls);
        if (SSL_write_ex(tls->ssl, tusk__bytes_first(&tls->pending), tusk__bytes_size(&tls->pending),
                         &sent) != 1) {
            int rc = write_result(tls);

            return rc == -EAGAIN ? listen_for_pending(tls) : rc;
        }
        tusk__bytes_consume(&tls->pending, sent);
    }
    tusk__bytes_trim(tls->io, &tls->pending);
    return 0;
}

static void on_ready(struct tusk__io_waiter *ear, int rc)
{
    struct tusk__tls *tls = container_of(ear, struct tusk__tls, ear);

    /* An error is kept, and comes with the next call. */
    if (rc == 0 && tls->write_error == 0)
        send_pending(tls);
}

/* Sends data from where it is; what OpenSSL has begun to send is taken, and copied. */
static ssize_t send_record(struct tusk__tls *tls, const void *data, size_t size)
{
    size_t sent;
    int rc;

    tusk__tls_begin(tls);
    if (SSL_write_ex(tls->ssl, data, size, &sent) == 1)
        return (ssize_t)sent;
    rc = write_result(tls);
    if (rc != -EAGAIN)
        return rc;
    tls->write_error = tusk__bytes_append(tls->io, &tls->pending, data, size);
    if (tls->write_error == 0)
        listen_for_pending(tls);
    return tls->write_error < 0 ? tls->write_error : (ssize_t)size;
}

/* Copies up to a record's worth of small pieces, so that they go as one. 0 or -ENOMEM. */
static int gather(struct tusk__tls *tls, const struct iovec *data, int count)
{
    size_t room = RECORD;

    tusk_try(tusk__bytes_reserve(tls->io, &tls->pending, RECORD));
    for (int i = 0; i < count && room > 0; i++) {
        size_t size = data[i].iov_len < room ? data[i].iov_len : room;

        tusk_try(tusk__bytes_append(tls->io, &tls->pending, data[i].iov_base, size));
        room -= size;
    }
    return 0;
}

static ssize_t send_gathered(struct tusk__tls *tls, const struct iovec *data, int count)
{
    size_t size;
    int rc = gather(tls, data, count);

    if (rc < 0)
        return rc;
    size = tusk__bytes_size(&tls->pending);
    rc = send_pending(tls);
    return rc < 0 && rc != -EAGAIN ? rc : (ssize_t)size;
}

/*
 * The kernel's TLS is always given a copy, for OpenSSL keeps the address of what could not be
 * sent, and the data may have gone when it tries again.
 */
static ssize_t send_some(struct tusk__tls *tls, const struct iovec *data, int count)
{
    while (count > 0 && data->iov_len == 0) {
        data++;
        count--;
    }
    if (count == 0)
        return 0;
    if (tls->direct || (count > 1 && data->iov_len < RECORD))
        return send_gathered(tls, data, count);
    return send_record(tls, data->iov_base, data->iov_len < RECORD ? data->iov_len : RECORD);
}

/* What was taken before goes first: 0 when it is gone, -EAGAIN, or an error. */
static int begin_to_write(struct tusk__channel *channel)
{
    struct tusk__tls *tls = tusk__tls_of(channel);
    int rc = tls->error < 0 ? tls->error : tls->write_error;

    if (likely(rc == 0))
        rc = likely(tls->established) ? send_pending(tls) : -EAGAIN;
    if (rc == -EAGAIN)
        channel->wants[TUSK__WRITE] = tls->pending_wants;
    return rc;
}

static ssize_t tls_write(struct tusk__channel *channel, const struct iovec *data, int count)
{
    struct tusk__tls *tls = tusk__tls_of(channel);
    ssize_t rc = begin_to_write(channel);

    if (rc == -EAGAIN)
        return rc;
    if (likely(rc == 0))
        rc = send_some(tls, data, count);
    return unlikely(rc < 0) ? tusk__tls_raise_kept(tls, (int)rc) : rc;
}

/* By the kernel that encrypts. */
static ssize_t send_file(struct tusk__channel *channel, int file, off_t *offset, size_t size)
{
    struct tusk__tls *tls = tusk__tls_of(channel);
    ssize_t rc = -EAGAIN;

    tusk__tls_begin(tls);
    if (channel->descriptor->directions[TUSK__WRITE].ready)
        rc = SSL_sendfile(tls->ssl, file, *offset, size, 0);
    if (rc >= 0) {
        *offset += rc;
        return rc;
    }
    if (rc != -EAGAIN)
        rc = write_result(tls);
    channel->wants[TUSK__WRITE] = TUSK__WRITE;
    return rc;
}

static ssize_t tls_sendfile(struct tusk__channel *channel, int file, off_t *offset, size_t size)
{
    struct tusk__tls *tls = tusk__tls_of(channel);
    ssize_t rc;

    if (!tls->direct || !BIO_get_ktls_send(SSL_get_wbio(tls->ssl)))
        return -ENOTSUP;
    rc = begin_to_write(channel);
    if (rc == 0)
        rc = send_file(channel, file, offset, size);
    return rc < 0 && rc != -EAGAIN ? tusk__tls_raise_kept(tls, (int)rc) : rc;
}

/* ---- the end ---- */

/* The end took too long: whoever waits for it tries once more, and learns it. */
static void on_late(struct tusk__handle *handle)
{
    struct tusk__tls *tls = container_of(handle, struct tusk__tls, timer.handle);
    struct tusk__watch *watch = &tls->channel->descriptor->watch;

    tls->timer_started = false;
    tls->late = true;
    if (tls->channel->descriptor->watched)
        watch->ready(watch, TUSK__POLL_READ | TUSK__POLL_WRITE);
}

static void start_timer(struct tusk__tls *tls)
{
    struct tusk_loop *loop = tls->io->loop;

    if (tls->timer_started)
        return;
    tls->timer_started = true;
    tls->tolerance = TOLERANCE;
    tls->timer.handle.run = on_late;
    tls->timer.handle.context = TUSK__LIGHT;
    tls->timer.link = NULL;
    tusk__loop_add_timer(loop, &tls->timer, tusk__loop_deadline(tusk__loop_clock(loop), tls->patience));
}

static void stop_timer(struct tusk__tls *tls)
{
    if (!tls->timer_started)
        return;
    tls->timer_started = false;
    if (tusk__timer_pending(&tls->timer))
        tusk__wheel_remove(&tls->io->loop->wheel, &tls->timer);
    else
        tusk__loop_orphan(tls->io->loop, &tls->timer.handle);
}

/* A peer that has gone already needs no goodbye, and gives none. */
static int say_goodbye(struct tusk__tls *tls, enum tusk__direction *wants)
{
    int rc;

    tusk__tls_begin(tls);
    rc = SSL_shutdown(tls->ssl);
    if (rc < 0) {
        rc = tusk__tls_result(tls, rc, wants);
        if (rc == -EAGAIN)
            return rc;
        tls->ended = true;
    }
    tls->said_goodbye = true;
    return 0;
}

/*
 * Whatever is still there must be read: closing a socket with unread bytes resets it, and what the
 * peer was sent may be lost.
 */
static int await_goodbye(struct tusk__tls *tls, enum tusk__direction *wants)
{
    char rest[2048];
    ssize_t rc;

    do {
        rc = read_records(tls, rest, sizeof rest, wants);
        if (rc > 0)
            tls->tolerance -= (size_t)rc < tls->tolerance ? (size_t)rc : tls->tolerance;
    } while (rc > 0 && tls->tolerance > 0);
    return rc == -EAGAIN ? -EAGAIN : 0;
}

static int tls_finish(struct tusk__channel *channel)
{
    struct tusk__tls *tls = tusk__tls_of(channel);
    enum tusk__direction *wants = &channel->wants[TUSK__WRITE];
    int rc;

    if (!tls->established || tls->error < 0 || tls->write_error < 0)
        return tls->error < 0 ? tls->error : tls->write_error;
    if (tls->late)
        return tls->said_goodbye ? 0 : -ETIMEDOUT;
    start_timer(tls);
    rc = send_pending(tls);
    if (rc == -EAGAIN)
        *wants = tls->pending_wants;
    if (rc == 0 && !tls->said_goodbye)
        rc = say_goodbye(tls, wants);
    if (rc == 0 && !tls->ended)
        rc = await_goodbye(tls, wants);
    return rc;
}

static void tls_close(struct tusk__channel *channel)
{
    struct tusk__tls *tls = tusk__tls_of(channel);

    stop_timer(tls);
    tusk__descriptor_unlisten(channel->descriptor, tls->pending_wants, &tls->ear);
    tusk__bytes_close(tls->io, &tls->early);
    tusk__bytes_close(tls->io, &tls->pending);
    tls->channel = NULL;
    channel->state = NULL;
    tusk__tls_unref(tls);
}

/* No shut_down: TLS ends both ways at once, as far as peers can be relied on. */
static const struct tusk__channel_kind kind = {
    .read = tls_read,
    .write = tls_write,
    .sendfile = tls_sendfile,
    .finish = tls_finish,
    .info = tusk__tls_info,
    .close = tls_close,
};

void tusk__tls_channel_init(struct tusk__tls *tls)
{
    struct tusk__channel *channel = tls->channel;

    tls->ear.ready = on_ready;
    tls->pending_wants = TUSK__WRITE;
    channel->kind = &kind;
    channel->state = tls;
}
