/*
 * Scenarios of CPython's own tests that catch re-implementations: locks, semaphores, conditions, barriers.
 * Each test is one rule.
 */
#include "sync/players.h"

/* ---- A release when the first waiter is cancelled in the same turn wakes the next, and only that. ---- */

static tusk_lock lock;

static int take_lock(void *arg)
{
    tusk_try(tusk_lock_acquire(&lock));
    trace_at(arg);
    return 0;
}

static int cancel_and_release(void *arg)
{
    mark();
    expect(tusk_task_cancel(arg));
    return tusk_lock_release(&lock);
}

static int lock_cancel_release_race(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    tasks[0] = tusk_create_task(take_lock, "never");
    tasks[1] = tusk_create_task(take_lock, "second");
    tasks[2] = tusk_create_task(take_lock, "third");
    let_run(1);
    tusk_call_soon(cancel_and_release, tasks[0]);
    expect_int(tusk_await(tasks[0]), -ECANCELED);
    let_run(3);
    expect_int(tusk_await(tasks[1]), 0);
    /* The second has it, so the third waits. */
    expect(tusk_lock_locked(&lock));
    expect_waits(tasks[2], "a lock", &lock, "");
    cancel_and_await(tasks[2]);
    return tusk_lock_release(&lock);
}

static void test_lock_cancel_release_race(void **state)
{
    (void)state;
    play_trace(lock_cancel_release_race, "second@2");
}

/* ---- Permits go to waiters in their order: who gives one back and comes again is behind them. ---- */

static tusk_semaphore semaphore;

static int take_permit(void *arg)
{
    tusk_try(tusk_semaphore_acquire(&semaphore));
    trace("%s", (const char *)arg);
    return 0;
}

static int take_permit_twice(void *arg)
{
    tusk_try(take_permit(arg));
    tusk_semaphore_release(&semaphore);
    /* The permit that it gave back is not for itself. */
    expect(tusk_semaphore_locked(&semaphore));
    return take_permit("second again");
}

static int semaphore_order(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    semaphore = (tusk_semaphore)TUSK_SEMAPHORE_INIT(1);
    tasks[0] = tusk_create_task(take_permit, "first");
    tasks[1] = tusk_create_task(take_permit_twice, "second");
    tasks[2] = tusk_create_task(take_permit, "third");
    let_run(1);
    expect_int(tusk_semaphore_release(&semaphore), 0);
    expect_int(tusk_semaphore_release(&semaphore), 0);
    expect_int(tusk_await(tusk_gather(tasks, 3)), 0);
    expect(tusk_semaphore_locked(&semaphore));
    return 0;
}

static void test_semaphore_order(void **state)
{
    (void)state;
    play_trace(semaphore_order, "first second third second again");
}

/* ---- Waiters that are cancelled before a release do not eat it: it reaches the first that is left. ---- */

static int cancelled_waiter_does_not_eat_a_release(void *arg)
{
    tusk_task *tasks[4];

    (void)arg;
    semaphore = (tusk_semaphore)TUSK_SEMAPHORE_INIT(0);
    tasks[0] = tusk_create_task(take_permit, "never");
    tasks[1] = tusk_create_task(take_permit, "never");
    tasks[2] = tusk_create_task(take_permit, "third");
    tasks[3] = tusk_create_task(take_permit, "fourth");
    let_run(1);
    expect(tusk_task_cancel(tasks[0]));
    expect(tusk_task_cancel(tasks[1]));
    expect_int(tusk_semaphore_release(&semaphore), 0);
    let_run(2);
    expect(tusk_future_done(tasks[2]));
    expect_waits(tasks[3], "a semaphore", &semaphore, "");
    expect(tusk_semaphore_locked(&semaphore));
    expect_int(tusk_semaphore_release(&semaphore), 0);
    expect_int(tusk_await(tusk_gather(tasks, 4, .return_exceptions = true)), 0);
    expect(tusk_semaphore_locked(&semaphore));
    return 0;
}

static void test_cancelled_waiter_does_not_eat_a_release(void **state)
{
    (void)state;
    play_trace(cancelled_waiter_does_not_eat_a_release, "third fourth");
}

/* ---- A condition's wait takes its lock again through any number of cancels, and tells of the last. ---- */

static tusk_condition condition;

static int wait_stubbornly(void *arg)
{
    int rc;

    tusk_condition_scope(&condition);
    rc = tusk_condition_wait(&condition);
    expect(tusk_condition_locked(&condition));
    expect_text(tusk_message(), arg);
    trace_at("held");
    return rc;
}

