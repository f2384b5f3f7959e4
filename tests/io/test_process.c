/*
 * Subprocesses: starting, talking, ending, and what is left of them.
 */
#include "task/stage.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/system.h"
#include "support/live.h"

/* No child is left, not even as a zombie. */
static void expect_no_children(void)
{
    expect_int(waitpid(-1, NULL, WNOHANG), -1);
    expect_int(errno, ECHILD);
}

/* Runs a command of the shell to its end; its exit status, and what it wrote. */
static int shell(const char *command, char *text, size_t size)
{
    struct tusk_output output;
    tusk_process *process;
    int rc;

    tusk_try(tusk_create_subprocess_shell(command, &process, .stdout_fd = TUSK_PIPE));
    rc = tusk_process_communicate(process, NULL, 0, &output, NULL);
    if (rc == 0) {
        snprintf(text, size, "%s", output.data);
        rc = tusk_process_wait(process);
        free(output.data);
    }
    tusk_process_release(process);
    return rc;
}

static int codes(void *arg)
{
    tusk_process *process;
    int code = 77;

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("exit 42", &process));
    expect(tusk_process_pid(process) > 0);
    expect(!tusk_process_returncode(process, &code));
    expect_int(code, 77);
    expect_int(tusk_process_wait(process), 42);
    expect_int(tusk_process_wait(process), 42);
    expect(tusk_process_returncode(process, &code));
    expect_int(code, 42);
    expect_int(tusk_process_kill(process), -ESRCH);
    tusk_process_release(process);
    tusk_try(tusk_create_subprocess_shell("kill -USR1 $$", &process));
    expect_int(tusk_process_wait(process), 128 + SIGUSR1);
    expect(tusk_process_returncode(process, &code));
    expect_int(code, -SIGUSR1);
    tusk_process_release(process);
    expect_no_children();
    return 0;
}

static void test_codes(void **state)
{
    (void)state;
    play_quietly(codes);
}

/* More than any pipe holds, in both directions at once. */
static int talk(void *arg)
{
    enum { SIZE = 3000000 };
    const char *const argv[] = {"cat", NULL};
    struct tusk_output output;
    struct tusk_output errors;
    tusk_process *process;
    char *data = malloc(SIZE);

    (void)arg;
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i % 253);
    tusk_try(tusk_create_subprocess_exec(argv, &process, .stdin_fd = TUSK_PIPE, .stdout_fd = TUSK_PIPE,
                                         .stderr_fd = TUSK_PIPE));
    expect_int(tusk_process_communicate(process, data, SIZE, &output, &errors), 0);
    expect_int(output.size, SIZE);
    expect(output.size == SIZE && memcmp(output.data, data, SIZE) == 0);
    expect_int(errors.size, 0);
    expect_text(errors.data, "");
    expect_int(tusk_process_wait(process), 0);
    free(output.data);
    free(errors.data);
    free(data);
    tusk_process_release(process);
    return 0;
}

static void test_communicate(void **state)
{
    (void)state;
    play_quietly(talk);
}

static int talk_by_streams(void *arg)
{
    const char *const argv[] = {"cat", NULL};
    tusk_process *process;
    const char *line;

    (void)arg;
    tusk_try(tusk_create_subprocess_exec(argv, &process, .stdin_fd = TUSK_PIPE, .stdout_fd = TUSK_PIPE));
    expect(tusk_process_stderr(process) == NULL);
    for (int i = 0; i < 100; i++) {
        tusk_try(tusk_stream_print(tusk_process_stdin(process), "line %d\n", i));
        expect(tusk_stream_readline(tusk_process_stdout(process), &line) > 0);
        expect_int(atoi(line + 5), i);
    }
    tusk_stream_close(tusk_process_stdin(process));
    expect_int(tusk_stream_readline(tusk_process_stdout(process), &line), 0);
    expect_int(tusk_process_wait(process), 0);
    tusk_process_release(process);
    return 0;
}

static void test_streams(void **state)
{
    (void)state;
    play_quietly(talk_by_streams);
}

