/*
 * Callbacks and their handles: order, each exactly once, cancelling, times.
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
    loop = loop_new();
    return 0;
}

static int teardown(void **state)
{
    if (tusk_loop_close(loop) < 0)
        return -1;
    return live_teardown(state);
}

/* ---- order ---- */

static void test_first_in_first_out_each_once(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_non_null(tusk_loop_call_soon(loop, note, number(i)).handle_);
    run_once(loop);
    run_once(loop);
    assert_int_equal(trace.count, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(trace.values[i], i);
}

static int note_and_stop(void *arg)
{
    note(arg);
    return stop(arg);
}

static int add_two(void *arg)
{
    note(arg);
    tusk_call_soon(note, number(10));
    tusk_loop_call_soon(tusk_get_running_loop(), note_and_stop, number(11));
    return 0;
}

static void test_what_callbacks_add_runs_in_the_next_iteration(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, add_two, number(1));
    tusk_loop_call_soon(loop, note, number(2));
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_trace(1, 2, 10, 11);
    assert_int_equal(trace.iterations[1], trace.iterations[0]);
    assert_int_equal(trace.iterations[2], trace.iterations[0] + 1);
    assert_int_equal(trace.iterations[3], trace.iterations[0] + 1);
}

static int chain_left;

static int chain(void *arg)
{
    note(arg);
    if (--chain_left > 0)
        tusk_call_soon(chain, arg);
    else
        stop(NULL);
    return 0;
}

static void test_two_chains_take_turns(void **state)
{
    (void)state;
    chain_left = 2000;
    tusk_loop_call_soon(loop, chain, number(0));
    tusk_loop_call_soon(loop, chain, number(1));
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_int_equal(trace.count, 2000);
    for (int i = 0; i < trace.count; i++) {
        assert_int_equal(trace.values[i], i % 2);
        assert_int_equal(trace.iterations[i], trace.iterations[0] + (uint64_t)i / 2);
    }
}

static void test_ready_callbacks_come_before_timers(void **state)
{
    (void)state;
    tusk_loop_call_later(loop, 0, note, number(3));
    tusk_loop_call_at(loop, 0, note, number(2));
    tusk_loop_call_soon(loop, note, number(1));
    run_once(loop);
    assert_trace(1, 2, 3);
    assert_int_equal(trace.iterations[0], trace.iterations[2]);
}

static int add_timer_and_soon(void *arg)
{
    note(arg);
    tusk_call_later(0, note_and_stop, number(3));
    tusk_call_soon(note, number(2));
    return 0;
}

static void test_a_due_timer_belongs_to_the_next_iteration(void **state)
{
    (void)state;
    /* Also in the midst of quick turns, when the loop does not look at the clock each time. */
    chain_left = 100;
    tusk_loop_call_soon(loop, chain, number(0));
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    for (int i = 0; i < 100; i++) {
        trace_clear();
        tusk_loop_call_soon(loop, add_timer_and_soon, number(1));
        assert_int_equal(tusk_loop_run_forever(loop), 0);
        assert_trace(1, 2, 3);
        assert_int_equal(trace.iterations[1], trace.iterations[0] + 1);
        assert_int_equal(trace.iterations[2], trace.iterations[0] + 1);
    }
}

static int delay_kind;

/* A long callback, among short ones, that adds a timer that is due. */
static int work_and_add_a_timer(void *arg)
{
    int64_t start = tusk__clock_ns();

    note(arg);
    while (tusk__clock_ns() - start < 1000000)
        ;
    if (delay_kind == 0)
        tusk_call_later(0, note, number(2));
    else
        tusk_call_at(tusk_loop_time(loop) - 1e-6, note, number(2));
    chain_left = 3;
    tusk_call_soon(chain, number(3));
    return 0;
}

static int sprint(void *arg)
{
    if (--chain_left > 0)
        tusk_call_soon(sprint, arg);
    else
        tusk_call_soon(work_and_add_a_timer, number(1));
    return 0;
}

