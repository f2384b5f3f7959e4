/*
 * Cancelling tasks: asyncio's rules, each in its corner; the first ones are in tests/scenarios.
 * The traces were compared with what CPython prints for the same programs.
 */
#include "task/stage.h"

/* What the latest await or sleep of a coroutine gave, with its message. */
static void trace_outcome(const char *word, int rc)
{
    const char *message = rc < 0 ? tusk_message() : NULL;

    trace("%s:%s:%s@%d", word, rc < 0 ? tusk_errorname(rc) : "ok", message ? message : "-", iterations());
}

/* ---- where a cancel meets a task ---- */

static int say_body(void *arg)
{
    (void)arg;
    trace_at("body");
    return 0;
}

static int before_start_twice(void *arg)
{
    tusk_task *task = tusk_create_task(say_body, NULL);

    (void)arg;
    expect(tusk_task_cancel(task, .msg = "first"));
    expect(tusk_task_cancel(task, .msg = "second"));
    expect_int(tusk_task_cancelling(task), 2);
    mark();
    trace_outcome("await", tusk_await(task));
    return 0;
}

static void test_before_start_the_last_message_wins(void **state)
{
    (void)state;
    play_trace(before_start_twice, "await:ECANCELED:second@2");
}

static int before_start_taken_back(void *arg)
{
    tusk_task *task = tusk_create_task(say_body, NULL);

    (void)arg;
    expect(tusk_task_cancel(task));
    expect_int(tusk_task_uncancel(task), 0);
    mark();
    trace_outcome("await", tusk_await(task));
    return 0;
}

static void test_before_start_taken_back(void **state)
{
    (void)state;
    play_trace(before_start_taken_back, "body@1 await:ok:-@2");
}

static int sleeper(void *arg)
{
    int rc;

    (void)arg;
    rc = tusk_sleep(3600);
    trace_outcome("sleeper", rc);
    return rc;
}

static int while_sleeping(void *arg)
{
    tusk_task *task = tusk_create_task(sleeper, NULL);

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect(tusk_task_cancel(task, .msg = "wake up"));
    trace_outcome("main", tusk_await(task));
    return 0;
}

static void test_while_sleeping(void **state)
{
    (void)state;
    play_trace(while_sleeping, "sleeper:ECANCELED:wake up@1 main:ECANCELED:wake up@2");
}

static int twice_in_one_tick(void *arg)
{
    tusk_task *task = tusk_create_task(sleeper, NULL);

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect(tusk_task_cancel(task, .msg = "first"));
    expect(tusk_task_cancel(task, .msg = "second"));
    expect_int(tusk_task_cancelling(task), 2);
    trace_outcome("main", tusk_await(tusk_retain(task)));
    expect_int(tusk_task_cancelling(task), 2);
    tusk_release(task);
    return 0;
}

static void test_twice_in_one_tick_the_first_message_wins(void **state)
{
    (void)state;
    play_trace(twice_in_one_tick, "sleeper:ECANCELED:first@1 main:ECANCELED:first@2");
}

static int yielder(void *arg)
{
    int rc = tusk_sleep(0);

    (void)arg;
    trace_outcome("yielder", rc);
    return rc;
}

static int while_yielding(void *arg)
{
    tusk_task *task = tusk_create_task(yielder, NULL);

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect(tusk_task_cancel(task, .msg = "first"));
    expect(tusk_task_cancel(task, .msg = "second"));
    trace_outcome("main", tusk_await(task));
    return 0;
}

static void test_while_yielding_the_last_message_wins(void **state)
{
    (void)state;
    play_trace(while_yielding, "yielder:ECANCELED:second@1 main:ECANCELED:second@2");
}

static int awaiter(void *arg)
{
    int rc = tusk_await(arg);

    trace_outcome("awaiter", rc);
    return rc;
}

