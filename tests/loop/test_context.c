/*
 * Context variables and contexts: what callbacks see, what stays apart, and that
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

static tusk_context_var color = TUSK_CONTEXT_VAR("color", "none");
static tusk_context_var size = TUSK_CONTEXT_VAR("size", NULL);
static tusk_loop *loop;

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

static void set(const tusk_context_var *var, void *value)
{
    assert_int_equal(tusk_context_var_set(var, value, NULL), 0);
}

#define assert_color(expected) assert_string_equal(tusk_context_var_get(&color), expected)

/* ---- get, set, reset ---- */

static void test_the_default(void **state)
{
    (void)state;
    assert_color("none");
    assert_null(tusk_context_var_get(&size));
    assert_null(tusk_context_var_get(NULL));
}

static void test_set_and_reset(void **state)
{
    tusk_token first;
    tusk_token second;
    tusk_token third;

    (void)state;
    assert_int_equal(tusk_context_var_set(&color, "red", &first), 0);
    assert_color("red");
    assert_int_equal(tusk_context_var_set(&color, "blue", &second), 0);
    assert_color("blue");
    assert_int_equal(tusk_context_var_set(&color, NULL, &third), 0);
    assert_null(tusk_context_var_get(&color));
    assert_int_equal(tusk_context_var_reset(&color, &third), 0);
    assert_color("blue");
    assert_int_equal(tusk_context_var_reset(&color, &second), 0);
    assert_color("red");
    assert_int_equal(tusk_context_var_reset(&color, &first), 0);
    assert_color("none");
}

static void test_a_token_works_once_and_for_its_variable(void **state)
{
    tusk_token token;

    (void)state;
    assert_int_equal(tusk_context_var_set(&color, "red", &token), 0);
    assert_int_equal(tusk_context_var_reset(&size, &token), -EINVAL);
    assert_int_equal(tusk_context_var_reset(NULL, &token), -EINVAL);
    assert_int_equal(tusk_context_var_reset(&color, NULL), -EINVAL);
    assert_color("red");
    assert_int_equal(tusk_context_var_reset(&color, &token), 0);
    assert_int_equal(tusk_context_var_reset(&color, &token), -EINVAL);
    assert_int_equal(tusk_context_var_set(NULL, "red", NULL), -EINVAL);
}

static void test_resets_in_the_wrong_order(void **state)
{
    tusk_token first;
    tusk_token second;

    (void)state;
    assert_int_equal(tusk_context_var_set(&color, "red", &first), 0);
    assert_int_equal(tusk_context_var_set(&color, "blue", &second), 0);
    assert_int_equal(tusk_context_var_reset(&color, &first), 0);
    assert_color("none");
    assert_int_equal(tusk_context_var_reset(&color, &second), 0);
    assert_color("red");
    first = (tusk_token){.var = &color, .was_set = false};
    assert_int_equal(tusk_context_var_reset(&color, &first), 0);
    assert_color("none");
}

enum { VARIABLES = 1000 };

static tusk_context_var many[VARIABLES];
static tusk_token tokens[VARIABLES];

static void test_a_thousand_variables(void **state)
{
    (void)state;
    /* In an order that is not that of their addresses. */
    for (int i = 0; i < VARIABLES; i++)
        assert_int_equal(
            tusk_context_var_set(&many[i * 7 % VARIABLES], number(i * 7 % VARIABLES + 1), &tokens[i]), 0);
    for (int i = 0; i < VARIABLES; i++)
        assert_ptr_equal(tusk_context_var_get(&many[i]), number(i + 1));
    assert_color("none");
    for (int i = 0; i < VARIABLES; i++) {
        int n = (i * 13 + 5) % VARIABLES;

        assert_int_equal(tusk_context_var_reset(&many[n * 7 % VARIABLES], &tokens[n]), 0);
        assert_null(tusk_context_var_get(&many[n * 7 % VARIABLES]));
    }
}

/* ---- callbacks ---- */

