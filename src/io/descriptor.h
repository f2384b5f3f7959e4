/*
 * Descriptors, as a loop knows them: what may be ready, and who waits.
 *
 * No call is made that cannot succeed. Readiness is remembered for each direction:
 * true at first (a try costs less than asking), false from the moment a call found nothing, or
 * did less than it was asked for, and true again when the poller tells of a
 * change. The descriptor is registered with the poller when somebody first has to
 * wait, edge-triggered, for the directions that were ever waited for, and for its life; so a busy
 * connection costs one read and one write a request, and nothing else.
 *
 * Why nothing is lost: a change that comes after the call that found nothing makes
 * an edge of its own, and one that came before is found by the call or told of by the
 * registration. That a short result means "nothing left" is true of streams only, and not of each:
 * see short_tells.
 *
 * All waiters of a direction are woken at a change, in order. The first one to find
 * nothing clears the readiness, and those behind him wait on without a call. Rejected: to wake one,
 * who wakes the next; a waiter that is cancelled at the wrong moment must then hand on what
 * it was woken for.
 *
 * A record lives from the first use of a number until tusk_close(), or until tusk
 * itself gets the same number anew from the system: then somebody has closed it
 * behind our back, and who still waits is told. Waiters keep the record, so one that
 * was closed under them is no dangling pointer, and no other descriptor either.
 *
 * What is only watched (add_reader, poll_fd) belongs to other code, which reads, writes and closes it
 * as it likes: its record is a guest's. It says nothing of what the descriptor is, changes nothing about
 * it, and each new wait asks the poller whether the number still is what was registered.
 */
#ifndef TUSK__IO_DESCRIPTOR_H
#define TUSK__IO_DESCRIPTOR_H

#include <stdatomic.h>

#include "io/io.h"
#include "io/system.h"
#include "task/waiter.h"

enum tusk__direction { TUSK__READ, TUSK__WRITE };

/* Waits for one change of one direction. It stands inside of whatever waits. */
struct tusk__io_waiter {
    struct tusk__io_waiter *next;
    /* Whoever points to this one; NULL: it does not wait. */
    struct tusk__io_waiter **from;
    /* It does not wait any more. 0: there may be something; -EBADF: the descriptor was closed. No user code in here. */
    void (*ready)(struct tusk__io_waiter *waiter, int rc);
};

struct tusk__readiness {
    struct tusk__io_waiter *first;
    struct tusk__io_waiter **end;
    /* A call is worth trying. Who clears it by other means than tusk__descriptor_exhausted() may wait for ever. */
    bool ready;
    /*
     * A call that does less than it was asked for has met the end of what there is, or of the
     * room. Not so with messages; when the peer has ended, for that makes no further edge; at
     * urgent data; and at descriptors and credentials in a Unix socket, where reads stop too.
     */
    bool short_tells;
    /* The poller has told of a change, and nothing has come of it yet. */
    bool fresh;
};

/* Whose record it is. */
enum tusk__standing {
    /* Tusk reads and writes it. */
    TUSK__OURS,
    /* It is only watched: `kind` is not known. */
    TUSK__GUEST,
    /* tusk_close() was called, and a thread still uses the number: it is closed after that. */
    TUSK__CLOSING,
};

struct tusk__descriptor {
    /* .fd is the descriptor; .events what the poller watches for, 0: it does not. */
    struct tusk__watch watch;
    struct tusk__io *io;
    struct tusk__readiness directions[2];
    /* add_reader, add_writer; NULL: none. */
    struct tusk__watcher *watchers[2];
    /* What calls are made on: watch.fd, or in its place an opening of the same terminal of our own. */
    int fd;
    uint32_t references;
    /* Threads that use the number, or will. */
    uint32_t calls;
    /* enum tusk__fd_kind. */
    uint8_t kind;
    /* enum tusk__standing. */
    uint8_t standing;
    /* The poller knows it. */
    bool watched;
    bool closed;
    /* Every read succeeds from here on: there is the rest, and then the end or an error. */
    bool ended;
    /* A socket of bytes in which descriptors and credentials may come along. */
    bool parcels;
    /* Only this process can make it ready: who waits for it does not wait for anything outside. */
    bool inside;
    /* The same for threads. */
    atomic_bool closed_for_threads;
    /* Debug mode: which open file the number was. */
    uint64_t identity;
};

/* The record of a number that is only to be watched. The same results. */
int tusk__descriptor_look(struct tusk__io *io, int fd, struct tusk__descriptor **ret_descriptor);

/* Creates the record of a number that the system has just given out. 0, or -ENOMEM. */
int tusk__descriptor_adopt(struct tusk__io *io, int fd, enum tusk__fd_kind kind,
                           struct tusk__descriptor **ret_descriptor);

/* What was made just now gets its record, or is closed: fd or -ENOMEM. */
int tusk__descriptor_keep(struct tusk__io *io, int fd, enum tusk__fd_kind kind);

/* The kind to adopt one that is like this one. */
static inline enum tusk__fd_kind tusk__descriptor_kind(const struct tusk__descriptor *descriptor)
{
    return descriptor->parcels ? TUSK__FD_UNIX : (enum tusk__fd_kind)descriptor->kind;
}

