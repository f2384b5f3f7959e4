/*
 * Queue, LifoQueue, PriorityQueue: order, waiting, cancels that must not lose an item, counts, shutdown,
 * and the memory.
 */
#include "sync/players.h"

static tusk_queue queue;

struct putting {
    const char *name;
    int item;
};

static int put(int item)
{
    return tusk_queue_put(&queue, &item);
}

static int put_nowait(int item)
{
    return tusk_queue_put_nowait(&queue, &item);
}

static int get(void)
{
    int item = -1;
    int rc = tusk_queue_get(&queue, &item);

    return rc < 0 ? rc : item;
}

static int get_nowait(void)
{
    int item = -1;
    int rc = tusk_queue_get_nowait(&queue, &item);

    return rc < 0 ? rc : item;
}

static void set_up(size_t maxsize)
{
    tusk_queue_init(&queue, sizeof(int), maxsize, NULL);
}

static int clean_up(void)
{
    return tusk_queue_close(&queue);
}

static void put_three(void)
{
    for (int i = 1; i <= 3; i++)
        expect_int(put(i), 0);
}

/* A task's get: says "name:item@iteration". */
static int getter(void *arg)
{
    int rc = get();

    if (rc >= 0)
        trace("%s:%d@%d", (const char *)arg, rc, iterations());
    return rc;
}

static int putter(void *arg)
{
    const struct putting *putting = arg;

    tusk_try(put(putting->item));
    trace_at(putting->name);
    return 0;
}

static int joiner(void *arg)
{
    tusk_try(tusk_queue_join(&queue));
    trace_at(arg);
    return 0;
}

static tusk_task *start_putter(const char *name, int item)
{
    return tusk_create_task(putter, tusk_copy((&(struct putting){name, item})));
}

/* ---- order ---- */

static int fifo(void *arg)
{
    (void)arg;
    set_up(0);
    mark();
    expect(tusk_queue_empty(&queue));
    put_three();
    expect_int(tusk_queue_qsize(&queue), 3);
    expect(!tusk_queue_full(&queue));
    expect_int(get(), 1);
    expect_int(get(), 2);
    expect_int(get(), 3);
    expect_int(get_nowait(), TUSK_QUEUE_EMPTY);
    expect_int(iterations(), 0);
    return clean_up();
}

static int lifo(void *arg)
{
    (void)arg;
    tusk_lifo_queue_init(&queue, sizeof(int), 3, NULL);
    put_three();
    expect(tusk_queue_full(&queue));
    expect_int(tusk_queue_maxsize(&queue), 3);
    expect_int(get(), 3);
    expect_int(put(4), 0);
    expect_int(get(), 4);
    expect_int(get(), 2);
    expect_int(get(), 1);
    return clean_up();
}

/* Tens decide, units tell equal ones apart. */
static int by_tens(const void *left, const void *right)
{
    int l = *(const int *)left / 10;
    int r = *(const int *)right / 10;

    return (l > r) - (l < r);
}

/* Those of heapq, for the same pushes in CPython. */
static int priority(void *arg)
{
    static const int in[] = {30, 11, 20, 10, 31, 12, 0, 13, 21, 1};
    static const int out[] = {0, 1, 11, 12, 10, 13, 21, 20, 30, 31};

    (void)arg;
    tusk_priority_queue_init(&queue, sizeof(int), 0, NULL, by_tens);
    for (size_t i = 0; i < 10; i++)
        expect_int(put(in[i]), 0);
    for (size_t i = 0; i < 10; i++)
        expect_int(get(), out[i]);
    return clean_up();
}

static void test_first_in_first_out(void **state)
{
    (void)state;
    play_quietly(fifo);
}

static void test_last_in_first_out(void **state)
{
    (void)state;
    play_quietly(lifo);
}

static void test_priority_with_equal_ones_as_of_heapq(void **state)
{
    (void)state;
    play_quietly(priority);
}

/* ---- waiting ---- */

static int wait_for_items(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    set_up(0);
    tasks[0] = tusk_create_task(getter, "a");
    tasks[1] = tusk_create_task(getter, "b");
    let_run(1);
    expect_waits(tasks[0], "a queue", &queue, " to have an item");
    mark();
    expect_int(put(1), 0);
    expect_int(put(2), 0);
    expect_int(tusk_await(tasks[0]), 1);
    trace_at("awaiter");
    expect_int(tusk_await(tasks[1]), 2);
    return clean_up();
}

static void test_a_put_takes_one_iteration_and_two_for_the_awaiter(void **state)
{
    (void)state;
    play_trace(wait_for_items, "a:1@1 b:2@1 awaiter@2");
}

