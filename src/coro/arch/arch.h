/*
 * The contract of a backend, and which one it is.
 *
 * A suspended place is a pointer, kept in a void * by who suspended it. A
 * backend offers, as functions or inline:
 *
 *   tusk__arch_switch(void **from, void *to)
 *       stores this place in *from and goes on at to. Returns when somebody goes
 *       on at *from.
 *   tusk__arch_start(void **from, const struct tusk__stack *stack, entry, arg)
 *       stores this place in *from and begins entry(arg) at the start of stack.
 *   tusk__arch_leave(void *to)
 *       goes on at to; this place is lost.
 *   tusk__arch_leave_start(const struct tusk__stack *stack, entry, arg)
 *       begins entry(arg) at the start of stack, which may be the one this runs
 *       on; this place is lost.
 *   tusk__arch_shadow_stack()
 *       the address of this thread's shadow stack, or 0 when it has none or the
 *       backend keeps it right.
 *
 * A place keeps what the ABI lets a called function rely on: callee-saved
 * registers and the floating-point control words. entry never returns.
 *
 * TUSK_CORO_UCONTEXT chooses ucontext, which any processor has. It costs a
 * system call each time, for the signal mask.
 */
#ifndef TUSK_CORO_ARCH_ARCH_H
#define TUSK_CORO_ARCH_ARCH_H

#if !defined(TUSK_CORO_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define TUSK_CORO_UCONTEXT 1
#endif
#if !defined(TUSK_CORO_UCONTEXT) && defined(__ILP32__)
#define TUSK_CORO_UCONTEXT 1
#endif

typedef void tusk__coro_entry(void *arg);

#if defined(TUSK_CORO_UCONTEXT)
#include "coro/arch/ucontext/switch.h"
#elif defined(__x86_64__)
#include "coro/arch/x86_64/switch.h"
#else
#include "coro/arch/aarch64/switch.h"
#endif

#endif
