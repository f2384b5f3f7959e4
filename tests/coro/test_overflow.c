/*
 * Stack overflows: each in a child process, whose last words and signal are
 * checked. Faults that are none must go to whoever was there before.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <tusk/task.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/coro.h"
#include "coro/overflow.h"

#define LINE_DEFAULT                                                                                         \
    "tusk: stack overflow in task 'soup': its stack of 229376 bytes is full; "                               \
    "create it with a larger .stack_size, such as 458752\n"

#define USER_EXIT 42

struct fall {
    struct tusk__coro outer;
    struct tusk__coro inner;
    char *stray;
};

static struct tusk__pool pool;
static const char *task_name = "soup";

static const char *running_task_name(void *arg)
{
    return *(const char **)arg;
}

TUSK__NOINLINE static int fall_for_ever(int depth)
{
    volatile char frame[1000];

    memset((char *)frame, depth, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    /* Never, but compilers warn of a recursion without an end. */
    if (depth < 0)
        return 0;
    return fall_for_ever(depth + 1) + frame[depth % 1000];
}

static void faller(void *arg)
{
    struct fall *fall = arg;

    tusk__coro_arrived(&fall->inner);
    if (fall->stray != NULL)
        *(volatile char *)fall->stray = 1;
    else
        fall_for_ever(0);
    tusk__coro_leave(&fall->inner, &fall->outer);
}

static struct fall prepare(size_t size)
{
    struct fall fall = {.stray = NULL};

    if (tusk__pool_init(&pool) < 0 || tusk__pool_get(&pool, size, &fall.inner.stack) < 0 ||
        tusk__overflow_enter(&pool, running_task_name, &task_name) < 0)
        _exit(1);
    return fall;
}

static void overflow_default(void)
{
    struct fall fall = prepare(0);

    tusk__coro_start(&fall.outer, &fall.inner, faller, &fall);
}

static void overflow_smallest(void)
{
    struct fall fall = prepare(TUSK_STACK_MIN);

    tusk__coro_start(&fall.outer, &fall.inner, faller, &fall);
}

static void overflow_with_heavy_guard(void)
{
    tusk__guards_force_heavy(-1);
    overflow_default();
}

static void overflow_without_a_name(void)
{
    task_name = NULL;
    overflow_default();
}

static void overflow_with_a_long_name(void)
{
    static char name[2000];

    memset(name, 'x', sizeof name - 1);
    task_name = name;
    overflow_default();
}

static void *overflow_in_thread(void *arg)
{
    (void)arg;
    overflow_default();
    return NULL;
}

static void overflow_in_another_thread(void)
{
    pthread_t thread;

    prepare(0);
    pthread_create(&thread, NULL, overflow_in_thread, NULL);
    pthread_join(thread, NULL);
}

/* The stack's memory was given back in between, and its guard must have stayed. */
static void overflow_after_a_trim(void)
{
    struct fall fall = prepare(0);
    struct tusk__stack *stacks[100];

    for (int i = 0; i < 100; i++) {
        if (tusk__pool_get(&pool, 0, &stacks[i]) < 0)
            _exit(1);
    }
    for (int i = 0; i < 100; i++)
        tusk__pool_put(&pool, stacks[i]);
    tusk__pool_trim(&pool, 1);
    tusk__pool_trim(&pool, 2000000000);
    fall.inner.stack = stacks[50];
    tusk__coro_start(&fall.outer, &fall.inner, faller, &fall);
}

static void overflow_after_an_earlier_loop(void)
{
    prepare(0);
    tusk__overflow_leave();
    tusk__pool_close(&pool);
    overflow_default();
}

/* A stray write into the guard of another stack is a plain fault. */
static void stray_write(void)
{
    struct fall fall = prepare(0);
    struct tusk__stack *other;

    if (tusk__pool_get(&pool, 0, &other) < 0)
        _exit(1);
    fall.stray = other->low - 100;
    tusk__coro_start(&fall.outer, &fall.inner, faller, &fall);
}

static void fault_elsewhere(void)
{
    struct fall fall = prepare(0);

    fall.stray = (char *)16;
    tusk__coro_start(&fall.outer, &fall.inner, faller, &fall);
}

static void on_user_fault(int signal_number)
{
    (void)signal_number;
    _exit(USER_EXIT);
}

static void fault_with_a_handler_from_before(void)
{
    signal(SIGSEGV, on_user_fault);
    signal(SIGBUS, on_user_fault);
    stray_write();
}

static void sent_signal(void)
{
    prepare(0);
    raise(SIGSEGV);
}

static void sent_signal_that_is_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    prepare(0);
    raise(SIGSEGV);
    _exit(USER_EXIT);
}

static void fault_after_leaving(void)
{
    struct fall fall = prepare(0);

    tusk__overflow_leave();
    fall.stray = fall.inner.stack->low - 1;
    *(volatile char *)fall.stray = 1;
}

