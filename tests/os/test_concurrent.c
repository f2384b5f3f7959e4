/*
 * From threads into the loop: run_coroutine_threadsafe and the futures that threads wait for.
 */
#include "task/stage.h"

#include <pthread.h>
#include <stdatomic.h>

#include "support/live.h"

static tusk_context_var color = TUSK_CONTEXT_VAR("color", "none");

/* What a coroutine that was sent did. */
static atomic_int begun;
static atomic_int cancelled;

static int answer(void *arg)
{
    atomic_fetch_add(&begun, 1);
    return (int)(intptr_t)arg;
}

static int sleep_and_answer(void *arg)
{
    tusk_try(tusk_sleep(3600));
    return (int)(intptr_t)arg;
}

static int fail_slowly(void *arg)
{
    tusk_try(tusk_sleep(1));
    return tusk_raise(-EIO, "no %s", (const char *)arg);
}

static int wait_for_cancel(void *arg)
{
    int rc;

    (void)arg;
    atomic_fetch_add(&begun, 1);
    rc = tusk_sleep(1e9);
    if (rc == -ECANCELED)
        atomic_fetch_add(&cancelled, 1);
    return rc;
}

/* ---- results, from a thread of to_thread: the virtual clock knows of it ---- */

static int send_and_wait(tusk_loop *loop, tusk_coro *coro, void *arg)
{
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(loop, coro, arg);
    int rc = tusk_concurrent_future_result(future, (double)INFINITY);

    tusk_concurrent_future_release(future);
    return rc;
}

static int results_in_thread(void *arg)
{
    tusk_loop *loop = arg;

    for (int i = 0; i < 20; i++)
        if (send_and_wait(loop, answer, as_arg(i)) != i)
            return -EPROTO;
    if (send_and_wait(loop, fail_slowly, "milk") != -EIO || strcmp(tusk_message(), "no milk") != 0)
        return -EPROTO;
    return send_and_wait(loop, sleep_and_answer, as_arg(5));
}

static int results(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();

    (void)arg;
    expect_int(tusk_to_thread(results_in_thread, loop), 5);
    /* Time went on while the thread waited for the loop. */
    expect(tusk_loop_time(loop) == 3601);
    return 0;
}

static void test_results(void **state)
{
    (void)state;
    play_quietly(results);
}

static int number_of(void *arg)
{
    return *(const int *)arg;
}

static int copy_in_thread(void *arg)
{
    tusk_concurrent_future *future;
    int number = 44;
    int rc;

    future = tusk_run_coroutine_threadsafe(arg, number_of, tusk_copy(&number));
    number = 0;
    rc = tusk_concurrent_future_result(future, (double)INFINITY);
    tusk_concurrent_future_release(future);
    return rc;
}

static int copies(void *arg)
{
    (void)arg;
    expect_int(tusk_to_thread(copy_in_thread, tusk_get_running_loop()), 44);
    return 0;
}

static void test_copies_belong_to_the_task(void **state)
{
    (void)state;
    play_quietly(copies);
}

static int first_letter(void *arg)
{
    (void)arg;
    return *(const char *)tusk_context_var_get(&color);
}

static int context_in_thread(void *arg)
{
    tusk_context_var_set(&color, "yellow", NULL);
    return send_and_wait(arg, first_letter, NULL);
}

static int contexts(void *arg)
{
    (void)arg;
    tusk_context_var_set(&color, "green", NULL);
    expect_int(tusk_to_thread(context_in_thread, tusk_get_running_loop()), 'y');
    expect_text(tusk_context_var_get(&color), "green");
    return 0;
}

static void test_the_task_has_the_context_of_the_thread(void **state)
{
    (void)state;
    play_quietly(contexts);
}

/* ---- time-outs ---- */

static int time_out_in_thread(void *arg)
{
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(arg, wait_for_cancel, NULL);
    int rc = tusk_concurrent_future_result(future, 0.02);

    if (rc == -ETIMEDOUT && tusk_concurrent_future_result(future, 0) != -ETIMEDOUT)
        rc = -EPROTO;
    if (rc == -ETIMEDOUT && tusk_concurrent_future_result(future, -(double)INFINITY) != -ETIMEDOUT)
        rc = -EPROTO;
    if (tusk_concurrent_future_result(future, (double)NAN) != -EINVAL)
        rc = -EPROTO;
    if (tusk_concurrent_future_done(future) || !tusk_concurrent_future_cancel(future))
        rc = -EPROTO;
    tusk_concurrent_future_release(future);
    return rc;
}

