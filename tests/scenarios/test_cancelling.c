/*
 * Scenarios of CPython's own tests that catch re-implementations: cancelling a task.
 * Each test is one rule.
 */
#include <stdatomic.h>

#include "sync/players.h"

#include "support/live.h"

/* What an await or a sleep gave: "word:code:message@iteration". */
static void trace_outcome(const char *word, int rc)
{
    const char *message = rc < 0 ? tusk_message() : NULL;

    trace("%s:%s:%s@%d", word, rc < 0 ? tusk_errorname(rc) : "ok", message ? message : "-", iterations());
}

/* Awaits a task that was just made, and says how it ended. */
static void trace_end(tusk_task *task)
{
    trace_outcome("main", tusk_await(tusk_retain(task)));
    trace("%s", tusk_future_cancelled(task) ? "cancelled" : "finished");
    tusk_release(task);
}

/* ---- The body of a task that is cancelled before its start never runs. ---- */

static int never_run(void *arg)
{
    (void)arg;
    trace_at("body");
    return 0;
}

static int cancel_before_start(void *arg)
{
    tusk_task *task = tusk_create_task(never_run, NULL);

    (void)arg;
    expect(tusk_task_cancel(task, .msg = "early"));
    expect(!tusk_future_done(task));
    expect_int(tusk_task_cancelling(task), 1);
    mark();
    trace_outcome("await", tusk_await(tusk_retain(task)));
    expect(tusk_future_cancelled(task));
    expect_text(tusk_future_message(task), "early");
    expect(!tusk_task_cancel(task));
    tusk_release(task);
    return 0;
}

static void test_cancel_before_start(void **state)
{
    (void)state;
    play_trace(cancel_before_start, "await:ECANCELED:early@2");
}

/* ---- A task that cancels itself is cancelled where it blocks next, an iteration later. ---- */

static void cancel_self(const char *why)
{
    expect(tusk_task_cancel(tusk_current_task(), .msg = why));
}

static int block_after_cancel(void *arg)
{
    int rc;

    (void)arg;
    cancel_self("myself");
    trace_at("goes on");
    rc = tusk_sleep(3600);
    trace_outcome("sleep", rc);
    return rc;
}

static int self_cancel_then_block(void *arg)
{
    tusk_task *task = tusk_create_task(block_after_cancel, NULL);

    (void)arg;
    mark();
    trace_end(task);
    return 0;
}

static void test_self_cancel_then_block(void **state)
{
    (void)state;
    play_trace(self_cancel_then_block,
               "goes on@1 sleep:ECANCELED:myself@2 main:ECANCELED:myself@3 cancelled");
}

/* ---- One that cancels itself and returns without blocking is cancelled: its result is lost. ---- */

static int return_after_cancel(void *arg)
{
    (void)arg;
    cancel_self("at the end");
    return 12;
}

static int cancel_at_the_end(void *arg)
{
    tusk_task *task = tusk_create_task(return_after_cancel, NULL);

    (void)arg;
    mark();
    trace_end(task);
    return 0;
}

static void test_cancel_at_the_end(void **state)
{
    (void)state;
    play_trace(cancel_at_the_end, "main:ECANCELED:at the end@2 cancelled");
}

/* ---- A cancel is a request: a task may ignore it and wait for the next thing undisturbed. ---- */

static int wait_for_three(void *arg)
{
    tusk_future **futures = arg;

    expect_int(tusk_await(tusk_retain(futures[0])), 1);
    expect_int(tusk_await(tusk_retain(futures[1])), -ECANCELED);
    return tusk_await(tusk_retain(futures[2]));
}

static int ignored_cancel(void *arg)
{
    tusk_future *futures[3];
    tusk_task *task;

    (void)arg;
    for (int i = 0; i < 3; i++)
        futures[i] = tusk_create_future();
    task = tusk_create_task(wait_for_three, futures);
    let_run(1);
    tusk_future_set_result(futures[0], 1);
    let_run(1);
    expect(tusk_task_cancel(task));
    expect(tusk_future_cancelled(futures[1]));
    let_run(3);
    expect(!tusk_future_done(task));
    tusk_future_set_result(futures[2], 42);
    expect_int(tusk_await(tusk_retain(task)), 42);
    expect(!tusk_future_cancelled(task));
    expect_int(tusk_task_cancelling(task), 1);
    tusk_release(task);
    for (int i = 0; i < 3; i++)
        tusk_release(futures[i]);
    return 0;
}

static void test_ignored_cancel(void **state)
{
    (void)state;
    play_quietly(ignored_cancel);
}

/* ---- An uncancel to 0 takes back a cancel that was not delivered: the result comes after all. ---- */

