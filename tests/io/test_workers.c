#include "io/net.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

/*
 * Assertions of cmocka belong to the main thread, and expect() to one thread at a time: so workers
 * count in atomics what they saw, and the tests look at these.
 */
enum { WORKERS = 4, CLIENTS = 400 };

static atomic_int begun, ended, wrong;
/* The client is about to interrupt. */
static atomic_bool over;
static atomic_int port;
static atomic_int served[WORKERS];

static void check(bool is_right)
{
    if (!is_right)
        atomic_fetch_add(&wrong, 1);
}

static void clean(void)
{
    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    atomic_store(&wrong, 0);
    atomic_store(&over, false);
    atomic_store(&port, 0);
    for (int i = 0; i < WORKERS; i++)
        atomic_store(&served[i], 0);
}

/* ---- runs ---- */

static int count_in(void *arg)
{
    check(*(int *)arg == 42);
    check(tusk_worker_index() >= 0 && tusk_worker_index() < WORKERS);
    atomic_fetch_add(&served[tusk_worker_index()], 1);
    tusk_try(tusk_sleep(0.001));
    return 7;
}

static void test_each_runs_once(void **state)
{
    int number = 42;

    (void)state;
    clean();
    assert_int_equal(tusk_worker_index(), -1);
    assert_int_equal(tusk_workers(WORKERS, count_in, &number), 0);
    assert_int_equal(atomic_load(&wrong), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(atomic_load(&served[i]), 1);
    assert_int_equal(tusk_worker_index(), -1);
}

static int count_begun(void *arg)
{
    (void)arg;
    atomic_fetch_add(&begun, 1);
    return 0;
}

static void test_one_a_processor(void **state)
{
    (void)state;
    clean();
    assert_int_equal(tusk_workers(0, count_begun, NULL), 0);
    assert_int_equal(atomic_load(&begun), (int)tusk__processor_count());
}

static int wait_for_cancel(void *arg)
{
    int rc;

    (void)arg;
    atomic_fetch_add(&begun, 1);
    rc = tusk_sleep(INFINITY);
    check(rc == -ECANCELED);
    atomic_fetch_add(&ended, 1);
    return rc;
}

static int fail_in_the_second(void *arg)
{
    if (tusk_worker_index() != 1)
        return wait_for_cancel(arg);
    while (atomic_load(&begun) < WORKERS - 1)
        tusk_try(tusk_sleep(0.001));
    return tusk_raise(-EIO, "no milk in worker %d", tusk_worker_index());
}

static void test_first_error_ends_all(void **state)
{
    (void)state;
    clean();
    assert_int_equal(tusk_workers(WORKERS, fail_in_the_second, NULL), -EIO);
    assert_string_equal(tusk_message(), "no milk in worker 1");
    assert_int_equal(atomic_load(&ended), WORKERS - 1);
    assert_int_equal(atomic_load(&wrong), 0);
}

/* The first of them fails at once: others may not have begun, and then they do not. */
static int fail_at_once_in_one(void *arg)
{
    return tusk_worker_index() == 0 ? -EIO : wait_for_cancel(arg);
}

static void test_error_before_the_others_begin(void **state)
{
    (void)state;
    for (int i = 0; i < live_count(50, 5); i++) {
        clean();
        assert_int_equal(tusk_workers(WORKERS, fail_at_once_in_one, NULL), -EIO);
        assert_int_equal(atomic_load(&begun), atomic_load(&ended));
    }
}

static int call_inside(void *arg)
{
    (void)arg;
    return tusk_workers(1, count_begun, NULL) == TUSK_LOOP_RUNNING ? 0 : -EIO;
}

static void test_refuses_nonsense(void **state)
{
    (void)state;
    assert_int_equal(tusk_workers(1, NULL, NULL), -EINVAL);
    assert_int_equal(tusk_workers(1, count_begun, NULL, .poller = "none"), -EINVAL);
    assert_int_equal(tusk_run(call_inside, NULL), 0);
    assert_int_equal(tusk_workers(1, call_inside, NULL), 0);
}

/* ---- Ctrl-C ---- */

static int interrupt(void *arg)
{
    if (atomic_fetch_add(&begun, 1) == WORKERS - 1)
        kill(getpid(), SIGINT);
    (void)arg;
    return tusk_sleep(INFINITY);
}

static void test_interrupt(void **state)
{
    (void)state;
    clean();
    assert_int_equal(tusk_workers(WORKERS, interrupt, NULL), -EINTR);
    assert_int_equal(atomic_load(&begun), WORKERS);
}

/* Workers that take the cancel for a wish to end well. */
static int end_well(void *arg)
{
    interrupt(arg);
    tusk_task_uncancel(tusk_current_task());
    atomic_fetch_add(&ended, 1);
    return 0;
}

static void test_interrupt_that_is_obeyed(void **state)
{
    (void)state;
    clean();
    assert_int_equal(tusk_workers(WORKERS, end_well, NULL), 0);
    assert_int_equal(atomic_load(&ended), WORKERS);
}

/* ---- want ---- */

static int count_and_wait(tusk_stream *stream, void *arg);

static int serve_for_a_moment(void *arg)
{
    tusk_server *server;

    tusk_try(tusk_start_server(count_and_wait, arg, "127.0.0.1", 0, &server));
    tusk_server_release(server);
    return 0;
}

static void test_every_failure(void **state)
{
    bool reached = true;

    (void)state;
    for (int n = 1; reached; n++) {
        int rc;

        tusk__fail_after(n);
        rc = tusk_workers(2, serve_for_a_moment, NULL);
        reached = atomic_load(&tusk__fail_countdown) == 0;
        tusk__fail_after(0);
        assert_true(rc == 0 || rc == -ENOMEM || rc == -EMFILE || rc == -ENOSPC || rc == -EAGAIN);
        assert_true(n < 500);
    }
}

/* ---- servers ---- */

static int count_and_wait(tusk_stream *stream, void *arg)
{
    char byte;

    (void)arg;
    atomic_fetch_add(&served[tusk_worker_index()], 1);
    tusk_try(tusk_stream_write(stream, "x", 1));
    return (int)tusk_stream_read(stream, &byte, 1);
}

static int serve_until_closed(void *arg)
{
    tusk_server *server;
    int none = 0;
    int rc;

    (void)arg;
    tusk_try(tusk_start_server(count_and_wait, NULL, "127.0.0.1", 0, &server));
    /* All of them got the same port, although each has asked for any. */
    if (!atomic_compare_exchange_strong(&port, &none, tusk_server_port(server)))
        check(none == tusk_server_port(server));
    atomic_fetch_add(&begun, 1);
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    atomic_fetch_add(&ended, 1);
    return rc;
}

/* What a thread of the test does against the workers. */
static void (*play_client)(void);

static void *run_client(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000 && atomic_load(&begun) < WORKERS; i++)
        live_sleep_ms(1);
    play_client();
    atomic_store(&over, true);
    kill(getpid(), SIGINT);
    return NULL;
}

