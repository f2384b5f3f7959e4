/*
 * Whether coroutines can run in this thread at all.
 *
 * Keeping shadow stacks was rejected for now: each stack would need a second
 * one from the kernel, and each switch a token and two slow instructions, for a
 * feature that the C library leaves off unless it is asked.
 */
#include "coro/coro.h"

#include <tusk/error.h>

#if TUSK__ASAN
_Thread_local struct tusk__coro *tusk__coro_left;
#endif

int tusk__coro_check_shadow_stack(uintptr_t shadow_stack)
{
    return shadow_stack == 0 ? 0 : TUSK_SHADOW_STACK;
}

int tusk__coro_check(void)
{
    return tusk__coro_check_shadow_stack(tusk__arch_shadow_stack());
}
