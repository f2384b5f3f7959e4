/*
 * Descriptors that others use and tusk only watches: nothing is told that is not there, and nothing keeps
 * alive what its owner closes. With each poller.
 */
#include "task/stage.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static int called;

/* By the real clock: one that jumps would stand still while a callback is always ready. */
static void run(tusk_coro *coro)
{
    stage_clean();
    assert_int_equal(tusk_run(coro, NULL), 0);
    assert_int_equal(stage_failures, 0);
}

static int on_readable(void *arg)
{
    (void)arg;
    called++;
    return 0;
}

/* The other side, and the guest's. */
static void make_pair(int ends[2])
{
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static bool has_ended(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static int look_several_times(void)
{
    for (int i = 0; i < 5; i++)
        tusk_try(tusk_sleep(0.001));
    return 0;
}

/* ---- closing without a word ---- */

static int close_after_watching(void *arg)
{
    (void)arg;
    for (int way = 0; way < 4; way++) {
        int ends[2];

        make_pair(ends);
        called = 0;
        expect_int(tusk_add_reader(ends[1], on_readable, NULL), 0);
        if (way & 1)
            expect_int(tusk_add_writer(ends[1], on_readable, NULL), 0);
        if (way & 2)
            tusk_try(look_several_times());
        expect(tusk_remove_reader(ends[1]));
        if (way & 1)
            expect(tusk_remove_writer(ends[1]));
        close(ends[1]);
        expect(has_ended(ends[0]));
        close(ends[0]);
    }
    return 0;
}

static void test_what_was_watched_can_be_closed(void **state)
{
    (void)state;
    run(close_after_watching);
}

/* One direction goes, the other one is watched on. */
static int remove_one(void *arg)
{
    int ends[2];

    (void)arg;
    make_pair(ends);
    called = 0;
    expect_int(tusk_add_reader(ends[1], on_readable, NULL), 0);
    expect_int(tusk_add_writer(ends[1], on_readable, NULL), 0);
    tusk_try(look_several_times());
    expect(called > 0);
    expect(tusk_remove_writer(ends[1]));
    tusk_try(tusk_sleep(0));
    called = 0;
    tusk_try(look_several_times());
    expect_int(called, 0);
    expect_int(write(ends[0], "x", 1), 1);
    tusk_try(look_several_times());
    expect(called > 0);
    /* Put in the place of another one. */
    expect_int(tusk_add_reader(ends[1], on_readable, NULL), 0);
    called = 0;
    tusk_try(look_several_times());
    expect(called > 0);
    expect(tusk_remove_reader(ends[1]));
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void test_one_direction_goes(void **state)
{
    (void)state;
    run(remove_one);
}

static int write_byte(void *arg)
{
    return write((int)(intptr_t)arg, "x", 1) == 1 ? 0 : -EIO;
}

static int wait_to_read(void *arg)
{
    int events = tusk_poll_fd((int)(intptr_t)arg, POLLIN);

    return events == POLLIN ? 0 : events;
}

static int close_after_waiting(void *arg)
{
    (void)arg;
    for (int way = 0; way < 3; way++) {
        tusk_task *first, *second;
        char byte;
        int ends[2];

        make_pair(ends);
        first = tusk_create_task(wait_to_read, (void *)(intptr_t)ends[1]);
        second = tusk_create_task(wait_to_read, (void *)(intptr_t)ends[1]);
        tusk_try(tusk_sleep(0));
        if (way == 1)
            tusk_task_cancel(first);
        if (way == 2)
            tusk_task_cancel(second);
        tusk_try(look_several_times());
        tusk_call_soon(write_byte, (void *)(intptr_t)ends[0]);
        expect_int(tusk_await(first), way == 1 ? -ECANCELED : 0);
        expect_int(tusk_await(second), way == 2 ? -ECANCELED : 0);
        expect_int(recv(ends[1], &byte, 1, 0), 1);
        close(ends[1]);
        expect(has_ended(ends[0]));
        close(ends[0]);
    }
    return 0;
}

static void test_what_was_waited_for_can_be_closed(void **state)
{
    (void)state;
    run(close_after_waiting);
}

/* ---- what is not there ---- */

/* It comes and goes between two looks of the poller. */
static int come_and_go(void *arg)
{
    int ends[2];

    (void)arg;
    make_pair(ends);
    called = 0;
    expect_int(tusk_add_reader(ends[1], on_readable, NULL), 0);
    tusk_try(look_several_times());
    for (int i = 0; i < 20; i++) {
        char byte;

        expect_int(write(ends[0], "x", 1), 1);
        expect_int(recv(ends[1], &byte, 1, 0), 1);
        tusk_try(tusk_sleep(0.001));
        expect_int(called, 0);
    }
    expect_int(write(ends[0], "x", 1), 1);
    tusk_try(look_several_times());
    expect(called > 0);
    expect(tusk_remove_reader(ends[1]));
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void test_what_is_gone_is_not_told(void **state)
{
    (void)state;
    run(come_and_go);
}

/* The end, and urgent data, are something to hear of. */
static int hear_of_the_end(void *arg)
{
    int ends[2];

    (void)arg;
    make_pair(ends);
    called = 0;
    expect_int(tusk_add_reader(ends[1], on_readable, NULL), 0);
    tusk_try(look_several_times());
    expect_int(called, 0);
    close(ends[0]);
    tusk_try(look_several_times());
    expect(called > 0);
    expect(tusk_remove_reader(ends[1]));
    close(ends[1]);
    return 0;
}

static void test_the_end_is_told(void **state)
{
    (void)state;
    run(hear_of_the_end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_watched_can_be_closed),
        cmocka_unit_test(test_one_direction_goes),
        cmocka_unit_test(test_what_was_waited_for_can_be_closed),
        cmocka_unit_test(test_what_is_gone_is_not_told),
        cmocka_unit_test(test_the_end_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
