#include "io/net.h"

/* ---- a peer in the same loop ---- */

/* Accepts one connection and sends back what comes, until the end. */
static int echo_once(void *arg)
{
    int listening = (int)(intptr_t)arg;
    char buffer[256];
    ssize_t count;
    int fd = tusk_accept(listening, NULL, NULL);

    tusk_try(fd);
    while ((count = tusk_recv(fd, buffer, sizeof buffer, 0)) > 0)
        tusk_try(tusk_sendall(fd, buffer, (size_t)count));
    tusk_close(fd);
    return (int)count;
}

static void expect_echo(tusk_stream *stream)
{
    char buffer[8] = "";

    expect_int(tusk_stream_write(stream, "hello", 5), 0);
    expect_int(tusk_stream_readexactly(stream, buffer, 5), 5);
    expect_text(buffer, "hello");
}

/* Connects to a host that echoes at that port; the socket that listens is closed. */
static int talk_to(const char *host, int listening, int port)
{
    tusk_task *peer = tusk_create_task(echo_once, as_arg(listening));
    tusk_stream *stream;
    int rc = tusk_open_connection(host, port, &stream);

    if (rc == 0) {
        expect_echo(stream);
        tusk_stream_release(stream);
        expect_int(tusk_await(peer), 0);
    } else {
        tusk_release(peer);
    }
    tusk_close(listening);
    return rc;
}

static int talk(void *arg)
{
    int port = 0;
    int listening = net_listen("127.0.0.1", &port, 8);

    (void)arg;
    return talk_to("127.0.0.1", listening, port);
}

static void test_connects(void **state)
{
    (void)state;
    play_live_quietly(talk);
}

/* ---- what a connection is like ---- */

