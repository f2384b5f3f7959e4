/*
 * Codes as text: every one has a name and a sentence, whatever its sign.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

#define CODE(code)                                                                                           \
    {                                                                                                        \
        code, #code                                                                                          \
    }

static const struct {
    int code;
    const char *name;
} codes[] = {
    CODE(TUSK_INVALID_STATE),      CODE(TUSK_NO_RUNNING_LOOP),
    CODE(TUSK_LOOP_RUNNING),       CODE(TUSK_LOOP_CLOSED),
    CODE(TUSK_LOOP_STOPPED),       CODE(TUSK_OTHER_LOOP),
    CODE(TUSK_AWAITED_ITSELF),     CODE(TUSK_NOT_IN_TASK),
    CODE(TUSK_RELEASED),           CODE(TUSK_SHADOW_STACK),
    CODE(TUSK_EXCEPTION_GROUP),    CODE(TUSK_QUEUE_SHUT_DOWN),
    CODE(TUSK_QUEUE_EMPTY),        CODE(TUSK_QUEUE_FULL),
    CODE(TUSK_BROKEN_BARRIER),     CODE(TUSK_OTHER_THREAD),
    CODE(TUSK_EXECUTOR_SHUT_DOWN), CODE(TUSK_STREAM_CLOSED),
    CODE(TUSK_INCOMPLETE_READ),    CODE(TUSK_LIMIT_OVERRUN),
    CODE(TUSK_CANCELED_BY_SYSTEM), CODE(TUSK_EAI_ADDRFAMILY),
    CODE(TUSK_EAI_AGAIN),          CODE(TUSK_EAI_BADFLAGS),
    CODE(TUSK_EAI_BADHINTS),       CODE(TUSK_EAI_FAIL),
    CODE(TUSK_EAI_FAMILY),         CODE(TUSK_EAI_IDN_ENCODE),
    CODE(TUSK_EAI_NODATA),         CODE(TUSK_EAI_NONAME),
    CODE(TUSK_EAI_OVERFLOW),       CODE(TUSK_EAI_PROTOCOL),
    CODE(TUSK_EAI_SERVICE),        CODE(TUSK_EAI_SOCKTYPE),
    CODE(TUSK_EAI_UNKNOWN),        CODE(TUSK_TLS_CERTIFICATE),
    CODE(TUSK_TLS_FAILED),         CODE(TUSK_TLS_EOF),
    CODE(TUSK_TLS_FILE),
};

enum { CODES = sizeof codes / sizeof codes[0] };

static void test_every_code_of_tusk_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < CODES; i++) {
        const char *text = tusk_strerror(codes[i].code);

        assert_string_equal(tusk_errorname(codes[i].code), codes[i].name);
        assert_true(strlen(text) > 10);
        assert_null(strstr(text, "rror -"));
        assert_int_not_equal(text[strlen(text) - 1], '.');
        for (int j = 0; j < i; j++)
            assert_string_not_equal(text, tusk_strerror(codes[j].code));
    }
}

/* The codes of the resolver and those of TLS have numbers of their own. */
static bool ends_its_numbers(int i)
{
    return i + 1 == CODES || codes[i + 1].code == TUSK_EAI_ADDRFAMILY ||
           codes[i + 1].code == TUSK_TLS_CERTIFICATE;
}

/* Who adds a code adds its name and text, and a line above. */
static void test_no_code_is_missing_above(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < CODES; i++) {
        int next = codes[i].code - 1;

        snprintf(name, sizeof name, "E%d", -next);
        if (ends_its_numbers(i))
            assert_string_equal(tusk_errorname(next), name);
        else
            assert_int_equal(codes[i + 1].code, next);
    }
}

static void test_the_values_never_change(void **state)
{
    (void)state;
    assert_int_equal(TUSK_INVALID_STATE, -10001);
    assert_int_equal(TUSK_NOT_IN_TASK, -10008);
    assert_int_equal(TUSK_SHADOW_STACK, -10010);
    assert_int_equal(TUSK_CANCELED_BY_SYSTEM, -10021);
    assert_int_equal(TUSK_EAI_ADDRFAMILY, -10101);
    assert_int_equal(TUSK_EAI_UNKNOWN, -10114);
    assert_int_equal(TUSK_TLS_CERTIFICATE, -10201);
    assert_int_equal(TUSK_TLS_FILE, -10204);
}

