/*
 * Tasks: how they are made, named, listed, started eagerly, and what contexts and
 * stacks they get.
 */
#include "task/stage.h"

/* ---- names ---- */

static int names(void *arg)
{
    char text[] = "soup";
    tusk_task *first = tusk_create_task(return_seven, NULL);
    tusk_task *named = tusk_create_task(return_seven, NULL, .name = text);
    tusk_task *second = tusk_create_task(return_seven, NULL);
    tusk_task *empty = tusk_create_task(return_seven, NULL, .name = "");
    tusk_future *future = tusk_create_future();

    (void)arg;
    text[0] = 'x';
    expect_text(tusk_task_get_name(tusk_current_task()), "Task-1");
    expect_text(tusk_task_get_name(second), "Task-3");
    expect_text(tusk_task_get_name(first), "Task-2");
    expect_text(tusk_task_get_name(named), "soup");
    expect_text(tusk_task_get_name(empty), "");
    expect_text(tusk_task_get_name(future), "");
    expect_text(tusk_task_get_name(NULL), "");
    expect_int(tusk_task_set_name(first, "salad"), 0);
    expect_text(tusk_task_get_name(first), "salad");
    expect_int(tusk_task_set_name(first, NULL), -EINVAL);
    expect_int(tusk_task_set_name(future, "x"), TUSK_INVALID_STATE);
    expect_int(tusk_task_set_name(NULL, "x"), TUSK_INVALID_STATE);
    expect_text(tusk_task_get_name(first), "salad");
    /* Its own name is a fine name. */
    expect_int(tusk_task_set_name(first, tusk_task_get_name(first)), 0);
    expect_text(tusk_task_get_name(first), "salad");
    expect_int(tusk_await(tusk_retain(first)), 7);
    expect_text(tusk_task_get_name(first), "salad");
    tusk_release(first);
    tusk_release(named);
    tusk_release(second);
    tusk_release(empty);
    tusk_release(future);
    return 0;
}

static void test_names(void **state)
{
    (void)state;
    play_quietly(names);
}

static int long_name(void *arg)
{
    char *text = malloc(100001);
    tusk_task *task;

    (void)arg;
    memset(text, 'n', 100000);
    text[100000] = '\0';
    task = tusk_create_task(fail_at_once, NULL, .name = text);
    expect_text(tusk_task_get_name(task), text);
    tusk_release(task);
    expect_int(tusk_sleep(0), 0);
    free(text);
    return 0;
}

static void test_long_name(void **state)
{
    (void)state;
    assert_int_equal(play(long_name), 0);
    assert_non_null(strstr(stage_reports, "Task exception was never retrieved|nnnnnn"));
}

/* ---- who runs ---- */

static int no_task_here(void *arg)
{
    expect(tusk_current_task() == NULL);
    expect_int(tusk_sleep(0), TUSK_NOT_IN_TASK);
    expect_int(tusk_sleep(1), TUSK_NOT_IN_TASK);
    expect_int(tusk_await(tusk_retain(arg)), TUSK_NOT_IN_TASK);
    trace("callback");
    return 0;
}

static int no_task_in_done_callback(tusk_future *future, void *arg)
{
    (void)future;
    return no_task_here(arg);
}

static int current_task(void *arg)
{
    tusk_task *main_task = tusk_current_task();
    tusk_task *sleeping = tusk_create_task(sleep_hour, NULL);
    tusk_task *task = tusk_create_task(return_seven, NULL);

    (void)arg;
    expect(main_task != NULL);
    tusk_call_soon(no_task_here, sleeping);
    tusk_call_later(1, no_task_here, sleeping);
    expect_int(tusk_future_add_done_callback(task, no_task_in_done_callback, sleeping), 0);
    expect_int(tusk_sleep(2), 0);
    expect(tusk_current_task() == main_task);
    expect_int(tusk_await(task), 7);
    expect(tusk_current_task() == main_task);
    tusk_release(sleeping);
    return 0;
}

static void test_current_task(void **state)
{
    (void)state;
    assert_null(tusk_current_task());
    play_trace(current_task, "callback callback callback");
    assert_null(tusk_current_task());
}

static int callback_awaits_done(void *arg)
{
    tusk_future *future = arg;

    /* A done future needs no waiting. */
    expect_int(tusk_future_set_result(future, 8), 0);
    expect_int(tusk_await(future), 8);
    trace("callback");
    return 0;
}

