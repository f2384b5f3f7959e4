/*
 * Scenarios of CPython's own tests that catch re-implementations: wait, as_completed, wait_for.
 * Each test is one rule.
 */
#include "sync/players.h"

static double now(void)
{
    return tusk_loop_time(tusk_get_running_loop());
}

/* ---- What is done is what is done when the waiter goes on, not when it was woken. ---- */

static int yield_times(void *arg)
{
    for (intptr_t i = (intptr_t)arg; i > 0; i--)
        tusk_try(tusk_sleep(0));
    return 0;
}

static int wait_computes_done_at_wake_up(void *arg)
{
    tusk_task *tasks[2] = {tusk_create_task(yield_times, as_arg(2)),
                           tusk_create_task(yield_times, as_arg(1))};
    bool done[2] = {false, false};

    (void)arg;
    /* The second task ends the wait; the first ends before the waiter runs. */
    expect_int(tusk_wait(tasks, 2, .return_when = TUSK_FIRST_COMPLETED, .done = done), 2);
    for (int i = 0; i < 2; i++) {
        expect(done[i]);
        expect_int(tusk_future_result(tasks[i]), 0);
        tusk_release(tasks[i]);
    }
    return 0;
}

static void test_wait_computes_done_at_wake_up(void **state)
{
    (void)state;
    play_quietly(wait_computes_done_at_wake_up);
}

/* ---- as_completed's time-out is for all together, and comes once for each that is left. ---- */

static int nap(void *arg)
{
    return tusk_sleep((double)(intptr_t)arg);
}

static int as_completed_times_out_for_each_that_is_left(void *arg)
{
    tusk_task *tasks[5];
    tusk_as_completed_iterator *iterator;
    tusk_future *future;

    (void)arg;
    for (int i = 0; i < 4; i++)
        tasks[i] = tusk_create_task(nap, as_arg(4 - i));
    /* The same twice is one. */
    tasks[4] = tasks[0];
    iterator = tusk_as_completed(tasks, 5, .timeout = 2.5);
    for (int i = 3; i >= 2; i--) {
        expect_int(tusk_as_completed_next(iterator, &future), 1);
        expect(future == tasks[i]);
    }
    for (int i = 0; i < 2; i++) {
        expect_int(tusk_as_completed_next(iterator, &future), -ETIMEDOUT);
        expect(now() == 2.5);
    }
    expect_int(tusk_as_completed_next(iterator, &future), 0);
    tusk_as_completed_close(iterator);
    expect(!tusk_future_done(tasks[0]) && !tusk_future_done(tasks[1]));
    return tusk_await(tusk_gather(tasks, 4));
}

static void test_as_completed_times_out_for_each_that_is_left(void **state)
{
    (void)state;
    play_quietly(as_completed_times_out_for_each_that_is_left);
}

/* ---- wait_for returns the value of a task that swallows the time-out's cancel. ---- */

static int return_when_cancelled(void *arg)
{
    int rc = tusk_sleep(3600);

    return rc == -ECANCELED ? (int)(intptr_t)arg : rc;
}

static int wait_for_whose_inner_swallows_the_cancel(void *arg)
{
    (void)arg;
    expect_int(tusk_wait_for(tusk_create_task(return_when_cancelled, as_arg(42)), 1), 42);
    expect_int(tusk_wait_for_coro(return_when_cancelled, as_arg(43), 1), 43);
    expect(now() == 2);
    expect_int(tusk_task_cancelling(tusk_current_task()), 0);
    return 0;
}

static void test_wait_for_whose_inner_swallows_the_cancel(void **state)
{
    (void)state;
    play_quietly(wait_for_whose_inner_swallows_the_cancel);
}

/* ---- wait_for that is cancelled when its inner task has just ended is cancelled. ---- */

static int yield_then_return(void *arg)
{
    tusk_try(tusk_sleep(0));
    return (int)(intptr_t)arg;
}

static int wait_and_go_on(void *arg)
{
    tusk_try(tusk_wait_for(tusk_retain(arg), 100));
    trace("went on");
    return 0;
}

static int wait_for_cancelled_as_its_inner_ends(void *arg)
{
    tusk_task *inner = tusk_create_task(yield_then_return, as_arg(7));
    tusk_task *task = tusk_create_task(wait_and_go_on, inner);

    (void)arg;
    let_run(2);
    expect(tusk_future_done(inner));
    expect(!tusk_future_done(task));
    cancel_and_await(task);
    expect_int(tusk_await(inner), 7);
    return 0;
}

static void test_wait_for_cancelled_as_its_inner_ends(void **state)
{
    (void)state;
    play_trace(wait_for_cancelled_as_its_inner_ends, "");
}

/* ---- wait_for waits until the task that it has cancelled has cleaned up, also without any time. ---- */

static int clean_up_slowly(void *arg)
{
    int rc = tusk_sleep(3600);

    expect_int(tusk_sleep(5), 0);
    *(bool *)arg = true;
    return rc;
}

static int wait_for_waits_for_clean_up(void *arg)
{
    bool clean = false;
    tusk_task *task;

    (void)arg;
    expect_int(tusk_wait_for(tusk_create_task(clean_up_slowly, &clean), 1), -ETIMEDOUT);
    expect(clean && now() == 6);
    clean = false;
    task = tusk_create_task(clean_up_slowly, &clean);
    let_run(1);
    expect_int(tusk_wait_for(task, 0), -ETIMEDOUT);
    expect(clean && now() == 11);
    return 0;
}

static void test_wait_for_waits_for_clean_up(void **state)
{
    (void)state;
    play_quietly(wait_for_waits_for_clean_up);
}

/* ---- Whoever cancels a wait_for cancels the task that it waits for. ---- */

struct wait {
    tusk_task *task;
    double timeout;
};

static int wait_for_it(void *arg)
{
    struct wait *wait = arg;

    return tusk_wait_for(tusk_retain(wait->task), wait->timeout);
}

static int wait_for_passes_a_cancel_on(void *arg)
{
    static const double timeouts[] = {60, (double)INFINITY};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        struct wait wait = {tusk_create_task(await_arg, tusk_create_future()), timeouts[i]};
        tusk_task *task = tusk_create_task(wait_for_it, &wait);

        let_run(1);
        cancel_and_await(task);
        expect(tusk_future_cancelled(wait.task));
        tusk_release(wait.task);
    }
    return 0;
}

static void test_wait_for_passes_a_cancel_on(void **state)
{
    (void)state;
    play_quietly(wait_for_passes_a_cancel_on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_computes_done_at_wake_up),
        cmocka_unit_test(test_as_completed_times_out_for_each_that_is_left),
        cmocka_unit_test(test_wait_for_whose_inner_swallows_the_cancel),
        cmocka_unit_test(test_wait_for_cancelled_as_its_inner_ends),
        cmocka_unit_test(test_wait_for_waits_for_clean_up),
        cmocka_unit_test(test_wait_for_passes_a_cancel_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
