/*
 * kqueue: the poller of macOS and the BSDs; on Linux by libkqueue, so that it can be tested there.
 *
 * What is watched has one filter for each direction, edge-triggered by EV_CLEAR. The kernel looks again
 * when it tells, so what it tells is there, and it forgets a descriptor when its number is closed.
 *
 * A child of fork has no queue: a loop that its parent made cannot run there.
 *
 * What systems do differently:
 *
 * - Urgent data: macOS tells of it together with what can be read. The others do not, so each time something
 *   can be read from a socket of bytes we look. Where urgent data comes alone, they tell nothing.
 * - FreeBSD refuses to watch a pipe for room if its reader has gone (EPIPE). An event that we make
 *   ourselves tells of it instead.
 * - The end of WRITE may be our own shutdown(), so it says nothing of reading, unless it comes with an error.
 *
 * What differs in libkqueue 2.7, which is made of epoll:
 *
 * - A second direction makes it forget what else the first was for, and when one is taken away the other
 *   is level-triggered. So all of a descriptor's filters come and go together, room first.
 * - It cannot tell that a number was closed: a watch that nobody ends goes on, and if another number has
 *   the open file too, what it tells after the end of the watch is a pointer to memory that it has freed.
 * - It asks epoll for as many descriptors as there is room for events, and each may have two: what does not fit
 *   is lost, so this many connections must not become ready at once.
 * - kevent() takes locks, and a signal handler may wake the loop: an eventfd does so, as with epoll.
 * - Its descriptor cannot be watched by others. Those that it has for a queue are closed by a thread of its own.
 * - An error of a socket is taken by who hears of it: see libkqueue.h.
 */
#include "loop/poll/backends.h"

#if defined(TUSK_HAVE_KQUEUE)

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/event.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(TUSK_HAVE_LIBKQUEUE)
#include <sys/eventfd.h>
#endif

#include "base/mem.h"
#if defined(TUSK_HAVE_LIBKQUEUE)
#include "loop/poll/libkqueue.h"
#endif

/* The most that libkqueue takes. */
enum { EVENTS_PER_WAIT = 512 };

/* What the kernel has of a descriptor: its filters. BROKEN stands for the one of a pipe without a reader. */
enum { READS = TUSK__POLL_READ, WRITES = TUSK__POLL_WRITE, BROKEN = 4 };

/* The number of our own event that wakes: no descriptor has it. */
enum { WAKE = INT_MAX };

/* Who watches a number. */
struct slot {
    struct tusk__watch *watch;
    /* How many watches there have been. It comes with each event. */
    uint32_t generation;
    /* READS, WRITES, BROKEN. */
    uint8_t filters;
    /* A socket of bytes: urgent data may come. */
    bool streams;
    /* TUSK__POLL_*: what this wait has to tell. */
    uint8_t told;
};

struct state {
    int queue;
    /* By number. */
    struct slot *slots;
    size_t slot_count;
#if defined(TUSK_HAVE_LIBKQUEUE)
    int wake;
#endif
    struct kevent events[EVENTS_PER_WAIT];
};

static struct state *state_of(const struct tusk__poller *poller)
{
    return poller->state;
}

/* The types of the fields are different in each system. */
#define FIELD(name) __typeof__(((struct kevent *)NULL)->name)

static struct kevent change(int number, int filter, unsigned int flags, unsigned int filter_flags,
                            uint32_t generation)
{
    struct kevent event;

    memset(&event, 0, sizeof event);
    event.ident = (FIELD(ident))number;
    event.filter = (FIELD(filter))filter;
    event.flags = (FIELD(flags))flags;
    event.fflags = (FIELD(fflags))filter_flags;
    event.udata = (FIELD(udata))(uintptr_t)generation;
    return event;
}

/* Makes the changes in order, up to one that fails: 0, or its error. */
static int control(const struct state *state, const struct kevent *changes, int count)
{
    return kevent(state->queue, changes, count, NULL, 0, NULL) < 0 ? -errno : 0;
}

/* ---- waking ---- */

#if defined(TUSK_HAVE_LIBKQUEUE)
static int open_wake(struct state *state)
{
    struct kevent event;

    state->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (state->wake < 0)
        return -errno;
    event = change(state->wake, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0);
    return control(state, &event, 1);
}

static void close_wake(const struct state *state)
{
    if (state->wake >= 0)
        close(state->wake);
}

/* Its headers do not have it: waits until all that belonged to closed queues is closed. */
void libkqueue_drain_pending_close(void);

static void keep_error(const struct kevent *event)
{
    if ((event->flags & EV_EOF) && event->fflags != 0)
        tusk__libkqueue_keep_error((int)event->ident, (int)event->fflags);
}

static void forget_error(int number)
{
    tusk__libkqueue_keep_error(number, 0);
}

