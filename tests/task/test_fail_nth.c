/*
 * The Nth fallible operation fails, for every N until N is never reached: each
 * scenario must succeed or give a defined error, end, and leave nothing behind. Scenarios
 * check nothing but what is true with and without the failure.
 */
#include "task/stage.h"

/* More than any scenario needs: beyond it, one does not come to its end. */
enum { N_MAX = 5000 };

/* Codes that a failure may end in. */
static bool is_defined(int rc)
{
    return rc >= 0 || rc == -ENOMEM || rc == -EMFILE || rc == -ECANCELED;
}

static void expect_defined(int rc, int line)
{
    if (!is_defined(rc))
        stage_failed("the result", rc, -ENOMEM, line);
}

#define check_defined(expression) expect_defined((expression), __LINE__)

static int drop_report(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    expect(context->message != NULL);
    return 0;
}

static void run_once(tusk_coro *coro, bool debug)
{
    int rc = tusk_run(coro, NULL, .clock = TUSK_CLOCK_VIRTUAL, .debug = debug);

    check_defined(rc);
}

/* True if the nth operation was reached. */
static bool fails_at(tusk_coro *coro, bool debug, long n)
{
    size_t live = tusk__live();
    size_t descriptors = open_descriptors();
    bool reached;

    tusk__fail_after(n);
    run_once(coro, debug);
    reached = atomic_load(&tusk__fail_countdown) == 0;
    tusk__fail_after(0);
    if (tusk__live() != live)
        fail_msg("%zu blocks instead of %zu after the failure of operation %ld", tusk__live(), live, n);
    if (open_descriptors() != descriptors)
        fail_msg("descriptors are left after the failure of operation %ld", n);
    if (stage_failures > 0)
        fail_msg("a wrong result after the failure of operation %ld", n);
    return reached;
}

static void fail_each(tusk_coro *coro)
{
    stage_clean();
    for (int debug = 0; debug <= 1; debug++) {
        long n = 1;

        while (fails_at(coro, debug != 0, n))
            assert_true(++n < N_MAX);
        assert_true(n > 1);
    }
}

static void quiet(void)
{
    tusk_loop_set_exception_handler(tusk_get_running_loop(), drop_report, NULL);
}

/* ---- scenarios ---- */

static tusk_context_var color = TUSK_CONTEXT_VAR("color", NULL);

static int plain(void *arg)
{
    (void)arg;
    quiet();
    check_defined(tusk_await(tusk_create_task(return_seven, NULL)));
    check_defined(tusk_await(tusk_create_task(return_seven, NULL, .name = "name")));
    check_defined(tusk_await(tusk_ensure_future(return_seven, NULL, .stack_size = 64 * 1024)));
    return 0;
}

static void test_create(void **state)
{
    (void)state;
    fail_each(plain);
}

static int first_int(void *arg)
{
    return *(int *)arg;
}

static int copies(void *arg)
{
    tusk_task *tasks[3];
    int results[3] = {0};
    int rc;

    (void)arg;
    quiet();
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(first_int, tusk_copy(&i), .name = "copy", .eager_start = i == 1);
    rc = tusk_await(tusk_gather(tasks, 3, .results = results));
    if (rc == 0)
        for (int i = 0; i < 3; i++)
            expect_int(results[i], i);
    return rc;
}

static void test_copies(void **state)
{
    (void)state;
    fail_each(copies);
}

static int sleep_twice(void *arg)
{
    (void)arg;
    tusk_try(tusk_sleep(1));
    return tusk_sleep(0);
}

static int eager_inside(void *arg)
{
    tusk_task *self = tusk_current_task();
    tusk_task *task = tusk_create_task(sleep_twice, NULL, .eager_start = true);

    (void)arg;
    expect(tusk_current_task() == self);
    return tusk_await(task);
}

static int eager(void *arg)
{
    tusk_task *self = tusk_current_task();
    tusk_task *tasks[4];

    (void)arg;
    quiet();
    for (int i = 0; i < 4; i++) {
        tasks[i] = tusk_create_task(i % 2 ? eager_inside : return_seven, NULL, .eager_start = true);
        expect(tusk_current_task() == self);
    }
    for (int i = 0; i < 4; i++)
        check_defined(tusk_await(tasks[i]));
    return tusk_sleep(0);
}

static void test_eager(void **state)
{
    (void)state;
    fail_each(eager);
}

static int create_eagerly(void *arg)
{
    (void)arg;
    tusk_release(tusk_create_task(sleep_twice, NULL, .eager_start = true));
    expect(tusk_current_task() == NULL);
    return 0;
}

static int eager_from_callback(void *arg)
{
    (void)arg;
    quiet();
    tusk_call_soon(create_eagerly, NULL);
    tusk_call_later(1, create_eagerly, NULL);
    return tusk_sleep(3);
}

static void test_eager_from_a_callback(void **state)
{
    (void)state;
    fail_each(eager_from_callback);
}

