/*
 * Transports and protocols: connections by callbacks. (asyncio's low-level interface)
 *
 *     static void data_received(void *self, const void *data, size_t size)
 *     {
 *         struct echo *echo = self;
 *
 *         tusk_transport_write(echo->transport, data, size);
 *     }
 *
 *     static const struct tusk_protocol echo_protocol = {
 *         .connection_made = connection_made, .data_received = data_received, .connection_lost = free_echo};
 *
 * For programs that live on callbacks, and for what is built on them. Tasks use streams
 * (tusk/stream.h).
 *
 * A transport moves the bytes; a protocol is a table of functions that it calls, with a pointer of
 * yours. connection_made comes first, connection_lost last, each exactly once; the transport is
 * valid from the one until the other has returned. In between come, as often as it happens, data_received (or
 * get_buffer and buffer_updated), at most once eof_received, and pause_writing and resume_writing in turn. All of
 * them run in the loop's thread as callbacks: they may call everything here, and must not suspend.
 * Any of them may be NULL.
 *
 * No function of this chapter suspends, but for those that connect. All of them: the loop's thread.
 */
#ifndef TUSK_TRANSPORT_H
#define TUSK_TRANSPORT_H

#include <tusk/connection.h>
#include <tusk/server.h>

TUSK_BEGIN_DECLS

/* What moves the bytes. Valid from connection_made until connection_lost has returned. */
typedef struct tusk_transport tusk_transport;

/*
 * What a transport calls, each with the pointer of yours as self. Any may be NULL. None may
 * suspend.
 */
struct tusk_protocol {
    /* The connection is there. */
    void (*connection_made)(void *self, tusk_transport *transport);
    /* The bytes are the transport's, and valid during the call. */
    void (*data_received)(void *self, const void *data, size_t size);
    /*
     * Instead of data_received: memory for what comes next, at least a byte, of which *ret_size is the size; size_hint is
     * how much may come. NULL closes the connection. (BufferedProtocol)
     */
    void *(*get_buffer)(void *self, size_t size_hint, size_t *ret_size);
    /* So many bytes came into it. */
    void (*buffer_updated)(void *self, size_t size);
    /* The peer will send nothing more. True: the transport stays open for writing; false, or NULL: it closes. */
    bool (*eof_received)(void *self);
    /* It is over: 0 after a close or an abort from this side, or the peer's end; or the error. */
    void (*connection_lost)(void *self, int error);
    /* More than the high-water mark is unsent; and, no more than the low one. */
    void (*pause_writing)(void *self);
    void (*resume_writing)(void *self);
};

/* ---- connecting ---- */

/*
 * Connects as tusk_open_connection() does, with its options and errors. connection_made is called before it returns; if it returns
 * an error, no function of the protocol is. ret_transport may be NULL. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_create_connection(const struct tusk_protocol *protocol, void *self,
                                                    const char *host, int port,
                                                    tusk_transport **ret_transport,
                                                    const struct tusk_connection_options *options);
TUSK_API TUSK_MUST_CHECK int tusk_create_unix_connection(const struct tusk_protocol *protocol, void *self,
                                                         const char *path, tusk_transport **ret_transport,
                                                         const struct tusk_connection_options *options);

/*
 * A transport on a descriptor: a connected socket, an end of a pipe, a terminal. (connect_read_pipe,
 * connect_write_pipe, connect_accepted_socket) That of the writing end of a pipe ends when its reader goes, with -EPIPE
 * if something was unsent. The descriptor is the transport's from here on; after
 * an error it is still yours. connection_made comes in the next iteration. Errors as tusk_open_stream().
 * Does not suspend.
 */
TUSK_API TUSK_MUST_CHECK int tusk_open_transport(int fd, const struct tusk_protocol *protocol, void *self,
                                                 tusk_transport **ret_transport);

/*
 * Chooses the protocol of a client: writes both, and returns 0; or a negative code, and the
 * connection is closed and the code reported.
 */
typedef int tusk_protocol_factory(void *arg, const struct tusk_protocol **ret_protocol, void **ret_self);

/*
 * Starts a server as tusk_start_server() does, whose clients have protocols instead of handlers. They count
 * among the server's clients until connection_lost. Suspends, as that does.
 */
TUSK_API TUSK_MUST_CHECK int tusk_create_server(tusk_protocol_factory *factory, void *arg, const char *host,
                                                int port, tusk_server **ret_server,
                                                const struct tusk_server_options *options);
