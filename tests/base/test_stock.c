/*
 * A stock: zeroed memory of any size, kept for the next one, up to a limit, and failing on demand.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/stock.h"
#include "support/live.h"

#define KIB ((size_t)1024)

static struct tusk__stock stock;

static int setup(void **state)
{
    live_setup(state);
    tusk__stock_open(&stock);
    return 0;
}

static int teardown(void **state)
{
    tusk__stock_close(&stock);
    return live_teardown(state);
}

/* Memory that is zero, and is not any more. */
static void *get(size_t size)
{
    unsigned char *memory = tusk__stock_get(&stock, size);

    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(memory[i], 0);
    memset(memory, 0xa5, size);
    return memory;
}

/* How many blocks were taken from the system by getting and putting one of this size. */
static size_t taken_by(size_t size)
{
    size_t taken = tusk__taken();

    tusk__stock_put(&stock, get(size));
    return tusk__taken() - taken;
}

static void test_every_size_is_zeroed(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++)
        for (size_t size = 0; size < 2000; size += 7)
            tusk__stock_put(&stock, get(size));
    for (size_t size = 64 * KIB - 40; size < 64 * KIB + 40; size++)
        tusk__stock_put(&stock, get(size));
    tusk__stock_put(&stock, get(3000 * KIB));
    tusk__stock_put(&stock, NULL);
}

static void test_what_is_given_back_is_used_again(void **state)
{
    (void)state;
    if (TUSK__ASAN)
        skip();
    for (size_t size = 1; size < 200 * KIB; size = size * 3 / 2 + 1) {
        taken_by(size);
        assert_int_equal(taken_by(size), 0);
        assert_int_equal(taken_by(size - 1), 0);
    }
    /* Not what is too large. */
    taken_by(1000 * KIB);
    assert_int_equal(taken_by(1000 * KIB), 1);
}

static void test_no_more_is_kept_than_the_limit(void **state)
{
    enum { COUNT = 40 };
    void *memory[COUNT];
    size_t before;

    (void)state;
    for (int i = 0; i < COUNT; i++)
        memory[i] = get(30 * KIB);
    before = tusk__live();
    for (int i = 0; i < COUNT; i++)
        tusk__stock_put(&stock, memory[i]);
    assert_int_equal(before - tusk__live(), TUSK__ASAN ? COUNT : COUNT - 256 / 32);
}

static void test_an_owner_that_has_gone(void **state)
{
    size_t live = tusk__live();

    (void)state;
    tusk__stock_put(NULL, get(100));
    assert_int_equal(tusk__live(), live);
}

static void test_sizes_that_nobody_has(void **state)
{
    volatile size_t huge = SIZE_MAX;

    (void)state;
    assert_null(tusk__stock_get(&stock, huge));
    assert_null(tusk__stock_get(&stock, huge - 8));
}

/* Also when there is a block to be had: else tests would miss failures that others meet. */
static void test_it_fails_on_demand(void **state)
{
    (void)state;
    tusk__stock_put(&stock, get(100));
    tusk__fail_after(1);
    assert_null(tusk__stock_get(&stock, 100));
    tusk__fail_after(1);
    assert_null(tusk__stock_get(&stock, 1000 * KIB));
    tusk__fail_after(0);
    tusk__stock_put(&stock, get(100));
}

/* ---- threads ---- */

enum { ROUNDS = 20000, HELD = 8 };

static void *take_and_give(void *arg)
{
    unsigned char *held[HELD] = {NULL};
    uintptr_t wrong = 0;
    int rounds = live_count(ROUNDS, ROUNDS / 10);

    for (int i = 0; i < rounds; i++) {
        unsigned char *memory = held[i % HELD];
        size_t size = (size_t)(i % 5 + 1) * 100;

        /* Nobody else has written into what this thread had. */
        wrong += memory && (memory[0] != *(unsigned char *)arg || memory[99] != memory[0]);
        tusk__stock_put(&stock, memory);
        memory = tusk__stock_get(&stock, size);
        wrong += !memory || memory[0] != 0 || memory[size - 1] != 0;
        if (memory)
            memset(memory, *(unsigned char *)arg, size);
        held[i % HELD] = memory;
    }
    for (int i = 0; i < HELD; i++)
        tusk__stock_put(&stock, held[i]);
    return (void *)wrong;
}

static void test_threads_share_it(void **state)
{
    static unsigned char marks[] = {1, 2, 3};
    pthread_t threads[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &marks[i]), 0);
    for (int i = 0; i < 3; i++) {
        void *wrong;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_every_size_is_zeroed),
        test(test_what_is_given_back_is_used_again),
        test(test_no_more_is_kept_than_the_limit),
        test(test_an_owner_that_has_gone),
        test(test_sizes_that_nobody_has),
        test(test_it_fails_on_demand),
        test(test_threads_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
