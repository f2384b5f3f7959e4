/*
 * io_uring: a poller of Linux by way of a ring that it shares with the kernel.
 *
 * Each watched descriptor has a multishot poll in the kernel, which tells of each change: no
 * system call to register it, for its request goes with the next wait. When nothing can have come, a
 * look costs no system call either. Sleeps are exact, and wake-ups come by an eventfd that is watched
 * and never read, as with epoll. Files are read and written by the kernel (submit).
 *
 * What differs from epoll, and what is done about it:
 *
 * - The kernel passes on what it was told when something changed, and does not look again. It may be gone
 *   by then, so this backend is `vague`; and of urgent data the kernel tells too much, see uring/news.c.
 * - A poll keeps its open file alive. So unwatch tells the kernel at once, and a socket that is closed after
 *   it is closed.
 * - The kernel ends a multishot poll now and then, as when completions overflow. It is begun again in the
 *   next wait, and a poll that begins looks first, so nothing is lost.
 * - A ring belongs to one thread. In another one the loop gets a new ring, if no request is
 *   under way.
 * - Of several loops with one listener all are told. The kernel would tell only one of them
 *   (EPOLLEXCLUSIVE), but takes no heed whether that one sleeps or is busy for a second.
 * - Some 15 ms after a ring was closed the kernel interrupts the thread whose ring it was, once.
 *
 * Sockets are read and written by system calls when a poll has told of something, as with epoll. Rejected,
 * after measurements with bare loops that echo 64 bytes over TCP on 100 connections, where epoll took
 * 4.46 us and this 4.41:
 *
 * - to poll for one change at a time (4.65), as then there is a request for each;
 * - to let the kernel receive into a buffer of the connection's (4.79);
 * - to let it receive many times into buffers that it picks (4.33). It then reads ahead of whoever
 *   reads, past all flow control, and everything is copied once more, which the loop did not do;
 * - to let it send (0.15 more), and wait for the completion before the next send;
 * - to let it accept, which saves the accept that finds nobody. That takes 2.8 us, and a look that
 *   saves it too 0.2. And the kernel goes on to accept when the server would rather rest.
 *
 * All of that together (bench/load/floor_uring.c) takes 0.06 system calls for an echo, where epoll
 * takes 2.02, and yet only 1 to 5 % less of the processor: what costs is TCP, not to call it. The
 * copying and the lost flow control are dearer. As a poller alone this takes 2 to 4 % more than
 * epoll, for the kernel makes a completion of each change. So epoll is the best one, but for files.
 */
#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>

#include "loop/poll/backends.h"

#if defined(TUSK_HAVE_LIBURING)

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tusk/error.h>

#include "base/mem.h"
#include "loop/poll/uring/uring.h"

/* How often a wait asks for more. With what comes at a time, that is as much as a wait of epoll. */
enum { PORTIONS = 12 };

/* ---- the ring ---- */

/* The loop goes on in another thread, or with another ring. Its requests could not. */
static int leave_ring(struct tusk__uring *uring)
{
    if (uring->requests > 0)
        return TUSK_OTHER_THREAD;
    tusk__ring_close(&uring->ring);
    tusk__uring_forget_polls(uring);
    return 0;
}

int tusk__uring_take(struct tusk__uring *uring)
{
    int rc;

    if (likely(tusk__ring_is_mine(&uring->ring)))
        return 0;
    rc = leave_ring(uring);
    return rc < 0 ? rc : tusk__ring_open(&uring->ring, uring->is_seen);
}

/* The kernel knows better than pthread_self(): a thread may have the number of one that has ended. */
int tusk__uring_enter(struct tusk__uring *uring, int64_t timeout)
{
    int rc = tusk__ring_enter(&uring->ring, timeout);

    uring->has_cancels = false;
    return rc == -EEXIST ? leave_ring(uring) : rc;
}

void tusk__uring_cancel(struct tusk__uring *uring, uint64_t data)
{
    struct io_uring_sqe *entry = tusk__ring_entry(&uring->ring);

    if (!entry)
        return;
    io_uring_prep_cancel64(entry, data, 0);
    /* Whether it found anything tells nothing. */
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry->user_data = TUSK__URING_NOTHING;
    uring->has_cancels = true;
}

static void wake(const struct tusk__uring *uring)
{
    uint64_t one = 1;
    ssize_t written = write(uring->wake, &one, sizeof one);

    /* It can only fail when the counter is full, and then the loop is being woken already. */
    (void)written;
}

/* What concerns nobody is taken out, for it would wake whoever sleeps. What does wakes him in another way. */
void tusk__uring_hand_over(struct tusk__uring *uring)
{
    if (likely(!uring->is_seen) || !tusk__ring_is_mine(&uring->ring))
        return;
    tusk__uring_begin_polls(uring);
    if (tusk__ring_has_work(&uring->ring))
        tusk__uring_enter(uring, 0);
    tusk__uring_listen(uring);
    if (tusk__uring_has_news(uring))
        wake(uring);
}

/* ---- waiting ---- */

/* Begins what is to be begun, waits, and listens. 0, -EINTR, or what ends the loop. */
static int wait_and_listen(struct tusk__uring *uring, int64_t timeout)
{
    int rc = tusk__uring_take(uring);

    if (rc < 0)
        return rc;
    tusk__uring_begin_polls(uring);
    tusk__uring_listen(uring);
    if (tusk__uring_has_news(uring))
        timeout = 0;
    if (timeout != 0 || tusk__ring_has_work(&uring->ring))
        rc = tusk__uring_enter(uring, timeout);
    /* The kernel tells of some twenty at a time. */
    for (int i = 0; rc == 0 && i < PORTIONS && uring->ring.is_open && tusk__ring_has_work(&uring->ring); i++)
        rc = tusk__uring_enter(uring, 0);
    tusk__uring_listen(uring);
    return rc;
}

