/*
 * Errors: their messages on the way up, and the report of those that nobody
 * looked at.
 */
#include "task/stage.h"

/* ---- tusk_try ---- */

static int64_t how_many(int64_t count)
{
    tusk_try(count);
    return count;
}

static int stop_at(int64_t count)
{
    tusk_try(count);
    return 1;
}

static void test_try_takes_counts_of_any_size(void **state)
{
    static const int64_t counts[] = {0,          INT_MAX,  (int64_t)INT_MAX + 1, (int64_t)3 << 30,
                                     UINT32_MAX, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        assert_true(how_many(counts[i]) == counts[i]);
        assert_int_equal(stop_at(counts[i]), 1);
    }
    assert_int_equal(stop_at(-EIO), -EIO);
    assert_int_equal(stop_at(TUSK_TLS_FILE), TUSK_TLS_FILE);
    assert_true(how_many(-EIO) == -EIO);
}

/* ---- messages ---- */

static int raise_numbered(void *arg)
{
    return tusk_raise(-EBUSY, "oven %d is %s", (int)(intptr_t)arg, "hot");
}

static int pass_on(void *arg)
{
    int depth = (int)(intptr_t)arg;

    if (depth == 0)
        return raise_numbered(as_arg(4));
    return tusk_await(tusk_create_task(pass_on, as_arg(depth - 1)));
}

static int travels(void *arg)
{
    (void)arg;
    expect_int(tusk_await(tusk_create_task(pass_on, as_arg(10))), -EBUSY);
    expect_text(tusk_message(), "oven 4 is hot");
    return 0;
}

static void test_message_travels_through_awaits(void **state)
{
    (void)state;
    play_quietly(travels);
}

static int describes(void *arg)
{
    (void)arg;
    expect_text(tusk_describe(-EBUSY), tusk_strerror(-EBUSY));
    expect_int(tusk_await(tusk_create_task(raise_numbered, as_arg(3))), -EBUSY);
    expect_text(tusk_describe(-EBUSY), "oven 3 is hot");
    /* What another call returned, without a message. */
    expect_text(tusk_describe(-EPIPE), tusk_strerror(-EPIPE));
    expect_text(tusk_describe(0), "success");
    expect_int(tusk_raise(-EIO, "%s", ""), -EIO);
    expect_text(tusk_describe(-EIO), tusk_strerror(-EIO));
    return tusk_raise(-EBUSY, "all is %s", "hot");
}

static void test_one_text_for_a_code(void **state)
{
    (void)state;
    assert_int_equal(play(describes), -EBUSY);
    assert_string_equal(tusk_describe(-EBUSY), "all is hot");
    assert_string_equal(tusk_describe(-EPIPE), tusk_strerror(-EPIPE));
    assert_string_equal(tusk_describe(TUSK_NOT_IN_TASK), tusk_strerror(TUSK_NOT_IN_TASK));
}

static int through_gather(void *arg)
{
    tusk_task *tasks[2] = {tusk_create_task(return_seven, NULL), tusk_create_task(raise_numbered, as_arg(2))};

    (void)arg;
    expect_int(tusk_await(tusk_gather(tasks, 2)), -EBUSY);
    expect_text(tusk_message(), "oven 2 is hot");
    return 0;
}

static void test_message_travels_through_gather(void **state)
{
    (void)state;
    play_quietly(through_gather);
}

static int out_of_run(void *arg)
{
    (void)arg;
    return tusk_await(tusk_create_task(raise_numbered, as_arg(7)));
}

static void test_message_comes_out_of_a_run(void **state)
{
    (void)state;
    assert_int_equal(play(out_of_run), -EBUSY);
    assert_string_equal(tusk_message(), "oven 7 is hot");
    assert_string_equal(stage_reports, "");
}

/* Each task has its own message. */
static int raise_and_yield(void *arg)
{
    char text[16];
    int number = (int)(intptr_t)arg;

    snprintf(text, sizeof text, "task %d", number);
    expect_int(tusk_raise(-EIO, "%s", text), -EIO);
    expect_int(tusk_sleep(number), 0);
    expect_text(tusk_message(), text);
    return 0;
}

