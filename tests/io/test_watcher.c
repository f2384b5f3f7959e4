/*
 * add_reader and add_writer: level-triggered callbacks, as in asyncio.
 */
#include "task/stage.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <tusk/context.h>
#include <unistd.h>

#include "io/calls.h"
#include "io/ends.h"

static tusk_loop *loop;
static int fds[2];

static int setup(void **state)
{
    (void)state;
    stage_clean();
    loop = tusk_new_event_loop();
    tusk_loop_set_exception_handler(loop, keep_report, NULL);
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static size_t blocks_before;

static int setup_counted(void **state)
{
    blocks_before = tusk__live();
    return setup(state);
}

static int teardown(void **state)
{
    (void)state;
    close(fds[0]);
    close(fds[1]);
    return loop && tusk_loop_close(loop) < 0                      ? -1
           : tusk__live() == blocks_before && stage_failures == 0 ? 0
                                                                  : -1;
}

/* An iteration that does not wait. */
static void turn(void)
{
    assert_int_equal(tusk_loop_run_once(loop, 0), 0);
}

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        turn();
}

static void put_byte(void)
{
    assert_int_equal(write(fds[1], "x", 1), 1);
}

static void take_byte(void)
{
    char byte;

    assert_int_equal(read(fds[0], &byte, 1), 1);
}

/* Counts in *arg. */
static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

/* Counts, and reads a byte. */
static int count_and_take(void *arg)
{
    char byte;

    expect_int(read(fds[0], &byte, 1), 1);
    return count(arg);
}

/* ---- level semantics ---- */

static void test_called_in_each_iteration_while_it_is_readable(void **state)
{
    int calls = 0;

    (void)state;
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &calls), 0);
    turns(3);
    assert_int_equal(calls, 0);
    put_byte();
    turn();
    assert_int_equal(calls, 1);
    turns(4);
    assert_int_equal(calls, 5);
    take_byte();
    turns(3);
    assert_int_equal(calls, 5);
    put_byte();
    turns(2);
    assert_int_equal(calls, 7);
    assert_true(tusk_loop_remove_reader(loop, fds[0]));
    assert_false(tusk_loop_remove_reader(loop, fds[0]));
    turns(2);
    assert_int_equal(calls, 7);
}

static void test_a_byte_a_call(void **state)
{
    int calls = 0;

    (void)state;
    for (int i = 0; i < 5; i++)
        put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count_and_take, &calls), 0);
    turns(10);
    assert_int_equal(calls, 5);
}

/* The poller tells of it twice before it runs. */
static void test_called_once_an_iteration(void **state)
{
    int calls = 0;

    (void)state;
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &calls), 0);
    for (int i = 0; i < 3; i++) {
        put_byte();
        assert_int_equal(loop->poller.backend->wait(&loop->poller, 0), 0);
    }
    turn();
    assert_int_equal(calls, 1);
}

static void test_a_writer_is_called_while_there_is_room(void **state)
{
    static char bytes[1 << 20];
    int calls = 0;

    (void)state;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(tusk_loop_add_writer(loop, fds[0], count, &calls), 0);
    turns(3);
    assert_int_equal(calls, 3);
    while (write(fds[0], bytes, sizeof bytes) > 0)
        continue;
    turns(3);
    assert_int_equal(calls, 3);
    while (recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
    turns(3);
    assert_int_equal(calls, 6);
    assert_true(tusk_loop_remove_writer(loop, fds[0]));
    turns(3);
    assert_int_equal(calls, 6);
}

static void test_both_at_once(void **state)
{
    int reads = 0, writes = 0;

    (void)state;
    assert_int_equal(tusk_loop_add_writer(loop, fds[0], count, &writes), 0);
    turns(2);
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &reads), 0);
    turns(2);
    assert_int_equal(reads, 0);
    assert_int_equal(writes, 4);
    put_byte();
    turns(2);
    assert_int_equal(reads, 2);
    assert_int_equal(writes, 6);
    assert_true(tusk_loop_remove_writer(loop, fds[0]));
    turns(2);
    assert_int_equal(reads, 4);
    assert_int_equal(writes, 6);
}

static void test_the_end_is_something_to_read(void **state)
{
    int calls = 0;

    (void)state;
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &calls), 0);
    turn();
    shutdown(fds[1], SHUT_RDWR);
    turns(3);
    assert_int_equal(calls, 3);
}

/* ---- replacing and removing ---- */