/* It ends without reading its input: that is no error. */
static int deaf_program(void *arg)
{
    enum { SIZE = 1000000 };
    tusk_process *process;
    char *data = calloc(1, SIZE);

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("exit 3", &process, .stdin_fd = TUSK_PIPE));
    expect_int(tusk_process_communicate(process, data, SIZE, NULL, NULL), 0);
    expect_int(tusk_process_wait(process), 3);
    free(data);
    tusk_process_release(process);
    return 0;
}

static void test_a_program_that_does_not_read(void **state)
{
    (void)state;
    play_quietly(deaf_program);
}

static int redirections(void *arg)
{
    struct tusk_output output;
    tusk_process *process;
    int ends[2];
    char byte;

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("echo out; echo err >&2; read x || echo none", &process,
                                          .stdin_fd = TUSK_DEVNULL, .stdout_fd = TUSK_PIPE,
                                          .stderr_fd = TUSK_STDOUT));
    tusk_try(tusk_process_communicate(process, NULL, 0, &output, NULL));
    expect_text(output.data, "out\nerr\nnone\n");
    free(output.data);
    tusk_process_release(process);
    /* A descriptor of the parent's becomes the child's, and stays the parent's. */
    tusk_try(tusk_pipe(ends));
    tusk_try(tusk_create_subprocess_shell("printf x", &process, .stdout_fd = ends[1]));
    expect_int(tusk_process_wait(process), 0);
    expect_int(tusk_read(ends[0], &byte, 1), 1);
    expect_int(tusk_write(ends[1], "y", 1), 1);
    tusk_close(ends[0]);
    tusk_close(ends[1]);
    tusk_process_release(process);
    return 0;
}

static void test_redirections(void **state)
{
    (void)state;
    play_quietly(redirections);
}

static int surroundings(void *arg)
{
    const char *const argv[] = {"sh", "-c", "pwd; echo $COLOUR; echo ${HOME-none}", NULL};
    const char *const env[] = {"COLOUR=green", "PATH=/usr/bin:/bin", NULL};
    struct tusk_output output;
    tusk_process *process;

    (void)arg;
    tusk_try(tusk_create_subprocess_exec(argv, &process, .stdout_fd = TUSK_PIPE, .cwd = "/", .env = env));
    tusk_try(tusk_process_communicate(process, NULL, 0, &output, NULL));
    expect_text(output.data, "/\ngreen\nnone\n");
    free(output.data);
    tusk_process_release(process);
    return 0;
}

static void test_directory_and_environment(void **state)
{
    (void)state;
    play_quietly(surroundings);
}

/* Only the three standard descriptors, all signals at their defaults, none blocked. */
static int hygiene(void *arg)
{
    char text[256];
    int loose = open("/dev/null", O_RDONLY);

    (void)arg;
    expect(loose >= 0);
    expect_int(shell("for fd in 3 4 5 6 7 8 9 10 20 30; do [ -e /proc/self/fd/$fd ] && echo $fd; done; :",
                     text, sizeof text),
               0);
    /* ls opens its folder as 3. */
    expect_text(text, "");
    close(loose);
    expect_int(shell("grep SigBlk /proc/self/status | cut -f2 | sort -u", text, sizeof text), 0);
    expect_text(text, "0000000000000000\n");
    /* The loop ignores SIGPIPE: the child does not. */
    expect_int(shell("kill -PIPE $$", text, sizeof text), 128 + SIGPIPE);
    return 0;
}

static void test_what_a_child_inherits(void **state)
{
    (void)state;
    play_quietly(hygiene);
}

static int bad_programs(void *arg)
{
    const char *const missing[] = {"/nonexistent/program", NULL};
    const char *const unknown[] = {"no-program-has-this-name", NULL};
    const char *const folder[] = {"/", NULL};
    const char *const cat[] = {"cat", NULL};
    const char *const none[] = {NULL};
    tusk_process *process = NULL;

    (void)arg;
    expect_int(tusk_create_subprocess_exec(missing, &process, .stdin_fd = TUSK_PIPE), -ENOENT);
    expect_text(tusk_message(), "cannot run /nonexistent/program: no such file or directory");
    expect_int(tusk_create_subprocess_exec(unknown, &process), -ENOENT);
    expect_int(tusk_create_subprocess_exec(folder, &process), -EACCES);
    expect_int(tusk_create_subprocess_exec(cat, &process, .cwd = "/nonexistent"), -ENOENT);
    expect_text(tusk_message(), "cannot change to the directory /nonexistent: no such file or directory");
    expect_int(tusk_create_subprocess_exec(none, &process), -EINVAL);
    expect_int(tusk_create_subprocess_exec(NULL, &process), -EINVAL);
    expect_int(tusk_create_subprocess_exec(cat, NULL), -EINVAL);
    expect_int(tusk_create_subprocess_shell(NULL, &process), -EINVAL);
    expect_int(tusk_create_subprocess_exec(cat, &process, .stdout_fd = 999), -EBADF);
    expect_int(tusk_create_subprocess_exec(cat, &process, .stdout_fd = TUSK_STDOUT), -EINVAL);
    expect(process == NULL);
    tusk_process_release(NULL);
    expect_int(tusk_process_wait(NULL), -EINVAL);
    expect_no_children();
    return 0;
}

