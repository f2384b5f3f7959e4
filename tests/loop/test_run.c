/*
 * Runs: how they start, stop, refuse, and how a loop is made and closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sys/resource.h>
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

/* ---- stop ---- */

static int note_and_add(void *arg)
{
    note(arg);
    tusk_call_soon(note, number(9));
    return 0;
}

static void test_stop_before_a_run_gives_exactly_one_iteration(void **state)
{
    uint64_t before = loop->iteration;

    (void)state;
    tusk_loop_call_soon(loop, note_and_add, number(1));
    tusk_loop_call_soon(loop, note, number(2));
    tusk_loop_stop(loop);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_trace(1, 2);
    assert_int_equal(loop->iteration, before + 1);
    tusk_loop_stop(loop);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_trace(1, 2, 9);
    assert_int_equal(loop->iteration, before + 2);
}

static void test_stop_before_a_run_with_nothing_to_do(void **state)
{
    uint64_t before = loop->iteration;

    (void)state;
    tusk_loop_call_later(loop, 1000, note, NULL);
    tusk_loop_stop(loop);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_int_equal(loop->iteration, before + 1);
    assert_int_equal(trace.count, 0);
}

static int stop_and_add(void *arg)
{
    stop(arg);
    return note_and_add(arg);
}

static void test_stop_inside_ends_with_the_iteration(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, note, number(1));
    tusk_loop_call_soon(loop, stop_and_add, number(2));
    tusk_loop_call_soon(loop, note, number(3));
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_trace(1, 2, 3);
    /* The stop was for that run alone. */
    run_for(loop, 0.001);
    assert_trace(1, 2, 3, 9);
}

static int count_down(void *arg)
{
    int *left = arg;

    if (--*left == 0)
        return stop_and_add(number(1));
    tusk_call_soon(count_down, arg);
    return 0;
}

static void test_stop_after_many_quick_iterations(void **state)
{
    int left = 10000;

    (void)state;
    tusk_loop_call_soon(loop, count_down, &left);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_trace(1);
    assert_int_equal(left, 0);
}

/* ---- run_once ---- */

static void test_run_once_is_one_iteration(void **state)
{
    int left = 1000;

    (void)state;
    for (int i = 999; i > 900; i--) {
        uint64_t before = loop->iteration;

        if (i == 999)
            tusk_loop_call_soon(loop, count_down, &left);
        run_once(loop);
        assert_int_equal(left, i);
        assert_int_equal(loop->iteration, before + 1);
    }
}

static void test_run_once_without_waiting(void **state)
{
    (void)state;
    tusk_loop_call_later(loop, 1000, note, number(1));
    run_once(loop);
    assert_int_equal(trace.count, 0);
}

static void test_run_once_waits_for_its_time(void **state)
{
    double start = tusk_loop_time(loop);

    (void)state;
    assert_int_equal(tusk_loop_run_once(loop, 0.03), 0);
    assert_true(tusk_loop_time(loop) - start >= 0.03);
    tusk_loop_call_later(loop, 1000, note, number(1));
    start = tusk_loop_time(loop);
    assert_int_equal(tusk_loop_run_once(loop, 0.01), 0);
    assert_true(tusk_loop_time(loop) - start >= 0.01);
    assert_int_equal(trace.count, 0);
}

static void test_run_once_returns_when_a_timer_was_due(void **state)
{
    static const double timeouts[] = {1000, -1, HUGE_VAL, -HUGE_VAL, 1e300};

    (void)state;
    for (int i = 0; i < 5; i++) {
        tusk_loop_call_later(loop, 0.002, note, number(i));
        assert_int_equal(tusk_loop_run_once(loop, timeouts[i]), 0);
        assert_int_equal(trace.count, i + 1);
    }
}

static void test_run_once_with_something_ready_does_not_wait(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, note, number(1));
    assert_int_equal(tusk_loop_run_once(loop, 1000), 0);
    assert_trace(1);
    tusk_loop_stop(loop);
    assert_int_equal(tusk_loop_run_once(loop, 1000), 0);
}

static void test_run_once_refuses_no_time(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, note, number(1));
    assert_int_equal(tusk_loop_run_once(loop, (double)NAN), -EINVAL);
    assert_int_equal(trace.count, 0);
    assert_false(tusk_loop_is_running(loop));
}

/* ---- what is refused ---- */

static int try_to_run(void *arg)
{
    tusk_loop *other = arg;

    assert_int_equal(tusk_loop_run_forever(loop), TUSK_LOOP_RUNNING);
    assert_int_equal(tusk_loop_run_once(loop, 0), TUSK_LOOP_RUNNING);
    assert_int_equal(tusk_loop_run_forever(other), TUSK_LOOP_RUNNING);
    assert_int_equal(tusk_loop_run_once(other, 0), TUSK_LOOP_RUNNING);
    assert_ptr_equal(tusk_get_running_loop(), loop);
    assert_true(tusk_loop_is_running(loop));
    assert_false(tusk_loop_is_running(other));
    return note(number(1));
}