static void kqueue_wake(struct tusk__poller *poller)
{
    uint64_t one = 1;
    ssize_t written = write(state_of(poller)->wake, &one, sizeof one);

    /* It can only fail when the counter is full, and then the loop is being woken already. */
    (void)written;
}
#else
static int open_wake(struct state *state)
{
    struct kevent event = change(WAKE, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0);

    return control(state, &event, 1);
}

static void close_wake(const struct state *state)
{
    (void)state;
}

static void libkqueue_drain_pending_close(void)
{
}

static void keep_error(const struct kevent *event)
{
    (void)event;
}

static void forget_error(int number)
{
    (void)number;
}

static void kqueue_wake(struct tusk__poller *poller)
{
    struct kevent event = change(WAKE, EVFILT_USER, 0, NOTE_TRIGGER, 0);

    control(state_of(poller), &event, 1);
}
#endif

/* ---- what the kernel is asked ---- */

static unsigned int urgent_too(const struct slot *slot)
{
#if defined(__APPLE__) && defined(NOTE_OOB)
    return slot->streams ? NOTE_OOB : 0;
#else
    (void)slot;
    return 0;
#endif
}

static int filter_of(int which)
{
    return which == READS ? EVFILT_READ : which == WRITES ? EVFILT_WRITE : EVFILT_USER;
}

static int add_filter(const struct state *state, struct slot *slot, int which)
{
    int number = slot->watch->fd;
    int filter = filter_of(which);
    unsigned int flags = EV_ADD | (slot->watch->events & TUSK__POLL_EDGE ? EV_CLEAR : 0);
    struct kevent changes[] = {
        change(number, filter, flags, which == READS ? urgent_too(slot) : 0, slot->generation),
        change(number, filter, 0, NOTE_TRIGGER, slot->generation),
    };
    int rc = control(state, changes, which == BROKEN ? 2 : 1);

    if (rc == 0)
        slot->filters |= (uint8_t)which;
    return rc;
}

/* Ends what the kernel tells of a number. An error: it was closed by others. */
static int remove_filters(const struct state *state, int number)
{
    struct slot *slot = &state->slots[number];
    struct kevent changes[3];
    int count = 0;

    for (int which = READS; which <= BROKEN; which <<= 1)
        if (slot->filters & which)
            changes[count++] = change(number, filter_of(which), EV_DELETE, 0, 0);
    slot->filters = 0;
    slot->told = 0;
    return control(state, changes, count);
}

/* What the system says of a kind of descriptor that it cannot watch. */
static int or_unfit(int rc)
{
    static const int codes[] = {EINVAL, ENODEV, EOPNOTSUPP, ENOTSUP};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (rc == -codes[i])
            return -EPERM;
    return rc;
}

/* Asks for what the watch is for. */
static int add_filters(const struct state *state, int number)
{
    struct slot *slot = &state->slots[number];
    int events = slot->watch->events;
    int rc = 0;

    if (events & TUSK__POLL_WRITE)
        rc = add_filter(state, slot, WRITES);
    if (rc == -EPIPE)
        rc = add_filter(state, slot, BROKEN);
    if (rc == 0 && (events & TUSK__POLL_READ))
        rc = add_filter(state, slot, READS);
    if (rc < 0)
        remove_filters(state, number);
    return or_unfit(rc);
}

/* ---- what the kernel tells ---- */

static bool is_urgent(const struct slot *slot, const struct kevent *event)
{
#if defined(__APPLE__) && defined(NOTE_OOB)
    (void)slot;
    return !(event->flags & EV_EOF) && (event->fflags & NOTE_OOB);
#else
    struct pollfd look = {.fd = (int)event->ident, .events = POLLPRI};

    return slot->streams && poll(&look, 1, 0) > 0 && (look.revents & POLLPRI);
#endif
}

static int meaning_of(const struct slot *slot, const struct kevent *event)
{
    int ended = event->flags & EV_EOF ? TUSK__POLL_ENDED : 0;

    if (event->filter == EVFILT_READ)
        return TUSK__POLL_READ | ended | (is_urgent(slot, event) ? TUSK__POLL_URGENT : 0);
    if (event->filter == EVFILT_WRITE && !(ended && event->fflags != 0))
        return TUSK__POLL_WRITE;
    return TUSK__POLL_READ | TUSK__POLL_WRITE | TUSK__POLL_ENDED;
}

/* Whose event this is, if he still watches. */
static struct slot *slot_of(const struct state *state, const struct kevent *event)
{
    struct slot *slot = event->ident < state->slot_count ? &state->slots[event->ident] : NULL;

    return slot && slot->watch && slot->generation == (uint32_t)(uintptr_t)event->udata ? slot : NULL;
}

static void hear(const struct state *state, const struct kevent *event)
{
    struct slot *slot = slot_of(state, event);

    if (!slot)
        return;
    keep_error(event);
    slot->told |= (uint8_t)meaning_of(slot, event);
}

