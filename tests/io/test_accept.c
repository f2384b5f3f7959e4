/*
 * Connections: accept and connect.
 */
#include "io/descriptor.h"

#include "task/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "io/calls.h"
#include "io/ends.h"
#include "support/live.h"

static int accept_one(void *arg)
{
    return tusk_accept((int)(intptr_t)arg, NULL, NULL);
}

/* ---- accept ---- */

static int accept_several(void *arg)
{
    struct sockaddr_in address, from, own;
    socklen_t size = sizeof from, own_size = sizeof own;
    tusk_task *task;
    int clients[3], servers[3];
    int listener = tcp_listen(&address, 10);

    (void)arg;
    /* One that waits for it, and two that wait in the queue. */
    task = tusk_create_task(accept_one, as_arg(listener));
    tusk_try(tusk_sleep(0));
    for (int i = 0; i < 3; i++)
        clients[i] = tcp_connect(&address);
    servers[0] = tusk_await(task);
    servers[1] = tusk_accept(listener, (struct sockaddr *)&from, &size);
    servers[2] = tusk_accept(listener, NULL, NULL);
    expect_int(size, sizeof from);
    expect_int(getsockname(clients[1], (struct sockaddr *)&own, &own_size), 0);
    expect_int(from.sin_port, own.sin_port);
    for (int i = 0; i < 3; i++) {
        char byte;

        expect(servers[i] >= 0);
        expect(fcntl(servers[i], F_GETFL) & O_NONBLOCK);
        expect(fcntl(servers[i], F_GETFD) & FD_CLOEXEC);
        expect_int(tusk_write(clients[i], "x", 1), 1);
        expect_int(tusk_read(servers[i], &byte, 1), 1);
        close_both((int[]){clients[i], servers[i]});
    }
    return tusk_close(listener);
}

static void test_connections_in_the_queue(void **state)
{
    (void)state;
    play_quietly(accept_several);
}

/* Of many that wait each gets one. */
static int accept_by_many(void *arg)
{
    enum { TASKS = 8 };
    struct sockaddr_in address;
    int listener = tcp_listen(&address, TASKS);
    tusk_task *tasks[TASKS];
    int clients[TASKS];

    (void)arg;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = tusk_create_task(accept_one, as_arg(listener));
    tusk_try(tusk_sleep(0));
    for (int i = 0; i < TASKS; i++)
        clients[i] = tcp_connect(&address);
    for (int i = 0; i < TASKS; i++) {
        int fd = tusk_await(tasks[i]);

        expect(fd >= 0);
        close_both((int[]){fd, clients[i]});
    }
    return tusk_close(listener);
}

static void test_many_that_accept(void **state)
{
    (void)state;
    play_quietly(accept_by_many);
}

