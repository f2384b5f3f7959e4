/*
 * What every test of tusk owes: at its end there are as many live blocks and
 * open descriptors as at its start. And how much a test may do, for some run
 * under tools that make everything ten or fifty times slower.
 *
 * Include it after cmocka.h. Give live_setup and live_teardown to the test.
 */
#ifndef TUSK_TESTS_SUPPORT_LIVE_H
#define TUSK_TESTS_SUPPORT_LIVE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"
#include "support/libkqueue.h"

#ifdef TUSK_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#elif !defined(RUNNING_ON_VALGRIND)
#define RUNNING_ON_VALGRIND 0
#endif

struct live_state {
    size_t blocks;
    int descriptors;
};

static struct live_state live_before;

/* Open descriptors below 256. Asks each one: that works on every system. */
static inline int live_descriptors(void)
{
    int count = 0;

    libkqueue_warm_up(NULL);
    for (int fd = 0; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            count++;
    return count;
}

static inline int live_setup(void **state)
{
    (void)state;
    live_before = (struct live_state){tusk__live(), live_descriptors()};
    return 0;
}

static inline int live_teardown(void **state)
{
    struct live_state now = {tusk__live(), live_descriptors()};

    (void)state;
    tusk__fail_after(0);
    if (now.blocks != live_before.blocks)
        fprintf(stderr, "blocks alive: %zu before the test, %zu after it\n", live_before.blocks, now.blocks);
    if (now.descriptors != live_before.descriptors)
        fprintf(stderr, "open descriptors: %d before the test, %d after it\n", live_before.descriptors,
                now.descriptors);
    return now.blocks == live_before.blocks && now.descriptors == live_before.descriptors ? 0 : -1;
}

/* A test that is looked at by live_setup and live_teardown. */
#define live_test(function) cmocka_unit_test_setup_teardown(function, live_setup, live_teardown)

/* True under tools that make the program slow. */
static inline bool live_is_slow(void)
{
    return TUSK__ASAN || TUSK__TSAN || RUNNING_ON_VALGRIND;
}

/* Run by an emulator of another processor, which is slow, and knows fewer system calls. */
static inline bool live_is_emulated(void)
{
    const char *wrapper = getenv("TUSK_TEST_WRAPPER");

    return wrapper && strstr(wrapper, "qemu");
}

/* The first number, or the second one where everything is slow. */
static inline int live_count(int full, int slow)
{
    return live_is_slow() ? slow : full;
}

/*
 * The seed of this run's random numbers: TUSK_TEST_SEED, or a new one. It is
 * printed, so that a failure can be repeated.
 */
static inline uint64_t live_seed(void)
{
    const char *given = getenv("TUSK_TEST_SEED");
    uint64_t seed =
        given ? strtoull(given, NULL, 0) : (uint64_t)tusk__clock_ns() ^ (uint64_t)time(NULL) << 32;

    printf("TUSK_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

/* The next random number (splitmix64: any seed will do). */
static inline uint64_t live_random(uint64_t *seed)
{
    uint64_t value = *seed += 0x9e3779b97f4a7c15U;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9U;
    value = (value ^ value >> 27) * 0x94d049bb133111ebU;
    return value ^ value >> 31;
}

/* Sleeps this thread, signals or not. */
static inline void live_sleep_ms(long milliseconds)
{
    struct timespec left = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};

    while (nanosleep(&left, &left) < 0)
        ;
}

/* Waits until so many blocks are alive: threads that nobody joins end a little later. */
static inline void live_wait_for_blocks(size_t live)
{
    for (int i = 0; i < 4000 && tusk__live() != live; i++)
        live_sleep_ms(5);
}

#endif
