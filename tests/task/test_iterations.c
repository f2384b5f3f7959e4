/*
 * How many iterations of the loop go by from a running task until it goes on:
 * the part of asyncio's table that is about futures, tasks, sleep and gather. One test for
 * each line. The numbers are CPython's.
 */
#include "task/stage.h"

/* How many iterations the expression takes. */
#define measured(expression)                                                                                 \
    ({                                                                                                       \
        int measured_rc;                                                                                     \
                                                                                                             \
        mark();                                                                                              \
        measured_rc = (expression);                                                                          \
        (void)measured_rc;                                                                                   \
        iterations();                                                                                        \
    })

static int set_seven(void *arg)
{
    return tusk_future_set_result(arg, 7);
}

static tusk_task *immediate(void)
{
    return tusk_create_task(return_seven, NULL);
}

static tusk_task *finished(void)
{
    return tusk_create_task(return_seven, NULL, .eager_start = true);
}

static int none(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_future *both[2];

    (void)arg;
    expect_int(tusk_future_set_result(future, 1), 0);
    expect_int(measured(tusk_await(future)), 0);
    expect_int(measured(return_seven(NULL)), 0);
    expect_int(measured(tusk_await(tusk_gather(NULL, 0))), 0);
    both[0] = finished();
    both[1] = finished();
    expect_int(measured(tusk_await(tusk_gather(both, 2))), 0);
    expect_int(measured(tusk_await(finished())), 0);
    return 0;
}

static void test_none(void **state)
{
    (void)state;
    play_quietly(none);
}

static int one(void *arg)
{
    (void)arg;
    expect_int(measured(tusk_sleep(0)), 1);
    expect_int(measured(tusk_sleep(-1)), 1);
    expect_int(measured(tusk_sleep(-(double)INFINITY)), 1);
    return 0;
}

static void test_one(void **state)
{
    (void)state;
    play_quietly(one);
}

static int set_by_queued_callback(void)
{
    tusk_future *future = tusk_create_future();

    expect(tusk_call_soon(set_seven, future).handle_ != NULL);
    return tusk_await(future);
}

static int two(void *arg)
{
    tusk_task *task;

    (void)arg;
    expect_int(measured(set_by_queued_callback()), 2);
    expect_int(measured(tusk_await(immediate())), 2);
    /* Awaiting oneself fails in the next step. */
    expect_int(measured(tusk_await(tusk_retain(tusk_current_task()))), 1);
    task = tusk_create_task(sleep_hour, NULL);
    expect_int(tusk_sleep(1), 0);
    expect_int(measured((tusk_task_cancel(task), tusk_await(task))), 2);
    return 0;
}

static void test_two(void **state)
{
    (void)state;
    play_quietly(two);
}

static int three(void *arg)
{
    tusk_task *tasks[5];

    (void)arg;
    for (int count = 1; count <= 5; count++) {
        for (int i = 0; i < count; i++)
            tasks[i] = immediate();
        expect_int(measured(tusk_await(tusk_gather(tasks, (size_t)count))), 3);
    }
    return 0;
}

static void test_three(void **state)
{
    (void)state;
    play_quietly(three);
}

/* Awaits the task below it, which does the same, down to one that sleeps. */
static int level(void *arg)
{
    int depth = (int)(intptr_t)arg;

    if (depth == 0)
        return tusk_sleep(3600);
    return tusk_await(tusk_create_task(level, as_arg(depth - 1)));
}

static int cancel_levels(void *arg)
{
    (void)arg;
    for (int depth = 0; depth < 20; depth++) {
        tusk_task *task = tusk_create_task(level, as_arg(depth));

        expect_int(tusk_sleep(1), 0);
        mark();
        expect(tusk_task_cancel(task));
        expect_int(tusk_await(task), -ECANCELED);
        expect_int(iterations(), 2 + depth);
    }
    return 0;
}

static void test_cancel_one_more_for_each_level(void **state)
{
    (void)state;
    play_quietly(cancel_levels);
}

static int await_levels(void *arg)
{
    int depth = (int)(intptr_t)arg;

    return depth == 0 ? 7 : tusk_await(tusk_create_task(await_levels, as_arg(depth - 1)));
}

static int start_levels(void *arg)
{
    (void)arg;
    for (int depth = 0; depth < 20; depth++)
        expect_int(measured(await_levels(as_arg(depth))), 2 * depth);
    return 0;
}

static void test_start_and_end_cost_one_each(void **state)
{
    (void)state;
    play_quietly(start_levels);
}

/* A timer that is due makes an entry in the queue, and that entry makes the task ready: two iterations. */
static int sleep_hops(void *arg)
{
    int before;

    (void)arg;
    mark();
    expect_int(tusk_sleep(1), 0);
    before = iterations();
    expect_int(before, 2);
    return 0;
}

static void test_sleep(void **state)
{
    (void)state;
    play_quietly(sleep_hops);
}

/* ---- order ---- */

static int say(void *arg)
{
    trace_at(arg);
    return 0;
}

static int say_twice(void *arg)
{
    trace_at(arg);
    expect_int(tusk_sleep(0), 0);
    trace_at(arg);
    return 0;
}

static int mix_tasks_and_callbacks(void *arg)
{
    (void)arg;
    mark();
    tusk_release(tusk_create_task(say_twice, "a"));
    tusk_call_soon(say, "b");
    tusk_release(tusk_create_task(say, "c"));
    tusk_call_soon(say, "d");
    tusk_release(tusk_create_task(say_twice, "e"));
    tusk_call_later(0, say, "f");
    expect_int(tusk_sleep(0), 0);
    trace_at("main");
    expect_int(tusk_sleep(0), 0);
    trace_at("main");
    return 0;
}

static void test_first_in_first_out(void **state)
{
    (void)state;
    play_trace(mix_tasks_and_callbacks, "a@1 b@1 c@1 d@1 e@1 main@1 f@1 a@2 e@2 main@2");
}

static int sleep_and_say(void *arg)
{
    expect_int(tusk_sleep(1), 0);
    trace_at(arg);
    return 0;
}

/* Ready entries before timers, and equal deadlines in the order of their making. */
static int equal_deadlines(void *arg)
{
    tusk_task *tasks[4];

    (void)arg;
    tasks[0] = tusk_create_task(sleep_and_say, "a");
    tasks[1] = tusk_create_task(sleep_and_say, "b");
    tasks[2] = tusk_create_task(sleep_and_say, "c");
    tasks[3] = tusk_create_task(sleep_and_say, "d");
    mark();
    return tusk_await(tusk_gather(tasks, 4));
}

static void test_equal_deadlines(void **state)
{
    (void)state;
    play_trace(equal_deadlines, "a@3 b@3 c@3 d@3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_two),
        cmocka_unit_test(test_three),
        cmocka_unit_test(test_cancel_one_more_for_each_level),
        cmocka_unit_test(test_start_and_end_cost_one_each),
        cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_equal_deadlines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