static int condition_relock_under_cancel(void *arg)
{
    tusk_task *task = tusk_create_task(wait_stubbornly, "third");

    (void)arg;
    let_run(1);
    expect_int(tusk_condition_acquire(&condition), 0);
    mark();
    expect(tusk_task_cancel(task, .msg = "first"));
    let_run(2);
    expect_waits(task, "a lock", &condition.own_lock_, "");
    expect(tusk_task_cancel(task, .msg = "second"));
    let_run(2);
    expect_waits(task, "a lock", &condition.own_lock_, "");
    expect(tusk_task_cancel(task, .msg = "third"));
    let_run(2);
    expect(!tusk_future_done(task));
    expect_int(tusk_task_cancelling(task), 3);
    expect_int(tusk_condition_release(&condition), 0);
    expect_int(tusk_await(task), -ECANCELED);
    expect(!tusk_condition_locked(&condition));
    return 0;
}

static void test_condition_relock_under_cancel(void **state)
{
    (void)state;
    play_trace(condition_relock_under_cancel, "held@7");
}

/* ---- Who was notified and is cancelled while it waits for the lock passes the notification on. ---- */

static int stock;

static int has_stock(void *arg)
{
    (void)arg;
    return stock;
}

static int consume(void *arg)
{
    tusk_condition_scope(&condition);
    for (;;) {
        tusk_try(tusk_condition_wait_for(&condition, has_stock, NULL));
        if (stock < 0)
            return 0;
        stock--;
        trace("%s", (const char *)arg);
    }
}

static void put_stock(int count)
{
    stock = count;
    expect_int(tusk_condition_notify(&condition, 1), 0);
}

static int notification_survives_a_cancel_at_the_lock(void *arg)
{
    tusk_task *tasks[2] = {tusk_create_task(consume, "never"), tusk_create_task(consume, "second")};

    (void)arg;
    let_run(1);
    expect_int(tusk_condition_acquire(&condition), 0);
    put_stock(1);
    let_run(1);
    expect_waits(tasks[0], "a lock", &condition.own_lock_, "");
    expect(tusk_task_cancel(tasks[0]));
    expect_int(tusk_condition_release(&condition), 0);
    expect_int(tusk_await(tasks[0]), -ECANCELED);
    let_run(3);
    expect_int(stock, 0);
    cancel_and_await(tasks[1]);
    expect(!tusk_condition_locked(&condition));
    return 0;
}

static void test_notification_survives_a_cancel_at_the_lock(void **state)
{
    (void)state;
    play_trace(notification_survives_a_cancel_at_the_lock, "second");
}

/* ---- A reset while a barrier drains breaks those that are still inside; then it works again. ---- */

static tusk_barrier barrier;

/* Waits and says "name:index@iteration" or "name:error@iteration". */
static int arrive(void *arg)
{
    int rc = tusk_barrier_wait(&barrier);

    if (rc < 0)
        trace("%s:%s@%d", (const char *)arg, tusk_errorname(rc), iterations());
    else
        trace("%s:%d@%d", (const char *)arg, rc, iterations());
    return rc;
}

static void start_two(tusk_task **tasks)
{
    tasks[0] = tusk_create_task(arrive, "a");
    tasks[1] = tusk_create_task(arrive, "b");
    let_run(2);
    mark();
}

static int barrier_reset_while_draining(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    barrier = (tusk_barrier)TUSK_BARRIER_INIT(3);
    start_two(tasks);
    expect_int(arrive("last"), 2);
    expect_int(tusk_barrier_reset(&barrier), 0);
    for (int i = 0; i < 2; i++)
        expect_int(tusk_await(tasks[i]), TUSK_BROKEN_BARRIER);
    expect(!tusk_barrier_broken(&barrier));
    start_two(tasks);
    expect_int(arrive("again"), 2);
    for (int i = 0; i < 2; i++)
        expect_int(tusk_await(tasks[i]), i);
    return 0;
}

static void test_barrier_reset_while_draining(void **state)
{
    (void)state;
    play_trace(barrier_reset_while_draining, "last:2@0 a:TUSK_BROKEN_BARRIER@1 b:TUSK_BROKEN_BARRIER@1 "
                                             "again:2@0 a:0@1 b:1@1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock_cancel_release_race),
        cmocka_unit_test(test_semaphore_order),
        cmocka_unit_test(test_cancelled_waiter_does_not_eat_a_release),
        cmocka_unit_test(test_condition_relock_under_cancel),
        cmocka_unit_test(test_notification_survives_a_cancel_at_the_lock),
        cmocka_unit_test(test_barrier_reset_while_draining),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
