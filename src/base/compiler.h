/*
 * What the compilers call differently: hints, attributes, sanitizers, and the
 * assertion. No other file asks which compiler it is built with.
 */
#ifndef TUSK_BASE_COMPILER_H
#define TUSK_BASE_COMPILER_H

#include <stddef.h>

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* The struct that has the member at this address. */
#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define TUSK__ALWAYS_INLINE static inline __attribute__((always_inline, unused))
#define TUSK__NOINLINE __attribute__((noinline))
#define TUSK__COLD __attribute__((noinline, cold))

/* Sanitizers: gcc defines a macro for each, clang answers a question. */
#ifdef __has_feature
#define TUSK__HAS_FEATURE(feature) __has_feature(feature)
#else
#define TUSK__HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || TUSK__HAS_FEATURE(address_sanitizer)
#define TUSK__ASAN 1
#else
#define TUSK__ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || TUSK__HAS_FEATURE(thread_sanitizer)
#define TUSK__TSAN 1
#else
#define TUSK__TSAN 0
#endif

/* For the few functions that read memory which a sanitizer holds for dead. */
#if TUSK__ASAN
#define TUSK__NO_SANITIZE __attribute__((noinline, no_sanitize_address))
#elif TUSK__TSAN
#define TUSK__NO_SANITIZE __attribute__((noinline, no_sanitize_thread))
#else
#define TUSK__NO_SANITIZE
#endif

/*
 * Thread-local data that a signal handler may read: without this model the
 * first access in a thread could allocate.
 */
#ifdef __ELF__
#define TUSK__SIGNAL_SAFE_TLS __attribute__((tls_model("initial-exec")))
#else
#define TUSK__SIGNAL_SAFE_TLS
#endif

_Noreturn void tusk__assert_failed(const char *condition, const char *file, int line);

/* A broken invariant ends the program, in release builds too. */
#define tusk__assert(condition)                                                                              \
    (likely(condition) ? (void)0 : tusk__assert_failed(#condition, __FILE__, __LINE__))

#endif
