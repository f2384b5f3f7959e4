/*
 * Files by way of the poller: who owns buffers, numbers and results while it reads and writes.
 *
 * Most of this is asked of a poller that this test puts before the real one: it keeps each request until the
 * test says what became of it. The rest is asked of whichever poller the environment names.
 */
#include "task/stage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MUCH = 1 << 19 };

static int open_file(int flags)
{
    char path[] = "/tmp/tusk-request-XXXXXX";
    int fd = mkstemp(path);

    if (fd >= 0 && flags) {
        close(fd);
        fd = open(path, O_RDWR | flags);
    }
    unlink(path);
    return fd;
}

/* ---- a poller that takes its time ---- */

static struct tusk__poll_backend slow_backend;
static const struct tusk__poll_backend *real_backend;
static struct tusk__request *held;
static int withdrawals;
static int settlements;
static int refusal;

static int hold(struct tusk__poller *poller, struct tusk__request *request)
{
    (void)poller;
    if (refusal < 0)
        return refusal;
    expect(held == NULL);
    held = request;
    return 0;
}

static void hear_of_withdrawal(struct tusk__poller *poller, struct tusk__request *request)
{
    (void)poller;
    expect(request == held);
    withdrawals++;
}

static void forget_all(struct tusk__poller *poller)
{
    (void)poller;
    /* The buffer is still there. */
    settlements += held && ((const char *)held->buffers->iov_base)[0] == 'y';
    held = NULL;
}

static void use_slow_poller(void)
{
    struct tusk__poller *poller = &tusk_get_running_loop()->poller;

    real_backend = poller->backend;
    slow_backend = *real_backend;
    slow_backend.submit = hold;
    slow_backend.withdraw = hear_of_withdrawal;
    slow_backend.settle = forget_all;
    poller->backend = &slow_backend;
    held = NULL;
    withdrawals = settlements = refusal = 0;
}

/* As the poller would, between two iterations. */
static int end_request(void *arg)
{
    struct tusk__request *request = held;

    held = NULL;
    request->done(request, (ssize_t)(intptr_t)arg);
    return 0;
}

static void end_soon(ssize_t result)
{
    tusk_call_soon(end_request, as_arg((int)result));
}

struct call {
    int fd;
    char buffer[MUCH];
    ssize_t result;
};

static struct call call;

static int read_at_3(void *arg)
{
    struct call *at = arg;

    at->result = tusk_pread(at->fd, at->buffer, sizeof at->buffer, 3);
    return at->result < 0 ? (int)at->result : 0;
}

static int write_at_3(void *arg)
{
    struct call *at = arg;

    at->result = tusk_pwrite(at->fd, at->buffer, sizeof at->buffer, 3);
    return at->result < 0 ? (int)at->result : 0;
}

static int let_run(void)
{
    for (int i = 0; i < 5; i++)
        tusk_try(tusk_sleep(0));
    return 0;
}

/* ---- results ---- */

static bool is_held(enum tusk__request_code code)
{
    const struct tusk__request *request = held;

    return request && request->code == code && request->fd == call.fd && request->offset == 3 &&
           request->count == 1 && request->buffers->iov_base == call.buffer &&
           request->buffers->iov_len == MUCH;
}

static int have_outcome(bool reads, ssize_t outcome)
{
    tusk_task *task = tusk_create_task(reads ? read_at_3 : write_at_3, &call);

    tusk_try(let_run());
    expect(!tusk_future_done(task));
    expect(is_held(reads ? TUSK__REQUEST_READ : TUSK__REQUEST_WRITE));
    /* A clock that jumps must not do so now. */
    expect_int(atomic_load(&tusk_get_running_loop()->external), 1);
    end_soon(outcome);
    expect_int(tusk_await(task), outcome < 0 ? outcome : 0);
    expect_int(call.result, outcome);
    return 0;
}

