/*
 * Readiness: what is known of a descriptor, and that nothing is asked that is known. Counts the
 * system calls.
 */
#include "io/operation.h"

#include "task/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

#include "io/calls.h"
#include "io/ends.h"

/* ---- how many calls ---- */

enum { ROUNDS = 50 };

struct echo {
    int fds[2];
    /* Calls in vain and in all, of the rounds after the first. */
    size_t in_vain;
    size_t calls;
};

static int echo_server(void *arg)
{
    const struct echo *echo = arg;
    char buffer[256];
    ssize_t count;

    while ((count = tusk_read(echo->fds[1], buffer, sizeof buffer)) > 0)
        expect_int(tusk_write(echo->fds[1], buffer, (size_t)count), count);
    return (int)count;
}

static void one_round(int fd)
{
    char buffer[256];

    expect_int(tusk_write(fd, "hello", 5), 5);
    expect_int(tusk_read(fd, buffer, sizeof buffer), 5);
}

/* A client and a server, each of whom waits for the other. */
static int echo(struct echo *echo)
{
    tusk_task *server = tusk_create_task(echo_server, echo);

    one_round(echo->fds[0]);
    one_round(echo->fds[0]);
    calls_clear();
    for (int i = 0; i < ROUNDS; i++)
        one_round(echo->fds[0]);
    echo->in_vain = calls_in_vain;
    echo->calls = calls_total();
    expect_int(tusk_close(echo->fds[0]), 0);
    tusk_try(tusk_await(server));
    return tusk_close(echo->fds[1]);
}

static int echo_by_tcp(void *arg)
{
    struct echo tcp;

    (void)arg;
    calls_watch();
    tcp_pair(tcp.fds);
    tusk_try(echo(&tcp));
    expect_int(tcp.in_vain, 0);
    /* A read and a write on each side. */
    expect_int(tcp.calls, 4 * ROUNDS);
    return 0;
}

static int echo_by_unix(void *arg)
{
    struct echo pair;

    (void)arg;
    calls_watch();
    unix_pair(pair.fds);
    tusk_try(echo(&pair));
    expect_int(pair.in_vain, 0);
    expect_int(pair.calls, 4 * ROUNDS);
    return 0;
}

static void test_a_round_is_one_read_and_one_write(void **state)
{
    (void)state;
    play_quietly(echo_by_tcp);
    play_quietly(echo_by_unix);
}

/* Each takes from one pipe and gives to the next. */
static int relay(void *arg)
{
    const int *fds = arg;
    char byte;
    ssize_t rc;

    while ((rc = tusk_read(fds[0], &byte, 1)) == 1)
        expect_int(tusk_write(fds[1], &byte, 1), 1);
    return (int)rc;
}

static int relay_by_pipes(void *arg)
{
    int there[2], back[2], fds[2];
    tusk_task *task;
    char buffer[16];

    (void)arg;
    calls_watch();
    tusk_try(tusk_pipe(there));
    tusk_try(tusk_pipe(back));
    fds[0] = there[0];
    fds[1] = back[1];
    task = tusk_create_task(relay, fds);
    for (int i = 0; i < ROUNDS; i++) {
        if (i == 2)
            calls_clear();
        expect_int(tusk_write(there[1], "x", 1), 1);
        expect_int(tusk_read(back[0], buffer, sizeof buffer), 1);
    }
    /* One byte at a time: nobody knows whether it was the last before he has looked. */
    expect_int(calls_made[CALL_READV], 3 * (ROUNDS - 2));
    expect_int(calls_made[CALL_WRITEV], 2 * (ROUNDS - 2));
    expect_int(calls_total(), 5 * (ROUNDS - 2));
    expect_int(tusk_close(there[1]), 0);
    tusk_try(tusk_await(task));
    close_both((int[]){there[0], back[0]});
    return tusk_close(back[1]);
}

static void test_a_full_read_is_followed_by_another(void **state)
{
    (void)state;
    play_quietly(relay_by_pipes);
}

