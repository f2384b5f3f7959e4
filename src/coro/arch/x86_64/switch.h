/*
 * The x86-64 backend as C sees it. Leaving jumps, it does not call: see switch.S.
 */
#ifndef TUSK_CORO_ARCH_X86_64_SWITCH_H
#define TUSK_CORO_ARCH_X86_64_SWITCH_H

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
    __asm__ volatile("jmp " TUSK__SYMBOL_TEXT("tusk__arch_resume") : : "S"(to) : "memory");
    __builtin_unreachable();
}

_Noreturn TUSK__ALWAYS_INLINE void tusk__arch_leave_start(const struct tusk__stack *stack,
                                                          tusk__coro_entry *entry, void *arg)
{
    __asm__ volatile("jmp " TUSK__SYMBOL_TEXT("tusk__arch_begin")
                     :
                     : "S"(stack->start), "d"(entry), "D"(arg)
                     : "memory");
    __builtin_unreachable();
}

/* The instruction does nothing where there are no shadow stacks, and leaves the 0. */
TUSK__ALWAYS_INLINE uintptr_t tusk__arch_shadow_stack(void)
{
    uint64_t address = 0;

    __asm__ volatile("rdsspq %0" : "+r"(address));
    return address;
}

#endif
