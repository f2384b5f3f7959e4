/*
 * Addresses of sockets as text, and the other way round.
 */
#ifndef TUSK__IO_ADDRESS_H
#define TUSK__IO_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <tusk/resolver.h>

/* What holds "[2001:db8::1%interface]:65535" and nearly every path. */
enum { TUSK__ADDRESS_TEXT = 128 };

/*
 * Writes "192.0.2.1:80", "[2001:db8::1]:80", "/run/x.sock", "@abstract", or "" for what has no
 * address. Cut to size. Returns text.
 */
const char *tusk__address_text(const struct sockaddr *address, socklen_t length, char *text, size_t size);

/*
 * The address of a path, or of an abstract name if it begins with '@'. Returns its length; -EINVAL
 * for an empty one, -ENAMETOOLONG, each with a message.
 */
int tusk__address_unix(const char *path, struct sockaddr_un *ret_address);

/* As tusk_getaddrinfo(), with a port; -EINVAL if it is none. */
int tusk__address_resolve(const char *host, int port, const struct tusk_getaddrinfo_options *hints,
                          struct addrinfo **ret_list);

#endif
