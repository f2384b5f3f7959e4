/*
 * vfork where it is safe to use: a fork of a process with a million stacks copies page
 * tables for seconds. The child runs in the parent's memory, on the parent's stack, while
 * the parent's thread stands still, so it changes nothing there but what was made for it, and calls nothing that
 * could take a lock. (execvp may need a stack as large as its arguments, and so is not used.)
 * What goes wrong before the program has begun comes by a pipe that exec closes.
 */
#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "io/system.h"

/* Why the child did not get as far as the program. */
struct failure {
    int error;
    bool in_cwd;
};

/*
 * Moves the three into place. One that has a place among 0, 1, 2 already might be overwritten before it is moved, so it is first
 * copied out of the way.
 */
static int place_descriptors(const int given[3])
{
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = given[i];
        if (fds[i] < 0 || fds[i] == i || fds[i] >= 3)
            continue;
        fds[i] = fcntl(fds[i], F_DUPFD, 3);
        if (fds[i] < 0)
            return -errno;
    }
    for (int i = 0; i < 3; i++) {
        if (fds[i] < 0)
            continue;
        if (fds[i] == i ? fcntl(i, F_SETFD, 0) < 0 : dup2(fds[i], i) < 0)
            return -errno;
    }
    return 0;
}

/* No handler of the parent may run in the child. What is ignored stays so (nohup), but for what tusk ignores. */
static void reset_signals(void)
{
    for (int signum = 1; signum < NSIG; signum++) {
        struct sigaction action;

        if (sigaction(signum, NULL, &action) < 0)
            continue;
        if ((action.sa_flags & SA_SIGINFO) ||
            (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN) || signum == SIGPIPE)
            signal(signum, SIG_DFL);
    }
}

static void unblock_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* Where the child tells of its failure, once the three have their places. */
enum { REPORT = 3 };

static int place_all(const struct tusk__spawn *spawn, int report)
{
    int rc = place_descriptors(spawn->fds);

    if (rc == 0 && report != REPORT && dup2(report, REPORT) < 0)
        rc = -errno;
    if (rc == 0)
        fcntl(REPORT, F_SETFD, FD_CLOEXEC);
    return rc;
}

/* ---- which program ---- */

/* Where Python looks when there is no PATH. */
static const char no_path[] = "/bin:/usr/bin";

/* The PATH that the child will have. */
static const char *path_of(const struct tusk__spawn *spawn)
{
    const char *path = spawn->env ? NULL : getenv("PATH");

    for (int i = 0; spawn->env && spawn->env[i]; i++)
        if (strncmp(spawn->env[i], "PATH=", 5) == 0) {
            path = spawn->env[i] + 5;
            break;
        }
    return path ? path : no_path;
}

/* Where to look for the program, made by the parent; path is NULL where the name says it. */
struct search {
    const char *path;
    /* Has room for a folder of the path and the name. */
    char *candidate;
};

static int open_search(struct search *search, const struct tusk__spawn *spawn)
{
    *search = (struct search){NULL, NULL};
    if (strchr(spawn->argv[0], '/'))
        return 0;
    search->path = path_of(spawn);
    search->candidate = tusk__alloc(strlen(search->path) + strlen(spawn->argv[0]) + 2);
    return search->candidate ? 0 : -ENOMEM;
}

/* The next candidate; what is left of the path, or NULL after the last one. An empty folder is the present one. */
static const char *next_candidate(const struct search *search, const char *path, const char *name)
{
    size_t length = strcspn(path, ":");
    char *end = search->candidate + length;

    memcpy(search->candidate, path, length);
    if (length > 0)
        *end++ = '/';
    memcpy(end, name, strlen(name) + 1);
    return path[length] ? path + length + 1 : NULL;
}

/* Returns why it could not be begun: what stood in the way at the first place where there was something. */
static int begin_program(const struct tusk__spawn *spawn, const struct search *search)
{
    const char *path = search->path;
    int error = 0;

    if (!path)
        tusk__system_exec(spawn->argv[0], spawn->argv, spawn->env);
    while (path) {
        path = next_candidate(search, path, spawn->argv[0]);
        tusk__system_exec(search->candidate, spawn->argv, spawn->env);
        if (error == 0 && errno != ENOENT && errno != ENOTDIR)
            error = errno;
    }
    return error ? error : errno;
}

