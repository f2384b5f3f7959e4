/*
 * A key-value store that speaks enough of Redis's protocol for redis-cli and redis-benchmark.
 *
 *     kv_server                      then: redis-cli -p 6380 set dish soup
 *
 * It shows how to write a server whose requests are not lines: tusk_stream_peek() lends what has come,
 * a parser finds the whole requests in it, tusk_stream_consume() takes those, and the answers to all of
 * them go out by one write. And it shows that tasks need no locks for what they share: one of them
 * runs at a time, and another one only where this one waits, which is in calls of tusk.
 */
#include <errno.h>
#include <stdio.h>
#include <tusk.h>

#include "common/program.h"
#include "common/resp.h"
#include "common/table.h"

enum { MAX_REQUEST = 64 << 20 };

static struct table table;

static double now(void)
{
    return tusk_loop_time(tusk_get_running_loop());
}

/* ---- commands ---- */

static void do_ping(struct resp_client *client)
{
    if (client->request.count > 1)
        resp_say_bulk(client, client->request.words[1]);
    else
        resp_say_line(client, "+PONG");
}

/* Sending may wait, and another client may replace the value meanwhile: so who sends it holds it. */
static void do_get(struct resp_client *client)
{
    struct entry *entry = table_find(&table, client->request.words[1]);

    if (!entry) {
        resp_say_line(client, "$-1");
        return;
    }
    entry->references++;
    resp_say_bulk(client, entry_value(entry));
    table_drop(&table, entry);
}

/* Says so if it is none. */
static bool integer(struct resp_client *client, struct text text, long long *ret_number)
{
    if (resp_integer(text, ret_number))
        return true;
    resp_say_error(client, "value is not an integer or out of range");
    return false;
}

static bool store(struct resp_client *client, struct text value, double expires)
{
    if (table_set(&table, client->request.words[1], value, expires))
        return true;
    resp_say_line(client, "-OOM out of memory");
    return false;
}

/* When something ends that has so many seconds left: "12". Says so if it is no such number. */
static bool deadline(struct resp_client *client, struct text seconds, double *ret_expires)
{
    long long number;

    if (!integer(client, seconds, &number))
        return false;
    *ret_expires = now() + (double)number;
    return true;
}

/* SET key value [EX seconds] */
static void do_set(struct resp_client *client)
{
    const struct text *words = client->request.words;
    double expires = 0;

    if (client->request.count != 3 && (client->request.count != 5 || !text_is(words[3], "ex")))
        resp_say_error(client, "syntax error");
    else if (client->request.count == 5 && !deadline(client, words[4], &expires))
        return;
    else if (client->request.count == 5 && expires <= now())
        resp_say_error(client, "invalid expire time in 'set' command");
    else if (store(client, words[2], expires))
        resp_say_line(client, "+OK");
}

static void do_del(struct resp_client *client)
{
    int removed = 0;

    for (size_t i = 1; i < client->request.count; i++)
        removed += table_remove(&table, client->request.words[i]);
    resp_say_number(client, ':', removed);
}

static void do_exists(struct resp_client *client)
{
    int found = 0;

    for (size_t i = 1; i < client->request.count; i++)
        found += table_find(&table, client->request.words[i]) != NULL;
    resp_say_number(client, ':', found);
}

static void do_incr(struct resp_client *client)
{
    struct entry *entry = table_find(&table, client->request.words[1]);
    long long number = 0;
    char text[24];

    if (entry && !integer(client, entry_value(entry), &number))
        return;
    if (number == INT64_MAX) {
        resp_say_error(client, "increment or decrement would overflow");
        return;
    }
    snprintf(text, sizeof text, "%lld", ++number);
    if (store(client, (struct text){text, strlen(text)}, entry ? entry->expires : 0))
        resp_say_number(client, ':', number);
}

static void do_expire(struct resp_client *client)
{
    struct entry *entry = table_find(&table, client->request.words[1]);
    double expires;

    if (!deadline(client, client->request.words[2], &expires))
        return;
    if (entry)
        entry->expires = expires;
    resp_say_number(client, ':', entry != NULL);
}

static void do_ttl(struct resp_client *client)
{
    struct entry *entry = table_find(&table, client->request.words[1]);

    if (entry && entry->expires != 0)
        resp_say_number(client, ':', (long long)(entry->expires - now() + 0.5));
    else
        resp_say_number(client, ':', entry ? -1 : -2);
}

static void do_quit(struct resp_client *client)
{
    resp_say_line(client, "+OK");
    client->end = 1;
}

