/*
 * Each allocation fails once, and each system call: a scenario then ends with an error
 * of its own, no descriptor and no memory is left, and nobody waits for ever.
 */
#include "task/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/un.h>

#include "io/calls.h"
#include "io/ends.h"
#include "support/live.h"

/* More than any scenario needs: beyond it, one does not come to its end. */
enum { N_MAX = 5000 };

/* What a scenario has opened, to be closed whatever happens. -1: nothing. */
struct opened {
    int fds[8];
    int count;
};

static int keep(struct opened *opened, int fd)
{
    if (fd >= 0)
        opened->fds[opened->count++] = fd;
    return fd;
}

static void close_all(struct opened *opened)
{
    for (int i = 0; i < opened->count; i++)
        tusk_close(opened->fds[i]);
    opened->count = 0;
}

/* ---- scenarios ---- */

static int echo(void *arg)
{
    char buffer[100];
    ssize_t count;

    while ((count = tusk_read((int)(intptr_t)arg, buffer, sizeof buffer)) > 0)
        tusk_try(tusk_sendall((int)(intptr_t)arg, buffer, (size_t)count));
    return (int)count;
}

/* A client and a server that ends with it. */
static int talk(int client, int server)
{
    char buffer[100];
    tusk_task *task = tusk_create_task(echo, as_arg(server));
    int rc = 0;

    for (int i = 0; i < 3 && rc >= 0; i++) {
        rc = tusk_sendall(client, "hello", 5);
        rc = rc < 0 ? rc : (int)tusk_read(client, buffer, sizeof buffer);
    }
    /* It may have failed, and then nobody answers. */
    tusk_task_cancel(task);
    tusk_release(task);
    tusk_try(tusk_sleep(0));
    return rc < 0 ? rc : 0;
}

static int one_answers(int client, int server)
{
    tusk_timeout timeout;
    int rc = tusk_timeout_enter(&timeout, 10);

    return rc < 0 ? rc : tusk_timeout_exit(&timeout, talk(client, server));
}

static int pairs(struct opened *opened)
{
    int fds[2];

    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    keep(opened, fds[0]);
    keep(opened, fds[1]);
    tusk_try(one_answers(fds[0], fds[1]));
    tusk_try(tusk_pipe(fds));
    keep(opened, fds[0]);
    keep(opened, fds[1]);
    tusk_try((int)tusk_write(fds[1], "x", 1));
    return (int)tusk_readv(fds[0], (struct iovec[]){{fds, 1}, {fds, 1}}, 2);
}

static int connections(struct opened *opened)
{
    struct sockaddr_in address = tcp_address(0);
    socklen_t size = sizeof address;
    int listener = keep(opened, tusk_socket(AF_INET, SOCK_STREAM, 0));
    int client = keep(opened, tusk_socket(AF_INET, SOCK_STREAM, 0));
    int server;

    tusk_try(listener);
    tusk_try(client);
    tusk_try(tusk_bind(listener, (struct sockaddr *)&address, size));
    tusk_try(tusk_listen(listener, 0));
    getsockname(listener, (struct sockaddr *)&address, &size);
    tusk_try(tusk_connect(client, (struct sockaddr *)&address, size));
    server = keep(opened, tusk_accept(listener, NULL, NULL));
    tusk_try(server);
    return one_answers(client, server);
}

static int messages(struct opened *opened)
{
    struct sockaddr_in address = tcp_address(0), from;
    socklen_t size = sizeof address;
    char buffer[10];
    int fds[2];

    fds[0] = keep(opened, tusk_socket(AF_INET, SOCK_DGRAM, 0));
    fds[1] = keep(opened, tusk_socket(AF_INET, SOCK_DGRAM, 0));
    tusk_try(fds[0]);
    tusk_try(fds[1]);
    tusk_try(tusk_bind(fds[0], (struct sockaddr *)&address, size));
    getsockname(fds[0], (struct sockaddr *)&address, &size);
    tusk_try((int)tusk_sendto(fds[1], "abc", 3, 0, (struct sockaddr *)&address, size));
    return (int)tusk_recvfrom(fds[0], buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size);
}

static int files(struct opened *opened)
{
    char path[] = "/tmp/tusk-file-XXXXXX";
    int file = keep(opened, mkstemp(path));
    char buffer[100];
    int fds[2];

    expect(file >= 0);
    unlink(path);
    tusk_try((int)tusk_write(file, "hello", 5));
    tusk_try((int)tusk_pread(file, buffer, 5, 0));
    tusk_try((int)tusk_pread(file, buffer, 100, 5));
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    keep(opened, fds[0]);
    keep(opened, fds[1]);
    tusk_try((int)tusk_sendfile(fds[0], file, 0, 0));
    return (int)tusk_read(fds[1], buffer, sizeof buffer);
}

