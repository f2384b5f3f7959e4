/*
 * Server names: the callback that chooses a context for the name a client asks for.
 *
 * It is the one place where the user's code runs inside of OpenSSL. It may suspend: the handshake is
 * on the stack of the task, and OpenSSL holds no lock here. Two things follow. Others leave errors in
 * OpenSSL's queue meanwhile, which must not be taken for the handshake's; and the stream may be
 * closed, so that the handshake finds itself without a channel.
 */
#include <openssl/err.h>
#include <string.h>

#include "io/tls/connection.h"

/*
 * The context that was chosen, with a reference until the connection ends: the handshake looks into
 * it again.
 */
static int change_context(struct tusk__tls *tls, struct tusk_tls_context *context)
{
    if (!context || !context->server_side)
        return tusk_raise(-EINVAL, "a callback for server names gave no context for servers");
    if (!SSL_set_SSL_CTX(tls->ssl, context->ssl))
        return -ENOMEM;
    tls->chosen = tusk_tls_context_retain(context);
    SSL_set_verify(tls->ssl, SSL_CTX_get_verify_mode(context->ssl), NULL);
    return 0;
}

/*
 * OpenSSL has resumed a session before it asks for a context. Such a client showed its certificate,
 * if any, under the rules of another name's context, which say nothing of this one's.
 */
static int check_resumption(SSL *ssl, const char *name)
{
    const char *before = SSL_session_reused(ssl) ? SSL_SESSION_get0_hostname(SSL_get_session(ssl)) : name;
    bool same = before == name || (before && name && strcmp(before, name) == 0);

    if (same || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
        return 0;
    return tusk_raise(TUSK_TLS_CERTIFICATE, "a client goes on for \"%s\" with a session for \"%s\"",
                      name ? name : "", before ? before : "");
}

static int choose(SSL *ssl, int *ret_alert, void *arg)
{
    struct tusk__tls *tls = SSL_get_app_data(ssl);
    struct tusk_tls_context *context = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    int rc = context->sni(name, &context, context->sni_arg);

    ERR_clear_error();
    if (rc >= 0 && context != arg)
        rc = change_context(tls, context);
    if (rc >= 0)
        rc = check_resumption(ssl, name);
    if (rc >= 0 && !tls->channel)
        rc = TUSK_STREAM_CLOSED;
    if (rc >= 0)
        return SSL_TLSEXT_ERR_OK;
    tls->refusal = rc;
    *ret_alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void tusk__tls_sni_attach(struct tusk_tls_context *context)
{
    SSL_CTX_set_tlsext_servername_callback(context->ssl, choose);
    SSL_CTX_set_tlsext_servername_arg(context->ssl, context);
}
