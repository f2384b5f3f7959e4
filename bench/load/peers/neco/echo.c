/*
 * An echo server with neco: a coroutine for each connection.
 */
#include <neco.h>

#include "../../serve.h"

static void serve(int argc, void *argv[])
{
    int fd = *(int *)argv[0];
    char buffer[SERVE_BUFFER];
    ssize_t got;

    (void)argc;
    while ((got = neco_read(fd, buffer, sizeof buffer)) > 0)
        if (neco_write(fd, buffer, (size_t)got) != got)
            break;
    close(fd);
}

static void accept_all(int argc, void *argv[])
{
    int listener = *(int *)argv[0];

    (void)argc;
    for (;;) {
        int fd = neco_accept(listener, NULL, NULL);
        if (fd < 0)
            bench_die("accept: %s", strerror(errno));
        serve_no_delay(fd);
        int rc = neco_start(serve, 1, &fd);
        if (rc != NECO_OK)
            bench_die("no coroutine: %s", neco_strerror(rc));
    }
}

int main(int argc, char **argv)
{
    int listener = serve_listen(serve_port(argc, argv, "An echo server with neco."), SOCK_NONBLOCK);

    return neco_start(accept_all, 1, &listener) != NECO_OK;
}
