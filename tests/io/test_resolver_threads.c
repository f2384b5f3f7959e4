/*
 * The threads of the resolver: how many there are, who waits for them, and who does not.
 */
#include "io/resolver_stub.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- cancelling ---- */

static int cancel_stuck(void *arg)
{
    tusk_task *task;

    (void)arg;
    start_stuck(&task, 1);
    mark();
    expect(tusk_task_cancel(task));
    expect_int(tusk_await(task), -ECANCELED);
    expect_int(iterations(), 2);
    expect_int(atomic_load(&system_stub.inside), 1);
    /* Its thread is one of several. */
    expect_int(look_up("name", "80"), 0);
    return 0;
}

static void test_cancel_leaves_the_thread_alone(void **state)
{
    (void)state;
    assert_int_equal(act(cancel_stuck), 0);
    /* The run did not wait either. */
    assert_int_equal(atomic_load(&system_stub.inside), 1);
    open_for(1);
    live_wait_for_blocks(live_before.blocks);
    assert_int_equal(atomic_load(&system_stub.freed), 1);
}

static int cancel_waiting(void *arg)
{
    tusk_task *stuck[LANE];
    tusk_task *task;

    (void)arg;
    start_stuck(stuck, LANE);
    task = start_lookup("late");
    cancel_all(&task, 1);
    open_for(LANE);
    for (int i = 0; i < LANE; i++)
        expect_int(tusk_await(stuck[i]), 0);
    expect_int(look_up("next", "80"), 0);
    expect_int(atomic_load(&system_stub.asked), LANE + 1);
    expect(!strstr(system_stub.order, "late"));
    expect_int(atomic_load(&system_stub.freed), 0);
    return 0;
}

static void test_what_is_cancelled_in_time_is_not_asked(void **state)
{
    (void)state;
    assert_int_equal(act(cancel_waiting), 0);
}

static int name_stuck(void *arg)
{
    /* On the stack of a task that will be gone when the answer comes. */
    char host[NI_MAXHOST];

    return names_of(arg, 80, 0, host, NULL);
}

static int cancel_stuck_name(void *arg)
{
    tusk_task *task;

    (void)arg;
    strcpy(system_stub.host, "stuck");
    task = tusk_create_task(name_stuck, "192.0.2.7", .eager_start = true);
    wait_at(&system_stub.reached);
    cancel_all(&task, 1);
    return 0;
}

static void test_cancel_of_getnameinfo(void **state)
{
    (void)state;
    assert_int_equal(act(cancel_stuck_name), 0);
    open_for(1);
}

/* The answer has come, and so many turns later, at which the task may have it or not, a cancel. */
static int cancel_late(void *arg)
{
    struct tusk_loop *loop = tusk__running_loop;
    tusk_task *task = start_lookup("stuck");
    int rc;

    wait_at(&system_stub.reached);
    open_for(1);
    while (!tusk__inbox_full(&loop->inbox))
        live_sleep_ms(1);
    for (int turns = *(const int *)arg; turns > 0; turns--) {
        tusk__loop_attend(loop);
        expect_int(tusk_sleep(0), 0);
    }
    rc = tusk_task_cancel(task) ? -ECANCELED : 0;
    expect_int(tusk_await(task), rc);
    return rc;
}

static void test_cancel_when_the_answer_is_there(void **state)
{
    int dropped = 0;
    int taken = 0;

    (void)state;
    for (int turns = 0; turns < 6; turns++) {
        if (act_with(cancel_late, &turns) == 0)
            taken++;
        else
            dropped++;
    }
    live_wait_for_blocks(live_before.blocks);
    assert_int_equal(atomic_load(&system_stub.freed), dropped);
    assert_true(dropped > 1 && taken > 1);
}

/* ---- ends ---- */

static int leave_stuck(void *arg)
{
    tusk_task *stuck[LANE];
    tusk_task *late;

    (void)arg;
    start_stuck(stuck, LANE);
    late = start_lookup("late");
    for (int i = 0; i < LANE; i++)
        tusk_release(stuck[i]);
    tusk_release(late);
    return 7;
}

static int look_up_once(void *arg)
{
    (void)arg;
    return look_up("name", "80");
}

static void test_a_run_does_not_wait_for_the_resolver(void **state)
{
    (void)state;
    assert_int_equal(act(leave_stuck), 7);
    assert_int_equal(atomic_load(&system_stub.inside), LANE);
    /* Nor does another run. */
    assert_int_equal(act(look_up_once), 0);
    open_for(LANE);
    live_wait_for_blocks(live_before.blocks);
    assert_int_equal(atomic_load(&system_stub.freed), LANE);
    assert_null(strstr(system_stub.order, "late"));
}

static int interrupt(void *arg)
{
    (void)arg;
    return raise(SIGINT);
}

