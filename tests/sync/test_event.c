/*
 * Event.
 */
#include "sync/players.h"

static tusk_event event;

static int wait_and_say(void *arg)
{
    tusk_try(tusk_event_wait(&event));
    trace_at(arg);
    return 0;
}

static int set_event(void *arg)
{
    tusk_event_set(arg);
    return 0;
}

static int set_already(void *arg)
{
    tusk_event zeroed;

    (void)arg;
    memset(&zeroed, 0, sizeof zeroed);
    mark();
    expect(!tusk_event_is_set(&zeroed));
    tusk_event_set(&zeroed);
    expect(tusk_event_is_set(&zeroed));
    expect_int(tusk_event_wait(&zeroed), 0);
    expect_int(iterations(), 0);
    tusk_event_clear(&zeroed);
    expect(!tusk_event_is_set(&zeroed));
    return 0;
}

static void test_a_set_event_takes_no_iteration(void **state)
{
    (void)state;
    play_quietly(set_already);
}

/* set, then clear at once: all who waited go on, and who comes then waits. */
static int set_and_clear(void *arg)
{
    tusk_task *tasks[3];
    tusk_task *late;

    (void)arg;
    tasks[0] = tusk_create_task(wait_and_say, "a");
    tasks[1] = tusk_create_task(wait_and_say, "b");
    tasks[2] = tusk_create_task(wait_and_say, "c");
    let_run(1);
    expect_waits(tasks[0], "an event", &event, "");
    mark();
    tusk_event_set(&event);
    tusk_event_clear(&event);
    late = tusk_create_task(wait_and_say, "late");
    expect_int(tusk_await(tusk_gather(tasks, 3)), 0);
    expect(!tusk_future_done(late));
    expect(tusk_call_soon(set_event, &event).handle_ != NULL);
    expect_int(tusk_await(late), 0);
    tusk_event_clear(&event);
    return 0;
}

static void test_set_and_clear_releases_all_who_waited(void **state)
{
    (void)state;
    play_trace(set_and_clear, "a@1 b@1 c@1 late@5");
}

static int cancel_each(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    tasks[0] = tusk_create_task(wait_and_say, "a");
    tasks[1] = tusk_create_task(wait_and_say, "b");
    tasks[2] = tusk_create_task(wait_and_say, "c");
    let_run(1);
    mark();
    /* Before the set; and after it: then it is cancelled too. */
    expect(tusk_task_cancel(tasks[0]));
    tusk_event_set(&event);
    expect(tusk_task_cancel(tasks[1]));
    expect_int(tusk_await(tasks[0]), -ECANCELED);
    expect_int(tusk_await(tasks[1]), -ECANCELED);
    expect_int(tusk_await(tasks[2]), 0);
    tusk_event_clear(&event);
    return 0;
}

static void test_cancels_before_and_after_the_set(void **state)
{
    (void)state;
    play_trace(cancel_each, "c@1");
}

static int wait_in_callback(void *arg)
{
    int *rc = arg;

    *rc = tusk_event_wait(&event);
    return 0;
}

static int misplaced(void *arg)
{
    int rc = 0;

    (void)arg;
    tusk_event_set(&event);
    expect(tusk_call_soon(wait_in_callback, &rc).handle_ != NULL);
    let_run(1);
    expect_int(rc, TUSK_NOT_IN_TASK);
    tusk_event_clear(&event);
    return 0;
}

static void test_only_tasks_wait(void **state)
{
    (void)state;
    play_quietly(misplaced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_set_event_takes_no_iteration),
        cmocka_unit_test(test_set_and_clear_releases_all_who_waited),
        cmocka_unit_test(test_cancels_before_and_after_the_set),
        cmocka_unit_test(test_only_tasks_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
