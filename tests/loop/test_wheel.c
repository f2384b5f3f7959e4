/*
 * The timer wheel against a model that cannot be wrong: an array that is
 * searched from end to end. Random inserts, removes and advances, from a printed
 * seed; then many timers, and the ends of the clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "loop/wheel.h"
#include "support/live.h"

enum { TIMERS = 150 };

struct item {
    struct tusk__timer timer;
    /* When it was inserted, among all; 0: it is not in the wheel. */
    uint64_t serial;
};

static struct tusk__wheel wheel;
static struct item items[TIMERS];
static uint64_t serials;
/* The item that was inserted last. */
static struct item *latest = items;
static uint64_t seed;

/* What the wheel handed out in the present advance. */
static struct item *fired[TIMERS];
static size_t fired_count;

static struct item *item_of(struct tusk__handle *handle)
{
    return container_of(handle, struct item, timer.handle);
}

static void push(void *arg, struct tusk__handle *handle)
{
    assert_ptr_equal(arg, &wheel);
    assert_true(fired_count < TIMERS);
    fired[fired_count++] = item_of(handle);
}

static void insert(struct item *item, int64_t when)
{
    item->timer.when = when;
    item->serial = ++serials;
    latest = item;
    tusk__wheel_insert(&wheel, &item->timer);
    assert_true(tusk__timer_pending(&item->timer));
}

static void remove_item(struct item *item)
{
    tusk__wheel_remove(&wheel, &item->timer);
    assert_false(tusk__timer_pending(&item->timer));
    item->serial = 0;
}

static void start_at(int64_t now)
{
    tusk__wheel_init(&wheel, now);
    memset(items, 0, sizeof items);
    latest = items;
}

/* ---- the model ---- */

/* The pending item that is due first, and not after `limit`; NULL if there is none. */
static struct item *model_first(int64_t limit)
{
    struct item *first = NULL;

    for (int i = 0; i < TIMERS; i++) {
        struct item *item = &items[i];

        if (!item->serial || item->timer.when > limit)
            continue;
        if (!first || item->timer.when < first->timer.when ||
            (item->timer.when == first->timer.when && item->serial < first->serial))
            first = item;
    }
    return first;
}

static size_t model_count(void)
{
    size_t count = 0;

    for (int i = 0; i < TIMERS; i++)
        count += items[i].serial != 0;
    return count;
}

static void check_bound(void)
{
    struct item *first = model_first(INT64_MAX);
    int64_t bound = tusk__wheel_bound(&wheel);

    assert_int_equal(tusk__wheel_count(&wheel), model_count());
    if (!first)
        assert_true(bound == TUSK__NEVER);
    else if (first->timer.when < TUSK__HORIZON)
        assert_true(bound <= first->timer.when);
}

static void advance_and_check(int64_t now)
{
    struct item *expected;

    fired_count = 0;
    tusk__wheel_advance(&wheel, now, push, &wheel);
    for (size_t i = 0; i < fired_count; i++) {
        expected = model_first(now);
        assert_ptr_equal(fired[i], expected);
        assert_false(tusk__timer_pending(&expected->timer));
        expected->serial = 0;
    }
    assert_null(model_first(now));
    assert_true(wheel.base >= now);
}

/* ---- random steps ---- */

static uint64_t below(uint64_t limit)
{
    return live_random(&seed) % limit;
}

/* A distance whose length in bits is random: one nanosecond to centuries. */
static int64_t random_distance(unsigned bits)
{
    return (int64_t)(live_random(&seed) >> (64 - 1 - below(bits)));
}

static int64_t add_up_to(int64_t base, int64_t distance, int64_t limit)
{
    return distance > limit - base ? limit : base + distance;
}

/* Any, and often the one that was inserted last: many timers go soon after they came. */
static struct item *random_item(void)
{
    return below(4) ? &items[below(TIMERS)] : latest;
}

static int64_t random_deadline(void)
{
    struct item *other = &items[below(TIMERS)];

    switch (below(8)) {
    case 0:
        return wheel.base - random_distance(40);
    case 1:
        return wheel.base;
    case 2:
    case 3:
        return other->serial ? other->timer.when : add_up_to(wheel.base, 1, INT64_MAX);
    case 4:
        return below(4) ? add_up_to(wheel.base, 1 + random_distance(6), INT64_MAX) : TUSK__FOREVER;
    default:
        return add_up_to(wheel.base, random_distance(62), INT64_MAX);
    }
}

static int64_t random_time(void)
{
    int64_t bound = tusk__wheel_bound(&wheel);
    struct item *first = model_first(INT64_MAX);

    switch (below(8)) {
    case 0:
        return wheel.base;
    case 1:
        return first && first->timer.when > wheel.base ? first->timer.when : wheel.base;
    case 2:
        return first && first->timer.when > wheel.base ? first->timer.when - 1 : wheel.base;
    case 3:
    case 4:
        return bound != TUSK__NEVER && bound > wheel.base ? bound : wheel.base;
    case 5:
        return add_up_to(wheel.base, random_distance(below(16) ? 45 : 62), INT64_MAX);
    default:
        return add_up_to(wheel.base, random_distance(30), INT64_MAX);
    }
}

