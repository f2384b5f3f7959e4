/*
 * An echo server with tusk: a task for each connection. What the stream lends is written from
 * where it is, so that an idle connection has no buffer, and none on its stack either.
 */
#include <tusk.h>

#include "serve.h"

static int echo(tusk_stream *stream, void *arg)
{
    const char *data;
    ssize_t length;

    (void)arg;
    while ((length = tusk_stream_peek(stream, 1, &data)) > 0) {
        tusk_try(tusk_stream_write(stream, data, (size_t)length));
        tusk_try(tusk_stream_consume(stream, (size_t)length));
    }
    return (int)length;
}

static int serve(void *arg)
{
    const int *port = arg;
    tusk_server *server;
    int rc;

    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", *port, &server, .backlog = SERVE_BACKLOG));
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    return rc;
}

int main(int argc, char **argv)
{
    int port = serve_port(argc, argv, "An echo server with tusk.");
    int rc;

    serve_raise_limit();
    rc = tusk_run(serve, &port);
    if (rc < 0)
        bench_die("port %d: %s", port, tusk_strerror(rc));
    return 0;
}
