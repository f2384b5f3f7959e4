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
 *        what is ready already. It may come for what is no change, but never for what is not there
 *        (except in a backend that is `vague`: for what has gone again since).
 * expect of an edge-triggered watch: its owner found these directions not ready, and wants to hear
 *        of the next change; TUSK__POLL_URGENT: of urgent data; with TUSK__POLL_VAIN, after ready()
 *        had come for nothing. NULL in a backend that hears of changes by itself.
 * again  of an edge-triggered watch: what is ready in these directions now counts as a change. From
 *        here on the watch is for what `events` says, to which the caller may have added a direction.
 *        0, or a negative code: its descriptor was closed by others, and nothing will come of this
 *        watch any more (a backend that cannot tell returns 0).
 * unwatch ends that. No ready() of this watch comes afterwards, not even from the
 *        wait that is in progress. Also after others have closed the descriptor, and even if its
 *        number is another one's by now.
 * fileno a descriptor that is readable when wait(0) would find something, or -ENOTSUP.
 *
 * A backend that can read and write by itself has three more; NULL in the others:
 *
 * submit takes a request: it and its buffers are the backend's until done() is called, in a later wait.
 *        0, or a negative code: it was not taken, and other ways may work. The number must stay
 *        open as long.
 * withdraw asks for an early end of a request. done() comes as ever, with what was read or written
 *        after all, or with -ECANCELED if that was nothing.
 * settle ends all requests, for the loop closes: when it returns, nothing will touch their buffers any
 *        more. No done() comes.
 *
 * A backend with descriptors of its own, which only this process can change, has three more; NULL in
 * the others:
 *
 * rest_on gets the calls on what is not the backend's own, before the first call of its table.
 * due    when the next thing happens by itself, on the poller's clock; TUSK__NEVER: nothing will. It
 *        may be early, but not before now. At that time wait(0) finds something, or due says more.
 * owns   whether the number is one of those descriptors: then nothing from outside can make it ready.
 *
 * A backend belongs to the loop's thread, but for wake.
 */
#ifndef TUSK__LOOP_POLL_H
#define TUSK__LOOP_POLL_H

#include <limits.h>
#include <stdint.h>
#include <tusk/base.h>

#include "base/compiler.h"
#include "loop/poll/system.h"

struct tusk__poller;

enum {
    TUSK__POLL_READ = 1,
    TUSK__POLL_WRITE = 2,
    /*
     * Only in ready(): the other side has ended or there is an error, so that no read will ever block. Who
     * watches for reading is told of it; others need not be.
     */
    TUSK__POLL_ENDED = 4,
    /* In ready(), with READ: urgent data, at which reads stop short although there is more. See expect. */
    TUSK__POLL_URGENT = 8,
    /* Only in watch(), together with a direction. */
    TUSK__POLL_EDGE = 16,
    /*
     * Only in watch(), with EDGE and READ: loops of other threads watch the same open file, and it
     * is enough if one of those that sleep is told. Never with again().
     */
    TUSK__POLL_EXCLUSIVE = 32,
    /* Only in expect(), with a direction. */
    TUSK__POLL_VAIN = 64,
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

enum tusk__request_code { TUSK__REQUEST_READ, TUSK__REQUEST_WRITE };

/* A read or a write that the poller makes. */
struct tusk__request {
    enum tusk__request_code code;
    int fd;
    /* What stands here must stay as long as the request. */
    const struct iovec *buffers;
    int count;
    /* -1: where the file is. */
    off_t offset;
    /* Bytes, or a negative code. The request is the caller's again. */
    void (*done)(struct tusk__request *request, ssize_t result);
    /* The backend's. */
    ssize_t result;
    struct tusk__request *next;
};

struct tusk__poll_backend {
    const char *name;
    /* What a loop gets if this one cannot be opened here; NULL: the error. */
    const struct tusk__poll_backend *otherwise;
    /*
     * ready() of an edge-triggered watch may come for what is gone by now. And as long as it watches,
     * the open file lives on, even if others have closed its number.
     */
    bool vague;
    /* The calls on this backend's descriptors. NULL: the system's own. */
    const struct tusk__system *system;
    void (*expect)(struct tusk__poller *poller, struct tusk__watch *watch, int events);
    int (*open)(struct tusk__poller *poller);
    void (*close)(struct tusk__poller *poller);
    int (*wait)(struct tusk__poller *poller, int64_t timeout);
    void (*wake)(struct tusk__poller *poller);
    int (*watch)(struct tusk__poller *poller, struct tusk__watch *watch);
    int (*again)(struct tusk__poller *poller, struct tusk__watch *watch, int events);
    void (*unwatch)(struct tusk__poller *poller, struct tusk__watch *watch);
    int (*fileno)(const struct tusk__poller *poller);
    int (*submit)(struct tusk__poller *poller, struct tusk__request *request);
    void (*withdraw)(struct tusk__poller *poller, struct tusk__request *request);
    void (*settle)(struct tusk__poller *poller);
    void (*rest_on)(const struct tusk__system *system);
    int64_t (*due)(struct tusk__poller *poller);
    bool (*owns)(const struct tusk__poller *poller, int fd);
};

struct tusk__poller {
    const struct tusk__poll_backend *backend;
    /* How many descriptors others than the backend itself have under watch, and requests under way: without
     * any, a busy loop need not poll. */
    size_t watched;
    /* The backend that was asked for, if it could not be opened and this is another; else NULL. And why. */
    const struct tusk__poll_backend *refused;
    int refused_code;
    const char *refused_why;
    /* The backend's own. */
    void *state;
    /* The loop's clock and seed, for a backend that has a use for them. NULL: the system's clock. */
    int64_t (*clock)(struct tusk__poller *poller);
    uint64_t seed;
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

/* When something in the poller happens by itself: see `due`. */
static inline int64_t tusk__poller_due(struct tusk__poller *poller)
{
    return unlikely(poller->backend->due != NULL) ? poller->backend->due(poller) : INT64_MAX;
}

#endif