struct counter {
    int fd;
    int calls;
};

/* Virtual time stands still as long as there is something to read: it reads. */
static int count_and_read(void *arg)
{
    struct counter *counter = arg;
    char byte;

    counter->calls++;
    return recv(counter->fd, &byte, 1, 0) < 0 ? -errno : 0;
}

static int poll_then_write(void *arg)
{
    const int *fds = arg;

    tusk_try(tusk_poll_fd(fds[0], POLLOUT));
    tusk_try(tusk_sleep(1));
    return (int)tusk_write(fds[0], "x", 1);
}

static int watchers(struct opened *opened)
{
    struct counter counter = {.calls = 0};
    tusk_task *task;
    int fds[2];
    int rc;

    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    keep(opened, fds[0]);
    keep(opened, fds[1]);
    counter.fd = fds[1];
    tusk_try(tusk_add_reader(fds[1], count_and_read, &counter));
    task = tusk_create_task(poll_then_write, fds);
    rc = tusk_await(task);
    if (rc > 0)
        rc = tusk_sleep(1);
    expect(rc < 0 || counter.calls > 0);
    expect(tusk_remove_reader(fds[1]));
    return rc;
}

/* ---- failures ---- */

static int (*current)(struct opened *opened);
static long fail_call;

static int drop_report(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    expect(context->message != NULL);
    return 0;
}

static int run_scenario(void *arg)
{
    struct opened opened = {.count = 0};
    int rc;

    (void)arg;
    tusk_loop_set_exception_handler(tusk_get_running_loop(), drop_report, NULL);
    calls_watch();
    calls_until_failure = fail_call;
    rc = current(&opened);
    close_all(&opened);
    return rc;
}

static bool is_defined(int rc)
{
    return rc >= 0 || rc == -ENOMEM || rc == -EMFILE || rc == -ENOSPC || rc == -EIO || rc == -ECANCELED ||
           rc == -EAGAIN || rc == -ETIMEDOUT;
}

static void check(int rc, size_t live, size_t descriptors, const char *what, long n)
{
    if (!is_defined(rc))
        fail_msg("%s %ld fails: %s", what, n, tusk_errorname(rc));
    live_wait_for_blocks(live);
    if (tusk__live() != live)
        fail_msg("%s %ld fails: %zu blocks instead of %zu", what, n, tusk__live(), live);
    if (open_descriptors() != descriptors)
        fail_msg("%s %ld fails: %zu descriptors instead of %zu", what, n, open_descriptors(), descriptors);
    if (stage_failures > 0)
        fail_msg("%s %ld fails: a wrong result", what, n);
}

/* True if the nth operation was reached. */
static bool operation_fails(long n)
{
    size_t live = tusk__live(), descriptors = open_descriptors();
    bool reached;
    int rc;

    fail_call = 0;
    tusk__fail_after(n);
    rc = tusk_run(run_scenario, NULL, .clock = TUSK_CLOCK_VIRTUAL);
    reached = atomic_load(&tusk__fail_countdown) == 0;
    tusk__fail_after(0);
    check(rc, live, descriptors, "operation", n);
    return reached;
}

static bool call_fails(long n)
{
    size_t live = tusk__live(), descriptors = open_descriptors();
    int rc;

    fail_call = n;
    rc = tusk_run(run_scenario, NULL, .clock = TUSK_CLOCK_VIRTUAL);
    check(rc, live, descriptors, "call", n);
    return calls_until_failure == 0;
}

static void fail_each(int (*scenario)(struct opened *opened))
{
    long n = 1;

    stage_clean();
    current = scenario;
    while (operation_fails(n))
        assert_true(++n < N_MAX);
    assert_true(n > 5);
    n = 1;
    while (call_fails(n))
        assert_true(++n < N_MAX);
    assert_true(n > 3);
}

static void test_pairs(void **state)
{
    (void)state;
    fail_each(pairs);
}

static void test_connections(void **state)
{
    (void)state;
    fail_each(connections);
}

static void test_messages(void **state)
{
    (void)state;
    fail_each(messages);
}

static void test_files(void **state)
{
    (void)state;
    fail_each(files);
}

static void test_watchers(void **state)
{
    (void)state;
    fail_each(watchers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs), cmocka_unit_test(test_connections), cmocka_unit_test(test_messages),
        cmocka_unit_test(test_files), cmocka_unit_test(test_watchers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
