#include "io/net.h"

#include <sys/wait.h>

/* ---- handlers ---- */

static int echo(tusk_stream *stream, void *arg)
{
    char buffer[1024];
    ssize_t count;

    (void)arg;
    while ((count = tusk_stream_read(stream, buffer, sizeof buffer)) > 0)
        tusk_try(tusk_stream_write(stream, buffer, (size_t)count));
    return (int)count;
}

/* Returns what arg says. */
static int fail_with(tusk_stream *stream, void *arg)
{
    (void)stream;
    return *(const int *)arg;
}

/* Never ends by itself. */
static int sleep_on(tusk_stream *stream, void *arg)
{
    (void)stream;
    (void)arg;
    return tusk_sleep(INFINITY);
}

/* Does not even end when it is cancelled, but for a while. */
static int ignore_cancels(tusk_stream *stream, void *arg)
{
    (void)stream;
    (void)arg;
    for (int i = 0; i < 5; i++)
        if (tusk_sleep(1) < 0)
            tusk_task_uncancel(tusk_current_task());
    return 0;
}

/* Sends more than any peer takes that does not read. */
static int send_much(tusk_stream *stream, void *arg)
{
    static char data[65536];

    (void)arg;
    for (;;)
        tusk_try(tusk_stream_write(stream, data, sizeof data));
}

/* ---- a Unix server for tests that need no port: they may run on a clock that jumps ---- */

static char unix_path[108];

static const char *new_path(void)
{
    static int number;

    snprintf(unix_path, sizeof unix_path, "/tmp/tusk-test-%d-%d", (int)getpid(), number++);
    return unix_path;
}

static int connect_path(tusk_stream **ret_stream)
{
    return tusk_open_unix_connection(unix_path, ret_stream);
}

/* A word goes there and back. */
static void expect_echo(tusk_stream *stream)
{
    char buffer[8] = "";

    expect_int(tusk_stream_write(stream, "hello", 5), 0);
    expect_int(tusk_stream_readexactly(stream, buffer, 5), 5);
    expect_text(buffer, "hello");
}

/* The peer has ended or was cut off. */
static void expect_end(tusk_stream *stream)
{
    char byte;
    ssize_t count = tusk_stream_read(stream, &byte, 1);

    expect(count == 0 || count == -ECONNRESET);
}

/* Lets the server see what has happened. */
static void settle(void)
{
    for (int i = 0; i < 5; i++)
        expect_int(tusk_sleep(0), 0);
    expect_int(tusk_sleep(0.001), 0);
}

/* ---- serving ---- */

static int echo_to(void *arg)
{
    tusk_stream *stream;

    tusk_try(tusk_open_connection("127.0.0.1", (int)(intptr_t)arg, &stream));
    expect_echo(stream);
    tusk_stream_release(stream);
    return 0;
}

static int serve_many(void *arg)
{
    enum { COUNT = 200 };
    tusk_task *tasks[COUNT];
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", 0, &server, .backlog = COUNT));
    expect(tusk_server_is_serving(server));
    for (int i = 0; i < COUNT; i++)
        tasks[i] = tusk_create_task(echo_to, as_arg(tusk_server_port(server)));
    tusk_try(tusk_await(tusk_gather(tasks, COUNT)));
    tusk_server_close(server);
    expect(!tusk_server_is_serving(server));
    tusk_try(tusk_server_wait_closed(server));
    expect_int(tusk_server_client_count(server), 0);
    tusk_server_release(server);
    return 0;
}

static void test_serves_many(void **state)
{
    (void)state;
    play_live_quietly(serve_many);
}

