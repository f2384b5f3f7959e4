/*
 * What the tests of connections and servers need: plays on the real clock, peers that are
 * plain sockets, and a resolver that answers what the test says.
 */
#ifndef TESTS_IO_NET_H
#define TESTS_IO_NET_H

#include "task/stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/resolver.h"
#include "support/live.h"

/* ---- plays ---- */

/* A run by the real clock, with the reports kept, that must leave nothing behind. */
static STAGE_UNUSED int play_live(tusk_coro *coro)
{
    struct stage_play play = {coro, NULL};
    size_t live = tusk__live();
    size_t descriptors = open_descriptors();
    int rc;

    stage_clean();
    rc = tusk_run(stage_main, &play);
    /* Threads of the resolver end a moment later. */
    live_wait_for_blocks(live);
    assert_int_equal(tusk__live(), live);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(stage_failures, 0);
    return rc;
}

/* The same, and nothing is reported, and it returns 0. */
static STAGE_UNUSED void play_live_quietly(tusk_coro *coro)
{
    int rc = play_live(coro);

    assert_string_equal(stage_reports, "");
    assert_int_equal(rc, 0);
}

/* ---- sockets of the test's own, in blocking mode ---- */

static STAGE_UNUSED struct sockaddr_in net_address(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, host, &address.sin_addr);
    return address;
}

/* A listening socket; *port is the port, and 0 is replaced by what the system has chosen. */
static STAGE_UNUSED int net_listen(const char *host, int *port, int backlog)
{
    struct sockaddr_in address = net_address(host, *port);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, backlog) < 0) {
        close(fd);
        return -errno;
    }
    getsockname(fd, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return fd;
}

/* A socket that is connected, or on its way there. */
static STAGE_UNUSED int net_connect(const char *host, int port)
{
    struct sockaddr_in address = net_address(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        close(fd);
        return -errno;
    }
    return fd;
}

/*
 * A place that nobody answers: its queue is full, so the system drops whoever knocks. fds gets what
 * must be closed at the end.
 */
enum { NET_SILENT = 4 };

static STAGE_UNUSED void net_make_silent(const char *host, int *port, int fds[NET_SILENT])
{
    fds[0] = net_listen(host, port, 0);
    for (int i = 1; i < NET_SILENT; i++)
        fds[i] = net_connect(host, *port);
}

static STAGE_UNUSED void net_close(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* A port that nobody listens on, for now. */
static STAGE_UNUSED int net_free_port(void)
{
    int port = 0;

    close(net_listen("127.0.0.1", &port, 1));
    return port;
}

static STAGE_UNUSED bool net_has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

/* ---- names ---- */

/* The addresses of every name, up to a NULL, while the stub is in place. */
static STAGE_UNUSED const char *const *net_hosts;
static STAGE_UNUSED struct tusk__resolver_system net_real_resolver;

static STAGE_UNUSED struct addrinfo *net_info(const char *host, int port)
{
    struct {
        struct addrinfo info;
        struct sockaddr_storage address;
    } *block = calloc(1, sizeof *block);
    struct sockaddr_in *in = (struct sockaddr_in *)&block->address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&block->address;
    bool is_six = strchr(host, ':');

    block->info.ai_family = is_six ? AF_INET6 : AF_INET;
    block->info.ai_socktype = SOCK_STREAM;
    block->info.ai_addr = (struct sockaddr *)&block->address;
    block->info.ai_addrlen = is_six ? sizeof *in6 : sizeof *in;
    block->address.ss_family = (sa_family_t)block->info.ai_family;
    if (is_six) {
        in6->sin6_port = htons((uint16_t)port);
        inet_pton(AF_INET6, host, &in6->sin6_addr);
    } else {
        *in = net_address(host, port);
    }
    return &block->info;
}

static STAGE_UNUSED int net_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                                        struct addrinfo **ret_list)
{
    struct addrinfo **end = ret_list;

    (void)host;
    (void)hints;
    for (const char *const *at = net_hosts; *at; at++) {
        *end = net_info(*at, atoi(service));
        end = &(*end)->ai_next;
    }
    return 0;
}

static STAGE_UNUSED void net_freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;

        free(list);
        list = next;
    }
}

/* From here on every name has these addresses. */
static STAGE_UNUSED void net_resolve_to(const char *const *hosts)
{
    net_hosts = hosts;
    net_real_resolver = tusk__resolver_system;
    tusk__resolver_system.getaddrinfo = net_getaddrinfo;
    tusk__resolver_system.freeaddrinfo = net_freeaddrinfo;
    tusk__resolver_system.patience = 0;
}

static STAGE_UNUSED void net_resolve_really(void)
{
    tusk__resolver_system = net_real_resolver;
}

#endif
