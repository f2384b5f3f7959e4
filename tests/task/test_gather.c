/*
 * gather: results and errors in their order, cancelling in both directions, and
 * who keeps what alive.
 */
#include "task/stage.h"

static int sleep_then_return(void *arg)
{
    int value = (int)(intptr_t)arg;

    tusk_try(tusk_sleep(10 - value));
    trace("%d", value);
    return value;
}

static int sleep_then_fail(void *arg)
{
    int value = (int)(intptr_t)arg;

    tusk_try(tusk_sleep(value));
    trace("fail%d", value);
    return tusk_raise(-EIO - value, "error %d", value);
}

/* ---- results ---- */

static int in_order(void *arg)
{
    tusk_task *tasks[4];
    int results[4] = {0};

    (void)arg;
    for (int i = 0; i < 4; i++)
        tasks[i] = tusk_create_task(sleep_then_return, as_arg(i + 1));
    expect_int(tusk_await(tusk_gather(tasks, 4, .results = results)), 0);
    for (int i = 0; i < 4; i++)
        expect_int(results[i], i + 1);
    return 0;
}

static void test_results_in_order_of_arguments(void **state)
{
    (void)state;
    play_trace(in_order, "4 3 2 1");
}

static int empty(void *arg)
{
    tusk_future *gather = tusk_gather(NULL, 0);

    (void)arg;
    expect(gather != NULL);
    mark();
    expect_int(tusk_await(gather), 0);
    expect_int(iterations(), 0);
    return 0;
}

static void test_empty(void **state)
{
    (void)state;
    play_quietly(empty);
}

/* The trick by which duplicates are found must not be fooled by a gather of the same futures before. */
static int duplicates_again(void *arg)
{
    tusk_future *a = tusk_create_future();
    tusk_future *b = tusk_create_future();
    tusk_future *first[] = {tusk_retain(a), tusk_retain(b)};
    tusk_future *second[] = {tusk_retain(b), tusk_retain(b), tusk_retain(a), tusk_retain(a)};
    int results[2] = {0};
    int more[4] = {0};
    tusk_future *gathers[2];

    (void)arg;
    gathers[0] = tusk_gather(first, 2, .results = results);
    gathers[1] = tusk_gather(second, 4, .results = more);
    expect_int(tusk_future_set_result(a, 1), 0);
    expect_int(tusk_future_set_result(b, 2), 0);
    tusk_release(a);
    tusk_release(b);
    expect_int(tusk_await(tusk_gather(gathers, 2)), 0);
    expect_int(results[0], 1);
    expect_int(results[1], 2);
    expect_int(more[0], 2);
    expect_int(more[1], 2);
    expect_int(more[2], 1);
    expect_int(more[3], 1);
    return 0;
}

static void test_futures_in_two_gathers(void **state)
{
    (void)state;
    play_quietly(duplicates_again);
}

static int done_children(void *arg)
{
    tusk_future *futures[3];
    int results[3] = {0};
    tusk_future *gather;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        futures[i] = tusk_create_future();
        expect_int(tusk_future_set_result(futures[i], i), 0);
    }
    gather = tusk_gather(futures, 3, .results = results);
    expect(tusk_future_done(gather));
    for (int i = 0; i < 3; i++)
        expect_int(results[i], i);
    expect_int(tusk_await(gather), 0);
    return 0;
}

static void test_done_children(void **state)
{
    (void)state;
    play_quietly(done_children);
}

static int done_and_pending(void *arg)
{
    tusk_future *futures[2] = {tusk_create_future(), tusk_create_task(return_seven, NULL)};
    int results[2] = {0};

    (void)arg;
    expect_int(tusk_future_set_result(futures[0], 5), 0);
    expect_int(tusk_await(tusk_gather(futures, 2, .results = results)), 0);
    expect_int(results[0], 5);
    expect_int(results[1], 7);
    return 0;
}

static void test_done_and_pending_children(void **state)
{
    (void)state;
    play_quietly(done_and_pending);
}

static int hundred_thousand(void *arg)
{
    size_t count = many(100000, 5000);
    tusk_task **tasks = malloc(count * sizeof(tusk_task *));
    int *results = malloc(count * sizeof(int));

    (void)arg;
    for (size_t i = 0; i < count; i++)
        tasks[i] = tusk_create_task(return_arg, (void *)i);
    mark();
    expect_int(tusk_await(tusk_gather(tasks, count, .results = results)), 0);
    expect_int(iterations(), 3);
    for (size_t i = 0; i < count; i++)
        expect_int(results[i], i);
    free(tasks);
    free(results);
    return 0;
}

static void test_hundred_thousand(void **state)
{
    (void)state;
    play_quietly(hundred_thousand);
}

