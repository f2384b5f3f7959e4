/*
 * The watchdog of debug mode: what it says of a step that takes long, while the step runs. Standard error
 * is a pipe meanwhile. Most steps block by reading from that pipe until they hear
 * of themselves, so nothing here depends on how fast anything is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <tusk.h>

#include "base/sys.h"
#include "support/live.h"

/* A call that is the last thing in its function would leave no frame. */
#define keep_frame() __asm__ volatile("" : : : "memory")

/* ---- what standard error hears ---- */

static struct {
    int before;
    int end;
    char text[1 << 18];
    size_t length;
} heard;

static int open_ears(void **state)
{
    int ends[2];

    if (live_setup(state) < 0 || pipe(ends) < 0)
        return -1;
    heard.length = 0;
    heard.text[0] = '\0';
    heard.end = ends[0];
    heard.before = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    return 0;
}

/* Waits for more. False at the end. */
static TUSK__NOINLINE bool hear(void)
{
    ssize_t got = read(heard.end, heard.text + heard.length, sizeof heard.text - 1 - heard.length);

    keep_frame();
    /* A signal that asks for a backtrace must not be seen by who reads. */
    tusk__assert(got >= 0);
    heard.length += (size_t)got;
    heard.text[heard.length] = '\0';
    return got > 0;
}

/* Standard error is itself again, and everything that was said is in `heard`. */
static void close_ears(void)
{
    dup2(heard.before, STDERR_FILENO);
    close(heard.before);
    heard.before = -1;
    while (hear())
        ;
    close(heard.end);
    fputs(heard.text, stdout);
}

static int teardown(void **state)
{
    /* The test failed before it did that. */
    if (heard.before >= 0)
        close_ears();
    return live_teardown(state);
}

