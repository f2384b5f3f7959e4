/*
 * Names: which socket has which address.
 *
 * A Unix socket at a path is bound there for real, by its number: so the file exists, can be removed
 * and is in the way, as always. Who connects finds it by the file that is there at that time. Names
 * without a file, and addresses of the Internet, are the network's own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "loop/poll/simulated/socket.h"

/* The ports that are given out, as Linux has them. */
enum { FIRST_PORT = 32768, LAST_PORT = 60999 };

/* ---- addresses of the Internet ---- */

/* An address without its port, one of IPv4 in the form that IPv6 has for it. */
struct place {
    unsigned char bytes[16];
};

static const struct place any_v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};
static const struct place any_v6;
static const struct place loopback_v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}};
static const struct place loopback_v6 = {{[15] = 1}};

static struct place place_of(const struct tusk__sim_address *address)
{
    struct place place = any_v4;

    if (address->any.ss_family == AF_INET6)
        memcpy(place.bytes, &((const struct sockaddr_in6 *)&address->any)->sin6_addr, 16);
    else
        memcpy(place.bytes + 12, &((const struct sockaddr_in *)&address->any)->sin_addr, 4);
    return place;
}

static void set_place(struct tusk__sim_address *address, const struct place *place)
{
    if (address->any.ss_family == AF_INET6)
        memcpy(&((struct sockaddr_in6 *)&address->any)->sin6_addr, place->bytes, 16);
    else
        memcpy(&((struct sockaddr_in *)&address->any)->sin_addr, place->bytes + 12, 4);
}

static bool is_same(const struct place *left, const struct place *right)
{
    return memcmp(left, right, sizeof *left) == 0;
}

static bool is_v4(const struct place *place)
{
    return memcmp(place->bytes, any_v4.bytes, 12) == 0;
}

static in_port_t *port_in(struct tusk__sim_address *address)
{
    return address->any.ss_family == AF_INET6 ? &((struct sockaddr_in6 *)&address->any)->sin6_port
                                              : &((struct sockaddr_in *)&address->any)->sin_port;
}

static int port_of(const struct tusk__sim_address *address)
{
    return address->any.ss_family == AF_UNIX ? 0 : ntohs(*port_in((struct tusk__sim_address *)address));
}

static bool is_any(const struct place *place)
{
    return is_same(place, &any_v4) || is_same(place, &any_v6);
}

/* The documentation's addresses. */
bool tusk__sim_address_is_silent(const struct tusk__sim_address *address)
{
    static const unsigned char v4[] = {192, 0, 2};
    static const unsigned char v6[] = {0x20, 0x01, 0x0d, 0xb8};
    struct place place = place_of(address);

    if (address->any.ss_family == AF_UNIX)
        return false;
    return is_v4(&place) ? memcmp(place.bytes + 12, v4, sizeof v4) == 0
                         : memcmp(place.bytes, v6, sizeof v6) == 0;
}

bool tusk__sim_address_is_nowhere(const struct tusk__sim_address *address)
{
    static const unsigned char broadcast[] = {255, 255, 255, 255};
    struct place place = place_of(address);

    return is_v4(&place) && memcmp(place.bytes + 12, broadcast, sizeof broadcast) == 0;
}

/* From where one reaches the place: all addresses are this machine's. */
static struct place way_to(const struct tusk__sim_address *address)
{
    struct place place = place_of(address);

    return is_v4(&place) && place.bytes[12] == 127 ? loopback_v4 : place;
}

/* ---- who has one ---- */

static bool has_name(const struct tusk__sim_socket *socket)
{
    return socket->bound_from != NULL;
}

static struct tusk__sim_socket **bucket_of(const struct tusk__sim_socket *socket)
{
    return &socket->network->bound[port_of(&socket->local) % TUSK__SIM_BUCKETS];
}

