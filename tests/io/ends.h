/*
 * Descriptors for tests: listening sockets on a free port of this machine, connected
 * pairs, files. These are for coroutines: what goes wrong counts as a failure of the play.
 *
 * Include it after task/stage.h.
 */
#ifndef TESTS_IO_ENDS_H
#define TESTS_IO_ENDS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "io/system.h"

/* The calls on what this loop makes, which may be a simulation's. */
static STAGE_UNUSED const struct tusk__system *ends_system(void)
{
    return tusk__system_of(tusk_get_running_loop());
}

/* 127.0.0.1 and a port; 0: the system chooses. */
static STAGE_UNUSED struct sockaddr_in tcp_address(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A listening socket, and its address. */
static STAGE_UNUSED int tcp_listen(struct sockaddr_in *ret_address, int backlog)
{
    int fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof *ret_address;

    *ret_address = tcp_address(0);
    expect(fd >= 0);
    expect_int(tusk_bind(fd, (const struct sockaddr *)ret_address, size), 0);
    expect_int(tusk_listen(fd, backlog), 0);
    expect_int(ends_system()->getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
    return fd;
}

/* A new socket that is connected to there. */
static STAGE_UNUSED int tcp_connect(const struct sockaddr_in *address)
{
    int fd = tusk_socket(AF_INET, SOCK_STREAM, 0);

    expect(fd >= 0);
    expect_int(tusk_connect(fd, (const struct sockaddr *)address, sizeof *address), 0);
    expect_int(ends_system()->setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    return fd;
}

static STAGE_UNUSED void tcp_pair(int ret_fds[2])
{
    struct sockaddr_in address;
    int listener = tcp_listen(&address, 1);

    ret_fds[0] = tcp_connect(&address);
    ret_fds[1] = tusk_accept(listener, NULL, NULL);
    expect(ret_fds[1] >= 0);
    expect_int(ends_system()->setsockopt(ret_fds[1], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    expect_int(tusk_close(listener), 0);
}

static STAGE_UNUSED void unix_pair(int ret_fds[2])
{
    expect_int(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, ret_fds), 0);
}

/* A file that has no name any more. */
static STAGE_UNUSED int open_file(void)
{
    char path[] = "/tmp/tusk-file-XXXXXX";
    int fd = mkstemp(path);

    expect(fd >= 0);
    unlink(path);
    return fd;
}

static STAGE_UNUSED void close_both(const int fds[2])
{
    expect_int(tusk_close(fds[0]), 0);
    expect_int(tusk_close(fds[1]), 0);
}

#endif
