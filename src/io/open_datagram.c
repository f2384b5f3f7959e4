/*
 * Sockets for datagrams: from addresses as text to a descriptor.
 */
#include <tusk/datagram.h>

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "io/address.h"
#include "io/descriptor.h"

/* Both ends; NULL where there is none. */
struct ends {
    const struct sockaddr *local;
    socklen_t local_length;
    const struct sockaddr *remote;
    socklen_t remote_length;
    int family;
};

static int explain(int rc, const char *what, const struct sockaddr *address, socklen_t length)
{
    char text[TUSK__ADDRESS_TEXT];

    return tusk_raise(rc, "cannot %s %s: %s", what, tusk__address_text(address, length, text, sizeof text),
                      tusk_strerror(rc));
}

static int configure(const struct tusk__system *system, int fd, const struct tusk_datagram_options *options)
{
    const int yes = 1;

    if (options->reuse_port)
        tusk_try(system->setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes));
    if (options->allow_broadcast)
        tusk_try(system->setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes));
    return 0;
}

static int attach(const struct tusk__system *system, int fd, const struct ends *ends,
                  const struct tusk_datagram_options *options)
{
    int rc;

    tusk_try(configure(system, fd, options));
    if (ends->local) {
        rc = system->bind(fd, ends->local, ends->local_length);
        if (rc < 0)
            return explain(rc, "bind to", ends->local, ends->local_length);
    }
    if (ends->remote) {
        rc = system->connect(fd, ends->remote, ends->remote_length);
        if (rc < 0)
            return explain(rc, "connect to", ends->remote, ends->remote_length);
    }
    return 0;
}

static int open_socket(const struct ends *ends, const struct tusk_datagram_options *options)
{
    int fd = tusk_socket(ends->family, SOCK_DGRAM, 0);
    int rc;

    if (fd < 0)
        return fd;
    rc = attach(tusk__system_of(tusk__running_loop), fd, ends, options);
    if (rc == 0)
        return fd;
    tusk_close(fd);
    return rc;
}

/* ---- Unix sockets ---- */

/* What an earlier process has left there. */
static void remove_stale(const char *path)
{
    struct stat status;

    if (path[0] != '@' && stat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(path);
}

static int open_unix(const struct tusk_datagram_options *options)
{
    struct ends ends = {.family = AF_UNIX};
    struct sockaddr_un local;
    struct sockaddr_un remote;
    int rc;

    if (options->local_path) {
        rc = tusk__address_unix(options->local_path, &local);
        if (rc < 0)
            return rc;
        remove_stale(options->local_path);
        ends.local = (const struct sockaddr *)&local;
        ends.local_length = (socklen_t)rc;
    }
    if (options->remote_path) {
        rc = tusk__address_unix(options->remote_path, &remote);
        if (rc < 0)
            return rc;
        ends.remote = (const struct sockaddr *)&remote;
        ends.remote_length = (socklen_t)rc;
    }
    return open_socket(&ends, options);
}

/* ---- the internet ---- */

static int resolve(const char *host, int port, int family, int flags, struct addrinfo **ret_list)
{
    const struct tusk_getaddrinfo_options hints = {.family = family, .type = SOCK_DGRAM, .flags = flags};

    return tusk__address_resolve(host, port, &hints, ret_list);
}

static int try_pair(const struct addrinfo *local, const struct addrinfo *remote,
                    const struct tusk_datagram_options *options)
{
    struct ends ends = {.family = AF_UNSPEC};

    if (local) {
        ends.local = local->ai_addr;
        ends.local_length = local->ai_addrlen;
        ends.family = local->ai_family;
    }
    if (remote) {
        ends.remote = remote->ai_addr;
        ends.remote_length = remote->ai_addrlen;
        ends.family = remote->ai_family;
    }
    return open_socket(&ends, options);
}

/* The first address of the other end that goes with this one. */
static int try_remotes(const struct addrinfo *local, const struct addrinfo *remotes,
                       const struct tusk_datagram_options *options)
{
    int rc = -EADDRNOTAVAIL;

    if (!remotes)
        return try_pair(local, NULL, options);
    for (const struct addrinfo *remote = remotes; remote && rc < 0; remote = remote->ai_next)
        if (!local || local->ai_family == remote->ai_family)
            rc = try_pair(local, remote, options);
    return rc;
}

/* The first pair of addresses, of one family, that works. */
static int try_pairs(const struct addrinfo *locals, const struct addrinfo *remotes,
                     const struct tusk_datagram_options *options)
{
    int rc = -EADDRNOTAVAIL;

    if (!locals)
        return try_remotes(NULL, remotes, options);
    for (const struct addrinfo *local = locals; local && rc < 0; local = local->ai_next)
        rc = try_remotes(local, remotes, options);
    return rc;
}

static int open_internet(const struct tusk_datagram_options *options)
{
    struct addrinfo *locals = NULL;
    struct addrinfo *remotes = NULL;
    int rc = 0;

    if (options->local_host || options->local_port || !options->remote_host)
        rc = resolve(options->local_host, options->local_port, options->family, AI_PASSIVE, &locals);
    if (rc == 0 && options->remote_host)
        rc = resolve(options->remote_host, options->remote_port, options->family, 0, &remotes);
    if (rc == 0)
        rc = try_pairs(locals, remotes, options);
    if (locals)
        freeaddrinfo(locals);
    if (remotes)
        freeaddrinfo(remotes);
    return rc;
}

int(tusk_open_datagram)(const struct tusk_datagram_options *options)
{
    static const struct tusk_datagram_options defaults;

    if (!options)
        options = &defaults;
    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    if (options->local_path || options->remote_path) {
        if (options->local_host || options->remote_host)
            return tusk_raise(-EINVAL, "a datagram socket has paths or hosts, not both");
        return open_unix(options);
    }
    if (options->remote_port && !options->remote_host)
        return tusk_raise(-EINVAL, "a remote port without a remote host");
    return open_internet(options);
}