static int wait_for_room(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    set_up(1);
    expect_int(put(1), 0);
    tasks[0] = start_putter("a", 2);
    tasks[1] = start_putter("b", 3);
    let_run(1);
    expect_waits(tasks[0], "a queue", &queue, " to have room");
    mark();
    expect_int(put_nowait(9), TUSK_QUEUE_FULL);
    for (int i = 1; i <= 3; i++) {
        expect_int(get(), i);
        let_run(1);
    }
    expect_int(tusk_await(tusk_gather(tasks, 2)), 0);
    return clean_up();
}

static void test_puts_wait_for_room_in_order(void **state)
{
    (void)state;
    play_trace(wait_for_room, "a@1 b@2");
}

/* A woken getter has no claim: who takes the item first has it, and the other goes to the end of the line. */
static int overtake(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    set_up(0);
    tasks[0] = tusk_create_task(getter, "woken");
    tasks[1] = tusk_create_task(getter, "second");
    let_run(1);
    mark();
    expect_int(put(1), 0);
    expect_int(get_nowait(), 1);
    let_run(1);
    expect_int(put(2), 0);
    expect_int(put(3), 0);
    expect_int(tusk_await(tusk_gather(tasks, 2, .return_exceptions = true)), 0);
    return clean_up();
}

static void test_a_woken_getter_that_finds_nothing_goes_to_the_end(void **state)
{
    (void)state;
    play_trace(overtake, "second:2@2 woken:3@2");
}

/* ---- cancels ---- */

static int cancel_putters(void *arg)
{
    tusk_task *tasks[3];

    (void)arg;
    set_up(1);
    expect_int(put(1), 0);
    tasks[0] = start_putter("never", 2);
    tasks[1] = start_putter("never", 3);
    tasks[2] = start_putter("third", 4);
    let_run(1);
    mark();
    expect(tusk_task_cancel(tasks[0]));
    expect_int(get(), 1);
    expect(tusk_task_cancel(tasks[1]));
    expect_int(tusk_await(tasks[2]), 0);
    expect_int(tusk_await(tasks[0]), -ECANCELED);
    expect_int(tusk_await(tasks[1]), -ECANCELED);
    expect_int(get(), 4);
    expect_int(get_nowait(), TUSK_QUEUE_EMPTY);
    return clean_up();
}

static void test_a_cancelled_putter_puts_nothing_and_passes_the_room_on(void **state)
{
    (void)state;
    play_trace(cancel_putters, "third@2");
}

/* ---- join ---- */

static int join(void *arg)
{
    tusk_task *task;

    (void)arg;
    set_up(0);
    mark();
    expect_int(tusk_queue_join(&queue), 0);
    expect_int(iterations(), 0);
    put_three();
    task = tusk_create_task(joiner, "joined");
    let_run(1);
    expect_waits(task, "a queue", &queue, " to be done");
    mark();
    for (int i = 1; i <= 3; i++) {
        expect_int(get(), i);
        let_run(1);
        expect_int(tusk_queue_task_done(&queue), 0);
    }
    expect_int(tusk_await(task), 0);
    expect_int(tusk_queue_task_done(&queue), -EINVAL);
    expect_text(tusk_message(), "task_done() called too many times");
    return clean_up();
}

static void test_join_waits_until_all_is_done(void **state)
{
    (void)state;
    play_trace(join, "joined@4");
}

static int cancel_join(void *arg)
{
    tusk_task *task;

    (void)arg;
    set_up(0);
    expect_int(put(1), 0);
    task = tusk_create_task(joiner, "never");
    let_run(1);
    cancel_and_await(task);
    return clean_up();
}

static void test_join_can_be_cancelled(void **state)
{
    (void)state;
    play_trace(cancel_join, "");
}

/* ---- shutdown ---- */

static int shut_down(void *arg)
{
    (void)arg;
    set_up(0);
    put_three();
    tusk_queue_shutdown(&queue);
    expect_int(put(4), TUSK_QUEUE_SHUT_DOWN);
    expect_int(put_nowait(4), TUSK_QUEUE_SHUT_DOWN);
    expect_int(get(), 1);
    expect_int(get_nowait(), 2);
    expect_int(get(), 3);
    expect_int(get(), TUSK_QUEUE_SHUT_DOWN);
    expect_int(get_nowait(), TUSK_QUEUE_SHUT_DOWN);
    expect_text(tusk_message(), NULL);
    /* Its memory is gone by itself: the play counts. */
    return 0;
}