/* Writes down what it sees, and leaves another value behind. */
static int note_and_paint(void *arg)
{
    note(tusk_context_var_get(&size));
    return tusk_context_var_set(&size, arg, NULL);
}

static void test_a_callback_sees_what_was_set_at_its_registration(void **state)
{
    tusk_token token;

    (void)state;
    tusk_loop_call_soon(loop, note_and_paint, number(7));
    assert_int_equal(tusk_context_var_set(&size, number(1), &token), 0);
    tusk_loop_call_soon(loop, note_and_paint, number(7));
    set(&size, number(2));
    tusk_loop_call_later(loop, 0, note_and_paint, number(7));
    set(&size, number(3));
    run_once(loop);
    /* Each for himself: what one paints no other sees. */
    assert_trace(0, 1, 2);
    assert_ptr_equal(tusk_context_var_get(&size), number(3));
    assert_int_equal(tusk_context_var_reset(&size, &token), 0);
}

static int paint_and_pass_on(void *arg)
{
    note(tusk_context_var_get(&size));
    set(&size, arg);
    tusk_call_soon(note_and_paint, number(9));
    set(&size, number(8));
    tusk_call_later(0, note_and_paint, number(9));
    return 0;
}

static void test_callbacks_of_callbacks_copy_what_is_current_there(void **state)
{
    (void)state;
    tusk_loop_call_soon(loop, paint_and_pass_on, number(5));
    run_once(loop);
    run_once(loop);
    assert_trace(0, 5, 8);
    assert_null(tusk_context_var_get(&size));
}

static void test_callbacks_may_share_a_context(void **state)
{
    tusk_context *context;
    tusk_token token;

    (void)state;
    assert_int_equal(tusk_context_var_set(&size, number(1), &token), 0);
    context = tusk_copy_context();
    assert_non_null(context);
    set(&size, number(2));
    tusk_loop_call_soon(loop, note_and_paint, number(3), .context = context);
    tusk_loop_call_soon(loop, note_and_paint, number(4), .context = context);
    tusk_loop_call_later(loop, 0, note_and_paint, number(5), .context = context);
    tusk_loop_call_at(loop, tusk_loop_time(loop), note_and_paint, number(6), .context = context);
    /* It lives on in the callbacks. */
    tusk_context_release(context);
    run_once(loop);
    assert_trace(1, 3, 4, 5);
    assert_ptr_equal(tusk_context_var_get(&size), number(2));
    assert_int_equal(tusk_context_var_reset(&size, &token), 0);
}

static int pass_on_from_shared(void *arg)
{
    (void)arg;
    tusk_call_soon(note_and_paint, number(9));
    tusk_call_soon(note_and_paint, number(9));
    return 0;
}

static void test_what_a_shared_context_passes_on_is_a_copy(void **state)
{
    tusk_context *context = tusk_copy_context();

    (void)state;
    tusk_loop_call_soon(loop, note_and_paint, number(3), .context = context);
    tusk_loop_call_soon(loop, pass_on_from_shared, NULL, .context = context);
    run_once(loop);
    run_once(loop);
    tusk_loop_call_soon(loop, note_and_paint, number(3), .context = context);
    run_once(loop);
    assert_trace(0, 3, 3, 3);
    tusk_context_release(context);
}

static void test_cancelled_callbacks_give_their_context_back(void **state)
{
    tusk_context *context = tusk_copy_context();
    tusk_handle handles[4];
    tusk_token token;

    (void)state;
    assert_int_equal(tusk_context_var_set(&size, number(1), &token), 0);
    handles[0] = tusk_loop_call_soon(loop, note, NULL);
    handles[1] = tusk_loop_call_later(loop, 100, note, NULL);
    handles[2] = tusk_loop_call_soon(loop, note, NULL, .context = context);
    handles[3] = tusk_loop_call_later(loop, 100, note, NULL, .context = context);
    tusk_context_release(context);
    assert_int_equal(tusk_context_var_reset(&size, &token), 0);
    for (int i = 0; i < 4; i++)
        assert_true(tusk_handle_cancel(handles[i]));
    run_once(loop);
    assert_int_equal(trace.count, 0);
}

