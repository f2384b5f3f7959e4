/*
 * Scenarios of CPython's own tests that catch re-implementations: task groups.
 * Each test is one rule.
 */
#include "sync/players.h"

static int count_cancels(void)
{
    return tusk_task_cancelling(tusk_current_task());
}

static int fail_after(void *arg)
{
    tusk_try(tusk_sleep((double)(intptr_t)arg));
    return tusk_raise(-EIO, "after %d", (int)(intptr_t)arg);
}

/* ---- A child that fails while the body cleans up cancels the body once more, and its error wins. ---- */

static int clean_up_too_long(void)
{
    expect_int(tusk_sleep(3600), -ECANCELED);
    trace("cleaning:%d", count_cancels());
    expect_int(tusk_sleep(5), -ECANCELED);
    trace("again:%d", count_cancels());
    return -ECANCELED;
}

static int body_that_cleans_up(void *arg)
{
    tusk_task_group group;
    int rc;

    (void)arg;
    tusk_try(tusk_task_group_enter(&group));
    tusk_task_group_create_task(&group, fail_after, as_arg(3));
    rc = tusk_task_group_exit(&group, clean_up_too_long());
    expect_int((int)tusk_exception_count(tusk_exception_last()), 1);
    expect_int(count_cancels(), 1);
    return rc;
}

static int child_fails_while_the_body_cleans_up(void *arg)
{
    tusk_task *task = tusk_create_task(body_that_cleans_up, NULL);

    (void)arg;
    expect_int(tusk_sleep(1), 0);
    expect(tusk_task_cancel(task));
    expect_int(tusk_await(tusk_retain(task)), TUSK_EXCEPTION_GROUP);
    expect(!tusk_future_cancelled(task));
    tusk_release(task);
    expect(tusk_loop_time(tusk_get_running_loop()) == 3);
    return 0;
}

static void test_child_fails_while_the_body_cleans_up(void **state)
{
    (void)state;
    play_trace(child_fails_while_the_body_cleans_up, "cleaning:1 again:2");
}

/* ---- Errors of children and of the body come together, and the group's own cancel is taken back. ---- */

static int clean_up_for_a_while(void *arg)
{
    int rc = tusk_sleep(3600);

    (void)arg;
    expect_int(tusk_sleep(5), 0);
    trace("clean");
    return rc;
}

static int errors_of_child_and_body(void *arg)
{
    tusk_task_group group;
    const tusk_exception *error;
    int rc;

    (void)arg;
    expect_int(tusk_task_group_enter(&group), 0);
    tusk_task_group_create_task(&group, fail_after, as_arg(1));
    tusk_task_group_create_task(&group, clean_up_for_a_while, NULL);
    expect_int(tusk_sleep(3600), -ECANCELED);
    rc = tusk_task_group_exit(&group, tusk_raise(-EPIPE, "body"));
    expect_int(rc, TUSK_EXCEPTION_GROUP);
    error = tusk_exception_last();
    expect_int((int)tusk_exception_count(error), 2);
    expect_text(tusk_exception_message(tusk_exception_child(error, 0)), "after 1");
    expect_int(tusk_exception_code(tusk_exception_child(error, 1)), -EPIPE);
    expect(tusk_exception_child(error, 2) == NULL);
    expect(tusk_loop_time(tusk_get_running_loop()) == 6);
    expect_int(count_cancels(), 0);
    return tusk_sleep(0);
}

static void test_errors_of_child_and_body(void **state)
{
    (void)state;
    play_trace(errors_of_child_and_body, "clean");
}

/* ---- Children may make children, but not once the group aborts; and it ends for all that. ---- */

struct hydra {
    tusk_task_group group;
    int heads;
    int refused;
};

static int grow_head(void *arg)
{
    struct hydra *hydra = arg;
    int rc;

    hydra->heads++;
    rc = tusk_sleep(1);
    for (int i = 0; i < 2; i++)
        if (!tusk_task_group_create_task(&hydra->group, grow_head, hydra)) {
            expect_int(tusk_last_error(), TUSK_INVALID_STATE);
            expect_text(tusk_message(), "the task group is shutting down");
            hydra->refused++;
        }
    return rc;
}