static int same_child_often(void *arg)
{
    size_t count = many(100000, 5000);
    tusk_task **tasks = malloc(count * sizeof(tusk_task *));
    int *results = malloc(count * sizeof(int));

    (void)arg;
    tasks[0] = tusk_create_task(return_seven, NULL);
    for (size_t i = 1; i < count; i++)
        tasks[i] = tusk_retain(tasks[0]);
    expect_int(tusk_await(tusk_gather(tasks, count, .results = results)), 0);
    for (size_t i = 0; i < count; i++)
        expect_int(results[i], 7);
    free(tasks);
    free(results);
    return 0;
}

static void test_same_child_often(void **state)
{
    (void)state;
    play_quietly(same_child_often);
}

static int gather_of_gathers(void *arg)
{
    tusk_future *outer[2];
    int results[2][2] = {{0}};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        tusk_task *tasks[2] = {
            tusk_create_task(return_arg, as_arg(2 * i)),
            tusk_create_task(return_arg, as_arg(2 * i + 1)),
        };

        outer[i] = tusk_gather(tasks, 2, .results = results[i]);
    }
    mark();
    expect_int(tusk_await(tusk_gather(outer, 2)), 0);
    expect_int(iterations(), 4);
    for (int i = 0; i < 4; i++)
        expect_int(results[i / 2][i % 2], i);
    return 0;
}

static void test_gather_of_gathers(void **state)
{
    (void)state;
    play_quietly(gather_of_gathers);
}

/* ---- errors ---- */

static int first_error(void *arg)
{
    tusk_task *tasks[3] = {
        tusk_create_task(sleep_then_return, as_arg(1)),
        tusk_create_task(sleep_then_fail, as_arg(3)),
        tusk_create_task(sleep_then_fail, as_arg(2)),
    };
    int results[3] = {-1, -1, -1};
    tusk_future *gather;

    (void)arg;
    tusk_retain(tasks[0]);
    gather = tusk_gather(tasks, 3, .results = results);
    expect_int(tusk_await(tusk_retain(gather)), -EIO - 2);
    expect_text(tusk_message(), "error 2");
    expect(!tusk_future_cancelled(gather));
    expect_int(tusk_future_exception(gather), -EIO - 2);
    expect_text(tusk_future_message(gather), "error 2");
    trace("failed");
    expect(!tusk_future_done(tasks[0]));
    expect_int(tusk_await(tasks[0]), 1);
    /* Results are written when it succeeds. */
    for (int i = 0; i < 3; i++)
        expect_int(results[i], -1);
    tusk_release(gather);
    return 0;
}

static void test_first_error_ends_it_and_siblings_run_on(void **state)
{
    (void)state;
    play_trace(first_error, "fail2 failed fail3 1");
}

static int error_of_done_child(void *arg)
{
    tusk_future *futures[2] = {tusk_create_future(), tusk_create_task(sleep_then_return, as_arg(1))};
    tusk_future *gather;

    (void)arg;
    expect_int(tusk_future_set_exception(futures[0], -EIO, "before"), 0);
    gather = tusk_gather(futures, 2);
    expect(tusk_future_done(gather));
    mark();
    expect_int(tusk_await(gather), -EIO);
    expect_text(tusk_message(), "before");
    expect_int(iterations(), 0);
    expect_int(tusk_sleep(20), 0);
    return 0;
}

static void test_error_of_a_done_child(void **state)
{
    (void)state;
    play_trace(error_of_done_child, "1");
}

static int return_exceptions(void *arg)
{
    tusk_task *tasks[4] = {
        tusk_create_task(sleep_then_fail, as_arg(1)),
        tusk_create_task(return_seven, NULL),
        tusk_create_task(sleep_hour, NULL),
        NULL,
    };
    int results[4] = {0};
    tusk_task *cancelled = tasks[2];

    (void)arg;
    tasks[3] = tusk_create_task(NULL, NULL);
    expect(tasks[3] == NULL);
    expect(tusk_task_cancel(cancelled));
    expect_int(tusk_await(tusk_gather(tasks, 4, .results = results, .return_exceptions = true)), 0);
    expect_int(results[0], -EIO - 1);
    expect_int(results[1], 7);
    expect_int(results[2], -ECANCELED);
    expect_int(results[3], -EINVAL);
    return 0;
}

static void test_return_exceptions(void **state)
{
    (void)state;
    play_trace(return_exceptions, "fail1");
}

static int null_child(void *arg)
{
    tusk_task *tasks[2] = {tusk_create_task(sleep_then_return, as_arg(1)), tusk_create_task(NULL, NULL)};

    (void)arg;
    expect_int(tusk_await(tusk_gather(tasks, 2)), -EINVAL);
    trace("failed");
    expect_int(tusk_sleep(20), 0);
    return 0;
}

static void test_null_child_is_a_failed_child(void **state)
{
    (void)state;
    play_trace(null_child, "failed 1");
}

