#include "io/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <tusk/error.h>

enum { PATH_AT = offsetof(struct sockaddr_un, sun_path), HIGHEST_PORT = 65535 };

static void write_unix(const struct sockaddr_un *address, socklen_t length, char *text, size_t size)
{
    int path = length > PATH_AT ? (int)length - PATH_AT : 0;

    if (path > 1 && !address->sun_path[0])
        snprintf(text, size, "@%.*s", path - 1, address->sun_path + 1);
    else
        snprintf(text, size, "%.*s", path, address->sun_path);
}

const char *tusk__address_text(const struct sockaddr *address, socklen_t length, char *text, size_t size)
{
    const struct sockaddr_in *in = (const void *)address;
    const struct sockaddr_in6 *in6 = (const void *)address;
    char host[INET6_ADDRSTRLEN];

    if (size == 0)
        return "";
    text[0] = '\0';
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%d", host, ntohs(in->sin_port));
    } else if (address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%d", host, ntohs(in6->sin6_port));
    } else if (address->sa_family == AF_UNIX) {
        write_unix((const void *)address, length, text, size);
    }
    return text;
}

int tusk__address_unix(const char *path, struct sockaddr_un *ret_address)
{
    size_t length = strlen(path);

    if (length == 0)
        return tusk_raise(-EINVAL, "the path of a Unix socket is empty");
    /* The name that '@' stands for begins with a zero byte; a path ends with one. Both take one more. */
    if (length >= sizeof ret_address->sun_path)
        return tusk_raise(-ENAMETOOLONG, "the path of a Unix socket has %zu bytes, and %zu is the most: %s",
                          length, sizeof ret_address->sun_path - 1, path);
    memset(ret_address, 0, sizeof *ret_address);
    ret_address->sun_family = AF_UNIX;
    memcpy(ret_address->sun_path, path, length);
    if (path[0] != '@')
        return (int)(PATH_AT + length + 1);
    ret_address->sun_path[0] = '\0';
    return (int)(PATH_AT + length);
}

int tusk__address_resolve(const char *host, int port, const struct tusk_getaddrinfo_options *hints,
                          struct addrinfo **ret_list)
{
    char service[16];

    if (port < 0 || port > HIGHEST_PORT)
        return tusk_raise(-EINVAL, "there is no port %d: they go from 0 to %d", port, HIGHEST_PORT);
    snprintf(service, sizeof service, "%d", port);
    return (tusk_getaddrinfo)(host, service, ret_list, hints);
}
