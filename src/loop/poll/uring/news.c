/*
 * What the loop is told.
 *
 * The kernel passes on what the one said who woke a poll, and sockets that have become readable say
 * POLLPRI with it, as if there was urgent data, and POLLRDBAND. Only when it looks itself it tells what
 * is there: when a poll begins, when somebody woke it without a word, or when it was woken more than
 * once before it got round to tell. So POLLPRI alone is true, and with POLLRDBAND it means nothing.
 *
 * Still none is missed. Wherever urgent data comes, the socket wakes the poll for it, and either
 * - for something else as well before the kernel tells: then that looks itself;
 * - or the owner has not looked into what it was told before: then we look;
 * - or nothing that can be read came with it, and the owner tells us that it was woken in vain: then we look.
 * For a connection without urgent data these looks are rare.
 */
#if defined(__linux__) && defined(TUSK_HAVE_LIBURING)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <poll.h>

#include "loop/poll/uring/uring.h"

/* In watch->expected, beside directions: urgent data may have come with the last ready(). */
enum { UNSURE = TUSK__POLL_VAIN };

/* What is there now. */
static uint32_t look(const struct tusk__watch *watch)
{
    unsigned events = tusk__uring_mask(watch) & ~(unsigned)POLLRDBAND;
    struct pollfd at = {.fd = watch->fd, .events = (short)events};

    return poll(&at, 1, 0) > 0 ? (uint32_t)(unsigned short)at.revents : 0;
}

/* What there is, from what was told. */
static uint32_t meaning_of(struct tusk__watch *watch, uint32_t told, bool twice)
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

void tusk__uring_expect(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    struct tusk__uring *uring = tusk__uring_of(poller);
    bool was_unsure = watch->expected & UNSURE;

    watch->expected |= events & ~TUSK__POLL_VAIN;
    if (!(events & TUSK__POLL_READ))
        return;
    watch->expected &= ~UNSURE;
    if (likely(!was_unsure || !(events & TUSK__POLL_VAIN)))
        return;
    if (uring->slots[watch->fd].watch != watch || !(look(watch) & POLLPRI))
        return;
    uring->slots[watch->fd].told |= POLLIN | POLLPRI;
    tusk__uring_push(uring, TUSK__URING_TOLD, watch->fd);
    tusk__uring_hand_over(uring);
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

static void tell(struct tusk__uring_slot *slot)
{
    struct tusk__watch *watch = slot->watch;
    uint32_t told = slot->told;
    int events;

    slot->told = 0;
    if (!watch || told == 0)
        return;
    told = watch->events & TUSK__POLL_EDGE ? meaning_of(watch, told, slot->twice) : look(watch);
    events = events_of(told);
    if (events != 0)
        watch->ready(watch, events);
}

void tusk__uring_tell(struct tusk__poller *poller)
{
    struct tusk__uring *uring = tusk__uring_of(poller);

    uring->woken = false;
    while (uring->first[TUSK__URING_TOLD] != TUSK__URING_NONE)
        tell(tusk__uring_pop(uring, TUSK__URING_TOLD));
    tusk__uring_tell_ends(poller);
}

#endif