static int look_at_options(void *arg)
{
    int port = 0;
    int listening = net_listen("127.0.0.1", &port, 8);
    tusk_stream *stream;
    char text[64];
    int fd, on = 0;
    size_t size = sizeof fd;
    socklen_t length = sizeof on;

    (void)arg;
    tusk_try(tusk_open_connection("127.0.0.1", port, &stream, .local_addr = "127.0.0.3"));
    expect_int(tusk_stream_get_extra_info(stream, "fd", &fd, &size), 0);
    expect_int(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
    expect(on != 0);
    expect_text(tusk_stream_peername(stream, text, sizeof text) ? "" : "NULL", "");
    expect(strncmp(text, "127.0.0.1:", 10) == 0);
    tusk_close(fd);
    tusk_stream_abort(stream);
    tusk_stream_release(stream);
    tusk_close(listening);
    return 0;
}

static void test_has_no_delay(void **state)
{
    (void)state;
    play_live_quietly(look_at_options);
}

static int connect_from(void *arg)
{
    int port = 0;
    int listening = net_listen("127.0.0.1", &port, 8);
    int local_port = net_free_port();
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    tusk_stream *stream;
    char host[64];
    int fd;

    (void)arg;
    tusk_try(tusk_open_connection("127.0.0.1", port, &stream, .local_addr = "127.0.0.3",
                                  .local_port = local_port));
    fd = tusk_accept(listening, (struct sockaddr *)&peer, &size);
    expect(fd >= 0);
    expect_text(inet_ntop(AF_INET, &peer.sin_addr, host, sizeof host), "127.0.0.3");
    expect_int(ntohs(peer.sin_port), local_port);
    tusk_close(fd);
    tusk_stream_release(stream);
    expect_int(tusk_open_connection("127.0.0.1", port, &stream, .local_addr = "192.0.2.1"), -EADDRNOTAVAIL);
    tusk_close(listening);
    return 0;
}

static void test_connects_from_an_address(void **state)
{
    (void)state;
    play_live_quietly(connect_from);
}

/* ---- failures ---- */

static int be_refused(void *arg)
{
    tusk_stream *stream = NULL;
    int port = net_free_port();
    char wanted[96];

    (void)arg;
    snprintf(wanted, sizeof wanted, "cannot connect to 127.0.0.1:%d: %s", port, tusk_strerror(-ECONNREFUSED));
    expect_int(tusk_open_connection("127.0.0.1", port, &stream), -ECONNREFUSED);
    expect_text(tusk_message(), wanted);
    expect(stream == NULL);
    return 0;
}

static void test_refused(void **state)
{
    (void)state;
    play_live_quietly(be_refused);
}

static int misuse(void *arg)
{
    tusk_stream *stream = NULL;

    (void)arg;
    expect_int(tusk_open_connection("127.0.0.1", -1, &stream), -EINVAL);
    expect_int(tusk_open_connection("127.0.0.1", 65536, &stream), -EINVAL);
    expect_int(tusk_open_connection("127.0.0.1", 1, NULL), -EINVAL);
    expect_int(tusk_open_connection("127.0.0.1", 1, &stream, .happy_eyeballs_delay = NAN), -EINVAL);
    expect_int(tusk_open_connection("127.0.0.1", 1, &stream, .happy_eyeballs_delay = -1), -EINVAL);
    expect_int(tusk_open_connection("127.0.0.1", 1, &stream, .server_hostname = "x"), -EINVAL);
    expect_int(tusk_open_connection("127.0.0.1", 1, &stream, .handshake_timeout = 1), -EINVAL);
    expect_text(tusk_message(), ".server_hostname and the time-outs of TLS mean nothing without .tls");
    expect_int(tusk_open_connection("127.0.0.1", 1, &stream, .shutdown_timeout = 1), -EINVAL);
    expect_int(tusk_open_connection("127.0.0.1", 1, &stream, .shutdown_timeout = NAN), -EINVAL);
    expect_int(tusk_open_unix_connection("/nowhere", &stream, .handshake_timeout = 1), -EINVAL);
    expect_int(tusk_open_unix_connection("/nowhere", &stream, .shutdown_timeout = 1), -EINVAL);
    expect_int(tusk_open_connection("127.0.0.1", 1, &stream, .local_port = 65536), -EINVAL);
    expect_int(tusk_open_connection("::1", 1, &stream, .family = AF_INET), TUSK_EAI_ADDRFAMILY);
    expect_int(tusk_open_connection("", 1, &stream), TUSK_EAI_NONAME);
    expect(stream == NULL);
    return 0;
}

static void test_refuses_nonsense(void **state)
{
    tusk_stream *stream;

    (void)state;
    play_live_quietly(misuse);
    assert_int_equal(tusk_open_connection("127.0.0.1", 1, &stream), TUSK_NOT_IN_TASK);
    assert_int_equal(tusk_open_unix_connection("/x", &stream), TUSK_NOT_IN_TASK);
}

/* ---- several addresses ---- */

/* The first refuses, so the second begins at once, however long the delay is. */
static int try_the_next(void *arg)
{
    int port = 0;
    int listening = net_listen("127.0.0.2", &port, 8);
    tusk_stream *stream;
    char text[64];

    (void)arg;
    tusk_try(tusk_open_connection("many.test", port, &stream, .happy_eyeballs_delay = INFINITY));
    expect(strncmp(tusk_stream_peername(stream, text, sizeof text), "127.0.0.2:", 10) == 0);
    tusk_stream_release(stream);
    tusk_close(listening);
    return 0;
}

static void test_next_address_after_a_failure(void **state)
{
    static const char *const hosts[] = {"127.0.0.3", "127.0.0.2", NULL};

    (void)state;
    net_resolve_to(hosts);
    play_live_quietly(try_the_next);
    net_resolve_really();
}

static int pass_a_silent_one(void *arg)
{
    int port = 0;
    int silent[NET_SILENT];
    int listening;
    tusk_stream *stream;
    char text[64];

    (void)arg;
    net_make_silent("127.0.0.3", &port, silent);
    listening = net_listen("127.0.0.2", &port, 8);
    expect(listening >= 0);
    tusk_try(tusk_open_connection("many.test", port, &stream, .happy_eyeballs_delay = 0.01));
    expect(strncmp(tusk_stream_peername(stream, text, sizeof text), "127.0.0.2:", 10) == 0);
    tusk_stream_release(stream);
    tusk_close(listening);
    net_close(silent, NET_SILENT);
    return 0;
}

static void test_next_address_after_the_delay(void **state)
{
    static const char *const hosts[] = {"127.0.0.3", "127.0.0.2", NULL};

    (void)state;
    net_resolve_to(hosts);
    play_live_quietly(pass_a_silent_one);
    net_resolve_really();
}

/* Without a delay the silent one keeps its turn. */
static int wait_for_a_silent_one(void *arg)
{
    int port = 0;
    int silent[NET_SILENT];
    tusk_stream *stream;
    tusk_timeout timeout;
    int rc;

    (void)arg;
    net_make_silent("127.0.0.3", &port, silent);
    tusk_try(tusk_timeout_enter(&timeout, 0.05));
    rc = tusk_open_connection("many.test", port, &stream, .happy_eyeballs_delay = INFINITY);
    expect_int(tusk_timeout_exit(&timeout, rc), -ETIMEDOUT);
    net_close(silent, NET_SILENT);
    return 0;
}

static void test_time_out(void **state)
{
    static const char *const hosts[] = {"127.0.0.3", "127.0.0.2", NULL};

    (void)state;
    net_resolve_to(hosts);
    play_live_quietly(wait_for_a_silent_one);
    net_resolve_really();
}

/* An address of which no machine has one: the network may say so, or say nothing. */
static int reach_nowhere(void *arg)
{
    tusk_stream *stream;
    tusk_timeout timeout;
    int rc;

    (void)arg;
    tusk_try(tusk_timeout_enter(&timeout, 0.2));
    rc = tusk_open_connection("192.0.2.1", 9, &stream);
    rc = tusk_timeout_exit(&timeout, rc);
    expect(rc == -ETIMEDOUT || rc == -ENETUNREACH || rc == -EHOSTUNREACH || rc == -ECONNREFUSED);
    if (rc == 0)
        tusk_stream_release(stream);
    return 0;
}

static void test_unreachable(void **state)
{
    (void)state;
    play_live_quietly(reach_nowhere);
}

/*
 * The order of the addresses, by the message that names them all. Nobody listens on the first kind,
 * and without a scope the second kind leads nowhere.
 */
static int fail_everywhere(void *arg)
{
    const struct tusk_connection_options *options = arg;
    tusk_stream *stream;
    int rc = (tusk_open_connection)("many.test", 1, &stream, options);

    expect(rc < 0);
    for (const char *at = tusk_message() ? tusk_message() : ""; *at; at++)
        if (strncmp(at, "127.0.0.", 8) == 0 || strncmp(at, "[fe80::", 7) == 0)
            trace("%c", *at == '[' ? at[7] : at[8]);
    return 0;
}

static struct tusk_connection_options order_options;

static int fail_in_order(void *arg)
{
    (void)arg;
    return fail_everywhere(&order_options);
}

static void expect_order(double delay, int interleave, const char *wanted)
{
    order_options = (struct tusk_connection_options){.happy_eyeballs_delay = delay, .interleave = interleave};
    assert_int_equal(play_live(fail_in_order), 0);
    assert_string_equal(stage_trace, wanted);
}

static void test_order_of_addresses(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "fe80::7", "127.0.0.4",
                                        "fe80::8",   "fe80::9",   "fe80::a",   "fe80::b", NULL};

    (void)state;
    net_resolve_to(hosts);
    expect_order(0, 0, "1 7 2 8 3 9 4 a b");
    expect_order(0, 1, "1 7 2 8 3 9 4 a b");
    expect_order(0, 2, "1 2 7 3 8 4 9 a b");
    expect_order(0, 99, "1 2 3 4 7 8 9 a b");
    expect_order(INFINITY, 0, "1 2 3 7 4 8 9 a b");
    expect_order(INFINITY, 1, "1 7 2 8 3 9 4 a b");
    net_resolve_really();
}

