#if defined(__linux__) && defined(TUSK_HAVE_LIBURING)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "loop/poll/uring/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"

#ifdef TUSK_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/*
 * Completions that are more than fit are kept by the kernel and not lost, but each ends its
 * multishot poll, which must be begun again. 4,096 take 64 KiB.
 */
enum { REQUESTS = 256, COMPLETIONS = 4096 };

#define SETUP_FLAGS                                                                                          \
    (IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |       \
     IORING_SETUP_TASKRUN_FLAG)

#define FEATURES (IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP)

/*
 * Since Linux 6.15; older headers do not know them. A sleep in the kernel counts as waiting for a disk
 * unless the caller says otherwise, so an idle loop would look like a busy machine.
 */
#define FEATURE_NO_IOWAIT (1U << 17)
#define ENTER_NO_IOWAIT (1U << 7)

/*
 * liburing maps the memory of rings behind the back of tools that watch threads. What one thread has given
 * back another one may get: this tells them so.
 */
static atomic_uint closed_rings;

/* A kernel that is too old does not know a flag, or lacks a feature. */
static int refuse_kernel(struct tusk__ring *ring)
{
    ring->why = "it takes Linux 6.1";
    return -EOPNOTSUPP;
}

int tusk__ring_open(struct tusk__ring *ring, bool is_seen)
{
    struct io_uring_params params = {
        .flags = SETUP_FLAGS | (is_seen ? IORING_SETUP_COOP_TASKRUN : IORING_SETUP_DEFER_TASKRUN),
        .cq_entries = COMPLETIONS,
    };
    int rc;

    *ring = (struct tusk__ring){.end = -1};
    if (tusk__fail_now())
        return -EMFILE;
    if (RUNNING_ON_VALGRIND) {
        ring->why = "valgrind does not know all of it";
        return -ENOSYS;
    }
    rc = io_uring_queue_init_params(REQUESTS, &ring->uring, &params);
    if (rc < 0)
        return rc == -EINVAL ? refuse_kernel(ring) : rc;
    ring->owner = pthread_self();
    ring->is_open = true;
    (void)atomic_load_explicit(&closed_rings, memory_order_acquire);
    rc = (params.features & FEATURES) == FEATURES ? 0 : refuse_kernel(ring);
    /* Sandboxes forbid one call or the other. */
    if (rc == 0)
        rc = tusk__ring_enter(ring, 0);
    if (rc < 0)
        tusk__ring_close(ring);
    return rc;
}

void tusk__ring_close(struct tusk__ring *ring)
{
    if (!ring->is_open)
        return;
    (void)atomic_fetch_add_explicit(&closed_rings, 1, memory_order_release);
    io_uring_queue_exit(&ring->uring);
    if (ring->end >= 0)
        close(ring->end);
    ring->end = -1;
    ring->is_open = false;
}

struct io_uring_sqe *tusk__ring_entry(struct tusk__ring *ring)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);

    if (entry)
        return entry;
    tusk__ring_enter(ring, 0);
    return io_uring_get_sqe(&ring->uring);
}

/* Lets the kernel see the requests that were put in: how many there are. */
static unsigned publish(struct io_uring *uring)
{
    uring->sq.sqe_head = uring->sq.sqe_tail;
    /* Its partner is the kernel's load of the tail in io_uring_enter. */
    io_uring_smp_store_release(uring->sq.ktail, uring->sq.sqe_tail);
    return io_uring_sq_ready(uring);
}

static int meaning_of(int rc)
{
    switch (rc) {
    case -ETIME:
    /* No memory for more requests now, or too many completions wait: the rest goes with the next call. */
    case -EAGAIN:
    case -EBUSY:
        return 0;
    default:
        return rc < 0 ? rc : 0;
    }
}

/*
 * liburing's own calls that wait go back to sleep after a signal if they handed over requests before, and
 * cannot say ENTER_NO_IOWAIT.
 */
int tusk__ring_enter(struct tusk__ring *ring, int64_t timeout)
{
    struct __kernel_timespec time = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
    struct io_uring_getevents_arg argument = {.ts = timeout > 0 ? (uintptr_t)&time : 0};
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;

    if (ring->uring.features & FEATURE_NO_IOWAIT)
        flags |= ENTER_NO_IOWAIT;
    return meaning_of(io_uring_enter2((unsigned)ring->uring.ring_fd, publish(&ring->uring), timeout != 0,
                                      flags, (void *)&argument, sizeof argument));
}

bool tusk__ring_take(struct tusk__ring *ring, struct io_uring_cqe *ret_completion)
{
    struct io_uring_cq *queue = &ring->uring.cq;
    unsigned head = *queue->khead;

    /* Its partner is the kernel's store of the tail after it has written the completion. */
    if (head == io_uring_smp_load_acquire(queue->ktail))
        return false;
    *ret_completion = queue->cqes[head & queue->ring_mask];
    io_uring_cq_advance(&ring->uring, 1);
    return true;
}

/*
 * ---- waiting for the end ----
 *
 * A ring that is closed goes when its last request has gone, and then lets go of the files that are
 * registered with it. For threads that cannot take its completions.
 */

int tusk__ring_prepare_to_wait(struct tusk__ring *ring)
{
    int ends[2];
    int rc;

    if (ring->end >= 0)
        return 0;
    if (tusk__fail_now() || pipe2(ends, O_CLOEXEC) < 0)
        return -EMFILE;
    rc = io_uring_register_files(&ring->uring, &ends[1], 1);
    close(ends[1]);
    if (rc < 0)
        close(ends[0]);
    else
        ring->end = ends[0];
    return rc < 0 ? rc : 0;
}

void tusk__ring_close_and_wait(struct tusk__ring *ring)
{
    struct pollfd end = {.fd = ring->end, .events = POLLIN};

    ring->end = -1;
    tusk__ring_close(ring);
    while (end.fd >= 0 && poll(&end, 1, -1) < 0 && errno == EINTR)
        continue;
    if (end.fd >= 0)
        close(end.fd);
}

#endif