static void test_a_new_one_takes_the_place_of_the_old(void **state)
{
    int old = 0, new = 0;

    (void)state;
    put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &old), 0);
    turn();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &new), 0);
    turns(3);
    assert_int_equal(old, 1);
    assert_int_equal(new, 3);
}

static int calls_of_replaced[2];

static int replace_itself(void *arg)
{
    ++*(int *)arg;
    expect_int(tusk_add_reader(fds[0], count, &calls_of_replaced[1]), 0);
    return 0;
}

static void test_one_that_is_replaced_by_its_own_callback(void **state)
{
    (void)state;
    calls_of_replaced[0] = calls_of_replaced[1] = 0;
    put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], replace_itself, &calls_of_replaced[0]), 0);
    turns(4);
    assert_int_equal(calls_of_replaced[0], 1);
    assert_int_equal(calls_of_replaced[1], 3);
}

static int remove_itself(void *arg)
{
    ++*(int *)arg;
    expect(tusk_remove_reader(fds[0]));
    expect(!tusk_remove_reader(fds[0]));
    return 0;
}

static void test_one_that_is_removed_by_its_own_callback(void **state)
{
    int calls = 0;

    (void)state;
    put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], remove_itself, &calls), 0);
    turns(3);
    assert_int_equal(calls, 1);
    /* And comes back. */
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &calls), 0);
    turn();
    assert_int_equal(calls, 2);
}

static int remove_the_other(void *arg)
{
    ++*(int *)arg;
    expect(tusk_remove_writer(fds[0]));
    return 0;
}

/* Both are in the queue of the same iteration. */
static void test_one_that_is_removed_while_it_is_queued(void **state)
{
    int reads = 0, writes = 0;

    (void)state;
    put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], remove_the_other, &reads), 0);
    assert_int_equal(tusk_loop_add_writer(loop, fds[0], count, &writes), 0);
    turn();
    assert_int_equal(reads, 1);
    assert_int_equal(writes, 0);
    assert_true(tusk_loop_remove_reader(loop, fds[0]));
}

static int replace_the_other(void *arg)
{
    ++*(int *)arg;
    expect_int(tusk_add_writer(fds[0], count, &calls_of_replaced[1]), 0);
    expect(tusk_remove_reader(fds[0]));
    return 0;
}

static void test_one_that_is_replaced_while_it_is_queued(void **state)
{
    int reads = 0;

    (void)state;
    calls_of_replaced[0] = calls_of_replaced[1] = 0;
    put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], replace_the_other, &reads), 0);
    assert_int_equal(tusk_loop_add_writer(loop, fds[0], count, &calls_of_replaced[0]), 0);
    turns(2);
    assert_int_equal(reads, 1);
    assert_int_equal(calls_of_replaced[0], 0);
    assert_int_equal(calls_of_replaced[1], 1);
}

static int close_it(void *arg)
{
    ++*(int *)arg;
    expect_int(tusk_close(fds[0]), 0);
    return 0;
}

static void test_one_whose_callback_closes_the_descriptor(void **state)
{
    int calls = 0, writes = 0;

    (void)state;
    put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], close_it, &calls), 0);
    assert_int_equal(tusk_loop_add_writer(loop, fds[0], count, &writes), 0);
    turns(3);
    assert_int_equal(calls, 1);
    assert_int_equal(writes, 0);
    assert_false(tusk_loop_remove_reader(loop, fds[0]));
}

static int close_it_plainly(void *arg)
{
    ++*(int *)arg;
    close(fds[0]);
    return 0;
}

static void test_one_whose_callback_closes_it_plainly(void **state)
{
    int calls = 0;

    (void)state;
    put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], close_it_plainly, &calls), 0);
    turns(3);
    assert_int_equal(calls, 1);
}

static void test_the_loop_closes_while_one_is_queued(void **state)
{
    int calls = 0;

    (void)state;
    put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &calls), 0);
    turn();
    /* The poller tells of it, and it never runs. */
    assert_int_equal(loop->poller.backend->wait(&loop->poller, 0), 0);
    assert_non_null(loop->ready);
    assert_int_equal(tusk_loop_close(loop), 0);
    loop = NULL;
    assert_int_equal(calls, 1);
}

/* ---- numbers ---- */

