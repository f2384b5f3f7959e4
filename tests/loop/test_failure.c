/*
 * Every operation that can fail fails once: the Nth of a life of a loop, for
 * every N until there is none. Each time: an error code, what did not fail runs,
 * nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <cmocka.h>

#include "loop/trace.h"

/* More than a slab's first chunk, so that chunks fail too. */
enum { CALLS = 120, CANCELLED = 10, LETTERS = 4 };

static tusk_context_var color = TUSK_CONTEXT_VAR("color", NULL);
static tusk_context_var size = TUSK_CONTEXT_VAR("size", NULL);

/* Callbacks that must run, and that ran. */
static int expected;
static int ran;
static int failures;
static int unexpected_codes;

static int run_and_count(void *arg)
{
    (void)arg;
    ran++;
    /* What it sets is its own, and may fail. */
    if (tusk_context_var_set(&size, number(1), NULL) < 0)
        failures++;
    return 0;
}

static int must_not_run(void *arg)
{
    (void)arg;
    unexpected_codes++;
    return 0;
}

/* Counts a result: a success, or the one failure that there may be. */
static bool went_well(int rc)
{
    if (rc == 0)
        return true;
    failures++;
    if (rc != -ENOMEM)
        unexpected_codes++;
    return false;
}

static bool registered(tusk_handle handle)
{
    return went_well(handle.handle_ ? 0 : tusk_last_error());
}

static int register_inside(void *arg)
{
    (void)arg;
    ran++;
    expected += registered(tusk_call_soon(run_and_count, NULL));
    expected += registered(tusk_call_later(0, run_and_count, NULL));
    expected += went_well(tusk_loop_call_soon_threadsafe(tusk_get_running_loop(), run_and_count, NULL));
    return 0;
}

static void register_all(tusk_loop *loop, tusk_context *context)
{
    for (int i = 0; i < CALLS; i++) {
        expected += registered(tusk_loop_call_soon(loop, run_and_count, NULL));
        expected += registered(tusk_loop_call_later(loop, 0.5 * i, run_and_count, NULL, .context = context));
    }
    for (int i = 0; i < CANCELLED; i++) {
        tusk_handle soon = tusk_loop_call_soon(loop, must_not_run, NULL);
        tusk_handle later = tusk_loop_call_at(loop, i, must_not_run, NULL, .context = context);

        if (tusk_handle_cancel(soon) != registered(soon) || tusk_handle_cancel(later) != registered(later))
            unexpected_codes++;
    }
    expected += registered(tusk_loop_call_soon(loop, register_inside, NULL));
}

static void *send_letters(void *arg)
{
    for (int i = 0; i < LETTERS; i++)
        expected += went_well(tusk_loop_call_soon_threadsafe(arg, run_and_count, NULL));
    return NULL;
}

static void live_a_life(tusk_loop *loop)
{
    tusk_token token = {0};
    bool has_token = went_well(tusk_context_var_set(&color, "red", &token));
    tusk_context *context = tusk_copy_context();
    pthread_t thread;

    if (!context)
        went_well(tusk_last_error());
    register_all(loop, context);
    tusk_context_release(context);
    assert_int_equal(pthread_create(&thread, NULL, send_letters, loop), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(tusk_loop_run_forever(loop), -EDEADLK);
    if (has_token && !went_well(tusk_context_var_reset(&color, &token)))
        assert_int_equal(tusk_context_var_reset(&color, &token), 0);
}

/* The scenario with its nth fallible operation failing. False if there was no nth. */
static bool live_with_failure(long n)
{
    tusk_loop *loop;

    expected = ran = failures = unexpected_codes = 0;
    tusk__fail_after(n);
    loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    if (!loop) {
        failures++;
        if (tusk_last_error() != -ENOMEM && tusk_last_error() != -EMFILE)
            unexpected_codes++;
        return true;
    }
    /* Another poller has taken the place of one that failed to open. */
    if (getenv("TUSK_POLLER") && strcmp(tusk_loop_poller(loop), getenv("TUSK_POLLER")) != 0)
        failures++;
    live_a_life(loop);
    assert_int_equal(ran, expected);
    assert_int_equal(tusk__slab_in_use(&loop->calls), 0);
    assert_int_equal(tusk_loop_close(loop), 0);
    return failures > 0;
}

static void test_the_nth_operation_fails(void **state)
{
    long n = 0;
    bool failed;

    (void)state;
    do {
        size_t live = tusk__live();
        int descriptors = live_descriptors();

        n++;
        failed = live_with_failure(n);
        tusk__fail_after(0);
        if (unexpected_codes || failures > 1 || tusk__live() != live || live_descriptors() != descriptors)
            fail_msg("operation %ld: %d failures, %d unexpected codes, blocks %zu -> %zu", n, failures,
                     unexpected_codes, live, tusk__live());
    } while (failed);
    /* All of them were tried, and the last time nothing failed. */
    assert_true(n > 2 * CALLS);
    assert_int_equal(expected, 2 * CALLS + 1 + 3 + LETTERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_the_nth_operation_fails),
    };

    return run_with_each_poller(tests);
}
