/*
 * Semaphore and BoundedSemaphore: permits, their order, and cancels that must not eat one.
 */
#include "sync/players.h"

static tusk_semaphore semaphore;

static int take(void *arg)
{
    tusk_try(tusk_semaphore_acquire(&semaphore));
    trace_at(arg);
    return 0;
}

static int take_turn(void *arg)
{
    tusk_semaphore_scope(&semaphore);
    trace_at(arg);
    return tusk_sleep(0);
}

static void set_up(int value)
{
    semaphore = (tusk_semaphore)TUSK_SEMAPHORE_INIT(value);
}

static void release(int times)
{
    while (times-- > 0)
        expect_int(tusk_semaphore_release(&semaphore), 0);
}

/* Exactly so many permits are there. */
static void expect_permits(int count)
{
    for (int i = 0; i < count; i++) {
        expect(!tusk_semaphore_locked(&semaphore));
        expect_int(tusk_semaphore_acquire(&semaphore), 0);
    }
    expect(tusk_semaphore_locked(&semaphore));
}

/* ---- the common ways ---- */

static int permits(void *arg)
{
    (void)arg;
    set_up(3);
    mark();
    expect_permits(3);
    release(2);
    expect_permits(2);
    expect_int(iterations(), 0);
    memset(&semaphore, 0, sizeof semaphore);
    expect_permits(0);
    release(1);
    expect_permits(1);
    return 0;
}

static void test_permits_are_counted(void **state)
{
    (void)state;
    play_quietly(permits);
    assert_int_equal(tusk_semaphore_acquire(&semaphore), TUSK_NOT_IN_TASK);
}

static int negative(void *arg)
{
    (void)arg;
    set_up(-1);
    expect_int(tusk_semaphore_acquire(&semaphore), -EINVAL);
    expect_int(tusk_semaphore_release(&semaphore), -EINVAL);
    expect(tusk_semaphore_locked(&semaphore));
    return 0;
}

static void test_a_negative_value_is_an_error(void **state)
{
    (void)state;
    play_quietly(negative);
}

static int two_at_a_time(void *arg)
{
    tusk_task *tasks[4];

    (void)arg;
    set_up(2);
    mark();
    tasks[0] = tusk_create_task(take_turn, "a");
    tasks[1] = tusk_create_task(take_turn, "b");
    tasks[2] = tusk_create_task(take_turn, "c");
    tasks[3] = tusk_create_task(take_turn, "d");
    let_run(1);
    expect_waits(tasks[2], "a semaphore", &semaphore, "");
    return tusk_await(tusk_gather(tasks, 4));
}

static void test_two_at_a_time_in_order(void **state)
{
    (void)state;
    play_trace(two_at_a_time, "a@1 b@1 c@3 d@3");
}

/* A permit that is released is reserved: locked() stays true and a newcomer queues up. */
static int reserved(void *arg)
{
    tusk_task *task;

    (void)arg;
    set_up(0);
    task = tusk_create_task(take, "waiter");
    let_run(1);
    mark();
    release(2);
    expect(tusk_semaphore_locked(&semaphore));
    expect_int(tusk_semaphore_acquire(&semaphore), 0);
    trace_at("newcomer");
    return tusk_await(task);
}

static void test_locked_while_anyone_waits(void **state)
{
    (void)state;
    play_trace(reserved, "waiter@1 newcomer@2");
}

/* CPython's order test: as many releases as waiters, in one go. */
static int release_often(void *arg)
{
    tusk_task *tasks[4];

    (void)arg;
    set_up(0);
    tasks[0] = tusk_create_task(take, "a");
    tasks[1] = tusk_create_task(take, "b");
    tasks[2] = tusk_create_task(take, "c");
    tasks[3] = tusk_create_task(take, "d");
    let_run(1);
    mark();
    release(2);
    let_run(2);
    release(3);
    expect_int(tusk_await(tusk_gather(tasks, 4)), 0);
    expect_permits(1);
    return 0;
}

static void test_each_release_wakes_one_first_come_first(void **state)
{
    (void)state;
    play_trace(release_often, "a@1 b@1 c@3 d@3");
}

/* ---- cancels ---- */