static int results(void *arg)
{
    static const ssize_t outcomes[] = {MUCH, 1, 0, -EIO, -ENOSPC, -EFBIG};

    (void)arg;
    use_slow_poller();
    call.fd = open_file(0);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        tusk_try(have_outcome(true, outcomes[i]));
        tusk_try(have_outcome(false, outcomes[i]));
    }
    expect_int(withdrawals, 0);
    return tusk_close(call.fd);
}

static void test_what_comes_of_a_request(void **state)
{
    (void)state;
    play_quietly(results);
}

/* Where the file is, only a system call knows how to lock that. */
static int where_the_file_is(void *arg)
{
    char byte = 'x';
    int fd;

    (void)arg;
    use_slow_poller();
    fd = open_file(0);
    expect_int(tusk_write(fd, &byte, 1), 1);
    expect_int(tusk_read(fd, &byte, 1), 0);
    expect(held == NULL);
    tusk_close(fd);
    fd = open_file(O_APPEND);
    end_soon(1);
    expect_int(tusk_write(fd, &byte, 1), 1);
    expect(held == NULL);
    return tusk_close(fd);
}

static void test_what_goes_to_threads(void **state)
{
    (void)state;
    play_quietly(where_the_file_is);
}

static int refusals(void *arg)
{
    (void)arg;
    use_slow_poller();
    refusal = -EAGAIN;
    call.fd = open_file(0);
    expect_int(write_at_3(&call), 0);
    expect_int(call.result, MUCH);
    expect_int(read_at_3(&call), 0);
    expect_int(call.result, MUCH);
    return tusk_close(call.fd);
}

static void test_a_poller_that_takes_nothing(void **state)
{
    (void)state;
    play_quietly(refusals);
}

/* ---- cancels ---- */

/* However often it is cancelled, and whatever became of it. */
static int cancels(void *arg)
{
    static const ssize_t outcomes[] = {-ECANCELED, MUCH, 5, -EIO, 0};

    (void)arg;
    use_slow_poller();
    call.fd = open_file(0);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        tusk_task *task = tusk_create_task(write_at_3, &call);

        withdrawals = 0;
        tusk_try(let_run());
        for (int times = 0; times < 3; times++) {
            expect(tusk_task_cancel(task, .msg = "enough"));
            tusk_try(let_run());
            expect(!tusk_future_done(task));
        }
        expect_int(withdrawals, 1);
        end_soon(outcomes[i]);
        expect_int(tusk_await(task), -ECANCELED);
    }
    return tusk_close(call.fd);
}

static void test_a_cancel_waits_for_the_end(void **state)
{
    (void)state;
    play_quietly(cancels);
    assert_int_equal(play_with(cancels, NULL, true), 0);
}

/* In the same iteration as the end, before it or after it, and before the call. */
static int cancels_in_time(void *arg)
{
    (void)arg;
    use_slow_poller();
    call.fd = open_file(0);
    for (int way = 0; way < 3; way++) {
        tusk_task *task = tusk_create_task(read_at_3, &call);

        if (way < 2)
            tusk_try(let_run());
        else
            tusk_task_cancel(task);
        if (way == 1)
            end_request(as_arg(1));
        if (way < 2)
            tusk_task_cancel(task);
        if (way == 0)
            end_request(as_arg(1));
        expect_int(tusk_await(task), -ECANCELED);
        expect(held == NULL);
    }
    return tusk_close(call.fd);
}

static void test_a_cancel_beside_the_end(void **state)
{
    (void)state;
    play_quietly(cancels_in_time);
}

static int wait_no_longer(void *arg)
{
    tusk_task *task;

    (void)arg;
    use_slow_poller();
    call.fd = open_file(0);
    task = tusk_create_task(read_at_3, &call);
    tusk_call_later(0.05, end_request, as_arg(7));
    expect_int(tusk_wait_for(task, 0.01), -ETIMEDOUT);
    expect_int(withdrawals, 1);
    expect(held == NULL);
    return tusk_close(call.fd);
}

