/* A client: asks a server one question, and waits ten seconds for the answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <tusk.h>

static int ask(tusk_stream *stream)
{
    const char *line;
    ssize_t length;

    tusk_try(tusk_stream_print(stream, "what is for dinner?\n"));
    length = tusk_stream_readline(stream, &line);
    if (length > 0)
        printf("for dinner: %.*s", (int)length, line);
    else if (length == 0)
        printf("no answer\n");
    return (int)length;
}

static int connect_and_ask(int port)
{
    tusk_stream *stream;
    int rc;

    tusk_try(tusk_open_connection("127.0.0.1", port, &stream));
    rc = ask(stream);
    tusk_stream_release(stream);
    return rc;
}

static int client(void *arg)
{
    const int *port = arg;
    tusk_timeout patience;

    tusk_try(tusk_timeout_enter(&patience, 10));
    return tusk_timeout_exit(&patience, connect_and_ask(*port));
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 8888;
    int rc = tusk_run(client, &port);

    if (rc < 0)
        fprintf(stderr, "06_client: %s\n", tusk_describe(rc));
    return rc < 0;
}
