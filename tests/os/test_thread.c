/*
 * From the loop into threads: to_thread, run_in_executor, pools, and the end of it all.
 */
#include "task/stage.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "support/live.h"

static tusk_context_var color = TUSK_CONTEXT_VAR("color", "none");

/* What a function in a thread waits at. Static, for threads outlive their tests. */
struct gate {
    sem_t open;
    sem_t reached;
    atomic_int calls;
    int result;
};

static void gate_init(struct gate *gate, int result)
{
    sem_init(&gate->open, 0, 0);
    sem_init(&gate->reached, 0, 0);
    atomic_init(&gate->calls, 0);
    gate->result = result;
}

static void wait_at(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0)
        ;
}

static int pass(void *arg)
{
    struct gate *gate = arg;

    atomic_fetch_add(&gate->calls, 1);
    sem_post(&gate->reached);
    wait_at(&gate->open);
    return gate->result;
}

/* The number that a thread finds in memory of its own. */
static int number_of(void *arg)
{
    return *(const int *)arg;
}

static int fail_with_message(void *arg)
{
    return tusk_raise(-EIO, "disk %d is full", *(const int *)arg);
}

/* ---- results ---- */

static int results(void *arg)
{
    int numbers[] = {0, 1, 42, INT_MAX};

    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        expect_int(tusk_to_thread(number_of, &numbers[i]), numbers[i]);
        expect_int(tusk_await(tusk_run_in_executor(NULL, number_of, &numbers[i])), numbers[i]);
    }
    return 0;
}

static void test_results(void **state)
{
    (void)state;
    play_quietly(results);
}

static int return_io_error(void *arg)
{
    (void)arg;
    return -EIO;
}

static int return_cancelled(void *arg)
{
    (void)arg;
    return -ECANCELED;
}

static int errors(void *arg)
{
    int disk = 3;
    tusk_future *future;

    (void)arg;
    expect_int(tusk_to_thread(fail_with_message, &disk), -EIO);
    expect_text(tusk_message(), "disk 3 is full");
    /* The same thread once more: an old message is not taken for this error's. */
    expect_int(tusk_to_thread(return_io_error, NULL), -EIO);
    expect_text(tusk_message(), NULL);
    future = tusk_run_in_executor(NULL, return_cancelled, NULL);
    expect_int(tusk_await(tusk_retain(future)), -ECANCELED);
    expect(!tusk_future_cancelled(future));
    tusk_release(future);
    return 0;
}

static void test_errors_travel_with_their_message(void **state)
{
    (void)state;
    play_quietly(errors);
}

static int unretrieved(void *arg)
{
    int disk = 4;
    tusk_future *future = tusk_run_in_executor(NULL, fail_with_message, &disk);

    (void)arg;
    while (!tusk_future_done(future))
        expect_int(tusk_sleep(0), 0);
    tusk_release(future);
    return tusk_sleep(0);
}

static void test_an_error_nobody_asked_for_is_reported(void **state)
{
    (void)state;
    play_reports(unretrieved, "Future exception was never retrieved|-|EIO|disk 4 is full\n");
}

static int misuse(void *arg)
{
    (void)arg;
    expect_int(tusk_to_thread(NULL, NULL), -EINVAL);
    expect(tusk_run_in_executor(NULL, NULL, NULL) == NULL);
    expect_int(tusk_last_error(), -EINVAL);
    return 0;
}

static void test_misuse(void **state)
{
    int number = 1;
    size_t live = tusk__live();

    (void)state;
    play_quietly(misuse);
    assert_int_equal(tusk_to_thread(number_of, &number), TUSK_NOT_IN_TASK);
    assert_int_equal(tusk_to_thread(number_of, tusk_copy(&number)), TUSK_NOT_IN_TASK);
    assert_null(tusk_run_in_executor(NULL, number_of, tusk_copy(&number)));
    assert_int_equal(tusk_last_error(), TUSK_NO_RUNNING_LOOP);
    assert_null(tusk_loop_run_in_executor(NULL, NULL, number_of, tusk_copy(&number)));
    assert_int_equal(tusk_last_error(), -EINVAL);
    assert_int_equal(tusk__live(), live);
}

/* ---- beside the loop ---- */

static int tick(void *arg)
{
    int *ticks = arg;

    for (*ticks = 0; *ticks < 100; ++*ticks)
        tusk_try(tusk_sleep(0));
    return 0;
}

static int open_gate(void *arg)
{
    struct gate *gate = arg;

    return sem_post(&gate->open);
}

