/*
 * poll_fd: waiting for descriptors that other code reads and writes.
 */
#include "io/descriptor.h"

#include "task/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "io/calls.h"
#include "io/ends.h"

struct question {
    int fd;
    int events;
};

static int ask(void *arg)
{
    const struct question *question = arg;

    return tusk_poll_fd(question->fd, question->events);
}

static tusk_task *start(struct question *question)
{
    tusk_task *task = tusk_create_task(ask, question);

    expect_int(tusk_sleep(0), 0);
    expect_int(tusk_sleep(1), 0);
    return task;
}

static int ready_at_once(void *arg)
{
    int fds[2];

    (void)arg;
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    expect_int(tusk_poll_fd(fds[0], POLLOUT), POLLOUT);
    expect_int(tusk_poll_fd(fds[0], POLLIN | POLLOUT), POLLOUT);
    expect_int(write(fds[1], "x", 1), 1);
    expect_int(tusk_poll_fd(fds[0], POLLIN), POLLIN);
    expect_int(tusk_poll_fd(fds[0], POLLIN), POLLIN);
    expect_int(tusk_poll_fd(fds[0], POLLIN | POLLOUT), POLLIN | POLLOUT);
    /* It is somebody else's, and stays as it is. */
    expect(!(fcntl(fds[0], F_GETFL) & O_NONBLOCK));
    close_both(fds);
    return 0;
}

static void test_what_is_ready(void **state)
{
    (void)state;
    play_quietly(ready_at_once);
}

/* Whoever reads does not tell tusk of it. */
static int wait_and_read_plainly(void *arg)
{
    struct question question = {.events = POLLIN};
    char byte;
    int fds[2];

    (void)arg;
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    question.fd = fds[0];
    for (int i = 0; i < 5; i++) {
        tusk_task *task = start(&question);

        expect(!tusk_future_done(task));
        expect_int(write(fds[1], "x", 1), 1);
        expect_int(tusk_await(task), POLLIN);
        expect_int(read(fds[0], &byte, 1), 1);
    }
    close_both(fds);
    return 0;
}

static void test_it_waits_for_what_comes_next(void **state)
{
    (void)state;
    play_quietly(wait_and_read_plainly);
}

static int wait_for_room(void *arg)
{
    static char bytes[1 << 20];
    struct question question = {.events = POLLOUT};
    tusk_task *task;
    int fds[2];

    (void)arg;
    expect_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    while (write(fds[0], bytes, sizeof bytes) > 0)
        continue;
    question.fd = fds[0];
    task = start(&question);
    /* What comes in is not what it waits for. */
    expect_int(write(fds[1], "x", 1), 1);
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(task));
    while (read(fds[1], bytes, sizeof bytes) > 0)
        continue;
    expect_int(tusk_await(task), POLLOUT);
    close_both(fds);
    return 0;
}

static void test_room(void **state)
{
    (void)state;
    play_quietly(wait_for_room);
}

static int wait_for_either(void *arg)
{
    static char bytes[1 << 20];
    struct question question = {.events = POLLIN | POLLOUT};
    tusk_task *task;
    int fds[2];

    (void)arg;
    expect_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    question.fd = fds[0];
    for (int i = 0; i < 2; i++) {
        while (write(fds[0], bytes, sizeof bytes) > 0)
            continue;
        task = start(&question);
        expect(!tusk_future_done(task));
        if (i == 0)
            expect_int(write(fds[1], "x", 1), 1);
        else
            while (read(fds[1], bytes, sizeof bytes) > 0)
                continue;
        expect_int(tusk_await(task), i == 0 ? POLLIN : POLLOUT);
        while (read(fds[0], bytes, sizeof bytes) > 0)
            continue;
    }
    close_both(fds);
    return 0;
}

static void test_either_of_both(void **state)
{
    (void)state;
    play_quietly(wait_for_either);
}

/* Of several that wait for the same each hears of it. */
static int several(void *arg)
{
    struct question question = {.events = POLLIN};
    tusk_task *tasks[5];
    int fds[2];

    (void)arg;
    unix_pair(fds);
    question.fd = fds[0];
    for (int i = 0; i < 5; i++)
        tasks[i] = start(&question);
    expect_int(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 5; i++)
        expect_int(tusk_await(tasks[i]), POLLIN);
    close_both(fds);
    return 0;
}

static void test_several_that_wait(void **state)
{
    (void)state;
    play_quietly(several);
}

static int the_end(void *arg)
{
    struct question question = {.events = 0};
    tusk_task *task;
    int fds[2];

    (void)arg;
    unix_pair(fds);
    question.fd = fds[0];
    task = start(&question);
    expect(!tusk_future_done(task));
    expect_int(write(fds[1], "x", 1), 1);
    tusk_try(tusk_sleep(1));
    /* Not asked for. */
    expect(!tusk_future_done(task));
    expect_int(tusk_close(fds[1]), 0);
    expect_int(tusk_await(task), POLLHUP);
    expect_int(tusk_poll_fd(fds[0], POLLIN), POLLIN | POLLHUP);
    return tusk_close(fds[0]);
}

static void test_an_end_is_told_unasked(void **state)
{
    (void)state;
    play_quietly(the_end);
}

