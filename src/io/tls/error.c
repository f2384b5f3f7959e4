/*
 * What goes wrong in OpenSSL, as codes and messages of tusk. OpenSSL keeps a queue of errors for each
 * thread: it is emptied before each call, for tasks and other libraries leave there what they will,
 * and after each error.
 */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "io/tls/connection.h"

/* The words for one error; NULL if OpenSSL has none. */
static const char *words_of(unsigned long error)
{
    if (ERR_SYSTEM_ERROR(error))
        return tusk_strerror(ERR_GET_REASON(error));
    return ERR_reason_error_string(error);
}

const char *tusk__tls_reason(char *text, size_t size)
{
    unsigned long error = ERR_peek_error();
    const char *words = error ? words_of(error) : "no reason is known";

    if (words)
        snprintf(text, size, "%s", words);
    else
        snprintf(text, size, "error %lx", error);
    ERR_clear_error();
    return text;
}

int tusk__tls_raise(int code, const char *doing)
{
    char reason[120];
    unsigned long error = ERR_peek_error();

    if (ERR_SYSTEM_ERROR(error))
        code = -ERR_GET_REASON(error);
    else if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
        code = -ENOMEM;
    return tusk_raise(code, "%s: %s", doing, tusk__tls_reason(reason, sizeof reason));
}

int tusk__tls_raise_kept(const struct tusk__tls *tls, int code)
{
    return tls->reason[0] ? tusk_raise(code, "%s", tls->reason) : code;
}

/* why may be NULL. */
static int keep(struct tusk__tls *tls, int code, const char *what, const char *why)
{
    tls->error = code;
    snprintf(tls->reason, sizeof tls->reason, "%s%s%s", what, why ? ": " : "", why ? why : "");
    return code;
}

static const char *phase(const struct tusk__tls *tls)
{
    return tls->established ? "TLS" : "TLS handshake";
}

/* What OpenSSL's queue says of a connection that has failed. */
static int keep_failure(struct tusk__tls *tls)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    char text[100];

    /* The callback that refused has raised its message itself. */
    if (tls->refusal < 0)
        return tls->error = tls->refusal;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return keep(tls, TUSK_TLS_CERTIFICATE, "the peer's certificate was not accepted",
                    X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl)));
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return keep(tls, TUSK_TLS_CERTIFICATE, "the peer has no certificate", NULL);
    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return keep(tls, TUSK_TLS_EOF, phase(tls), "the peer cut the connection off");
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
        return keep(tls, -ENOMEM, phase(tls), tusk_strerror(-ENOMEM));
    return keep(tls, TUSK_TLS_FAILED, phase(tls), tusk__tls_reason(text, sizeof text));
}

/* The system failed, or ended where OpenSSL would have read on. */
static int keep_system_error(struct tusk__tls *tls)
{
    if (tls->system_error < 0)
        return keep(tls, tls->system_error, phase(tls), tusk_strerror(tls->system_error));
    return keep(tls, TUSK_TLS_EOF, phase(tls), "the peer cut the connection off");
}

/* OpenSSL found the socket not ready: what our own BIO would have remembered. */
static int not_now(const struct tusk__tls *tls, enum tusk__direction direction, enum tusk__direction *wants)
{
    if (tls->direct && tls->channel)
        tusk__descriptor_exhausted(tls->channel->descriptor, direction);
    *wants = direction;
    return -EAGAIN;
}

void tusk__tls_begin(struct tusk__tls *tls)
{
    ERR_clear_error();
    tls->system_error = 0;
    errno = 0;
}

int tusk__tls_result(struct tusk__tls *tls, int rc, enum tusk__direction *wants)
{
    int error = errno;

    switch (SSL_get_error(tls->ssl, rc)) {
    case SSL_ERROR_NONE:
        return 0;
    case SSL_ERROR_WANT_READ:
        return not_now(tls, TUSK__READ, wants);
    case SSL_ERROR_WANT_WRITE:
        return not_now(tls, TUSK__WRITE, wants);
    case SSL_ERROR_ZERO_RETURN:
        tls->ended = true;
        return 0;
    case SSL_ERROR_SYSCALL:
        if (tls->direct)
            tls->system_error = -error;
        return keep_system_error(tls);
    default:
        return keep_failure(tls);
    }
}
