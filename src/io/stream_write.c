/*
 * Streams: writing.
 *
 * Writers take turns. One whose data is small leaves what the system did not take in
 * `out`; one whose data is large sends it from where it is, and holds the turn (`writing`)
 * until the last piece is gone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "io/stream.h"

/* Pieces that are handed to the system at once. */
enum { PIECES = 16 };

/* What is left of the data of a call. */
struct rest {
    const struct iovec *pieces;
    int count;
    /* Bytes of the first piece that are done. */
    size_t done;
    size_t size;
};

/* So many bytes are done, and the empty pieces behind them too. */
static void rest_advance(struct rest *rest, size_t count)
{
    rest->size -= count;
    count += rest->done;
    while (rest->count > 0 && count >= rest->pieces->iov_len) {
        count -= rest->pieces->iov_len;
        rest->pieces++;
        rest->count--;
    }
    rest->done = count;
}

static int rest_init(struct rest *rest, const struct iovec *pieces, int count)
{
    *rest = (struct rest){pieces, count, 0, 0};
    if (count < 0 || (count > 0 && !pieces))
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        if (!pieces[i].iov_base && pieces[i].iov_len > 0)
            return -EINVAL;
        if (__builtin_add_overflow(rest->size, pieces[i].iov_len, &rest->size))
            return -EINVAL;
    }
    rest_advance(rest, 0);
    return 0;
}

/* The next pieces, as many as fit. */
static int rest_pieces(const struct rest *rest, struct iovec pieces[PIECES])
{
    int count = rest->count < PIECES ? rest->count : PIECES;

    memcpy(pieces, rest->pieces, (size_t)count * sizeof pieces[0]);
    if (count > 0) {
        pieces[0].iov_base = (char *)pieces[0].iov_base + rest->done;
        pieces[0].iov_len -= rest->done;
    }
    return count;
}

static int fail(struct tusk_stream *stream, int error)
{
    if (!tusk__stream_is_misused(stream, error))
        tusk__stream_fail_to_write(stream, error);
    return error;
}

/* Hands to the system what it takes: 0 when all is gone, -EAGAIN, or the error, with which the connection is lost. */
static int send_rest(struct tusk_stream *stream, struct rest *rest)
{
    while (rest->size > 0) {
        struct iovec pieces[PIECES];
        int count = rest_pieces(rest, pieces);
        ssize_t rc = tusk__channel_write(&stream->channel, pieces, count);

        if (rc == -EAGAIN)
            return -EAGAIN;
        if (rc < 0)
            return fail(stream, (int)rc);
        tusk__io_charge(stream->io, (size_t)rc);
        rest_advance(rest, (size_t)rc);
    }
    return 0;
}

/* Keeps the rest, to be sent in the background. */
static int keep_rest(struct tusk_stream *stream, struct rest *rest)
{
    int rc = tusk__bytes_reserve(stream->io, &stream->out, rest->size);

    while (rc == 0 && rest->size > 0) {
        struct iovec piece;

        piece.iov_base = (char *)rest->pieces->iov_base + rest->done;
        piece.iov_len = rest->pieces->iov_len - rest->done;
        rc = tusk__bytes_append(stream->io, &stream->out, piece.iov_base, piece.iov_len);
        rest_advance(rest, piece.iov_len);
    }
    /* Part of it may be gone already, and the rest can never follow. */
    if (rc < 0)
        tusk__stream_lose(stream, rc);
    else if (!tusk__stream_start_flusher(stream))
        rc = stream->error;
    return rc;
}

int tusk__stream_wait_for_room(struct tusk_stream *stream)
{
    if (!tusk__stream_start_flusher(stream))
        return stream->error;
    tusk_try(tusk__stream_wait(stream));
    return tusk__stream_check(stream);
}

void tusk__stream_end_turn(struct tusk_stream *stream)
{
    stream->writing = false;
    /* The next writer has his turn, or the end that waits for this one. */
    if (!stream->closed)
        tusk__stream_flush(stream);
}