static void test_one_loop_a_thread(void **state)
{
    tusk_loop *other = tusk_new_event_loop();

    (void)state;
    assert_null(tusk_get_running_loop());
    assert_false(tusk_loop_is_running(loop));
    tusk_loop_call_soon(loop, try_to_run, other);
    tusk_loop_call_soon(loop, note, number(2));
    tusk_loop_call_soon(other, note, number(3));
    run_once(loop);
    assert_trace(1, 2);
    assert_null(tusk_get_running_loop());
    assert_false(tusk_loop_is_running(loop));
    run_once(other);
    assert_trace(1, 2, 3);
    assert_int_equal(tusk_loop_close(other), 0);
}

static int try_to_close(void *arg)
{
    assert_int_equal(tusk_loop_close(loop), TUSK_LOOP_RUNNING);
    return note(arg);
}

static void test_a_running_loop_cannot_be_closed(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, try_to_close, number(1));
    tusk_loop_call_later(loop, 0.001, note, number(2));
    run_for(loop, 0.002);
    assert_trace(1, 2);
}

static atomic_bool lent_runs;
static atomic_bool lent_may_end;

static int report_and_wait(void *arg)
{
    (void)arg;
    atomic_store(&lent_runs, true);
    while (!atomic_load(&lent_may_end))
        live_sleep_ms(1);
    return stop(NULL);
}

static void *run_lent(void *arg)
{
    tusk_loop_call_soon(arg, report_and_wait, NULL);
    return (void *)(intptr_t)tusk_loop_run_forever(arg);
}

static void test_a_loop_may_run_in_another_thread_each_time(void **state)
{
    pthread_t thread;
    void *result;

    (void)state;
    for (int i = 0; i < 3; i++) {
        atomic_store(&lent_runs, false);
        atomic_store(&lent_may_end, false);
        assert_int_equal(pthread_create(&thread, NULL, run_lent, loop), 0);
        while (!atomic_load(&lent_runs))
            live_sleep_ms(1);
        assert_null(tusk_get_running_loop());
        atomic_store(&lent_may_end, true);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_null(result);
        run_for(loop, 0);
    }
}

/* The notes of two threads would race. */
static _Thread_local int own_count;

static int count_own(void *arg)
{
    (void)arg;
    own_count++;
    return 0;
}

static int count_own_down(void *arg)
{
    int *left = arg;

    count_own(NULL);
    if (--*left == 0)
        return stop(NULL);
    tusk_call_soon(count_own_down, arg);
    return 0;
}

static void *run_loop_of_thread(void *arg)
{
    int left = live_count(100000, 10000);
    int expected = left + 100;
    tusk_loop *own = tusk_new_event_loop();
    int rc;

    (void)arg;
    if (!own)
        return number(1);
    own_count = 0;
    for (int i = 0; i < 100; i++)
        tusk_loop_call_later(own, 0.00001 * i, count_own, NULL);
    tusk_loop_call_later(own, 0.01, count_own_down, &left);
    rc = tusk_loop_run_forever(own);
    if (tusk_loop_close(own) < 0 || rc < 0)
        return number(2);
    return number(own_count == expected ? 0 : 3);
}

static void test_two_loops_in_two_threads(void **state)
{
    pthread_t threads[2];
    void *result;

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_loop_of_thread, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
}

/* ---- life ---- */

static void test_no_loop(void **state)
{
    (void)state;
    assert_int_equal(tusk_loop_run_forever(NULL), -EINVAL);
    assert_int_equal(tusk_loop_run_once(NULL, 0), -EINVAL);
    assert_int_equal(tusk_loop_close(NULL), 0);
    assert_false(tusk_loop_is_running(NULL));
    assert_int_equal(tusk_loop_call_soon_threadsafe(NULL, note, NULL), -EINVAL);
    tusk_loop_call_exception_handler(NULL, NULL);
}

static void test_close_forgets_what_is_pending(void **state)
{
    tusk_loop *other = tusk_new_event_loop();
    tusk_context *context = tusk_copy_context();

    (void)state;
    for (int i = 0; i < 500; i++) {
        tusk_handle soon = tusk_loop_call_soon(other, note, NULL);

        tusk_loop_call_soon(other, note, NULL, .context = context);
        tusk_loop_call_later(other, i, note, NULL, .context = context);
        tusk_loop_call_at(other, -i, note, NULL, .context = context);
        tusk_loop_call_later(other, (double)INFINITY, note, NULL, .context = context);
        assert_int_equal(tusk_loop_call_soon_threadsafe(other, note, NULL), 0);
        if (i % 2)
            assert_true(tusk_handle_cancel(soon));
    }
    tusk_context_release(context);
    assert_int_equal(tusk_loop_close(other), 0);
    assert_int_equal(trace.count, 0);
}

