/*
 * Handlers of signals.
 */
#include "task/stage.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/live.h"

static tusk_context_var color = TUSK_CONTEXT_VAR("color", "none");

static bool is_default(int signum)
{
    struct sigaction action;

    return sigaction(signum, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

static int note(void *arg)
{
    trace("%s", (const char *)arg);
    return 0;
}

static tusk_loop *running(void)
{
    return tusk_get_running_loop();
}

/* Lets the loop look at what came. A sleep, for a loop that is busy looks now and then only. */
static int settle(void)
{
    return tusk_sleep(0.001);
}

/* ---- the calls ---- */

static int one(void *arg)
{
    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, note, "usr1"), 0);
    expect(!is_default(SIGUSR1));
    raise(SIGUSR1);
    trace("raised");
    tusk_try(settle());
    trace("settled");
    raise(SIGUSR1);
    tusk_try(settle());
    expect_int(tusk_loop_remove_signal_handler(running(), SIGUSR1), 1);
    expect(is_default(SIGUSR1));
    expect_int(tusk_loop_remove_signal_handler(running(), SIGUSR1), 0);
    return 0;
}

static void test_a_handler_runs_in_the_loop(void **state)
{
    (void)state;
    play_trace(one, "raised usr1 settled usr1");
    assert_true(is_default(SIGUSR1));
}

static int several(void *arg)
{
    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, note, "usr1"), 0);
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR2, note, "usr2"), 0);
    expect_int(tusk_loop_add_signal_handler(running(), SIGHUP, note, "hup"), 0);
    expect_int(tusk_loop_add_signal_handler(running(), SIGRTMIN, note, "last"), 0);
    raise(SIGHUP);
    raise(SIGRTMIN);
    raise(SIGUSR2);
    raise(SIGUSR1);
    return settle();
}

static void test_several_at_once(void **state)
{
    (void)state;
    play_trace(several, "hup last usr2 usr1");
    assert_true(is_default(SIGUSR1) && is_default(SIGUSR2) && is_default(SIGHUP) && is_default(SIGRTMIN));
}

static int coalesce(void *arg)
{
    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, note, "usr1"), 0);
    for (int i = 0; i < 100; i++)
        raise(SIGUSR1);
    return settle();
}

static void test_what_comes_before_the_call_is_one_call(void **state)
{
    (void)state;
    play_trace(coalesce, "usr1");
}

static int raise_again(void *arg)
{
    int *left = arg;

    trace("%d", *left);
    return --*left > 0 ? raise(SIGUSR1) : 0;
}

static int during_the_call(void *arg)
{
    int left = 3;

    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, raise_again, &left), 0);
    raise(SIGUSR1);
    while (left > 0)
        tusk_try(settle());
    return 0;
}

static void test_what_comes_during_the_call_is_another(void **state)
{
    (void)state;
    play_trace(during_the_call, "3 2 1");
}

static int replace(void *arg)
{
    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, note, "old"), 0);
    raise(SIGUSR1);
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, note, "new"), 0);
    tusk_try(settle());
    raise(SIGUSR1);
    tusk_try(settle());
    expect_int(tusk_loop_remove_signal_handler(running(), SIGUSR1), 1);
    expect_int(tusk_loop_remove_signal_handler(running(), SIGUSR1), 0);
    return 0;
}

static void test_a_second_handler_replaces_the_first(void **state)
{
    (void)state;
    play_trace(replace, "new new");
}

static int forget(void *arg)
{
    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, note, "never"), 0);
    raise(SIGUSR1);
    expect_int(tusk_loop_remove_signal_handler(running(), SIGUSR1), 1);
    tusk_try(settle());
    /* And again: the one that was forgotten does not stand in the way. */
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, note, "again"), 0);
    raise(SIGUSR1);
    return settle();
}

static void test_removing_forgets_a_call(void **state)
{
    (void)state;
    play_trace(forget, "again");
}

static int remove_itself(void *arg)
{
    trace("once");
    expect_int(tusk_loop_remove_signal_handler(running(), *(int *)arg), 1);
    return 0;
}

static int removed_inside(void *arg)
{
    int signum = SIGUSR2;

    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR2, remove_itself, &signum), 0);
    raise(SIGUSR2);
    tusk_try(settle());
    expect(is_default(SIGUSR2));
    return 0;
}

static void test_a_handler_removes_itself(void **state)
{
    (void)state;
    play_trace(removed_inside, "once");
}

static int fail_in_handler(void *arg)
{
    (void)arg;
    return tusk_raise(-EIO, "in the handler");
}

static int failing(void *arg)
{
    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, fail_in_handler, NULL), 0);
    raise(SIGUSR1);
    return settle();
}

static void test_an_error_goes_to_the_exception_handler(void **state)
{
    (void)state;
    play_reports(failing, "Exception in callback fail_in_handler|-|EIO|in the handler\n");
}

static int wake(void *arg)
{
    return tusk_future_set_result(arg, 6);
}