/* The future is done, but the task has not gone on: the result is lost. */
static int result_lost(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *task = tusk_create_task(awaiter, tusk_retain(future));

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect_int(tusk_future_set_result(future, 42), 0);
    expect(tusk_task_cancel(task, .msg = "lost"));
    trace_outcome("main", tusk_await(task));
    expect_int(tusk_future_result(future), 42);
    tusk_release(future);
    return 0;
}

static void test_result_lost(void **state)
{
    (void)state;
    play_trace(result_lost, "awaiter:ECANCELED:lost@1 main:ECANCELED:lost@2");
}

/* The same with an error; the cancel counts as a look at it. */
static int error_lost(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *task = tusk_create_task(awaiter, future);

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect_int(tusk_future_set_exception(future, -EIO, "disk"), 0);
    expect(tusk_task_cancel(task, .msg = "lost"));
    trace_outcome("main", tusk_await(task));
    return 0;
}

static void test_error_lost(void **state)
{
    (void)state;
    play_trace(error_lost, "awaiter:ECANCELED:lost@1 main:ECANCELED:lost@2");
}

/* The future itself was cancelled first: its message counts. */
static int future_cancelled_first(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *task = tusk_create_task(awaiter, tusk_retain(future));

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect(tusk_future_cancel(future, .msg = "future"));
    expect(tusk_task_cancel(task, .msg = "task"));
    expect_int(tusk_task_cancelling(task), 1);
    trace_outcome("main", tusk_await(task));
    tusk_release(future);
    return 0;
}

static void test_future_cancelled_first(void **state)
{
    (void)state;
    play_trace(future_cancelled_first, "awaiter:ECANCELED:future@1 main:ECANCELED:future@2");
}

static int one_second_sleeper(void *arg)
{
    int rc = tusk_sleep(1);

    (void)arg;
    trace_outcome("sleeper", rc);
    return rc;
}

static int cancel_task(void *arg)
{
    mark();
    expect(tusk_task_cancel(arg, .msg = "late"));
    return 0;
}

/* Both timers fire in one iteration; the callback stands before the sleeper's own step. */
static int fires_with_cancel(void *arg)
{
    tusk_task *task;

    (void)arg;
    task = tusk_create_task(one_second_sleeper, NULL);
    expect_int(tusk_sleep(0), 0);
    tusk_call_later(1, cancel_task, task);
    trace_outcome("main", tusk_await(task));
    return 0;
}

static void test_timer_fired_already(void **state)
{
    (void)state;
    play_trace(fires_with_cancel, "sleeper:ECANCELED:late@1 main:ECANCELED:late@2");
}

/* ---- a task that cancels itself ---- */

static int cancel_self(void *arg)
{
    (void)arg;
    expect(tusk_task_cancel(tusk_current_task(), .msg = "myself"));
    return 0;
}

static int self_then_raise(void *arg)
{
    cancel_self(arg);
    return tusk_raise(-EIO, "disk");
}

static int self_then_done(void *arg)
{
    tusk_future *future = tusk_create_future();
    int rc;

    cancel_self(arg);
    expect_int(tusk_future_set_result(future, 3), 0);
    rc = tusk_await(future);
    trace_outcome("done", rc);
    rc = tusk_sleep(0);
    trace_outcome("yield", rc);
    return rc;
}

static int self_then_pending(void *arg)
{
    tusk_future *future = tusk_create_future();
    int rc;

    cancel_self(arg);
    rc = tusk_await(tusk_retain(future));
    trace_outcome("pending", rc);
    expect(tusk_future_cancelled(future));
    expect_text(tusk_future_message(future), "myself");
    tusk_release(future);
    rc = tusk_sleep(0);
    trace_outcome("yield", rc);
    return 6;
}