static int others_run(void *arg)
{
    static struct gate gate;
    int ticks = 0;
    tusk_task *ticker = tusk_create_task(tick, &ticks);

    (void)arg;
    gate_init(&gate, 9);
    /* Nothing opens the gate but a callback of this loop. */
    tusk_call_later(0, open_gate, &gate);
    expect_int(tusk_to_thread(pass, &gate), 9);
    expect_int(tusk_await(ticker), 0);
    expect_int(ticks, 100);
    return 0;
}

static void test_others_run_meanwhile(void **state)
{
    (void)state;
    play_quietly(others_run);
}

static int thread_differs(void *arg)
{
    return !pthread_equal(pthread_self(), *(const pthread_t *)arg) && tusk_get_running_loop() == NULL &&
           tusk_current_task() == NULL;
}

static int other_thread(void *arg)
{
    pthread_t self = pthread_self();

    (void)arg;
    expect_int(tusk_to_thread(thread_differs, &self), 1);
    return 0;
}

static void test_it_is_another_thread(void **state)
{
    (void)state;
    play_quietly(other_thread);
}

/* One iteration sets the future, the next one runs its callbacks. */
static int done_callback(tusk_future *future, void *arg)
{
    (void)future;
    trace_at(arg);
    return 0;
}

static int order_of_events(void *arg)
{
    static struct gate gate;
    tusk_future *future;

    (void)arg;
    gate_init(&gate, 1);
    future = tusk_run_in_executor(NULL, pass, &gate);
    tusk_future_add_done_callback(future, done_callback, "first");
    wait_at(&gate.reached);
    sem_post(&gate.open);
    /* The letter comes behind this task, so the future is set in the iteration of the last mark. */
    while (!tusk_future_done(future)) {
        mark();
        expect_int(tusk_sleep(0), 0);
    }
    tusk_future_add_done_callback(future, done_callback, "second");
    expect_int(tusk_await(future), 1);
    expect_int(tusk_sleep(0), 0);
    trace_at("main");
    return 0;
}

static void test_callbacks_run_an_iteration_later(void **state)
{
    (void)state;
    play_trace(order_of_events, "first@1 second@2 main@2");
}

/* ---- arguments and contexts ---- */

static int copies(void *arg)
{
    tusk_future *futures[20];
    int results[20];

    (void)arg;
    for (int i = 0; i < 20; i++)
        futures[i] = tusk_run_in_executor(NULL, number_of, tusk_copy(&i));
    expect_int(tusk_await(tusk_gather(futures, 20, .results = results)), 0);
    for (int i = 0; i < 20; i++)
        expect_int(results[i], i);
    for (int i = 0; i < 20; i++)
        expect_int(tusk_to_thread(number_of, tusk_copy(&i)), i);
    return 0;
}

static void test_copies_belong_to_the_job(void **state)
{
    (void)state;
    play_quietly(copies);
}

static int see_and_set_color(void *arg)
{
    const char *seen = tusk_context_var_get(&color);

    tusk_context_var_set(&color, arg, NULL);
    return seen[0];
}

static int contexts(void *arg)
{
    (void)arg;
    tusk_context_var_set(&color, "green", NULL);
    expect_int(tusk_to_thread(see_and_set_color, "red"), 'g');
    expect_text(tusk_context_var_get(&color), "green");
    /* The same threads: nothing is left of the context before. */
    for (int i = 0; i < 10; i++)
        expect_int(tusk_await(tusk_run_in_executor(NULL, see_and_set_color, "blue")), 'n');
    expect_int(tusk_to_thread(see_and_set_color, "red"), 'g');
    return 0;
}

static void test_to_thread_copies_the_context(void **state)
{
    (void)state;
    play_quietly(contexts);
}

/* ---- cancelling ---- */

static int cancel_running(void *arg)
{
    static struct gate gate;
    tusk_future *future;

    (void)arg;
    gate_init(&gate, 5);
    future = tusk_run_in_executor(NULL, pass, &gate);
    wait_at(&gate.reached);
    mark();
    expect(tusk_future_cancel(future));
    expect(tusk_future_cancelled(future));
    expect_int(tusk_await(future), -ECANCELED);
    expect_int(iterations(), 0);
    /* It still runs; its result will be dropped. */
    sem_post(&gate.open);
    expect_int(tusk_to_thread(number_of, &(int){6}), 6);
    return 0;
}

static void test_cancel_leaves_the_thread_alone(void **state)
{
    (void)state;
    play_quietly(cancel_running);
}

static int to_thread_at(void *arg)
{
    return tusk_to_thread(pass, arg);
}

