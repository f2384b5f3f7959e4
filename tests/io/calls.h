/*
 * The system's calls on descriptors, counted, and made to fail if a test wants that; the calls on
 * the poller too. calls_watch() puts them under the running loop.
 *
 * Include it after task/stage.h.
 */
#ifndef TESTS_IO_CALLS_H
#define TESTS_IO_CALLS_H

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/system.h"
#include "loop/loop.h"

enum call {
    CALL_KIND,
    CALL_SOCKET,
    CALL_SOCKETPAIR,
    CALL_BIND,
    CALL_LISTEN,
    CALL_ACCEPT,
    CALL_CONNECT,
    CALL_GETSOCKOPT,
    CALL_RECV,
    CALL_SEND,
    CALL_RECVMSG,
    CALL_SENDMSG,
    CALL_READV,
    CALL_WRITEV,
    CALL_READV_NOW,
    CALL_WRITEV_NOW,
    CALL_SENDFILE,
    CALL_POLL,
    CALL_CLOSE,
    /* The poller's. */
    CALL_WATCH,
    CALL_AGAIN,
    CALL_UNWATCH,
    CALL_WAIT,
    CALLS,
};

static STAGE_UNUSED const char *const call_names[CALLS] = {
    "kind",     "socket", "socketpair", "bind",    "listen", "accept",  "connect",   "getsockopt",
    "recv",     "send",   "recvmsg",    "sendmsg", "readv",  "writev",  "readv_now", "writev_now",
    "sendfile", "poll",   "close",      "watch",   "again",  "unwatch", "wait"};

static STAGE_UNUSED size_t calls_made[CALLS];
/* How many of these calls said that there was nothing. */
static STAGE_UNUSED size_t calls_in_vain;
/* What this call says next, once, in place of the system; 0: nothing. */
static STAGE_UNUSED int calls_answer[CALLS];
/* This many more calls, and one fails with -EIO; 0: none does. */
static STAGE_UNUSED long calls_until_failure;

static STAGE_UNUSED void calls_clear(void)
{
    memset(calls_made, 0, sizeof calls_made);
    calls_in_vain = 0;
}

/* Everything but waiting. */
static STAGE_UNUSED size_t calls_total(void)
{
    size_t total = 0;

    for (int i = 0; i < CALL_WAIT; i++)
        total += calls_made[i];
    return total;
}

static STAGE_UNUSED void calls_print(void)
{
    for (int i = 0; i < CALLS; i++)
        if (calls_made[i])
            print_message("%s: %zu\n", call_names[i], calls_made[i]);
}

/* What the call says in place of the system, or 0. */
static STAGE_UNUSED int calls_enter(enum call call)
{
    int answer = calls_answer[call];

    calls_made[call]++;
    calls_answer[call] = 0;
    if (calls_until_failure > 0 && --calls_until_failure == 0)
        answer = -EIO;
    return answer;
}

static STAGE_UNUSED ssize_t calls_leave(ssize_t rc)
{
    calls_in_vain += rc == -EAGAIN;
    return rc;
}

#define COUNT(call, name, ...)                                                                               \
    int answer = calls_enter(call);                                                                          \
    return (__typeof__(tusk__system_real.name(__VA_ARGS__)))calls_leave(                                     \
        answer ? answer : tusk__system_real.name(__VA_ARGS__))

static int counted_kind(int fd)
{
    COUNT(CALL_KIND, kind, fd);
}

static int counted_socket(int domain, int type, int protocol)
{
    COUNT(CALL_SOCKET, socket, domain, type, protocol);
}

static int counted_socketpair(int domain, int type, int protocol, int ret_fds[2])
{
    COUNT(CALL_SOCKETPAIR, socketpair, domain, type, protocol, ret_fds);
}

static int counted_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    COUNT(CALL_BIND, bind, fd, address, size);
}

static int counted_listen(int fd, int backlog)
{
    COUNT(CALL_LISTEN, listen, fd, backlog);
}

static int counted_accept(int fd, struct sockaddr *ret_address, socklen_t *size)
{
    COUNT(CALL_ACCEPT, accept, fd, ret_address, size);
}

static int counted_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    COUNT(CALL_CONNECT, connect, fd, address, size);
}

