/*
 * Scenarios of CPython's own tests that catch re-implementations: time-outs.
 * Each test is one rule.
 */
#include <time.h>

#include "sync/players.h"

/* ---- Of nested time-outs that fire at once in a busy loop, the outermost reports. ---- */

static void keep_busy(int milliseconds)
{
    struct timespec time = {.tv_nsec = milliseconds * 1000000L};

    nanosleep(&time, NULL);
}

static int sleep_in_two_timeouts(tusk_timeout *outer, tusk_timeout *inner)
{
    int rc;

    expect_int(tusk_timeout_enter(inner, 0.002), 0);
    keep_busy(30);
    rc = tusk_timeout_exit(inner, tusk_sleep(3600));
    expect_int(rc, -ECANCELED);
    expect_int(tusk_task_cancelling(tusk_current_task()), 1);
    expect(tusk_timeout_expired(inner) && tusk_timeout_expired(outer));
    return rc;
}

static int nested_timeouts_on_a_busy_loop(void *arg)
{
    tusk_timeout outer;
    tusk_timeout inner;

    (void)arg;
    expect_int(tusk_timeout_enter(&outer, 0.02), 0);
    expect_int(tusk_timeout_exit(&outer, sleep_in_two_timeouts(&outer, &inner)), -ETIMEDOUT);
    expect_int(tusk_task_cancelling(tusk_current_task()), 0);
    /* Nothing is left that could disturb what follows. */
    return tusk_sleep(0);
}

static void test_nested_timeouts_on_a_busy_loop(void **state)
{
    (void)state;
    stage_clean();
    assert_int_equal(tusk_run(nested_timeouts_on_a_busy_loop, NULL), 0);
    assert_int_equal(stage_failures, 0);
}

/* ---- A cancel from before a time-out does not count in it; one from within makes it no time-out. ---- */

static int swallow_own_cancel(void)
{
    tusk_task_cancel(tusk_current_task());
    return tusk_sleep(1);
}

static int cancel_after_a_cancel_in_a_timeout(void *arg)
{
    tusk_timeout timeout;

    (void)arg;
    expect_int(swallow_own_cancel(), -ECANCELED);
    expect_int(tusk_timeout_enter(&timeout, 0), 0);
    expect_int(tusk_timeout_exit(&timeout, tusk_sleep(1)), -ETIMEDOUT);
    expect_int(tusk_task_cancelling(tusk_current_task()), 1);

    expect_int(tusk_timeout_enter(&timeout, 1), 0);
    tusk_task_cancel(tusk_current_task());
    expect_int(tusk_timeout_exit(&timeout, tusk_sleep(2)), -ECANCELED);
    expect(!tusk_timeout_expired(&timeout));
    expect_int(tusk_task_cancelling(tusk_current_task()), 2);
    return 0;
}

static void test_cancel_after_a_cancel_in_a_timeout(void **state)
{
    (void)state;
    play_quietly(cancel_after_a_cancel_in_a_timeout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested_timeouts_on_a_busy_loop),
        cmocka_unit_test(test_cancel_after_a_cancel_in_a_timeout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
