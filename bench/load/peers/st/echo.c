/*
 * An echo server with State Threads, on epoll: a thread of theirs for each connection.
 */
#include <st.h>

#include "../../serve.h"

enum { STACK = 64 * 1024 };

static void *serve(void *argument)
{
    st_netfd_t connection = argument;
    char buffer[SERVE_BUFFER];
    ssize_t got;

    while ((got = st_read(connection, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT)) > 0)
        if (st_write(connection, buffer, (size_t)got, ST_UTIME_NO_TIMEOUT) != got)
            break;
    st_netfd_close(connection);
    return NULL;
}

int main(int argc, char **argv)
{
    int fd = serve_listen(serve_port(argc, argv, "An echo server with State Threads."), 0);
    st_netfd_t listener, connection;

    if (st_set_eventsys(ST_EVENTSYS_ALT) != 0 || st_init() != 0)
        bench_die("State Threads: %s", strerror(errno));
    if (st_get_eventsys() != ST_EVENTSYS_ALT)
        bench_die("this State Threads was built without epoll (-DMD_HAVE_EPOLL)");
    listener = st_netfd_open_socket(fd);
    if (listener == NULL)
        bench_die("State Threads: %s", strerror(errno));
    for (;;) {
        connection = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);
        if (connection == NULL)
            bench_die("accept: %s", strerror(errno));
        serve_no_delay(st_netfd_fileno(connection));
        if (st_thread_create(serve, connection, 0, STACK) == NULL)
            bench_die("no thread: %s", strerror(errno));
    }
}
