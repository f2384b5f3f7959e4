/*
 * Subprocesses: their objects.
 *
 * The loop waits for the end of each by a descriptor that becomes readable then (a pidfd),
 * or where there is none by a thread. Until its end was taken the process number
 * belongs to the child, so that a signal cannot reach a stranger.
 */
#include <tusk/process.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/sys.h"
#include "io/process.h"
#include "io/spawn.h"

/* ---- the end ---- */

/* A task that waits for the end. */
struct end_wait {
    struct tusk__waiter waiter;
    struct tusk__place place;
    struct tusk_process *process;
};

void tusk__process_unref(struct tusk_process *process)
{
    if (--process->references > 0)
        return;
    tusk__io_remove_closable(&process->closable);
    tusk__free(process);
}

/* Nothing tells of this child any more. */
static void stop_watching(struct tusk_process *process)
{
    struct tusk__descriptor *descriptor = process->descriptor;

    if (!descriptor)
        return;
    process->descriptor = NULL;
    tusk__descriptor_unlisten(descriptor, TUSK__READ, &process->ear);
    tusk__descriptor_end(descriptor);
}

/* The program has ended with this code: whoever waits is told. */
static void end(struct tusk_process *process, int code)
{
    struct tusk__place *place;

    process->ended = true;
    process->code = code;
    atomic_fetch_sub(&process->io->loop->external, 1);
    stop_watching(process);
    while ((place = process->waiters.first) != NULL) {
        tusk__row_leave(&process->waiters, place);
        tusk__waiter_end(&container_of(place, struct end_wait, place)->waiter, 0);
    }
    tusk__process_unref(process);
}

/* Somebody else, who waits for any child, may have taken the state: then nobody knows it any more. asyncio says 255. */
enum { UNKNOWN_CODE = 255 };

/* True if it has ended: then the object may be gone. */
static bool look(struct tusk_process *process, bool block)
{
    int code = UNKNOWN_CODE;
    int rc = tusk__spawn_reap(process->pid, block, &code);

    if (rc == -EAGAIN)
        return false;
    end(process, code);
    return true;
}

static int wait_by_thread(struct tusk_process *process);

/* If somebody has closed the descriptor behind our back, a thread goes on. */
static void on_end(struct tusk__io_waiter *ear, int rc)
{
    struct tusk_process *process = container_of(ear, struct tusk_process, ear);

    if (look(process, false))
        return;
    if (rc == 0)
        rc = tusk__descriptor_listen(process->descriptor, TUSK__READ, &process->ear);
    if (rc < 0) {
        stop_watching(process);
        wait_by_thread(process);
    }
}

/*
 * The loop closes before the program has ended. One that was released is nobody's any more, and runs on. So
 * does one whose parent is not this process but the one it was forked from.
 */
static void close_with_loop(struct tusk__closable *closable)
{
    struct tusk_process *process = container_of(closable, struct tusk_process, closable);
    int code;

    if (!process->ended) {
        atomic_fetch_sub(&process->io->loop->external, 1);
        if (!process->released && process->forks == tusk__forks()) {
            tusk_process_kill(process);
            tusk__spawn_reap(process->pid, true, &code);
        }
        stop_watching(process);
    }
    tusk__free(process);
}

/* ---- the thread that waits, where there is no pidfd ---- */

static int wait_in_thread(void *arg)
{
    tusk__spawn_wait(*(pid_t *)arg);
    return 0;
}

static int on_thread_end(tusk_future *future, void *arg)
{
    (void)future;
    look(arg, true);
    return 0;
}

/* A thread for each: one that waits is no use for anything else. */
static int wait_by_thread(struct tusk_process *process)
{
    tusk_thread_pool_executor *executor = tusk_thread_pool_executor_create(1);
    tusk_future *future;
    int rc;

    if (!executor)
        return tusk_last_error();
    future = tusk_loop_run_in_executor(process->io->loop, executor, wait_in_thread,
                                       (tusk_copy)(&process->pid, sizeof process->pid));
    tusk_thread_pool_executor_release(executor);
    if (!future)
        return tusk_last_error();
    rc = tusk_future_add_done_callback(future, on_thread_end, process);
    tusk_release(future);
    return rc;
}

/* ---- the beginning ---- */

static int wait_by_descriptor(struct tusk_process *process, int pidfd)
{
    int rc = tusk__descriptor_adopt(process->io, pidfd, TUSK__FD_DEVICE, &process->descriptor);

    if (rc < 0) {
        tusk__system_real.close(pidfd);
        return rc;
    }
    tusk__descriptor_retain(process->descriptor);
    process->ear.ready = on_end;
    rc = tusk__descriptor_listen(process->descriptor, TUSK__READ, &process->ear);
    if (rc < 0)
        stop_watching(process);
    return rc;
}

/* A program that has begun is not to fail for want of a descriptor; and where SIGCHLD is ignored it may have gone already. */
static int watch(struct tusk_process *process)
{
    int pidfd = tusk__system_pidfd(process->pid);
    int rc = pidfd < 0 ? pidfd : wait_by_descriptor(process, pidfd);

    return rc < 0 ? wait_by_thread(process) : 0;
}