/* The code is the first address's; what differs is told of each. */
static int fail_differently(void *arg)
{
    tusk_stream *stream;
    char wanted[256];
    int port = net_free_port();

    (void)arg;
    snprintf(wanted, sizeof wanted, "cannot connect: 127.0.0.1:%d: %s, 255.255.255.255:%d: %s", port,
             tusk_strerror(-ECONNREFUSED), port, tusk_strerror(-ENETUNREACH));
    expect_int(tusk_open_connection("many.test", port, &stream), -ECONNREFUSED);
    expect_text(tusk_message(), wanted);
    return 0;
}

static void test_all_fail(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "255.255.255.255", NULL};

    (void)state;
    net_resolve_to(hosts);
    play_live_quietly(fail_differently);
    net_resolve_really();
}

/* Both get an answer in the same poll: one wins, and the other is closed. */
static int race_two(void *arg)
{
    int port = 0;
    int first = net_listen("127.0.0.2", &port, 8);
    int second = net_listen("127.0.0.3", &port, 8);
    tusk_stream *stream;

    (void)arg;
    expect(second >= 0);
    tusk_try(tusk_open_connection("many.test", port, &stream, .happy_eyeballs_delay = 1e-9));
    tusk_stream_release(stream);
    tusk_close(first);
    tusk_close(second);
    return 0;
}

