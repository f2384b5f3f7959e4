/*
 * Listening: from what a server was asked to listen on to its sockets.
 */
#ifndef TUSK__IO_LISTEN_H
#define TUSK__IO_LISTEN_H

#include <netdb.h>
#include <sys/types.h>

#include <tusk/server.h>

#include "io/system.h"

/* What somebody asked for: borrowed, but for `lists`. */
struct tusk__listen_request {
    const struct tusk__system *system;
    const struct tusk_server_options *options;
    /* TCP. */
    const char *host;
    int port;
    /* A Unix socket; NULL: TCP. */
    const char *path;
    /* The addresses of each host, once they are resolved. */
    struct addrinfo **lists;
    size_t list_count;
};

/* The sockets of all addresses, bound and perhaps listening; -1 where somebody else closes it. */
struct tusk__binding {
    const struct tusk__system *system;
    int *sockets;
    size_t count;
    /* 0: no TCP. */
    int port;
    /* The file of the Unix socket, to be removed at the end if it is still the same; or NULL. */
    char *path;
    dev_t device;
    ino_t inode;
    /* tusk__forks() of the process that made the file: a child of it leaves it there. */
    unsigned forks;
};

/* Looks up the hosts of TCP. Suspends; the request must be cleared also after an error. */
int tusk__request_resolve(struct tusk__listen_request *request);
void tusk__request_clear(struct tusk__listen_request *request);

/* Two requests with the same text ask for the same. NULL without memory; tusk__free. */
char *tusk__request_key(const struct tusk__listen_request *request);

/* Makes and binds the sockets. 0, or an error with a message, and nothing was made. */
int tusk__binding_open(struct tusk__binding *binding, const struct tusk__listen_request *request);

/* The same sockets by other numbers; the file stays the first one's. */
int tusk__binding_copy(struct tusk__binding *ret_copy, const struct tusk__binding *binding);

void tusk__binding_close(struct tusk__binding *binding);

#endif
