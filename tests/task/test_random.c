/*
 * Random trees of tasks: they sleep, yield, make children, await, gather, release
 * and cancel each other, and set futures others wait for. Whatever happens, each
 * task that starts ends exactly once, gives what its coroutine returned, and nothing
 * is alive afterwards. The seed is printed when something is wrong; TUSK_TEST_SEED
 * repeats it.
 */
#include "task/stage.h"

enum { CHILDREN_MAX = 6, LIVE_MAX = 60 };

/* How one task fared, kept beside the tree until the run is over. */
struct record {
    tusk_task *task;
    int depth;
    int starts;
    int ends;
    int returned;
};

struct world {
    uint64_t random;
    struct record *records;
    size_t count;
    size_t capacity;
    /* The end of the run comes while the tree lives. */
    bool cut;
};

static struct world world;

/* xorshift64*: small, and the same everywhere. */
static unsigned below(unsigned limit)
{
    world.random ^= world.random >> 12;
    world.random ^= world.random << 25;
    world.random ^= world.random >> 27;
    return (unsigned)((world.random * 2685821657736338717ULL) >> 33) % limit;
}

static int grow(void *arg);

/* A new task of the tree, one reference is the world's, one the caller's; NULL if there are enough. */
static tusk_task *new_task(int depth)
{
    struct record *record;
    size_t index = world.count;

    if (index == world.capacity || depth > 6 || tusk_all_tasks(NULL, 0) > LIVE_MAX)
        return NULL;
    record = &world.records[world.count++];
    record->depth = depth;
    record->task = tusk_create_task(grow, (void *)index, .eager_start = below(5) == 0,
                                    .name = below(4) == 0 ? "named" : NULL);
    expect(record->task != NULL);
    return tusk_retain(record->task);
}

/* A task cannot end with an error that nobody made. */
static void check_code(int rc)
{
    expect(rc >= 0 || rc == -ECANCELED || rc == -EIO || rc == TUSK_AWAITED_ITSELF);
}

static int sleep_a_while(void)
{
    switch (below(4)) {
    case 0:
        return tusk_sleep(0);
    case 1:
        return tusk_sleep(below(3));
    default:
        return tusk_sleep(below(1000) / 1000.0);
    }
}

static void cancel_someone(void)
{
    struct record *record;

    if (world.count == 0)
        return;
    record = &world.records[below((unsigned)world.count)];
    /* An eager task may be running before its creation has returned it. */
    if (!record->task)
        return;
    tusk_task_cancel(record->task, .msg = below(2) ? "why not" : NULL);
    if (below(8) == 0)
        expect(tusk_task_uncancel(record->task) >= 0);
}

static int await_someone(void)
{
    struct record *record = &world.records[below((unsigned)world.count)];

    /* Only downwards, for a ring of awaits would last for ever. */
    if (!record->task || record <= &world.records[world.count / 2] ||
        tusk_task_get_coro(record->task) == NULL)
        return 0;
    return tusk_future_done(record->task) ? tusk_await(tusk_retain(record->task)) : 0;
}

static int gather_children(int depth)
{
    tusk_task *tasks[2 * CHILDREN_MAX];
    int results[2 * CHILDREN_MAX];
    size_t count = 0;
    unsigned wanted = below(CHILDREN_MAX + 1);
    tusk_future *gather;

    for (unsigned i = 0; i < wanted; i++) {
        tusk_task *task = new_task(depth + 1);

        if (!task)
            continue;
        tasks[count++] = task;
        if (below(4) == 0)
            tasks[count++] = tusk_retain(task);
    }
    gather = tusk_gather(tasks, count, .results = results, .return_exceptions = below(2) == 0);
    expect(gather != NULL);
    if (below(6) == 0)
        tusk_future_cancel(gather);
    if (below(8) != 0)
        return tusk_await(gather);
    /* Its results must not outlive this frame, so only a gather without children may be left alone. */
    if (tusk_future_done(gather)) {
        tusk_release(gather);
        return 0;
    }
    return tusk_await(gather);
}

static int await_child(int depth)
{
    tusk_task *task = new_task(depth + 1);

    if (!task)
        return 0;
    if (below(3) == 0)
        tusk_release(task);
    else
        return tusk_await(task);
    return 0;
}

static int set_later(void *arg)
{
    tusk_future *future = arg;
    int rc =
        below(4) == 0 ? tusk_future_set_exception(future, -EIO, "random") : tusk_future_set_result(future, 1);

    expect(rc == 0 || rc == TUSK_INVALID_STATE);
    tusk_release(future);
    return 0;
}