static void test_a_due_timer_of_a_long_callback_too(void **state)
{
    (void)state;
    for (delay_kind = 0; delay_kind < 2; delay_kind++) {
        trace_clear();
        chain_left = 3000;
        tusk_loop_call_soon(loop, sprint, NULL);
        assert_int_equal(tusk_loop_run_forever(loop), 0);
        assert_trace(1, 3, 2, 3, 3);
    }
}

/* ---- handles ---- */

static tusk_handle victim;
static bool victim_cancelled;

static int cancel_victim(void *arg)
{
    note(arg);
    victim_cancelled = tusk_handle_cancel(victim);
    return 0;
}

static void test_a_cancelled_callback_is_skipped(void **state)
{
    tusk_handle handle;

    (void)state;
    tusk_loop_call_soon(loop, note, number(1));
    handle = tusk_loop_call_soon(loop, note, number(2));
    tusk_loop_call_soon(loop, note, number(3));
    assert_true(tusk_handle_pending(handle));
    assert_true(tusk_handle_cancel(handle));
    assert_false(tusk_handle_pending(handle));
    assert_false(tusk_handle_cancel(handle));
    run_once(loop);
    assert_trace(1, 3);
    assert_false(tusk_handle_cancel(handle));
}

static void test_cancelled_by_the_one_before_it(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, cancel_victim, number(1));
    victim = tusk_loop_call_soon(loop, note, number(2));
    tusk_loop_call_soon(loop, note, number(3));
    run_once(loop);
    assert_true(victim_cancelled);
    assert_trace(1, 3);
}

static void test_a_running_callback_cannot_be_cancelled(void **state)
{
    (void)state;
    victim = tusk_loop_call_soon(loop, cancel_victim, number(1));
    run_once(loop);
    assert_false(victim_cancelled);
    assert_false(tusk_handle_pending(victim));
    assert_trace(1);
}

static void test_a_due_timer_is_cancelled_by_the_one_before_it(void **state)
{
    (void)state;
    tusk_loop_call_later(loop, 0, cancel_victim, number(1));
    victim = tusk_loop_call_later(loop, 0, note, number(2));
    tusk_loop_call_later(loop, 0, note, number(3));
    live_sleep_ms(1);
    run_once(loop);
    assert_true(victim_cancelled);
    assert_trace(1, 3);
}

static void test_a_cancelled_timer_never_comes(void **state)
{
    tusk_handle handle = tusk_loop_call_later(loop, 0.001, note, number(1));

    (void)state;
    assert_true(tusk_handle_cancel(handle));
    assert_false(tusk_handle_cancel(handle));
    assert_int_equal(tusk__slab_in_use(&loop->calls), 0);
    run_for(loop, 0.005);
    assert_int_equal(trace.count, 0);
}

static void test_an_empty_handle(void **state)
{
    tusk_handle empty = {NULL, 0};

    (void)state;
    assert_false(tusk_handle_cancel(empty));
    assert_false(tusk_handle_pending(empty));
    assert_true(isnan(tusk_handle_when(empty)));
}

static void test_a_stale_handle_does_not_touch_the_next_call(void **state)
{
    tusk_handle stale = tusk_loop_call_soon(loop, note, number(0));
    int reused = 0;

    (void)state;
    run_once(loop);
    trace_clear();
    /* Under ASan some hundred calls go by before a place is used again. */
    for (int i = 0; i < 1000; i++) {
        tusk_handle handle = tusk_loop_call_later(loop, 1, note, number(1));

        reused += handle.handle_ == stale.handle_;
        assert_false(tusk_handle_pending(stale));
        assert_false(tusk_handle_cancel(stale));
        assert_true(isnan(tusk_handle_when(stale)));
        assert_true(tusk_handle_pending(handle));
        assert_true(tusk_handle_cancel(handle));
    }
    assert_int_not_equal(reused, 0);
}

