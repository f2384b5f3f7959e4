/*
 * Counts the system calls of a running process. See --help.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <sys/syscall.h>

#include "calls.h"
#include "../common/measure.h"

/* Those that newer ones replace are missing on newer processors, and the newest in older headers. */
const struct call calls[] = {
    {"read", SYS_read},
    {"readv", SYS_readv},
    {"recvfrom", SYS_recvfrom},
    {"recvmsg", SYS_recvmsg},
    {"write", SYS_write},
    {"writev", SYS_writev},
    {"sendto", SYS_sendto},
    {"sendmsg", SYS_sendmsg},
    {"sendfile64", SYS_sendfile},
#ifdef SYS_epoll_wait
    {"epoll_wait", SYS_epoll_wait},
#endif
    {"epoll_pwait", SYS_epoll_pwait},
#ifdef SYS_epoll_pwait2
    {"epoll_pwait2", SYS_epoll_pwait2},
#endif
#ifdef SYS_poll
    {"poll", SYS_poll},
#endif
    {"ppoll", SYS_ppoll},
    {"io_uring_enter", SYS_io_uring_enter},
    {"epoll_ctl", SYS_epoll_ctl},
    {"accept4", SYS_accept4},
    {"futex", SYS_futex},
    {"nanosleep", SYS_nanosleep},
    {"sched_yield", SYS_sched_yield},
    {NULL, 0},
};

void calls_say_counting(const char *method)
{
    printf("counting by %s\n", method);
    fflush(stdout);
}

bool calls_each_thread(pid_t process, bool (*each)(pid_t thread, void *data), void *data)
{
    char path[64];
    struct dirent *entry;
    bool ok = true;
    DIR *threads;

    snprintf(path, sizeof path, "/proc/%ld/task", (long)process);
    threads = opendir(path);
    if (threads == NULL)
        return false;
    while (ok && (entry = readdir(threads)) != NULL)
        if (entry->d_name[0] != '.')
            ok = each((pid_t)strtol(entry->d_name, NULL, 10), data);
    closedir(threads);
    return ok;
}

static void print_counts(const struct counts *counts, const char *method)
{
    uint64_t known = 0;

    printf("{\"method\": \"%s\", \"all\": %" PRIu64 ", \"calls\": {", method, counts->all);
    for (int i = 0; calls[i].name != NULL; i++) {
        known += counts->of[i];
        if (counts->of[i] > 0)
            printf("\"%s\": %" PRIu64 ", ", calls[i].name, counts->of[i]);
    }
    printf("\"other\": %" PRIu64 "}}\n", counts->all - known);
}

static const char help[] =
    "usage: calls --pid PID [--method trace | ptrace]\n"
    "\n"
    "Attaches to all threads of a running process and prints \"counting by METHOD\"; counts their\n"
    "system calls until a line or the end of standard input; prints the counts as JSON.\n"
    "\n"
    "  --pid PID         the process\n"
    "  --method METHOD   trace: trace points of the kernel, which disturb nothing but need root;\n"
    "                    ptrace: stops the process at each call (default: trace, else ptrace)\n";

static void usage(int status)
{
    fputs(help, status == 0 ? stdout : stderr);
    exit(status);
}

static pid_t to_pid(const char *text)
{
    char *end;
    long pid = strtol(text, &end, 10);

    if (end == text || *end != '\0' || pid < 1)
        bench_die("--pid: '%s' is no number of a process", text);
    return (pid_t)pid;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"pid", required_argument, NULL, 'p'},
        {"method", required_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *method = NULL;
    struct counts counts = {.all = 0};
    pid_t process = 0;
    int letter;

    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (letter == 'p')
            process = to_pid(optarg);
        else if (letter == 'm')
            method = optarg;
        else
            usage(letter == 'h' ? 0 : 1);
    }
    if (process == 0 || optind < argc ||
        (method != NULL && strcmp(method, "trace") != 0 && strcmp(method, "ptrace") != 0))
        usage(1);
    if (method == NULL || strcmp(method, "trace") == 0) {
        if (calls_trace(process, &counts)) {
            print_counts(&counts, "trace");
            return 0;
        }
        if (method != NULL)
            bench_die("trace points of process %ld: %s", (long)process, strerror(errno));
    }
    if (!calls_ptrace(process, &counts))
        bench_die("ptrace of process %ld: %s", (long)process, strerror(errno));
    print_counts(&counts, "ptrace");
    return 0;
}
