/*
 * Stacks: sizes, their whole length, the high-water mark, and what one costs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <tusk/task.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/coro.h"
#include "coro/pool.h"
#include "support/live.h"

struct visit {
    struct tusk__coro outer;
    struct tusk__coro inner;
    /* How far down to go: bytes that stay free above the lowest usable one. */
    size_t leave_free;
    size_t deepest;
};

_Static_assert(TUSK__STACK_DEFAULT == TUSK_STACK_DEFAULT, "one size, known to two layers");

static struct tusk__pool pool;

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
    return tusk__live() == 0 ? 0 : -1;
}

static struct tusk__stack *get_stack(size_t size)
{
    struct tusk__stack *stack = NULL;

    assert_int_equal(tusk__pool_get(&pool, size, &stack), 0);
    assert_non_null(stack);
    return stack;
}

static void test_sizes(void **state)
{
    static const size_t wanted[] = {
        TUSK_STACK_MIN,         32768,   32769,           98304, 100000, TUSK_STACK_DEFAULT,
        TUSK_STACK_DEFAULT + 1, 1000000, (size_t)64 << 20};

    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct tusk__stack *stack = get_stack(wanted[i]);

        assert_true(tusk__stack_size(stack) >= wanted[i]);
        assert_true(tusk__stack_size(stack) < 4 * wanted[i] + 65536);
        assert_int_equal((uintptr_t)stack->start % 16, 0);
        /* Both ends are usable. */
        stack->low[0] = 1;
        stack->low[tusk__stack_size(stack) - 1] = 1;
        tusk__pool_put(&pool, stack);
    }
    assert_int_equal(tusk__stack_size(get_stack(0)), TUSK_STACK_DEFAULT);
}

static void test_a_size_that_cannot_be(void **state)
{
    struct tusk__stack *stack = NULL;

    (void)state;
    assert_string_equal(tusk__pool_reason(&pool), "");
    assert_int_equal(tusk__pool_get(&pool, SIZE_MAX, &stack), -ENOMEM);
    assert_null(stack);
    assert_non_null(strstr(tusk__pool_reason(&pool), "more than there can be"));
    assert_int_equal(tusk__pool_get(&pool, (size_t)1 << 48, &stack), -ENOMEM);
}

/* Goes down frame by frame, until only so much is left. */
TUSK__NOINLINE static void descend(struct visit *visit)
{
    volatile char frame[256];
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    memset((char *)frame, 1, sizeof frame);
    /* All of it is wanted: TSan keeps account of no more than 65,536 frames. */
    __asm__ volatile("" : : "r"(frame) : "memory");
    visit->deepest = here - (uintptr_t)visit->inner.stack->low;
    if (visit->deepest > visit->leave_free)
        descend(visit);
    frame[0]++;
}

static void visitor(void *arg)
{
    struct visit *visit = arg;

    tusk__coro_arrived(&visit->inner);
    descend(visit);
    tusk__coro_leave(&visit->inner, &visit->outer);
}

static void test_a_stack_can_be_used_to_its_end(void **state)
{
    static const size_t sizes[] = {TUSK_STACK_MIN, TUSK_STACK_DEFAULT, 4000000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct visit visit = {.inner.stack = get_stack(sizes[i]), .leave_free = 4096};

        tusk__coro_start(&visit.outer, &visit.inner, visitor, &visit);
        assert_true(visit.deepest <= 4096);
        tusk__pool_put(&pool, visit.inner.stack);
    }
}

static void test_the_high_water_mark(void **state)
{
    struct tusk__stack *stack = get_stack(0);
    size_t size = tusk__stack_size(stack);
    size_t depths[] = {size - 3000, size / 2, 20000};
    size_t deepest = size;

    (void)state;
    assert_int_equal(tusk__stack_used(stack), 0);
    for (int i = 0; i < 3; i++) {
        struct visit visit = {.inner.stack = stack, .leave_free = depths[i]};

        tusk__coro_start(&visit.outer, &visit.inner, visitor, &visit);
        assert_true(visit.deepest < deepest);
        deepest = visit.deepest;
        /* What the last frame had below its base, and what it called, comes on top. */
        assert_true(tusk__stack_used(stack) >= size - deepest);
        assert_true(tusk__stack_used(stack) < size - deepest + 3000);
    }
}

