/*
 * Workers from the inside.
 *
 * The thread that calls tusk_workers() runs a loop of its own, which only waits for the ends of the
 * others. So Ctrl-C comes to it as to any run, and it has one way to stop the workers, a letter to
 * each, whatever the reason is. Rejected: the calling thread as one of the workers. When its own
 * coroutine has ended and others run on, nobody would be left to hear Ctrl-C.
 */
#ifndef TUSK__IO_WORKERS_H
#define TUSK__IO_WORKERS_H

#include <pthread.h>
#include <stdatomic.h>

#include <tusk/sync.h>
#include <tusk/workers.h>

#include "os/port.h"

struct tusk__workers;
struct tusk__share;

/* How long a message of a worker's error may be for the caller to see all of it. */
enum { TUSK__WORKER_MESSAGE = 256 };

struct tusk__worker {
    struct tusk__workers *workers;
    int index;
    pthread_t thread;
    /* Clients of shared servers: here, or on their way. Any thread. */
    atomic_long clients;

    /* --- with the lock --- */
    /* Of its loop, with a reference; NULL before that runs. */
    struct tusk__port *port;
    /* Asks its coroutine to end; has been sent. */
    struct tusk__letter cancel;
    bool cancel_sent;

    /* --- its own thread's --- */
    /* What runs the coroutine, while it does. */
    tusk_task *task;
    /* How it ended, for the caller; sent by `ended`, as the last thing it does. */
    int rc;
    char message[TUSK__WORKER_MESSAGE];
    struct tusk__letter ended;
};

struct tusk__workers {
    tusk_coro *coro;
    void *arg;
    const struct tusk_run_options *options;
    size_t count;
    pthread_mutex_t lock;

    /* --- with the lock --- */
    /* All are to end: who has not begun does not. */
    bool cancelled;
    struct tusk__share *shares;

    /* --- the calling thread's --- */
    struct tusk__port *port;
    size_t started;
    size_t running;
    /* The last has ended. */
    tusk_event over;
    /* The first that failed, or that was cancelled if none did; or NULL. */
    struct tusk__worker *failed;

    struct tusk__worker workers[];
};

/* The worker that this thread is, or NULL. */
extern _Thread_local struct tusk__worker *tusk__this_worker;

#endif
