/*
 * What is known of a connection.
 */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

#include "io/tls/connection.h"

struct answer {
    void *value;
    size_t *size;
};

static int give(struct answer *answer, const void *value, size_t length)
{
    if (*answer->size < length)
        return -EINVAL;
    memcpy(answer->value, value, length);
    *answer->size = length;
    return 0;
}

static int give_int(struct answer *answer, int number)
{
    return give(answer, &number, sizeof number);
}

/* NULL: there is none. */
static int give_text(struct answer *answer, const char *text)
{
    return text ? give(answer, text, strlen(text) + 1) : -ENOENT;
}

static int give_cipher(SSL *ssl, struct answer *answer)
{
    return give_text(answer, SSL_get_cipher_name(ssl));
}

static int give_version(SSL *ssl, struct answer *answer)
{
    return give_text(answer, SSL_get_version(ssl));
}

static int give_alpn(SSL *ssl, struct answer *answer)
{
    const unsigned char *name;
    unsigned length;
    char text[256];

    SSL_get0_alpn_selected(ssl, &name, &length);
    if (length == 0 || length >= sizeof text)
        return -ENOENT;
    memcpy(text, name, length);
    text[length] = '\0';
    return give_text(answer, text);
}

static int give_server_name(SSL *ssl, struct answer *answer)
{
    return give_text(answer, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

static int give_peercert(SSL *ssl, struct answer *answer)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    unsigned char *end = answer->value;
    int length = certificate ? i2d_X509(certificate, NULL) : 0;

    if (length <= 0)
        return -ENOENT;
    if (*answer->size < (size_t)length)
        return -EINVAL;
    i2d_X509(certificate, &end);
    *answer->size = (size_t)length;
    return 0;
}

static int give_verify_error(SSL *ssl, struct answer *answer)
{
    long error = SSL_get_verify_result(ssl);

    if (error == X509_V_OK || !SSL_get0_peer_certificate(ssl))
        return -ENOENT;
    return give_text(answer, X509_verify_cert_error_string(error));
}

static int give_session_reused(SSL *ssl, struct answer *answer)
{
    return give_int(answer, SSL_session_reused(ssl));
}

static int give_ktls(SSL *ssl, struct answer *answer)
{
    int sends = BIO_get_ktls_send(SSL_get_wbio(ssl)) > 0;
    int receives = BIO_get_ktls_recv(SSL_get_rbio(ssl)) > 0;

    return give_int(answer, sends | (receives << 1));
}

static const struct {
    const char *name;
    int (*give)(SSL *ssl, struct answer *answer);
} facts[] = {
    {"cipher", give_cipher},
    {"tls_version", give_version},
    {"alpn", give_alpn},
    {"server_name", give_server_name},
    {"peercert", give_peercert},
    {"verify_error", give_verify_error},
    {"session_reused", give_session_reused},
    {"ktls", give_ktls},
};

int tusk__tls_info(const struct tusk__channel *channel, const char *name, void *ret_value, size_t *size)
{
    const struct tusk__tls *tls = tusk__tls_of(channel);
    struct answer answer = {ret_value, size};

    if (!tls->established)
        return -ENOENT;
    ERR_clear_error();
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(facts[i].name, name) == 0)
            return facts[i].give(tls->ssl, &answer);
    return -ENOENT;
}
