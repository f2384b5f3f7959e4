/*
 * epoll: the poller of Linux.
 *
 * Sleeps are exact to the nanosecond with epoll_pwait2 (Linux 5.11). Older
 * kernels, and sandboxes that do not know the call, get epoll_wait with the
 * time rounded up to a millisecond, from the first refusal on. So does
 * valgrind, which does not know the call and complains of it.
 *
 * Wake-ups come by an eventfd that is watched edge-triggered and never read:
 * each write is an edge. It holds 64 bits, so it is full after 2^64 - 2 wake-ups.
 */
#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/poll/backends.h"

#ifdef TUSK_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

enum { EVENTS_PER_WAIT = 256 };

struct state {
    int epoll;
    int wake;
    bool has_pwait2;
    /* What the last wait brought and unwatch may still have to take out. */
    int event_count;
    struct epoll_event events[EVENTS_PER_WAIT];
};

static struct state *state_of(const struct tusk__poller *poller)
{
    return poller->state;
}

static int add(struct state *state, int fd, uint32_t events, void *watch)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(state->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void free_state(struct state *state)
{
    if (state->wake >= 0)
        close(state->wake);
    if (state->epoll >= 0)
        close(state->epoll);
    tusk__free(state);
}

static int open_descriptors(struct state *state)
{
    if (tusk__fail_now())
        return -EMFILE;
    state->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (state->epoll < 0)
        return -errno;
    if (tusk__fail_now())
        return -EMFILE;
    state->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (state->wake < 0)
        return -errno;
    return add(state, state->wake, EPOLLIN | EPOLLET, NULL);
}

static int epoll_open(struct tusk__poller *poller)
{
    struct state *state = tusk__alloc(sizeof *state);
    int rc;

    if (!state)
        return -ENOMEM;
    state->epoll = -1;
    state->wake = -1;
    state->has_pwait2 = !RUNNING_ON_VALGRIND;
    rc = open_descriptors(state);
    if (rc < 0)
        free_state(state);
    else
        poller->state = state;
    return rc;
}

static void epoll_close(struct tusk__poller *poller)
{
    free_state(state_of(poller));
    poller->state = NULL;
}

static int wait_exactly(struct state *state, int64_t timeout)
{
#if defined(SYS_epoll_pwait2)
    struct timespec time = {.tv_sec = (time_t)(timeout / 1000000000),
                            .tv_nsec = (long)(timeout % 1000000000)};

    return (int)syscall(SYS_epoll_pwait2, state->epoll, state->events, EVENTS_PER_WAIT,
                        timeout < 0 ? NULL : &time, NULL, (size_t)0);
#else
    (void)state;
    (void)timeout;
    errno = ENOSYS;
    return -1;
#endif
}

static int wait_for_events(struct state *state, int64_t timeout)
{
    int count = -1;

    /* Only a limited sleep needs the newer call. */
    if (timeout > 0 && state->has_pwait2) {
        count = wait_exactly(state, timeout);
        if (count < 0 && (errno == ENOSYS || errno == EPERM))
            state->has_pwait2 = false;
        else
            return count < 0 ? -errno : count;
    }
    count = epoll_wait(state->epoll, state->events, EVENTS_PER_WAIT, tusk__milliseconds_up(timeout));
    return count < 0 ? -errno : count;
}

static int events_of(uint32_t events)
{
    int result = 0;

    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        result |= TUSK__POLL_READ;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        result |= TUSK__POLL_WRITE;
    return result;
}

static int epoll_wait_ready(struct tusk__poller *poller, int64_t timeout)
{
    struct state *state = state_of(poller);
    int count = wait_for_events(state, timeout);

    if (count == -EINTR)
        return 0;
    if (count < 0)
        return count;
    state->event_count = count;
    for (int i = 0; i < count; i++) {
        struct tusk__watch *watch = state->events[i].data.ptr;

        if (watch)
            watch->ready(watch, events_of(state->events[i].events));
    }
    state->event_count = 0;
    return 0;
}

static void epoll_wake(struct tusk__poller *poller)
{
    uint64_t one = 1;
    ssize_t written = write(state_of(poller)->wake, &one, sizeof one);

    /* It can only fail when the counter is full, and then the loop is being woken already. */
    (void)written;
}

static int epoll_watch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    uint32_t events = 0;
    int rc;

    if (watch->events & TUSK__POLL_READ)
        events |= EPOLLIN | EPOLLRDHUP;
    if (watch->events & TUSK__POLL_WRITE)
        events |= EPOLLOUT;
    rc = add(state_of(poller), watch->fd, events, watch);
    if (rc == 0)
        poller->watched++;
    return rc;
}

static void epoll_unwatch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct state *state = state_of(poller);

    epoll_ctl(state->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = 0; i < state->event_count; i++)
        if (state->events[i].data.ptr == watch)
            state->events[i].data.ptr = NULL;
    poller->watched--;
}

static int epoll_fileno(const struct tusk__poller *poller)
{
    return state_of(poller)->epoll;
}

const struct tusk__poll_backend tusk__poll_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .wait = epoll_wait_ready,
    .wake = epoll_wake,
    .watch = epoll_watch,
    .unwatch = epoll_unwatch,
    .fileno = epoll_fileno,
};

#endif
