/*
 * The sockets that servers listen on.
 *
 * asyncio gives each address of a host a random port of its own when it is asked for port 0. Here
 * all have the same: the first socket's, and if another address cannot have that, all try anew.
 */
#include "io/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "io/address.h"
#include "io/resolver.h"

/* So often a random port is tried that is free on one address and may not be on the next. */
enum { PORT_TRIES = 16 };

/* ---- requests ---- */

static size_t count_hosts(const struct tusk__listen_request *request)
{
    size_t count = 1;

    for (const char *const *at = request->options->hosts; at && *at; at++)
        count++;
    return count;
}

/* NULL: all addresses of this machine. */
static const char *host_at(const struct tusk__listen_request *request, size_t index)
{
    const char *host = index == 0 ? request->host : request->options->hosts[index - 1];

    return host && *host ? host : NULL;
}

int tusk__request_resolve(struct tusk__listen_request *request)
{
    const struct tusk_getaddrinfo_options hints = {
        .family = request->options->family,
        .type = SOCK_STREAM,
        .flags = AI_PASSIVE,
        .tusk__where = request->options->tusk__where,
    };
    size_t count = count_hosts(request);

    request->lists = tusk__alloc_array(count, sizeof request->lists[0]);
    if (!request->lists)
        return -ENOMEM;
    for (; request->list_count < count; request->list_count++)
        tusk_try(tusk__address_resolve(host_at(request, request->list_count), request->port, &hints,
                                       &request->lists[request->list_count]));
    return 0;
}

void tusk__request_clear(struct tusk__listen_request *request)
{
    while (request->list_count > 0)
        tusk__resolver_system.freeaddrinfo(request->lists[--request->list_count]);
    tusk__free(request->lists);
}

/* Adds to a text of which there may only be the length. */
static size_t add(char *text, size_t length, const char *part)
{
    size_t more = strlen(part) + 1;

    if (text)
        memcpy(text + length, part, more);
    if (text)
        text[length + more - 1] = '\n';
    return length + more;
}

static size_t write_key(const struct tusk__listen_request *request, char *text)
{
    char numbers[48];
    size_t length = 0;

    if (request->path)
        return add(text, add(text, 0, "unix"), request->path);
    snprintf(numbers, sizeof numbers, "tcp %d %d", request->options->family, request->port);
    length = add(text, length, numbers);
    for (size_t i = 0; i < count_hosts(request); i++)
        length = add(text, length, host_at(request, i) ? host_at(request, i) : "");
    return length;
}

char *tusk__request_key(const struct tusk__listen_request *request)
{
    char *key = tusk__alloc(write_key(request, NULL) + 1);

    if (key)
        write_key(request, key);
    return key;
}

/* ---- TCP ---- */

static void switch_on(const struct tusk__system *system, int fd, int level, int option)
{
    const int on = 1;

    system->setsockopt(fd, level, option, &on, sizeof on);
}

static int share_port(const struct tusk__system *system, int fd)
{
#if defined(SO_REUSEPORT)
    const int on = 1;

    return system->setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
#else
    (void)system;
    (void)fd;
    return -ENOTSUP;
#endif
}

/* TCP_NODELAY and SO_KEEPALIVE pass from a listening socket to those that it accepts. */
static int set_options(const struct tusk__listen_request *request, int fd, int family)
{
    const struct tusk__system *system = request->system;

    if (!request->options->no_reuse_address)
        switch_on(system, fd, SOL_SOCKET, SO_REUSEADDR);
    if (request->options->keep_alive)
        switch_on(system, fd, SOL_SOCKET, SO_KEEPALIVE);
    switch_on(system, fd, IPPROTO_TCP, TCP_NODELAY);
    if (family == AF_INET6)
        switch_on(system, fd, IPPROTO_IPV6, IPV6_V6ONLY);
    return request->options->reuse_port ? share_port(system, fd) : 0;
}

static in_port_t *port_in(struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)address)->sin6_port
                                          : &((struct sockaddr_in *)address)->sin_port;
}

