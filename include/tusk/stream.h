/*
 * Streams: connections, pipes and the like as a task reads and writes them. (asyncio.streams)
 *
 *     tusk_stream *stream;
 *     const char *line;
 *     ssize_t length;
 *
 *     tusk_try(tusk_open_connection("example.org", 80, &stream));
 *     rc = tusk_stream_print(stream, "HEAD / HTTP/1.0\r\nHost: example.org\r\n\r\n");
 *     while (rc == 0 && (length = tusk_stream_readline(stream, &line)) > 0)
 *         printf("%.*s", (int)length, line);
 *     tusk_stream_release(stream);
 *
 * One object is asyncio's reader and writer in one. You own it, and give it back with
 * tusk_stream_release(), which closes it if you did not. One that a server gave to your handler is
 * the server's.
 *
 * Reading. What has come and was not read yet stands in the stream's buffer. tusk_stream_read() and
 * tusk_stream_readexactly() copy into a buffer of yours, or have the system write there at once if
 * the stream's is empty. The others lend: *ret_data points into the stream's buffer, and is valid
 * until the next call that reads from this stream. An idle stream has no buffer at all. `limit` (64
 * KiB) is how long a line may be. One task reads at a time: a second one gets TUSK_INVALID_STATE, from the
 * beginning of the first one's call to its end.
 *
 * Writing. tusk_stream_write() sends at once what the system takes. The rest is kept and sent in the
 * background as long as it is small; if there is more than the high-water mark (64 KiB), the call
 * waits until the rest is below the low one (16 KiB): so a slow peer slows its writer down, and
 * nobody has to think of it. Large data is sent from where it is, without a copy. Several tasks may
 * write: each call's bytes stay together, and those who wait have their turns in order.
 *
 * Errors. When the connection is lost, reads first give what had come, also what only the system has
 * when a write fails. Then they, and all writes, return the error: -ECONNRESET, -EPIPE, -ETIMEDOUT,
 * a code of TLS. After tusk_stream_close() or tusk_stream_abort() they return TUSK_STREAM_CLOSED, and
 * so does a call that waits while another task closes the stream under it; what had come and was not
 * read yet is gone. A task that is cancelled while it reads loses nothing. A write of no more than
 * the high-water mark happens whole, or, cancelled, not at all. A larger one that is cancelled has
 * perhaps written some of it, so all that is left to do is to abort the stream.
 *
 * Time-outs come from scopes: tusk/timeout.h. All functions: the loop's thread; those that suspend,
 * in tasks (TUSK_NOT_IN_TASK).
 */
#ifndef TUSK_STREAM_H
#define TUSK_STREAM_H

#include <tusk/io.h>

TUSK_BEGIN_DECLS

/* A stream. Yours, until tusk_stream_release(), unless a server or a process has it. */
typedef struct tusk_stream tusk_stream;

/* Certificates and rules for TLS: see tusk/tls.h. */
typedef struct tusk_tls_context tusk_tls_context;

/* ---- making ---- */

struct tusk_stream_options {
    /* How long a line may be, and how much is read ahead, in bytes. 0: 64 KiB. */
    size_t limit;
    int tusk__end;
};

/*
 * A stream on a descriptor: a connected socket, an end of a pipe, a terminal. (connect_read_pipe,
 * connect_write_pipe) The descriptor is the stream's from here on, and closed with it; after an
 * error it is still yours. A TCP socket gets TCP_NODELAY, as all connections have it that tusk makes: what is written
 * goes out at once. Returns 0, -EBADF, -ENOMEM, -ENOTSUP for a regular file, -EINVAL for a socket of messages,
 * TUSK_NO_RUNNING_LOOP. Option: .limit. Does not suspend.
 */
TUSK_API TUSK_MUST_CHECK int tusk_open_stream(int fd, tusk_stream **ret_stream,
                                              const struct tusk_stream_options *options);

/*
 * Closes the stream, if it is open, as tusk_stream_close() does, and gives it back. What was written
 * is still sent in the background. Takes NULL. Does not suspend.
 */
