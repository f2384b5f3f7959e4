/*
 * Contexts from the inside: OpenSSL's, what its callbacks need, and the sessions of a client.
 *
 * Nothing in it changes after its creation but the count of references and the sessions, which have
 * a lock. Connections hold references.
 */
#ifndef TUSK__IO_TLS_CONTEXT_H
#define TUSK__IO_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <tusk/tls.h>

struct tusk__tls_session;

/* What a client may go on with, by host and port. Newest first. */
struct tusk__tls_sessions {
    pthread_mutex_t lock;
    struct tusk__tls_session *newest;
    struct tusk__tls_session *oldest;
    size_t count;
};

struct tusk_tls_context {
    atomic_int references;
    bool server_side;
    bool ktls;
    SSL_CTX *ssl;
    /* What its connections read and write with. See bio.c. */
    BIO_METHOD *bio;
    /* Protocols as TLS writes them: each with its length before it. */
    unsigned char *alpn;
    unsigned alpn_size;
    tusk_tls_sni *sni;
    void *sni_arg;
    struct tusk__tls_sessions sessions;
};

/* ---- sessions ---- */

void tusk__tls_sessions_init(struct tusk__tls_sessions *sessions);
void tusk__tls_sessions_close(struct tusk__tls_sessions *sessions);

/* Keeps a copy of a session, if there is memory. Any thread. */
void tusk__tls_sessions_put(struct tusk__tls_sessions *sessions, const char *key, const SSL_SESSION *session);

/*
 * A session for this peer, the caller's own, or NULL. One of TLS 1.3 is good for one connection, and
 * goes. Any thread.
 */
SSL_SESSION *tusk__tls_sessions_take(struct tusk__tls_sessions *sessions, const char *key);

/* ---- server names ---- */

/* Lets the context's connections ask its callback. */
void tusk__tls_sni_attach(struct tusk_tls_context *context);

/* ---- errors ---- */

/*
 * Raises what the oldest error in OpenSSL's queue says, with `doing` before it. Returns the system's
 * code or -ENOMEM if it is one of these, else code. Empties the queue.
 */
int tusk__tls_raise(int code, const char *doing);

/* The text of the oldest error in OpenSSL's queue, without a full stop. Empties the queue. */
const char *tusk__tls_reason(char *text, size_t size);

#endif
