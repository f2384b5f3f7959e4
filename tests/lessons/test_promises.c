/*
 * What the lessons say about tasks besides what their programs show: one test
 * for each sentence. The programs themselves are run by test_lessons.py.
 *
 * Coroutines do not use cmocka's assertions, which leave a function by longjmp
 * and would take a coroutine's stack away from under the loop. They check, and
 * return an error that the test sees as the result of the run.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <tusk.h>

#include "base/compiler.h"

enum {
    CHECK_FAILED = -EPROTO,
    TASK_COUNT = 100000,
#if TUSK__ASAN || TUSK__TSAN
    /* Sanitizers keep much for each stack, and have a limit of a few thousand. */
    SLEEPER_COUNT = 1000,
#else
    SLEEPER_COUNT = 10000,
#endif
};

static int check_failed(const char *condition, int line)
{
    print_error("%s:%d: not true: %s\n", __FILE__, line, condition);
    return CHECK_FAILED;
}

/* Ends the coroutine, and with it the test, if the condition is false. */
#define check(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return check_failed(#condition, __LINE__);                                                       \
    } while (0)

/* Runs a test's main coroutine on a clock that jumps. */
static int run(tusk_coro *coro, void *arg)
{
    return tusk_run(coro, arg, .clock = TUSK_CLOCK_VIRTUAL);
}

static bool same_text(const char *left, const char *right)
{
    return left != NULL && right != NULL && strcmp(left, right) == 0;
}

struct counter {
    int started;
    int finished;
};

static int sleep_for_an_hour(void *arg)
{
    struct counter *counter = arg;

    counter->started++;
    tusk_try(tusk_sleep(3600));
    counter->finished++;
    return 0;
}

static int return_seven(void *arg)
{
    (void)arg;
    return 7;
}

static int fail_with_message(void *arg)
{
    const int *number = arg;

    tusk_try(tusk_sleep(1));
    return tusk_raise(-EBADMSG, "job %d has no address", *number);
}

/* A count of the reports that nobody should have had to make. */
static int count_report(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    int *reports = arg;

    (void)loop;
    print_error("reported: %s\n", context->message);
    (*reports)++;
    return 0;
}

/* "create_task outside a running loop is an error." */

static void check_no_loop(struct counter *counter)
{
    assert_null(tusk_create_task(sleep_for_an_hour, counter));
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_null(tusk_ensure_future(sleep_for_an_hour, counter));
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);

    /* A copied argument is not lost either: the leak checkers see to that. */
    assert_null(tusk_create_task(sleep_for_an_hour, tusk_copy(counter)));
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_int_equal(counter->started, 0);
}

static void test_create_task_outside_a_loop(void **state)
{
    struct counter counter = {0};

    (void)state;
    check_no_loop(&counter);
    assert_int_equal(run(return_seven, NULL), 7);
    check_no_loop(&counter); /* neither before a run nor after it */
}

/* "A coroutine's error is kept and comes out where its task is awaited." */

static int await_failed_task_late(void *arg)
{
    int number = 12;
    tusk_task *task = tusk_create_task(fail_with_message, &number);

    tusk_loop_set_exception_handler(tusk_get_running_loop(), count_report, arg);
    tusk_try(tusk_sleep(10));
    check(tusk_future_done(task));
    check(tusk_await(task) == -EBADMSG);
    check(same_text(tusk_message(), "job 12 has no address"));
    return 0;
}

static int await_failed_task(void *arg)
{
    int number = 13;

    (void)arg;
    tusk_try(tusk_await(tusk_create_task(fail_with_message, &number)));
    return check_failed("an error of the task", __LINE__);
}

/* The error passes through one task more, and its message with it. */
static int await_error_of_a_grandchild(void *arg)
{
    tusk_loop_set_exception_handler(tusk_get_running_loop(), count_report, arg);
    check(tusk_await(tusk_create_task(await_failed_task, NULL)) == -EBADMSG);
    check(same_text(tusk_message(), "job 13 has no address"));
    return 0;
}

static void test_error_comes_out_where_the_task_is_awaited(void **state)
{
    int reports = 0;

    (void)state;
    assert_int_equal(run(await_failed_task_late, &reports), 0);
    assert_int_equal(run(await_error_of_a_grandchild, &reports), 0);
    assert_int_equal(reports, 0); /* what was awaited needs no report */
    assert_int_equal(run(await_failed_task, NULL), -EBADMSG);
}