static void run_against(tusk_coro *coro, void (*client)(void))
{
    pthread_t thread;

    clean();
    play_client = client;
    assert_int_equal(pthread_create(&thread, NULL, run_client, NULL), 0);
    assert_int_equal(tusk_workers(WORKERS, coro, NULL), -EINTR);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&wrong), 0);
}

/* A blocking connection that has been served. */
static int connect_and_read(void)
{
    struct sockaddr_in address = net_address("127.0.0.1", atomic_load(&port));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte = 0;

    check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    check(read(fd, &byte, 1) == 1 && byte == 'x');
    return fd;
}

static void connect_one_by_one(void)
{
    int fds[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        fds[i] = connect_and_read();
    net_close(fds, CLIENTS);
}

static void connect_all_at_once(void)
{
    int fds[CLIENTS];
    char byte;

    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = net_connect("127.0.0.1", atomic_load(&port));
        check(fds[i] >= 0);
        /* As many as the queue holds, for the system is slow to ask again. */
        if (i % 50 == 49)
            live_sleep_ms(50);
    }
    for (int i = 0; i < CLIENTS; i++) {
        fcntl(fds[i], F_SETFL, 0);
        check(read(fds[i], &byte, 1) == 1);
    }
    net_close(fds, CLIENTS);
}

/* Within 10 % of an equal share. */
static void expect_even(const char *how)
{
    const int share = CLIENTS / WORKERS;

    printf("%s: %d %d %d %d\n", how, atomic_load(&served[0]), atomic_load(&served[1]),
           atomic_load(&served[2]), atomic_load(&served[3]));
    for (int i = 0; i < WORKERS; i++)
        assert_in_range(atomic_load(&served[i]), share - share / 10, share + share / 10);
}

static void test_clients_are_spread_evenly(void **state)
{
    (void)state;
    run_against(serve_until_closed, connect_one_by_one);
    expect_even("one by one");
    run_against(serve_until_closed, connect_all_at_once);
    expect_even("all at once");
}

/* Each connection has gone when the next one comes: nobody is busier than others. */
static void connect_in_turn(void)
{
    for (int i = 0; i < CLIENTS; i++)
        close(connect_and_read());
}

static void test_short_connections(void **state)
{
    int sum = 0;

    (void)state;
    run_against(serve_until_closed, connect_in_turn);
    for (int i = 0; i < WORKERS; i++)
        sum += atomic_load(&served[i]);
    assert_int_equal(sum, CLIENTS);
}

