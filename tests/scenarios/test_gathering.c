/*
 * Scenarios of CPython's own tests that catch re-implementations: gather.
 * Each test is one rule.
 */
#include "sync/players.h"

/* ---- A gather whose children are all done refuses a cancel, though it has not heard of it yet. ---- */

struct late_cancel {
    tusk_future *gather;
    int accepted;
};

static int cancel_gather(tusk_future *future, void *arg)
{
    struct late_cancel *late = arg;

    (void)future;
    late->accepted = tusk_future_cancel(late->gather);
    return 0;
}

static int gather_refuses_cancel_when_done(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *child = tusk_create_task(await_arg, tusk_retain(future));
    int result = 0;
    struct late_cancel late = {tusk_gather(&child, 1, .results = &result), -1};

    (void)arg;
    let_run(1);
    /* It runs behind the child's last step and before the gather's part. */
    expect_int(tusk_future_add_done_callback(future, cancel_gather, &late), 0);
    tusk_future_set_result(future, 42);
    tusk_release(future);
    let_run(1);
    expect_int(late.accepted, 0);
    expect(!tusk_future_done(late.gather));
    expect_int(tusk_await(late.gather), 0);
    expect_int(result, 42);
    return 0;
}

static void test_gather_refuses_cancel_when_done(void **state)
{
    (void)state;
    play_quietly(gather_refuses_cancel_when_done);
}

/* ---- return_exceptions keeps errors of children from ending it, but not a cancel of who awaits it. ---- */

static int gather_for_ever(void *arg)
{
    for (int i = 0; i < 20; i++) {
        tusk_task *task = tusk_create_task(sleep_hour, NULL);

        tusk_try(tusk_await(tusk_gather(&task, 1, .return_exceptions = true)));
    }
    (void)arg;
    return 0;
}

static int return_exceptions_does_not_hide_a_cancel(void *arg)
{
    tusk_task *task = tusk_create_task(gather_for_ever, NULL);

    (void)arg;
    expect_int(tusk_sleep(4 * 3600 + 1), 0);
    expect(tusk_task_cancel(task, .msg = "my message"));
    expect_int(tusk_await(tusk_retain(task)), -ECANCELED);
    expect_text(tusk_message(), "my message");
    expect(tusk_future_cancelled(task));
    tusk_release(task);
    return 0;
}

static void test_return_exceptions_does_not_hide_a_cancel(void **state)
{
    (void)state;
    play_quietly(return_exceptions_does_not_hide_a_cancel);
}

/* ---- A cancelled child fails the gather: that is an error, and not a cancel of the gather. ---- */

static int cancelled_child_is_not_a_cancelled_gather(void *arg)
{
    tusk_task *tasks[2] = {tusk_create_task(sleep_hour, NULL), tusk_create_task(sleep_hour, NULL)};
    tusk_task *sibling = tusk_retain(tasks[1]);
    tusk_future *gather = tusk_gather(tasks, 2);

    (void)arg;
    let_run(1);
    expect(tusk_task_cancel(tasks[0], .msg = "only this"));
    expect_int(tusk_await(tusk_retain(gather)), -ECANCELED);
    expect_text(tusk_message(), "only this");
    expect(!tusk_future_cancelled(gather));
    expect_int(tusk_future_exception(gather), -ECANCELED);
    tusk_release(gather);
    expect(!tusk_future_done(sibling));
    return tusk_await(sibling);
}

static void test_cancelled_child_is_not_a_cancelled_gather(void **state)
{
    (void)state;
    play_quietly(cancelled_child_is_not_a_cancelled_gather);
}

/* ---- The first error is the gather's; those that follow count as looked at. ---- */

static int fail_behind(void *arg)
{
    expect_int(tusk_await(arg), 0);
    return tusk_raise(-EIO, "should not be ignored");
}

static int second_error_is_marked_retrieved(void *arg)
{
    tusk_future *gates[2] = {tusk_create_future(), tusk_create_future()};
    tusk_task *tasks[2];

    (void)arg;
    for (int i = 0; i < 2; i++)
        tasks[i] = tusk_create_task(fail_behind, tusk_retain(gates[i]));
    tusk_retain(tasks[1]);
    tusk_future_set_result(gates[0], 0);
    expect_int(tusk_await(tusk_gather(tasks, 2)), -EIO);
    expect(!tusk_future_done(tasks[1]));
    tusk_future_set_result(gates[1], 0);
    let_run(3);
    expect(tusk_future_done(tasks[1]));
    tusk_release(tasks[1]);
    for (int i = 0; i < 2; i++)
        tusk_release(gates[i]);
    return 0;
}

static void test_second_error_is_marked_retrieved(void **state)
{
    (void)state;
    play_quietly(second_error_is_marked_retrieved);
}

/* ---- A future that is there several times is one child, with its result in each place. ---- */

static int duplicates_are_one_child(void *arg)
{
    tusk_task *task = tusk_create_task(return_seven, NULL);
    tusk_future *future = tusk_create_future();
    tusk_future *futures[] = {
        task, future, tusk_retain(task), tusk_retain(future), tusk_retain(task), tusk_retain(future),
    };
    int results[6] = {0};
    tusk_future *gather;

    (void)arg;
    tusk_retain(future);
    gather = tusk_gather(futures, 6, .results = results);
    expect_int(tusk_future_set_result(future, 3), 0);
    tusk_release(future);
    expect_int(tusk_await(gather), 0);
    for (int i = 0; i < 6; i++)
        expect_int(results[i], i % 2 ? 3 : 7);
    return 0;
}

static void test_duplicates_are_one_child(void **state)
{
    (void)state;
    play_quietly(duplicates_are_one_child);
}

/* ---- Cancelling a gather of shields cancels the shields, and not what is behind them. ---- */

static int gather_of_shields(void *arg)
{
    tusk_task *inner[2] = {tusk_create_task(sleep_hour, NULL), tusk_create_task(sleep_hour, NULL)};
    tusk_future *shields[2];
    tusk_future *gather;

    (void)arg;
    for (int i = 0; i < 2; i++) {
        shields[i] = tusk_shield(tusk_retain(inner[i]));
        tusk_retain(shields[i]);
    }
    gather = tusk_gather(shields, 2);
    let_run(1);
    expect(tusk_future_cancel(gather));
    expect_int(tusk_await(tusk_retain(gather)), -ECANCELED);
    expect(!tusk_future_cancelled(gather));
    tusk_release(gather);
    for (int i = 0; i < 2; i++) {
        expect(tusk_future_cancelled(shields[i]));
        tusk_release(shields[i]);
        expect(!tusk_future_done(inner[i]));
        expect_int(tusk_task_cancelling(inner[i]), 0);
    }
    return tusk_await(tusk_gather(inner, 2));
}

static void test_gather_of_shields(void **state)
{
    (void)state;
    play_quietly(gather_of_shields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather_refuses_cancel_when_done),
        cmocka_unit_test(test_return_exceptions_does_not_hide_a_cancel),
        cmocka_unit_test(test_cancelled_child_is_not_a_cancelled_gather),
        cmocka_unit_test(test_second_error_is_marked_retrieved),
        cmocka_unit_test(test_duplicates_are_one_child),
        cmocka_unit_test(test_gather_of_shields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