static int times(const char *words)
{
    int count = 0;

    for (const char *at = heard.text; (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

/* How many backtraces were heard, or reasons why there is none. */
static int answers(void)
{
    return times("\n    #0 ") + times("\n    (no backtrace: the ");
}

#define LONG "seconds so far"

/* ThreadSanitizer delivers a signal when the next call returns. What does not return has no backtrace then. */
#define LATE_SIGNALS TUSK__TSAN

#define test(function) cmocka_unit_test_setup_teardown(function, open_ears, teardown)

/* ---- steps that block ---- */

/*
 * Steps have all the time they want, but those that block say themselves from where on they are slow: it is there
 * that they are found, however slow everything else is.
 */
static void allow(double seconds)
{
    tusk__assert(tusk_loop_set_slow_callback_duration(tusk_get_running_loop(), seconds) == 0);
}

/* How often a step that is in the function below was heard of. Others may be slow too, where everything is. */
static int own_answers(void)
{
    return times(" in wait_until_heard (") + times("\n    (no backtrace: the ");
}

static TUSK__NOINLINE void wait_until_heard(void)
{
    int before = own_answers();

    while (own_answers() == before)
        hear();
    keep_frame();
}

static TUSK__NOINLINE int block_until_heard(void *arg)
{
    (void)arg;
    allow(0.01);
    wait_until_heard();
    keep_frame();
    return 0;
}

/* Is awaited by the main task, under the name that is its argument. */
static int block_by_name(void *name)
{
    allow(INFINITY);
    return tusk_await(tusk_create_task(block_until_heard, NULL, .name = name));
}

static void test_a_step_that_blocks_is_named_with_its_stack(void **state)
{
    (void)state;
    assert_int_equal(tusk_run(block_by_name, (void *)"soup", .debug = true), 0);
    close_ears();
    assert_int_equal(times(LONG ": task 'soup'\n    #0 "), 1);
    assert_true(times(" in hear (") >= 1);
    assert_int_equal(times(" seconds: task 'soup'\n"), 1);
    /* The report at the end has no second backtrace. */
    assert_int_equal(times(" in block_until_heard ("), 1);
}

static atomic_bool was_heard;

static void *hear_for_another(void *arg)
{
    while (times("'spinner'\n    ") == 0)
        hear();
    atomic_store(&was_heard, true);
    return arg;
}

/* No system call, no function: nothing but a signal gets in here. */
static TUSK__NOINLINE int spin(void *arg)
{
    (void)arg;
    allow(0.01);
    while (!atomic_load_explicit(&was_heard, memory_order_relaxed))
        keep_frame();
    return 0;
}

static int spin_by_name(void *arg)
{
    allow(INFINITY);
    return tusk_await(tusk_create_task(spin, arg, .name = "spinner"));
}

static void test_an_endless_loop_is_named(void **state)
{
    pthread_t thread;

    (void)state;
    atomic_store(&was_heard, false);
    assert_int_equal(pthread_create(&thread, NULL, hear_for_another, NULL), 0);
    assert_int_equal(tusk_run(spin_by_name, NULL, .debug = true), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_ears();
    assert_true(times(LONG ": task 'spinner'\n    ") == 1);
    if (!LATE_SIGNALS)
        assert_true(times(" in spin (") >= 1);
}

static int stop(void *arg)
{
    tusk_loop_stop(arg);
    return 0;
}

static void test_a_callback_that_blocks_is_reported(void **state)
{
    tusk_loop *loop = tusk_new_event_loop(.debug = true);

    (void)state;
    tusk_loop_call_soon(loop, block_until_heard, NULL);
    tusk_loop_call_soon(loop, stop, loop);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_int_equal(tusk_loop_close(loop), 0);
    close_ears();
    assert_true(times("tusk: Executing a callback has taken") >= 1);
    assert_true(times(" in block_until_heard (") >= 1);
}

/* ---- the program's own exception handler ---- */

static char told[1 << 15];

static int keep_backtrace(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    if (context->task_name && strcmp(context->task_name, "salad") == 0)
        snprintf(told, sizeof told, "%s\n%s", context->message,
                 context->backtrace ? context->backtrace : "-");
    return 0;
}

static int block_with_handler(void *name)
{
    tusk_loop_set_exception_handler(tusk_get_running_loop(), keep_backtrace, NULL);
    return block_by_name(name);
}

static void test_a_handler_gets_the_backtrace_at_the_end(void **state)
{
    (void)state;
    told[0] = '\0';
    assert_int_equal(tusk_run(block_with_handler, (void *)"salad", .debug = true), 0);
    close_ears();
    /* While it runs nobody but the watchdog can say so. */
    assert_int_equal(times(LONG ": task 'salad'\n    #0 "), 1);
    assert_int_equal(times("seconds: task"), 0);
    assert_non_null(strstr(told, "Executing a step took 0."));
    assert_non_null(strstr(told, "\n    #0 "));
    assert_non_null(strstr(told, " in block_until_heard ("));
}

static int report_by_hand(void *arg)
{
    const struct tusk_exception_context context = {.message = "Burnt", .backtrace = "    #0 here\n"};

    tusk_loop_call_exception_handler(tusk_get_running_loop(), &context);
    return arg != NULL;
}

static void test_the_default_handler_prints_a_backtrace(void **state)
{
    (void)state;
    assert_int_equal(tusk_run(report_by_hand, NULL), 0);
    close_ears();
    assert_string_equal(heard.text, "tusk: Burnt\n    #0 here\n");
}

/* ---- how often, and when ---- */

static int block_on_and_on(void *arg)
{
    block_until_heard(arg);
    live_sleep_ms(50);
    return 0;
}

static int block_twice(void *arg)
{
    allow(INFINITY);
    tusk_try(tusk_await(tusk_create_task(block_on_and_on, arg, .name = "first")));
    allow(INFINITY);
    return tusk_await(tusk_create_task(block_on_and_on, arg, .name = "second"));
}

static void test_a_step_is_reported_once(void **state)
{
    (void)state;
    assert_int_equal(tusk_run(block_twice, NULL, .debug = true), 0);
    close_ears();
    assert_int_equal(times(LONG ": task 'first'"), 1);
    assert_int_equal(times(LONG ": task 'second'"), 1);
}

static int take_time(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();

    (void)arg;
    allow(INFINITY);
    if (!isinf(tusk_loop_get_slow_callback_duration(loop)) || tusk_sleep(0) < 0)
        return -EINVAL;
    live_sleep_ms(150);
    return tusk_loop_set_slow_callback_duration(loop, NAN) == -EINVAL ? 0 : -EINVAL;
}

static void test_without_a_limit_nothing_is_reported(void **state)
{
    (void)state;
    assert_int_equal(tusk_run(take_time, NULL, .debug = true), 0);
    close_ears();
    assert_string_equal(heard.text, "");
}

static int block_after_a_pause(void *arg)
{
    (void)arg;
    allow(0.1);
    tusk_try(tusk_sleep(0.35));
    wait_until_heard();
    keep_frame();
    return 0;
}

/* The watchdog sleeps without end meanwhile. */
static void test_the_loop_was_idle_before(void **state)
{
    (void)state;
    assert_int_equal(tusk_run(block_after_a_pause, NULL, .debug = true), 0);
    close_ears();
    assert_true(times(" in block_after_a_pause (") >= 1);
}

enum { ROUNDS = 200 };

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Eager tasks, each of which is two switches within the step: it is found between stacks too. */
static int work_for_random_time(void *arg)
{
    uint64_t *seed = arg;

    allow(0);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t end = tusk__clock_ns() + (int64_t)(live_random(seed) % 2200000);

        while (tusk__clock_ns() < end)
            for (int j = 0; j < 100; j++)
                tusk_try(tusk_await(tusk_create_task(do_nothing, NULL, .eager_start = true)));
        tusk_try(tusk_sleep(0));
    }
    allow(INFINITY);
    return 0;
}

static void *hear_to_the_end(void *arg)
{
    while (hear())
        ;
    return arg;
}

/* What is said of a step while it runs comes before what is said of its end, whole. */
static void check_order(void)
{
    bool ended = true;

    for (char *line = strtok(heard.text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "    ", 4) == 0) {
            assert_false(ended);
        } else if (strstr(line, LONG)) {
            assert_true(ended);
            ended = false;
        } else {
            assert_non_null(strstr(line, "took"));
            ended = true;
        }
    }
}

static void test_steps_that_end_as_they_are_reported(void **state)
{
    uint64_t seed = live_seed();
    pthread_t thread;
    int rc;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, hear_to_the_end, NULL), 0);
    rc = tusk_run(work_for_random_time, &seed, .debug = true);
    dup2(heard.before, STDERR_FILENO);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_ears();
    assert_int_equal(rc, 0);
    /* How many were reported as they ran is a matter of luck. */
    printf("%d of %d steps\n", times(LONG), ROUNDS);
    check_order();
}