static int await_done_in_callback(void *arg)
{
    (void)arg;
    tusk_call_soon(callback_awaits_done, tusk_create_future());
    expect_int(tusk_sleep(0), 0);
    return 0;
}

static void test_a_callback_may_await_what_is_done(void **state)
{
    (void)state;
    play_trace(await_done_in_callback, "callback");
}

static int all_tasks(void *arg)
{
    tusk_task *got[8] = {NULL};
    tusk_task *a = tusk_create_task(return_seven, NULL);
    tusk_task *b = tusk_create_task(sleep_hour, NULL);
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_all_tasks(NULL, 0), 3);
    expect_int(tusk_all_tasks(got, 8), 3);
    expect(got[0] == tusk_current_task());
    expect(got[1] == a);
    expect(got[2] == b);
    expect(got[3] == NULL);
    expect_int(tusk_await(a), 7);
    got[1] = NULL;
    expect_int(tusk_all_tasks(got, 1), 2);
    expect(got[1] == NULL);
    expect_int(tusk_all_tasks(got, 2), 2);
    expect(got[1] == b);
    tusk_release(b);
    tusk_release(future);
    /* Released, but not done: the loop holds it. */
    expect_int(tusk_all_tasks(got, 8), 2);
    return 0;
}

static void test_all_tasks(void **state)
{
    tusk_task *got[1];

    (void)state;
    assert_int_equal(tusk_all_tasks(got, 1), 0);
    play_quietly(all_tasks);
    assert_int_equal(tusk_all_tasks(got, 1), 0);
}

static int properties(void *arg)
{
    tusk_task *task = tusk_create_task(return_seven, NULL);
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect(tusk_task_get_coro(task) == return_seven);
    expect(tusk_task_get_coro(future) == NULL);
    expect(tusk_task_get_coro(NULL) == NULL);
    expect(tusk_future_get_loop(task) == tusk_get_running_loop());
    expect(!tusk_future_done(task));
    /* Only its coroutine finishes a task. */
    expect_int(tusk_future_set_result(task, 1), TUSK_INVALID_STATE);
    expect_int(tusk_future_set_exception(task, -EIO, NULL), TUSK_INVALID_STATE);
    expect_int(tusk_await(tusk_retain(task)), 7);
    expect_int(tusk_future_result(task), 7);
    expect(tusk_task_get_coro(task) == return_seven);
    tusk_release(task);
    tusk_release(future);
    return 0;
}

static void test_properties(void **state)
{
    (void)state;
    play_quietly(properties);
}

static int say(void *arg)
{
    trace_at(arg);
    return 0;
}

/* Without a reference it runs on by itself. */
static int released(void *arg)
{
    (void)arg;
    tusk_release(tusk_create_task(say, "a"));
    tusk_release(tusk_ensure_future(say, "b"));
    expect_int(tusk_sleep(0), 0);
    return 0;
}

static void test_released_task_runs(void **state)
{
    (void)state;
    play_trace(released, "a@1 b@1");
}

static int many_wait_for_one(void *arg)
{
    int count = (int)many(20000, 1000);
    tusk_future *future = tusk_create_future();
    tusk_task **tasks = malloc((size_t)count * sizeof(tusk_task *));

    (void)arg;
    for (int i = 0; i < count; i++)
        tasks[i] = tusk_create_task(await_arg, tusk_retain(future), .stack_size = TUSK_STACK_MIN);
    expect_int(tusk_sleep(0), 0);
    expect_int(tusk_future_set_result(future, 5), 0);
    tusk_release(future);
    for (int i = 0; i < count; i++)
        expect_int(tusk_await(tasks[i]), 5);
    free(tasks);
    return 0;
}

static void test_many_wait_for_one(void **state)
{
    (void)state;
    play_quietly(many_wait_for_one);
}

/* ---- eager start ---- */

static int eager_body(void *arg)
{
    trace_at(arg);
    expect_int(tusk_sleep(0), 0);
    trace_at(arg);
    expect_int(tusk_sleep(0), 0);
    trace_at(arg);
    return 3;
}

static int eager_order(void *arg)
{
    tusk_task *main_task = tusk_current_task();
    tusk_task *eager;

    (void)arg;
    mark();
    tusk_release(tusk_create_task(say, "before"));
    eager = tusk_create_task(eager_body, "eager", .eager_start = true);
    expect(tusk_current_task() == main_task);
    trace_at("created");
    expect(!tusk_future_done(eager));
    tusk_release(tusk_create_task(say, "after"));
    expect_int(tusk_await(eager), 3);
    trace_at("main");
    return 0;
}

