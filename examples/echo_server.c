/*
 * Sends back what comes, to any number of clients.
 *
 *     echo_server                    then: nc localhost 8888
 *
 * It shows the smallest server: tusk runs echo() for each client in a task of its own, and closes the
 * connection when that returns. While it waits in a read or write, the other clients have their turn.
 */
#include <stdio.h>
#include <tusk.h>

#include "common/program.h"

static int echo(tusk_stream *stream, void *arg)
{
    char buffer[16 * 1024];
    ssize_t count;

    (void)arg;
    while ((count = tusk_stream_read(stream, buffer, sizeof buffer)) > 0)
        tusk_try(tusk_stream_write(stream, buffer, (size_t)count));
    return (int)count;
}

static int serve(void *arg)
{
    const int *port = arg;
    tusk_server *server;
    char name[64];
    int rc;

    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", *port, &server));
    printf("serving on %s\n", tusk_server_sockname(server, 0, name, sizeof name));
    fflush(stdout);
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    return rc;
}

static const char *port_text = "8888";
static const struct program program = {
    .name = "echo_server",
    .about = "Sends back what comes, to any number of clients on 127.0.0.1. Ctrl-C ends it.",
    .options = {{"port", "PORT", "where to listen; 0: any that is free", &port_text}},
};

int main(int argc, char **argv)
{
    int port;

    program_options(&program, argc, argv);
    port = program_port(port_text);
    return program_end(&program, tusk_run(serve, &port));
}