static void test_a_shutdown_lets_gets_drain(void **state)
{
    (void)state;
    play_quietly(shut_down);
}

static int wake_by_shutdown(void *arg)
{
    tusk_task *tasks[2];

    (void)arg;
    set_up(1);
    tasks[0] = tusk_create_task(getter, "never");
    tasks[1] = tusk_create_task(getter, "never");
    let_run(1);
    mark();
    tusk_queue_shutdown(&queue);
    expect_int(tusk_await(tasks[0]), TUSK_QUEUE_SHUT_DOWN);
    expect_int(tusk_await(tasks[1]), TUSK_QUEUE_SHUT_DOWN);
    expect_int(iterations(), 2);
    set_up(1);
    expect_int(put(1), 0);
    tasks[0] = start_putter("never", 2);
    tasks[1] = start_putter("never", 3);
    let_run(1);
    tusk_queue_shutdown(&queue);
    expect_int(tusk_await(tasks[0]), TUSK_QUEUE_SHUT_DOWN);
    expect_int(tusk_await(tasks[1]), TUSK_QUEUE_SHUT_DOWN);
    expect_int(get(), 1);
    return 0;
}

static void test_a_shutdown_wakes_all_who_wait(void **state)
{
    (void)state;
    play_trace(wake_by_shutdown, "");
}

/* More said to be done than taken: nothing is counted twice. */
static int shut_down_done_early(void *arg)
{
    (void)arg;
    set_up(0);
    put_three();
    expect_int(tusk_queue_task_done(&queue), 0);
    expect_int(tusk_queue_task_done(&queue), 0);
    tusk_queue_shutdown(&queue, .immediate = true);
    expect_int(tusk_queue_join(&queue), 0);
    expect_int(tusk_queue_task_done(&queue), -EINVAL);
    return 0;
}

static void test_an_immediate_shutdown_never_counts_below_zero(void **state)
{
    (void)state;
    play_quietly(shut_down_done_early);
}

/* ---- memory and misuse ---- */

/* A ring that wraps, and grows while it is wrapped. */
static int grow(void *arg)
{
    int next_in = 0;
    int next_out = 0;

    (void)arg;
    set_up(0);
    for (int round = 1; round < 60; round++) {
        for (int i = 0; i < round; i++)
            expect_int(put(next_in++), 0);
        for (int i = 0; i < round / 2; i++)
            expect_int(get(), next_out++);
    }
    while (!tusk_queue_empty(&queue))
        expect_int(get(), next_out++);
    expect_int(next_out, next_in);
    return clean_up();
}

static void test_items_keep_their_order_while_memory_grows(void **state)
{
    (void)state;
    play_quietly(grow);
}

static int out_of_memory(void *arg)
{
    (void)arg;
    set_up(0);
    for (int i = 0; i < 8; i++)
        expect_int(put(i), 0);
    tusk__fail_after(1);
    expect_int(put(8), -ENOMEM);
    expect_int(tusk_queue_qsize(&queue), 8);
    expect_int(put(8), 0);
    for (int i = 0; i < 9; i++)
        expect_int(get(), i);
    return clean_up();
}

static void test_without_memory_a_put_fails_and_all_items_stay(void **state)
{
    (void)state;
    play_quietly(out_of_memory);
}

static int use_array(tusk_queue *in_array, int first)
{
    static const int items[] = {1, 2, 3};
    int item = 0;

    for (int i = 0; i < 3; i++)
        expect_int(tusk_queue_put_nowait(in_array, &items[i]), 0);
    expect_int(tusk_queue_put_nowait(in_array, &items[0]), TUSK_QUEUE_FULL);
    expect_int(tusk_queue_get_nowait(in_array, &item), 0);
    expect_int(item, first);
    expect_int(tusk_queue_close(in_array), 0);
    expect(tusk_queue_empty(in_array));
    expect_int(tusk_queue_put_nowait(in_array, &items[0]), 0);
    return 0;
}

static int descending(const void *left, const void *right)
{
    return *(const int *)right - *(const int *)left;
}

static int arrays(void *arg)
{
    int memory[3];
    tusk_queue first_in = TUSK_QUEUE_INIT_IN(memory);
    tusk_queue last_in = TUSK_LIFO_QUEUE_INIT_IN(memory);
    tusk_queue least = TUSK_PRIORITY_QUEUE_INIT_IN(memory, descending);
    tusk_queue by_hand;
    size_t live = tusk__live();

    (void)arg;
    use_array(&first_in, 1);
    use_array(&last_in, 3);
    use_array(&least, 3);
    tusk_queue_init(&by_hand, sizeof(int), 3, memory);
    use_array(&by_hand, 1);
    expect_int(tusk__live(), live);
    return 0;
}