static int bind_to(const struct tusk__listen_request *request, int fd, const struct addrinfo *info, int port)
{
    struct sockaddr_storage address;
    char text[TUSK__ADDRESS_TEXT];
    int rc;

    memset(&address, 0, sizeof address);
    memcpy(&address, info->ai_addr, info->ai_addrlen);
    *port_in(&address) = htons((in_port_t)port);
    rc = request->system->bind(fd, (struct sockaddr *)&address, info->ai_addrlen);
    if (rc == 0)
        return 0;
    tusk__address_text((struct sockaddr *)&address, info->ai_addrlen, text, sizeof text);
    return tusk_raise(rc, "cannot listen on %s: %s", text, tusk_strerror(rc));
}

static int port_of(const struct tusk__system *system, int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    memset(&address, 0, sizeof address);
    tusk_try(system->getsockname(fd, (struct sockaddr *)&address, &size));
    return ntohs(*port_in(&address));
}

/* A bound socket; or an error. */
static int open_tcp(const struct tusk__listen_request *request, const struct addrinfo *info, int port)
{
    int fd = request->system->socket(info->ai_family, info->ai_socktype, info->ai_protocol);
    int rc;

    if (fd < 0)
        return fd;
    rc = set_options(request, fd, info->ai_family);
    if (rc == 0)
        rc = bind_to(request, fd, info, port);
    if (rc < 0)
        request->system->close(fd);
    return rc < 0 ? rc : fd;
}

/* This machine does not have the address, as when IPv6 is switched off: the others may do. */
static bool is_absent(int rc)
{
    return rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT || rc == -EPROTONOSUPPORT;
}

static int add_socket(struct tusk__binding *binding, const struct tusk__listen_request *request,
                      const struct addrinfo *info)
{
    int fd = open_tcp(request, info, binding->port);
    int port;

    if (fd < 0)
        return fd;
    binding->sockets[binding->count++] = fd;
    port = port_of(request->system, fd);
    if (port < 0)
        return port;
    binding->port = port;
    return 0;
}

static bool is_same(const struct addrinfo *left, const struct addrinfo *right)
{
    return left->ai_addrlen == right->ai_addrlen &&
           memcmp(left->ai_addr, right->ai_addr, left->ai_addrlen) == 0;
}

/* A host may be named twice, or two names lead to one. */
static bool came_before(const struct tusk__listen_request *request, const struct addrinfo *info)
{
    for (size_t i = 0; i < request->list_count; i++)
        for (const struct addrinfo *at = request->lists[i]; at; at = at->ai_next) {
            if (at == info)
                return false;
            if (is_same(at, info))
                return true;
        }
    return false;
}

/* Adds the sockets of a list. *absent: why an address was left out. */
static int add_list(struct tusk__binding *binding, const struct tusk__listen_request *request,
                    const struct addrinfo *list, int *absent)
{
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        int rc = came_before(request, at) ? 0 : add_socket(binding, request, at);

        if (rc < 0 && !is_absent(rc))
            return rc;
        if (rc < 0)
            *absent = rc;
    }
    return 0;
}

static void close_sockets(struct tusk__binding *binding)
{
    while (binding->count > 0) {
        int fd = binding->sockets[--binding->count];

        if (fd >= 0)
            binding->system->close(fd);
    }
}

static int try_to_open(struct tusk__binding *binding, const struct tusk__listen_request *request)
{
    int absent = -EADDRNOTAVAIL;
    int rc = 0;

    binding->port = request->port;
    for (size_t i = 0; i < request->list_count && rc == 0; i++)
        rc = add_list(binding, request, request->lists[i], &absent);
    if (rc == 0 && binding->count == 0)
        rc = absent;
    return rc;
}

static size_t count_infos(const struct tusk__listen_request *request)
{
    size_t count = 0;

    for (size_t i = 0; i < request->list_count; i++)
        for (const struct addrinfo *at = request->lists[i]; at; at = at->ai_next)
            count++;
    return count;
}

static int open_all_tcp(struct tusk__binding *binding, const struct tusk__listen_request *request)
{
    int rc;

    binding->sockets = tusk__alloc_array(count_infos(request), sizeof binding->sockets[0]);
    if (!binding->sockets)
        return -ENOMEM;
    for (int i = 0; i < PORT_TRIES; i++) {
        bool again;

        rc = try_to_open(binding, request);
        again = rc == -EADDRINUSE && request->port == 0 && binding->count > 0;
        if (rc < 0)
            close_sockets(binding);
        if (!again)
            break;
    }
    return rc;
}

