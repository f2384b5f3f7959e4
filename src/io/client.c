/*
 * The clients of a server: a stream and a task each.
 *
 * The task is made as any other, so that what is known of tasks holds for it: its handler begins in
 * the next iteration, it may be cancelled before, and it is among all_tasks.
 */
#include <errno.h>

#include "base/error.h"
#include "io/server.h"
#include "io/share.h"
#include "io/tls.h"

/* ---- the end ---- */

static void check_end(struct tusk__client *client)
{
    struct tusk_server *server = client->server;

    if (client->task || !client->disconnected)
        return;
    tusk__link_remove(&client->link);
    server->client_count--;
    tusk__slab_put(&server->client_slab, client);
    if (server->is_shared)
        tusk__share_uncount();
    tusk__server_check_gone(server);
    tusk__server_unref(server);
}

static void on_disconnected(struct tusk_stream *stream, void *arg)
{
    struct tusk__client *client = arg;

    (void)stream;
    client->disconnected = true;
    check_end(client);
}

/* What a handler returns because its peer has gone, or its server wanted it to, is no news. */
static bool is_expected(const struct tusk__client *client, int rc)
{
    return rc >= 0 || rc == -ECANCELED || rc == -ECONNRESET || rc == -EPIPE || rc == client->stream->error ||
           (client->dismissed && rc == TUSK_STREAM_CLOSED);
}

static void report(const struct tusk__client *client, int rc)
{
    struct tusk_future *task = client->task;
    char name[128];
    const struct tusk_exception_context context = {
        .message = "Unhandled exception in client_connected_cb",
        .error = rc,
        .error_message = task->text ? task->text->text : NULL,
        .future = task,
        .task_name = name,
        .where = task->where,
    };

    tusk__future_describe(task, name, sizeof name);
    tusk__loop_report(task->loop, &context);
}

/* The handler has ended: what it has written still goes out. */
static void end_task(struct tusk__client *client)
{
    struct tusk_future *task = client->task;
    struct tusk_stream *stream = client->stream;
    int rc = tusk__future_outcome(task);

    if (!is_expected(client, rc))
        report(client, rc);
    client->task = NULL;
    tusk__future_release(task);
    if (client->disconnected)
        check_end(client);
    /* A transport may have taken it over. */
    if (stream->owner_changed)
        tusk__stream_unref(stream);
    else
        tusk_stream_release(stream);
}

static void run_ended(struct tusk__handle *handle)
{
    struct tusk__client *client = container_of(handle, struct tusk__client, ended);
    struct tusk_loop *loop = client->server->io->loop;

    end_task(client);
    loop->current = NULL;
}

/* ---- the handler ---- */

static int shake_hands(struct tusk__client *client)
{
    const struct tusk_server_options *options = &client->server->options;
    const struct tusk_start_tls_options tls_options = {
        .handshake_timeout = options->handshake_timeout,
        .shutdown_timeout = options->shutdown_timeout,
    };

    return options->tls ? tusk__tls_start(client->stream, options->tls, &tls_options) : 0;
}

/* Whoever cannot shake hands is no client: that is for debug mode only. */
static int refuse(struct tusk__client *client, int rc)
{
    const struct tusk_exception_context context = {
        .message = "Error on transport creation for incoming connection",
        .error = rc,
        .error_message = tusk_message(),
        .where = client->server->options.tusk__where,
    };

    if (client->server->io->loop->debug && rc != -ECANCELED)
        tusk__loop_report(client->server->io->loop, &context);
    tusk_stream_abort(client->stream);
    return rc == -ECANCELED ? rc : 0;
}

static int serve(void *arg)
{
    struct tusk__client *client = arg;
    int rc;

    /* An eager task gets here before its creator knows of it. */
    client->task = tusk_current_task();
    rc = shake_hands(client);
    if (rc < 0)
        return refuse(client, rc);
    return client->server->handler(client->stream, client->server->arg);
}

