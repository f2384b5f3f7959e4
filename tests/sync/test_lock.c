/*
 * Lock: who gets it when, cancels at every moment, misuse, and the scope.
 */
#include "sync/players.h"

static tusk_lock lock;

/* Acquires, says so, releases. */
static int take_turn(void *arg)
{
    tusk_try(tusk_lock_acquire(&lock));
    trace_at(arg);
    tusk_lock_release(&lock);
    return 0;
}

/* Acquires, says so, and keeps it. */
static int take(void *arg)
{
    tusk_try(tusk_lock_acquire(&lock));
    trace_at(arg);
    return 0;
}

/* ---- the common ways ---- */

static int free_lock(void *arg)
{
    tusk_lock zeroed;

    (void)arg;
    memset(&zeroed, 0, sizeof zeroed);
    mark();
    expect(!tusk_lock_locked(&zeroed));
    expect_int(tusk_lock_acquire(&zeroed), 0);
    expect(tusk_lock_locked(&zeroed));
    expect_int(tusk_lock_release(&zeroed), 0);
    expect(!tusk_lock_locked(&zeroed));
    expect_int(iterations(), 0);
    return 0;
}

static void test_a_free_lock_takes_no_iteration(void **state)
{
    (void)state;
    play_quietly(free_lock);
}

static int release_unlocked(void *arg)
{
    tusk_lock fresh = TUSK_LOCK_INIT;

    (void)arg;
    expect_int(tusk_lock_release(&fresh), TUSK_INVALID_STATE);
    expect_text(tusk_message(), "Lock is not acquired.");
    expect_int(tusk_lock_acquire(&fresh), 0);
    expect_int(tusk_lock_release(&fresh), 0);
    expect_int(tusk_lock_release(&fresh), TUSK_INVALID_STATE);
    return 0;
}

static void test_releasing_an_unlocked_lock_is_an_error(void **state)
{
    (void)state;
    play_quietly(release_unlocked);
}

static int first_in_first_out(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    tasks[0] = tusk_create_task(take_turn, "a");
    tasks[1] = tusk_create_task(take_turn, "b");
    tasks[2] = tusk_create_task(take_turn, "c");
    let_run(2);
    expect_waits(tasks[1], "a lock", &lock, "");
    mark();
    expect_int(tusk_lock_release(&lock), 0);
    expect_int(tusk_await(tusk_gather(tasks, 3)), 0);
    return 0;
}

static void test_first_in_first_out(void **state)
{
    (void)state;
    play_trace(first_in_first_out, "a@1 b@2 c@3");
}

/* "woken by release: 1 for it, 2 for who awaits it". */
static int woken_in_one(void *arg)
{
    tusk_task *task;

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    task = tusk_create_task(take, "it");
    let_run(1);
    mark();
    expect_int(tusk_lock_release(&lock), 0);
    expect_int(tusk_await(task), 0);
    trace_at("awaiter");
    return tusk_lock_release(&lock);
}

static void test_a_release_takes_one_iteration_and_two_for_the_awaiter(void **state)
{
    (void)state;
    play_trace(woken_in_one, "it@1 awaiter@2");
}

/* Between a release and the turn of the one it woke, the lock is free, but not for others. */
static int no_hand_over(void *arg)
{
    tusk_task *task;

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    task = tusk_create_task(take_turn, "waiter");
    let_run(1);
    mark();
    expect_int(tusk_lock_release(&lock), 0);
    expect(!tusk_lock_locked(&lock));
    expect_int(tusk_lock_acquire(&lock), 0);
    trace_at("newcomer");
    expect_int(tusk_lock_release(&lock), 0);
    return tusk_await(task);
}

static void test_a_newcomer_queues_up_behind_the_one_woken(void **state)
{
    (void)state;
    play_trace(no_hand_over, "waiter@1 newcomer@2");
}

/* ---- cancels ---- */

static int cancel_waiting(void *arg)
{
    tusk_task *task;

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    task = tusk_create_task(take, "never");
    let_run(1);
    cancel_and_await(task);
    expect(tusk_lock_locked(&lock));
    expect_int(tusk_lock_release(&lock), 0);
    expect_int(tusk_lock_acquire(&lock), 0);
    return tusk_lock_release(&lock);
}

static void test_a_cancelled_waiter_leaves_the_lock_alone(void **state)
{
    (void)state;
    play_trace(cancel_waiting, "");
}

