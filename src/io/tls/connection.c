/*
 * Connections: their life, and their handshake.
 */
#include "io/tls/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static int port_of(const struct tusk__channel *channel)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    const struct tusk__descriptor *descriptor = channel->descriptor;

    if (tusk__system_of(descriptor->io->loop)
            ->getpeername(descriptor->watch.fd, (struct sockaddr *)&address, &size) < 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address)->sin_port);
    return address.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)&address)->sin6_port) : 0;
}

/*
 * Goes on with a session of an earlier connection to this host and port, and lets new ones be kept. 0
 * or -ENOMEM.
 */
static int resume(struct tusk__tls *tls, const struct tusk__channel *channel, const char *hostname)
{
    size_t size = strlen(hostname) + sizeof ":65535";
    SSL_SESSION *session;

    tls->key = tusk__alloc(size);
    if (!tls->key)
        return -ENOMEM;
    snprintf(tls->key, size, "%s:%d", hostname, port_of(channel));
    session = tusk__tls_sessions_take(&tls->context->sessions, tls->key);
    if (session) {
        SSL_set_session(tls->ssl, session);
        SSL_SESSION_free(session);
    }
    return 0;
}

static int set_side(struct tusk__tls *tls, const struct tusk__channel *channel, const char *hostname)
{
    if (tls->context->server_side) {
        SSL_set_accept_state(tls->ssl);
        return 0;
    }
    SSL_set_connect_state(tls->ssl);
    if (!hostname || hostname[0] == '\0')
        return 0;
    tusk_try(tusk__tls_set_hostname(tls->ssl, hostname));
    return resume(tls, channel, hostname);
}

/* The kernel encrypts only for real sockets, and knows only what it reads itself. */
static bool can_be_direct(const struct tusk__tls *tls, const struct tusk__channel *channel,
                          const struct tusk__bytes *early)
{
    return tls->context->ktls && tusk__bytes_size(early) == 0 &&
           tusk__system_of(channel->descriptor->io->loop) == &tusk__system_real;
}

int tusk__tls_open(struct tusk__channel *channel, struct tusk_tls_context *context, const char *hostname,
                   double patience, struct tusk__bytes *early)
{
    struct tusk__tls *tls = tusk__alloc(sizeof *tls);
    int rc = -ENOMEM;

    if (!tls)
        return -ENOMEM;
    ERR_clear_error();
    tls->io = channel->descriptor->io;
    tls->references = 1;
    tls->patience = patience;
    tls->context = tusk_tls_context_retain(context);
    tls->direct = can_be_direct(tls, channel, early);
    tls->ssl = SSL_new(context->ssl);
    if (tls->ssl && tusk__tls_bio_attach(tls, channel->descriptor->watch.fd) == 0)
        rc = set_side(tls, channel, hostname);
    if (rc < 0) {
        tusk__tls_unref(tls);
        return rc;
    }
    /* The kernel hands records out one by one: that a read got less says nothing of what is behind it. */
    if (tls->direct)
        channel->descriptor->directions[TUSK__READ].short_tells = false;
    SSL_set_app_data(tls->ssl, tls);
    tls->early = *early;
    *early = (struct tusk__bytes){NULL, 0, 0, 0};
    tls->channel = channel;
    tusk__tls_channel_init(tls);
    return 0;
}

void tusk__tls_unref(struct tusk__tls *tls)
{
    if (--tls->references > 0)
        return;
    SSL_free(tls->ssl);
    tusk_tls_context_release(tls->chosen);
    tusk_tls_context_release(tls->context);
    tusk__free(tls->key);
    tusk__free(tls);
}

int tusk__tls_handshake(struct tusk__channel *channel)
{
    struct tusk__tls *tls = tusk__tls_of(channel);
    enum tusk__direction wants = TUSK__READ;
    int rc;

    tls->references++;
    tusk__tls_begin(tls);
    rc = SSL_do_handshake(tls->ssl);
    if (rc == 1) {
        tls->established = true;
        rc = 0;
    } else {
        rc = tusk__tls_result(tls, rc, &wants);
    }
    /* A goodbye instead of a handshake. */
    if (tls->ended)
        rc = tusk_raise(TUSK_TLS_EOF, "TLS handshake: the peer said goodbye");
    else if (rc < 0 && rc != -EAGAIN)
        rc = tusk__tls_raise_kept(tls, rc);
    if (tls->channel)
        channel->wants[TUSK__READ] = wants;
    tusk__tls_unref(tls);
    return rc;
}
