/*
 * Servers: their making, their end, and those who wait for it.
 */
#include "io/server.h"

#include <math.h>
#include <string.h>

#include <tusk/exception.h>
#include <tusk/timeout.h>

#include "base/error.h"
#include "base/mem.h"
#include "io/address.h"
#include "io/share.h"
#include "io/tls.h"

/* asyncio's number of connections that wait to be accepted. */
enum { BACKLOG = 100 };

/*
 * How long cancelled handlers have to say goodbye, and then to notice that their connections are
 * gone, in seconds: long for a program, short for who waits at a terminal.
 */
#define GRACE 1.0

/* ---- life ---- */

/* Stops listening. */
static void stop(struct tusk_server *server)
{
    struct tusk__share *share = server->share;

    server->closed = true;
    server->serving = false;
    if (share)
        tusk__share_retire(share);
    for (size_t i = 0; i < server->listener_count; i++)
        tusk__listener_close(&server->listeners[i]);
    tusk__binding_close(&server->binding);
    server->share = NULL;
    if (share)
        tusk__share_leave(share);
}

static void destroy(struct tusk_server *server)
{
    tusk__io_remove_closable(&server->closable);
    for (size_t i = 0; i < server->listener_count; i++)
        tusk__cell_drop(server->listeners[i].again.handle.context);
    tusk__slab_close(&server->client_slab);
    tusk__free(server->listeners);
    tusk__free((void *)server->options.name);
    tusk_tls_context_release(server->options.tls);
    tusk__free(server);
}

void tusk__server_unref(struct tusk_server *server)
{
    if (--server->references == 0)
        destroy(server);
}

static void close_with_loop(struct tusk__closable *closable)
{
    struct tusk_server *server = container_of(closable, struct tusk_server, closable);

    stop(server);
    tusk__server_forget_clients(server);
    destroy(server);
}

void tusk__server_check_gone(struct tusk_server *server)
{
    if (server->closed && server->client_count == 0)
        tusk_event_set(&server->gone);
}

void tusk_server_close(tusk_server *server)
{
    if (!server || server->closed)
        return;
    stop(server);
    tusk_event_set(&server->stopped);
    tusk__server_check_gone(server);
}

void tusk_server_release(tusk_server *server)
{
    if (!server)
        return;
    tusk_server_close(server);
    tusk__server_unref(server);
}

/* ---- making ---- */

static int copy_name(struct tusk_server *server, const char *name)
{
    char *copy = name ? tusk__alloc(strlen(name) + 1) : NULL;

    server->options.name = copy;
    if (copy)
        memcpy(copy, name, strlen(name) + 1);
    return copy || !name ? 0 : -ENOMEM;
}

static int keep_options(struct tusk_server *server, const struct tusk_server_options *options)
{
    server->options = *options;
    server->options.hosts = NULL;
    if (options->backlog <= 0)
        server->options.backlog = BACKLOG;
    if (options->drain_timeout == 0)
        server->options.drain_timeout = GRACE;
    server->options.tls = options->tls ? tusk_tls_context_retain(options->tls) : NULL;
    return copy_name(server, options->name);
}

static struct tusk_server *make(struct tusk__io *io, tusk_client_handler *handler, void *arg,
                                const struct tusk_server_options *options)
{
    struct tusk_server *server = tusk__alloc(sizeof *server);

    if (!server)
        return tusk__fail(-ENOMEM);
    server->io = io;
    server->references = 1;
    server->handler = handler;
    server->arg = arg;
    tusk__slab_init(&server->client_slab, sizeof(struct tusk__client), 0);
    tusk__io_add_closable(io, &server->closable, close_with_loop);
    if (keep_options(server, options) == 0)
        return server;
    tusk__server_unref(server);
    return tusk__fail(-ENOMEM);
}

/* Each socket of the binding becomes a listener's. */
static int make_listeners(struct tusk_server *server)
{
    struct tusk__binding *binding = &server->binding;

    server->listeners = tusk__alloc_array(binding->count, sizeof server->listeners[0]);
    if (!server->listeners)
        return -ENOMEM;
    while (server->listener_count < binding->count) {
        size_t i = server->listener_count;
        int fd = binding->sockets[i];

        binding->sockets[i] = -1;
        tusk_try(tusk__listener_init(&server->listeners[i], server, fd));
        server->listener_count++;
    }
    return 0;
}

