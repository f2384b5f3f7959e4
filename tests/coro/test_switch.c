/*
 * Switches: places are kept, starts and leaves work from and to anywhere,
 * control words belong to a place, and registers survive.
 */
#include <fenv.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include <tusk/error.h>

#include "base/mem.h"
#include "coro/coro.h"
#include "coro/pool.h"

/* One coroutine and who runs it. */
struct pair {
    struct tusk__coro outer;
    struct tusk__coro inner;
    int steps;
    int seen_rounding;
};

static struct tusk__pool pool;

static int setup(void **state)
{
    (void)state;
    return tusk__pool_init(&pool);
}

static int teardown(void **state)
{
    (void)state;
    tusk__pool_close(&pool);
    return tusk__live() == 0 ? 0 : -1;
}

static struct tusk__stack *get_stack(void)
{
    struct tusk__stack *stack = NULL;

    assert_int_equal(tusk__pool_get(&pool, 0, &stack), 0);
    return stack;
}

/* The one place that switches, so that both directions run through the same code. */
TUSK__NOINLINE static void switch_to(struct tusk__coro *from, struct tusk__coro *to)
{
    tusk__coro_switch(from, to);
}

static void three_steps(void *arg)
{
    struct pair *pair = arg;

    tusk__coro_arrived(&pair->inner);
    for (int i = 0; i < 3; i++) {
        pair->steps++;
        switch_to(&pair->inner, &pair->outer);
    }
    pair->steps = -1;
    tusk__coro_leave(&pair->inner, &pair->outer);
}

static void test_start_switch_leave(void **state)
{
    struct pair pair = {.inner.stack = get_stack()};

    (void)state;
    tusk__coro_start(&pair.outer, &pair.inner, three_steps, &pair);
    assert_int_equal(pair.steps, 1);
    switch_to(&pair.outer, &pair.inner);
    assert_int_equal(pair.steps, 2);
    switch_to(&pair.outer, &pair.inner);
    assert_int_equal(pair.steps, 3);
    switch_to(&pair.outer, &pair.inner);
    assert_int_equal(pair.steps, -1);
    tusk__pool_put(&pool, pair.inner.stack);
}

/* The entry sees a frame as any called function does, so that aligned vector stores do not fault. */
static void check_frame(void *arg)
{
    struct pair *pair = arg;
    char local[64] __attribute__((aligned(64)));

    tusk__coro_arrived(&pair->inner);
    memset(local, 7, sizeof local);
    __asm__ volatile("" : : "r"(local) : "memory");
    pair->steps = (int)((uintptr_t)__builtin_frame_address(0) % 16);
    pair->steps += (char *)local < pair->inner.stack->low || (char *)local > pair->inner.stack->start;
    tusk__coro_leave(&pair->inner, &pair->outer);
}

static void test_entry_frame_is_aligned_and_inside(void **state)
{
    struct tusk__stack *stacks[40];

    (void)state;
    for (int i = 0; i < 40; i++) {
        struct pair pair = {.inner.stack = get_stack(), .steps = -1};

        stacks[i] = pair.inner.stack;
        tusk__coro_start(&pair.outer, &pair.inner, check_frame, &pair);
        assert_int_equal(pair.steps, 0);
    }
    for (int i = 0; i < 40; i++)
        tusk__pool_put(&pool, stacks[i]);
}

/* A chain: each coroutine ends by beginning the next one, on its own stack or on another. */
struct chain {
    struct tusk__coro outer;
    struct tusk__coro links[2];
    int left;
    bool same_stack;
};

static void chain_link(void *arg)
{
    struct chain *chain = arg;
    struct tusk__coro *self = &chain->links[chain->left % 2];
    struct tusk__coro *next = &chain->links[(chain->left + 1) % 2];
    volatile char local[300];

    tusk__coro_arrived(self);
    memset((char *)local, chain->left, sizeof local);
    chain->left--;
    if (chain->left == 0)
        tusk__coro_leave(self, &chain->outer);
    if (chain->same_stack)
        next->stack = self->stack;
    tusk__coro_leave_start(self, next, chain_link, chain);
}

