/* A server: sends back what comes, to any number of clients. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <tusk.h>

/* Serves one client. When it returns, the connection is closed. */
static int echo(tusk_stream *stream, void *arg)
{
    char data[4096];
    ssize_t size;

    (void)arg;
    while ((size = tusk_stream_read(stream, data, sizeof data)) > 0)
        tusk_try(tusk_stream_write(stream, data, (size_t)size));
    return (int)size;
}

static int serve(void *arg)
{
    const int *port = arg;
    tusk_server *server;
    int rc;

    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", *port, &server));
    printf("serving on port %d\n", tusk_server_port(server));
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    return rc;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 8888;
    int rc = tusk_run(serve, &port);

    if (rc == -EINTR)
        return 0; /* Ctrl-C is how it ends */
    if (rc < 0)
        fprintf(stderr, "07_echo_server: %s\n", tusk_describe(rc));
    return rc < 0;
}
