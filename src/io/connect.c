/*
 * Connections: a race of the attempts to connect to the addresses of a host.
 *
 * One task runs the whole race: each attempt has an ear on its socket, and the task waits for any
 * of them, or for the time at which the next attempt begins. Rejected: a task for each attempt, as
 * asyncio has. They would have to be cancelled and awaited, and a cancelled one may have won
 * meanwhile.
 *
 * The next attempt begins when its time has come, or when the one that began last has failed.
 */
#include <tusk/connection.h>

#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "io/address.h"
#include "io/resolver.h"
#include "io/stream.h"
#include "io/tls.h"

/* What RFC 8305 recommends, in seconds. */
#define STAGGER 0.25

struct attempt {
    const struct addrinfo *address;
    struct race *race;
    /* With a reference, while the attempt is running or has won; else NULL. */
    struct tusk__descriptor *descriptor;
    struct tusk__io_waiter ear;
    /* The socket said something, or was closed behind our back. */
    bool heard;
    /* Why it failed; 0: it did not. */
    int rc;
};

struct race {
    struct tusk__waiter waiter;
    struct tusk__io *io;
    const struct tusk__system *system;
    /* Addresses to connect from; NULL: any. */
    const struct addrinfo *local;
    /* How long an attempt has before the next one begins, in seconds. */
    double stagger;
    /* When the next one begins, on the loop's clock. */
    int64_t due;
    struct attempt *winner;
    size_t begun;
    size_t running;
    size_t count;
    struct attempt attempts[];
};

/* ---- attempts ---- */

static void end_attempt(struct attempt *attempt)
{
    struct tusk__descriptor *descriptor = attempt->descriptor;

    tusk__descriptor_unlisten(descriptor, TUSK__WRITE, &attempt->ear);
    /* If somebody has closed it by its number, that may be another socket's by now. */
    if (!descriptor->closed)
        tusk__descriptor_close(descriptor);
    tusk__descriptor_release(descriptor);
    attempt->descriptor = NULL;
}

static void hear(struct tusk__io_waiter *ear, int rc)
{
    struct attempt *attempt = container_of(ear, struct attempt, ear);

    attempt->heard = true;
    attempt->rc = rc;
    tusk__waiter_end(&attempt->race->waiter, 0);
}

/* Binds the socket to the first of the local addresses that it can have. */
static int bind_local(const struct race *race, const struct attempt *attempt, int fd)
{
    int rc = race->local ? -EADDRNOTAVAIL : 0;

    for (const struct addrinfo *at = race->local; at; at = at->ai_next) {
        if (at->ai_family != attempt->address->ai_family)
            continue;
        rc = race->system->bind(fd, at->ai_addr, at->ai_addrlen);
        if (rc == 0)
            break;
    }
    return rc;
}

/* 0: connected; -EINPROGRESS: on its way; or why not. */
static int start_connecting(const struct race *race, const struct attempt *attempt, int fd)
{
    const struct addrinfo *address = attempt->address;
    const int on = 1;

    race->system->setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    tusk_try(bind_local(race, attempt, fd));
    return race->system->connect(fd, address->ai_addr, address->ai_addrlen);
}

/* The connection is on its way: it is there, or has failed, when the socket becomes writable. */
static int listen_for(struct race *race, struct attempt *attempt)
{
    attempt->ear.ready = hear;
    race->running++;
    tusk__descriptor_exhausted(attempt->descriptor, TUSK__WRITE);
    return tusk__descriptor_listen(attempt->descriptor, TUSK__WRITE, &attempt->ear);
}

static int begin(struct race *race, struct attempt *attempt)
{
    const struct addrinfo *address = attempt->address;
    int fd = race->system->socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    int connected, rc;

    if (fd < 0)
        return fd;
    connected = start_connecting(race, attempt, fd);
    if (connected < 0 && connected != -EINPROGRESS) {
        race->system->close(fd);
        return connected;
    }
    rc = tusk__descriptor_adopt(race->io, fd, TUSK__FD_STREAM, &attempt->descriptor);
    if (rc < 0) {
        attempt->descriptor = NULL;
        race->system->close(fd);
        return rc;
    }
    tusk__descriptor_retain(attempt->descriptor);
    return connected == 0 ? 0 : listen_for(race, attempt);
}