static void run_chain(int length, bool same_stack)
{
    struct chain chain = {.left = length, .same_stack = same_stack};
    struct tusk__stack *first = get_stack();
    struct tusk__stack *second = get_stack();

    chain.links[0].stack = first;
    chain.links[1].stack = same_stack ? first : second;
    tusk__coro_start(&chain.outer, &chain.links[length % 2], chain_link, &chain);
    assert_int_equal(chain.left, 0);
    tusk__pool_put(&pool, first);
    tusk__pool_put(&pool, second);
}

static void test_leave_by_starting_elsewhere(void **state)
{
    (void)state;
    run_chain(100000, false);
}

static void test_leave_by_starting_on_the_same_stack(void **state)
{
    (void)state;
    run_chain(100000, true);
}

/* Two that switch between each other and never by way of the thread's stack. */
struct players {
    struct tusk__coro outer;
    struct tusk__coro players[2];
    int volleys;
};

static void play(struct players *players, int self)
{
    tusk__coro_arrived(&players->players[self]);
    while (players->volleys > 0) {
        players->volleys--;
        switch_to(&players->players[self], &players->players[!self]);
    }
    tusk__coro_leave(&players->players[self], &players->outer);
}

static void second_player(void *arg)
{
    play(arg, 1);
}

static void first_player(void *arg)
{
    struct players *players = arg;

    tusk__coro_arrived(&players->players[0]);
    tusk__coro_start(&players->players[0], &players->players[1], second_player, players);
    while (players->volleys > 0) {
        players->volleys--;
        switch_to(&players->players[0], &players->players[1]);
    }
    tusk__coro_leave(&players->players[0], &players->outer);
}

static void test_direct_switches(void **state)
{
    struct players players = {.volleys = 100001};

    (void)state;
    players.players[0].stack = get_stack();
    players.players[1].stack = get_stack();
    tusk__coro_start(&players.outer, &players.players[0], first_player, &players);
    assert_int_equal(players.volleys, 0);
    /* The other one is dropped: nobody goes on there. */
    tusk__pool_put(&pool, players.players[0].stack);
    tusk__pool_put(&pool, players.players[1].stack);
}

/* Dropped stacks serve again, however deep the frames were that died on them. */
TUSK__NOINLINE static int suspend_deep(struct pair *pair, int depth)
{
    volatile char local[128];

    memset((char *)local, depth, sizeof local);
    if (depth == 0)
        switch_to(&pair->inner, &pair->outer);
    else
        suspend_deep(pair, depth - 1);
    return local[5];
}

static void deep(void *arg)
{
    struct pair *pair = arg;

    tusk__coro_arrived(&pair->inner);
    suspend_deep(pair, 20 + pair->steps % 3);
    tusk__coro_leave(&pair->inner, &pair->outer);
}

static void test_dropped_stacks_serve_again(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct pair pair = {.inner.stack = get_stack(), .steps = i};

        tusk__coro_start(&pair.outer, &pair.inner, deep, &pair);
        if (i % 2 == 0)
            switch_to(&pair.outer, &pair.inner);
        tusk__pool_put(&pool, pair.inner.stack);
    }
}

static void round_upward(void *arg)
{
    struct pair *pair = arg;

    tusk__coro_arrived(&pair->inner);
    fesetround(FE_UPWARD);
    switch_to(&pair->inner, &pair->outer);
    pair->seen_rounding = fegetround();
    tusk__coro_leave(&pair->inner, &pair->outer);
}

static void test_control_words_belong_to_a_place(void **state)
{
    struct pair pair = {.inner.stack = get_stack()};
    volatile double one = 1;
    volatile double three = 3;
    double nearest = one / three;
    int before = fegetround();

    (void)state;
    tusk__coro_start(&pair.outer, &pair.inner, round_upward, &pair);
    assert_int_equal(fegetround(), before);
    assert_true(one / three == nearest);
    fesetround(FE_DOWNWARD);
    switch_to(&pair.outer, &pair.inner);
    assert_int_equal(pair.seen_rounding, FE_UPWARD);
    assert_int_equal(fegetround(), FE_DOWNWARD);
    fesetround(before);
    tusk__pool_put(&pool, pair.inner.stack);
}

