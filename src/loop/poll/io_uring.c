/*
 * io_uring: a poller of Linux by way of a ring that it shares with the kernel.
 *
 * Each watched descriptor has a multishot poll in the kernel, which tells of each change: no
 * system call to register it, for its request goes with the next wait. When nothing can have come, a
 * look costs no system call either. Sleeps are exact, and wake-ups come by an eventfd that is watched and never
 * read, as with epoll.
 *
 * What differs from epoll, and what is done about it:
 *
 * - The kernel tells of what the call that woke it said, and does not look again. It may be gone by
 *   then, so this backend is `vague`. Sockets say that urgent data may have come whenever anything
 *   has: see what_it_means().
 * - A poll keeps its open file alive. So unwatch hands over the poll's end at once, and a socket
 *   that is closed after it is closed.
 * - The kernel ends a multishot poll now and then, as when completions overflow. It is begun again in the
 *   next wait, and a poll that begins looks first, so nothing is lost.
 * - A ring belongs to one thread. In another one the loop gets a new ring, as long as no request is
 *   under way.
 *
 * Sockets are read and written by system calls when a poll has told of something, as with epoll.
 * Measured, with a bare loop that echoes 64 bytes over TCP, and rejected: to let the kernel receive when something
 * comes (IORING_OP_RECV, single 7 % slower than poll and call; multishot into buffers of a ring
 * equal, but it reads ahead of whoever reads, and everything is copied once more), to let it send
 * (equal), and to poll singly (5 % slower).
 *
 * What the kernel has of a watch is its number and a generation, as with epoll.
 */
#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>

#include "loop/poll/backends.h"

#if defined(TUSK_HAVE_LIBURING)

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tusk/error.h>

#include "base/mem.h"
#include "loop/poll/ring.h"

/* A request of more bytes is made in another thread of the kernel: to copy them takes longer than to go there. */
enum { BYTES_AT_ONCE = 1 << 18 };

/* What a completion is of: the low bits of its data. A request's is its address. */
enum { OF_REQUEST, OF_POLL, OF_WAKE, OF_NOTHING };
#define OF_MASK ((uint64_t)3)

/* In watch->expected, beside directions: the last ready() may have come for nothing. */
enum { UNSURE = TUSK__POLL_VAIN };

/* Lists of slots: those of which a poll has told something, and those whose poll is to be begun. */
enum list { TOLD, IDLE, LISTS };
enum { NONE = -1 };

/* Who watches a number. */
struct slot {
    struct tusk__watch *watch;
    /* How many polls there have been. */
    uint32_t generation;
    /* POLLIN and the like: what was told since the last ready(). */
    uint32_t told;
    int next[LISTS];
    bool listed[LISTS];
    /* The kernel has a poll of this generation. */
    bool polls;
    /* It told more than once since then. */
    bool twice;
};

struct state {
    struct tusk__ring ring;
    int wake;
    /* The kernel has a poll of `wake`; and that has told. */
    bool hears_wake;
    bool woken;
    /* Somebody sleeps on the ring's descriptor, outside of wait: the kernel must know everything at once. */
    bool is_seen;
    /* By number. */
    struct slot *slots;
    size_t slot_count;
    int first[LISTS];
    int last[LISTS];
    /* Those whose done() is to be called. */
    struct tusk__request *ended;
    struct tusk__request **ended_end;
    /* Those whose done() was not called. */
    size_t requests;
};

static struct state *state_of(const struct tusk__poller *poller)
{
    return poller->state;
}

/* ---- lists ---- */

static void push(struct state *state, enum list list, int number)
{
    struct slot *slot = &state->slots[number];

    if (slot->listed[list])
        return;
    slot->listed[list] = true;
    slot->next[list] = NONE;
    if (state->first[list] == NONE)
        state->first[list] = number;
    else
        state->slots[state->last[list]].next[list] = number;
    state->last[list] = number;
}

static struct slot *pop(struct state *state, enum list list)
{
    struct slot *slot = &state->slots[state->first[list]];