/* CPython's cancel race: the one woken is cancelled before it runs, and passes the turn on. */
static int cancel_woken(void *arg)
{
    tusk_task *first;
    tusk_task *second;

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    first = tusk_create_task(take_turn, "first");
    second = tusk_create_task(take_turn, "second");
    let_run(1);
    mark();
    expect_int(tusk_lock_release(&lock), 0);
    cancel_and_await(first);
    expect_int(tusk_await(second), 0);
    expect(!tusk_lock_locked(&lock));
    return 0;
}

static void test_cancelled_after_the_wake_it_wakes_the_next(void **state)
{
    (void)state;
    play_trace(cancel_woken, "second@2");
}

/* A newcomer passes waiters that are all cancelled, who then find it locked and wake nobody. */
static int pass_the_cancelled(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    tasks[0] = tusk_create_task(take, "never");
    tasks[1] = tusk_create_task(take, "never");
    let_run(1);
    expect(tusk_task_cancel(tasks[0]));
    expect(tusk_task_cancel(tasks[1]));
    expect_int(tusk_lock_release(&lock), 0);
    mark();
    expect_int(tusk_lock_acquire(&lock), 0);
    expect_int(iterations(), 0);
    expect_int(tusk_await(tasks[0]), -ECANCELED);
    expect_int(tusk_await(tasks[1]), -ECANCELED);
    expect(tusk_lock_locked(&lock));
    return tusk_lock_release(&lock);
}

static void test_a_newcomer_passes_waiters_that_are_all_cancelled(void **state)
{
    (void)state;
    play_trace(pass_the_cancelled, "");
}

/* CPython 3.11's cancel/release race: two woken in a row and cancelled, then a third must still get it. */
static int cancel_release_race(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(take_turn, i == 2 ? "third" : "never");
    let_run(1);
    mark();
    expect_int(tusk_lock_release(&lock), 0);
    expect(tusk_task_cancel(tasks[0]));
    expect(tusk_task_cancel(tasks[1]));
    expect_int(tusk_await(tusk_gather(tasks, 3, .return_exceptions = true)), 0);
    expect(!tusk_lock_locked(&lock));
    return 0;
}

static void test_a_row_of_cancels_does_not_lose_the_wake(void **state)
{
    (void)state;
    play_trace(cancel_release_race, "third@2");
}

static int cancel_message(void *arg)
{
    (void)arg;
    expect_int(tusk_lock_acquire(&lock), -ECANCELED);
    expect_text(tusk_message(), "enough");
    return 0;
}

static int cancel_with_message(void *arg)
{
    tusk_task *task;

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    task = tusk_create_task(cancel_message, NULL);
    let_run(1);
    expect(tusk_task_cancel(task, .msg = "enough"));
    expect(tusk_task_cancel(task, .msg = "the first one counts"));
    expect_int(tusk_await(task), 0);
    return tusk_lock_release(&lock);
}

static void test_the_message_of_the_cancel_comes_with_it(void **state)
{
    (void)state;
    play_quietly(cancel_with_message);
}

static int self_cancelled(void *arg)
{
    (void)arg;
    tusk_task_cancel(tusk_current_task());
    expect_int(tusk_lock_acquire(&lock), -ECANCELED);
    trace_at("cancelled");
    return 0;
}

static int cancel_self_then_block(void *arg)
{
    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    mark();
    expect_int(tusk_await(tusk_create_task(self_cancelled, NULL)), 0);
    return tusk_lock_release(&lock);
}

static void test_cancels_itself_then_blocks(void **state)
{
    (void)state;
    play_trace(cancel_self_then_block, "cancelled@2");
}

/* ---- where it may be used ---- */

static int acquire_in_callback(void *arg)
{
    int *rc = arg;

    *rc = tusk_lock_acquire(&lock);
    return 0;
}

static int use_in_callback(void *arg)
{
    int rc = 0;

    (void)arg;
    expect(tusk_call_soon(acquire_in_callback, &rc).handle_ != NULL);
    let_run(1);
    expect_int(rc, TUSK_NOT_IN_TASK);
    expect(!tusk_lock_locked(&lock));
    return 0;
}

static void test_only_tasks_acquire(void **state)
{
    (void)state;
    play_quietly(use_in_callback);
    assert_int_equal(tusk_lock_acquire(&lock), TUSK_NOT_IN_TASK);
}

static int acquire_elsewhere(void *arg)
{
    return tusk_lock_acquire(arg);
}

