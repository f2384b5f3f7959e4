/*
 * The stage on which the tests of src/task play: a run or a loop whose reports are
 * collected, a trace of what happened in which iteration, and checks that
 * a coroutine may use.
 *
 * cmocka's assertions leave a test by longjmp, which would take a coroutine's
 * stack away from under the loop. So coroutines use expect(), which only counts
 * what was wrong, and the test asserts at its end that nothing was. A play also fails
 * when it leaves memory or descriptors behind.
 */
#ifndef TESTS_TASK_STAGE_H
#define TESTS_TASK_STAGE_H

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <tusk.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "support/libkqueue.h"
#include "support/live.h"

#ifdef TUSK_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

#define STAGE_UNUSED __attribute__((unused))

static STAGE_UNUSED char stage_trace[8192];
static STAGE_UNUSED char stage_reports[8192];
static STAGE_UNUSED int stage_failures;
/* The iteration from which traces count. */
static STAGE_UNUSED uint64_t stage_start;
/* The play asked for debug mode. The environment may too (TUSK_DEBUG=1), for plays that did not. */
static STAGE_UNUSED bool stage_debug;

/* ---- checks ---- */

static STAGE_UNUSED void stage_failed(const char *what, long long got, long long wanted, int line)
{
    print_error("line %d: %s is %lld, not %lld\n", line, what, got, wanted);
    stage_failures++;
}

static STAGE_UNUSED void stage_text_failed(const char *what, const char *got, const char *wanted, int line)
{
    print_error("line %d: %s is\n    %s\nnot\n    %s\n", line, what, got ? got : "NULL",
                wanted ? wanted : "NULL");
    stage_failures++;
}

static STAGE_UNUSED bool same_text(const char *left, const char *right)
{
    return left == right || (left && right && strcmp(left, right) == 0);
}

#define expect(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            stage_failed(#condition, 0, 1, __LINE__);                                                        \
    } while (0)