TUSK_API TUSK_MUST_CHECK int tusk_create_unix_server(tusk_protocol_factory *factory, void *arg,
                                                     const char *path, tusk_server **ret_server,
                                                     const struct tusk_server_options *options);

/* ---- writing ---- */

/*
 * Sends, now or in the background, and never waits: mind pause_writing. Returns 0; the error with
 * which the connection was lost; TUSK_STREAM_CLOSED; TUSK_INVALID_STATE after write_eof; -EINVAL; -ENOMEM, and the
 * connection is lost.
 */
TUSK_API int tusk_transport_write(tusk_transport *transport, const void *data, size_t size);
TUSK_API int tusk_transport_writelines(tusk_transport *transport, const struct iovec *data, int count);

/*
 * Ends the writing side, once everything is sent. Returns 0, TUSK_STREAM_CLOSED, or -ENOTSUP if it
 * has none of its own.
 */
TUSK_API int tusk_transport_write_eof(tusk_transport *transport);
TUSK_API bool tusk_transport_can_write_eof(const tusk_transport *transport);

/*
 * As tusk_stream_set_write_buffer_limits() and tusk_stream_get_write_buffer_size(); pause_writing
 * and resume_writing follow from the marks.
 */
TUSK_API int tusk_transport_set_write_buffer_limits(tusk_transport *transport, size_t high, size_t low);
TUSK_API size_t tusk_transport_get_write_buffer_size(const tusk_transport *transport);

/* ---- reading ---- */

/* No more data_received until resumed; the peer is slowed down by that. Pausing twice is once. */
TUSK_API void tusk_transport_pause_reading(tusk_transport *transport);
TUSK_API void tusk_transport_resume_reading(tusk_transport *transport);
TUSK_API bool tusk_transport_is_reading(const tusk_transport *transport);

/* ---- ending and knowing ---- */

/* Sends what is unsent, then closes; connection_lost(0) follows. No more data is received from here on. */
TUSK_API void tusk_transport_close(tusk_transport *transport);

/* Closes at once; what is unsent is lost; connection_lost(0) follows. */
TUSK_API void tusk_transport_abort(tusk_transport *transport);

/* True once it was closed, aborted or lost. */
TUSK_API bool tusk_transport_is_closing(const tusk_transport *transport);

/* As tusk_stream_get_extra_info(). */
TUSK_API int tusk_transport_get_extra_info(const tusk_transport *transport, const char *name, void *ret_value,
                                           size_t *size);

/* Another protocol from here on; connection_made is not called again. -EINVAL without one. */
TUSK_API int tusk_transport_set_protocol(tusk_transport *transport, const struct tusk_protocol *protocol,
                                         void *self);

/* The pointer that the protocol's functions get. */
TUSK_API void *tusk_transport_get_protocol(const tusk_transport *transport);

#ifndef __cplusplus
#define tusk_create_connection(protocol, self, host, port, ...)                                              \
    TUSK__CREATE_CONNECTION(protocol, self, host, port, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__CREATE_CONNECTION(protocol, self, host, port, ret_transport, ...)                              \
    (tusk_create_connection)(protocol, self, host, port, ret_transport,                                      \
                             &(const struct tusk_connection_options){__VA_ARGS__})
#define tusk_create_unix_connection(protocol, self, path, ...)                                               \
    TUSK__CREATE_UNIX_CONNECTION(protocol, self, path, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__CREATE_UNIX_CONNECTION(protocol, self, path, ret_transport, ...)                               \
    (tusk_create_unix_connection)(protocol, self, path, ret_transport,                                       \
                                  &(const struct tusk_connection_options){__VA_ARGS__})
#define tusk_create_server(factory, arg, host, port, ...)                                                    \
    TUSK__CREATE_SERVER(factory, arg, host, port, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__CREATE_SERVER(factory, arg, host, port, ret_server, ...)                                       \
    (tusk_create_server)(factory, arg, host, port, ret_server,                                               \
                         &(const struct tusk_server_options){__VA_ARGS__})
#define tusk_create_unix_server(factory, arg, path, ...)                                                     \
    TUSK__CREATE_UNIX_SERVER(factory, arg, path, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__CREATE_UNIX_SERVER(factory, arg, path, ret_server, ...)                                        \
    (tusk_create_unix_server)(factory, arg, path, ret_server,                                                \
                              &(const struct tusk_server_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
