/*
 * Random programs with cancels at random moments, from a seed that is printed (TUSK_TEST_SEED
 * repeats it), and what must hold all the time: no item is lost, doubled or out of order; a lock has one
 * holder; permits are conserved; and no wake-up is lost. Each task has a quota of things to
 * do and tries again when it is cancelled, the quotas fit together, and the cancels stop in the end: so if
 * a wake-up is lost the loop has nothing left to wake it, and the run ends with -EDEADLK.
 */
#include "support/live.h"
#include "sync/players.h"

enum { TASKS = 8, QUOTA = 40, ITEMS = TASKS * QUOTA };

static uint64_t seed;

static int random_below(int limit)
{
    return (int)(live_random(&seed) % (uint64_t)limit);
}

/* Lets others run now and then; a cancel there is of no interest. */
static void dawdle(void)
{
    for (int i = random_below(3); i > 0; i--)
        if (tusk_sleep(0) < 0)
            return;
}

/* True for a success; a cancel means trying again, and all else is wrong. */
static bool went_well(int rc)
{
    expect(rc >= 0 || rc == -ECANCELED);
    return rc >= 0;
}

/* Cancels tasks at random, for a while, then waits for all of them. */
static int disturb(tusk_task **tasks, int count)
{
    /* One that is cancelled before it starts never does; with a seed for schedules all have started after two turns. */
    let_run(2);
    for (int i = 0; i < 10 * QUOTA; i++) {
        for (int n = random_below(3); n > 0; n--)
            tusk_task_cancel(tasks[random_below(count)]);
        let_run(random_below(3));
    }
    return tusk_await(tusk_gather(tasks, (size_t)count));
}

/* ---- queues: half of the tasks put, half get ---- */

static tusk_queue queue;
static int in_order[ITEMS];
static int put_count;
static int got_count;

/* A put that returns 0 has just put: so the order of returns is that of the items. */
static int produce(void *arg)
{
    int item = (int)(intptr_t)arg * QUOTA;

    for (int done = 0; done < QUOTA;) {
        dawdle();
        if (went_well(tusk_queue_put(&queue, &item))) {
            in_order[put_count++] = item++;
            done++;
        }
    }
    return 0;
}

static int consume(void *arg)
{
    (void)arg;
    for (int done = 0; done < QUOTA;) {
        int item = -1;

        dawdle();
        if (!went_well(tusk_queue_get(&queue, &item)))
            continue;
        done++;
        expect_int(item, in_order[got_count++]);
        expect_int(tusk_queue_task_done(&queue), 0);
    }
    return 0;
}

static int join(void *arg)
{
    (void)arg;
    while (!went_well(tusk_queue_join(&queue)))
        ;
    return 0;
}

static int trade(void *arg)
{
    tusk_task *tasks[TASKS + 1];
    /* Some of these start before the first item is there, and are done at once. */
    int count = TASKS + random_below(2);

    put_count = 0;
    got_count = 0;
    tusk_queue_init(&queue, sizeof(int), (size_t)(intptr_t)arg, NULL);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = tusk_create_task(i % 2 ? consume : produce, as_arg(i));
    tasks[TASKS] = NULL;
    if (count > TASKS)
        tasks[TASKS] = tusk_create_task(join, NULL);
    expect_int(disturb(tasks, count), 0);
    expect_int(put_count, ITEMS / 2);
    expect_int(got_count, ITEMS / 2);
    expect_int(tusk_queue_join(&queue), 0);
    return tusk_queue_close(&queue);
}

/* ---- a lock ---- */

static tusk_lock lock;
static int holders;

static int hold_lock(void *arg)
{
    (void)arg;
    for (int done = 0; done < QUOTA;) {
        dawdle();
        if (!went_well(tusk_lock_acquire(&lock)))
            continue;
        expect_int(++holders, 1);
        dawdle();
        holders--;
        done++;
        expect_int(tusk_lock_release(&lock), 0);
    }
    return 0;
}

