/*
 * Pollers: how a loop sleeps, and hears of its descriptors.
 *
 * The contract of a backend:
 *
 * open   makes the poller ready, or returns a negative code and has left
 *        nothing behind.
 * close  gives everything back. Called once, after a successful open.
 * wait   sleeps until a watched descriptor is ready, wake was called, or timeout
 *        nanoseconds have passed (0: only looks; negative: no limit), whichever is
 *        first; it calls ready() of each watch that is ready, once per wait at
 *        most, and then returns 0. A signal ends it early, as 0. It never ends more
 *        than a clock tick before the timeout (a caller that finds itself early waits
 *        again). A negative code means that the loop cannot go on.
 * wake   ends the present wait, or the next one, from any thread. Several wakes may
 *        count as one. Returns nothing: it cannot fail in a way that the caller could
 *        do something about.
 * watch  begins to watch a descriptor for reading or writing; returns 0 or a negative
 *        code. The watch stays where it is until unwatch.
 * unwatch ends that. No ready() of this watch comes afterwards, not even from the
 *        wait that is in progress.
 * fileno a descriptor that is readable when wait(0) would find something, or -ENOTSUP.
 *
 * A backend belongs to the loop's thread, but for wake.
 */
#ifndef TUSK__LOOP_POLL_H
#define TUSK__LOOP_POLL_H

#include <limits.h>
#include <stdint.h>
#include <tusk/base.h>

struct tusk__poller;

enum { TUSK__POLL_READ = 1, TUSK__POLL_WRITE = 2 };

struct tusk__watch {
    int fd;
    /* What is watched for, and then, in ready(), what came: TUSK__POLL_*. */
    int events;
    void (*ready)(struct tusk__watch *watch, int events);
    /* The backend's. */
    struct tusk__watch *next;
};

struct tusk__poll_backend {
    const char *name;
    int (*open)(struct tusk__poller *poller);
    void (*close)(struct tusk__poller *poller);
    int (*wait)(struct tusk__poller *poller, int64_t timeout);
    void (*wake)(struct tusk__poller *poller);
    int (*watch)(struct tusk__poller *poller, struct tusk__watch *watch);
    void (*unwatch)(struct tusk__poller *poller, struct tusk__watch *watch);
    int (*fileno)(const struct tusk__poller *poller);
};

struct tusk__poller {
    const struct tusk__poll_backend *backend;
    /* How many descriptors others than the backend itself have under watch: without any, a
     * busy loop need not poll. */
    size_t watched;
    /* The backend's own. */
    void *state;
};

/* A time-out for system calls that count in milliseconds: never shorter than asked for. */
static inline int tusk__milliseconds_up(int64_t nanoseconds)
{
    int64_t milliseconds = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);

    if (nanoseconds < 0)
        return -1;
    return milliseconds > INT_MAX ? INT_MAX : (int)milliseconds;
}

/*
 * Opens the poller of that name; NULL or "": the one that TUSK_POLLER names, or
 * else the best one. -EINVAL for a name that this system does not have.
 */
int tusk__poller_open(struct tusk__poller *poller, const char *name);

#endif
