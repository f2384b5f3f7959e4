/*
 * The backtrace of a thread that another thread takes, while the first one is
 * busy with something else, or stuck in it.
 *
 * The thread that is to be looked at opens a sample and closes it. In between
 * any one thread may ask for its backtrace: it sends a signal to the first one, whose
 * handler walks the stack and notes where each call returns to. The names are looked up
 * afterwards, by who asked.
 *
 * What the first thread notices: a signal that comes once for each question. System
 * calls that the kernel can begin again are begun again (SA_RESTART); the few that it cannot,
 * such as nanosleep, poll and select, return early with EINTR.
 *
 * Which signal: the first of tusk__spare_signal() that has its default action and that the thread
 * does not block. A thread that blocks them all gets a real-time one unblocked. The
 * handler stays for the life of the process, and does nothing when nobody asked.
 */
#ifndef TUSK__BASE_SAMPLE_H
#define TUSK__BASE_SAMPLE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deeper stacks are cut: their innermost calls are noted. */
enum { TUSK__FRAMES_MAX = 64 };

struct tusk__sample {
    /* The thread that is looked at, and its signal; 0 if there is none. */
    pthread_t thread;
    int signum;
    /* It was blocked in this thread before. */
    bool unblocked;
    atomic_int state;
    /* What the handler wrote: the innermost call first. */
    uintptr_t frames[TUSK__FRAMES_MAX];
    int count;
    /* Those before this one are the handler's own. */
    int first;
    /* The first one is where the thread is, and not where a call returns to. */
    bool exact;
};

/* This thread may be looked at. It has no other sample open. A sample without a signal is open too. */
void tusk__sample_open(struct tusk__sample *sample);

/* It may not any more. Nobody is asking. */
void tusk__sample_close(struct tusk__sample *sample);

/*
 * Another thread: asks for the backtrace. The first one is there, and does not close the sample
 * meanwhile. 0; -ENOTSUP without a signal, -EBUSY if the program has taken the signal for itself.
 */
int tusk__sample_ask(struct tusk__sample *sample);

/*
 * After that: waits until it has been taken. 0; -ECANCELED if it was withdrawn, -ETIMEDOUT if
 * the thread does not take its signal.
 */
int tusk__sample_wait(struct tusk__sample *sample);

/* Takes a question back that has not been answered. The thread itself: afterwards it is not looked at. */
void tusk__sample_withdraw(struct tusk__sample *sample);

/*
 * Writes what was taken, a line for each call, as much as fits; size is 1024 at least. Lines are those
 * of the sanitizers: number, address, name, and (file+place) for addr2line.
 */
void tusk__sample_write(const struct tusk__sample *sample, char *text, size_t size);

#endif