static int self_then_uncancel(void *arg)
{
    int rc;

    cancel_self(arg);
    cancel_self(arg);
    expect_int(tusk_task_uncancel(tusk_current_task()), 1);
    expect_int(tusk_task_uncancel(tusk_current_task()), 0);
    expect_int(tusk_task_uncancel(tusk_current_task()), 0);
    rc = tusk_sleep(0);
    trace_outcome("yield", rc);
    return rc;
}

static int run_child(void *arg)
{
    tusk_task *task = tusk_create_task(arg, NULL);

    mark();
    trace_outcome("main", tusk_await(tusk_retain(task)));
    trace("%s", tusk_future_cancelled(task) ? "cancelled" : "finished");
    tusk_release(task);
    return 0;
}

static void play_child(tusk_coro *child, const char *wanted)
{
    int rc = play_with(run_child, child, false);

    assert_string_equal(stage_trace, wanted);
    assert_string_equal(stage_reports, "");
    assert_int_equal(rc, 0);
}

static void test_self_then_raise(void **state)
{
    (void)state;
    play_child(self_then_raise, "main:EIO:disk@2 finished");
}

static void test_self_then_await_done(void **state)
{
    (void)state;
    play_child(self_then_done, "done:ok:-@1 yield:ECANCELED:myself@2 main:ECANCELED:myself@3 cancelled");
}

static void test_self_then_await_pending(void **state)
{
    (void)state;
    play_child(self_then_pending, "pending:ECANCELED:myself@2 yield:ok:-@3 main:ok:-@4 finished");
}

static void test_self_then_uncancel(void **state)
{
    (void)state;
    play_child(self_then_uncancel, "yield:ok:-@2 main:ok:-@3 finished");
}

static int just_cancelled(void *arg)
{
    (void)arg;
    return tusk_raise(-ECANCELED, "by hand");
}

static void test_returning_the_code_is_ending_cancelled(void **state)
{
    (void)state;
    play_child(just_cancelled, "main:ECANCELED:by hand@2 cancelled");
}

/* ---- swallowed ---- */

static int stubborn(void *arg)
{
    for (int i = 0; i < 3; i++) {
        int rc = tusk_sleep(3600);

        trace_outcome("stubborn", rc);
        trace("%d", tusk_task_cancelling(tusk_current_task()));
    }
    (void)arg;
    return 9;
}

static int cancel_stubborn(void *arg)
{
    tusk_task *task = tusk_create_task(stubborn, NULL);

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    for (int i = 0; i < 3; i++) {
        expect(tusk_task_cancel(task));
        expect(!tusk_future_done(task));
        expect_int(tusk_sleep(0), 0);
    }
    expect(tusk_future_done(task));
    expect_int(tusk_task_cancelling(task), 3);
    expect_int(tusk_await(task), 9);
    return 0;
}

static void test_swallowed(void **state)
{
    (void)state;
    play_trace(cancel_stubborn, "stubborn:ECANCELED:-@1 1 stubborn:ECANCELED:-@2 2 stubborn:ECANCELED:-@3 3");
}

/* Cleaning up takes time, and is cancelled again meanwhile. */
static int cleaner(void *arg)
{
    int rc = tusk_sleep(3600);

    (void)arg;
    trace_outcome("cancelled", rc);
    rc = tusk_sleep(0);
    trace_outcome("cleaned", rc);
    return -ECANCELED;
}

static int clean_up(void *arg)
{
    tusk_task *task = tusk_create_task(cleaner, NULL);

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect(tusk_task_cancel(task, .msg = "end"));
    trace_outcome("main", tusk_await(task));
    return 0;
}

static void test_clean_up(void **state)
{
    (void)state;
    play_trace(clean_up, "cancelled:ECANCELED:end@1 cleaned:ok:-@2 main:ECANCELED:end@3");
}

/* ---- uncancel ---- */

static int uncancel_while_waiting(void *arg)
{
    tusk_task *task = tusk_create_task(sleeper, NULL);

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect(tusk_task_cancel(task));
    /* It was delivered to the sleep already: taking it back changes only the count. */
    expect_int(tusk_task_uncancel(task), 0);
    trace_outcome("main", tusk_await(task));
    return 0;
}

