/*
 * Streams: reading.
 */
#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "io/search.h"
#include "io/stream.h"

/* What is read at once into the stream's buffer. */
enum { PORTION = TUSK__BLOCK };

/* ---- from the channel ---- */

/*
 * The stream cannot be read any more: 0 at its end, or the error; but first what was saved when it was lost,
 * if its buffer had this size before.
 */
static ssize_t end_of(const struct tusk_stream *stream, size_t before)
{
    size_t size = tusk__bytes_size(&stream->in);

    if (stream->error < 0 && size > before)
        return (ssize_t)(size - before);
    return stream->eof && !stream->closing ? 0 : tusk__stream_check(stream);
}

/*
 * One task reads at a time, also while it waits in between: what another one took would be missing from what
 * it has. The stream stays as long as it reads.
 */
static int begin(struct tusk_stream *stream)
{
    if (!stream)
        return -EINVAL;
    if (unlikely(stream->reading))
        return tusk_raise(TUSK_INVALID_STATE, "another task reads from this stream");
    if (unlikely(stream->closing && stream->error == 0))
        return TUSK_STREAM_CLOSED;
    stream->reading = true;
    tusk__stream_retain(stream);
    return 0;
}

static ssize_t end(struct tusk_stream *stream, ssize_t rc)
{
    stream->reading = false;
    tusk__stream_unref(stream);
    return rc;
}

/* Reads once, or finds the end, or loses the connection; -EAGAIN if nothing is there. */
static inline ssize_t try_read(struct tusk_stream *stream, void *buffer, size_t size)
{
    ssize_t rc = tusk__channel_read(&stream->channel, buffer, size);

    if (likely(rc > 0))
        tusk__io_charge(stream->io, (size_t)rc);
    else if (rc == 0)
        stream->eof = true;
    else if (rc != -EAGAIN && !tusk__stream_is_misused(stream, rc))
        tusk__stream_lose(stream, (int)rc);
    return rc;
}

/* Room for what one read brings; more than a little beside what is there already. */
static int make_room(struct tusk_stream *stream)
{
    struct tusk__bytes *in = &stream->in;
    size_t wanted = PORTION / 4;

    if (likely(tusk__bytes_lend(stream->io, in)))
        return 0;
    /* What was lent and taken is not needed any more: the whole room is for what comes. */
    if (tusk__bytes_size(in) == 0) {
        in->start = in->end = 0;
        wanted = PORTION;
    }
    return likely(in->capacity - in->end >= wanted) ? 0 : tusk__bytes_reserve(stream->io, in, wanted);
}

/* The same into the stream's buffer. */
static ssize_t try_fill(struct tusk_stream *stream)
{
    struct tusk__bytes *in = &stream->in;
    ssize_t rc;

    if (!tusk__channel_may_read(&stream->channel))
        return -EAGAIN;
    tusk_try(make_room(stream));
    rc = try_read(stream, in->data + in->end, in->capacity - in->end);
    if (rc > 0)
        in->end += (size_t)rc;
    return rc;
}

/* A peer that has gone has sent so much at most, unless it may still send. */
enum { MOST_SAVED = 16777216 };

void tusk__stream_save_input(struct tusk_stream *stream)
{
    struct tusk__bytes *in = &stream->in;
    ssize_t rc = !stream->eof;

    while (rc > 0 && tusk__bytes_size(in) < MOST_SAVED) {
        rc = tusk__bytes_reserve(stream->io, in, PORTION);
        if (rc == 0)
            rc = tusk__channel_read(&stream->channel, in->data + in->end, in->capacity - in->end);
        if (rc > 0)
            in->end += (size_t)rc;
    }
}

/* The task has read so often without waiting that it must let the others run. Where it has to wait, it does so anyway. */
static bool has_had_its_share(const struct tusk_stream *stream)
{
    return !(stream->eof | stream->closing) && tusk__channel_may_read(&stream->channel) &&
           unlikely(tusk__io_over_budget(stream->io));
}

/*
 * Reads into this memory, or into the stream's buffer (NULL): how many bytes, 0 at the end, or an error. When the
 * connection was lost meanwhile, what was saved stands in the stream's buffer in any case. Suspends.
 */
