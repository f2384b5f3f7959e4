/*
 * Ctrl-C, seen from outside. What its cancel becomes in the end: tests/scenarios/test_running.c.
 */
#include <pthread.h>

#include "os/program.h"

static bool is_default(void)
{
    struct sigaction action;

    return sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

/* ---- the first one ---- */

static int sleep_and_clean_up(void *arg)
{
    int rc;

    (void)arg;
    say("ready");
    rc = tusk_sleep(1000);
    say("cleaned up");
    return rc;
}

static int interrupted(void)
{
    int status = said(tusk_run(sleep_and_clean_up, NULL));

    return is_default() ? status : 99;
}

static int interrupted_with_poll(void)
{
    return said(tusk_run(sleep_and_clean_up, NULL, .poller = "poll"));
}

static int interrupted_in_debug_mode(void)
{
    return said(tusk_run(sleep_and_clean_up, NULL, .debug = true));
}

static void test_the_first_cancels(void **state)
{
    int (*const programs[])(void) = {interrupted, interrupted_with_poll, interrupted_in_debug_mode};
    struct program program;

    (void)state;
    for (int i = 0; i < 3; i++) {
        start(&program, programs[i]);
        interrupt_at(&program, "ready");
        assert_exit(&program, 1, "ready\ncleaned up\nEINTR\n");
    }
}

static int swallow(void *arg)
{
    int rc = sleep_and_clean_up(arg);

    return rc == -ECANCELED ? 5 : rc;
}

static int swallowing(void)
{
    return said(tusk_run(swallow, NULL));
}

static void test_a_program_that_swallows_it_has_its_result(void **state)
{
    struct program program;

    (void)state;
    start(&program, swallowing);
    interrupt_at(&program, "ready");
    assert_exit(&program, 5, "ready\ncleaned up\nfine\n");
}

static int fail_in_clean_up(void *arg)
{
    int rc = sleep_and_clean_up(arg);

    return rc == -ECANCELED ? -EIO : rc;
}

static int failing(void)
{
    return said(tusk_run(fail_in_clean_up, NULL));
}

static void test_another_error_counts_more(void **state)
{
    struct program program;

    (void)state;
    start(&program, failing);
    interrupt_at(&program, "ready");
    assert_exit(&program, 1, "ready\ncleaned up\nEIO\n");
}

static int cancelled_otherwise_main(void *arg)
{
    (void)arg;
    tusk_task_cancel(tusk_current_task());
    return tusk_sleep(1000);
}

static int cancelled_otherwise(void)
{
    return said(tusk_run(cancelled_otherwise_main, NULL));
}

static void test_a_cancel_alone_is_no_interrupt(void **state)
{
    struct program program;

    (void)state;
    start(&program, cancelled_otherwise);
    assert_exit(&program, 1, "ECANCELED\n");
}

/* It comes in the last step, when no turn of the loop is left that could deliver it. */
static int raise_and_return(void *arg)
{
    (void)arg;
    raise(SIGINT);
    return 3;
}

static int too_late(void)
{
    int status = said(tusk_run(raise_and_return, NULL));

    return is_default() ? status : 99;
}

static void test_one_that_comes_too_late_is_not_lost(void **state)
{
    struct program program;

    (void)state;
    start(&program, too_late);
    assert_exit(&program, 1, "EINTR\n");
}

static int many_tasks(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(sleep_and_clean_up, NULL);
    return tusk_await(tusk_gather(tasks, 3));
}

static int gathering(void)
{
    return said(tusk_run(many_tasks, NULL));
}

static void test_it_goes_down_to_the_children(void **state)
{
    struct program program;

    (void)state;
    start(&program, gathering);
    interrupt_at(&program, "ready\nready\nready\n");
    assert_exit(&program, 1, "ready\nready\nready\ncleaned up\ncleaned up\ncleaned up\nEINTR\n");
}

/* A busy loop is interrupted too. */
static int turn_round(void *arg)
{
    int rc;

    (void)arg;
    say("ready");
    do
        rc = tusk_sleep(0);
    while (rc == 0);
    return rc;
}

static int busy_loop(void)
{
    return said(tusk_run(turn_round, NULL));
}

static int busy_virtual_loop(void)
{
    return said(tusk_run(turn_round, NULL, .clock = TUSK_CLOCK_VIRTUAL));
}

static int tick_for_ever(void *arg)
{
    int rc;

    (void)arg;
    say("ready");
    do
        rc = tusk_sleep(0.001);
    while (rc == 0);
    return rc;
}

static int ticking_virtual_loop(void)
{
    return said(tusk_run(tick_for_ever, NULL, .clock = TUSK_CLOCK_VIRTUAL));
}

static void test_a_busy_loop(void **state)
{
    int (*const programs[])(void) = {busy_loop, busy_virtual_loop, ticking_virtual_loop};
    struct program program;

    (void)state;
    skip_if_signals_are_held_back();
    for (int i = 0; i < 3; i++) {
        start(&program, programs[i]);
        interrupt_at(&program, "ready");
        assert_exit(&program, 1, "ready\nEINTR\n");
    }
}

/* ---- the second one ---- */

static int keep_sleeping(void *arg)
{
    int rc = sleep_and_clean_up(arg);

    return rc == -ECANCELED ? sleep_and_clean_up(arg) : rc;
}

static int stubborn(void)
{
    return said(tusk_run(keep_sleeping, NULL));
}

static void test_the_second_ends_the_process(void **state)
{
    struct program program;

    (void)state;
    start(&program, stubborn);
    interrupt_at(&program, "ready\n");
    interrupt_at(&program, "cleaned up\nready\n");
    assert_killed(&program, "ready\ncleaned up\nready\n");
}

/* The task never lets go of the processor: only the second one helps. */
static int block(void *arg)
{
    (void)arg;
    say("ready");
    live_sleep_ms(200);
    say("blocked");
    for (;;)
        live_sleep_ms(1000);
    return 0;
}

static int blocked(void)
{
    return said(tusk_run(block, NULL));
}

static void test_the_second_also_helps_a_blocked_loop(void **state)
{
    struct program program;

    (void)state;
    start(&program, blocked);
    interrupt_at(&program, "ready\n");
    interrupt_at(&program, "blocked\n");
    assert_killed(&program, "ready\nblocked\n");
}

/* ---- the end of a run ---- */

static int hang(void *arg)
{
    (void)arg;
    say("in the thread");
    for (;;)
        live_sleep_ms(1000);
    return 0;
}

static int leave_thread(void *arg)
{
    (void)arg;
    tusk_release(tusk_run_in_executor(NULL, hang, NULL));
    say("left");
    return 0;
}

static int stuck_thread(void)
{
    return said(tusk_run(leave_thread, NULL));
}

static void test_one_is_enough_at_the_end(void **state)
{
    struct program program;
    int status;

    (void)state;
    start(&program, stuck_thread);
    read_until(&program, "in the thread");
    read_until(&program, "left\n");
    /* The main task has ended as soon as the loop turns; before that the signal would be the first one. */
    live_sleep_ms(live_count(300, 3000));
    interrupt_at(&program, "left\n");
    status = end_of(&program);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

static int wait_for_thread(void *arg)
{
    int rc;

    (void)arg;
    rc = tusk_to_thread(hang, NULL);
    say("%s", tusk_errorname(rc));
    return rc;
}

static int waits_for_thread(void)
{
    return said(tusk_run(wait_for_thread, NULL));
}

/* The task is free at once; the run then waits for the thread, and the second one ends that. */
static void test_a_task_that_waits_for_a_stuck_thread(void **state)
{
    struct program program;

    (void)state;
    start(&program, waits_for_thread);
    interrupt_at(&program, "in the thread\n");
    read_until(&program, "ECANCELED\n");
    live_sleep_ms(live_count(100, 1000));
    interrupt_at(&program, "ECANCELED\n");
    assert_killed(&program, "in the thread\nECANCELED\n");
}

/* ---- who has SIGINT ---- */

static int ignored(void)
{
    signal(SIGINT, SIG_IGN);
    return said(tusk_run(raise_and_return, NULL));
}

static void on_interrupt(int signum)
{
    static const char text[] = "own handler\n";

    (void)signum;
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
}

static int handled(void)
{
    struct sigaction action;
    int status;

    signal(SIGINT, on_interrupt);
    status = said(tusk_run(raise_and_return, NULL));
    return sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == on_interrupt ? status : 99;
}

static void test_a_disposition_of_the_programs_own_stays(void **state)
{
    struct program program;

    (void)state;
    start(&program, ignored);
    assert_exit(&program, 3, "fine\n");
    start(&program, handled);
    assert_exit(&program, 3, "own handler\nfine\n");
}

static void *run_in_thread(void *arg)
{
    (void)arg;
    return (void *)(intptr_t)said(tusk_run(sleep_and_clean_up, NULL));
}

static int in_another_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, run_in_thread, NULL);
    pthread_join(thread, NULL);
    return 0;
}

