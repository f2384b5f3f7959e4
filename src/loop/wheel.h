/*
 * Timers: a wheel of wheels over nanoseconds, exact in its order.
 *
 * Each level has 64 slots; level 0 counts single nanoseconds, each further one
 * 64 times as much. A timer stands at the level of the highest group of six bits
 * in which its deadline differs from the wheel's base, in the slot that this group
 * names. So insert and cancel are a few instructions, however many timers are
 * pending, and allocate nothing. When the base reaches a slot of a higher
 * level, the slot's timers move down; a timer moves at most ten times in its
 * life, and most are cancelled before they move at all.
 *
 * Order: a slot of level 0 holds one single deadline, and lists keep the order of
 * insertion also when they move down. Two timers with equal deadlines are always
 * at the same level, in the same list. Hence: by deadline, then by creation.
 *
 * The timer that was inserted last stands in no slot at first, but by itself (`newest`). The next
 * insert puts it where it belongs, and so does the advance that reaches its deadline: so the order
 * is that of insertion all the same. A timer that goes soon after it came, as most time-outs do,
 * costs a store or two each way.
 *
 * Rejected: a heap (asyncio, libuv, Go), whose insert and delete walk log n
 * cache lines and which has to grow, so that a sleep could fail for lack of
 * memory; a wheel of milliseconds, which would lose the order within one.
 *
 * Invariant: every occupied slot begins after the base, and every timer in a slot
 * is due after the base. Deadlines that are not (call_at with a time long gone)
 * stand in a sorted list of their own, which is searched from its end: quick for
 * the usual few, linear for who makes thousands of them in reverse order.
 */
#ifndef TUSK__LOOP_WHEEL_H
#define TUSK__LOOP_WHEEL_H

#include "loop/handle.h"

enum { TUSK__WHEEL_BITS = 6, TUSK__WHEEL_SLOTS = 64, TUSK__WHEEL_LEVELS = 11 };

/* "No deadline", as an answer. */
#define TUSK__NEVER INT64_MAX
/* The deadline of a timer that never fires, but can be cancelled like others. */
#define TUSK__FOREVER (INT64_MAX - 1)
/*
 * 255 years: where the very last slot begins. Deadlines from here on count as
 * none, and no clock goes beyond.
 */
#define TUSK__HORIZON ((int64_t)7 << 60)

struct tusk__timer {
    /* What becomes ready when the timer is due. */
    struct tusk__handle handle;
    struct tusk__timer *next;
    /* The pointer that points here: NULL when the timer is in no list. */
    struct tusk__timer **link;
    /* Nanoseconds on the loop's clock. */
    int64_t when;
};

struct tusk__timer_list {
    struct tusk__timer *first;
    /* The end of the list; only meaningful while first is set. */
    struct tusk__timer *last;
};

struct tusk__wheel {
    int64_t base;
    /* The timer that was inserted last, if it has no place in the lists below yet. */
    struct tusk__timer *newest;
    /* Timers in the lists. */
    size_t count;
    /* Bit n: level n has an occupied slot. */
    uint32_t levels;
    /* Deadlines at or before the base, sorted. */
    struct tusk__timer_list past;
    uint64_t occupied[TUSK__WHEEL_LEVELS];
    struct tusk__timer_list slots[TUSK__WHEEL_LEVELS][TUSK__WHEEL_SLOTS];
};

void tusk__wheel_init(struct tusk__wheel *wheel, int64_t now);

/* The slow half of the bound: there are timers. */
int64_t tusk__wheel_bound_of_some(const struct tusk__wheel *wheel);

/* The slow halves of insert and remove: for timers that stand, or are to stand, in one of the lists. */
void tusk__wheel_place(struct tusk__wheel *wheel, struct tusk__timer *timer);
void tusk__wheel_displace(struct tusk__wheel *wheel, struct tusk__timer *timer);

/* Adds a timer whose deadline is set. */
static inline void tusk__wheel_insert(struct tusk__wheel *wheel, struct tusk__timer *timer)
{
    if (wheel->newest)
        tusk__wheel_place(wheel, wheel->newest);
    timer->link = &wheel->newest;
    wheel->newest = timer;
}

/* Removes a timer that is in the wheel. */
static inline void tusk__wheel_remove(struct tusk__wheel *wheel, struct tusk__timer *timer)
{
    if (timer == wheel->newest)
        wheel->newest = NULL;
    else
        tusk__wheel_displace(wheel, timer);
    timer->link = NULL;
}

static inline bool tusk__timer_pending(const struct tusk__timer *timer)
{
    return timer->link != NULL;
}

/* How many timers are pending. */
static inline size_t tusk__wheel_count(const struct tusk__wheel *wheel)
{
    return wheel->count + (wheel->newest != NULL);
}

/*
 * No timer is due before this time, or TUSK__NEVER if there is none before the
 * horizon. It may be
 * earlier than the first deadline: then advance to it, and ask again. At most
 * ten rounds lead to the deadline itself.
 */
static inline int64_t tusk__wheel_bound(const struct tusk__wheel *wheel)
{
    return tusk__wheel_count(wheel) == 0 ? TUSK__NEVER : tusk__wheel_bound_of_some(wheel);
}

/* Moves the base to now and hands every timer that is due to push, in order. */
void tusk__wheel_advance(struct tusk__wheel *wheel, int64_t now,
                         void (*push)(void *arg, struct tusk__handle *), void *arg);

#endif