static int cancel_waiting_task(void *arg)
{
    static struct gate gate;
    tusk_task *task;

    (void)arg;
    gate_init(&gate, 5);
    task = tusk_create_task(to_thread_at, &gate, .eager_start = true);
    wait_at(&gate.reached);
    expect(tusk_task_cancel(task));
    expect_int(tusk_await(task), -ECANCELED);
    sem_post(&gate.open);
    return 0;
}

static void test_cancel_of_a_task_in_to_thread(void **state)
{
    (void)state;
    play_quietly(cancel_waiting_task);
}

/* ---- cancels that wait ---- */

static int to_thread_to_the_end(void *arg)
{
    return tusk_to_thread(pass, arg, .wait = true);
}

struct writing {
    struct gate *gate;
    char *words;
};

static int write_words(void *arg)
{
    const struct writing *writing = arg;
    int result = pass(writing->gate);

    strcpy(writing->words, "written by the thread");
    return result;
}

/* The function's argument, and what it writes to, stand on the stack of a task that is cancelled. */
static int write_to_stack(void *arg)
{
    char words[200] = "";
    struct writing writing = {arg, words};
    int rc = tusk_to_thread(write_words, &writing, .wait = true);

    expect_text(words, "written by the thread");
    return rc;
}

static int cancel_to_the_end(void *arg)
{
    static struct gate gate;
    tusk_task *task;

    (void)arg;
    gate_init(&gate, 5);
    task = tusk_create_task(write_to_stack, &gate, .eager_start = true);
    wait_at(&gate.reached);
    expect(tusk_task_cancel(task, .msg = "enough"));
    for (int i = 0; i < 3; i++)
        expect_int(tusk_sleep(0), 0);
    expect(!tusk_future_done(task));
    /* Once more is no less. */
    expect(tusk_task_cancel(task));
    expect_int(tusk_task_cancelling(task), 2);
    for (int i = 0; i < 3; i++)
        expect_int(tusk_sleep(0), 0);
    expect(!tusk_future_done(task));
    sem_post(&gate.open);
    expect_int(tusk_await(tusk_retain(task)), -ECANCELED);
    expect_text(tusk_message(), "enough");
    expect(tusk_future_cancelled(task));
    tusk_release(task);
    return 0;
}

static void test_a_cancel_that_waits(void **state)
{
    (void)state;
    play_quietly(cancel_to_the_end);
}

static int results_to_the_end(void *arg)
{
    int disk = 3;

    (void)arg;
    expect_int(tusk_to_thread(number_of, &(int){6}, .wait = true), 6);
    expect_int(tusk_to_thread(fail_with_message, &disk, .wait = true), -EIO);
    expect_text(tusk_message(), "disk 3 is full");
    expect_int(tusk_to_thread(return_cancelled, NULL, .wait = true), -ECANCELED);
    expect_int(tusk_to_thread(NULL, NULL, .wait = true), -EINVAL);
    return 0;
}

static void test_results_of_those_that_wait(void **state)
{
    (void)state;
    play_quietly(results_to_the_end);
}

/* A time-out comes late, and an error that is overtaken by it is not reported. */
static tusk_timeout timeout;

static int to_thread_in_time(void *arg)
{
    tusk_try(tusk_timeout_enter(&timeout, 3600));
    return tusk_timeout_exit(&timeout, to_thread_to_the_end(arg));
}

static int late_time_out(void *arg)
{
    static struct gate gate;
    tusk_task *task;

    (void)arg;
    gate_init(&gate, -EIO);
    task = tusk_create_task(to_thread_in_time, &gate, .eager_start = true);
    wait_at(&gate.reached);
    expect_int(tusk_timeout_reschedule(&timeout, tusk_loop_time(tusk_get_running_loop())), 0);
    while (!tusk_timeout_expired(&timeout))
        expect_int(tusk_sleep(0), 0);
    for (int i = 0; i < 3; i++)
        expect_int(tusk_sleep(0), 0);
    expect(!tusk_future_done(task));
    sem_post(&gate.open);
    expect_int(tusk_await(task), -ETIMEDOUT);
    return 0;
}

static void test_a_time_out_that_waits(void **state)
{
    (void)state;
    play_quietly(late_time_out);
}

/* What is in the queue behind others has not started, and never will. */
static int cancel_queued_to_the_end(void *arg)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(1);
    static struct gate busy;
    static struct gate queued;
    tusk_task *task;
    tusk_future *first;

    (void)arg;
    gate_init(&busy, 1);
    gate_init(&queued, 2);
    expect_int(tusk_loop_set_default_executor(tusk_get_running_loop(), pool), 0);
    first = tusk_run_in_executor(NULL, pass, &busy);
    wait_at(&busy.reached);
    task = tusk_create_task(to_thread_to_the_end, &queued, .eager_start = true);
    expect(tusk_task_cancel(task));
    expect_int(tusk_await(task), -ECANCELED);
    expect(!tusk_future_done(first));
    sem_post(&busy.open);
    sem_post(&queued.open);
    expect_int(tusk_await(first), 1);
    expect_int(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    expect_int(atomic_load(&queued.calls), 0);
    tusk_thread_pool_executor_release(pool);
    return 0;
}