static void enter(struct tusk__sim_socket *socket)
{
    struct tusk__sim_socket **bucket = bucket_of(socket);

    socket->bound_next = *bucket;
    socket->bound_from = bucket;
    if (socket->bound_next)
        socket->bound_next->bound_from = &socket->bound_next;
    *bucket = socket;
}

void tusk__sim_unbind(struct tusk__sim_socket *socket)
{
    if (!has_name(socket))
        return;
    *socket->bound_from = socket->bound_next;
    if (socket->bound_next)
        socket->bound_next->bound_from = socket->bound_from;
    socket->bound_from = NULL;
}

/* The socket has all addresses of this family. */
static bool has_all(const struct tusk__sim_socket *socket, const struct place *own, bool v4)
{
    if (is_same(own, &any_v6))
        return !v4 || !socket->only_v6;
    return v4 && is_same(own, &any_v4);
}

/* What is sent to this place is for the socket, or may be. */
static bool covers(const struct tusk__sim_socket *socket, const struct place *place)
{
    struct place own = place_of(&socket->local);

    return is_same(&own, place) || has_all(socket, &own, is_v4(place));
}

static bool overlap(const struct tusk__sim_socket *left, const struct tusk__sim_socket *right)
{
    struct place left_place = place_of(&left->local);
    struct place right_place = place_of(&right->local);

    return covers(left, &right_place) || covers(right, &left_place);
}

static bool may_share(const struct tusk__sim_socket *left, const struct tusk__sim_socket *right)
{
    if (left->reuse_port && right->reuse_port)
        return true;
    return left->reuse_address && right->reuse_address && right->state != TUSK__SIM_LISTENING;
}

/* The first of the same kind and port after `at`, or from the beginning. */
static struct tusk__sim_socket *next_like(const struct tusk__sim_socket *socket, int port,
                                          struct tusk__sim_socket *at)
{
    at = at ? at->bound_next : socket->network->bound[port % TUSK__SIM_BUCKETS];
    while (at && (at->type != socket->type || tusk__sim_is_unix(at) != tusk__sim_is_unix(socket) ||
                  port_of(&at->local) != port || at == socket))
        at = at->bound_next;
    return at;
}

bool tusk__sim_is_taken(const struct tusk__sim_socket *socket)
{
    struct tusk__sim_socket *at = NULL;

    /* In the Unix domain whoever has the name has it alone. */
    if (tusk__sim_is_unix(socket))
        return false;
    while ((at = next_like(socket, port_of(&socket->local), at)) != NULL)
        if (overlap(socket, at) && !may_share(socket, at))
            return true;
    return false;
}

static bool choose_port(struct tusk__sim_socket *socket)
{
    struct tusk__sim_network *network = socket->network;
    const int count = LAST_PORT - FIRST_PORT + 1;

    for (int i = 0; i < count; i++) {
        int port = FIRST_PORT + network->last_port;

        network->last_port = (uint16_t)((network->last_port + 1) % count);
        if (next_like(socket, port, NULL))
            continue;
        *port_in(&socket->local) = htons((in_port_t)port);
        return true;
    }
    return false;
}

/* ---- binding ---- */

static bool is_abstract(const struct tusk__sim_address *address)
{
    return ((const struct sockaddr_un *)&address->any)->sun_path[0] == '\0';
}

static bool is_equal(const struct tusk__sim_address *left, const struct tusk__sim_address *right)
{
    return left->size == right->size && memcmp(&left->any, &right->any, left->size) == 0;
}

static struct tusk__sim_socket *find_name(const struct tusk__sim_network *network,
                                          const struct tusk__sim_address *address)
{
    struct tusk__sim_socket *at = network->bound[0];

    while (at && !(tusk__sim_is_unix(at) && is_equal(&at->local, address)))
        at = at->bound_next;
    return at;
}

static struct tusk__sim_socket *find_file(const struct tusk__sim_network *network, const struct stat *status)
{
    struct tusk__sim_socket *at = network->bound[0];

    while (at && !(at->inode == status->st_ino && at->device == status->st_dev))
        at = at->bound_next;
    return at;
}

