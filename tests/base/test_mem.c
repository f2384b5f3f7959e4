/*
 * Memory: zeroed, counted, overflow-checked, and failing on demand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

static void test_memory_is_zeroed_and_counted(void **state)
{
    size_t before = tusk__live();
    unsigned char *block = tusk__alloc(100);
    unsigned char *array = tusk__alloc_array(10, 10);
    unsigned char *aligned = tusk__alloc_aligned(64, 1000);

    (void)state;
    assert_non_null(block);
    assert_non_null(array);
    assert_non_null(aligned);
    assert_int_equal((uintptr_t)aligned % 64, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(block[i] + array[i] + aligned[i * 10], 0);
    assert_int_equal(tusk__live(), before + 3);
    tusk__free(block);
    tusk__free(array);
    tusk__free(aligned);
    tusk__free(NULL);
    assert_int_equal(tusk__live(), before);
}

static void test_products_that_overflow_are_refused(void **state)
{
    size_t before = tusk__live();
    volatile size_t huge = SIZE_MAX / 2;

    (void)state;
    assert_null(tusk__alloc_array(huge, 3));
    assert_int_equal(tusk__live(), before);
}

static void test_no_bytes_are_not_a_failure(void **state)
{
    void *nothing = tusk__alloc(0);

    (void)state;
    assert_non_null(nothing);
    tusk__free(nothing);
}

static void test_the_nth_operation_fails_once(void **state)
{
    (void)state;
    tusk__fail_after(3);
    assert_false(tusk__fail_now());
    assert_false(tusk__fail_now());
    assert_true(tusk__fail_now());
    assert_false(tusk__fail_now());
    tusk__fail_after(1);
    assert_null(tusk__alloc(10));
    tusk__fail_after(1);
    assert_null(tusk__alloc_aligned(64, 10));
    tusk__fail_after(1);
    tusk__fail_after(0);
    assert_false(tusk__fail_now());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_and_counted),
        cmocka_unit_test(test_products_that_overflow_are_refused),
        cmocka_unit_test(test_no_bytes_are_not_a_failure),
        cmocka_unit_test(test_the_nth_operation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