static int wait_until_cancelled(int wanted)
{
    while (atomic_load(&cancelled) < wanted)
        tusk_try(tusk_sleep(0));
    return 0;
}

static int time_outs(void *arg)
{
    (void)arg;
    atomic_store(&cancelled, 0);
    expect_int(tusk_to_thread(time_out_in_thread, tusk_get_running_loop()), -ETIMEDOUT);
    return wait_until_cancelled(1);
}

static void test_time_outs(void **state)
{
    (void)state;
    stage_clean();
    assert_int_equal(tusk_run(time_outs, NULL), 0);
    assert_int_equal(stage_failures, 0);
}

/* ---- cancelling ---- */

static void test_a_cancel_before_the_beginning(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(loop, answer, tusk_copy(&(int){1}));

    (void)state;
    atomic_store(&begun, 0);
    assert_true(tusk_concurrent_future_cancel(future));
    for (int i = 0; i < 3; i++)
        assert_int_equal(tusk_loop_run_once(loop, 0), 0);
    assert_int_equal(atomic_load(&begun), 0);
    assert_int_equal(tusk_concurrent_future_result(future, 0), -ECANCELED);
    tusk_concurrent_future_release(future);
    assert_int_equal(tusk_loop_close(loop), 0);
}

static int cancel_self(void *arg)
{
    (void)arg;
    tusk_task_cancel(tusk_current_task());
    return tusk_sleep(1);
}

static int task_cancelled_in_thread(void *arg)
{
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(arg, cancel_self, NULL);
    int rc = tusk_concurrent_future_result(future, (double)INFINITY);

    if (!tusk_concurrent_future_cancelled(future))
        rc = -EPROTO;
    tusk_concurrent_future_release(future);
    return rc;
}

static int task_is_cancelled(void *arg)
{
    (void)arg;
    expect_int(tusk_to_thread(task_cancelled_in_thread, tusk_get_running_loop()), -ECANCELED);
    return 0;
}

static void test_a_cancelled_task_cancels_the_future(void **state)
{
    (void)state;
    play_quietly(task_is_cancelled);
}

/* The future was cancelled, so nobody looks at what the task ends with. */
static int fail_when_cancelled(void *arg)
{
    int rc = wait_for_cancel(arg);

    return rc == -ECANCELED ? tusk_raise(-EIO, "torn") : rc;
}

static int late_error_in_thread(void *arg)
{
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(arg, fail_when_cancelled, NULL);

    while (atomic_load(&begun) == 0)
        live_sleep_ms(1);
    tusk_concurrent_future_cancel(future);
    tusk_concurrent_future_release(future);
    return 0;
}

static int late_error(void *arg)
{
    (void)arg;
    atomic_store(&begun, 0);
    atomic_store(&cancelled, 0);
    expect_int(tusk_to_thread(late_error_in_thread, tusk_get_running_loop()), 0);
    tusk_try(wait_until_cancelled(1));
    return tusk_sleep(1);
}

static void test_an_error_after_the_cancel_is_reported(void **state)
{
    (void)state;
    play_reports(late_error, "Task exception was never retrieved|Task-2|EIO|torn\n");
}

/* ---- callbacks ---- */

static void note(tusk_concurrent_future *future, void *arg)
{
    char *end = (char *)arg + strlen(arg);

    *end++ = tusk_concurrent_future_cancelled(future) ? 'c' : 'd';
    *end = '\0';
}

