/*
 * The timer wheel. See wheel.h for how it works and why.
 */
#include "loop/wheel.h"

#include <string.h>

#include "base/compiler.h"

void tusk__wheel_init(struct tusk__wheel *wheel, int64_t now)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->base = now;
}

/* Puts the timer behind `after`, or at the front of the list if that is NULL. */
static void list_insert(struct tusk__timer_list *list, struct tusk__timer *after, struct tusk__timer *timer)
{
    struct tusk__timer **link = after ? &after->next : &list->first;

    timer->link = link;
    timer->next = *link;
    if (timer->next)
        timer->next->link = &timer->next;
    else
        list->last = timer;
    *link = timer;
}

static void list_append(struct tusk__timer_list *list, struct tusk__timer *timer)
{
    list_insert(list, list->first ? list->last : NULL, timer);
}

static void list_remove(struct tusk__timer_list *list, struct tusk__timer *timer)
{
    *timer->link = timer->next;
    if (timer->next)
        timer->next->link = timer->link;
    else if (list->first)
        list->last = container_of(timer->link, struct tusk__timer, next);
    timer->link = NULL;
}

/* The level at which a deadline after the base stands. */
static unsigned level_of(const struct tusk__wheel *wheel, int64_t when)
{
    uint64_t difference = (uint64_t)wheel->base ^ (uint64_t)when;

    return (63U - (unsigned)__builtin_clzll(difference)) / TUSK__WHEEL_BITS;
}

static unsigned slot_of(int64_t when, unsigned level)
{
    return ((uint64_t)when >> (level * TUSK__WHEEL_BITS)) & (TUSK__WHEEL_SLOTS - 1);
}

/* When the slot begins, given that it lies ahead of the base. */
static int64_t slot_start(const struct tusk__wheel *wheel, unsigned level, unsigned slot)
{
    unsigned shift = level * TUSK__WHEEL_BITS;
    uint64_t above = shift + TUSK__WHEEL_BITS < 64 ? ~(uint64_t)0 << (shift + TUSK__WHEEL_BITS) : 0;

    return (int64_t)(((uint64_t)wheel->base & above) | (uint64_t)slot << shift);
}

static void insert_past(struct tusk__wheel *wheel, struct tusk__timer *timer)
{
    struct tusk__timer *after = wheel->past.first ? wheel->past.last : NULL;

    while (after && after->when > timer->when)
        after =
            after->link == &wheel->past.first ? NULL : container_of(after->link, struct tusk__timer, next);
    list_insert(&wheel->past, after, timer);
}

static void place(struct tusk__wheel *wheel, struct tusk__timer *timer)
{
    unsigned level;
    unsigned slot;

    if (timer->when <= wheel->base) {
        insert_past(wheel, timer);
        return;
    }
    level = level_of(wheel, timer->when);
    slot = slot_of(timer->when, level);
    list_append(&wheel->slots[level][slot], timer);
    wheel->occupied[level] |= (uint64_t)1 << slot;
    wheel->levels |= 1U << level;
}

void tusk__wheel_place(struct tusk__wheel *wheel, struct tusk__timer *timer)
{
    wheel->count++;
    place(wheel, timer);
}

static void mark_empty(struct tusk__wheel *wheel, unsigned level, unsigned slot)
{
    wheel->occupied[level] &= ~((uint64_t)1 << slot);
    if (!wheel->occupied[level])
        wheel->levels &= ~(1U << level);
}

void tusk__wheel_displace(struct tusk__wheel *wheel, struct tusk__timer *timer)
{
    unsigned level;
    unsigned slot;

    wheel->count--;
    if (timer->when <= wheel->base) {
        list_remove(&wheel->past, timer);
        return;
    }
    level = level_of(wheel, timer->when);
    slot = slot_of(timer->when, level);
    list_remove(&wheel->slots[level][slot], timer);
    if (!wheel->slots[level][slot].first)
        mark_empty(wheel, level, slot);
}

/* The first occupied slot: of the lowest level, since each level ends before the next one's next slot begins. */
static unsigned first_slot(const struct tusk__wheel *wheel, unsigned *ret_level)
{
    *ret_level = (unsigned)__builtin_ctz(wheel->levels);
    return (unsigned)__builtin_ctzll(wheel->occupied[*ret_level]);
}

/* The same for the timers in lists. */
static int64_t bound_of_lists(const struct tusk__wheel *wheel)
{
    unsigned level;
    unsigned slot;
    int64_t start;

    if (wheel->past.first)
        return wheel->past.first->when;
    if (!wheel->levels)
        return TUSK__NEVER;
    slot = first_slot(wheel, &level);
    start = slot_start(wheel, level, slot);
    return start >= TUSK__HORIZON ? TUSK__NEVER : start;
}

int64_t tusk__wheel_bound_of_some(const struct tusk__wheel *wheel)
{
    int64_t bound = bound_of_lists(wheel);
    int64_t newest = wheel->newest && wheel->newest->when < TUSK__HORIZON ? wheel->newest->when : TUSK__NEVER;

    return newest < bound ? newest : bound;
}

/* Hands out the timers of a list whose deadlines are not after now. */
static void fire(struct tusk__wheel *wheel, struct tusk__timer_list *list, int64_t now,
                 void (*push)(void *arg, struct tusk__handle *), void *arg)
{
    struct tusk__timer *timer;

    while ((timer = list->first) != NULL && timer->when <= now) {
        list_remove(list, timer);
        wheel->count--;
        push(arg, &timer->handle);
    }
}

/* Moves a slot's timers to the levels below; those due at its very start end up due. */
static void move_down(struct tusk__wheel *wheel, struct tusk__timer_list *slot)
{
    struct tusk__timer *timer = slot->first;

    slot->first = NULL;
    while (timer) {
        struct tusk__timer *next = timer->next;

        place(wheel, timer);
        timer = next;
    }
}

static void place_newest_if_due(struct tusk__wheel *wheel, int64_t now)
{
    struct tusk__timer *timer = wheel->newest;

    if (!timer || timer->when > now)
        return;
    wheel->newest = NULL;
    tusk__wheel_place(wheel, timer);
}

void tusk__wheel_advance(struct tusk__wheel *wheel, int64_t now,
                         void (*push)(void *arg, struct tusk__handle *), void *arg)
{
    place_newest_if_due(wheel, now);
    fire(wheel, &wheel->past, now, push, arg);
    while (wheel->levels) {
        unsigned level;
        unsigned slot = first_slot(wheel, &level);
        int64_t start = slot_start(wheel, level, slot);

        if (start > now)
            break;
        wheel->base = start;
        mark_empty(wheel, level, slot);
        move_down(wheel, &wheel->slots[level][slot]);
        fire(wheel, &wheel->past, now, push, arg);
    }
    if (now > wheel->base)
        wheel->base = now;
}
