/*
 * Scenarios of CPython's own tests that catch re-implementations: queues.
 * Each test is one rule.
 */
#include "sync/players.h"

static tusk_queue queue;

static int get(void)
{
    int item = -1;
    int rc = tusk_queue_get(&queue, &item);

    return rc < 0 ? rc : item;
}

static int get_in_task(void *arg)
{
    int rc = get();

    if (rc >= 0)
        trace("%s:%d", (const char *)arg, rc);
    return rc;
}

static void put_all(int count)
{
    for (int i = 1; i <= count; i++)
        expect_int(tusk_queue_put_nowait(&queue, &i), 0);
}

/* ---- A getter that is cancelled when an item is there for it leaves the item to others. ---- */

static int queue_cancel_does_not_drop_an_item(void *arg)
{
    tusk_task *tasks[4];

    (void)arg;
    tusk_queue_init(&queue, sizeof(int), 0, NULL);
    tasks[0] = tusk_create_task(get_in_task, "never");
    let_run(1);
    put_all(2);
    cancel_and_await(tasks[0]);
    expect_int(get(), 1);
    expect_int(get(), 2);
    /* One that was woken passes its wake-up on to those behind it. */
    for (int i = 0; i < 4; i++)
        tasks[i] = tusk_create_task(get_in_task, i < 2 ? "never" : i == 2 ? "third" : "fourth");
    let_run(1);
    expect(tusk_task_cancel(tasks[0]));
    put_all(2);
    expect(tusk_task_cancel(tasks[1]));
    expect_int(tusk_await(tasks[3]), 2);
    expect_int(tusk_await(tusk_gather(tasks, 3, .return_exceptions = true)), 0);
    expect(tusk_queue_empty(&queue));
    return tusk_queue_close(&queue);
}

static void test_queue_cancel_does_not_drop_an_item(void **state)
{
    (void)state;
    play_trace(queue_cancel_does_not_drop_an_item, "third:1 fourth:2");
}

/* ---- An immediate shutdown counts as done what it drops, and not what is being worked on. ---- */

static int join(void *arg)
{
    tusk_try(tusk_queue_join(&queue));
    trace_at(arg);
    return 0;
}

static int immediate_shutdown_accounting(void *arg)
{
    tusk_task *task;

    (void)arg;
    tusk_queue_init(&queue, sizeof(int), 0, NULL);
    put_all(5);
    expect_int(get(), 1);
    expect_int(get(), 2);
    task = tusk_create_task(join, "joined");
    let_run(1);
    tusk_queue_shutdown(&queue, .immediate = true);
    expect(tusk_queue_empty(&queue));
    expect_int(get(), TUSK_QUEUE_SHUT_DOWN);
    for (int i = 0; i < 2; i++) {
        let_run(3);
        expect(!tusk_future_done(task));
        expect_int(tusk_queue_task_done(&queue), 0);
    }
    mark();
    expect_int(tusk_await(task), 0);
    expect_int(tusk_queue_task_done(&queue), -EINVAL);
    return 0;
}

static void test_immediate_shutdown_accounting(void **state)
{
    (void)state;
    play_trace(immediate_shutdown_accounting, "joined@1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_cancel_does_not_drop_an_item),
        cmocka_unit_test(test_immediate_shutdown_accounting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