static void test_callbacks(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(loop, answer, as_arg(7));
    char notes[16] = "";

    (void)state;
    assert_int_equal(tusk_concurrent_future_add_done_callback(future, note, notes), 0);
    assert_int_equal(tusk_concurrent_future_add_done_callback(future, note, notes), 0);
    assert_int_equal(tusk_concurrent_future_add_done_callback(future, NULL, notes), -EINVAL);
    assert_int_equal(tusk_concurrent_future_add_done_callback(NULL, note, notes), -EINVAL);
    /* The letter, the task, its callback. */
    for (int i = 0; i < 3; i++) {
        assert_string_equal(notes, "");
        assert_int_equal(tusk_loop_run_once(loop, 0), 0);
    }
    assert_string_equal(notes, "dd");
    assert_int_equal(tusk_concurrent_future_add_done_callback(future, note, notes), 0);
    assert_string_equal(notes, "ddd");
    assert_int_equal(tusk_concurrent_future_result(future, 0), 7);
    tusk_concurrent_future_release(future);
    future = tusk_run_coroutine_threadsafe(loop, answer, as_arg(7));
    notes[0] = '\0';
    assert_int_equal(tusk_concurrent_future_add_done_callback(future, note, notes), 0);
    assert_true(tusk_concurrent_future_cancel(future));
    assert_string_equal(notes, "c");
    tusk_concurrent_future_release(future);
    assert_int_equal(tusk_loop_close(loop), 0);
}

/* ---- the loop closes first ---- */

static void test_a_loop_that_never_runs(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(loop, answer, tusk_copy(&(int){1}));
    char notes[16] = "";

    (void)state;
    assert_int_equal(tusk_concurrent_future_add_done_callback(future, note, notes), 0);
    assert_false(tusk_concurrent_future_done(future));
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_string_equal(notes, "d");
    assert_int_equal(tusk_concurrent_future_result(future, (double)INFINITY), TUSK_LOOP_CLOSED);
    assert_false(tusk_concurrent_future_cancel(future));
    tusk_concurrent_future_release(future);
}

static int ignore_report(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)context;
    (void)arg;
    return 0;
}

/* Closed after each number of iterations: the task has not begun, waits, or has ended without telling. */
static void test_a_loop_closes_at_any_time(void **state)
{
    (void)state;
    for (int turns = 0; turns < 5; turns++)
        for (int kind = 0; kind < 3; kind++) {
            tusk_loop *loop = tusk_new_event_loop();
            tusk_concurrent_future *future =
                tusk_run_coroutine_threadsafe(loop, kind == 0 ? wait_for_cancel : answer, as_arg(3));
            int rc;

            tusk_loop_set_exception_handler(loop, ignore_report, NULL);
            for (int i = 0; i < turns; i++) {
                assert_int_equal(tusk_loop_run_once(loop, 0), 0);
                if (kind == 2 && i == 1)
                    tusk_concurrent_future_cancel(future);
            }
            assert_int_equal(tusk_loop_close(loop), 0);
            rc = tusk_concurrent_future_result(future, (double)INFINITY);
            if (kind == 0)
                assert_int_equal(rc, TUSK_LOOP_CLOSED);
            if (kind == 1)
                assert_int_equal(rc, turns < 2 ? TUSK_LOOP_CLOSED : 3);
            tusk_concurrent_future_cancel(future);
            tusk_concurrent_future_release(future);
        }
}

/* ---- misuse ---- */

static int wait_in_the_loop(void *arg)
{
    tusk_concurrent_future *future =
        tusk_run_coroutine_threadsafe(tusk_get_running_loop(), answer, as_arg(2));

    (void)arg;
    expect_int(tusk_concurrent_future_result(future, (double)INFINITY), -EDEADLK);
    while (!tusk_concurrent_future_done(future))
        expect_int(tusk_sleep(0), 0);
    expect_int(tusk_concurrent_future_result(future, (double)INFINITY), 2);
    tusk_concurrent_future_release(future);
    return 0;
}

static void test_misuse(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();

    (void)state;
    assert_null(tusk_run_coroutine_threadsafe(NULL, answer, tusk_copy(&(int){1})));
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_int_equal(tusk_concurrent_future_result(NULL, 1), -EINVAL);
    assert_null(tusk_run_coroutine_threadsafe(loop, NULL, NULL));
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_false(tusk_concurrent_future_cancel(NULL));
    assert_true(tusk_concurrent_future_done(NULL));
    assert_false(tusk_concurrent_future_cancelled(NULL));
    tusk_concurrent_future_release(NULL);
    assert_int_equal(tusk_loop_close(loop), 0);
    play_quietly(wait_in_the_loop);
}

