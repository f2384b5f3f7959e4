/*
 * Futures: their states, their outcome, and the order of their callbacks.
 */
#include "task/stage.h"

static int note(tusk_future *future, void *arg)
{
    expect(tusk_future_done(future));
    trace_at(arg);
    return 0;
}

static int note_other(tusk_future *future, void *arg)
{
    return note(future, arg);
}

/* ---- outcome ---- */

static int results(void *arg)
{
    const int values[] = {0, 1, 42, INT_MAX};

    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        tusk_future *future = tusk_create_future();

        expect(!tusk_future_done(future));
        expect(!tusk_future_cancelled(future));
        expect_int(tusk_future_result(future), TUSK_INVALID_STATE);
        expect_int(tusk_future_exception(future), TUSK_INVALID_STATE);
        expect_text(tusk_future_message(future), NULL);
        expect_int(tusk_future_set_result(future, values[i]), 0);
        expect(tusk_future_done(future));
        expect(!tusk_future_cancelled(future));
        expect_int(tusk_future_result(future), values[i]);
        expect_int(tusk_future_exception(future), 0);
        expect_text(tusk_future_message(future), NULL);
        expect(tusk_future_get_loop(future) == tusk_get_running_loop());
        expect_int(tusk_await(future), values[i]);
    }
    return 0;
}

static void test_results(void **state)
{
    (void)state;
    play_quietly(results);
}

static int exceptions(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_set_exception(future, -EIO, "disk %d", 3), 0);
    expect(tusk_future_done(future));
    expect(!tusk_future_cancelled(future));
    expect_int(tusk_future_result(future), -EIO);
    expect_int(tusk_future_exception(future), -EIO);
    expect_text(tusk_future_message(future), "disk 3");
    expect_int(tusk_await(future), -EIO);
    expect_text(tusk_message(), "disk 3");
    future = tusk_create_future();
    expect_int(tusk_future_set_exception(future, TUSK_INVALID_STATE, NULL), 0);
    expect_text(tusk_future_message(future), NULL);
    expect_int(tusk_await(future), TUSK_INVALID_STATE);
    expect_text(tusk_message(), NULL);
    return 0;
}

static void test_exceptions(void **state)
{
    (void)state;
    play_quietly(exceptions);
}

static int cancels(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect(tusk_future_cancel(future, .msg = "no longer"));
    expect(tusk_future_done(future));
    expect(tusk_future_cancelled(future));
    expect(!tusk_future_cancel(future, .msg = "second"));
    expect_int(tusk_future_result(future), -ECANCELED);
    expect_int(tusk_future_exception(future), -ECANCELED);
    expect_text(tusk_future_message(future), "no longer");
    expect_int(tusk_await(future), -ECANCELED);
    expect_text(tusk_message(), "no longer");
    future = tusk_create_future();
    expect(tusk_future_cancel(future));
    expect_text(tusk_future_message(future), NULL);
    expect_int(tusk_await(future), -ECANCELED);
    expect_text(tusk_message(), NULL);
    return 0;
}

static void test_cancels(void **state)
{
    (void)state;
    play_quietly(cancels);
}

/* A message that the caller overwrites after the call was copied. */
static int message_is_copied(void *arg)
{
    tusk_future *future = tusk_create_future();
    char text[] = "first";

    (void)arg;
    expect(tusk_future_cancel(future, .msg = text));
    text[0] = 'w';
    expect_text(tusk_future_message(future), "first");
    tusk_release(future);
    return 0;
}

static void test_message_is_copied(void **state)
{
    (void)state;
    play_quietly(message_is_copied);
}

static int set_twice(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_set_result(future, 5), 0);
    expect_int(tusk_future_set_result(future, 6), TUSK_INVALID_STATE);
    expect_int(tusk_future_set_exception(future, -EIO, "late"), TUSK_INVALID_STATE);
    expect(!tusk_future_cancel(future));
    expect_int(tusk_await(future), 5);
    future = tusk_create_future();
    expect_int(tusk_future_set_exception(future, -EIO, NULL), 0);
    expect_int(tusk_future_set_result(future, 6), TUSK_INVALID_STATE);
    expect_int(tusk_future_set_exception(future, -EBUSY, NULL), TUSK_INVALID_STATE);
    expect_int(tusk_await(future), -EIO);
    future = tusk_create_future();
    expect(tusk_future_cancel(future));
    expect_int(tusk_future_set_result(future, 6), TUSK_INVALID_STATE);
    expect_int(tusk_future_set_exception(future, -EBUSY, NULL), TUSK_INVALID_STATE);
    expect_int(tusk_await(future), -ECANCELED);
    return 0;
}

static void test_set_twice(void **state)
{
    (void)state;
    play_quietly(set_twice);
}

