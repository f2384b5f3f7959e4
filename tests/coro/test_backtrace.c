/*
 * Unwinding: from within a coroutine the stack is walked to the entry and one
 * frame further, and ends there; so debuggers and profilers end there too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unwind.h>
#include <cmocka.h>

#include "coro/coro.h"
#include "coro/pool.h"

#define FRAMES 64

/* The caller of every entry; see src/coro/arch/. */
void tusk__coro_bottom(void);

struct walk {
    struct tusk__coro outer;
    struct tusk__coro inner;
    uintptr_t functions[FRAMES];
    int count;
};

static struct tusk__pool pool;

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;

    /* Some unwinders tell of the end as of a frame at 0. */
    if (_Unwind_GetIP(context) == 0 || walk->count == FRAMES)
        return _URC_NORMAL_STOP;
    walk->functions[walk->count++] = (uintptr_t)_Unwind_GetRegionStart(context);
    return _URC_NO_REASON;
}

/* Global, so that a debugger finds it under any optimisation. */
void walk_here(struct walk *walk);

TUSK__NOINLINE void walk_here(struct walk *walk)
{
    walk->count = 0;
    _Unwind_Backtrace(note_frame, walk);
    __asm__ volatile("" : : : "memory");
}

TUSK__NOINLINE static void middle(struct walk *walk)
{
    walk_here(walk);
    __asm__ volatile("" : : : "memory");
}

static void walker(void *arg)
{
    struct walk *walk = arg;

    tusk__coro_arrived(&walk->inner);
    middle(walk);
    tusk__coro_switch(&walk->inner, &walk->outer);
    middle(walk);
    tusk__coro_leave(&walk->inner, &walk->outer);
}

static void assert_ends_at_entry(const struct walk *walk)
{
    int entry = 0;

    while (entry < walk->count && walk->functions[entry] != (uintptr_t)walker)
        entry++;
    assert_true(entry < walk->count);
#ifndef TUSK_CORO_UCONTEXT
    assert_int_equal(walk->count, entry + 2);
    assert_true(walk->functions[entry + 1] == (uintptr_t)tusk__coro_bottom);
#else
    assert_in_range(walk->count, entry + 1, entry + 4);
#endif
}

static void test_a_walk_ends_at_the_entry(void **state)
{
    struct walk walk = {.count = 0};

    (void)state;
    assert_int_equal(tusk__pool_init(&pool), 0);
    assert_int_equal(tusk__pool_get(&pool, 0, &walk.inner.stack), 0);
    tusk__coro_start(&walk.outer, &walk.inner, walker, &walk);
    assert_ends_at_entry(&walk);
    tusk__coro_switch(&walk.outer, &walk.inner);
    assert_ends_at_entry(&walk);
    tusk__pool_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_walk_ends_at_the_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