static int be_hercules(void *arg)
{
    const struct hydra *hydra = arg;

    while (hydra->heads < 10)
        tusk_try(tusk_sleep(1.5));
    return tusk_raise(-EIO, "burnt");
}

static int children_spawning_in_an_abort(void *arg)
{
    struct hydra hydra = {.heads = 0};

    (void)arg;
    expect_int(tusk_task_group_enter(&hydra.group), 0);
    tusk_task_group_create_task(&hydra.group, grow_head, &hydra);
    tusk_task_group_create_task(&hydra.group, be_hercules, &hydra);
    expect_int(tusk_task_group_exit(&hydra.group, 0), TUSK_EXCEPTION_GROUP);
    expect_int((int)tusk_exception_count(tusk_exception_last()), 1);
    expect_int(hydra.heads, 31);
    /* Two for each of the sixteen that were alive. */
    expect_int(hydra.refused, 32);
    expect_int((int)tusk_all_tasks(NULL, 0), 1);
    return count_cancels();
}

static void test_children_spawning_in_an_abort(void **state)
{
    (void)state;
    play_quietly(children_spawning_in_an_abort);
}

/* ---- Of an error and a cancel at once, the error is the group's; the cancel comes at the next wait. ---- */

static int fail_next(void *arg)
{
    tusk_event_set(arg);
    tusk_try(tusk_sleep(0));
    return tusk_raise(-EIO, "at once");
}

static int fail_and_be_cancelled(void *arg)
{
    tusk_task_group group;
    int rc;

    tusk_try(tusk_task_group_enter(&group));
    tusk_task_group_create_task(&group, fail_next, arg);
    rc = tusk_sleep(1);
    trace("body:%s:%d", tusk_errorname(rc), count_cancels());
    rc = tusk_task_group_exit(&group, rc);
    trace("group:%s:%d", tusk_errorname(rc), count_cancels());
    rc = tusk_sleep(1);
    trace("sleep:%s:%d", tusk_errorname(rc), count_cancels());
    return rc;
}

static int error_and_cancel_at_once(void *arg)
{
    tusk_event event = TUSK_EVENT_INIT;
    tusk_task *task = tusk_create_task(fail_and_be_cancelled, &event);

    (void)arg;
    expect_int(tusk_event_wait(&event), 0);
    cancel_and_await(task);
    return 0;
}

static void test_error_and_cancel_at_once(void **state)
{
    (void)state;
    play_trace(error_and_cancel_at_once, "body:ECANCELED:1 group:TUSK_EXCEPTION_GROUP:1 sleep:ECANCELED:1");
}

/* ---- Two nested groups that fail at once each take back the cancel that is theirs. ---- */

static int fail_in_inner(tusk_task_group *outer)
{
    tusk_task_group inner;
    int rc;

    tusk_try(tusk_task_group_enter(&inner));
    tusk_task_group_create_task(&inner, fail_after, as_arg(0));
    tusk_task_group_create_task(outer, fail_after, as_arg(0));
    rc = tusk_task_group_exit(&inner, 0);
    trace("inner:%s:%d", tusk_errorname(rc), count_cancels());
    return rc;
}

static int nested_groups_both_cancelled(void *arg)
{
    tusk_task_group outer;
    int rc;

    (void)arg;
    expect_int(tusk_task_group_enter(&outer), 0);
    expect_int(fail_in_inner(&outer), TUSK_EXCEPTION_GROUP);
    /* The body is content with that: what is left is the outer group's own. */
    rc = tusk_task_group_exit(&outer, 0);
    expect_int((int)tusk_exception_count(tusk_exception_last()), 1);
    trace("outer:%s:%d", tusk_errorname(rc), count_cancels());
    return tusk_sleep(0);
}

static void test_nested_groups_both_cancelled(void **state)
{
    (void)state;
    play_trace(nested_groups_both_cancelled, "inner:TUSK_EXCEPTION_GROUP:1 outer:TUSK_EXCEPTION_GROUP:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_fails_while_the_body_cleans_up),
        cmocka_unit_test(test_errors_of_child_and_body),
        cmocka_unit_test(test_children_spawning_in_an_abort),
        cmocka_unit_test(test_error_and_cancel_at_once),
        cmocka_unit_test(test_nested_groups_both_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
