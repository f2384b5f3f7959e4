/*
 * Slabs: order of reuse, what stays in freed objects, growth, failing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/slab.h"

#if TUSK__ASAN
#include <sanitizer/asan_interface.h>
#endif

#define MANY 20000

struct thing {
    void *link;
    uint64_t generation;
    char rest[81];
};

static struct tusk__slab slab;
static struct thing *things[MANY];

static int setup(void **state)
{
    (void)state;
    tusk__slab_init(&slab, sizeof(struct thing), offsetof(struct thing, rest));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tusk__fail_after(0);
    tusk__slab_close(&slab);
    return tusk__live() == 0 ? 0 : -1;
}

static void test_fresh_objects_are_zero_and_apart(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++) {
        static const struct thing zero;

        things[i] = tusk__slab_get(&slab);
        assert_non_null(things[i]);
        assert_int_equal((uintptr_t)things[i] % 16, 0);
        assert_memory_equal(things[i], &zero, sizeof zero);
        memset(things[i], i % 255 + 1, sizeof *things[i]);
    }
    for (int i = 0; i < MANY; i++) {
        const unsigned char *bytes = (const unsigned char *)things[i];

        assert_int_equal(bytes[0], i % 255 + 1);
        assert_int_equal(bytes[sizeof(struct thing) - 1], i % 255 + 1);
    }
    assert_int_equal(tusk__slab_in_use(&slab), MANY);
}

static void test_an_empty_slab_takes_no_memory(void **state)
{
    (void)state;
    assert_int_equal(tusk__live(), 0);
    assert_int_equal(tusk__slab_in_use(&slab), 0);
}

static void test_freed_objects_keep_their_generation(void **state)
{
    struct thing *thing = tusk__slab_get(&slab);

    (void)state;
    thing->generation = 4711;
    tusk__slab_put(&slab, thing);
    assert_int_equal(thing->generation, 4711);
    assert_int_equal(tusk__slab_in_use(&slab), 0);
}

static void test_reuse_takes_no_more_memory(void **state)
{
    size_t blocks = 0;

    (void)state;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 1000; i++)
            things[i] = tusk__slab_get(&slab);
        assert_int_equal(tusk__slab_in_use(&slab), 1000);
        for (int i = 0; i < 1000; i++)
            tusk__slab_put(&slab, things[i]);
        assert_int_equal(tusk__slab_in_use(&slab), 0);
        /* The second round still fills the quarantine, where there is one. */
        if (round == 1)
            blocks = tusk__live();
    }
    assert_int_equal(tusk__live(), blocks);
}

#if TUSK__ASAN
static void test_freed_objects_are_poisoned_and_rest(void **state)
{
    struct thing *thing = tusk__slab_get(&slab);

    (void)state;
    tusk__slab_put(&slab, thing);
    assert_false(__asan_address_is_poisoned(&thing->generation));
    assert_true(__asan_address_is_poisoned(&thing->rest[0]));
    assert_true(__asan_address_is_poisoned(&thing->rest[80]));
    assert_ptr_not_equal(tusk__slab_get(&slab), thing);
}
#else
static void test_the_last_one_freed_comes_first(void **state)
{
    struct thing *first = tusk__slab_get(&slab);
    struct thing *second = tusk__slab_get(&slab);

    (void)state;
    tusk__slab_put(&slab, first);
    tusk__slab_put(&slab, second);
    assert_ptr_equal(tusk__slab_get(&slab), second);
    assert_ptr_equal(tusk__slab_get(&slab), first);
}
#endif

static void test_large_objects(void **state)
{
    struct tusk__slab large;
    char *first;
    char *second;

    (void)state;
    tusk__slab_init(&large, 100000, 0);
    first = tusk__slab_get(&large);
    second = tusk__slab_get(&large);
    assert_non_null(first);
    assert_true(second >= first + 100000 || first >= second + 100000);
    tusk__slab_close(&large);
}

static void test_failures_lose_nothing(void **state)
{
    (void)state;
    tusk__fail_after(1);
    assert_null(tusk__slab_get(&slab));
    /* The second operation is the chunk's memory. */
    tusk__fail_after(2);
    assert_null(tusk__slab_get(&slab));
    assert_int_equal(tusk__slab_in_use(&slab), 0);
    assert_non_null(tusk__slab_get(&slab));
    assert_int_equal(tusk__slab_in_use(&slab), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fresh_objects_are_zero_and_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_slab_takes_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_freed_objects_keep_their_generation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reuse_takes_no_more_memory, setup, teardown),
#if TUSK__ASAN
        cmocka_unit_test_setup_teardown(test_freed_objects_are_poisoned_and_rest, setup, teardown),
#else
        cmocka_unit_test_setup_teardown(test_the_last_one_freed_comes_first, setup, teardown),
#endif
        cmocka_unit_test_setup_teardown(test_large_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures_lose_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