static void test_when_and_pending(void **state)
{
    tusk_handle soon = tusk_loop_call_soon(loop, note, number(1));
    tusk_handle later = tusk_loop_call_at(loop, 1e6 + 0.25, note, number(2));
    tusk_handle never = tusk_loop_call_later(loop, (double)INFINITY, note, number(3));
    double before = tusk_loop_time(loop);
    tusk_handle timer = tusk_loop_call_later(loop, 10, note, number(4));
    double after = tusk_loop_time(loop);

    (void)state;
    assert_true(tusk_handle_pending(soon));
    assert_true(isnan(tusk_handle_when(soon)));
    assert_true(tusk_handle_when(later) == 1e6 + 0.25);
    assert_true(isinf(tusk_handle_when(never)));
    assert_true(tusk_handle_when(timer) >= before + 10 && tusk_handle_when(timer) <= after + 10);
    assert_true(tusk_handle_cancel(timer));
    assert_true(isnan(tusk_handle_when(timer)));
    run_once(loop);
    assert_false(tusk_handle_pending(soon));
    assert_true(tusk_handle_pending(never));
    assert_true(tusk_handle_cancel(never));
}

static void test_cancelled_calls_leave_nothing_behind(void **state)
{
    enum { MANY = 100000 };
    tusk_handle *handles = calloc(MANY, sizeof *handles);
    int count = live_count(MANY, MANY / 10);

    (void)state;
    assert_non_null(handles);
    for (int i = 0; i < count; i++)
        handles[i] =
            i % 2 ? tusk_loop_call_soon(loop, note, NULL) : tusk_loop_call_later(loop, i, note, NULL);
    for (int i = 0; i < count; i++)
        assert_true(tusk_handle_cancel(handles[i]));
    run_once(loop);
    assert_int_equal(trace.count, 0);
    assert_int_equal(tusk__slab_in_use(&loop->calls), 0);
    assert_int_equal(tusk__wheel_count(&loop->wheel), 0);
    free(handles);
}

/* ---- times ---- */

static void test_no_delay_and_less(void **state)
{
    (void)state;
    tusk_loop_call_later(loop, 0, note, number(3));
    tusk_loop_call_later(loop, -1, note, number(2));
    tusk_loop_call_later(loop, -(double)INFINITY, note, number(1));
    tusk_loop_call_later(loop, 0, note, number(4));
    run_once(loop);
    assert_trace(1, 2, 3, 4);
}

static void test_no_time_at_all(void **state)
{
    (void)state;
    assert_null(tusk_loop_call_later(loop, (double)NAN, note, NULL).handle_);
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_null(tusk_loop_call_at(loop, (double)NAN, note, NULL).handle_);
    assert_int_equal(tusk_last_error(), -EINVAL);
}

static void test_infinite_and_huge_times_never_come(void **state)
{
    static const double times[] = {HUGE_VAL, 1e300, 1e12, 9.3e9};
    tusk_handle handles[8];

    (void)state;
    for (int i = 0; i < 4; i++) {
        handles[i] = tusk_loop_call_later(loop, times[i], note, number(1));
        handles[i + 4] = tusk_loop_call_at(loop, times[i], note, number(1));
    }
    for (int i = 0; i < 8; i++)
        assert_true(isinf(tusk_handle_when(handles[i])));
    assert_true(isinf(tusk_loop_timeout(loop)));
    run_for(loop, 0.002);
    assert_int_equal(trace.count, 0);
    for (int i = 0; i < 8; i++)
        assert_true(tusk_handle_cancel(handles[i]));
}

static void test_times_gone_by_run_by_deadline_then_creation(void **state)
{
    double now = tusk_loop_time(loop);

    (void)state;
    tusk_loop_call_at(loop, now - 1, note, number(4));
    tusk_loop_call_at(loop, now - 2, note, number(2));
    tusk_loop_call_at(loop, now - 1, note, number(5));
    tusk_loop_call_at(loop, -5, note, number(1));
    tusk_loop_call_at(loop, now - 2, note, number(3));
    tusk_loop_call_at(loop, -1e300, note, number(0));
    run_once(loop);
    assert_trace(0, 1, 2, 3, 4, 5);
    assert_int_equal(trace.iterations[0], trace.iterations[5]);
}