static int bind_file(struct tusk__sim_socket *socket, const struct tusk__sim_address *address)
{
    const char *path = ((const struct sockaddr_un *)&address->any)->sun_path;
    struct stat status;

    if (bind(socket->fd, (const struct sockaddr *)&address->any, address->size) < 0)
        return -errno;
    if (stat(path, &status) < 0)
        return -errno;
    socket->device = status.st_dev;
    socket->inode = status.st_ino;
    return 0;
}

/* A name that nobody has. */
static void make_name(struct tusk__sim_network *network, struct tusk__sim_address *address)
{
    struct sockaddr_un *name = (struct sockaddr_un *)&address->any;

    do {
        int length = snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "%05x", network->last_name++);

        address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    } while (find_name(network, address));
}

static int bind_unix(struct tusk__sim_socket *socket, struct tusk__sim_address *address)
{
    int rc = 0;

    if (address->size <= offsetof(struct sockaddr_un, sun_path))
        make_name(socket->network, address);
    else if (!is_abstract(address))
        rc = bind_file(socket, address);
    else if (find_name(socket->network, address))
        rc = -EADDRINUSE;
    if (rc == 0)
        socket->local = *address;
    return rc;
}

static int bind_internet(struct tusk__sim_socket *socket, const struct tusk__sim_address *address)
{
    struct tusk__sim_address before = socket->local;
    int rc = 0;

    if (tusk__sim_address_is_silent(address))
        return -EADDRNOTAVAIL;
    socket->local = *address;
    if (port_of(address) == 0)
        rc = choose_port(socket) ? 0 : -EADDRINUSE;
    else if (tusk__sim_is_taken(socket))
        rc = -EADDRINUSE;
    if (rc < 0)
        socket->local = before;
    return rc;
}

int tusk__sim_bind(struct tusk__sim_socket *socket, const struct sockaddr *address, socklen_t size)
{
    struct tusk__sim_address wanted;
    int rc = tusk__sim_address_take(socket, address, size, &wanted);

    if (rc == 0 && (has_name(socket) || socket->state != TUSK__SIM_FRESH))
        rc = -EINVAL;
    if (rc == 0)
        rc = tusk__sim_is_unix(socket) ? bind_unix(socket, &wanted) : bind_internet(socket, &wanted);
    if (rc == 0)
        enter(socket);
    return rc;
}

int tusk__sim_bind_any(struct tusk__sim_socket *socket, const struct tusk__sim_address *remote)
{
    if (tusk__sim_is_unix(socket))
        return 0;
    if (!has_name(socket)) {
        if (!choose_port(socket))
            return -EADDRNOTAVAIL;
        enter(socket);
    }
    if (remote)
        socket->local = tusk__sim_source(socket, remote);
    return 0;
}

struct tusk__sim_address tusk__sim_source(const struct tusk__sim_socket *socket,
                                          const struct tusk__sim_address *remote)
{
    struct tusk__sim_address source = socket->local;
    struct place place;

    if (tusk__sim_is_unix(socket))
        return source;
    place = place_of(&source);
    if (is_any(&place)) {
        place = way_to(remote);
        set_place(&source, &place);
    }
    return source;
}

/* ---- from and to programs ---- */