/* "ensure_future does the same job." */

static int use_ensure_future(void *arg)
{
    struct counter counter = {0};

    (void)arg;
    check(tusk_await(tusk_ensure_future(return_seven, NULL)) == 7);

    tusk_task *task = tusk_ensure_future(sleep_for_an_hour, &counter, .name = "sleeper");

    check(same_text(tusk_task_get_name(task), "sleeper"));
    check(counter.started == 0); /* scheduled, not started */
    check(tusk_await(task) == 0);
    check(counter.started == 1 && counter.finished == 1);
    check(tusk_ensure_future(NULL, NULL) == NULL && tusk_last_error() == -EINVAL);
    return 0;
}

static void test_ensure_future(void **state)
{
    (void)state;
    assert_int_equal(run(use_ensure_future, NULL), 0);
}

/* "A task is done, cancelled or failed, and says which." */

static int check_pending(tusk_task *task)
{
    check(!tusk_future_done(task));
    check(!tusk_future_cancelled(task));
    check(tusk_future_result(task) == TUSK_INVALID_STATE);
    check(tusk_future_exception(task) == TUSK_INVALID_STATE);
    return 0;
}

static int check_ended(tusk_task *task, bool cancelled, int result, int exception)
{
    check(tusk_future_done(task));
    check(tusk_future_cancelled(task) == cancelled);
    check(tusk_future_result(task) == result);
    check(tusk_future_exception(task) == exception);
    tusk_release(task);
    return 0;
}

static int end_well(void *arg)
{
    tusk_task *task = tusk_create_task(return_seven, NULL);

    (void)arg;
    tusk_try(check_pending(task));
    tusk_try(tusk_sleep(1));
    return check_ended(task, false, 7, 0);
}

static int end_with_an_error(void *arg)
{
    int number = 14;
    tusk_task *task = tusk_create_task(fail_with_message, &number);

    (void)arg;
    tusk_try(check_pending(task));
    tusk_try(tusk_sleep(2));
    check(same_text(tusk_future_message(task), "job 14 has no address"));
    return check_ended(task, false, -EBADMSG, -EBADMSG);
}

static int end_by_a_cancel(void *arg)
{
    struct counter counter = {0};
    tusk_task *task = tusk_create_task(sleep_for_an_hour, &counter);

    (void)arg;
    tusk_try(tusk_sleep(1));
    check(tusk_task_cancel(task, .msg = "enough"));
    tusk_try(check_pending(task)); /* a request, no more */
    tusk_try(tusk_sleep(1));
    check(same_text(tusk_future_message(task), "enough"));
    return check_ended(task, true, -ECANCELED, -ECANCELED);
}

static void test_a_task_says_how_it_ended(void **state)
{
    (void)state;
    assert_int_equal(run(end_well, NULL), 0);
    assert_int_equal(run(end_with_an_error, NULL), 0);
    assert_int_equal(run(end_by_a_cancel, NULL), 0);
}

/* "cancel() stops it." */

/* Takes the task, which must be in the middle of its work. */
static int cancel_and_await(tusk_task *task)
{
    check(tusk_task_cancel(task, .msg = "closing time"));
    check(tusk_await(tusk_retain(task)) == -ECANCELED);
    check(same_text(tusk_message(), "closing time"));

    /* The task was cancelled; the one that awaited it was not. */
    check(tusk_task_cancelling(tusk_current_task()) == 0);
    check(!tusk_task_cancel(task)); /* nothing left to stop */
    tusk_release(task);
    return 0;
}

static int cancel_sleeper(void *arg)
{
    struct counter *counter = arg;
    double start = tusk_loop_time(tusk_get_running_loop());
    tusk_task *task = tusk_create_task(sleep_for_an_hour, counter);

    tusk_try(tusk_sleep(1));
    check(counter->started == 1);
    tusk_try(cancel_and_await(task));
    check(tusk_loop_time(tusk_get_running_loop()) - start < 2);
    tusk_try(tusk_sleep(7200));
    check(counter->finished == 0); /* not even much later */
    return 0;
}

