/*
 * The floating-point control words: rounding, exception masks, flush to zero.
 * Every place keeps its own, and a start inherits those of who starts it. An
 * entry that wants the same words whoever started it reads them once where they
 * are right, and sets them when it begins; 2 ns when there is nothing to change.
 */
#ifndef TUSK_CORO_ARCH_WORDS_H
#define TUSK_CORO_ARCH_WORDS_H

#include <stdint.h>

#include "base/compiler.h"

#if defined(__x86_64__)

struct tusk__words {
    uint32_t mxcsr;
    uint16_t x87;
};

TUSK__ALWAYS_INLINE void tusk__words_get(struct tusk__words *ret_words)
{
    __asm__ volatile("stmxcsr %0" : "=m"(ret_words->mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(ret_words->x87));
}

/* Writes only what differs; sticky flags (the low six bits of MXCSR) do not count. */
TUSK__ALWAYS_INLINE void tusk__words_set(const struct tusk__words *words)
{
    struct tusk__words now;

    tusk__words_get(&now);
    if (unlikely(((now.mxcsr ^ words->mxcsr) & 0xffc0) != 0))
        __asm__ volatile("ldmxcsr %0" : : "m"(words->mxcsr));
    if (unlikely(now.x87 != words->x87))
        __asm__ volatile("fldcw %0" : : "m"(words->x87));
}

#elif defined(__aarch64__)

struct tusk__words {
    uint64_t fpcr;
};

TUSK__ALWAYS_INLINE void tusk__words_get(struct tusk__words *ret_words)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(ret_words->fpcr));
}

TUSK__ALWAYS_INLINE void tusk__words_set(const struct tusk__words *words)
{
    struct tusk__words now;

    tusk__words_get(&now);
    if (unlikely(now.fpcr != words->fpcr))
        __asm__ volatile("msr fpcr, %0" : : "r"(words->fpcr));
}

#else

#include <fenv.h>

struct tusk__words {
    int rounding;
};

TUSK__ALWAYS_INLINE void tusk__words_get(struct tusk__words *ret_words)
{
    ret_words->rounding = fegetround();
}

TUSK__ALWAYS_INLINE void tusk__words_set(const struct tusk__words *words)
{
    fesetround(words->rounding);
}

#endif

#endif