static int gathers(void *arg)
{
    tusk_task *tasks[5];
    tusk_future *futures[3];
    static int results[5];
    int rc;

    (void)arg;
    quiet();
    for (int i = 0; i < 5; i++)
        tasks[i] = tusk_create_task(i == 3 ? fail_at_once : sleep_twice, NULL);
    futures[0] = tusk_gather(tasks, 2);
    futures[1] = tusk_gather(tasks + 2, 3, .return_exceptions = true, .results = results);
    futures[2] = tusk_retain(futures[1]);
    rc = tusk_await(tusk_gather(futures, 3));
    return rc;
}

static void test_gather(void **state)
{
    (void)state;
    fail_each(gathers);
}

static int cancelled_gather(void *arg)
{
    tusk_task *tasks[2] = {tusk_create_task(sleep_hour, NULL), tusk_create_task(sleep_hour, NULL)};
    tusk_future *gather = tusk_gather(tasks, 2);

    (void)arg;
    quiet();
    check_defined(tusk_sleep(1));
    if (!gather)
        return -ENOMEM;
    tusk_future_cancel(gather, .msg = "enough");
    return tusk_await(gather);
}

static void test_cancelled_gather(void **state)
{
    (void)state;
    fail_each(cancelled_gather);
}

static int released_gather(void *arg)
{
    tusk_task *tasks[3] = {
        tusk_create_task(sleep_hour, NULL),
        tusk_create_task(fail_at_once, NULL),
        tusk_create_task(fail_at_once, NULL),
    };

    (void)arg;
    quiet();
    tusk_release(tusk_gather(tasks, 3));
    return tusk_sleep(1);
}

static void test_released_gather(void **state)
{
    (void)state;
    fail_each(released_gather);
}

static int note(tusk_future *future, void *arg)
{
    int *count = arg;

    expect(tusk_future_done(future));
    (*count)++;
    return 0;
}

static int callbacks(void *arg)
{
    tusk_future *future = tusk_create_future();
    int added = 0;
    int called = 0;

    (void)arg;
    quiet();
    for (int i = 0; i < 3; i++) {
        int rc = tusk_future_add_done_callback(future, note, &called);

        expect(rc == 0 || rc == -ENOMEM || (!future && rc == -EINVAL));
        added += rc == 0;
    }
    if (future)
        expect_int(tusk_future_set_result(future, 1), 0);
    added += tusk_future_add_done_callback(future, note, &called) == 0;
    tusk_release(future);
    check_defined(tusk_sleep(0));
    expect_int(called, added);
    return 0;
}

static void test_callbacks(void **state)
{
    (void)state;
    fail_each(callbacks);
}

/* The message may be lost, the cancel may not. */
static int cancels(void *arg)
{
    tusk_task *task = tusk_create_task(sleep_hour, NULL);
    tusk_task *unstarted = tusk_create_task(return_seven, NULL);

    (void)arg;
    quiet();
    if (unstarted) {
        expect(tusk_task_cancel(unstarted, .msg = "never"));
        expect_int(tusk_await(unstarted), -ECANCELED);
    }
    check_defined(tusk_sleep(1));
    if (task && !tusk_future_done(task)) {
        expect(tusk_task_cancel(task, .msg = "enough of this"));
        expect_int(tusk_await(tusk_retain(task)), -ECANCELED);
        expect(tusk_future_cancelled(task));
    }
    tusk_release(task);
    return 0;
}

static void test_cancels(void **state)
{
    (void)state;
    fail_each(cancels);
}

static int raise_long(void *arg)
{
    (void)arg;
    return tusk_raise(-ENOMEM, "%0300d", 1);
}

static int raises(void *arg)
{
    tusk_future *future = tusk_create_future();
    int rc;

    (void)arg;
    quiet();
    expect_int(tusk_raise(-EIO, "%d", 1), -EIO);
    expect(!tusk_message() || same_text(tusk_message(), "1"));
    check_defined(tusk_await(tusk_create_task(raise_long, NULL)));
    rc = tusk_future_set_exception(future, -ENOMEM, "message %d", 2);
    expect_int(rc, future ? 0 : -EINVAL);
    tusk_release(future);
    tusk_release(tusk_create_task(raise_long, NULL, .name = "lost"));
    return tusk_sleep(0);
}

static void test_raises(void **state)
{
    (void)state;
    fail_each(raises);
}

static int names(void *arg)
{
    tusk_task *task = tusk_create_task(return_seven, NULL);
    int rc;

    (void)arg;
    quiet();
    expect(tusk_task_get_name(task) != NULL);
    expect(tusk_task_get_name(tusk_current_task()) != NULL);
    if (task) {
        rc = tusk_task_set_name(task, "another");
        expect(rc == -ENOMEM || (rc == 0 && same_text(tusk_task_get_name(task), "another")));
    }
    return tusk_await(task);
}

