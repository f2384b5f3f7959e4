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
 * The system sends the files, from file to socket, so their bytes never come here. Those that were asked
 * for a moment ago are kept open. Opening a file is done right here, and if its folder must come from a slow
 * disk, all clients wait: a site with more files than memory has its tusk_to_thread().
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <tusk.h>

#include "common/http.h"
#include "common/parser.h"
#include "common/program.h"
#include "common/table.h"

enum {
    PORTION = 1 << 20,
    URL = 2048,
    KEPT = 256,
};

/* Others than Linux send head and file apart, if need be. */
#ifndef MSG_MORE
#define MSG_MORE 0
#endif

static char root[PATH_MAX];
/* So many seconds a client has for a request, and for a portion of a file. */
static double patience;

/* An open file, and what stands before it in an answer. */
struct page {
    int fd;
    off_t size;
    size_t head_size;
    char head[HTTP_HEAD_SIZE];
};

/* From a URL to its page, for a second: then the file is looked for again. */
static struct table pages;

struct client {
    tusk_stream *stream;
    /*
     * The stream's socket. All answers go there directly, so that head and file come in one packet, which is worth a
     * quarter of the requests for small files. tusk_stream_sendfile() is less to write, and sends two.
     */
    int socket;
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

static int send_error(struct client *client, int status, bool keep)
{
    char answer[HTTP_HEAD_SIZE + 64], body[64];
    int size = snprintf(body, sizeof body, "%d %s\n", status, http_reason(status));
    size_t head = http_head(answer, status, "text/plain", (size_t)size, keep);

    if (client->parser.method == HTTP_HEAD)
        size = 0;
    memcpy(answer + head, body, (size_t)size);
    return tusk_sendall(client->socket, answer, head + (size_t)size);
}

static int send_head(struct client *client, const struct page *page, int flags)
{
    size_t done = 0;

    while (done < page->head_size) {
        ssize_t sent = tusk_send(client->socket, page->head + done, page->head_size - done, flags);

        if (sent < 0)
            return (int)sent;
        done += (size_t)sent;
    }
    return 0;
}

/* As long as portions get through in time, the client may go on. */
static int send_page(struct client *client, const struct page *page)
{
    off_t size = client->parser.method == HTTP_HEAD ? 0 : page->size;
    int64_t sent = 1;

    tusk_try(send_head(client, page, size > 0 ? MSG_MORE : 0));
    for (off_t at = 0; at < size && sent > 0; at += sent) {
        if (at > 0)
            tusk_try(tusk_timeout_reschedule(&client->timeout, now() + patience));
        sent =
            tusk_sendfile(client->socket, page->fd, at, size - at < PORTION ? (size_t)(size - at) : PORTION);
    }
    if (sent == 0) /* the file has become shorter, and the client waits for the rest */
        tusk_stream_abort(client->stream);
    return sent < 0 ? (int)sent : sent == 0;
}

/* Sending may wait, and the entry may be replaced meanwhile: so who sends it holds it. */
static int send_entry(struct client *client, struct entry *entry)
{
    struct page page;
    int rc;

    memcpy(&page, entry_value(entry).data, sizeof page);
    entry->references++;
    rc = send_page(client, &page);
    table_drop(&pages, entry);
    return rc;
}

static void close_page(const struct entry *entry)
{
    struct page page;

    memcpy(&page, entry_value(entry).data, sizeof page);
    tusk_close(page.fd);
}

static int send_file(struct client *client, struct text url, bool keep)
{
    struct http_file file;
    struct page page;
    int status = http_open(root, url, &file);
    int rc;

    if (status != 200)
        return send_error(client, status, keep);
    page.fd = file.fd;
    page.size = file.size;
    page.head_size = http_head(page.head, 200, http_type(file.name), (size_t)file.size, keep);
    if (keep && pages.count < KEPT &&
        table_set(&pages, url, (struct text){(char *)&page, sizeof page}, now() + 1))
        return send_entry(client, table_find(&pages, url));
    rc = send_page(client, &page);
    tusk_close(page.fd);
    return rc;
}

static int answer(struct client *client, bool keep)
{
    struct text url = {client->url, client->url_size};
    struct entry *entry;

    if (client->parser.method != HTTP_GET && client->parser.method != HTTP_HEAD)
        return send_error(client, 405, keep);
    entry = keep ? table_find(&pages, url) : NULL;
    return entry ? send_entry(client, entry) : send_file(client, url, keep);
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
    client->end = rc != 0 ? rc : !keep;
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
    size_t room = sizeof client.socket;
    int rc;

    (void)arg;
    client.stream = stream;
    client.end = 0;
    tusk_try(tusk_stream_get_extra_info(stream, "fd", &client.socket, &room));
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
    (void)arg;
    for (size_t at = 0;; table_sweep(&pages, &at, 4096))
        tusk_try(tusk_sleep(0.1));
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
    if (!realpath(root_text, root) || !table_create(&pages, now)) {
        perror(root_text);
        return 1;
    }
    pages.on_free = close_page;
    rc = tusk_run(serve, &port);
    table_destroy(&pages);
    return program_end(&program, rc);
}