static void test_a_time_out_waits_for_the_end(void **state)
{
    (void)state;
    assert_int_equal(tusk_run(wait_no_longer, NULL), 0);
    assert_int_equal(stage_failures, 0);
}

/* ---- numbers ---- */

static bool is_open(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0;
}

/* To who closes it the number is closed; but it is not another file's before the end. */
static void close_meanwhile(int fd)
{
    int other;

    expect_int(tusk_close(fd), 0);
    other = open_file(0);
    expect(other != fd && is_open(fd));
    expect_int(tusk_close(fd), -EBADF);
    expect_int(tusk_pread(fd, call.buffer, 1, 0), -EBADF);
    tusk_close(other);
}

static int closes(void *arg)
{
    tusk_task *task;

    (void)arg;
    use_slow_poller();
    call.fd = open_file(0);
    task = tusk_create_task(read_at_3, &call);
    tusk_try(let_run());
    close_meanwhile(call.fd);
    end_soon(7);
    expect_int(tusk_await(task), 0);
    expect_int(call.result, 7);
    expect(!is_open(call.fd));
    return 0;
}

static void test_a_file_that_is_closed_meanwhile(void **state)
{
    (void)state;
    play_quietly(closes);
}

/* ---- the end of the loop ---- */

static int submit_and_stop(void *arg)
{
    (void)arg;
    tusk_loop_stop(tusk_get_running_loop());
    return write_at_3(&call);
}

static int say_nothing(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)context;
    (void)arg;
    return 0;
}

static int write_from_stack(void *arg)
{
    char bytes[100];

    memset(bytes, 'y', sizeof bytes);
    use_slow_poller();
    tusk_loop_stop(tusk_get_running_loop());
    return (int)tusk_pwrite((int)(intptr_t)arg, bytes, sizeof bytes, 0);
}

static void test_requests_are_settled_before_the_tasks_go(void **state)
{
    int fd = open_file(0);
    tusk_loop *loop = tusk_new_event_loop();

    (void)state;
    assert_non_null(loop);
    tusk_loop_set_exception_handler(loop, say_nothing, NULL);
    tusk_release(tusk_loop_create_task(loop, write_from_stack, as_arg(fd)));
    assert_int_equal(tusk_loop_run_forever(loop), 0);
    assert_non_null(held);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(settlements, 1);
    close(fd);
}

/* With whichever poller it is: the buffer is nobody's any more when the loop is closed. */
static void test_a_loop_is_closed_under_a_request(void **state)
{
    size_t live = tusk__live();

    (void)state;
    for (int turns = 0; turns < 4; turns++) {
        tusk_loop *loop = tusk_new_event_loop();
        char before;

        call.fd = open_file(0);
        memset(call.buffer, 'a', sizeof call.buffer);
        assert_non_null(loop);
        tusk_loop_set_exception_handler(loop, say_nothing, NULL);
        tusk_release(tusk_loop_create_task(loop, submit_and_stop, NULL));
        assert_int_equal(tusk_loop_run_forever(loop), 0);
        for (int i = 0; i < turns; i++)
            assert_int_equal(tusk_loop_run_once(loop, 0), 0);
        assert_int_equal(tusk_loop_close(loop), 0);
        memset(call.buffer, 'b', sizeof call.buffer);
        assert_true(pread(call.fd, &before, 1, MUCH) <= 1);
        if (pread(call.fd, &before, 1, MUCH) == 1)
            assert_int_equal(before, 'a');
        close(call.fd);
    }
    assert_int_equal(tusk__live(), live);
}

/* ---- really ---- */

enum { TASKS = 200, BLOCK = 1000 };

struct block {
    int fd;
    int number;
};

static int write_block(void *arg)
{
    const struct block *block = arg;
    char bytes[BLOCK];

    memset(bytes, 'a' + block->number % 26, sizeof bytes);
    expect_int(tusk_pwrite(block->fd, bytes, sizeof bytes, (off_t)block->number * BLOCK), BLOCK);
    return 0;
}

