/*
 * An idle loop costs nothing, and a busy one still hears of its descriptors and timers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "loop/trace.h"

static tusk_loop *loop;
static struct tusk__watch watch;
static int ends[2];

static int setup(void **state)
{
    live_setup(state);
    loop = loop_new();
    return pipe(ends);
}

static int teardown(void **state)
{
    close(ends[0]);
    close(ends[1]);
    if (tusk_loop_close(loop) < 0)
        return -1;
    return live_teardown(state);
}

static int64_t cpu_ns(void)
{
    struct timespec used;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void begin_watch(void (*ready)(struct tusk__watch *, int))
{
    watch = (struct tusk__watch){.fd = ends[0], .events = TUSK__POLL_READ, .ready = ready};
    assert_int_equal(loop->poller.backend->watch(&loop->poller, &watch), 0);
}

static void end_watch(struct tusk__watch *ended, int events)
{
    (void)events;
    loop->poller.backend->unwatch(&loop->poller, ended);
    note(number(100));
}

static void make_ready(void)
{
    assert_int_equal(write(ends[1], "x", 1), 1);
}

/* ---- idle ---- */

static void test_a_sleeping_loop_uses_no_processor(void **state)
{
    uint64_t iterations = loop->iteration;
    int64_t used = cpu_ns();

    (void)state;
    begin_watch(end_watch);
    run_for(loop, 0.5);
    used = cpu_ns() - used;
    loop->poller.backend->unwatch(&loop->poller, &watch);
    assert_in_range(loop->iteration - iterations, 1, 5);
    if (!live_is_slow())
        assert_in_range(used, 0, 20000000);
}

static void test_a_wait_for_nothing_uses_no_processor(void **state)
{
    uint64_t iterations = loop->iteration;
    int64_t used = cpu_ns();

    (void)state;
    assert_int_equal(tusk_loop_run_once(loop, 0.3), 0);
    used = cpu_ns() - used;
    assert_int_equal(loop->iteration, iterations + 1);
    if (!live_is_slow())
        assert_in_range(used, 0, 20000000);
}

/* ---- busy ---- */

static int64_t make_ready_at;
static int64_t heard_at;
static int64_t lasts;

/* A callback of a given length that goes on until the pipe was heard of. */
static int work(void *arg)
{
    int64_t start = tusk__clock_ns();

    while (tusk__clock_ns() - start < lasts)
        ;
    if (make_ready_at == 0 && (*(int *)arg)-- <= 0) {
        make_ready();
        make_ready_at = tusk__clock_ns();
    }
    if (heard_at)
        return stop(NULL);
    tusk_call_soon(work, arg);
    return 0;
}

static void hear(struct tusk__watch *ended, int events)
{
    (void)events;
    heard_at = tusk__clock_ns();
    loop->poller.backend->unwatch(&loop->poller, ended);
}

/* How long it takes a busy loop to hear of a pipe. The best of a few: other programs run here too. */
static int64_t latency(int64_t length, int callbacks_before)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < 5; i++) {
        int left = callbacks_before;
        char byte;

        make_ready_at = 0;
        heard_at = 0;
        lasts = length;
        begin_watch(hear);
        tusk_loop_call_soon(loop, work, &left);
        assert_int_equal(tusk_loop_run_forever(loop), 0);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        if (heard_at - make_ready_at < best)
            best = heard_at - make_ready_at;
    }
    return best;
}

static void test_a_busy_loop_hears_of_its_descriptors(void **state)
{
    (void)state;
    assert_in_range(latency(0, 20000), 0, 10000000);
}

static void test_so_does_one_with_long_callbacks(void **state)
{
    (void)state;
    assert_in_range(latency(1000000, 20), 0, 10000000);
}

static int sprint_left;

/* Short turns, so that the loop polls seldom, and then a long one after the other. */
static int sprint_then_work(void *arg)
{
    if (--sprint_left > 0)
        tusk_call_soon(sprint_then_work, arg);
    else
        work(arg);
    return 0;
}

static void test_the_loop_gets_used_to_longer_callbacks(void **state)
{
    int left = 0;

    (void)state;
    make_ready_at = 0;
    heard_at = 0;
    lasts = 1000000;
    sprint_left = 100000;
    begin_watch(hear);
    tusk_loop_call_soon(loop, sprint_then_work, &left);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    /* 64 turns may go by once, of one millisecond each. */
    assert_true(heard_at - make_ready_at < (live_is_slow() ? 10 : 1) * (int64_t)1000000000);
    /* Far below 64, whenever the machine lets it look again. */
    assert_in_range(loop->quick_turns, 0, 16);
}

static uint64_t turns_before_timer;

static int end_sprint(void *arg)
{
    heard_at = tusk__clock_ns();
    turns_before_timer = loop->iteration;
    return note(arg);
}

static void test_a_busy_loop_fires_its_timers(void **state)
{
    int left = 1000000000;
    int64_t start = tusk__clock_ns();

    (void)state;
    make_ready_at = 0;
    heard_at = 0;
    lasts = 0;
    tusk_loop_call_later(loop, 0.02, end_sprint, number(1));
    tusk_loop_call_soon(loop, work, &left);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_trace(1);
    assert_true(heard_at - start >= 20000000);
    assert_true(heard_at - start < 20000000000);
    assert_true(turns_before_timer > 10);
}

static void soon_from_input(struct tusk__watch *ended, int events)
{
    (void)events;
    loop->poller.backend->unwatch(&loop->poller, ended);
    tusk_loop_call_soon(loop, note, number(2));
}

static void test_ready_then_input_then_timers(void **state)
{
    (void)state;
    begin_watch(soon_from_input);
    make_ready();
    tusk_loop_call_later(loop, 0, note, number(3));
    tusk_loop_call_soon(loop, note, number(1));
    live_sleep_ms(1);
    tusk_loop_stop(loop);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_trace(1, 2, 3);
    assert_int_equal(trace.iterations[0], trace.iterations[2]);
}

static void test_input_wakes_a_sleeping_loop(void **state)
{
    (void)state;
    begin_watch(soon_from_input);
    make_ready();
    assert_int_equal(tusk_loop_run_once(loop, 1000), 0);
    assert_trace(2);
}

static void test_input_without_a_callback_does_not_end_the_wait(void **state)
{
    (void)state;
    begin_watch(end_watch);
    make_ready();
    tusk_loop_call_later(loop, 0.01, note, number(1));
    assert_int_equal(tusk_loop_run_once(loop, 1000), 0);
    assert_trace(100, 1);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_a_sleeping_loop_uses_no_processor),
        test(test_a_wait_for_nothing_uses_no_processor),
        test(test_a_busy_loop_hears_of_its_descriptors),
        test(test_so_does_one_with_long_callbacks),
        test(test_the_loop_gets_used_to_longer_callbacks),
        test(test_a_busy_loop_fires_its_timers),
        test(test_ready_then_input_then_timers),
        test(test_input_wakes_a_sleeping_loop),
        test(test_input_without_a_callback_does_not_end_the_wait),
    };

    return run_with_each_poller(tests);
}
