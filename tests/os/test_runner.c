/*
 * Runners: several runs on one loop. (Ctrl-C: test_interrupt.c.)
 */
#include "task/stage.h"

#include "support/live.h"

static tusk_context_var color = TUSK_CONTEXT_VAR("color", "none");

static tusk_runner *runner_of_stage(void)
{
    tusk_runner *runner = tusk_runner_create(.clock = TUSK_CLOCK_VIRTUAL);

    stage_clean();
    assert_non_null(runner);
    tusk_loop_set_exception_handler(tusk_runner_get_loop(runner), keep_report, NULL);
    return runner;
}

static void test_results(void **state)
{
    tusk_runner *runner = runner_of_stage();

    (void)state;
    assert_int_equal(tusk_runner_run(runner, return_seven, NULL), 7);
    assert_int_equal(tusk_runner_run(runner, return_arg, as_arg(8)), 8);
    assert_int_equal(tusk_runner_run(runner, fail_at_once, NULL), -EIO);
    assert_string_equal(tusk_message(), "no milk");
    assert_int_equal(tusk_runner_run(runner, sleep_hour, NULL), 0);
    assert_true(tusk_loop_time(tusk_runner_get_loop(runner)) == 3600);
    assert_int_equal(tusk_runner_close(runner), 0);
    assert_string_equal(stage_reports, "");
}

static void test_a_runner_that_never_runs(void **state)
{
    tusk_runner *runner = runner_of_stage();

    (void)state;
    assert_int_equal(tusk_runner_close(runner), 0);
}

/* ---- between runs ---- */

static int sleep_twice(void *arg)
{
    trace("%s begins", (const char *)arg);
    tusk_try(tusk_sleep(2));
    trace("%s goes on", (const char *)arg);
    tusk_try(tusk_sleep(1000));
    trace("never");
    return 0;
}

static int leave_task(void *arg)
{
    tusk_release(tusk_create_task(sleep_twice, arg, .name = arg));
    return tusk_sleep(1);
}

static int wait_long(void *arg)
{
    (void)arg;
    tusk_try(tusk_sleep(10));
    trace("waited");
    return 0;
}

static void test_tasks_wait_for_the_next_run(void **state)
{
    tusk_runner *runner = runner_of_stage();

    (void)state;
    assert_int_equal(tusk_runner_run(runner, leave_task, "a"), 0);
    assert_string_equal(stage_trace, "a begins");
    assert_int_equal(tusk_runner_run(runner, wait_long, NULL), 0);
    assert_string_equal(stage_trace, "a begins a goes on waited");
    assert_int_equal(tusk_runner_close(runner), 0);
    assert_string_equal(stage_trace, "a begins a goes on waited");
    assert_string_equal(stage_reports, "");
}

static int fail_when_cancelled(void *arg)
{
    int rc = tusk_sleep(1000);

    (void)arg;
    return rc == -ECANCELED ? tusk_raise(-EIO, "torn") : rc;
}

static int leave_failing_task(void *arg)
{
    tusk_release(tusk_create_task(fail_when_cancelled, arg, .name = "left"));
    return tusk_sleep(1);
}

static void test_close_ends_what_is_left(void **state)
{
    tusk_runner *runner = runner_of_stage();

    (void)state;
    assert_int_equal(tusk_runner_run(runner, leave_failing_task, NULL), 0);
    assert_string_equal(stage_reports, "");
    assert_int_equal(tusk_runner_close(runner), 0);
    assert_string_equal(stage_reports, "unhandled exception during tusk_run() shutdown|left|EIO|torn\n");
}

static int read_stack_of_main(void *arg)
{
    int *number = arg;

    tusk_try(tusk_sleep(5));
    trace("%d", *number);
    return 0;
}

static int lend_stack(void *arg)
{
    volatile int number = (int)(intptr_t)arg;

    tusk_release(tusk_create_task(read_stack_of_main, (void *)&number));
    return tusk_sleep(1);
}