/* The first worker closes its server and starts it again: meanwhile the others serve. */
static int serve_now_and_then(void *arg)
{
    if (tusk_worker_index() > 0)
        return serve_until_closed(arg);
    while (atomic_load(&begun) < WORKERS - 1)
        tusk_try(tusk_sleep(0.001));
    atomic_fetch_add(&begun, 1);
    for (;;) {
        tusk_server *server;

        tusk_try(tusk_start_server(count_and_wait, NULL, "127.0.0.1", 0, &server));
        /* When the others have ended it is the first one again, and gets a port of its own. */
        check(tusk_server_port(server) == atomic_load(&port) || atomic_load(&over));
        tusk_try(tusk_sleep(0.0005));
        tusk_server_release(server);
        tusk_try(tusk_sleep(0.0005));
    }
}

static void test_a_worker_comes_and_goes(void **state)
{
    int sum = 0;

    (void)state;
    run_against(serve_now_and_then, connect_one_by_one);
    for (int i = 0; i < WORKERS; i++)
        sum += atomic_load(&served[i]);
    assert_int_equal(sum, CLIENTS);
}

/* A worker whose loop is busy accepts nothing; the others do. */
static int serve_or_block(void *arg)
{
    tusk_server *server;
    int none = 0;

    (void)arg;
    if (tusk_worker_index() > 0)
        return serve_until_closed(arg);
    tusk_try(tusk_start_server(count_and_wait, NULL, "127.0.0.1", 0, &server, .no_start_serving = true));
    if (!atomic_compare_exchange_strong(&port, &none, tusk_server_port(server)))
        check(none == tusk_server_port(server));
    atomic_fetch_add(&begun, 1);
    while (atomic_load(&ended) == 0)
        live_sleep_ms(1);
    tusk_server_release(server);
    return tusk_sleep(INFINITY);
}

static void connect_to_the_others(void)
{
    connect_in_turn();
    atomic_fetch_add(&ended, 1);
}

static void test_one_that_does_not_serve(void **state)
{
    (void)state;
    run_against(serve_or_block, connect_to_the_others);
    assert_int_equal(atomic_load(&served[0]), 0);
}

static int start_on_taken_port(void *arg)
{
    tusk_server *server;

    tusk_try(tusk_start_server(count_and_wait, NULL, "127.0.0.1", *(int *)arg, &server));
    tusk_server_release(server);
    return 0;
}

static void test_port_in_use(void **state)
{
    int taken = 0;
    int fd = net_listen("127.0.0.1", &taken, 1);

    (void)state;
    assert_int_equal(tusk_workers(WORKERS, start_on_taken_port, &taken), -EADDRINUSE);
    assert_non_null(strstr(tusk_message(), "127.0.0.1"));
    close(fd);
    assert_int_equal(tusk_workers(WORKERS, start_on_taken_port, &taken), 0);
}

/* Two servers of one worker on the same address are two. */
static int start_two(void *arg)
{
    tusk_server *first, *second, *third;

    (void)arg;
    tusk_try(tusk_start_server(count_and_wait, NULL, "127.0.0.1", 0, &first));
    tusk_try(tusk_start_server(count_and_wait, NULL, "127.0.0.1", 0, &second));
    check(tusk_server_port(first) != tusk_server_port(second));
    check(tusk_start_server(count_and_wait, NULL, "127.0.0.1", tusk_server_port(first), &third) ==
          -EADDRINUSE);
    tusk_server_release(first);
    tusk_server_release(second);
    return 0;
}

static void test_two_servers_in_a_worker(void **state)
{
    (void)state;
    clean();
    assert_int_equal(tusk_workers(WORKERS, start_two, NULL), 0);
    assert_int_equal(atomic_load(&wrong), 0);
}

static char unix_path[108];

static int serve_unix(void *arg)
{
    tusk_server *server;
    int rc;

    (void)arg;
    tusk_try(tusk_start_unix_server(count_and_wait, NULL, unix_path, &server));
    atomic_fetch_add(&begun, 1);
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    return rc;
}

static void connect_by_path(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fds[CLIENTS];
    char byte;

    strcpy(address.sun_path, unix_path);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check(connect(fds[i], (struct sockaddr *)&address, sizeof address) == 0);
        check(read(fds[i], &byte, 1) == 1);
    }
    net_close(fds, CLIENTS);
}

static void test_unix_servers(void **state)
{
    (void)state;
    snprintf(unix_path, sizeof unix_path, "/tmp/tusk-test-%d-workers", (int)getpid());
    run_against(serve_unix, connect_by_path);
    expect_even("by a path");
    assert_int_equal(access(unix_path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_each_runs_once),
        live_test(test_one_a_processor),
        live_test(test_first_error_ends_all),
        live_test(test_error_before_the_others_begin),
        live_test(test_refuses_nonsense),
        live_test(test_interrupt),
        live_test(test_interrupt_that_is_obeyed),
        live_test(test_every_failure),
        live_test(test_clients_are_spread_evenly),
        live_test(test_short_connections),
        live_test(test_a_worker_comes_and_goes),
        live_test(test_one_that_does_not_serve),
        live_test(test_port_in_use),
        live_test(test_two_servers_in_a_worker),
        live_test(test_unix_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