/* Not by way of memory: the file was told that nobody needs it there. */
static int read_block(void *arg)
{
    const struct block *block = arg;
    char bytes[BLOCK];

    expect_int(tusk_pread(block->fd, bytes, sizeof bytes, (off_t)block->number * BLOCK), BLOCK);
    for (int i = 0; i < BLOCK; i++)
        if (bytes[i] != 'a' + block->number % 26)
            return -EIO;
    return 0;
}

static int for_all_blocks(tusk_coro *coro, int fd)
{
    tusk_task *tasks[TASKS];

    for (int i = 0; i < TASKS; i++) {
        struct block block = {fd, i};

        tasks[i] = tusk_create_task(coro, tusk_copy(&block));
    }
    return tusk_await(tusk_gather(tasks, TASKS));
}

static int blocks(void *arg)
{
    int fd = open_file(0);

    (void)arg;
    tusk_try(for_all_blocks(write_block, fd));
    fsync(fd);
#if defined(POSIX_FADV_DONTNEED)
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
#endif
    tusk_try(for_all_blocks(read_block, fd));
    return tusk_close(fd);
}

static void test_many_tasks_on_one_file(void **state)
{
    (void)state;
    play_quietly(blocks);
}

static int append_line(void *arg)
{
    static const char line[] = "0123456789abcdef0123456789abcde\n";

    for (int i = 0; i < 5; i++)
        expect_int(tusk_write((int)(intptr_t)arg, line, sizeof line - 1), sizeof line - 1);
    return 0;
}

static int append_lines(void *arg)
{
    int fd = open_file(O_APPEND);
    tusk_task *tasks[TASKS];
    char line[32];

    (void)arg;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = tusk_create_task(append_line, as_arg(fd));
    tusk_try(tusk_await(tusk_gather(tasks, TASKS)));
    expect_int(lseek(fd, 0, SEEK_END), TASKS * 5 * 32);
    for (int i = 0; i < TASKS * 5; i++) {
        expect_int(pread(fd, line, sizeof line, (off_t)i * 32), 32);
        expect(line[0] == '0' && line[31] == '\n');
    }
    return tusk_close(fd);
}

static void test_many_tasks_append(void **state)
{
    (void)state;
    play_quietly(append_lines);
}

static int cancel_for_real(void *arg)
{
    (void)arg;
    call.fd = open_file(0);
    for (int turns = 0; turns < 6; turns++) {
        tusk_task *task = tusk_create_task(turns % 2 ? read_at_3 : write_at_3, &call);
        int rc;

        for (int i = 0; i < turns; i++)
            tusk_try(tusk_sleep(0));
        tusk_task_cancel(task);
        rc = tusk_await(task);
        expect(rc == -ECANCELED || rc == 0);
        memset(call.buffer, turns, sizeof call.buffer);
        tusk_try(let_run());
        expect_int(call.buffer[MUCH - 1], turns);
    }
    return tusk_close(call.fd);
}

static void test_cancels_for_real(void **state)
{
    (void)state;
    play_quietly(cancel_for_real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_of_a_request),
        cmocka_unit_test(test_what_goes_to_threads),
        cmocka_unit_test(test_a_poller_that_takes_nothing),
        cmocka_unit_test(test_a_cancel_waits_for_the_end),
        cmocka_unit_test(test_a_cancel_beside_the_end),
        cmocka_unit_test(test_a_time_out_waits_for_the_end),
        cmocka_unit_test(test_a_file_that_is_closed_meanwhile),
        cmocka_unit_test(test_requests_are_settled_before_the_tasks_go),
        cmocka_unit_test(test_a_loop_is_closed_under_a_request),
        cmocka_unit_test(test_many_tasks_on_one_file),
        cmocka_unit_test(test_many_tasks_append),
        cmocka_unit_test(test_cancels_for_real),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