/* Runs scenario in a child; its standard error goes to text. Returns its wait status. */
static int run_child(void (*scenario)(void), char *text, size_t size)
{
    int ends[2];
    int status = 0;
    size_t length = 0;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};

        setrlimit(RLIMIT_CORE, &no_core);
        /* cmocka's own handler would be the one from before. */
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        alarm(60);
        dup2(ends[1], STDERR_FILENO);
        scenario();
        _exit(0);
    }
    close(ends[1]);
    while ((got = read(ends[0], text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Sanitizers and valgrind write reports of their own, after the line and before it. */
static void assert_words(const char *text, const char *line)
{
#if TUSK__ASAN || TUSK__TSAN
    if (line[0] != '\0')
        assert_non_null(strstr(text, line));
#else
    const char *start = strstr(text, "tusk:");

    if (line[0] == '\0')
        assert_null(start);
    else
        assert_true(start != NULL && strncmp(start, line, strlen(line)) == 0);
#endif
}

static void expect_end_by_fault(void (*scenario)(void), const char *line)
{
    char text[20000];
    int status = run_child(scenario, text, sizeof text);

    assert_words(text, line);
#if !TUSK__ASAN && !TUSK__TSAN
    assert_true(WIFSIGNALED(status));
    assert_true(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
#else
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}

static void test_an_overflow_names_the_task(void **state)
{
    (void)state;
    expect_end_by_fault(overflow_default, LINE_DEFAULT);
}

static void test_the_size_is_that_of_the_stack(void **state)
{
    char line[200];
    struct tusk__stack *stack;
    size_t size;

    (void)state;
    tusk__pool_init(&pool);
    assert_int_equal(tusk__pool_get(&pool, TUSK_STACK_MIN, &stack), 0);
    size = tusk__stack_size(stack);
    tusk__pool_close(&pool);
    snprintf(line, sizeof line,
             "tusk: stack overflow in task 'soup': its stack of %zu bytes is full; "
             "create it with a larger .stack_size, such as %zu\n",
             size, 2 * size);
    expect_end_by_fault(overflow_smallest, line);
}

static void test_heavy_guards_report_too(void **state)
{
    (void)state;
    expect_end_by_fault(overflow_with_heavy_guard, LINE_DEFAULT);
}

static void test_names_that_are_missing_or_long(void **state)
{
    (void)state;
    expect_end_by_fault(overflow_without_a_name, "tusk: stack overflow in task '?': its stack of 229376");
    expect_end_by_fault(overflow_with_a_long_name, "tusk: stack overflow in task 'xxxxxxxxx");
}

static void test_each_thread_reports(void **state)
{
    (void)state;
    expect_end_by_fault(overflow_in_another_thread, LINE_DEFAULT);
}

static void test_guards_stay_over_a_trim(void **state)
{
    (void)state;
    expect_end_by_fault(overflow_after_a_trim, LINE_DEFAULT);
}

static void test_a_second_loop_reports(void **state)
{
    (void)state;
    expect_end_by_fault(overflow_after_an_earlier_loop, LINE_DEFAULT);
}

static void test_other_faults_are_not_overflows(void **state)
{
    (void)state;
    expect_end_by_fault(stray_write, "");
    expect_end_by_fault(fault_elsewhere, "");
    expect_end_by_fault(sent_signal, "");
    expect_end_by_fault(fault_after_leaving, "");
}

static void test_handlers_from_before_are_called(void **state)
{
    char text[20000];
    int status;

    (void)state;
    status = run_child(fault_with_a_handler_from_before, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), USER_EXIT);
    status = run_child(sent_signal_that_is_ignored, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), USER_EXIT);
}

static void test_entering_can_fail(void **state)
{
    stack_t before;
    stack_t none = {.ss_flags = SS_DISABLE};

    (void)state;
    assert_int_equal(sigaltstack(NULL, &before), 0);
    sigaltstack(&none, NULL);
    tusk__pool_init(&pool);
    tusk__fail_after(1);
    assert_int_equal(tusk__overflow_enter(&pool, running_task_name, &task_name), -ENOMEM);
    assert_int_equal(tusk__live(), 0);
    assert_int_equal(tusk__overflow_enter(&pool, running_task_name, &task_name), 0);
    assert_int_equal(tusk__live(), 1);
    tusk__overflow_leave();
    assert_int_equal(tusk__live(), 0);
    sigaltstack(&before, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_overflow_names_the_task),
        cmocka_unit_test(test_the_size_is_that_of_the_stack),
        cmocka_unit_test(test_heavy_guards_report_too),
        cmocka_unit_test(test_names_that_are_missing_or_long),
        cmocka_unit_test(test_each_thread_reports),
        cmocka_unit_test(test_guards_stay_over_a_trim),
        cmocka_unit_test(test_a_second_loop_reports),
        cmocka_unit_test(test_other_faults_are_not_overflows),
        cmocka_unit_test(test_handlers_from_before_are_called),
        cmocka_unit_test(test_entering_can_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