bool tusk__server_is_handler(const struct tusk_server *server)
{
    const struct tusk_future *task = tusk_current_task();

    for (struct tusk__link *at = server->clients; at; at = at->next)
        if (container_of(at, struct tusk__client, link)->task == task)
            return true;
    return false;
}

/* ---- the beginning ---- */

static struct tusk__client *make(struct tusk_server *server, struct tusk_stream *stream)
{
    struct tusk__client *client = tusk__slab_get(&server->client_slab);

    if (!client)
        return tusk__fail(-ENOMEM);
    *client = (struct tusk__client){.server = tusk__server_retain(server), .stream = stream};
    client->ended.run = run_ended;
    stream->closed_hook = on_disconnected;
    stream->closed_arg = client;
    tusk__link_add(&server->clients, &client->link);
    server->client_count++;
    return client;
}

/* The client will have no handler. */
static void discard(struct tusk__client *client)
{
    struct tusk_stream *stream = client->stream;

    client->task = NULL;
    tusk_stream_abort(stream);
    tusk_stream_release(stream);
}

static int start_task(struct tusk__client *client)
{
    const struct tusk_server_options *options = &client->server->options;
    const struct tusk_task_options task_options = {
        .name = options->name,
        .stack_size = options->stack_size,
        .tusk__where = options->tusk__where,
    };
    struct tusk_future *task = (tusk_create_task)(serve, client, &task_options);

    if (!task)
        return tusk_last_error();
    client->task = task;
    if (tusk__future_pending(task))
        tusk__future_append(task, &client->ended);
    else
        end_task(client);
    return 0;
}

static struct tusk_stream *make_stream(struct tusk_server *server, int fd)
{
    struct tusk__descriptor *descriptor;
    int rc = tusk__descriptor_adopt(server->io, fd, server->kind, &descriptor);

    if (rc == 0)
        return tusk__stream_new(server->io, descriptor, server->options.limit);
    server->binding.system->close(fd);
    return tusk__fail(rc);
}

int tusk__server_take(struct tusk_server *server, int fd)
{
    struct tusk_stream *stream = make_stream(server, fd);
    struct tusk__client *client = stream ? make(server, stream) : NULL;
    int rc = client ? start_task(client) : tusk_last_error();

    if (client && rc < 0)
        discard(client);
    if (stream && !client)
        tusk_stream_release(stream);
    if (!client && server->is_shared)
        tusk__share_uncount();
    return rc;
}

/* ---- all of them ---- */

/*
 * Calls for each client, which may be the last call that it sees. The next one stays: it goes
 * only when its own handler and stream have ended.
 */
static void for_each(struct tusk_server *server, void (*call)(struct tusk__client *client))
{
    struct tusk__link *next;

    for (struct tusk__link *at = server->clients; at; at = next) {
        next = at->next;
        call(container_of(at, struct tusk__client, link));
    }
}

static void close_client(struct tusk__client *client)
{
    client->dismissed = true;
    if (!client->disconnected)
        tusk_stream_close(client->stream);
}

static void abort_client(struct tusk__client *client)
{
    client->dismissed = true;
    if (!client->disconnected)
        tusk_stream_abort(client->stream);
}

static void cancel_handler(struct tusk__client *client)
{
    if (client->task)
        tusk__future_cancel(client->task, NULL);
}

void tusk_server_close_clients(tusk_server *server)
{
    if (server)
        for_each(server, close_client);
}

void tusk_server_abort_clients(tusk_server *server)
{
    if (server)
        for_each(server, abort_client);
}

void tusk__server_cancel_handlers(struct tusk_server *server)
{
    for_each(server, cancel_handler);
}

static void forget(struct tusk__client *client)
{
    struct tusk_future *task = client->task;

    if (!task)
        return;
    if (tusk__future_pending(task))
        tusk__future_remove(task, &client->ended);
    else
        tusk__loop_orphan(task->loop, &client->ended);
    tusk__future_release(task);
}

void tusk__server_forget_clients(struct tusk_server *server)
{
    for_each(server, forget);
}