/* The number is removed, closed and used again by code that knows nothing of tusk. */
static void test_a_number_that_comes_back(void **state)
{
    int calls = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        int again[2];

        assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &calls), 0);
        turn();
        assert_int_equal(calls, i);
        put_byte();
        turn();
        assert_int_equal(calls, i + 1);
        assert_true(tusk_loop_remove_reader(loop, fds[0]));
        close(fds[0]);
        close(fds[1]);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, again), 0);
        fds[0] = again[0];
        fds[1] = again[1];
    }
}

/* The same, and a duplicate of each lives on and has something to tell. */
static void test_a_number_that_comes_back_with_a_duplicate(void **state)
{
    int calls = 0;
    int copies[3];
    int peers[3];

    (void)state;
    /* It would follow a pointer to what it has freed. */
    if (libkqueue_is(NULL))
        skip();
    for (int i = 0; i < 3; i++) {
        int again[2];

        assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &calls), 0);
        turn();
        copies[i] = fcntl(fds[0], F_DUPFD, 100);
        peers[i] = fcntl(fds[1], F_DUPFD, 100);
        assert_true(tusk_loop_remove_reader(loop, fds[0]));
        close(fds[0]);
        close(fds[1]);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, again), 0);
        fds[0] = again[0];
        fds[1] = again[1];
        assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &calls), 0);
        assert_int_equal(write(peers[i], "x", 1), 1);
        turns(3);
        assert_int_equal(calls, 0);
    }
    put_byte();
    turn();
    assert_int_equal(calls, 1);
    for (int i = 0; i < 3; i++) {
        close(copies[i]);
        close(peers[i]);
    }
}

static void test_what_cannot_be_watched(void **state)
{
    char path[] = "/tmp/tusk-file-XXXXXX";
    int file = mkstemp(path);

    (void)state;
    unlink(path);
    assert_int_equal(tusk_loop_add_reader(loop, file, count, NULL), -EPERM);
    assert_int_equal(tusk_loop_add_writer(loop, file, count, NULL), -EPERM);
    assert_false(tusk_loop_remove_reader(loop, file));
    close(file);
    assert_int_equal(tusk_loop_add_reader(loop, file, count, NULL), -EBADF);
    assert_int_equal(tusk_loop_add_reader(loop, -1, count, NULL), -EBADF);
    assert_int_equal(tusk_loop_add_reader(loop, INT_MAX, count, NULL), -EBADF);
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], NULL, NULL), -EINVAL);
    assert_int_equal(tusk_loop_add_reader(NULL, fds[0], count, NULL), -EINVAL);
    assert_int_equal(tusk_add_reader(fds[0], count, NULL), TUSK_NO_RUNNING_LOOP);
    assert_int_equal(tusk_add_writer(fds[0], count, NULL), TUSK_NO_RUNNING_LOOP);
    assert_false(tusk_remove_reader(fds[0]));
    assert_false(tusk_remove_writer(fds[0]));
    assert_false(tusk_loop_remove_reader(NULL, fds[0]));
    assert_false(tusk_loop_remove_reader(loop, -1));
    assert_false(tusk_loop_remove_reader(loop, INT_MAX));
}

/* It belongs to somebody else: nothing about it changes. */
static void test_the_mode_of_the_descriptor_stays(void **state)
{
    int calls = 0;

    (void)state;
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], count, &calls), 0);
    turn();
    assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
}

/* ---- together with tasks ---- */

static int read_with_watcher(void *arg)
{
    char byte;
    int calls = 0;

    (void)arg;
    expect_int(tusk_add_reader(fds[0], count, &calls), 0);
    for (int i = 0; i < 3; i++) {
        expect_int(write(fds[1], "x", 1), 1);
        expect_int(tusk_read(fds[0], &byte, 1), 1);
    }
    expect_int(tusk_recv(fds[0], &byte, 1, MSG_DONTWAIT), -EAGAIN);
    expect_int(write(fds[1], "x", 1), 1);
    tusk_try(tusk_sleep(0.01));
    expect(calls > 0);
    expect_int(tusk_read(fds[0], &byte, 1), 1);
    expect(tusk_remove_reader(fds[0]));
    return tusk_detach(fds[0]);
}

static void test_a_task_reads_what_is_watched(void **state)
{
    tusk_task *task = tusk_loop_create_task(loop, read_with_watcher, NULL);

    (void)state;
    assert_int_equal(tusk_loop_run_until_complete(loop, task), 0);
}

/* ---- contexts and errors ---- */

static tusk_context_var colour = TUSK_CONTEXT_VAR("colour", NULL);
static intptr_t colours[2];

