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
 *        code (-EPERM: this kind of descriptor cannot be watched, such as regular files). The
 *        watch stays where it is until unwatch. Level-triggered, ready() comes in each wait as long
 *        as there is something; with TUSK__POLL_EDGE it comes once for each change, and at first for
 *        what is ready already. It may come for what is no change, but never for what is not there.
 * expect of an edge-triggered watch: its owner found these directions not ready, and wants to hear
 *        of the next change; TUSK__POLL_URGENT: of urgent data. NULL in a backend that
 *        hears of changes by itself.
 * again  of an edge-triggered watch: what is ready in these directions now counts as a change. From
 *        here on the watch is for what `events` says, to which the caller may have added a direction.
 *        0, or a negative code: its descriptor was closed by others, and nothing will come of this
 *        watch any more (a backend that cannot tell returns 0).
 * unwatch ends that. No ready() of this watch comes afterwards, not even from the
 *        wait that is in progress. Also after others have closed the descriptor, and even if its
 *        number is another one's by now.
 * fileno a descriptor that is readable when wait(0) would find something, or -ENOTSUP.
 *
 * A backend belongs to the loop's thread, but for wake.
 */
#ifndef TUSK__LOOP_POLL_H
#define TUSK__LOOP_POLL_H

#include <limits.h>
#include <stdint.h>
#include <tusk/base.h>

#include "loop/poll/system.h"

struct tusk__poller;

enum {
    TUSK__POLL_READ = 1,
    TUSK__POLL_WRITE = 2,
    /* Only in ready(): the other side has ended or there is an error, so that no read will ever block. */
    TUSK__POLL_ENDED = 4,
    /* In ready(), with READ: urgent data, at which reads stop short although there is more. See expect. */
    TUSK__POLL_URGENT = 8,
    /* Only in watch(), together with a direction. */
    TUSK__POLL_EDGE = 16,
};

struct tusk__watch {
    int fd;
    /* What is watched for: TUSK__POLL_*. */
    int events;
    /* The backend's: edge-triggered directions that have something to wait for. */
    int expected;
    void (*ready)(struct tusk__watch *watch, int events);
    /* The backend's. */
    struct tusk__watch *next;
};

struct tusk__poll_backend {
    const char *name;
    /* The calls on this backend's descriptors. NULL: the system's own. */
    const struct tusk__system *system;
    int (*open)(struct tusk__poller *poller);
    void (*close)(struct tusk__poller *poller);
    int (*wait)(struct tusk__poller *poller, int64_t timeout);
    void (*wake)(struct tusk__poller *poller);
    int (*watch)(struct tusk__poller *poller, struct tusk__watch *watch);
    void (*expect)(struct tusk__poller *poller, struct tusk__watch *watch, int events);
    int (*again)(struct tusk__poller *poller, struct tusk__watch *watch, int events);
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