static int read_what_is_there(void *arg)
{
    char buffer[1000] = "";
    int fds[2];

    (void)arg;
    calls_watch();
    tcp_pair(fds);
    expect_int(tusk_write(fds[0], buffer, 500), 500);
    calls_clear();
    for (int i = 0; i < 5; i++)
        expect_int(tusk_read(fds[1], buffer, 100), 100);
    expect_int(calls_total(), 5);
    /* What never had to wait was never registered. */
    expect_int(calls_made[CALL_WATCH], 0);
    close_both(fds);
    return 0;
}

static void test_who_does_not_wait_is_not_registered(void **state)
{
    (void)state;
    play_quietly(read_what_is_there);
}

/* ---- directions ---- */

static int read_into(void *arg)
{
    char byte;

    return (int)tusk_read((int)(intptr_t)arg, &byte, 1);
}

static int register_directions(void *arg)
{
    static char bytes[1 << 22];
    const struct tusk__descriptor *descriptor;
    tusk_task *reader;
    int fds[2];

    (void)arg;
    calls_watch();
    unix_pair(fds);
    reader = tusk_create_task(read_into, as_arg(fds[0]));
    tusk_try(tusk_sleep(0));
    descriptor = tusk__descriptor_find(tusk_get_running_loop()->io, fds[0]);
    expect_int(calls_made[CALL_WATCH], 1);
    expect_int(descriptor->watch.events, TUSK__POLL_READ | TUSK__POLL_EDGE);
    /* Now it is full, and nobody waits for room. */
    expect(tusk_write(fds[0], bytes, sizeof bytes) < (ssize_t)sizeof bytes);
    expect_int(calls_made[CALL_AGAIN], 0);
    expect_int(tusk_write(fds[1], "x", 1), 1);
    expect_int(tusk_await(reader), 1);
    close_both(fds);
    return 0;
}

static int write_all(void *arg)
{
    static char bytes[1 << 20];

    return tusk_sendall((int)(intptr_t)arg, bytes, sizeof bytes);
}

static int both_directions(void *arg)
{
    static char bytes[1 << 16];
    struct tusk__descriptor *descriptor;
    tusk_task *reader, *writer;
    int fds[2];
    ssize_t left = 1 << 20;

    (void)arg;
    calls_watch();
    unix_pair(fds);
    reader = tusk_create_task(read_into, as_arg(fds[0]));
    writer = tusk_create_task(write_all, as_arg(fds[0]));
    tusk_try(tusk_sleep(0));
    descriptor = tusk__descriptor_find(tusk_get_running_loop()->io, fds[0]);
    expect_int(descriptor->watch.events, TUSK__POLL_READ | TUSK__POLL_WRITE | TUSK__POLL_EDGE);
    expect_int(calls_made[CALL_WATCH], 1);
    expect_int(calls_made[CALL_AGAIN], 1);
    while (left > 0) {
        ssize_t count = tusk_read(fds[1], bytes, sizeof bytes);

        expect(count > 0);
        left -= count;
    }
    expect_int(tusk_await(writer), 0);
    expect_int(tusk_write(fds[1], "x", 1), 1);
    expect_int(tusk_await(reader), 1);
    close_both(fds);
    return 0;
}

static void test_a_direction_is_registered_when_somebody_waits_for_it(void **state)
{
    (void)state;
    play_quietly(register_directions);
    play_quietly(both_directions);
}

/* The peer that reads makes room, which is nothing to a client that waits for an answer. */
static int hear_only_what_is_waited_for(void *arg)
{
    tusk_task *reader;
    char byte;
    size_t waits;
    int fds[2];

    (void)arg;
    calls_watch();
    unix_pair(fds);
    expect_int(tusk_write(fds[0], "x", 1), 1);
    reader = tusk_create_task(read_into, as_arg(fds[0]));
    tusk_try(tusk_sleep(0));
    tusk_try(tusk_sleep(1));
    waits = calls_made[CALL_WAIT];
    expect_int(tusk_read(fds[1], &byte, 1), 1);
    /* Virtual time: one look before each jump. With an event of its own there would be one more. */
    tusk_try(tusk_sleep(1));
    expect_int(calls_made[CALL_WAIT], waits + 1);
    expect_int(tusk_write(fds[1], "x", 1), 1);
    expect_int(tusk_await(reader), 1);
    close_both(fds);
    return 0;
}