static int bad_values(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_set_result(future, -1), -EINVAL);
    expect_int(tusk_future_set_result(future, INT_MIN), -EINVAL);
    expect_int(tusk_future_set_exception(future, 0, NULL), -EINVAL);
    expect_int(tusk_future_set_exception(future, 1, "x"), -EINVAL);
    expect(!tusk_future_done(future));
    expect_int(tusk_future_set_result(future, 9), 0);
    expect_int(tusk_await(future), 9);
    return 0;
}

static void test_bad_values(void **state)
{
    (void)state;
    play_quietly(bad_values);
}

/* ---- callbacks ---- */

static int in_order(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_add_done_callback(future, note, "a"), 0);
    expect_int(tusk_future_add_done_callback(future, note_other, "b"), 0);
    expect_int(tusk_future_add_done_callback(future, note, "a"), 0);
    expect_int(tusk_future_add_done_callback(future, note, "c"), 0);
    mark();
    expect_int(tusk_future_set_result(future, 1), 0);
    trace_at("set");
    expect_int(tusk_future_add_done_callback(future, note, "late"), 0);
    trace_at("added");
    expect_int(tusk_sleep(0), 0);
    trace_at("main");
    tusk_release(future);
    return 0;
}

static void test_callbacks_in_order_and_never_at_once(void **state)
{
    (void)state;
    play_trace(in_order, "set@0 added@0 a@1 b@1 a@1 c@1 late@1 main@1");
}

static int cancelled_calls(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_add_done_callback(future, note, "a"), 0);
    mark();
    expect(tusk_future_cancel(future));
    trace_at("cancelled");
    expect_int(tusk_sleep(0), 0);
    tusk_release(future);
    return 0;
}

static void test_cancel_calls_them_too(void **state)
{
    (void)state;
    play_trace(cancelled_calls, "cancelled@0 a@1");
}

static int remove_last(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_add_done_callback(future, note, "a"), 0);
    expect_int(tusk_future_add_done_callback(future, note_other, NULL), 0);
    expect_int(tusk_future_remove_done_callback(future, note_other, NULL), 1);
    expect_int(tusk_future_add_done_callback(future, note, "b"), 0);
    mark();
    expect_int(tusk_future_set_result(future, 1), 0);
    expect_int(tusk_sleep(0), 0);
    tusk_release(future);
    return 0;
}

static void test_add_after_the_last_was_removed(void **state)
{
    (void)state;
    play_trace(remove_last, "a@1 b@1");
}

/* Adds and removes others while the loop calls it. */
static int meddle(tusk_future *future, void *arg)
{
    trace_at(arg);
    expect_int(tusk_future_add_done_callback(future, note, "added"), 0);
    expect_int(tusk_future_remove_done_callback(future, note, "a"), 0);
    return 0;
}

static int meddling(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_add_done_callback(future, meddle, "meddle"), 0);
    expect_int(tusk_future_add_done_callback(future, note, "a"), 0);
    mark();
    expect_int(tusk_future_set_result(future, 1), 0);
    tusk_release(future);
    expect_int(tusk_sleep(0), 0);
    expect_int(tusk_sleep(0), 0);
    return 0;
}

static void test_callbacks_that_add_callbacks(void **state)
{
    (void)state;
    play_trace(meddling, "meddle@1 a@1 added@2");
}

/* The future is alive in its callbacks, though the last reference is gone. */
static int look_at_result(tusk_future *future, void *arg)
{
    trace("%d", tusk_future_result(future));
    (void)arg;
    return 0;
}

static int released_before_calls(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *task = tusk_create_task(return_seven, NULL);

    (void)arg;
    expect_int(tusk_future_add_done_callback(future, look_at_result, NULL), 0);
    expect_int(tusk_future_set_result(future, 11), 0);
    tusk_release(future);
    expect_int(tusk_future_add_done_callback(task, look_at_result, NULL), 0);
    tusk_release(task);
    expect_int(tusk_sleep(1), 0);
    return 0;
}

static void test_alive_in_callbacks(void **state)
{
    (void)state;
    play_trace(released_before_calls, "11 7");
}

static int failing(tusk_future *future, void *arg)
{
    (void)future;
    (void)arg;
    return tusk_raise(-EPIPE, "call %d", 8);
}

static int failing_callback(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_add_done_callback(future, failing, NULL), 0);
    expect_int(tusk_future_add_done_callback(future, note, "next"), 0);
    expect_int(tusk_future_set_result(future, 11), 0);
    tusk_release(future);
    expect_int(tusk_sleep(0), 0);
    expect_text(stage_trace, "next@1");
    return 0;
}

static void test_failing_callback_is_reported(void **state)
{
    (void)state;
    play_reports(failing_callback, "Exception in callback failing|-|EPIPE|call 8\n");
}

