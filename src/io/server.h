/*
 * Servers from the inside: listeners, which accept, and clients, each a stream and a task.
 *
 * Life: whoever has the server holds one reference, each client another, and each task that waits in
 * one of its calls. Its memory goes with the last, or with the loop.
 */
#ifndef TUSK__IO_SERVER_H
#define TUSK__IO_SERVER_H

#include <tusk/server.h>
#include <tusk/sync.h>
#include <tusk/transport.h>

#include "io/listen.h"
#include "io/stream.h"

struct tusk__share;

/*
 * A listening socket. Its ear hears that somebody wants to connect; then `again`, as any
 * callback, accepts in the next iteration. No task: nobody could await it, and a
 * callback costs no stack.
 */
struct tusk__listener {
    struct tusk_server *server;
    /* With a reference; NULL once it is closed. */
    struct tusk__descriptor *descriptor;
    struct tusk__io_waiter ear;
    /* Accepts, in the server's context: in the ready queue, or a timer after a shortage. */
    struct tusk__timer again;
    bool queued;
    /* It was reported that there is nothing left to accept with. */
    bool starved;
};

/* Counts until its handler has ended and its connection is closed. */
struct tusk__client {
    struct tusk__link link;
    struct tusk_server *server;
    /* With a reference until the handler has ended; then valid until its channel is closed. */
    struct tusk_stream *stream;
    /* What runs the handler, with a reference; NULL once that has ended. */
    struct tusk_future *task;
    /* Stands among the task's callbacks. */
    struct tusk__handle ended;
    /* The channel is closed. */
    bool disconnected;
    /* The server has closed or aborted the stream, so the handler could not help failing. */
    bool dismissed;
};

struct tusk_server {
    struct tusk__closable closable;
    struct tusk__io *io;
    uint32_t references;
    tusk_client_handler *handler;
    void *arg;
    /* Of a server whose clients have protocols (create.c). */
    tusk_protocol_factory *factory;
    void *factory_arg;
    /* As they were given, but that `name` is a copy, and all that was only for the start is void. */
    struct tusk_server_options options;
    /* Of its sockets and its clients'. */
    enum tusk__fd_kind kind;
    struct tusk__binding binding;
    struct tusk__listener *listeners;
    size_t listener_count;
    /* What it shares with other workers, until it is closed; or NULL. */
    struct tusk__share *share;
    /* Its clients count among those of this worker. */
    bool is_shared;
    struct tusk__link *clients;
    size_t client_count;
    struct tusk__slab client_slab;
    bool serving;
    bool closed;
    /* A task is in serve_forever. */
    bool awaited;
    /* It was closed; and, all clients have gone too. */
    tusk_event stopped;
    tusk_event gone;
};

/* ---- listeners (accept.c) ---- */

/* Takes a bound socket, which is the listener's in any case. 0 or -ENOMEM. */
int tusk__listener_init(struct tusk__listener *listener, struct tusk_server *server, int fd);

/* Listens and begins to accept. */
int tusk__listener_start(struct tusk__listener *listener);

/* Closes the socket. May be called again. */
void tusk__listener_close(struct tusk__listener *listener);

/* Tells that a client could not be served for want of descriptors or memory. */
void tusk__server_report_shortage(struct tusk_server *server, int rc);

/* ---- clients (client.c) ---- */

/*
 * Serves a connection that was accepted, and counted if the server is shared; the descriptor is the
 * server's in any case. 0, or -ENOMEM and the like.
 */
int tusk__server_take(struct tusk_server *server, int fd);

/* The running task is the handler of one of its clients. */
bool tusk__server_is_handler(const struct tusk_server *server);

void tusk__server_cancel_handlers(struct tusk_server *server);

/* The loop closes: forgets the clients, whose tasks and streams go by themselves. */
void tusk__server_forget_clients(struct tusk_server *server);

/* ---- the server ---- */

static inline struct tusk_server *tusk__server_retain(struct tusk_server *server)
{
    server->references++;
    return server;
}

void tusk__server_unref(struct tusk_server *server);

/* A client has gone: sees whether it was the last. */
void tusk__server_check_gone(struct tusk_server *server);

#endif
