/*
 * Runs programs, and runs them again when they end.
 *
 *     supervisor 'web=python3 -m http.server 8000' 'tick=while sleep 1; do date; done'
 *
 * It shows subprocesses: a task for each of them starts it, and reads its output line by line, while
 * another one reads its errors. One that fails again and again is started less and less often. On Ctrl-C or
 * SIGTERM all are told to end, and those that do not within the deadline are killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tusk.h>

#include "common/program.h"

static const double FIRST_PAUSE = 0.1, LONGEST_PAUSE = 10;
/* A program that ran so long was all right. */
static const double LONG_ENOUGH = 5;

/* In seconds. */
static double deadline;

struct job {
    char name[64];
    const char *command;
};

struct output {
    const char *name;
    tusk_stream *stream;
};

static double now(void)
{
    return tusk_loop_time(tusk_get_running_loop());
}

TUSK_PRINTF(2, 3) static void say(const char *name, const char *format, ...)
{
    va_list args;

    printf("%s: ", name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

/* ---- one program ---- */

static int copy_lines(void *arg)
{
    const struct output *output = arg;
    const char *line;
    ssize_t length;

    while ((length = tusk_stream_readline(output->stream, &line)) > 0 || length == TUSK_LIMIT_OVERRUN) {
        if (length == TUSK_LIMIT_OVERRUN)
            length = (ssize_t)strlen(line = "(a line that is too long)");
        if (line[length - 1] == '\n')
            length--;
        say(output->name, "%.*s", (int)length, line);
    }
    return (int)length;
}

/* Asks it, and what it has started, to end, and if it does not within the deadline, kills them. Its output is still read meanwhile. */
static void end_process(tusk_process *process, const char *name)
{
    tusk_timeout timeout;
    int rc = tusk_timeout_enter(&timeout, deadline);

    tusk_process_killpg(process, SIGTERM);
    if (rc == 0)
        rc = tusk_timeout_exit(&timeout, tusk_process_wait(process));
    if (rc >= 0)
        return;
    say(name, "does not end, and is killed");
    tusk_process_killpg(process, SIGKILL);
    if (tusk_process_wait(process) < 0)
        say(name, "is left to itself");
}

/* Its exit status when it has ended; -ECANCELED when it was ended because we were cancelled. */
static int attend(const struct job *job, tusk_process *process)
{
    struct output outputs[] = {{job->name, tusk_process_stdout(process)},
                               {job->name, tusk_process_stderr(process)}};
    tusk_task *readers[2];
    int status;

    for (int i = 0; i < 2; i++)
        readers[i] = tusk_create_task(copy_lines, &outputs[i], .name = job->name);
    status = tusk_process_wait(process);
    if (status < 0)
        end_process(process, job->name);
    /* What it has written is here, but what it has started may keep the pipes open: no longer than a second. */
    for (int i = 0; i < 2; i++)
        if (tusk_wait_for(readers[i], 1) == -ECANCELED)
            status = -ECANCELED;
    return status;
}

static int run_once(const struct job *job)
{
    tusk_process *process;
    int status;

    tusk_try(tusk_create_subprocess_shell(job->command, &process, .stdin_fd = TUSK_DEVNULL,
                                          .stdout_fd = TUSK_PIPE, .stderr_fd = TUSK_PIPE,
                                          .new_process_group = true));
    say(job->name, "started as process %d", tusk_process_pid(process));
    status = attend(job, process);
    tusk_process_release(process);
    return status;
}

/* Ends only by a cancel, or an error of our own. */
static int supervise(void *arg)
{
    const struct job *job = arg;
    double pause = FIRST_PAUSE;

    for (;;) {
        double start = now();
        int status = run_once(job);

        tusk_try(status);
        if (status < 128)
            say(job->name, "ended with status %d", status);
        else
            say(job->name, "ended by signal %d", status - 128);
        if (now() - start >= LONG_ENOUGH)
            pause = FIRST_PAUSE;
        tusk_try(tusk_sleep(pause));
        pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
    }
}

/* ---- all of them ---- */

struct jobs {
    struct job *jobs;
    int count;
};

static int cancel_main(void *arg)
{
    tusk_task_cancel(arg);
    return 0;
}

/* A cancel of this task, by Ctrl-C or by SIGTERM, is passed on to all of the group. */
static int supervise_all(void *arg)
{
    const struct jobs *jobs = arg;
    tusk_task_group group;

    tusk_try(
        tusk_loop_add_signal_handler(tusk_get_running_loop(), SIGTERM, cancel_main, tusk_current_task()));
    tusk_try(tusk_task_group_enter(&group));
    for (int i = 0; i < jobs->count; i++)
        tusk_task_group_create_task(&group, supervise, &jobs->jobs[i], .name = jobs->jobs[i].name);
    return tusk_task_group_exit(&group, 0);
}

/* "web=python3 -m http.server": a name and a command. Without a name it is the command's first word. */
static struct job job_of(const char *text)
{
    struct job job = {.command = text};
    size_t length = strcspn(text, "= ");

    snprintf(job.name, sizeof job.name, "%.*s", (int)length, text);
    if (text[length] == '=')
        job.command = text + length + 1;
    return job;
}

static const char *deadline_text = "5";
static const struct program program = {
    .name = "supervisor",
    .about =
        "Runs each COMMAND by the shell, again and again, with its NAME in front of each line of output.\n"
        "Ctrl-C or SIGTERM ends them all.",
    .arguments = "[NAME=]COMMAND...",
    .options = {{"deadline", "SECONDS", "how long programs have to end before they are killed",
                 &deadline_text}},
};

int main(int argc, char **argv)
{
    int first = program_options(&program, argc, argv);
    struct jobs jobs = {.count = argc - first};
    int rc;

    if (jobs.count == 0) {
        fprintf(stderr, "supervisor: no COMMAND. See: supervisor --help\n");
        return 2;
    }
    deadline = (double)program_number("a deadline", deadline_text, 0, 3600);
    jobs.jobs = calloc((size_t)jobs.count, sizeof *jobs.jobs);
    if (!jobs.jobs)
        return program_end(&program, -ENOMEM);
    for (int i = 0; i < jobs.count; i++)
        jobs.jobs[i] = job_of(argv[first + i]);
    rc = tusk_run(supervise_all, &jobs);
    free(jobs.jobs);
    return rc == -ECANCELED ? 0 : program_end(&program, rc);
}
