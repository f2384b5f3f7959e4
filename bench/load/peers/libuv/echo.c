/*
 * An echo server with libuv: what is read into one buffer of all connections is
 * written at once, by uv_try_write; the rest, if any, is copied and queued.
 */
#include <uv.h>

#include "../../serve.h"

struct rest {
    uv_write_t request;
    char bytes[];
};

static char buffer[SERVE_BUFFER];

static void give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *given)
{
    (void)handle;
    (void)size;
    *given = uv_buf_init(buffer, sizeof buffer);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void drop(uv_stream_t *connection)
{
    if (!uv_is_closing((uv_handle_t *)connection))
        uv_close((uv_handle_t *)connection, on_closed);
}

static void on_written(uv_write_t *request, int status)
{
    if (status < 0)
        drop(request->handle);
    free(request);
}

static void queue_rest(uv_stream_t *connection, const char *bytes, size_t length)
{
    struct rest *rest = malloc(sizeof *rest + length);
    uv_buf_t all;

    if (rest == NULL)
        bench_die("out of memory");
    memcpy(rest->bytes, bytes, length);
    all = uv_buf_init(rest->bytes, (unsigned)length);
    if (uv_write(&rest->request, connection, &all, 1, on_written) != 0) {
        free(rest);
        drop(connection);
    }
}

static void on_read(uv_stream_t *connection, ssize_t got, const uv_buf_t *given)
{
    uv_buf_t all = uv_buf_init(given->base, got > 0 ? (unsigned)got : 0);
    int wrote;

    if (got < 0)
        drop(connection);
    if (got <= 0)
        return;
    wrote = uv_try_write(connection, &all, 1);
    if (wrote == UV_EAGAIN)
        wrote = 0;
    if (wrote < 0)
        drop(connection);
    else if (wrote < got)
        queue_rest(connection, given->base + wrote, (size_t)(got - wrote));
}

static void on_connection(uv_stream_t *listener, int status)
{
    uv_tcp_t *connection = malloc(sizeof *connection);

    if (connection == NULL)
        bench_die("out of memory");
    if (status != 0 || uv_tcp_init(listener->loop, connection) != 0)
        bench_die("accept: %s", uv_strerror(status));
    if (uv_accept(listener, (uv_stream_t *)connection) != 0 || uv_tcp_nodelay(connection, 1) != 0 ||
        uv_read_start((uv_stream_t *)connection, give_buffer, on_read) != 0)
        drop((uv_stream_t *)connection);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = serve_address(serve_port(argc, argv, "An echo server with libuv."));
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    int rc;

    serve_raise_limit();
    (void)signal(SIGPIPE, SIG_IGN);
    if (uv_tcp_init(loop, &listener) != 0)
        bench_die("no listener");
    rc = uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&listener, SERVE_BACKLOG, on_connection);
    if (rc != 0)
        bench_die("listen: %s", uv_strerror(rc));
    return uv_run(loop, UV_RUN_DEFAULT);
}
