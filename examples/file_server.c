/*
 * Serves the files of a folder by HTTP/1.1.
 *
 *     file_server --root /usr/share/doc        then: curl http://localhost:8080/
 *
 * It shows how a library that knows nothing of tusk is used: the parser for HTTP calls back for each
 * request that it finds, and the callback just sends the answer. If that has to wait for a slow client,
 * the task waits inside of the callback, with the parser's calls on its stack. And it shows a time-out
 * that moves on while a client gets something done.
 *
 * Small files are answered from a table, head and body by one write; what it has is a second old at
 * most. Large files the system sends, from file to socket. Opening and reading a file is done
 * right here, and if it must come from a slow disk, all clients wait: a site with more files than
 * memory has its tusk_to_thread().
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <tusk.h>
#include <unistd.h>

#include "common/http.h"
#include "common/parser.h"
#include "common/program.h"
#include "common/table.h"

enum {
    HEAD = 512,
    SMALL = 64 << 10,
    PORTION = 1 << 20,
    URL = 2048,
};

static char root[PATH_MAX];
/* So many seconds a client has for a request, and for a portion of a file. */
static double patience;
/* From a URL to the whole answer. */
static struct table answers;

struct client {
    tusk_stream *stream;
    tusk_timeout timeout;
    /* Not 0: it is not served any more. 1, or the error of its connection. */
    int end;
    request_parser parser;
    /* What the request asks for. */
    size_t url_size;
    char url[URL];
};

static double now(void)
{
    return tusk_loop_time(tusk_get_running_loop());
}

/* ---- answers ---- */

static size_t format_head(char head[HEAD], int status, const char *type, size_t size, bool keep)
{
    time_t seconds = time(NULL);
    struct tm tm;
    char date[64];

    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &tm));
    return (size_t)snprintf(head, HEAD,
                            "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                            "%sConnection: %s\r\n\r\n",
                            status, http_reason(status), date, type, size,
                            status == 405 ? "Allow: GET, HEAD\r\n" : "", keep ? "keep-alive" : "close");
}

/* Head and body lie one behind the other; whoever asked for the head gets no more. */
static int send_answer(struct client *client, const char *answer, size_t size)
{
    if (client->parser.method == HTTP_HEAD)
        size = (size_t)((const char *)memmem(answer, size, "\r\n\r\n", 4) + 4 - answer);
    return tusk_stream_write(client->stream, answer, size);
}

static int send_error(struct client *client, int status, bool keep)
{
    char answer[HEAD + 64], body[64];
    int size = snprintf(body, sizeof body, "%d %s\n", status, http_reason(status));
    size_t head = format_head(answer, status, "text/plain", (size_t)size, keep);

    memcpy(answer + head, body, (size_t)size);
    return send_answer(client, answer, head + (size_t)size);
}

/* Keeps the answer for a second, if the next request may have the same. */
static int send_small(struct client *client, const struct http_file *file, bool keep)
{
    char answer[HEAD + SMALL];
    size_t head = format_head(answer, 200, http_type(file->name), (size_t)file->size, keep);

    if (pread(file->fd, answer + head, (size_t)file->size, 0) != file->size)
        return send_error(client, 503, keep);
    if (keep)
        table_set(&answers, (struct text){client->url, client->url_size},
                  (struct text){answer, head + (size_t)file->size}, now() + 1);
    return send_answer(client, answer, head + (size_t)file->size);
}

/* The system sends it, behind the stream's back: so first the stream must have sent all of its own. */
static int send_large(struct client *client, const struct http_file *file, bool keep)
{
    char head[HEAD];
    size_t size = format_head(head, 200, http_type(file->name), (size_t)file->size, keep);
    size_t room = sizeof(int);
    int64_t sent = 1;
    int socket;

    tusk_try(tusk_stream_set_write_buffer_limits(client->stream, 0, 0));
    tusk_try(tusk_stream_write(client->stream, head, size));
    tusk_try(tusk_stream_get_extra_info(client->stream, "fd", &socket, &room));
    for (off_t at = 0; at < file->size && sent > 0 && client->parser.method == HTTP_GET; at += sent) {
        tusk_try(tusk_timeout_reschedule(&client->timeout, now() + patience));
        sent = tusk_sendfile(socket, file->fd, at, PORTION);
    }
    tusk_try(tusk_stream_set_write_buffer_limits(client->stream, SMALL, SMALL / 4));
    if (sent == 0) /* the file has become shorter, and the client waits for the rest */
        tusk_stream_abort(client->stream);
    return sent < 0 ? (int)sent : 0;
}