static void test_a_cancel_before_the_start_does_not_wait(void **state)
{
    (void)state;
    play_quietly(cancel_queued_to_the_end);
}

/* With one thread that is busy, what comes after it waits and can be cancelled. */
static int cancel_queued(void *arg)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(1);
    static struct gate busy;
    static struct gate queued;
    tusk_future *futures[2];

    (void)arg;
    gate_init(&busy, 1);
    gate_init(&queued, 2);
    futures[0] = tusk_run_in_executor(pool, pass, &busy);
    futures[1] = tusk_run_in_executor(pool, pass, &queued);
    wait_at(&busy.reached);
    expect(tusk_future_cancel(futures[1]));
    /* The cancel is handed on in the callbacks of the future, in the next iteration. */
    for (int i = 0; i < 2; i++)
        expect_int(tusk_sleep(0), 0);
    sem_post(&busy.open);
    sem_post(&queued.open);
    expect_int(tusk_await(futures[0]), 1);
    expect_int(tusk_await(futures[1]), -ECANCELED);
    expect_int(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    expect_int(atomic_load(&queued.calls), 0);
    tusk_thread_pool_executor_release(pool);
    return 0;
}

static void test_cancel_before_the_start(void **state)
{
    (void)state;
    play_quietly(cancel_queued);
}

/* ---- the loop closes first ---- */

static int return_number_late(void *arg)
{
    struct gate *gate = *(struct gate **)arg;

    (void)tusk_raise(-EIO, "dropped");
    return pass(gate) - 10;
}

static void test_a_thread_outlives_its_loop(void **state)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(1);
    tusk_loop *loop = tusk_new_event_loop();
    static struct gate gate;
    static struct gate queued;
    struct gate *pointer = &gate;

    (void)state;
    gate_init(&gate, 5);
    gate_init(&queued, 5);
    tusk_release(tusk_loop_run_in_executor(loop, pool, return_number_late, tusk_copy(&pointer)));
    tusk_release(tusk_loop_run_in_executor(loop, pool, pass, &queued));
    wait_at(&gate.reached);
    assert_int_equal(tusk_loop_close(loop), 0);
    sem_post(&gate.open);
    sem_post(&queued.open);
    assert_int_equal(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    tusk_thread_pool_executor_release(pool);
    /* What had not started when its loop closed has not started. */
    assert_int_equal(atomic_load(&queued.calls), 0);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* The loop that closes, where the function waits for it. */
static tusk_loop *awaited_loop;

/* What it waits for stands in a queue when the loop closes. */
static int wait_for_loop(const struct writing *writing)
{
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(awaited_loop, nothing, NULL);
    int rc;

    sem_post(&writing->gate->reached);
    rc = tusk_concurrent_future_result(future, INFINITY);
    tusk_concurrent_future_release(future);
    return rc;
}

static int write_late(void *arg)
{
    const struct writing *writing = arg;
    int rc = awaited_loop ? wait_for_loop(writing) : 0;

    write_words(arg);
    return rc;
}

static int use_stack(void *arg)
{
    char words[200] = "";
    struct writing writing = {arg, words};

    return tusk_to_thread(write_late, &writing, .wait = true);
}

static void *open_later(void *arg)
{
    struct gate *gate = arg;

    live_sleep_ms(20);
    sem_post(&gate->open);
    return NULL;
}

static int stop_when_reached(void *arg)
{
    wait_at(&((struct gate *)arg)->reached);
    tusk_loop_stop(tusk_get_running_loop());
    return 0;
}

static void test_a_loop_outwaits_what_uses_its_stacks(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        tusk_loop *loop = tusk_new_event_loop();
        static struct gate gate;
        tusk_task *task;
        pthread_t opener;

        tusk_loop_set_exception_handler(loop, keep_report, NULL);
        gate_init(&gate, 5);
        awaited_loop = way & 1 ? loop : NULL;
        task = tusk_loop_create_task(loop, use_stack, &gate);
        tusk_loop_call_soon(loop, stop_when_reached, &gate);
        assert_int_equal(tusk_loop_run_forever(loop), 0);
        if (way & 2)
            assert_true(tusk_task_cancel(task));
        tusk_release(task);
        assert_int_equal(pthread_create(&opener, NULL, open_later, &gate), 0);
        assert_int_equal(tusk_loop_close(loop), 0);
        assert_int_equal(pthread_join(opener, NULL), 0);
    }
    /* Its threads end by themselves, as below. */
    live_wait_for_blocks(live_before.blocks);
}