static void see_rounding(void *arg)
{
    struct pair *pair = arg;
    struct tusk__words words;

    tusk__coro_arrived(&pair->inner);
    pair->seen_rounding = fegetround();
    fesetround(FE_TONEAREST);
    tusk__words_get(&words);
    fesetround(FE_TOWARDZERO);
    tusk__words_set(&words);
    pair->steps = fegetround();
    tusk__coro_leave(&pair->inner, &pair->outer);
}

static void test_a_start_inherits_control_words(void **state)
{
    struct pair pair = {.inner.stack = get_stack()};
    int before = fegetround();

    (void)state;
    fesetround(FE_DOWNWARD);
    tusk__coro_start(&pair.outer, &pair.inner, see_rounding, &pair);
    assert_int_equal(fegetround(), FE_DOWNWARD);
    assert_int_equal(pair.seen_rounding, FE_DOWNWARD);
    assert_int_equal(pair.steps, FE_TONEAREST);
    fesetround(before);
    tusk__pool_put(&pool, pair.inner.stack);
}

/* Sticky flags are the thread's: an exception raised by one shows in the other. */
static void raise_overflow(void *arg)
{
    struct pair *pair = arg;

    tusk__coro_arrived(&pair->inner);
    feraiseexcept(FE_OVERFLOW);
    tusk__coro_leave(&pair->inner, &pair->outer);
}

static void test_a_flag_does_not_upset_a_switch(void **state)
{
    struct pair pair = {.inner.stack = get_stack()};

    (void)state;
    feclearexcept(FE_ALL_EXCEPT);
    tusk__coro_start(&pair.outer, &pair.inner, raise_overflow, &pair);
    assert_int_equal(fegetround(), FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    tusk__pool_put(&pool, pair.inner.stack);
}

/*
 * Many values alive over a switch: the compiler keeps them in every
 * callee-saved register there is. Without another to switch to, it tells what
 * the result must be.
 */
TUSK__NOINLINE static uint64_t mix_over_switches(struct tusk__coro *self, struct tusk__coro *other,
                                                 uint64_t seed, int times)
{
    uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;
    double x = (double)(seed % 1000), y = x / 3, z = x / 7;

    for (int i = 0; i < times; i++) {
        if (other != NULL)
            switch_to(self, other);
        a += b ^ c;
        b += c ^ d;
        c += d ^ e;
        d += e ^ f;
        e += f ^ a;
        f += a ^ b;
        x = x * 0.5 + y;
        y = y * 0.5 + z;
        z = z * 0.5 + 1;
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ (uint64_t)((x + y + z) * 1000000);
}

struct mixer {
    struct tusk__coro outer;
    struct tusk__coro inner;
    uint64_t result;
};

static void mixing(void *arg)
{
    struct mixer *mixer = arg;

    tusk__coro_arrived(&mixer->inner);
    mixer->result = mix_over_switches(&mixer->inner, &mixer->outer, 12345, 100);
    tusk__coro_leave(&mixer->inner, &mixer->outer);
}

static void test_registers_survive(void **state)
{
    struct mixer mixer = {.inner.stack = get_stack()};
    uint64_t outer;

    (void)state;
    tusk__coro_start(&mixer.outer, &mixer.inner, mixing, &mixer);
    outer = mix_over_switches(&mixer.outer, &mixer.inner, 999, 100);
    assert_true(outer == mix_over_switches(NULL, NULL, 999, 100));
    assert_true(mixer.result == mix_over_switches(NULL, NULL, 12345, 100));
    tusk__pool_put(&pool, mixer.inner.stack);
}

static void test_shadow_stacks_are_refused(void **state)
{
    (void)state;
    assert_int_equal(tusk__coro_check_shadow_stack(0), 0);
    assert_int_equal(tusk__coro_check_shadow_stack(0x7f0000001000), TUSK_SHADOW_STACK);
    assert_int_equal(tusk__coro_check(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start_switch_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(test_entry_frame_is_aligned_and_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leave_by_starting_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leave_by_starting_on_the_same_stack, setup, teardown),
        cmocka_unit_test_setup_teardown(test_direct_switches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped_stacks_serve_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_words_belong_to_a_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_start_inherits_control_words, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_flag_does_not_upset_a_switch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_registers_survive, setup, teardown),
        cmocka_unit_test(test_shadow_stacks_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