static void test_eager_order(void **state)
{
    (void)state;
    play_trace(eager_order, "eager@0 created@0 before@1 eager@1 after@1 eager@2 main@3");
}

static int eager_finishes(void *arg)
{
    tusk_task *all[4];
    tusk_task *task;

    (void)arg;
    mark();
    task = tusk_create_task(return_seven, NULL, .eager_start = true);
    expect(tusk_future_done(task));
    expect_int(tusk_all_tasks(all, 4), 1);
    expect_int(tusk_await(task), 7);
    expect_int(iterations(), 0);
    task = tusk_create_task(fail_at_once, NULL, .eager_start = true);
    expect(tusk_future_done(task));
    expect_int(tusk_await(task), -EIO);
    expect_text(tusk_message(), "no milk");
    return 0;
}

static void test_eager_that_finishes(void **state)
{
    (void)state;
    play_quietly(eager_finishes);
}

static int nested_eager(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    tusk_task *self = tusk_current_task();
    tusk_task *child = NULL;
    int rc = 0;

    trace("in%d", (int)depth);
    if (depth > 0)
        child = tusk_create_task(nested_eager, (void *)(depth - 1), .eager_start = true);
    expect(tusk_current_task() == self);
    trace("out%d", (int)depth);
    if (depth % 2 == 0)
        rc = tusk_sleep(1);
    expect_int(rc, 0);
    if (child)
        rc = tusk_await(child);
    trace("end%d", (int)depth);
    return rc + 1;
}

static int eager_in_eager(void *arg)
{
    (void)arg;
    return tusk_await(tusk_create_task(nested_eager, as_arg(3), .eager_start = true)) == 4 ? 0 : -EINVAL;
}

static void test_eager_in_eager(void **state)
{
    (void)state;
    play_trace(eager_in_eager, "in3 in2 in1 in0 out0 out1 out2 out3 end0 end1 end2 end3");
}

static int deep_eager(void *arg)
{
    intptr_t depth = (intptr_t)arg;

    if (depth == 0)
        return tusk_sleep(1);
    return tusk_await(
        tusk_create_task(deep_eager, (void *)(depth - 1), .eager_start = true, .stack_size = TUSK_STACK_MIN));
}

static int thousand_eager(void *arg)
{
    (void)arg;
    return deep_eager((void *)(intptr_t)many(1000, 200));
}

static void test_thousand_eager(void **state)
{
    (void)state;
    play_quietly(thousand_eager);
}

static int sleep_eagerly(void *arg)
{
    expect_int(tusk_sleep(0), 0);
    trace_at(arg);
    return 0;
}

static int create_eagerly(void *arg)
{
    tusk_task *task;

    (void)arg;
    expect(tusk_current_task() == NULL);
    task = tusk_create_task(return_seven, NULL, .eager_start = true);
    expect(tusk_future_done(task));
    expect(tusk_current_task() == NULL);
    expect_int(tusk_await(task), 7);
    task = tusk_create_task(sleep_eagerly, "eager", .eager_start = true);
    expect(!tusk_future_done(task));
    expect(tusk_current_task() == NULL);
    tusk_release(task);
    trace_at("callback");
    return 0;
}

static int eager_from_callback(void *arg)
{
    (void)arg;
    mark();
    tusk_call_soon(create_eagerly, NULL);
    expect_int(tusk_sleep(0), 0);
    trace_at("main");
    expect_int(tusk_sleep(0), 0);
    return 0;
}

static void test_eager_from_a_callback(void **state)
{
    (void)state;
    play_trace(eager_from_callback, "callback@1 main@1 eager@2");
}

/* On a loop that does not run, a task cannot start now. */
static void test_eager_on_a_loop_that_does_not_run(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    tusk_task *task = tusk_loop_create_task(loop, return_seven, NULL, .eager_start = true);

    (void)state;
    assert_non_null(task);
    assert_false(tusk_future_done(task));
    assert_int_equal(tusk_loop_run_until_complete(loop, task), 7);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(tusk__live(), live);
}