static int interrupted(void *arg)
{
    (void)arg;
    tusk_call_soon(interrupt, NULL);
    return look_up("stuck", "80");
}

static void test_one_interrupt_is_enough(void **state)
{
    (void)state;
    /* A shell's background job begins with SIGINT ignored. */
    signal(SIGINT, SIG_DFL);
    assert_int_equal(act(interrupted), -EINTR);
    open_for(1);
}

static int drop_reports(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)context;
    (void)arg;
    return 0;
}

/* Closes a loop under lookups whose tasks never get to their ends. Returns how many blocks it leaves. */
static size_t close_under(int late)
{
    tusk_loop *loop = tusk_new_event_loop();
    size_t left;

    tusk_loop_set_exception_handler(loop, drop_reports, NULL);
    for (int i = 0; i < LANE + late; i++)
        tusk_release(tusk_loop_create_task(loop, look_up_arg, i < LANE ? "stuck" : "late"));
    assert_int_equal(tusk_loop_run_once(loop, 0), 0);
    for (int i = 0; i < LANE; i++)
        wait_at(&system_stub.reached);
    assert_int_equal(tusk_loop_close(loop), 0);
    left = tusk__live() - live_before.blocks;
    open_for(LANE);
    live_wait_for_blocks(live_before.blocks);
    return left;
}

static void test_a_loop_closes_under_lookups(void **state)
{
    size_t stuck = close_under(0);

    (void)state;
    assert_true(stuck > 0);
    /* Those that nobody has begun go with the loop. */
    assert_int_equal(close_under(100), stuck);
    assert_int_equal(atomic_load(&system_stub.freed), 2 * LANE);
    assert_int_equal(atomic_load(&system_stub.asked), 2 * LANE);
}

/* Answers on their way, or in the ready queue. */
static void test_a_loop_closes_over_answers(void **state)
{
    (void)state;
    for (int turns = 0; turns < 3; turns++) {
        tusk_loop *loop = tusk_new_event_loop();

        tusk_loop_set_exception_handler(loop, drop_reports, NULL);
        atomic_store(&system_stub.asked, 0);
        for (int i = 0; i < 20; i++)
            tusk_release(tusk_loop_create_task(loop, look_up_arg, "name"));
        assert_int_equal(tusk_loop_run_once(loop, 0), 0);
        while (atomic_load(&system_stub.asked) < 20 || atomic_load(&system_stub.inside) > 0)
            live_sleep_ms(1);
        for (int i = 0; i < turns; i++)
            assert_int_equal(tusk_loop_run_once(loop, 0), 0);
        assert_int_equal(tusk_loop_close(loop), 0);
        live_wait_for_blocks(live_before.blocks);
    }
}

static void end_with_stuck_lookup(void)
{
    /* What is stuck in the child is never let go. */
    exit(act(leave_stuck) == 7 ? 42 : 1);
}

