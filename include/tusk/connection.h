/*
 * Connections: from an address to a stream. (asyncio.open_connection)
 *
 *     tusk_stream *stream;
 *
 *     tusk_try(tusk_open_connection("example.org", 443, &stream, .tls = context));
 *     ...
 *     tusk_stream_release(stream);
 *
 * A host may have several addresses, of two families, and some of them may lead nowhere. So
 * attempts are staggered: the first address is tried, after a quarter of a second the next one too,
 * of the other family, and so on; the next one also begins when the one before it has failed. The
 * first connection that is there wins, the other attempts are given up. (RFC 8305, "happy
 * eyeballs")
 *
 * When all addresses failed, the code is that of the first one, and tusk_message() names each
 * address with its error.
 *
 * A limit of time is a scope: tusk/timeout.h. Whoever is cancelled has no connection and leaves no
 * descriptor behind.
 */
#ifndef TUSK_CONNECTION_H
#define TUSK_CONNECTION_H

#include <tusk/stream.h>

TUSK_BEGIN_DECLS

struct tusk_connection_options {
    /* TLS with these certificates and rules: see tusk/tls.h. Retained. NULL: plain. */
    tusk_tls_context *tls;
    /* The name that the peer's certificate must have. NULL: the host; "": any. Only with .tls. */
    const char *server_hostname;
    /* How long the TLS handshake, and the TLS goodbye, may take, in seconds. 0: 60, and 30. */
    double handshake_timeout;
    double shutdown_timeout;
    /* The address, and the port, to connect from. NULL and 0: whatever the system takes. */
    const char *local_addr;
    int local_port;
    /* AF_INET or AF_INET6. 0: either. */
    int family;
    /* How long a line may be: see tusk/stream.h. 0: 64 KiB. */
    size_t limit;
    /*
     * How long an attempt has before the next one begins, in seconds. 0: 0.25; infinite: until it
     * has failed.
     */
    double happy_eyeballs_delay;
    /*
     * How many addresses of the first one's family come before one of the other; from then on the
     * families alternate. 0: one, or the order of the resolver if the delay is infinite.
     */
    int interleave;
    const char *tusk__where;
};

/*
 * Connects to a host's port by TCP. The host is a name or an address as text; NULL: this machine.
 * The stream is yours: tusk_stream_release(). Returns 0; else nothing was made: -ECONNREFUSED,
 * -EHOSTUNREACH, -ENETUNREACH, -ETIMEDOUT ... of the first address; what tusk_getaddrinfo()
 * returns; the errors of TLS; -EINVAL for a port that is none and options that do not go together;
 * -ECANCELED, -EMFILE, -ENOMEM, TUSK_NOT_IN_TASK. The strings need not outlive the call. Suspends.
 * Options (last, as designated initializers): .tls, .server_hostname, .handshake_timeout,
 * .shutdown_timeout, .local_addr, .local_port, .family, .limit, .happy_eyeballs_delay, .interleave.
 */
TUSK_API TUSK_MUST_CHECK int tusk_open_connection(const char *host, int port, tusk_stream **ret_stream,
                                                  const struct tusk_connection_options *options);

/*
 * The same as tusk_open_connection() by a Unix socket at this path. One that begins with '@' is a
 * name in the abstract namespace, which only Linux has; write "./@name" for a file. -ENAMETOOLONG:
 * the system has no room for such a long path (107 bytes on Linux); nothing is ever cut. -ENOENT,
 * -ECONNREFUSED: nobody is there. Suspends. Options: .tls, .server_hostname (needed with .tls),
 * .handshake_timeout, .shutdown_timeout, .limit.
 */
TUSK_API TUSK_MUST_CHECK int tusk_open_unix_connection(const char *path, tusk_stream **ret_stream,
                                                       const struct tusk_connection_options *options);

#ifndef __cplusplus
#define tusk_open_connection(host, port, ...)                                                                \
    TUSK__OPEN_CONNECTION(host, port, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__OPEN_CONNECTION(host, port, ret_stream, ...)                                                   \
    (tusk_open_connection)(host, port, ret_stream, &(const struct tusk_connection_options){__VA_ARGS__})
#define tusk_open_unix_connection(path, ...)                                                                 \
    TUSK__OPEN_UNIX_CONNECTION(path, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__OPEN_UNIX_CONNECTION(path, ret_stream, ...)                                                    \
    (tusk_open_unix_connection)(path, ret_stream, &(const struct tusk_connection_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