static int messages_of_their_own(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(raise_and_yield, as_arg(i));
    expect_int(tusk_await(tusk_gather(tasks, 3)), 0);
    expect_text(tusk_message(), NULL);
    return 0;
}

static void test_each_task_has_its_message(void **state)
{
    (void)state;
    play_quietly(messages_of_their_own);
}

/* A message that belongs to another code is not shown with this one. */
static int raise_then_other(void *arg)
{
    (void)arg;
    expect_int(tusk_raise(-EIO, "about the disk"), -EIO);
    return -EBUSY;
}

static int raise_then_succeed(void *arg)
{
    (void)arg;
    expect_int(tusk_raise(-EIO, "about the disk"), -EIO);
    return 1;
}

static int other_codes(void *arg)
{
    tusk_task *task = tusk_create_task(raise_then_other, NULL);

    (void)arg;
    expect_int(tusk_await(tusk_retain(task)), -EBUSY);
    expect_text(tusk_message(), NULL);
    expect_text(tusk_future_message(task), NULL);
    tusk_release(task);
    task = tusk_create_task(raise_then_succeed, NULL);
    expect_int(tusk_await(tusk_retain(task)), 1);
    expect_text(tusk_future_message(task), NULL);
    tusk_release(task);
    return 0;
}

static void test_message_goes_with_its_code(void **state)
{
    (void)state;
    play_quietly(other_codes);
}

static int odd_raises(void *arg)
{
    (void)arg;
    expect_int(tusk_raise(0, "zero"), -EINVAL);
    expect_text(tusk_message(), "zero");
    expect_int(tusk_raise(5, "positive"), -EINVAL);
    expect_int(tusk_raise(-EIO, NULL), -EIO);
    expect_text(tusk_message(), NULL);
    expect_int(tusk_raise(INT_MIN, "lowest %d", 1), INT_MIN);
    expect_text(tusk_message(), "lowest 1");
    /* The old message may be part of the new one. */
    expect_int(tusk_raise(-EIO, "again: %s", tusk_message()), -EIO);
    expect_text(tusk_message(), "again: lowest 1");
    return 0;
}

static void test_odd_raises(void **state)
{
    (void)state;
    play_quietly(odd_raises);
}

static int long_message(void *arg)
{
    char *text = malloc(100001);
    tusk_future *future = tusk_create_future();

    (void)arg;
    memset(text, 'm', 100000);
    text[100000] = '\0';
    expect_int(tusk_future_set_exception(future, -EIO, "%s", text), 0);
    expect_int(tusk_await(future), -EIO);
    expect_text(tusk_message(), text);
    free(text);
    return 0;
}

static void test_long_message(void **state)
{
    (void)state;
    play_quietly(long_message);
}

static void test_outside_a_task(void **state)
{
    (void)state;
    assert_int_equal(tusk_raise(-EIO, "thread %d", 1), -EIO);
    assert_string_equal(tusk_message(), "thread 1");
    assert_int_equal(tusk_raise(-EIO, NULL), -EIO);
    assert_null(tusk_message());
}

/* ---- errors that nobody looked at ---- */

static int lost_task(void *arg)
{
    (void)arg;
    tusk_release(tusk_create_task(fail_at_once, NULL, .name = "soup"));
    expect_text(stage_reports, "");
    expect_int(tusk_sleep(0), 0);
    expect_text(stage_reports, "Task exception was never retrieved|soup|EIO|no milk\n");
    return 0;
}

static void test_lost_error_of_a_task(void **state)
{
    (void)state;
    play_reports(lost_task, "Task exception was never retrieved|soup|EIO|no milk\n");
}

static int lost_when_released(void *arg)
{
    tusk_task *task = tusk_create_task(fail_at_once, NULL);

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    expect(tusk_future_done(task));
    tusk_retain(task);
    tusk_release(task);
    expect_text(stage_reports, "");
    tusk_release(task);
    expect_text(stage_reports, "Task exception was never retrieved|Task-2|EIO|no milk\n");
    return 0;
}

static void test_lost_when_the_last_reference_goes(void **state)
{
    (void)state;
    play_reports(lost_when_released, "Task exception was never retrieved|Task-2|EIO|no milk\n");
}