static int hear(tusk_loop *of, const struct tusk_exception_context *context, void *arg)
{
    (void)of;
    (void)context;
    (void)arg;
    return note(tusk_context_var_get(&size));
}

static int paint_and_fail(void *arg)
{
    set(&size, arg);
    return -EIO;
}

static void test_the_exception_handler_sees_the_callback_context(void **state)
{
    (void)state;
    tusk_loop_set_exception_handler(loop, hear, NULL);
    tusk_loop_call_soon(loop, paint_and_fail, number(6));
    assert_int_equal(tusk_loop_call_soon_threadsafe(loop, paint_and_fail, number(7)), 0);
    run_once(loop);
    assert_trace(6, 7);
}

/* ---- contexts as objects ---- */

static int paint_inside(void *arg)
{
    note(tusk_context_var_get(&size));
    set(&size, arg);
    return 42;
}

static void test_run_in_a_context(void **state)
{
    tusk_context *context = tusk_copy_context();
    tusk_token token;

    (void)state;
    assert_int_equal(tusk_context_var_set(&size, number(1), &token), 0);
    assert_int_equal(tusk_context_run(context, paint_inside, number(2)), 42);
    assert_ptr_equal(tusk_context_var_get(&size), number(1));
    assert_int_equal(tusk_context_run(context, paint_inside, number(3)), 42);
    assert_trace(0, 2);
    assert_int_equal(tusk_context_run(NULL, paint_inside, NULL), -EINVAL);
    assert_int_equal(tusk_context_run(context, NULL, NULL), -EINVAL);
    assert_int_equal(tusk_context_var_reset(&size, &token), 0);
    tusk_context_release(context);
}

static tusk_context *outer_context;
static tusk_context *inner_context;

static int run_inner(void *arg)
{
    set(&size, number(5));
    assert_int_equal(tusk_context_run(inner_context, paint_inside, number(6)), 42);
    note(tusk_context_var_get(&size));
    assert_int_equal(tusk_context_run(outer_context, paint_inside, number(7)), 42);
    note(tusk_context_var_get(&size));
    /* The caller's reference may be the last one but that of the run. */
    tusk_context_release(outer_context);
    return (int)(intptr_t)arg;
}

static void test_runs_nest(void **state)
{
    (void)state;
    outer_context = tusk_copy_context();
    inner_context = tusk_copy_context();
    assert_int_equal(tusk_context_run(outer_context, run_inner, number(3)), 3);
    assert_trace(0, 5, 5, 7);
    tusk_context_release(inner_context);
    assert_null(tusk_context_var_get(&size));
}

static int run_in_callback(void *arg)
{
    set(&size, number(1));
    assert_int_equal(tusk_context_run(arg, paint_inside, number(2)), 42);
    note(tusk_context_var_get(&size));
    return 0;
}

static void test_a_run_inside_of_a_callback(void **state)
{
    tusk_context *context = tusk_copy_context();

    (void)state;
    tusk_loop_call_soon(loop, run_in_callback, context);
    tusk_loop_call_soon(loop, note_and_paint, number(3), .context = context);
    run_once(loop);
    assert_trace(0, 1, 2);
    tusk_context_release(context);
}

static void test_references(void **state)
{
    tusk_context *context = tusk_copy_context();

    (void)state;
    assert_ptr_equal(tusk_context_retain(context), context);
    tusk_context_release(context);
    assert_int_equal(tusk_context_run(context, paint_inside, number(1)), 42);
    tusk_context_release(context);
    assert_null(tusk_context_retain(NULL));
    tusk_context_release(NULL);
}

static void test_a_copy_is_a_copy(void **state)
{
    tusk_token token;
    tusk_context *context;

    (void)state;
    assert_int_equal(tusk_context_var_set(&size, number(1), &token), 0);
    context = tusk_copy_context();
    assert_int_equal(tusk_context_var_reset(&size, &token), 0);
    assert_int_equal(tusk_context_run(context, paint_inside, number(2)), 42);
    assert_trace(1);
    assert_null(tusk_context_var_get(&size));
    tusk_context_release(context);
}

