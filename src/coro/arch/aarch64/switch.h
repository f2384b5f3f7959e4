/*
 * The AArch64 backend as C sees it. Leaving jumps, it does not call: see switch.S.
 */
#ifndef TUSK_CORO_ARCH_AARCH64_SWITCH_H
#define TUSK_CORO_ARCH_AARCH64_SWITCH_H

#include <stdint.h>

#include "base/compiler.h"
#include "coro/arch/assembly.h"
#include "coro/stack.h"

void tusk__arch_switch(void **from, void *to);
void tusk__arch_start_at(void **from, void *start, tusk__coro_entry *entry, void *arg);

TUSK__ALWAYS_INLINE void tusk__arch_start(void **from, const struct tusk__stack *stack,
                                          tusk__coro_entry *entry, void *arg)
{
    tusk__arch_start_at(from, stack->start, entry, arg);
}

_Noreturn TUSK__ALWAYS_INLINE void tusk__arch_leave(void *to)
{
    register void *place __asm__("x1") = to;

    __asm__ volatile("b " TUSK__SYMBOL_TEXT("tusk__arch_resume") : : "r"(place) : "memory");
    __builtin_unreachable();
}

_Noreturn TUSK__ALWAYS_INLINE void tusk__arch_leave_start(const struct tusk__stack *stack,
                                                          tusk__coro_entry *entry, void *arg)
{
    register void *argument __asm__("x0") = arg;
    register void *start __asm__("x1") = stack->start;
    register tusk__coro_entry *function __asm__("x16") = entry;

    __asm__ volatile("b " TUSK__SYMBOL_TEXT("tusk__arch_begin")
                     :
                     : "r"(argument), "r"(start), "r"(function)
                     : "memory");
    __builtin_unreachable();
}

TUSK__ALWAYS_INLINE uintptr_t tusk__arch_shadow_stack(void)
{
    return 0;
}

#endif
