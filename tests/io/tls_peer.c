/*
 * A server or a client with TLS by tusk, for test_tls_peers.py, which lets it talk to others.
 *
 *     tls_peer certificates FOLDER        makes the files of certificates.h there
 *     tls_peer serve [OPTION...]          prints "port N", and serves until its input ends
 *     tls_peer connect PORT [OPTION...] [ACTION...]
 *
 * Options: cert=FILE ca=FILE host=NAME alpn=LIST verify=none|optional|required max=1.2 plain ktls
 * no-sessions.
 *
 * A server answers lines: "echo TEXT", "fact NAME", "upload BYTES", "download BYTES"; "bye" ends the
 * connection, "drop" cuts it off; with "plain" it expects "STARTTLS" first. How each connection ended
 * is a line of output. Actions of a client: send=TEXT (and a newline), line (prints one), fact=NAME,
 * upload=BYTES, download=BYTES, end (reads to the end), again (connects anew), starttls, drop.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tusk.h>

#ifdef TUSK_HAVE_OPENSSL
#include "io/certificates.h"
#endif

enum { CHUNK = 50000 };

struct peer {
    int argc;
    char **argv;
    int port;
    const char *host;
    bool plain;
    struct tusk_tls_context_options options;
    tusk_tls_context *context;
};

static void say(const char *what, int rc)
{
    const char *message = rc < 0 ? tusk_message() : NULL;

    printf("%s %s%s%s\n", what, tusk_errorname(rc), message ? ": " : "", message ? message : "");
    fflush(stdout);
}

/* ---- what both sides do ---- */

static int upload(tusk_stream *stream, size_t size)
{
    static char data[CHUNK];

    for (size_t done = 0; done < size;) {
        size_t count = size - done < CHUNK ? size - done : CHUNK;

        for (size_t i = 0; i < count; i++)
            data[i] = (char)((done + i) * 31 % 251);
        tusk_try(tusk_stream_write(stream, data, count));
        done += count;
    }
    return 0;
}

static int download(tusk_stream *stream, size_t size)
{
    static char data[CHUNK];

    for (size_t done = 0; done < size;) {
        size_t room = size - done < CHUNK ? size - done : CHUNK;
        ssize_t count = tusk_stream_read(stream, data, room);

        if (count <= 0)
            return count < 0 ? (int)count : TUSK_INCOMPLETE_READ;
        for (ssize_t i = 0; i < count; i++)
            if (data[i] != (char)((done + (size_t)i) * 31 % 251))
                return tusk_raise(-EIO, "a wrong byte at %zu", done + (size_t)i);
        done += (size_t)count;
    }
    return 0;
}

static const char *fact_of(tusk_stream *stream, const char *name)
{
    static char text[4096];
    size_t size = sizeof text;
    int rc = tusk_stream_get_extra_info(stream, name, text, &size);

    if (rc < 0)
        return "-";
    if (strcmp(name, "session_reused") == 0 || strcmp(name, "ktls") == 0)
        snprintf(text, sizeof text, "%d", *(int *)(void *)text);
    return text;
}

/* ---- the server ---- */

static int answer(tusk_stream *stream, char *line)
{
    char *value = strchr(line, ' ');

    value = value ? value + 1 : line + strlen(line);
    if (strncmp(line, "echo ", 5) == 0)
        return tusk_stream_print(stream, "%s\n", value);
    if (strncmp(line, "fact ", 5) == 0)
        return tusk_stream_print(stream, "%s\n", fact_of(stream, value));
    if (strncmp(line, "download ", 9) == 0)
        return upload(stream, strtoul(value, NULL, 10));
    if (strncmp(line, "upload ", 7) == 0) {
        tusk_try(download(stream, strtoul(value, NULL, 10)));
        return tusk_stream_print(stream, "thanks\n");
    }
    if (strcmp(line, "drop") == 0)
        tusk_stream_abort(stream);
    return 1;
}

/* A line without its end, in memory of its own: 1, 0 at the end, or an error. */
static int next_line(tusk_stream *stream, char *ret_line, size_t size)
{
    const char *line;
    ssize_t length = tusk_stream_readline(stream, &line);

    if (length <= 0)
        return (int)length;
    snprintf(ret_line, size, "%.*s", (int)length, line);
    ret_line[strcspn(ret_line, "\r\n")] = '\0';
    return 1;
}

static int converse(tusk_stream *stream, const struct peer *peer)
{
    char line[1024];
    int rc = 1;

    if (peer->plain) {
        tusk_try(next_line(stream, line, sizeof line));
        tusk_try(tusk_stream_print(stream, "go on\n"));
        tusk_try(tusk_stream_start_tls(stream, peer->context));
    }
    while (rc > 0) {
        rc = next_line(stream, line, sizeof line);
        if (rc > 0)
            rc = answer(stream, line) == 0;
    }
    return rc;
}

static int handle(tusk_stream *stream, void *arg)
{
    say("ended", converse(stream, arg));
    return 0;
}

/* In debug mode a server reports whom it could not shake hands with. */
static int print_report(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    printf("refused %s: %s\n", tusk_errorname(context->error),
           context->error_message ? context->error_message : "");
    fflush(stdout);
    return 0;
}

static int serve(void *arg)
{
    struct peer *peer = arg;
    tusk_server *server;
    char byte;

    tusk_loop_set_exception_handler(tusk_get_running_loop(), print_report, NULL);
    /* Only those reports are wanted, however slow the machine is. */
    tusk_loop_set_slow_callback_duration(tusk_get_running_loop(), 100);
    tusk_try(
        tusk_start_server(handle, peer, "127.0.0.1", 0, &server, .tls = peer->plain ? NULL : peer->context));
    printf("port %d\n", tusk_server_port(server));
    fflush(stdout);
    while (tusk_read(STDIN_FILENO, &byte, 1) > 0)
        ;
    tusk_server_close(server);
    tusk_server_abort_clients(server);
    tusk_server_release(server);
    return 0;
}

