/*
 * A connection: what stands between a stream's channel and OpenSSL.
 *
 * OpenSSL reads and writes by way of a BIO of ours (bio.c), which asks the loop's system calls and
 * keeps the descriptor's account, so that no call is made that cannot succeed. With ktls it is
 * OpenSSL's own, for the kernel must know the socket; then the account is kept from what OpenSSL
 * says it wants. (Seen with Linux 6.1 and OpenSSL 3.0: TLS 1.2 both ways, TLS 1.3 sending.)
 *
 * `pending`. When OpenSSL says that it could not write, it has encrypted the data already, and must
 * be called again with the same. But a channel that says -EAGAIN has taken nothing, and its user is
 * free to come again with other data. So up to one record is copied to `pending` and is taken; `ear`
 * listens for its chance to go. Rejected: a buffer for what is encrypted, between OpenSSL and the
 * socket, where the kernel could not encrypt, and which a peer could fill that has us answer and does
 * not read.
 *
 * Life: one reference is the channel's, one the handshake's as long as it lasts, for a callback in
 * it may suspend while somebody closes the stream.
 */
#ifndef TUSK__IO_TLS_CONNECTION_H
#define TUSK__IO_TLS_CONNECTION_H

#include "io/bytes.h"
#include "io/channel.h"
#include "io/tls/context.h"

struct tusk__tls {
    /* NULL once it is closed. */
    struct tusk__channel *channel;
    struct tusk__io *io;
    SSL *ssl;
    struct tusk_tls_context *context;
    /* What the callback for server names chose, or NULL. */
    struct tusk_tls_context *chosen;
    uint32_t references;
    /* The handshake is done. */
    bool established;
    /* The peer said goodbye. */
    bool ended;
    /* We did. */
    bool said_goodbye;
    /* The socket itself has ended. */
    bool cut;
    /* OpenSSL has the socket. */
    bool direct;
    /* What the connection failed with, and why; 0: it has not. */
    int error;
    /* What writing failed with: a peer that has gone may have said something before. */
    int write_error;
    char reason[120];
    /* What the last system call said that failed. */
    int system_error;
    /* What the callback for server names refused the client with. */
    int refusal;
    /* What came before TLS began, and is to be read first. */
    struct tusk__bytes early;
    /* See above. */
    struct tusk__bytes pending;
    enum tusk__direction pending_wants;
    struct tusk__io_waiter ear;
    /* How many seconds the end may take, and how many bytes may still come. */
    double patience;
    size_t tolerance;
    struct tusk__timer timer;
    bool timer_started;
    /* The end took too long. */
    bool late;
    /* A client's: host and port, by which its sessions are kept; NULL: they are not. */
    char *key;
};

/*
 * Makes a connection of a plain channel, in place of which it reads and writes from here on. What
 * is in `early` moves there, to be read first. hostname may be NULL. 0 or a negative code, and
 * nothing has changed.
 */
int tusk__tls_open(struct tusk__channel *channel, struct tusk_tls_context *context, const char *hostname,
                   double patience, struct tusk__bytes *early);

static inline struct tusk__tls *tusk__tls_of(const struct tusk__channel *channel)
{
    return channel->state;
}

void tusk__tls_unref(struct tusk__tls *tls);

/*
 * Goes on shaking hands: 0 when it is done; -EAGAIN, and wants[TUSK__READ] says what for; or the
 * error. Suspends if the callback for server names does; the channel may be closed then.
 */
int tusk__tls_handshake(struct tusk__channel *channel);

/* Before each call of OpenSSL. */
void tusk__tls_begin(struct tusk__tls *tls);

/*
 * After one that failed, with what it returned: -EAGAIN and *wants, 0 for the peer's goodbye, or the
 * error, which is kept.
 */
int tusk__tls_result(struct tusk__tls *tls, int rc, enum tusk__direction *wants);

/* The code of an error that was kept, with its message. */
int tusk__tls_raise_kept(const struct tusk__tls *tls, int code);

/* A name or an address that a peer can be asked for. 0 or -EINVAL, with a message. */
int tusk__tls_check_hostname(const char *hostname);

/* The server's name for a client: to be told and to be verified. 0 or a negative code, with a message. */
int tusk__tls_set_hostname(SSL *ssl, const char *hostname);

/* The connection's channel becomes one inside of TLS. */
void tusk__tls_channel_init(struct tusk__tls *tls);

/* The BIO's methods; NULL without memory. */
BIO_METHOD *tusk__tls_bio_methods(void);

/* Lets the connection read and write on this socket. 0 or -ENOMEM. */
int tusk__tls_bio_attach(struct tusk__tls *tls, int fd);

/* As struct tusk__channel_kind's. */
int tusk__tls_info(const struct tusk__channel *channel, const char *name, void *ret_value, size_t *size);

#endif
