/*
 * Barrier: filling, draining, reset, abort, and cancels in each.
 */
#include "sync/players.h"

static tusk_barrier barrier;

static void set_up(size_t parties)
{
    barrier = (tusk_barrier)TUSK_BARRIER_INIT(parties);
}

/* Waits and says "name:index@iteration" or "name:error@iteration". */
static int arrive(void *arg)
{
    int rc = tusk_barrier_wait(&barrier);

    trace("%s:%s@%d", (const char *)arg,
          rc < 0    ? tusk_errorname(rc)
          : rc == 0 ? "0"
          : rc == 1 ? "1"
                    : "2",
          iterations());
    return rc;
}

static void start(tusk_task **tasks, int count)
{
    static const char *const names[] = {"a", "b", "c", "d"};

    for (int i = 0; i < count; i++)
        tasks[i] = tusk_create_task(arrive, (void *)(uintptr_t)names[i]);
    let_run(2);
    mark();
}

static int all_come(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    set_up(3);
    expect_int(tusk_barrier_parties(&barrier), 3);
    start(tasks, 2);
    expect_waits(tasks[0], "a barrier", &barrier, "");
    expect_int(tusk_barrier_n_waiting(&barrier), 2);
    expect_int(arrive("last"), 2);
    expect_int(tusk_barrier_n_waiting(&barrier), 0);
    expect_int(tusk_await(tasks[0]), 0);
    expect_int(tusk_await(tasks[1]), 1);
    expect(!tusk_barrier_broken(&barrier));
    return 0;
}

static void test_all_go_on_when_the_last_has_come(void **state)
{
    (void)state;
    play_trace(all_come, "last:2@0 a:0@1 b:1@1");
}

/* Who comes while the others leave is of the next party. */
static int come_while_draining(void *arg)
{
    tusk_task *tasks[2];
    tusk_task *late;

    (void)arg;
    set_up(2);
    start(tasks, 1);
    tasks[1] = tusk_create_task(arrive, "late");
    expect_int(arrive("last"), 1);
    expect_int(tusk_barrier_n_waiting(&barrier), 0);
    let_run(1);
    late = tasks[1];
    expect_int(tusk_await(tasks[0]), 0);
    let_run(2);
    expect_int(tusk_barrier_n_waiting(&barrier), 1);
    expect_int(arrive("next"), 1);
    expect_int(tusk_await(late), 0);
    return 0;
}

static void test_newcomers_wait_while_it_drains(void **state)
{
    (void)state;
    play_trace(come_while_draining, "last:1@0 a:0@1 next:1@3 late:0@4");
}

static int cancel_waiting(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    set_up(3);
    start(tasks, 2);
    expect(tusk_task_cancel(tasks[0]));
    expect_int(tusk_await(tasks[0]), -ECANCELED);
    expect(!tusk_barrier_broken(&barrier));
    expect_int(tusk_barrier_n_waiting(&barrier), 1);
    cancel_and_await(tasks[1]);
    expect_int(tusk_barrier_n_waiting(&barrier), 0);
    return 0;
}

static void test_a_cancelled_party_does_not_break_it(void **state)
{
    (void)state;
    play_trace(cancel_waiting, "a:ECANCELED@1 b:ECANCELED@3");
}

static int reset_waiting(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    set_up(3);
    start(tasks, 2);
    expect_int(tusk_barrier_reset(&barrier), 0);
    expect_int(tusk_await(tasks[0]), TUSK_BROKEN_BARRIER);
    expect_text(tusk_message(), "Abort or reset of barrier");
    expect_int(tusk_await(tasks[1]), TUSK_BROKEN_BARRIER);
    expect(!tusk_barrier_broken(&barrier));
    expect_int(tusk_barrier_n_waiting(&barrier), 0);
    return 0;
}

static void test_a_reset_breaks_those_who_wait_and_nothing_else(void **state)
{
    (void)state;
    play_trace(reset_waiting, "a:TUSK_BROKEN_BARRIER@1 b:TUSK_BROKEN_BARRIER@1");
}

static int abort_waiting(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    set_up(3);
    start(tasks, 2);
    expect_int(tusk_barrier_abort(&barrier), 0);
    expect(tusk_barrier_broken(&barrier));
    expect_int(tusk_await(tasks[0]), TUSK_BROKEN_BARRIER);
    expect_int(tusk_await(tasks[1]), TUSK_BROKEN_BARRIER);
    expect_int(tusk_barrier_wait(&barrier), TUSK_BROKEN_BARRIER);
    expect_text(tusk_message(), "Barrier aborted");
    expect_int(tusk_barrier_reset(&barrier), 0);
    expect(!tusk_barrier_broken(&barrier));
    start(tasks, 2);
    expect_int(arrive("again"), 2);
    expect_int(tusk_await(tasks[0]), 0);
    return tusk_await(tasks[1]) == 1 ? 0 : -EIO;
}

static void test_an_abort_breaks_it_until_a_reset(void **state)
{
    (void)state;
    play_trace(abort_waiting, "a:TUSK_BROKEN_BARRIER@1 b:TUSK_BROKEN_BARRIER@1 again:2@0 a:0@1 b:1@1");
}

static int one_party(void *arg)
{
    (void)arg;
    set_up(1);
    mark();
    for (int i = 0; i < 3; i++)
        expect_int(tusk_barrier_wait(&barrier), 0);
    expect_int(iterations(), 0);
    set_up(0);
    expect_int(tusk_barrier_wait(&barrier), -EINVAL);
    expect_int(tusk_barrier_reset(&barrier), -EINVAL);
    expect_int(tusk_barrier_abort(&barrier), -EINVAL);
    return 0;
}

static void test_one_party_never_waits_and_none_is_an_error(void **state)
{
    (void)state;
    play_quietly(one_party);
    assert_int_equal(tusk_barrier_wait(&barrier), TUSK_NOT_IN_TASK);
    assert_int_equal(tusk_barrier_reset(&barrier), TUSK_NOT_IN_TASK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_go_on_when_the_last_has_come),
        cmocka_unit_test(test_newcomers_wait_while_it_drains),
        cmocka_unit_test(test_a_cancelled_party_does_not_break_it),
        cmocka_unit_test(test_a_reset_breaks_those_who_wait_and_nothing_else),
        cmocka_unit_test(test_an_abort_breaks_it_until_a_reset),
        cmocka_unit_test(test_one_party_never_waits_and_none_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