/* ---- the child ---- */

/* In the child. Returns only if it fails. */
static struct failure run_child(const struct tusk__spawn *spawn, const struct search *search, int *report)
{
    int rc = place_all(spawn, *report);

    if (rc < 0)
        return (struct failure){-rc, false};
    *report = REPORT;
    if (spawn->cwd && chdir(spawn->cwd) < 0)
        return (struct failure){errno, true};
    if (spawn->new_session)
        setsid();
    else if (spawn->new_group)
        setpgid(0, 0);
    tusk__system_close_from(REPORT + 1);
    reset_signals();
    unblock_signals();
    return (struct failure){begin_program(spawn, search), false};
}

static _Noreturn TUSK__NOINLINE void be_child(const struct tusk__spawn *spawn, const struct search *search,
                                              int report)
{
    struct failure failure = run_child(spawn, search, &report);
    ssize_t written = write(report, &failure, sizeof failure);

    _exit(written > 0 ? 127 : 126);
}

static TUSK__NOINLINE pid_t fork_child(const struct tusk__spawn *spawn, const struct search *search,
                                       int report)
{
    /* The child does not return from here, changes nothing of the parent's, and takes no locks. */
    pid_t pid = TUSK__SYSTEM_FORK(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */

    if (pid == 0)
        be_child(spawn, search, report); /* NOLINT(clang-analyzer-unix.Vfork) */
    return pid < 0 ? -errno : pid;
}

/* What the child said; nothing if the program runs. */
static struct failure hear(int report)
{
    struct failure failure = {0, false};
    ssize_t count;

    do
        count = read(report, &failure, sizeof failure);
    while (count < 0 && errno == EINTR);
    if (count != (ssize_t)sizeof failure)
        failure.error = 0;
    return failure;
}

int tusk__spawn_lift(int fds[], int count)
{
    int rc = 0;

    for (int i = 0; i < count && rc == 0; i++) {
        int high = fds[i] >= REPORT ? fds[i] : fcntl(fds[i], F_DUPFD_CLOEXEC, REPORT);

        if (high < 0)
            rc = -errno;
        else if (high != fds[i])
            close(fds[i]);
        fds[i] = high >= 0 ? high : fds[i];
    }
    for (int i = 0; i < count && rc < 0; i++)
        close(fds[i]);
    return rc;
}

/* A pipe whose reading end blocks. */
static int open_report(int ret_ends[2])
{
    int rc = tusk__system_pipe(ret_ends);

    if (rc == 0)
        rc = tusk__spawn_lift(ret_ends, 2);
    return rc < 0 ? rc : tusk__system_set_blocking(ret_ends[0], true);
}

/* ---- the parent ---- */

static pid_t fork_without_signals(const struct tusk__spawn *spawn, const struct search *search, int report)
{
    sigset_t all;
    sigset_t before;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid = fork_child(spawn, search, report);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static pid_t start(const struct tusk__spawn *spawn, const struct search *search, bool *ret_in_cwd)
{
    struct failure failure = {0, false};
    int report[2];
    int code;
    pid_t pid;
    int rc = open_report(report);

    if (rc < 0)
        return rc;
    pid = fork_without_signals(spawn, search, report[1]);
    close(report[1]);
    if (pid > 0)
        failure = hear(report[0]);
    close(report[0]);
    *ret_in_cwd = failure.in_cwd;
    if (failure.error == 0)
        return pid;
    tusk__spawn_reap(pid, true, &code);
    return -failure.error;
}

pid_t tusk__spawn(const struct tusk__spawn *spawn, bool *ret_in_cwd)
{
    struct search search;
    pid_t pid = open_search(&search, spawn);

    if (pid == 0)
        pid = start(spawn, &search, ret_in_cwd);
    tusk__free(search.candidate);
    return pid;
}

int tusk__spawn_reap(pid_t pid, bool block, int *ret_code)
{
    int status;
    pid_t rc;

    do
        rc = waitpid(pid, &status, block ? 0 : WNOHANG);
    while (rc < 0 && errno == EINTR);
    if (rc <= 0)
        return rc < 0 ? -errno : -EAGAIN;
    *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return 0;
}

void tusk__spawn_wait(pid_t pid)
{
    siginfo_t info;

    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
}