static void test_a_loop_closes_over_a_result_on_its_way(void **state)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(4);
    tusk_loop *loop = tusk_new_event_loop();
    int disk = 5;

    (void)state;
    for (int i = 0; i < 50; i++)
        tusk_release(
            tusk_loop_run_in_executor(loop, pool, i % 2 ? number_of : fail_with_message, tusk_copy(&disk)));
    assert_int_equal(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    assert_int_equal(tusk_loop_close(loop), 0);
    tusk_thread_pool_executor_release(pool);
}

/* Results in the ready queue: the futures are done, and their callbacks have not run. */
static void test_a_loop_closes_between_result_and_callback(void **state)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(4);
    tusk_loop *loop = tusk_new_event_loop();
    int number = 5;

    (void)state;
    for (int i = 0; i < 20; i++)
        tusk_release(tusk_loop_run_in_executor(loop, pool, number_of, tusk_copy(&number)));
    assert_int_equal(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    assert_int_equal(tusk_loop_run_once(loop, 0), 0);
    assert_int_equal(tusk_loop_close(loop), 0);
    tusk_thread_pool_executor_release(pool);
}

static void test_a_loop_closes_with_idle_threads(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();
    int number = 8;

    (void)state;
    assert_int_equal(
        tusk_loop_run_until_complete(loop, tusk_loop_run_in_executor(loop, NULL, number_of, &number)), 8);
    assert_int_equal(tusk_loop_close(loop), 0);
    /* Its threads end by themselves; until then the pool is alive. */
    live_wait_for_blocks(live_before.blocks);
}

/* ---- pools ---- */

struct crowd {
    pthread_mutex_t lock;
    int now;
    int most;
};

static int join_crowd(void *arg)
{
    struct crowd *crowd = arg;

    pthread_mutex_lock(&crowd->lock);
    if (++crowd->now > crowd->most)
        crowd->most = crowd->now;
    pthread_mutex_unlock(&crowd->lock);
    live_sleep_ms(2);
    pthread_mutex_lock(&crowd->lock);
    crowd->now--;
    pthread_mutex_unlock(&crowd->lock);
    return 0;
}

static int at_most(void *arg)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(3);
    struct crowd crowd = {.lock = PTHREAD_MUTEX_INITIALIZER};
    tusk_future *futures[30];

    (void)arg;
    for (int i = 0; i < 30; i++)
        futures[i] = tusk_run_in_executor(pool, join_crowd, &crowd);
    expect_int(tusk_await(tusk_gather(futures, 30)), 0);
    expect(crowd.most <= 3);
    expect(crowd.most >= 1);
    expect_int(tusk_to_thread(thread_differs, &(pthread_t){pthread_self()}, .executor = pool), 1);
    expect_int(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    tusk_thread_pool_executor_release(pool);
    return 0;
}

static void test_no_more_threads_than_the_maximum(void **state)
{
    (void)state;
    play_quietly(at_most);
}

static int thread_number(void *arg)
{
    static _Thread_local int number;
    atomic_int *last = arg;

    if (!number)
        number = atomic_fetch_add(last, 1) + 1;
    return number;
}

static int idle_threads(void *arg)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(8);
    atomic_int last = 0;

    (void)arg;
    for (int i = 0; i < 200; i++)
        expect(tusk_to_thread(thread_number, &last, .executor = pool) > 0);
    /* One that has sent its result may not be idle yet when the next job comes. */
    expect(atomic_load(&last) < 8);
    expect_int(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    tusk_thread_pool_executor_release(pool);
    return 0;
}

static void test_idle_threads_are_used_again(void **state)
{
    (void)state;
    play_quietly(idle_threads);
}

/* A pool with one thread, which is busy, and two jobs behind it. */
static tusk_thread_pool_executor *busy_pool(struct gate *gate, tusk_future **futures)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(1);

    gate_init(gate, 1);
    for (int i = 0; i < 3; i++)
        futures[i] = tusk_run_in_executor(pool, pass, gate);
    wait_at(&gate->reached);
    return pool;
}