/* The stacks of main tasks stay as long as tasks are left that may point there. */
static void test_the_stack_of_a_main_task_stays(void **state)
{
    tusk_runner *runner;

    (void)state;
    /* ThreadSanitizer's own calls write to frames that are dead, and valgrind objects to reading them. */
    if (TUSK__TSAN || RUNNING_ON_VALGRIND)
        skip();
    runner = runner_of_stage();
    assert_int_equal(tusk_runner_run(runner, lend_stack, as_arg(11)), 0);
    assert_int_equal(tusk_runner_run(runner, lend_stack, as_arg(22)), 0);
    assert_int_equal(tusk_runner_run(runner, wait_long, NULL), 0);
    assert_string_equal(stage_trace, "11 22 waited");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(tusk_runner_run(runner, return_seven, NULL), 7);
    assert_int_equal(tusk_runner_close(runner), 0);
}

/* ---- contexts ---- */

static int see_and_set(void *arg)
{
    trace("%s", (const char *)tusk_context_var_get(&color));
    return tusk_context_var_set(&color, arg, NULL);
}

static void test_all_runs_share_a_context(void **state)
{
    tusk_context *other;
    tusk_runner *runner;

    (void)state;
    other = tusk_copy_context();
    tusk_context_var_set(&color, "green", NULL);
    runner = runner_of_stage();
    tusk_context_var_set(&color, "white", NULL);
    assert_int_equal(tusk_runner_run(runner, see_and_set, "red"), 0);
    assert_int_equal(tusk_runner_run(runner, see_and_set, "blue", .context = other), 0);
    assert_int_equal(tusk_runner_run(runner, see_and_set, "black"), 0);
    assert_int_equal(tusk_runner_run(runner, see_and_set, "pink", .context = other), 0);
    assert_string_equal(stage_trace, "green none red blue");
    assert_string_equal(tusk_context_var_get(&color), "white");
    assert_int_equal(tusk_runner_close(runner), 0);
    tusk_context_release(other);
}

static void test_a_run_keeps_its_context_to_itself(void **state)
{
    (void)state;
    stage_clean();
    assert_int_equal(tusk_run(see_and_set, "red"), 0);
    assert_string_equal(stage_trace, tusk_context_var_get(&color));
    assert_string_not_equal(tusk_context_var_get(&color), "red");
}

/* ---- threads ---- */

static int number_of(void *arg)
{
    return *(const int *)arg;
}

static int use_thread(void *arg)
{
    return tusk_to_thread(number_of, arg);
}

static void test_the_default_executor_lives_between_runs(void **state)
{
    tusk_runner *runner = runner_of_stage();
    int number = 6;

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(tusk_runner_run(runner, use_thread, &number), 6);
    assert_int_equal(tusk_runner_close(runner), 0);
    assert_string_equal(stage_reports, "");
}

/* ---- misuse ---- */

static int inside(void *arg)
{
    tusk_runner *runner = arg;

    expect_int(tusk_runner_run(runner, return_seven, NULL), TUSK_LOOP_RUNNING);
    expect_int(tusk_runner_close(runner), TUSK_LOOP_RUNNING);
    expect_int(tusk_run(return_seven, NULL), TUSK_LOOP_RUNNING);
    return 1;
}

static void test_misuse(void **state)
{
    tusk_runner *runner = runner_of_stage();

    (void)state;
    assert_int_equal(tusk_runner_run(runner, inside, runner), 1);
    assert_int_equal(stage_failures, 0);
    assert_int_equal(tusk_runner_run(runner, NULL, NULL), -EINVAL);
    assert_int_equal(tusk_runner_run(runner, return_seven, NULL), 7);
    assert_int_equal(tusk_runner_close(runner), 0);
    assert_int_equal(tusk_runner_close(NULL), 0);
    assert_null(tusk_runner_get_loop(NULL));
    assert_null(tusk_runner_create(.poller = "telepathy"));
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_int_equal(tusk_runner_run(NULL, return_seven, NULL), -EINVAL);
    runner = tusk_runner_create(.stack_size = 5);
    assert_int_equal(tusk_runner_run(runner, return_seven, NULL), -EINVAL);
    assert_int_equal(tusk_runner_close(runner), 0);
}