static void random_step(void)
{
    struct item *item = random_item();

    if (below(5) == 0)
        advance_and_check(random_time());
    else if (!item->serial)
        insert(item, random_deadline());
    else if (below(3) == 0)
        remove_item(item);
    check_bound();
}

static void test_against_the_model(void **state)
{
    static const int64_t starts[] = {0,
                                     63,
                                     4095,
                                     1,
                                     1700000000000000000,
                                     INT64_MAX - 100000,
                                     TUSK__HORIZON - 1,
                                     INT64_MAX / 2,
                                     123456789012345};
    int steps = live_count(6000, 800);

    (void)state;
    for (size_t i = 0; i < 3 * sizeof starts / sizeof starts[0]; i++) {
        start_at(starts[i % (sizeof starts / sizeof starts[0])]);
        for (int step = 0; step < steps; step++)
            random_step();
        advance_and_check(INT64_MAX);
        assert_int_equal(tusk__wheel_count(&wheel), 0);
        assert_int_equal(wheel.levels, 0);
    }
}

/* Small deadlines and steps, so that slots are crossed all the time. */
static void test_close_together(void **state)
{
    int rounds = live_count(20000, 2000);

    (void)state;
    start_at(4095 * 64 - 1);
    for (int round = 0; round < rounds; round++) {
        struct item *item = random_item();

        if (item->serial)
            remove_item(item);
        else
            insert(item, wheel.base + (int64_t)below(300) - 20);
        if (below(4) == 0)
            advance_and_check(wheel.base + (int64_t)below(140));
        check_bound();
    }
    advance_and_check(INT64_MAX);
}

/* ---- single promises ---- */

static void test_an_empty_wheel(void **state)
{
    (void)state;
    start_at(1000);
    assert_true(tusk__wheel_bound(&wheel) == TUSK__NEVER);
    advance_and_check(5000);
    assert_int_equal(fired_count, 0);
    assert_true(wheel.base == 5000);
    /* The clock does not go back. */
    tusk__wheel_advance(&wheel, 10, push, &wheel);
    assert_true(wheel.base == 5000);
}

static void test_at_most_ten_rounds_lead_to_a_deadline(void **state)
{
    (void)state;
    for (int i = 0; i < live_count(20000, 2000); i++) {
        int64_t when;
        int rounds = 0;

        start_at((int64_t)(live_random(&seed) >> (2 + below(60))));
        when = add_up_to(wheel.base, 1 + random_distance(62), TUSK__HORIZON - 1);
        if (when <= wheel.base)
            continue;
        insert(&items[0], when);
        for (;;) {
            int64_t bound = tusk__wheel_bound(&wheel);

            assert_true(bound > wheel.base && bound <= when);
            advance_and_check(bound);
            if (fired_count > 0)
                break;
            rounds++;
        }
        assert_true(wheel.base == when);
        assert_in_range(rounds, 0, 10);
    }
}

static void test_one_deadline_inserted_at_different_times(void **state)
{
    int64_t when = (int64_t)1 << 40;

    (void)state;
    start_at(3);
    for (int i = 0; i < TIMERS; i++) {
        insert(&items[i], when);
        advance_and_check(wheel.base + (when - wheel.base) / 4);
        assert_int_equal(fired_count, 0);
    }
    advance_and_check(when - 1);
    assert_int_equal(fired_count, 0);
    advance_and_check(when);
    assert_int_equal(fired_count, TIMERS);
    for (int i = 0; i < TIMERS; i++)
        assert_ptr_equal(fired[i], &items[i]);
}

static void test_deadlines_from_a_nanosecond_to_centuries(void **state)
{
    (void)state;
    start_at(0);
    for (int bit = 61; bit >= 0; bit--)
        insert(&items[bit], (int64_t)1 << bit);
    for (int bit = 0; bit < 62; bit++) {
        advance_and_check(((int64_t)1 << bit) - 1);
        assert_int_equal(fired_count, 0);
        advance_and_check((int64_t)1 << bit);
        assert_int_equal(fired_count, 1);
        assert_ptr_equal(fired[0], &items[bit]);
    }
}

static void test_what_is_past_is_due_by_deadline_then_creation(void **state)
{
    static const int64_t when[] = {50, -7, 100, 99, 50, INT64_MIN, -7, 0};
    static const int order[] = {5, 1, 6, 7, 0, 4, 3, 2};

    (void)state;
    start_at(100);
    for (int i = 0; i < 8; i++)
        insert(&items[i], when[i]);
    assert_true(tusk__wheel_bound(&wheel) == INT64_MIN);
    remove_item(&items[5]);
    assert_true(tusk__wheel_bound(&wheel) == -7);
    advance_and_check(100);
    assert_int_equal(fired_count, 7);
    for (int i = 0; i < 7; i++)
        assert_ptr_equal(fired[i], &items[order[i + 1]]);
}

