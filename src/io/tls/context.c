/*
 * Contexts: from options to what OpenSSL wants. Nothing here is written down twice: what OpenSSL does well by
 * itself stays as it is, so that a system's own rules (its list of ciphers, its level of security) hold.
 */
#include "io/tls/context.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "io/tls/connection.h"

/* ---- files ---- */

/* A file could not be used: the system's code, if it is the reason, or else TUSK_TLS_FILE. */
static int bad_file(const char *what, const char *path)
{
    char doing[256];

    snprintf(doing, sizeof doing, "%s %s", what, path);
    return tusk__tls_raise(TUSK_TLS_FILE, doing);
}

/* Called for an encrypted key. Without a password there is none, where OpenSSL would ask at the terminal. */
static int give_password(char *buffer, int size, int writing, void *arg)
{
    const char *password = arg;

    (void)writing;
    if (!password || strlen(password) >= (size_t)size)
        return -1;
    return snprintf(buffer, (size_t)size, "%s", password);
}

static int load_own(SSL_CTX *ssl, const struct tusk_tls_context_options *options)
{
    const char *key = options->key_file ? options->key_file : options->certificate_file;
    int rc = 0;

    if (!options->certificate_file) {
        if (options->server_side || options->key_file)
            return tusk_raise(-EINVAL,
                              "a TLS context for servers, or with a key_file, needs a certificate_file");
        return 0;
    }
    if (SSL_CTX_use_certificate_chain_file(ssl, options->certificate_file) != 1)
        return bad_file("certificate_file", options->certificate_file);
    SSL_CTX_set_default_passwd_cb(ssl, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, (void *)options->key_password);
    if (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ssl) != 1)
        rc = bad_file("the key in", key);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    return rc;
}

/* A server names those whom it trusts to its clients, so that they can choose a certificate. */
static int name_authorities(SSL_CTX *ssl, const char *ca_file)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);

    if (!names)
        return bad_file("ca_file", ca_file);
    SSL_CTX_set_client_CA_list(ssl, names);
    return 0;
}

static int load_authorities(SSL_CTX *ssl, const struct tusk_tls_context_options *options)
{
    bool asks = SSL_CTX_get_verify_mode(ssl) != SSL_VERIFY_NONE;

    if (options->ca_file && SSL_CTX_load_verify_file(ssl, options->ca_file) != 1)
        return bad_file("ca_file", options->ca_file);
    if (options->ca_path && SSL_CTX_load_verify_dir(ssl, options->ca_path) != 1)
        return bad_file("ca_path", options->ca_path);
    if (options->server_side)
        return asks && options->ca_file ? name_authorities(ssl, options->ca_file) : 0;
    if (!options->ca_file && !options->ca_path && SSL_CTX_set_default_verify_paths(ssl) != 1)
        return tusk__tls_raise(TUSK_TLS_FILE, "the certificates that the system trusts");
    return 0;
}

/* ---- what the peer's certificate must be ---- */

static int set_verify(SSL_CTX *ssl, const struct tusk_tls_context_options *options)
{
    int mode = SSL_VERIFY_PEER;

    switch (options->verify) {
    case TUSK_CERT_DEFAULT:
        mode = options->server_side ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
        break;
    case TUSK_CERT_NONE:
        mode = SSL_VERIFY_NONE;
        break;
    case TUSK_CERT_OPTIONAL:
        break;
    case TUSK_CERT_REQUIRED:
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        break;
    default:
        return tusk_raise(-EINVAL, "there is no .verify of %d", (int)options->verify);
    }
    if (options->server_side && mode != SSL_VERIFY_NONE && !options->ca_file && !options->ca_path)
        return tusk_raise(-EINVAL, "to verify clients, a TLS context needs a ca_file or ca_path");
    SSL_CTX_set_verify(ssl, mode, NULL);
    /* Who is trusted is trusted, whether it signed itself or not. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    return 0;
}

/* ---- versions and ciphers ---- */

static bool is_version(enum tusk_tls_version version)
{
    return version == 0 || version == TUSK_TLS_1_2 || version == TUSK_TLS_1_3;
}

static int set_versions(SSL_CTX *ssl, const struct tusk_tls_context_options *options)
{
    enum tusk_tls_version min = options->min_version ? options->min_version : TUSK_TLS_1_2;

    if (!is_version(options->min_version) || !is_version(options->max_version) ||
        (options->max_version && options->max_version < min))
        return tusk_raise(-EINVAL, "no version of TLS from %#x to %#x", (unsigned)min,
                          (unsigned)options->max_version);
    /*
     * The system's configuration may ask for more than TLS 1.2. That holds, unless the program asks
     * for a version.
     */
    if (!options->min_version && SSL_CTX_get_min_proto_version(ssl) > (long)min)
        min = 0;
    if ((min && SSL_CTX_set_min_proto_version(ssl, (int)min) != 1) ||
        (options->max_version && SSL_CTX_set_max_proto_version(ssl, (int)options->max_version) != 1))
        return tusk__tls_raise(-EINVAL, "the versions of TLS");
    return 0;
}

static int set_ciphers(SSL_CTX *ssl, const struct tusk_tls_context_options *options)
{
    if (options->ciphers && SSL_CTX_set_cipher_list(ssl, options->ciphers) != 1)
        return tusk__tls_raise(-EINVAL, ".ciphers");
    if (options->ciphersuites && SSL_CTX_set_ciphersuites(ssl, options->ciphersuites) != 1)
        return tusk__tls_raise(-EINVAL, ".ciphersuites");
    return 0;
}

/* ---- ALPN ---- */

/* As much as TLS has room for. */
enum { ALPN_MAX = 65000 };

/* "h2,http/1.1" as TLS writes it: each comma becomes the length of what follows. */
static int write_protocols(struct tusk_tls_context *context, const char *names)
{
    size_t length = strlen(names);
    size_t start = 0;

    if (length > ALPN_MAX)
        return tusk_raise(-EINVAL, "an .alpn of %zu bytes", length);
    context->alpn = tusk__alloc(length + 1);
    if (!context->alpn)
        return -ENOMEM;
    memcpy(context->alpn + 1, names, length);
    context->alpn_size = (unsigned)length + 1;
    for (size_t i = 1; i <= length + 1; i++) {
        if (i <= length && context->alpn[i] != ',')
            continue;
        if (i - start < 2 || i - start > 256)
            return tusk_raise(-EINVAL, "the .alpn \"%s\" is no list of names with commas", names);
        context->alpn[start] = (unsigned char)(i - start - 1);
        start = i;
    }
    return 0;
}

/*
 * RFC 7301: who has nothing in common must not go on, for each would take the other's words for
 * something else.
 */
static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_length,
                           const unsigned char *offered, unsigned size, void *arg)
{
    const struct tusk_tls_context *context = arg;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, ret_length, context->alpn, context->alpn_size, offered, size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int set_protocols(struct tusk_tls_context *context, const struct tusk_tls_context_options *options)
{
    if (!options->alpn)
        return 0;
    tusk_try(write_protocols(context, options->alpn));
    if (options->server_side)
        SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, context);
    else if (SSL_CTX_set_alpn_protos(context->ssl, context->alpn, context->alpn_size) != 0)
        return -ENOMEM;
    return 0;
}

