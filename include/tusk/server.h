/*
 * Servers: a coroutine for each client that connects. (asyncio.start_server)
 *
 *     static int echo(tusk_stream *stream, void *arg)
 *     {
 *         const char *line;
 *         ssize_t length;
 *
 *         while ((length = tusk_stream_readline(stream, &line)) > 0)
 *             tusk_try(tusk_stream_write(stream, line, (size_t)length));
 *         return (int)length;
 *     }
 *
 *     static int serve(void *arg)
 *     {
 *         tusk_server *server;
 *         int rc;
 *
 *         tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", 8888, &server));
 *         rc = tusk_server_serve_forever(server);
 *         tusk_server_release(server);
 *         return rc;
 *     }
 *
 * Clients. Each connection gets a task of its own, which runs handler(stream, arg) in a copy of the
 * context that the server was started in. The stream is the server's: when the handler returns it
 * is closed, and what was written is still sent in the background. A negative code is reported to
 * the loop's exception handler, but for a cancel and for a connection that the peer has cut off. A
 * client is gone when its handler has returned and its connection is closed. What arg points to
 * must live until all clients are gone: tusk_server_wait_closed() or tusk_server_drain() before it
 * goes.
 *
 * Out of descriptors or memory, a server says so once, serves on those it has, and tries to accept
 * more a second later.
 *
 * Ending. tusk_server_close() only stops listening, and clients go on. Then there is
 * tusk_server_wait_closed(), which waits as long as they like, and tusk_server_drain(), which gives
 * them a limit and ends whoever exceeds it. A server that was started in one of several
 * tusk_workers() shares its address, and its clients, with those of the others: tusk/workers.h.
 *
 * Options that asyncio has switched on are named no_<option> here, so that what is left out is what
 * asyncio does. All functions: the loop's thread. A server belongs to its loop, and is closed with
 * it.
 */
#ifndef TUSK_SERVER_H
#define TUSK_SERVER_H

#include <tusk/stream.h>

TUSK_BEGIN_DECLS

/* A server. Yours, until tusk_server_release(). */
typedef struct tusk_server tusk_server;

/* Serves one client. Runs in a task; may suspend. The stream is borrowed. */
typedef int tusk_client_handler(tusk_stream *stream, void *arg);

struct tusk_server_options {
    /* TLS with this certificate: see tusk/tls.h. Retained. NULL: plain. */
    tusk_tls_context *tls;
    /* How long the TLS handshake, and the TLS goodbye, may take, in seconds. 0: 60, and 30. */
    double handshake_timeout;
    double shutdown_timeout;
    /* AF_INET or AF_INET6. 0: both. */
    int family;
    /* How many connections may wait to be accepted; so many are accepted at a time. 0: 100. */
    int backlog;
    /* Fail if connections of an earlier server on this port are still dying. */
    bool no_reuse_address;
    /* Others, also other processes, may listen there too, and the system divides the clients. */
    bool reuse_port;
    /* The system asks idle peers now and then whether they are still there. */
    bool keep_alive;
    /* Do not listen before tusk_server_start_serving(): until then connections are refused. */
    bool no_start_serving;
    /* Leave the file of a Unix socket where it is. */
    bool no_cleanup_socket;
    /* Of the streams: how long a line may be. 0: 64 KiB. */
    size_t limit;
    /* Of the tasks: bytes of stack, 0 for TUSK_STACK_DEFAULT; and their name, copied, NULL: "Task-N". */
    size_t stack_size;
    const char *name;
    /*
     * How long tusk_server_serve_forever() waits for clients when it is cancelled, in seconds; see
     * there. 0: one second; infinite: as long as they like, as asyncio does.
     */
    double drain_timeout;
    /* More hosts to listen on, up to a NULL. NULL: none. */
    const char *const *hosts;
    const char *tusk__where;
};

/* ---- starting ---- */

/*
 * Listens on a host's port by TCP, and runs handler(stream, arg) for each client. The host is a
 * name or an address as text; NULL or "": all addresses of this machine, of both families. Each
 * address of a host has a socket. Port 0: one that is free, the same for all of them: see
 * tusk_server_port(). The server is yours: tusk_server_release(). Returns 0; else nothing was made:
 * -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, which tusk_message() explains; what tusk_getaddrinfo()
 * returns; -EINVAL, -ECANCELED, -EMFILE, -ENOMEM, TUSK_NOT_IN_TASK. Suspends for names that must be
 * looked up. Options (last, as designated initializers): all but .no_cleanup_socket.
 */
TUSK_API TUSK_MUST_CHECK int tusk_start_server(tusk_client_handler *handler, void *arg, const char *host,
                                               int port, tusk_server **ret_server,
                                               const struct tusk_server_options *options);

