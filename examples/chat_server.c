/*
 * A chat: who connects says a name, and then what one says all others hear.
 *
 *     chat_server                    then, in several terminals: nc localhost 8889
 *
 * It shows tasks that talk to each other by queues. Each client has two: one reads its lines and puts them
 * into the queues of all the others, the other takes lines from its own queue and sends them. So a client
 * that does not read holds up nobody but the task that writes to it. When its queue is full it misses
 * lines, and is told so. And it shows an orderly end: on Ctrl-C everybody hears goodbye.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tusk.h>

#include "common/program.h"

enum {
    NAME = 32,
    LINE = 512,
    WAITING = 64,
};

struct line {
    char text[LINE];
};

struct client {
    struct client *next;
    tusk_stream *stream;
    tusk_queue lines;
    /* How many it has missed since it last heard one. */
    int missed;
    char name[NAME];
};

/* Those who have a name. */
static struct client *clients;

static void tell(struct client *client, const struct line *line)
{
    if (tusk_queue_put_nowait(&client->lines, line) < 0)
        client->missed++;
}

/* Everybody but the one who said it. Nothing here waits, so the list stays as it is meanwhile. */
static void tell_others(const struct client *speaker, const char *format, const char *name, const char *text)
{
    struct line line;

    snprintf(line.text, sizeof line.text, format, name, text);
    for (struct client *client = clients; client; client = client->next)
        if (client != speaker)
            tell(client, &line);
}

/* ---- the task that sends ---- */

static int send_lines(void *arg)
{
    struct client *client = arg;
    struct line line;
    int rc;

    while ((rc = tusk_queue_get(&client->lines, &line)) == 0) {
        tusk_try(tusk_stream_print(client->stream, "%s\n", line.text));
        if (client->missed > 0 && tusk_queue_empty(&client->lines)) {
            int missed = client->missed;

            client->missed = 0;
            tusk_try(tusk_stream_print(client->stream, "* you missed %d lines\n", missed));
        }
    }
    return rc == TUSK_QUEUE_SHUT_DOWN ? 0 : rc;
}

/* ---- the task that reads ---- */

/* A line without what ends it. Its length; 0 for an empty one; or a negative code, TUSK_INCOMPLETE_READ at the end. */
static int read_line(struct client *client, char *text, size_t room)
{
    const char *line;
    ssize_t length = tusk_stream_readline(client->stream, &line);

    if (length <= 0)
        return length == 0 ? TUSK_INCOMPLETE_READ : (int)length;
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    if ((size_t)length >= room)
        length = (ssize_t)room - 1;
    memcpy(text, line, (size_t)length);
    text[length] = '\0';
    for (char *at = text; *at; at++)
        if (iscntrl((unsigned char)*at))
            *at = ' ';
    return (int)strlen(text);
}

static bool is_taken(const char *name)
{
    for (const struct client *client = clients; client; client = client->next)
        if (strcmp(client->name, name) == 0)
            return true;
    return false;
}

static int ask_name(struct client *client)
{
    char name[NAME];

    for (;;) {
        tusk_try(tusk_stream_print(client->stream, "What is your name?\n"));
        tusk_try(read_line(client, name, sizeof name));
        if (*name == '\0' || *name == '/')
            continue;
        if (!is_taken(name))
            break;
        tusk_try(tusk_stream_print(client->stream, "* that name is taken\n"));
    }
    strcpy(client->name, name);
    return 0;
}

static void tell_names(struct client *to)
{
    struct line line;
    size_t used = (size_t)snprintf(line.text, sizeof line.text, "* here are:");

    for (const struct client *client = clients; client && used < sizeof line.text; client = client->next)
        used += (size_t)snprintf(line.text + used, sizeof line.text - used, " %s", client->name);
    tell(to, &line);
}

static int read_lines(struct client *client)
{
    char text[LINE - NAME - 8];
    int rc;

    while ((rc = read_line(client, text, sizeof text)) >= 0) {
        if (strcmp(text, "/quit") == 0)
            return 0;
        if (strcmp(text, "/names") == 0)
            tell_names(client);
        else if (rc > 0)
            tell_others(client, "%s: %s", client->name, text);
    }
    return rc == TUSK_INCOMPLETE_READ || rc == TUSK_LIMIT_OVERRUN ? 0 : rc;
}

/* ---- clients ---- */

static void enter(struct client *client)
{
    client->next = clients;
    clients = client;
    tell_others(client, "* %s is here%s", client->name, "");
    tell_names(client);
}

static void leave(struct client *client)
{
    struct client **link = &clients;

    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    tell_others(client, "* %s has left%s", client->name, "");
}

/* The sender has sent what is left when it ends, or it never will: then its client has a second for that. */
static int chat(struct client *client)
{
    tusk_task *sender = tusk_create_task(send_lines, client, .name = client->name);
    int rc;

    enter(client);
    rc = read_lines(client);
    leave(client);
    if (rc == -ECANCELED)
        tell(client, &(struct line){"* the server ends. Goodbye!"});
    tusk_queue_shutdown(&client->lines);
    if (tusk_wait_for(sender, 1) == -ETIMEDOUT)
        tusk_stream_abort(client->stream);
    return rc;
}

static int serve_client(tusk_stream *stream, void *arg)
{
    struct client client = {.stream = stream};
    int rc;

    (void)arg;
    tusk_queue_init(&client.lines, sizeof(struct line), WAITING, NULL);
    rc = ask_name(&client);
    if (rc == 0)
        rc = chat(&client);
    tusk_queue_close(&client.lines);
    return rc == TUSK_INCOMPLETE_READ || rc == TUSK_LIMIT_OVERRUN ? 0 : rc;
}

/* Cancelled by Ctrl-C, the server stops listening and cancels its clients, after .drain_timeout at most. */
static int serve(void *arg)
{
    const int *port = arg;
    tusk_server *server;
    char name[64];
    int rc;

    tusk_try(tusk_start_server(serve_client, NULL, "127.0.0.1", *port, &server, .drain_timeout = 0.01));
    printf("serving on %s\n", tusk_server_sockname(server, 0, name, sizeof name));
    fflush(stdout);
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    return rc;
}

static const char *port_text = "8889";
static const struct program program = {
    .name = "chat_server",
    .about = "A chat on 127.0.0.1: say your name, then whatever you like; /names, /quit. Ctrl-C ends it.",
    .options = {{"port", "PORT", "where to listen; 0: any that is free", &port_text}},
};

int main(int argc, char **argv)
{
    int port;

    program_options(&program, argc, argv);
    port = program_port(port_text);
    return program_end(&program, tusk_run(serve, &port));
}