static void test_what_cannot_be_run(void **state)
{
    (void)state;
    play_quietly(bad_programs);
}

static int wait_for_process(void *arg)
{
    return tusk_process_wait(arg);
}

/* A cancelled wait leaves the program alone, and many may wait. */
static int waiters(void *arg)
{
    tusk_process *process;
    tusk_task *tasks[3];

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("exec sleep 1000", &process));
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(wait_for_process, process);
    tusk_try(tusk_sleep(0));
    tusk_try(tusk_sleep(0));
    tusk_task_cancel(tasks[1]);
    expect_int(tusk_await(tasks[1]), -ECANCELED);
    expect_int(tusk_process_send_signal(process, 0), 0);
    expect_int(tusk_process_terminate(process), 0);
    expect_int(tusk_await(tasks[0]), 128 + SIGTERM);
    expect_int(tusk_await(tasks[2]), 128 + SIGTERM);
    tusk_process_release(process);
    return 0;
}

static void test_many_wait_and_one_is_cancelled(void **state)
{
    (void)state;
    play_quietly(waiters);
}

/* One that was released ends by itself, and is no zombie then. */
static int released(void *arg)
{
    tusk_process *process;
    int pid;
    char text[64];

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("exit 0", &process));
    pid = tusk_process_pid(process);
    tusk_process_release(process);
    expect_int(shell("sleep 0.1; echo x", text, sizeof text), 0);
    expect_int(kill(pid, 0), -1);
    expect_no_children();
    return 0;
}

static void test_a_released_process_is_reaped(void **state)
{
    (void)state;
    play_quietly(released);
}

static int release_process(void *arg)
{
    tusk_process_release(arg);
    return 0;
}

/* The object goes while others wait for it; the program goes on, and they hear of its end. */
static int released_under_waiters(void *arg)
{
    tusk_process *process;
    tusk_task *waiters[2];

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("read x; exit 9", &process, .stdin_fd = TUSK_PIPE));
    for (int i = 0; i < 2; i++)
        waiters[i] = tusk_create_task(wait_for_process, process);
    tusk_try(tusk_await(tusk_create_task(release_process, process)));
    expect_int(tusk_await(waiters[0]), 9);
    expect_int(tusk_await(waiters[1]), 9);
    expect_no_children();
    return 0;
}

static void test_released_under_waiters(void **state)
{
    (void)state;
    play_quietly(released_under_waiters);
}

struct talker {
    tusk_process *process;
    struct tusk_output output;
};

static int communicate_large(void *arg)
{
    static char input[1000000];
    struct talker *talker = arg;

    return tusk_process_communicate(talker->process, input, sizeof input, &talker->output, NULL);
}

/* Released, or the task cancelled, at many points of a talk. */
static int talk_cut_short(void *arg)
{
    bool is_cancelled = arg != NULL;

    for (int steps = 1; steps < 24; steps++) {
        const char *const argv[] = {"cat", NULL};
        struct talker talker;
        tusk_process *process;
        tusk_task *task;
        int rc;

        tusk_try(tusk_create_subprocess_exec(argv, &process, .stdin_fd = TUSK_PIPE, .stdout_fd = TUSK_PIPE));
        talker.process = process;
        task = tusk_create_task(communicate_large, &talker);
        for (int i = 0; i < steps; i++)
            tusk_try(tusk_sleep(steps < 12 ? 0 : 0.0001));
        if (is_cancelled)
            tusk_task_cancel(task);
        else
            tusk_process_release(process);
        /* The last ones may be too late. */
        rc = tusk_await(task);
        expect(rc == (is_cancelled ? -ECANCELED : TUSK_STREAM_CLOSED) || (rc == 0 && steps > 2));
        expect((talker.output.data == NULL) == (rc < 0));
        free(talker.output.data);
        if (is_cancelled)
            tusk_process_release(process);
    }
    return 0;
}

