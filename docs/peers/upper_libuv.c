/* Sends each line back in capitals, by libuv's callbacks. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { LINE = 1000 };

struct client {
    uv_tcp_t tcp; /* the first: a handle is its client */
    uv_timer_t idle;
    struct client *next, **before;
    int open_handles;
    size_t used;
    char line[LINE];
};

struct reply {
    uv_write_t request; /* the first */
    int is_last;
    char text[LINE];
};

static double patience = 10;
static struct client *clients;
static uv_tcp_t listener;
static uv_signal_t interrupt, terminate;
static uv_timer_t last_call;

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;

    if (--client->open_handles > 0)
        return;
    if (client->next)
        client->next->before = client->before;
    *client->before = client->next;
    free(client);
    if (clients == NULL && uv_is_closing((uv_handle_t *)&listener) &&
        !uv_is_closing((uv_handle_t *)&last_call))
        uv_close((uv_handle_t *)&last_call, NULL);
}

static void close_client(struct client *client)
{
    if (uv_is_closing((uv_handle_t *)&client->tcp))
        return;
    uv_close((uv_handle_t *)&client->tcp, on_client_closed);
    uv_close((uv_handle_t *)&client->idle, on_client_closed);
}

static void on_written(uv_write_t *request, int status)
{
    struct reply *reply = (struct reply *)request;

    if (status < 0 || reply->is_last)
        close_client((struct client *)request->handle);
    free(reply);
}

static void send_reply(struct client *client, const char *text, size_t size, int is_last)
{
    struct reply *reply = malloc(sizeof *reply);
    uv_buf_t buffer;

    if (reply == NULL) {
        close_client(client);
        return;
    }
    reply->is_last = is_last;
    memcpy(reply->text, text, size);
    buffer = uv_buf_init(reply->text, (unsigned)size);
    if (uv_write(&reply->request, (uv_stream_t *)&client->tcp, &buffer, 1, on_written) < 0) {
        free(reply);
        close_client(client);
    }
}

static void on_idle(uv_timer_t *timer)
{
    struct client *client = timer->data;

    uv_read_stop((uv_stream_t *)&client->tcp);
    send_reply(client, "bye\n", 4, 1);
}

static void watch_idle(struct client *client)
{
    uv_timer_start(&client->idle, on_idle, (uint64_t)(patience * 1000), 0);
}

/* Answers the lines that are complete, and keeps what is left. */
static void answer_lines(struct client *client)
{
    char *end, *start = client->line;

    while ((end = memchr(start, '\n', client->used)) != NULL) {
        size_t size = (size_t)(end - start) + 1;

        for (size_t i = 0; i < size; i++)
            start[i] = (char)toupper((unsigned char)start[i]);
        send_reply(client, start, size, 0);
        start += size;
        client->used -= size;
        watch_idle(client);
    }
    memmove(client->line, start, client->used);
}

static void on_room(uv_handle_t *handle, size_t hint, uv_buf_t *ret_buffer)
{
    struct client *client = (struct client *)handle;

    (void)hint;
    *ret_buffer = uv_buf_init(client->line + client->used, (unsigned)(LINE - client->used));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct client *client = (struct client *)stream;

    (void)buffer;
    if (count < 0) { /* the end, an error, or UV_ENOBUFS: the line is too long */
        close_client(client);
        return;
    }
    client->used += (size_t)count;
    answer_lines(client);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct client *client = status < 0 ? NULL : calloc(1, sizeof *client);

    if (client == NULL)
        return;
    uv_tcp_init(server->loop, &client->tcp);
    uv_timer_init(server->loop, &client->idle);
    client->tcp.data = client->idle.data = client;
    client->open_handles = 2;
    client->next = clients;
    client->before = &clients;
    if (clients)
        clients->before = &client->next;
    clients = client;
    if (uv_accept(server, (uv_stream_t *)&client->tcp) < 0 ||
        uv_read_start((uv_stream_t *)&client->tcp, on_room, on_read) < 0)
        close_client(client);
    else
        watch_idle(client);
}

static void on_last_call(uv_timer_t *timer)
{
    for (struct client *client = clients; client; client = client->next)
        close_client(client);
    uv_close((uv_handle_t *)timer, NULL);
}

/* Stops listening, and gives clients a second to finish. */
static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    uv_close((uv_handle_t *)&interrupt, NULL);
    uv_close((uv_handle_t *)&terminate, NULL);
    uv_close((uv_handle_t *)&listener, NULL);
    uv_timer_init(handle->loop, &last_call);
    uv_timer_start(&last_call, on_last_call, clients ? 1000 : 0, 0);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    struct sockaddr_in address;
    int size = sizeof address, rc;

    if (argc > 2)
        patience = atof(argv[2]);
    uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 7777, &address);
    uv_tcp_init(loop, &listener);
    rc = uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&listener, 100, on_connection);
    if (rc < 0) {
        fprintf(stderr, "upper_libuv: %s\n", uv_strerror(rc));
        return 1;
    }
    uv_signal_init(loop, &interrupt);
    uv_signal_init(loop, &terminate);
    uv_signal_start(&interrupt, on_signal, SIGINT);
    uv_signal_start(&terminate, on_signal, SIGTERM);
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size);
    printf("serving on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0 ? 0 : 1;
}
