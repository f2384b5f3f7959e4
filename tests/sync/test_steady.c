/*
 * No allocation in the steady state: whatever waits, wakes and is cancelled, uses the stacks of the
 * tasks. Every allocation, and every object of a slab, is an operation that could be made to fail:
 * so the countdown to a failure that is far away counts them.
 */
#include "sync/players.h"

enum { FAR = 1000 * 1000, ROUNDS = 100 };

struct things {
    tusk_lock lock;
    tusk_event event;
    tusk_condition condition;
    tusk_semaphore semaphore;
    tusk_bounded_semaphore bounded;
    tusk_barrier barrier;
    tusk_queue queues[3];
    bool over;
};

static int ascending(const void *left, const void *right)
{
    return *(const int *)left - *(const int *)right;
}

static int use_queue(tusk_queue *queue)
{
    int item = 1;

    tusk_try(tusk_queue_put(queue, &item));
    tusk_try(tusk_sleep(0));
    tusk_try(tusk_queue_get(queue, &item));
    return tusk_queue_task_done(queue);
}

static int use_all(struct things *things)
{
    int rc = 0;

    {
        tusk_lock_scope(&things->lock);
        tusk_try(tusk_sleep(0));
    }
    {
        tusk_semaphore_scope(&things->semaphore);
        tusk_bounded_semaphore_scope(&things->bounded);
        tusk_try(tusk_sleep(0));
    }
    {
        tusk_condition_scope(&things->condition);
        tusk_condition_notify(&things->condition, 1);
        if (!things->over)
            rc = tusk_condition_wait(&things->condition);
        tusk_condition_notify(&things->condition, 1);
    }
    for (int i = 0; i < 3 && rc >= 0; i++)
        rc = use_queue(&things->queues[i]);
    return rc;
}

/* Uses everything over and over, cancelled or not. */
static int user(void *arg)
{
    struct things *things = arg;

    while (!things->over) {
        int rc = use_all(things);

        expect(rc >= 0 || rc == -ECANCELED);
        expect(tusk_task_uncancel(tusk_current_task()) >= 0);
    }
    return 0;
}

static int comer(void *arg)
{
    struct things *things = arg;

    while (!things->over) {
        int rc = tusk_barrier_wait(&things->barrier);

        expect(rc >= 0 || rc == -ECANCELED || rc == TUSK_BROKEN_BARRIER);
        rc = tusk_event_wait(&things->event);
        expect(rc == 0 || rc == -ECANCELED);
    }
    return 0;
}

static int turn(struct things *things, tusk_task **tasks, int count, int round)
{
    tusk_event_set(&things->event);
    tusk_event_clear(&things->event);
    if (round % 7 == 0)
        tusk_task_cancel(tasks[round % count]);
    tusk_condition_scope(&things->condition);
    return tusk_condition_notify(&things->condition, 1);
}

static void end(struct things *things, tusk_task **tasks, int count)
{
    things->over = true;
    tusk_event_set(&things->event);
    for (int round = 0; round < 50; round++)
        for (int i = 0; i < count; i++) {
            tusk_task_cancel(tasks[i]);
            if (i == 0)
                let_run(2);
        }
    expect_int(tusk_await(tusk_gather(tasks, (size_t)count, .return_exceptions = true)), 0);
    for (int i = 0; i < 3; i++)
        expect_int(tusk_queue_close(&things->queues[i]), 0);
}

static int steady(void *arg)
{
    struct things things = {
        .semaphore = TUSK_SEMAPHORE_INIT(2),
        .bounded = TUSK_BOUNDED_SEMAPHORE_INIT(1),
        .barrier = TUSK_BARRIER_INIT(3),
        .queues = {TUSK_QUEUE_INIT(int, 2), TUSK_LIFO_QUEUE_INIT(int, 0),
                   TUSK_PRIORITY_QUEUE_INIT(int, 3, ascending)},
    };
    tusk_task *tasks[8];
    long left = 0;

    (void)arg;
    for (int i = 0; i < 8; i++)
        tasks[i] = tusk_create_task(i < 5 ? user : comer, &things);
    for (int round = 0; round < 2 * ROUNDS; round++) {
        if (round == ROUNDS)
            tusk__fail_after(FAR);
        let_run(1);
        expect_int(turn(&things, tasks, 8, round), 0);
    }
    left = atomic_load(&tusk__fail_countdown);
    tusk__fail_after(0);
    expect_int(left, FAR);
    end(&things, tasks, 8);
    return 0;
}

static void test_nothing_is_allocated(void **state)
{
    (void)state;
    play_quietly(steady);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_allocated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
