/*
 * Names of functions by their addresses, from the files that they are in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/symbol.h"
#include "support/live.h"

static TUSK__NOINLINE int cook_soup(int spoons)
{
    __asm__ volatile("" : : : "memory");
    return spoons + 1;
}

static TUSK__NOINLINE int cook_steak(int spoons)
{
    __asm__ volatile("" : : : "memory");
    return spoons + 2;
}

static void test_a_static_function(void **state)
{
    struct tusk__symbol soup;
    struct tusk__symbol steak;

    (void)state;
    assert_true(tusk__symbol_find((uintptr_t)cook_soup, &soup));
    assert_true(tusk__symbol_find((uintptr_t)cook_steak, &steak));
    assert_string_equal(soup.function, "cook_soup");
    assert_string_equal(steak.function, "cook_steak");
    assert_string_equal(soup.module, steak.module);
    assert_non_null(strstr(soup.module, "test_symbol"));
    assert_true(steak.offset - soup.offset == (uintptr_t)cook_steak - (uintptr_t)cook_soup);
}

static void test_an_address_inside(void **state)
{
    struct tusk__symbol symbol;

    (void)state;
    assert_true(tusk__symbol_find((uintptr_t)cook_soup + 1, &symbol));
    assert_string_equal(symbol.function, "cook_soup");
    assert_int_equal(cook_soup(1) + cook_steak(1), 5);
}

static void test_a_function_of_the_library(void **state)
{
    struct tusk__symbol symbol;

    (void)state;
    assert_true(tusk__symbol_find((uintptr_t)qsort, &symbol));
    assert_non_null(strstr(symbol.function, "qsort"));
}

static void test_what_is_in_no_file(void **state)
{
    struct tusk__symbol symbol;
    char *heap = malloc(1);

    (void)state;
    assert_false(tusk__symbol_find((uintptr_t)heap, &symbol));
    assert_false(tusk__symbol_find(0, &symbol));
    assert_false(tusk__symbol_find(UINTPTR_MAX, &symbol));
    free(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_a_static_function),
        live_test(test_an_address_inside),
        live_test(test_a_function_of_the_library),
        live_test(test_what_is_in_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