/* ---- threads ---- */

static int threads_now(void)
{
    DIR *dir = opendir("/proc/self/task");
    int count = 0;

    if (!dir)
        return -1;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static int count_threads(void *arg)
{
    /* Not in the first step: that one may still be starting it. */
    tusk_try(tusk_sleep(0.001));
    *(int *)arg = threads_now();
    return 0;
}

/* A thread that has been joined may be in the list for another moment. */
static void wait_for_threads(int count)
{
    while (threads_now() != count)
        live_sleep_ms(1);
}

static void test_only_debug_mode_has_a_thread(void **state)
{
    const char *wanted = getenv("TUSK_DEBUG");
    char *debug = wanted ? strdup(wanted) : NULL;
    int before;
    int during = 0;

    (void)state;
    close_ears();
    /* Its own come and go with loops. */
    if (libkqueue_is(NULL))
        skip();
    /* Without .debug it would decide. */
    unsetenv("TUSK_DEBUG");
    /* Tools start threads of their own with the first one of the program. */
    assert_int_equal(tusk_run(count_threads, &during, .debug = true), 0);
    before = during < 0 ? -1 : during - 1;
    wait_for_threads(before);
    assert_int_equal(tusk_run(count_threads, &during, .debug = false), 0);
    assert_int_equal(during, before);
    assert_int_equal(tusk_run(count_threads, &during, .debug = true), 0);
    assert_int_equal(during, before < 0 ? -1 : before + 1);
    wait_for_threads(before);
    if (debug)
        setenv("TUSK_DEBUG", debug, 1);
    free(debug);
}

static int wait_for_dinner[2];

static TUSK__NOINLINE int block_until_dinner(void *arg)
{
    char byte;
    ssize_t got;

    (void)arg;
    allow(0.01);
    got = read(wait_for_dinner[0], &byte, 1);
    keep_frame();
    return got < 0 ? -errno : 0;
}

static int wait_by_name(void *name)
{
    allow(INFINITY);
    return tusk_await(tusk_create_task(block_until_dinner, NULL, .name = name));
}

static void *run_loop(void *name)
{
    return (void *)(intptr_t)tusk_run(wait_by_name, name, .debug = true);
}

static void test_each_loop_has_its_own(void **state)
{
    static const char *names[] = {"waiter", "cook", "guest"};
    pthread_t threads[3];
    void *rc;

    (void)state;
    assert_int_equal(pipe(wait_for_dinner), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_loop, (void *)names[i]), 0);
    while (answers() < 3)
        hear();
    close(wait_for_dinner[1]);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &rc), 0);
        assert_null(rc);
    }
    close(wait_for_dinner[0]);
    close_ears();
    assert_int_equal(times(LONG ": task 'waiter'"), 1);
    assert_int_equal(times(LONG ": task 'cook'"), 1);
    assert_int_equal(times(LONG ": task 'guest'"), 1);
    if (!LATE_SIGNALS)
        assert_true(times(" in block_until_dinner (") >= 3);
}