/* Waiting tasks and callbacks stand in one queue. */
static int wait_and_say(void *arg)
{
    void **two = arg;

    expect_int(tusk_await(two[0]), 1);
    trace_at(two[1]);
    return 0;
}

static int tasks_and_callbacks(void *arg)
{
    tusk_future *future = tusk_create_future();
    void *first[] = {tusk_retain(future), "first"};
    void *second[] = {tusk_retain(future), "second"};

    (void)arg;
    tusk_release(tusk_create_task(wait_and_say, first));
    expect_int(tusk_sleep(0), 0);
    expect_int(tusk_future_add_done_callback(future, note, "a"), 0);
    tusk_release(tusk_create_task(wait_and_say, second));
    expect_int(tusk_sleep(0), 0);
    expect_int(tusk_future_add_done_callback(future, note, "b"), 0);
    mark();
    expect_int(tusk_future_set_result(future, 1), 0);
    expect_int(tusk_await(future), 1);
    expect_int(tusk_sleep(0), 0);
    trace_at("main");
    return 0;
}

static void test_waiters_and_callbacks_in_one_order(void **state)
{
    (void)state;
    play_trace(tasks_and_callbacks, "first@1 a@1 second@1 b@1 main@1");
}

static int many_callbacks(void *arg)
{
    tusk_future *future = tusk_create_future();
    int count = (int)many(50000, 2000);

    (void)arg;
    for (int i = 0; i < count; i++)
        expect_int(tusk_future_add_done_callback(future, look_at_result, as_arg(i % 2)), 0);
    expect_int(tusk_future_remove_done_callback(future, look_at_result, as_arg(0)), count / 2);
    expect_int(tusk_future_remove_done_callback(future, look_at_result, as_arg(1)), count / 2);
    expect_int(tusk_future_set_result(future, 1), 0);
    tusk_release(future);
    return 0;
}

static void test_many_callbacks(void **state)
{
    (void)state;
    play_trace(many_callbacks, "");
}

/* ---- loops ---- */

static void test_future_of_a_loop_that_does_not_run(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_future *future = tusk_loop_create_future(loop);

    (void)state;
    stage_clean();
    assert_non_null(future);
    assert_ptr_equal(tusk_future_get_loop(future), loop);
    assert_int_equal(tusk_future_set_result(future, 4), 0);
    assert_int_equal(tusk_future_result(future), 4);
    assert_int_equal(tusk_loop_run_until_complete(loop, future), 4);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(tusk__live(), live);
}

static void test_no_loop(void **state)
{
    (void)state;
    assert_null(tusk_create_future());
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_int_equal(tusk_await(NULL), TUSK_NO_RUNNING_LOOP);
    assert_null(tusk_loop_create_future(NULL));
    assert_int_equal(tusk_last_error(), -EINVAL);
}

static void test_null(void **state)
{
    (void)state;
    assert_null(tusk_create_future());
    assert_null(tusk_retain(NULL));
    tusk_release(NULL);
    assert_true(tusk_future_done(NULL));
    assert_false(tusk_future_cancelled(NULL));
    assert_int_equal(tusk_future_result(NULL), TUSK_NO_RUNNING_LOOP);
    assert_int_equal(tusk_future_exception(NULL), TUSK_NO_RUNNING_LOOP);
    assert_null(tusk_future_message(NULL));
    assert_int_equal(tusk_future_set_result(NULL, 1), -EINVAL);
    assert_int_equal(tusk_future_set_exception(NULL, -EIO, NULL), -EINVAL);
    assert_false(tusk_future_cancel(NULL));
    assert_int_equal(tusk_future_add_done_callback(NULL, note, NULL), -EINVAL);
    assert_int_equal(tusk_future_remove_done_callback(NULL, note, NULL), 0);
    assert_null(tusk_future_get_loop(NULL));
}

static int null_callback(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_add_done_callback(future, NULL, NULL), -EINVAL);
    expect_int(tusk_future_remove_done_callback(future, NULL, NULL), 0);
    tusk_release(future);
    return 0;
}

static void test_null_callback(void **state)
{
    (void)state;
    play_quietly(null_callback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_cancels),
        cmocka_unit_test(test_message_is_copied),
        cmocka_unit_test(test_set_twice),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_callbacks_in_order_and_never_at_once),
        cmocka_unit_test(test_cancel_calls_them_too),
        cmocka_unit_test(test_add_after_the_last_was_removed),
        cmocka_unit_test(test_callbacks_that_add_callbacks),
        cmocka_unit_test(test_alive_in_callbacks),
        cmocka_unit_test(test_failing_callback_is_reported),
        cmocka_unit_test(test_waiters_and_callbacks_in_one_order),
        cmocka_unit_test(test_many_callbacks),
        cmocka_unit_test(test_future_of_a_loop_that_does_not_run),
        cmocka_unit_test(test_no_loop),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_null_callback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