static int open_binding(struct tusk_server *server, const struct tusk__listen_request *request)
{
    server->kind = request->path ? TUSK__FD_UNIX : TUSK__FD_STREAM;
    server->is_shared = tusk__share_is_possible(server->io->loop) && !request->options->reuse_port;
    return server->is_shared ? tusk__share_join(request, &server->binding, &server->share)
                             : tusk__binding_open(&server->binding, request);
}

static int set_up(struct tusk_server *server, const struct tusk__listen_request *request)
{
    tusk_try(open_binding(server, request));
    tusk_try(make_listeners(server));
    return request->options->no_start_serving ? 0 : tusk_server_start_serving(server);
}

static int check(tusk_client_handler *handler, tusk_server **ret_server,
                 const struct tusk_server_options *options)
{
    if (!ret_server)
        return -EINVAL;
    if (!handler)
        return tusk_raise(-EINVAL, "a server needs a handler, and this one is NULL");
    if (options->stack_size != 0 && options->stack_size < TUSK_STACK_MIN)
        return tusk_raise(-EINVAL, "a stack of %zu bytes is too small: the minimum is %zu",
                          options->stack_size, TUSK_STACK_MIN);
    if (options->backlog < 0 || isnan(options->drain_timeout))
        return tusk_raise(-EINVAL, "a backlog or a drain_timeout that is no number of this kind");
    if (!options->tls && (options->handshake_timeout != 0 || options->shutdown_timeout != 0))
        return tusk_raise(-EINVAL, "the time-outs of TLS mean nothing without .tls");
    if (!options->tls)
        return 0;
    tusk_try(tusk__tls_check_side(options->tls, true));
    return tusk__tls_check_timeouts(options->handshake_timeout, options->shutdown_timeout);
}

/* The request is complete. */
static int start(tusk_client_handler *handler, void *arg, const struct tusk__listen_request *request,
                 struct tusk__io *io, tusk_server **ret_server)
{
    struct tusk_server *server = make(io, handler, arg, request->options);
    int rc = server ? set_up(server, request) : tusk_last_error();

    if (rc == 0)
        *ret_server = server;
    else
        tusk_server_release(server);
    return rc;
}

static const struct tusk_server_options no_options;

int(tusk_start_server)(tusk_client_handler *handler, void *arg, const char *host, int port,
                       tusk_server **ret_server, const struct tusk_server_options *options)
{
    struct tusk__listen_request request = {
        .options = options ? options : &no_options, .host = host, .port = port};
    struct tusk__io *io;
    int rc;

    tusk_try(check(handler, ret_server, request.options));
    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    tusk_try(tusk__io_running(&io));
    request.system = tusk__system_of(io->loop);
    rc = tusk__request_resolve(&request);
    if (rc == 0)
        rc = start(handler, arg, &request, io, ret_server);
    tusk__request_clear(&request);
    return rc;
}

int(tusk_start_unix_server)(tusk_client_handler *handler, void *arg, const char *path,
                            tusk_server **ret_server, const struct tusk_server_options *options)
{
    struct tusk__listen_request request = {.options = options ? options : &no_options, .path = path};
    struct tusk__io *io;

    tusk_try(check(handler, ret_server, request.options));
    if (!path)
        return -EINVAL;
    tusk_try(tusk__io_running(&io));
    request.system = tusk__system_of(io->loop);
    return start(handler, arg, &request, io, ret_server);
}

int tusk_server_start_serving(tusk_server *server)
{
    if (!server)
        return -EINVAL;
    if (server->closed)
        return tusk_raise(TUSK_INVALID_STATE, "the server is closed");
    if (server->serving)
        return 0;
    for (size_t i = 0; i < server->listener_count; i++)
        tusk_try(tusk__listener_start(&server->listeners[i]));
    server->serving = true;
    if (server->share)
        tusk__share_serve(server->share, server);
    return 0;
}

/* ---- waiting ---- */

static int check_waiter(const tusk_server *server)
{
    if (!server)
        return -EINVAL;
    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    if (tusk__server_is_handler(server))
        return tusk_raise(-EDEADLK, "a handler would wait for its own end");
    return 0;
}

