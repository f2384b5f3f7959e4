/*
 * The pool: order, many stacks, giving memory back, guards that cost mappings
 * and their limit, and every failure there can be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include <tusk/task.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/pool.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

#define SECOND ((int64_t)1000000000)
/* What the pool keeps warm in a class. */
#define WARM 16
#define MANY 100000

static struct tusk__pool pool;
static struct tusk__stack *stacks[MANY];

static int setup(void **state)
{
    (void)state;
    return tusk__pool_init(&pool);
}

static int teardown(void **state)
{
    (void)state;
    tusk__fail_after(0);
    tusk__pool_close(&pool);
    tusk__guards_force_heavy(0);
    return tusk__live() == 0 ? 0 : -1;
}

static void get_stacks(int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(tusk__pool_get(&pool, 0, &stacks[i]), 0);
}

static void put_stacks(int count)
{
    for (int i = 0; i < count; i++)
        tusk__pool_put(&pool, stacks[i]);
}

static void touch_all(int count)
{
    for (int i = 0; i < count; i++)
        stacks[i]->start[-64] = 1;
}

/* How many of the stacks have memory behind the first byte that a task uses. */
static int count_resident(int count)
{
    uintptr_t page = tusk__page_size();
    int resident = 0;

    for (int i = 0; i < count; i++) {
        uintptr_t hot = ((uintptr_t)stacks[i]->start - 64) / page * page;
        unsigned char state;

        assert_int_equal(tusk__resident((void *)hot, page, &state), 0);
        resident += state & 1;
    }
    return resident;
}

static void test_the_hottest_comes_first(void **state)
{
    struct tusk__stack *again[3];
    struct tusk__stack *large[2];

    (void)state;
    get_stacks(3);
    put_stacks(3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tusk__pool_get(&pool, TUSK_STACK_DEFAULT, &again[i]), 0);
    assert_ptr_equal(again[0], stacks[2]);
    assert_ptr_equal(again[1], stacks[1]);
    assert_ptr_equal(again[2], stacks[0]);
    assert_int_equal(tusk__pool_get(&pool, 1000000, &large[0]), 0);
    tusk__pool_put(&pool, large[0]);
    tusk__pool_put(&pool, again[1]);
    assert_int_equal(tusk__pool_get(&pool, 900000, &large[1]), 0);
    assert_ptr_equal(large[0], large[1]);
}

static int compare_stacks(const void *left, const void *right)
{
    const struct tusk__stack *first = *(struct tusk__stack *const *)left;
    const struct tusk__stack *second = *(struct tusk__stack *const *)right;

    return (first->low > second->low) - (first->low < second->low);
}

/* A guard that costs mappings, or the book-keeping of a sanitizer or valgrind, allows fewer. */
static int how_many(void)
{
#if TUSK__ASAN || TUSK__TSAN
    return 5000;
#else
    return tusk__guards_are_light() && !RUNNING_ON_VALGRIND ? MANY : 5000;
#endif
}

static void test_many_stacks(void **state)
{
    int count = how_many();

    (void)state;
    get_stacks(count);
    touch_all(count);
    qsort(stacks, (size_t)count, sizeof *stacks, compare_stacks);
    for (int i = 0; i + 1 < count; i++) {
        uintptr_t end = (uintptr_t)stacks[i]->low + tusk__stack_size(stacks[i]);

        assert_true((uintptr_t)stacks[i + 1]->low >= end + 32768);
    }
    put_stacks(count);
}

static void test_guards_are_where_they_should(void **state)
{
    (void)state;
    get_stacks(300);
    for (int i = 0; i < 300; i++) {
        assert_ptr_equal(tusk__pool_find_guard(&pool, stacks[i]->low - 1), stacks[i]);
        assert_ptr_equal(tusk__pool_find_guard(&pool, stacks[i]->low - 32768), stacks[i]);
        assert_null(tusk__pool_find_guard(&pool, stacks[i]->low));
        assert_null(tusk__pool_find_guard(&pool, stacks[i]->start - 1));
    }
    assert_null(tusk__pool_find_guard(&pool, NULL));
    assert_null(tusk__pool_find_guard(&pool, &pool));
}