static int send_all(struct tusk_stream *stream, struct rest *rest)
{
    int rc;

    while ((rc = send_rest(stream, rest)) == -EAGAIN)
        tusk_try(tusk__stream_wait_for_room(stream));
    return rc;
}

int tusk__stream_send_in_turn(struct tusk_stream *stream, const void *data, size_t size)
{
    struct iovec piece = {(void *)data, size};
    struct rest rest = {&piece, 1, 0, size};

    return send_all(stream, &rest);
}

/* Sends the rest from where it is, waiting as often as need be. Nobody else writes meanwhile. */
static int send_slowly(struct tusk_stream *stream, struct rest *rest)
{
    int rc;

    stream->writing = true;
    rc = tusk__stream_wait_for_room(stream);
    if (rc == 0)
        rc = send_all(stream, rest);
    tusk__stream_end_turn(stream);
    return rc;
}

/* What the system does not take now. */
static int leave_over(struct tusk_stream *stream, struct rest *rest)
{
    return rest->size <= stream->high ? keep_rest(stream, rest) : send_slowly(stream, rest);
}

/* Somebody else's turn, or no room beside what is kept. */
static bool has_to_wait(const struct tusk_stream *stream, size_t size)
{
    size_t kept = tusk__bytes_size(&stream->out);

    return stream->writing || (kept > 0 && (kept > stream->high || size > stream->high - kept));
}

/* Whoever has to wait does so until the low mark, and those who come later wait behind him. */
static int wait_for_turn(struct tusk_stream *stream, size_t size)
{
    struct tusk__place place;
    int rc = 0;

    if (likely(!stream->turns.first && !has_to_wait(stream, size)))
        return 0;
    tusk__row_append(&stream->turns, &place);
    do {
        rc = tusk__stream_wait(stream);
        if (rc == 0)
            rc = tusk__stream_check(stream);
    } while (rc == 0 && (stream->turns.first != &place || has_to_wait(stream, size) ||
                         tusk__bytes_size(&stream->out) > stream->low));
    tusk__row_leave(&stream->turns, &place);
    /* The next one looks; or the end of the writing side, which waits for all of them. */
    if (rc == 0)
        tusk__stream_changed(stream);
    else if (!stream->closed)
        tusk__stream_flush(stream);
    return rc;
}

int tusk__stream_begin_turn(struct tusk_stream *stream)
{
    int rc = wait_for_turn(stream, SIZE_MAX);

    stream->writing = stream->writing || rc == 0;
    return rc;
}

static int write_rest(struct tusk_stream *stream, struct rest *rest)
{
    int rc = wait_for_turn(stream, rest->size);

    if (rc == 0 && tusk__bytes_size(&stream->out) > 0)
        return keep_rest(stream, rest);
    if (rc == 0)
        rc = send_rest(stream, rest);
    return rc == -EAGAIN ? leave_over(stream, rest) : rc;
}

int tusk__stream_check_writable(const struct tusk_stream *stream)
{
    tusk_try(tusk__stream_check(stream));
    if (unlikely(stream->eof_wanted))
        return tusk_raise(TUSK_INVALID_STATE, "the stream was written to after tusk_stream_write_eof()");
    return 0;
}

int tusk_stream_writelines(tusk_stream *stream, const struct iovec *data, int count)
{
    struct rest rest;
    int rc;

    if (!stream)
        return -EINVAL;
    tusk_try(rest_init(&rest, data, count));
    tusk_try(tusk__stream_check_writable(stream));
    if (unlikely(!tusk__running_task()))
        return TUSK_NOT_IN_TASK;
    if (rest.size == 0)
        return 0;
    tusk__stream_retain(stream);
    rc = unlikely(tusk__io_over_budget(stream->io)) ? tusk_sleep(0) : 0;
    if (rc == 0)
        rc = tusk__stream_check_writable(stream);
    if (rc == 0)
        rc = write_rest(stream, &rest);
    /* It waited for this writer. */
    if (unlikely(stream->eof_wanted && !stream->closed))
        tusk__stream_flush(stream);
    tusk__stream_unref(stream);
    return rc;
}