static void test_a_talk_that_is_cut_short(void **state)
{
    static int cancel;

    (void)state;
    play_quietly(talk_cut_short);
    assert_int_equal(play_with(talk_cut_short, &cancel, false), 0);
}

/* Without memory for the output the talk ends with an error, and does not wait for a program that nobody reads. */
static int talk_a_lot(void *arg)
{
    static char input[300000];
    const char *const argv[] = {"cat", NULL};
    struct tusk_output output;
    tusk_process *process;
    int rc = tusk_create_subprocess_exec(argv, &process, .stdin_fd = TUSK_PIPE, .stdout_fd = TUSK_PIPE);

    (void)arg;
    if (rc < 0)
        return rc;
    rc = tusk_process_communicate(process, input, sizeof input, &output, NULL);
    expect(rc < 0 || output.size == sizeof input);
    free(output.data);
    tusk_process_kill(process);
    tusk_process_release(process);
    return rc;
}

static void test_a_talk_without_memory(void **state)
{
    int rc = -1;

    (void)state;
    for (long n = 1; rc != 0 && n < 1000; n++) {
        tusk__fail_after(n);
        rc = play(talk_a_lot);
        tusk__fail_after(0);
        if (rc != 0 && rc != -ENOMEM && rc != -EMFILE && rc != -ENOSPC && rc != -EAGAIN)
            fail_msg("operation %ld fails with %s", n, tusk_strerror(rc));
    }
    assert_int_equal(rc, 0);
}

/* Those who wait are told in the order in which they came. */
static int wait_and_tell(void *arg)
{
    struct talker *talker = arg;
    int rc = tusk_process_wait(talker->process);

    trace("%d", (int)talker->output.size);
    return rc;
}

static int in_order(void *arg)
{
    struct talker talkers[3];
    tusk_task *tasks[3];
    tusk_process *process;

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("exit 0", &process));
    for (int i = 0; i < 3; i++) {
        talkers[i] = (struct talker){process, {NULL, (size_t)i}};
        tasks[i] = tusk_create_task(wait_and_tell, &talkers[i]);
    }
    tusk_try(tusk_await(tusk_gather(tasks, 3)));
    tusk_process_release(process);
    return 0;
}

static void test_waiters_in_order(void **state)
{
    (void)state;
    play_trace(in_order, "0 1 2");
}

/* ---- what the parent is like ---- */

static int look_at_standard_ones(void *arg)
{
    static const char command[] =
        "for fd in 0 1 2 3; do if [ -e /proc/self/fd/$fd ]; then echo open; else echo closed; fi; done; cat >&2";
    struct tusk_output output;
    struct tusk_output errors;
    tusk_process *process;
    int streams = (int)(intptr_t)arg;

    tusk_try(tusk_create_subprocess_shell(
        command, &process, .stdin_fd = streams & 1 ? TUSK_PIPE : TUSK_INHERIT, .stdout_fd = TUSK_PIPE,
        .stderr_fd = streams & 2 ? TUSK_PIPE : TUSK_INHERIT));
    expect_int(
        tusk_process_communicate(process, streams & 1 ? "in" : NULL, streams & 1 ? 2 : 0, &output, &errors),
        0);
    expect_text(output.data, streams == 0   ? "closed\nopen\nclosed\nclosed\n"
                             : streams == 1 ? "open\nopen\nclosed\nclosed\n"
                             : streams == 2 ? "closed\nopen\nopen\nclosed\n"
                                            : "open\nopen\nopen\nclosed\n");
    if (streams == 3)
        expect_text(errors.data, "in");
    free(output.data);
    free(errors.data);
    tusk_process_release(process);
    return 0;
}

