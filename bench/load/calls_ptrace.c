/*
 * System calls counted by ptrace, for those who are not root.
 *
 * Standard input is read by a child, whose end is one more thing that waitpid() tells.
 * When this program ends, the system lets the threads go on by themselves.
 */
#include <errno.h>
#include <sys/ptrace.h>

#include "calls.h"
#include "../common/measure.h"

/* Its end says that counting is over. */
static pid_t start_reader(void)
{
    pid_t reader = fork();
    char c;

    if (reader == 0) {
        while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
            ;
        _exit(0);
    }
    return reader;
}

static bool seize(pid_t thread, void *data)
{
    (void)data;
    return ptrace(PTRACE_SEIZE, thread, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) == 0 &&
           ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0;
}

static void count_entry(pid_t thread, struct counts *counts)
{
    struct __ptrace_syscall_info info = {.op = PTRACE_SYSCALL_INFO_NONE};

    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) < 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return;
    counts->all++;
    for (int i = 0; calls[i].name != NULL; i++)
        if ((uint64_t)calls[i].number == info.entry.nr) {
            counts->of[i]++;
            return;
        }
}

/* A thread has stopped: at a call, for a signal that it then gets, or for an event of ptrace itself. */
static void go_on(pid_t thread, int status, struct counts *counts)
{
    int signal = WSTOPSIG(status);
    bool is_call = signal == (SIGTRAP | 0x80), is_event = status >> 16 != 0;

    if (is_call)
        count_entry(thread, counts);
    (void)ptrace(PTRACE_SYSCALL, thread, NULL, is_call || is_event ? 0L : (long)signal);
}

bool calls_ptrace(pid_t process, struct counts *counts)
{
    pid_t reader, thread;
    int status;

    if (!calls_each_thread(process, seize, NULL))
        return false;
    reader = start_reader();
    if (reader < 0)
        return false;
    calls_say_counting("ptrace");
    while ((thread = waitpid(-1, &status, __WALL)) != reader) {
        if (thread < 0)
            return false;
        if (WIFSTOPPED(status))
            go_on(thread, status, counts);
        else if (thread == process)
            bench_die("the process ended while its calls were counted");
    }
    return true;
}
