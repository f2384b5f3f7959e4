/*
 * Programs in processes of their own, for tests of what is seen from outside: they get SIGINT, and
 * what counts is what they print and how they end.
 *
 * A program ends by itself after a minute (SIGALRM), so that a hang is a failure.
 */
#ifndef TESTS_OS_PROGRAM_H
#define TESTS_OS_PROGRAM_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <tusk.h>

#include "support/live.h"

struct program {
    pid_t pid;
    int out;
    char text[1024];
    size_t length;
};

/* Starts a function as a program; its exit status is what it returns. */
static inline void start(struct program *program, int (*function)(void))
{
    int ends[2];

    fflush(stdout);
    assert_int_equal(pipe(ends), 0);
    program->pid = fork();
    if (program->pid == 0) {
        int status;

        alarm(60);
        /* A shell's background job has it ignored. */
        signal(SIGINT, SIG_DFL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        status = function();
        fflush(stdout);
        _exit(status);
    }
    assert_true(program->pid > 0);
    close(ends[1]);
    program->out = ends[0];
    program->length = 0;
    program->text[0] = '\0';
}

/* Reads until the word has come, or all there is. */
static inline void read_until(struct program *program, const char *word)
{
    while (!word || !strstr(program->text, word)) {
        ssize_t size =
            read(program->out, program->text + program->length, sizeof program->text - 1 - program->length);

        if (size <= 0)
            break;
        program->length += (size_t)size;
        program->text[program->length] = '\0';
    }
    if (word && !strstr(program->text, word))
        fail_msg("no \"%s\" in: %s", word, program->text);
}

/*
 * ThreadSanitizer gives a signal only to the coroutine in which it came, in its next call that it
 * knows: which it may never make. There the programs have to be asleep in their loops.
 */
static inline void let_it_sleep(void)
{
    if (TUSK__TSAN)
        live_sleep_ms(200);
}

static inline void skip_if_signals_are_held_back(void)
{
    if (TUSK__TSAN)
        skip();
}

/* Sends SIGINT once the program has said the word. */
static inline void interrupt_at(struct program *program, const char *word)
{
    read_until(program, word);
    let_it_sleep();
    assert_int_equal(kill(program->pid, SIGINT), 0);
}

static inline int end_of(struct program *program)
{
    int status;

    read_until(program, NULL);
    close(program->out);
    assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
    return status;
}

static inline void assert_exit(struct program *program, int wanted, const char *text)
{
    int status = end_of(program);

    assert_string_equal(program->text, text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), wanted);
}

static inline void assert_killed(struct program *program, const char *text)
{
    int status = end_of(program);

    assert_string_equal(program->text, text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

/* What a main() would do: says how the run ended, and exits with a small number. */
static inline int said(int rc)
{
    say("%s", rc < 0 ? tusk_errorname(rc) : "fine");
    return rc < 0 ? 1 : rc;
}

#endif