static int shut_down_pool(void *arg)
{
    static struct gate gate;
    tusk_future *futures[3];
    tusk_thread_pool_executor *pool = busy_pool(&gate, futures);

    (void)arg;
    expect_int(tusk_thread_pool_executor_shutdown(pool, false, true), 0);
    expect(tusk_run_in_executor(pool, pass, &gate) == NULL);
    expect_int(tusk_last_error(), TUSK_EXECUTOR_SHUT_DOWN);
    expect_text(tusk_message(), "the executor was shut down");
    sem_post(&gate.open);
    for (int i = 0; i < 3; i++)
        expect_int(tusk_await(futures[i]), i == 0 ? 1 : -ECANCELED);
    for (int again = 0; again < 2; again++)
        expect_int(tusk_thread_pool_executor_shutdown(pool, true, again), 0);
    expect_int(atomic_load(&gate.calls), 1);
    tusk_thread_pool_executor_release(pool);
    return 0;
}

static void test_shutdown_cancels_what_has_not_started(void **state)
{
    (void)state;
    play_quietly(shut_down_pool);
}

static int drain_pool(void *arg)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(2);
    tusk_future *futures[40];

    (void)arg;
    for (int i = 0; i < 40; i++)
        futures[i] = tusk_run_in_executor(pool, number_of, tusk_copy(&i));
    expect_int(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    for (int i = 0; i < 40; i++)
        expect_int(tusk_await(futures[i]), i);
    tusk_thread_pool_executor_release(pool);
    return 0;
}

static void test_shutdown_runs_what_it_has(void **state)
{
    (void)state;
    play_quietly(drain_pool);
}

static int wait_for_own_pool(void *arg)
{
    return tusk_thread_pool_executor_shutdown(arg, true, false) == -EDEADLK;
}

static int own_pool(void *arg)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(0);

    (void)arg;
    expect_int(tusk_to_thread(wait_for_own_pool, pool, .executor = pool), 1);
    expect_int(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    tusk_thread_pool_executor_release(pool);
    return 0;
}

static void test_a_thread_cannot_wait_for_itself(void **state)
{
    (void)state;
    play_quietly(own_pool);
    assert_int_equal(tusk_thread_pool_executor_shutdown(NULL, true, true), -EINVAL);
    tusk_thread_pool_executor_release(NULL);
}

/* ---- the default executor ---- */

static int default_executor(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(1);
    atomic_int last = 0;

    (void)arg;
    expect_int(tusk_loop_set_default_executor(loop, NULL), -EINVAL);
    expect_int(tusk_loop_set_default_executor(NULL, pool), -EINVAL);
    expect_int(tusk_loop_set_default_executor(loop, pool), 0);
    tusk_thread_pool_executor_release(pool);
    for (int i = 0; i < 20; i++)
        expect_int(tusk_to_thread(thread_number, &last), 1);
    return 0;
}

static int after_shutdown(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    int number = 4;

    (void)arg;
    expect_int(tusk_to_thread(number_of, &number), 4);
    expect_int(tusk_loop_shutdown_default_executor(loop, (double)INFINITY), 0);
    expect_int(tusk_to_thread(number_of, &number), TUSK_EXECUTOR_SHUT_DOWN);
    expect_text(tusk_message(), "the default executor was shut down");
    expect_int(tusk_loop_shutdown_default_executor(loop, 1), 0);
    expect_int(tusk_loop_shutdown_default_executor(loop, (double)NAN), -EINVAL);
    return 0;
}

static void test_a_default_executor_of_ones_own(void **state)
{
    (void)state;
    play_quietly(default_executor);
    play_quietly(after_shutdown);
    assert_int_equal(tusk_loop_shutdown_default_executor(NULL, 1), -EINVAL);
}

static int shut_down_unused(void *arg)
{
    (void)arg;
    mark();
    expect_int(tusk_loop_shutdown_default_executor(tusk_get_running_loop(), 300), 0);
    expect_int(iterations(), 0);
    expect_int(tusk_to_thread(number_of, &(int){1}), TUSK_EXECUTOR_SHUT_DOWN);
    return 0;
}

static void test_shutdown_without_threads(void **state)
{
    (void)state;
    play_quietly(shut_down_unused);
}

static struct gate stuck;

static int time_out(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();

    (void)arg;
    gate_init(&stuck, 1);
    tusk_release(tusk_run_in_executor(NULL, pass, &stuck));
    wait_at(&stuck.reached);
    /* Real time, though the clock is virtual: the thread will not be done in no time. */
    expect_int(tusk_loop_shutdown_default_executor(loop, 0.05), -ETIMEDOUT);
    expect(tusk_loop_time(loop) == 0);
    sem_post(&stuck.open);
    return 0;
}

static void test_shutdown_times_out(void **state)
{
    (void)state;
    play_reports(time_out,
                 "The threads of the default executor did not end within 0.05 seconds|-|ETIMEDOUT|-\n");
}

