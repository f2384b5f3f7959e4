/*
 * Streams: reading.
 */
#include <string.h>

#include "base/error.h"
#include "io/search.h"
#include "io/stream.h"

/* What is read at once into the stream's buffer. */
enum { PORTION = TUSK__BLOCK };

/* ---- from the channel ---- */

/* The stream cannot be read any more: 0 at its end, or the error. */
static ssize_t end_of(const struct tusk_stream *stream)
{
    return stream->eof && !stream->closing ? 0 : tusk__stream_check(stream);
}

/* Nothing is there now. An idle stream keeps no memory. */
static int wait_readable(struct tusk_stream *stream)
{
    int rc;

    tusk__bytes_trim(stream->io, &stream->in);
    tusk__stream_retain(stream);
    rc = tusk__stream_wait_readable(stream);
    if (rc == 0)
        rc = tusk__stream_check(stream);
    tusk__stream_unref(stream);
    return rc;
}

/* Reads once, or finds the end, or loses the connection; -EAGAIN if nothing is there. */
static ssize_t try_read(struct tusk_stream *stream, void *buffer, size_t size)
{
    ssize_t rc = tusk__channel_read(&stream->channel, buffer, size);

    if (likely(rc > 0))
        return rc;
    if (rc == 0)
        stream->eof = true;
    else if (rc < 0 && rc != -EAGAIN)
        tusk__stream_lose(stream, (int)rc);
    return rc;
}

/* Reads into this memory: how many bytes, 0 at the end, or an error. Suspends. */
static ssize_t receive(struct tusk_stream *stream, void *buffer, size_t size)
{
    ssize_t rc;

    if (unlikely(stream->eof || stream->closing))
        return end_of(stream);
    if (unlikely(!tusk__running_task()))
        return TUSK_NOT_IN_TASK;
    if (unlikely(tusk__io_over_budget(stream->io)))
        tusk_try(tusk_sleep(0));
    for (;;) {
        if (unlikely(stream->closing))
            return end_of(stream);
        rc = try_read(stream, buffer, size);
        if (rc != -EAGAIN)
            return rc;
        tusk_try(wait_readable(stream));
    }
}

/* Room for what one read brings; more than a little beside what is there already. */
static int make_room(struct tusk_stream *stream)
{
    size_t wanted = tusk__bytes_size(&stream->in) == 0 ? PORTION : PORTION / 4;

    if (likely(tusk__bytes_lend(stream->io, &stream->in)))
        return 0;
    if (likely(stream->in.capacity - stream->in.end >= wanted))
        return 0;
    return tusk__bytes_reserve(stream->io, &stream->in, wanted);
}

/* Reads more into the stream's buffer: as receive(). */
static ssize_t fill(struct tusk_stream *stream)
{
    ssize_t rc;

    if (unlikely(stream->eof || stream->closing))
        return end_of(stream);
    if (unlikely(!tusk__running_task()))
        return TUSK_NOT_IN_TASK;
    if (unlikely(tusk__io_over_budget(stream->io)))
        tusk_try(tusk_sleep(0));
    for (;;) {
        if (unlikely(stream->closing))
            return end_of(stream);
        if (tusk__channel_may_read(&stream->channel)) {
            tusk_try(make_room(stream));
            rc = try_read(stream, stream->in.data + stream->in.end, stream->in.capacity - stream->in.end);
            if (likely(rc > 0))
                stream->in.end += (size_t)rc;
            if (rc != -EAGAIN)
                return rc;
        }
        tusk_try(wait_readable(stream));
    }
}

/* ---- copying ---- */

static size_t take(struct tusk_stream *stream, void *buffer, size_t size)
{
    size_t count = tusk__bytes_size(&stream->in);

    count = count < size ? count : size;
    if (count > 0)
        memcpy(buffer, tusk__bytes_first(&stream->in), count);
    tusk__bytes_consume(&stream->in, count);
    return count;
}

ssize_t tusk_stream_read(tusk_stream *stream, void *buffer, size_t size)
{
    if (!stream || (!buffer && size > 0))
        return -EINVAL;
    if (size == 0)
        return 0;
    if (tusk__bytes_size(&stream->in) > 0)
        return (ssize_t)take(stream, buffer, size);
    return receive(stream, buffer, size);
}

/* The rest did not come: what did goes back into the stream, so that nothing is lost. */
static ssize_t put_back(struct tusk_stream *stream, const void *buffer, size_t count, ssize_t code)
{
    if (tusk__bytes_put_back(stream->io, &stream->in, buffer, count) < 0) {
        tusk__stream_lose(stream, -ENOMEM);
        return -ENOMEM;
    }
    return code;
}

ssize_t tusk_stream_readexactly(tusk_stream *stream, void *buffer, size_t size)
{
    size_t count;
    ssize_t rc = 1;

    if (!stream || (!buffer && size > 0))
        return -EINVAL;
    tusk__stream_retain(stream);
    count = take(stream, buffer, size);
    while (count < size && (rc = receive(stream, (char *)buffer + count, size - count)) > 0)
        count += (size_t)rc;
    stream->partial = count;
    if (rc < 0)
        rc = put_back(stream, buffer, count, rc);
    else
        rc = count == size ? (ssize_t)size : TUSK_INCOMPLETE_READ;
    tusk__stream_unref(stream);
    return rc;
}

