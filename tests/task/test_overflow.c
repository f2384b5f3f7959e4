/*
 * A task that overflows its stack ends the program with a line that names it. Each
 * case is a child process, whose last words and signal are checked.
 */
#include "task/stage.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static TUSK__NOINLINE int fall(int depth)
{
    volatile char frame[500];

    memset((char *)frame, depth, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    /* Never, but compilers warn of a recursion without an end. */
    if (depth < 0)
        return 0;
    return fall(depth + 1) + frame[depth % 500];
}

static int overflow(void *arg)
{
    (void)arg;
    return fall(0);
}

/* Falls after others have run and it has been switched to and fro. */
static int overflow_later(void *arg)
{
    tusk_try(tusk_sleep(1));
    return overflow(arg);
}

static int named(void *arg)
{
    (void)arg;
    return tusk_await(tusk_create_task(overflow_later, NULL, .name = "soup", .stack_size = 64 * 1024));
}

static int unnamed(void *arg)
{
    tusk_task *tasks[3] = {
        tusk_create_task(sleep_hour, NULL),
        tusk_create_task(overflow_later, NULL),
        tusk_create_task(sleep_hour, NULL),
    };

    (void)arg;
    return tusk_await(tusk_gather(tasks, 3));
}

static int eager(void *arg)
{
    (void)arg;
    return tusk_await(tusk_create_task(overflow, NULL, .name = "eager", .eager_start = true));
}

/* Runs the coroutine in a child process; its standard error goes to text. Returns how it ended. */
static int watch(tusk_coro *coro, char *text, size_t size)
{
    int ends[2];
    size_t length = 0;
    ssize_t got;
    int status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};

        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        _exit(tusk_run(coro, NULL, .clock = TUSK_CLOCK_VIRTUAL) < 0 ? 1 : 0);
    }
    close(ends[1]);
    while (length + 1 < size && (got = read(ends[0], text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void check(tusk_coro *coro, const char *line)
{
    char text[1 << 16];
    int status = watch(coro, text, sizeof text);

    assert_true(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0));
    assert_non_null(strstr(text, line));
}

/* Sanitizers catch the fault themselves, with a report of their own. */
static void skip_if_watched(void)
{
    if (TUSK__ASAN || TUSK__TSAN || many(1, 0) == 0)
        skip();
}

static void test_named_task(void **state)
{
    (void)state;
    skip_if_watched();
    check(named, "tusk: stack overflow in task 'soup': its stack of ");
}

static void test_unnamed_task(void **state)
{
    (void)state;
    skip_if_watched();
    check(unnamed,
          "tusk: stack overflow in task 'Task-3': its stack of 229376 bytes is full; create it with a "
          "larger .stack_size, such as 458752\n");
}

static void test_main_task(void **state)
{
    (void)state;
    skip_if_watched();
    check(overflow, "tusk: stack overflow in task 'Task-1': its stack of 229376 bytes is full");
}

static void test_eager_task(void **state)
{
    (void)state;
    skip_if_watched();
    check(eager, "tusk: stack overflow in task 'eager': its stack of 229376 bytes is full");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_task),
        cmocka_unit_test(test_unnamed_task),
        cmocka_unit_test(test_main_task),
        cmocka_unit_test(test_eager_task),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
