/*
 * Connections and servers with TLS: who shakes hands when, and what becomes of those who do not.
 */
#ifdef TUSK_HAVE_OPENSSL
#include "io/tls_stage.h"

#include <unistd.h>

static char unix_path[108];

static const char *new_path(void)
{
    static int number;

    snprintf(unix_path, sizeof unix_path, "/tmp/tusk-test-%d-tls-%d", (int)getpid(), number++);
    return unix_path;
}

static int echo_line(tusk_stream *stream, void *arg)
{
    const char *line;
    ssize_t length = tusk_stream_readline(stream, &line);

    (void)arg;
    trace("%s", fact(stream, "tls_version")[0] == 'T' ? "secure" : "plain");
    return length > 0 ? tusk_stream_write(stream, line, (size_t)length) : (int)length;
}

static void expect_echo(tusk_stream *stream)
{
    const char *line = NULL;
    ssize_t length;

    expect_int(tusk_stream_write(stream, "hello\n", 6), 0);
    length = tusk_stream_readline(stream, &line);
    expect_int(length, 6);
    expect(length == 6 && memcmp(line, "hello\n", 6) == 0);
    expect_int(tusk_stream_readline(stream, &line), 0);
}

/* ---- those who agree ---- */

static int talk(void *arg)
{
    tusk_tls_context *of_server = new_server();
    tusk_tls_context *of_client = new_client();
    tusk_server *server;
    tusk_stream *stream;
    int port, rc;

    (void)arg;
    rc = tusk_start_server(echo_line, NULL, "127.0.0.1", 0, &server, .tls = of_server);
    /* The server and the stream have what they need. */
    tusk_tls_context_release(of_server);
    tusk_try(rc);
    port = tusk_server_port(server);
    rc = tusk_open_connection("127.0.0.1", port, &stream, .tls = of_client);
    tusk_tls_context_release(of_client);
    tusk_try(rc);
    expect_echo(stream);
    tusk_stream_release(stream);
    tusk_server_close(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

static void test_talk(void **state)
{
    (void)state;
    play_trace(talk, "secure");
}

static int talk_by_path(void *arg)
{
    tusk_tls_context *of_server = new_server();
    tusk_tls_context *of_client = new_client();
    tusk_server *server;
    tusk_stream *stream;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo_line, NULL, new_path(), &server, .tls = of_server));
    expect_int(tusk_open_unix_connection(unix_path, &stream, .tls = of_client), -EINVAL);
    tusk_try(tusk_open_unix_connection(unix_path, &stream, .tls = of_client, .server_hostname = "localhost"));
    expect_echo(stream);
    tusk_stream_release(stream);
    tusk_server_release(server);
    tusk_tls_context_release(of_server);
    tusk_tls_context_release(of_client);
    return 0;
}

static void test_talk_by_path(void **state)
{
    (void)state;
    play_trace(talk_by_path, "secure");
}

/* ---- those who do not ---- */

/* A client of a server with TLS; both leave nothing, and the handler is never called. */
static int serve(int (*client)(void), double handshake_timeout)
{
    tusk_tls_context *context = new_server();
    tusk_server *server;

    tusk_try(tusk_start_unix_server(echo_line, NULL, new_path(), &server, .tls = context,
                                    .handshake_timeout = handshake_timeout));
    tusk_tls_context_release(context);
    tusk_try(client());
    tusk_server_close(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

/* It does not trust the server. */
static int distrust(void)
{
    tusk_tls_context *context = tusk_tls_context_create(.ca_file = pem("other-ca.pem"));
    tusk_stream *stream = NULL;

    expect_int(tusk_open_unix_connection(unix_path, &stream, .tls = context, .server_hostname = "localhost"),
               TUSK_TLS_CERTIFICATE);
    expect(stream == NULL);
    tusk_tls_context_release(context);
    return 0;
}

static int talk_plain(void)
{
    tusk_stream *stream;
    char data[64];

    tusk_try(tusk_open_unix_connection(unix_path, &stream));
    expect_int(tusk_stream_print(stream, "GET / HTTP/1.0\r\n\r\n"), 0);
    while (tusk_stream_read(stream, data, sizeof data) > 0)
        ;
    tusk_stream_release(stream);
    return 0;
}

/* It says nothing at all, and is sent away when its time is over. */
static int say_nothing(void)
{
    double before = tusk_loop_time(tusk_get_running_loop());
    tusk_stream *stream;
    char byte;

    tusk_try(tusk_open_unix_connection(unix_path, &stream));
    expect(tusk_stream_read(stream, &byte, 1) <= 0);
    trace("after %.0f s", tusk_loop_time(tusk_get_running_loop()) - before);
    tusk_stream_release(stream);
    return 0;
}

static int say_hello_and_leave(void)
{
    tusk_stream *stream;

    tusk_try(tusk_open_unix_connection(unix_path, &stream));
    expect_int(tusk_stream_write(stream, "\x16\x03\x01", 3), 0);
    tusk_stream_release(stream);
    return 0;
}

static int serve_strangers(void *arg)
{
    (void)arg;
    tusk_try(serve(distrust, 0));
    tusk_try(serve(talk_plain, 0));
    tusk_try(serve(say_hello_and_leave, 0));
    tusk_try(serve(say_nothing, 5));
    return serve(say_nothing, 0);
}

static void test_strangers(void **state)
{
    (void)state;
    play_trace(serve_strangers, "after 5 s after 60 s");
}

static int serve_plain(void *arg)
{
    (void)arg;
    return serve(talk_plain, 0);
}

static void test_told_in_debug_mode(void **state)
{
    (void)state;
    assert_int_equal(play_with(serve_plain, NULL, true), 0);
    assert_non_null(
        strstr(stage_reports, "Error on transport creation for incoming connection|-|TUSK_TLS_FAILED|"));
}

/* A server that does not speak TLS. */
static int connect_to_plain(void *arg)
{
    tusk_tls_context *context = new_client();
    tusk_server *server;
    tusk_stream *stream = NULL;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo_line, NULL, new_path(), &server));
    expect(tusk_open_unix_connection(unix_path, &stream, .tls = context, .server_hostname = "localhost",
                                     .handshake_timeout = 5) < 0);
    expect(stream == NULL);
    tusk_server_release(server);
    tusk_tls_context_release(context);
    return 0;
}