size_t tusk_stream_partial(const tusk_stream *stream)
{
    return stream ? stream->partial : 0;
}

/* ---- lending ---- */

/* Lends and takes the first bytes. */
static ssize_t lend(struct tusk_stream *stream, size_t size, const char **ret_data)
{
    *ret_data = tusk__bytes_first(&stream->in);
    tusk__bytes_consume(&stream->in, size);
    return (ssize_t)size;
}

static ssize_t lend_rest(struct tusk_stream *stream, const char **ret_data)
{
    stream->partial = tusk__bytes_size(&stream->in);
    if (stream->partial > 0)
        lend(stream, stream->partial, ret_data);
    else
        *ret_data = "";
    return TUSK_INCOMPLETE_READ;
}

/*
 * The length of what stands before the end of the first separator, with it; 0: it is not there yet. Beyond the
 * limit it does not count. `searched` bytes need not be looked at again.
 */
static ssize_t find(const struct tusk_stream *stream, const struct tusk__search *search, size_t *searched)
{
    size_t size = tusk__bytes_size(&stream->in);
    size_t start = 0;
    size_t end = tusk__search_find(search, tusk__bytes_first(&stream->in), size, *searched, &start);

    if (end > 0)
        return start > stream->limit ? TUSK_LIMIT_OVERRUN : (ssize_t)end;
    *searched = size + 1 > search->longest ? size + 1 - search->longest : 0;
    return *searched > stream->limit ? TUSK_LIMIT_OVERRUN : 0;
}

/* The bytes up to the end of a separator stand in the buffer: how many. Or 0 at the end of the stream, or an error. */
static ssize_t read_until(struct tusk_stream *stream, const struct tusk__search *search)
{
    size_t searched = 0;
    ssize_t rc;

    for (;;) {
        ssize_t found = tusk__bytes_size(&stream->in) > 0 ? find(stream, search, &searched) : 0;

        if (found != 0)
            return found;
        rc = fill(stream);
        if (rc <= 0)
            return rc;
    }
}

static ssize_t lend_until(struct tusk_stream *stream, const struct tusk__search *search,
                          const char **ret_data)
{
    ssize_t rc;

    tusk__stream_retain(stream);
    rc = read_until(stream, search);
    if (rc > 0)
        lend(stream, (size_t)rc, ret_data);
    else if (rc == 0)
        rc = lend_rest(stream, ret_data);
    tusk__stream_unref(stream);
    return rc;
}

ssize_t tusk_stream_readuntil_any(tusk_stream *stream, const struct iovec *separators, size_t count,
                                  const char **ret_data)
{
    struct tusk__search search = {.separators = separators, .count = count};

    if (!stream || !ret_data)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (separators[i].iov_len == 0)
            return tusk_raise(-EINVAL, "an empty separator");
        if (separators[i].iov_len > search.longest)
            search.longest = separators[i].iov_len;
    }
    if (count == 0)
        return tusk_raise(-EINVAL, "no separator");
    return lend_until(stream, &search, ret_data);
}

ssize_t tusk_stream_readuntil(tusk_stream *stream, const char *separator, const char **ret_data)
{
    struct iovec only = {(void *)separator, separator ? strlen(separator) : 0};

    return tusk_stream_readuntil_any(stream, &only, 1, ret_data);
}

/* asyncio's readline: a line that is too long is lost up to its end, or as far as it is there. */
static void skip_line(struct tusk_stream *stream)
{
    const char *first = tusk__bytes_first(&stream->in);
    size_t size = tusk__bytes_size(&stream->in);
    const char *end = memchr(first, '\n', size);

    tusk__bytes_consume(&stream->in, end ? (size_t)(end - first) + 1 : size);
}

ssize_t tusk_stream_readline(tusk_stream *stream, const char **ret_line)
{
    ssize_t rc = tusk_stream_readuntil(stream, "\n", ret_line);

    if (rc == TUSK_INCOMPLETE_READ)
        return (ssize_t)stream->partial;
    if (rc == TUSK_LIMIT_OVERRUN)
        skip_line(stream);
    return rc;
}

ssize_t tusk_stream_peek(tusk_stream *stream, size_t size, const char **ret_data)
{
    ssize_t rc = 1;

    if (!stream || !ret_data || size > stream->limit)
        return -EINVAL;
    /* What was lent and taken is not needed any more: the whole room is for what comes. */
    if (tusk__bytes_size(&stream->in) == 0)
        stream->in.start = stream->in.end = 0;
    tusk__stream_retain(stream);
    while (rc > 0 && tusk__bytes_size(&stream->in) < size)
        rc = fill(stream);
    if (rc >= 0) {
        rc = (ssize_t)tusk__bytes_size(&stream->in);
        *ret_data = rc > 0 ? tusk__bytes_first(&stream->in) : "";
    }
    tusk__stream_unref(stream);
    return rc;
}

int tusk_stream_consume(tusk_stream *stream, size_t size)
{
    if (!stream || size > tusk__bytes_size(&stream->in))
        return -EINVAL;
    tusk__bytes_consume(&stream->in, size);
    return 0;
}

bool tusk_stream_at_eof(const tusk_stream *stream)
{
    return stream && stream->eof && tusk__bytes_size(&stream->in) == 0;
}