/* What redis-cli asks first. */
static void do_command(struct resp_client *client)
{
    resp_say_line(client, "*0");
}

/* What redis-benchmark asks first: CONFIG GET name. No setting has a value. */
static void do_config(struct resp_client *client)
{
    resp_say_line(client, "*2");
    resp_say_bulk(client, client->request.words[client->request.count - 1]);
    resp_say_line(client, "$0\r\n");
}

/* How many words a command has, with its name. */
static const struct command {
    const char *name;
    size_t least, most;
    void (*run)(struct resp_client *client);
} commands[] = {
    {"get", 2, 2, do_get},
    {"set", 3, RESP_MAX_WORDS, do_set},
    {"incr", 2, 2, do_incr},
    {"del", 2, RESP_MAX_WORDS, do_del},
    {"exists", 2, RESP_MAX_WORDS, do_exists},
    {"expire", 3, 3, do_expire},
    {"ttl", 2, 2, do_ttl},
    {"ping", 1, 2, do_ping},
    {"echo", 2, 2, do_ping},
    {"quit", 1, RESP_MAX_WORDS, do_quit},
    {"config", 3, 3, do_config},
    {"command", 1, RESP_MAX_WORDS, do_command},
};

static void run_command(struct resp_client *client)
{
    const struct command *command = commands, *end = commands + sizeof commands / sizeof *commands;
    struct text name = client->request.words[0];
    size_t count = client->request.count;

    while (command < end && !text_is(name, command->name))
        command++;
    if (command == end)
        resp_say_error(client, "unknown command '%.*s'", name.size < 64 ? (int)name.size : 64, name.data);
    else if (count < command->least || count > command->most)
        resp_say_error(client, "wrong number of arguments for '%s' command", command->name);
    else
        command->run(client);
}

/* ---- clients ---- */

/* Runs the whole requests among these bytes. Returns how many bytes those were. */
static size_t run_commands(struct resp_client *client, const char *data, size_t size)
{
    size_t done = 0;

    while (client->end == 0) {
        long length = resp_parse(&client->request, data + done, size - done);

        if (length == 0 && size - done < MAX_REQUEST)
            break;
        if (length <= 0) {
            resp_say_error(client, "%s", length == 0 ? "Protocol error: too long" : client->request.error);
            client->end = 1;
            break;
        }
        if (client->request.count > 0)
            run_command(client);
        done += (size_t)length;
    }
    resp_flush(client);
    return done;
}

static int serve_client(tusk_stream *stream, void *arg)
{
    struct resp_client client;
    size_t wanted = 1;
    const char *data;
    ssize_t size = 0;

    (void)arg;
    client.stream = stream;
    client.end = 0;
    client.used = 0;
    while (client.end == 0 && (size = tusk_stream_peek(stream, wanted, &data)) >= (ssize_t)wanted) {
        size_t done = run_commands(&client, data, (size_t)size);

        wanted = (size_t)size - done + 1; /* what is left is a part of a request: wait for more of it */
        tusk_try(tusk_stream_consume(stream, done));
    }
    if (client.end < 0)
        return client.end;
    return size < 0 ? (int)size : 0;
}

/* What has expired goes when somebody asks for it. This task finds what nobody asks for. */
static int sweep(void *arg)
{
    (void)arg;
    for (size_t at = 0;; table_sweep(&table, &at, 4096))
        tusk_try(tusk_sleep(0.1));
}

static int serve(void *arg)
{
    const int *port = arg;
    tusk_server *server;
    char name[64];
    int rc;

    tusk_try(tusk_start_server(serve_client, NULL, "127.0.0.1", *port, &server, .limit = MAX_REQUEST,
                               .backlog = 1024));
    tusk_release(tusk_create_task(sweep, NULL, .name = "sweep"));
    printf("serving on %s\n", tusk_server_sockname(server, 0, name, sizeof name));
    fflush(stdout);
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    return rc;
}

static const char *port_text = "6380";
static const struct program program = {
    .name = "kv_server",
    .about = "A key-value store for redis-cli and redis-benchmark on 127.0.0.1. Ctrl-C ends it.",
    .options = {{"port", "PORT", "where to listen; 0: any that is free", &port_text}},
};

int main(int argc, char **argv)
{
    int port, rc = -ENOMEM;

    program_options(&program, argc, argv);
    port = program_port(port_text);
    if (table_create(&table, now))
        rc = tusk_run(serve, &port);
    table_destroy(&table);
    return program_end(&program, rc);
}
