/* The chat room behind TLS: with a certificate and a key, nobody else can listen in. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tusk.h>

enum { NAME = 16, LINE = 256, WAITING = 256, SILENCE = 300, GOODBYE = 3 };

struct line {
    char text[LINE];
};

struct guest {
    struct guest *next;
    tusk_stream *stream;
    tusk_task_group tasks;
    tusk_queue lines; /* that this guest is to hear */
    char name[NAME];
};

static struct guest *guests;

/* Who does not read what the others say is sent away. */
static void tell(struct guest *guest, const struct line *line)
{
    if (tusk_queue_put_nowait(&guest->lines, line) < 0)
        tusk_task_group_cancel(&guest->tasks);
}

/* Nothing here waits, so nobody comes or goes while we walk through the list. */
TUSK_PRINTF(2, 3) static void tell_others(const struct guest *speaker, const char *format, ...)
{
    struct line line;
    va_list args;

    va_start(args, format);
    vsnprintf(line.text, sizeof line.text, format, args);
    va_end(args);
    for (struct guest *guest = guests; guest; guest = guest->next)
        if (guest != speaker)
            tell(guest, &line);
}

static void enter(struct guest *guest)
{
    guest->next = guests;
    guests = guest;
    tell_others(guest, "* %s is here", guest->name);
}

static void leave(struct guest *guest)
{
    struct guest **link = &guests;

    while (*link != guest)
        link = &(*link)->next;
    *link = guest->next;
    tell_others(guest, "* %s has left", guest->name);
}

/* The second task of each guest: sends what the others have said. */
static int write_lines(void *arg)
{
    struct guest *guest = arg;
    struct line line;
    int rc;

    while ((rc = tusk_queue_get(&guest->lines, &line)) == 0) {
        rc = tusk_stream_print(guest->stream, "%s\n", line.text);
        if (rc == -ECANCELED)
            return rc;
        if (rc < 0)
            return tusk_task_group_cancel(&guest->tasks);
    }
    return rc == TUSK_QUEUE_SHUT_DOWN ? 0 : rc;
}

/* Copies the next line, without its end. Returns 1; 0 at the end; or an error. */
static int read_line(struct guest *guest, char *text, size_t size)
{
    const char *line;
    ssize_t length = tusk_stream_readline(guest->stream, &line);

    if (length <= 0)
        return (int)length;
    snprintf(text, size, "%.*s", (int)length, line);
    text[strcspn(text, "\r\n")] = '\0';
    return 1;
}

/* The same, but nobody may be silent for longer than SILENCE seconds. */
static int read_line_in_time(struct guest *guest, char *text, size_t size)
{
    tusk_timeout silence;

    tusk_try(tusk_timeout_enter(&silence, SILENCE));
    return tusk_timeout_exit(&silence, read_line(guest, text, size));
}

/* However a guest goes, hanging up included, is no error of the server. */
static int read_lines(struct guest *guest)
{
    char text[LINE - NAME - 2];
    int rc;

    while ((rc = read_line_in_time(guest, text, sizeof text)) > 0)
        tell_others(guest, "%s: %s", guest->name, text);
    if (rc == -ETIMEDOUT)
        tell(guest, &(struct line){"* you are asleep, good night"});
    return rc == -ECANCELED ? rc : 0;
}

static int stay(struct guest *guest)
{
    int rc;

    tusk_try(tusk_task_group_enter(&guest->tasks));
    if (!tusk_task_group_create_task(&guest->tasks, write_lines, guest))
        return tusk_task_group_exit(&guest->tasks, tusk_last_error());
    enter(guest);
    rc = read_lines(guest);
    leave(guest);
    tusk_queue_shutdown(&guest->lines);
    return tusk_task_group_exit(&guest->tasks, rc);
}

static int welcome(tusk_stream *stream, void *arg)
{
    struct guest guest = {.stream = stream};
    int rc;

    (void)arg;
    tusk_try(tusk_stream_print(stream, "What is your name?\n"));
    rc = read_line(&guest, guest.name, sizeof guest.name);
    if (rc <= 0)
        return rc;
    tusk_try(tusk_stream_print(stream, "* welcome, %s\n", guest.name));
    tusk_queue_init(&guest.lines, sizeof(struct line), WAITING, NULL);
    rc = stay(&guest);
    tusk_queue_close(&guest.lines);
    return rc;
}

struct settings {
    int port;
    tusk_tls_context *tls; /* NULL: without */
};

static tusk_event end_asked = TUSK_EVENT_INIT;

static int ask_for_the_end(void *arg)
{
    (void)arg;
    tusk_event_set(&end_asked);
    return 0;
}

/* Those who are still there after GOODBYE seconds are cancelled. */
static int close_chat(tusk_server *server)
{
    int rc;

    printf("closing, with %zu guests\n", tusk_server_client_count(server));
    tell_others(NULL, "* the chat closes in %d seconds", GOODBYE);
    rc = tusk_server_drain(server, GOODBYE);
    if (rc >= 0)
        printf("closed, %d had to be sent away\n", rc);
    return rc;
}

static int serve(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    const struct settings *settings = arg;
    tusk_server *server;
    int rc;

    tusk_try(tusk_loop_add_signal_handler(loop, SIGINT, ask_for_the_end, NULL));
    tusk_try(tusk_loop_add_signal_handler(loop, SIGTERM, ask_for_the_end, NULL));
    tusk_try(tusk_start_server(welcome, NULL, "127.0.0.1", settings->port, &server, .tls = settings->tls));
    printf("the chat is open on port %d%s\n", tusk_server_port(server), settings->tls ? ", with TLS" : "");
    rc = tusk_event_wait(&end_asked);
    if (rc == 0)
        rc = close_chat(server);
    tusk_server_release(server);
    return rc;
}

int main(int argc, char **argv)
{
    struct settings settings = {.port = argc > 1 ? atoi(argv[1]) : 8888};
    int rc;

    if (argc > 3)
        settings.tls =
            tusk_tls_context_create(.server_side = true, .certificate_file = argv[2], .key_file = argv[3]);
    rc = argc > 3 && !settings.tls ? tusk_last_error() : tusk_run(serve, &settings);
    if (rc < 0)
        fprintf(stderr, "12_tls: %s\n", tusk_describe(rc));
    tusk_tls_context_release(settings.tls);
    return rc < 0;
}