/* The descriptors that the child gets (-1: what it has), and the parent's ends of its pipes (-1: none). */
struct ends {
    int child[3];
    int parent[3];
    /* Made here, and to be closed here. */
    bool own[3];
};

static int make_pipe(struct ends *ends, int i)
{
    int fds[2];

    tusk_try(tusk__system_pipe(fds));
    tusk_try(tusk__spawn_lift(fds, 2));
    ends->parent[i] = i == 0 ? fds[1] : fds[0];
    ends->child[i] = i == 0 ? fds[0] : fds[1];
    ends->own[i] = true;
    /* Programs expect them like that. */
    return tusk__system_set_blocking(ends->child[i], true);
}

static int open_null(struct ends *ends, int i)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    tusk_try(tusk__spawn_lift(&fd, 1));
    ends->child[i] = fd;
    ends->own[i] = true;
    return 0;
}

static int make_end(struct ends *ends, int i, int wanted)
{
    switch (wanted) {
    case TUSK_INHERIT:
        return 0;
    case TUSK_PIPE:
        return make_pipe(ends, i);
    case TUSK_DEVNULL:
        return open_null(ends, i);
    case TUSK_STDOUT:
        if (i != 2)
            return tusk_raise(-EINVAL, "TUSK_STDOUT is for .stderr_fd only");
        ends->child[i] = ends->child[1] >= 0 ? ends->child[1] : 1;
        return 0;
    default:
        ends->child[i] = wanted;
        return wanted > 0 && fcntl(wanted, F_GETFD) >= 0 ? 0 : -EBADF;
    }
}

static void close_child_ends(struct ends *ends)
{
    for (int i = 0; i < 3; i++)
        if (ends->own[i])
            close(ends->child[i]);
}

static void close_parent_ends(struct ends *ends)
{
    for (int i = 0; i < 3; i++)
        if (ends->parent[i] >= 0)
            close(ends->parent[i]);
}

static int make_ends(struct ends *ends, const struct tusk_subprocess_options *options)
{
    const int wanted[3] = {options->stdin_fd, options->stdout_fd, options->stderr_fd};

    *ends = (struct ends){{-1, -1, -1}, {-1, -1, -1}, {false, false, false}};
    for (int i = 0; i < 3; i++) {
        int rc = make_end(ends, i, wanted[i]);

        if (rc < 0) {
            close_child_ends(ends);
            close_parent_ends(ends);
            return rc;
        }
    }
    return 0;
}

/* The parent's ends become streams, which own them from here on, or are closed. */
static int make_streams(struct tusk_process *process, struct ends *ends, size_t limit)
{
    tusk__system_ignore_sigpipe();
    for (int i = 0; i < 3; i++) {
        struct tusk__descriptor *descriptor;
        int fd = ends->parent[i];

        if (fd < 0)
            continue;
        tusk_try(tusk__descriptor_adopt(process->io, fd, TUSK__FD_PIPE, &descriptor));
        ends->parent[i] = -1;
        process->streams[i] = tusk__stream_new(process->io, descriptor, limit);
        if (!process->streams[i])
            return tusk_last_error();
    }
    return 0;
}

static void release_streams(struct tusk_process *process)
{
    for (int i = 0; i < 3; i++) {
        tusk_stream_release(process->streams[i]);
        process->streams[i] = NULL;
    }
}

/* Says what was not there. */
static int explain(int rc, const struct tusk__spawn *spawn, bool in_cwd)
{
    if (rc == -EMFILE || rc == -ENOMEM || rc == -EAGAIN)
        return rc;
    return tusk_raise(rc, "cannot %s %s: %s", in_cwd ? "change to the directory" : "run",
                      in_cwd ? spawn->cwd : spawn->argv[0], tusk_strerror(rc));
}

static int start(struct tusk_process *process, const struct tusk__spawn *spawn)
{
    bool in_cwd = false;
    int code;
    int rc = tusk__spawn(spawn, &in_cwd);

    if (rc < 0)
        return explain(rc, spawn, in_cwd);
    process->pid = rc;
    process->forks = tusk__forks();
    rc = watch(process);
    /* Its end is still to be taken, so the number is its own. */
    if (rc < 0 && tusk__spawn_reap(process->pid, false, &code) == -EAGAIN) {
        kill(process->pid, SIGKILL);
        tusk__spawn_reap(process->pid, true, &code);
    }
    return rc;
}

static int start_with_ends(struct tusk_process *process, const char *const argv[],
                           const struct tusk_subprocess_options *options)
{
    struct tusk__spawn spawn = {
        .argv = argv,
        .env = options->env,
        .cwd = options->cwd,
        .new_session = options->start_new_session,
        .new_group = options->new_process_group,
    };
    struct ends ends;
    int rc;

    tusk_try(make_ends(&ends, options));
    process->has_group = spawn.new_session || spawn.new_group;
    rc = make_streams(process, &ends, options->limit);
    memcpy(spawn.fds, ends.child, sizeof spawn.fds);
    if (rc == 0)
        rc = start(process, &spawn);
    close_child_ends(&ends);
    close_parent_ends(&ends);
    if (rc < 0)
        release_streams(process);
    return rc;
}

