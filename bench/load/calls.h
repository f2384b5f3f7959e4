/*
 * Counting the system calls of a process, by one of two methods.
 *
 * A method attaches to all threads of the process; counting goes on until a line
 * or the end of standard input, so that who runs the load says when. Then the counts are
 * printed, as one line of JSON.
 */
#ifndef BENCH_LOAD_CALLS_H
#define BENCH_LOAD_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The calls that are told apart, NULL at the end. All others are one number. */
struct call {
    const char *name;
    long number;
};
extern const struct call calls[];

enum { CALLS_MOST = 64 };

struct counts {
    uint64_t of[CALLS_MOST]; /* in the order of calls */
    uint64_t all;
};

/*
 * Kernel trace points, which count where the call is and let it go on: the server runs as fast as
 * ever, so that it finds as many connections ready at once as without. Needs root.
 * False, with the reason in errno, before it counted anything.
 */
bool calls_trace(pid_t process, struct counts *counts);

/*
 * ptrace, which stops the server twice in each call. It may then find more connections
 * ready at once and wait less often than it does by itself.
 */
bool calls_ptrace(pid_t process, struct counts *counts);

/* Tells that counting has begun. */
void calls_say_counting(const char *method);

/* Calls each(thread, data) for all threads of the process; false when one of them returned false. */
bool calls_each_thread(pid_t process, bool (*each)(pid_t thread, void *data), void *data);

#endif