/* ---- sessions ---- */

/*
 * Called when the server has given out a session, in TLS 1.3 some time after the handshake. 0: it
 * stays OpenSSL's.
 */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    const struct tusk__tls *tls = SSL_get_app_data(ssl);

    if (tls && tls->key)
        tusk__tls_sessions_put(&tls->context->sessions, tls->key, session);
    return 0;
}

static void set_sessions(SSL_CTX *ssl, const struct tusk_tls_context_options *options)
{
    static const unsigned char name[] = "tusk";

    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    /* Sessions of clients with certificates are bound to this. */
    SSL_CTX_set_session_id_context(ssl, name, sizeof name - 1);
    if (options->no_sessions) {
        SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ssl, 0);
    } else if (!options->server_side) {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ssl, keep_session);
    }
}

/* ---- life ---- */

/*
 * Buffers of idle connections are released: 34 KiB each. Reading ahead gets a record, and what
 * follows it, by one system call, where OpenSSL makes one for its head and one for the rest. No
 * renegotiation: an old door for attacks, and a reading side would have to write.
 */
static void set_ways(SSL_CTX *ssl, const struct tusk_tls_context_options *options)
{
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ssl,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Whatever the system's configuration says: who is cut off is told. */
    SSL_CTX_clear_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (options->ktls)
        SSL_CTX_set_options(ssl, SSL_OP_ENABLE_KTLS);
    else
        SSL_CTX_set_read_ahead(ssl, 1);
}

static int set_up(struct tusk_tls_context *context, const struct tusk_tls_context_options *options)
{
    SSL_CTX *ssl = context->ssl;

    if (options->sni && !options->server_side)
        return tusk_raise(-EINVAL, ".sni is for servers");
    set_ways(ssl, options);
    tusk_try(set_versions(ssl, options));
    tusk_try(set_ciphers(ssl, options));
    tusk_try(set_verify(ssl, options));
    tusk_try(load_own(ssl, options));
    tusk_try(load_authorities(ssl, options));
    tusk_try(set_protocols(context, options));
    set_sessions(ssl, options);
    if (options->sni)
        tusk__tls_sni_attach(context);
    return 0;
}

static void destroy(struct tusk_tls_context *context)
{
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->bio);
    tusk__tls_sessions_close(&context->sessions);
    tusk__free(context->alpn);
    tusk__free(context);
}

static struct tusk_tls_context *new_context(const struct tusk_tls_context_options *options)
{
    struct tusk_tls_context *context = tusk__alloc(sizeof *context);

    if (!context)
        return NULL;
    tusk__tls_sessions_init(&context->sessions);
    atomic_init(&context->references, 1);
    context->server_side = options->server_side;
    context->ktls = options->ktls;
    context->sni = options->sni;
    context->sni_arg = options->sni_arg;
    context->ssl = SSL_CTX_new(options->server_side ? TLS_server_method() : TLS_client_method());
    context->bio = tusk__tls_bio_methods();
    if (!context->ssl || !context->bio) {
        destroy(context);
        return NULL;
    }
    return context;
}

tusk_tls_context *(tusk_tls_context_create)(const struct tusk_tls_context_options *options)
{
    static const struct tusk_tls_context_options nothing;
    struct tusk_tls_context *context;
    int rc;

    options = options ? options : &nothing;
    ERR_clear_error();
    context = new_context(options);
    if (!context)
        return tusk__fail(-ENOMEM);
    rc = set_up(context, options);
    if (rc < 0) {
        tusk_tls_context_release(context);
        return tusk__fail(rc);
    }
    return context;
}

tusk_tls_context *tusk_tls_context_retain(tusk_tls_context *context)
{
    if (context)
        atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void tusk_tls_context_release(tusk_tls_context *context)
{
    /* The last one must see what the others did. */
    if (context && atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) == 1)
        destroy(context);
}