static void test_uncancel_after_delivery(void **state)
{
    (void)state;
    play_trace(uncancel_while_waiting, "sleeper:ECANCELED:-@1 main:ECANCELED:-@2");
}

static int uncancel_one_of_two(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *task = tusk_create_task(awaiter, future);

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect_int(tusk_future_set_result(future, 42), 0);
    expect(tusk_task_cancel(task));
    expect(tusk_task_cancel(task));
    expect_int(tusk_task_uncancel(task), 1);
    trace_outcome("main", tusk_await(task));
    return 0;
}

static void test_uncancel_one_of_two(void **state)
{
    (void)state;
    play_trace(uncancel_one_of_two, "awaiter:ECANCELED:-@1 main:ECANCELED:-@2");
}

static int counts_of_futures(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *task = tusk_create_task(return_seven, NULL);

    (void)arg;
    expect_int(tusk_task_cancelling(future), TUSK_INVALID_STATE);
    expect_int(tusk_task_uncancel(future), TUSK_INVALID_STATE);
    expect_int(tusk_task_cancelling(NULL), TUSK_INVALID_STATE);
    expect_int(tusk_task_uncancel(NULL), TUSK_INVALID_STATE);
    expect(!tusk_task_cancel(NULL));
    expect_int(tusk_task_cancelling(task), 0);
    expect_int(tusk_task_uncancel(task), 0);
    expect_int(tusk_await(tusk_retain(task)), 7);
    expect(!tusk_task_cancel(task));
    expect_int(tusk_task_cancelling(task), 0);
    tusk_release(task);
    /* A plain future is cancelled by the task's word too. */
    expect(tusk_task_cancel(future));
    expect(tusk_future_cancelled(future));
    tusk_release(future);
    return 0;
}

static void test_counts(void **state)
{
    (void)state;
    play_quietly(counts_of_futures);
}

/* ---- chains and rings ---- */

struct level {
    int depth;
    tusk_task **tasks;
};

static int chain(void *arg)
{
    const struct level *level = arg;
    struct level below = {level->depth - 1, level->tasks};
    char word[32];
    int rc;

    if (level->depth == 0) {
        rc = tusk_sleep(3600);
    } else {
        level->tasks[below.depth] = tusk_create_task(chain, &below);
        rc = tusk_await(level->tasks[below.depth]);
    }
    snprintf(word, sizeof word, "%d", level->depth);
    trace_outcome(word, rc);
    return rc;
}

static int cancel_chain(void *arg)
{
    tusk_task *tasks[4];
    struct level top = {3, tasks};

    (void)arg;
    tasks[3] = tusk_create_task(chain, &top);
    expect_int(tusk_sleep(1), 0);
    mark();
    expect(tusk_task_cancel(tasks[3], .msg = "all"));
    for (int i = 0; i < 4; i++)
        expect_int(tusk_task_cancelling(tasks[i]), 1);
    trace_outcome("main", tusk_await(tasks[3]));
    return 0;
}

static void test_chain(void **state)
{
    (void)state;
    play_trace(cancel_chain, "0:ECANCELED:all@1 1:ECANCELED:all@2 2:ECANCELED:all@3 3:ECANCELED:all@4 "
                             "main:ECANCELED:all@5");
}

/* The leaf swallows it, so its awaiters never see it; their counts stay. */
static int await_leaf(void *arg)
{
    return tusk_await(arg);
}

static int swallowed_by_leaf(void *arg)
{
    tusk_task *leaf = tusk_create_task(swallow_cancel, NULL);
    tusk_task *middle = tusk_create_task(await_leaf, leaf);
    tusk_task *head = tusk_create_task(await_leaf, tusk_retain(middle));

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    expect(tusk_task_cancel(head));
    expect_int(tusk_await(tusk_retain(head)), 1);
    expect_int(tusk_task_cancelling(head), 1);
    expect_int(tusk_task_cancelling(middle), 1);
    tusk_release(head);
    tusk_release(middle);
    return 0;
}