static void fail(struct attempt *attempt, int rc)
{
    attempt->rc = rc;
    if (attempt->descriptor)
        end_attempt(attempt);
}

/* ---- the race ---- */

static void begin_next(struct race *race)
{
    struct attempt *attempt = &race->attempts[race->begun++];
    size_t running = race->running;
    int rc = begin(race, attempt);

    race->due = tusk__loop_deadline(tusk__loop_clock(race->io->loop), race->stagger);
    if (rc < 0) {
        race->running = running;
        fail(attempt, rc);
    } else if (race->running == running) {
        race->winner = attempt;
    }
}

static bool next_is_due(const struct race *race)
{
    if (race->winner || race->begun == race->count)
        return false;
    return race->begun == 0 || race->attempts[race->begun - 1].rc < 0 ||
           tusk__loop_clock(race->io->loop) >= race->due;
}

static int outcome(const struct race *race, const struct attempt *attempt)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (attempt->rc < 0)
        return attempt->rc;
    tusk_try(race->system->getsockopt(attempt->descriptor->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size));
    return tusk__system_error(error);
}

/* Looks at the attempts whose sockets have said something. */
static void look(struct race *race)
{
    for (size_t i = 0; i < race->begun && !race->winner; i++) {
        struct attempt *attempt = &race->attempts[i];
        int rc;

        if (!attempt->heard)
            continue;
        attempt->heard = false;
        race->running--;
        rc = outcome(race, attempt);
        if (rc < 0)
            fail(attempt, rc);
        else
            race->winner = attempt;
    }
}

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    const struct race *race = container_of(wait, struct race, waiter.wait);

    snprintf(text, size, "a connection, with %zu attempts on their way", race->running);
}

static const struct tusk__wait_kind kind = {.cancel = tusk__waiter_cancel, .describe = describe};

static int wait_for_change(struct race *race)
{
    tusk__waiter_init(&race->waiter, tusk__running_task(), &kind);
    if (race->begun < race->count && race->due < TUSK__FOREVER)
        tusk__waiter_start_timer(&race->waiter, race->due, 0);
    return tusk__waiter_wait(&race->waiter);
}

/* Until an attempt has won or all have failed: 0. Or -ECANCELED. */
static int run(struct race *race)
{
    int rc = 0;

    while (rc == 0) {
        while (next_is_due(race))
            begin_next(race);
        if (race->winner || race->running == 0)
            return 0;
        rc = wait_for_change(race);
        if (rc == 0)
            look(race);
    }
    return rc;
}

static void end_others(struct race *race)
{
    for (size_t i = 0; i < race->begun; i++)
        if (race->attempts[i].descriptor && &race->attempts[i] != race->winner)
            end_attempt(&race->attempts[i]);
}

/* ---- what comes of it ---- */

static bool all_failed_alike(const struct race *race)
{
    for (size_t i = 1; i < race->count; i++)
        if (race->attempts[i].rc != race->attempts[0].rc)
            return false;
    return true;
}

static void add_failure(const struct attempt *attempt, bool with_error, char *text, size_t size)
{
    size_t length = strlen(text);
    char address[TUSK__ADDRESS_TEXT];

    tusk__address_text(attempt->address->ai_addr, attempt->address->ai_addrlen, address, sizeof address);
    snprintf(text + length, size - length, "%s%s%s%s", length ? ", " : "", address, with_error ? ": " : "",
             with_error ? tusk_strerror(attempt->rc) : "");
}

