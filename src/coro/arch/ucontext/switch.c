/*
 * Switches by ucontext: slow (each keeps the signal mask by a system call), and
 * everywhere. It is compiled always and empty when another backend is chosen.
 */
#define _XOPEN_SOURCE 700
#include "coro/arch/arch.h"

#ifdef TUSK_CORO_UCONTEXT

#include <stddef.h>
#include <ucontext.h>

/* Sanitizers would keep account of frames here that never return. */
#define SWITCHES TUSK__NOINLINE TUSK__NO_SANITIZE

/* makecontext passes ints, so a pointer goes in two of them. */
static void bottom(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
    uint64_t entry = (uint64_t)entry_high << 32 | entry_low;
    uint64_t arg = (uint64_t)arg_high << 32 | arg_low;

    ((tusk__coro_entry *)(uintptr_t)entry)((void *)(uintptr_t)arg);
    __builtin_trap();
}

static void prepare(ucontext_t *place, const struct tusk__stack *stack, tusk__coro_entry *entry, void *arg)
{
    uint64_t entry_bits = (uintptr_t)entry;
    uint64_t arg_bits = (uintptr_t)arg;

    tusk__assert(getcontext(place) == 0);
    place->uc_stack.ss_sp = stack->low;
    place->uc_stack.ss_size = (size_t)(stack->start - stack->low);
    place->uc_link = NULL;
    makecontext(place, (void (*)(void))bottom, 4, (unsigned)(entry_bits >> 32), (unsigned)entry_bits,
                (unsigned)(arg_bits >> 32), (unsigned)arg_bits);
}

SWITCHES void tusk__arch_switch(void **from, void *to)
{
    ucontext_t here;

    *from = &here;
    tusk__assert(swapcontext(&here, to) == 0);
}

SWITCHES void tusk__arch_start(void **from, const struct tusk__stack *stack, tusk__coro_entry *entry,
                               void *arg)
{
    ucontext_t here;
    ucontext_t there;

    prepare(&there, stack, entry, arg);
    *from = &here;
    tusk__assert(swapcontext(&here, &there) == 0);
}

_Noreturn SWITCHES void tusk__arch_leave(void *to)
{
    setcontext(to);
    __builtin_trap();
}

/*
 * makecontext writes at the start of the stack, which may be the one that this
 * runs on, deeper down: no frame that is still needed lies there but this one,
 * and setcontext has all it needs in `there`.
 */
_Noreturn SWITCHES void tusk__arch_leave_start(const struct tusk__stack *stack, tusk__coro_entry *entry,
                                               void *arg)
{
    ucontext_t there;

    prepare(&there, stack, entry, arg);
    setcontext(&there);
    __builtin_trap();
}

#endif
