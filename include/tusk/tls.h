/*
 * TLS: streams that nobody else can read or change, and peers that show who they are. (ssl)
 *
 *     tusk_tls_context *context = tusk_tls_context_create();
 *     tusk_stream *stream;
 *
 *     ...                                        // a stream to example.org, in plain so far
 *     tusk_try(tusk_stream_start_tls(stream, context, .server_hostname = "example.org"));
 *     rc = tusk_stream_print(stream, "QUIT\r\n");
 *     ...
 *     tusk_tls_context_release(context);
 *
 * A context holds what many connections have in common: certificates, whom to trust, versions. It is
 * for one side, clients or servers, never changes, and may be used by any number of streams, loops
 * and threads at a time. What a client does not say is safe: TLS 1.2 or newer, the peer's
 * certificate verified by what the system trusts, its name checked.
 *
 * A stream with TLS is read, written and closed as any other; see tusk/stream.h. Besides:
 *
 * The end. TLS has a goodbye of its own, so a connection that is cut off does not look like one that
 * has ended: reads return TUSK_TLS_EOF instead of 0. tusk_stream_close() says goodbye when all is
 * sent, and waits in the background for the peer's, up to shutdown_timeout; what the peer still
 * sends is thrown away. A stream with TLS cannot be half-closed: tusk_stream_write_eof() returns
 * -ENOTSUP.
 *
 * Errors. TUSK_TLS_CERTIFICATE: the peer's certificate was not accepted. TUSK_TLS_FAILED: everything
 * else that goes wrong in TLS, also when the peer refuses us. Both come with a message that says
 * why, for tusk_message() and reports.
 *
 * Stack. Calls on streams with TLS take 8 KiB of the task's stack (OpenSSL 3.0; others may take
 * more), so it should have more than TUSK_STACK_MIN. The default is plenty.
 *
 * This is OpenSSL, version 3, and its names for ciphers and versions. A tusk that was built without
 * it has all of this, but creations and calls fail with -ENOTSUP.
 */
#ifndef TUSK_TLS_H
#define TUSK_TLS_H

#include <tusk/stream.h>

TUSK_BEGIN_DECLS

/* ---- contexts ---- */

/* What is asked of the peer's certificate. */
enum tusk_cert {
    /* A client: TUSK_CERT_REQUIRED. A server: TUSK_CERT_NONE. */
    TUSK_CERT_DEFAULT,
    /* Nothing: a client does not know then who its server is. A server does not ask for one. */
    TUSK_CERT_NONE,
    /* A server asks for one, which must be good; a client need not have any. For a client as REQUIRED. */
    TUSK_CERT_OPTIONAL,
    /* It must be there, be good, and, if it is a server's, be for server_hostname. */
    TUSK_CERT_REQUIRED,
};

/* A version of TLS, by the number that it has in TLS itself. */
enum tusk_tls_version {
    /* TLS 1.2, the oldest that is taken. */
    TUSK_TLS_1_2 = 0x0303,
    /* TLS 1.3. */
    TUSK_TLS_1_3 = 0x0304,
};

/*
 * Chooses the context for a client, by the name of the server that it asked for; NULL: it asked for none.
 * *ret_context is the server's own, and stays if it is not changed. Another server's context may be
 * put there, without a reference: its certificate, its rules for clients' certificates and its .alpn
 * hold for this connection; versions and ciphers stay those of the first. Returns 0; a negative code
 * refuses the client, and tusk_stream_start_tls() returns it. Runs in the task that calls
 * tusk_stream_start_tls(), and may suspend.
 */
typedef int tusk_tls_sni(const char *server_name, tusk_tls_context **ret_context, void *arg);

struct tusk_tls_context_options {
    /* For the side that accepts connections. (ssl.Purpose.CLIENT_AUTH) */
    bool server_side;
    /*
     * PEM files: the own certificate, with those that lead to its root behind it; and its key. Without
     * a key_file the key stands in the first. A server needs them, a client may have them.
     */
    const char *certificate_file;
    const char *key_file;
    /* Of an encrypted key. Nobody is asked for it at a terminal. */
    const char *key_password;
    /*
     * Whose certificates to trust: a PEM file with any number of certificates, a folder of such files
     * as `openssl rehash` names them. Without both a client trusts whom the system trusts.
     */
    const char *ca_file;
    const char *ca_path;
    /* What the peer's certificate must be. */
    enum tusk_cert verify;
    /*
     * The protocols to be spoken inside, best first, with commas: "h2,http/1.1". A server takes the
     * first of its own that the client has too, and refuses a client that has others only.
     */
    const char *alpn;
    /* 0: TLS 1.2 at least, and no limit above. */
    enum tusk_tls_version min_version;
    enum tusk_tls_version max_version;
    /* OpenSSL's list for TLS 1.2, and the one for TLS 1.3. NULL: OpenSSL's, or the system's, choice. */
    const char *ciphers;
    const char *ciphersuites;
    /*
     * No resumption. Else a server gives tickets out, which cost it no memory; and a client keeps the
     * last 256 for connections to the same server_hostname and port, which save certificates and
     * signatures.
     */
    bool no_sessions;
    /* Servers: see tusk_tls_sni. */
    tusk_tls_sni *sni;
    void *sni_arg;
    /*
     * Lets the kernel encrypt where it can (TCP on Linux, with its tls module and that of the cipher), so that
     * OpenSSL's part ends with the handshake and tusk_stream_sendfile() copies nothing here. Where it cannot,
     * OpenSSL goes on, with some more system calls than without this. "ktls" below says what has become of it.
     */
    bool ktls;
    int tusk__end;
};

