/*
 * The floor of echo servers on epoll: what the system calls alone take.
 *
 * Edge-triggered, so that a connection is registered once. A read that did not
 * fill the buffer has emptied the socket, and nobody asks again: a request costs one
 * read and one write, and a wake-up serves all connections that are ready. The exception is a
 * hang-up that came along with data: its edge is gone, so only a read of 0 shows it.
 *
 * What the peer did not take yet is copied aside until there is room.
 */
#include <sys/epoll.h>

#include "serve.h"

enum { EVENTS = 512 };

struct connection {
    int fd;
    char *rest; /* NULL: all is written */
    size_t offset, length;
};

static char buffer[SERVE_BUFFER];

static void drop(struct connection *connection)
{
    close(connection->fd);
    free(connection->rest);
    free(connection);
}

static void keep_rest(struct connection *connection, const char *bytes, size_t length)
{
    connection->rest = malloc(length);
    if (connection->rest == NULL)
        bench_die("out of memory");
    memcpy(connection->rest, bytes, length);
    connection->offset = 0;
    connection->length = length;
}

/* False: the connection is broken. */
static bool echo(struct connection *connection, size_t length)
{
    ssize_t wrote = write(connection->fd, buffer, length);

    if (wrote < 0 && errno != EAGAIN)
        return false;
    if (wrote < 0)
        wrote = 0;
    if ((size_t)wrote < length)
        keep_rest(connection, buffer + wrote, length - (size_t)wrote);
    return true;
}

static bool write_rest(struct connection *connection)
{
    ssize_t wrote =
        write(connection->fd, connection->rest + connection->offset, connection->length - connection->offset);

    if (wrote < 0)
        return errno == EAGAIN;
    connection->offset += (size_t)wrote;
    if (connection->offset == connection->length) {
        free(connection->rest);
        connection->rest = NULL;
    }
    return true;
}

static bool serve(struct connection *connection, bool hung_up)
{
    if (connection->rest != NULL && !write_rest(connection))
        return false;
    while (connection->rest == NULL) {
        ssize_t got = read(connection->fd, buffer, sizeof buffer);
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        if (!echo(connection, (size_t)got))
            return false;
        if ((size_t)got < sizeof buffer && !hung_up)
            return true;
    }
    return true;
}

static void accept_all(int poller, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL)
            bench_die("out of memory");
        connection->fd = fd;
        serve_no_delay(fd);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = connection};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
            bench_die("epoll_ctl: %s", strerror(errno));
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        bench_die("accept: %s", strerror(errno));
}

static void handle(int poller, int listener, const struct epoll_event *event)
{
    bool hung_up = (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;

    if (event->data.ptr == NULL)
        accept_all(poller, listener);
    else if (!serve(event->data.ptr, hung_up))
        drop(event->data.ptr);
}

int main(int argc, char **argv)
{
    int listener =
        serve_listen(serve_port(argc, argv, "An echo server: a bare loop on epoll."), SOCK_NONBLOCK);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN}};

    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, events) != 0)
        bench_die("epoll: %s", strerror(errno));
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            bench_die("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < count; i++)
            handle(poller, listener, &events[i]);
    }
}