/* Calls trim until it is content with this period. Returns what it said last. */
static int64_t trim_all(int64_t now)
{
    int64_t wait;
    int calls = 0;

    do {
        wait = tusk__pool_trim(&pool, now);
        assert_true(++calls < 10000);
    } while (wait >= 0 && wait < SECOND / 2);
    return wait;
}

static void test_idle_memory_is_given_back(void **state)
{
    int64_t now = 1000 * SECOND;

    (void)state;
    get_stacks(1000);
    touch_all(1000);
    assert_int_equal(count_resident(1000), 1000);
    assert_int_equal(tusk__pool_trim(&pool, now), -1);
    put_stacks(1000);
    assert_int_equal(tusk__pool_trim(&pool, now), SECOND);
    assert_int_equal(tusk__pool_trim(&pool, now + SECOND / 2), SECOND / 2);
    assert_int_equal(count_resident(1000), 1000);
    assert_int_equal(trim_all(now + SECOND), -1);
    assert_int_equal(count_resident(1000), WARM);
    /* The warm ones are those that are used next. */
    assert_int_equal(count_resident(1000 - WARM), 0);
    assert_int_equal(tusk__pool_trim(&pool, now + 10 * SECOND), -1);
    get_stacks(1000);
    touch_all(1000);
}

static void test_stacks_in_use_now_and_then_stay(void **state)
{
    int64_t now = SECOND;

    (void)state;
    get_stacks(1000);
    touch_all(1000);
    put_stacks(1000);
    assert_int_equal(tusk__pool_trim(&pool, now), SECOND);
    /* 300 of them are used in between, and come back. */
    for (int i = 999; i >= 700; i--)
        assert_int_equal(tusk__pool_get(&pool, 0, &stacks[i]), 0);
    for (int i = 700; i < 1000; i++)
        tusk__pool_put(&pool, stacks[i]);
    assert_int_equal(trim_all(now + SECOND), SECOND);
    assert_int_equal(count_resident(700), 0);
    assert_int_equal(count_resident(1000), 300);
    assert_int_equal(trim_all(now + 2 * SECOND), -1);
    assert_int_equal(count_resident(1000), WARM);
}

static void test_what_was_given_back_and_used_is_given_back_again(void **state)
{
    int64_t now = SECOND;

    (void)state;
    for (int round = 0; round < 3; round++) {
        get_stacks(200);
        touch_all(200);
        put_stacks(200);
        while (trim_all(now) >= 0)
            now += SECOND;
        assert_int_equal(count_resident(200), WARM);
    }
}

static void test_each_trim_is_bounded(void **state)
{
    int64_t now = SECOND;
    int calls = 0;

    (void)state;
    get_stacks(3000);
    touch_all(3000);
    put_stacks(3000);
    assert_int_equal(tusk__pool_trim(&pool, now), SECOND);
    now += SECOND;
    for (; tusk__pool_trim(&pool, now) > 0; calls++)
        now += SECOND / 1000;
    assert_in_range(calls, 5, 100);
}

static void test_given_back_stacks_are_zero_again(void **state)
{
    (void)state;
    get_stacks(100);
    touch_all(100);
    assert_true(tusk__stack_used(stacks[0]) > 0);
    put_stacks(100);
    tusk__pool_trim(&pool, SECOND);
    trim_all(2 * SECOND);
    assert_int_equal(tusk__stack_used(stacks[0]), 0);
    assert_true(tusk__stack_used(stacks[99]) > 0);
}

#ifdef __linux__
static long resident_pages(void)
{
    long total = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &total, &resident), 2);
    fclose(file);
    return resident;
}

/* The process as a whole becomes smaller, not only what mincore says of it. */
static void test_the_process_shrinks(void **state)
{
    long full;

    (void)state;
    get_stacks(2000);
    touch_all(2000);
    full = resident_pages();
    put_stacks(2000);
    tusk__pool_trim(&pool, SECOND);
    trim_all(2 * SECOND);
    assert_true(resident_pages() < full - 1800);
}