/* The same loop, run by one thread after the other. */
static void *run_given_loop(void *loop)
{
    tusk_loop_call_soon(loop, block_until_heard, NULL);
    tusk_loop_call_soon(loop, stop, loop);
    return (void *)(intptr_t)tusk_loop_run_forever(loop);
}

static void test_a_loop_changes_its_thread(void **state)
{
    tusk_loop *loop = tusk_new_event_loop(.debug = true);

    (void)state;
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        void *rc;

        assert_int_equal(pthread_create(&thread, NULL, run_given_loop, loop), 0);
        assert_int_equal(pthread_join(thread, &rc), 0);
        assert_null(rc);
    }
    assert_int_equal(tusk_loop_close(loop), 0);
    close_ears();
    assert_true(times(" in block_until_heard (") >= 3);
}

/* ---- children ---- */

/* A loop with a watchdog that nobody runs. */
static tusk_loop *idle_loop(void)
{
    tusk_loop *loop = tusk_new_event_loop(.debug = true);

    tusk_loop_call_soon(loop, do_nothing, NULL);
    tusk__assert(tusk_loop_run_once(loop, 0) == 0);
    return loop;
}

static int wait_for_child(pid_t child)
{
    int status;

    if (waitpid(child, &status, 0) != child)
        return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* The child closes the loop it inherited, whose watchdog is not there. */
static int fork_in_a_step(void *loop)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(tusk_loop_close(loop) == 0 ? 0 : 1);
    return wait_for_child(child);
}

static void test_a_child_closes_the_loop_of_its_parent(void **state)
{
    tusk_loop *loop = idle_loop();
    int rc = tusk_run(fork_in_a_step, loop, .debug = true);

    (void)state;
    assert_int_equal(tusk_loop_close(loop), 0);
    close_ears();
    assert_int_equal(rc, 0);
}

/* It runs that loop, which does without a watchdog, and then one of its own. */
static bool is_a_good_child(tusk_loop *loop)
{
    tusk_loop_call_soon(loop, do_nothing, NULL);
    return tusk_loop_run_once(loop, 0) == 0 && tusk_loop_close(loop) == 0 &&
           tusk_run(block_by_name, (void *)"child", .debug = true) == 0;
}

static void test_a_child_has_watchdogs_of_its_own(void **state)
{
    tusk_loop *loop;
    pid_t child;
    int rc;

    (void)state;
    /* Neither of them can have threads in the child of a process with threads. */
    if (TUSK__TSAN || live_is_emulated())
        skip();
    loop = idle_loop();
    /* A queue is not inherited. */
    if (strcmp(tusk_loop_poller(loop), "kqueue") == 0) {
        tusk_loop_close(loop);
        close_ears();
        skip();
    }
    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(is_a_good_child(loop) ? 0 : 1);
    rc = wait_for_child(child);
    assert_int_equal(tusk_loop_close(loop), 0);
    close_ears();
    /* It was the child that heard of its step, or it would read to this day. */
    assert_int_equal(rc, 0);
}

/* ---- signals ---- */

static atomic_int strangers;

static void on_stranger(int signum)
{
    (void)signum;
    atomic_fetch_add(&strangers, 1);
}

/* What every spare signal does: the program's handler, or the default again. */
static void occupy(void (*handler)(int signum))
{
    int signum;

    for (int i = 0; (signum = tusk__spare_signal(i)) != 0; i++)
        signal(signum, handler);
}

static void test_no_signal_is_free(void **state)
{
    int rc;

    (void)state;
    atomic_store(&strangers, 0);
    occupy(on_stranger);
    rc = tusk_run(block_by_name, (void *)"soup", .debug = true);
    occupy(SIG_DFL);
    close_ears();
    assert_int_equal(rc, 0);
    assert_int_equal(times(LONG ": task 'soup'\n    (no backtrace: the program uses every signal"), 1);
    assert_int_equal(times("#0"), 0);
    assert_int_equal(atomic_load(&strangers), 0);
}

