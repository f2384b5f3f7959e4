/*
 * Who owns what: references, the reports of debug mode about them, and arguments
 * that tasks own.
 */
#include "task/stage.h"

/* ---- debug mode ---- */

/* "file.c:12" of the line above, as reports show it. */
#define LINE_OF_REPORT(text, line) place_of_report(text, sizeof(text), __FILE__, line)

static void place_of_report(char *text, size_t size, const char *file, int line)
{
    snprintf(text, size, "%s:%d", file, line);
}

static void play_debug(tusk_coro *coro)
{
    int rc = play_with(coro, NULL, true);

    assert_int_equal(rc, 0);
}

static int used_after_release(void *arg)
{
    tusk_future *future = tusk_create_future();
    tusk_task *task = tusk_create_task(return_seven, NULL);
    tusk_future *list[1] = {future};

    (void)arg;
    tusk_release(future);
    expect_int(tusk_await(future), TUSK_RELEASED);
    expect_int(tusk_future_result(future), TUSK_RELEASED);
    expect_int(tusk_future_exception(future), TUSK_RELEASED);
    expect_int(tusk_future_set_result(future, 1), TUSK_RELEASED);
    expect_int(tusk_future_set_exception(future, -EIO, NULL), TUSK_RELEASED);
    expect_int(tusk_future_add_done_callback(future, NULL, NULL), -EINVAL);
    expect(tusk_retain(future) == NULL);
    expect_int(tusk_last_error(), TUSK_RELEASED);
    expect(tusk_gather(list, 1) == NULL);
    expect_int(tusk_last_error(), TUSK_RELEASED);
    expect(!tusk_future_cancel(future));
    tusk_release(future);
    stage_reports[0] = '\0';
    expect_int(tusk_await(task), 7);
    expect_int(tusk_await(task), TUSK_RELEASED);
    expect(strstr(stage_reports, "A reference was used after it had been handed on or released|") != NULL);
    expect(strstr(stage_reports, "TUSK_RELEASED") != NULL);
    expect(strstr(stage_reports, "test_owner.c:") != NULL);
    expect(!tusk_task_cancel(task));
    expect_int(tusk_task_cancelling(task), TUSK_INVALID_STATE);
    expect_text(tusk_task_get_name(task), "");
    expect_int(tusk_task_set_name(task, "x"), TUSK_INVALID_STATE);
    expect(tusk_future_done(task));
    return 0;
}

static void test_use_after_release_is_reported(void **state)
{
    (void)state;
    play_debug(used_after_release);
}

static int do_nothing(tusk_future *future, void *arg)
{
    (void)future;
    (void)arg;
    return 0;
}

static int callbacks_after_release(void *arg)
{
    tusk_future *future = tusk_create_future();

    (void)arg;
    tusk_release(future);
    expect_int(tusk_future_add_done_callback(future, do_nothing, NULL), TUSK_RELEASED);
    expect_int(tusk_future_remove_done_callback(future, do_nothing, NULL), TUSK_RELEASED);
    return 0;
}

static void test_callbacks_after_release(void **state)
{
    (void)state;
    play_debug(callbacks_after_release);
}

/* The reference went into the gather, and with the gather. */
static int used_after_gather(void *arg)
{
    tusk_task *task = tusk_create_task(return_seven, NULL);
    tusk_future *gather = tusk_gather(&task, 1);

    (void)arg;
    expect_int(tusk_await(gather), 0);
    expect_int(tusk_await(gather), TUSK_RELEASED);
    expect_int(tusk_await(task), TUSK_RELEASED);
    expect_int(tusk_future_result(gather), TUSK_RELEASED);
    return 0;
}

static void test_use_after_gather(void **state)
{
    (void)state;
    play_debug(used_after_gather);
}

/* More futures than debug mode remembers: old ones are reused, and nothing is lost. */
static int many_futures(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        tusk_future *future = tusk_create_future();

        tusk_release(tusk_gather(&future, 1));
        tusk_release(tusk_create_task(return_seven, NULL));
        if (i % 100 == 0)
            expect_int(tusk_sleep(0), 0);
    }
    return 0;
}