static void test_address_space_that_ends(void **state)
{
    struct rlimit before;
    struct rlimit limit;
    int rc = 0;

    (void)state;
#if TUSK__ASAN || TUSK__TSAN
    skip();
#endif
    /* Their limit would come first. */
    if (!tusk__guards_are_light())
        skip();
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)4 << 30;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    for (int i = 0; i < MANY && rc == 0; i++)
        rc = tusk__pool_get(&pool, 0, &stacks[i]);
    setrlimit(RLIMIT_AS, &before);
    assert_int_equal(rc, -ENOMEM);
    assert_string_equal(tusk__pool_reason(&pool), "address space limit (ulimit -v) reached");
    /* With room again there are stacks again. */
    assert_int_equal(tusk__pool_get(&pool, 0, &stacks[0]), 0);
}

static void test_guards_that_cost_mappings_end_with_a_clear_error(void **state)
{
    int count = 0;
    int rc = 0;

    (void)state;
    tusk__guards_force_heavy(5000);
    for (; count < MANY && rc == 0; count += rc == 0)
        rc = tusk__pool_get(&pool, 0, &stacks[count]);
    assert_int_equal(rc, -ENOMEM);
    assert_in_range(count, 1000, 2500);
    assert_string_equal(tusk__pool_reason(&pool),
                        "vm.max_map_count = 5000 allows no more guarded stacks; raise it with: "
                        "sysctl -w vm.max_map_count=1000000");
    touch_all(count);
    /* Stacks that are there serve on, and closing gives the mappings back. */
    put_stacks(1);
    assert_int_equal(tusk__pool_get(&pool, 0, &stacks[0]), 0);
    tusk__pool_close(&pool);
    get_stacks(count);
}

static void test_the_real_limit_of_mappings(void **state)
{
    int count = 0;
    int rc = 0;
    void *mapping;

    (void)state;
    tusk__guards_force_heavy(-1);
    /* Valgrind's own table of mappings is smaller than the kernel's. */
    if (tusk__map_limit() > 70000 || RUNNING_ON_VALGRIND)
        skip();
    for (; count < MANY && rc == 0; count += rc == 0)
        rc = tusk__pool_get(&pool, 0, &stacks[count]);
    assert_int_equal(rc, -ENOMEM);
    assert_non_null(strstr(tusk__pool_reason(&pool), "sysctl -w vm.max_map_count="));
    /* The program can still map. */
    assert_int_equal(tusk__map(tusk__page_size(), &mapping), 0);
    tusk__unmap(mapping, tusk__page_size());
}
#endif

static void test_heavy_guards_fault_too(void **state)
{
    (void)state;
    tusk__guards_force_heavy(-1);
    get_stacks(100);
    touch_all(100);
    put_stacks(100);
    tusk__pool_trim(&pool, SECOND);
    trim_all(2 * SECOND);
    assert_int_equal(count_resident(100), WARM);
}

/* Fails the nth operation of making a hundred stacks of two sizes, for every n until none fails. */
static void test_every_failure(void **state)
{
    bool failed = true;

    (void)state;
    for (long n = 1; failed; n++) {
        assert_true(n < 1000);
        tusk__fail_after(n);
        for (int i = 0; i < 200; i++) {
            struct tusk__stack *stack = NULL;
            int rc = tusk__pool_get(&pool, i % 2 == 0 ? 0 : TUSK_STACK_MIN, &stack);

            assert_true(rc == 0 || (rc == -ENOMEM && stack == NULL));
            assert_true(rc == 0 || tusk__pool_reason(&pool)[0] != '\0');
            if (rc == 0)
                stack->start[-1] = 1;
        }
        /* Off already means that the nth operation was reached. */
        failed = atomic_load(&tusk__fail_countdown) == 0;
        tusk__fail_after(0);
        tusk__pool_close(&pool);
        assert_int_equal(tusk__live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_hottest_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_stacks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guards_are_where_they_should, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle_memory_is_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stacks_in_use_now_and_then_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_given_back_and_used_is_given_back_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_each_trim_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_given_back_stacks_are_zero_again, setup, teardown),
#ifdef __linux__
        cmocka_unit_test_setup_teardown(test_the_process_shrinks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_address_space_that_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guards_that_cost_mappings_end_with_a_clear_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_real_limit_of_mappings, setup, teardown),
#endif
        cmocka_unit_test_setup_teardown(test_heavy_guards_fault_too, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_failure, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