static int occupy_and_block(void *arg)
{
    /* The first step has chosen the signal. */
    allow(INFINITY);
    tusk_try(tusk_sleep(0));
    occupy(on_stranger);
    return block_until_heard(arg);
}

static void test_the_program_takes_the_signal(void **state)
{
    int rc;

    (void)state;
    atomic_store(&strangers, 0);
    rc = tusk_run(occupy_and_block, NULL, .debug = true);
    occupy(SIG_DFL);
    close_ears();
    assert_int_equal(rc, 0);
    assert_true(times("\n    (no backtrace: the program has taken the signal") >= 1);
    assert_int_equal(atomic_load(&strangers), 0);
}

static void test_the_first_signal_is_taken(void **state)
{
    int rc;

    (void)state;
    atomic_store(&strangers, 0);
    signal(tusk__spare_signal(0), on_stranger);
    rc = tusk_run(block_by_name, (void *)"soup", .debug = true);
    raise(tusk__spare_signal(0));
    signal(tusk__spare_signal(0), SIG_DFL);
    close_ears();
    assert_int_equal(rc, 0);
    assert_int_equal(times(LONG ": task 'soup'\n    #0 "), 1);
    assert_int_equal(atomic_load(&strangers), 1);
}

static void *run_without_signals(void *arg)
{
    sigset_t all;
    sigset_t after;
    int rc;

    (void)arg;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    /* As the system keeps it: it does not let all of them be blocked. */
    pthread_sigmask(SIG_SETMASK, NULL, &all);
    rc = tusk_run(block_by_name, (void *)"deaf", .debug = true);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i < NSIG && rc == 0; i++)
        if (sigismember(&all, i) != sigismember(&after, i))
            rc = -EINVAL;
    return (void *)(intptr_t)rc;
}

static void test_a_thread_that_blocks_all_signals(void **state)
{
    pthread_t thread;
    void *rc;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_without_signals, NULL), 0);
    assert_int_equal(pthread_join(thread, &rc), 0);
    close_ears();
    assert_null(rc);
    assert_int_equal(times(LONG ": task 'deaf'\n    #0 "), 1);
    assert_true(times(" in block_until_heard (") >= 1);
}

static int get_signals(void *arg)
{
    for (int i = 0; i < 3; i++) {
        raise(tusk__spare_signal(0));
        tusk_try(tusk_sleep(0));
    }
    return *(int *)arg;
}

static void test_signals_nobody_asked_for_do_nothing(void **state)
{
    int seven = 7;

    (void)state;
    assert_int_equal(tusk_run(get_signals, &seven, .debug = true), 7);
    raise(tusk__spare_signal(0));
    close_ears();
    assert_int_equal(times("#0"), 0);
}

/* ---- failure ---- */

static int run_with_failure(tusk_loop *loop, long n)
{
    int rc;

    tusk__fail_after(n);
    rc = tusk_loop_run_once(loop, 0);
    tusk__fail_after(0);
    return rc;
}

static void test_a_loop_goes_on_without_one(void **state)
{
    tusk_loop *loop = tusk_new_event_loop(.debug = true);

    (void)state;
    for (int i = 0; i < 3; i++) {
        tusk_loop_call_soon(loop, do_nothing, NULL);
        assert_int_equal(run_with_failure(loop, i == 0), 0);
    }
    assert_int_equal(tusk_loop_close(loop), 0);
    close_ears();
    assert_int_equal(times("Steps that do not end will not be reported: ENOMEM"), 1);
    assert_int_equal(times("\n"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_a_step_that_blocks_is_named_with_its_stack),
        test(test_an_endless_loop_is_named),
        test(test_a_callback_that_blocks_is_reported),
        test(test_a_handler_gets_the_backtrace_at_the_end),
        test(test_the_default_handler_prints_a_backtrace),
        test(test_a_step_is_reported_once),
        test(test_without_a_limit_nothing_is_reported),
        test(test_the_loop_was_idle_before),
        test(test_steps_that_end_as_they_are_reported),
        test(test_only_debug_mode_has_a_thread),
        test(test_each_loop_has_its_own),
        test(test_a_loop_changes_its_thread),
        test(test_a_child_closes_the_loop_of_its_parent),
        test(test_a_child_has_watchdogs_of_its_own),
        test(test_no_signal_is_free),
        test(test_the_program_takes_the_signal),
        test(test_the_first_signal_is_taken),
        test(test_a_thread_that_blocks_all_signals),
        test(test_signals_nobody_asked_for_do_nothing),
        test(test_a_loop_goes_on_without_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
