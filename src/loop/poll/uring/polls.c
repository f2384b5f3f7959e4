/*
 * What the kernel is asked to poll, and what it tells.
 *
 * What it keeps with a poll is the number and a generation. A completion of an older generation is
 * of a watch that is gone, or of a poll that was replaced by a newer one, and the newer one has looked
 * after the older one told.
 */
#if defined(__linux__) && defined(TUSK_HAVE_LIBURING)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/mem.h"
#include "loop/poll/uring/uring.h"

enum { TOLD = TUSK__URING_TOLD, IDLE = TUSK__URING_IDLE, NONE = TUSK__URING_NONE };

/* ---- slots ---- */

int tusk__uring_reserve(struct tusk__uring *uring, int number)
{
    size_t count = uring->slot_count ? uring->slot_count : 64;
    struct tusk__uring_slot *slots;

    if ((size_t)number < uring->slot_count)
        return 0;
    while (count <= (size_t)number)
        count *= 2;
    slots = tusk__alloc_array(count, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    if (uring->slots)
        memcpy(slots, uring->slots, uring->slot_count * sizeof *slots);
    tusk__free(uring->slots);
    uring->slots = slots;
    uring->slot_count = count;
    return 0;
}

void tusk__uring_push(struct tusk__uring *uring, enum tusk__uring_list list, int number)
{
    struct tusk__uring_slot *slot = &uring->slots[number];

    if (slot->listed[list])
        return;
    slot->listed[list] = true;
    slot->next[list] = NONE;
    if (uring->first[list] == NONE)
        uring->first[list] = number;
    else
        uring->slots[uring->last[list]].next[list] = number;
    uring->last[list] = number;
}

struct tusk__uring_slot *tusk__uring_pop(struct tusk__uring *uring, enum tusk__uring_list list)
{
    struct tusk__uring_slot *slot = &uring->slots[uring->first[list]];

    uring->first[list] = slot->next[list];
    slot->listed[list] = false;
    return slot;
}

/* ---- asking ---- */

/*
 * No file has data that is POLLRDBAND. It is asked for because whoever wakes the poll with it
 * says all that "readable" could mean: see news.c.
 */
unsigned tusk__uring_mask(const struct tusk__watch *watch)
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

static uint64_t data_of(const struct tusk__uring_slot *slot, int number)
{
    return (uint64_t)slot->generation << 32 | (uint64_t)number * TUSK__URING_KINDS | TUSK__URING_POLL;
}

/* Begins the poll of a slot, if it needs one. False if the kernel takes no more now. */
static bool begin_poll(struct tusk__uring *uring, int number)
{
    struct tusk__uring_slot *slot = &uring->slots[number];
    const struct tusk__watch *watch = slot->watch;
    struct io_uring_sqe *entry;

    if (!watch || slot->polls)
        return true;
    entry = tusk__ring_entry(&uring->ring);
    if (!entry)
        return false;
    if (watch->events & TUSK__POLL_EDGE)
        io_uring_prep_poll_multishot(entry, watch->fd, tusk__uring_mask(watch));
    else
        io_uring_prep_poll_add(entry, watch->fd, tusk__uring_mask(watch));
    slot->generation++;
    slot->polls = true;
    entry->user_data = data_of(slot, number);
    return true;
}

static void begin_wake(struct tusk__uring *uring)
{
    struct io_uring_sqe *entry = uring->hears_wake ? NULL : tusk__ring_entry(&uring->ring);

    if (!entry)
        return;
    io_uring_prep_poll_multishot(entry, uring->wake, POLLIN);
    entry->user_data = TUSK__URING_WAKE;
    uring->hears_wake = true;
}

void tusk__uring_begin_polls(struct tusk__uring *uring)
{
    begin_wake(uring);
    while (uring->first[IDLE] != NONE && begin_poll(uring, uring->first[IDLE]))
        tusk__uring_pop(uring, TUSK__URING_IDLE);
}

/*
 * IORING_OP_POLL_REMOVE would not do: it fails when the poll is just about to tell something, and
 * then that goes on.
 */
void tusk__uring_end_poll(struct tusk__uring *uring, int number)
{
    struct tusk__uring_slot *slot = &uring->slots[number];

    if (slot->polls)
        tusk__uring_cancel(uring, data_of(slot, number));
    slot->polls = false;
    slot->told = 0;
}

void tusk__uring_forget_polls(struct tusk__uring *uring)
{
    uring->hears_wake = false;
    uring->has_cancels = false;
    for (size_t i = 0; i < uring->slot_count; i++) {
        uring->slots[i].polls = false;
        if (uring->slots[i].watch)
            tusk__uring_push(uring, TUSK__URING_IDLE, (int)i);
    }
}

/* ---- listening ---- */

/* Whose poll this is, if it is the present one of somebody who still watches; else NONE. */
static int number_of(const struct tusk__uring *uring, uint64_t data)
{
    int number = (int)((uint32_t)data / TUSK__URING_KINDS);
    const struct tusk__uring_slot *slot = &uring->slots[number];

    return slot->watch && slot->polls && slot->generation == data >> 32 ? number : NONE;
}

/* A poll that ended so is to be begun again. Others mean that somebody has closed the number, say. */
static bool goes_on(int result)
{
    return result >= 0 || result == -ECANCELED || result == -ENOMEM || result == -EAGAIN;
}

static void hear_poll(struct tusk__uring *uring, const struct io_uring_cqe *completion)
{
    int number = number_of(uring, completion->user_data);
    struct tusk__uring_slot *slot;

    if (number == NONE)
        return;
    slot = &uring->slots[number];
    if (!(completion->flags & IORING_CQE_F_MORE)) {
        slot->polls = false;
        if (goes_on(completion->res))
            tusk__uring_push(uring, TUSK__URING_IDLE, number);
    }
    if (completion->res > 0) {
        slot->twice = slot->told != 0;
        slot->told |= (uint32_t)completion->res;
        tusk__uring_push(uring, TUSK__URING_TOLD, number);
    }
}

static void hear(struct tusk__uring *uring, const struct io_uring_cqe *completion)
{
    switch (completion->user_data % TUSK__URING_KINDS) {
    case TUSK__URING_REQUEST:
        tusk__uring_hear_end(uring, completion);
        break;
    case TUSK__URING_POLL:
        hear_poll(uring, completion);
        break;
    case TUSK__URING_WAKE:
        uring->woken = uring->woken || completion->res > 0;
        uring->hears_wake = completion->flags & IORING_CQE_F_MORE;
        break;
    default:
        break;
    }
}

void tusk__uring_listen(struct tusk__uring *uring)
{
    struct io_uring_cqe completion;

    while (uring->ring.is_open && tusk__ring_take(&uring->ring, &completion))
        hear(uring, &completion);
}

#endif