static int send_file(struct client *client, bool keep)
{
    struct http_file file;
    int status = http_open(root, (struct text){client->url, client->url_size}, &file);
    int rc;

    if (status != 200)
        return send_error(client, status, keep);
    rc = file.size > SMALL ? send_large(client, &file, keep) : send_small(client, &file, keep);
    close(file.fd);
    return rc;
}

/* Sending may wait, and the entry may be replaced meanwhile: so who sends it holds it. */
static int send_entry(struct client *client, struct entry *entry)
{
    struct text answer = entry_value(entry);
    int rc;

    entry->references++;
    rc = send_answer(client, answer.data, answer.size);
    entry_drop(entry);
    return rc;
}

static int answer(struct client *client, bool keep)
{
    struct entry *entry;

    if (client->parser.method != HTTP_GET && client->parser.method != HTTP_HEAD)
        return send_error(client, 405, keep);
    entry = keep ? table_find(&answers, (struct text){client->url, client->url_size}) : NULL;
    return entry ? send_entry(client, entry) : send_file(client, keep);
}

/* ---- requests: the parser calls these ---- */

static int on_message_begin(request_parser *parser)
{
    ((struct client *)parser->data)->url_size = 0;
    return 0;
}

/* A part of it. */
static int on_url(request_parser *parser, const char *part, size_t size)
{
    struct client *client = parser->data;

    if (client->url_size + size > URL) {
        client->end = send_error(client, 414, false) < 0 ? -ECONNRESET : 1;
        return client->end;
    }
    memcpy(client->url + client->url_size, part, size);
    client->url_size += size;
    return 0;
}

/* We know no other protocol that we could go over to. */
static int on_headers_complete(request_parser *parser)
{
    parser->upgrade = 0;
    return 0;
}

static int on_message_complete(request_parser *parser)
{
    struct client *client = parser->data;
    bool keep = parser_should_keep_alive(parser);
    int rc = tusk_timeout_reschedule(&client->timeout, now() + patience);

    if (rc == 0)
        rc = answer(client, keep);
    client->end = rc < 0 ? rc : !keep;
    return client->end;
}

static const parser_callbacks callbacks = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_message_complete,
};

static int serve_requests(struct client *client)
{
    const char *data;
    ssize_t size;

    while ((size = tusk_stream_peek(client->stream, 1, &data)) > 0) {
        if (!parser_execute(&client->parser, &callbacks, data, (size_t)size))
            return client->end != 0 ? client->end : send_error(client, 400, false);
        tusk_try(tusk_stream_consume(client->stream, (size_t)size));
    }
    return (int)size;
}

static int serve_client(tusk_stream *stream, void *arg)
{
    struct client client;
    int rc;

    (void)arg;
    client.stream = stream;
    client.end = 0;
    parser_init(&client.parser, &callbacks);
    client.parser.data = &client;
    tusk_try(tusk_timeout_enter(&client.timeout, patience));
    rc = tusk_timeout_exit(&client.timeout, serve_requests(&client));
    if (rc == -ETIMEDOUT) {
        tusk_stream_abort(stream);
        return 0;
    }
    return rc;
}

/* ---- the server ---- */

static int sweep(void *arg)
{
    size_t at = 0;

    (void)arg;
    for (;;) {
        tusk_try(tusk_sleep(0.1));
        table_sweep(&answers, &at, 4096);
    }
}

static int serve(void *arg)
{
    const int *port = arg;
    tusk_server *server;
    char name[64];
    int rc;

    tusk_try(tusk_start_server(serve_client, NULL, "127.0.0.1", *port, &server, .backlog = 1024));
    tusk_release(tusk_create_task(sweep, NULL, .name = "sweep"));
    printf("serving on %s\n", tusk_server_sockname(server, 0, name, sizeof name));
    fflush(stdout);
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    return rc;
}

static const char *port_text = "8080", *patience_text = "30", *root_text = ".";
static const struct program program = {
    .name = "file_server",
    .about = "Serves the files of a folder by HTTP/1.1 on 127.0.0.1. Ctrl-C ends it.",
    .options = {{"port", "PORT", "where to listen; 0: any that is free", &port_text},
                {"root", "FOLDER", "what to serve", &root_text},
                {"patience", "SECONDS", "how long a client may take for a request", &patience_text}},
};

int main(int argc, char **argv)
{
    int port, rc;

    program_options(&program, argc, argv);
    port = program_port(port_text);
    patience = (double)program_number("a patience", patience_text, 1, 86400);
    if (!realpath(root_text, root) || !table_create(&answers, now)) {
        perror(root_text);
        return 1;
    }
    rc = tusk_run(serve, &port);
    table_destroy(&answers);
    return program_end(&program, rc);
}