static void test_leaf_swallows_for_all(void **state)
{
    (void)state;
    play_quietly(swallowed_by_leaf);
}

/*
 * Each of the tasks has a stack: as many as a kernel allows that has no MADV_GUARD_INSTALL,
 * where a guarded stack takes two mappings of 65,530.
 */
enum { LONG_CHAIN = 20000 };

static int long_level(void *arg)
{
    intptr_t depth = (intptr_t)arg;

    if (depth == 0)
        return tusk_sleep(3600);
    return tusk_await(tusk_create_task(long_level, (void *)(depth - 1), .stack_size = TUSK_STACK_MIN));
}

static int cancel_long_chain(void *arg)
{
    intptr_t depth = (intptr_t)many(LONG_CHAIN, 1000);
    tusk_task *task = tusk_create_task(long_level, (void *)depth, .stack_size = TUSK_STACK_MIN);

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    mark();
    expect(tusk_task_cancel(task, .msg = "head"));
    expect_int(tusk_await(task), -ECANCELED);
    expect_text(tusk_message(), "head");
    expect_int(iterations(), depth + 2);
    return 0;
}

static void test_long_chain(void **state)
{
    (void)state;
    play_quietly(cancel_long_chain);
}

/* The end of a run cancels each task of a chain, and must not walk down the chain for each. */
static int leave_long_chain(void *arg)
{
    intptr_t depth = (intptr_t)many(LONG_CHAIN, 1000);

    (void)arg;
    tusk_release(tusk_create_task(long_level, (void *)depth, .stack_size = TUSK_STACK_MIN));
    return tusk_sleep(1);
}

static void test_long_chain_at_the_end_of_a_run(void **state)
{
    (void)state;
    play_quietly(leave_long_chain);
}

struct ring {
    tusk_task *tasks[3];
    int count;
};

struct ring_place {
    struct ring *ring;
    int index;
};

static int ring_member(void *arg)
{
    const struct ring_place *place = arg;
    int next = (place->index + 1) % place->ring->count;
    char word[] = {(char)('a' + place->index), '\0'};
    int rc;

    rc = tusk_await(tusk_retain(place->ring->tasks[next]));
    trace_outcome(word, rc);
    return rc;
}

static int cancel_ring(void *arg)
{
    int count = (int)(intptr_t)arg;
    struct ring ring = {.count = count};
    struct ring_place places[3];

    for (int i = 0; i < count; i++) {
        places[i] = (struct ring_place){&ring, i};
        ring.tasks[i] = tusk_create_task(ring_member, &places[i]);
    }
    expect_int(tusk_sleep(1), 0);
    mark();
    expect(tusk_task_cancel(ring.tasks[0], .msg = "cut"));
    return tusk_await(tusk_gather(ring.tasks, (size_t)count, .return_exceptions = true));
}

static void test_ring_of_two(void **state)
{
    (void)state;
    assert_int_equal(play_with(cancel_ring, as_arg(2), false), 0);
    assert_non_null(strstr(stage_trace, "a:ECANCELED:cut"));
    assert_non_null(strstr(stage_trace, "b:ECANCELED:cut"));
    assert_string_equal(stage_reports, "");
}

static void test_ring_of_three(void **state)
{
    (void)state;
    assert_int_equal(play_with(cancel_ring, as_arg(3), false), 0);
    assert_non_null(strstr(stage_trace, "a:ECANCELED:cut"));
    assert_non_null(strstr(stage_trace, "b:ECANCELED:cut"));
    assert_non_null(strstr(stage_trace, "c:ECANCELED:cut"));
    assert_string_equal(stage_reports, "");
}