static int urgent(void *arg)
{
    struct question question = {.events = POLLPRI};
    tusk_task *task;
    size_t looks;
    char buffer[10];
    int fds[2];

    (void)arg;
    calls_watch();
    tcp_pair(fds);
    expect_int(write(fds[1], "abc", 3), 3);
    question.fd = fds[0];
    task = start(&question);
    expect(!tusk_future_done(task));
    looks = calls_made[CALL_POLL];
    /* There is other data all the time, and that is no reason to look. */
    tusk_try(tusk_sleep(100));
    expect_int(calls_made[CALL_POLL], looks);
    expect_int(send(fds[1], "!", 1, MSG_OOB), 1);
    expect_int(tusk_await(task), POLLPRI);
    expect_int(recv(fds[0], buffer, 1, MSG_OOB), 1);
    close_both(fds);
    return 0;
}

static void test_urgent_data(void **state)
{
    (void)state;
    play_quietly(urgent);
}

static int cancel(void *arg)
{
    struct question question = {.events = POLLIN | POLLOUT};
    static char bytes[1 << 20];
    tusk_task *task;
    int fds[2];

    (void)arg;
    unix_pair(fds);
    while (tusk_send(fds[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
    question.fd = fds[0];
    task = start(&question);
    tusk_task_cancel(task);
    expect_int(tusk_await(task), -ECANCELED);
    /* At the same time as the event. */
    task = start(&question);
    expect_int(write(fds[1], "x", 1), 1);
    expect_int(tusk_get_running_loop()->poller.backend->wait(&tusk_get_running_loop()->poller, 0), 0);
    tusk_task_cancel(task);
    expect_int(tusk_await(task), -ECANCELED);
    expect_int(tusk_poll_fd(fds[0], POLLIN), POLLIN);
    close_both(fds);
    return 0;
}

static void test_cancelling(void **state)
{
    (void)state;
    play_quietly(cancel);
}

/* Code that knows nothing of tusk closes it, and gets its number again. */
static int number_again(void *arg)
{
    struct question question = {.events = POLLIN};
    char byte;

    (void)arg;
    for (int i = 0; i < 4; i++) {
        tusk_task *task;
        int fds[2];

        expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        question.fd = fds[0];
        task = start(&question);
        expect(!tusk_future_done(task));
        expect_int(write(fds[1], "x", 1), 1);
        expect_int(tusk_await(task), POLLIN);
        /* And sometimes it is tusk that reads on. */
        if (i == 2)
            expect_int(tusk_read(fds[0], &byte, 1), 1);
        if (i == 2)
            close_both(fds);
        close(fds[0]);
        close(fds[1]);
    }
    return 0;
}

static void test_a_number_that_comes_back(void **state)
{
    (void)state;
    play_quietly(number_again);
}

static int read_one(void *arg)
{
    char byte;

    return (int)tusk_read((int)(intptr_t)arg, &byte, 1);
}

/* The number was somebody else's, who has closed it, and now it is one that tusk reads. */
static int number_of_our_own(void *arg)
{
    struct question question = {.events = POLLIN};
    tusk_task *task;
    int fds[2];

    (void)arg;
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    question.fd = fds[0];
    task = start(&question);
    expect_int(write(fds[1], "x", 1), 1);
    expect_int(tusk_await(task), POLLIN);
    close(fds[0]);
    close(fds[1]);
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    expect_int(fds[0], question.fd);
    task = tusk_create_task(read_one, as_arg(fds[0]));
    tusk_try(tusk_sleep(1));
    expect_int(write(fds[1], "x", 1), 1);
    expect_int(tusk_await(task), 1);
    close_both(fds);
    return 0;
}

static void test_a_number_that_becomes_our_own(void **state)
{
    (void)state;
    play_quietly(number_of_our_own);
}

/* A guest's record becomes tusk's own while it waits. */
static int read_too(void *arg)
{
    struct question question = {.events = POLLIN};
    tusk_task *tasks[2];
    int fds[2];

    (void)arg;
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    question.fd = fds[0];
    tasks[0] = start(&question);
    tasks[1] = tusk_create_task(read_one, as_arg(fds[0]));
    tusk_try(tusk_sleep(0));
    tusk_try(tusk_sleep(0));
    expect_int(write(fds[1], "xy", 2), 2);
    expect_int(tusk_await(tasks[0]), POLLIN);
    expect_int(tusk_await(tasks[1]), 1);
    close_both(fds);
    return 0;
}

static void test_what_tusk_reads_as_well(void **state)
{
    (void)state;
    play_quietly(read_too);
}

static int files(void *arg)
{
    int file = open_file();

    (void)arg;
    expect_int(tusk_poll_fd(file, POLLIN | POLLOUT), POLLIN | POLLOUT);
    return tusk_close(file);
}

static void test_files_are_always_ready(void **state)
{
    (void)state;
    play_quietly(files);
}

static int closed_plainly(void *arg)
{
    int fds[2];

    (void)arg;
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    expect_int(tusk_poll_fd(fds[0], POLLOUT), POLLOUT);
    close(fds[0]);
    expect_int(tusk_poll_fd(fds[0], POLLIN), -EBADF);
    close(fds[1]);
    return 0;
}

static void test_one_that_was_closed(void **state)
{
    (void)state;
    play_quietly(closed_plainly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_ready),
        cmocka_unit_test(test_it_waits_for_what_comes_next),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_either_of_both),
        cmocka_unit_test(test_several_that_wait),
        cmocka_unit_test(test_an_end_is_told_unasked),
        cmocka_unit_test(test_urgent_data),
        cmocka_unit_test(test_cancelling),
        cmocka_unit_test(test_a_number_that_comes_back),
        cmocka_unit_test(test_a_number_that_becomes_our_own),
        cmocka_unit_test(test_what_tusk_reads_as_well),
        cmocka_unit_test(test_files_are_always_ready),
        cmocka_unit_test(test_one_that_was_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