static int wait_for_signal(void *arg)
{
    tusk_future *future = tusk_create_future();
    pid_t child;
    int rc;

    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, wake, future), 0);
    child = fork();
    if (child == 0) {
        live_sleep_ms(20);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    rc = tusk_await(future);
    expect_int(waitpid(child, NULL, 0), child);
    return rc;
}

static void test_a_signal_wakes_a_sleeping_loop(void **state)
{
    (void)state;
    assert_int_equal(tusk_run(wait_for_signal, NULL), 6);
    assert_int_equal(tusk_run(wait_for_signal, NULL, .poller = "poll"), 6);
}

/* With a handler something may still come: it is no deadlock, and timers do not wait for it. */
static void test_a_virtual_clock_waits_for_signals(void **state)
{
    (void)state;
    assert_int_equal(play(wait_for_signal), 6);
    assert_string_equal(stage_reports, "");
}

static int see_color(void *arg)
{
    (void)arg;
    trace("%s", (const char *)tusk_context_var_get(&color));
    return tusk_context_var_set(&color, "of the handler", NULL);
}

static int contexts(void *arg)
{
    (void)arg;
    tusk_context_var_set(&color, "green", NULL);
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, see_color, NULL), 0);
    tusk_context_var_set(&color, "red", NULL);
    for (int i = 0; i < 2; i++) {
        raise(SIGUSR1);
        tusk_try(settle());
    }
    expect_text(tusk_context_var_get(&color), "red");
    return 0;
}

static void test_contexts(void **state)
{
    (void)state;
    play_trace(contexts, "green of the handler");
}

/* ---- misuse, and several loops ---- */

static void test_what_cannot_be_handled(void **state)
{
    static const int numbers[] = {0,       -1,      INT_MIN, NSIG,   1000,   INT_MAX,
                                  SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    tusk_loop *loop = tusk_new_event_loop();

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_int_equal(tusk_loop_add_signal_handler(loop, numbers[i], note, "never"), -EINVAL);
        assert_int_equal(tusk_loop_remove_signal_handler(loop, numbers[i]), -EINVAL);
    }
    assert_int_equal(tusk_loop_add_signal_handler(loop, SIGUSR1, NULL, NULL), -EINVAL);
    assert_int_equal(tusk_loop_add_signal_handler(NULL, SIGUSR1, note, NULL), -EINVAL);
    assert_int_equal(tusk_loop_remove_signal_handler(NULL, SIGUSR1), -EINVAL);
    assert_int_equal(tusk_loop_remove_signal_handler(loop, SIGUSR1), 0);
    /* Signals that the C library keeps for itself. */
    assert_int_equal(tusk_loop_add_signal_handler(loop, SIGRTMIN - 1, note, "never"), -EINVAL);
    assert_int_equal(tusk_loop_close(loop), 0);
}

static void test_a_signal_has_one_loop(void **state)
{
    tusk_loop *first = tusk_new_event_loop();
    tusk_loop *second = tusk_new_event_loop();

    (void)state;
    stage_clean();
    assert_int_equal(tusk_loop_add_signal_handler(first, SIGUSR1, note, "first"), 0);
    assert_int_equal(tusk_loop_add_signal_handler(second, SIGUSR1, note, "second"), -EBUSY);
    assert_int_equal(tusk_loop_remove_signal_handler(second, SIGUSR1), 0);
    assert_int_equal(tusk_loop_add_signal_handler(second, SIGUSR2, note, "second"), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_int_equal(tusk_loop_run_once(second, 1), 0);
    assert_int_equal(tusk_loop_run_once(first, 1), 0);
    assert_string_equal(stage_trace, "second first");
    raise(SIGUSR1);
    assert_int_equal(tusk_loop_close(first), 0);
    assert_true(is_default(SIGUSR1));
    assert_int_equal(tusk_loop_add_signal_handler(second, SIGUSR1, note, "free"), 0);
    assert_int_equal(tusk_loop_close(second), 0);
    assert_true(is_default(SIGUSR1) && is_default(SIGUSR2));
}

static void leave_alone(int signum)
{
    (void)signum;
}

static void test_a_disposition_set_by_others_stays(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();
    struct sigaction action;

    (void)state;
    assert_int_equal(tusk_loop_add_signal_handler(loop, SIGUSR1, note, "never"), 0);
    signal(SIGUSR1, leave_alone);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(sigaction(SIGUSR1, NULL, &action), 0);
    assert_true(action.sa_handler == leave_alone);
    signal(SIGUSR1, SIG_DFL);
}

static void *run_in_thread(void *arg)
{
    return (void *)(intptr_t)tusk_run(wait_for_signal, arg);
}

static void test_a_loop_in_another_thread(void **state)
{
    pthread_t thread;
    void *result;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal((intptr_t)result, 6);
}

static void test_without_memory(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();

    (void)state;
    tusk__fail_after(1);
    assert_int_equal(tusk_loop_add_signal_handler(loop, SIGUSR1, note, "never"), -ENOMEM);
    tusk__fail_after(0);
    assert_true(is_default(SIGUSR1));
    assert_int_equal(tusk_loop_close(loop), 0);
}

/* ---- fork ---- */

static int in_child(void *arg)
{
    raise(SIGUSR1);
    tusk_try(settle());
    (void)arg;
    return 0;
}

static int child_with_its_own_loop(void *arg)
{
    trace("child");
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, note, "in the child"), 0);
    tusk_try(in_child(arg));
    return same_text(stage_trace, "child in the child") && is_default(SIGTERM) ? 9 : 1;
}