static inline struct tusk__descriptor *tusk__descriptor_find(const struct tusk__io *io, int fd)
{
    return (size_t)fd < io->table_size ? io->table[fd] : NULL;
}

/* The slow way of tusk__descriptor_get. */
int tusk__descriptor_get_carefully(struct tusk__io *io, int fd, struct tusk__descriptor **ret_descriptor);

/* The record of a number, as tusk's own. Creates it if need be, asking the system what it is. 0, -EBADF, -ENOMEM. */
static inline int tusk__descriptor_get(struct tusk__io *io, int fd, struct tusk__descriptor **ret_descriptor)
{
    *ret_descriptor = tusk__descriptor_find(io, fd);
    if (likely(*ret_descriptor && (*ret_descriptor)->standing == TUSK__OURS && !io->loop->debug))
        return 0;
    return tusk__descriptor_get_carefully(io, fd, ret_descriptor);
}

/* The descriptor is about to be closed or to become somebody else's: waiters are told, the record goes. */
void tusk__descriptor_forget(struct tusk__descriptor *descriptor);

/* Forgets and closes it, now or when no thread uses it any more. Returns what close said, or 0. */
int tusk__descriptor_close(struct tusk__descriptor *descriptor);

/* The loop closes: gives back what the record holds, but for its memory. Those who wait are tasks that will never run. */
void tusk__descriptor_give_up(struct tusk__descriptor *descriptor);

/* A thread that used the number, and was counted in `calls`, has ended. */
void tusk__descriptor_call_ended(struct tusk__descriptor *descriptor);

static inline struct tusk__descriptor *tusk__descriptor_retain(struct tusk__descriptor *descriptor)
{
    descriptor->references++;
    return descriptor;
}

void tusk__descriptor_release(struct tusk__descriptor *descriptor);

/* Nothing is known of it any more but that a call is worth trying: it was connected, say. */
void tusk__descriptor_refresh(struct tusk__descriptor *descriptor);

/* Somebody waits for the next of these: TUSK__POLL_READ, _WRITE, _URGENT; and _VAIN. */
static inline void tusk__descriptor_expect(struct tusk__descriptor *descriptor, int events)
{
    struct tusk__poller *poller = &descriptor->io->loop->poller;

    if (unlikely(poller->backend->expect && descriptor->watched))
        poller->backend->expect(poller, &descriptor->watch, events);
}

/* A call found nothing, or less than it asked for: there is nothing before the next change. */
static inline void tusk__descriptor_exhausted(struct tusk__descriptor *descriptor,
                                              enum tusk__direction direction)
{
    descriptor->directions[direction].ready = false;
    tusk__descriptor_expect(descriptor, 1 << direction);
}

/* The same when a call found nothing at all. */
static inline void tusk__descriptor_empty(struct tusk__descriptor *descriptor, enum tusk__direction direction)
{
    descriptor->directions[direction].ready = false;
    tusk__descriptor_expect(descriptor,
                            1 << direction | (descriptor->directions[direction].fresh ? TUSK__POLL_VAIN : 0));
}

/*
 * What a call said that asked for so many bytes: remembers what follows from it. asked 0: a short
 * result means nothing (messages, flags).
 */
static inline void tusk__descriptor_account(struct tusk__descriptor *descriptor,
                                            enum tusk__direction direction, ssize_t rc, size_t asked)
{
    struct tusk__readiness *readiness = &descriptor->directions[direction];

    if (rc == -EAGAIN)
        tusk__descriptor_empty(descriptor, direction);
    if (rc <= 0)
        return;
    readiness->fresh = false;
    if ((size_t)rc < asked && readiness->short_tells)
        tusk__descriptor_exhausted(descriptor, direction);
}

/*
 * Sees to it that the poller tells of changes in these directions (TUSK__POLL_READ, _WRITE), at first
 * of what is ready already; `anew`: again of what is ready now. 0, or why the poller cannot watch
 * the descriptor (-EPERM, -ENOSPC, -ENOMEM, -EBADF).
 */
int tusk__descriptor_watch(struct tusk__descriptor *descriptor, int directions, bool anew);

/*
 * Somebody has stopped to wait for a guest's descriptor, or to watch it; he has a reference. If he was the
 * last, and the poller would keep the open file alive, it does not watch any more: its owner may close it
 * without a word. A record that the poller does not know is of no use then, and goes.
 */
void tusk__descriptor_let_go(struct tusk__descriptor *descriptor);

/*
 * Lets the waiter hear of the next change. 0, or as tusk__descriptor_watch. Call it only if `ready` is
 * false, or if what you wait for is not what readiness is about.
 */
int tusk__descriptor_listen(struct tusk__descriptor *descriptor, enum tusk__direction direction,
                            struct tusk__io_waiter *waiter);

/* It does not want to any more. Also for one that does not wait. */
void tusk__descriptor_unlisten(struct tusk__descriptor *descriptor, enum tusk__direction direction,
                               struct tusk__io_waiter *waiter);

/* Suspends the task until the direction is ready. 0, -ECANCELED, -EBADF, or as tusk__descriptor_listen. */
int tusk__descriptor_wait(struct tusk__task *task, struct tusk__descriptor *descriptor,
                          enum tusk__direction direction);

#endif
