/*
 * poll(2): the poller of every POSIX system, for those that have nothing better
 * yet, and a second opinion for tests. It costs time in proportion to the number of watches, and
 * sleeps to the millisecond.
 *
 * Wake-ups come by a pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/poll/backends.h"

struct state {
    int wake[2];
    struct tusk__watch *watches;
    /* Where the present round of ready() goes on: unwatch moves it along. */
    struct tusk__watch *next;
    /* One for each watch and one for the pipe; grows with watch, so that wait cannot fail. */
    struct pollfd *fds;
    size_t capacity;
};

static struct state *state_of(const struct tusk__poller *poller)
{
    return poller->state;
}

static int make_pipe(int ends[2])
{
    if (tusk__fail_now())
        return -EMFILE;
    if (pipe(ends) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

/* Makes room for a number of watches and the pipe. */
static int reserve(struct state *state, size_t watches)
{
    size_t capacity = state->capacity ? state->capacity * 2 : 16;
    struct pollfd *fds;

    if (watches + 1 <= state->capacity)
        return 0;
    fds = tusk__alloc_array(capacity, sizeof *fds);
    if (!fds)
        return -ENOMEM;
    /* A round of report() may be in progress: what was polled must stay. */
    if (state->fds)
        memcpy(fds, state->fds, state->capacity * sizeof *fds);
    tusk__free(state->fds);
    state->fds = fds;
    state->capacity = capacity;
    return 0;
}

static int poll_open(struct tusk__poller *poller)
{
    struct state *state = tusk__alloc(sizeof *state);
    int rc;

    if (!state)
        return -ENOMEM;
    rc = reserve(state, 0);
    if (rc == 0)
        rc = make_pipe(state->wake);
    if (rc < 0) {
        tusk__free(state->fds);
        tusk__free(state);
    } else {
        poller->state = state;
    }
    return rc;
}

static void poll_close(struct tusk__poller *poller)
{
    struct state *state = state_of(poller);

    close(state->wake[0]);
    close(state->wake[1]);
    tusk__free(state->fds);
    tusk__free(state);
    poller->state = NULL;
}

/* What TUSK__POLL_URGENT is here: also that the other side writes no more, for who waits for nothing else. */
#if defined(POLLRDHUP)
enum { RARE = POLLPRI | POLLRDHUP };
#else
enum { RARE = POLLPRI };
#endif

static nfds_t fill(struct state *state)
{
    nfds_t count = 1;

    state->fds[0] = (struct pollfd){.fd = state->wake[0], .events = POLLIN};
    for (struct tusk__watch *watch = state->watches; watch; watch = watch->next) {
        short events = 0;

        if (watch->expected & TUSK__POLL_READ)
            events = POLLIN;
        if (watch->expected & TUSK__POLL_WRITE)
            events = (short)(events | POLLOUT);
        if (watch->expected & TUSK__POLL_URGENT)
            events = (short)(events | RARE);
        /* poll() ignores negative descriptors, and reports errors of all others unasked. */
        state->fds[count++] = (struct pollfd){.fd = events ? watch->fd : ~watch->fd, .events = events};
    }
    return count;
}

static void drain(int fd)
{
    char bytes[64];

    while (read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        ;
}

static int events_of(short revents)
{
    int result = 0;

    if (revents & (POLLHUP | POLLERR | POLLNVAL))
        return TUSK__POLL_READ | TUSK__POLL_WRITE | TUSK__POLL_ENDED;
    if (revents & (POLLIN | RARE))
        result |= TUSK__POLL_READ;
    if (revents & POLLOUT)
        result |= TUSK__POLL_WRITE;
    if (revents & RARE)
        result |= TUSK__POLL_URGENT;
    return result;
}

/*
 * An edge-triggered watch does not hear of the same thing again before it expects it again. At
 * an end or an error it expects nothing: poll() would report that for ever.
 */
static void call(struct tusk__watch *watch, int events)
{
    if (watch->events & TUSK__POLL_EDGE)
        watch->expected &= events & TUSK__POLL_ENDED ? 0 : ~events;
    watch->ready(watch, events);
}

/*
 * New watches go to the front of the list, so those that were polled are its end
 * in the same order; ready() may unwatch any of them.
 */
static void report(struct state *state)
{
    size_t i = 1;

    for (struct tusk__watch *watch = state->watches; watch; watch = state->next, i++) {
        state->next = watch->next;
        while (state->fds[i].fd != watch->fd && state->fds[i].fd != ~watch->fd)
            i++;
        if (state->fds[i].revents)
            call(watch, events_of(state->fds[i].revents));
    }
    state->next = NULL;
}

static int poll_wait(struct tusk__poller *poller, int64_t timeout)
{
    struct state *state = state_of(poller);
    int count = poll(state->fds, fill(state), tusk__milliseconds_up(timeout));

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    if (state->fds[0].revents)
        drain(state->wake[0]);
    if (count > 0)
        report(state);
    return 0;
}

static void poll_wake(struct tusk__poller *poller)
{
    ssize_t written = write(state_of(poller)->wake[1], "", 1);

    /* It can only fail when the pipe is full, and then the loop is being woken already. */
    (void)written;
}

/* poll() takes regular files and says that they are ready, for ever. */
static int check(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EPERM : 0;
}

static int poll_watch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct state *state = state_of(poller);
    int rc = check(watch->fd);

    if (rc == 0)
        rc = reserve(state, poller->watched + 1);
    if (rc < 0)
        return rc;
    watch->next = state->watches;
    watch->expected = watch->events | (watch->events & TUSK__POLL_EDGE ? TUSK__POLL_URGENT : 0);
    state->watches = watch;
    poller->watched++;
    return 0;
}

static void poll_expect(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    (void)poller;
    watch->expected |= events;
}

static int poll_again(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    poll_expect(poller, watch, events);
    return fcntl(watch->fd, F_GETFD) < 0 ? -errno : 0;
}

static void poll_unwatch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct state *state = state_of(poller);
    struct tusk__watch **link = &state->watches;

    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    if (state->next == watch)
        state->next = watch->next;
    poller->watched--;
}

static int poll_fileno(const struct tusk__poller *poller)
{
    (void)poller;
    return -ENOTSUP;
}

const struct tusk__poll_backend tusk__poll_poll = {
    .name = "poll",
    .open = poll_open,
    .close = poll_close,
    .wait = poll_wait,
    .wake = poll_wake,
    .watch = poll_watch,
    .expect = poll_expect,
    .again = poll_again,
    .unwatch = poll_unwatch,
    .fileno = poll_fileno,
};
