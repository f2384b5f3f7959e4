/*
 * The backend that any processor has. A suspended place is a ucontext_t in the
 * frame of the function that suspended.
 */
#ifndef TUSK_CORO_ARCH_UCONTEXT_SWITCH_H
#define TUSK_CORO_ARCH_UCONTEXT_SWITCH_H

#include <stdint.h>

#include "base/compiler.h"
#include "coro/stack.h"

void tusk__arch_switch(void **from, void *to);
void tusk__arch_start(void **from, const struct tusk__stack *stack, tusk__coro_entry *entry, void *arg);
_Noreturn void tusk__arch_leave(void *to);
_Noreturn void tusk__arch_leave_start(const struct tusk__stack *stack, tusk__coro_entry *entry, void *arg);

/* The C library keeps shadow stacks right. */
TUSK__ALWAYS_INLINE uintptr_t tusk__arch_shadow_stack(void)
{
    return 0;
}

#endif
