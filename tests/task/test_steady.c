/*
 * No allocation in the steady state: who does the same thing over and over takes memory for it in
 * the beginning, and none any more later. Each kind of waiting is played in rounds. The first ones
 * are larger, so that those that are counted need no more at once, however threads are scheduled. What
 * takes memory by its nature is left out: messages of errors, names, contexts, tusk_copy().
 */
#include "task/stage.h"

enum { ROUNDS = 50, SIZE = 3, MANY = 40 };

/* A round does the thing, with so many futures, calls or tasks at once. */
typedef int steady_round(int size);

static int play_rounds(steady_round *round, int size)
{
    for (int i = 0; i < ROUNDS; i++)
        tusk_try(round(size));
    return 0;
}

struct rounds {
    steady_round *round;
};

static int steadily(void *arg)
{
    steady_round *round = ((const struct rounds *)arg)->round;
    size_t taken;
    int rc;

    tusk_try(play_rounds(round, 3 * SIZE));
    tusk_try(play_rounds(round, SIZE));
    taken = tusk__taken();
    rc = play_rounds(round, SIZE);
    /* ASan sees who uses memory too late, if it comes and goes; debug mode keeps what was freed a while. */
    if (!TUSK__ASAN && !tusk_loop_get_debug(tusk_get_running_loop()))
        expect_int(tusk__taken() - taken, 0);
    return rc;
}

static void play_steadily(steady_round *round)
{
    struct rounds rounds = {round};
    int rc = play_with(steadily, &rounds, false);

    assert_string_equal(stage_reports, "");
    assert_int_equal(rc, 0);
}

static int sleep_arg(void *arg)
{
    return tusk_sleep(0.001 * (double)(intptr_t)arg);
}

/* Sleepers of 1, 2, 3 ... ms. */
static void create_sleepers(tusk_task **tasks, int count)
{
    for (int i = 0; i < count; i++)
        tasks[i] = tusk_create_task(sleep_arg, as_arg(i + 1));
}

static void release_all(tusk_task **tasks, int count)
{
    for (int i = 0; i < count; i++)
        tusk_release(tasks[i]);
}

static void cancel_and_await(tusk_task *task)
{
    tusk_task_cancel(task);
    expect_int(tusk_await(task), -ECANCELED);
}

/* ---- tasks, sleeps, calls ---- */

static int create_tasks(int size)
{
    tusk_task *tasks[MANY] = {NULL};

    for (int i = 0; i < size; i++)
        tusk_release(tusk_create_task(return_seven, NULL));
    for (int i = 0; i < size; i++)
        tasks[i] = tusk_create_task(return_seven, NULL, .eager_start = i & 1);
    for (int i = 0; i < size; i++)
        expect_int(tusk_await(tasks[i]), 7);
    return 0;
}

static void test_create_task(void **state)
{
    (void)state;
    play_steadily(create_tasks);
}

static int sleep_some(int size)
{
    tusk_task *tasks[MANY] = {NULL};

    create_sleepers(tasks, size);
    tusk_try(tusk_sleep(0));
    cancel_and_await(tasks[0]);
    for (int i = 1; i < size; i++)
        expect_int(tusk_await(tasks[i]), 0);
    return tusk_sleep(1);
}

static void test_sleep(void **state)
{
    (void)state;
    play_steadily(sleep_some);
}