static int lost_future(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_set_exception(future, -EPIPE, "pipe %d", 2), 0);
    tusk_release(future);
    future = tusk_create_future();
    expect_int(tusk_future_set_exception(future, -EPIPE, NULL), 0);
    tusk_release(future);
    return 0;
}

static void test_lost_error_of_a_future(void **state)
{
    (void)state;
    play_reports(lost_future, "Future exception was never retrieved|-|EPIPE|pipe 2\n"
                              "Future exception was never retrieved|-|EPIPE|-\n");
}

static int kept_at_the_end(void *arg)
{
    (void)arg;
    expect(tusk_create_task(fail_at_once, NULL, .name = "kept") != NULL);
    return tusk_sleep(1);
}

static void test_lost_when_the_loop_closes(void **state)
{
    (void)state;
    play_reports(kept_at_the_end, "Task exception was never retrieved|kept|EIO|no milk\n");
}

static tusk_future *failed_future(void)
{
    tusk_future *future = tusk_create_future();

    expect_int(tusk_future_set_exception(future, -EIO, "x"), 0);
    return future;
}

static int looked_at(void *arg)
{
    tusk_future *future = failed_future();

    (void)arg;
    expect_int(tusk_future_result(future), -EIO);
    tusk_release(future);
    future = failed_future();
    expect_int(tusk_future_exception(future), -EIO);
    tusk_release(future);
    expect_int(tusk_await(failed_future()), -EIO);
    /* Even though it does nothing. */
    future = failed_future();
    expect(!tusk_future_cancel(future));
    tusk_release(future);
    future = tusk_create_task(fail_at_once, NULL);
    expect_int(tusk_sleep(1), 0);
    expect(!tusk_task_cancel(future));
    tusk_release(future);
    /* A cancel is no error that could be lost. */
    future = tusk_create_future();
    expect(tusk_future_cancel(future));
    tusk_release(future);
    future = tusk_create_task(sleep_hour, NULL);
    expect(tusk_task_cancel(future));
    tusk_release(future);
    return tusk_sleep(1);
}

static void test_what_counts_as_a_look(void **state)
{
    (void)state;
    play_quietly(looked_at);
}

static int only_asked(void *arg)
{
    tusk_future *future = failed_future();

    (void)arg;
    expect(tusk_future_done(future));
    expect(!tusk_future_cancelled(future));
    expect_text(tusk_future_message(future), "x");
    tusk_release(future);
    return 0;
}

static void test_what_does_not(void **state)
{
    (void)state;
    play_reports(only_asked, "Future exception was never retrieved|-|EIO|x\n");
}

/* A callback that does not look leaves the error to be reported afterwards. */
static int do_nothing(tusk_future *future, void *arg)
{
    (void)future;
    (void)arg;
    trace("called");
    return 0;
}

static int not_looked_in_callback(void *arg)
{
    tusk_task *task = tusk_create_task(fail_at_once, NULL);

    (void)arg;
    expect_int(tusk_future_add_done_callback(task, do_nothing, NULL), 0);
    tusk_release(task);
    expect_int(tusk_sleep(1), 0);
    expect_text(stage_trace, "called");
    return 0;
}

static void test_callback_that_does_not_look(void **state)
{
    (void)state;
    play_reports(not_looked_in_callback, "Task exception was never retrieved|Task-2|EIO|no milk\n");
}

/* ---- the handler ---- */

struct seen {
    tusk_loop *loop;
    tusk_future *future;
    int calls;
};

static int look(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    struct seen *seen = arg;

    seen->calls++;
    expect(loop == seen->loop);
    expect_text(context->message, "Task exception was never retrieved");
    expect_int(context->error, -EIO);
    expect_text(context->error_message, "no milk");
    expect_text(context->task_name, "soup");
    /* The task can be used, and even kept. */
    expect_text(tusk_task_get_name(context->future), "soup");
    expect_int(tusk_future_result(context->future), -EIO);
    seen->future = tusk_retain(context->future);
    return 0;
}