/* Who was cut out of the ring already is not cut out again. */
static int cancel_ring_often(void *arg)
{
    int count = (int)(intptr_t)arg;
    struct ring ring = {.count = count};
    struct ring_place places[3];

    for (int i = 0; i < count; i++) {
        places[i] = (struct ring_place){&ring, i};
        ring.tasks[i] = tusk_create_task(ring_member, &places[i]);
    }
    expect_int(tusk_sleep(1), 0);
    for (int i = 0; i < 2 * count; i++)
        expect(tusk_task_cancel(ring.tasks[i / 2]));
    return tusk_await(tusk_gather(ring.tasks, (size_t)count, .return_exceptions = true));
}

static void test_ring_cancelled_often(void **state)
{
    (void)state;
    assert_int_equal(play_with(cancel_ring_often, as_arg(2), false), 0);
    assert_string_equal(stage_reports, "");
    assert_int_equal(play_with(cancel_ring_often, as_arg(3), false), 0);
    assert_string_equal(stage_reports, "");
}

/* A member with a cancel to come closes the ring by its await: the cancel goes round and comes back to it. */
static int close_ring(void *arg)
{
    const struct ring_place *place = arg;

    if (place->index == 0) {
        expect_int(tusk_sleep(1), 0);
        tusk_task_cancel(tusk_current_task());
    }
    return ring_member(arg);
}

static int cancel_closing_ring(void *arg)
{
    int count = (int)(intptr_t)arg;
    struct ring ring = {.count = count};
    struct ring_place places[3];

    for (int i = 0; i < count; i++) {
        places[i] = (struct ring_place){&ring, i};
        ring.tasks[i] = tusk_create_task(close_ring, &places[i]);
    }
    return tusk_await(tusk_gather(ring.tasks, (size_t)count, .return_exceptions = true));
}

static void test_ring_closed_by_a_cancelled_task(void **state)
{
    (void)state;
    assert_int_equal(play_with(cancel_closing_ring, as_arg(2), false), 0);
    assert_string_equal(stage_reports, "");
    assert_int_equal(play_with(cancel_closing_ring, as_arg(3), false), 0);
    assert_string_equal(stage_reports, "");
}

/* A ring is cut at the end of a run too. */
static int leave_ring(void *arg)
{
    static struct ring ring;
    static struct ring_place places[2];

    (void)arg;
    ring.count = 2;
    for (int i = 0; i < 2; i++) {
        places[i] = (struct ring_place){&ring, i};
        ring.tasks[i] = tusk_create_task(ring_member, &places[i]);
    }
    return tusk_sleep(1);
}

static void test_ring_at_the_end_of_a_run(void **state)
{
    (void)state;
    assert_int_equal(play(leave_ring), 0);
    assert_string_equal(stage_reports, "");
}

/* A request to a ring that is taken back must not look like a result. */
static int ring_retracted(void *arg)
{
    struct ring ring = {.count = 2};
    struct ring_place places[2];

    (void)arg;
    for (int i = 0; i < 2; i++) {
        places[i] = (struct ring_place){&ring, i};
        ring.tasks[i] = tusk_create_task(ring_member, &places[i]);
    }
    expect_int(tusk_sleep(1), 0);
    expect(tusk_task_cancel(ring.tasks[0]));
    for (int i = 0; i < 2; i++)
        while (tusk_task_uncancel(ring.tasks[i]) > 0)
            ;
    expect_int(tusk_sleep(1), 0);
    for (int i = 0; i < 2; i++)
        expect(!tusk_future_done(ring.tasks[i]) || tusk_future_result(ring.tasks[i]) < 0);
    tusk_task_cancel(ring.tasks[0]);
    return tusk_await(tusk_gather(ring.tasks, 2, .return_exceptions = true));
}

static void test_ring_retracted(void **state)
{
    (void)state;
    assert_int_equal(play(ring_retracted), 0);
}