static int unretrieved_gather(void *arg)
{
    tusk_task *tasks[2] = {
        tusk_create_task(sleep_then_fail, as_arg(1)),
        tusk_create_task(sleep_then_fail, as_arg(2)),
    };

    (void)arg;
    tusk_release(tusk_gather(tasks, 2));
    expect_int(tusk_sleep(5), 0);
    expect_text(stage_trace, "fail1 fail2");
    return 0;
}

/* The error of the gather itself, that nobody asked for, is reported, once; those of its children are not. */
static void test_released_gather_reports_its_error(void **state)
{
    (void)state;
    play_reports(unretrieved_gather, "Future exception was never retrieved|-|ENXIO|error 1\n");
}

static int released_gather(void *arg)
{
    static int results[2];
    tusk_task *tasks[2] = {
        tusk_create_task(sleep_then_return, as_arg(1)),
        tusk_create_task(sleep_then_return, as_arg(2)),
    };

    (void)arg;
    tusk_release(tusk_gather(tasks, 2, .results = results));
    expect_int(tusk_sleep(20), 0);
    expect_int(results[0], 1);
    expect_int(results[1], 2);
    return 0;
}

static void test_released_gather_goes_on(void **state)
{
    (void)state;
    play_trace(released_gather, "2 1");
}

/* ---- cancelling ---- */

static int cancel_outer(void *arg)
{
    bool return_errors = arg != NULL;
    tusk_task *tasks[2] = {tusk_create_task(sleep_hour, NULL), tusk_create_task(sleep_hour, NULL)};
    int results[2] = {5, 5};
    tusk_future *gather;

    gather = tusk_gather(tasks, 2, .return_exceptions = return_errors, .results = results);
    expect_int(tusk_sleep(1), 0);
    mark();
    expect(tusk_future_cancel(gather, .msg = "all"));
    expect(!tusk_future_done(gather));
    expect_int(tusk_await(tusk_retain(gather)), -ECANCELED);
    expect_text(tusk_message(), "all");
    expect_int(iterations(), 3);
    expect(!tusk_future_cancelled(gather));
    expect(!tusk_future_cancel(gather));
    expect_int(results[0], 5);
    tusk_release(gather);
    return 0;
}

static void test_cancel_cancels_children(void **state)
{
    (void)state;
    play_quietly(cancel_outer);
}

static void test_cancel_with_return_exceptions(void **state)
{
    (void)state;
    assert_int_equal(play_with(cancel_outer, as_arg(1), false), 0);
    assert_string_equal(stage_reports, "");
}

static int children_swallow(void *arg)
{
    bool return_errors = arg != NULL;
    tusk_task *tasks[2] = {tusk_create_task(swallow_cancel, NULL), tusk_create_task(swallow_cancel, NULL)};
    tusk_future *gather;

    gather = tusk_gather(tasks, 2, .return_exceptions = return_errors);
    expect_int(tusk_sleep(1), 0);
    expect(tusk_future_cancel(gather));
    expect_int(tusk_await(gather), -ECANCELED);
    return 0;
}

static void test_cancel_though_children_swallow(void **state)
{
    (void)state;
    play_quietly(children_swallow);
    assert_int_equal(play_with(children_swallow, as_arg(1), false), 0);
}

static int swallow_late(void *arg)
{
    int rc = tusk_sleep(3600);

    (void)arg;
    expect_int(rc, -ECANCELED);
    return tusk_sleep(0);
}

/* The message is that of the last child in the order of arguments, as in asyncio, whichever ended last. */
static int message_of_last_child(void *arg)
{
    for (int last = 0; last < 2; last++) {
        tusk_task *tasks[2] = {
            tusk_create_task(last ? swallow_late : sleep_hour, NULL),
            tusk_create_task(last ? sleep_hour : swallow_late, NULL),
        };
        tusk_future *gather = tusk_gather(tasks, 2, .return_exceptions = true);

        expect_int(tusk_sleep(1), 0);
        expect(tusk_future_cancel(gather, .msg = "m1"));
        expect_int(tusk_await(gather), -ECANCELED);
        expect_text(tusk_message(), last ? "m1" : NULL);
    }
    (void)arg;
    return 0;
}

static void test_message_of_a_cancel(void **state)
{
    (void)state;
    play_quietly(message_of_last_child);
}

static int cancel_awaiter(void *arg)
{
    tusk_task *tasks[2] = {tusk_create_task(swallow_cancel, NULL), tusk_create_task(sleep_hour, NULL)};
    tusk_task *awaiter = tusk_create_task(await_arg, tusk_gather(tasks, 2));

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    mark();
    expect(tusk_task_cancel(awaiter, .msg = "down"));
    expect_int(tusk_await(awaiter), -ECANCELED);
    expect_text(tusk_message(), "down");
    expect_int(iterations(), 4);
    return 0;
}

