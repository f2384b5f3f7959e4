/*
 * Coroutines as the machine sees them: a place where something was suspended,
 * and the stack it lies on. Knows nothing of loops and tasks.
 *
 *     static void entry(void *arg)
 *     {
 *         struct pair *pair = arg;
 *
 *         tusk__coro_arrived(&pair->inner);
 *         ...
 *         tusk__coro_switch(&pair->inner, &pair->outer);
 *         ...
 *         tusk__coro_leave(&pair->inner, &pair->outer);
 *     }
 *
 *     pair.inner.stack = stack;
 *     tusk__coro_start(&pair.outer, &pair.inner, entry, &pair);
 *
 * Life: zeroed, its stack set, started once, switched from and to in turn, left.
 * The thread's own place is one too, with a NULL stack. A coroutine that is
 * suspended may be dropped: its stack is put back and nobody goes on there.
 * After leaving, or instead of it, the same stack may begin again with another
 * coroutine's struct.
 *
 * The functions are inline, so that sanitizers see the switch in the frame of
 * the function that suspends. For the processor's predictor it is best to call
 * each of them from one place of the program.
 *
 * Floating-point control words are part of a place. A start keeps the words of
 * who starts it; tusk__words_set() (arch/words.h) is for an entry that wants others.
 */
#ifndef TUSK_CORO_CORO_H
#define TUSK_CORO_CORO_H

#include <stddef.h>

#include "base/compiler.h"
#include "coro/arch/arch.h"
#include "coro/arch/words.h"
#include "coro/stack.h"

struct tusk__coro {
    /* The suspended place; meaningless while it runs. */
    void *sp;
    /* NULL for the thread's own stack. */
    struct tusk__stack *stack;
#if TUSK__ASAN
    /* ASan's store of local variables, while suspended. */
    void *fake_stack;
    /* Bounds of the thread's own stack, known after its first switch. */
    const void *bottom;
    size_t size;
#endif
#if TUSK__TSAN
    /* The thread's own fiber. */
    void *fiber;
#endif
};

#include "coro/annotate.h"

/* The first statement of every entry, with the coroutine that begins. */
TUSK__ALWAYS_INLINE void tusk__coro_arrived(struct tusk__coro *self)
{
    tusk__annotate_arrival(self);
}

/* Stores the current place in *from and goes on at *to. */
TUSK__ALWAYS_INLINE void tusk__coro_switch(struct tusk__coro *from, struct tusk__coro *to)
{
    tusk__annotate_switch(from, to);
    tusk__arch_switch(&from->sp, to->sp);
    tusk__annotate_arrival(from);
}

/* Stores the current place in *from and begins entry(arg) on to->stack. entry never returns. */
TUSK__ALWAYS_INLINE void tusk__coro_start(struct tusk__coro *from, struct tusk__coro *to,
                                          tusk__coro_entry *entry, void *arg)
{
    tusk__annotate_start(from, to);
    tusk__arch_start(&from->sp, to->stack, entry, arg);
    tusk__annotate_arrival(from);
}

/*
 * Goes on at *to; the frames of self are dead. Its stack may be in the pool
 * already, which does not touch memory before its next trim.
 */
_Noreturn TUSK__ALWAYS_INLINE void tusk__coro_leave(struct tusk__coro *self, struct tusk__coro *to)
{
    tusk__annotate_leave(self, to);
    tusk__arch_leave(to->sp);
}

/* The same, but begins entry(arg) on to->stack, which may be the stack of self. */
_Noreturn TUSK__ALWAYS_INLINE void tusk__coro_leave_start(struct tusk__coro *self, struct tusk__coro *to,
                                                          tusk__coro_entry *entry, void *arg)
{
    tusk__annotate_leave_start(self, to);
    tusk__arch_leave_start(to->stack, entry, arg);
}

/* 0, or TUSK_SHADOW_STACK when this thread has a shadow stack, which the switches cannot keep. */
int tusk__coro_check(void);

/* The decision of tusk__coro_check(), from the address of the shadow stack. */
int tusk__coro_check_shadow_stack(uintptr_t shadow_stack);

#endif