static void test_only_in_the_main_thread(void **state)
{
    struct program program;

    (void)state;
    start(&program, in_another_thread);
    interrupt_at(&program, "ready");
    assert_killed(&program, "ready\n");
}

static int say_handler(void *arg)
{
    (void)arg;
    say("handler");
    return 0;
}

static int take_over(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();

    (void)arg;
    tusk_try(tusk_loop_add_signal_handler(loop, SIGINT, say_handler, NULL));
    for (int i = 0; i < 3; i++) {
        raise(SIGINT);
        tusk_try(tusk_sleep(0.01));
    }
    tusk_try(tusk_loop_remove_signal_handler(loop, SIGINT));
    say(is_default() ? "default" : "not default");
    return 4;
}

static int taken_over(void)
{
    int status = said(tusk_run(take_over, NULL));

    return is_default() ? status : 99;
}

static void test_a_handler_of_the_loop_takes_it_over(void **state)
{
    struct program program;

    (void)state;
    start(&program, taken_over);
    assert_exit(&program, 4, "handler\nhandler\nhandler\ndefault\nfine\n");
}

/* ---- runners ---- */

static int runs(void)
{
    tusk_runner *runner = tusk_runner_create();

    said(tusk_runner_run(runner, raise_and_return, NULL));
    /* What came too late for one run is nothing to the next. */
    said(tusk_runner_run(runner, take_over, NULL));
    said(tusk_runner_run(runner, sleep_and_clean_up, NULL));
    said(tusk_runner_run(runner, swallow, NULL));
    say(is_default() ? "default" : "not default");
    return tusk_runner_close(runner);
}