/* The code of the first address, and a message that names all. */
static int explain(const struct race *race)
{
    bool alike = all_failed_alike(race);
    int code = race->attempts[0].rc;
    char list[1024] = "";

    for (size_t i = 0; i < race->count; i++)
        add_failure(&race->attempts[i], !alike, list, sizeof list);
    if (alike)
        return tusk_raise(code, "cannot connect to %s: %s", list, tusk_strerror(code));
    return tusk_raise(code, "cannot connect: %s", list);
}

/* ---- the order of the addresses ---- */

static size_t count_addresses(const struct addrinfo *list)
{
    size_t count = 0;

    for (; list; list = list->ai_next)
        count++;
    return count;
}

/* The first from here on that is of this family, or that is not. */
static const struct addrinfo *find(const struct addrinfo *at, int family, bool same)
{
    while (at && (at->ai_family == family) != same)
        at = at->ai_next;
    return at;
}

/* So many of the first one's family, and from then on one of each in turn. */
static void alternate(struct race *race, const struct addrinfo *list, size_t leading)
{
    int family = list->ai_family;
    const struct addrinfo *next[2] = {find(list, family, false), list};

    for (size_t i = 0; i < race->count; i++) {
        bool same = i < leading || (i - leading) % 2 == 1;

        same = next[same] ? same : !same;
        race->attempts[i].address = next[same];
        next[same] = find(next[same]->ai_next, family, same);
    }
}

static void order(struct race *race, const struct addrinfo *list, int interleave)
{
    if (interleave > 0) {
        alternate(race, list, (size_t)interleave);
        return;
    }
    for (size_t i = 0; list; list = list->ai_next)
        race->attempts[i++].address = list;
}

static struct race *make_race(struct tusk__io *io, const struct addrinfo *list, const struct addrinfo *local,
                              const struct tusk_connection_options *options)
{
    size_t count = count_addresses(list);
    struct race *race = tusk__alloc(sizeof *race + count * sizeof race->attempts[0]);
    bool staggered = !isinf(options->happy_eyeballs_delay);

    if (!race)
        return NULL;
    race->io = io;
    race->system = tusk__system_of(io->loop);
    race->local = local;
    race->stagger = options->happy_eyeballs_delay > 0 ? options->happy_eyeballs_delay : STAGGER;
    race->count = count;
    for (size_t i = 0; i < count; i++)
        race->attempts[i].race = race;
    order(race, list, options->interleave > 0 || !staggered ? options->interleave : 1);
    return race;
}

/* Connects to one of the addresses: 0 and its descriptor, with a reference; or an error. */
static int connect_to(struct tusk__io *io, const struct addrinfo *list, const struct addrinfo *local,
                      const struct tusk_connection_options *options, struct tusk__descriptor **ret_descriptor)
{
    struct race *race = make_race(io, list, local, options);
    int rc;

    if (!race)
        return -ENOMEM;
    rc = run(race);
    if (rc < 0)
        race->winner = NULL;
    end_others(race);
    if (race->winner)
        *ret_descriptor = race->winner->descriptor;
    else if (rc == 0)
        rc = explain(race);
    tusk__free(race);
    return rc;
}

/* ---- streams ---- */

static int secure(tusk_stream *stream, const char *host, const struct tusk_connection_options *options)
{
    const struct tusk_start_tls_options tls_options = {
        .server_hostname = options->server_hostname ? options->server_hostname : host,
        .handshake_timeout = options->handshake_timeout,
        .shutdown_timeout = options->shutdown_timeout,
    };

    return options->tls ? tusk__tls_start(stream, options->tls, &tls_options) : 0;
}

/* A connected descriptor, which it takes, becomes a stream. */
static int make_stream(struct tusk__io *io, struct tusk__descriptor *descriptor, const char *host,
                       const struct tusk_connection_options *options, tusk_stream **ret_stream)
{
    tusk_stream *stream = tusk__stream_new(io, descriptor, options->limit);
    int rc;

    if (!stream)
        return tusk_last_error();
    rc = secure(stream, host, options);
    if (rc == 0) {
        *ret_stream = stream;
        return 0;
    }
    tusk_stream_abort(stream);
    tusk_stream_release(stream);
    return rc;
}