static void test_looking_at_a_stack_touches_nothing(void **state)
{
    struct tusk__stack *stack = get_stack(0);
    unsigned char pages[TUSK_STACK_DEFAULT / 4096];
    size_t page = tusk__page_size();
    size_t resident = 0;

    (void)state;
    stack->low[tusk__stack_size(stack) - 1] = 1;
    assert_in_range(tusk__stack_used(stack), 1, 8);
    assert_int_equal(tusk__resident(stack->low, tusk__stack_size(stack), pages), 0);
    for (size_t i = 0; i < tusk__stack_size(stack) / page; i++)
        resident += pages[i] & 1;
    assert_int_equal(resident, 1);
}

#if !TUSK__ASAN && !TUSK__TSAN && !defined(TUSK_CORO_UCONTEXT)
static void sleeper(void *arg)
{
    struct visit *visit = arg;

    tusk__coro_arrived(&visit->inner);
    tusk__coro_switch(&visit->inner, &visit->outer);
    tusk__coro_leave(&visit->inner, &visit->outer);
}

/* A task that sleeps costs one page, whatever its stack's colour. */
/* The line of flags that Linux tells of the mapping an address is in; false: it tells none. */
static bool flags_of(const void *address, char *ret_flags, size_t size)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    uintptr_t low;
    uintptr_t high;
    bool inside = false;
    bool found = false;

    while (maps && !found && fgets(ret_flags, (int)size, maps)) {
        if (sscanf(ret_flags, "%" SCNxPTR "-%" SCNxPTR " ", &low, &high) == 2)
            inside = (uintptr_t)address >= low && (uintptr_t)address < high;
        found = inside && strncmp(ret_flags, "VmFlags:", 8) == 0;
    }
    if (maps)
        fclose(maps);
    return found;
}

/* A page of 2 MiB would be a hundred times what a stack needs, and the kernel gives it unasked. */
static void test_stacks_are_not_made_of_huge_pages(void **state)
{
    static const size_t sizes[] = {0, TUSK_STACK_MIN, 1 << 20, 8 << 20};

    (void)state;
    if (live_is_emulated() || RUNNING_ON_VALGRIND)
        skip();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char flags[512];
        struct tusk__stack *stack = get_stack(sizes[i]);

        *stack->low = 1;
        if (!flags_of(stack->low, flags, sizeof flags))
            skip();
        assert_non_null(strstr(flags, " nh"));
        tusk__pool_put(&pool, stack);
    }
}

static void test_a_sleeper_touches_one_page(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct visit visit = {.inner.stack = get_stack(0)};
        char *end = visit.inner.stack->low + TUSK_STACK_DEFAULT;
        size_t page = tusk__page_size();
        unsigned char pages[2];

        tusk__coro_start(&visit.outer, &visit.inner, sleeper, &visit);
        assert_int_equal(tusk__resident(end - 2 * page, 2 * page, pages), 0);
        assert_int_equal(pages[0] & 1, 0);
        assert_int_equal(pages[1] & 1, 1);
        tusk__coro_switch(&visit.outer, &visit.inner);
    }
}
#endif

/* Starts differ, so that the hot ends of stacks do not share sets of the cache. */
static void test_starts_are_spread(void **state)
{
    size_t colours[64] = {0};
    int different = 0;

    (void)state;
    for (int i = 0; i < 48; i++) {
        struct tusk__stack *stack = get_stack(0);
        size_t below = (size_t)(stack->low + tusk__stack_size(stack) - stack->start);

        assert_int_equal(below % 64, 0);
        assert_true(below <= 1536);
        different += colours[below / 64]++ == 0;
    }
    assert_true(different >= 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_size_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_stack_can_be_used_to_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_high_water_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(test_looking_at_a_stack_touches_nothing, setup, teardown),
#if !TUSK__ASAN && !TUSK__TSAN && !defined(TUSK_CORO_UCONTEXT)
        cmocka_unit_test_setup_teardown(test_stacks_are_not_made_of_huge_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_sleeper_touches_one_page, setup, teardown),
#endif
        cmocka_unit_test_setup_teardown(test_starts_are_spread, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
