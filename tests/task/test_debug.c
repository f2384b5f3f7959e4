/*
 * What debug mode reports of a program's slips; random schedules; task factories.
 */
#include "task/stage.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

static void spend(int milliseconds)
{
    struct timespec time = {.tv_nsec = milliseconds * 1000000L};

    nanosleep(&time, NULL);
}

static int slow(void *arg)
{
    spend(*(const int *)arg);
    return 0;
}

static int slow_steps(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    int milliseconds = 30;

    (void)arg;
    expect_int(tusk_loop_set_slow_callback_duration(loop, 0.02), 0);
    expect(tusk_loop_get_slow_callback_duration(loop) == 0.02);
    expect_int(tusk_loop_set_slow_callback_duration(loop, -1), -EINVAL);
    tusk_call_soon(slow, &milliseconds);
    return tusk_await(tusk_create_task(slow, &milliseconds, .name = "sluggish"));
}

static void test_slow_steps_are_reported(void **state)
{
    (void)state;
    assert_int_equal(play_with(slow_steps, NULL, true), 0);
    assert_non_null(strstr(stage_reports, "Executing a step took 0.0"));
    assert_non_null(strstr(stage_reports, "|sluggish|"));
    assert_non_null(strstr(stage_reports, "Executing a callback took 0.0"));
}

static int swallow(void *arg)
{
    (void)arg;
    expect_int(tusk_sleep(10), -ECANCELED);
    return 0;
}

static int swallow_politely(void *arg)
{
    (void)arg;
    expect_int(tusk_sleep(10), -ECANCELED);
    return tusk_task_uncancel(tusk_current_task());
}

static int cancel_both(void *arg)
{
    tusk_task *tasks[] = {tusk_create_task(swallow, NULL, .name = "rude"),
                          tusk_create_task(swallow_politely, NULL, .name = "polite")};

    (void)arg;
    tusk_try(tusk_sleep(1));
    expect(tusk_task_cancel(tasks[0]));
    expect(tusk_task_cancel(tasks[1]));
    return tusk_await(tusk_gather(tasks, 2));
}

static void test_swallowed_cancels_are_reported(void **state)
{
    (void)state;
    assert_int_equal(play_with(cancel_both, NULL, true), 0);
    assert_non_null(strstr(stage_reports, "Task swallowed a cancel"));
    assert_non_null(strstr(stage_reports, "|rude|"));
    assert_null(strstr(stage_reports, "|polite|"));
}

static int leave_scope_open(void *arg)
{
    tusk_timeout timeout;

    (void)arg;
    /* Without a limit nothing is left behind that could fire. */
    return tusk_timeout_enter(&timeout, INFINITY);
}

static int open_scope(void *arg)
{
    (void)arg;
    return tusk_await(tusk_create_task(leave_scope_open, NULL, .name = "open"));
}

static void test_scopes_left_open_are_reported(void **state)
{
    (void)state;
    assert_int_equal(play_with(open_scope, NULL, true), 0);
    assert_non_null(strstr(stage_reports, "Task ended inside of a scope"));
    assert_non_null(strstr(stage_reports, "|open|"));
}

static int leave_many_scopes_open(void *arg)
{
    tusk_timeout timeout;

    (void)arg;
    for (int i = 0; i < 1 << 16; i++)
        tusk_try(tusk_timeout_enter(&timeout, INFINITY));
    return 0;
}

static int open_many_scopes(void *arg)
{
    (void)arg;
    return tusk_await(tusk_create_task(leave_many_scopes_open, NULL, .name = "open"));
}

/* Whoever counts them in 16 bits counts none. */
static void test_very_many_scopes_left_open_are_reported(void **state)
{
    (void)state;
    assert_int_equal(play_with(open_many_scopes, NULL, true), 0);
    assert_non_null(strstr(stage_reports, "Task ended inside of a scope"));
}

/* ---- pointers into a stack that goes ---- */

static int sleep_long(void *arg)
{
    (void)arg;
    return tusk_sleep(10);
}

static int nap(void *arg)
{
    (void)arg;
    return tusk_sleep(1);
}

static int lend(void *arg)
{
    int number = 3;

    (void)arg;
    tusk_release(tusk_create_task(sleep_long, &number, .name = "borrower"));
    return 0;
}

static int give_copy(void *arg)
{
    int number = 3;

    (void)arg;
    tusk_release(tusk_create_task(sleep_long, tusk_copy(&number), .name = "owner"));
    return tusk_await(tusk_create_task(nap, &number, .name = "awaited"));
}

static int lend_and_give(void *arg)
{
    (void)arg;
    tusk_try(tusk_await(tusk_create_task(lend, NULL, .name = "lender")));
    return tusk_await(tusk_create_task(give_copy, NULL, .name = "giver"));
}

static void test_a_stack_that_goes_with_pointers_into_it_is_reported(void **state)
{
    (void)state;
    assert_int_equal(play_with(lend_and_give, NULL, true), 0);
    assert_non_null(strstr(stage_reports, "Task ended while task 'borrower' has a pointer into its stack; "
                                          "await it, or give it a tusk_copy|lender|"));
    assert_null(strstr(stage_reports, "'owner'"));
    assert_null(strstr(stage_reports, "'awaited'"));
}