/* ---- Unix sockets ---- */

/* What connecting to the path says; the connection is given up at once. */
static int knock(const struct tusk__system *system, const struct sockaddr_un *address, socklen_t size)
{
    int fd = system->socket(AF_UNIX, SOCK_STREAM, 0);
    int rc;

    if (fd < 0)
        return fd;
    rc = system->connect(fd, (const struct sockaddr *)address, size);
    system->close(fd);
    return rc;
}

/*
 * Removes the socket that a dead server has left. asyncio removes it whoever listens there, and that
 * server never hears of a client again. What cannot be removed is left for bind to complain of.
 */
static void remove_stale(const struct tusk__system *system, const struct sockaddr_un *address, socklen_t size)
{
    struct stat status;

    if (address->sun_path[0] && stat(address->sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
        knock(system, address, size) == -ECONNREFUSED)
        unlink(address->sun_path);
}

/* Remembers which file it is that bind has made, if the system makes files. */
static int keep_path(struct tusk__binding *binding, const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return 0;
    binding->path = tusk__alloc(strlen(path) + 1);
    if (!binding->path) {
        unlink(path);
        return -ENOMEM;
    }
    memcpy(binding->path, path, strlen(path) + 1);
    binding->device = status.st_dev;
    binding->inode = status.st_ino;
    binding->forks = tusk__forks();
    return 0;
}

static int bind_unix(struct tusk__binding *binding, const struct tusk__listen_request *request,
                     const struct sockaddr_un *address, socklen_t size)
{
    int rc = binding->system->bind(binding->sockets[0], (const struct sockaddr *)address, size);

    if (rc == 0 && address->sun_path[0] && !request->options->no_cleanup_socket)
        rc = keep_path(binding, request->path);
    if (rc < 0)
        return tusk_raise(rc, "cannot listen on %s: %s", request->path, tusk_strerror(rc));
    return 0;
}

static int open_unix(struct tusk__binding *binding, const struct tusk__listen_request *request)
{
    struct sockaddr_un address;
    int size = tusk__address_unix(request->path, &address);

    if (size < 0)
        return size;
    binding->sockets = tusk__alloc(sizeof binding->sockets[0]);
    if (!binding->sockets)
        return -ENOMEM;
    remove_stale(binding->system, &address, (socklen_t)size);
    binding->sockets[0] = binding->system->socket(AF_UNIX, SOCK_STREAM, 0);
    if (binding->sockets[0] < 0)
        return binding->sockets[0];
    binding->count = 1;
    return bind_unix(binding, request, &address, (socklen_t)size);
}

/* ---- bindings ---- */

int tusk__binding_open(struct tusk__binding *binding, const struct tusk__listen_request *request)
{
    int rc;

    *binding = (struct tusk__binding){.system = request->system};
    rc = request->path ? open_unix(binding, request) : open_all_tcp(binding, request);
    if (rc < 0)
        tusk__binding_close(binding);
    return rc;
}

static int copy_socket(int fd)
{
    int copy = tusk__fail_now() ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

    return copy < 0 ? -EMFILE : copy;
}

int tusk__binding_copy(struct tusk__binding *ret_copy, const struct tusk__binding *binding)
{
    *ret_copy = (struct tusk__binding){.system = binding->system, .port = binding->port};
    ret_copy->sockets = tusk__alloc_array(binding->count, sizeof binding->sockets[0]);
    if (!ret_copy->sockets)
        return -ENOMEM;
    while (ret_copy->count < binding->count) {
        int fd = copy_socket(binding->sockets[ret_copy->count]);

        if (fd < 0) {
            tusk__binding_close(ret_copy);
            return fd;
        }
        ret_copy->sockets[ret_copy->count++] = fd;
    }
    return 0;
}

static void remove_path(const struct tusk__binding *binding)
{
    struct stat status;

    if (binding->forks == tusk__forks() && stat(binding->path, &status) == 0 &&
        status.st_dev == binding->device && status.st_ino == binding->inode)
        unlink(binding->path);
}

void tusk__binding_close(struct tusk__binding *binding)
{
    if (binding->sockets)
        close_sockets(binding);
    if (binding->path)
        remove_path(binding);
    tusk__free(binding->sockets);
    tusk__free(binding->path);
    binding->sockets = NULL;
    binding->path = NULL;
}
