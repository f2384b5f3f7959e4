/*
 * Scenarios of CPython's own tests that catch re-implementations: loops, callbacks, runs.
 * Each test is one rule.
 */
#include "os/program.h"
#include "sync/players.h"

/* ---- A callback sees the context of its registration, and what it sets there is its own. ---- */

static tusk_context_var color = TUSK_CONTEXT_VAR("color", "none");

static int see_and_set(tusk_future *future, void *arg)
{
    (void)future;
    trace("callback:%s", (const char *)tusk_context_var_get(&color));
    return tusk_context_var_set(&color, arg, NULL);
}

static int set_future(void *arg)
{
    return tusk_future_set_result(arg, 0);
}

static int callback_contexts(void *arg)
{
    static char *const colors[] = {"red", "blue"};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        tusk_future *future = tusk_create_future();

        expect_int(tusk_future_add_done_callback(future, see_and_set, "white"), 0);
        expect_int(tusk_context_var_set(&color, colors[i], NULL), 0);
        expect_int(tusk_future_add_done_callback(future, see_and_set, "black"), 0);
        tusk_call_soon(set_future, future);
        expect_int(tusk_await(future), 0);
        trace("task:%s", (const char *)tusk_context_var_get(&color));
        expect_int(tusk_sleep(1), 0);
        trace("task:%s", (const char *)tusk_context_var_get(&color));
    }
    return 0;
}

static void test_callback_contexts(void **state)
{
    (void)state;
    play_trace(callback_contexts, "callback:none callback:red task:red task:red "
                                  "callback:red callback:blue task:blue task:blue");
    assert_string_equal(tusk_context_var_get(&color), "none");
}

/* ---- sleep(0) lets everything that is ready run once: one turn of the loop, whatever came first. ---- */

static int count_call(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int count_step(void *arg)
{
    return count_call(arg);
}

static int sleep_zero_is_one_turn(void *arg)
{
    int count = 0;
    tusk_task *task;

    (void)arg;
    tusk_call_soon(count_call, &count);
    task = tusk_create_task(count_step, &count);
    expect_int(count, 0);
    mark();
    expect_int(tusk_sleep(0), 0);
    expect_int(count, 2);
    expect_int(iterations(), 1);
    expect_int(tusk_sleep(-1), 0);
    expect_int(iterations(), 2);
    return tusk_await(task);
}

static void test_sleep_zero_is_one_turn(void **state)
{
    (void)state;
    play_quietly(sleep_zero_is_one_turn);
}

/* ---- Removing a callback removes each registration that is equal, and says how many there were. ---- */

static int note(tusk_future *future, void *arg)
{
    (void)future;
    trace_at(arg);
    return 0;
}

static int note_too(tusk_future *future, void *arg)
{
    return note(future, arg);
}

static int remove_all_equal_callbacks(void *arg)
{
    static char a[] = "a";
    static char b[] = "b";
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_remove_done_callback(future, note, a), 0);
    expect_int(tusk_future_add_done_callback(future, note, a), 0);
    expect_int(tusk_future_add_done_callback(future, note, b), 0);
    expect_int(tusk_future_add_done_callback(future, note, a), 0);
    expect_int(tusk_future_add_done_callback(future, note_too, a), 0);
    expect_int(tusk_future_add_done_callback(future, note, a), 0);
    expect_int(tusk_future_remove_done_callback(future, note, a), 3);
    expect_int(tusk_future_remove_done_callback(future, note, a), 0);
    expect_int(tusk_future_add_done_callback(future, note, b), 0);
    mark();
    expect_int(tusk_future_set_result(future, 1), 0);
    /* They are on their way now. */
    expect_int(tusk_future_remove_done_callback(future, note, b), 0);
    expect_int(tusk_sleep(0), 0);
    tusk_release(future);
    return 0;
}

static void test_remove_all_equal_callbacks(void **state)
{
    (void)state;
    play_trace(remove_all_equal_callbacks, "b@1 a@1 b@1");
}

/* ---- A run that was stopped leaves nothing behind that stops the next one. ---- */

static int stop_loop(void *arg)
{
    tusk_loop_stop(arg);
    return 0;
}

/* Runs until the loop's clock is one second on: a stop that was left over would end it before. */
static void expect_whole_second(tusk_loop *loop)
{
    double start = tusk_loop_time(loop);

    tusk_loop_call_later(loop, 1, stop_loop, loop);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_true(tusk_loop_time(loop) == start + 1);
}

static void test_stale_stop(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_future *future = tusk_loop_create_future(loop);

    (void)state;
    /* Stopped before the future is done: the run's callback must go from the future. */
    tusk_loop_call_soon(loop, stop_loop, loop);
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_retain(future)), TUSK_LOOP_STOPPED);
    tusk_loop_call_soon(loop, set_future, future);
    expect_whole_second(loop);
    tusk_release(future);
    /* Stopped in the turn in which it becomes done: the callback must go from the queue. */
    future = tusk_loop_create_future(loop);
    tusk_loop_call_soon(loop, set_future, future);
    tusk_loop_call_soon(loop, stop_loop, loop);
    assert_int_equal(tusk_loop_run_until_complete(loop, future), 0);
    expect_whole_second(loop);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(tusk__live(), live);
}

/* ---- Ctrl-C cancels the main task, and is an interrupt only if that is why the task has ended. ---- */

static int await_for_ever(void *arg)
{
    tusk_future *future = tusk_create_future();
    int rc;

    (void)arg;
    say("ready");
    rc = tusk_await(tusk_retain(future));
    say(tusk_future_cancelled(future) ? "future cancelled" : "future not cancelled");
    tusk_release(future);
    return rc;
}

static int yield_for_ever(void *arg)
{
    int rc;

    (void)arg;
    say("ready");
    do
        rc = tusk_sleep(0);
    while (rc == 0);
    return rc;
}

static int be_cancelled_twice(void *arg)
{
    int rc = await_for_ever(arg);

    if (rc != -ECANCELED)
        return rc;
    tusk_task_cancel(tusk_current_task());
    return tusk_sleep(1000);
}

static int swallow_interrupt(void *arg)
{
    return await_for_ever(arg) == -ECANCELED ? 5 : 1;
}

static int interrupted_in_await(void)
{
    return said(tusk_run(await_for_ever, NULL));
}

static int interrupted_in_yield(void)
{
    return said(tusk_run(yield_for_ever, NULL));
}

static int interrupted_and_cancelled(void)
{
    return said(tusk_run(be_cancelled_twice, NULL));
}

static int interrupted_in_vain(void)
{
    return said(tusk_run(swallow_interrupt, NULL));
}

static void interrupt_program(int (*function)(void), int status, const char *text)
{
    struct program program;

    start(&program, function);
    interrupt_at(&program, "ready");
    assert_exit(&program, status, text);
}

static void test_sigint_mapping(void **state)
{
    (void)state;
    interrupt_program(interrupted_in_await, 1, "ready\nfuture cancelled\nEINTR\n");
    interrupt_program(interrupted_and_cancelled, 1, "ready\nfuture cancelled\nECANCELED\n");
    interrupt_program(interrupted_in_vain, 5, "ready\nfuture cancelled\nfine\n");
    /* Signals are held back from a task that never sleeps: see tests/os/program.h. */
    if (!TUSK__TSAN)
        interrupt_program(interrupted_in_yield, 1, "ready\nEINTR\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callback_contexts),
        cmocka_unit_test(test_sleep_zero_is_one_turn),
        cmocka_unit_test(test_remove_all_equal_callbacks),
        cmocka_unit_test(test_stale_stop),
        cmocka_unit_test(test_sigint_mapping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