static void test_many_futures_in_debug_mode(void **state)
{
    (void)state;
    assert_int_equal(play_with(many_futures, NULL, true), 0);
}

static int future_line, task_line, gather_line;

static int leave_references(void *arg)
{
    tusk_future *future;
    tusk_task *task;

    (void)arg;
    future_line = __LINE__ + 1;
    expect(tusk_create_future() != NULL);
    task_line = __LINE__ + 1;
    expect(tusk_create_task(return_seven, NULL, .name = "kept") != NULL);
    task = tusk_create_task(return_seven, NULL);
    gather_line = __LINE__ + 1;
    expect((future = tusk_gather(&task, 1)) != NULL);
    return tusk_sleep(1);
}

static void test_references_left_are_named_with_their_place(void **state)
{
    char place[256];

    (void)state;
    play_debug(leave_references);
    assert_non_null(
        strstr(stage_reports, "A reference was never handed on (tusk_await or tusk_release it)|kept|"));
    LINE_OF_REPORT(place, future_line);
    assert_non_null(strstr(stage_reports, place));
    LINE_OF_REPORT(place, task_line);
    assert_non_null(strstr(stage_reports, place));
    LINE_OF_REPORT(place, gather_line);
    assert_non_null(strstr(stage_reports, place));
}

/* What the library holds is nobody's forgotten reference. */
static int leave_nothing(void *arg)
{
    tusk_task *tasks[2] = {tusk_create_task(sleep_hour, NULL), tusk_create_task(return_seven, NULL)};

    (void)arg;
    tusk_release(tusk_gather(tasks, 2));
    tusk_release(tusk_create_task(await_arg, tusk_create_future()));
    tusk_release(tusk_create_task(return_seven, NULL));
    return tusk_sleep(1);
}

static void test_a_tidy_program_hears_nothing(void **state)
{
    (void)state;
    play_debug(leave_nothing);
    /* A pending gather that was released, and whose children the end cancels, has an error nobody took. */
    assert_null(strstr(stage_reports, "never handed on"));
}

static int debug_lesson(void *arg)
{
    tusk_task *tasks[10];

    (void)arg;
    for (int i = 0; i < 10; i++)
        tasks[i] = tusk_create_task(return_arg, as_arg(i));
    tusk_try(tusk_await(tusk_gather(tasks, 10)));
    for (int i = 0; i < 10; i++)
        tasks[i] = tusk_create_task(return_arg, as_arg(i), .eager_start = i % 2);
    for (int i = 0; i < 10; i++)
        expect_int(tusk_await(tusk_retain(tasks[i])), i);
    for (int i = 0; i < 10; i++)
        tusk_release(tasks[i]);
    return 0;
}

static void test_ordinary_work_in_debug_mode(void **state)
{
    (void)state;
    play_debug(debug_lesson);
    assert_string_equal(stage_reports, "");
}

/* ---- references ---- */

static int retain_and_release(void *arg)
{
    tusk_task *task = tusk_create_task(return_seven, NULL);

    (void)arg;
    expect(tusk_retain(task) == task);
    expect(tusk_retain(task) == task);
    expect_int(tusk_await(task), 7);
    expect_int(tusk_await(task), 7);
    expect_int(tusk_await(task), 7);
    return 0;
}

static void test_retain(void **state)
{
    (void)state;
    play_quietly(retain_and_release);
    play_debug(retain_and_release);
    assert_string_equal(stage_reports, "");
}

/* The task gives up the reference to itself. */
static int release_self(void *arg)
{
    tusk_task **self = arg;

    tusk_release(*self);
    expect_int(tusk_sleep(0), 0);
    return 3;
}

static int released_by_itself(void *arg)
{
    tusk_task *task = tusk_create_task(release_self, &task);

    (void)arg;
    return tusk_sleep(1);
}

static void test_task_that_releases_itself(void **state)
{
    (void)state;
    play_quietly(released_by_itself);
}

static int release_in_callback(tusk_future *future, void *arg)
{
    (void)arg;
    tusk_release(future);
    return 0;
}