static int await_future(void)
{
    tusk_future *future = tusk_create_future();

    expect(tusk_call_later(below(500) / 100.0, set_later, tusk_retain(future)).handle_ != NULL);
    return tusk_await(future);
}

static int act(int depth)
{
    switch (below(8)) {
    case 0:
    case 1:
        return sleep_a_while();
    case 2:
        return gather_children(depth);
    case 3:
    case 4:
        return await_child(depth);
    case 5:
        cancel_someone();
        return 0;
    case 6:
        return await_someone();
    default:
        return await_future();
    }
}

static int live_a_life(int depth)
{
    int rc = 0;

    for (unsigned i = below(6); i > 0; i--) {
        rc = act(depth);
        check_code(rc);
        /* Some errors end the task, others are swallowed. */
        if (rc < 0 && below(3) != 0)
            return rc;
    }
    if (below(12) == 0)
        return tusk_raise(-EIO, "by chance");
    return (int)below(1000);
}

static int grow(void *arg)
{
    size_t index = (size_t)arg;
    int depth = world.records[index].depth;
    int rc;

    world.records[index].starts++;
    rc = live_a_life(depth);
    world.records[index].ends++;
    world.records[index].returned = rc;
    return rc;
}

static int look_at_report(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    expect(context->message != NULL);
    /* Only what was made during the end of the run may be lost. */
    expect(world.cut || !strstr(context->message, "pending"));
    return 0;
}

static void check_record(const struct record *record)
{
    int result = tusk_future_result(record->task);

    expect(tusk_future_done(record->task));
    expect(record->starts <= 1);
    expect_int(record->ends, record->starts);
    /* A request after its last suspension wins over a result, but not over an error. */
    if (record->starts == 0)
        expect_int(result, -ECANCELED);
    else if (result != record->returned)
        expect(result == -ECANCELED && record->returned >= 0);
    expect(tusk_future_cancelled(record->task) == (result == -ECANCELED));
}

static int settle(void)
{
    /* Everything ends by itself: sleeps are short, and trees are not deep. */
    for (int i = 0; i < 100000 && tusk_all_tasks(NULL, 0) > 1; i++)
        tusk_try(tusk_sleep(1));
    expect_int(tusk_all_tasks(NULL, 0), 1);
    for (size_t i = 0; i < world.count; i++)
        check_record(&world.records[i]);
    return 0;
}

static int plant(void *arg)
{
    int rc;

    (void)arg;
    tusk_loop_set_exception_handler(tusk_get_running_loop(), look_at_report, NULL);
    for (int i = 0; i < 5; i++)
        tusk_release(new_task(0));
    rc = tusk_sleep(5);
    expect_int(rc, 0);
    /* The tree still uses its references: they go with the loop. */
    if (world.cut)
        return rc;
    rc = settle();
    for (size_t i = 0; i < world.count; i++)
        tusk_release(world.records[i].task);
    return rc;
}

/* Grows one tree; with cut, the end of the run comes while it lives. */
static void grow_tree(uint64_t seed, bool cut, bool debug)
{
    static struct record records[2000];
    size_t live = tusk__live();
    int rc;

    stage_clean();
    memset(records, 0, sizeof records);
    world = (struct world){.random = seed * 2 + 1, .records = records, .capacity = 2000, .cut = cut};
    for (int i = 0; i < 10; i++)
        below(2);
    rc = tusk_run(plant, NULL, .clock = TUSK_CLOCK_VIRTUAL, .debug = debug);
    for (size_t i = 0; i < world.count; i++)
        expect(records[i].starts <= 1 && records[i].ends <= records[i].starts);
    if (rc != 0 || stage_failures > 0 || tusk__live() != live)
        fail_msg("TUSK_TEST_SEED=%llu%s%s: rc %d, %zu blocks left, %zu tasks", (unsigned long long)seed,
                 cut ? " cut" : "", debug ? " debug" : "", rc, tusk__live() - live, world.count);
}

static uint64_t first_seed(void)
{
    const char *text = getenv("TUSK_TEST_SEED");

    return text ? strtoull(text, NULL, 10) : 1;
}

static size_t seed_count(void)
{
    return getenv("TUSK_TEST_SEED") ? 1 : many(1000, 60);
}

static void test_trees(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < seed_count(); i++)
        grow_tree(first_seed() + i, false, i % 4 == 3);
}

static void test_trees_cut_by_the_end_of_the_run(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < seed_count(); i++)
        grow_tree(first_seed() + i, true, i % 4 == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_trees_cut_by_the_end_of_the_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