static void test_one_wins(void **state)
{
    static const char *const hosts[] = {"127.0.0.2", "127.0.0.3", NULL};

    (void)state;
    net_resolve_to(hosts);
    for (int i = 0; i < 20; i++)
        play_live_quietly(race_two);
    net_resolve_really();
}

static int talk_by_ipv6(void *arg)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof address;
    int listening = tusk_socket(AF_INET6, SOCK_STREAM, 0);

    (void)arg;
    tusk_try(listening);
    tusk_try(tusk_bind(listening, (struct sockaddr *)&address, size));
    tusk_try(tusk_listen(listening, 0));
    getsockname(listening, (struct sockaddr *)&address, &size);
    return talk_to("::1", listening, ntohs(address.sin6_port));
}

static void test_ipv6(void **state)
{
    (void)state;
    if (!net_has_ipv6())
        skip();
    play_live_quietly(talk_by_ipv6);
}

/* ---- cancels ---- */

static int cancel_port;

static int connect_and_release(void *arg)
{
    tusk_stream *stream;

    (void)arg;
    tusk_try(tusk_open_connection("many.test", cancel_port, &stream, .happy_eyeballs_delay = 0.0005));
    tusk_stream_release(stream);
    return 0;
}

/* Cancels a connect after so many iterations, whatever it is doing then. */
static int cancel_after(int iterations)
{
    tusk_task *task = tusk_create_task(connect_and_release, NULL);
    int rc;

    for (int i = 0; i < iterations && !tusk_future_done(task); i++)
        tusk_try(tusk_sleep(0.0002));
    tusk_task_cancel(task);
    rc = tusk_await(task);
    expect(rc == 0 || rc == -ECANCELED);
    return rc;
}

static int cancel_anywhere(void *arg)
{
    int silent[NET_SILENT];
    int listening, rc;
    int i = 0;

    (void)arg;
    cancel_port = 0;
    net_make_silent("127.0.0.3", &cancel_port, silent);
    listening = net_listen("127.0.0.2", &cancel_port, 1024);
    do
        rc = cancel_after(i++);
    while (rc == -ECANCELED && i < 2000);
    expect_int(rc, 0);
    tusk_close(listening);
    net_close(silent, NET_SILENT);
    return 0;
}

static void test_cancelled_anywhere(void **state)
{
    static const char *const hosts[] = {"127.0.0.3", "127.0.0.4", "127.0.0.2", NULL};

    (void)state;
    net_resolve_to(hosts);
    play_live_quietly(cancel_anywhere);
    net_resolve_really();
}

/* ---- want ---- */

static int fail_after;

static int connect_in_want(void *arg)
{
    int port = 0;
    int listening = net_listen("127.0.0.1", &port, 8);
    tusk_stream *stream;
    int rc;

    (void)arg;
    tusk__fail_after(fail_after);
    rc = tusk_open_connection("127.0.0.1", port, &stream);
    tusk__fail_after(0);
    if (rc == 0)
        tusk_stream_release(stream);
    tusk_close(listening);
    return rc;
}

static void test_every_failure(void **state)
{
    int rc;

    (void)state;
    fail_after = 0;
    do {
        fail_after++;
        rc = play_live(connect_in_want);
        assert_true(rc == 0 || rc == -ENOMEM || rc == -EMFILE || rc == -ENOSPC);
    } while (rc < 0 && fail_after < 100);
    assert_int_equal(rc, 0);
    assert_true(fail_after > 4);
}

static int connect_without_descriptors(void *arg)
{
    struct rlimit old, none;
    tusk_stream *stream;
    int rc;

    (void)arg;
    getrlimit(RLIMIT_NOFILE, &old);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    rc = tusk_open_connection("127.0.0.1", 1, &stream);
    setrlimit(RLIMIT_NOFILE, &old);
    expect_int(rc, -EMFILE);
    return 0;
}

static void test_out_of_descriptors(void **state)
{
    (void)state;
    play_live_quietly(connect_without_descriptors);
}

/* ---- Unix sockets ---- */

static char unix_path[128];