/* ---- the public functions ---- */

static const struct tusk_connection_options no_options;

static int check_tls(const struct tusk_connection_options *options, const char *host)
{
    if (!options->tls &&
        (options->server_hostname || options->handshake_timeout != 0 || options->shutdown_timeout != 0))
        return tusk_raise(-EINVAL, ".server_hostname and the time-outs of TLS mean nothing without .tls");
    if (options->tls && !options->server_hostname && !host)
        return tusk_raise(-EINVAL, "TLS without a host needs .server_hostname");
    if (!options->tls)
        return 0;
    tusk_try(tusk__tls_check_side(options->tls, false));
    return tusk__tls_check_timeouts(options->handshake_timeout, options->shutdown_timeout);
}

static int check(const struct tusk_connection_options *options)
{
    if (isnan(options->happy_eyeballs_delay) || options->happy_eyeballs_delay < 0)
        return tusk_raise(-EINVAL, "a happy_eyeballs_delay that is no time");
    return 0;
}

static int resolve(const char *host, int port, int flags, const struct tusk_connection_options *options,
                   struct addrinfo **ret_list)
{
    const struct tusk_getaddrinfo_options hints = {
        .family = options->family,
        .type = SOCK_STREAM,
        .flags = flags,
        .tusk__where = options->tusk__where,
    };

    return tusk__address_resolve(host, port, &hints, ret_list);
}

static int resolve_local(const struct tusk_connection_options *options, struct addrinfo **ret_list)
{
    if (!options->local_addr && options->local_port == 0)
        return 0;
    return resolve(options->local_addr, options->local_port, AI_PASSIVE, options, ret_list);
}

int(tusk_open_connection)(const char *host, int port, tusk_stream **ret_stream,
                          const struct tusk_connection_options *options)
{
    struct addrinfo *list = NULL;
    struct addrinfo *local = NULL;
    struct tusk__descriptor *descriptor = NULL;
    struct tusk__io *io;
    int rc;

    options = options ? options : &no_options;
    if (!ret_stream)
        return -EINVAL;
    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    tusk_try(tusk__io_running(&io));
    tusk_try(check(options));
    tusk_try(check_tls(options, host));
    rc = resolve(host, port, 0, options, &list);
    if (rc == 0)
        rc = resolve_local(options, &local);
    if (rc == 0)
        rc = connect_to(io, list, local, options, &descriptor);
    if (list)
        tusk__resolver_system.freeaddrinfo(list);
    if (local)
        tusk__resolver_system.freeaddrinfo(local);
    if (rc < 0)
        return rc;
    rc = make_stream(io, descriptor, host, options, ret_stream);
    tusk__descriptor_release(descriptor);
    return rc;
}

/* A socket that is connected to the path; or an error, with its message. */
static int connect_unix(const char *path)
{
    struct sockaddr_un address;
    int size = tusk__address_unix(path, &address);
    int fd, rc;

    if (size < 0)
        return size;
    fd = tusk_socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return fd;
    rc = tusk_connect(fd, (const struct sockaddr *)&address, (socklen_t)size);
    if (rc == 0)
        return fd;
    tusk_close(fd);
    return rc == -ECANCELED ? rc : tusk_raise(rc, "cannot connect to %s: %s", path, tusk_strerror(rc));
}

int(tusk_open_unix_connection)(const char *path, tusk_stream **ret_stream,
                               const struct tusk_connection_options *options)
{
    struct tusk__io *io;
    int fd;

    options = options ? options : &no_options;
    if (!path || !ret_stream)
        return -EINVAL;
    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    tusk_try(tusk__io_running(&io));
    tusk_try(check_tls(options, NULL));
    fd = connect_unix(path);
    if (fd < 0)
        return fd;
    return make_stream(io, tusk__descriptor_find(io, fd), NULL, options, ret_stream);
}