static socklen_t least_size(int domain)
{
    if (domain == AF_UNIX)
        return offsetof(struct sockaddr_un, sun_path);
    return domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

int tusk__sim_address_take(const struct tusk__sim_socket *socket, const struct sockaddr *address,
                           socklen_t size, struct tusk__sim_address *ret_address)
{
    if (size < sizeof(sa_family_t) || size > sizeof ret_address->any)
        return -EINVAL;
    if (address->sa_family != socket->domain)
        return tusk__sim_is_unix(socket) ? -EINVAL : -EAFNOSUPPORT;
    if (size < least_size(socket->domain) || (tusk__sim_is_unix(socket) && size > sizeof(struct sockaddr_un)))
        return -EINVAL;
    memset(ret_address, 0, sizeof *ret_address);
    if (!tusk__sim_is_unix(socket))
        size = least_size(socket->domain);
    memcpy(&ret_address->any, address, size);
    ret_address->size = size;
    if (socket->domain == AF_INET)
        memset(((struct sockaddr_in *)&ret_address->any)->sin_zero, 0,
               sizeof((struct sockaddr_in *)0)->sin_zero);
    return 0;
}

int tusk__sim_address_take_remote(const struct tusk__sim_socket *socket, const struct sockaddr *address,
                                  socklen_t size, struct tusk__sim_address *ret_address)
{
    struct place place;

    tusk_try(tusk__sim_address_take(socket, address, size, ret_address));
    if (tusk__sim_is_unix(socket))
        return 0;
    place = place_of(ret_address);
    if (is_any(&place))
        set_place(ret_address, is_v4(&place) ? &loopback_v4 : &loopback_v6);
    return 0;
}

struct tusk__sim_address tusk__sim_address_for(int domain, const struct tusk__sim_address *address)
{
    struct tusk__sim_address result;
    struct place place;

    if (domain == AF_UNIX || address->any.ss_family == domain)
        return *address;
    place = place_of(address);
    memset(&result, 0, sizeof result);
    result.any.ss_family = (sa_family_t)domain;
    result.size = least_size(domain);
    set_place(&result, &place);
    *port_in(&result) = *port_in((struct tusk__sim_address *)address);
    return result;
}

void tusk__sim_address_give(const struct tusk__sim_address *address, struct sockaddr *ret_address,
                            socklen_t *size)
{
    if (!ret_address || !size)
        return;
    memcpy(ret_address, &address->any, *size < address->size ? *size : address->size);
    *size = address->size;
}

/* ---- finding ---- */

static int find_unix(const struct tusk__sim_network *network, const struct tusk__sim_address *address,
                     struct tusk__sim_socket **ret_socket)
{
    struct stat status;

    if (is_abstract(address)) {
        *ret_socket = find_name(network, address);
    } else {
        if (stat(((const struct sockaddr_un *)&address->any)->sun_path, &status) < 0)
            return -errno;
        *ret_socket = find_file(network, &status);
    }
    return *ret_socket ? 0 : -ECONNREFUSED;
}

/* It takes connections; or messages, and those of this source. */
static bool hears(const struct tusk__sim_socket *socket, const struct tusk__sim_address *source)
{
    struct tusk__sim_address wanted = tusk__sim_address_for(socket->domain, source);

    if (socket->type == SOCK_STREAM)
        return socket->state == TUSK__SIM_LISTENING;
    return socket->remote.size == 0 || is_equal(&socket->remote, &wanted);
}

static struct tusk__sim_socket *find_internet(const struct tusk__sim_socket *sender,
                                              const struct tusk__sim_address *address)
{
    struct tusk__sim_address source = tusk__sim_source(sender, address);
    struct place place = place_of(address);
    struct tusk__sim_socket *best = NULL;
    struct tusk__sim_socket *at = NULL;

    while ((at = next_like(sender, port_of(address), at)) != NULL) {
        struct place own = place_of(&at->local);

        if (hears(at, &source) && covers(at, &place) && (!best || is_same(&own, &place)))
            best = at;
    }
    return best;
}

int tusk__sim_find_receiver(const struct tusk__sim_socket *sender, const struct tusk__sim_address *address,
                            struct tusk__sim_socket **ret_socket)
{
    if (tusk__sim_is_unix(sender)) {
        tusk_try(find_unix(sender->network, address, ret_socket));
        if ((*ret_socket)->type != sender->type)
            return -EPROTOTYPE;
        if (sender->type == SOCK_STREAM && (*ret_socket)->state != TUSK__SIM_LISTENING)
            return -ECONNREFUSED;
        return 0;
    }
    *ret_socket = find_internet(sender, address);
    return *ret_socket ? 0 : -ECONNREFUSED;
}