/* Whoever creates a task that finds no stack goes on as if nothing had happened. */
static int eager_without_stack(void *arg)
{
    tusk_task *main_task = tusk_current_task();
    int failures = 0;

    (void)arg;
    for (long n = 1; n < 12; n++) {
        /* A size that no task had before, so that its stack has to be made. */
        size_t stack_size = TUSK_STACK_MIN << n;
        tusk_task *task;
        int rc;

        tusk__fail_after(n);
        task = tusk_create_task(sleep_hour, NULL, .eager_start = true, .stack_size = stack_size);
        tusk__fail_after(0);
        expect(tusk_current_task() == main_task);
        if (task && !tusk_future_done(task)) {
            expect(tusk_task_cancel(task));
            expect_int(tusk_await(task), -ECANCELED);
            continue;
        }
        rc = tusk_await(task);
        expect_int(rc, -ENOMEM);
        failures++;
        expect_int(tusk_sleep(0), 0);
    }
    expect(failures >= 2);
    return 0;
}

static void test_eager_without_a_stack(void **state)
{
    (void)state;
    play_quietly(eager_without_stack);
}

/* An exception handler may create tasks, eager ones too, from wherever it is called. */
static int create_in_handler(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)context;
    (void)arg;
    tusk_release(tusk_create_task(sleep_eagerly, "eager", .eager_start = true));
    return 0;
}

static int handler_creates(void *arg)
{
    tusk_task *gathered;

    (void)arg;
    tusk_loop_set_exception_handler(tusk_get_running_loop(), create_in_handler, NULL);
    mark();
    tusk_release(tusk_create_task(fail_at_once, NULL));
    expect_int(tusk_sleep(0), 0);
    expect_int(tusk_sleep(0), 0);
    trace_at("main");
    gathered = tusk_create_task(fail_at_once, NULL);
    tusk_release(tusk_gather(&gathered, 1));
    mark();
    expect_int(tusk_sleep(1), 0);
    return 0;
}

static void test_handler_creates_eager_tasks(void **state)
{
    (void)state;
    play_trace(handler_creates, "eager@2 main@2 eager@3");
}

/* ---- contexts ---- */

static tusk_context_var color = TUSK_CONTEXT_VAR("color", "none");

static int show_color(void *arg)
{
    trace("%s:%s", (const char *)arg, (const char *)tusk_context_var_get(&color));
    return 0;
}

static int change_color(void *arg)
{
    show_color("child");
    expect_int(tusk_context_var_set(&color, arg, NULL), 0);
    expect_int(tusk_sleep(0), 0);
    show_color("child");
    return 0;
}

static int context_is_copied(void *arg)
{
    static char red[] = "red", blue[] = "blue", green[] = "green";
    tusk_task *task;

    (void)arg;
    show_color("main");
    expect_int(tusk_context_var_set(&color, red, NULL), 0);
    task = tusk_create_task(change_color, blue);
    /* Copied at its creation, not at its start. */
    expect_int(tusk_context_var_set(&color, green, NULL), 0);
    expect_int(tusk_await(task), 0);
    show_color("main");
    return 0;
}

static void test_context_is_copied(void **state)
{
    (void)state;
    play_trace(context_is_copied, "main:none child:red child:blue main:green");
}

static int context_is_shared(void *arg)
{
    static char red[] = "red", blue[] = "blue";
    tusk_context *context;

    (void)arg;
    expect_int(tusk_context_var_set(&color, red, NULL), 0);
    context = tusk_copy_context();
    expect_int(tusk_await(tusk_create_task(change_color, blue, .context = context)), 0);
    show_color("main");
    expect_int(tusk_await(tusk_create_task(show_color, "second", .context = context)), 0);
    expect_int(tusk_context_run(context, show_color, "run"), 0);
    tusk_context_release(context);
    return 0;
}

static void test_context_is_shared(void **state)
{
    (void)state;
    play_trace(context_is_shared, "child:red child:blue main:red second:blue run:blue");
}

static int context_of_task(void *arg)
{
    static char blue[] = "blue";
    tusk_context *own = tusk_task_get_context(tusk_current_task());
    tusk_task *task;
    tusk_context *context;
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect(own != NULL);
    /* With its own context a child changes what the parent sees. */
    task = tusk_create_task(change_color, blue, .context = own);
    tusk_context_release(own);
    expect_int(tusk_await(tusk_retain(task)), 0);
    show_color("main");
    context = tusk_task_get_context(task);
    expect(context == own);
    tusk_context_release(context);
    tusk_release(task);
    expect(tusk_task_get_context(future) == NULL);
    expect(tusk_task_get_context(NULL) == NULL);
    tusk_release(future);
    return 0;
}

