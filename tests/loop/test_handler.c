/*
 * The exception handler: what it hears, what happens when it fails, and what
 * the default one prints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <unistd.h>
#include <cmocka.h>

#include "loop/trace.h"

static tusk_loop *loop;

static struct {
    int calls;
    tusk_loop *loop;
    struct tusk_exception_context context;
    char message[256];
    char error_message[256];
    void *arg;
} heard;

static int setup(void **state)
{
    live_setup(state);
    loop = loop_new();
    memset(&heard, 0, sizeof heard);
    return 0;
}

static int teardown(void **state)
{
    if (tusk_loop_close(loop) < 0)
        return -1;
    return live_teardown(state);
}

static int hear(tusk_loop *of, const struct tusk_exception_context *context, void *arg)
{
    heard.calls++;
    heard.loop = of;
    heard.context = *context;
    heard.arg = arg;
    snprintf(heard.message, sizeof heard.message, "%s", context->message ? context->message : "");
    snprintf(heard.error_message, sizeof heard.error_message, "%s",
             context->error_message ? context->error_message : "");
    return 0;
}

static int refuse(tusk_loop *of, const struct tusk_exception_context *context, void *arg)
{
    hear(of, context, arg);
    return -EPERM;
}

static int fail_with(void *arg)
{
    return (int)(intptr_t)arg;
}

static int fail_too(void *arg)
{
    /* Not the same code: else a linker may make them one. */
    return arg ? (int)(intptr_t)arg : -EDOM;
}

static int raise_with_text(void *arg)
{
    return tusk_raise((int)(intptr_t)arg, "table %d has no chairs", 7);
}

static int raise_and_forgive(void *arg)
{
    raise_with_text(arg);
    return 0;
}

/* ---- standard error, caught ---- */

static char caught[2048];
static int real_stderr;
static FILE *catcher;

static void catch_start(void)
{
    catcher = tmpfile();
    assert_non_null(catcher);
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    assert_true(real_stderr >= 0);
    assert_true(dup2(fileno(catcher), STDERR_FILENO) >= 0);
}

static const char *catch_end(void)
{
    size_t length;

    fflush(stderr);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    rewind(catcher);
    length = fread(caught, 1, sizeof caught - 1, catcher);
    caught[length] = '\0';
    fclose(catcher);
    return caught;
}

static int lines_of(const char *text)
{
    int count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* ---- tests ---- */

static void test_an_error_goes_to_the_handler_and_the_loop_goes_on(void **state)
{
    (void)state;
    tusk_loop_set_exception_handler(loop, hear, number(5));
    tusk_loop_call_soon(loop, note, number(1));
    tusk_loop_call_soon(loop, fail_too, number(-EIO));
    tusk_loop_call_soon(loop, note, number(2));
    tusk_loop_call_later(loop, 0.001, note, number(3));
    run_for(loop, 0.002);
    assert_trace(1, 2, 3);
    assert_int_equal(heard.calls, 1);
    assert_ptr_equal(heard.loop, loop);
    assert_ptr_equal(heard.arg, number(5));
    assert_int_equal(heard.context.error, -EIO);
    assert_string_equal(heard.message, "Exception in callback fail_too");
    assert_null(heard.context.error_message);
    assert_null(heard.context.future);
    assert_null(heard.context.task_name);
}

static void test_timers_and_letters_fail_likewise(void **state)
{
    (void)state;
    tusk_loop_set_exception_handler(loop, hear, NULL);
    tusk_loop_call_later(loop, 0, fail_with, number(-EIO));
    run_for(loop, 0);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.context.error, -EIO);
    assert_int_equal(tusk_loop_call_soon_threadsafe(loop, fail_too, number(TUSK_INVALID_STATE)), 0);
    run_for(loop, 0);
    assert_int_equal(heard.calls, 2);
    assert_int_equal(heard.context.error, TUSK_INVALID_STATE);
    assert_string_equal(heard.message, "Exception in callback fail_too");
}