static void test_each_run_of_a_runner_has_its_own(void **state)
{
    struct program program;

    (void)state;
    start(&program, runs);
    interrupt_at(&program, "EINTR\nhandler\nhandler\nhandler\ndefault\nfine\nready\n");
    interrupt_at(&program, "cleaned up\nEINTR\nready\n");
    assert_exit(&program, 0,
                "EINTR\nhandler\nhandler\nhandler\ndefault\nfine\nready\ncleaned up\nEINTR\nready\n"
                "cleaned up\nfine\ndefault\n");
}

/* ---- random ones ---- */

static int work(void *arg)
{
    for (;;)
        tusk_try(arg ? tusk_sleep(0.0001) : tusk_sleep(0));
}

static int random_main(void *arg)
{
    tusk_task *tasks[4];

    (void)arg;
    for (int i = 0; i < 4; i++)
        tasks[i] = tusk_create_task(work, i % 2 ? tasks : NULL);
    say("ready");
    return tusk_await(tusk_gather(tasks, 4));
}

static int random_program(void)
{
    return said(tusk_run(random_main, NULL));
}

static void test_at_any_time(void **state)
{
    uint64_t seed = live_seed();

    (void)state;
    skip_if_signals_are_held_back();
    for (int i = 0; i < live_count(60, 10); i++) {
        struct program program;

        start(&program, random_program);
        read_until(&program, "ready");
        usleep((useconds_t)(live_random(&seed) % 3000));
        interrupt_at(&program, "ready");
        assert_exit(&program, 1, "ready\nEINTR\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_the_first_cancels),
        live_test(test_a_program_that_swallows_it_has_its_result),
        live_test(test_another_error_counts_more),
        live_test(test_a_cancel_alone_is_no_interrupt),
        live_test(test_one_that_comes_too_late_is_not_lost),
        live_test(test_it_goes_down_to_the_children),
        live_test(test_a_busy_loop),
        live_test(test_the_second_ends_the_process),
        live_test(test_the_second_also_helps_a_blocked_loop),
        live_test(test_one_is_enough_at_the_end),
        live_test(test_a_task_that_waits_for_a_stuck_thread),
        live_test(test_a_disposition_of_the_programs_own_stays),
        live_test(test_only_in_the_main_thread),
        live_test(test_a_handler_of_the_loop_takes_it_over),
        live_test(test_each_run_of_a_runner_has_its_own),
        live_test(test_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