/* 0 when all clients are gone; -ETIMEDOUT; -ECANCELED. */
static int wait_until_gone(tusk_server *server, double timeout)
{
    tusk_timeout limit;

    tusk_try(tusk_timeout_enter(&limit, timeout));
    return tusk_timeout_exit(&limit, tusk_event_wait(&server->gone));
}

int tusk_server_wait_closed(tusk_server *server)
{
    int rc;

    tusk_try(check_waiter(server));
    tusk__server_retain(server);
    rc = tusk_event_wait(&server->gone);
    tusk__server_unref(server);
    return rc;
}

/* Ends those who did not finish in time; how many they were. */
static int evict(tusk_server *server)
{
    int count = (int)server->client_count;
    int rc;

    tusk__server_cancel_handlers(server);
    rc = wait_until_gone(server, GRACE);
    if (rc == -ETIMEDOUT) {
        tusk_server_abort_clients(server);
        rc = wait_until_gone(server, GRACE);
    }
    return rc < 0 ? rc : count;
}

static int drain(tusk_server *server, double timeout)
{
    int rc;

    tusk_server_close(server);
    rc = wait_until_gone(server, timeout);
    return rc == -ETIMEDOUT ? evict(server) : rc;
}

int tusk_server_drain(tusk_server *server, double timeout)
{
    int rc;

    tusk_try(check_waiter(server));
    if (isnan(timeout))
        return tusk_raise(-EINVAL, "a time-out of NaN seconds");
    tusk__server_retain(server);
    rc = drain(server, timeout);
    tusk__server_unref(server);
    return rc;
}

static int check_serve(tusk_server *server)
{
    tusk_try(check_waiter(server));
    if (server->awaited)
        return tusk_raise(TUSK_INVALID_STATE, "another task is in serve_forever() of this server");
    return tusk_server_start_serving(server);
}

/*
 * The task was cancelled: it ends when the clients have gone, one way or the other, and is
 * cancelled then.
 */
static int serve_out(tusk_server *server)
{
    tusk_exception *cancelled = tusk_exception_retain(tusk_exception_last());
    int rc = drain(server, server->options.drain_timeout);

    if (rc == -ECANCELED)
        tusk_server_abort_clients(server);
    rc = tusk_exception_raise(cancelled, -ECANCELED);
    tusk_exception_release(cancelled);
    return rc;
}

int tusk_server_serve_forever(tusk_server *server)
{
    int rc;

    tusk_try(check_serve(server));
    tusk__server_retain(server);
    server->awaited = true;
    rc = tusk_event_wait(&server->stopped);
    if (rc == 0)
        rc = tusk_event_wait(&server->gone);
    if (rc == -ECANCELED)
        rc = serve_out(server);
    server->awaited = false;
    tusk__server_unref(server);
    return rc;
}

/* ---- knowing ---- */

bool tusk_server_is_serving(const tusk_server *server)
{
    return server && server->serving;
}

int tusk_server_port(const tusk_server *server)
{
    return server ? server->binding.port : 0;
}

size_t tusk_server_client_count(const tusk_server *server)
{
    return server ? server->client_count : 0;
}

size_t tusk_server_sockets(const tusk_server *server, int *ret_sockets, size_t capacity)
{
    size_t count = server && !server->closed ? server->listener_count : 0;

    for (size_t i = 0; i < count && ret_sockets && i < capacity; i++)
        ret_sockets[i] = server->listeners[i].descriptor->watch.fd;
    return count;
}

const char *tusk_server_sockname(const tusk_server *server, size_t index, char *text, size_t size)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    if (size == 0)
        return "";
    text[0] = '\0';
    memset(&address, 0, sizeof address);
    if (index < tusk_server_sockets(server, NULL, 0) &&
        tusk__system_of(server->io->loop)
                ->getsockname(server->listeners[index].descriptor->watch.fd, (struct sockaddr *)&address,
                              &length) == 0)
        tusk__address_text((struct sockaddr *)&address, length, text, size);
    return text;
}

tusk_loop *tusk_server_get_loop(const tusk_server *server)
{
    return server ? server->io->loop : NULL;
}