static int released_in_callback(void *arg)
{
    tusk_task *task = tusk_create_task(return_seven, NULL);
    tusk_future *future = tusk_create_future();

    (void)arg;
    expect_int(tusk_future_add_done_callback(task, release_in_callback, NULL), 0);
    expect_int(tusk_future_add_done_callback(future, release_in_callback, NULL), 0);
    expect(tusk_future_cancel(future));
    return tusk_sleep(1);
}

static void test_release_in_a_callback(void **state)
{
    (void)state;
    play_quietly(released_in_callback);
    play_debug(released_in_callback);
    assert_string_equal(stage_reports, "");
}

/* ---- pointers into stacks ---- */

static TUSK__NOINLINE int use_stack(void *arg)
{
    volatile char frame[4096];

    memset((char *)frame, 0x5a, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    (void)arg;
    return 0;
}

/* Reads what lies on its creator's stack, when others have run since. */
static int use_numbers(void *arg)
{
    const int *numbers = arg;
    int wrong = 0;
    int rc = tusk_sleep(3600);

    for (int i = 0; i < 20; i++)
        tusk_release(tusk_create_task(use_stack, NULL, .eager_start = i % 2));
    expect_int(rc, -ECANCELED);
    expect_int(tusk_sleep(1), 0);
    for (int i = 0; i < 100; i++)
        wrong += numbers[i] != i;
    expect_int(wrong, 0);
    return rc;
}

static int leave_with_numbers(void *arg)
{
    int numbers[100];

    (void)arg;
    for (int i = 0; i < 100; i++)
        numbers[i] = i;
    tusk_release(tusk_create_task(use_numbers, numbers));
    return tusk_sleep(1);
}

/* The stack of the main coroutine lives until all tasks have ended. */
static void test_stack_of_the_main_coroutine_stays(void **state)
{
    size_t live = tusk__live();

    (void)state;
    stage_clean();
    /* Not by way of play(): its main coroutine would stand between. */
    assert_int_equal(tusk_run(leave_with_numbers, NULL, .clock = TUSK_CLOCK_VIRTUAL), 0);
    assert_int_equal(stage_failures, 0);
    assert_int_equal(tusk__live(), live);
}

static int give_pointer_and_end(void *arg)
{
    int number = 3;

    (void)arg;
    tusk_release(tusk_create_task(sleep_hour, &number, .name = "borrower"));
    return tusk_sleep(0);
}

static int lender_ends_first(void *arg)
{
    (void)arg;
    return tusk_await(tusk_create_task(give_pointer_and_end, NULL, .name = "lender"));
}

static void test_pointer_into_a_stack_that_has_gone_is_reported(void **state)
{
    (void)state;
    play_debug(lender_ends_first);
    assert_non_null(strstr(stage_reports, "borrower"));
    assert_non_null(strstr(stage_reports, "lender"));
}

/* ---- copies ---- */

struct job {
    int number;
    char text[200];
    long double aligned;
};

static int do_job(void *arg)
{
    const struct job *job = arg;

    expect_int((uintptr_t)arg % _Alignof(max_align_t), 0);
    expect_text(job->text, "soup");
    tusk_try(tusk_sleep(1));
    expect_text(job->text, "soup");
    return job->number;
}

static struct job *new_job(int number)
{
    static struct job job;

    job = (struct job){.number = number, .text = "soup"};
    return &job;
}

static int copies_in_a_loop(void *arg)
{
    static tusk_task *tasks[1000];
    static int results[1000];

    (void)arg;
    for (int i = 0; i < 1000; i++)
        tasks[i] = tusk_create_task(do_job, tusk_copy(new_job(i)), .eager_start = i % 3 == 0);
    new_job(-1)->text[0] = 'x';
    expect_int(tusk_await(tusk_gather(tasks, 1000, .results = results)), 0);
    for (int i = 0; i < 1000; i++)
        expect_int(results[i], i);
    return 0;
}

static void test_copies_in_a_loop(void **state)
{
    (void)state;
    play_quietly(copies_in_a_loop);
}

static int copy_freed_at_the_end(void *arg)
{
    size_t live = tusk__live();
    tusk_task *task = tusk_create_task(do_job, tusk_copy(new_job(2)));

    (void)arg;
    expect(tusk__live() > live);
    expect_int(tusk_await(tusk_retain(task)), 2);
    /* With the end of the coroutine, not with the last reference. */
    expect_int(tusk__live(), live);
    tusk_release(task);
    task = tusk_create_task(do_job, tusk_copy(new_job(3)));
    expect(tusk_task_cancel(task));
    expect_int(tusk_await(tusk_retain(task)), -ECANCELED);
    expect_int(tusk__live(), live);
    tusk_release(task);
    return 0;
}

static int warm_up_and_copy(void *arg)
{
    /* Slabs and stacks are there before blocks are counted. */
    tusk_release(tusk_create_task(do_job, tusk_copy(new_job(1))));
    expect_int(tusk_sleep(2), 0);
    return copy_freed_at_the_end(arg);
}

static void test_copy_is_freed_with_the_coroutine(void **state)
{
    (void)state;
    play_quietly(warm_up_and_copy);
}

static int copies_of_failed_creations(void *arg)
{
    size_t live;

    (void)arg;
    expect_int(tusk_await(tusk_create_task(return_seven, NULL)), 7);
    live = tusk__live();
    expect(tusk_create_task(NULL, tusk_copy(new_job(1))) == NULL);
    expect(tusk_create_task(do_job, tusk_copy(new_job(1)), .stack_size = 1) == NULL);
    expect(tusk_loop_create_task(NULL, do_job, tusk_copy(new_job(1))) == NULL);
    expect_int(tusk_raise(-EIO, NULL), -EIO); /* forgets the messages of the failures */
    expect_int(tusk__live(), live);
    return 0;
}

static void test_copies_of_failed_creations(void **state)
{
    size_t live = tusk__live();

    (void)state;
    play_quietly(copies_of_failed_creations);
    assert_null(tusk_create_task(do_job, tusk_copy(new_job(1))));
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_null(tusk_ensure_future(do_job, tusk_copy(new_job(1))));
    assert_null(tusk_loop_create_task(NULL, do_job, tusk_copy(new_job(1))));
    assert_int_equal(tusk_run(NULL, tusk_copy(new_job(1))), -EINVAL);
    assert_int_equal(tusk__live(), live);
}

static int copy_for_nobody(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        expect((tusk_copy)(new_job(i), sizeof(struct job)) != NULL);
    return 0;
}

static void test_copies_for_nobody(void **state)
{
    (void)state;
    play_quietly(copy_for_nobody);
    play_debug(copy_for_nobody);
    assert_string_equal(stage_reports, "A tusk_copy was never given to a task|-|-|-\n");
}

/* Two copies wait at the same time, and each task gets its own. */
static int inner_job(void *arg)
{
    return *(int *)arg;
}

static int outer_job(void *arg)
{
    int number = *(int *)arg;
    int more = number + 100;

    return tusk_await(tusk_create_task(inner_job, tusk_copy(&more), .eager_start = true)) + number;
}

static int nested_copies(void *arg)
{
    int one = 1;
    int two = 2;
    void *first = tusk_copy(&one);
    void *second = tusk_copy(&two);
    tusk_task *tasks[2];
    int results[2];

    (void)arg;
    tasks[0] = tusk_create_task(outer_job, first, .eager_start = true);
    tasks[1] = tusk_create_task(outer_job, second);
    expect_int(tusk_await(tusk_gather(tasks, 2, .results = results)), 0);
    expect_int(results[0], 102);
    expect_int(results[1], 104);
    return 0;
}

static void test_nested_copies(void **state)
{
    (void)state;
    play_quietly(nested_copies);
}

/* The main coroutine's argument may be a copy too. */
static void test_copy_for_a_run(void **state)
{
    size_t live = tusk__live();
    int number = 12;

    (void)state;
    assert_int_equal(tusk_run(inner_job, tusk_copy(&number)), 12);
    assert_int_equal(tusk__live(), live);
}

/* Also that of a main coroutine which never ends. */
static int never_end(void *arg)
{
    (void)arg;
    for (;;) {
        tusk_future *never = tusk_create_future();
        int rc = tusk_await(tusk_retain(never));

        tusk_release(never);
        if (rc != -ECANCELED)
            return rc;
    }
}

static void test_copy_for_a_run_that_never_ends(void **state)
{
    size_t live = tusk__live();
    int number = 12;

    (void)state;
    assert_int_equal(tusk_run(never_end, tusk_copy(&number), .clock = TUSK_CLOCK_VIRTUAL), -EDEADLK);
    assert_int_equal(tusk__live(), live);
}

/* ---- the end of a loop ---- */

static tusk_future *left;

static int release_left(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    trace("%s", context->message);
    tusk_release(left);
    left = NULL;
    return 0;
}

/* An exception handler gives a reference back while the loop closes: it is the program's to give. */
static void test_handler_releases_at_the_end(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);

    (void)state;
    stage_clean();
    tusk_loop_set_exception_handler(loop, release_left, NULL);
    left = (tusk_loop_create_future)(loop, NULL);
    assert_int_equal(tusk_future_set_exception(left, -EIO, "no milk"), 0);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_string_equal(stage_trace, "Future exception was never retrieved");
    assert_int_equal(tusk__live(), live);
}