/*
 * The same as tusk_start_server() on a Unix socket at this path; '@name' is a name in the abstract
 * namespace, which only Linux has. A socket that a dead server has left there is removed; one that
 * somebody listens on is not: -EADDRINUSE. (The way to know is to connect to it: that server sees a
 * client that leaves at once.) The file goes when the server is closed, if it is still this one's.
 * -ENAMETOOLONG as tusk_open_unix_connection(); -ENOENT, -EACCES, -EROFS for the folder;
 * TUSK_NO_RUNNING_LOOP. Does not suspend.
 */
TUSK_API TUSK_MUST_CHECK int tusk_start_unix_server(tusk_client_handler *handler, void *arg, const char *path,
                                                    tusk_server **ret_server,
                                                    const struct tusk_server_options *options);

/*
 * Listens, if it does not yet. Returns 0; -EADDRINUSE; TUSK_INVALID_STATE once it was closed. Does not
 * suspend.
 */
TUSK_API int tusk_server_start_serving(tusk_server *server);

/* ---- ending ---- */

/*
 * Stops listening. Connections that nobody has accepted yet are lost, those that were go on. May be
 * called again. Does not suspend.
 */
TUSK_API void tusk_server_close(tusk_server *server);

/*
 * Closes the streams of all clients, or aborts them: see tusk_stream_close() and
 * tusk_stream_abort(). Their handlers find out when they next use them. The server goes on as it
 * is. Do not suspend.
 */
TUSK_API void tusk_server_close_clients(tusk_server *server);
TUSK_API void tusk_server_abort_clients(tusk_server *server);

/*
 * Waits until the server is closed and its clients are gone. Returns 0, -ECANCELED; -EDEADLK in a
 * handler of this server, which would wait for itself; TUSK_NOT_IN_TASK. Suspends, unless it is so
 * already.
 */
TUSK_API TUSK_MUST_CHECK int tusk_server_wait_closed(tusk_server *server);

/*
 * Closes the server and lets its clients finish, for timeout seconds at most (infinite: no limit). The
 * handlers of those that are left are cancelled then and have a second to say goodbye; then the
 * connections are aborted, and handlers have another second to notice. Returns how many
 * clients had to be cancelled: 0 if all finished by themselves; -ETIMEDOUT if there are handlers
 * that run on in spite of all; -ECANCELED, and then it may be called again; -EDEADLK as
 * tusk_server_wait_closed(); -EINVAL for NaN; TUSK_NOT_IN_TASK. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_server_drain(tusk_server *server, double timeout);

/*
 * Serves until this task is cancelled, or somebody closes the server. Then it closes the server, if
 * need be, and waits for its clients: when it was closed, as tusk_server_wait_closed(), and returns
 * 0; when cancelled, as tusk_server_drain() with the server's .drain_timeout, so that an idle
 * client holds nobody up, and returns -ECANCELED. A second cancel aborts them all and ends the
 * waiting. TUSK_INVALID_STATE if the server was closed before, or another task serves already;
 * -EADDRINUSE and the like if it was not listening yet; -EDEADLK in a handler of this server;
 * TUSK_NOT_IN_TASK. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_server_serve_forever(tusk_server *server);

/*
 * Closes the server and gives it back; its clients go on, and their handlers and arg must live as
 * long. Takes NULL. Does not suspend.
 */
TUSK_API void tusk_server_release(tusk_server *server);

/* ---- knowing ---- */

/* True while the server listens. Does not suspend. */
TUSK_API bool tusk_server_is_serving(const tusk_server *server);

/* The port of the server's first socket, also after it was closed; 0 for Unix sockets. Does not suspend. */
TUSK_API int tusk_server_port(const tusk_server *server);

/* How many clients the server has. Does not suspend. */
TUSK_API size_t tusk_server_client_count(const tusk_server *server);

/*
 * The listening sockets of a server, borrowed: up to capacity of them go to ret_sockets. Returns how many there
 * are: none once it is closed. Does not suspend.
 */
TUSK_API size_t tusk_server_sockets(const tusk_server *server, int *ret_sockets, size_t capacity);

/*
 * The address of a socket, counted from 0, as text: "127.0.0.1:8888", "[::]:8888", "/run/x.sock"; ""
 * if there is no such socket. Cut to size. Returns text. Does not suspend.
 */
TUSK_API const char *tusk_server_sockname(const tusk_server *server, size_t index, char *text, size_t size);

/* The loop that the server belongs to. Does not suspend. */
TUSK_API tusk_loop *tusk_server_get_loop(const tusk_server *server);

#ifndef __cplusplus
#define tusk_start_server(handler, arg, host, port, ...)                                                     \
    TUSK__START_SERVER(handler, arg, host, port, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__START_SERVER(handler, arg, host, port, ret_server, ...)                                        \
    (tusk_start_server)(handler, arg, host, port, ret_server,                                                \
                        &(const struct tusk_server_options){__VA_ARGS__})
#define tusk_start_unix_server(handler, arg, path, ...)                                                      \
    TUSK__START_UNIX_SERVER(handler, arg, path, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__START_UNIX_SERVER(handler, arg, path, ret_server, ...)                                         \
    (tusk_start_unix_server)(handler, arg, path, ret_server, &(const struct tusk_server_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
