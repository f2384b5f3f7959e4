/*
 * Callbacks from other threads: none lost, in order, and the loop wakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <cmocka.h>

#include "loop/trace.h"

enum { SENDERS = 8 };

struct letter_to {
    int sender;
    int number;
};

static tusk_loop *loop;
static int letters_each;
static struct letter_to *letters[SENDERS];
/* What comes next from each sender, and what came at all; the loop's thread alone writes them. */
static int next_number[SENDERS];
static int received;
static int out_of_order;
static atomic_int send_failures;

static int setup(void **state)
{
    live_setup(state);
    loop = loop_new();
    return 0;
}

static int teardown(void **state)
{
    if (tusk_loop_close(loop) < 0)
        return -1;
    return live_teardown(state);
}

static int receive(void *arg)
{
    const struct letter_to *letter = arg;

    out_of_order += letter->number != next_number[letter->sender];
    next_number[letter->sender] = letter->number + 1;
    if (++received == SENDERS * letters_each)
        stop(NULL);
    return 0;
}

static void *send_all(void *arg)
{
    int sender = (int)(intptr_t)arg;

    for (int i = 0; i < letters_each; i++) {
        letters[sender][i] = (struct letter_to){sender, i};
        if (tusk_loop_call_soon_threadsafe(loop, receive, &letters[sender][i]) != 0)
            atomic_fetch_add(&send_failures, 1);
        /* Now and then the loop gets time to fall asleep. */
        if (i % 2500 == 2499)
            live_sleep_ms(1);
    }
    return NULL;
}

static void run_with_senders(void)
{
    pthread_t threads[SENDERS];

    letters_each = live_count(12500, 1500);
    received = 0;
    out_of_order = 0;
    atomic_store(&send_failures, 0);
    for (int i = 0; i < SENDERS; i++) {
        next_number[i] = 0;
        letters[i] = calloc((size_t)letters_each, sizeof *letters[i]);
        assert_non_null(letters[i]);
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, number(i)), 0);
    }
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        free(letters[i]);
    }
    run_once(loop);
    assert_int_equal(atomic_load(&send_failures), 0);
    assert_int_equal(received, SENDERS * letters_each);
    assert_int_equal(out_of_order, 0);
}

static void test_to_a_loop_that_sleeps(void **state)
{
    (void)state;
    run_with_senders();
}

static int stay_busy(void *arg)
{
    if (received < SENDERS * letters_each)
        tusk_call_soon(stay_busy, arg);
    return 0;
}

static void test_to_a_loop_that_is_busy(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, stay_busy, NULL);
    run_with_senders();
}

static int tick(void *arg)
{
    if (received < SENDERS * letters_each)
        tusk_call_later(0.0001, tick, arg);
    return 0;
}

static void test_to_a_loop_with_timers(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, tick, NULL);
    run_with_senders();
}

/* ---- one at a time: every wake-up counts ---- */

static atomic_int echoed;

static int echo(void *arg)
{
    atomic_store(&echoed, (int)(intptr_t)arg);
    return 0;
}

static void *send_and_wait(void *arg)
{
    int rounds = *(int *)arg;

    for (int i = 1; i <= rounds; i++) {
        if (tusk_loop_call_soon_threadsafe(loop, echo, number(i)) != 0)
            return number(1);
        while (atomic_load(&echoed) != i)
            sched_yield();
    }
    return number(tusk_loop_call_soon_threadsafe(loop, stop, NULL));
}

static void test_no_wake_up_is_lost(void **state)
{
    int rounds = live_count(20000, 1000);
    pthread_t thread;
    void *result;

    (void)state;
    atomic_store(&echoed, 0);
    assert_int_equal(pthread_create(&thread, NULL, send_and_wait, &rounds), 0);
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    assert_int_equal(atomic_load(&echoed), rounds);
}

static void *send_later(void *arg)
{
    live_sleep_ms(30);
    return number(tusk_loop_call_soon_threadsafe(arg, note, number(1)));
}