static void test_names(void **state)
{
    (void)state;
    fail_each(names);
}

static int set_color(void *arg)
{
    static char blue[] = "blue";
    tusk_token token;
    int rc = tusk_context_var_set(&color, blue, &token);

    (void)arg;
    if (rc < 0)
        return rc;
    expect(tusk_context_var_get(&color) == blue);
    rc = tusk_context_var_reset(&color, &token);
    if (rc < 0)
        expect(tusk_context_var_get(&color) == blue);
    return rc;
}

static int contexts(void *arg)
{
    static char red[] = "red";
    int rc = tusk_context_var_set(&color, red, NULL);
    tusk_context *context = tusk_copy_context();
    tusk_context *own = tusk_task_get_context(tusk_current_task());

    (void)arg;
    quiet();
    expect(tusk_context_var_get(&color) == (rc == 0 ? red : NULL));
    check_defined(tusk_await(tusk_create_task(set_color, NULL)));
    if (context)
        check_defined(tusk_await(tusk_create_task(set_color, NULL, .context = context)));
    expect(tusk_context_var_get(&color) == (rc == 0 ? red : NULL));
    if (own)
        check_defined(tusk_await(tusk_create_task(set_color, NULL, .context = own, .name = "own")));
    if (context)
        check_defined(tusk_context_run(context, set_color, NULL));
    tusk_context_release(context);
    tusk_context_release(own);
    return 0;
}

static void test_contexts(void **state)
{
    (void)state;
    fail_each(contexts);
}

/* What is left at the end of the run, when operations may fail still. */
static int leftovers(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    quiet();
    tusk_release(tusk_create_task(sleep_hour, NULL));
    tusk_release(tusk_create_task(swallow_cancel, NULL, .name = "swallows"));
    tusk_release(tusk_create_task(await_arg, future));
    expect(tusk_create_task(sleep_hour, NULL) || tusk_last_error() == -ENOMEM);
    check_defined(tusk_sleep(1));
    return 0;
}

static void test_leftovers(void **state)
{
    (void)state;
    fail_each(leftovers);
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    return tusk_sleep((double)INFINITY);
}

static int deadlock(void *arg)
{
    int rc;

    (void)arg;
    quiet();
    rc = tusk_await(tusk_create_task(wait_for_ever, NULL, .name = "for ever"));
    expect(rc == -ECANCELED || rc == -ENOMEM);
    return rc;
}

static void test_deadlock(void **state)
{
    long n = 1;

    (void)state;
    stage_clean();
    for (bool reached = true; reached; n++) {
        size_t live = tusk__live();
        int rc;

        assert_true(n < N_MAX);
        tusk__fail_after(n);
        rc = tusk_run(deadlock, NULL, .clock = TUSK_CLOCK_VIRTUAL);
        reached = atomic_load(&tusk__fail_countdown) == 0;
        tusk__fail_after(0);
        assert_true(rc == -EDEADLK || rc == -ENOMEM || rc == -EMFILE);
        assert_int_equal(tusk__live(), live);
        assert_int_equal(stage_failures, 0);
    }
}

/* A loop made by hand: its tasks, a run until complete, and its close with tasks pending. */
static bool by_hand_fails_at(long n)
{
    size_t live = tusk__live();
    size_t descriptors = open_descriptors();
    tusk_loop *loop;
    bool reached;

    tusk__fail_after(n);
    loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    if (loop) {
        tusk_loop_set_exception_handler(loop, drop_report, NULL);
        check_defined(tusk_loop_run_until_complete(loop, tusk_loop_create_task(loop, return_seven, NULL)));
        tusk_release(tusk_loop_create_task(loop, sleep_hour, NULL));
        check_defined(tusk_loop_run_once(loop, 0));
        check_defined(tusk_loop_run_until_complete(loop, tusk_loop_create_task(loop, sleep_twice, NULL)));
    }
    assert_int_equal(tusk_loop_close(loop), 0);
    reached = atomic_load(&tusk__fail_countdown) == 0;
    tusk__fail_after(0);
    if (tusk__live() != live || open_descriptors() != descriptors || stage_failures > 0)
        fail_msg("something is wrong after the failure of operation %ld", n);
    return reached;
}

static void test_loop_by_hand(void **state)
{
    long n = 1;

    (void)state;
    stage_clean();
    while (by_hand_fails_at(n))
        assert_true(++n < N_MAX);
    assert_true(n > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),          cmocka_unit_test(test_copies),
        cmocka_unit_test(test_eager),           cmocka_unit_test(test_eager_from_a_callback),
        cmocka_unit_test(test_gather),          cmocka_unit_test(test_cancelled_gather),
        cmocka_unit_test(test_released_gather), cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_cancels),         cmocka_unit_test(test_raises),
        cmocka_unit_test(test_names),           cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_leftovers),       cmocka_unit_test(test_deadlock),
        cmocka_unit_test(test_loop_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