/* A parent without standard descriptors: pipes and the loop's own would have these numbers. */
static void test_a_parent_without_standard_descriptors(void **state)
{
    int saved[3];
    int rcs[4];
    int failures = 0;

    (void)state;
    if (access("/proc/self/fd", R_OK) < 0)
        skip();
    fflush(NULL);
    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        close(i);
    }
    for (int streams = 0; streams < 4; streams++) {
        stage_failures = 0;
        rcs[streams] = tusk_run(look_at_standard_ones, as_arg(streams));
        failures += stage_failures;
    }
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    stage_failures = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(rcs[i], 0);
    assert_int_equal(failures, 0);
}

static int many_that_end_at_once(void *arg)
{
    (void)arg;
    for (int i = 0; i < 30; i++) {
        tusk_process *process;

        tusk_try(tusk_create_subprocess_shell(i % 2 ? "exit 7" : "sleep 0.01", &process));
        if (i % 3 == 0)
            live_sleep_ms(5);
        expect_int(tusk_process_wait(process), 255);
        expect_int(tusk_process_kill(process), -ESRCH);
        tusk_process_release(process);
    }
    return 0;
}

/* Then the system throws states away, and nobody knows them; but the end is heard of. */
static void test_a_parent_that_ignores_sigchld(void **state)
{
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    size_t live = tusk__live();
    int rc = tusk_run(many_that_end_at_once, NULL);

    (void)state;
    signal(SIGCHLD, before);
    /* One that ended at once was waited for by a thread, which may take a while to end. */
    live_wait_for_blocks(live);
    assert_int_equal(rc, 0);
    assert_int_equal(tusk__live(), live);
    assert_int_equal(stage_failures, 0);
}

/* ---- which program ---- */

static int write_program(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    size_t size = strlen(text);

    expect(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    close(fd);
    return chmod(path, 0755);
}

static int paths(void *arg)
{
    char folder[] = "/tmp/tusk-path-XXXXXX";
    char program[64];
    char script[64];
    char path[80];
    const char *const argv[] = {"tusk-test-program", NULL};
    const char *const script_argv[] = {"tusk-test-script", NULL};
    const char *const env[] = {"X=y", path, NULL};
    const char *const no_env[] = {NULL};
    const char *const true_argv[] = {"true", NULL};
    tusk_process *process;

    (void)arg;
    expect(mkdtemp(folder) != NULL);
    snprintf(program, sizeof program, "%s/tusk-test-program", folder);
    snprintf(script, sizeof script, "%s/tusk-test-script", folder);
    snprintf(path, sizeof path, "PATH=/nonexistent:/etc/passwd:%s", folder);
    expect_int(write_program(program, "#!/bin/sh\nexit 11\n"), 0);
    expect_int(write_program(script, "exit 12\n"), 0);
    /* The PATH that the child will have is the one that counts. */
    expect_int(tusk_create_subprocess_exec(argv, &process), -ENOENT);
    tusk_try(tusk_create_subprocess_exec(argv, &process, .env = env));
    expect_int(tusk_process_wait(process), 11);
    tusk_process_release(process);
    /* An empty folder is where it runs. */
    snprintf(path, sizeof path, "PATH=/nonexistent:");
    tusk_try(tusk_create_subprocess_exec(argv, &process, .env = env, .cwd = folder));
    expect_int(tusk_process_wait(process), 11);
    tusk_process_release(process);
    snprintf(path, sizeof path, "PATH=%s", folder);
    expect_int(tusk_create_subprocess_exec(script_argv, &process, .env = env), -ENOEXEC);
    expect_int(chmod(program, 0644), 0);
    expect_int(tusk_create_subprocess_exec(argv, &process, .env = env), -EACCES);
    tusk_try(tusk_create_subprocess_exec(true_argv, &process, .env = no_env));
    expect_int(tusk_process_wait(process), 0);
    tusk_process_release(process);
    unlink(program);
    unlink(script);
    rmdir(folder);
    return 0;
}

static void test_where_programs_are_looked_for(void **state)
{
    (void)state;
    play_quietly(paths);
}

static pid_t left_behind;

static int leave_released(void *arg)
{
    tusk_process *process;

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("exec sleep 1000", &process));
    left_behind = tusk_process_pid(process);
    tusk_process_release(process);
    return 0;
}