static int shield_a_task(void *arg)
{
    (void)arg;
    return tusk_await(tusk_shield(tusk_create_task(return_seven, NULL)));
}

static void test_shield_in_debug_mode(void **state)
{
    (void)state;
    assert_int_equal(play_with(shield_a_task, NULL, true), 7);
    assert_string_equal(stage_reports, "");
}

/* It belongs to one task: another that is given the same pointer only borrows it. */
static int borrowed(void *arg)
{
    int number = 5;
    int *copy = tusk_copy(&number);
    tusk_task *tasks[2] = {tusk_create_task(inner_job, copy), tusk_create_task(return_seven, copy)};

    (void)arg;
    expect_int(tusk_await(tasks[0]), 5);
    tusk_release(tasks[1]);
    return tusk_sleep(1);
}

static void test_copy_belongs_to_the_first(void **state)
{
    (void)state;
    play_quietly(borrowed);
}

static void test_copy_of_a_task_that_never_ran(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);

    (void)state;
    stage_clean();
    tusk_loop_set_exception_handler(loop, keep_report, NULL);
    tusk_release(tusk_loop_create_task(loop, do_job, tusk_copy(new_job(1)), .name = "never"));
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_string_equal(stage_reports, "Task was destroyed but it is pending!|never|-|-\n");
    assert_int_equal(tusk__live(), live);
}