static int uncancel_retracts(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *task = tusk_create_task(await_arg, future);

    (void)arg;
    let_run(1);
    mark();
    /* The task is ready to go on with 42, so there is nothing left that the cancels could stop. */
    expect_int(tusk_future_set_result(future, 42), 0);
    expect(tusk_task_cancel(task));
    expect(tusk_task_cancel(task));
    expect_int(tusk_task_uncancel(task), 1);
    expect_int(tusk_task_uncancel(task), 0);
    expect_int(tusk_await(task), 42);
    trace_at("main");
    return 0;
}

static void test_uncancel_retracts(void **state)
{
    (void)state;
    play_trace(uncancel_retracts, "main@2");
}

/* ---- Cancels and uncancels in pairs make blocks that end alone, as time-outs are made of. ---- */

struct block {
    tusk_task *task;
    bool over;
};

static int end_block(void *arg)
{
    struct block *block = arg;

    block->over = true;
    tusk_task_cancel(block->task);
    return 0;
}

/* Sleeps for a while, but a second at most: -ETIMEDOUT then. */
static int sleep_in_block(double seconds)
{
    struct block block = {.task = tusk_current_task()};
    tusk_handle handle = tusk_call_later(1, end_block, &block);
    int rc = tusk_sleep(seconds);

    tusk_handle_cancel(handle);
    if (block.over && tusk_task_uncancel(block.task) == 0 && rc == -ECANCELED)
        return -ETIMEDOUT;
    return rc;
}

static int use_blocks(void *arg)
{
    expect_int(sleep_in_block(10), -ETIMEDOUT);
    expect_int(tusk_task_cancelling(tusk_current_task()), 0);
    /* What follows is not disturbed. */
    expect_int(tusk_sleep(0), 0);
    expect_int(sleep_in_block(0.5), 0);
    expect_int(tusk_task_cancelling(tusk_current_task()), 0);
    (void)arg;
    return tusk_sleep(5);
}

static int structured_uncancel(void *arg)
{
    tusk_task *task = tusk_create_task(use_blocks, NULL);

    (void)arg;
    expect_int(tusk_await(tusk_retain(task)), 0);
    expect_int(tusk_task_cancelling(task), 0);
    tusk_release(task);
    expect(tusk_loop_time(tusk_get_running_loop()) == 6.5);
    return 0;
}

static void test_structured_uncancel(void **state)
{
    (void)state;
    play_quietly(structured_uncancel);
}

/* ---- An error that comes instead of the end by a cancel is an error, and no cancel. ---- */

static int break_when_cancelled(void *arg)
{
    int rc = tusk_sleep(3600);

    (void)arg;
    return rc == -ECANCELED ? tusk_raise(-EBUSY, "rather this") : rc;
}

static int fatal_error_during_cancel(void *arg)
{
    tusk_task *task = tusk_create_task(break_when_cancelled, NULL);

    (void)arg;
    let_run(1);
    mark();
    expect(tusk_task_cancel(task, .msg = "end"));
    expect(!tusk_future_done(task));
    trace_end(task);
    return 0;
}

static void test_fatal_error_during_cancel(void **state)
{
    (void)state;
    play_trace(fatal_error_during_cancel, "main:EBUSY:rather this@2 finished");
}

/* ---- A thread's future that is cancelled is done at once, and the cancel reaches its task. ---- */

static atomic_bool has_begun;

static int run_for_a_thread(void *arg)
{
    int rc;

    atomic_store(&has_begun, true);
    rc = tusk_sleep(3600);
    *(int *)arg = rc;
    return rc;
}

struct order {
    tusk_loop *loop;
    int ended_with;
};

/* In a thread. */
static int send_and_cancel(void *arg)
{
    struct order *order = arg;
    tusk_concurrent_future *future =
        tusk_run_coroutine_threadsafe(order->loop, run_for_a_thread, &order->ended_with);
    bool right;

    while (!atomic_load(&has_begun))
        live_sleep_ms(1);
    right = tusk_concurrent_future_cancel(future) && tusk_concurrent_future_cancelled(future) &&
            tusk_concurrent_future_result(future, 0) == -ECANCELED && !tusk_concurrent_future_cancel(future);
    tusk_concurrent_future_release(future);
    return right ? 0 : -EPROTO;
}

static int threadsafe_cancel(void *arg)
{
    struct order order = {tusk_get_running_loop(), 0};

    (void)arg;
    atomic_store(&has_begun, false);
    expect_int(tusk_to_thread(send_and_cancel, &order), 0);
    while (tusk_all_tasks(NULL, 0) > 1)
        let_run(1);
    expect_int(order.ended_with, -ECANCELED);
    return 0;
}

static void test_threadsafe_cancel(void **state)
{
    (void)state;
    play_quietly(threadsafe_cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_before_start),       cmocka_unit_test(test_self_cancel_then_block),
        cmocka_unit_test(test_cancel_at_the_end),         cmocka_unit_test(test_ignored_cancel),
        cmocka_unit_test(test_uncancel_retracts),         cmocka_unit_test(test_structured_uncancel),
        cmocka_unit_test(test_fatal_error_during_cancel), cmocka_unit_test(test_threadsafe_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