    state->first[list] = slot->next[list];
    slot->listed[list] = false;
    return slot;
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

/* ---- what the kernel is asked ---- */

static uint64_t data_of_poll(const struct slot *slot, int number)
{
    return (uint64_t)slot->generation << 32 | (uint64_t)(uint32_t)number << 2 | OF_POLL;
}

/*
 * POLLRDBAND is asked for because no file has such data: whoever says it says all that could be meant
 * by "readable".
 */
static unsigned mask_of(const struct tusk__watch *watch)
{
    unsigned events = 0;

    if (watch->events & TUSK__POLL_READ)
        events |= POLLIN | POLLRDHUP;
    if (watch->events & TUSK__POLL_WRITE)
        events |= POLLOUT;
    if ((watch->events & TUSK__POLL_READ) && (watch->events & TUSK__POLL_EDGE))
        events |= POLLPRI | POLLRDBAND;
    return events;
}

/* Begins the poll of a slot, if it needs one. False if the kernel takes no more now. */
static bool begin_poll(struct state *state, int number)
{
    struct slot *slot = &state->slots[number];
    const struct tusk__watch *watch = slot->watch;
    struct io_uring_sqe *request;

    if (!watch || slot->polls)
        return true;
    request = tusk__ring_slot(&state->ring);
    if (!request)
        return false;
    if (watch->events & TUSK__POLL_EDGE)
        io_uring_prep_poll_multishot(request, watch->fd, mask_of(watch));
    else
        io_uring_prep_poll_add(request, watch->fd, mask_of(watch));
    slot->generation++;
    slot->polls = true;
    request->user_data = data_of_poll(slot, number);
    return true;
}

static void begin_wake(struct state *state)
{
    struct io_uring_sqe *request = state->hears_wake ? NULL : tusk__ring_slot(&state->ring);

    if (!request)
        return;
    io_uring_prep_poll_multishot(request, state->wake, POLLIN);
    request->user_data = OF_WAKE;
    state->hears_wake = true;
}

static void begin_polls(struct state *state)
{
    begin_wake(state);
    while (state->first[IDLE] != NONE && begin_poll(state, state->first[IDLE]))
        pop(state, IDLE);
}

/* Asks the kernel to end what has this data. The answer would tell nothing. */
static void cancel(struct state *state, uint64_t data)
{
    struct io_uring_sqe *request = tusk__ring_slot(&state->ring);

    if (!request)
        return;
    io_uring_prep_cancel64(request, data, 0);
    request->flags |= IOSQE_CQE_SKIP_SUCCESS;
    request->user_data = OF_NOTHING;
}

/*
 * The kernel will forget the poll of a slot; what that told before is void. (IORING_OP_POLL_REMOVE would not
 * do: it fails if the poll is just about to tell something, and then that goes on.)
 */
static void end_poll(struct state *state, int number)
{
    struct slot *slot = &state->slots[number];

    if (slot->polls)
        cancel(state, data_of_poll(slot, number));
    slot->polls = false;
    slot->told = 0;
}

/* ---- whose ring it is ---- */

/* Without a ring there is no poll either; all are to be begun. */
static void forget_polls(struct state *state)
{
    state->hears_wake = false;
    for (size_t i = 0; i < state->slot_count; i++) {
        state->slots[i].polls = false;
        if (state->slots[i].watch)
            push(state, IDLE, (int)i);
    }
}

/* The loop goes on in another thread. Its requests could not: their completions only come in the old one. */
static int leave_ring(struct state *state)
{
    if (state->requests > 0)
        return TUSK_OTHER_THREAD;
    tusk__ring_close(&state->ring);
    forget_polls(state);
    return 0;
}

/* Sees to it that there is a ring of this thread's. */
static int take_ring(struct state *state)
{
    int rc;

    if (likely(tusk__ring_is_mine(&state->ring)))
        return 0;
    rc = leave_ring(state);
    return rc < 0 ? rc : tusk__ring_open(&state->ring);
}

/* The kernel knows better who is who than pthread_self(): threads get the numbers of those that have ended. */
static int enter(struct state *state, int64_t timeout)
{
    int rc = tusk__ring_enter(&state->ring, timeout);

    return rc == -EEXIST ? leave_ring(state) : rc;
}

static void hand_over(struct state *state)
{
    if (!state->is_seen || !tusk__ring_is_mine(&state->ring))
        return;
    begin_polls(state);
    if (tusk__ring_has_work(&state->ring))
        enter(state, 0);
}

/* ---- what the kernel tells ---- */

/* Whose poll this is, if it is the last one of somebody who still watches; else NONE. */
static int number_of(const struct state *state, uint64_t data)
{
    int number = (int)((uint32_t)data >> 2);
    const struct slot *slot = &state->slots[number];

    return slot->watch && slot->polls && slot->generation == data >> 32 ? number : NONE;
}

/* A poll that ended so is to be begun again. Others mean that somebody has closed the number, say. */
static bool goes_on(int result)
{
    return result >= 0 || result == -ECANCELED || result == -ENOMEM || result == -EAGAIN;
}

static void hear_poll(struct state *state, const struct io_uring_cqe *completion)
{
    int number = number_of(state, completion->user_data);
    struct slot *slot;

    if (number == NONE)
        return;
    slot = &state->slots[number];
    if (!(completion->flags & IORING_CQE_F_MORE)) {
        slot->polls = false;
        if (goes_on(completion->res))
            push(state, IDLE, number);
    }
    if (completion->res > 0) {
        slot->twice = slot->told != 0;
        slot->told |= (uint32_t)completion->res;
        push(state, TOLD, number);
    }
}

static void hear_end(struct state *state, const struct io_uring_cqe *completion)
{
    struct tusk__request *request = (struct tusk__request *)(uintptr_t)completion->user_data;

    request->result = completion->res;
    request->next = NULL;
    *state->ended_end = request;
    state->ended_end = &request->next;
}

static void hear(struct state *state, const struct io_uring_cqe *completion)
{
    switch (completion->user_data & OF_MASK) {
    case OF_REQUEST:
        hear_end(state, completion);
        break;
    case OF_POLL:
        hear_poll(state, completion);
        break;
    case OF_WAKE:
        state->woken = state->woken || completion->res > 0;
        state->hears_wake = completion->flags & IORING_CQE_F_MORE;
        break;
    default:
        break;
    }
}

static void listen_to_kernel(struct state *state)
{
    struct io_uring_cqe completion;

    while (tusk__ring_take(&state->ring, &completion))
        hear(state, &completion);
}

/* ---- what the loop is told ---- */

/* What is there now. */
static uint32_t look(const struct tusk__watch *watch)
{
    struct pollfd look = {.fd = watch->fd, .events = (short)(mask_of(watch) & ~(unsigned)POLLRDBAND)};

    return poll(&look, 1, 0) > 0 ? (uint32_t)(uint16_t)look.revents : 0;
}

/*
 * What there is, from what was told. POLLPRI means urgent data if the kernel has looked itself, and
 * nothing if it came with POLLRDBAND. But wherever urgent data comes, something else does: more than one change
 * before the kernel got round to tell of it, and then it looks itself; or another change after the one that
 * was told of and was not looked into yet, and then we look; or nothing that can be read, and then
 * the owner tells us. So one look in the rare cases is enough for a connection without urgent data,
 * and one with it is found out.
 */
static uint32_t what_it_means(struct tusk__watch *watch, uint32_t told, bool twice)
{
    bool expected = watch->expected & TUSK__POLL_READ;

    if (!(told & POLLIN))
        return told;
    watch->expected &= ~(TUSK__POLL_READ | UNSURE);
    if (!(told & POLLRDBAND))
        return told;
    if (twice || !expected)
        return look(watch) | (told & ~(uint32_t)(POLLIN | POLLPRI));
    watch->expected |= UNSURE;
    return told & ~(uint32_t)POLLPRI;
}

static int events_of(uint32_t told)
{
    int events = 0;

    if (told & (POLLIN | POLLPRI | POLLRDHUP | POLLHUP | POLLERR))
        events |= TUSK__POLL_READ;
    if (told & (POLLOUT | POLLHUP | POLLERR))
        events |= TUSK__POLL_WRITE;
    if (told & (POLLRDHUP | POLLHUP | POLLERR))
        events |= TUSK__POLL_ENDED;
    if (told & POLLPRI)
        events |= TUSK__POLL_URGENT;
    return events;
}

static void tell(struct slot *slot)
{
    struct tusk__watch *watch = slot->watch;
    uint32_t told = slot->told;
    int events;

    slot->told = 0;
    if (!watch || told == 0)
        return;
    told = watch->events & TUSK__POLL_EDGE ? what_it_means(watch, told, slot->twice) : look(watch);
    events = events_of(told);
    if (events != 0)
        watch->ready(watch, events);
}

static void tell_of_ends(struct tusk__poller *poller, struct state *state)
{
    while (state->ended) {
        struct tusk__request *request = state->ended;

        state->ended = request->next;
        if (!state->ended)
            state->ended_end = &state->ended;
        state->requests--;
        poller->watched--;
        request->done(request, request->result);
    }
}

static bool has_news(const struct state *state)
{
    return state->woken || state->first[TOLD] != NONE || state->ended;
}

/* Those that begin to watch in here are told of in the next wait. */
static void tell_all(struct tusk__poller *poller, struct state *state)
{
    state->woken = false;
    while (state->first[TOLD] != NONE)
        tell(pop(state, TOLD));
    tell_of_ends(poller, state);
}

/* ---- the backend ---- */

static int uring_wait(struct tusk__poller *poller, int64_t timeout)
{
    struct state *state = state_of(poller);
    int rc;

    do {
        rc = take_ring(state);
        if (rc < 0)
            return rc;
        begin_polls(state);
        listen_to_kernel(state);
        if (has_news(state))
            timeout = 0;
        if (timeout != 0 || tusk__ring_has_work(&state->ring))
            rc = enter(state, timeout);
        if (tusk__ring_is_mine(&state->ring))
            listen_to_kernel(state);
        /* Without a limit, it need not return for what concerns nobody. */
    } while (rc == 0 && timeout < 0 && !has_news(state));
    tell_all(poller, state);
    hand_over(state);
    return rc == -EINTR ? 0 : rc;
}

static void uring_wake(struct tusk__poller *poller)
{
    uint64_t one = 1;
    ssize_t written = write(state_of(poller)->wake, &one, sizeof one);

    /* It can only fail when the counter is full, and then the loop is being woken already. */
    (void)written;
}

/* The kernel polls what cannot be polled, and says that it is ready. epoll knows; only devices are worth the calls. */
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
    struct state *state = state_of(poller);
    int rc = check(watch->fd);