static int note_colour(void *arg)
{
    colours[*(int *)arg] = (intptr_t)tusk_context_var_get(&colour);
    expect_int(tusk_context_var_set(&colour, as_arg(9), NULL), 0);
    return ++*(int *)arg < 2 ? 0 : remove_itself(arg);
}

static int add_in_colour(void *arg)
{
    tusk_try(tusk_context_var_set(&colour, as_arg(7), NULL));
    return tusk_add_reader(fds[0], note_colour, arg);
}

static void test_the_context_is_that_of_who_added_it(void **state)
{
    int calls = 0;

    (void)state;
    put_byte();
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_loop_create_task(loop, add_in_colour, &calls)),
                     0);
    turns(3);
    assert_int_equal(calls, 3);
    assert_int_equal(colours[0], 7);
    /* What it sets is there the next time, and nowhere else. */
    assert_int_equal(colours[1], 9);
    assert_null(tusk_context_var_get(&colour));
}

static int take_and_fail(void *arg)
{
    char byte;

    expect_int(read(fds[0], &byte, 1), 1);
    ++*(int *)arg;
    return tusk_raise(-EIO, "no ink");
}

static void test_an_error_is_reported_and_the_watching_goes_on(void **state)
{
    int calls = 0;

    (void)state;
    put_byte();
    put_byte();
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], take_and_fail, &calls), 0);
    turns(3);
    assert_int_equal(calls, 2);
    assert_non_null(strstr(stage_reports, "no ink"));
}

/* ---- the wrong thread ---- */

static void *use_from_elsewhere(void *arg)
{
    expect_int(tusk_loop_add_reader(loop, fds[0], count, arg), TUSK_OTHER_THREAD);
    expect_int(tusk_loop_add_writer(loop, fds[0], count, arg), TUSK_OTHER_THREAD);
    expect(!tusk_loop_remove_reader(loop, fds[0]));
    return NULL;
}

static int start_thread(void *arg)
{
    pthread_t thread;
    int calls = 0;

    expect_int(tusk_add_reader(fds[0], count, arg), 0);
    expect_int(pthread_create(&thread, NULL, use_from_elsewhere, &calls), 0);
    pthread_join(thread, NULL);
    expect(tusk_remove_reader(fds[0]));
    return 0;
}

static void test_debug_mode_sees_other_threads(void **state)
{
    FILE *quiet = stderr;
    int calls = 0;

    (void)state;
    tusk_loop_set_debug(loop, true);
    stderr = fopen("/dev/null", "w");
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_loop_create_task(loop, start_thread, &calls)),
                     0);
    fclose(stderr);
    stderr = quiet;
}

/* ---- failures ---- */

static void test_adding_fails_and_leaves_nothing(void **state)
{
    int rc = -1;
    int calls = 0;

    (void)state;
    for (long n = 1; rc < 0; n++) {
        tusk__fail_after(n);
        rc = tusk_loop_add_reader(loop, fds[0], count, &calls);
        tusk__fail_after(0);
        assert_in_range(n, 1, 20);
        assert_true(rc == 0 || rc == -ENOMEM || rc == -ENOSPC);
        assert_int_equal(tusk_loop_remove_reader(loop, fds[0]), rc == 0);
        tusk_loop_close(loop);
        loop = tusk_new_event_loop();
    }
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup_counted, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_called_in_each_iteration_while_it_is_readable),
        test(test_a_byte_a_call),
        test(test_called_once_an_iteration),
        test(test_a_writer_is_called_while_there_is_room),
        test(test_both_at_once),
        test(test_the_end_is_something_to_read),
        test(test_a_new_one_takes_the_place_of_the_old),
        test(test_one_that_is_replaced_by_its_own_callback),
        test(test_one_that_is_removed_by_its_own_callback),
        test(test_one_that_is_removed_while_it_is_queued),
        test(test_one_that_is_replaced_while_it_is_queued),
        test(test_one_whose_callback_closes_the_descriptor),
        test(test_one_whose_callback_closes_it_plainly),
        test(test_the_loop_closes_while_one_is_queued),
        test(test_a_number_that_comes_back),
        test(test_a_number_that_comes_back_with_a_duplicate),
        test(test_what_cannot_be_watched),
        test(test_the_mode_of_the_descriptor_stays),
        test(test_a_task_reads_what_is_watched),
        test(test_the_context_is_that_of_who_added_it),
        test(test_an_error_is_reported_and_the_watching_goes_on),
        test(test_debug_mode_sees_other_threads),
        test(test_adding_fails_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
