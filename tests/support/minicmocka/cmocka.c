/*
 * The substitute for cmocka: see cmocka.h.
 *
 * Output goes to standard error, unbuffered, so that what a crash leaves behind
 * still names the test it was in.
 */
#include "cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum outcome { PASSED = 0, FAILED = 1, SKIPPED = 2 };

/* Where an assertion of the running step goes; NULL between steps. */
static jmp_buf *leave;

static void leave_with(enum outcome outcome)
{
    if (leave == NULL)
        abort();
    longjmp(*leave, (int)outcome);
}

void mini_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: error: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    leave_with(FAILED);
    abort();
}

void mini_skip(const char *file, int line)
{
    fprintf(stderr, "%s:%d: skipped\n", file, line);
    leave_with(SKIPPED);
    abort();
}

void print_message(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stdout, format, args);
    va_end(args);
}

void print_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
}

void mini_true(intmax_t value, const char *text, const char *file, int line)
{
    if (!value)
        mini_fail(file, line, "not true: %s", text);
}

void mini_integers(intmax_t left, intmax_t right, int equal, const char *text, const char *file, int line)
{
    if ((left == right) != equal)
        mini_fail(file, line, "not true: %s, with %jd and %jd", text, left, right);
}

void mini_pointers(const void *left, const void *right, int equal, const char *text, const char *file,
                   int line)
{
    if ((left == right) != equal)
        mini_fail(file, line, "not true: %s, with %p and %p", text, left, right);
}

void mini_strings(const char *left, const char *right, int equal, const char *text, const char *file,
                  int line)
{
    if (left == NULL || right == NULL)
        mini_fail(file, line, "NULL instead of a string: %s", text);
    if ((strcmp(left, right) == 0) != equal)
        mini_fail(file, line, "not true: %s, with \"%s\" and \"%s\"", text, left, right);
}

void mini_memory(const void *left, const void *right, size_t size, int equal, const char *text,
                 const char *file, int line)
{
    if ((memcmp(left, right, size) == 0) != equal)
        mini_fail(file, line, "not true: %s, in %zu bytes", text, size);
}

void mini_range(uintmax_t value, uintmax_t low, uintmax_t high, int inside, const char *text,
                const char *file, int line)
{
    if ((value >= low && value <= high) != inside)
        mini_fail(file, line, "%s is %ju, and the range is %ju to %ju", text, value, low, high);
}

/* Runs a set-up or tear-down; a negative result or a failed assertion in it is a failure. */
static enum outcome run_fixture(int (*fixture)(void **state), void **state)
{
    jmp_buf here;
    int jumped;
    int rc = 0;

    if (fixture == NULL)
        return PASSED;
    leave = &here;
    jumped = setjmp(here);
    if (jumped == 0)
        rc = fixture(state);
    leave = NULL;
    if (jumped != 0)
        return (enum outcome)jumped;
    return rc == 0 ? PASSED : FAILED;
}

static enum outcome run_body(void (*body)(void **state), void **state)
{
    jmp_buf here;
    int jumped;

    leave = &here;
    jumped = setjmp(here);
    if (jumped == 0)
        body(state);
    leave = NULL;
    return (enum outcome)jumped;
}

static enum outcome run_test(const struct CMUnitTest *test, void *group_state)
{
    void *state = test->initial_state != NULL ? test->initial_state : group_state;
    enum outcome outcome = run_fixture(test->setup_func, &state);

    if (outcome == PASSED)
        outcome = run_body(test->test_func, &state);
    if (run_fixture(test->teardown_func, &state) == FAILED)
        outcome = FAILED;
    return outcome;
}

int mini_run_group(const char *group, const struct CMUnitTest *tests, size_t count,
                   int (*setup)(void **state), int (*teardown)(void **state))
{
    static const char *const words[] = {"passed", "FAILED", "skipped"};
    int counts[3] = {0, 0, 0};
    void *state = NULL;

    if (run_fixture(setup, &state) != PASSED) {
        fprintf(stderr, "%s: the set-up of the group failed\n", group);
        return (int)count;
    }
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "%s ...\n", tests[i].name);
        enum outcome outcome = run_test(&tests[i], state);
        fprintf(stderr, "%s: %s\n", tests[i].name, words[outcome]);
        counts[outcome]++;
    }
    if (run_fixture(teardown, &state) != PASSED) {
        fprintf(stderr, "%s: the tear-down of the group failed\n", group);
        counts[FAILED]++;
    }
    fprintf(stderr, "%d passed, %d failed\n", counts[PASSED], counts[FAILED]);
    return counts[FAILED];
}
