/*
 * A ring: the queues that a thread shares with the kernel's io_uring, as far as a poller
 * needs them. Requests go in by tusk__ring_entry and become known to the kernel at the next
 * tusk__ring_enter, all at once; completions come out by tusk__ring_take.
 *
 * A ring belongs to the thread that opened it: only then does the kernel leave all its work for
 * that thread to do inside of enter (IORING_SETUP_DEFER_TASKRUN), where it costs no interrupts.
 * For echoes without it a request took 9.4 us instead of 5.3, and 5.7 with
 * IORING_SETUP_COOP_TASKRUN, where epoll takes 5.4. So older kernels than Linux 6.1, which do not
 * have it, get no ring.
 */
#ifndef TUSK__LOOP_POLL_URING_RING_H
#define TUSK__LOOP_POLL_URING_RING_H

#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct tusk__ring {
    struct io_uring uring;
    pthread_t owner;
    bool is_open;
    /* The end of a pipe whose other end only the kernel's side of the ring has; -1: not made. */
    int end;
    /* More than its code about a failure to open it, or NULL. */
    const char *why;
};

/*
 * 0, or why there is none: -ENOSYS, -EPERM, -EOPNOTSUPP, -ENOMEM, -EMFILE. Fallible.
 *
 * is_seen: somebody will wait for its descriptor to become readable. Of a ring like the others nobody is
 * woken by what its owner has yet to do; this one's kernel does it at once, which costs more.
 */
int tusk__ring_open(struct tusk__ring *ring, bool is_seen);

/*
 * Gives it back, if it is open. What the kernel still has is cancelled, but not at once: it may write
 * to buffers for a while.
 */
void tusk__ring_close(struct tusk__ring *ring);

/*
 * Closes it, and returns when the kernel has let go of every buffer. From any thread, if its owner
 * has called tusk__ring_prepare_to_wait before.
 */
void tusk__ring_close_and_wait(struct tusk__ring *ring);

/* May be called again. 0, or -EMFILE and the like. Fallible. */
int tusk__ring_prepare_to_wait(struct tusk__ring *ring);

/* It is open, and this thread's. */
static inline bool tusk__ring_is_mine(const struct tusk__ring *ring)
{
    return ring->is_open && pthread_equal(ring->owner, pthread_self());
}

/* A place for a request; NULL if the kernel takes no more now. */
struct io_uring_sqe *tusk__ring_entry(struct tusk__ring *ring);

/* True if an enter would hand over requests, or find completions that are not there yet. */
static inline bool tusk__ring_has_work(const struct tusk__ring *ring)
{
    const unsigned flags = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;

    return io_uring_sq_ready(&ring->uring) > 0 || (IO_URING_READ_ONCE(*ring->uring.sq.kflags) & flags);
}

/*
 * Hands the requests over. timeout in nanoseconds: how long to wait for a completion; 0: not at all;
 * negative: without limit. 0; -EINTR; -EEXIST: the ring is another thread's; or an error after
 * which it cannot go on.
 */
int tusk__ring_enter(struct tusk__ring *ring, int64_t timeout);

/* Takes the oldest completion. False if none is there. */
bool tusk__ring_take(struct tusk__ring *ring, struct io_uring_cqe *ret_completion);

#endif