static void test_context_of_a_task(void **state)
{
    (void)state;
    play_trace(context_of_task, "child:none child:blue main:blue");
}

static int show_in_done_callback(tusk_future *future, void *arg)
{
    (void)future;
    return show_color(arg);
}

static int contexts_of_callbacks(void *arg)
{
    static char red[] = "red", blue[] = "blue", green[] = "green";
    tusk_future *future = tusk_create_future();
    tusk_context *context;

    (void)arg;
    expect_int(tusk_context_var_set(&color, red, NULL), 0);
    expect_int(tusk_future_add_done_callback(future, show_in_done_callback, "a"), 0);
    expect_int(tusk_context_var_set(&color, blue, NULL), 0);
    context = tusk_copy_context();
    expect_int(tusk_future_add_done_callback(future, show_in_done_callback, "b"), 0);
    expect_int(tusk_context_var_set(&color, green, NULL), 0);
    expect_int(tusk_future_add_done_callback(future, show_in_done_callback, "c", .context = context), 0);
    tusk_context_release(context);
    expect_int(tusk_future_set_result(future, 1), 0);
    expect_int(tusk_future_add_done_callback(future, show_in_done_callback, "d"), 0);
    tusk_release(future);
    expect_int(tusk_sleep(0), 0);
    return 0;
}

static void test_contexts_of_callbacks(void **state)
{
    (void)state;
    play_trace(contexts_of_callbacks, "a:red b:blue c:blue d:green");
}

static int eager_context(void *arg)
{
    static char red[] = "red", blue[] = "blue";
    tusk_task *task;

    (void)arg;
    expect_int(tusk_context_var_set(&color, red, NULL), 0);
    task = tusk_create_task(change_color, blue, .eager_start = true);
    show_color("main");
    expect_int(tusk_await(task), 0);
    show_color("main");
    return 0;
}

static void test_context_of_an_eager_task(void **state)
{
    (void)state;
    play_trace(eager_context, "child:red main:red child:blue main:red");
}

static int yield_in_context(void *arg)
{
    static char blue[] = "blue";

    expect_int(tusk_context_var_set(&color, blue, NULL), 0);
    expect_int(tusk_sleep(0), 0);
    return show_color(arg);
}

static int context_run_suspends(void *arg)
{
    tusk_context *context = tusk_copy_context();
    tusk_task *other = tusk_create_task(show_color, "other");

    (void)arg;
    expect_int(tusk_context_run(context, yield_in_context, "inside"), 0);
    show_color("main");
    tusk_context_release(context);
    return tusk_await(other);
}

static void test_context_run_may_suspend(void **state)
{
    (void)state;
    play_trace(context_run_suspends, "other:none inside:blue main:none");
}

/* ---- stacks ---- */

static int touch_stack(void *arg)
{
    size_t size = (size_t)(uintptr_t)arg;
    volatile char *memory = __builtin_alloca(size);

    for (size_t i = 0; i < size; i += 512)
        memory[size - 1 - i] = 1;
    return (int)tusk_task_stack_used(tusk_current_task());
}

static int stack_sizes(void *arg)
{
    const size_t sizes[] = {TUSK_STACK_MIN,     32 * 1024,   100001,
                            TUSK_STACK_DEFAULT, 1024 * 1024, 64 * 1024 * 1024};

    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t touched = sizes[i] - 8 * 1024;
        int used = tusk_await(tusk_create_task(touch_stack, (void *)touched, .stack_size = sizes[i]));

        expect(used >= 0 && (size_t)used >= touched);
        expect(used >= 0 && (size_t)used <= sizes[i] + 64 * 1024);
    }
    return 0;
}

static void test_stack_sizes(void **state)
{
    (void)state;
    if (TUSK__ASAN || TUSK__TSAN)
        skip(); /* frames are larger there */
    play_quietly(stack_sizes);
}

static int stack_without(void *arg)
{
    tusk_task *task = tusk_create_task(sleep_hour, NULL);
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_task_stack_used(task), 0);
    expect_int(tusk_sleep(1), 0);
    expect(tusk_task_stack_used(task) > 0);
    expect(tusk_task_stack_used(task) <= TUSK_STACK_DEFAULT);
    expect(tusk_task_cancel(task));
    expect_int(tusk_await(tusk_retain(task)), -ECANCELED);
    expect_int(tusk_task_stack_used(task), 0);
    expect_int(tusk_task_stack_used(future), 0);
    expect_int(tusk_task_stack_used(NULL), 0);
    tusk_release(task);
    tusk_release(future);
    return 0;
}