/* Both directions of one are told at once. */
static void tell(const struct state *state, const struct kevent *event)
{
    struct slot *slot = slot_of(state, event);
    int told = slot ? slot->told : 0;

    if (told == 0)
        return;
    slot->told = 0;
    slot->watch->ready(slot->watch, told);
}

static const struct timespec *limit(int64_t timeout, struct timespec *time)
{
    /* Some systems refuse more than a few years, and libkqueue counts milliseconds in an int. */
    const int64_t longest = (int64_t)INT_MAX * 1000000;

    if (timeout < 0)
        return NULL;
    if (timeout > longest)
        timeout = longest;
    time->tv_sec = (time_t)(timeout / 1000000000);
    time->tv_nsec = (long)(timeout % 1000000000);
    return time;
}

static int kqueue_wait(struct tusk__poller *poller, int64_t timeout)
{
    struct state *state = state_of(poller);
    struct timespec time;
    int count = kevent(state->queue, NULL, 0, state->events, EVENTS_PER_WAIT, limit(timeout, &time));

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++)
        hear(state, &state->events[i]);
    for (int i = 0; i < count; i++)
        tell(state, &state->events[i]);
    return 0;
}

/* ---- watches ---- */

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

/* Whether the descriptor is a socket of bytes: 1 or 0. -EPERM: a file, which the kernel would watch for its size. */
static int check(int fd)
{
    struct stat status;
    int type = 0;
    socklen_t size = sizeof type;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode))
        return -EPERM;
    return S_ISSOCK(status.st_mode) && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_STREAM;
}

static int kqueue_watch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct state *state = state_of(poller);
    int streams = check(watch->fd);
    int rc = streams < 0 ? streams : reserve(state, watch->fd);
    struct slot *slot;

    if (rc == 0 && tusk__fail_now())
        rc = -ENOMEM;
    if (rc < 0)
        return rc;
    slot = &state->slots[watch->fd];
    /* What had the number before was closed by others, and perhaps its filters are still there. */
    if (slot->filters)
        remove_filters(state, watch->fd);
    forget_error(watch->fd);
    slot->generation++;
    slot->watch = watch;
    slot->streams = streams && (watch->events & TUSK__POLL_EDGE);
    rc = add_filters(state, watch->fd);
    if (rc < 0)
        slot->watch = NULL;
    else
        poller->watched++;
    return rc;
}

/* The kernel looks at what filters that it did not have are ready for. */
static int kqueue_again(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    struct state *state = state_of(poller);
    int rc;

    (void)events;
    if (state->slots[watch->fd].watch != watch)
        return -EBADF;
    rc = remove_filters(state, watch->fd);
    return rc < 0 ? rc : add_filters(state, watch->fd);
}

static void kqueue_unwatch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct state *state = state_of(poller);
    struct slot *slot = &state->slots[watch->fd];

    poller->watched--;
    /* Its number may be another watch's by now. */
    if (slot->watch != watch)
        return;
    remove_filters(state, watch->fd);
    slot->watch = NULL;
}

static int kqueue_fileno(const struct tusk__poller *poller)
{
#if defined(TUSK_HAVE_LIBKQUEUE)
    (void)poller;
    return -ENOTSUP;
#else
    return state_of(poller)->queue;
#endif
}

/* ---- life ---- */

static int open_queue(struct state *state)
{
    if (tusk__fail_now())
        return -EMFILE;
    state->queue = kqueue();
    if (state->queue < 0)
        return -errno;
    fcntl(state->queue, F_SETFD, FD_CLOEXEC);
    return tusk__fail_now() ? -EMFILE : open_wake(state);
}

static void free_state(struct state *state)
{
    if (state->queue >= 0)
        close(state->queue);
    libkqueue_drain_pending_close();
    close_wake(state);
    tusk__free(state->slots);
    tusk__free(state);
}

static int kqueue_open(struct tusk__poller *poller)
{
    struct state *state = tusk__alloc(sizeof *state);
    int rc;

    if (!state)
        return -ENOMEM;
    state->queue = -1;
#if defined(TUSK_HAVE_LIBKQUEUE)
    state->wake = -1;
#endif
    rc = open_queue(state);
    if (rc < 0)
        free_state(state);
    else
        poller->state = state;
    return rc;
}

static void kqueue_close(struct tusk__poller *poller)
{
    free_state(state_of(poller));
    poller->state = NULL;
}

const struct tusk__poll_backend tusk__poll_kqueue = {
    .name = "kqueue",
    .open = kqueue_open,
    .close = kqueue_close,
    .wait = kqueue_wait,
    .wake = kqueue_wake,
    .watch = kqueue_watch,
    .again = kqueue_again,
    .unwatch = kqueue_unwatch,
    .fileno = kqueue_fileno,
#if defined(TUSK_HAVE_LIBKQUEUE)
    .system = &tusk__system_libkqueue,
    .rest_on = tusk__libkqueue_rest_on,
#endif
};

#endif
