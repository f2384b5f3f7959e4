/*
 * What sanitizers must know of a switch. Part of coro.h; nothing without them.
 *
 * ASan has one shadow of "the" stack and a store of local variables (the fake
 * stack) for each. It is told of a switch before and after, and with NULL for
 * the store when a place is left for good. The bounds of the thread's own stack
 * come with the first arrival elsewhere. A place that is left or dropped leaves
 * the poison of its frames behind: each stack keeps the lowest address where
 * something was suspended, and forgets the poison before it begins again.
 *
 * TSan has one fiber for each stack. Frames that are left or dropped stay on the
 * call stack that it keeps for the fiber, which would overflow in the end, so
 * every 64 starts a new fiber is made; for each start would take 0.2 ms.
 *
 * All is inline: TSan takes note of entering and leaving a function, which must
 * happen on the same fiber.
 */
#ifndef TUSK_CORO_ANNOTATE_H
#define TUSK_CORO_ANNOTATE_H

#if TUSK__ASAN

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* Whom this thread came from, when that learns its bounds by the next arrival. */
extern _Thread_local struct tusk__coro *tusk__coro_left;

/* Room for the frames of the functions that switch. */
#define TUSK__FRAMES_BELOW 1024

TUSK__ALWAYS_INLINE void tusk__annotate_poison(struct tusk__stack *stack)
{
    char *deepest = (char *)__builtin_frame_address(0) - TUSK__FRAMES_BELOW;

    if (deepest < stack->low || deepest > stack->low + stack->size)
        deepest = stack->low;
    if (stack->poisoned == NULL || deepest < stack->poisoned)
        stack->poisoned = deepest;
}

TUSK__ALWAYS_INLINE void tusk__annotate_departure(void **store, struct tusk__coro *from,
                                                  struct tusk__coro *to)
{
    if (from->stack != NULL)
        tusk__annotate_poison(from->stack);
    tusk__coro_left = from->stack == NULL ? from : NULL;
    if (to->stack != NULL)
        __sanitizer_start_switch_fiber(store, to->stack->low, to->stack->size);
    else
        __sanitizer_start_switch_fiber(store, to->bottom, to->size);
}

TUSK__ALWAYS_INLINE void tusk__annotate_arrival(struct tusk__coro *self)
{
    const void *bottom;
    size_t size;

    __sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &size);
    if (tusk__coro_left != NULL) {
        tusk__coro_left->bottom = bottom;
        tusk__coro_left->size = size;
        tusk__coro_left = NULL;
    }
}

TUSK__ALWAYS_INLINE void tusk__annotate_switch(struct tusk__coro *from, struct tusk__coro *to)
{
    tusk__annotate_departure(&from->fake_stack, from, to);
}

TUSK__ALWAYS_INLINE void tusk__annotate_start(struct tusk__coro *from, struct tusk__coro *to)
{
    tusk__stack_unpoison(to->stack);
    to->fake_stack = NULL;
    tusk__annotate_departure(&from->fake_stack, from, to);
}

TUSK__ALWAYS_INLINE void tusk__annotate_leave(struct tusk__coro *self, struct tusk__coro *to)
{
    tusk__annotate_departure(NULL, self, to);
}

TUSK__ALWAYS_INLINE void tusk__annotate_leave_start(struct tusk__coro *self, struct tusk__coro *to)
{
    tusk__annotate_departure(NULL, self, to);
    tusk__stack_unpoison(to->stack);
    to->fake_stack = NULL;
}

#elif TUSK__TSAN

#include <sanitizer/tsan_interface.h>

TUSK__ALWAYS_INLINE void tusk__annotate_arrival(struct tusk__coro *self)
{
    (void)self;
}

TUSK__ALWAYS_INLINE void tusk__annotate_departure(struct tusk__coro *from)
{
    if (from->stack == NULL)
        from->fiber = __tsan_get_current_fiber();
}

#define TUSK__STARTS_OF_A_FIBER 64

TUSK__ALWAYS_INLINE void tusk__annotate_begin(struct tusk__stack *stack)
{
    void *old = stack->fiber;

    if (old != NULL && ++stack->fiber_starts % TUSK__STARTS_OF_A_FIBER != 0) {
        __tsan_switch_to_fiber(old, 0);
        return;
    }
    stack->fiber = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(stack->fiber, 0);
    if (old != NULL)
        __tsan_destroy_fiber(old);
}

TUSK__ALWAYS_INLINE void tusk__annotate_switch(struct tusk__coro *from, struct tusk__coro *to)
{
    tusk__annotate_departure(from);
    __tsan_switch_to_fiber(to->stack != NULL ? to->stack->fiber : to->fiber, 0);
}

TUSK__ALWAYS_INLINE void tusk__annotate_start(struct tusk__coro *from, struct tusk__coro *to)
{
    tusk__annotate_departure(from);
    tusk__annotate_begin(to->stack);
}

TUSK__ALWAYS_INLINE void tusk__annotate_leave(struct tusk__coro *self, struct tusk__coro *to)
{
    tusk__annotate_switch(self, to);
}

TUSK__ALWAYS_INLINE void tusk__annotate_leave_start(struct tusk__coro *self, struct tusk__coro *to)
{
    tusk__annotate_start(self, to);
}

#else

TUSK__ALWAYS_INLINE void tusk__annotate_arrival(struct tusk__coro *self)
{
    (void)self;
}

TUSK__ALWAYS_INLINE void tusk__annotate_switch(struct tusk__coro *from, struct tusk__coro *to)
{
    (void)from;
    (void)to;
}

TUSK__ALWAYS_INLINE void tusk__annotate_start(struct tusk__coro *from, struct tusk__coro *to)
{
    (void)from;
    (void)to;
}

TUSK__ALWAYS_INLINE void tusk__annotate_leave(struct tusk__coro *self, struct tusk__coro *to)
{
    (void)self;
    (void)to;
}

TUSK__ALWAYS_INLINE void tusk__annotate_leave_start(struct tusk__coro *self, struct tusk__coro *to)
{
    (void)self;
    (void)to;
}

#endif

#endif
