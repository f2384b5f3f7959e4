/*
 * What tests of the loop share: a trace of numbers, written by callbacks, and
 * the round over all pollers.
 */
#ifndef TUSK_TESTS_LOOP_TRACE_H
#define TUSK_TESTS_LOOP_TRACE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tusk.h>

#include "loop/loop.h"
#include "support/live.h"

enum { TRACE_MAX = 4096 };

struct trace {
    int values[TRACE_MAX];
    /* The loop's iteration in which each was written. */
    uint64_t iterations[TRACE_MAX];
    int count;
};

static struct trace trace;

static inline void trace_clear(void)
{
    trace.count = 0;
}

static inline void *number(int n)
{
    return (void *)(intptr_t)n;
}

/* A callback that writes its number down. */
static inline int note(void *arg)
{
    struct tusk_loop *loop = tusk_get_running_loop();

    tusk__assert(trace.count < TRACE_MAX);
    trace.iterations[trace.count] = loop ? loop->iteration : 0;
    trace.values[trace.count++] = (int)(intptr_t)arg;
    return 0;
}

/* A callback that stops the running loop. */
static inline int stop(void *arg)
{
    (void)arg;
    tusk_loop_stop(tusk_get_running_loop());
    return 0;
}

/* The trace is exactly these numbers. */
#define assert_trace(...)                                                                                    \
    do {                                                                                                     \
        const int expected_[] = {__VA_ARGS__};                                                               \
        assert_int_equal(trace.count, sizeof expected_ / sizeof expected_[0]);                               \
        assert_memory_equal(trace.values, expected_, sizeof expected_);                                      \
    } while (0)

static inline tusk_loop *loop_new(void)
{
    tusk_loop *loop = tusk_new_event_loop();

    tusk__assert(loop);
    trace_clear();
    return loop;
}

/* One iteration that does not wait; whatever goes wrong fails the test. */
#define run_once(loop) assert_int_equal(tusk_loop_run_once(loop, 0), 0)

/* Runs until the loop is stopped by a timer that is due in so many seconds. */
#define run_for(loop, seconds)                                                                               \
    do {                                                                                                     \
        assert_non_null(tusk_loop_call_later(loop, seconds, stop, NULL).handle_);                            \
        assert_int_equal(tusk_loop_run_forever(loop), 0);                                                    \
    } while (0)

/*
 * The name of the nth poller of this system, or NULL. io_uring is the last one, because the kernel
 * interrupts a thread some 15 ms after it has closed a ring, and waits of the others may end early then.
 */
static inline const char *poller_name(int n)
{
    static const char *const names[] = {"epoll", "kqueue", "poll", "simulated", "io_uring"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tusk_loop *loop = tusk_new_event_loop(.poller = names[i]);
        /* Another one takes the place of one that is not to be had here. */
        bool is_there = loop && strcmp(tusk_loop_poller(loop), names[i]) == 0;

        tusk_loop_close(loop);
        if (is_there && n-- == 0)
            return names[i];
    }
    return NULL;
}

/* Runs the group once with each poller of this system; the number of tests that failed. */
#define run_with_each_poller(tests)                                                                          \
    __extension__({                                                                                          \
        int failed_ = 0;                                                                                     \
        for (int n_ = 0; poller_name(n_); n_++) {                                                            \
            setenv("TUSK_POLLER", poller_name(n_), 1);                                                       \
            failed_ += cmocka_run_group_tests_name(poller_name(n_), tests, NULL, NULL);                      \
        }                                                                                                    \
        failed_;                                                                                             \
    })

#endif
