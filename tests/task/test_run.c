/*
 * Runs: what tusk_run and tusk_loop_run_until_complete return, and how a run ends
 * for the tasks that are left. And deadlocks, which end a run on a clock that jumps.
 */
#include "task/stage.h"

#include <pthread.h>

/* ---- results ---- */

static void test_return_values(void **state)
{
    const int values[] = {0, 1, INT_MAX, -1, -EIO, TUSK_INVALID_STATE, INT_MIN, -ECANCELED};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(play_with(return_arg, as_arg(values[i]), false), values[i]);
        assert_string_equal(stage_reports, "");
    }
}

static int run_again(void *arg)
{
    (void)arg;
    expect_int(tusk_run(return_seven, NULL), TUSK_LOOP_RUNNING);
    expect_int(tusk_run(return_seven, NULL, .clock = TUSK_CLOCK_VIRTUAL), TUSK_LOOP_RUNNING);
    trace("inside");
    return 0;
}

static int run_in_callback(void *arg)
{
    expect_int(tusk_run(return_seven, NULL), TUSK_LOOP_RUNNING);
    trace("callback");
    (void)arg;
    return 0;
}

static int nested(void *arg)
{
    (void)arg;
    tusk_call_soon(run_in_callback, NULL);
    expect_int(run_again(NULL), 0);
    return tusk_sleep(0);
}

static void test_nested_run(void **state)
{
    (void)state;
    play_trace(nested, "inside callback");
    assert_int_equal(tusk_run(return_seven, NULL), 7);
}

static void test_bad_input(void **state)
{
    size_t live = tusk__live();

    (void)state;
    assert_int_equal(tusk_run(NULL, NULL), -EINVAL);
    assert_int_equal(tusk_run(return_seven, NULL, .poller = "no such poller"), -EINVAL);
    assert_int_equal(tusk_run(return_seven, NULL, .stack_size = 1), -EINVAL);
    assert_int_equal(tusk_loop_run_until_complete(NULL, NULL), -EINVAL);
    assert_int_equal(tusk__live(), live);
}

static void *run_in_thread(void *arg)
{
    int *rc = arg;

    *rc = tusk_run(return_seven, NULL, .clock = TUSK_CLOCK_VIRTUAL);
    return NULL;
}

static int threads(void *arg)
{
    pthread_t thread;
    int rc = 0;

    (void)arg;
    expect_int(pthread_create(&thread, NULL, run_in_thread, &rc), 0);
    expect_int(pthread_join(thread, NULL), 0);
    expect_int(rc, 7);
    return 0;
}

static void test_each_thread_may_run(void **state)
{
    (void)state;
    play_quietly(threads);
}

/* ---- what is left ---- */

static int report_cancel(void *arg)
{
    int rc = tusk_sleep(3600);

    trace("%s:%s", (const char *)arg, rc == -ECANCELED ? "cancelled" : "ok");
    return rc;
}

static int leave_tasks(void *arg)
{
    (void)arg;
    tusk_release(tusk_create_task(report_cancel, "a"));
    tusk_release(tusk_create_task(report_cancel, "b"));
    expect_int(tusk_sleep(1), 0);
    /* This one still starts: its first step stands in the queue before the end of the run. */
    tusk_release(tusk_create_task(report_cancel, "c"));
    return 5;
}

static void test_leftovers_are_cancelled(void **state)
{
    (void)state;
    assert_int_equal(play(leave_tasks), 5);
    assert_string_equal(stage_trace, "a:cancelled b:cancelled c:cancelled");
    assert_string_equal(stage_reports, "");
}

static int clean_up_slowly(void *arg)
{
    int rc = tusk_sleep(3600);

    expect_int(rc, -ECANCELED);
    expect_int(tusk_sleep(100), 0);
    trace("%s", (const char *)arg);
    return rc;
}

static int leave_slow(void *arg)
{
    (void)arg;
    tusk_release(tusk_create_task(clean_up_slowly, "a"));
    tusk_release(tusk_create_task(clean_up_slowly, "b"));
    return tusk_sleep(1);
}

static void test_leftovers_are_waited_for(void **state)
{
    (void)state;
    play_trace(leave_slow, "a b");
}

static int fail_when_cancelled(void *arg)
{
    int rc = tusk_sleep(3600);

    (void)arg;
    return rc == -ECANCELED ? tusk_raise(-EIO, "no clean end") : 0;
}