/* More at once than are accepted in one iteration. */
static int serve_in_portions(void *arg)
{
    enum { COUNT = 20 };
    tusk_stream *streams[COUNT];
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", 0, &server, .backlog = 3));
    for (int i = 0; i < COUNT; i++)
        tusk_try(tusk_open_connection("127.0.0.1", tusk_server_port(server), &streams[i]));
    for (int i = 0; i < COUNT; i++)
        expect_echo(streams[i]);
    expect_int(tusk_server_client_count(server), COUNT);
    for (int i = 0; i < COUNT; i++)
        tusk_stream_release(streams[i]);
    tusk_server_close(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

static void test_backlog_is_no_limit(void **state)
{
    (void)state;
    play_live_quietly(serve_in_portions);
}

static int look_at_client(tusk_stream *stream, void *arg)
{
    int fd = -1;
    int on = 0;
    size_t size = sizeof fd;
    socklen_t length = sizeof on;

    (void)arg;
    expect_int(tusk_stream_get_extra_info(stream, "fd", &fd, &size), 0);
    expect_int(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
    expect(on != 0);
    length = sizeof on;
    expect_int(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &length), 0);
    expect(on != 0);
    expect_text(tusk_task_get_name(tusk_current_task()), "waiter");
    trace("served");
    return 0;
}

static int check_options(void *arg)
{
    char name[] = "waiter";
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_server(look_at_client, NULL, "127.0.0.1", 0, &server, .name = name,
                               .keep_alive = true, .stack_size = 64 * 1024));
    name[0] = 'x';
    tusk_try(tusk_open_connection("127.0.0.1", tusk_server_port(server), &stream));
    expect_end(stream);
    tusk_stream_release(stream);
    tusk_server_release(server);
    return 0;
}

static void test_options_of_clients(void **state)
{
    (void)state;
    play_live_quietly(check_options);
    assert_string_equal(stage_trace, "served");
}

static tusk_context_var variable = TUSK_CONTEXT_VAR("variable", (void *)"none");

static int trace_variable(tusk_stream *stream, void *arg)
{
    (void)stream;
    (void)arg;
    trace("%s", (const char *)tusk_context_var_get(&variable));
    tusk_context_var_set(&variable, (void *)"of the client", NULL);
    return 0;
}

static int serve_in_context(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_context_var_set(&variable, (void *)"of the start", NULL);
    tusk_try(tusk_start_unix_server(trace_variable, NULL, new_path(), &server));
    tusk_context_var_set(&variable, (void *)"later", NULL);
    for (int i = 0; i < 2; i++) {
        tusk_try(connect_path(&stream));
        expect_end(stream);
        tusk_stream_release(stream);
    }
    tusk_server_release(server);
    return 0;
}

static void test_context_is_that_of_the_start(void **state)
{
    (void)state;
    play_trace(serve_in_context, "of the start of the start");
}

static int start_later(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;
    int port;

    (void)arg;
    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", 0, &server, .no_start_serving = true));
    port = tusk_server_port(server);
    expect(!tusk_server_is_serving(server));
    expect_int(tusk_open_connection("127.0.0.1", port, &stream), -ECONNREFUSED);
    expect_int(tusk_server_start_serving(server), 0);
    expect_int(tusk_server_start_serving(server), 0);
    tusk_try(tusk_open_connection("127.0.0.1", port, &stream));
    expect_echo(stream);
    tusk_stream_release(stream);
    tusk_server_close(server);
    tusk_server_close(server);
    expect_int(tusk_server_start_serving(server), TUSK_INVALID_STATE);
    expect_int(tusk_server_port(server), port);
    tusk_server_release(server);
    return 0;
}

static void test_start_serving(void **state)
{
    (void)state;
    play_live_quietly(start_later);
}

/* ---- addresses ---- */

static int listen_everywhere(void *arg)
{
    tusk_server *server;
    tusk_stream *stream;
    char text[64], wanted[64];
    int port;
    size_t count;

    (void)arg;
    tusk_try(tusk_start_server(echo, NULL, NULL, 0, &server));
    port = tusk_server_port(server);
    count = tusk_server_sockets(server, NULL, 0);
    expect_int(count, net_has_ipv6() ? 2 : 1);
    for (size_t i = 0; i < count; i++) {
        tusk_server_sockname(server, i, text, sizeof text);
        snprintf(wanted, sizeof wanted, text[0] == '[' ? "[::]:%d" : "0.0.0.0:%d", port);
        expect_text(text, wanted);
    }
    expect_text(tusk_server_sockname(server, count, text, sizeof text), "");
    tusk_try(tusk_open_connection("127.0.0.1", port, &stream));
    expect_echo(stream);
    tusk_stream_release(stream);
    if (net_has_ipv6()) {
        tusk_try(tusk_open_connection("::1", port, &stream));
        expect_echo(stream);
        tusk_stream_release(stream);
    }
    tusk_server_close(server);
    expect_int(tusk_server_sockets(server, NULL, 0), 0);
    tusk_server_release(server);
    return 0;
}

static void test_all_addresses_share_a_port(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        play_live_quietly(listen_everywhere);
}

static int listen_on_several(void *arg)
{
    static const char *const more[] = {"127.0.0.3", "127.0.0.2", "127.0.0.3", NULL};
    tusk_server *server;
    int sockets[8];
    char text[64];

    (void)arg;
    tusk_try(tusk_start_server(echo, NULL, "127.0.0.2", 0, &server, .hosts = more));
    expect_int(tusk_server_sockets(server, sockets, 8), 2);
    expect(sockets[0] != sockets[1]);
    expect(strncmp(tusk_server_sockname(server, 0, text, sizeof text), "127.0.0.2:", 10) == 0);
    expect(strncmp(tusk_server_sockname(server, 1, text, sizeof text), "127.0.0.3:", 10) == 0);
    tusk_server_release(server);
    return 0;
}

static void test_several_hosts(void **state)
{
    (void)state;
    play_live_quietly(listen_on_several);
}

static int listen_twice(void *arg)
{
    tusk_server *first, *second;
    char wanted[128];
    int port;

    (void)arg;
    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", 0, &first));
    port = tusk_server_port(first);
    expect_int(tusk_start_server(echo, NULL, "127.0.0.1", port, &second), -EADDRINUSE);
    snprintf(wanted, sizeof wanted, "cannot listen on 127.0.0.1:%d: %s", port, tusk_strerror(-EADDRINUSE));
    expect_text(tusk_message(), wanted);
    tusk_server_release(first);
    /* Now the port is free. */
    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", port, &second));
    tusk_server_release(second);
    return 0;
}

static void test_port_in_use(void **state)
{
    (void)state;
    play_live_quietly(listen_twice);
}

/* Connections of the server before are in TIME_WAIT: by default that is no hindrance. */
static int restart(void *arg)
{
    tusk_server *server;
    tusk_stream *stream;
    int success = 0;
    int port;

    (void)arg;
    tusk_try(tusk_start_server(fail_with, &success, "127.0.0.1", 0, &server));
    port = tusk_server_port(server);
    tusk_try(tusk_open_connection("127.0.0.1", port, &stream));
    expect_end(stream);
    tusk_stream_release(stream);
    settle();
    tusk_server_release(server);
    expect_int(tusk_start_server(echo, NULL, "127.0.0.1", port, &server, .no_reuse_address = true),
               -EADDRINUSE);
    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", port, &server));
    tusk_server_release(server);
    return 0;
}

static void test_restart(void **state)
{
    (void)state;
    play_live_quietly(restart);
}

static int share_port(void *arg)
{
    tusk_server *first, *second;

    (void)arg;
    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", 0, &first, .reuse_port = true));
    tusk_try(
        tusk_start_server(echo, NULL, "127.0.0.1", tusk_server_port(first), &second, .reuse_port = true));
    tusk_server_release(first);
    tusk_server_release(second);
    return 0;
}

static void test_reuse_port(void **state)
{
    (void)state;
    play_live_quietly(share_port);
}

static int misuse(void *arg)
{
    tusk_server *server = NULL;

    (void)arg;
    expect_int(tusk_start_server(NULL, NULL, NULL, 0, &server), -EINVAL);
    expect_int(tusk_start_server(echo, NULL, NULL, 0, NULL), -EINVAL);
    expect_int(tusk_start_server(echo, NULL, "127.0.0.1", -1, &server), -EINVAL);
    expect_int(tusk_start_server(echo, NULL, "127.0.0.1", 65536, &server), -EINVAL);
    expect_int(tusk_start_server(echo, NULL, "127.0.0.1", 0, &server, .stack_size = 1), -EINVAL);
    expect_int(tusk_start_server(echo, NULL, "127.0.0.1", 0, &server, .backlog = -1), -EINVAL);
    expect_int(tusk_start_server(echo, NULL, "127.0.0.1", 0, &server, .drain_timeout = NAN), -EINVAL);
    expect_int(tusk_start_server(echo, NULL, "127.0.0.1", 0, &server, .handshake_timeout = 1), -EINVAL);
    expect_text(tusk_message(), "the time-outs of TLS mean nothing without .tls");
    expect_int(tusk_start_server(echo, NULL, "127.0.0.1", 0, &server, .shutdown_timeout = 1), -EINVAL);
    expect_int(tusk_start_unix_server(echo, NULL, "/nowhere/at/all", &server, .handshake_timeout = 1),
               -EINVAL);
    expect_int(tusk_start_server(echo, NULL, "192.0.2.1", 0, &server), -EADDRNOTAVAIL);
    expect_int(tusk_start_unix_server(echo, NULL, NULL, &server), -EINVAL);
    expect_int(tusk_start_unix_server(echo, NULL, "", &server), -EINVAL);
    expect_int(tusk_start_unix_server(echo, NULL, "/nowhere/at/all", &server), -ENOENT);
    expect(server == NULL);
    expect_int(tusk_server_wait_closed(NULL), -EINVAL);
    expect_int(tusk_server_start_serving(NULL), -EINVAL);
    tusk_server_close(NULL);
    tusk_server_close_clients(NULL);
    tusk_server_abort_clients(NULL);
    tusk_server_release(NULL);
    return 0;
}

static void test_refuses_nonsense(void **state)
{
    tusk_server *server;

    (void)state;
    play_live_quietly(misuse);
    assert_int_equal(tusk_start_server(echo, NULL, NULL, 0, &server), TUSK_NOT_IN_TASK);
    assert_int_equal(tusk_start_unix_server(echo, NULL, "/x", &server), TUSK_NO_RUNNING_LOOP);
}

/* ---- handlers that fail ---- */

static int serve_failing(int code)
{
    tusk_stream *stream;
    tusk_server *server;

    tusk_try(tusk_start_unix_server(fail_with, &code, new_path(), &server, .name = "handler"));
    tusk_try(connect_path(&stream));
    expect_end(stream);
    tusk_stream_release(stream);
    tusk_server_close(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

static int serve_with_error(void *arg)
{
    (void)arg;
    return serve_failing(-EIO);
}

static int serve_with_fault_of_peer(void *arg)
{
    (void)arg;
    tusk_try(serve_failing(-ECONNRESET));
    tusk_try(serve_failing(-EPIPE));
    tusk_try(serve_failing(-ECANCELED));
    return serve_failing(7);
}

static void test_errors_of_handlers_are_reported(void **state)
{
    (void)state;
    play_reports(serve_with_error, "Unhandled exception in client_connected_cb|handler|EIO|-\n");
    play_quietly(serve_with_fault_of_peer);
}

/* What was written before the handler returned is sent although it has returned. */
static int write_and_return(tusk_stream *stream, void *arg)
{
    static char data[60000];

    (void)arg;
    memset(data, 'x', sizeof data);
    return tusk_stream_write(stream, data, sizeof data);
}

static int read_what_was_written(void *arg)
{
    static char data[60000];
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_unix_server(write_and_return, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    settle();
    tusk_server_release(server);
    expect_int(tusk_stream_readexactly(stream, data, sizeof data), sizeof data);
    expect(data[0] == 'x' && data[sizeof data - 1] == 'x');
    expect_end(stream);
    tusk_stream_release(stream);
    return 0;
}

static void test_the_rest_is_sent_after_the_handler(void **state)
{
    (void)state;
    play_quietly(read_what_was_written);
}

static int reset_and_leave(void *arg)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_server(echo, NULL, "127.0.0.1", 0, &server));
    for (int i = 0; i < 10; i++) {
        int fd = net_connect("127.0.0.1", tusk_server_port(server));

        expect(fd >= 0);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        /* Some are gone before they are accepted. */
        if (i % 2)
            settle();
        close(fd);
    }
    tusk_try(tusk_open_connection("127.0.0.1", tusk_server_port(server), &stream));
    expect_echo(stream);
    tusk_stream_release(stream);
    tusk_server_close(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

static void test_resets_are_no_news(void **state)
{
    (void)state;
    play_live_quietly(reset_and_leave);
}

/* ---- ending ---- */

static int wait_closed(void *arg)
{
    return tusk_server_wait_closed(arg);
}

static int close_under_clients(void *arg)
{
    tusk_stream *stream, *late;
    tusk_server *server;
    tusk_task *waiter;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_server_close(server);
    expect(connect_path(&late) < 0);
    expect_echo(stream);
    waiter = tusk_create_task(wait_closed, server);
    settle();
    expect(!tusk_future_done(waiter));
    tusk_stream_release(stream);
    expect_int(tusk_await(waiter), 0);
    tusk_server_release(server);
    return 0;
}

static void test_close_leaves_clients_alone(void **state)
{
    (void)state;
    play_quietly(close_under_clients);
}

static int release_under_clients(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_server_release(server);
    expect_echo(stream);
    tusk_stream_release(stream);
    return 0;
}

static void test_release_leaves_clients_alone(void **state)
{
    (void)state;
    play_quietly(release_under_clients);
}

static int leave_it_open(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_stream_release(stream);
    return 0;
}

static void test_loop_closes_the_server(void **state)
{
    (void)state;
    play_quietly(leave_it_open);
    assert_int_equal(access(unix_path, F_OK), -1);
}

/*
 * A loop that was only stopped, with a client whose handler waits, one who is still to be accepted,
 * and data unsent.
 */
static int start_and_stop(void *arg)
{
    tusk_stream **streams = arg;
    tusk_server *server;

    tusk_try(tusk_start_unix_server(send_much, NULL, new_path(), &server));
    tusk_try(connect_path(&streams[0]));
    settle();
    tusk_try(connect_path(&streams[1]));
    tusk_loop_stop(tusk_get_running_loop());
    return tusk_sleep(INFINITY);
}

static void test_loop_closes_in_the_middle(void **state)
{
    tusk_stream *streams[2];
    tusk_loop *loop = tusk_new_event_loop();
    tusk_task *task = tusk_loop_create_task(loop, start_and_stop, streams);

    (void)state;
    stage_clean();
    tusk_loop_set_exception_handler(loop, keep_report, NULL);
    assert_int_equal(tusk_loop_run_until_complete(loop, task), TUSK_LOOP_STOPPED);
    tusk_loop_close(loop);
}

static int close_clients(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_server_close_clients(server);
    expect_end(stream);
    tusk_stream_release(stream);
    expect(tusk_server_is_serving(server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_server_abort_clients(server);
    expect_end(stream);
    tusk_stream_release(stream);
    tusk_server_close(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

static void test_close_and_abort_clients(void **state)
{
    (void)state;
    play_quietly(close_clients);
}

/* The peer does not read: what a handler has written stays, closed or not, until it is aborted. */
static int abort_a_stuck_peer(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;
    tusk_timeout timeout;

    (void)arg;
    tusk_try(tusk_start_unix_server(send_much, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    settle();
    tusk_server_close(server);
    tusk_server_close_clients(server);
    tusk_try(tusk_timeout_enter(&timeout, 60));
    expect_int(tusk_timeout_exit(&timeout, tusk_server_wait_closed(server)), -ETIMEDOUT);
    expect_int(tusk_server_client_count(server), 1);
    tusk_server_abort_clients(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_stream_release(stream);
    tusk_server_release(server);
    return 0;
}

static void test_stuck_peer(void **state)
{
    (void)state;
    play_quietly(abort_a_stuck_peer);
}

/* How a server with one client of this handler drains. */
static int drain(tusk_client_handler *handler, double timeout, int wanted)
{
    tusk_stream *stream;
    tusk_server *server;

    tusk_try(tusk_start_unix_server(handler, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    settle();
    expect_int(tusk_server_client_count(server), 1);
    expect_int(tusk_server_drain(server, timeout), wanted);
    expect(!tusk_server_is_serving(server));
    tusk_stream_release(stream);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

/* A request is a line; for all of it there are ten seconds. */
static int talk_in_time(tusk_stream *stream, void *arg)
{
    tusk_timeout timeout;
    const char *line;
    ssize_t length;
    int rc;

    tusk_try(tusk_timeout_enter(&timeout, 10));
    length = tusk_stream_readline(stream, &line);
    rc = length < 0 ? (int)length : send_much(stream, NULL);
    rc = tusk_timeout_exit(&timeout, rc);
    *(int *)arg += rc == -ETIMEDOUT;
    tusk_stream_abort(stream);
    return 0;
}

/* Sends a byte a second for ever: the line never ends. */
static int trickle(void *arg)
{
    int rc = 0;

    while (rc == 0) {
        rc = tusk_stream_write(arg, "x", 1);
        tusk_try(tusk_sleep(1));
    }
    return 0;
}

/* One that is silent, one that sends too slowly, one that does not read; and one that is served meanwhile. */
static int meet_slow_clients(void *arg)
{
    tusk_stream *slow[3];
    tusk_stream *good;
    tusk_server *server;
    tusk_task *task;
    int cut = 0;
    char answer[1000];

    (void)arg;
    tusk_try(tusk_start_unix_server(talk_in_time, &cut, new_path(), &server));
    for (int i = 0; i < 3; i++)
        tusk_try(connect_path(&slow[i]));
    task = tusk_create_task(trickle, slow[1]);
    tusk_try(tusk_stream_write(slow[2], "\n", 1));
    tusk_try(tusk_sleep(9));
    expect_int(tusk_server_client_count(server), 3);
    tusk_try(connect_path(&good));
    tusk_try(tusk_stream_write(good, "\n", 1));
    expect_int(tusk_stream_readexactly(good, answer, sizeof answer), sizeof answer);
    tusk_stream_release(good);
    tusk_try(tusk_sleep(2));
    expect_int(cut, 3);
    expect_int(tusk_server_client_count(server), 0);
    expect_int(tusk_await(task), 0);
    for (int i = 0; i < 3; i++)
        tusk_stream_release(slow[i]);
    tusk_server_close(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

static void test_slow_clients_are_cut_off(void **state)
{
    (void)state;
    play_quietly(meet_slow_clients);
}

static int drain_all(void *arg)
{
    (void)arg;
    tusk_try(drain(sleep_on, 5, 1));
    tusk_try(drain(sleep_on, 0, 1));
    tusk_try(drain(echo, 0.5, 1));
    tusk_try(drain(send_much, 3, 1));
    tusk_try(drain(ignore_cancels, 20, 0));
    tusk_try(drain(ignore_cancels, 0, -ETIMEDOUT));
    return 0;
}

static void test_drain(void **state)
{
    (void)state;
    play_quietly(drain_all);
}

static int release_later(void *arg)
{
    tusk_try(tusk_sleep(1));
    tusk_stream_release(arg);
    return 0;
}

static int drain_gently(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_release(tusk_create_task(release_later, stream));
    expect_int(tusk_server_drain(server, INFINITY), 0);
    expect_int(tusk_server_drain(server, 0), 0);
    expect_int(tusk_server_drain(server, NAN), -EINVAL);
    tusk_server_release(server);
    return 0;
}

static void test_drain_in_peace(void **state)
{
    (void)state;
    play_quietly(drain_gently);
}

static int drain_forever(void *arg)
{
    return tusk_server_drain(arg, INFINITY);
}

/* A drain that is cancelled has closed the server, and that is all. */
static int cancel_a_drain(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;
    tusk_task *task;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    task = tusk_create_task(drain_forever, server);
    settle();
    tusk_task_cancel(task);
    expect_int(tusk_await(task), -ECANCELED);
    expect_echo(stream);
    expect_int(tusk_server_drain(server, 0), 1);
    tusk_stream_release(stream);
    tusk_server_release(server);
    return 0;
}

static void test_cancelled_drain(void **state)
{
    (void)state;
    play_quietly(cancel_a_drain);
}

static int wait_for_itself(tusk_stream *stream, void *arg)
{
    tusk_server *server = *(tusk_server **)arg;

    (void)stream;
    expect_int(tusk_server_wait_closed(server), -EDEADLK);
    expect_int(tusk_server_drain(server, 1), -EDEADLK);
    expect_int(tusk_server_serve_forever(server), -EDEADLK);
    tusk_server_close(server);
    trace("closed");
    return 0;
}

static int let_a_client_close(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_unix_server(wait_for_itself, &server, new_path(), &server));
    tusk_try(connect_path(&stream));
    tusk_try(tusk_server_serve_forever(server));
    tusk_stream_release(stream);
    tusk_server_release(server);
    return 0;
}

static void test_a_handler_may_close_but_not_wait(void **state)
{
    (void)state;
    play_trace(let_a_client_close, "closed");
}

/* ---- serve_forever ---- */

static int serve_forever(void *arg)
{
    return tusk_server_serve_forever(arg);
}

static int cancel_serving(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;
    tusk_task *task;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    task = tusk_create_task(serve_forever, server);
    settle();
    expect_int(tusk_server_serve_forever(server), TUSK_INVALID_STATE);
    tusk_task_cancel(task, .msg = "enough");
    /* The idle client holds nobody up. */
    expect_int(tusk_await(task), -ECANCELED);
    expect_text(tusk_message(), "enough");
    expect(!tusk_server_is_serving(server));
    expect_end(stream);
    tusk_stream_release(stream);
    expect_int(tusk_server_serve_forever(server), TUSK_INVALID_STATE);
    tusk_server_release(server);
    return 0;
}

static void test_serve_forever_is_cancelled(void **state)
{
    (void)state;
    play_quietly(cancel_serving);
}

/* As asyncio: however long the clients take. */
static int cancel_serving_patiently(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;
    tusk_task *task;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server, .drain_timeout = INFINITY,
                                    .no_start_serving = true));
    task = tusk_create_task(serve_forever, server);
    settle();
    expect(tusk_server_is_serving(server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_task_cancel(task);
    expect_int(tusk_sleep(3600), 0);
    expect_echo(stream);
    expect(!tusk_future_done(task));
    /* A second cancel ends the waiting. */
    tusk_task_cancel(task);
    expect_int(tusk_await(task), -ECANCELED);
    expect_end(stream);
    tusk_stream_release(stream);
    tusk_server_release(server);
    return 0;
}

static void test_serve_forever_waits(void **state)
{
    (void)state;
    play_quietly(cancel_serving_patiently);
}

/* ---- want ---- */

static struct rlimit old_limit;

/* From here on there is room for so many descriptors more. */
static void limit_descriptors(int more)
{
    struct rlimit limit;
    int highest = dup(0);

    close(highest);
    getrlimit(RLIMIT_NOFILE, &old_limit);
    limit = (struct rlimit){.rlim_cur = (rlim_t)(highest + more), .rlim_max = old_limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Four connections want to be accepted, and there is a descriptor for one. */
static int run_out(void *arg)
{
    enum { COUNT = 4 };
    int fds[COUNT];
    char byte = 'x';
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    for (int i = 0; i < COUNT; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        strcpy(address.sun_path, unix_path);
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        expect_int(connect(fds[i], (struct sockaddr *)&address, sizeof address), 0);
        expect_int(write(fds[i], "y", 1), 1);
    }
    limit_descriptors(1);
    expect_int(tusk_sleep(10), 0);
    expect_int(tusk_server_client_count(server), 2);
    /* The one it has goes on. */
    expect_echo(stream);
    setrlimit(RLIMIT_NOFILE, &old_limit);
    expect_int(tusk_sleep(2), 0);
    expect_int(tusk_server_client_count(server), COUNT + 1);
    for (int i = 0; i < COUNT; i++) {
        expect_int(read(fds[i], &byte, 1), 1);
        expect(byte == 'y');
        close(fds[i]);
    }
    tusk_stream_release(stream);
    tusk_server_close(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

static void test_out_of_descriptors(void **state)
{
    (void)state;
    /* It accepts first, and closes what is above the limit. */
    if (RUNNING_ON_VALGRIND)
        skip();
    play_reports(run_out, "socket.accept() out of system resource|-|EMFILE|-\n");
}

/* It is closed while it rests. */
static int close_while_resting(void *arg)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    strcpy(address.sun_path, unix_path);
    expect_int(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    limit_descriptors(0);
    expect_int(tusk_sleep(0.5), 0);
    setrlimit(RLIMIT_NOFILE, &old_limit);
    tusk_server_release(server);
    expect_int(tusk_sleep(5), 0);
    close(fd);
    return 0;
}

static void test_closed_while_it_rests(void **state)
{
    (void)state;
    play_reports(close_while_resting, "socket.accept() out of system resource|-|EMFILE|-\n");
}

static int fail_after;

static int serve_in_want(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;
    int rc;

    (void)arg;
    tusk__fail_after(fail_after);
    rc = tusk_start_server(echo, NULL, "127.0.0.1", 0, &server, .name = "client");
    if (rc == 0)
        rc = tusk_open_connection("127.0.0.1", tusk_server_port(server), &stream);
    else
        server = NULL;
    if (rc == 0) {
        rc = tusk_stream_write(stream, "hello", 5);
        if (rc == 0)
            rc = (int)tusk_stream_readexactly(stream, (char[5]){0}, 5);
        tusk_stream_release(stream);
    }
    tusk__fail_after(0);
    tusk_server_release(server);
    return rc;
}

/* Whatever fails first: the server's start, the client's, or the server's work for it. */
static void test_every_failure(void **state)
{
    int rc;

    (void)state;
    fail_after = 0;
    do {
        fail_after++;
        rc = play_live(serve_in_want);
        assert_true(rc == 5 || rc == -ENOMEM || rc == -EMFILE || rc == -ENOSPC ||
                    rc == TUSK_INCOMPLETE_READ || rc == -ECONNRESET || rc == -EPIPE);
    } while ((rc != 5 || stage_reports[0]) && fail_after < 200);
    assert_int_equal(rc, 5);
    assert_true(fail_after > 10);
}

/* ---- Unix sockets ---- */

static int find_stale(void *arg)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tusk_server *server, *second;
    tusk_stream *stream;

    (void)arg;
    strcpy(address.sun_path, new_path());
    expect_int(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    expect_int(listen(fd, 1), 0);
    close(fd);
    expect_int(access(unix_path, F_OK), 0);
    tusk_try(tusk_start_unix_server(echo, NULL, unix_path, &server));
    /* One that lives is left alone. */
    expect_int(tusk_start_unix_server(echo, NULL, unix_path, &second), -EADDRINUSE);
    expect(strstr(tusk_message(), unix_path));
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_stream_release(stream);
    tusk_server_release(server);
    expect_int(access(unix_path, F_OK), -1);
    return 0;
}

static void test_unix_stale(void **state)
{
    (void)state;
    play_quietly(find_stale);
}

static int find_a_file(void *arg)
{
    tusk_server *server;

    (void)arg;
    fclose(fopen(new_path(), "w"));
    expect_int(tusk_start_unix_server(echo, NULL, unix_path, &server), -EADDRINUSE);
    expect_int(unlink(unix_path), 0);
    return 0;
}

static void test_unix_file_in_the_way(void **state)
{
    (void)state;
    play_quietly(find_a_file);
}

/* Somebody has put another file there meanwhile. */
static int replace_the_file(void *arg)
{
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    unlink(unix_path);
    fclose(fopen(unix_path, "w"));
    tusk_server_release(server);
    expect_int(unlink(unix_path), 0);
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server, .no_cleanup_socket = true));
    tusk_server_release(server);
    expect_int(unlink(unix_path), 0);
    return 0;
}

static void test_unix_removes_only_its_own(void **state)
{
    (void)state;
    play_quietly(replace_the_file);
}

static int start_at_path(void *arg)
{
    return tusk_start_unix_server(echo, NULL, new_path(), arg);
}

static int end_server(void *arg)
{
    tusk_stream *stream;

    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_stream_release(stream);
    tusk_server_close(arg);
    tusk_try(tusk_server_wait_closed(arg));
    tusk_server_release(arg);
    return 0;
}

/* A child of fork closes the loop that it has a copy of: the parent goes on to serve. */
static void test_a_child_that_closes_the_loop_ends_no_server(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();
    tusk_server *server;
    int status = -1;
    pid_t child;

    (void)state;
    stage_clean();
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_loop_create_task(loop, start_at_path, &server)),
                     0);
    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(tusk_loop_close(loop) == 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_loop_create_task(loop, end_server, server)), 0);
    assert_int_equal(stage_failures, 0);
    assert_int_equal(tusk_loop_close(loop), 0);
}

static int serve_abstract(void *arg)
{
    tusk_server *server;
    tusk_stream *stream;
    char text[128];

    (void)arg;
    snprintf(unix_path, sizeof unix_path, "@tusk-test-%d", (int)getpid());
    tusk_try(tusk_start_unix_server(echo, NULL, unix_path, &server));
    expect_text(tusk_server_sockname(server, 0, text, sizeof text), unix_path);
    expect_int(tusk_server_port(server), 0);
    tusk_try(connect_path(&stream));
    expect_echo(stream);
    tusk_stream_release(stream);
    tusk_server_release(server);
    expect_int(connect_path(&stream), -ECONNREFUSED);
    return 0;
}

static void test_unix_abstract(void **state)
{
    (void)state;
    play_quietly(serve_abstract);
}

/* ---- others who meddle ---- */

static int close_server_of(tusk_stream *stream, void *arg)
{
    tusk_server **server = arg;

    (void)stream;
    tusk_server_release(*server);
    *server = NULL;
    return 0;
}

/* The handler runs inside of the accepting, and takes the server away from under it. */
static int close_in_the_accepting(void *arg)
{
    tusk_stream *streams[3];
    tusk_server *server;

    (void)arg;
    tusk_try(tusk_loop_set_task_factory(tusk_get_running_loop(), tusk_eager_task_factory));
    tusk_try(tusk_start_unix_server(close_server_of, &server, new_path(), &server));
    for (int i = 0; i < 3; i++)
        tusk_try(connect_path(&streams[i]));
    expect_end(streams[0]);
    expect(server == NULL);
    for (int i = 0; i < 3; i++) {
        expect_end(streams[i]);
        tusk_stream_release(streams[i]);
    }
    return 0;
}

static void test_closed_while_accepting(void **state)
{
    (void)state;
    play_quietly(close_in_the_accepting);
}

/* A task that is cancelled before it has begun: its client must not stay. */
static int cancel_all_others(void *arg)
{
    tusk_stream *stream;
    tusk_server *server;
    tusk_task *tasks[8];
    size_t count;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    tusk_try(connect_path(&stream));
    while (tusk_server_client_count(server) == 0)
        tusk_try(tusk_sleep(0));
    count = tusk_all_tasks(tasks, 8);
    for (size_t i = 0; i < count && i < 8; i++)
        if (tasks[i] != tusk_current_task())
            tusk_task_cancel(tasks[i]);
    expect_end(stream);
    tusk_stream_release(stream);
    tusk_server_close(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_server_release(server);
    return 0;
}

static void test_cancelled_before_it_begins(void **state)
{
    (void)state;
    play_live_quietly(cancel_all_others);
}

/* Somebody closes the listening socket by its number. */
static int close_by_number(void *arg)
{
    tusk_server *server;
    int fd = -1;

    (void)arg;
    tusk_try(tusk_start_unix_server(echo, NULL, new_path(), &server));
    expect_int(tusk_server_sockets(server, &fd, 1), 1);
    tusk_close(fd);
    settle();
    tusk_server_release(server);
    return 0;
}

static void test_socket_closed_by_its_number(void **state)
{
    (void)state;
    play_quietly(close_by_number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_serves_many),
        live_test(test_backlog_is_no_limit),
        live_test(test_options_of_clients),
        live_test(test_context_is_that_of_the_start),
        live_test(test_start_serving),
        live_test(test_all_addresses_share_a_port),
        live_test(test_several_hosts),
        live_test(test_port_in_use),
        live_test(test_restart),
        live_test(test_reuse_port),
        live_test(test_refuses_nonsense),
        live_test(test_errors_of_handlers_are_reported),
        live_test(test_the_rest_is_sent_after_the_handler),
        live_test(test_resets_are_no_news),
        live_test(test_close_leaves_clients_alone),
        live_test(test_release_leaves_clients_alone),
        live_test(test_loop_closes_the_server),
        live_test(test_loop_closes_in_the_middle),
        live_test(test_close_and_abort_clients),
        live_test(test_stuck_peer),
        live_test(test_slow_clients_are_cut_off),
        live_test(test_drain),
        live_test(test_drain_in_peace),
        live_test(test_cancelled_drain),
        live_test(test_a_handler_may_close_but_not_wait),
        live_test(test_serve_forever_is_cancelled),
        live_test(test_serve_forever_waits),
        live_test(test_out_of_descriptors),
        live_test(test_closed_while_it_rests),
        live_test(test_every_failure),
        live_test(test_unix_stale),
        live_test(test_unix_file_in_the_way),
        live_test(test_unix_removes_only_its_own),
        live_test(test_a_child_that_closes_the_loop_ends_no_server),
        live_test(test_unix_abstract),
        live_test(test_closed_while_accepting),
        live_test(test_cancelled_before_it_begins),
        live_test(test_socket_closed_by_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