    if (rc == 0)
        rc = tusk__fail_now() ? -ENOSPC : reserve(state, watch->fd);
    if (rc < 0)
        return rc;
    /* What had the number before was closed by others. */
    end_poll(state, watch->fd);
    watch->expected = watch->events;
    state->slots[watch->fd].watch = watch;
    push(state, IDLE, watch->fd);
    poller->watched++;
    hand_over(state);
    return 0;
}

static void uring_expect(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    struct state *state = state_of(poller);
    bool was_unsure = watch->expected & UNSURE;

    watch->expected |= events & ~TUSK__POLL_VAIN;
    if (!(events & TUSK__POLL_READ))
        return;
    watch->expected &= ~UNSURE;
    if (likely(!was_unsure || !(events & TUSK__POLL_VAIN)))
        return;
    if (state->slots[watch->fd].watch != watch || !(look(watch) & POLLPRI))
        return;
    state->slots[watch->fd].told |= POLLIN | POLLPRI;
    push(state, TOLD, watch->fd);
}

static int uring_again(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    struct state *state = state_of(poller);

    if (state->slots[watch->fd].watch != watch || fcntl(watch->fd, F_GETFD) < 0)
        return -EBADF;
    watch->expected |= events;
    end_poll(state, watch->fd);
    push(state, IDLE, watch->fd);
    hand_over(state);
    return 0;
}