/*
 * A new context, with one reference. NULL on an error, with a message: tusk_last_error() is -ENOENT,
 * -EACCES ... for a file that cannot be read; TUSK_TLS_FILE for one that can but is not what it
 * should be, or a key that is not the certificate's; -EINVAL for options that make no sense;
 * -ENOTSUP; -ENOMEM. Reads files, so it may block for as long as that takes; never suspends. Strings
 * are copied. Any thread.
 */
TUSK_API tusk_tls_context *tusk_tls_context_create(const struct tusk_tls_context_options *options);

/* One more reference; returns the context. Any thread. */
TUSK_API tusk_tls_context *tusk_tls_context_retain(tusk_tls_context *context);

/*
 * Gives a reference back. Streams have their own, so a context may be released as soon as nothing
 * new is to be made with it. Takes NULL. Any thread.
 */
TUSK_API void tusk_tls_context_release(tusk_tls_context *context);

/* ---- streams ---- */

struct tusk_start_tls_options {
    /*
     * Clients: the name of the server, which its certificate must have and which the server is told
     * (SNI); or its address. "": any name will do, which is safe against nobody. It may be left out
     * only if the context does not verify.
     */
    const char *server_hostname;
    /* Seconds after which a handshake that is not done fails with -ETIMEDOUT. 0: 60. */
    double handshake_timeout;
    /* Seconds in which the peer of a closing stream must take the last of it, and say goodbye. 0: 30. */
    double shutdown_timeout;
    int tusk__end;
};

/*
 * Goes over to TLS, on a connected socket's stream: sends what is unsent, then shakes hands, as
 * client or server as the context says. (StreamWriter.start_tls) What the peer has sent early, and
 * was not read, is taken for TLS, never for data afterwards: so nobody can slip plain text in. Data
 * that readline() and the like have lent is not valid any more.
 *
 * Returns 0. Errors that leave the stream as it was: -EINVAL, for a server_hostname that is no name
 * or is needed; -ENOTSUP if it is no socket; TUSK_INVALID_STATE if it has TLS already or another task
 * reads from it; -ENOMEM; TUSK_NOT_IN_TASK. Errors of the handshake, which close it:
 * TUSK_TLS_CERTIFICATE, TUSK_TLS_FAILED, TUSK_TLS_EOF, -ETIMEDOUT, -ECONNRESET ..., -ECANCELED. What
 * other tasks write from here on waits, and goes inside of TLS. Suspends. Options: .server_hostname,
 * .handshake_timeout, .shutdown_timeout.
 *
 * tusk_stream_get_extra_info() knows then: "cipher", "tls_version" ("TLSv1.3"), "alpn" (what was
 * agreed), "server_name" (what the client asked for), "verify_error" (why the peer's certificate
 * would not have been accepted, with TUSK_CERT_NONE), all texts with their 0; "peercert" (the peer's
 * certificate, DER), and as int "session_reused" and "ktls" (what the kernel does: 1 sending, 2
 * receiving, 3 both). -ENOENT for what there is not.
 */
TUSK_API TUSK_MUST_CHECK int tusk_stream_start_tls(tusk_stream *stream, tusk_tls_context *context,
                                                   const struct tusk_start_tls_options *options);

#ifndef __cplusplus
#define tusk_tls_context_create(...)                                                                         \
    (tusk_tls_context_create)(&(const struct tusk_tls_context_options){.tusk__end = 0, __VA_ARGS__})
#define tusk_stream_start_tls(stream, ...) TUSK__STREAM_START_TLS(stream, __VA_ARGS__, .tusk__end = 0)
#define TUSK__STREAM_START_TLS(stream, context, ...)                                                         \
    (tusk_stream_start_tls)(stream, context, &(const struct tusk_start_tls_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