static void test_names_of_errno(void **state)
{
    static const struct {
        int code;
        const char *name;
    } known[] = {
        CODE(ECANCELED),    CODE(ETIMEDOUT),   CODE(EINVAL),   CODE(ENOMEM),    CODE(EDEADLK),
        CODE(EMFILE),       CODE(EAGAIN),      CODE(EPERM),    CODE(ENOENT),    CODE(EBADF),
        CODE(EPIPE),        CODE(EINTR),       CODE(EISDIR),   CODE(ENOSYS),    CODE(EDOM),
        CODE(ERANGE),       CODE(ENOSPC),      CODE(EROFS),    CODE(ELOOP),     CODE(ENOTCONN),
        CODE(EHOSTUNREACH), CODE(EINPROGRESS), CODE(EMSGSIZE), CODE(EOVERFLOW), CODE(EPROTO),
        CODE(ECHILD),
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_string_equal(tusk_errorname(-known[i].code), known[i].name);
        assert_string_equal(tusk_errorname(known[i].code), known[i].name);
    }
}

static void test_both_signs_mean_the_same(void **state)
{
    char text[256];

    (void)state;
    for (int code = 1; code < 140; code++) {
        snprintf(text, sizeof text, "%s", tusk_strerror(-code));
        assert_int_not_equal(text[0], '\0');
        assert_string_equal(tusk_strerror(code), text);
    }
    assert_string_equal(tusk_strerror(0), "success");
}

static void test_codes_that_nobody_knows(void **state)
{
    static const int unknown[] = {-9999, 9999, -20000, -4096, 4096, INT_MAX, INT_MIN, INT_MIN + 1};
    char number[32];

    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        long long magnitude = unknown[i] < 0 ? -(long long)unknown[i] : unknown[i];

        snprintf(number, sizeof number, "E%lld", magnitude);
        assert_string_equal(tusk_errorname(unknown[i]), number);
        snprintf(number, sizeof number, "%d", unknown[i]);
        assert_non_null(strstr(tusk_strerror(unknown[i]), number));
    }
}

/* ---- what threads keep ---- */

static void *look_from_a_thread(void *arg)
{
    bool fresh = tusk_last_error() == 0 && tusk__thread_message(0) == NULL;

    (void)arg;
    tusk__fail(-EIO);
    tusk__thread_message_set(-EIO, "other");
    tusk_strerror(-9998);
    return fresh ? NULL : (void *)1;
}

static void test_each_thread_keeps_its_own(void **state)
{
    const char *text = tusk_strerror(-9999);
    pthread_t thread;
    void *result;

    (void)state;
    assert_null(tusk__fail(-ENOMEM));
    tusk__thread_message_set(-ENOMEM, "mine");
    assert_int_equal(pthread_create(&thread, NULL, look_from_a_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    assert_int_equal(tusk_last_error(), -ENOMEM);
    assert_string_equal(tusk__thread_message(0), "mine");
    assert_non_null(strstr(text, "-9999"));
}

static void test_the_message_of_a_thread(void **state)
{
    unsigned before = tusk__thread_messages;
    char longer[1000];

    (void)state;
    tusk__thread_message_set(-EIO, "smoke");
    assert_true(tusk__thread_messages != before);
    assert_string_equal(tusk__thread_message(-EIO), "smoke");
    assert_string_equal(tusk__thread_message(0), "smoke");
    assert_null(tusk__thread_message(-EINVAL));
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    tusk__thread_message_set(-EIO, longer);
    assert_in_range(strlen(tusk__thread_message(-EIO)), 200, 999);
    tusk__thread_message_set(-EIO, NULL);
    assert_null(tusk__thread_message(0));
    assert_null(tusk__thread_message(-EIO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_of_tusk_has_a_name_and_a_text),
        cmocka_unit_test(test_no_code_is_missing_above),
        cmocka_unit_test(test_the_values_never_change),
        cmocka_unit_test(test_names_of_errno),
        cmocka_unit_test(test_both_signs_mean_the_same),
        cmocka_unit_test(test_codes_that_nobody_knows),
        cmocka_unit_test(test_each_thread_keeps_its_own),
        cmocka_unit_test(test_the_message_of_a_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