/* Nobody is connected, and no client fails later, for a number that cannot be meant. */
static int bad_times(void *arg)
{
    tusk_tls_context *client = new_client();
    tusk_tls_context *own = new_server();
    tusk_server *server = NULL;
    tusk_stream *stream = NULL;

    (void)arg;
    expect_int(
        tusk_start_unix_server(echo_line, NULL, new_path(), &server, .tls = own, .handshake_timeout = -1),
        -EINVAL);
    expect_text(tusk_message(), "a time-out of -1 seconds for TLS");
    expect_int(
        tusk_start_unix_server(echo_line, NULL, unix_path, &server, .tls = own, .shutdown_timeout = NAN),
        -EINVAL);
    expect_int(tusk_open_unix_connection(unix_path, &stream, .tls = client, .server_hostname = "localhost",
                                         .handshake_timeout = -1),
               -EINVAL);
    expect_int(tusk_open_connection("127.0.0.1", 1, &stream, .tls = client, .shutdown_timeout = -1), -EINVAL);
    expect(!server && !stream);
    tusk_tls_context_release(client);
    tusk_tls_context_release(own);
    return 0;
}

static void test_time_outs_that_cannot_be(void **state)
{
    (void)state;
    play_quietly(bad_times);
}

static void test_plain_server(void **state)
{
    (void)state;
    play_trace(connect_to_plain, "plain");
}

/* ---- cancels ---- */

static tusk_tls_context *client_context;

static int connect_and_release(void *arg)
{
    tusk_stream *stream;

    (void)arg;
    tusk_try(
        tusk_open_unix_connection(unix_path, &stream, .tls = client_context, .server_hostname = "localhost"));
    tusk_stream_release(stream);
    return 0;
}

static int cancel_anywhere(void *arg)
{
    tusk_tls_context *context = new_server();
    tusk_server *server;
    int rc = -ECANCELED;
    int cancels = 0;

    (void)arg;
    client_context = new_client();
    tusk_try(tusk_start_unix_server(echo_line, NULL, new_path(), &server, .tls = context));
    /* By iterations, for any time at all would be enough for the whole handshake. */
    for (int i = 0; rc == -ECANCELED && i < 400; i++) {
        tusk_task *task = tusk_create_task(connect_and_release, NULL);

        for (int j = 0; j < i; j++)
            tusk_try(tusk_sleep(0));
        tusk_task_cancel(task);
        rc = tusk_await(task);
        cancels += rc == -ECANCELED;
    }
    expect(cancels > 3);
    /* A simulated network takes time that does not go by while somebody is busy. */
    expect_int(rc < 0 ? connect_and_release(NULL) : rc, 0);
    expect_int(tusk_server_drain(server, INFINITY), 0);
    tusk_server_release(server);
    tusk_tls_context_release(context);
    tusk_tls_context_release(client_context);
    return 0;
}

static void test_cancelled_anywhere(void **state)
{
    (void)state;
    assert_int_equal(play(cancel_anywhere), 0);
    assert_string_equal(stage_reports, "");
}

/* Those who are still shaking hands when the server drains do not hold it up. */
static int drain_in_the_handshake(void *arg)
{
    tusk_tls_context *context = new_server();
    tusk_server *server;
    tusk_stream *stream;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo_line, NULL, new_path(), &server, .tls = context));
    tusk_try(tusk_open_unix_connection(unix_path, &stream));
    tusk_try(tusk_sleep(1));
    expect_int(tusk_server_client_count(server), 1);
    expect_int(tusk_server_drain(server, 2), 1);
    tusk_stream_release(stream);
    tusk_server_release(server);
    tusk_tls_context_release(context);
    return 0;
}

static void test_drained_in_the_handshake(void **state)
{
    (void)state;
    play_quietly(drain_in_the_handshake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_talk_by_path),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_told_in_debug_mode),
        cmocka_unit_test(test_plain_server),
        cmocka_unit_test(test_time_outs_that_cannot_be),
        cmocka_unit_test(test_cancelled_anywhere),
        cmocka_unit_test(test_drained_in_the_handshake),
    };

    make_certificates();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
#include "io/no_tls.h"
#endif