static void test_a_stack_from_first_step_to_last(void **state)
{
    (void)state;
    play_quietly(stack_without);
}

static int bad_stacks(void *arg)
{
    const size_t sizes[] = {1, 4096, TUSK_STACK_MIN - 1};

    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        expect(tusk_create_task(return_seven, NULL, .stack_size = sizes[i]) == NULL);
        expect_int(tusk_last_error(), -EINVAL);
        expect_int(tusk_await(NULL), -EINVAL);
    }
    /* Refused at once, or by the end of the task: but never a crash. */
    expect(tusk_await(tusk_create_task(return_seven, NULL, .stack_size = SIZE_MAX)) < 0);
    expect(tusk_await(tusk_create_task(return_seven, NULL, .stack_size = SIZE_MAX / 2)) < 0);
    return 0;
}

static void test_bad_stack_sizes(void **state)
{
    (void)state;
    play_quietly(bad_stacks);
    assert_int_equal(tusk_run(return_seven, NULL, .stack_size = 100), -EINVAL);
    assert_int_equal(tusk_run(return_seven, NULL, .stack_size = TUSK_STACK_MIN), 7);
}

/* ---- bad input ---- */

static int bad_input(void *arg)
{
    (void)arg;
    expect(tusk_create_task(NULL, NULL) == NULL);
    expect_int(tusk_last_error(), -EINVAL);
    expect(tusk_ensure_future(NULL, NULL) == NULL);
    expect_int(tusk_last_error(), -EINVAL);
    expect(tusk_loop_create_task(NULL, return_seven, NULL) == NULL);
    expect_int(tusk_last_error(), -EINVAL);
    expect(tusk_create_task(NULL, NULL, .eager_start = true, .name = "x") == NULL);
    expect_int(tusk_sleep((double)NAN), -EINVAL);
    expect_int(tusk_sleep(-(double)NAN), -EINVAL);
    return 0;
}

static void test_bad_input(void **state)
{
    (void)state;
    play_quietly(bad_input);
    assert_null(tusk_create_task(return_seven, NULL));
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_null(tusk_ensure_future(return_seven, NULL));
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_int_equal(tusk_sleep(0), TUSK_NOT_IN_TASK);
    assert_int_equal(tusk_sleep(1), TUSK_NOT_IN_TASK);
}

static int await_other(void *arg)
{
    int rc;

    mark();
    rc = tusk_await(arg);
    expect_int(rc, TUSK_OTHER_LOOP);
    expect(tusk_message() != NULL);
    expect_int(iterations(), 1);
    return 0;
}

static void test_await_of_another_loops_future(void **state)
{
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);

    (void)state;
    stage_clean();
    assert_int_equal(tusk_run(await_other, tusk_loop_create_future(loop), .clock = TUSK_CLOCK_VIRTUAL), 0);
    assert_int_equal(stage_failures, 0);
    assert_int_equal(tusk_loop_close(loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_current_task),
        cmocka_unit_test(test_a_callback_may_await_what_is_done),
        cmocka_unit_test(test_all_tasks),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_released_task_runs),
        cmocka_unit_test(test_many_wait_for_one),
        cmocka_unit_test(test_eager_order),
        cmocka_unit_test(test_eager_that_finishes),
        cmocka_unit_test(test_eager_in_eager),
        cmocka_unit_test(test_thousand_eager),
        cmocka_unit_test(test_eager_from_a_callback),
        cmocka_unit_test(test_eager_on_a_loop_that_does_not_run),
        cmocka_unit_test(test_eager_without_a_stack),
        cmocka_unit_test(test_handler_creates_eager_tasks),
        cmocka_unit_test(test_context_is_copied),
        cmocka_unit_test(test_context_is_shared),
        cmocka_unit_test(test_context_of_a_task),
        cmocka_unit_test(test_contexts_of_callbacks),
        cmocka_unit_test(test_context_of_an_eager_task),
        cmocka_unit_test(test_context_run_may_suspend),
        cmocka_unit_test(test_stack_sizes),
        cmocka_unit_test(test_a_stack_from_first_step_to_last),
        cmocka_unit_test(test_bad_stack_sizes),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_await_of_another_loops_future),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