int tusk__stream_post(struct tusk_stream *stream, const struct iovec *data, int count)
{
    struct rest rest;
    int rc = -EAGAIN;

    tusk_try(rest_init(&rest, data, count));
    tusk_try(tusk__stream_check_writable(stream));
    if (rest.size == 0)
        return 0;
    if (!stream->writing && tusk__bytes_size(&stream->out) == 0)
        rc = send_rest(stream, &rest);
    return rc == -EAGAIN ? keep_rest(stream, &rest) : rc;
}

/* Nothing is in the way of what is written now. */
static bool is_free(const struct tusk_stream *stream)
{
    return !(stream->closing | stream->writing | stream->eof_wanted) && !stream->turns.first &&
           tusk__bytes_size(&stream->out) == 0;
}

/* The channel did not take all of it: rc is what it said. */
static int write_on(struct tusk_stream *stream, const struct iovec *piece, ssize_t rc)
{
    struct rest rest = {piece, 1, 0, piece->iov_len};

    if (rc < 0 && rc != -EAGAIN)
        return fail(stream, (int)rc);
    if (rc > 0)
        rest_advance(&rest, (size_t)rc);
    tusk__stream_retain(stream);
    rc = send_rest(stream, &rest);
    if (rc == -EAGAIN)
        rc = leave_over(stream, &rest);
    tusk__stream_unref(stream);
    return (int)rc;
}

/* What most writes are: something small that the system takes at once. */
int tusk_stream_write(tusk_stream *stream, const void *data, size_t size)
{
    struct iovec piece = {(void *)data, size};
    ssize_t rc;

    if (unlikely(!stream || !data || size == 0 || !is_free(stream) || !tusk__running_task() ||
                 tusk__io_over_budget(stream->io)))
        return tusk_stream_writelines(stream, &piece, 1);
    rc = tusk__channel_write(&stream->channel, &piece, 1);
    if (unlikely(rc != (ssize_t)size))
        return write_on(stream, &piece, rc);
    tusk__io_charge(stream->io, size);
    return 0;
}

int tusk_stream_print(tusk_stream *stream, const char *format, ...)
{
    char small[512];
    char *text = small;
    va_list args;
    int length;
    int rc;

    va_start(args, format);
    length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (length < 0)
        return -EINVAL;
    if ((size_t)length >= sizeof small) {
        text = tusk__alloc((size_t)length + 1);
        if (!text)
            return -ENOMEM;
        va_start(args, format);
        vsnprintf(text, (size_t)length + 1, format, args);
        va_end(args);
    }
    rc = tusk_stream_write(stream, text, (size_t)length);
    if (text != small)
        tusk__free(text);
    return rc;
}

int tusk_stream_drain(tusk_stream *stream)
{
    int rc = 0;

    if (!stream)
        return -EINVAL;
    tusk_try(tusk__stream_check(stream));
    tusk__stream_retain(stream);
    if (tusk__bytes_size(&stream->out) > stream->high)
        while (rc == 0 && tusk__bytes_size(&stream->out) > stream->low) {
            rc = tusk__stream_wait(stream);
            if (rc == 0)
                rc = tusk__stream_check(stream);
        }
    tusk__stream_unref(stream);
    return rc;
}

int tusk_stream_set_write_buffer_limits(tusk_stream *stream, size_t high, size_t low)
{
    if (!stream || low > high)
        return -EINVAL;
    stream->high = high;
    stream->low = low;
    tusk__stream_changed(stream);
    return 0;
}

size_t tusk_stream_get_write_buffer_size(const tusk_stream *stream)
{
    return stream ? tusk__bytes_size(&stream->out) : 0;
}
