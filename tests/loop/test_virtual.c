/*
 * The virtual clock: stands still while there is work, jumps exactly to the next
 * deadline, and says so when nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <cmocka.h>

#include "loop/trace.h"

static tusk_loop *loop;

static int setup(void **state)
{
    live_setup(state);
    loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    trace_clear();
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    if (tusk_loop_close(loop) < 0)
        return -1;
    return live_teardown(state);
}

static double times[16];
static int times_count;

static int note_time(void *arg)
{
    times[times_count++ % 16] = tusk_loop_time(tusk_get_running_loop());
    return note(arg);
}

static void test_it_jumps_to_the_deadline(void **state)
{
    int64_t start = tusk__clock_ns();

    (void)state;
    times_count = 0;
    tusk_loop_call_later(loop, 3600.5, note_time, number(2));
    tusk_loop_call_later(loop, 1e-9, note_time, number(1));
    tusk_loop_call_later(loop, 86400.0 * 36525, note_time, number(3));
    run_for(loop, 86400.0 * 36525 + 1);
    assert_trace(1, 2, 3);
    assert_true(times[0] == 1e-9);
    assert_true(times[1] == 3600.5);
    assert_true(times[2] == 86400.0 * 36525);
    assert_true(tusk_loop_time(loop) == 86400.0 * 36525 + 1);
    assert_true(tusk__clock_ns() - start < 30000000000);
}

static void test_each_nanosecond_is_an_iteration(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        tusk_loop_call_at(loop, (i / 2 + 1) * 1e-9, note, number(i));
    assert_int_equal(tusk_loop_run_forever(loop), -EDEADLK);
    assert_int_equal(trace.count, 200);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(trace.values[i], i);
        assert_int_equal(trace.iterations[i], trace.iterations[0] + (uint64_t)i / 2);
    }
    assert_true(loop->now == 100);
}

static int work_left;

static int work(void *arg)
{
    note(arg);
    assert_true(tusk_loop_time(loop) == 0);
    if (--work_left > 0)
        tusk_call_soon(work, arg);
    return 0;
}

static void test_it_stands_still_while_there_is_work(void **state)
{
    (void)state;
    work_left = 1000;
    tusk_loop_call_later(loop, 1e-9, note, number(2));
    tusk_loop_call_soon(loop, work, number(1));
    run_for(loop, 1);
    assert_int_equal(trace.count, 1001);
    assert_int_equal(trace.values[1000], 2);
}

static void test_nothing_left_is_a_deadlock(void **state)
{
    (void)state;
    assert_int_equal(tusk_loop_run_forever(loop), -EDEADLK);
    assert_false(tusk_loop_is_running(loop));
    tusk_loop_call_soon(loop, note, number(1));
    tusk_loop_call_later(loop, 2, note, number(2));
    assert_int_equal(tusk_loop_run_forever(loop), -EDEADLK);
    assert_trace(1, 2);
    assert_true(tusk_loop_time(loop) == 2);
    /* It is as good as new. */
    run_for(loop, 1);
    assert_true(tusk_loop_time(loop) == 3);
}

static void test_what_never_comes_is_nothing(void **state)
{
    static const double never[] = {HUGE_VAL, 1e300, 1e10, 8.5e9};

    (void)state;
    for (int i = 0; i < 4; i++) {
        tusk_handle timer = tusk_loop_call_later(loop, never[i], note, NULL);

        assert_true(isinf(tusk_handle_when(timer)));
        assert_int_equal(tusk_loop_run_forever(loop), -EDEADLK);
        assert_true(tusk_handle_pending(timer));
    }
    assert_true(tusk_loop_time(loop) == 0);
    assert_int_equal(trace.count, 0);
}

static void test_run_once_jumps_no_further_than_it_may(void **state)
{
    (void)state;
    assert_int_equal(tusk_loop_run_once(loop, 5), 0);
    assert_true(tusk_loop_time(loop) == 5);
    tusk_loop_call_later(loop, 3, note, number(1));
    tusk_loop_call_later(loop, 7, note, number(2));
    assert_int_equal(tusk_loop_run_once(loop, 5), 0);
    assert_trace(1);
    assert_true(tusk_loop_time(loop) == 8);
    assert_int_equal(tusk_loop_run_once(loop, 3.5), 0);
    assert_trace(1);
    assert_true(tusk_loop_time(loop) == 11.5);
    run_once(loop);
    assert_true(tusk_loop_time(loop) == 11.5);
    assert_int_equal(tusk_loop_run_once(loop, -1), 0);
    assert_trace(1, 2);
    assert_true(tusk_loop_time(loop) == 12);
    assert_int_equal(tusk_loop_run_once(loop, -1), -EDEADLK);
    assert_int_equal(tusk_loop_run_once(loop, HUGE_VAL), -EDEADLK);
    assert_int_equal(tusk_loop_run_once(loop, 1e10), -EDEADLK);
    assert_true(tusk_loop_time(loop) == 12);
}

static void test_the_clock_ends_before_it_overflows(void **state)
{
    int jumps = 0;

    (void)state;
    /* In steps of 100 days and of a century, both forwards as far as it goes. */
    while (tusk_loop_run_once(loop, 86400.0 * 36525) == 0 && jumps < 10)
        jumps++;
    assert_int_equal(jumps, 2);
    while (tusk_loop_run_once(loop, 8.64e6) == 0 && jumps < 1000)
        jumps++;
    assert_in_range(jumps, 100, 999);
    tusk_loop_call_later(loop, 1e9, note, number(1));
    assert_int_equal(tusk_loop_run_forever(loop), -EDEADLK);
    tusk_loop_call_later(loop, 0, note, number(2));
    assert_int_equal(tusk_loop_run_forever(loop), -EDEADLK);
    assert_trace(2);
}

static void test_times_gone_by(void **state)
{
    (void)state;
    assert_int_equal(tusk_loop_run_once(loop, 5), 0);
    tusk_loop_call_at(loop, 4, note, number(2));
    tusk_loop_call_at(loop, -4, note, number(1));
    tusk_loop_call_at(loop, 5, note, number(3));
    run_once(loop);
    assert_trace(1, 2, 3);
    assert_true(tusk_loop_time(loop) == 5);
}

static void test_stop_and_letters_come_before_a_deadlock(void **state)
{
    (void)state;
    tusk_loop_stop(loop);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_int_equal(tusk_loop_call_soon_threadsafe(loop, stop, NULL), 0);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_true(tusk_loop_time(loop) == 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_it_jumps_to_the_deadline),
        test(test_each_nanosecond_is_an_iteration),
        test(test_it_stands_still_while_there_is_work),
        test(test_nothing_left_is_a_deadlock),
        test(test_what_never_comes_is_nothing),
        test(test_run_once_jumps_no_further_than_it_may),
        test(test_the_clock_ends_before_it_overflows),
        test(test_times_gone_by),
        test(test_stop_and_letters_come_before_a_deadlock),
    };

    return run_with_each_poller(tests);
}