TUSK_API void tusk_stream_release(tusk_stream *stream);

/* ---- reading ---- */

/*
 * Reads up to size bytes: at least one, as soon as there are some. Returns how many; 0 at the end.
 * Suspends.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_stream_read(tusk_stream *stream, void *buffer, size_t size);

/*
 * Reads exactly size bytes and returns size; TUSK_INCOMPLETE_READ if the stream ends before: then
 * the buffer has tusk_stream_partial() of them. A cancel or an error before puts back into the
 * stream what had come. Suspends.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_stream_readexactly(tusk_stream *stream, void *buffer, size_t size);

/*
 * Lends the next line with its "\n". Returns its length; what stands without "\n" before the end of
 * the stream is a line too; 0 at the end. TUSK_LIMIT_OVERRUN if it is longer than the limit: what
 * there is of it, up to its end, is thrown away. Suspends.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_stream_readline(tusk_stream *stream, const char **ret_line);

/*
 * Lends the bytes up to and with the separator (ends with a zero byte, not empty); returns how many. TUSK_LIMIT_OVERRUN
 * if it does not come within the limit: the bytes stay. TUSK_INCOMPLETE_READ if the stream ends
 * before: *ret_data lends the tusk_stream_partial() bytes that were left, and they are consumed. Suspends.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_stream_readuntil(tusk_stream *stream, const char *separator,
                                                       const char **ret_data);

/*
 * The same as tusk_stream_readuntil(), up to whichever of several separators ends first; of two
 * that end there, the longer one.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_stream_readuntil_any(tusk_stream *stream,
                                                           const struct iovec *separators, size_t count,
                                                           const char **ret_data);

/* How many bytes the last TUSK_INCOMPLETE_READ of this stream gave. Does not suspend. */
TUSK_API size_t tusk_stream_partial(const tusk_stream *stream);

/*
 * For parsers: lends what there is, at least `size` bytes unless the stream ends before, and
 * leaves it in the stream. Returns how many there are; less than size only at the end; TUSK_LIMIT_OVERRUN, at once, if
 * size is more than the limit. Suspends if there are less.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_stream_peek(tusk_stream *stream, size_t size, const char **ret_data);

/* Takes so many of the bytes that are there. -EINVAL if there are less; TUSK_INVALID_STATE if a task reads. Does not suspend. */
TUSK_API int tusk_stream_consume(tusk_stream *stream, size_t size);

/* True when the stream has ended and everything was read. Does not suspend. */
TUSK_API bool tusk_stream_at_eof(const tusk_stream *stream);

/* ---- writing ---- */

/*
 * Writes all of it. Returns 0; the error of the connection; TUSK_STREAM_CLOSED; TUSK_INVALID_STATE after
 * tusk_stream_write_eof(). The data may be reused when it returns. Suspends if more than the
 * high-water mark is unsent then, while another task has its turn, and now and then for the others'
 * sake.
 */
TUSK_API TUSK_MUST_CHECK int tusk_stream_write(tusk_stream *stream, const void *data, size_t size);

/* The same as tusk_stream_write() of several pieces, by one system call where possible. */
TUSK_API TUSK_MUST_CHECK int tusk_stream_writelines(tusk_stream *stream, const struct iovec *data, int count);

/* The same as tusk_stream_write() of a formatted text. Also -ENOMEM, and nothing is written. */
TUSK_API TUSK_MUST_CHECK int tusk_stream_print(tusk_stream *stream, const char *format, ...)
    TUSK_PRINTF(2, 3);