static int wait_for(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void expect_child_dies(void)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        raise(SIGTERM);
        _exit(3);
    }
    status = wait_for(child);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void expect_child_has_handlers_of_its_own(void)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(tusk_run(child_with_its_own_loop, NULL));
    status = wait_for(child);
    expect(WIFEXITED(status));
    /* Valgrind has a status of its own for a child that leaves its parent's coroutines behind. */
    expect(WEXITSTATUS(status) == 9 || RUNNING_ON_VALGRIND);
}

static int forking(void *arg)
{
    (void)arg;
    expect_int(tusk_loop_add_signal_handler(running(), SIGUSR1, note, "parent"), 0);
    expect_int(tusk_loop_add_signal_handler(running(), SIGTERM, note, "parent"), 0);
    expect_child_dies();
    expect_child_has_handlers_of_its_own();
    tusk_try(settle());
    trace("quiet");
    raise(SIGUSR1);
    return settle();
}

static void test_a_child_has_not_its_parents_handlers(void **state)
{
    (void)state;
    /* ThreadSanitizer withholds signals from the child of what it takes for threads. */
    if (TUSK__TSAN)
        skip();
    play_trace(forking, "quiet parent");
}

/* ---- stress ---- */

static atomic_bool stress_over;
static atomic_int handled;

static void *send_signals(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;

    while (!atomic_load(&stress_over)) {
        kill(getpid(), live_random(&seed) % 2 ? SIGUSR1 : SIGUSR2);
        if (live_random(&seed) % 8 == 0)
            live_sleep_ms(1);
    }
    return NULL;
}

static int count(void *arg)
{
    (void)arg;
    atomic_fetch_add(&handled, 1);
    return 0;
}

static int stress(void *arg)
{
    uint64_t *seed = arg;

    for (int i = 0; i < live_count(400, 100); i++) {
        int signum = live_random(seed) % 2 ? SIGUSR1 : SIGUSR2;

        if (live_random(seed) % 3 > 0)
            expect_int(tusk_loop_add_signal_handler(running(), signum, count, NULL), 0);
        else
            tusk_try(live_random(seed) % 2 ? tusk_sleep(0) : tusk_sleep(0.0005));
    }
    return 0;
}

static int stress_in_child(void)
{
    uint64_t seed = live_seed();
    uint64_t other_seed = live_random(&seed);
    pthread_t thread;
    int rc = 0;

    alarm(50);
    for (int round = 0; round < live_count(60, 20) && rc == 0; round++) {
        tusk_loop *loop = tusk_new_event_loop();
        tusk_task *task = tusk_loop_create_task(loop, stress, &seed);

        atomic_store(&stress_over, false);
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR2, SIG_IGN);
        pthread_create(&thread, NULL, send_signals, &other_seed);
        rc = tusk_loop_add_signal_handler(loop, SIGUSR1, count, NULL);
        if (rc == 0)
            rc = tusk_loop_add_signal_handler(loop, SIGUSR2, count, NULL);
        if (rc == 0)
            rc = tusk_loop_run_until_complete(loop, task);
        /* The end of the loop restores the default, which is death: the sender rests before. */
        atomic_store(&stress_over, true);
        pthread_join(thread, NULL);
        tusk_loop_close(loop);
    }
    return rc < 0 || stage_failures || atomic_load(&handled) == 0;
}

static void test_stress(void **state)
{
    pid_t child;
    int status;

    (void)state;
    fflush(stdout);
    stage_failures = 0;
    child = fork();
    if (child == 0) {
        int rc = stress_in_child();

        fflush(stdout);
        _exit(rc);
    }
    status = wait_for(child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_a_handler_runs_in_the_loop),
        live_test(test_several_at_once),
        live_test(test_what_comes_before_the_call_is_one_call),
        live_test(test_what_comes_during_the_call_is_another),
        live_test(test_a_second_handler_replaces_the_first),
        live_test(test_removing_forgets_a_call),
        live_test(test_a_handler_removes_itself),
        live_test(test_an_error_goes_to_the_exception_handler),
        live_test(test_a_signal_wakes_a_sleeping_loop),
        live_test(test_a_virtual_clock_waits_for_signals),
        live_test(test_contexts),
        live_test(test_what_cannot_be_handled),
        live_test(test_a_signal_has_one_loop),
        live_test(test_a_disposition_set_by_others_stays),
        live_test(test_a_loop_in_another_thread),
        live_test(test_without_memory),
        live_test(test_a_child_has_not_its_parents_handlers),
        live_test(test_stress),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