/* Closing any loop of the thread gives up copies that nobody came for. */
static void test_copies_go_with_any_loop(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);

    (void)state;
    assert_non_null(tusk_copy(new_job(1)));
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(tusk__live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_use_after_release_is_reported),
        cmocka_unit_test(test_callbacks_after_release),
        cmocka_unit_test(test_use_after_gather),
        cmocka_unit_test(test_many_futures_in_debug_mode),
        cmocka_unit_test(test_references_left_are_named_with_their_place),
        cmocka_unit_test(test_a_tidy_program_hears_nothing),
        cmocka_unit_test(test_ordinary_work_in_debug_mode),
        cmocka_unit_test(test_retain),
        cmocka_unit_test(test_task_that_releases_itself),
        cmocka_unit_test(test_release_in_a_callback),
        cmocka_unit_test(test_stack_of_the_main_coroutine_stays),
        cmocka_unit_test(test_pointer_into_a_stack_that_has_gone_is_reported),
        cmocka_unit_test(test_copies_in_a_loop),
        cmocka_unit_test(test_copy_is_freed_with_the_coroutine),
        cmocka_unit_test(test_copies_of_failed_creations),
        cmocka_unit_test(test_copies_for_nobody),
        cmocka_unit_test(test_nested_copies),
        cmocka_unit_test(test_copy_for_a_run),
        cmocka_unit_test(test_copy_for_a_run_that_never_ends),
        cmocka_unit_test(test_handler_releases_at_the_end),
        cmocka_unit_test(test_shield_in_debug_mode),
        cmocka_unit_test(test_copy_belongs_to_the_first),
        cmocka_unit_test(test_copy_of_a_task_that_never_ran),
        cmocka_unit_test(test_copies_go_with_any_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