static int cancel_shutdown_child(void *arg)
{
    return tusk_loop_shutdown_default_executor(arg, (double)INFINITY);
}

static int cancel_shutdown(void *arg)
{
    tusk_task *task;

    (void)arg;
    gate_init(&stuck, 1);
    tusk_release(tusk_run_in_executor(NULL, pass, &stuck));
    wait_at(&stuck.reached);
    task = tusk_create_task(cancel_shutdown_child, tusk_get_running_loop());
    expect_int(tusk_sleep(0), 0);
    tusk_task_cancel(task);
    expect_int(tusk_await(task), -ECANCELED);
    sem_post(&stuck.open);
    return 0;
}

static void test_shutdown_is_cancelled(void **state)
{
    struct stage_play play = {cancel_shutdown, NULL};

    (void)state;
    stage_clean();
    assert_int_equal(tusk_run(stage_main, &play, .clock = TUSK_CLOCK_VIRTUAL), 0);
    assert_int_equal(stage_failures, 0);
    assert_string_equal(stage_reports, "");
    /* The thread that waited for the executor was left to itself. */
    live_wait_for_blocks(live_before.blocks);
}

static int finish_late(void *arg)
{
    live_sleep_ms(50);
    atomic_store((atomic_int *)arg, 1);
    return 0;
}

static int leave_thread_behind(void *arg)
{
    tusk_release(tusk_run_in_executor(NULL, finish_late, arg));
    return 7;
}

static void test_a_run_waits_for_its_threads(void **state)
{
    atomic_int finished = 0;

    (void)state;
    assert_int_equal(play_with(leave_thread_behind, &finished, false), 7);
    assert_int_equal(atomic_load(&finished), 1);
    assert_string_equal(stage_reports, "");
}

/* ---- the virtual clock ---- */

static int sleep_really(void *arg)
{
    (void)arg;
    live_sleep_ms(50);
    return 3;
}

static int time_stands_still(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    tusk_handle later = tusk_call_later(10, open_gate, NULL);

    (void)arg;
    for (int i = 0; i < 3; i++)
        expect_int(tusk_to_thread(sleep_really, NULL), 3);
    expect(tusk_loop_time(loop) == 0);
    expect(tusk_handle_cancel(later));
    /* And goes on afterwards. */
    expect_int(tusk_sleep(5), 0);
    expect(tusk_loop_time(loop) == 5);
    return 0;
}

static void test_virtual_time_stands_still(void **state)
{
    (void)state;
    play_quietly(time_stands_still);
}

static int await_for_ever(void *arg)
{
    tusk_future *future = tusk_create_future();
    int rc;

    (void)arg;
    expect_int(tusk_to_thread(sleep_really, NULL), 3);
    rc = tusk_await(future);
    return rc;
}

static void test_a_deadlock_after_all(void **state)
{
    (void)state;
    assert_int_equal(play(await_for_ever), -EDEADLK);
    assert_non_null(strstr(stage_reports, "Deadlock"));
}

/* A job that nobody waits for any more does not hold the clock. */
static int abandoned(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    tusk_future *future;

    (void)arg;
    gate_init(&stuck, 1);
    future = tusk_run_in_executor(NULL, pass, &stuck);
    wait_at(&stuck.reached);
    expect(tusk_future_cancel(future));
    tusk_release(future);
    expect_int(tusk_sleep(100), 0);
    expect(tusk_loop_time(loop) == 100);
    sem_post(&stuck.open);
    return 0;
}

static void test_an_abandoned_job_does_not_hold_the_clock(void **state)
{
    (void)state;
    play_quietly(abandoned);
}

/* ---- memory ---- */

static int fallible(void *arg)
{
    int number = 12;
    int rc = tusk_to_thread(number_of, tusk_copy(&number));

    (void)arg;
    if (rc == 12)
        rc = tusk_await(tusk_run_in_executor(NULL, number_of, tusk_copy(&number)));
    return rc;
}

/* Each fallible operation fails once: an error comes out, and nothing is left behind. */
static void test_every_failure(void **state)
{
    int rc = -1;

    (void)state;
    for (long n = 1; rc != 12; n++) {
        size_t live = tusk__live();

        assert_true(n < 200);
        tusk__fail_after(n);
        rc = tusk_run(fallible, NULL, .clock = TUSK_CLOCK_VIRTUAL);
        tusk__fail_after(0);
        /* Threads that nobody could wait for, for lack of memory, end a little later. */
        live_wait_for_blocks(live);
        assert_int_equal(tusk__live(), live);
        assert_true(rc == 12 || rc < 0);
    }
}