static int cancel_woken(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    set_up(0);
    tasks[0] = tusk_create_task(take, "never");
    tasks[1] = tusk_create_task(take, "second");
    tasks[2] = tusk_create_task(take, "third");
    let_run(1);
    mark();
    release(1);
    expect(tusk_task_cancel(tasks[0]));
    expect_int(tusk_await(tasks[0]), -ECANCELED);
    expect_int(tusk_await(tasks[1]), 0);
    expect_waits(tasks[2], "a semaphore", &semaphore, "");
    release(1);
    expect_int(tusk_await(tasks[2]), 0);
    expect_permits(0);
    return 0;
}

static void test_cancelled_after_the_wake_it_gives_the_permit_to_the_next(void **state)
{
    (void)state;
    play_trace(cancel_woken, "second@2 third@3");
}

static int cancel_last(void *arg)
{
    tusk_task *task;

    (void)arg;
    set_up(0);
    task = tusk_create_task(take, "never");
    let_run(1);
    release(1);
    cancel_and_await(task);
    expect_permits(1);
    return 0;
}

static void test_the_last_one_cancelled_puts_the_permit_back(void **state)
{
    (void)state;
    play_trace(cancel_last, "");
}

/* The permit is there, and all who wait are cancelled: a newcomer passes. */
static int pass_the_cancelled(void *arg)
{
    tusk_task *task;

    (void)arg;
    set_up(0);
    task = tusk_create_task(take, "never");
    let_run(1);
    expect(tusk_task_cancel(task));
    release(1);
    expect(!tusk_semaphore_locked(&semaphore));
    mark();
    expect_int(tusk_semaphore_acquire(&semaphore), 0);
    expect_int(iterations(), 0);
    expect_int(tusk_await(task), -ECANCELED);
    return 0;
}

static void test_a_newcomer_passes_waiters_that_are_all_cancelled(void **state)
{
    (void)state;
    play_trace(pass_the_cancelled, "");
}

/* A newcomer queued up behind a woken one that is then cancelled: both permits must reach somebody. */
static int wake_the_late(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    set_up(0);
    tasks[0] = tusk_create_task(take, "never");
    let_run(1);
    mark();
    release(2);
    tasks[1] = tusk_create_task(take, "late");
    tasks[2] = tusk_create_task(take, "later");
    expect(tusk_task_cancel(tasks[0]));
    expect_int(tusk_await(tusk_gather(tasks, 3, .return_exceptions = true)), 0);
    expect_permits(0);
    return 0;
}

static void test_permits_that_came_while_one_waited_are_given_out(void **state)
{
    (void)state;
    play_trace(wake_the_late, "late@1 later@1");
}

/* ---- bounded ---- */

static int bounded(void *arg)
{
    tusk_bounded_semaphore two = TUSK_BOUNDED_SEMAPHORE_INIT(2);

    (void)arg;
    expect_int(tusk_bounded_semaphore_release(&two), -EINVAL);
    expect_text(tusk_message(), "BoundedSemaphore released too many times");
    expect_int(tusk_bounded_semaphore_acquire(&two), 0);
    for (int i = 0; i < 2; i++) {
        tusk_bounded_semaphore_scope(&two);
        expect(tusk_bounded_semaphore_locked(&two));
    }
    expect(!tusk_bounded_semaphore_locked(&two));
    expect_int(tusk_bounded_semaphore_release(&two), 0);
    expect_int(tusk_bounded_semaphore_release(&two), -EINVAL);
    return 0;
}

static void test_bounded_refuses_a_release_too_many(void **state)
{
    (void)state;
    play_quietly(bounded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permits_are_counted),
        cmocka_unit_test(test_a_negative_value_is_an_error),
        cmocka_unit_test(test_two_at_a_time_in_order),
        cmocka_unit_test(test_locked_while_anyone_waits),
        cmocka_unit_test(test_each_release_wakes_one_first_come_first),
        cmocka_unit_test(test_cancelled_after_the_wake_it_gives_the_permit_to_the_next),
        cmocka_unit_test(test_the_last_one_cancelled_puts_the_permit_back),
        cmocka_unit_test(test_a_newcomer_passes_waiters_that_are_all_cancelled),
        cmocka_unit_test(test_permits_that_came_while_one_waited_are_given_out),
        cmocka_unit_test(test_bounded_refuses_a_release_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
