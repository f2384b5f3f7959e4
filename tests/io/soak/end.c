/*
 * One end of a connection: the many ways to write and read.
 */
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#include "io/soak/soak.h"
#include "io/system.h"

enum { PIECES = 20 };

/* ---- both ---- */

ssize_t in_time(ssize_t (*call)(struct end *end), struct end *end)
{
    tusk_timeout timeout;
    ssize_t result;
    int rc;

    if (!chance(10))
        return call(end);
    rc = tusk_timeout_enter(&timeout, some_time());
    if (rc < 0)
        return rc;
    result = call(end);
    rc = tusk_timeout_exit(&timeout, result < 0 ? (int)result : 0);
    return rc < 0 ? rc : result;
}

/* Cuts memory into pieces; how many. */
static int cut(void *data, size_t size, struct iovec pieces[PIECES])
{
    int count = 0;

    while (size > 0) {
        size_t piece = count == PIECES - 1 ? size : (size_t)draw(size + 1);

        pieces[count++] = (struct iovec){data, piece};
        data = (char *)data + piece;
        size -= piece;
    }
    return count;
}

/* ---- writing ---- */

static ssize_t write_stream(struct end *end, const char *data, size_t size)
{
    struct iovec pieces[PIECES];
    int rc;

    if (chance(70))
        rc = tusk_stream_write(end->stream, data, size);
    else
        rc = tusk_stream_writelines(end->stream, pieces, cut((void *)data, size, pieces));
    return rc < 0 ? rc : (ssize_t)size;
}

static ssize_t send_message(struct end *end, const char *data, size_t size)
{
    struct iovec pieces[PIECES];
    struct msghdr message = {.msg_iov = pieces};

    message.msg_iovlen = (__typeof__(message.msg_iovlen))cut((void *)data, size, pieces);
    return tusk_sendmsg(end->fd, &message, 0);
}

static ssize_t write_descriptor(struct end *end, const char *data, size_t size)
{
    struct iovec pieces[PIECES];

    switch (draw(4)) {
    case 0:
        return tusk_write(end->fd, data, size);
    case 1:
        return tusk_send(end->fd, data, size, 0);
    case 2:
        return tusk_writev(end->fd, pieces, cut((void *)data, size, pieces));
    default:
        return send_message(end, data, size);
    }
}

static ssize_t write_all_of_it(struct end *end, const char *data, size_t size)
{
    int rc = tusk_sendall(end->fd, data, size);

    end->out->torn |= rc < 0;
    return rc < 0 ? rc : (ssize_t)size;
}

/* Not on the simulated network, where threads would copy it, in an order of their own. */
static ssize_t send_file(struct end *end, const char *data, size_t size)
{
    int64_t rc = tusk_sendfile(end->fd, soak.file, noise_offset(data), size);

    end->out->torn |= rc < 0;
    return (ssize_t)rc;
}

static ssize_t write_once(struct end *end)
{
    size_t left = end->out->total - end->out->sent;
    size_t size = some_size(left < PIECE_MAX ? left : PIECE_MAX);
    const char *data = noise_at(end->out->key, end->out->sent);
    ssize_t rc;

    if (!end->stream && soak.is_real && chance(5))
        return send_file(end, data, size);
    if (!end->stream)
        return chance(20) ? write_all_of_it(end, data, size) : write_descriptor(end, data, size);
    rc = write_stream(end, data, size);
    /* A large write may have sent a part of it when it is interrupted; a small one has sent nothing. */
    end->out->torn |= rc < 0 && size > end->high;
    return rc;
}

/* A number that is closed may be another's by now. */
static bool is_gone(const struct end *end)
{
    return end->closed && !end->stream;
}

ssize_t end_write(struct end *end)
{
    ssize_t rc = is_gone(end) ? -EBADF : in_time(write_once, end);

    if (rc > 0)
        end->out->sent += (size_t)rc;
    if (rc > 0 && end->stream && chance(5)) {
        int drained = tusk_stream_drain(end->stream);

        if (drained < 0 && !is_interrupted(drained))
            return count(drained);
    }
    return count(rc);
}

/* ---- reading ---- */

void verify(struct way *way, const void *data, size_t size)
{
    if (size > 0 && memcmp(data, noise_at(way->key, way->received), size) != 0)
        complain("way %u: wrong bytes, %zu from %zu on", way->key, size, way->received);
    way->received += size;
    if (way->received > way->sent && !way->torn && way->received > way->total)
        complain("way %u: %zu bytes came, %zu were sent", way->key, way->received, way->sent);
}

static ssize_t read_some(struct end *end)
{
    static char buffer[PIECE_MAX];
    ssize_t rc = tusk_stream_read(end->stream, buffer, some_size(sizeof buffer));

    if (rc > 0)
        verify(end->in, buffer, (size_t)rc);
    return rc;
}