/* ---- stress ---- */

static int spin(void *arg)
{
    volatile int left = *(const int *)arg;

    while (left > 0)
        left--;
    return *(const int *)arg % 5 == 0 ? tusk_raise(-EIO, "spun %d", *(const int *)arg) : 0;
}

static int stress(void *arg)
{
    uint64_t *seed = arg;
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(3);
    tusk_future *futures[16] = {NULL};
    int rounds = live_count(4000, 800);

    for (int i = 0; i < rounds; i++) {
        tusk_future **slot = &futures[live_random(seed) % 16];
        int work = (int)(live_random(seed) % 2000);

        switch (live_random(seed) % 4) {
        case 0:
            if (*slot)
                tusk_future_cancel(*slot);
            break;
        case 1:
            expect_int(tusk_sleep(0), 0);
            break;
        default:
            if (*slot) {
                if (tusk_future_done(*slot))
                    (void)tusk_future_exception(*slot);
                else
                    tusk_future_cancel(*slot);
                tusk_release(*slot);
            }
            *slot = tusk_run_in_executor(live_random(seed) % 2 ? pool : NULL, spin, tusk_copy(&work));
        }
    }
    for (int i = 0; i < 16; i++)
        if (futures[i])
            tusk_future_cancel(futures[i]);
    for (int i = 0; i < 16; i++)
        tusk_release(futures[i]);
    expect_int(tusk_thread_pool_executor_shutdown(pool, true, live_random(seed) % 2), 0);
    tusk_thread_pool_executor_release(pool);
    return 0;
}

static void test_stress(void **state)
{
    uint64_t seed = live_seed();

    (void)state;
    assert_int_equal(play_with(stress, &seed, false), 0);
}

/* Loops that close whenever, with threads that come back whenever. */
static void test_stress_of_closing(void **state)
{
    uint64_t seed = live_seed();
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(4);

    (void)state;
    for (int round = 0; round < live_count(400, 60); round++) {
        tusk_loop *loop = tusk_new_event_loop();
        int jobs = (int)(live_random(&seed) % 8);

        for (int i = 0; i < jobs; i++) {
            /* No multiple of 5: nobody is there for its error. */
            int work = (int)(live_random(&seed) % 3000) * 5 + 1;

            tusk_release(tusk_loop_run_in_executor(loop, pool, spin, tusk_copy(&work)));
        }
        for (uint64_t i = live_random(&seed) % 4; i > 0; i--)
            assert_int_equal(tusk_loop_run_once(loop, 0), 0);
        assert_int_equal(tusk_loop_close(loop), 0);
    }
    assert_int_equal(tusk_thread_pool_executor_shutdown(pool, true, false), 0);
    tusk_thread_pool_executor_release(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_results),
        live_test(test_errors_travel_with_their_message),
        live_test(test_an_error_nobody_asked_for_is_reported),
        live_test(test_misuse),
        live_test(test_others_run_meanwhile),
        live_test(test_it_is_another_thread),
        live_test(test_callbacks_run_an_iteration_later),
        live_test(test_copies_belong_to_the_job),
        live_test(test_to_thread_copies_the_context),
        live_test(test_cancel_leaves_the_thread_alone),
        live_test(test_cancel_of_a_task_in_to_thread),
        live_test(test_cancel_before_the_start),
        live_test(test_a_cancel_that_waits),
        live_test(test_results_of_those_that_wait),
        live_test(test_a_time_out_that_waits),
        live_test(test_a_cancel_before_the_start_does_not_wait),
        live_test(test_a_thread_outlives_its_loop),
        live_test(test_a_loop_outwaits_what_uses_its_stacks),
        live_test(test_a_loop_closes_over_a_result_on_its_way),
        live_test(test_a_loop_closes_between_result_and_callback),
        live_test(test_a_loop_closes_with_idle_threads),
        live_test(test_no_more_threads_than_the_maximum),
        live_test(test_idle_threads_are_used_again),
        live_test(test_shutdown_cancels_what_has_not_started),
        live_test(test_shutdown_runs_what_it_has),
        live_test(test_a_thread_cannot_wait_for_itself),
        live_test(test_a_default_executor_of_ones_own),
        live_test(test_shutdown_without_threads),
        live_test(test_shutdown_times_out),
        live_test(test_shutdown_is_cancelled),
        live_test(test_a_run_waits_for_its_threads),
        live_test(test_virtual_time_stands_still),
        live_test(test_a_deadlock_after_all),
        live_test(test_an_abandoned_job_does_not_hold_the_clock),
        live_test(test_every_failure),
        live_test(test_stress),
        live_test(test_stress_of_closing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