static void test_room_wakes_nobody_who_reads(void **state)
{
    (void)state;
    play_quietly(hear_only_what_is_waited_for);
}

/* ---- what makes no edge ---- */

static int end_with_the_rest(void *arg)
{
    char buffer[100];
    tusk_task *reader;
    int fds[2];

    (void)arg;
    tcp_pair(fds);
    reader = tusk_create_task(read_into, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    expect_int(tusk_write(fds[0], "abcdef", 6), 6);
    expect_int(tusk_close(fds[0]), 0);
    expect_int(tusk_await(reader), 1);
    /* The end came with the data: after this short read nobody will tell of it. */
    expect_int(tusk_read(fds[1], buffer, sizeof buffer), 5);
    expect_int(tusk_read(fds[1], buffer, sizeof buffer), 0);
    expect_int(tusk_read(fds[1], buffer, sizeof buffer), 0);
    return tusk_close(fds[1]);
}

static void test_the_end_that_comes_with_data(void **state)
{
    (void)state;
    play_quietly(end_with_the_rest);
}

static int read_some(void *arg)
{
    char buffer[100];

    return (int)tusk_read((int)(intptr_t)arg, buffer, sizeof buffer);
}

static int urgent_data(void *arg)
{
    char buffer[100];
    tusk_task *reader;
    int fds[2];

    (void)arg;
    tcp_pair(fds);
    reader = tusk_create_task(read_some, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    expect_int(tusk_send(fds[0], "abc", 3, 0), 3);
    expect_int(tusk_send(fds[0], "!", 1, MSG_OOB), 1);
    expect_int(tusk_send(fds[0], "def", 3, 0), 3);
    /* A read stops at the mark, short of what is there. */
    expect_int(tusk_await(reader), 3);
    expect_int(tusk_recv(fds[1], buffer, 1, MSG_OOB), 1);
    expect_int(buffer[0], '!');
    expect_int(tusk_read(fds[1], buffer, sizeof buffer), 3);
    close_both(fds);
    return 0;
}

static void test_reads_that_stop_at_urgent_data(void **state)
{
    (void)state;
    play_quietly(urgent_data);
}

static int recv_urgent(void *arg)
{
    char byte = 0;

    expect_int(tusk_recv((int)(intptr_t)arg, &byte, 1, MSG_OOB), 1);
    return byte;
}

/* Who waits for urgent data waits while there is other data, and does not hide that from others. */
static int wait_for_urgent_data(void *arg)
{
    char buffer[100];
    tusk_task *reader;
    size_t before;
    int fds[2];

    (void)arg;
    calls_watch();
    tcp_pair(fds);
    expect_int(tusk_send(fds[0], "a", 1, MSG_OOB), 1);
    expect_int(tusk_recv(fds[1], buffer, 1, MSG_OOB), 1);
    expect_int(tusk_send(fds[0], "abc", 3, 0), 3);
    /* It is there to be read, and no urgent data with it: EINVAL says so, or EAGAIN. */
    calls_answer[CALL_RECV] = -EAGAIN;
    reader = tusk_create_task(recv_urgent, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    calls_answer[CALL_RECV] = -EAGAIN;
    tusk_try(tusk_sleep(1));
    before = calls_made[CALL_RECV];
    tusk_try(tusk_sleep(100));
    /* It does not turn round and round. */
    expect_int(calls_made[CALL_RECV], before);
    expect_int(tusk_read(fds[1], buffer, sizeof buffer), 3);
    expect_int(tusk_send(fds[0], "!", 1, MSG_OOB), 1);
    expect_int(tusk_await(reader), '!');
    close_both(fds);
    return 0;
}

static void test_urgent_data_has_a_readiness_of_its_own(void **state)
{
    (void)state;
    /* Of urgent data that comes alone it tells nothing. */
    if (libkqueue_is(NULL))
        skip();
    play_quietly(wait_for_urgent_data);
}

/* Sends bytes, with a descriptor if fd is not -1. */
static void send_parcel(int out, const char *bytes, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec vector = {(char *)bytes, strlen(bytes)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    if (fd >= 0) {
        struct cmsghdr *header;

        message.msg_control = control;
        message.msg_controllen = sizeof control;
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    expect_int(tusk_sendmsg(out, &message, 0), strlen(bytes));
}

/* A read stops behind bytes with which a descriptor came, though there are more. */
static int parcels(void *arg)
{
    char buffer[100];
    int fds[2];

    (void)arg;
    unix_pair(fds);
    for (int i = 0; i < 3; i++) {
        tusk_task *reader = tusk_create_task(read_some, as_arg(fds[1]));

        tusk_try(tusk_sleep(0));
        send_parcel(fds[0], "ab", fds[0]);
        send_parcel(fds[0], "cde", fds[0]);
        send_parcel(fds[0], "f", -1);
        expect_int(tusk_await(reader), 2);
        if (i == 0)
            expect_int(tusk_read(fds[1], buffer, sizeof buffer), 3);
        else
            expect_int(tusk_recv(fds[1], buffer, sizeof buffer, 0), 3);
        expect_int(tusk_readv(fds[1], (struct iovec[]){{buffer, 1}, {buffer, 10}}, 2), 1);
    }
    close_both(fds);
    return 0;
}

static void test_reads_that_stop_at_passed_descriptors(void **state)
{
    (void)state;
    play_quietly(parcels);
}

#if defined(SO_PASSCRED)
/* Bytes of different senders do not come in one read. */
static int credentials(void *arg)
{
    char buffer[100];
    tusk_task *reader;
    int fds[2];
    pid_t child;

    (void)arg;
    unix_pair(fds);
    expect_int(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)), 0);
    reader = tusk_create_task(read_some, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    expect_int(write(fds[0], "abc", 3), 3);
    child = fork();
    if (child == 0)
        _exit(write(fds[0], "de", 2) != 2);
    waitpid(child, NULL, 0);
    expect_int(tusk_await(reader), 3);
    expect_int(tusk_read(fds[1], buffer, sizeof buffer), 2);
    close_both(fds);
    return 0;
}
#endif

static void test_reads_that_stop_at_another_sender(void **state)
{
    (void)state;
#if defined(SO_PASSCRED)
    play_quietly(credentials);
#else
    skip();
#endif
}

/* One packet a read, and nothing in the reader's descriptor says so. */
static int packets(void *arg)
{
    char buffer[100];
    tusk_task *reader;
    int ends[2];

    (void)arg;
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC | O_DIRECT) < 0)
        return 0;
    reader = tusk_create_task(read_some, as_arg(ends[0]));
    tusk_try(tusk_sleep(0));
    expect_int(write(ends[1], "abc", 3), 3);
    expect_int(write(ends[1], "de", 2), 2);
    expect_int(tusk_await(reader), 3);
    expect_int(tusk_read(ends[0], buffer, sizeof buffer), 2);
    close_both(ends);
    return 0;
}

static void test_pipes_of_packets(void **state)
{
    (void)state;
    play_quietly(packets);
}

static int low_water(void *arg)
{
    char buffer[100];
    tusk_task *reader;
    int fds[2];

    (void)arg;
    tcp_pair(fds);
    expect_int(setsockopt(fds[1], SOL_SOCKET, SO_RCVLOWAT, &(int){5}, sizeof(int)), 0);
    reader = tusk_create_task(read_some, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    expect_int(tusk_write(fds[0], "abc", 3), 3);
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(reader));
    expect_int(tusk_write(fds[0], "def", 3), 3);
    expect_int(tusk_await(reader), 6);
    /* Less than that, and the end. */
    expect_int(tusk_write(fds[0], "abc", 3), 3);
    expect_int(tusk_close(fds[0]), 0);
    expect_int(tusk_read(fds[1], buffer, sizeof buffer), 3);
    expect_int(tusk_read(fds[1], buffer, sizeof buffer), 0);
    return tusk_close(fds[1]);
}

static void test_a_low_water_mark(void **state)
{
    (void)state;
    play_quietly(low_water);
}

static int peeks(void *arg)
{
    char buffer[100];
    int fds[2];

    (void)arg;
    calls_watch();
    unix_pair(fds);
    expect_int(tusk_write(fds[0], "abc", 3), 3);
    for (int i = 0; i < 3; i++)
        expect_int(tusk_recv(fds[1], buffer, sizeof buffer, MSG_PEEK), 3);
    expect_int(tusk_recv(fds[1], buffer, 3, 0), 3);
    /* Without waiting: there is nothing, and it is known the second time. */
    expect_int(tusk_recv(fds[1], buffer, 3, MSG_DONTWAIT), -EAGAIN);
    calls_clear();
    expect_int(tusk_recv(fds[1], buffer, 3, MSG_DONTWAIT), -EAGAIN);
    expect_int(calls_total(), 0);
    close_both(fds);
    return 0;
}

static void test_peeks_and_calls_that_do_not_wait(void **state)
{
    (void)state;
    play_quietly(peeks);
}

/* ---- several that wait ---- */

static int order_of_readers[8];
static int readers_done;

static int read_in_turn(void *arg)
{
    const int *fd_and_number = arg;
    char byte;

    expect_int(tusk_read(fd_and_number[0], &byte, 1), 1);
    order_of_readers[readers_done++] = fd_and_number[1];
    return 0;
}

static int many_readers(void *arg)
{
    enum { READERS = 5 };
    tusk_task *tasks[READERS];
    int arguments[READERS][2];
    int fds[2];

    (void)arg;
    calls_watch();
    unix_pair(fds);
    readers_done = 0;
    for (int i = 0; i < READERS; i++) {
        arguments[i][0] = fds[1];
        arguments[i][1] = i;
        tasks[i] = tusk_create_task(read_in_turn, arguments[i]);
    }
    tusk_try(tusk_sleep(0));
    /* The first one found nothing. The others were told. */
    expect_int(calls_made[CALL_RECVMSG], 1);
    expect_int(tusk_write(fds[0], "ab", 2), 2);
    tusk_try(tusk_sleep(1));
    expect_int(readers_done, 2);
    expect_int(tusk_write(fds[0], "cde", 3), 3);
    for (int i = 0; i < READERS; i++)
        expect_int(tusk_await(tasks[i]), 0);
    expect_int(order_of_readers[0], 0);
    expect_int(order_of_readers[1], 1);
    close_both(fds);
    return 0;
}

static void test_all_who_wait_are_served_in_order(void **state)
{
    (void)state;
    play_quietly(many_readers);
}

/* ---- results ---- */

/* Whoever runs in between leaves something of its own in errno. */
static int scribble(void *arg)
{
    (void)arg;
    for (;;) {
        errno = ENOTTY;
        tusk_try(tusk_sleep(0));
    }
}

static int receive_one(void *arg)
{
    pthread_t thread = pthread_self();
    char byte;
    ssize_t rc = tusk_recv((int)(intptr_t)arg, &byte, 1, 0);

    expect(pthread_equal(pthread_self(), thread));
    return (int)rc;
}

static int connect_there(void *arg)
{
    int fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    int rc = tusk_connect(fd, arg, sizeof(struct sockaddr_in));

    expect_int(tusk_close(fd), 0);
    return rc;
}

/* A task that waits gets what came of its own call: a reset, a refusal, a close, a byte. */
static int results_of_four(void *arg)
{
    enum { READERS = 3 };
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    tusk_task *scribbler = tusk_create_task(scribble, NULL);
    struct sockaddr_in nowhere;
    tusk_task *tasks[READERS];
    int fds[READERS][2];
    int unused = tcp_listen(&nowhere, 1);

    (void)arg;
    expect_int(tusk_close(unused), 0);
    for (int i = 0; i < READERS; i++) {
        tcp_pair(fds[i]);
        tasks[i] = tusk_create_task(receive_one, as_arg(fds[i][0]));
    }
    for (int i = 0; i < 3; i++)
        tusk_try(tusk_sleep(0));
    expect_int(setsockopt(fds[0][1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    expect_int(tusk_close(fds[0][1]), 0);
    expect_int(tusk_send(fds[1][1], "x", 1, 0), 1);
    expect_int(tusk_close(fds[2][1]), 0);
    expect_int(tusk_await(tusk_create_task(connect_there, &nowhere)), -ECONNREFUSED);
    expect_int(tusk_await(tasks[0]), -ECONNRESET);
    expect_int(tusk_await(tasks[1]), 1);
    expect_int(tusk_await(tasks[2]), 0);
    tusk_task_cancel(scribbler);
    expect_int(tusk_await(scribbler), -ECANCELED);
    for (int i = 0; i < READERS; i++)
        expect_int(tusk_close(fds[i][0]), 0);
    return tusk_close(fds[1][1]);
}

static void test_errno_is_no_part_of_a_result(void **state)
{
    (void)state;
    play_quietly(results_of_four);
}

/* Woken, and cancelled before it runs: the byte is the next one's. */
static int cancel_a_woken_reader(void *arg)
{
    tusk_task *first, *second;
    int fds[2];

    (void)arg;
    unix_pair(fds);
    first = tusk_create_task(read_into, as_arg(fds[1]));
    second = tusk_create_task(read_into, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    expect_int(write(fds[0], "x", 1), 1);
    expect_int(tusk_get_running_loop()->poller.backend->wait(&tusk_get_running_loop()->poller, 0), 0);
    expect(tusk_task_cancel(first));
    expect_int(tusk_await(first), -ECANCELED);
    expect_int(tusk_await(second), 1);
    close_both(fds);
    return 0;
}

static void test_a_cancelled_reader_loses_nothing(void **state)
{
    (void)state;
    play_quietly(cancel_a_woken_reader);
}

/* ---- fairness ---- */

static int read_for_ever(void *arg)
{
    char byte;
    ssize_t rc;

    while ((rc = tusk_read((int)(intptr_t)arg, &byte, 1)) == 1)
        continue;
    return (int)rc;
}

static int count_iterations(void *arg)
{
    int *count = arg;

    for (;;) {
        ++*count;
        tusk_try(tusk_sleep(0));
    }
}

/* A source that never runs dry, as a fast peer. */
static int read_without_end(void *arg)
{
    int zero = open("/dev/zero", O_RDONLY | O_NONBLOCK);
    int count = 0;
    tusk_task *reader = tusk_create_task(read_for_ever, as_arg(zero));
    tusk_task *other = tusk_create_task(count_iterations, &count);

    (void)arg;
    for (int i = 0; i < 20; i++)
        tusk_try(tusk_sleep(0));
    expect(count >= 19);
    tusk_task_cancel(reader);
    tusk_task_cancel(other);
    expect_int(tusk_await(reader), -ECANCELED);
    expect_int(tusk_await(other), -ECANCELED);
    return tusk_close(zero);
}

static void test_a_fast_peer_does_not_starve_the_others(void **state)
{
    (void)state;
    play_quietly(read_without_end);
}

/* Few calls that copy much take as long as many that copy little. */
static int read_much(void *arg)
{
    enum { SIZE = 1 << 18, MUCH = 40 * SIZE };
    int zero = open("/dev/zero", O_RDONLY | O_NONBLOCK);
    char *buffer = malloc(SIZE);
    uint64_t start = tusk_get_running_loop()->iteration;
    ssize_t count = 1;

    (void)arg;
    for (ssize_t done = 0; done < MUCH && count > 0; done += count) {
        count = tusk_read(zero, buffer, SIZE);
        expect(count > 0);
    }
    expect(tusk_get_running_loop()->iteration - start >= MUCH / TUSK__IO_BUDGET_BYTES / TUSK__IO_BUDGET - 2);
    free(buffer);
    return tusk_close(zero);
}

static void test_many_bytes_count_as_many_calls(void **state)
{
    (void)state;
    play_quietly(read_much);
}

static int step_until_done(void *arg)
{
    const int *fds = arg;
    char byte = 0;
    int steps = (int)tusk_get_running_loop()->iteration;

    for (int i = 0; i < 20; i++) {
        expect_int(tusk_write(fds[0], &byte, 1), 1);
        expect_int(tusk_read(fds[1], &byte, 1), 1);
    }
    return (int)tusk_get_running_loop()->iteration - steps;
}

/* The share of calls is each task's own: many tasks with few calls each are no reason to wait. */
static int many_tasks_with_few_calls(void *arg)
{
    enum { TASKS = 30 };
    tusk_task *tasks[TASKS];
    int fds[TASKS][2];

    (void)arg;
    for (int i = 0; i < TASKS; i++) {
        unix_pair(fds[i]);
        tasks[i] = tusk_create_task(step_until_done, fds[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        expect_int(tusk_await(tasks[i]), 0);
        close_both(fds[i]);
    }
    return 0;
}

static void test_the_share_is_each_task_s_own(void **state)
{
    (void)state;
    play_quietly(many_tasks_with_few_calls);
}

/* ---- records ---- */

static int out_of_range(void *arg)
{
    char byte;

    (void)arg;
    expect_int(tusk_read(-1, &byte, 1), -EBADF);
    expect_int(tusk_read(INT_MAX, &byte, 1), -EBADF);
    expect_int(tusk_read(INT_MIN, &byte, 1), -EBADF);
    expect_int(tusk_poll_fd(-1, POLLIN), -EBADF);
    expect_int(tusk_poll_fd(INT_MAX, POLLIN), -EBADF);
    expect_int(tusk_close(-1), -EBADF);
    expect_int(tusk_close(INT_MAX), -EBADF);
    expect_int(tusk_detach(-1), -EBADF);
    expect_int(tusk_read(0, NULL, 1), -EINVAL);
    expect_int(tusk_readv(0, NULL, 1), -EINVAL);
    expect_int(tusk_readv(0, NULL, -1), -EINVAL);
    expect_int(tusk_sendall(0, NULL, 1), -EINVAL);
    return 0;
}

static void test_descriptors_that_are_none(void **state)
{
    char byte;

    (void)state;
    play_quietly(out_of_range);
    expect_int(tusk_read(0, &byte, 1), TUSK_NOT_IN_TASK);
    expect_int(tusk_poll_fd(0, POLLIN), TUSK_NOT_IN_TASK);
    expect_int(tusk_connect(0, (struct sockaddr *)&byte, 1), TUSK_NOT_IN_TASK);
    expect_int(tusk_sendfile(0, 1, 0, 0), TUSK_NOT_IN_TASK);
    expect_int(tusk_socket(AF_INET, SOCK_STREAM, 0), TUSK_NO_RUNNING_LOOP);
    assert_int_equal(stage_failures, 0);
}

/* Numbers far apart: the tables grow. */
static int high_numbers(void *arg)
{
    char byte;
    int fds[2];
    int high = 0;

    (void)arg;
    unix_pair(fds);
    for (int number = 100; number < 900 && high >= 0; number += 200) {
        tusk_task *reader;

        high = dup2(fds[1], number);
        if (high < 0)
            break;
        reader = tusk_create_task(read_into, as_arg(high));
        tusk_try(tusk_sleep(0));
        expect_int(tusk_write(fds[0], "x", 1), 1);
        expect_int(tusk_await(reader), 1);
        expect_int(tusk_close(high), 0);
        expect_int(tusk_read(high, &byte, 1), -EBADF);
    }
    close_both(fds);
    return 0;
}

static void test_high_numbers(void **state)
{
    (void)state;
    play_quietly(high_numbers);
}

/* Two numbers of one open file are two descriptors that hear of the same. */
static int duplicates(void *arg)
{
    tusk_task *first, *second;
    int fds[2], copy;

    (void)arg;
    unix_pair(fds);
    copy = dup(fds[1]);
    first = tusk_create_task(read_into, as_arg(fds[1]));
    second = tusk_create_task(read_into, as_arg(copy));
    tusk_try(tusk_sleep(0));
    expect_int(tusk_write(fds[0], "x", 1), 1);
    tusk_try(tusk_sleep(1));
    expect_int(tusk_future_done(first) + tusk_future_done(second), 1);
    expect_int(tusk_write(fds[0], "x", 1), 1);
    expect_int(tusk_await(first), 1);
    expect_int(tusk_await(second), 1);
    close_both(fds);
    return tusk_close(copy);
}

static void test_duplicates(void **state)
{
    (void)state;
    play_quietly(duplicates);
}

/* ---- loops that nothing can wake ---- */

static int fds_left[2];

static int wait_for_nobody(void *arg)
{
    tusk_event never = {0};
    char byte;
    tusk_task *reader;

    (void)arg;
    tusk_loop_set_exception_handler(tusk_get_running_loop(), keep_report, NULL);
    unix_pair(fds_left);
    /* Registered, and then nobody waits for it any more. */
    reader = tusk_create_task(read_into, as_arg(fds_left[1]));
    tusk_try(tusk_sleep(0));
    tusk_task_cancel(reader);
    expect_int(tusk_await(reader), -ECANCELED);
    expect_int(tusk_recv(fds_left[1], &byte, 1, MSG_DONTWAIT), -EAGAIN);
    return tusk_event_wait(&never);
}

/* A descriptor that is registered, and that nobody waits for, wakes nobody. */
static void test_a_deadlock_beside_a_descriptor(void **state)
{
    (void)state;
    stage_clean();
    assert_int_equal(tusk_run(wait_for_nobody, NULL, .clock = TUSK_CLOCK_VIRTUAL), -EDEADLK);
    assert_int_equal(stage_failures, 0);
    close(fds_left[0]);
    close(fds_left[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_round_is_one_read_and_one_write),
        cmocka_unit_test(test_a_full_read_is_followed_by_another),
        cmocka_unit_test(test_who_does_not_wait_is_not_registered),
        cmocka_unit_test(test_a_direction_is_registered_when_somebody_waits_for_it),
        cmocka_unit_test(test_room_wakes_nobody_who_reads),
        cmocka_unit_test(test_the_end_that_comes_with_data),
        cmocka_unit_test(test_reads_that_stop_at_urgent_data),
        cmocka_unit_test(test_urgent_data_has_a_readiness_of_its_own),
        cmocka_unit_test(test_reads_that_stop_at_passed_descriptors),
        cmocka_unit_test(test_reads_that_stop_at_another_sender),
        cmocka_unit_test(test_pipes_of_packets),
        cmocka_unit_test(test_a_low_water_mark),
        cmocka_unit_test(test_peeks_and_calls_that_do_not_wait),
        cmocka_unit_test(test_all_who_wait_are_served_in_order),
        cmocka_unit_test(test_errno_is_no_part_of_a_result),
        cmocka_unit_test(test_a_cancelled_reader_loses_nothing),
        cmocka_unit_test(test_a_fast_peer_does_not_starve_the_others),
        cmocka_unit_test(test_many_bytes_count_as_many_calls),
        cmocka_unit_test(test_the_share_is_each_task_s_own),
        cmocka_unit_test(test_descriptors_that_are_none),
        cmocka_unit_test(test_high_numbers),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_a_deadlock_beside_a_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