/* ---- threads ---- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void *call_from_elsewhere(void *loop)
{
    tusk_handle handle = tusk_loop_call_soon(loop, nothing, NULL);
    int error = tusk_last_error();

    if (handle.handle_ == NULL && error == TUSK_OTHER_THREAD)
        handle.handle_ = tusk_loop_create_task(loop, nothing, NULL);
    return (void *)(intptr_t)(handle.handle_ == NULL && tusk_last_error() == TUSK_OTHER_THREAD);
}

static int be_called_from_elsewhere(void *arg)
{
    pthread_t thread;
    void *refused = NULL;

    (void)arg;
    expect_int(pthread_create(&thread, NULL, call_from_elsewhere, tusk_get_running_loop()), 0);
    expect_int(pthread_join(thread, &refused), 0);
    expect(refused != NULL);
    return 0;
}

static void test_calls_from_another_thread_are_errors(void **state)
{
    (void)state;
    assert_int_equal(play_with(be_called_from_elsewhere, NULL, true), 0);
}

static int finish(void *future)
{
    return tusk_future_set_result(future, 0);
}

static tusk_future *awaited_for_ever;

static void *wake_later(void *loop)
{
    spend(50);
    return (void *)(intptr_t)tusk_loop_call_soon_threadsafe(loop, finish, awaited_for_ever);
}

static int wait_for_nobody(void *arg)
{
    pthread_t thread;
    int rc;

    (void)arg;
    tusk_loop_set_exception_handler(tusk_get_running_loop(), keep_report, NULL);
    awaited_for_ever = tusk_create_future();
    expect_int(pthread_create(&thread, NULL, wake_later, tusk_get_running_loop()), 0);
    rc = tusk_await(awaited_for_ever);
    expect_int(pthread_join(thread, NULL), 0);
    return rc;
}

static void test_a_real_loop_that_is_stuck_says_so(void **state)
{
    (void)state;
    stage_reports[0] = '\0';
    assert_int_equal(tusk_run(wait_for_nobody, NULL, .debug = true), 0);
    assert_non_null(strstr(stage_reports, "Deadlock: waiting for a future|Task-1|"));
}

/* ---- random schedules ---- */

enum { RUNNERS = 20 };

static char order[4 * RUNNERS];

static int note(void *arg)
{
    size_t length = strlen(order);

    snprintf(order + length, sizeof order - length, "%c", *(const char *)arg);
    return 0;
}

static int run_many(void *arg)
{
    static const char names[] = "abcdefghijklmnopqrst";
    tusk_task *tasks[RUNNERS];

    (void)arg;
    order[0] = '\0';
    for (int i = 0; i < RUNNERS; i++)
        tasks[i] = tusk_create_task(note, (void *)&names[i]);
    return tusk_await(tusk_gather(tasks, RUNNERS));
}

static int call_many(void *arg)
{
    static const char names[] = "abcdefghijklmnopqrst";

    (void)arg;
    order[0] = '\0';
    for (int i = 0; i < RUNNERS; i++)
        tusk_call_soon(note, (void *)&names[i]);
    return tusk_sleep(0);
}

static void test_a_seed_shuffles_tasks_and_repeats(void **state)
{
    char first[sizeof order];
    int different = 0;

    (void)state;
    assert_int_equal(tusk_run(run_many, NULL), 0);
    assert_string_equal(order, "abcdefghijklmnopqrst");
    for (uint64_t seed = 1; seed <= 50; seed++) {
        assert_int_equal(tusk_run(run_many, NULL, .schedule_seed = seed), 0);
        assert_int_equal(strlen(order), RUNNERS);
        for (int i = 0; i < RUNNERS; i++)
            assert_non_null(strchr(order, 'a' + i));
        different += strcmp(order, "abcdefghijklmnopqrst") != 0;
        memcpy(first, order, sizeof first);
        assert_int_equal(tusk_run(run_many, NULL, .schedule_seed = seed), 0);
        assert_string_equal(order, first);
    }
    assert_true(different >= 45);
}

static void test_a_seed_leaves_callbacks_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        assert_int_equal(tusk_run(call_many, NULL, .schedule_seed = seed), 0);
        assert_string_equal(order, "abcdefghijklmnopqrst");
    }
}

/* ---- task factories ---- */

static int run_with_eager_factory(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    tusk_task *task;

    (void)arg;
    expect(tusk_loop_get_task_factory(loop) == NULL);
    expect_int(tusk_loop_set_task_factory(loop, tusk_eager_task_factory), 0);
    expect(tusk_loop_get_task_factory(loop) == tusk_eager_task_factory);
    task = tusk_create_task(note, (void *)"x", .name = "eager");
    expect(tusk_future_done(task));
    expect_text(tusk_task_get_name(task), "eager");
    tusk_release(task);
    expect_int(tusk_loop_set_task_factory(loop, NULL), 0);
    task = tusk_create_task(note, (void *)"y");
    expect(!tusk_future_done(task));
    return tusk_await(task);
}

static void test_the_eager_factory(void **state)
{
    (void)state;
    order[0] = '\0';
    assert_int_equal(play(run_with_eager_factory), 0);
    assert_string_equal(order, "xy");
    assert_int_equal(tusk_loop_set_task_factory(NULL, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_steps_are_reported),
        cmocka_unit_test(test_swallowed_cancels_are_reported),
        cmocka_unit_test(test_scopes_left_open_are_reported),
        cmocka_unit_test(test_very_many_scopes_left_open_are_reported),
        cmocka_unit_test(test_a_stack_that_goes_with_pointers_into_it_is_reported),
        cmocka_unit_test(test_calls_from_another_thread_are_errors),
        cmocka_unit_test(test_a_real_loop_that_is_stuck_says_so),
        cmocka_unit_test(test_a_seed_shuffles_tasks_and_repeats),
        cmocka_unit_test(test_a_seed_leaves_callbacks_in_order),
        cmocka_unit_test(test_the_eager_factory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