static int gather_self(void *arg)
{
    tusk_future *self = tusk_retain(tusk_current_task());

    (void)arg;
    return tusk_await(tusk_gather(&self, 1));
}

static int cancel_ring_through_gather(void *arg)
{
    tusk_task *task = tusk_create_task(gather_self, NULL);

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    expect(tusk_task_cancel(task));
    expect_int(tusk_await(task), -ECANCELED);
    return 0;
}

static void test_ring_through_gather(void **state)
{
    (void)state;
    play_quietly(cancel_ring_through_gather);
}

static int gather_level(void *arg)
{
    int depth = (int)(intptr_t)arg;
    tusk_task *task;

    if (depth == 0)
        return tusk_sleep(3600);
    task = tusk_create_task(gather_level, as_arg(depth - 1), .stack_size = TUSK_STACK_MIN);
    return tusk_await(tusk_gather(&task, 1));
}

static int cancel_gather_levels(void *arg)
{
    tusk_task *task = tusk_create_task(gather_level, as_arg((int)many(10000, 1000)));

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    expect(tusk_task_cancel(task));
    expect_int(tusk_await(task), -ECANCELED);
    return 0;
}

static void test_long_chain_through_gathers(void **state)
{
    (void)state;
    play_quietly(cancel_gather_levels);
}

/* ---- awaiting oneself ---- */

static int await_self(void *arg)
{
    int rc = tusk_await(tusk_retain(tusk_current_task()));

    (void)arg;
    trace_outcome("self", rc);
    return 0;
}

static int self_awaited(void *arg)
{
    tusk_task *task = tusk_create_task(await_self, NULL);

    (void)arg;
    mark();
    return tusk_await(task);
}

static void test_awaiting_oneself(void **state)
{
    (void)state;
    play_trace(self_awaited, "self:TUSK_AWAITED_ITSELF:a task cannot await itself@2");
}

/* ---- others ---- */

static int eager_cancels_creator(void *arg)
{
    expect(tusk_task_cancel(arg, .msg = "by the child"));
    return 3;
}

static int creator_of_canceller(void *arg)
{
    tusk_task *child = tusk_create_task(eager_cancels_creator, tusk_current_task(), .eager_start = true);
    int rc;

    (void)arg;
    expect(tusk_future_done(child));
    expect_int(tusk_await(child), 3);
    rc = tusk_sleep(0);
    trace_outcome("creator", rc);
    return 0;
}

static void test_eager_child_cancels_creator(void **state)
{
    (void)state;
    play_child(creator_of_canceller, "creator:ECANCELED:by the child@2 main:ok:-@3 finished");
}

static int eager_cancels_itself(void *arg)
{
    int rc;

    cancel_self(arg);
    rc = tusk_sleep(3600);
    trace_outcome("eager", rc);
    return rc;
}

static int cancel_in_eager_start(void *arg)
{
    tusk_task *task;

    (void)arg;
    mark();
    task = tusk_create_task(eager_cancels_itself, NULL, .eager_start = true);
    expect(!tusk_future_done(task));
    trace_outcome("main", tusk_await(task));
    return 0;
}

static void test_cancel_in_eager_start(void **state)
{
    (void)state;
    play_trace(cancel_in_eager_start, "eager:ECANCELED:myself@1 main:ECANCELED:myself@2");
}

static int cancel_in_callback(tusk_future *future, void *arg)
{
    expect(!tusk_future_cancel(future));
    expect(tusk_task_cancel(arg, .msg = "by a callback"));
    return 0;
}

static int from_callback(void *arg)
{
    tusk_task *sleeping = tusk_create_task(sleeper, NULL);
    tusk_task *task = tusk_create_task(return_seven, NULL);

    (void)arg;
    expect_int(tusk_future_add_done_callback(task, cancel_in_callback, sleeping), 0);
    mark();
    trace_outcome("main", tusk_await(sleeping));
    expect_int(tusk_await(task), 7);
    return 0;
}