/* ---- the client ---- */

static int read_to_end(tusk_stream *stream)
{
    char data[1000];
    ssize_t count;
    size_t total = 0;

    while ((count = tusk_stream_read(stream, data, sizeof data)) > 0)
        total += (size_t)count;
    printf("%zu bytes, then ", total);
    say("end", (int)count);
    return 0;
}

static int act(const struct peer *peer, tusk_stream *stream, const char *action)
{
    const char *value = strchr(action, '=');
    char line[1024];

    value = value ? value + 1 : action + strlen(action);
    if (strncmp(action, "send=", 5) == 0)
        return tusk_stream_print(stream, "%s\n", value);
    if (strcmp(action, "line") == 0) {
        tusk_try(next_line(stream, line, sizeof line));
        printf("%s\n", line);
        return 0;
    }
    if (strncmp(action, "fact=", 5) == 0) {
        printf("%s\n", fact_of(stream, value));
        return 0;
    }
    if (strncmp(action, "upload=", 7) == 0)
        return upload(stream, strtoul(value, NULL, 10));
    if (strncmp(action, "download=", 9) == 0)
        return download(stream, strtoul(value, NULL, 10));
    if (strcmp(action, "end") == 0)
        return read_to_end(stream);
    if (strcmp(action, "drop") == 0)
        tusk_stream_abort(stream);
    if (strcmp(action, "starttls") == 0)
        return tusk_stream_start_tls(stream, peer->context, .server_hostname = peer->host);
    return 0;
}

static int open_to(const struct peer *peer, tusk_stream **ret_stream)
{
    int rc =
        tusk_open_connection("127.0.0.1", peer->port, ret_stream, .tls = peer->plain ? NULL : peer->context,
                             .server_hostname = peer->plain ? NULL : peer->host);

    say("connected", rc);
    return rc;
}

static int finish(tusk_stream *stream)
{
    int rc;

    tusk_stream_close(stream);
    rc = tusk_stream_wait_closed(stream);
    say("closed", rc);
    tusk_stream_release(stream);
    return rc;
}

static int connect_and_act(void *arg)
{
    struct peer *peer = arg;
    tusk_stream *stream;
    int rc = open_to(peer, &stream);

    if (rc < 0)
        return rc;
    for (int i = 0; i < peer->argc && rc == 0; i++) {
        if (strcmp(peer->argv[i], "again") == 0) {
            finish(stream);
            tusk_try(open_to(peer, &stream));
        } else {
            rc = act(peer, stream, peer->argv[i]);
        }
        if (rc < 0)
            say("failed", rc);
        fflush(stdout);
    }
    if (!tusk_stream_is_closing(stream))
        return finish(stream);
    tusk_stream_release(stream);
    return rc;
}

/* ---- the command line ---- */

static bool take_option(struct peer *peer, const char *text)
{
    const char *value = strchr(text, '=');
    size_t length = value ? (size_t)(value - text) + 1 : strlen(text);

    value = value ? value + 1 : "";
    if (strncmp(text, "cert=", length) == 0)
        peer->options.certificate_file = value;
    else if (strncmp(text, "ca=", length) == 0)
        peer->options.ca_file = value;
    else if (strncmp(text, "host=", length) == 0)
        peer->host = value;
    else if (strncmp(text, "alpn=", length) == 0)
        peer->options.alpn = value;
    else if (strncmp(text, "verify=", length) == 0)
        peer->options.verify = value[0] == 'n'   ? TUSK_CERT_NONE
                               : value[0] == 'o' ? TUSK_CERT_OPTIONAL
                                                 : TUSK_CERT_REQUIRED;
    else if (strcmp(text, "max=1.2") == 0)
        peer->options.max_version = TUSK_TLS_1_2;
    else if (strcmp(text, "plain") == 0)
        peer->plain = true;
    else if (strcmp(text, "ktls") == 0)
        peer->options.ktls = true;
    else if (strcmp(text, "no-sessions") == 0)
        peer->options.no_sessions = true;
    else
        return false;
    return true;
}

static int run(struct peer *peer, tusk_coro *coro, bool debug)
{
    int rc;

    while (peer->argc > 0 && take_option(peer, peer->argv[0])) {
        peer->argc--;
        peer->argv++;
    }
    peer->context = (tusk_tls_context_create)(&peer->options);
    if (!peer->context) {
        say("no context", tusk_last_error());
        return tusk_last_error() == -ENOTSUP ? 77 : 1;
    }
    rc = tusk_run(coro, peer, .debug = debug);
    tusk_tls_context_release(peer->context);
    return rc < 0;
}

static int make_files(const char *folder)
{
#ifdef TUSK_HAVE_OPENSSL
    write_certificates(folder);
    return 0;
#else
    (void)folder;
    return 77;
#endif
}

int main(int argc, char **argv)
{
    struct peer peer = {.argc = argc - 2, .argv = argv + 2, .host = "localhost"};

    if (argc == 3 && strcmp(argv[1], "certificates") == 0)
        return make_files(argv[2]);
    if (argc >= 2 && strcmp(argv[1], "serve") == 0) {
        peer.options.server_side = true;
        return run(&peer, serve, true);
    }
    if (argc >= 3 && strcmp(argv[1], "connect") == 0) {
        peer.port = atoi(argv[2]);
        peer.argc--;
        peer.argv++;
        return run(&peer, connect_and_act, false);
    }
    fprintf(stderr, "usage: tls_peer certificates FOLDER | serve ... | connect PORT ...\n");
    return 2;
}