int(tusk_create_subprocess_exec)(const char *const argv[], tusk_process **ret_process,
                                 const struct tusk_subprocess_options *options)
{
    static const struct tusk_subprocess_options defaults;
    struct tusk__io *io;
    struct tusk_process *process;
    int rc;

    if (!argv || !argv[0] || !ret_process)
        return -EINVAL;
    if (!tusk__running_loop)
        return TUSK_NO_RUNNING_LOOP;
    io = tusk__io_get(tusk__running_loop);
    process = io ? tusk__alloc(sizeof *process) : NULL;
    if (!process)
        return io ? -ENOMEM : tusk_last_error();
    process->io = io;
    tusk__row_init(&process->waiters);
    rc = start_with_ends(process, argv, options ? options : &defaults);
    if (rc < 0) {
        tusk__free(process);
        return rc;
    }
    process->references = 2;
    atomic_fetch_add(&io->loop->external, 1);
    tusk__io_add_closable(io, &process->closable, close_with_loop);
    *ret_process = process;
    return 0;
}

int(tusk_create_subprocess_shell)(const char *command, tusk_process **ret_process,
                                  const struct tusk_subprocess_options *options)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};

    return command ? (tusk_create_subprocess_exec)(argv, ret_process, options) : -EINVAL;
}

void tusk_process_release(tusk_process *process)
{
    if (!process)
        return;
    process->released = true;
    release_streams(process);
    tusk__process_unref(process);
}

/* ---- knowing and waiting ---- */

tusk_stream *tusk_process_stdin(const tusk_process *process)
{
    return process ? process->streams[0] : NULL;
}

tusk_stream *tusk_process_stdout(const tusk_process *process)
{
    return process ? process->streams[1] : NULL;
}

tusk_stream *tusk_process_stderr(const tusk_process *process)
{
    return process ? process->streams[2] : NULL;
}

int tusk_process_pid(const tusk_process *process)
{
    return process ? process->pid : -EINVAL;
}

bool tusk_process_returncode(const tusk_process *process, int *ret_code)
{
    if (!process || !process->ended)
        return false;
    *ret_code = process->code;
    return true;
}

static bool cancel_wait(struct tusk__wait *wait, struct tusk__text *text)
{
    struct end_wait *end_wait = container_of(wait, struct end_wait, waiter.wait);

    tusk__row_leave(&end_wait->process->waiters, &end_wait->place);
    return tusk__waiter_cancel(wait, text);
}

static void describe_wait(const struct tusk__wait *wait, char *text, size_t size)
{
    snprintf(text, size, "the end of process %d",
             (int)container_of(wait, struct end_wait, waiter.wait)->process->pid);
}

static const struct tusk__wait_kind wait_kind = {.cancel = cancel_wait, .describe = describe_wait};

static int wait_for_end(struct tusk_process *process)
{
    struct tusk__task *task = tusk__running_task();
    struct end_wait end_wait = {.process = process};

    if (!task)
        return TUSK_NOT_IN_TASK;
    tusk__waiter_init(&end_wait.waiter, task, &wait_kind);
    tusk__row_append(&process->waiters, &end_wait.place);
    return tusk__waiter_wait(&end_wait.waiter);
}

int tusk_process_wait(tusk_process *process)
{
    int rc;

    if (!process)
        return -EINVAL;
    tusk__process_retain(process);
    rc = process->ended ? 0 : wait_for_end(process);
    if (rc == 0)
        rc = process->code >= 0 ? process->code : 128 - process->code;
    tusk__process_unref(process);
    return rc;
}

/* ---- signals ---- */

int tusk_process_send_signal(tusk_process *process, int signum)
{
    int rc;

    if (!process || signum < 0)
        return -EINVAL;
    if (process->ended)
        return -ESRCH;
    /* The number is the child's until its end was taken, and that happens in this thread. */
    rc =
        process->descriptor ? tusk__system_pidfd_send_signal(process->descriptor->watch.fd, signum) : -ENOSYS;
    if (rc == -ENOSYS || rc == -EPERM)
        rc = kill(process->pid, signum) < 0 ? -errno : 0;
    return rc;
}

/* A group's number is nobody else's as long as its leader's end was not taken. */
int tusk_process_killpg(tusk_process *process, int signum)
{
    if (!process || signum < 0)
        return -EINVAL;
    if (!process->has_group)
        return tusk_raise(-EINVAL, "process %d was not started with .new_process_group or .start_new_session",
                          (int)process->pid);
    if (process->ended)
        return -ESRCH;
    return kill(-process->pid, signum) < 0 ? -errno : 0;
}

int tusk_process_terminate(tusk_process *process)
{
    return tusk_process_send_signal(process, SIGTERM);
}

int tusk_process_kill(tusk_process *process)
{
    return tusk_process_send_signal(process, SIGKILL);
}