static void test_from_a_callback(void **state)
{
    (void)state;
    play_trace(from_callback, "sleeper:ECANCELED:by a callback@3 main:ECANCELED:by a callback@4");
}

/* Two tasks wait for one future; cancelling one cancels the future, and so the other gets it too. */
static int shared_future(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *tasks[2] = {
        tusk_create_task(awaiter, tusk_retain(future)),
        tusk_create_task(awaiter, tusk_retain(future)),
    };

    (void)arg;
    expect_int(tusk_sleep(0), 0);
    mark();
    expect(tusk_task_cancel(tasks[1], .msg = "one"));
    expect_int(tusk_task_cancelling(tasks[0]), 0);
    expect_int(tusk_await(tasks[0]), -ECANCELED);
    expect_int(tusk_await(tasks[1]), -ECANCELED);
    expect(tusk_future_cancelled(future));
    tusk_release(future);
    return 0;
}

static void test_cancel_cancels_what_is_awaited(void **state)
{
    (void)state;
    play_trace(shared_future, "awaiter:ECANCELED:one@1 awaiter:ECANCELED:one@1");
}

static int cancel_many(void *arg)
{
    size_t count = many(LONG_CHAIN, 1000);
    tusk_task **tasks = malloc(count * sizeof(tusk_task *));

    (void)arg;
    for (size_t i = 0; i < count; i++)
        tasks[i] = tusk_create_task(sleep_hour, NULL, .stack_size = TUSK_STACK_MIN);
    expect_int(tusk_sleep(1), 0);
    for (size_t i = 0; i < count; i++)
        expect(tusk_task_cancel(tasks[i]));
    for (size_t i = 0; i < count; i++)
        expect_int(tusk_await(tasks[i]), -ECANCELED);
    free(tasks);
    return 0;
}

static void test_many(void **state)
{
    (void)state;
    play_quietly(cancel_many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_start_the_last_message_wins),
        cmocka_unit_test(test_before_start_taken_back),
        cmocka_unit_test(test_while_sleeping),
        cmocka_unit_test(test_twice_in_one_tick_the_first_message_wins),
        cmocka_unit_test(test_while_yielding_the_last_message_wins),
        cmocka_unit_test(test_result_lost),
        cmocka_unit_test(test_error_lost),
        cmocka_unit_test(test_future_cancelled_first),
        cmocka_unit_test(test_timer_fired_already),
        cmocka_unit_test(test_self_then_raise),
        cmocka_unit_test(test_self_then_await_done),
        cmocka_unit_test(test_self_then_await_pending),
        cmocka_unit_test(test_self_then_uncancel),
        cmocka_unit_test(test_returning_the_code_is_ending_cancelled),
        cmocka_unit_test(test_swallowed),
        cmocka_unit_test(test_clean_up),
        cmocka_unit_test(test_uncancel_after_delivery),
        cmocka_unit_test(test_uncancel_one_of_two),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_leaf_swallows_for_all),
        cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_long_chain_at_the_end_of_a_run),
        cmocka_unit_test(test_ring_of_two),
        cmocka_unit_test(test_ring_of_three),
        cmocka_unit_test(test_ring_cancelled_often),
        cmocka_unit_test(test_ring_closed_by_a_cancelled_task),
        cmocka_unit_test(test_ring_at_the_end_of_a_run),
        cmocka_unit_test(test_ring_retracted),
        cmocka_unit_test(test_ring_through_gather),
        cmocka_unit_test(test_long_chain_through_gathers),
        cmocka_unit_test(test_awaiting_oneself),
        cmocka_unit_test(test_eager_child_cancels_creator),
        cmocka_unit_test(test_cancel_in_eager_start),
        cmocka_unit_test(test_from_a_callback),
        cmocka_unit_test(test_cancel_cancels_what_is_awaited),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
