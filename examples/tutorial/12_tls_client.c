/* A client for the chat, with TLS: sends what you type, shows what comes. */
#include <stdio.h>
#include <stdlib.h>
#include <tusk.h>
#include <unistd.h>

struct settings {
    int port;
    tusk_tls_context *tls;
};

struct link {
    tusk_stream *from;
    tusk_stream *to;
    tusk_task_group *tasks;
};

/* Copies until one side ends; then the other direction has no use either. */
static int copy(void *arg)
{
    const struct link *link = arg;
    char data[4096];
    ssize_t size;

    while ((size = tusk_stream_read(link->from, data, sizeof data)) > 0)
        tusk_try(tusk_stream_write(link->to, data, (size_t)size));
    return size < 0 ? (int)size : tusk_task_group_cancel(link->tasks);
}

/* A group returns the errors of all its tasks; the first one is enough for us. */
static int first_error(int rc)
{
    const tusk_exception *error = tusk_exception_child(tusk_exception_last(), 0);

    return rc == TUSK_EXCEPTION_GROUP ? tusk_exception_raise(error, tusk_exception_code(error)) : rc;
}

static int talk(tusk_stream *server, tusk_stream *input, tusk_stream *output)
{
    tusk_task_group tasks;
    struct link typed = {input, server, &tasks}, heard = {server, output, &tasks};
    int rc;

    tusk_try(tusk_task_group_enter(&tasks));
    rc = tusk_task_group_create_task(&tasks, copy, &typed) ? copy(&heard) : tusk_last_error();
    return first_error(tusk_task_group_exit(&tasks, rc));
}

static int talk_at_terminal(tusk_stream *server)
{
    tusk_stream *input = NULL, *output = NULL;
    int rc = tusk_open_stream(STDIN_FILENO, &input);

    if (rc == 0)
        rc = tusk_open_stream(STDOUT_FILENO, &output);
    if (rc == 0)
        rc = talk(server, input, output);
    tusk_stream_release(input);
    tusk_stream_release(output);
    return rc;
}

static int client(void *arg)
{
    const struct settings *settings = arg;
    tusk_stream *server;
    int rc;

    tusk_try(tusk_open_connection("localhost", settings->port, &server, .tls = settings->tls));
    rc = talk_at_terminal(server);
    tusk_stream_release(server);
    return rc;
}

/* usage: 12_tls_client PORT [CERTIFICATE], whom to trust; without one, whom the system trusts */
int main(int argc, char **argv)
{
    struct settings settings = {.port = argc > 1 ? atoi(argv[1]) : 8888};
    int rc;

    settings.tls = tusk_tls_context_create(.ca_file = argc > 2 ? argv[2] : NULL);
    rc = settings.tls ? tusk_run(client, &settings) : tusk_last_error();
    if (rc < 0)
        fprintf(stderr, "12_tls_client: %s\n", tusk_describe(rc));
    tusk_tls_context_release(settings.tls);
    return rc < 0;
}