static int stop_loop(void *arg)
{
    tusk_loop_stop(tusk_get_running_loop());
    tusk_try(tusk_sleep(*(const int *)arg));
    trace("%d", *(const int *)arg);
    return 0;
}

static void test_a_run_that_is_stopped_can_be_left(void **state)
{
    tusk_runner *runner = runner_of_stage();

    (void)state;
    assert_int_equal(tusk_runner_run(runner, stop_loop, tusk_copy(&(int){1})), TUSK_LOOP_STOPPED);
    assert_int_equal(tusk_runner_run(runner, return_seven, NULL), 7);
    assert_int_equal(tusk_runner_run(runner, stop_loop, tusk_copy(&(int){2})), TUSK_LOOP_STOPPED);
    assert_int_equal(tusk_runner_run(runner, wait_long, NULL), 0);
    assert_string_equal(stage_trace, "1 2 waited");
    assert_int_equal(tusk_runner_run(runner, stop_loop, tusk_copy(&(int){3})), TUSK_LOOP_STOPPED);
    assert_int_equal(tusk_runner_close(runner), 0);
    assert_string_equal(stage_reports, "");
}

static void test_every_failure(void **state)
{
    int rc = -1;

    (void)state;
    for (long n = 1; rc != 7; n++) {
        size_t live = tusk__live();
        tusk_runner *runner;

        assert_true(n < 200);
        tusk__fail_after(n);
        runner = tusk_runner_create();
        rc = tusk_runner_run(runner, return_seven, NULL);
        assert_int_equal(tusk_runner_close(runner), 0);
        tusk__fail_after(0);
        assert_int_equal(tusk__live(), live);
        assert_true(rc == 7 || rc < 0);
    }
}

/* What a failed start left behind runs in the next run: its own coroutine, with its own argument. */
static int trace_arg(void *arg)
{
    trace("%s", (const char *)arg);
    return 0;
}

static void test_a_run_that_did_not_start(void **state)
{
    (void)state;
    for (long n = 1; n < 12; n++) {
        tusk_runner *runner = runner_of_stage();
        int rc;

        tusk__fail_after(n);
        rc = tusk_runner_run(runner, trace_arg, "first");
        tusk__fail_after(0);
        trace("then");
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_int_equal(tusk_runner_run(runner, trace_arg, "second"), 0);
        assert_int_equal(tusk_runner_close(runner), 0);
        assert_ptr_equal(strstr(strstr(stage_trace, "second") + 1, "second"), NULL);
    }
}

static int stop_this(void *arg)
{
    tusk_loop_stop(arg);
    return 0;
}

static int sleep_and_trace(void *arg)
{
    int rc = tusk_sleep(10);

    trace("%d", *(int *)arg);
    return rc;
}

/* A main task that outlives its run keeps its argument, a copy too. */
static void test_a_main_task_that_goes_on(void **state)
{
    tusk_runner *runner = runner_of_stage();
    int number = 7;

    (void)state;
    tusk_loop_call_later(tusk_runner_get_loop(runner), 1, stop_this, tusk_runner_get_loop(runner));
    assert_int_equal(tusk_runner_run(runner, sleep_and_trace, tusk_copy(&number)), TUSK_LOOP_STOPPED);
    assert_int_equal(tusk_runner_run(runner, sleep_hour, NULL), 0);
    assert_int_equal(tusk_runner_close(runner), 0);
    assert_string_equal(stage_trace, "7");
    assert_string_equal(stage_reports, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_results),
        live_test(test_a_runner_that_never_runs),
        live_test(test_tasks_wait_for_the_next_run),
        live_test(test_close_ends_what_is_left),
        live_test(test_the_stack_of_a_main_task_stays),
        /* They leave values in the context of this thread, which a live_test would count. */
        cmocka_unit_test(test_all_runs_share_a_context),
        cmocka_unit_test(test_a_run_keeps_its_context_to_itself),
        live_test(test_the_default_executor_lives_between_runs),
        live_test(test_misuse),
        live_test(test_a_run_that_is_stopped_can_be_left),
        live_test(test_a_run_that_did_not_start),
        live_test(test_a_main_task_that_goes_on),
        live_test(test_every_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