static int handler_keeps_it(void *arg)
{
    struct seen seen = {.loop = tusk_get_running_loop()};

    (void)arg;
    tusk_loop_set_exception_handler(seen.loop, look, &seen);
    tusk_release(tusk_create_task(fail_at_once, NULL, .name = "soup"));
    expect_int(tusk_sleep(1), 0);
    expect_int(seen.calls, 1);
    expect_text(tusk_future_message(seen.future), "no milk");
    expect_int(tusk_await(seen.future), -EIO);
    expect_int(seen.calls, 1);
    return 0;
}

static void test_handler_may_keep_the_task(void **state)
{
    (void)state;
    play_quietly(handler_keeps_it);
}

static int suspend_in_handler(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    int *calls = arg;

    (void)loop;
    (void)context;
    (*calls)++;
    expect_int(tusk_sleep(1), TUSK_NOT_IN_TASK);
    return 0;
}

/* At the end of a task nobody is running: the handler must not suspend, and cannot. */
static int handler_cannot_suspend(void *arg)
{
    int calls = 0;

    (void)arg;
    tusk_loop_set_exception_handler(tusk_get_running_loop(), suspend_in_handler, &calls);
    tusk_release(tusk_create_task(fail_at_once, NULL));
    expect_int(tusk_sleep(1), 0);
    expect_int(calls, 1);
    tusk_loop_set_exception_handler(tusk_get_running_loop(), keep_report, NULL);
    return 0;
}

static void test_handler_cannot_suspend(void **state)
{
    (void)state;
    play_quietly(handler_cannot_suspend);
}

static int fail_many(void *arg)
{
    int count = (int)many(10000, 1000);

    (void)arg;
    for (int i = 0; i < count; i++)
        tusk_release(tusk_create_task(fail_at_once, NULL));
    expect_int(tusk_sleep(1), 0);
    return 0;
}

static void test_many_lost_errors(void **state)
{
    (void)state;
    assert_int_equal(play(fail_many), 0);
    assert_non_null(strstr(stage_reports, "Task exception was never retrieved|Task-2|EIO|no milk\n"));
}

/* Less than no time, without end, is still no time. */
static int wait_backwards(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_wait(&future, 1, .timeout = -1), 0);
    expect_int(tusk_wait(&future, 1, .timeout = -INFINITY), 0);
    tusk_release(future);
    return 0;
}

static void test_wait_without_end_backwards(void **state)
{
    (void)state;
    play_quietly(wait_backwards);
}

/* Only the task that entered a group can leave it. */
static int exit_group(void *arg)
{
    expect_int(tusk_task_group_exit(arg, 0), TUSK_INVALID_STATE);
    expect_text(tusk_message(), "the task group was entered by another task");
    return 0;
}

static int enter_group(void *arg)
{
    tusk_task_group group;

    (void)arg;
    expect_int(tusk_task_group_enter(&group), 0);
    tusk_task_group_create_task(&group, exit_group, &group);
    return tusk_task_group_exit(&group, tusk_sleep(1));
}

static void test_group_of_another_task(void **state)
{
    (void)state;
    play_quietly(enter_group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_travels_through_awaits),
        cmocka_unit_test(test_try_takes_counts_of_any_size),
        cmocka_unit_test(test_one_text_for_a_code),
        cmocka_unit_test(test_message_travels_through_gather),
        cmocka_unit_test(test_message_comes_out_of_a_run),
        cmocka_unit_test(test_each_task_has_its_message),
        cmocka_unit_test(test_message_goes_with_its_code),
        cmocka_unit_test(test_odd_raises),
        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_outside_a_task),
        cmocka_unit_test(test_lost_error_of_a_task),
        cmocka_unit_test(test_lost_when_the_last_reference_goes),
        cmocka_unit_test(test_lost_error_of_a_future),
        cmocka_unit_test(test_lost_when_the_loop_closes),
        cmocka_unit_test(test_what_counts_as_a_look),
        cmocka_unit_test(test_what_does_not),
        cmocka_unit_test(test_callback_that_does_not_look),
        cmocka_unit_test(test_handler_may_keep_the_task),
        cmocka_unit_test(test_handler_cannot_suspend),
        cmocka_unit_test(test_many_lost_errors),
        cmocka_unit_test(test_wait_without_end_backwards),
        cmocka_unit_test(test_group_of_another_task),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
