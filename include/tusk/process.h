/*
 * Subprocesses: programs that run beside the loop. (asyncio.subprocess)
 *
 *     const char *const argv[] = {"sort", "-n", NULL};
 *     struct tusk_output sorted;
 *     tusk_process *process;
 *
 *     tusk_try(tusk_create_subprocess_exec(argv, &process, .stdin_fd = TUSK_PIPE, .stdout_fd = TUSK_PIPE));
 *     rc = tusk_process_communicate(process, "3\n1\n2\n", 6, &sorted, NULL);
 *     if (rc == 0)
 *         rc = tusk_process_wait(process);              // 0: the program succeeded
 *     ...
 *     free(sorted.data);
 *     tusk_process_release(process);
 *
 * The loop waits for each of its processes by itself, so none becomes a zombie, and a signal is sent
 * only as long as the process is known to live, so it never reaches a stranger. The child has the
 * three standard descriptors and no others (one that the parent has closed stays closed); none of its signals is
 * blocked, and all are at their defaults but for those that the parent ignores; SIGPIPE always is.
 *
 * A process that still runs when its loop closes is killed. One that was released before runs on; then nobody takes its end
 * any more but a waitpid() of the program's own.
 * With a virtual clock, time stands still while processes run.
 *
 * All functions: the loop's thread.
 */
#ifndef TUSK_PROCESS_H
#define TUSK_PROCESS_H

#include <tusk/stream.h>

TUSK_BEGIN_DECLS

/* A program that was started. Yours, until tusk_process_release(). */
typedef struct tusk_process tusk_process;

/* For the options .stdin_fd, .stdout_fd and .stderr_fd, beside descriptors. */
enum {
    /* As the parent's. */
    TUSK_INHERIT = 0,
    /* A new pipe, whose other end is a stream of the process object. */
    TUSK_PIPE = -1,
    /* The same as the standard output. (.stderr_fd only) */
    TUSK_STDOUT = -2,
    /* /dev/null. */
    TUSK_DEVNULL = -3,
};

struct tusk_subprocess_options {
    /* TUSK_INHERIT, TUSK_PIPE, TUSK_STDOUT, TUSK_DEVNULL, or a descriptor, which stays yours. */
    int stdin_fd;
    int stdout_fd;
    int stderr_fd;
    /* Where it runs; NULL: where the parent does. */
    const char *cwd;
    /* "NAME=value" texts, ended by NULL; NULL: the parent's. */
    const char *const *env;
    /* The limit of the streams: tusk/stream.h. */
    size_t limit;
    /* Begins a session, and with it a process group, of its own. */
    bool start_new_session;
    /* Or only a process group: then a ^C at the terminal does not reach it. */
    bool new_process_group;
    int tusk__end;
};

/*
 * Starts a program: argv[0], looked up in PATH (that of .env, if it is given) unless there is a "/" in it, with these
 * arguments, ended by NULL.
 * Returns 0; what kept the program from starting (-ENOENT, -EACCES, -E2BIG, -ENOEXEC; for .cwd too, with a
 * message that says which); -EMFILE, -EAGAIN, -ENOMEM, -EINVAL; TUSK_NO_RUNNING_LOOP. Nothing is
 * left behind then. Does not suspend. The object is yours. Options: all of
 * struct tusk_subprocess_options.
 */
TUSK_API TUSK_MUST_CHECK int tusk_create_subprocess_exec(const char *const argv[], tusk_process **ret_process,
                                                         const struct tusk_subprocess_options *options);

/*
 * The same as tusk_create_subprocess_exec() by way of "/bin/sh -c command". Mind what is in the
 * command: the shell takes a part of it that came from elsewhere for its own language.
 */
TUSK_API TUSK_MUST_CHECK int tusk_create_subprocess_shell(const char *command, tusk_process **ret_process,
                                                          const struct tusk_subprocess_options *options);

/* Gives the object and its streams back. The program, if it still runs, runs on. Takes NULL. Does not suspend. */
TUSK_API void tusk_process_release(tusk_process *process);

/* The streams of pipes that were asked for, else NULL. They belong to the process object. Do not suspend. */
TUSK_API tusk_stream *tusk_process_stdin(const tusk_process *process);
TUSK_API tusk_stream *tusk_process_stdout(const tusk_process *process);
TUSK_API tusk_stream *tusk_process_stderr(const tusk_process *process);

/* The number of the process, also when it has ended. Does not suspend. */
TUSK_API int tusk_process_pid(const tusk_process *process);

/*
 * Waits for the end of the program. Returns the program's exit status, 0 to 255; 128 + n if signal n ended it, as
 * shells say; 255 if nobody knows, for the parent ignores SIGCHLD or waited for any child itself; -ECANCELED, and the program runs on. Many tasks may wait. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_process_wait(tusk_process *process);

/*
 * asyncio's returncode: the exit status, or -n if signal n ended it. Returns false, and leaves
 * *ret_code alone, as long as the program runs. Does not suspend.
 */
TUSK_API bool tusk_process_returncode(const tusk_process *process, int *ret_code);

/* What a program wrote: memory for free(), and its size. A zero byte stands behind it. */
struct tusk_output {
    /* Yours, for free(). NULL if there was no pipe. */
    char *data;
    /* In bytes, without the zero byte behind it. */
    size_t size;
};

/*
 * Writes the input, closes the pipe, reads both outputs to their ends, all at once, and waits for the end of the program.
 * Each of ret_output and ret_errors may be NULL: then that output is read and thrown away. Those without a pipe are
 * {NULL, 0}. That the program does not read all of the input is no error. Returns 0; -ECANCELED, -ENOMEM, and then the outputs are {NULL, 0};
 * -EINVAL for input without a pipe. The exit status is tusk_process_wait()'s. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_process_communicate(tusk_process *process, const void *input, size_t size,
                                                      struct tusk_output *ret_output,
                                                      struct tusk_output *ret_errors);

/* Sends a signal. -ESRCH if the program has ended, and nobody gets it. Does not suspend. */
TUSK_API int tusk_process_send_signal(tusk_process *process, int signum);

/*
 * Sends a signal to the process and to all that it has started, but for those that have left its
 * group: a shell and its commands. (os.killpg) For one that was started with .new_process_group or
 * .start_new_session, else -EINVAL: its group is the parent's. -ESRCH if the program itself has
 * ended, for then its group may be a stranger's, and nobody gets it. Does not suspend.
 */
TUSK_API int tusk_process_killpg(tusk_process *process, int signum);

/* As tusk_process_send_signal() with SIGTERM, and with SIGKILL. Do not suspend. */
TUSK_API int tusk_process_terminate(tusk_process *process);
TUSK_API int tusk_process_kill(tusk_process *process);

#ifndef __cplusplus
#define tusk_create_subprocess_exec(argv, ...) TUSK__CREATE_SUBPROCESS_EXEC(argv, __VA_ARGS__, .tusk__end = 0)
#define TUSK__CREATE_SUBPROCESS_EXEC(argv, ret_process, ...)                                                 \
    (tusk_create_subprocess_exec)(argv, ret_process, &(const struct tusk_subprocess_options){__VA_ARGS__})
#define tusk_create_subprocess_shell(command, ...)                                                           \
    TUSK__CREATE_SUBPROCESS_SHELL(command, __VA_ARGS__, .tusk__end = 0)
#define TUSK__CREATE_SUBPROCESS_SHELL(command, ret_process, ...)                                             \
    (tusk_create_subprocess_shell)(command, ret_process, &(const struct tusk_subprocess_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