static int leave_failing(void *arg)
{
    (void)arg;
    tusk_release(tusk_create_task(fail_when_cancelled, NULL, .name = "bad"));
    tusk_release(tusk_create_task(swallow_cancel, NULL, .name = "good"));
    return tusk_sleep(1);
}

static void test_errors_of_leftovers_are_reported(void **state)
{
    (void)state;
    play_reports(leave_failing, "unhandled exception during tusk_run() shutdown|bad|EIO|no clean end\n");
}

/* They refuse one cancel, and nothing else wakes them: one pass only. */
static int refuse(void *arg)
{
    int rc = tusk_sleep(3600);

    (void)arg;
    expect_int(rc, -ECANCELED);
    rc = tusk_sleep((double)INFINITY);
    trace("never");
    return rc;
}

static int leave_refusing(void *arg)
{
    (void)arg;
    tusk_release(tusk_create_task(refuse, NULL, .name = "stubborn"));
    return tusk_sleep(1);
}

static void test_a_task_that_refuses_to_end(void **state)
{
    (void)state;
    assert_int_equal(play(leave_refusing), 0);
    assert_string_equal(stage_trace, "");
    assert_non_null(strstr(stage_reports, "Task was destroyed but it is pending!|stubborn|-|-\n"));
}

/* One that is made during the end is not cancelled, and only gets a few more iterations. */
static int say_then_sleep(void *arg)
{
    int rc;

    trace("%s", (const char *)arg);
    rc = tusk_sleep(3600);
    trace("late:%d", rc);
    return rc;
}

static int create_when_cancelled(void *arg)
{
    int rc = tusk_sleep(3600);

    (void)arg;
    tusk_release(tusk_create_task(say_then_sleep, "new", .name = "new"));
    return rc;
}

static int leave_creating(void *arg)
{
    (void)arg;
    tusk_release(tusk_create_task(create_when_cancelled, NULL));
    return tusk_sleep(1);
}

static void test_tasks_made_during_the_end(void **state)
{
    (void)state;
    play_reports(leave_creating, "Task was destroyed but it is pending!|new|-|-\n");
    assert_string_equal(stage_trace, "new");
}

static int leave_gather(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(report_cancel, "child");
    tusk_release(tusk_create_task(await_arg, tusk_gather(tasks, 3)));
    return tusk_sleep(1);
}

static void test_leftover_gather(void **state)
{
    (void)state;
    play_trace(leave_gather, "child:cancelled child:cancelled child:cancelled");
}

static int leave_handles(void *arg)
{
    tusk_future *futures[2] = {tusk_create_future(), tusk_create_task(return_seven, NULL)};

    (void)arg;
    expect(tusk_create_task(return_seven, NULL) != NULL);
    expect(tusk_create_task(sleep_hour, NULL) != NULL);
    expect(tusk_create_future() != NULL);
    expect(tusk_gather(futures, 2) != NULL);
    return tusk_sleep(1);
}

/* Freed with the loop, which play() checks. */
static void test_references_that_were_left(void **state)
{
    (void)state;
    play_quietly(leave_handles);
}

static int main_cancels_itself(void *arg)
{
    (void)arg;
    expect(tusk_task_cancel(tusk_current_task(), .msg = "enough"));
    return 5;
}

static void test_main_cancelled(void **state)
{
    (void)state;
    assert_int_equal(play(main_cancels_itself), -ECANCELED);
    assert_string_equal(tusk_message(), "enough");
}

static int stop_the_loop(void *arg)
{
    (void)arg;
    tusk_loop_stop(tusk_get_running_loop());
    return tusk_sleep(3600);
}

static void test_stopped_early(void **state)
{
    (void)state;
    assert_int_equal(play(stop_the_loop), TUSK_LOOP_STOPPED);
    assert_string_equal(stage_reports, "");
}

/* ---- run_until_complete ---- */

static int set_result(void *arg)
{
    return tusk_future_set_result(arg, 3);
}

static int stop_loop(void *arg)
{
    tusk_loop_stop(arg);
    return 0;
}

static void test_run_until_complete(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_future *future = tusk_loop_create_future(loop);

    (void)state;
    stage_clean();
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_loop_create_task(loop, return_seven, NULL)), 7);
    tusk_loop_call_soon(loop, set_result, future);
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_retain(future)), 3);
    assert_int_equal(tusk_loop_run_until_complete(loop, future), 3);
    future = tusk_loop_create_future(loop);
    assert_int_equal(tusk_future_set_exception(future, -EIO, "why"), 0);
    assert_int_equal(tusk_loop_run_until_complete(loop, future), -EIO);
    assert_string_equal(tusk_message(), "why");
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(tusk__live(), live);
}