static int cancel_before_start(void *arg)
{
    struct counter *counter = arg;
    tusk_task *task = tusk_create_task(sleep_for_an_hour, counter);

    check(tusk_task_cancel(task));
    check(tusk_await(task) == -ECANCELED);
    check(counter->started == 0);
    return 0;
}

static void test_cancel_stops_a_task(void **state)
{
    struct counter running = {0};
    struct counter unstarted = {0};

    (void)state;
    assert_int_equal(run(cancel_sleeper, &running), 0);
    assert_int_equal(run(cancel_before_start, &unstarted), 0);
}

/* "Any number of tasks may be made in a loop." */

struct numbered {
    int number;
    int *started;
};

static int count_start(void *arg)
{
    const struct numbered *numbered = arg;

    (*numbered->started)++;
    return numbered->number;
}

static int count_start_and_sleep(void *arg)
{
    int number = count_start(arg);

    tusk_try(tusk_sleep(1));
    return number;
}

struct crowd {
    tusk_coro *coro;
    int count;
    tusk_task **tasks;
    int *results;
};

static int make_crowd(void *arg)
{
    const struct crowd *crowd = arg;
    size_t count = (size_t)crowd->count;
    int started = 0;

    for (int i = 0; i < crowd->count; i++) {
        struct numbered numbered = {i, &started};

        crowd->tasks[i] = tusk_create_task(crowd->coro, tusk_copy(&numbered));
    }
    check(started == 0);
    check(tusk_all_tasks(NULL, 0) == count + 1);
    check(tusk_await(tusk_gather(crowd->tasks, count, .results = crowd->results)) == 0);
    check(started == crowd->count);
    check(tusk_all_tasks(NULL, 0) == 1);
    for (int i = 0; i < crowd->count; i++)
        check(crowd->results[i] == i);
    return 0;
}

static void run_crowd(tusk_coro *coro, int count)
{
    struct crowd crowd = {coro, count, NULL, NULL};

    crowd.tasks = calloc((size_t)count, sizeof(tusk_task *));
    crowd.results = calloc((size_t)count, sizeof(int));
    assert_non_null(crowd.tasks);
    assert_non_null(crowd.results);
    int rc = run(make_crowd, &crowd);

    free(crowd.results);
    free(crowd.tasks);
    assert_int_equal(rc, 0);
}

static void test_any_number_of_tasks(void **state)
{
    (void)state;
    run_crowd(count_start, TASK_COUNT);
    run_crowd(count_start_and_sleep, SLEEPER_COUNT);
}

/* "All of it in one thread." */

struct place {
    pthread_t thread;
    int threads;
    int visits;
};

/* How many threads the process has; 0 where the system has no such list. */
static int count_threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    int count = 0;

    if (directory == NULL)
        return 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static int check_place(void *arg)
{
    struct place *place = arg;

    check(pthread_equal(place->thread, pthread_self()));
    /* Debug mode has a thread that watches for steps that do not end. */
    check(place->threads == count_threads() || tusk_loop_get_debug(tusk_get_running_loop()));
    place->visits++;
    return 0;
}

static int check_place_twice(void *arg)
{
    tusk_try(check_place(arg));
    tusk_try(tusk_sleep(1));
    return check_place(arg);
}

static int check_places(void *arg)
{
    struct place *place = arg;
    tusk_task *tasks[3];

    tusk_try(check_place(place));
    check(tusk_call_soon(check_place, place).handle_ != NULL);
    check(tusk_call_later(0.5, check_place, place).handle_ != NULL);
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(check_place_twice, place);
    tusk_try(tusk_await(tusk_gather(tasks, 3)));
    check(place->visits == 1 + 1 + 1 + 3 * 2);
    return 0;
}

static void test_all_in_one_thread(void **state)
{
    struct place place = {.thread = pthread_self(), .threads = count_threads()};

    (void)state;
    assert_int_equal(run(check_places, &place), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_task_outside_a_loop),
        cmocka_unit_test(test_error_comes_out_where_the_task_is_awaited),
        cmocka_unit_test(test_ensure_future),
        cmocka_unit_test(test_a_task_says_how_it_ended),
        cmocka_unit_test(test_cancel_stops_a_task),
        cmocka_unit_test(test_any_number_of_tasks),
        cmocka_unit_test(test_all_in_one_thread),
    };

    return cmocka_run_group_tests_name("lessons/promises", tests, NULL, NULL);
}