/* It may end early for what concerns nobody: the end of a poll. */
static int uring_wait(struct tusk__poller *poller, int64_t timeout)
{
    struct tusk__uring *uring = tusk__uring_of(poller);
    int rc = wait_and_listen(uring, timeout);

    tusk__uring_tell(poller);
    tusk__uring_hand_over(uring);
    return rc == -EINTR ? 0 : rc;
}

static void uring_wake(struct tusk__poller *poller)
{
    wake(tusk__uring_of(poller));
}

/*
 * From here on it takes a ring of another kind, if no request is under way in the present one. Its
 * number is another one if the loop goes on in another thread.
 */
static int uring_fileno(const struct tusk__poller *poller)
{
    struct tusk__uring *uring = tusk__uring_of(poller);
    int rc;

    if (!uring->is_seen && leave_ring(uring) < 0)
        return -EBUSY;
    uring->is_seen = true;
    rc = tusk__uring_take(uring);
    tusk__uring_hand_over(uring);
    return rc < 0 ? rc : uring->ring.uring.ring_fd;
}

/* ---- watching ---- */

/* The kernel polls what cannot be polled, and says that it is ready. epoll knows better. */
static int check_device(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int rc = epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;

    if (epoll >= 0)
        close(epoll);
    return rc;
}

static int check(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode))
        return -EPERM;
    return S_ISCHR(status.st_mode) ? check_device(fd) : 0;
}

static int uring_watch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct tusk__uring *uring = tusk__uring_of(poller);
    int rc = check(watch->fd);

    if (rc == 0)
        rc = tusk__fail_now() ? -ENOSPC : tusk__uring_reserve(uring, watch->fd);
    if (rc < 0)
        return rc;
    /* What had the number before was closed by others. */
    tusk__uring_end_poll(uring, watch->fd);
    watch->expected = watch->events;
    uring->slots[watch->fd].watch = watch;
    tusk__uring_push(uring, TUSK__URING_IDLE, watch->fd);
    poller->watched++;
    tusk__uring_hand_over(uring);
    return 0;
}

/* A poll that begins tells of what is ready. */
static int uring_again(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    struct tusk__uring *uring = tusk__uring_of(poller);

    if (uring->slots[watch->fd].watch != watch || fcntl(watch->fd, F_GETFD) < 0)
        return -EBADF;
    watch->expected |= events;
    tusk__uring_end_poll(uring, watch->fd);
    tusk__uring_push(uring, TUSK__URING_IDLE, watch->fd);
    tusk__uring_hand_over(uring);
    return 0;
}

/* Now, for the descriptor may be closed next. */
static void end_poll_now(struct tusk__uring *uring, int fd)
{
    if (!uring->slots[fd].polls && !uring->has_cancels)
        return;
    if (!tusk__ring_is_mine(&uring->ring)) {
        leave_ring(uring);
        return;
    }
    tusk__uring_end_poll(uring, fd);
    tusk__uring_enter(uring, 0);
    tusk__uring_hand_over(uring);
}

static void uring_unwatch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct tusk__uring *uring = tusk__uring_of(poller);
    struct tusk__uring_slot *slot = &uring->slots[watch->fd];

    poller->watched--;
    /* Its number may be another watch's by now. */
    if (slot->watch != watch)
        return;
    slot->watch = NULL;
    end_poll_now(uring, watch->fd);
}

/* ---- life ---- */

/* 0, or an error that has left nothing behind. */
static int open_descriptors(struct tusk__uring *uring)
{
    int rc = tusk__ring_open(&uring->ring, false);

    if (rc < 0)
        return rc;
    uring->wake = tusk__fail_now() ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (uring->wake < 0)
        tusk__ring_close(&uring->ring);
    return uring->wake < 0 ? -EMFILE : 0;
}

static int uring_open(struct tusk__poller *poller)
{
    struct tusk__uring *uring = tusk__alloc(sizeof *uring);
    int rc;

    if (!uring)
        return -ENOMEM;
    uring->first[TUSK__URING_TOLD] = uring->first[TUSK__URING_IDLE] = TUSK__URING_NONE;
    uring->ended_end = &uring->ended;
    rc = open_descriptors(uring);
    poller->refused_why = uring->ring.why;
    if (rc < 0)
        tusk__free(uring);
    else
        poller->state = uring;
    return rc;
}

static void uring_close(struct tusk__poller *poller)
{
    struct tusk__uring *uring = tusk__uring_of(poller);

    tusk__uring_settle(poller);
    tusk__ring_close(&uring->ring);
    close(uring->wake);
    tusk__free(uring->slots);
    tusk__free(uring);
    poller->state = NULL;
}

const struct tusk__poll_backend tusk__poll_io_uring = {
    .name = "io_uring",
    .otherwise = &tusk__poll_epoll,
    .vague = true,
    .open = uring_open,
    .close = uring_close,
    .wait = uring_wait,
    .wake = uring_wake,
    .watch = uring_watch,
    .expect = tusk__uring_expect,
    .again = uring_again,
    .unwatch = uring_unwatch,
    .fileno = uring_fileno,
    .submit = tusk__uring_submit,
    .withdraw = tusk__uring_withdraw,
    .settle = tusk__uring_settle,
};

#else

static int refuse(struct tusk__poller *poller)
{
    poller->refused_why = "tusk was built without liburing";
    return -ENOSYS;
}

const struct tusk__poll_backend tusk__poll_io_uring = {
    .name = "io_uring",
    .otherwise = &tusk__poll_epoll,
    .open = refuse,
};

#endif

#endif