static int fallible_in_thread(void *arg)
{
    int number = 12;
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(arg, number_of, tusk_copy(&number));
    int rc = tusk_concurrent_future_result(future, (double)INFINITY);

    tusk_concurrent_future_release(future);
    return rc;
}

static int fallible(void *arg)
{
    (void)arg;
    return tusk_to_thread(fallible_in_thread, tusk_get_running_loop());
}

static void test_every_failure(void **state)
{
    int rc = -1;

    (void)state;
    for (long n = 1; rc != 12; n++) {
        size_t live = tusk__live();

        assert_true(n < 200);
        tusk__fail_after(n);
        rc = tusk_run(fallible, NULL, .clock = TUSK_CLOCK_VIRTUAL);
        tusk__fail_after(0);
        for (int i = 0; i < 4000 && tusk__live() != live; i++)
            live_sleep_ms(5);
        assert_int_equal(tusk__live(), live);
        assert_true(rc == 12 || rc < 0);
    }
}

/* ---- stress ---- */

struct sender {
    tusk_loop *loop;
    pthread_t thread;
    uint64_t seed;
    int failures;
};

static int work(void *arg)
{
    int number = *(const int *)arg;

    for (int i = 0; i < number % 7; i++)
        tusk_try(tusk_sleep(number % 3 == 0 ? 0.0001 : 0));
    return number % 11 == 0 ? tusk_raise(-EIO, "eleven") : number;
}

static void count_call(tusk_concurrent_future *future, void *arg)
{
    (void)future;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void *send_many(void *arg)
{
    struct sender *sender = arg;
    atomic_int calls = 0;
    int rounds = live_count(2000, 300);

    for (int i = 0; i < rounds; i++) {
        int number = (int)(live_random(&sender->seed) % 1000);
        tusk_concurrent_future *future =
            tusk_run_coroutine_threadsafe(sender->loop, work, tusk_copy(&number));
        bool cancel = live_random(&sender->seed) % 3 == 0;
        int wanted = number % 11 == 0 ? -EIO : number;
        int rc = 0;

        tusk_concurrent_future_add_done_callback(future, count_call, &calls);
        if (live_random(&sender->seed) % 4 == 0)
            rc = tusk_concurrent_future_result(future, 0.00005);
        if (rc < 0 && rc != -ETIMEDOUT && rc != -EIO)
            sender->failures++;
        if (cancel)
            cancel = tusk_concurrent_future_cancel(future);
        rc = tusk_concurrent_future_result(future, (double)INFINITY);
        if (rc != (cancel ? -ECANCELED : wanted))
            sender->failures++;
        tusk_concurrent_future_release(future);
    }
    /* The thread that is in the loop may still be on its way out of the last callback. */
    while (atomic_load(&calls) < rounds)
        sched_yield();
    return NULL;
}

static int join(void *arg)
{
    return -pthread_join(*(const pthread_t *)arg, NULL);
}

static int stress(void *arg)
{
    struct sender senders[4];

    /* Of a task that fails when its future was cancelled nobody retrieves the error. */
    tusk_loop_set_exception_handler(tusk_get_running_loop(), ignore_report, NULL);
    for (int i = 0; i < 4; i++) {
        senders[i] = (struct sender){.loop = tusk_get_running_loop(), .seed = live_random(arg)};
        expect_int(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        expect_int(tusk_to_thread(join, &senders[i].thread), 0);
        expect_int(senders[i].failures, 0);
    }
    return 0;
}

static void test_stress(void **state)
{
    uint64_t seed = live_seed();

    (void)state;
    stage_clean();
    assert_int_equal(tusk_run(stress, &seed), 0);
    assert_int_equal(stage_failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_results),
        live_test(test_copies_belong_to_the_task),
        live_test(test_the_task_has_the_context_of_the_thread),
        live_test(test_time_outs),
        live_test(test_a_cancel_before_the_beginning),
        live_test(test_a_cancelled_task_cancels_the_future),
        live_test(test_an_error_after_the_cancel_is_reported),
        live_test(test_callbacks),
        live_test(test_a_loop_that_never_runs),
        live_test(test_a_loop_closes_at_any_time),
        live_test(test_misuse),
        live_test(test_every_failure),
        live_test(test_stress),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