#define expect_int(got, wanted)                                                                              \
    do {                                                                                                     \
        long long stage_got = (long long)(got);                                                              \
        long long stage_wanted = (long long)(wanted);                                                        \
        if (stage_got != stage_wanted)                                                                       \
            stage_failed(#got, stage_got, stage_wanted, __LINE__);                                           \
    } while (0)

#define expect_text(got, wanted)                                                                             \
    do {                                                                                                     \
        const char *stage_got = (got);                                                                       \
        const char *stage_wanted = (wanted);                                                                 \
        if (!same_text(stage_got, stage_wanted))                                                             \
            stage_text_failed(#got, stage_got, stage_wanted, __LINE__);                                      \
    } while (0)

/* ---- traces ---- */

/* Iterations since mark(). */
static STAGE_UNUSED int iterations(void)
{
    return (int)(tusk_get_running_loop()->iteration - stage_start);
}

static STAGE_UNUSED void mark(void)
{
    stage_start = tusk_get_running_loop()->iteration;
}

static STAGE_UNUSED void stage_append(char *text, size_t size, const char *format, va_list args)
{
    size_t length = strlen(text);

    vsnprintf(text + length, size - length, format, args);
}

/* Adds words to the trace. */
__attribute__((format(printf, 1, 2))) static STAGE_UNUSED void trace(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (stage_trace[0])
        strcat(stage_trace, " ");
    stage_append(stage_trace, sizeof stage_trace - 1, format, args);
    va_end(args);
}

/* Adds a word and the iteration to the trace: "woken@2". */
static STAGE_UNUSED void trace_at(const char *word)
{
    trace("%s@%d", word, iterations());
}

static STAGE_UNUSED int add_report(char *reports, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    stage_append(reports, sizeof stage_reports, format, args);
    va_end(args);
    return 0;
}

/* True for what debug mode alone reports of programs that are right, as many plays are on purpose. */
static STAGE_UNUSED bool is_a_hint(const char *message)
{
    static const char *const hints[] = {
        "A reference was never handed on",
        "A stream was never closed",
        "A tusk_copy was never given",
        "Executing a ",
        "Task ended ",
        "Task swallowed a cancel",
    };

    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strncmp(message, hints[i], strlen(hints[i])) == 0)
            return true;
    return false;
}

/*
 * A handler that keeps "message|task|error|its message" of each report, a line each; in a play that
 * asked for debug mode also hints, and "|where" if it is known.
 */
static STAGE_UNUSED int keep_report(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    const char *where = stage_debug ? context->where : NULL;

    (void)loop;
    (void)arg;
    if (!stage_debug && is_a_hint(context->message))
        return 0;
    return add_report(
        stage_reports, "%s|%s|%s|%s%s%s\n", context->message, context->task_name ? context->task_name : "-",
        context->error ? tusk_errorname(context->error) : "-",
        context->error_message ? context->error_message : "-", where ? "|" : "", where ? where : "");
}

/* ---- plays ---- */

static STAGE_UNUSED size_t open_descriptors(void)
{
    DIR *dir;
    size_t count = 0;

    libkqueue_warm_up(NULL);
    dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

struct stage_play {
    tusk_coro *coro;
    void *arg;
};

static STAGE_UNUSED int stage_main(void *arg)
{
    const struct stage_play *play = arg;

    tusk_loop_set_exception_handler(tusk_get_running_loop(), keep_report, NULL);
    mark();
    return play->coro(play->arg);
}

static STAGE_UNUSED void stage_clean(void)
{
    stage_trace[0] = '\0';
    stage_reports[0] = '\0';
    stage_failures = 0;
    stage_debug = false;
}

/* A run on a clock that jumps, with the reports kept, that must leave nothing behind. */
static STAGE_UNUSED int play_with(tusk_coro *coro, void *arg, bool debug)
{
    struct stage_play play = {coro, arg};
    size_t live = tusk__live();
    size_t descriptors = open_descriptors();
    int rc;

    stage_clean();
    stage_debug = debug;
    rc = tusk_run(stage_main, &play, .clock = TUSK_CLOCK_VIRTUAL, .debug = debug);
    /* Where there are no pidfds, threads wait for processes. */
    live_wait_for_blocks(live);
    assert_int_equal(tusk__live(), live);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(stage_failures, 0);
    return rc;
}

static STAGE_UNUSED int play(tusk_coro *coro)
{
    return play_with(coro, NULL, false);
}

/* A play of which nothing is reported and that returns 0. */
static STAGE_UNUSED void play_quietly(tusk_coro *coro)
{
    int rc = play(coro);

    assert_string_equal(stage_reports, "");
    assert_int_equal(rc, 0);
}

/* The same, and the trace must be this one. */
static STAGE_UNUSED void play_trace(tusk_coro *coro, const char *wanted)
{
    int rc = play(coro);

    assert_string_equal(stage_reports, "");
    assert_string_equal(stage_trace, wanted);
    assert_int_equal(rc, 0);
}

/* A play that returns 0 and of which exactly this is reported. */
static STAGE_UNUSED void play_reports(tusk_coro *coro, const char *wanted)
{
    int rc = play(coro);

    assert_string_equal(stage_reports, wanted);
    assert_int_equal(rc, 0);
}

/* A number of things for a heavy test, less where each costs much. */
static STAGE_UNUSED size_t many(size_t plain, size_t checked)
{
#ifdef TUSK_HAVE_VALGRIND
    if (RUNNING_ON_VALGRIND)
        return checked;
#endif
    return TUSK__ASAN || TUSK__TSAN ? checked : plain;
}

/* ---- coroutines that many tests need ---- */

static STAGE_UNUSED int return_seven(void *arg)
{
    (void)arg;
    return 7;
}

static STAGE_UNUSED int return_arg(void *arg)
{
    return (int)(intptr_t)arg;
}

static STAGE_UNUSED int sleep_hour(void *arg)
{
    (void)arg;
    return tusk_sleep(3600);
}

/* Sleeps and returns 1, whatever happens to the sleep. */
static STAGE_UNUSED int swallow_cancel(void *arg)
{
    int rc = tusk_sleep(3600);

    (void)arg;
    return rc == -ECANCELED ? 1 : rc;
}

static STAGE_UNUSED int fail_at_once(void *arg)
{
    (void)arg;
    return tusk_raise(-EIO, "no milk");
}

/* Awaits the task or future given as arg, whose reference it takes. */
static STAGE_UNUSED int await_arg(void *arg)
{
    return tusk_await(arg);
}

static STAGE_UNUSED void *as_arg(int number)
{
    return (void *)(intptr_t)number;
}

#endif