static void test_a_released_process_outlives_the_loop(void **state)
{
    size_t live = tusk__live();
    int status;

    (void)state;
    assert_int_equal(tusk_run(leave_released, NULL), 0);
    assert_int_equal(kill(left_behind, 0), 0);
    assert_int_equal(kill(left_behind, SIGKILL), 0);
    assert_int_equal(waitpid(left_behind, &status, 0), left_behind);
    assert_true(WIFSIGNALED(status));
    /* Where there are no pidfds, a thread has waited for it. */
    live_wait_for_blocks(live);
    assert_int_equal(tusk__live(), live);
}

static int leave_running(void *arg)
{
    tusk_process *process;

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("exec sleep 1000", &process, .stdout_fd = TUSK_PIPE));
    left_behind = tusk_process_pid(process);
    return 0;
}

static void test_the_end_of_the_loop_ends_processes(void **state)
{
    size_t live = tusk__live();

    (void)state;
    assert_int_equal(tusk_run(leave_running, NULL), 0);
    assert_int_equal(kill(left_behind, 0), -1);
    assert_int_equal(errno, ESRCH);
    live_wait_for_blocks(live);
    assert_int_equal(tusk__live(), live);
}

static int start_sleeper(void *arg)
{
    tusk_process **process = arg;

    return tusk_create_subprocess_shell("exec sleep 1000", process);
}

/* A child of fork closes the loop that it has a copy of: the programs are still its parent's. */
static void test_a_fork_that_closes_the_loop_ends_no_processes(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop;
    tusk_process *process;
    int status = -1;
    pid_t child;

    (void)state;
    /* It has no pidfds, and calls lost what the thread holds that waits in the parent. */
    if (RUNNING_ON_VALGRIND)
        skip();
    loop = tusk_new_event_loop();
    assert_int_equal(tusk_loop_run_until_complete(loop, tusk_loop_create_task(loop, start_sleeper, &process)),
                     0);
    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(tusk_loop_close(loop) == 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* A signal that was sent has come by the time that its sender has ended. */
    assert_int_equal(waitpid(tusk_process_pid(process), &status, WNOHANG), 0);
    assert_int_equal(tusk_loop_close(loop), 0);
    live_wait_for_blocks(live);
    assert_int_equal(tusk__live(), live);
}

static int crowd(void *arg)
{
    enum { COUNT = 60 };
    tusk_process *processes[COUNT];

    (void)arg;
    for (int i = 0; i < COUNT; i++) {
        char command[32];

        snprintf(command, sizeof command, "exit %d", i);
        tusk_try(tusk_create_subprocess_shell(command, &processes[i]));
    }
    for (int i = COUNT; i-- > 0;) {
        expect_int(tusk_process_wait(processes[i]), i);
        tusk_process_release(processes[i]);
    }
    expect_no_children();
    return 0;
}

static void test_many_at_once(void **state)
{
    (void)state;
    play_quietly(crowd);
}

static int sessions(void *arg)
{
    char text[64];
    tusk_process *process;
    struct tusk_output output;

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("cut -d' ' -f1,5,6 /proc/self/stat; :", &process,
                                          .stdout_fd = TUSK_PIPE, .start_new_session = true));
    tusk_try(tusk_process_communicate(process, NULL, 0, &output, NULL));
    /* Its group and its session have the number of the shell. */
    snprintf(text, sizeof text, " %d %d\n", tusk_process_pid(process), tusk_process_pid(process));
    expect(output.data && strstr(output.data, text) != NULL);
    free(output.data);
    tusk_process_release(process);
    return 0;
}

static void test_a_session_of_its_own(void **state)
{
    (void)state;
    if (access("/proc/self/stat", R_OK) < 0)
        skip();
    play_quietly(sessions);
}

/*
 * A shell and what it has started, which ends when it is told and says so by the end of the pipe that both have. To the
 * shell alone the signal would not reach it.
 */
static int group(void *arg)
{
    const bool *session = arg;
    tusk_process *process;
    const char *line;
    char byte;

    tusk_try(tusk_create_subprocess_shell("sleep 1000 & echo ready; wait", &process, .stdout_fd = TUSK_PIPE,
                                          .start_new_session = *session, .new_process_group = !*session));
    expect_int(tusk_stream_readline(tusk_process_stdout(process), &line), 6);
    expect_int(tusk_process_killpg(process, 0), 0);
    expect_int(tusk_process_killpg(process, -1), -EINVAL);
    expect_int(tusk_process_killpg(process, 1000), -EINVAL);
    expect_int(tusk_process_killpg(process, SIGTERM), 0);
    expect_int(tusk_stream_read(tusk_process_stdout(process), &byte, 1), 0);
    expect_int(tusk_process_wait(process), 128 + SIGTERM);
    expect_int(tusk_process_killpg(process, SIGTERM), -ESRCH);
    tusk_process_release(process);
    return 0;
}