static void test_each_report_names_its_callback(void **state)
{
    static const char *const names[] = {"fail_with", "fail_with", "fail_too", "fail_with"};

    (void)state;
    tusk_loop_set_exception_handler(loop, hear, NULL);
    for (int i = 0; i < 4; i++) {
        char wanted[64];

        tusk_loop_call_soon(loop, i == 2 ? fail_too : fail_with, number(-EIO));
        run_once(loop);
        snprintf(wanted, sizeof wanted, "Exception in callback %s", names[i]);
        assert_string_equal(heard.message, wanted);
    }
}

static void test_zero_and_more_is_fine(void **state)
{
    (void)state;
    tusk_loop_set_exception_handler(loop, hear, NULL);
    tusk_loop_call_soon(loop, fail_with, number(0));
    tusk_loop_call_soon(loop, fail_with, number(1));
    tusk_loop_call_soon(loop, fail_with, number(INT32_MAX));
    run_once(loop);
    assert_int_equal(heard.calls, 0);
}

static void test_the_message_of_a_raised_error_comes_along(void **state)
{
    (void)state;
    tusk_loop_set_exception_handler(loop, hear, NULL);
    tusk_loop_call_soon(loop, raise_with_text, number(-EINVAL));
    run_once(loop);
    assert_int_equal(heard.context.error, -EINVAL);
    assert_string_equal(heard.error_message, "table 7 has no chairs");
}

static void test_the_message_of_another_error_does_not(void **state)
{
    (void)state;
    tusk_loop_set_exception_handler(loop, hear, NULL);
    tusk_loop_call_soon(loop, raise_with_text, number(-EINVAL));
    tusk_loop_call_soon(loop, fail_with, number(-EINVAL));
    run_once(loop);
    assert_int_equal(heard.calls, 2);
    assert_null(heard.context.error_message);
    tusk_loop_call_soon(loop, raise_and_forgive, number(-EINVAL));
    tusk_loop_call_soon(loop, fail_with, number(-EINVAL));
    run_once(loop);
    assert_int_equal(heard.calls, 3);
    assert_null(heard.context.error_message);
    assert_string_equal(tusk_message(), "table 7 has no chairs");
}

static void test_the_default_prints_one_line(void **state)
{
    const char *text;

    (void)state;
    catch_start();
    tusk_loop_call_soon(loop, raise_with_text, number(-EIO));
    tusk_loop_call_soon(loop, note, number(1));
    run_once(loop);
    text = catch_end();
    assert_int_equal(lines_of(text), 1);
    assert_non_null(strstr(text, "Exception in callback"));
    assert_non_null(strstr(text, "EIO"));
    assert_non_null(strstr(text, tusk_strerror(-EIO)));
    assert_non_null(strstr(text, "table 7 has no chairs"));
    assert_trace(1);
}

static void test_a_handler_that_fails_falls_back_to_the_default(void **state)
{
    const char *text;

    (void)state;
    tusk_loop_set_exception_handler(loop, refuse, NULL);
    catch_start();
    tusk_loop_call_soon(loop, fail_with, number(-EIO));
    tusk_loop_call_soon(loop, note, number(1));
    run_once(loop);
    text = catch_end();
    assert_int_equal(heard.calls, 1);
    assert_non_null(strstr(text, "Exception in callback"));
    assert_non_null(strstr(text, "EIO"));
    assert_non_null(strstr(text, "EPERM"));
    assert_trace(1);
}

static void test_null_brings_back_the_default(void **state)
{
    const char *text;

    (void)state;
    tusk_loop_set_exception_handler(loop, hear, NULL);
    tusk_loop_set_exception_handler(loop, NULL, NULL);
    catch_start();
    tusk_loop_call_soon(loop, fail_with, number(-EIO));
    run_once(loop);
    text = catch_end();
    assert_int_equal(heard.calls, 0);
    assert_int_equal(lines_of(text), 1);
}