static void test_a_process_does_not_wait_for_the_resolver(void **state)
{
    int status = 0;
    pid_t child;

    (void)state;
    /* It takes a thread that is alive at the end for a leak. */
    if (RUNNING_ON_VALGRIND)
        skip();
    fflush(NULL);
    child = fork();
    if (child == 0)
        end_with_stuck_lookup();
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

/* ---- threads ---- */

static int look_up_number(void *arg)
{
    struct addrinfo *list = NULL;
    int number = *(const int *)arg;
    char host[32];
    char wanted[64];

    snprintf(host, sizeof host, "number.%d", number);
    snprintf(wanted, sizeof wanted, "10.0.%d.%d 80", number / 256 % 256, number % 256);
    tusk_try(tusk_getaddrinfo(host, "http", &list));
    expect_text(first_of(list), wanted);
    freeaddrinfo(list);
    return 0;
}

static int crowd(void *arg)
{
    enum { CROWD = 1000 };
    tusk_task *tasks[CROWD];

    (void)arg;
    for (int i = 0; i < CROWD; i++)
        tasks[i] = tusk_create_task(look_up_number, tusk_copy(&i));
    expect_int(tusk_await(tusk_gather(tasks, CROWD)), 0);
    expect_int(atomic_load(&system_stub.asked), CROWD);
    return 0;
}

static void test_a_crowd_has_few_threads(void **state)
{
    (void)state;
    assert_int_equal(act(crowd), 0);
    assert_in_range(atomic_load(&system_stub.most), 1, LANE);
    assert_in_range(atomic_load(&system_stub.threads), 1, LANE);
}

static int few(void *arg)
{
    tusk_task *stuck[LANE];

    (void)arg;
    start_stuck(stuck, LANE);
    open_for(LANE);
    return tusk_await(tusk_gather(stuck, LANE));
}

static void test_a_run_leaves_no_idle_thread(void **state)
{
    (void)state;
    for (int i = 1; i <= 100; i++) {
        assert_int_equal(act(few), 0);
        assert_int_equal(atomic_load(&system_stub.threads), i * LANE);
        assert_int_equal(atomic_load(&system_stub.ended), i * LANE);
        assert_int_equal(tusk__live(), live_before.blocks);
    }
}

/* With one thread left, lookups are made one after the other. */
static int in_order(void *arg)
{
    static const char names[8][2] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    tusk_task *stuck[LANE - 1];
    tusk_task *tasks[8];

    (void)arg;
    start_stuck(stuck, LANE - 1);
    for (int i = 0; i < 8; i++)
        tasks[i] = start_lookup(names[i]);
    expect_int(tusk_await(tusk_gather(tasks, 8)), 0);
    expect_text(system_stub.order, "stuck stuck stuck a b c d e f g h ");
    cancel_all(stuck, LANE - 1);
    return 0;
}

static void test_first_in_first_asked(void **state)
{
    (void)state;
    assert_int_equal(act(in_order), 0);
    open_for(LANE - 1);
}

static int wait_for_gate(void *arg)
{
    (void)arg;
    sem_post(&system_stub.reached);
    wait_at(&system_stub.open);
    return 5;
}

static int return_five(void *arg)
{
    (void)arg;
    return 5;
}

/* Each lane is full, and the other goes on. */
static int two_lanes(void *arg)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(1);
    tusk_task *stuck[LANE];
    tusk_future *future;

    (void)arg;
    expect_int(tusk_loop_set_default_executor(tusk_get_running_loop(), pool), 0);
    tusk_thread_pool_executor_release(pool);
    start_stuck(stuck, LANE);
    expect_int(tusk_to_thread(return_five, NULL), 5);
    open_for(LANE);
    for (int i = 0; i < LANE; i++)
        expect_int(tusk_await(stuck[i]), 0);
    future = tusk_run_in_executor(NULL, wait_for_gate, NULL);
    wait_at(&system_stub.reached);
    expect_int(look_up("name", "80"), 0);
    open_for(1);
    expect_int(tusk_await(future), 5);
    return 0;
}

static void test_lookups_and_other_work_do_not_meet(void **state)
{
    (void)state;
    assert_int_equal(act(two_lanes), 0);
}

static int idle_threads(void *arg)
{
    tusk_task *stuck[LANE];

    (void)arg;
    for (int round = 1; round <= 3; round++) {
        start_stuck(stuck, LANE);
        open_for(LANE);
        for (int i = 0; i < LANE; i++)
            expect_int(tusk_await(stuck[i]), 0);
        /* In this loop, which goes on. */
        while (atomic_load(&system_stub.ended) < round * LANE)
            live_sleep_ms(1);
        expect_int(atomic_load(&system_stub.threads), round * LANE);
    }
    return 0;
}

static void test_idle_threads_end(void **state)
{
    (void)state;
    tusk__resolver_system.patience = 1000000;
    assert_int_equal(act(idle_threads), 0);
}

/* Threads that end just when there is something to do. */
static int impatient_threads(void *arg)
{
    (void)arg;
    for (int i = 0; i < live_count(2000, 300); i++) {
        tusk_task *tasks[2] = {start_lookup("a"), start_lookup("b")};

        expect_int(tusk_await(tusk_gather(tasks, 2)), 0);
    }
    return 0;
}

static void test_threads_without_patience(void **state)
{
    (void)state;
    for (int64_t patience = 0; patience <= 40000; patience += 20000) {
        tusk__resolver_system.patience = patience;
        assert_int_equal(act(impatient_threads), 0);
    }
    assert_in_range(atomic_load(&system_stub.most), 1, LANE);
}

/* ---- the clock ---- */

static void *open_later(void *arg)
{
    wait_at(&system_stub.reached);
    live_sleep_ms(30);
    open_for(1);
    return arg;
}

static int hold_clock(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    pthread_t opener;

    (void)arg;
    expect_int(pthread_create(&opener, NULL, open_later, NULL), 0);
    expect_int(tusk_wait_for_coro(look_up_arg, "stuck", 10), 0);
    expect(tusk_loop_time(loop) == 0);
    expect_int(tusk_sleep(20), 0);
    expect(tusk_loop_time(loop) == 20);
    pthread_join(opener, NULL);
    return 0;
}

static void test_virtual_time_stands_still(void **state)
{
    (void)state;
    assert_int_equal(act(hold_clock), 0);
}

static int abandon(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    tusk_task *task;

    (void)arg;
    start_stuck(&task, 1);
    cancel_all(&task, 1);
    expect_int(tusk_sleep(100), 0);
    expect(tusk_loop_time(loop) == 100);
    return 0;
}

static void test_an_abandoned_lookup_does_not_hold_the_clock(void **state)
{
    (void)state;
    assert_int_equal(act(abandon), 0);
    open_for(1);
}

