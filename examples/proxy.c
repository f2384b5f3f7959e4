/*
 * Passes connections on to another server, and takes TLS off or puts it on.
 *
 *     proxy --cert me.pem 8443 localhost:80        clients speak TLS, the server need not
 *     proxy --tls yes 8080 example.org:443             clients need not, the server does
 *
 * It shows that a stream is a stream, with TLS or without; and two tasks for each client, one for each
 * direction, in a group: if one fails the other is cancelled, and both have ended when the
 * group has. What each reads it writes before it reads again, so a slow reader slows down its writer, and
 * nothing piles up here.
 *
 * When one side says that it has no more to send, the other is told so, and may go on itself. TLS has no
 * such half-closed connections: there the whole connection ends when one side says goodbye.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tusk.h>

#include "common/program.h"

struct proxy {
    int listen_port;
    char host[256];
    int port;
    tusk_tls_context *listen_tls;
    tusk_tls_context *connect_tls;
    /* The name on the server's certificate; NULL: its host. */
    const char *server_hostname;
};

struct direction {
    tusk_stream *from;
    tusk_stream *to;
};

/* Everything up to the end, and then the end. */
static int pass(void *arg)
{
    const struct direction *direction = arg;
    const char *data;
    ssize_t size;

    while ((size = tusk_stream_peek(direction->from, 1, &data)) > 0) {
        tusk_try(tusk_stream_write(direction->to, data, (size_t)size));
        tusk_try(tusk_stream_consume(direction->from, (size_t)size));
    }
    if (size < 0)
        return size == TUSK_STREAM_CLOSED ? 0 : (int)size; /* the other direction has closed it, see below */
    if (tusk_stream_can_write_eof(direction->to))
        return tusk_stream_write_eof(direction->to);
    /* Closing sends what is unsent, says goodbye, and ends the other direction's reads. */
    tusk_stream_close(direction->to);
    return 0;
}

static int pass_both(tusk_stream *client, tusk_stream *server)
{
    struct direction there = {client, server}, back = {server, client};
    tusk_task_group group;
    int rc;

    tusk_try(tusk_task_group_enter(&group));
    tusk_task_group_create_task(&group, pass, &there, .name = "there");
    tusk_task_group_create_task(&group, pass, &back, .name = "back");
    rc = tusk_task_group_exit(&group, 0);
    /* One of the two was cut off, and the other one is to see that too. */
    if (rc < 0) {
        tusk_stream_abort(client);
        tusk_stream_abort(server);
    }
    return rc == -ECANCELED ? rc : 0;
}

static int serve_client(tusk_stream *client, void *arg)
{
    const struct proxy *proxy = arg;
    tusk_stream *server;
    char name[64];
    int rc = tusk_open_connection(proxy->host, proxy->port, &server, .tls = proxy->connect_tls,
                                  .server_hostname = proxy->server_hostname);

    if (rc < 0) {
        fprintf(stderr, "proxy: %s to %s:%d: %s\n", tusk_stream_peername(client, name, sizeof name),
                proxy->host, proxy->port, tusk_describe(rc));
        tusk_stream_abort(client);
        return rc == -ECANCELED ? rc : 0;
    }
    rc = pass_both(client, server);
    tusk_stream_release(server);
    return rc;
}

static int serve(void *arg)
{
    struct proxy *proxy = arg;
    tusk_server *server;
    char name[64];
    int rc;

    tusk_try(tusk_start_server(serve_client, proxy, "127.0.0.1", proxy->listen_port, &server,
                               .tls = proxy->listen_tls, .handshake_timeout = proxy->listen_tls ? 10 : 0));
    printf("serving on %s\n", tusk_server_sockname(server, 0, name, sizeof name));
    fflush(stdout);
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    return rc;
}

/* ---- the command line ---- */

static const char *cert, *key, *tls, *ca, *name;
static const struct program program = {
    .name = "proxy",
    .about = "Passes connections to PORT of this machine on to HOST:PORT, with TLS on either side.\n"
             "PORT 0: any that is free. Ctrl-C ends it.",
    .arguments = "PORT HOST:PORT",
    .options = {{"cert", "FILE", "clients speak TLS, and this is our certificate (PEM)", &cert},
                {"key", "FILE", "its key, if it is not in the same file", &key},
                {"tls", "yes|no", "whether the server speaks TLS", &tls},
                {"ca", "FILE", "trust these certificates, instead of the system's, for the server's", &ca},
                {"name", "NAME", "what the server's certificate must be for, instead of HOST", &name}},
};

/* Ends the program if there is no such context. */
static tusk_tls_context *check(tusk_tls_context *context)
{
    if (!context)
        exit(program_end(&program, tusk_last_error()));
    return context;
}

static void read_arguments(struct proxy *proxy, char **argv)
{
    const char *colon = argv[1] ? strrchr(argv[1], ':') : NULL;

    if (!argv[0] || !colon || (size_t)(colon - argv[1]) >= sizeof proxy->host) {
        fprintf(stderr, "proxy: PORT and HOST:PORT are missing. See: proxy --help\n");
        exit(2);
    }
    proxy->listen_port = program_port(argv[0]);
    memcpy(proxy->host, argv[1], (size_t)(colon - argv[1]));
    proxy->port = program_port(colon + 1);
    proxy->server_hostname = name;
    if (cert)
        proxy->listen_tls =
            check(tusk_tls_context_create(.server_side = true, .certificate_file = cert, .key_file = key));
    if (tls && strcmp(tls, "yes") == 0)
        proxy->connect_tls = check(tusk_tls_context_create(.ca_file = ca));
}

int main(int argc, char **argv)
{
    struct proxy proxy = {0};
    int rc;

    read_arguments(&proxy, argv + program_options(&program, argc, argv));
    rc = tusk_run(serve, &proxy);
    tusk_tls_context_release(proxy.listen_tls);
    tusk_tls_context_release(proxy.connect_tls);
    return program_end(&program, rc);
}
