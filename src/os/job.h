/*
 * A job: a function that runs in a thread, and the future of a loop that gets its
 * result.
 *
 * A job has two sides with a reference each. The thread's side runs the function and
 * sends the result as a letter, with which its reference travels. The loop's
 * side stands among the callbacks of the future, and goes when these are called: then the
 * future has the result, or was cancelled, which stops a job that has not
 * started and leaves one that has to itself. So neither side waits for the other, and a
 * thread that comes back after the loop has closed finds a job that is its own. But where the
 * function may use the stack of a task, the loop outwaits it before it closes.
 */
#ifndef TUSK__OS_JOB_H
#define TUSK__OS_JOB_H

#include "os/threads.h"
#include "task/task.h"

/* OUTWAITED: it runs, and the loop blocks until it has ended. */
enum tusk__job_state {
    TUSK__JOB_WAITS,
    TUSK__JOB_RUNS,
    TUSK__JOB_OUTWAITED,
    TUSK__JOB_ENDED,
    TUSK__JOB_CANCELLED,
};

/* PARKED: it would be counted, but its thread waits for the loop. */
enum tusk__job_count { TUSK__JOB_UNCOUNTED, TUSK__JOB_COUNTED, TUSK__JOB_PARKED };

struct tusk__job {
    /* From the thread: the function has ended. */
    struct tusk__letter ended;
    /* Among the callbacks of the future: it is done. */
    struct tusk__letter settled;
    /* In the queue of an executor. */
    struct tusk__job *next;
    /* --- the loop's side --- */
    struct tusk__link link;
    /* With a reference; NULL once it is settled. */
    struct tusk_future *future;
    /* The function may use what goes with the loop. */
    bool uses_stack;
    /* --- both --- */
    struct tusk__port *port;
    /* enum tusk__job_state. Whoever takes it away from WAITS has the job. */
    atomic_int state;
    atomic_int references;
    /* enum tusk__job_count: whether the loop counts it among what goes on outside. */
    atomic_int count;
    /* --- the thread's side --- */
    tusk_coro *function;
    void *arg;
    /* What the arg goes to when the job does not need it any more, in any thread; NULL: to nobody. */
    void (*forget)(void *arg);
    /* The context that the function runs in: a cell. */
    uintptr_t context;
    int result;
    struct tusk__text *text;
};

/* A new job with its future, counted among what goes on outside. NULL on an error (tusk_last_error()). */
struct tusk__job *tusk__job_new(struct tusk_loop *loop, tusk_coro *function, void *arg, const char *where);

/* Takes a job back that nobody has taken on. Its arg stays the caller's. */
void tusk__job_discard(struct tusk__job *job);

/* From here on nobody cancels it any more. False if somebody has. */
bool tusk__job_begin(struct tusk__job *job);

/* Runs one that has begun, in this thread. */
void tusk__job_call(struct tusk__job *job);

/* Sends the result of one that was called to the loop. Takes the thread's reference. */
void tusk__job_tell(struct tusk__job *job);

/* Gives the thread's reference back, of a job that somebody has cancelled. */
void tusk__job_forget(struct tusk__job *job);

/* Takes the thread's reference of a job that shall not run: its future is cancelled. */
void tusk__job_refuse(struct tusk__job *job);

/* The loop's side: it shall not start, if it has not. True then: cancel its future. */
bool tusk__job_withdraw(struct tusk__job *job);

/* The job of this loop that runs in this thread, or NULL. */
struct tusk__job *tusk__job_current(const struct tusk_loop *loop);

/*
 * The thread of the job waits for its loop, so the loop need not wait for the
 * thread: with a virtual clock both would stand still. Until it is unparked, by whoever ends the waiting.
 */
void tusk__job_park(struct tusk__job *job);
void tusk__job_unpark(struct tusk__job *job);

#endif