static void uring_unwatch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct state *state = state_of(poller);
    struct slot *slot = &state->slots[watch->fd];

    poller->watched--;
    /* Its number may be another watch's by now. */
    if (slot->watch != watch)
        return;
    slot->watch = NULL;
    if (!slot->polls) {
        slot->told = 0;
    } else if (tusk__ring_is_mine(&state->ring)) {
        end_poll(state, watch->fd);
        enter(state, 0);
    } else {
        leave_ring(state);
    }
}

static int uring_fileno(const struct tusk__poller *poller)
{
    struct state *state = state_of(poller);

    state->is_seen = true;
    hand_over(state);
    return state->ring.uring.ring_fd;
}

/* ---- requests ---- */

static void prepare(struct io_uring_sqe *slot, const struct tusk__request *request)
{
    size_t bytes = 0;

    if (request->code == TUSK__REQUEST_READ)
        io_uring_prep_readv(slot, request->fd, request->buffers, (unsigned)request->count,
                            (uint64_t)request->offset);
    else
        io_uring_prep_writev(slot, request->fd, request->buffers, (unsigned)request->count,
                             (uint64_t)request->offset);
    for (int i = 0; i < request->count && bytes <= BYTES_AT_ONCE; i++)
        bytes += request->buffers[i].iov_len;
    if (bytes > BYTES_AT_ONCE)
        slot->flags |= IOSQE_ASYNC;
    slot->user_data = (uintptr_t)request;
}