static void test_cancel_of_who_awaits_it(void **state)
{
    (void)state;
    play_quietly(cancel_awaiter);
}

static int cancel_duplicates(void *arg)
{
    tusk_task *task = tusk_create_task(sleep_hour, NULL);
    tusk_future *futures[2] = {task, tusk_retain(task)};
    tusk_future *gather;

    (void)arg;
    tusk_retain(task);
    gather = tusk_gather(futures, 2);
    expect_int(tusk_sleep(1), 0);
    expect(tusk_future_cancel(gather));
    expect_int(tusk_await(gather), -ECANCELED);
    /* As in asyncio, each place in the arguments asks once. */
    expect_int(tusk_task_cancelling(task), 2);
    tusk_release(task);
    return 0;
}

static void test_cancel_asks_once_for_each_place(void **state)
{
    (void)state;
    play_quietly(cancel_duplicates);
}

static int cancel_nested(void *arg)
{
    tusk_future *future = tusk_create_future();
    size_t depth = many(10000, 1000);

    (void)arg;
    for (size_t i = 0; i < depth; i++)
        future = tusk_gather(&future, 1);
    expect(tusk_future_cancel(future));
    expect_int(tusk_await(future), -ECANCELED);
    return 0;
}

static void test_cancel_deep_gathers(void **state)
{
    (void)state;
    play_quietly(cancel_nested);
}

/* An outer cancel while a child has failed already, but the gather has not heard. */
static int cancel_with_failed_child(void *arg)
{
    tusk_future *failed = tusk_create_future();
    tusk_future *futures[2] = {tusk_retain(failed), tusk_create_task(sleep_hour, NULL)};
    tusk_future *gather = tusk_gather(futures, 2);

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    expect_int(tusk_future_set_exception(failed, -EIO, "failed"), 0);
    tusk_release(failed);
    expect(tusk_future_cancel(gather));
    expect_int(tusk_await(gather), -EIO);
    expect_text(tusk_message(), "failed");
    return 0;
}

static void test_cancel_with_a_failed_child(void **state)
{
    (void)state;
    play_quietly(cancel_with_failed_child);
}

/* ---- bad input ---- */

static int null_array(void *arg)
{
    (void)arg;
    expect(tusk_gather(NULL, 3) == NULL);
    expect_int(tusk_last_error(), -EINVAL);
    expect_int(tusk_await(tusk_gather(NULL, 3)), -EINVAL);
    return 0;
}

static void test_null_array(void **state)
{
    (void)state;
    play_quietly(null_array);
}

static int other_loop(void *arg)
{
    tusk_future *futures[2] = {tusk_create_task(return_seven, NULL), tusk_loop_create_future(arg)};

    expect(tusk_gather(futures, 2) == NULL);
    expect_int(tusk_last_error(), TUSK_OTHER_LOOP);
    return 0;
}

static void test_child_of_another_loop(void **state)
{
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    size_t live = tusk__live();

    (void)state;
    stage_clean();
    assert_int_equal(tusk_run(other_loop, loop, .clock = TUSK_CLOCK_VIRTUAL), 0);
    assert_int_equal(stage_failures, 0);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_true(tusk__live() <= live);
}

static void test_no_loop(void **state)
{
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_future *futures[1] = {tusk_loop_create_future(loop)};

    (void)state;
    assert_null(tusk_gather(futures, 1));
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_null(tusk_gather(NULL, 0));
    assert_int_equal(tusk_loop_close(loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_in_order_of_arguments),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_futures_in_two_gathers),
        cmocka_unit_test(test_done_children),
        cmocka_unit_test(test_done_and_pending_children),
        cmocka_unit_test(test_hundred_thousand),
        cmocka_unit_test(test_same_child_often),
        cmocka_unit_test(test_gather_of_gathers),
        cmocka_unit_test(test_first_error_ends_it_and_siblings_run_on),
        cmocka_unit_test(test_error_of_a_done_child),
        cmocka_unit_test(test_return_exceptions),
        cmocka_unit_test(test_null_child_is_a_failed_child),
        cmocka_unit_test(test_released_gather_reports_its_error),
        cmocka_unit_test(test_released_gather_goes_on),
        cmocka_unit_test(test_cancel_cancels_children),
        cmocka_unit_test(test_cancel_with_return_exceptions),
        cmocka_unit_test(test_cancel_though_children_swallow),
        cmocka_unit_test(test_message_of_a_cancel),
        cmocka_unit_test(test_cancel_of_who_awaits_it),
        cmocka_unit_test(test_cancel_asks_once_for_each_place),
        cmocka_unit_test(test_cancel_deep_gathers),
        cmocka_unit_test(test_cancel_with_a_failed_child),
        cmocka_unit_test(test_null_array),
        cmocka_unit_test(test_child_of_another_loop),
        cmocka_unit_test(test_no_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
