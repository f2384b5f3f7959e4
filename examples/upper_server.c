/* Sends each line back in capitals. Who says nothing for a while is shown the door. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <tusk.h>

enum { LINE = 1000 };

static double patience = 10;

/* The length of the next line; 0 at the end; -ETIMEDOUT if none comes in time. */
static int read_line(tusk_stream *stream, const char **line)
{
    tusk_timeout timeout;

    tusk_try(tusk_timeout_enter(&timeout, patience));
    return tusk_timeout_exit(&timeout, (int)tusk_stream_readline(stream, line));
}

/* One client, in a task of its own. */
static int shout(tusk_stream *stream, void *arg)
{
    char upper[LINE + 1];
    const char *line;
    int length;

    (void)arg;
    while ((length = read_line(stream, &line)) > 0) {
        for (int i = 0; i < length; i++)
            upper[i] = (char)toupper((unsigned char)line[i]);
        tusk_try(tusk_stream_write(stream, upper, (size_t)length));
    }
    return length == -ETIMEDOUT ? tusk_stream_print(stream, "bye\n") : length;
}

static int stop(void *task)
{
    tusk_task_cancel(task);
    return 0;
}

static int serve(void *arg)
{
    tusk_server *server;
    int rc;

    tusk_try(tusk_start_server(shout, NULL, "127.0.0.1", *(int *)arg, &server, .limit = LINE));
    tusk_try(tusk_loop_add_signal_handler(tusk_get_running_loop(), SIGTERM, stop, tusk_current_task()));
    printf("serving on 127.0.0.1:%d\n", tusk_server_port(server));
    fflush(stdout);
    rc = tusk_server_serve_forever(server); /* cancelled, it gives its clients a second to finish */
    tusk_server_release(server);
    return rc == -ECANCELED ? 0 : rc;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 7777;
    int rc;

    if (argc > 2)
        patience = atof(argv[2]);
    rc = tusk_run(serve, &port);
    if (rc < 0)
        fprintf(stderr, "upper_server: %s\n", tusk_describe(rc));
    return rc < 0;
}