static int count_call(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int call(int size)
{
    tusk_loop *loop = tusk_get_running_loop();
    int calls = 0;

    for (int i = 0; i < size; i++) {
        tusk_call_soon(count_call, &calls);
        tusk_call_later(0.001, count_call, &calls);
        expect(tusk_handle_cancel(tusk_call_later(1, count_call, &calls)));
        expect(tusk_handle_cancel(tusk_call_soon(count_call, &calls)));
        expect_int(tusk_loop_call_soon_threadsafe(loop, count_call, &calls), 0);
    }
    tusk_try(tusk_sleep(0.002));
    expect_int(calls, 3 * size);
    return 0;
}

static void test_calls(void **state)
{
    (void)state;
    play_steadily(call);
}

static int set_result(void *arg)
{
    return tusk_future_set_result(arg, 1);
}

static int count_done(tusk_future *future, void *arg)
{
    ++*(int *)arg;
    return tusk_future_result(future) == 1 ? 0 : -EINVAL;
}

static int use_futures(int size)
{
    tusk_future *futures[MANY];
    int done = 0;

    for (int i = 0; i < size; i++) {
        futures[i] = tusk_create_future();
        expect_int(tusk_future_add_done_callback(futures[i], count_done, &done), 0);
        tusk_call_soon(set_result, futures[i]);
    }
    for (int i = 0; i < size; i++)
        expect_int(tusk_await(futures[i]), 1);
    tusk_try(tusk_sleep(0));
    expect_int(done, size);
    return 0;
}

static void test_futures(void **state)
{
    (void)state;
    play_steadily(use_futures);
}

/* ---- waiting for many ---- */

/* The rest stays pending when the wait is over. */
static int wait_in_all_ways(int count)
{
    tusk_task *tasks[MANY] = {NULL};

    create_sleepers(tasks, count);
    expect_int(tusk_wait(tasks, (size_t)count, .return_when = TUSK_FIRST_COMPLETED), 1);
    expect_int(tusk_wait(tasks, (size_t)count, .return_when = TUSK_FIRST_EXCEPTION, .timeout = 0.0011), 2);
    expect_int(tusk_wait(tasks, (size_t)count), count);
    release_all(tasks, count);
    return 0;
}

static int wait_for_few(int size)
{
    return wait_in_all_ways(size);
}

/* More than tusk_wait has room for on its stack. */
static int wait_for_many(int size)
{
    return wait_in_all_ways(MANY - 10 + size);
}

static void test_wait(void **state)
{
    (void)state;
    play_steadily(wait_for_few);
    play_steadily(wait_for_many);
}

static int wait_arg(void *arg)
{
    return tusk_wait(arg, MANY);
}

static int cancel_a_wait(int size)
{
    tusk_task *tasks[MANY] = {NULL};
    tusk_task *waiters[MANY];

    create_sleepers(tasks, MANY);
    for (int i = 0; i < size; i++)
        waiters[i] = tusk_create_task(wait_arg, tasks);
    tusk_try(tusk_sleep(0));
    for (int i = 0; i < size; i++)
        cancel_and_await(waiters[i]);
    expect_int(tusk_wait(tasks, MANY), MANY);
    release_all(tasks, MANY);
    return 0;
}

static void test_a_cancelled_wait(void **state)
{
    (void)state;
    play_steadily(cancel_a_wait);
}

static int gather_in_all_ways(int count)
{
    tusk_task *tasks[MANY] = {NULL};
    int results[MANY];
    tusk_future *gather;

    create_sleepers(tasks, count);
    tusk_try(tusk_await(tusk_gather(tasks, (size_t)count, .results = results)));
    create_sleepers(tasks, count);
    tusk_task_cancel(tasks[1]);
    expect_int(tusk_await(tusk_gather(tasks, (size_t)count)), -ECANCELED);
    create_sleepers(tasks, count);
    gather = tusk_gather(tasks, (size_t)count, .return_exceptions = true);
    tusk_try(tusk_sleep(0.0011));
    expect(tusk_future_cancel(gather));
    expect_int(tusk_await(gather), -ECANCELED);
    return tusk_sleep(1);
}

static int gather_few(int size)
{
    return gather_in_all_ways(size);
}

static int gather_many(int size)
{
    return gather_in_all_ways(MANY - 10 + size);
}

static void test_gather(void **state)
{
    (void)state;
    play_steadily(gather_few);
    play_steadily(gather_many);
}

static int iterate(int count)
{
    tusk_task *tasks[MANY] = {NULL};
    tusk_as_completed_iterator *iterator;
    tusk_future *future;

    create_sleepers(tasks, count);
    iterator = tusk_as_completed(tasks, (size_t)count, .timeout = 1);
    for (int i = 0; i < count; i++) {
        expect_int(tusk_as_completed_next(iterator, &future), 1);
        expect(future == tasks[i]);
    }
    expect_int(tusk_as_completed_next(iterator, &future), 0);
    tusk_as_completed_close(iterator);
    release_all(tasks, count);
    create_sleepers(tasks, count);
    iterator = tusk_as_completed(tasks, (size_t)count);
    expect_int(tusk_as_completed_next(iterator, &future), 1);
    tusk_as_completed_close(iterator);
    release_all(tasks, count);
    return tusk_sleep(1);
}

static int iterate_many(int size)
{
    return iterate(MANY - 10 + size);
}

static void test_as_completed(void **state)
{
    (void)state;
    play_steadily(iterate);
    play_steadily(iterate_many);
}

/* ---- waiting for one ---- */

static int wait_for_in_all_ways(int size)
{
    tusk_future *done = tusk_create_future();

    expect_int(tusk_future_set_result(done, 5), 0);
    for (int i = 0; i < size; i++) {
        expect_int(tusk_wait_for(tusk_retain(done), 1), 5);
        expect_int(tusk_wait_for(tusk_create_task(sleep_arg, as_arg(1)), 1), 0);
        expect_int(tusk_wait_for(tusk_create_task(sleep_hour, NULL), 1), -ETIMEDOUT);
        expect_int(tusk_wait_for(tusk_create_task(sleep_hour, NULL), 0), -ETIMEDOUT);
        expect_int(tusk_wait_for_coro(sleep_hour, NULL, 1), -ETIMEDOUT);
        expect_int(tusk_wait_for_coro(return_seven, NULL, 1), 7);
    }
    tusk_release(done);
    return 0;
}

static void test_wait_for(void **state)
{
    (void)state;
    play_steadily(wait_for_in_all_ways);
}

static int shield(int size)
{
    tusk_task *tasks[MANY] = {NULL};
    tusk_future *shields[MANY];

    create_sleepers(tasks, size);
    for (int i = 0; i < size; i++)
        shields[i] = tusk_shield(tusk_retain(tasks[i]));
    expect(tusk_future_cancel(shields[0]));
    expect_int(tusk_await(shields[0]), -ECANCELED);
    for (int i = 1; i < size; i++)
        expect_int(tusk_await(shields[i]), 0);
    for (int i = 0; i < size; i++)
        expect_int(tusk_await(tasks[i]), 0);
    return 0;
}

static void test_shield(void **state)
{
    (void)state;
    play_steadily(shield);
}

/* ---- scopes ---- */

static int use_timeouts(int size)
{
    double now = tusk_loop_time(tusk_get_running_loop());
    tusk_timeout timeouts[MANY];
    int rc;

    for (int i = 0; i < size; i++)
        tusk_try(tusk_timeout_enter(&timeouts[i], size - i));
    expect_int(tusk_timeout_reschedule(&timeouts[size - 1], now + 0.5), 0);
    rc = tusk_sleep(100);
    for (int i = size - 1; i >= 0; i--)
        rc = tusk_timeout_exit(&timeouts[i], rc);
    expect_int(rc, -ETIMEDOUT);
    tusk_try(tusk_timeout_enter(&timeouts[0], 0));
    expect_int(tusk_timeout_exit(&timeouts[0], tusk_sleep(100)), -ETIMEDOUT);
    tusk_try(tusk_timeout_enter(&timeouts[0], 0));
    return tusk_timeout_exit(&timeouts[0], 0);
}

static void test_timeout(void **state)
{
    (void)state;
    play_steadily(use_timeouts);
}

static void create_children(tusk_task_group *group, int count)
{
    for (int i = 0; i < count; i++)
        expect(tusk_task_group_create_task(group, sleep_arg, as_arg(i), .eager_start = i & 1) != NULL);
}

static int use_groups(int size)
{
    tusk_task_group group;

    tusk_try(tusk_task_group_enter(&group));
    create_children(&group, size);
    expect_int(tusk_task_group_exit(&group, 0), 0);
    tusk_try(tusk_task_group_enter(&group));
    create_children(&group, size);
    expect_int(tusk_task_group_cancel(&group), 0);
    return tusk_task_group_exit(&group, tusk_sleep(1));
}

static void test_task_group(void **state)
{
    (void)state;
    play_steadily(use_groups);
}

/* ---- threads ---- */

static int run_in_threads(int size)
{
    tusk_future *futures[MANY];

    for (int i = 0; i < size; i++)
        futures[i] = tusk_run_in_executor(NULL, return_arg, as_arg(i));
    for (int i = 0; i < size; i++)
        expect_int(tusk_await(futures[i]), i);
    expect_int(tusk_to_thread(return_seven, NULL), 7);
    return 0;
}

static void test_executor(void **state)
{
    (void)state;
    play_steadily(run_in_threads);
}

static tusk_thread_pool_executor *single;

/* Cancelled jobs end in the only thread of the pool, before the last one does. */
static int cancel_jobs(int size)
{
    for (int i = 0; i < size; i++) {
        tusk_future *future = tusk_run_in_executor(single, return_seven, NULL);

        expect(tusk_future_cancel(future));
        tusk_release(future);
    }
    expect_int(tusk_to_thread(return_seven, NULL, .executor = single), 7);
    return 0;
}

static void test_cancelled_jobs(void **state)
{
    size_t live = tusk__live();

    (void)state;
    single = tusk_thread_pool_executor_create(1);
    assert_non_null(single);
    play_steadily(cancel_jobs);
    assert_int_equal(tusk_thread_pool_executor_shutdown(single, true, false), 0);
    tusk_thread_pool_executor_release(single);
    assert_int_equal(tusk__live(), live);
}

struct sender {
    tusk_loop *loop;
    int size;
    int calls;
};

/* In a thread: sends coroutines and calls to the loop. */
static int send_all(void *arg)
{
    struct sender *sender = arg;
    tusk_concurrent_future *futures[MANY];

    for (int i = 0; i < sender->size; i++) {
        futures[i] = tusk_run_coroutine_threadsafe(sender->loop, sleep_arg, as_arg(i));
        tusk_try(tusk_loop_call_soon_threadsafe(sender->loop, count_call, &sender->calls));
    }
    for (int i = 0; i < sender->size; i++) {
        int rc = tusk_concurrent_future_result(futures[i], (double)INFINITY);

        tusk_concurrent_future_release(futures[i]);
        tusk_try(rc);
    }
    return 0;
}

static int send_from_a_thread(int size)
{
    struct sender sender = {tusk_get_running_loop(), size, 0};

    tusk_try(tusk_to_thread(send_all, &sender));
    expect_int(sender.calls, size);
    return 0;
}

static void test_what_threads_send(void **state)
{
    (void)state;
    play_steadily(send_from_a_thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_task),
        cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_futures),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_a_cancelled_wait),
        cmocka_unit_test(test_gather),
        cmocka_unit_test(test_as_completed),
        cmocka_unit_test(test_wait_for),
        cmocka_unit_test(test_shield),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_task_group),
        cmocka_unit_test(test_executor),
        cmocka_unit_test(test_cancelled_jobs),
        cmocka_unit_test(test_what_threads_send),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