static int counted_getsockopt(int fd, int level, int option, void *ret_value, socklen_t *size)
{
    COUNT(CALL_GETSOCKOPT, getsockopt, fd, level, option, ret_value, size);
}

static ssize_t counted_recv(int fd, void *buffer, size_t size, int flags)
{
    COUNT(CALL_RECV, recv, fd, buffer, size, flags);
}

static ssize_t counted_send(int fd, const void *data, size_t size, int flags)
{
    COUNT(CALL_SEND, send, fd, data, size, flags);
}

static ssize_t counted_recvmsg(int fd, struct msghdr *message, int flags)
{
    COUNT(CALL_RECVMSG, recvmsg, fd, message, flags);
}

static ssize_t counted_sendmsg(int fd, const struct msghdr *message, int flags)
{
    COUNT(CALL_SENDMSG, sendmsg, fd, message, flags);
}

static ssize_t counted_readv(int fd, const struct iovec *buffers, int count)
{
    COUNT(CALL_READV, readv, fd, buffers, count);
}

static ssize_t counted_writev(int fd, const struct iovec *data, int count)
{
    COUNT(CALL_WRITEV, writev, fd, data, count);
}

static ssize_t counted_readv_now(int fd, const struct iovec *buffers, int count, off_t offset)
{
    COUNT(CALL_READV_NOW, readv_now, fd, buffers, count, offset);
}

static ssize_t counted_writev_now(int fd, const struct iovec *data, int count, off_t offset)
{
    COUNT(CALL_WRITEV_NOW, writev_now, fd, data, count, offset);
}

static ssize_t counted_sendfile(int out, int in, off_t *offset, size_t count)
{
    COUNT(CALL_SENDFILE, sendfile, out, in, offset, count);
}

static int counted_poll(int fd, int events)
{
    COUNT(CALL_POLL, poll, fd, events);
}

/* It closes in any case. */
static int counted_close(int fd)
{
    int rc = tusk__system_real.close(fd);
    int answer = calls_enter(CALL_CLOSE);

    return answer ? answer : rc;
}

static struct tusk__system calls_system;
static struct tusk__poll_backend calls_backend;
static const struct tusk__poll_backend *calls_real_backend;

static int counted_watch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    int answer = calls_enter(CALL_WATCH);

    return answer ? answer : calls_real_backend->watch(poller, watch);
}

static int counted_again(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    calls_made[CALL_AGAIN]++;
    return calls_real_backend->again(poller, watch, events);
}

static void counted_unwatch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    calls_made[CALL_UNWATCH]++;
    calls_real_backend->unwatch(poller, watch);
}

static int counted_wait(struct tusk__poller *poller, int64_t timeout)
{
    calls_made[CALL_WAIT]++;
    return calls_real_backend->wait(poller, timeout);
}

static STAGE_UNUSED void calls_watch(void)
{
    struct tusk__poller *poller = &tusk_get_running_loop()->poller;

    calls_system = tusk__system_real;
    calls_system.kind = counted_kind;
    calls_system.socket = counted_socket;
    calls_system.socketpair = counted_socketpair;
    calls_system.bind = counted_bind;
    calls_system.listen = counted_listen;
    calls_system.accept = counted_accept;
    calls_system.connect = counted_connect;
    calls_system.getsockopt = counted_getsockopt;
    calls_system.recv = counted_recv;
    calls_system.send = counted_send;
    calls_system.recvmsg = counted_recvmsg;
    calls_system.sendmsg = counted_sendmsg;
    calls_system.readv = counted_readv;
    calls_system.writev = counted_writev;
    calls_system.readv_now = counted_readv_now;
    calls_system.writev_now = counted_writev_now;
    calls_system.sendfile = counted_sendfile;
    calls_system.poll = counted_poll;
    calls_system.close = counted_close;
    calls_real_backend = poller->backend;
    calls_backend = *poller->backend;
    calls_backend.system = &calls_system;
    calls_backend.watch = counted_watch;
    calls_backend.again = counted_again;
    calls_backend.unwatch = counted_unwatch;
    calls_backend.wait = counted_wait;
    poller->backend = &calls_backend;
    calls_until_failure = 0;
    memset(calls_answer, 0, sizeof calls_answer);
    calls_clear();
}

#endif