/* ---- memory ---- */

static int fallible(void *arg)
{
    char host[NI_MAXHOST];
    int rc = look_up("name", "http");

    (void)arg;
    if (rc == 0)
        rc = look_up("127.0.0.1", "80");
    if (rc == 0)
        rc = names_of("192.0.2.7", 80, 0, host, NULL);
    if (rc == 0)
        rc = names_of("192.0.2.7", 80, NI_NUMERICHOST, host, NULL);
    return rc == 0 ? 12 : rc;
}

/* Each fallible operation fails once: an error comes out, and nothing is left behind. */
static void test_every_failure(void **state)
{
    int rc = -1;

    (void)state;
    for (long n = 1; rc != 12; n++) {
        assert_true(n < 200);
        stage_clean();
        tusk__fail_after(n);
        rc = tusk_run(fallible, NULL, .clock = TUSK_CLOCK_VIRTUAL);
        tusk__fail_after(0);
        assert_int_equal(stage_failures, 0);
        live_wait_for_blocks(live_before.blocks);
        assert_int_equal(tusk__live(), live_before.blocks);
        assert_true(rc == 12 || rc < 0);
    }
}

/* ---- stress ---- */

static int look_up_any(void *arg)
{
    uint64_t seed = *(const uint64_t *)arg;
    char host[NI_MAXHOST];
    int rc;

    for (uint64_t left = live_random(&seed) % 4; left > 0; left--) {
        switch (live_random(&seed) % 4) {
        case 0:
            rc = look_up("127.0.0.1", "80");
            break;
        case 1:
            rc = names_of("192.0.2.7", 80, 0, host, NULL);
            break;
        default:
            rc = look_up("name", "http");
        }
        tusk_try(rc);
    }
    return 0;
}

static int stress(void *arg)
{
    uint64_t *seed = arg;
    tusk_task *tasks[16] = {NULL};

    for (int i = 0; i < live_count(4000, 800); i++) {
        tusk_task **slot = &tasks[live_random(seed) % 16];
        uint64_t own_seed = live_random(seed);

        if (live_random(seed) % 4 == 0)
            tusk_try(tusk_sleep(0));
        if (*slot && live_random(seed) % 2)
            tusk_task_cancel(*slot);
        if (*slot) {
            int rc = tusk_await(*slot);

            expect(rc == 0 || rc == -ECANCELED);
        }
        *slot = tusk_create_task(look_up_any, tusk_copy(&own_seed));
    }
    for (int i = 0; i < 16; i++)
        tusk_release(tasks[i]);
    return 0;
}

static void test_stress(void **state)
{
    uint64_t seed = live_seed();

    (void)state;
    tusk__resolver_system.patience = 100000;
    assert_int_equal(act_with(stress, &seed), 0);
}

/* Loops that close whenever, with threads that come back whenever. */
static void test_stress_of_closing(void **state)
{
    uint64_t seed = live_seed();

    (void)state;
    for (int round = 0; round < live_count(300, 60); round++) {
        tusk_loop *loop = tusk_new_event_loop();

        tusk_loop_set_exception_handler(loop, drop_reports, NULL);
        for (uint64_t left = live_random(&seed) % 10; left > 0; left--) {
            uint64_t own_seed = live_random(&seed);

            tusk_release(tusk_loop_create_task(loop, look_up_any, tusk_copy(&own_seed)));
        }
        for (uint64_t left = live_random(&seed) % 5; left > 0; left--)
            assert_int_equal(tusk_loop_run_once(loop, 0), 0);
        assert_int_equal(tusk_loop_close(loop), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        resolver_test(test_cancel_leaves_the_thread_alone),
        resolver_test(test_what_is_cancelled_in_time_is_not_asked),
        resolver_test(test_cancel_of_getnameinfo),
        resolver_test(test_cancel_when_the_answer_is_there),
        resolver_test(test_a_run_does_not_wait_for_the_resolver),
        resolver_test(test_one_interrupt_is_enough),
        resolver_test(test_a_loop_closes_under_lookups),
        resolver_test(test_a_loop_closes_over_answers),
        resolver_test(test_a_process_does_not_wait_for_the_resolver),
        resolver_test(test_a_crowd_has_few_threads),
        resolver_test(test_a_run_leaves_no_idle_thread),
        resolver_test(test_first_in_first_asked),
        resolver_test(test_lookups_and_other_work_do_not_meet),
        resolver_test(test_idle_threads_end),
        resolver_test(test_threads_without_patience),
        resolver_test(test_virtual_time_stands_still),
        resolver_test(test_an_abandoned_lookup_does_not_hold_the_clock),
        resolver_test(test_every_failure),
        resolver_test(test_stress),
        resolver_test(test_stress_of_closing),
    };

    prepare_stub();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