/*
 * Sends count bytes of a file from offset on (0: all that follow), after what was written before.
 * (loop.sendfile) Through a plain socket the system copies from file to socket, and reads what is
 * not in memory in this thread, as tusk_sendfile() does; through TLS the bytes are read and written here,
 * unless the system encrypts (.ktls). Waits for slow peers as a large write does, and what other tasks write
 * meanwhile comes after it. file is any descriptor that has places; where it stands does not change.
 *
 * Returns how many bytes were sent: less than count only at the file's end. Else -EINVAL, -EBADF or -EIO for
 * the file, -ESPIPE for what is none; the error of the connection; TUSK_STREAM_CLOSED, also if it is closed
 * meanwhile; TUSK_INVALID_STATE after tusk_stream_write_eof(). After such a code, or a cancel, the peer may have
 * got a part, and nobody knows how much: the stream is as it was, other writers go on, and all
 * that is left to do is to abort it. Who is to know sends in portions. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int64_t tusk_stream_sendfile(tusk_stream *stream, int file, off_t offset,
                                                      size_t count);

/*
 * Waits until no more than the low-water mark is unsent, if it was more than the high one; with
 * marks of 0 until all was handed to the system. Suspends only then.
 */
TUSK_API TUSK_MUST_CHECK int tusk_stream_drain(tusk_stream *stream);

/*
 * The marks of unsent bytes: writers wait above high until it is down to low. high 0 keeps nothing
 * back: a write returns when all is with the system. -EINVAL if low > high. 64 and 16 KiB at first.
 * Does not suspend.
 */
TUSK_API int tusk_stream_set_write_buffer_limits(tusk_stream *stream, size_t high, size_t low);

/* How many bytes are unsent. Does not suspend. */
TUSK_API size_t tusk_stream_get_write_buffer_size(const tusk_stream *stream);

/*
 * Ends the writing side: the peer sees the end once all is sent, that of writers who wait too, and may still be
 * read. A pipe is closed by that. Returns 0;
 * TUSK_STREAM_CLOSED; -ENOTSUP if the stream cannot be half-closed. Does not suspend.
 */
TUSK_API int tusk_stream_write_eof(tusk_stream *stream);

/* True if the stream can be half-closed, which one with TLS cannot. Does not suspend. */
TUSK_API bool tusk_stream_can_write_eof(const tusk_stream *stream);

/* ---- closing ---- */

/*
 * Closes the stream: no more reads and writes. What is unsent goes out in the background, then the
 * descriptor is closed. Tasks that wait in calls of this stream get TUSK_STREAM_CLOSED. Does not
 * suspend.
 */
TUSK_API void tusk_stream_close(tusk_stream *stream);

/* Closes at once; what is unsent is lost, and a connection is reset. Does not suspend. */
TUSK_API void tusk_stream_abort(tusk_stream *stream);

/* True once it was closed, aborted or lost. Does not suspend. */
TUSK_API bool tusk_stream_is_closing(const tusk_stream *stream);

/*
 * Waits until the descriptor is closed, after tusk_stream_close(). Returns 0, or the error with which
 * the connection was lost before all was sent. TUSK_INVALID_STATE if nobody closed it. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_stream_wait_closed(tusk_stream *stream);

/* ---- knowing ---- */

/*
 * What is known of the stream: name is "peername" or "sockname" (struct sockaddr_storage), "fd" (int),
 * and with TLS those of tusk/tls.h. Writes at most *size bytes to ret_value and their number to *size. Returns
 * 0; -ENOENT for what this stream does not have; -EINVAL if the room is too small. Does not suspend.
 */
TUSK_API int tusk_stream_get_extra_info(const tusk_stream *stream, const char *name, void *ret_value,
                                        size_t *size);

/*
 * The peer's address as text: "192.0.2.1:80", "[2001:db8::1]:80", "/run/x.sock", "@abstract", "" if there is none. Cut
 * to size. Returns text. Does not suspend.
 */
TUSK_API const char *tusk_stream_peername(const tusk_stream *stream, char *text, size_t size);

#ifndef __cplusplus
#define tusk_open_stream(fd, ...) TUSK__OPEN_STREAM(fd, __VA_ARGS__, .tusk__end = 0)
#define TUSK__OPEN_STREAM(fd, ret_stream, ...)                                                               \
    (tusk_open_stream)(fd, ret_stream, &(const struct tusk_stream_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