static void test_a_sleeping_loop_wakes_at_once(void **state)
{
    int64_t start = tusk__clock_ns();
    pthread_t thread;
    void *result;

    (void)state;
    tusk_loop_call_later(loop, 1000, note, number(2));
    assert_int_equal(pthread_create(&thread, NULL, send_later, loop), 0);
    assert_int_equal(tusk_loop_run_once(loop, 500), 0);
    assert_trace(1);
    assert_true(tusk__clock_ns() - start < 20000000000);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
}

/* ---- single promises ---- */

static int send_to_oneself(void *arg)
{
    note(arg);
    tusk_call_soon(note, number(2));
    assert_int_equal(tusk_loop_call_soon_threadsafe(loop, note, number(3)), 0);
    tusk_call_soon(note, number(4));
    return 0;
}

static void test_from_the_loop_itself(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, send_to_oneself, number(1));
    run_once(loop);
    assert_trace(1);
    run_once(loop);
    assert_trace(1, 2, 3, 4);
}

static void test_to_a_loop_that_does_not_run(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(tusk_loop_call_soon_threadsafe(loop, note, number(i)), 0);
    assert_int_equal(trace.count, 0);
    run_once(loop);
    assert_int_equal(trace.count, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(trace.values[i], i);
}

static int send_to_the_other(void *arg)
{
    return tusk_loop_call_soon_threadsafe(arg, note, number(1));
}

static void test_from_one_loop_to_another(void **state)
{
    tusk_loop *other = tusk_new_event_loop();

    (void)state;
    tusk_loop_call_soon(loop, send_to_the_other, other);
    run_once(loop);
    assert_int_equal(trace.count, 0);
    run_once(other);
    assert_trace(1);
    assert_int_equal(tusk_loop_close(other), 0);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    assert_int_equal(tusk_loop_call_soon_threadsafe(loop, NULL, NULL), -EINVAL);
    assert_int_equal(tusk_loop_call_soon_threadsafe(NULL, note, NULL), -EINVAL);
}

static void test_what_was_accepted_is_not_lost_for_lack_of_memory(void **state)
{
    (void)state;
    tusk__fail_after(1);
    assert_int_equal(tusk_loop_call_soon_threadsafe(loop, note, number(1)), -ENOMEM);
    assert_int_equal(tusk_loop_call_soon_threadsafe(loop, note, number(2)), 0);
    tusk__fail_after(1);
    run_once(loop);
    tusk__fail_after(0);
    assert_trace(2);
}

/* ---- contexts ---- */

static tusk_context_var color = TUSK_CONTEXT_VAR("color", "none");

static int set_and_note_color(void *arg)
{
    (void)arg;
    note(number(strcmp(tusk_context_var_get(&color), "none") == 0));
    return tusk_context_var_set(&color, "green", NULL);
}

static void *send_with_color(void *arg)
{
    tusk_context_var_set(&color, "blue", NULL);
    return number(tusk_loop_call_soon_threadsafe(arg, set_and_note_color, NULL));
}

static int send_with_own_color(void *arg)
{
    assert_int_equal(tusk_context_var_set(&color, "yellow", NULL), 0);
    return tusk_loop_call_soon_threadsafe(arg, set_and_note_color, NULL);
}

static void test_letters_run_in_an_empty_context(void **state)
{
    tusk_token token;
    pthread_t thread;
    void *result;

    (void)state;
    assert_int_equal(tusk_context_var_set(&color, "red", &token), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_with_color, loop), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    assert_int_equal(tusk_loop_call_soon_threadsafe(loop, set_and_note_color, NULL), 0);
    tusk_loop_call_soon(loop, send_with_own_color, loop);
    run_once(loop);
    run_once(loop);
    assert_trace(1, 1, 1);
    assert_string_equal(tusk_context_var_get(&color), "red");
    assert_int_equal(tusk_context_var_reset(&color, &token), 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_to_a_loop_that_sleeps),
        test(test_to_a_loop_that_is_busy),
        test(test_to_a_loop_with_timers),
        test(test_no_wake_up_is_lost),
        test(test_a_sleeping_loop_wakes_at_once),
        test(test_from_the_loop_itself),
        test(test_to_a_loop_that_does_not_run),
        test(test_from_one_loop_to_another),
        test(test_bad_arguments),
        test(test_what_was_accepted_is_not_lost_for_lack_of_memory),
        test(test_letters_run_in_an_empty_context),
    };

    return run_with_each_poller(tests);
}