static void test_run_until_complete_stopped(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_future *future = tusk_loop_create_future(loop);

    (void)state;
    tusk_loop_call_soon(loop, stop_loop, loop);
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_retain(future)), TUSK_LOOP_STOPPED);
    assert_false(tusk_future_done(future));
    assert_int_equal(tusk_future_set_result(future, 2), 0);
    assert_int_equal(tusk_loop_run_until_complete(loop, future), 2);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(tusk__live(), live);
}

static int run_nested_until_complete(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    tusk_future *done = tusk_create_future();
    tusk_future *pending = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_set_result(done, 4), 0);
    expect_int(tusk_loop_run_until_complete(loop, pending), TUSK_LOOP_RUNNING);
    expect_int(tusk_loop_run_until_complete(loop, done), TUSK_LOOP_RUNNING);
    for (int i = 0; i < 3; i++)
        expect_int(tusk_sleep(0), 0);
    expect_int(tusk_loop_run_forever(loop), TUSK_LOOP_RUNNING);
    expect_int(tusk_loop_run_once(loop, 0), TUSK_LOOP_RUNNING);
    expect_int(tusk_loop_close(loop), TUSK_LOOP_RUNNING);
    return 0;
}

static void test_run_until_complete_nested(void **state)
{
    (void)state;
    play_quietly(run_nested_until_complete);
}

static void test_run_until_complete_of_another_loop(void **state)
{
    size_t live = tusk__live();
    tusk_loop *one = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_loop *two = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);

    (void)state;
    assert_int_equal(tusk_loop_run_until_complete(one, tusk_loop_create_future(two)), TUSK_OTHER_LOOP);
    assert_null(tusk_loop_create_task(one, NULL, NULL));
    assert_int_equal(tusk_loop_run_until_complete(one, NULL), -EINVAL);
    assert_int_equal(tusk_loop_close(one), 0);
    assert_int_equal(tusk_loop_close(two), 0);
    assert_int_equal(tusk__live(), live);
}

/* ---- a loop that closes with tasks ---- */

static int sleep_in_two_frames(void *arg)
{
    char text[256];

    snprintf(text, sizeof text, "%s", (const char *)arg);
    return tusk_sleep(3600);
}

static void test_close_with_pending_tasks(void **state)
{
    size_t live = tusk__live();
    size_t descriptors = open_descriptors();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_task *waiting;

    (void)state;
    stage_clean();
    tusk_loop_set_exception_handler(loop, keep_report, NULL);
    tusk_release(tusk_loop_create_task(loop, sleep_in_two_frames, "x", .name = "asleep"));
    waiting = tusk_loop_create_task(loop, await_arg, tusk_loop_create_future(loop), .name = "waiting");
    assert_int_equal(tusk_loop_run_once(loop, 0), 0);
    assert_false(tusk_future_done(waiting));
    tusk_release(tusk_loop_create_task(loop, return_seven, NULL, .name = "fresh"));
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_string_equal(stage_reports, "Task was destroyed but it is pending!|asleep|-|-\n"
                                       "Task was destroyed but it is pending!|waiting|-|-\n"
                                       "Task was destroyed but it is pending!|fresh|-|-\n");
    assert_int_equal(tusk__live(), live);
    assert_int_equal(open_descriptors(), descriptors);
}

static int note(tusk_future *future, void *arg)
{
    (void)future;
    (void)arg;
    trace("called");
    return 0;
}

/* Callbacks, on futures and in the queue, are forgotten. */
static void test_close_with_callbacks(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_future *done = tusk_loop_create_future(loop);
    tusk_future *pending = tusk_loop_create_future(loop);
    tusk_task *task = tusk_loop_create_task(loop, return_seven, NULL);

    (void)state;
    stage_clean();
    tusk_loop_set_exception_handler(loop, keep_report, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tusk_future_add_done_callback(done, note, NULL), 0);
        assert_int_equal(tusk_future_add_done_callback(pending, note, NULL), 0);
        assert_int_equal(tusk_future_add_done_callback(task, note, NULL), 0);
    }
    assert_int_equal(tusk_future_set_result(done, 1), 0);
    tusk_release(done);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_string_equal(stage_trace, "");
    assert_string_equal(stage_reports, "Task was destroyed but it is pending!|Task-1|-|-\n");
    assert_int_equal(tusk__live(), live);
}

