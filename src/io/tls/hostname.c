/*
 * Names of servers: what a client tells the server, and what it verifies. A name is both; an address
 * is verified only, for TLS has no way to tell it (RFC 6066).
 */
#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "io/tls/connection.h"

/* The longest name that DNS has. */
enum { NAME_MAX_LENGTH = 253 };

/* An address as text, without the scope that only this machine knows. */
static bool write_address(const char *hostname, char text[INET6_ADDRSTRLEN])
{
    unsigned char address[16];
    size_t length = strcspn(hostname, "%");

    if (length >= INET6_ADDRSTRLEN)
        return false;
    memcpy(text, hostname, length);
    text[length] = '\0';
    return inet_pton(AF_INET6, text, address) == 1 || inet_pton(AF_INET, hostname, address) == 1;
}

/* What is left of a name without the dot that may end it. */
static size_t name_length(const char *hostname)
{
    size_t length = strlen(hostname);

    return length > 0 && hostname[length - 1] == '.' ? length - 1 : length;
}

int tusk__tls_check_hostname(const char *hostname)
{
    char address[INET6_ADDRSTRLEN];
    size_t length = name_length(hostname);

    if (hostname[0] == '\0' || write_address(hostname, address))
        return 0;
    /* For OpenSSL ".example.org" would be each name that ends so. */
    if (hostname[0] == '.' || length > NAME_MAX_LENGTH)
        return tusk_raise(-EINVAL, "the server_hostname \"%.300s\" is no name of a host", hostname);
    for (size_t i = 0; i < length; i++)
        if (hostname[i] <= ' ' || hostname[i] > '~')
            return tusk_raise(-EINVAL,
                              "the server_hostname \"%.300s\" has bytes that no name has; "
                              "an international one begins with xn--",
                              hostname);
    return 0;
}

int tusk__tls_set_hostname(SSL *ssl, const char *hostname)
{
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    char text[NAME_MAX_LENGTH + 1];
    size_t length;

    if (hostname[0] == '\0')
        return 0;
    /*
     * A name is what stands among the names; no "w*.example.org"; and no common name, for that may be
     * anything.
     */
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (write_address(hostname, text))
        return X509_VERIFY_PARAM_set1_ip_asc(rules, text) == 1 ? 0 : -ENOMEM;
    length = name_length(hostname);
    memcpy(text, hostname, length);
    text[length] = '\0';
    if (SSL_set_tlsext_host_name(ssl, text) != 1 || X509_VERIFY_PARAM_set1_host(rules, text, length) != 1)
        return -ENOMEM;
    return 0;
}