/* The buffer is the task's own: it is written to while others run. */
static ssize_t read_exactly(struct end *end)
{
    char buffer[4096];
    size_t size = some_size(sizeof buffer);
    ssize_t rc = tusk_stream_readexactly(end->stream, buffer, size);
    size_t got = rc == TUSK_INCOMPLETE_READ ? tusk_stream_partial(end->stream) : rc > 0 ? (size_t)rc : 0;

    verify(end->in, buffer, got);
    return rc == TUSK_INCOMPLETE_READ ? 0 : rc;
}

static ssize_t read_until(struct end *end)
{
    char separator[3] = {(char)(1 + draw(255)), chance(20) ? (char)(1 + draw(4)) : '\0', '\0'};
    const char *data;
    ssize_t rc = tusk_stream_readuntil(end->stream, separator, &data);

    if (rc == TUSK_LIMIT_OVERRUN)
        return read_some(end);
    if (rc == TUSK_INCOMPLETE_READ) {
        verify(end->in, data, tusk_stream_partial(end->stream));
        return 0;
    }
    if (rc <= 0)
        return rc;
    if (memcmp(data + (size_t)rc - strlen(separator), separator, strlen(separator)) != 0)
        complain("readuntil: it does not end with its separator");
    if (separator[1] == '\0' && memchr(data, separator[0], (size_t)rc - 1))
        complain("readuntil: the separator stands before its end");
    verify(end->in, data, (size_t)rc);
    return rc;
}

static ssize_t peek(struct end *end)
{
    const char *data;
    size_t size = some_size(end->limit < 20000 ? end->limit : 20000);
    ssize_t rc = tusk_stream_peek(end->stream, size, &data);
    size_t taken;

    if (rc <= 0)
        return rc;
    taken = (size_t)draw((size_t)rc) + 1;
    verify(end->in, data, taken);
    if (tusk_stream_consume(end->stream, taken) != 0)
        complain("consume: %zu of %zd bytes", taken, rc);
    return (ssize_t)taken;
}

/* No more than is still to come. */
static ssize_t read_the_rest(struct end *end)
{
    char buffer[16384];
    size_t left = end->in->total - end->in->received;
    size_t size = some_size(left < sizeof buffer ? left : sizeof buffer);
    ssize_t rc = chance(80) ? tusk_stream_read(end->stream, buffer, size)
                            : tusk_stream_readexactly(end->stream, buffer, size);

    if (rc > 0)
        verify(end->in, buffer, (size_t)rc);
    return rc;
}

static ssize_t read_stream(struct end *end)
{
    if (end->line->knows_totals)
        return read_the_rest(end);
    switch (draw(6)) {
    case 0:
        return read_exactly(end);
    case 1:
        return read_until(end);
    case 2:
        return peek(end);
    default:
        return read_some(end);
    }
}

static ssize_t receive_message(struct end *end, char *buffer, size_t size)
{
    struct iovec pieces[PIECES];
    struct msghdr message = {.msg_iov = pieces};

    message.msg_iovlen = (__typeof__(message.msg_iovlen))cut(buffer, size, pieces);
    return tusk_recvmsg(end->fd, &message, 0);
}

static ssize_t look_and_read(struct end *end, char *buffer, size_t size)
{
    int rc = tusk_poll_fd(end->fd, POLLIN);

    return rc < 0 ? rc : tusk_read(end->fd, buffer, size);
}

static ssize_t call_read(struct end *end, char *buffer, size_t size)
{
    struct iovec pieces[PIECES];

    switch (draw(6)) {
    case 0:
        return tusk_recv(end->fd, buffer, size, 0);
    case 1:
        return tusk_readv(end->fd, pieces, cut(buffer, size, pieces));
    case 2:
        return receive_message(end, buffer, size);
    case 3:
        return look_and_read(end, buffer, size);
    default:
        return tusk_read(end->fd, buffer, size);
    }
}

static ssize_t read_descriptor(struct end *end)
{
    char buffer[8192];
    ssize_t rc = call_read(end, buffer, some_size(sizeof buffer));

    if (rc > 0)
        verify(end->in, buffer, (size_t)rc);
    return rc;
}

static ssize_t read_once(struct end *end)
{
    return end->stream ? read_stream(end) : read_descriptor(end);
}

ssize_t end_read(struct end *end)
{
    return count(is_gone(end) ? -EBADF : in_time(read_once, end));
}

/* ---- ending ---- */

int end_shut_down(struct end *end)
{
    if (is_gone(end))
        return -EBADF;
    return (int)count(end->stream ? tusk_stream_write_eof(end->stream)
                                  : tusk__system_of(tusk_get_running_loop())->shutdown(end->fd, SHUT_WR));
}

void end_close(struct end *end)
{
    if (end->closed)
        return;
    end->closed = true;
    if (end->stream)
        tusk_stream_close(end->stream);
    else
        tusk_close(end->fd);
    count(0);
}

void end_abort(struct end *end)
{
    if (end->stream && !end->closed) {
        end->closed = true;
        tusk_stream_abort(end->stream);
    }
    end_close(end);
}
