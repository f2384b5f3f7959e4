/*
 * Condition: notifications, and above all cancels, after which the lock must be held.
 */
#include "sync/players.h"

static tusk_condition condition;
static int number;

/* Waits once and says how that went. */
static int wait_once(void *arg)
{
    int rc;

    tusk_condition_scope(&condition);
    rc = tusk_condition_wait(&condition);
    expect(tusk_condition_locked(&condition));
    if (rc == 0)
        trace_at(arg);
    return rc;
}

static void start_three(tusk_task **tasks, tusk_coro *coro)
{
    tasks[0] = tusk_create_task(coro, "a");
    tasks[1] = tusk_create_task(coro, "b");
    tasks[2] = tusk_create_task(coro, "c");
    let_run(2);
}

static void notify(size_t n)
{
    expect_int(tusk_condition_acquire(&condition), 0);
    expect_int(tusk_condition_notify(&condition, n), 0);
    expect_int(tusk_condition_release(&condition), 0);
}

/* ---- notify ---- */

static int notify_some(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    start_three(tasks, wait_once);
    expect_waits(tasks[0], "a condition", &condition, "");
    mark();
    notify(0);
    let_run(2);
    notify(1);
    let_run(3);
    notify(2);
    return tusk_await(tusk_gather(tasks, 3));
}

static void test_notify_wakes_as_many_as_asked_first_come_first(void **state)
{
    (void)state;
    play_trace(notify_some, "a@3 b@6 c@6");
}

static int notify_all(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    start_three(tasks, wait_once);
    mark();
    expect_int(tusk_condition_acquire(&condition), 0);
    expect_int(tusk_condition_notify_all(&condition), 0);
    let_run(3);
    trace_at("release");
    expect_int(tusk_condition_release(&condition), 0);
    return tusk_await(tusk_gather(tasks, 3));
}

static void test_those_notified_wait_for_the_lock(void **state)
{
    (void)state;
    play_trace(notify_all, "release@3 a@4 b@5 c@6");
}

static int misuse(void *arg)
{
    (void)arg;
    expect_int(tusk_condition_wait(&condition), TUSK_INVALID_STATE);
    expect_text(tusk_message(), "cannot wait on un-acquired lock");
    expect_int(tusk_condition_notify(&condition, 1), TUSK_INVALID_STATE);
    expect_text(tusk_message(), "cannot notify on un-acquired lock");
    expect_int(tusk_condition_notify_all(&condition), TUSK_INVALID_STATE);
    expect_int(tusk_condition_release(&condition), TUSK_INVALID_STATE);
    return 0;
}

static void test_without_the_lock_all_is_refused(void **state)
{
    (void)state;
    play_quietly(misuse);
    assert_int_equal(tusk_condition_wait(&condition), TUSK_NOT_IN_TASK);
}

/* ---- wait_for ---- */

static int is_at_least(void *arg)
{
    return number >= (int)(intptr_t)arg ? number : 0;
}

static int refuse_to_say(void *arg)
{
    (void)arg;
    return -EDOM;
}

static int wait_for_three(void *arg)
{
    int rc;

    (void)arg;
    tusk_condition_scope(&condition);
    rc = tusk_condition_wait_for(&condition, is_at_least, as_arg(3));
    trace_at("three");
    return rc;
}

static int count_up(void *arg)
{
    tusk_task *task = tusk_create_task(wait_for_three, NULL);

    (void)arg;
    number = 0;
    let_run(1);
    for (number = 1; number < 5; number++) {
        notify(1);
        let_run(2);
    }
    expect_int(tusk_await(task), 3);
    expect_int(tusk_condition_acquire(&condition), 0);
    mark();
    expect_int(tusk_condition_wait_for(&condition, is_at_least, as_arg(3)), 5);
    expect_int(tusk_condition_wait_for(&condition, refuse_to_say, NULL), -EDOM);
    expect_int(iterations(), 0);
    return tusk_condition_release(&condition);
}

static void test_wait_for_looks_again_after_each_notification(void **state)
{
    (void)state;
    play(count_up);
    assert_string_equal(stage_trace, "three@6");
}

/* ---- cancels ---- */

static int cancel_waiting(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    start_three(tasks, wait_once);
    mark();
    expect(tusk_task_cancel(tasks[1]));
    expect_int(tusk_await(tasks[1]), -ECANCELED);
    expect(!tusk_condition_locked(&condition));
    /* It passed on a notification that it may have had: a wake-up too many, for the first. */
    notify(1);
    expect_int(tusk_await(tasks[0]), 0);
    expect_int(tusk_await(tasks[2]), 0);
    return 0;
}

static void test_a_cancelled_wait_notifies_another(void **state)
{
    (void)state;
    play_trace(cancel_waiting, "a@2 c@3");
}

/* Notified, then cancelled before it runs: the notification goes to the next. */
static int cancel_woken(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    start_three(tasks, wait_once);
    mark();
    notify(1);
    cancel_and_await(tasks[0]);
    expect_int(tusk_await(tasks[1]), 0);
    expect(!tusk_future_done(tasks[2]));
    cancel_and_await(tasks[2]);
    return 0;
}

static void test_a_notification_is_not_lost_by_a_cancel_before_the_turn(void **state)
{
    (void)state;
    play_trace(cancel_woken, "b@2");
}

/* ---- a shared lock ---- */

static int wait_on(void *arg)
{
    tusk_condition *one = arg;

    tusk_condition_scope(one);
    return tusk_condition_wait(one);
}

static int share(void *arg)
{
    tusk_lock lock = TUSK_LOCK_INIT;
    tusk_condition left = TUSK_CONDITION_INIT_WITH(&lock);
    tusk_condition right = TUSK_CONDITION_INIT_WITH(&lock);
    tusk_task *tasks[2] = {tusk_create_task(wait_on, &left), tusk_create_task(wait_on, &right)};

    (void)arg;
    let_run(2);
    expect_int(tusk_lock_acquire(&lock), 0);
    expect(tusk_condition_locked(&left));
    expect(tusk_condition_locked(&right));
    expect_int(tusk_condition_notify(&right, 1), 0);
    expect_int(tusk_condition_release(&left), 0);
    expect(!tusk_lock_locked(&lock));
    expect_int(tusk_await(tasks[1]), 0);
    expect(!tusk_future_done(tasks[0]));
    cancel_and_await(tasks[0]);
    return 0;
}

static void test_two_conditions_share_a_lock(void **state)
{
    (void)state;
    play_quietly(share);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify_wakes_as_many_as_asked_first_come_first),
        cmocka_unit_test(test_those_notified_wait_for_the_lock),
        cmocka_unit_test(test_without_the_lock_all_is_refused),
        cmocka_unit_test(test_wait_for_looks_again_after_each_notification),
        cmocka_unit_test(test_a_cancelled_wait_notifies_another),
        cmocka_unit_test(test_a_notification_is_not_lost_by_a_cancel_before_the_turn),
        cmocka_unit_test(test_two_conditions_share_a_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