static void test_reports_of_programs(void **state)
{
    struct tusk_exception_context context = {
        .message = "The oven is cold", .error = -EAGAIN, .error_message = "no gas", .task_name = "cook"};
    struct tusk_exception_context bare = {0};
    const char *text;

    (void)state;
    tusk_loop_set_exception_handler(loop, hear, NULL);
    tusk_loop_call_exception_handler(loop, &context);
    assert_int_equal(heard.calls, 1);
    assert_string_equal(heard.message, "The oven is cold");
    assert_string_equal(heard.error_message, "no gas");
    tusk_loop_call_exception_handler(loop, NULL);
    assert_int_equal(heard.calls, 1);
    catch_start();
    tusk_loop_default_exception_handler(loop, &context);
    text = catch_end();
    assert_int_equal(lines_of(text), 1);
    assert_non_null(strstr(text, "The oven is cold"));
    assert_non_null(strstr(text, "'cook'"));
    assert_non_null(strstr(text, "EAGAIN"));
    assert_non_null(strstr(text, "no gas"));
    catch_start();
    tusk_loop_default_exception_handler(loop, &bare);
    assert_int_equal(lines_of(catch_end()), 1);
}

static int call_from_handler(tusk_loop *of, const struct tusk_exception_context *context, void *arg)
{
    hear(of, context, arg);
    tusk_loop_call_soon(of, note, number(2));
    tusk_loop_set_exception_handler(of, hear, NULL);
    return 0;
}

static void test_a_handler_may_use_the_loop(void **state)
{
    (void)state;
    tusk_loop_set_exception_handler(loop, call_from_handler, NULL);
    tusk_loop_call_soon(loop, fail_with, number(-EIO));
    tusk_loop_call_soon(loop, fail_with, number(-EBADF));
    tusk_loop_call_soon(loop, note, number(1));
    run_once(loop);
    run_once(loop);
    assert_trace(1, 2);
    assert_int_equal(heard.calls, 2);
    assert_int_equal(heard.context.error, -EBADF);
}

static int use_the_context(tusk_loop *of, const struct tusk_exception_context *context, void *arg)
{
    static tusk_context_var color = TUSK_CONTEXT_VAR("color", NULL);
    tusk_token token;

    hear(of, context, arg);
    assert_null(tusk_context_var_get(&color));
    assert_int_equal(tusk_context_var_set(&color, arg, &token), 0);
    tusk_call_soon(note, number(1));
    assert_int_equal(tusk_context_var_reset(&color, &token), 0);
    return 0;
}

static void report_something(struct tusk__handle *handle)
{
    (void)handle;
    tusk_loop_call_exception_handler(loop, &(struct tusk_exception_context){.message = "light"});
}

/* Tusk's own small steps have no context; the handler that hears of them is a program's code. */
static void test_a_handler_called_by_a_light_handle_has_a_context(void **state)
{
    struct tusk__handle light = {.run = report_something, .context = TUSK__LIGHT};

    (void)state;
    tusk_loop_set_exception_handler(loop, use_the_context, number(1));
    tusk__loop_push(loop, &light);
    run_once(loop);
    run_once(loop);
    assert_int_equal(heard.calls, 1);
    assert_trace(1);
    assert_true(tusk__handle_is_light(&light));
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_an_error_goes_to_the_handler_and_the_loop_goes_on),
        test(test_timers_and_letters_fail_likewise),
        test(test_each_report_names_its_callback),
        test(test_zero_and_more_is_fine),
        test(test_the_message_of_a_raised_error_comes_along),
        test(test_the_message_of_another_error_does_not),
        test(test_the_default_prints_one_line),
        test(test_a_handler_that_fails_falls_back_to_the_default),
        test(test_null_brings_back_the_default),
        test(test_reports_of_programs),
        test(test_a_handler_may_use_the_loop),
        test(test_a_handler_called_by_a_light_handle_has_a_context),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
