/*
 * The stack pointer of what a signal interrupted, from the third argument of
 * its handler. 0 where nobody has written down how to find it.
 */
#ifndef TUSK_CORO_ARCH_CONTEXT_H
#define TUSK_CORO_ARCH_CONTEXT_H

#include <stdint.h>
#ifdef __APPLE__
#include <sys/ucontext.h>
#else
#include <ucontext.h>
#endif

static inline uintptr_t tusk__arch_stack_pointer(const void *context)
{
    const ucontext_t *place = context;

#if defined(__linux__) && defined(__x86_64__)
    return (uintptr_t)place->uc_mcontext.gregs[15 /* REG_RSP, for which _GNU_SOURCE is needed */];
#elif defined(__linux__) && defined(__aarch64__)
    return (uintptr_t)place->uc_mcontext.sp;
#elif defined(__APPLE__) && defined(__x86_64__)
    return (uintptr_t)place->uc_mcontext->__ss.__rsp;
#elif defined(__APPLE__) && defined(__aarch64__)
    return (uintptr_t)place->uc_mcontext->__ss.__sp;
#else
    (void)place;
    return 0;
#endif
}

#endif
