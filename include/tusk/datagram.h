/*
 * Datagrams: messages that arrive whole or not at all.
 *
 * Tasks use a socket and the calls of tusk/io.h:
 *
 *     int fd = tusk_open_datagram(.local_host = "127.0.0.1", .local_port = 9999);
 *
 *     while ((size = tusk_recvfrom(fd, buffer, sizeof buffer, 0, address, &length)) >= 0)
 *         tusk_try(tusk_sendto(fd, buffer, size, 0, address, length));
 *
 * Programs that live on callbacks use a transport with a protocol, as asyncio's
 * create_datagram_endpoint() makes it: see tusk/transport.h, of which the same holds here.
 */
#ifndef TUSK_DATAGRAM_H
#define TUSK_DATAGRAM_H

#include <tusk/io.h>

TUSK_BEGIN_DECLS

struct tusk_datagram_options {
    /* Where messages come in; NULL and 0: any address, and a port that the system chooses. */
    const char *local_host;
    int local_port;
    /* The only peer: sends go there, and others are not heard. NULL: everybody. */
    const char *remote_host;
    int remote_port;
    /* Unix sockets instead: paths, or abstract names with a '@'. A socket's file that stands at local_path is removed. */
    const char *local_path;
    const char *remote_path;
    /* AF_INET or AF_INET6; 0: whatever the first address is. */
    int family;
    /* Other sockets may have the same address, and the system divides the messages. */
    bool reuse_port;
    /* Messages may go to the broadcast address. */
    bool allow_broadcast;
    const char *tusk__where;
};

/*
 * A socket for messages, bound and connected as the options say; close it with tusk_close(). Returns the descriptor;
 * or the error of the resolver or of the system, with a message that names the address; -EINVAL. Suspends to look names up.
 */
TUSK_API TUSK_MUST_CHECK int tusk_open_datagram(const struct tusk_datagram_options *options);

/* ---- by callbacks ---- */

/*
 * A socket for messages by callbacks. Valid from connection_made until connection_lost has
 * returned.
 */
typedef struct tusk_datagram_transport tusk_datagram_transport;

/*
 * What a transport calls, each with the pointer of yours as self. Any may be NULL. None may
 * suspend.
 */
struct tusk_datagram_protocol {
    /* The socket is open. The first call. */
    void (*connection_made)(void *self, tusk_datagram_transport *transport);
    /* A message, and whose it is (a length of 0: nobody knows). Both are valid during the call. */
    void (*datagram_received)(void *self, const void *data, size_t size, const struct sockaddr *address,
                              socklen_t length);
    /*
     * A message was not received or not sent, -ECONNREFUSED for example; -EMSGSIZE: one of more than 256 KiB came,
     * and was thrown away. The transport goes on.
     */
    void (*error_received)(void *self, int error);
    /* It is over, and the transport invalid afterwards: 0 after a close or an abort, or the error. */
    void (*connection_lost)(void *self, int error);
    /* More than 64 KiB are unsent; and, no more than 16. */
    void (*pause_writing)(void *self);
    void (*resume_writing)(void *self);
};

/*
 * Opens a socket as tusk_open_datagram() does, and a transport on it. connection_made comes in the next iteration. ret_transport
 * may be NULL. The same errors, and -ENOMEM. Suspends as that does.
 */
TUSK_API TUSK_MUST_CHECK int tusk_create_datagram_endpoint(const struct tusk_datagram_protocol *protocol,
                                                           void *self,
                                                           tusk_datagram_transport **ret_transport,
                                                           const struct tusk_datagram_options *options);

/*
 * Sends a message, now or in the background, to this address, or to the only peer (NULL). Returns 0;
 * -EINVAL without any address; TUSK_STREAM_CLOSED; -ENOMEM, -EMSGSIZE, and it is not sent. Other errors come by error_received. Does
 * not suspend.
 */
TUSK_API int tusk_datagram_transport_sendto(tusk_datagram_transport *transport, const void *data, size_t size,
                                            const struct sockaddr *address, socklen_t length);

/* Closes the transport, when what is unsent was sent; and at once. Do not suspend. */
TUSK_API void tusk_datagram_transport_close(tusk_datagram_transport *transport);
TUSK_API void tusk_datagram_transport_abort(tusk_datagram_transport *transport);

/* True once it was closed, aborted or lost. Does not suspend. */
TUSK_API bool tusk_datagram_transport_is_closing(const tusk_datagram_transport *transport);

/* The descriptor of a transport, for getsockname(2) and options; -EBADF once it is closed. Does not suspend. */
TUSK_API int tusk_datagram_transport_fileno(const tusk_datagram_transport *transport);

/* How many bytes are unsent; each message counts for 8 more. Does not suspend. */
TUSK_API size_t tusk_datagram_transport_get_write_buffer_size(const tusk_datagram_transport *transport);

#ifndef __cplusplus
#define tusk_open_datagram(...)                                                                              \
    (tusk_open_datagram)(&(const struct tusk_datagram_options){__VA_ARGS__, .tusk__where = TUSK__HERE})
#define tusk_create_datagram_endpoint(protocol, self, ...)                                                   \
    TUSK__CREATE_DATAGRAM_ENDPOINT(protocol, self, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__CREATE_DATAGRAM_ENDPOINT(protocol, self, ret_transport, ...)                                   \
    (tusk_create_datagram_endpoint)(protocol, self, ret_transport,                                           \
                                    &(const struct tusk_datagram_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