/* The peer gave it up while it stood in the queue. */
static int aborted(void *arg)
{
    struct linger at_once = {.l_onoff = 1};
    struct sockaddr_in address;
    char byte;
    int clients[2], servers[2];
    int listener;

    (void)arg;
    calls_watch();
    listener = tcp_listen(&address, 10);
    clients[0] = tcp_connect(&address);
    setsockopt(clients[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    expect_int(tusk_close(clients[0]), 0);
    clients[1] = tcp_connect(&address);
    /* Linux hands it out all the same; other systems say ECONNABORTED. */
    calls_answer[CALL_ACCEPT] = -ECONNABORTED;
    servers[0] = tusk_accept(listener, NULL, NULL);
    servers[1] = servers[0] >= 0 ? tusk_accept(listener, NULL, NULL) : -1;
    expect(servers[0] >= 0);
    expect(servers[1] >= 0);
    expect_int(tusk_read(servers[0], &byte, 1), -ECONNRESET);
    close_both(servers);
    close_both((int[]){listener, clients[1]});
    return 0;
}

static void test_a_connection_that_was_reset_in_the_queue(void **state)
{
    (void)state;
    play_quietly(aborted);
}

/* No descriptors left: the connection stays where it is. */
static int out_of_descriptors(void *arg)
{
    struct sockaddr_in address;
    struct rlimit before, tight;
    int listener = tcp_listen(&address, 10);
    int client = tcp_connect(&address);
    tusk_task *task;
    int fd;

    (void)arg;
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)client + 1;
    expect_int(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (int i = 0; i < 3; i++)
        expect_int(tusk_accept(listener, NULL, NULL), -EMFILE);
    expect_int(tusk_socket(AF_INET, SOCK_STREAM, 0), -EMFILE);
    /* Connections that are there already go on. */
    setrlimit(RLIMIT_NOFILE, &before);
    fd = tusk_accept(listener, NULL, NULL);
    expect(fd >= 0);
    /* And those that wait get what comes later. */
    task = tusk_create_task(accept_one, as_arg(listener));
    tusk_try(tusk_sleep(0));
    close_both((int[]){client, fd});
    client = tcp_connect(&address);
    fd = tusk_await(task);
    close_both((int[]){client, fd});
    return tusk_close(listener);
}

static void test_no_descriptors_left(void **state)
{
    (void)state;
    /* Which keeps to the limit by taking the connection and throwing it away. */
    if (RUNNING_ON_VALGRIND)
        skip();
    play_quietly(out_of_descriptors);
}

/* A client of whom the loop knows nothing. */
static int connect_plainly(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    expect_int(connect(fd, (const struct sockaddr *)address, sizeof *address), 0);
    return fd;
}

/* Cancelled at every point: no connection is lost with the task. */
static int cancel_accept(void *arg)
{
    struct sockaddr_in address;
    int listener = tcp_listen(&address, 10);

    (void)arg;
    for (int point = 0; point < 4; point++) {
        tusk_task *task = tusk_create_task(accept_one, as_arg(listener));
        int client = -1, fd;

        if (point > 0)
            tusk_try(tusk_sleep(0));
        if (point > 1)
            client = connect_plainly(&address);
        if (point > 2)
            tusk_get_running_loop()->poller.backend->wait(&tusk_get_running_loop()->poller, 0);
        tusk_task_cancel(task);
        expect_int(tusk_await(task), -ECANCELED);
        if (client < 0)
            client = connect_plainly(&address);
        fd = tusk_accept(listener, NULL, NULL);
        expect(fd >= 0);
        close_both((int[]){client, fd});
    }
    return tusk_close(listener);
}

static void test_a_cancelled_accept_loses_no_connection(void **state)
{
    (void)state;
    play_quietly(cancel_accept);
}

/* What is accepted is of the kind of the listener: reads of messages are short by nature. */
static int accept_messages(void *arg)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = tusk_socket(AF_UNIX, SOCK_SEQPACKET, 0);
    int client = tusk_socket(AF_UNIX, SOCK_SEQPACKET, 0);
    char buffer[10];
    int server;

    (void)arg;
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/tusk-accept-%d", (int)getpid());
    expect_int(tusk_bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    expect_int(tusk_listen(listener, 0), 0);
    expect_int(tusk_connect(client, (struct sockaddr *)&address, sizeof address), 0);
    server = tusk_accept(listener, NULL, NULL);
    expect_int(tusk_recv(server, buffer, 10, MSG_DONTWAIT), -EAGAIN);
    expect_int(tusk_write(client, "a", 1), 1);
    expect_int(tusk_write(client, "bc", 2), 2);
    expect_int(tusk_read(server, buffer, sizeof buffer), 1);
    expect_int(tusk_read(server, buffer, sizeof buffer), 2);
    unlink(address.sun_path);
    close_both((int[]){server, client});
    return tusk_close(listener);
}

static void test_what_is_accepted_is_as_its_listener(void **state)
{
    (void)state;
    play_quietly(accept_messages);
}

static int accept_nothing(void *arg)
{
    int fds[2];

    (void)arg;
    unix_pair(fds);
    expect_int(tusk_accept(fds[0], NULL, NULL), -EINVAL);
    close_both(fds);
    fds[0] = tusk_socket(AF_INET, SOCK_DGRAM, 0);
    expect_int(tusk_accept(fds[0], NULL, NULL), -EOPNOTSUPP);
    expect_int(tusk_listen(fds[0], 0), -EOPNOTSUPP);
    expect_int(tusk_bind(fds[0], NULL, 0), -EINVAL);
    return tusk_close(fds[0]);
}

static void test_what_listens_not(void **state)
{
    (void)state;
    play_quietly(accept_nothing);
}

/* ---- connect ---- */

static int refused(void *arg)
{
    struct sockaddr_in address;
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/tmp/tusk-there-is-nothing-here"};
    int listener = tcp_listen(&address, 1);
    int fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    char byte;
    int peer;

    (void)arg;
    expect_int(tusk_close(listener), 0);
    expect_int(tusk_connect(fd, (struct sockaddr *)&address, sizeof address), -ECONNREFUSED);
    expect(tusk_read(fd, &byte, 1) <= 0);
    /* Linux lets a socket try again, and what was learnt before is of no meaning then. */
    listener = tusk_socket(AF_INET, SOCK_STREAM, 0);
    expect_int(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    expect_int(tusk_bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    expect_int(tusk_listen(listener, 1), 0);
    if (tusk_connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        peer = tusk_accept(listener, NULL, NULL);
        expect_int(tusk_write(peer, "x", 1), 1);
        expect_int(tusk_read(fd, &byte, 1), 1);
        expect_int(tusk_close(peer), 0);
    }
    close_both((int[]){fd, listener});
    fd = tusk_socket(AF_UNIX, SOCK_STREAM, 0);
    expect_int(tusk_connect(fd, (struct sockaddr *)&nowhere, sizeof nowhere), -ENOENT);
    expect_int(tusk_connect(fd, NULL, 0), -EINVAL);
    expect_int(tusk_close(fd), 0);
    return tusk_connect(fd, (struct sockaddr *)&nowhere, sizeof nowhere) == -EBADF ? 0 : -EIO;
}

static void test_nobody_listens(void **state)
{
    (void)state;
    play_quietly(refused);
}

/* The connection is as it was: what had come is still there to be read. */
static int connect_twice(void *arg)
{
    struct sockaddr_in address;
    int listener = tcp_listen(&address, 5);
    int fd = tcp_connect(&address);
    int peer = tusk_accept(listener, NULL, NULL);
    char byte;

    (void)arg;
    expect_int(tusk_recv(fd, &byte, 1, MSG_DONTWAIT), -EAGAIN);
    expect_int(tusk_write(peer, "x", 1), 1);
    /* Linux says 0 to the first call after a connection that took its time. */
    if (tusk_connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        expect_int(tusk_connect(fd, (struct sockaddr *)&address, sizeof address), -EISCONN);
    expect_int(tusk_read(fd, &byte, 1), 1);
    close_both((int[]){fd, peer});
    return tusk_close(listener);
}

static void test_connecting_twice(void **state)
{
    (void)state;
    play_quietly(connect_twice);
}

/* One that is not connected hangs up for ever: once is enough. */
static int count_once(void *arg)
{
    int *fd_and_calls = arg;

    fd_and_calls[1]++;
    expect(tusk_remove_reader(fd_and_calls[0]));
    return 0;
}

/* Registered before it had a peer: what the poller has told of a socket without one means nothing. */
static int read_before(void *arg)
{
    struct sockaddr_in address;
    char buffer[10];
    int fd_and_calls[2] = {-1, 0};
    int listener, fd, peer;

    (void)arg;
    calls_watch();
    listener = tcp_listen(&address, 5);
    fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    fd_and_calls[0] = fd;
    expect_int(tusk_add_reader(fd, count_once, fd_and_calls), 0);
    tusk_try(tusk_sleep(1));
    expect_int(fd_and_calls[1], 1);
    expect_int(tusk_read(fd, buffer, 1), -ENOTCONN);
    expect_int(tusk_connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    peer = tusk_accept(listener, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        expect_int(tusk_write(peer, "x", 1), 1);
        expect_int(tusk_read(fd, buffer, sizeof buffer), 1);
        calls_clear();
        expect_int(tusk_recv(fd, buffer, 1, MSG_DONTWAIT), -EAGAIN);
        expect_int(calls_total(), 0);
    }
    close_both((int[]){fd, peer});
    return tusk_close(listener);
}

static void test_a_socket_that_was_used_before(void **state)
{
    (void)state;
    play_quietly(read_before);
}

struct unix_connect {
    struct sockaddr_un address;
    int fds[8];
    int next;
};

static int connect_next(void *arg)
{
    struct unix_connect *job = arg;
    int fd = tusk_socket(AF_UNIX, SOCK_STREAM, 0);

    job->fds[job->next++] = fd;
    return tusk_connect(fd, (struct sockaddr *)&job->address, sizeof job->address);
}

/* The listener's queue is full, and nothing tells of room in it. */
static int full_queue(void *arg)
{
    enum { CLIENTS = 6 };
    struct unix_connect job = {.address = {.sun_family = AF_UNIX}};
    int listener = tusk_socket(AF_UNIX, SOCK_STREAM, 0);
    tusk_task *tasks[CLIENTS];

    (void)arg;
    snprintf(job.address.sun_path, sizeof job.address.sun_path, "/tmp/tusk-connect-%d", (int)getpid());
    expect_int(tusk_bind(listener, (struct sockaddr *)&job.address, sizeof job.address), 0);
    expect_int(listen(listener, 1), 0);
    for (int i = 0; i < CLIENTS; i++)
        tasks[i] = tusk_create_task(connect_next, &job);
    tusk_try(tusk_sleep(1));
    for (int i = 0; i < CLIENTS; i++) {
        int fd = tusk_accept(listener, NULL, NULL);

        expect(fd >= 0);
        expect_int(tusk_close(fd), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        expect_int(tusk_await(tasks[i]), 0);
    for (int i = 0; i < CLIENTS; i++)
        expect_int(tusk_close(job.fds[i]), 0);
    unlink(job.address.sun_path);
    return tusk_close(listener);
}

static void test_a_full_queue_of_a_unix_socket(void **state)
{
    (void)state;
    play_quietly(full_queue);
}

static int connect_silent(void *arg)
{
    const struct sockaddr_in *address = arg;
    int fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    int rc = tusk_connect(fd, (const struct sockaddr *)address, sizeof *address);

    expect_int(tusk_close(fd), 0);
    return rc;
}

/* Cancelled on its way, by a time-out, and closed under it. */
static int give_up(void *arg)
{
    struct sockaddr_in address;
    int listener = tcp_listen(&address, 10);
    tusk_task *task;

    (void)arg;
    for (int turns = 0; turns < 3; turns++) {
        task = tusk_create_task(connect_silent, &address);
        for (int i = 0; i < turns; i++)
            tusk_try(tusk_sleep(0));
        tusk_task_cancel(task);
        /* It may have been quicker. */
        expect(tusk_await(task) <= 0);
    }
    return tusk_close(listener);
}

static void test_giving_up(void **state)
{
    (void)state;
    play_quietly(give_up);
}

struct tcp_connect {
    struct sockaddr_in address;
    int fd;
};

static int connect_tcp(void *arg)
{
    const struct tcp_connect *job = arg;

    return tusk_connect(job->fd, (const struct sockaddr *)&job->address, sizeof job->address);
}

/* A connection that is on its way, for the listener's queue is full: a wake-up says nothing of it. */
static int connect_with_noise(void *arg)
{
    enum { KNOCKS = 4 };
    struct tcp_connect job;
    struct tusk__watch *watch;
    int knocks[KNOCKS];
    int listener = tcp_listen(&job.address, 1);
    tusk_task *task;

    (void)arg;
    for (int i = 0; i < KNOCKS; i++) {
        int rc;

        knocks[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        rc = connect(knocks[i], (struct sockaddr *)&job.address, sizeof job.address);
        (void)rc;
    }
    job.fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    task = tusk_create_task(connect_tcp, &job);
    tusk_try(tusk_sleep(0));
    watch = &tusk__descriptor_find(tusk_get_running_loop()->io, job.fd)->watch;
    for (int i = 0; i < 3 && !tusk_future_done(task); i++) {
        watch->ready(watch, TUSK__POLL_WRITE);
        tusk_try(tusk_sleep(0));
        tusk_try(tusk_sleep(0));
        expect(!tusk_future_done(task));
    }
    expect_int(tusk_close(job.fd), 0);
    expect_int(tusk_await(task), -EBADF);
    for (int i = 0; i < KNOCKS; i++)
        close(knocks[i]);
    return tusk_close(listener);
}

static void test_connect_asks_for_the_outcome(void **state)
{
    (void)state;
    play_quietly(connect_with_noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_in_the_queue),
        cmocka_unit_test(test_many_that_accept),
        cmocka_unit_test(test_a_connection_that_was_reset_in_the_queue),
        cmocka_unit_test(test_no_descriptors_left),
        cmocka_unit_test(test_a_cancelled_accept_loses_no_connection),
        cmocka_unit_test(test_what_is_accepted_is_as_its_listener),
        cmocka_unit_test(test_what_listens_not),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_connecting_twice),
        cmocka_unit_test(test_a_socket_that_was_used_before),
        cmocka_unit_test(test_a_full_queue_of_a_unix_socket),
        cmocka_unit_test(test_giving_up),
        cmocka_unit_test(test_connect_asks_for_the_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