static const char *make_unix_path(const char *name)
{
    snprintf(unix_path, sizeof unix_path, "%stusk-test-%d-%s", name[0] == '@' ? "@" : "/tmp/", (int)getpid(),
             name[0] == '@' ? name + 1 : name);
    return unix_path;
}

static int talk_by_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    int listening = tusk_socket(AF_UNIX, SOCK_STREAM, 0);
    tusk_task *peer;
    tusk_stream *stream;
    char text[128];

    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    else
        size++;
    tusk_try(tusk_bind(listening, (struct sockaddr *)&address, size));
    tusk_try(tusk_listen(listening, 0));
    peer = tusk_create_task(echo_once, as_arg(listening));
    tusk_try(tusk_open_unix_connection(path, &stream));
    expect_text(tusk_stream_peername(stream, text, sizeof text), path);
    expect_echo(stream);
    tusk_stream_release(stream);
    tusk_try(tusk_await(peer));
    return tusk_close(listening);
}

static int talk_by_path(void *arg)
{
    const char *path = make_unix_path("talk");
    tusk_stream *stream;

    (void)arg;
    tusk_try(talk_by_unix(path));
    expect_int(tusk_open_unix_connection(path, &stream), -ECONNREFUSED);
    unlink(path);
    expect_int(tusk_open_unix_connection(path, &stream), -ENOENT);
    expect(strstr(tusk_message(), path));
    return 0;
}

static int talk_by_name(void *arg)
{
    tusk_stream *stream;

    (void)arg;
    tusk_try(talk_by_unix(make_unix_path("@talk")));
    expect_int(tusk_open_unix_connection(unix_path, &stream), -ECONNREFUSED);
    return 0;
}

/* A path of that many bytes. */
static const char *long_path(char *path, size_t length)
{
    memset(path, 'x', length);
    path[0] = '/';
    path[length] = '\0';
    return path;
}

static int try_long_paths(void *arg)
{
    const size_t room = sizeof((struct sockaddr_un *)0)->sun_path;
    tusk_stream *stream;
    char path[256];

    (void)arg;
    expect_int(tusk_open_unix_connection(long_path(path, room - 1), &stream), -ENOENT);
    expect_int(tusk_open_unix_connection(long_path(path, room), &stream), -ENAMETOOLONG);
    expect_int(tusk_open_unix_connection(long_path(path, 255), &stream), -ENAMETOOLONG);
    expect_int(tusk_open_unix_connection("", &stream), -EINVAL);
    expect_int(tusk_open_unix_connection(NULL, &stream), -EINVAL);
    return 0;
}

static void test_unix(void **state)
{
    (void)state;
    play_live_quietly(talk_by_path);
}

static void test_unix_abstract(void **state)
{
    (void)state;
    play_live_quietly(talk_by_name);
}

static void test_unix_path_is_never_cut(void **state)
{
    (void)state;
    play_live_quietly(try_long_paths);
}

/* ---- many ---- */

static int connect_to_cancel_port(void *arg)
{
    tusk_stream *stream;

    (void)arg;
    tusk_try(tusk_open_connection("127.0.0.1", cancel_port, &stream));
    tusk_stream_release(stream);
    return 0;
}

static int connect_many(void *arg)
{
    enum { COUNT = 200 };
    tusk_task *tasks[COUNT];
    int listening;

    (void)arg;
    cancel_port = 0;
    listening = net_listen("127.0.0.1", &cancel_port, COUNT);
    for (int i = 0; i < COUNT; i++)
        tasks[i] = tusk_create_task(connect_to_cancel_port, NULL);
    tusk_try(tusk_await(tusk_gather(tasks, COUNT)));
    tusk_close(listening);
    return 0;
}

static void test_many_at_once(void **state)
{
    (void)state;
    play_live_quietly(connect_many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_connects),
        live_test(test_has_no_delay),
        live_test(test_connects_from_an_address),
        live_test(test_refused),
        live_test(test_refuses_nonsense),
        live_test(test_next_address_after_a_failure),
        live_test(test_next_address_after_the_delay),
        live_test(test_time_out),
        live_test(test_unreachable),
        live_test(test_order_of_addresses),
        live_test(test_all_fail),
        live_test(test_one_wins),
        live_test(test_ipv6),
        live_test(test_cancelled_anywhere),
        live_test(test_every_failure),
        live_test(test_out_of_descriptors),
        live_test(test_unix),
        live_test(test_unix_abstract),
        live_test(test_unix_path_is_never_cut),
        live_test(test_many_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
