/*
 * What the echo servers in C have in common: their options, and the socket that listens.
 *
 * A server is one thread. It takes --port, listens on 127.0.0.1 and echoes what it
 * reads until it is killed. SERVE_BUFFER is above the largest request of any case, so
 * that a request is one short read, after which nothing is left to read.
 */
#ifndef BENCH_LOAD_SERVE_H
#define BENCH_LOAD_SERVE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "../common/measure.h"

enum {
    SERVE_BUFFER = 32 * 1024,
    SERVE_BACKLOG = 4096,
};

/* The port that the arguments name. With --help, says what the program is and ends it. */
BENCH_UNUSED static int serve_port(int argc, char **argv, const char *about)
{
    char *end = NULL;
    long port = 0;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: %s --port PORT\n\n%s\nListens on 127.0.0.1 and echoes until it is killed.\n", argv[0],
               about);
        exit(0);
    }
    if (argc == 3 && strcmp(argv[1], "--port") == 0)
        port = strtol(argv[2], &end, 10);
    if (end == NULL || *end != '\0' || port < 1 || port > 65535)
        bench_die("usage: %s --port PORT, a number from 1 to 65535; or --help", argv[0]);
    return (int)port;
}

/* As many descriptors as the system gives. */
BENCH_UNUSED static void serve_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

BENCH_UNUSED static struct sockaddr_in serve_address(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* A listening socket; flags are those of socket(), such as SOCK_NONBLOCK. */
BENCH_UNUSED static int serve_listen(int port, int flags)
{
    struct sockaddr_in address = serve_address(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    serve_raise_limit();
    (void)signal(SIGPIPE, SIG_IGN);
    if (fd < 0)
        bench_die("socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, SERVE_BACKLOG) != 0)
        bench_die("port %d: %s", port, strerror(errno));
    return fd;
}

BENCH_UNUSED static void serve_no_delay(int fd)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

#endif