static void test_a_signal_to_a_group(void **state)
{
    static const bool ways[] = {false, true};

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(play_with(group, (void *)&ways[i], false), 0);
}

/* Its group is ours: nobody in it is to be ended. */
static int no_group(void *arg)
{
    tusk_process *process;

    (void)arg;
    tusk_try(tusk_create_subprocess_shell("exec cat", &process, .stdin_fd = TUSK_PIPE));
    expect_int(tusk_process_killpg(process, SIGTERM), -EINVAL);
    expect(strstr(tusk_message(), ".new_process_group") != NULL);
    expect_int(tusk_process_killpg(NULL, SIGTERM), -EINVAL);
    tusk_stream_close(tusk_process_stdin(process));
    expect_int(tusk_process_wait(process), 0);
    tusk_process_release(process);
    return 0;
}

static void test_no_signal_to_the_group_of_the_parent(void **state)
{
    (void)state;
    play_quietly(no_group);
}

/* Where there are no descriptors of processes, threads wait. */
static void test_without_pidfd(void **state)
{
    size_t live = tusk__live();

    (void)state;
    tusk__system_forget_pidfd(true);
    assert_int_equal(tusk_run(codes, NULL), 0);
    live_wait_for_blocks(live);
    assert_int_equal(tusk_run(talk, NULL), 0);
    live_wait_for_blocks(live);
    tusk__system_forget_pidfd(false);
    assert_int_equal(tusk__live(), live);
    assert_int_equal(stage_failures, 0);
}

/* Every allocation and every new descriptor fails once. */
static int start_one(void *arg)
{
    tusk_process *process;
    int rc = tusk_create_subprocess_shell("exit 5", &process, .stdin_fd = TUSK_PIPE, .stdout_fd = TUSK_PIPE);

    (void)arg;
    if (rc < 0)
        return rc;
    rc = tusk_process_wait(process);
    tusk_process_release(process);
    return rc == 5 ? 0 : rc;
}

static void test_failures(void **state)
{
    int rc = -1;

    (void)state;
    for (long n = 1; rc != 0 && n < 1000; n++) {
        tusk__fail_after(n);
        rc = play(start_one);
        tusk__fail_after(0);
        if (rc != 0 && rc != -ENOMEM && rc != -EMFILE && rc != -ENOSPC && rc != -EAGAIN)
            fail_msg("operation %ld fails with %s", n, tusk_strerror(rc));
    }
    assert_int_equal(rc, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_communicate),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_a_program_that_does_not_read),
        cmocka_unit_test(test_redirections),
        cmocka_unit_test(test_directory_and_environment),
        cmocka_unit_test(test_what_a_child_inherits),
        cmocka_unit_test(test_what_cannot_be_run),
        cmocka_unit_test(test_many_wait_and_one_is_cancelled),
        cmocka_unit_test(test_a_released_process_is_reaped),
        cmocka_unit_test(test_released_under_waiters),
        cmocka_unit_test(test_a_talk_that_is_cut_short),
        cmocka_unit_test(test_a_talk_without_memory),
        cmocka_unit_test(test_waiters_in_order),
        cmocka_unit_test(test_a_parent_without_standard_descriptors),
        cmocka_unit_test(test_a_parent_that_ignores_sigchld),
        cmocka_unit_test(test_where_programs_are_looked_for),
        cmocka_unit_test(test_a_released_process_outlives_the_loop),
        cmocka_unit_test(test_the_end_of_the_loop_ends_processes),
        cmocka_unit_test(test_a_fork_that_closes_the_loop_ends_no_processes),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_a_session_of_its_own),
        cmocka_unit_test(test_a_signal_to_a_group),
        cmocka_unit_test(test_no_signal_to_the_group_of_the_parent),
        cmocka_unit_test(test_without_pidfd),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
