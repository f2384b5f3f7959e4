/*
 * wait, wait_for, shield, as_completed, time-outs and groups, by hand. The cases in which others
 * went wrong are in tests/scenarios; the oracle (tests/oracle) covers them all at random.
 */
#include "task/stage.h"

#include <pthread.h>

static int nap(void *arg)
{
    return tusk_sleep((double)(intptr_t)arg);
}

static int fail_after(void *arg)
{
    tusk_try(tusk_sleep((double)(intptr_t)arg));
    return tusk_raise(-EIO, "after %d", (int)(intptr_t)arg);
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

struct getter {
    const char *name;
    tusk_as_completed_iterator *iterator;
    tusk_future **futures;
};

/* Takes the next one, and says "name:which@iteration". */
static int get_next(void *arg)
{
    const struct getter *getter = arg;
    tusk_future *future;
    int rc = tusk_as_completed_next(getter->iterator, &future);
    int which = 0;

    if (rc <= 0) {
        trace("%s:%s@%d", getter->name, rc < 0 ? tusk_errorname(rc) : "end", iterations());
        return rc;
    }
    while (getter->futures[which] != future)
        which++;
    trace("%s:%d@%d", getter->name, which, iterations());
    return 0;
}

static tusk_task *start_getter(const char *name, tusk_as_completed_iterator *iterator, tusk_future **futures)
{
    return tusk_create_task(get_next, tusk_copy((&(struct getter){name, iterator, futures})));
}

static void yield_often(int times)
{
    while (times-- > 0)
        expect_int(tusk_sleep(0), 0);
}

static void make_futures(tusk_future **futures, int count)
{
    for (int i = 0; i < count; i++)
        futures[i] = tusk_create_future();
}

static void release_futures(tusk_future **futures, int count)
{
    for (int i = 0; i < count; i++)
        tusk_release(futures[i]);
}

/* What CPython prints for the same program. */
static int share_an_iterator(void *arg)
{
    tusk_future *futures[6];
    tusk_task *tasks[7];
    tusk_as_completed_iterator *iterator;

    (void)arg;
    make_futures(futures, 6);
    iterator = tusk_as_completed(futures, 6, .timeout = 10);
    tasks[0] = start_getter("a", iterator, futures);
    tasks[1] = start_getter("b", iterator, futures);
    tasks[2] = start_getter("c", iterator, futures);
    yield_often(1);
    mark();
    tusk_future_set_result(futures[4], 0);
    tusk_future_set_result(futures[2], 0);
    yield_often(3);
    tasks[3] = start_getter("d", iterator, futures);
    yield_often(1);
    mark();
    tusk_future_set_result(futures[0], 0);
    yield_often(1);
    /* It was woken: it passes the future on. */
    expect(tusk_task_cancel(tasks[2]));
    yield_often(2);
    tasks[4] = start_getter("e", iterator, futures);
    tasks[5] = start_getter("f", iterator, futures);
    tasks[6] = start_getter("g", iterator, futures);
    yield_often(1);
    expect_int(tusk_await(tusk_gather(tasks, 7, .return_exceptions = true)), 0);
    tusk_as_completed_close(iterator);
    release_futures(futures, 6);
    return 0;
}

static void test_as_completed_shared_by_tasks(void **state)
{
    (void)state;
    play_trace(share_an_iterator, "a:4@2 b:2@2 c:ECANCELED@2 d:0@3 g:end@4 e:ETIMEDOUT@6 f:ETIMEDOUT@6");
}

/* A woken one has no claim: who asks first gets it, and the woken one goes to the end of the list. */
static int overtake(void *arg)
{
    tusk_future *futures[3];
    tusk_future *future;
    tusk_task *tasks[2];
    tusk_as_completed_iterator *iterator;

    (void)arg;
    make_futures(futures, 3);
    iterator = tusk_as_completed(futures, 3);
    tasks[0] = start_getter("woken", iterator, futures);
    tasks[1] = start_getter("second", iterator, futures);
    yield_often(1);
    mark();
    tusk_future_set_result(futures[0], 0);
    yield_often(1);
    expect_int(tusk_as_completed_next(iterator, &future), 1);
    expect(future == futures[0]);
    yield_often(1);
    tusk_future_set_result(futures[1], 0);
    tusk_future_set_result(futures[2], 0);
    expect_int(tusk_await(tusk_gather(tasks, 2)), 0);
    tusk_as_completed_close(iterator);
    release_futures(futures, 3);
    return 0;
}

static void test_as_completed_overtaken(void **state)
{
    (void)state;
    play_trace(overtake, "second:1@4 woken:2@4");
}

/* Closed under those who wait: they are told, and nothing of it is looked at any more. */
static int close_under_waiters(void *arg)
{
    tusk_future *futures[2];
    tusk_task *tasks[3];
    tusk_as_completed_iterator *iterator;

    (void)arg;
    make_futures(futures, 2);
    tusk_retain(futures[1]);
    futures[1] = tusk_gather(&futures[1], 1);
    iterator = tusk_as_completed(futures, 2, .timeout = 10);
    for (int i = 0; i < 2; i++)
        tasks[i] = start_getter("closed", iterator, futures);
    tasks[2] = start_getter("end", iterator, futures);
    yield_often(1);
    tusk_future_set_result(futures[0], 0);
    yield_often(1);
    /* The first is woken, the second waits or is cancelled. */
    if (arg)
        tusk_task_cancel(tasks[1]);
    tusk_as_completed_close(iterator);
    release_futures(futures, 2);
    expect_int(tusk_await(tasks[0]), TUSK_INVALID_STATE);
    expect_int(tusk_await(tasks[1]), arg ? -ECANCELED : TUSK_INVALID_STATE);
    expect_int(tusk_await(tasks[2]), 0);
    expect_int(tusk_sleep(20), 0);
    return 0;
}

static void test_as_completed_closed_while_tasks_wait(void **state)
{
    (void)state;
    assert_int_equal(play_with(close_under_waiters, NULL, false), 0);
    assert_string_equal(stage_reports, "");
    assert_int_equal(play_with(close_under_waiters, as_arg(1), false), 0);
    assert_string_equal(stage_reports, "");
}

static int next_elsewhere(void *arg)
{
    tusk_future *future;

    return tusk_as_completed_next(arg, &future);
}

static void *run_elsewhere(void *iterator)
{
    return (void *)(intptr_t)tusk_run(next_elsewhere, iterator, .clock = TUSK_CLOCK_VIRTUAL);
}

static int take_badly(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_as_completed_iterator *iterator = tusk_as_completed(&future, 1);
    pthread_t thread;
    void *rc = NULL;

    (void)arg;
    expect_int(tusk_as_completed_next(iterator, NULL), -EINVAL);
    expect_int(pthread_create(&thread, NULL, run_elsewhere, iterator), 0);
    expect_int(pthread_join(thread, &rc), 0);
    expect_int((int)(intptr_t)rc, TUSK_OTHER_LOOP);
    expect(tusk_as_completed(&future, 1, .timeout = NAN) == NULL);
    expect_int(tusk_as_completed_next(NULL, &future), -EINVAL);
    tusk_as_completed_close(iterator);
    tusk_release(future);
    return 0;
}

static void test_as_completed_misused(void **state)
{
    (void)state;
    play_quietly(take_badly);
}

/* ---- wait_for ---- */

static int wait_for_cases(void *arg)
{
    int copied = 4;

    (void)arg;
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

static tusk_future *done_with(int result)
{
    tusk_future *future = tusk_create_future();

    if (result < 0)
        expect_int(tusk_future_set_exception(future, result, "no bread"), 0);
    else
        expect_int(tusk_future_set_result(future, result), 0);
    return future;
}

static int wait_for_outside(void *arg)
{
    tusk_future *future = tusk_retain(arg);

    expect_int(tusk_wait_for(tusk_retain(future), 1), TUSK_NOT_IN_TASK);
    expect_int(tusk_wait_for(future, 0), 6);
    return 0;
}

/* No time goes by: a done future is what it is. Each wait takes its reference; the play counts the rest. */
static int wait_for_what_is_done(void *arg)
{
    tusk_future *future = done_with(6);
    tusk_future *cancelled = tusk_create_future();

    (void)arg;
    mark();
    expect_int(tusk_wait_for(tusk_retain(future), 1), 6);
    expect_int(tusk_wait_for(tusk_retain(future), 1e-300), 6);
    expect_int(tusk_wait_for(tusk_retain(future), (double)INFINITY), 6);
    expect_int(tusk_wait_for(tusk_retain(future), -(double)INFINITY), 6);
    expect_int(tusk_wait_for(done_with(-EIO), 1), -EIO);
    expect_text(tusk_message(), "no bread");
    expect(tusk_future_cancel(cancelled, .msg = "closed"));
    expect_int(tusk_wait_for(cancelled, 1), -ECANCELED);
    expect_text(tusk_message(), "closed");
    expect_int(tusk_wait_for(tusk_retain(future), (double)NAN), -EINVAL);
    expect_text(tusk_message(), "a time-out of NaN seconds");
    expect_int(iterations(), 0);
    tusk_call_soon(wait_for_outside, future);
    expect_int(tusk_sleep(0), 0);
    expect_int(tusk_sleep(0), 0);
    tusk_release(future);
    return 0;
}

static void test_wait_for_what_is_done(void **state)
{
    (void)state;
    play_quietly(wait_for_what_is_done);
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

static int enter_and_leave(double delay)
{
    tusk_timeout timeout;

    tusk_try(tusk_timeout_enter(&timeout, delay));
    return tusk_timeout_exit(&timeout, 0);
}

static int time_out_and_say(void *arg)
{
    tusk_timeout timeout;

    expect_int(enter_and_leave(1), 0);
    expect_int(tusk_timeout_enter(&timeout, 1), 0);
    expect_int(enter_and_leave(1), 0);
    expect_int(tusk_timeout_exit(&timeout, tusk_sleep(9)), -ETIMEDOUT);
    trace_at(arg);
    return 0;
}

static int nap_and_say(void *arg)
{
    expect_int(tusk_sleep(1), 0);
    trace_at(arg);
    return 0;
}

/* In the order in which they were set, whatever was set and taken back in between. */
static int equal_deadlines(void *arg)
{
    tusk_task *tasks[] = {
        tusk_create_task(time_out_and_say, "a"), tusk_create_task(nap_and_say, "b"),
        tusk_create_task(time_out_and_say, "c"), tusk_create_task(time_out_and_say, "d"),
        tusk_create_task(nap_and_say, "e"),
    };

    (void)arg;
    mark();
    return tusk_await(tusk_gather(tasks, 5));
}

static void test_timeouts_with_equal_deadlines(void **state)
{
    (void)state;
    play_trace(equal_deadlines, "a@3 b@3 c@3 d@3 e@3");
}

/* The last time-out of a busy loop, which reads no clock in most of its turns. */
static int time_out_busily(void *arg)
{
    tusk_timeout timeout;
    int rc = 0;

    (void)arg;
    tusk_try(tusk_timeout_enter(&timeout, 0.002));
    while (rc == 0)
        rc = tusk_sleep(0);
    return tusk_timeout_exit(&timeout, rc);
}

static void test_a_busy_task_times_out(void **state)
{
    (void)state;
    assert_int_equal(tusk_run(time_out_busily, NULL), -ETIMEDOUT);
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

/* Sleeps for an hour altogether, and is deaf. */
static int refuse_for_an_hour(void *arg)
{
    double end = tusk_loop_time(tusk_get_running_loop()) + 3600;

    (void)arg;
    while (tusk_loop_time(tusk_get_running_loop()) < end) {
        int rc = tusk_sleep(900);

        if (rc < 0 && rc != -ECANCELED)
            return rc;
    }
    return 0;
}

/* A group, a time-out and a wait that have asked once wait then, and do not ask in every iteration. */
static int refused_cancels(void *arg)
{
    tusk_timeout timeout;
    tusk_task_group group;
    tusk_task *task;

    (void)arg;
    expect_int(tusk_timeout_enter(&timeout, 1), 0);
    expect_int(tusk_task_group_enter(&group), 0);
    for (int i = 0; i < 10; i++)
        tusk_task_group_create_task(&group, refuse_for_an_hour, NULL);
    expect_int(tusk_timeout_exit(&timeout, tusk_task_group_exit(&group, tusk_sleep(INFINITY))), -ETIMEDOUT);
    task = tusk_create_task(refuse_for_an_hour, NULL);
    expect_int(tusk_wait_for(task, 1), 0);
    expect(tusk_loop_time(tusk_get_running_loop()) >= 7200);
    expect(iterations() < 100);
    return 0;
}

static void test_a_task_that_refuses_cancels_does_not_spin(void **state)
{
    (void)state;
    play_quietly(refused_cancels);
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

static int fail_in_clean_up(void *arg)
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

static int fail_and_cancel(void *arg)
{
    tusk_task *task = tusk_create_task(fail_in_clean_up, NULL);

    (void)arg;
    tusk_call_at(1, cancel_it, task);
    expect_int(tusk_await(task), -ECANCELED);
    return 0;
}

static void test_an_error_in_the_clean_up_of_a_cancel(void **state)
{
    (void)state;
    play_quietly(fail_and_cancel);
}

/* ---- the loop closes under a wait ---- */

enum { CROWD = 40 };

static int wait_for_crowd(void *arg)
{
    return tusk_wait(arg, CROWD);
}

static int leave_a_wait(void *arg)
{
    tusk_future **futures = arg;

    for (int i = 0; i < CROWD; i++)
        futures[i] = tusk_loop_create_future(tusk_get_running_loop());
    tusk_release(tusk_create_task(wait_for_crowd, futures));
    return tusk_sleep(0.01);
}

static void test_a_loop_closed_under_a_wait_for_many(void **state)
{
    tusk_future *futures[CROWD];
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);

    (void)state;
    tusk_loop_set_exception_handler(loop, keep_report, NULL);
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_loop_create_task(loop, leave_a_wait, futures)),
                     0);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(tusk__live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_first_exception_ignores_a_cancelled_one),
        cmocka_unit_test(test_wait_cancelled_as_its_futures_end),
        cmocka_unit_test(test_as_completed_shared_by_tasks),
        cmocka_unit_test(test_as_completed_overtaken),
        cmocka_unit_test(test_as_completed_closed_while_tasks_wait),
        cmocka_unit_test(test_as_completed_misused),
        cmocka_unit_test(test_wait_for),
        cmocka_unit_test(test_wait_for_what_is_done),
        cmocka_unit_test(test_nested_timeouts),
        cmocka_unit_test(test_timeouts_with_equal_deadlines),
        cmocka_unit_test(test_a_busy_task_times_out),
        cmocka_unit_test(test_outer_cancel_wins_over_a_timeout),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_a_task_that_refuses_cancels_does_not_spin),
        cmocka_unit_test(test_leaving_a_group_waits_through_cancels),
        cmocka_unit_test(test_an_error_in_the_clean_up_of_a_cancel),
        cmocka_unit_test(test_a_loop_closed_under_a_wait_for_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
