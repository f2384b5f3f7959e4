/*
 * A small substitute for cmocka, for machines that tests are cross-compiled for
 * and that have none. It offers the words of cmocka's interface that tusk's
 * tests use, and no more: no mocks, no leak checks, no signals caught.
 *
 * A failed assertion prints where it stands and leaves the test by longjmp, as
 * cmocka does; only the thread that runs the tests may assert.
 */
#ifndef CMOCKA_H
#define CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    int (*setup_func)(void **state);
    int (*teardown_func)(void **state);
    void *initial_state;
};

#define cmocka_unit_test(test) cmocka_unit_test_setup_teardown(test, NULL, NULL)
#define cmocka_unit_test_setup(test, setup) cmocka_unit_test_setup_teardown(test, setup, NULL)
#define cmocka_unit_test_teardown(test, teardown) cmocka_unit_test_setup_teardown(test, NULL, teardown)
#define cmocka_unit_test_prestate(test, state)                                                               \
    {                                                                                                        \
#test, test, NULL, NULL, state                                                                       \
    }
#define cmocka_unit_test_setup_teardown(test, setup, teardown)                                               \
    {                                                                                                        \
#test, test, setup, teardown, NULL                                                                   \
    }

/* Runs all tests; returns how many failed. Prints "N passed, N failed" and names what failed. */
#define cmocka_run_group_tests(tests, setup, teardown)                                                       \
    mini_run_group(#tests, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown)                                            \
    mini_run_group(name, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

int mini_run_group(const char *group, const struct CMUnitTest *tests, size_t count,
                   int (*setup)(void **state), int (*teardown)(void **state));

__attribute__((noreturn, format(printf, 3, 4))) void mini_fail(const char *file, int line, const char *format,
                                                               ...);
__attribute__((noreturn)) void mini_skip(const char *file, int line);
__attribute__((format(printf, 1, 2))) void print_message(const char *format, ...);
__attribute__((format(printf, 1, 2))) void print_error(const char *format, ...);

void mini_true(intmax_t value, const char *text, const char *file, int line);
void mini_integers(intmax_t left, intmax_t right, int equal, const char *text, const char *file, int line);
void mini_pointers(const void *left, const void *right, int equal, const char *text, const char *file,
                   int line);
void mini_strings(const char *left, const char *right, int equal, const char *text, const char *file,
                  int line);
void mini_memory(const void *left, const void *right, size_t size, int equal, const char *text,
                 const char *file, int line);
void mini_range(uintmax_t value, uintmax_t low, uintmax_t high, int inside, const char *text,
                const char *file, int line);

#define MINI_HERE(text) text, __FILE__, __LINE__

#define assert_true(c) mini_true(!!(c), MINI_HERE(#c))
#define assert_false(c) mini_true(!(c), MINI_HERE("!(" #c ")"))
#define assert_null(c) mini_true((c) == NULL, MINI_HERE(#c " == NULL"))
#define assert_non_null(c) mini_true((c) != NULL, MINI_HERE(#c " != NULL"))
#define assert_int_equal(a, b) mini_integers((intmax_t)(a), (intmax_t)(b), 1, MINI_HERE(#a " == " #b))
#define assert_int_not_equal(a, b) mini_integers((intmax_t)(a), (intmax_t)(b), 0, MINI_HERE(#a " != " #b))
#define assert_uint_equal(a, b) assert_int_equal(a, b)
#define assert_uint_not_equal(a, b) assert_int_not_equal(a, b)
#define assert_return_code(rc, error) mini_true((rc) >= 0, MINI_HERE(#rc " >= 0"))
#define assert_ptr_equal(a, b) mini_pointers((const void *)(a), (const void *)(b), 1, MINI_HERE(#a " == " #b))
#define assert_ptr_not_equal(a, b)                                                                           \
    mini_pointers((const void *)(a), (const void *)(b), 0, MINI_HERE(#a " != " #b))
#define assert_string_equal(a, b) mini_strings(a, b, 1, MINI_HERE(#a " == " #b))
#define assert_string_not_equal(a, b) mini_strings(a, b, 0, MINI_HERE(#a " != " #b))
#define assert_memory_equal(a, b, size) mini_memory(a, b, size, 1, MINI_HERE(#a " == " #b))
#define assert_memory_not_equal(a, b, size) mini_memory(a, b, size, 0, MINI_HERE(#a " != " #b))
#define assert_in_range(value, low, high)                                                                    \
    mini_range((uintmax_t)(value), (uintmax_t)(low), (uintmax_t)(high), 1, MINI_HERE(#value))
#define assert_not_in_range(value, low, high)                                                                \
    mini_range((uintmax_t)(value), (uintmax_t)(low), (uintmax_t)(high), 0, MINI_HERE(#value))

#define fail() mini_fail(__FILE__, __LINE__, "fail()")
#define fail_msg(...) mini_fail(__FILE__, __LINE__, __VA_ARGS__)
#define skip() mini_skip(__FILE__, __LINE__)

#endif
