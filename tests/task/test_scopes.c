/*
 * wait, wait_for, shield, as_completed, time-outs and groups, by hand: the cases
 * in which others went wrong. The oracle (tests/oracle) covers them at random.
 */
#include "task/stage.h"

static int nap(void *arg)
{
    return tusk_sleep((double)(intptr_t)arg);
}

static int fail_after(void *arg)
{
    tusk_try(tusk_sleep((double)(intptr_t)arg));
    return tusk_raise(-EIO, "after %d", (int)(intptr_t)arg);
}

static int swallow_and_return(void *arg)
{
    int rc = tusk_sleep(100);

    return rc == -ECANCELED ? (int)(intptr_t)arg : rc;
}

static int clean_up_slowly(void *arg)
{
    int rc = tusk_sleep(100);

    trace("cleaning");
    expect_int(tusk_sleep(5), 0);
    trace("clean");
    (void)arg;
    return rc;
}

static double now(void)
{
    return tusk_loop_time(tusk_get_running_loop());
}

/* ---- wait ---- */

static int wait_in_three_ways(void *arg)
{
    tusk_task *tasks[3];
    bool done[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(nap, as_arg(i + 1));
    expect_int(tusk_wait(tasks, 3, .return_when = TUSK_FIRST_COMPLETED, .done = done), 1);
    expect(done[0] && !done[1] && !done[2] && now() == 1);
    expect_int(tusk_wait(tasks, 3, .timeout = 0.5), 1);
    expect(now() == 1.5);
    expect_int(tusk_wait(tasks, 3), 3);
    expect(now() == 3);
    for (int i = 0; i < 3; i++)
        tusk_release(tasks[i]);
    return 0;
}

static void test_wait(void **state)
{
    (void)state;
    play_quietly(wait_in_three_ways);
}

static int set_both(void *arg)
{
    tusk_future **futures = arg;

    tusk_future_set_result(futures[0], 1);
    return tusk_future_set_result(futures[1], 2);
}

/* Both end in the iteration that ends the wait: both are done. */
static int wait_for_two(void *arg)
{
    tusk_future *futures[2] = {tusk_create_future(), tusk_create_future()};

    (void)arg;
    tusk_call_later(1, set_both, futures);
    expect_int(tusk_wait(futures, 2, .return_when = TUSK_FIRST_COMPLETED), 2);
    tusk_release(futures[0]);
    tusk_release(futures[1]);
    return 0;
}

static void test_wait_computes_done_at_wake_up(void **state)
{
    (void)state;
    play_quietly(wait_for_two);
}

static int wait_for_failure(void *arg)
{
    tusk_task *tasks[3] = {tusk_create_task(nap, as_arg(9)), tusk_create_task(nap, as_arg(9)),
                           tusk_create_task(fail_after, as_arg(3))};

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    tusk_task_cancel(tasks[0]);
    expect_int(tusk_wait(tasks, 3, .return_when = TUSK_FIRST_EXCEPTION), 2);
    expect(now() == 3);
    for (int i = 0; i < 3; i++)
        tusk_release(tasks[i]);
    return 0;
}

static void test_first_exception_ignores_a_cancelled_one(void **state)
{
    (void)state;
    play_quietly(wait_for_failure);
}

static int cancelled_while_both_end(void *arg)
{
    tusk_future **futures = arg;

    expect_int(tusk_wait(futures, 2), -ECANCELED);
    return 0;
}

/* The futures end in the iteration of the cancel: their callbacks outlive the wait. */
static int race_a_cancel(void *arg)
{
    tusk_future *futures[2] = {tusk_create_future(), tusk_create_future()};
    tusk_task *task = tusk_create_task(cancelled_while_both_end, futures);

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    tusk_task_cancel(task);
    set_both(futures);
    expect_int(tusk_await(task), 0);
    expect_int(tusk_sleep(1), 0);
    tusk_release(futures[0]);
    tusk_release(futures[1]);
    return 0;
}

static void test_wait_cancelled_as_its_futures_end(void **state)
{
    (void)state;
    play_quietly(race_a_cancel);
}

/* ---- as_completed ---- */

static int complete_in_order(void *arg)
{
    tusk_task *tasks[4];
    tusk_as_completed_iterator *iterator;
    tusk_future *future;

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(nap, as_arg(3 - i));
    tasks[3] = tasks[0];
    iterator = tusk_as_completed(tasks, 4, .timeout = 2.5);
    for (int i = 2; i >= 1; i--) {
        expect_int(tusk_as_completed_next(iterator, &future), 1);
        expect(future == tasks[i]);
    }
    expect_int(tusk_as_completed_next(iterator, &future), -ETIMEDOUT);
    expect(now() == 2.5);
    expect_int(tusk_as_completed_next(iterator, &future), 0);
    tusk_as_completed_close(iterator);
    expect(!tusk_future_done(tasks[0]));
    for (int i = 0; i < 3; i++)
        tusk_release(tasks[i]);
    return 0;
}

static void test_as_completed_times_out_for_each_that_is_left(void **state)
{
    (void)state;
    play_quietly(complete_in_order);
}

/* ---- wait_for ---- */

static int wait_for_cases(void *arg)
{
    int copied = 4;

    (void)arg;
    expect_int(tusk_wait_for(tusk_create_task(swallow_and_return, as_arg(7)), 1), 7);
    expect(now() == 1);
    expect_int(tusk_wait_for(tusk_create_task(clean_up_slowly, NULL), 1), -ETIMEDOUT);
    expect_text(stage_trace, "cleaning clean");
    expect(now() == 7);
    expect_int(tusk_wait_for(tusk_create_task(return_seven, NULL), 0), -ETIMEDOUT);
    expect_int(tusk_wait_for_coro(return_seven, NULL, 1), 7);
    expect_int(tusk_wait_for_coro(return_seven, NULL, -1), -ETIMEDOUT);
    expect_int(tusk_wait_for_coro(return_seven, tusk_copy(&copied), 1), 7);
    expect_int(tusk_wait_for(NULL, 1) < 0, 1);
    return 0;
}

static void test_wait_for(void **state)
{
    (void)state;
    play_quietly(wait_for_cases);
}

static int shields(void *arg)
{
    tusk_task *inner = tusk_create_task(nap, as_arg(3));
    tusk_future *list[2] = {tusk_shield(tusk_retain(inner)), tusk_shield(tusk_retain(inner))};
    tusk_future *gather = tusk_gather(list, 2);

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    tusk_future_cancel(gather);
    expect_int(tusk_await(gather), -ECANCELED);
    expect(!tusk_future_done(inner));
    expect_int(tusk_await(inner), 0);
    expect(now() == 3);
    return 0;
}

static void test_gather_of_shields(void **state)
{
    (void)state;
    play_quietly(shields);
}

/* ---- time-outs ---- */

static int nested_timeouts(void *arg)
{
    tusk_timeout outer;
    tusk_timeout inner;
    int rc;

    (void)arg;
    expect_int(tusk_timeout_enter(&outer, 1), 0);
    expect_int(tusk_timeout_enter(&inner, 2), 0);
    rc = tusk_timeout_exit(&inner, tusk_sleep(9));
    expect_int(rc, -ECANCELED);
    expect(!tusk_timeout_expired(&inner));
    expect_int(tusk_timeout_exit(&outer, rc), -ETIMEDOUT);
    expect(now() == 1 && tusk_task_cancelling(tusk_current_task()) == 0);
    expect_int(tusk_timeout_enter(&outer, 1), 0);
    expect_int(tusk_timeout_reschedule(&outer, now() + 3), 0);
    expect_int(tusk_timeout_exit(&outer, tusk_sleep(2)), 0);
    expect_int(tusk_timeout_reschedule(&outer, 9), TUSK_INVALID_STATE);
    expect_int(tusk_timeout_exit(&outer, 0), TUSK_INVALID_STATE);
    return 0;
}

static void test_nested_timeouts(void **state)
{
    (void)state;
    play_quietly(nested_timeouts);
}

static int cancelled_at_once(void *arg)
{
    tusk_timeout timeout;
    int rc;

    (void)arg;
    expect_int(tusk_timeout_enter(&timeout, 1), 0);
    rc = tusk_timeout_exit(&timeout, tusk_sleep(9));
    expect(tusk_timeout_expired(&timeout));
    expect_int(tusk_task_cancelling(tusk_current_task()), 1);
    return rc;
}

static int cancel_it(void *task)
{
    tusk_task_cancel(task);
    return 0;
}

/* The cancel from outside comes with the time-out: it wins. */
static int cancel_with_the_timeout(void *arg)
{
    tusk_task *task = tusk_create_task(cancelled_at_once, NULL);

    (void)arg;
    tusk_call_at(1, cancel_it, task);
    return tusk_await(task) == -ECANCELED ? 0 : 1;
}

static void test_outer_cancel_wins_over_a_timeout(void **state)
{
    (void)state;
    play_quietly(cancel_with_the_timeout);
}

/* ---- groups ---- */

static int count_children(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int groups(void *arg)
{
    tusk_task_group group;
    tusk_task *eager;
    int count = 0;

    (void)arg;
    expect_int(tusk_task_group_enter(&group), 0);
    for (int i = 0; i < 5; i++)
        expect(tusk_task_group_create_task(&group, count_children, &count) != NULL);
    expect_int(tusk_task_group_exit(&group, 3), 3);
    expect_int(count, 5);
    expect(tusk_task_group_create_task(&group, count_children, &count) == NULL);
    expect_int(tusk_last_error(), TUSK_INVALID_STATE);
    expect_int(tusk_task_group_enter(&group), 0);
    eager = tusk_task_group_create_task(&group, return_seven, NULL, .eager_start = true);
    tusk_task_group_create_task(&group, nap, as_arg(9));
    expect_int(tusk_future_result(eager), 7);
    expect_int(tusk_task_group_cancel(&group), 0);
    expect_int(tusk_task_group_exit(&group, tusk_sleep(9)), 0);
    expect_int(tusk_task_cancelling(tusk_current_task()), 0);
    return 0;
}

static void test_group(void **state)
{
    (void)state;
    play_quietly(groups);
}

static int failing_group(void *arg)
{
    tusk_task_group group;
    const tusk_exception *error;
    int rc;

    (void)arg;
    expect_int(tusk_task_group_enter(&group), 0);
    tusk_task_group_create_task(&group, fail_after, as_arg(1));
    tusk_task_group_create_task(&group, clean_up_slowly, NULL);
    rc = tusk_sleep(9);
    expect_int(rc, -ECANCELED);
    rc = tusk_task_group_exit(&group, tusk_raise(-EPIPE, "body"));
    expect_int(rc, TUSK_EXCEPTION_GROUP);
    error = tusk_exception_last();
    expect_int((int)tusk_exception_count(error), 2);
    expect_text(tusk_exception_message(tusk_exception_child(error, 0)), "after 1");
    expect_int(tusk_exception_code(tusk_exception_child(error, 1)), -EPIPE);
    expect(tusk_exception_child(error, 2) == NULL);
    expect(now() == 6);
    return tusk_task_cancelling(tusk_current_task());
}

static void test_a_child_fails_while_the_body_cleans_up(void **state)
{
    (void)state;
    play_quietly(failing_group);
}

static int stubborn_exit(void *arg)
{
    tusk_task_group group;
    int rc;

    (void)arg;
    expect_int(tusk_task_group_enter(&group), 0);
    tusk_task_group_create_task(&group, clean_up_slowly, NULL);
    rc = tusk_task_group_exit(&group, 0);
    trace("left");
    return rc;
}

/* Leaving waits for the children, however often it is cancelled. */
static int cancel_the_exit(void *arg)
{
    tusk_task *task = tusk_create_task(stubborn_exit, NULL);

    (void)arg;
    for (int i = 0; i < 3; i++) {
        expect_int(tusk_sleep(1), 0);
        tusk_task_cancel(task);
    }
    expect_int(tusk_await(task), -ECANCELED);
    expect_text(stage_trace, "cleaning clean left");
    return 0;
}

static void test_leaving_a_group_waits_through_cancels(void **state)
{
    (void)state;
    play_quietly(cancel_the_exit);
}

static int fail_when_cancelled(void *arg)
{
    (void)arg;
    expect_int(tusk_sleep(100), -ECANCELED);
    return tusk_raise(-EIO, "while cleaning up");
}

static int error_and_cancel(void *arg)
{
    tusk_task_group group;

    (void)arg;
    expect_int(tusk_task_group_enter(&group), 0);
    tusk_task_group_create_task(&group, fail_when_cancelled, NULL);
    expect_int(tusk_task_group_exit(&group, tusk_sleep(9)), TUSK_EXCEPTION_GROUP);
    expect_int(tusk_task_cancelling(tusk_current_task()), 1);
    /* The cancel that came with the error is not lost: it comes now. */
    return tusk_sleep(1);
}

static int error_and_cancel_at_once(void *arg)
{
    tusk_task *task = tusk_create_task(error_and_cancel, NULL);

    (void)arg;
    tusk_call_at(1, cancel_it, task);
    expect_int(tusk_await(task), -ECANCELED);
    return 0;
}

static void test_error_and_cancel_at_once(void **state)
{
    (void)state;
    play_quietly(error_and_cancel_at_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_wait_computes_done_at_wake_up),
        cmocka_unit_test(test_first_exception_ignores_a_cancelled_one),
        cmocka_unit_test(test_wait_cancelled_as_its_futures_end),
        cmocka_unit_test(test_as_completed_times_out_for_each_that_is_left),
        cmocka_unit_test(test_wait_for),
        cmocka_unit_test(test_gather_of_shields),
        cmocka_unit_test(test_nested_timeouts),
        cmocka_unit_test(test_outer_cancel_wins_over_a_timeout),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_a_child_fails_while_the_body_cleans_up),
        cmocka_unit_test(test_leaving_a_group_waits_through_cancels),
        cmocka_unit_test(test_error_and_cancel_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