static void test_close_right_after_a_stop_forgets_what_was_added(void **state)
{
    tusk_loop *other = tusk_new_event_loop();

    (void)state;
    tusk_loop_call_soon(other, stop_and_add, number(1));
    assert_int_equal(tusk_loop_run_forever(other), 0);
    assert_int_equal(tusk_loop_close(other), 0);
    assert_trace(1);
}

static void test_the_clock_goes_forward(void **state)
{
    double before = tusk_loop_time(loop);

    (void)state;
    live_sleep_ms(5);
    assert_true(tusk_loop_time(loop) - before >= 0.005);
}

static void test_debug_mode_by_option_and_environment(void **state)
{
    static const struct {
        const char *environment;
        bool option;
        bool expected;
    } cases[] = {{NULL, false, false}, {"", false, false}, {"0", false, false},
                 {"1", false, true},   {NULL, true, true}, {"0", true, true}};
    char *before = getenv("TUSK_DEBUG");
    char *kept = before ? strdup(before) : NULL;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tusk_loop *other;

        unsetenv("TUSK_DEBUG");
        if (cases[i].environment)
            setenv("TUSK_DEBUG", cases[i].environment, 1);
        other = tusk_new_event_loop(.debug = cases[i].option);
        assert_int_equal(tusk_loop_get_debug(other), cases[i].expected);
        assert_int_equal(tusk_loop_close(other), 0);
    }
    unsetenv("TUSK_DEBUG");
    if (kept)
        setenv("TUSK_DEBUG", kept, 1);
    free(kept);
}

static void test_debug_mode_keeps_the_order(void **state)
{
    int left = 100;

    (void)state;
    tusk_loop_set_debug(loop, true);
    assert_true(tusk_loop_get_debug(loop));
    tusk_loop_call_soon(loop, count_down, &left);
    tusk_loop_call_soon(loop, note, number(0));
    tusk_loop_call_later(loop, 0, note, number(5));
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_trace(0, 5, 1);
    tusk_loop_set_debug(loop, false);
    assert_false(tusk_loop_get_debug(loop));
}

/* ---- pollers by name ---- */

static void test_pollers_by_name(void **state)
{
    const char *from_environment = getenv("TUSK_POLLER");
    tusk_loop *other;

    (void)state;
    assert_non_null(from_environment);
    assert_string_equal(tusk_loop_poller(loop), from_environment);
    other = tusk_new_event_loop(.poller = "poll");
    assert_string_equal(tusk_loop_poller(other), "poll");
    tusk_loop_close(other);
    other = tusk_new_event_loop(.poller = "");
    assert_string_equal(tusk_loop_poller(other), from_environment);
    tusk_loop_close(other);
    assert_null(tusk_new_event_loop(.poller = "telepathy"));
    assert_int_equal(tusk_last_error(), -EINVAL);
}

static void test_an_unknown_poller_in_the_environment(void **state)
{
    char *kept = strdup(getenv("TUSK_POLLER"));
    tusk_loop *other;

    (void)state;
    setenv("TUSK_POLLER", "telepathy", 1);
    assert_null(tusk_new_event_loop());
    assert_int_equal(tusk_last_error(), -EINVAL);
    setenv("TUSK_POLLER", "", 1);
    other = tusk_new_event_loop();
    assert_non_null(other);
    tusk_loop_close(other);
    setenv("TUSK_POLLER", kept, 1);
    free(kept);
}

static void test_no_descriptor_is_left(void **state)
{
    struct rlimit before;
    struct rlimit none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    /* The limit is of numbers: from 0 on not one is free. */
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_null(tusk_new_event_loop());
    assert_int_equal(tusk_last_error(), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_stop_before_a_run_gives_exactly_one_iteration),
        test(test_stop_before_a_run_with_nothing_to_do),
        test(test_stop_inside_ends_with_the_iteration),
        test(test_stop_after_many_quick_iterations),
        test(test_run_once_is_one_iteration),
        test(test_run_once_without_waiting),
        test(test_run_once_waits_for_its_time),
        test(test_run_once_returns_when_a_timer_was_due),
        test(test_run_once_with_something_ready_does_not_wait),
        test(test_run_once_refuses_no_time),
        test(test_one_loop_a_thread),
        test(test_a_running_loop_cannot_be_closed),
        test(test_a_loop_may_run_in_another_thread_each_time),
        test(test_two_loops_in_two_threads),
        test(test_no_loop),
        test(test_close_forgets_what_is_pending),
        test(test_close_right_after_a_stop_forgets_what_was_added),
        test(test_the_clock_goes_forward),
        test(test_debug_mode_by_option_and_environment),
        test(test_debug_mode_keeps_the_order),
        test(test_pollers_by_name),
        test(test_an_unknown_poller_in_the_environment),
        test(test_no_descriptor_is_left),
    };

    return run_with_each_poller(tests);
}