static int uring_submit(struct tusk__poller *poller, struct tusk__request *request)
{
    struct state *state = state_of(poller);
    struct io_uring_sqe *slot;
    int rc = take_ring(state);

    if (rc == 0)
        rc = tusk__ring_prepare_to_wait(&state->ring);
    if (rc < 0)
        return rc;
    slot = tusk__fail_now() ? NULL : tusk__ring_slot(&state->ring);
    if (!slot)
        return -EAGAIN;
    prepare(slot, request);
    state->requests++;
    poller->watched++;
    hand_over(state);
    return 0;
}

static void uring_withdraw(struct tusk__poller *poller, struct tusk__request *request)
{
    struct state *state = state_of(poller);

    /* Else it ends by itself. */
    if (tusk__ring_is_mine(&state->ring))
        cancel(state, (uintptr_t)request);
    hand_over(state);
}

static void uring_settle(struct tusk__poller *poller)
{
    struct state *state = state_of(poller);

    if (state->requests == 0)
        return;
    tusk__ring_close_and_wait(&state->ring);
    forget_polls(state);
    poller->watched -= state->requests;
    state->requests = 0;
    state->ended = NULL;
    state->ended_end = &state->ended;
}

/* ---- life ---- */

static int uring_open(struct tusk__poller *poller)
{
    struct state *state = tusk__alloc(sizeof *state);
    int rc;

    if (!state)
        return -ENOMEM;
    state->first[TOLD] = state->first[IDLE] = NONE;
    state->ended_end = &state->ended;
    rc = tusk__ring_open(&state->ring);
    poller->refused_why = state->ring.why;
    state->wake = rc < 0 || tusk__fail_now() ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (rc == 0 && state->wake < 0)
        rc = -EMFILE;
    if (rc < 0) {
        tusk__ring_close(&state->ring);
        tusk__free(state);
        return rc;
    }
    poller->state = state;
    return 0;
}

static void uring_close(struct tusk__poller *poller)
{
    struct state *state = state_of(poller);

    uring_settle(poller);
    tusk__ring_close(&state->ring);
    close(state->wake);
    tusk__free(state->slots);
    tusk__free(state);
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
    .expect = uring_expect,
    .again = uring_again,
    .unwatch = uring_unwatch,
    .fileno = uring_fileno,
    .submit = uring_submit,
    .withdraw = uring_withdraw,
    .settle = uring_settle,
};

#else

/* Built without liburing. */
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