/* ---- without memory ---- */

static void test_without_memory_nothing_changes(void **state)
{
    tusk_token token = {0};
    tusk_token outer;

    (void)state;
    assert_int_equal(tusk_context_var_set(&color, "red", &outer), 0);
    tusk__fail_after(1);
    assert_int_equal(tusk_context_var_set(&size, number(1), &token), -ENOMEM);
    assert_null(token.var);
    assert_null(tusk_context_var_get(&size));
    tusk__fail_after(1);
    assert_int_equal(tusk_context_var_set(&color, "blue", NULL), -ENOMEM);
    assert_color("red");
    assert_int_equal(tusk_context_var_set(&size, number(1), &token), 0);
    tusk__fail_after(1);
    assert_int_equal(tusk_context_var_reset(&size, &token), -ENOMEM);
    assert_ptr_equal(tusk_context_var_get(&size), number(1));
    tusk__fail_after(1);
    assert_null(tusk_copy_context());
    assert_int_equal(tusk_last_error(), -ENOMEM);
    tusk__fail_after(0);
    /* The token was not used up by the reset that failed. */
    assert_int_equal(tusk_context_var_reset(&size, &token), 0);
    assert_int_equal(tusk_context_var_reset(&color, &outer), 0);
}

/* ---- threads ---- */

static void *set_and_end(void *arg)
{
    bool was_empty = tusk_context_var_get(&size) == NULL;

    /* It ends with variables set: they are given back with the thread. */
    tusk_context_var_set(&size, arg, NULL);
    tusk_context_var_set(&color, "green", NULL);
    return number(was_empty && tusk_context_var_get(&size) == arg ? 0 : 1);
}

static void test_each_thread_has_its_own(void **state)
{
    tusk_token token;
    pthread_t threads[4];
    void *result;

    (void)state;
    assert_int_equal(tusk_context_var_set(&size, number(1), &token), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, set_and_end, number(i + 2)), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    assert_ptr_equal(tusk_context_var_get(&size), number(1));
    assert_int_equal(tusk_context_var_reset(&size, &token), 0);
}

static void *run_the_loop(void *arg)
{
    return number(tusk_loop_run_forever(arg));
}

static void test_a_loop_filled_here_and_run_there(void **state)
{
    tusk_token token;
    pthread_t thread;
    void *result;

    (void)state;
    assert_int_equal(tusk_context_var_set(&size, number(1), &token), 0);
    for (int i = 0; i < 1000; i++)
        tusk_loop_call_soon(loop, note_and_paint, number(2));
    tusk_loop_call_soon(loop, stop, NULL);
    assert_int_equal(pthread_create(&thread, NULL, run_the_loop, loop), 0);
    /* Meanwhile the same map is copied and given back here. */
    for (int i = 0; i < 1000; i++)
        tusk_context_release(tusk_copy_context());
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    assert_int_equal(trace.count, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(trace.values[i], 1);
    assert_int_equal(tusk_context_var_reset(&size, &token), 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_the_default),
        test(test_set_and_reset),
        test(test_a_token_works_once_and_for_its_variable),
        test(test_resets_in_the_wrong_order),
        test(test_a_thousand_variables),
        test(test_a_callback_sees_what_was_set_at_its_registration),
        test(test_callbacks_of_callbacks_copy_what_is_current_there),
        test(test_callbacks_may_share_a_context),
        test(test_what_a_shared_context_passes_on_is_a_copy),
        test(test_cancelled_callbacks_give_their_context_back),
        test(test_the_exception_handler_sees_the_callback_context),
        test(test_run_in_a_context),
        test(test_runs_nest),
        test(test_a_run_inside_of_a_callback),
        test(test_references),
        test(test_a_copy_is_a_copy),
        test(test_without_memory_nothing_changes),
        test(test_each_thread_has_its_own),
        test(test_a_loop_filled_here_and_run_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
