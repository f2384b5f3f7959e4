/*
 * A loop that lives inside another one: its descriptor, its time-out, and turns
 * that do not wait. The outer loop here is poll(2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include <cmocka.h>

#include "loop/trace.h"

static tusk_loop *loop;

static int setup(void **state)
{
    live_setup(state);
    loop = loop_new();
    return 0;
}

static int teardown(void **state)
{
    if (tusk_loop_close(loop) < 0)
        return -1;
    return live_teardown(state);
}

/* Whether the loop's descriptor is readable within so many milliseconds. */
static bool readable(int milliseconds)
{
    struct pollfd fd = {.fd = tusk_loop_fileno(loop), .events = POLLIN};

    return poll(&fd, 1, milliseconds) == 1 && fd.revents & POLLIN;
}

static void skip_without_descriptor(void)
{
    if (tusk_loop_fileno(loop) == -ENOTSUP)
        skip();
    assert_true(tusk_loop_fileno(loop) >= 0);
}

/* ---- time-outs ---- */

static void test_the_time_out(void **state)
{
    tusk_handle timer;

    (void)state;
    assert_true(isinf(tusk_loop_timeout(loop)));
    timer = tusk_loop_call_later(loop, 100, note, number(1));
    assert_true(tusk_loop_timeout(loop) > 0 && tusk_loop_timeout(loop) <= 100);
    tusk_loop_call_later(loop, 0.001, note, number(2));
    assert_true(tusk_loop_timeout(loop) <= 0.001);
    live_sleep_ms(2);
    assert_true(tusk_loop_timeout(loop) == 0);
    run_once(loop);
    assert_trace(2);
    assert_true(tusk_loop_timeout(loop) > 0);
    assert_true(tusk_handle_cancel(timer));
    assert_true(isinf(tusk_loop_timeout(loop)));
}

static void test_no_time_out_with_something_to_do(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, note, number(1));
    assert_true(tusk_loop_timeout(loop) == 0);
    run_once(loop);
    assert_true(isinf(tusk_loop_timeout(loop)));
    assert_int_equal(tusk_loop_call_soon_threadsafe(loop, note, number(2)), 0);
    assert_true(tusk_loop_timeout(loop) == 0);
    run_once(loop);
    assert_true(isinf(tusk_loop_timeout(loop)));
    tusk_loop_stop(loop);
    assert_true(tusk_loop_timeout(loop) == 0);
    run_once(loop);
    assert_true(isinf(tusk_loop_timeout(loop)));
}

/* What the outer loop does once, in whole milliseconds. */
static void outer_turn(void)
{
    double timeout = tusk_loop_timeout(loop);
    struct pollfd fd = {.fd = tusk_loop_fileno(loop), .events = POLLIN};

    assert_true(poll(&fd, 1, isinf(timeout) ? 10000 : (int)ceil(timeout * 1000)) >= 0);
    run_once(loop);
}

static void test_timers_inside_an_outer_loop(void **state)
{
    int turns = 0;

    (void)state;
    skip_without_descriptor();
    for (int i = 0; i < 10; i++)
        tusk_loop_call_later(loop, 0.002 * (10 - i), note, number(10 - i));
    for (; trace.count < 10 && turns < 1000; turns++)
        outer_turn();
    assert_trace(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    /* Each deadline takes its time in a few steps, not in a busy wait. */
    assert_in_range(turns, 1, 200);
}

/* ---- the descriptor ---- */

static void test_a_letter_makes_it_readable(void **state)
{
    (void)state;
    skip_without_descriptor();
    assert_false(readable(0));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tusk_loop_call_soon_threadsafe(loop, note, number(i)), 0);
        assert_int_equal(tusk_loop_call_soon_threadsafe(loop, note, number(i)), 0);
        assert_true(readable(0));
        run_once(loop);
        assert_int_equal(trace.count, 2 * i + 2);
        assert_false(readable(0));
    }
}

static void *send_three(void *arg)
{
    for (int i = 0; i < 3; i++) {
        live_sleep_ms(10);
        if (tusk_loop_call_soon_threadsafe(loop, note, number(i)) != 0)
            return number(1);
    }
    return arg;
}

static void test_letters_from_a_thread_wake_the_outer_loop(void **state)
{
    pthread_t thread;
    void *result;

    (void)state;
    skip_without_descriptor();
    assert_int_equal(pthread_create(&thread, NULL, send_three, NULL), 0);
    while (trace.count < 3) {
        assert_true(readable(20000));
        run_once(loop);
    }
    assert_trace(0, 1, 2);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
}

static atomic_bool send_now;
static atomic_bool sent;

static void *send_when_told(void *arg)
{
    while (!atomic_load(&send_now))
        sched_yield();
    if (tusk_loop_call_soon_threadsafe(loop, note, arg) != 0)
        return arg;
    atomic_store(&sent, true);
    return NULL;
}

static int have_a_letter_sent(void *arg)
{
    (void)arg;
    atomic_store(&send_now, true);
    while (!atomic_load(&sent))
        sched_yield();
    return 0;
}

static void test_a_letter_written_during_the_last_callback_is_seen(void **state)
{
    pthread_t thread;
    void *result;

    (void)state;
    skip_without_descriptor();
    atomic_store(&send_now, false);
    atomic_store(&sent, false);
    assert_int_equal(pthread_create(&thread, NULL, send_when_told, number(1)), 0);
    tusk_loop_call_soon(loop, have_a_letter_sent, NULL);
    run_once(loop);
    assert_int_equal(trace.count, 0);
    assert_true(readable(0));
    assert_true(tusk_loop_timeout(loop) == 0);
    run_once(loop);
    assert_trace(1);
    assert_false(readable(0));
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
}

static int read_byte_count;

static void read_byte(struct tusk__watch *watch, int events)
{
    char byte;

    assert_true(events & TUSK__POLL_READ);
    assert_int_equal(read(watch->fd, &byte, 1), 1);
    read_byte_count++;
    tusk_loop_call_soon(loop, note, number(byte));
}

static void test_input_makes_it_readable(void **state)
{
    struct tusk__watch watch = {.events = TUSK__POLL_READ, .ready = read_byte};
    int ends[2];

    (void)state;
    skip_without_descriptor();
    assert_int_equal(pipe(ends), 0);
    watch.fd = ends[0];
    assert_int_equal(loop->poller.backend->watch(&loop->poller, &watch), 0);
    run_once(loop);
    assert_false(readable(0));
    /* One after the other, with nothing in between that would make a poll due. */
    for (int i = 1; i <= 20; i++) {
        char byte = (char)i;

        assert_int_equal(write(ends[1], &byte, 1), 1);
        assert_true(readable(0));
        run_once(loop);
        assert_int_equal(trace.count, i);
        assert_int_equal(trace.values[i - 1], i);
        assert_false(readable(0));
    }
    loop->poller.backend->unwatch(&loop->poller, &watch);
    assert_int_equal(write(ends[1], "", 1), 1);
    assert_false(readable(0));
    close(ends[0]);
    close(ends[1]);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_the_time_out),
        test(test_no_time_out_with_something_to_do),
        test(test_timers_inside_an_outer_loop),
        test(test_a_letter_makes_it_readable),
        test(test_letters_from_a_thread_wake_the_outer_loop),
        test(test_a_letter_written_during_the_last_callback_is_seen),
        test(test_input_makes_it_readable),
    };

    return run_with_each_poller(tests);
}