/* A handler that wants to make something of the loop that closes: it would be gone when it gets it. */
static int make_of_a_closing_loop(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)arg;
    expect(tusk_loop_create_future(loop) == NULL);
    expect_int(tusk_last_error(), TUSK_LOOP_CLOSED);
    expect(tusk_loop_create_task(loop, return_seven, NULL) == NULL);
    expect_int(tusk_last_error(), TUSK_LOOP_CLOSED);
    expect(tusk_shield(tusk_retain(context->future)) == NULL);
    expect_int(tusk_last_error(), TUSK_LOOP_CLOSED);
    expect_int(tusk_future_add_done_callback(context->future, note, NULL), TUSK_LOOP_CLOSED);
    expect(tusk_loop_call_soon(loop, stop_loop, loop).handle_ == NULL);
    expect_int(tusk_last_error(), TUSK_LOOP_CLOSED);
    trace("asked");
    return 0;
}

static void test_nothing_is_made_of_a_closing_loop(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);

    (void)state;
    stage_clean();
    tusk_loop_set_exception_handler(loop, make_of_a_closing_loop, NULL);
    tusk_release(tusk_loop_create_task(loop, return_seven, NULL));
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_string_equal(stage_trace, "asked");
    assert_int_equal(stage_failures, 0);
    assert_int_equal(tusk__live(), live);
}

/* ---- deadlocks ---- */

static int wait_for_ever(void *arg)
{
    (void)arg;
    return tusk_sleep((double)INFINITY);
}

static int deadlock(void *arg)
{
    tusk_task *sleeper = tusk_create_task(wait_for_ever, NULL, .name = "sleeper");
    tusk_task *waiter = tusk_create_task(await_arg, tusk_create_future(), .name = "waiter");
    tusk_task *both[2] = {sleeper, waiter};
    tusk_task *gatherer = tusk_create_task(await_arg, tusk_gather(both, 2), .name = "gatherer");
    int rc;

    (void)arg;
    expect_int(tusk_task_set_name(tusk_current_task(), "main"), 0);
    rc = tusk_await(gatherer);
    expect_int(rc, -ECANCELED);
    return rc;
}

static void test_deadlock_names_who_waits_for_what(void **state)
{
    (void)state;
    assert_int_equal(play(deadlock), -EDEADLK);
    assert_string_equal(stage_reports, "Deadlock: waiting for gatherer|main|-|-\n"
                                       "Deadlock: waiting for a sleep of inf seconds|sleeper|-|-\n"
                                       "Deadlock: waiting for a future|waiter|-|-\n"
                                       "Deadlock: waiting for a gather|gatherer|-|-\n");
}

static void test_deadlock_of_a_loop(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_task *task = tusk_loop_create_task(loop, wait_for_ever, NULL, .name = "t");

    (void)state;
    stage_clean();
    tusk_loop_set_exception_handler(loop, keep_report, NULL);
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_retain(task)), -EDEADLK);
    assert_string_equal(stage_reports, "Deadlock: waiting for a sleep of inf seconds|t|-|-\n");
    assert_false(tusk_future_done(task));
    /* The loop is as good as before. */
    assert_true(tusk_task_cancel(task));
    assert_int_equal(tusk_loop_run_until_complete(loop, task), -ECANCELED);
    assert_int_equal(tusk_loop_run_forever(loop), -EDEADLK);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(tusk__live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_return_values),
        cmocka_unit_test(test_nested_run),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_each_thread_may_run),
        cmocka_unit_test(test_leftovers_are_cancelled),
        cmocka_unit_test(test_leftovers_are_waited_for),
        cmocka_unit_test(test_errors_of_leftovers_are_reported),
        cmocka_unit_test(test_a_task_that_refuses_to_end),
        cmocka_unit_test(test_tasks_made_during_the_end),
        cmocka_unit_test(test_leftover_gather),
        cmocka_unit_test(test_references_that_were_left),
        cmocka_unit_test(test_main_cancelled),
        cmocka_unit_test(test_stopped_early),
        cmocka_unit_test(test_run_until_complete),
        cmocka_unit_test(test_run_until_complete_stopped),
        cmocka_unit_test(test_run_until_complete_nested),
        cmocka_unit_test(test_run_until_complete_of_another_loop),
        cmocka_unit_test(test_close_with_pending_tasks),
        cmocka_unit_test(test_close_with_callbacks),
        cmocka_unit_test(test_nothing_is_made_of_a_closing_loop),
        cmocka_unit_test(test_deadlock_names_who_waits_for_what),
        cmocka_unit_test(test_deadlock_of_a_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