static int use_in_two_loops(void *arg)
{
    tusk_task *task;

    (void)arg;
    expect_int(tusk_lock_acquire(&lock), 0);
    task = tusk_create_task(take_turn, "waiter");
    let_run(1);
    expect_int(play_elsewhere(acquire_elsewhere, &lock), TUSK_OTHER_LOOP);
    expect_int(tusk_lock_release(&lock), 0);
    return tusk_await(task);
}

static void test_waiters_of_another_loop_are_refused(void **state)
{
    (void)state;
    play_quietly(use_in_two_loops);
}

/* ---- two locks taken in two orders ---- */

static tusk_lock other_lock;

static int take_both(void *arg)
{
    tusk_lock *first = arg;
    tusk_lock *second = first == &lock ? &other_lock : &lock;

    tusk_lock_scope(first);
    tusk_try(tusk_sleep(1));
    tusk_lock_scope(second);
    return 0;
}

static int take_crosswise(void *arg)
{
    tusk_task *tasks[2] = {
        tusk_create_task(take_both, &lock, .name = "left"),
        tusk_create_task(take_both, &other_lock, .name = "right"),
    };

    (void)arg;
    return tusk_await(tusk_gather(tasks, 2));
}

static void test_a_deadlock_names_the_locks(void **state)
{
    char wanted[256];

    (void)state;
    assert_int_equal(play(take_crosswise), -EDEADLK);
    snprintf(wanted, sizeof wanted,
             "Deadlock: waiting for a gather|Task-1|-|-\n"
             "Deadlock: waiting for a lock at %p|left|-|-\n"
             "Deadlock: waiting for a lock at %p|right|-|-\n",
             (void *)&other_lock, (void *)&lock);
    assert_string_equal(stage_reports, wanted);
    assert_false(tusk_lock_locked(&lock) || tusk_lock_locked(&other_lock));
}

/* ---- the scope ---- */

static int leave_early(int where)
{
    tusk_lock_scope(&lock);

    expect(tusk_lock_locked(&lock));
    if (where == 0)
        return 10;
    for (int i = 0; i < 2; i++) {
        tusk_lock inner = TUSK_LOCK_INIT;
        tusk_lock *seen = &inner;
        tusk_lock_scope(seen);

        expect(tusk_lock_locked(seen));
        if (where == 1)
            return 11;
        if (where == 2)
            goto out;
    }
    tusk_try(where == 3 ? -EIO : 0);
out:
    return 12;
}

static int scopes(void *arg)
{
    static const int wanted[] = {10, 11, 12, -EIO, 12};

    (void)arg;
    for (int where = 0; where < 5; where++) {
        expect_int(leave_early(where), wanted[where]);
        expect(!tusk_lock_locked(&lock));
    }
    return 0;
}

static void test_a_scope_releases_on_every_way_out(void **state)
{
    (void)state;
    play_quietly(scopes);
}

static int scope_in_vain(void *arg)
{
    tusk_lock_scope(&lock);
    trace_at(arg);
    return 0;
}

static int cancel_scope(void *arg)
{
    tusk_task *task;

    (void)arg;
    tusk_lock_scope(&lock);
    task = tusk_create_task(scope_in_vain, "never");
    let_run(1);
    cancel_and_await(task);
    expect(tusk_lock_locked(&lock));
    return 0;
}

static void test_a_scope_that_was_not_entered_releases_nothing(void **state)
{
    (void)state;
    play_trace(cancel_scope, "");
    assert_false(tusk_lock_locked(&lock));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_free_lock_takes_no_iteration),
        cmocka_unit_test(test_releasing_an_unlocked_lock_is_an_error),
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_a_release_takes_one_iteration_and_two_for_the_awaiter),
        cmocka_unit_test(test_a_newcomer_queues_up_behind_the_one_woken),
        cmocka_unit_test(test_a_cancelled_waiter_leaves_the_lock_alone),
        cmocka_unit_test(test_cancelled_after_the_wake_it_wakes_the_next),
        cmocka_unit_test(test_a_newcomer_passes_waiters_that_are_all_cancelled),
        cmocka_unit_test(test_a_row_of_cancels_does_not_lose_the_wake),
        cmocka_unit_test(test_the_message_of_the_cancel_comes_with_it),
        cmocka_unit_test(test_cancels_itself_then_blocks),
        cmocka_unit_test(test_only_tasks_acquire),
        cmocka_unit_test(test_waiters_of_another_loop_are_refused),
        cmocka_unit_test(test_a_deadlock_names_the_locks),
        cmocka_unit_test(test_a_scope_releases_on_every_way_out),
        cmocka_unit_test(test_a_scope_that_was_not_entered_releases_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