static int crowd_at_lock(void *arg)
{
    tusk_task *tasks[TASKS];

    (void)arg;
    holders = 0;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = tusk_create_task(hold_lock, NULL);
    expect_int(disturb(tasks, TASKS), 0);
    expect(!tusk_lock_locked(&lock));
    return 0;
}

/* ---- a semaphore ---- */

enum { PERMITS = 3 };

static tusk_bounded_semaphore semaphore;

static int hold_permit(void *arg)
{
    (void)arg;
    for (int done = 0; done < QUOTA;) {
        dawdle();
        if (!went_well(tusk_bounded_semaphore_acquire(&semaphore)))
            continue;
        expect(++holders <= PERMITS);
        dawdle();
        holders--;
        done++;
        expect_int(tusk_bounded_semaphore_release(&semaphore), 0);
    }
    return 0;
}

static int crowd_at_semaphore(void *arg)
{
    tusk_task *tasks[TASKS];

    (void)arg;
    holders = 0;
    semaphore = (tusk_bounded_semaphore)TUSK_BOUNDED_SEMAPHORE_INIT(PERMITS);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = tusk_create_task(hold_permit, NULL);
    expect_int(disturb(tasks, TASKS), 0);
    for (int i = 0; i < PERMITS; i++)
        expect_int(tusk_bounded_semaphore_acquire(&semaphore), 0);
    expect(tusk_bounded_semaphore_locked(&semaphore));
    return 0;
}

/* ---- a condition: tasks give and take by notifying one at a time ---- */

static tusk_condition condition;
static int stock;

static int is_in_stock(void *arg)
{
    (void)arg;
    return stock > 0;
}

static int give(void *arg)
{
    (void)arg;
    for (int done = 0; done < QUOTA;) {
        dawdle();
        if (!went_well(tusk_condition_acquire(&condition)))
            continue;
        stock++;
        done++;
        dawdle();
        expect_int(tusk_condition_notify(&condition, 1), 0);
        expect_int(tusk_condition_release(&condition), 0);
    }
    return 0;
}

static int take(void *arg)
{
    (void)arg;
    for (int done = 0; done < QUOTA;) {
        dawdle();
        if (!went_well(tusk_condition_acquire(&condition)))
            continue;
        if (went_well(tusk_condition_wait_for(&condition, is_in_stock, NULL))) {
            expect(tusk_condition_locked(&condition));
            expect(--stock >= 0);
            done++;
        }
        expect_int(tusk_condition_release(&condition), 0);
    }
    return 0;
}

static int crowd_at_condition(void *arg)
{
    tusk_task *tasks[TASKS];

    (void)arg;
    stock = 0;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = tusk_create_task(i % 2 ? take : give, NULL);
    expect_int(disturb(tasks, TASKS), 0);
    expect_int(stock, 0);
    expect(!tusk_condition_locked(&condition));
    return 0;
}

/* ---- all of them, many times ---- */

static void play_seeded(tusk_coro *coro, void *arg)
{
    int rc = play_with(coro, arg, false);

    assert_int_equal(rc, 0);
    assert_string_equal(stage_reports, "");
}

static int rounds(void)
{
    return live_count(200, 10);
}

static void test_queues_lose_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < rounds(); i++)
        play_seeded(trade, as_arg(i % 4));
}

static void test_a_lock_has_one_holder(void **state)
{
    (void)state;
    for (int i = 0; i < rounds(); i++)
        play_seeded(crowd_at_lock, NULL);
}

static void test_permits_are_conserved(void **state)
{
    (void)state;
    for (int i = 0; i < rounds(); i++)
        play_seeded(crowd_at_semaphore, NULL);
}

static void test_notifications_are_not_lost(void **state)
{
    (void)state;
    for (int i = 0; i < rounds(); i++)
        play_seeded(crowd_at_condition, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queues_lose_nothing),
        cmocka_unit_test(test_a_lock_has_one_holder),
        cmocka_unit_test(test_permits_are_conserved),
        cmocka_unit_test(test_notifications_are_not_lost),
    };

    seed = live_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
