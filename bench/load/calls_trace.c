/*
 * System calls counted by trace points: one for all calls, and one for each call that is
 * told apart. No more than that: each counter costs something whenever the process goes to sleep.
 *
 * The numbers of trace points stand in tracefs, which few systems mount for
 * everyone. It is mounted here in a namespace of our own, so the machine stays as it was.
 *
 * New threads inherit the counters.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "calls.h"
#include "../common/measure.h"

#define TRACEFS "/sys/kernel/tracing"

enum { COUNTERS = 4096 };

struct counter {
    int fd;
    uint64_t *count;
};

struct trace {
    struct counts *counts;
    struct counter counters[COUNTERS];
    int used;
};

static bool see_tracefs(void)
{
    if (access(TRACEFS "/events/raw_syscalls/sys_enter/id", R_OK) == 0)
        return true;
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tracefs", TRACEFS, "tracefs", 0, NULL) == 0;
}

/* The number of a trace point; negative if there is none. */
static long number_of(const char *group, const char *name)
{
    char path[256], text[32];
    long number = -1;
    FILE *file;

    snprintf(path, sizeof path, TRACEFS "/events/%s/sys_enter%s/id", group, name);
    file = fopen(path, "r");
    if (file == NULL)
        return -1;
    if (fgets(text, sizeof text, file) != NULL)
        number = strtol(text, NULL, 10);
    fclose(file);
    return number;
}

static bool count(struct trace *trace, pid_t thread, long number, uint64_t *into)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_TRACEPOINT, .size = sizeof attributes, .config = (uint64_t)number, .inherit = 1};
    int fd;

    if (trace->used == COUNTERS) {
        errno = EMFILE;
        return false;
    }
    fd = (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return false;
    trace->counters[trace->used++] = (struct counter){.fd = fd, .count = into};
    return true;
}

/* The count of all is opened first and read last: what comes between can only make "other" larger. */
static bool count_thread(pid_t thread, void *data)
{
    struct trace *trace = data;
    long number = number_of("raw_syscalls", "");

    if (number < 0 || !count(trace, thread, number, &trace->counts->all))
        return false;
    for (int i = 0; calls[i].name != NULL; i++) {
        char name[64];
        snprintf(name, sizeof name, "_%s", calls[i].name);
        number = number_of("syscalls", name);
        if (number >= 0 && !count(trace, thread, number, &trace->counts->of[i]))
            return false;
    }
    return true;
}

static void take_counts(struct trace *trace)
{
    uint64_t value;

    for (int i = trace->used - 1; i >= 0; i--) {
        if (read(trace->counters[i].fd, &value, sizeof value) == (ssize_t)sizeof value)
            *trace->counters[i].count += value;
        close(trace->counters[i].fd);
    }
}

static void wait_for_line(void)
{
    int c;

    do
        c = getchar();
    while (c != '\n' && c != EOF);
}

bool calls_trace(pid_t process, struct counts *counts)
{
    static struct trace trace;

    trace.counts = counts;
    if (!see_tracefs() || !calls_each_thread(process, count_thread, &trace)) {
        int error = errno;
        for (int i = 0; i < trace.used; i++)
            close(trace.counters[i].fd);
        errno = error;
        return false;
    }
    calls_say_counting("trace");
    wait_for_line();
    take_counts(&trace);
    return true;
}
