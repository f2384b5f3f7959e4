/* A server that reads commands line by line, and never sends faster than its client reads. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tusk.h>

static int count(tusk_stream *stream, int last)
{
    size_t most = 0;

    for (int i = 1; i <= last; i++) {
        tusk_try(tusk_stream_print(stream, "line %d of %d\n", i, last));
        if (tusk_stream_get_write_buffer_size(stream) > most)
            most = tusk_stream_get_write_buffer_size(stream);
    }
    printf("sent %d lines, with at most %zu KiB waiting here\n", last, (most + 1023) / 1024);
    return 0;
}

static int obey(tusk_stream *stream, const char *command)
{
    int a, b;

    if (sscanf(command, "add %d %d", &a, &b) == 2)
        return tusk_stream_print(stream, "%lld\n", (long long)a + b);
    if (sscanf(command, "count %d", &a) == 1)
        return count(stream, a);
    return tusk_stream_print(stream, "add A B, count N or quit\n");
}

/* Copies the next line, without its end. Returns 1; 0 at the end; or an error. */
static int read_line(tusk_stream *stream, char *text, size_t size)
{
    const char *line;
    ssize_t length = tusk_stream_readline(stream, &line);

    if (length <= 0)
        return (int)length;
    snprintf(text, size, "%.*s", (int)length, line);
    text[strcspn(text, "\r\n")] = '\0';
    return 1;
}

static int talk(tusk_stream *stream, void *arg)
{
    char command[100];
    int rc;

    (void)arg;
    while ((rc = read_line(stream, command, sizeof command)) > 0) {
        if (strcmp(command, "quit") == 0)
            return 0;
        tusk_try(obey(stream, command));
    }
    return rc;
}

static int serve(void *arg)
{
    const int *port = arg;
    tusk_server *server;
    int rc;

    tusk_try(tusk_start_server(talk, NULL, "127.0.0.1", *port, &server, .limit = 1000));
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
        return 0;
    if (rc < 0)
        fprintf(stderr, "08_lines: %s\n", tusk_describe(rc));
    return rc < 0;
}
