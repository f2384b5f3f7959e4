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
 *
 * What the kernel keeps with a registration is not the address of the watch but its number and a
 * generation. For a registration lasts as long as the open file, and if its number was closed by
 * others while a duplicate lives on (in a child process, say) nobody can take it back: events
 * come from it for ever, and must not find a watch that is gone, or another one.
 *
 * A child of fork has a copy of all this, but the epoll behind its descriptor is its parent's: what
 * the child took out of it the parent would miss. So before its first change or wait it makes one of its own.
 */
#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "loop/poll/backends.h"

#ifdef TUSK_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

enum { EVENTS_PER_WAIT = 256 };

/* Who watches a number. */
struct slot {
    struct tusk__watch *watch;
    /* How many watches there have been. */
    uint32_t generation;
};

struct state {
    int epoll;
    int wake;
    /* tusk__forks() of the process whose epoll that is. */
    unsigned forks;
    bool has_pwait2;
    /* By number. */
    struct slot *slots;
    size_t slot_count;
    struct epoll_event events[EVENTS_PER_WAIT];
};

/* Comes with events of `wake`: no slot has this number. */
#define NOBODY UINT64_MAX

static struct state *state_of(const struct tusk__poller *poller)
{
    return poller->state;
}

static int control(struct state *state, int operation, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};

    return epoll_ctl(state->epoll, operation, fd, &event) < 0 ? -errno : 0;
}

static void close_descriptors(int epoll, int wake)
{
    if (wake >= 0)
        close(wake);
    if (epoll >= 0)
        close(epoll);
}

static void free_state(struct state *state)
{
    close_descriptors(state->epoll, state->wake);
    tusk__free(state->slots);
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
    return control(state, EPOLL_CTL_ADD, state->wake, EPOLLIN | EPOLLET, NOBODY);
}

static int epoll_open(struct tusk__poller *poller)
{
    struct state *state = tusk__alloc(sizeof *state);
    int rc;

    if (!state)
        return -ENOMEM;
    state->epoll = -1;
    state->wake = -1;
    state->forks = tusk__forks();
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

    if (likely(events == EPOLLIN))
        return TUSK__POLL_READ;
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        result |= TUSK__POLL_READ;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        result |= TUSK__POLL_WRITE;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        result |= TUSK__POLL_ENDED;
    if (events & EPOLLPRI)
        result |= TUSK__POLL_URGENT;
    return result;
}

/* Whose event this is, if he still watches. */
static struct tusk__watch *watch_of(const struct state *state, uint64_t data)
{
    size_t number = (uint32_t)data;

    return number < state->slot_count && state->slots[number].generation == data >> 32
               ? state->slots[number].watch
               : NULL;
}

static uint32_t mask_of(const struct tusk__watch *watch)
{
    uint32_t events = 0;

#if defined(EPOLLEXCLUSIVE)
    /* Together with others this is refused. */
    if (watch->events & TUSK__POLL_EXCLUSIVE)
        return EPOLLIN | EPOLLET | EPOLLEXCLUSIVE;
#endif
    if (watch->events & TUSK__POLL_READ)
        events |= EPOLLIN | EPOLLRDHUP;
    if (watch->events & TUSK__POLL_WRITE)
        events |= EPOLLOUT;
    if (watch->events & TUSK__POLL_EDGE)
        events |= EPOLLET;
    if ((watch->events & TUSK__POLL_READ) && (watch->events & TUSK__POLL_EDGE))
        events |= EPOLLPRI;
    return events;
}

static int register_watch(struct state *state, int operation, const struct tusk__watch *watch)
{
    uint64_t data = (uint64_t)state->slots[watch->fd].generation << 32 | (uint32_t)watch->fd;

    return control(state, operation, watch->fd, mask_of(watch), data);
}

static int register_all(struct state *state)
{
    int rc = 0;

    for (size_t i = 0; i < state->slot_count && rc == 0; i++) {
        if (state->slots[i].watch)
            rc = register_watch(state, EPOLL_CTL_ADD, state->slots[i].watch);
        /* The child has closed it. */
        if (rc == -EBADF)
            rc = 0;
    }
    return rc;
}

/* An epoll with all that is watched, in the place of the one that is the parent's. */
static TUSK__NOINLINE int renew(struct state *state)
{
    int epoll = state->epoll;
    int wake = state->wake;
    int rc;

    state->epoll = -1;
    state->wake = -1;
    rc = open_descriptors(state);
    if (rc == 0)
        rc = register_all(state);
    if (rc < 0) {
        close_descriptors(state->epoll, state->wake);
        state->epoll = epoll;
        state->wake = wake;
        return rc;
    }
    close_descriptors(epoll, wake);
    state->forks = tusk__forks();
    /* Somebody may have woken it by the one that is gone. */
    return eventfd_write(state->wake, 1) < 0 ? -errno : 0;
}

/* In a child of fork: from now on the state is its own. */
static int own(struct state *state)
{
    return likely(state->forks == tusk__forks()) ? 0 : renew(state);
}

static int epoll_wait_ready(struct tusk__poller *poller, int64_t timeout)
{
    struct state *state = state_of(poller);
    int count = own(state);

    if (count == 0)
        count = wait_for_events(state, timeout);
    if (count == -EINTR)
        return 0;
    if (count < 0)
        return count;
    for (int i = 0; i < count; i++) {
        struct tusk__watch *watch = watch_of(state, state->events[i].data.u64);

        if (watch)
            watch->ready(watch, events_of(state->events[i].events));
    }
    return 0;
}

static void epoll_wake(struct tusk__poller *poller)
{
    uint64_t one = 1;
    ssize_t written = write(state_of(poller)->wake, &one, sizeof one);

    /* It can only fail when the counter is full, and then the loop is being woken already. */
    (void)written;
}

/* Makes room for this number. */
static int reserve(struct state *state, int fd)
{
    size_t count = state->slot_count ? state->slot_count : 64;
    struct slot *slots;

    if ((size_t)fd < state->slot_count)
        return 0;
    while (count <= (size_t)fd)
        count *= 2;
    slots = tusk__alloc_array(count, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    if (state->slots)
        memcpy(slots, state->slots, state->slot_count * sizeof *slots);
    tusk__free(state->slots);
    state->slots = slots;
    state->slot_count = count;
    return 0;
}

static int epoll_watch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct state *state = state_of(poller);
    int rc = own(state);

    if (rc == 0)
        rc = reserve(state, watch->fd);
    if (rc < 0)
        return rc;
    state->slots[watch->fd].generation++;
    rc = tusk__fail_now() ? -ENOSPC : register_watch(state, EPOLL_CTL_ADD, watch);
    state->slots[watch->fd].watch = rc == 0 ? watch : NULL;
    if (rc == 0)
        poller->watched++;
    return rc;
}

/* The kernel looks again at what a changed registration is ready for. */
static int epoll_again(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    struct state *state = state_of(poller);
    int rc = own(state);

    (void)events;
    return rc < 0 ? rc : register_watch(state, EPOLL_CTL_MOD, watch);
}

static void epoll_unwatch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct state *state = state_of(poller);

    poller->watched--;
    /* Its number may be another watch's by now. */
    if (state->slots[watch->fd].watch != watch)
        return;
    if (own(state) == 0)
        epoll_ctl(state->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    state->slots[watch->fd].watch = NULL;
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
    .again = epoll_again,
    .unwatch = epoll_unwatch,
    .fileno = epoll_fileno,
};

#endif