static void test_a_queue_in_an_array_allocates_nothing(void **state)
{
    (void)state;
    play_quietly(arrays);
}

struct big {
    char text[100];
    int number;
};

static int sizes(void *arg)
{
    tusk_queue bigs = TUSK_QUEUE_INIT(struct big, 2);
    tusk_queue pairs = TUSK_QUEUE_INIT(int64_t[2], 0);
    tusk_queue counter;
    struct big in = {"a text", 7};
    struct big out;
    int64_t pair[2] = {1, 2};
    int64_t other[2] = {0, 0};

    (void)arg;
    expect_int(tusk_queue_put(&bigs, &in), 0);
    in.number = 8;
    expect_int(tusk_queue_get(&bigs, &out), 0);
    expect_text(out.text, "a text");
    expect_int(out.number, 7);
    expect_int(tusk_queue_put(&pairs, pair), 0);
    expect_int(tusk_queue_get(&pairs, other), 0);
    expect_int(other[1], 2);
    memset(&counter, 0, sizeof counter);
    for (int i = 0; i < 100; i++)
        expect_int(tusk_queue_put(&counter, NULL), 0);
    for (int i = 0; i < 100; i++)
        expect_int(tusk_queue_get(&counter, NULL), 0);
    expect_int(tusk_queue_get_nowait(&counter, NULL), TUSK_QUEUE_EMPTY);
    return tusk_queue_close(&bigs) + tusk_queue_close(&pairs) + tusk_queue_close(&counter);
}

static void test_items_of_any_size(void **state)
{
    (void)state;
    play_quietly(sizes);
}

static int close_in_use(void *arg)
{
    tusk_task *task;

    (void)arg;
    set_up(0);
    task = tusk_create_task(getter, "waiter");
    let_run(1);
    mark();
    expect_int(tusk_queue_close(&queue), TUSK_INVALID_STATE);
    expect_int(put(5), 0);
    expect_int(tusk_await(task), 5);
    tusk_queue_shutdown(&queue);
    expect_int(tusk_queue_close(&queue), 0);
    /* As new. */
    expect_int(put(6), 0);
    expect_int(get(), 6);
    return clean_up();
}

static void test_a_queue_is_not_closed_under_its_waiters(void **state)
{
    (void)state;
    play_trace(close_in_use, "waiter:5@1");
}

static int in_callback(void *arg)
{
    int item = 3;

    (void)arg;
    expect_int(tusk_queue_put(&queue, &item), TUSK_NOT_IN_TASK);
    expect_int(tusk_queue_put_nowait(&queue, &item), 0);
    expect_int(tusk_queue_get(&queue, &item), TUSK_NOT_IN_TASK);
    expect_int(tusk_queue_join(&queue), TUSK_NOT_IN_TASK);
    return 0;
}

static int feed_by_callback(void *arg)
{
    (void)arg;
    set_up(0);
    expect(tusk_call_soon(in_callback, NULL).handle_ != NULL);
    expect_int(get(), 3);
    return clean_up();
}

static void test_callbacks_put_without_waiting(void **state)
{
    (void)state;
    play_quietly(feed_by_callback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_last_in_first_out),
        cmocka_unit_test(test_priority_with_equal_ones_as_of_heapq),
        cmocka_unit_test(test_a_put_takes_one_iteration_and_two_for_the_awaiter),
        cmocka_unit_test(test_puts_wait_for_room_in_order),
        cmocka_unit_test(test_a_woken_getter_that_finds_nothing_goes_to_the_end),
        cmocka_unit_test(test_a_cancelled_putter_puts_nothing_and_passes_the_room_on),
        cmocka_unit_test(test_join_waits_until_all_is_done),
        cmocka_unit_test(test_join_can_be_cancelled),
        cmocka_unit_test(test_a_shutdown_lets_gets_drain),
        cmocka_unit_test(test_a_shutdown_wakes_all_who_wait),
        cmocka_unit_test(test_an_immediate_shutdown_never_counts_below_zero),
        cmocka_unit_test(test_items_keep_their_order_while_memory_grows),
        cmocka_unit_test(test_without_memory_a_put_fails_and_all_items_stay),
        cmocka_unit_test(test_a_queue_in_an_array_allocates_nothing),
        cmocka_unit_test(test_items_of_any_size),
        cmocka_unit_test(test_a_queue_is_not_closed_under_its_waiters),
        cmocka_unit_test(test_callbacks_put_without_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