static void test_the_end_of_the_clock(void **state)
{
    (void)state;
    start_at(0);
    insert(&items[0], TUSK__FOREVER);
    insert(&items[1], INT64_MAX);
    insert(&items[2], TUSK__HORIZON);
    /* None of them counts as a deadline. */
    assert_true(tusk__wheel_bound(&wheel) == TUSK__NEVER);
    insert(&items[3], TUSK__HORIZON - 1);
    for (int64_t bound; (bound = tusk__wheel_bound(&wheel)) != TUSK__NEVER;)
        advance_and_check(bound);
    assert_true(wheel.base == TUSK__HORIZON - 1);
    assert_int_equal(tusk__wheel_count(&wheel), 3);
    remove_item(&items[1]);
    advance_and_check(TUSK__FOREVER);
    assert_int_equal(fired_count, 2);
    assert_ptr_equal(fired[0], &items[2]);
    assert_ptr_equal(fired[1], &items[0]);
    insert(&items[4], INT64_MAX);
    advance_and_check(INT64_MAX);
    assert_int_equal(fired_count, 1);
    insert(&items[5], INT64_MAX);
    advance_and_check(INT64_MAX);
    assert_int_equal(fired_count, 1);
}

static void expect_fired(int first, int second)
{
    assert_int_equal(fired_count, 2);
    assert_ptr_equal(fired[0], &items[first]);
    assert_ptr_equal(fired[1], &items[second]);
}

/* The timer that was inserted last waits by itself, and nobody can tell. */
static void test_the_newest_one(void **state)
{
    (void)state;
    start_at(0);
    insert(&items[0], 5000);
    assert_true(tusk__wheel_bound(&wheel) == 5000);
    remove_item(&items[0]);
    assert_true(tusk__wheel_bound(&wheel) == TUSK__NEVER);
    insert(&items[1], 5000);
    insert(&items[0], 5000);
    remove_item(&items[0]);
    insert(&items[2], 5000);
    advance_and_check(4999);
    insert(&items[0], 5001);
    insert(&items[3], 3);
    assert_true(tusk__wheel_bound(&wheel) == 3);
    advance_and_check(5000);
    assert_int_equal(fired_count, 3);
    insert(&items[4], 5001);
    advance_and_check(INT64_MAX);
    expect_fired(0, 4);
}

/* ---- many ---- */

enum { HOUR_NS_BITS = 42 };

static int64_t last_when;
static uint64_t last_serial;
static size_t many_fired;

static void push_in_order(void *arg, struct tusk__handle *handle)
{
    struct item *item = item_of(handle);

    assert_true(item->timer.when <= *(int64_t *)arg);
    assert_true(item->timer.when > last_when ||
                (item->timer.when == last_when && item->serial > last_serial));
    last_when = item->timer.when;
    last_serial = item->serial;
    many_fired++;
}

static void test_a_million(void **state)
{
    size_t count = (size_t)live_count(1000000, 50000);
    struct item *many = calloc(count, sizeof *many);
    size_t removed = 0;

    (void)state;
    assert_non_null(many);
    start_at(5000);
    for (size_t i = 0; i < count; i++)
        /* Some are equal: a microsecond's worth of deadlines is one. */
        insert(&many[i], 5000 + ((random_distance(HOUR_NS_BITS) + 1) & (i % 2 ? -1 : ~1023)));
    for (size_t i = 0; i < count; i++)
        if (below(2)) {
            remove_item(&many[i]);
            removed++;
        }
    assert_int_equal(tusk__wheel_count(&wheel), count - removed);
    last_when = INT64_MIN;
    many_fired = 0;
    for (int64_t now = 5000; tusk__wheel_count(&wheel) > 0; now += (int64_t)1 << (HOUR_NS_BITS - 10))
        tusk__wheel_advance(&wheel, now, push_in_order, &now);
    assert_int_equal(many_fired, count - removed);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_model),
        cmocka_unit_test(test_close_together),
        cmocka_unit_test(test_an_empty_wheel),
        cmocka_unit_test(test_at_most_ten_rounds_lead_to_a_deadline),
        cmocka_unit_test(test_one_deadline_inserted_at_different_times),
        cmocka_unit_test(test_deadlines_from_a_nanosecond_to_centuries),
        cmocka_unit_test(test_what_is_past_is_due_by_deadline_then_creation),
        cmocka_unit_test(test_the_end_of_the_clock),
        cmocka_unit_test(test_the_newest_one),
        cmocka_unit_test(test_a_million),
    };

    seed = live_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