static void test_timers_run_by_deadline(void **state)
{
    double now = tusk_loop_time(loop);

    (void)state;
    for (int i = 0; i < 100; i++)
        tusk_loop_call_at(loop, now + 0.0001 * ((i * 37) % 100 + 1), note, number((i * 37) % 100));
    run_for(loop, 0.02);
    assert_int_equal(trace.count, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(trace.values[i], i);
}

static void test_equal_deadlines_run_in_order_of_creation(void **state)
{
    double when = tusk_loop_time(loop) + 0.005;
    tusk_handle handles[300];

    (void)state;
    for (int i = 0; i < 300; i++)
        handles[i] = tusk_loop_call_at(loop, when, note, number(i));
    for (int i = 0; i < 300; i += 3)
        assert_true(tusk_handle_cancel(handles[i]));
    run_for(loop, 0.02);
    assert_int_equal(trace.count, 200);
    for (int i = 0; i < 200; i++)
        assert_int_equal(trace.values[i], i / 2 * 3 + i % 2 + 1);
}

static double due;
static int early;

static int look_at_the_clock(void *arg)
{
    (void)arg;
    early += tusk_loop_time(tusk_get_running_loop()) < due;
    return stop(NULL);
}

static void test_no_timer_is_early(void **state)
{
    static const double delays[] = {1e-9, 1e-6, 3.7e-5, 1e-4, 0.000999, 0.0015, 0.003, 0.011};

    (void)state;
    early = 0;
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        tusk_handle handle = tusk_loop_call_later(loop, delays[i], look_at_the_clock, NULL);

        due = tusk_handle_when(handle);
        assert_int_equal(tusk_loop_run_forever(loop), 0);
    }
    assert_int_equal(early, 0);
}

/* ---- misuse ---- */

static void test_bad_arguments(void **state)
{
    (void)state;
    assert_null(tusk_loop_call_soon(loop, NULL, NULL).handle_);
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_null(tusk_loop_call_soon(NULL, note, NULL).handle_);
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_null(tusk_loop_call_later(NULL, 1, note, NULL).handle_);
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_null(tusk_loop_call_later(loop, 1, NULL, NULL).handle_);
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_null(tusk_loop_call_at(NULL, 1, note, NULL).handle_);
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_null((tusk_loop_call_at)(loop, 1, NULL, NULL, NULL).handle_);
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_non_null((tusk_loop_call_soon)(loop, note, NULL, NULL).handle_);
}

static void test_without_a_running_loop(void **state)
{
    (void)state;
    assert_null(tusk_call_soon(note, NULL).handle_);
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_null(tusk_call_later(1, note, NULL).handle_);
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_null(tusk_call_at(1, note, NULL).handle_);
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
}

static int add_all_three(void *arg)
{
    (void)arg;
    assert_non_null(tusk_call_at(0, note, number(2)).handle_);
    assert_non_null(tusk_call_later(0, note, number(3)).handle_);
    assert_non_null(tusk_call_soon(note, number(1)).handle_);
    return 0;
}

static void test_the_running_loop_is_meant(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, add_all_three, NULL);
    run_once(loop);
    run_once(loop);
    assert_trace(1, 2, 3);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_first_in_first_out_each_once),
        test(test_what_callbacks_add_runs_in_the_next_iteration),
        test(test_two_chains_take_turns),
        test(test_ready_callbacks_come_before_timers),
        test(test_a_due_timer_belongs_to_the_next_iteration),
        test(test_a_due_timer_of_a_long_callback_too),
        test(test_a_cancelled_callback_is_skipped),
        test(test_cancelled_by_the_one_before_it),
        test(test_a_running_callback_cannot_be_cancelled),
        test(test_a_due_timer_is_cancelled_by_the_one_before_it),
        test(test_a_cancelled_timer_never_comes),
        test(test_an_empty_handle),
        test(test_a_stale_handle_does_not_touch_the_next_call),
        test(test_when_and_pending),
        test(test_cancelled_calls_leave_nothing_behind),
        test(test_no_delay_and_less),
        test(test_no_time_at_all),
        test(test_infinite_and_huge_times_never_come),
        test(test_times_gone_by_run_by_deadline_then_creation),
        test(test_timers_run_by_deadline),
        test(test_equal_deadlines_run_in_order_of_creation),
        test(test_no_timer_is_early),
        test(test_bad_arguments),
        test(test_without_a_running_loop),
        test(test_the_running_loop_is_meant),
    };

    return run_with_each_poller(tests);
}
