/*
 * Put before a lesson by the compiler (-include): the same program on a clock
 * that jumps, so that a lesson of three seconds takes no time.
 *
 * For each call of puts or printf, and once more at the end of the main
 * coroutine, the program writes to standard error how many seconds had passed.
 * So a test can tell when each line came, and standard output stays the lesson's.
 *
 * An environment variable of the library for the clock was rejected: a program
 * must not change its meaning by where it runs.
 */
#ifndef TUSK_TESTS_LESSONS_VIRTUAL_H
#define TUSK_TESTS_LESSONS_VIRTUAL_H

#include <stdio.h>
#include <tusk.h>

static double lesson_start;

struct lesson_main {
    tusk_coro *coro;
    void *arg;
};

static void lesson_print_moment(void)
{
    fprintf(stderr, "%.9f\n", tusk_loop_time(tusk_get_running_loop()) - lesson_start);
}

/* Calls the lesson's main coroutine in its own task, so nothing else about the run changes. */
static int lesson_timed(void *arg)
{
    const struct lesson_main *lesson = arg;

    lesson_start = tusk_loop_time(tusk_get_running_loop());
    int rc = lesson->coro(lesson->arg);

    lesson_print_moment();
    return rc;
}

static int lesson_run(tusk_coro *coro, void *arg)
{
    struct lesson_main lesson = {coro, arg};

    return tusk_run(lesson_timed, &lesson, .clock = TUSK_CLOCK_VIRTUAL);
}

#undef tusk_run
#define tusk_run(coro, arg) lesson_run(coro, arg)
#define puts(text) (lesson_print_moment(), puts(text))
#define printf(...) (lesson_print_moment(), printf(__VA_ARGS__))

#endif