static ssize_t read_more(struct tusk_stream *stream, void *buffer, size_t size)
{
    struct tusk__task *task = tusk__running_task();
    size_t before = tusk__bytes_size(&stream->in);
    int rc = has_had_its_share(stream) && task ? tusk_sleep(0) : 0;

    while (rc == 0) {
        ssize_t count;

        if (unlikely(stream->eof | stream->closing))
            return end_of(stream, before);
        if (unlikely(!task))
            return TUSK_NOT_IN_TASK;
        count = buffer ? try_read(stream, buffer, size) : try_fill(stream);
        if (count != -EAGAIN)
            return count;
        /* An idle stream keeps no memory. */
        tusk__bytes_trim(stream->io, &stream->in);
        rc = tusk__stream_wait_readable(stream, task);
    }
    return rc;
}

static ssize_t fill(struct tusk_stream *stream)
{
    return read_more(stream, NULL, 0);
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

/* Into this memory; the stream's buffer is empty. */
static ssize_t receive(struct tusk_stream *stream, void *buffer, size_t size)
{
    ssize_t rc = read_more(stream, buffer, size);

    return rc > 0 && unlikely(tusk__bytes_size(&stream->in) > 0) ? (ssize_t)take(stream, buffer, size) : rc;
}

ssize_t tusk_stream_read(tusk_stream *stream, void *buffer, size_t size)
{
    ssize_t rc;

    if (!buffer && size > 0)
        return -EINVAL;
    tusk_try(begin(stream));
    rc = (ssize_t)take(stream, buffer, size);
    if (rc == 0 && size > 0)
        rc = receive(stream, buffer, size);
    return end(stream, rc);
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

static ssize_t read_exactly(struct tusk_stream *stream, char *buffer, size_t size)
{
    size_t count = take(stream, buffer, size);
    ssize_t rc = 1;

    while (count < size && (rc = receive(stream, buffer + count, size - count)) > 0)
        count += (size_t)rc;
    if (rc < 0)
        return put_back(stream, buffer, count, rc);
    if (count == size)
        return (ssize_t)size;
    stream->partial = count;
    return TUSK_INCOMPLETE_READ;
}

ssize_t tusk_stream_readexactly(tusk_stream *stream, void *buffer, size_t size)
{
    if ((!buffer && size > 0) || size > SSIZE_MAX)
        return -EINVAL;
    tusk_try(begin(stream));
    return end(stream, read_exactly(stream, buffer, size));
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

    tusk_try(begin(stream));
    rc = read_until(stream, search);
    if (rc > 0)
        lend(stream, (size_t)rc, ret_data);
    else if (rc == 0)
        rc = lend_rest(stream, ret_data);
    return end(stream, rc);
}

ssize_t tusk_stream_readuntil_any(tusk_stream *stream, const struct iovec *separators, size_t count,
                                  const char **ret_data)
{
    struct tusk__search search = {.separators = separators, .count = count};

    if (!ret_data || (count > 0 && !separators))
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
    ssize_t rc;

    if (!stream)
        return -EINVAL;
    tusk__stream_retain(stream);
    rc = tusk_stream_readuntil(stream, "\n", ret_line);
    if (rc == TUSK_INCOMPLETE_READ)
        rc = (ssize_t)stream->partial;
    else if (rc == TUSK_LIMIT_OVERRUN)
        skip_line(stream);
    tusk__stream_unref(stream);
    return rc;
}

ssize_t tusk_stream_peek(tusk_stream *stream, size_t size, const char **ret_data)
{
    ssize_t rc = 1;

    if (!stream || !ret_data)
        return -EINVAL;
    if (size > stream->limit)
        return tusk_raise(TUSK_LIMIT_OVERRUN, "a look at %zu bytes of a stream whose .limit is %zu", size,
                          stream->limit);
    tusk_try(begin(stream));
    while (rc > 0 && tusk__bytes_size(&stream->in) < size)
        rc = fill(stream);
    if (rc >= 0) {
        rc = (ssize_t)tusk__bytes_size(&stream->in);
        *ret_data = rc > 0 ? tusk__bytes_first(&stream->in) : "";
    }
    return end(stream, rc);
}

int tusk_stream_consume(tusk_stream *stream, size_t size)
{
    if (!stream || size > tusk__bytes_size(&stream->in))
        return -EINVAL;
    if (stream->reading)
        return tusk_raise(TUSK_INVALID_STATE, "another task reads from this stream");
    tusk__bytes_consume(&stream->in, size);
    return 0;
}

bool tusk_stream_at_eof(const tusk_stream *stream)
{
    return stream && stream->eof && tusk__bytes_size(&stream->in) == 0;
}
