/*
 * Files that are sent through streams: in order with what is written, to slow peers, and broken off in every way.
 */
#include "io/pair.h"

#include <fcntl.h>
#include <unistd.h>

#include "io/calls.h"
#include "io/ends.h"

enum { SIZE = 3000000 };

static char content[SIZE];
static char received[SIZE + 1000];

/* The file that is sent. */
static int new_file(void)
{
    int file = open_file();

    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)(i * 2654435761U >> 13);
    expect_int(pwrite(file, content, SIZE, 0), SIZE);
    return file;
}

struct sending {
    tusk_stream *stream;
    int file;
    off_t offset;
    size_t count;
};

static int send_file(void *arg)
{
    const struct sending *sending = arg;

    return (int)tusk_stream_sendfile(sending->stream, sending->file, sending->offset, sending->count);
}

/* One that has begun, and waits for the peer. */
static tusk_task *start_sending(struct sending *sending)
{
    tusk_task *task = tusk_create_task(send_file, sending, .name = "sender");

    expect_int(tusk_sleep(1), 0);
    expect(!tusk_future_done(task));
    return task;
}

static void expect_content(tusk_stream *stream, size_t offset, size_t size)
{
    expect_int(tusk_stream_readexactly(stream, received, size), size);
    expect(memcmp(received, content + offset, size) == 0);
}

static int pair_open_pipe(struct pair *pair)
{
    tusk_try(tusk_pipe(pair->fds));
    tusk_try(tusk_open_stream(pair->fds[0], &pair->left));
    return tusk_open_stream(pair->fds[1], &pair->right);
}

static int pair_open_tcp(struct pair *pair)
{
    tcp_pair(pair->fds);
    tusk_try(tusk_open_stream(pair->fds[0], &pair->left));
    return tusk_open_stream(pair->fds[1], &pair->right);
}

/* A pipe in blocking mode, as one from a shell: the system's sendfile would block. */
static int pair_open_blocking(struct pair *pair)
{
    tusk_try(pipe(pair->fds) < 0 ? -errno : 0);
    tusk_try(tusk_open_stream(pair->fds[0], &pair->left));
    return tusk_open_stream(pair->fds[1], &pair->right);
}

/* ---- what comes ---- */

static int pieces(void *arg)
{
    int (*const *open)(struct pair *) = arg;
    struct pair pair;
    int file = new_file();
    tusk_task *task;

    tusk_try((*open)(&pair));
    for (int i = 0; i < 3; i++) {
        struct sending sending = {pair.right, file, i == 1 ? 12345 : 0, i == 1 ? 2000000 : 0};
        size_t wanted = i == 1 ? 2000000 : SIZE;

        task = tusk_create_task(send_file, &sending);
        expect_content(pair.left, (size_t)sending.offset, wanted);
        expect_int(tusk_await(task), wanted);
    }
    expect_int(tusk_stream_sendfile(pair.right, file, SIZE - 10, 1000), 10);
    expect_int(tusk_stream_sendfile(pair.right, file, SIZE, 0), 0);
    expect_int(tusk_stream_sendfile(pair.right, file, SIZE + 10, 1), 0);
    expect_content(pair.left, SIZE - 10, 10);
    expect_int(lseek(file, 0, SEEK_CUR), 0);
    pair_close(&pair);
    return tusk_close(file);
}

static void test_files_come_as_they_are(void **state)
{
    static int (*const ways[])(struct pair *) = {pair_open, pair_open_tcp, pair_open_pipe,
                                                 pair_open_blocking};

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        assert_int_equal(play_with(pieces, (void *)&ways[i], false), 0);
        assert_string_equal(stage_reports, "");
    }
}

/* The system cannot, from the start or after a while. */
static int copied(void *arg)
{
    struct pair pair;
    int file = new_file();
    struct sending sending = {.file = file, .offset = 5};

    (void)arg;
    calls_watch();
    tusk_try(pair_open(&pair));
    sending.stream = pair.right;
    for (int i = 0; i < 2; i++) {
        tusk_task *task;

        calls_clear();
        calls_answer[CALL_SENDFILE] = i == 0 ? -ENOTSUP : 0;
        task = start_sending(&sending);
        if (i == 1)
            calls_answer[CALL_SENDFILE] = -ENOTSUP;
        expect_content(pair.left, 5, SIZE - 5);
        expect_int(tusk_await(task), SIZE - 5);
        expect(i == 1 || calls_made[CALL_SENDFILE] == 1);
    }
    pair_close(&pair);
    return tusk_close(file);
}

static void test_by_way_of_memory(void **state)
{
    (void)state;
    play_quietly(copied);
}

/* ---- among writers ---- */

static int write_b(void *arg)
{
    return tusk_stream_write(arg, "b", 1);
}

static int turns(void *arg)
{
    struct pair pair;
    int file = new_file();
    struct sending sending = {.file = file};
    tusk_task *tasks[3];
    static char before[60000];

    (void)arg;
    tusk_try(pair_open(&pair));
    sending.stream = pair.right;
    /* Something of it is kept back, and is sent in the background. */
    memset(before, 'a', sizeof before);
    for (size_t i = 0; tusk_stream_get_write_buffer_size(pair.right) == 0; i++)
        tusk_try(tusk_stream_write(pair.right, i ? before : content, 1000));
    tusk_try(tusk_stream_write(pair.right, before, 30000));
    tasks[0] = tusk_create_task(send_file, &sending);
    tasks[1] = tusk_create_task(write_b, pair.right);
    tasks[2] = tusk_create_task(send_file, &sending);
    tusk_try(tusk_sleep(1));
    for (int i = 0; i < 3; i++)
        expect(!tusk_future_done(tasks[i]));
    tusk_try(tusk_stream_write_eof(pair.right));
    expect_int(tusk_stream_sendfile(pair.right, file, 0, 0), TUSK_INVALID_STATE);
    expect_content(pair.left, 0, 1000);
    do
        expect_int(tusk_stream_readexactly(pair.left, received, 1000), 1000);
    while (tusk_stream_get_write_buffer_size(pair.right) > 30000);
    do
        expect_int(tusk_stream_readexactly(pair.left, received, 1), 1);
    while (received[0] == 'a');
    expect(received[0] == content[0]);
    expect_content(pair.left, 1, SIZE - 1);
    expect_int(tusk_stream_readexactly(pair.left, received, 1), 1);
    expect(received[0] == 'b');
    expect_content(pair.left, 0, SIZE);
    expect_int(tusk_stream_read(pair.left, received, 1), 0);
    expect_int(tusk_await(tasks[0]), SIZE);
    expect_int(tusk_await(tasks[1]), 0);
    expect_int(tusk_await(tasks[2]), SIZE);
    pair_close(&pair);
    return tusk_close(file);
}

static void test_a_file_has_its_turn(void **state)
{
    (void)state;
    play_quietly(turns);
}

/* ---- broken off ---- */

/* What came is the file's beginning, and then `last`. */
static void expect_part_and(tusk_stream *stream, const char *last)
{
    size_t size = 0;
    ssize_t count;

    while ((count = tusk_stream_read(stream, received + size, sizeof received - size)) > 0)
        size += (size_t)count;
    expect_int(count, 0);
    expect(size > strlen(last) && size < SIZE);
    size -= strlen(last);
    expect(memcmp(received, content, size) == 0);
    expect(memcmp(received + size, last, strlen(last)) == 0);
}

static int cancelled(void *arg)
{
    struct pair pair;
    int file = new_file();
    struct sending sending = {.file = file};
    tusk_task *task;
    tusk_task *writer;

    (void)arg;
    tusk_try(pair_open(&pair));
    sending.stream = pair.right;
    task = start_sending(&sending);
    writer = tusk_create_task(write_b, pair.right);
    tusk_try(tusk_sleep(1));
    tusk_task_cancel(task);
    expect_int(tusk_await(task), -ECANCELED);
    /* Whoever waited has his turn. */
    expect_int(tusk_await(writer), 0);
    tusk_try(tusk_stream_write_eof(pair.right));
    expect_part_and(pair.left, "b");
    pair_close(&pair);
    return tusk_close(file);
}

static void test_after_a_cancel_the_others_go_on(void **state)
{
    (void)state;
    play_quietly(cancelled);
}

static int cancelled_in_the_row(void *arg)
{
    struct pair pair;
    int file = new_file();
    struct sending sending = {.file = file};
    tusk_task *first;
    tusk_task *second;

    (void)arg;
    tusk_try(pair_open(&pair));
    sending.stream = pair.right;
    first = start_sending(&sending);
    second = start_sending(&sending);
    tusk_task_cancel(second);
    expect_int(tusk_await(second), -ECANCELED);
    expect_content(pair.left, 0, SIZE);
    expect_int(tusk_await(first), SIZE);
    tusk_try(tusk_stream_write_eof(pair.right));
    expect_int(tusk_stream_read(pair.left, received, 1), 0);
    pair_close(&pair);
    return tusk_close(file);
}

static void test_a_cancel_before_the_turn_sends_nothing(void **state)
{
    (void)state;
    play_quietly(cancelled_in_the_row);
}

static int ended(void *arg)
{
    struct pair pair;
    int file = new_file();
    struct sending sending = {.file = file};
    tusk_task *task;
    tusk_task *writer;
    const int *way = arg;

    tusk_try(pair_open(&pair));
    sending.stream = pair.right;
    task = start_sending(&sending);
    writer = tusk_create_task(write_b, pair.right);
    tusk_try(tusk_sleep(1));
    if (*way == 0)
        tusk_stream_close(pair.right);
    else
        tusk_stream_abort(pair.right);
    expect_int(tusk_await(task), TUSK_STREAM_CLOSED);
    expect_int(tusk_await(writer), TUSK_STREAM_CLOSED);
    expect_int(tusk_stream_sendfile(pair.right, file, 0, 0), TUSK_STREAM_CLOSED);
    expect_int(tusk_stream_wait_closed(pair.right), 0);
    if (*way == 0)
        expect_part_and(pair.left, "");
    pair_close(&pair);
    return tusk_close(file);
}

static void test_closed_and_aborted(void **state)
{
    static const int ways[] = {0, 1};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(play_with(ended, (void *)&ways[i], false), 0);
        assert_string_equal(stage_reports, "");
    }
}

static int lost(void *arg)
{
    struct pair pair;
    int file = new_file();
    struct sending sending = {.file = file};
    tusk_task *task;
    int rc;

    (void)arg;
    tusk_try(pair_open(&pair));
    sending.stream = pair.right;
    task = start_sending(&sending);
    tusk_stream_abort(pair.left);
    rc = tusk_await(task);
    expect(rc == -EPIPE || rc == -ECONNRESET);
    expect(tusk_stream_is_closing(pair.right));
    expect_int(tusk_stream_sendfile(pair.right, file, 0, 0), rc);
    expect_int(tusk_stream_write(pair.right, "x", 1), rc);
    pair_close(&pair);
    return tusk_close(file);
}

static void test_a_peer_that_goes(void **state)
{
    (void)state;
    play_quietly(lost);
}

/* What is wrong with the file is no fault of the connection's. */
static int bad_files(void *arg)
{
    struct pair pair;
    struct sending sending = {.file = new_file()};
    int write_only = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int ends[2];
    tusk_task *task;

    (void)arg;
    calls_watch();
    tusk_try(pair_open(&pair));
    tusk_try(tusk_pipe(ends));
    sending.stream = pair.right;
    expect_int(tusk_stream_sendfile(NULL, sending.file, 0, 0), -EINVAL);
    expect_int(tusk_stream_sendfile(pair.right, sending.file, -1, 0), -EINVAL);
    expect_int(tusk_stream_sendfile(pair.right, -1, 0, 0), -EBADF);
    expect_int(tusk_stream_sendfile(pair.right, 1000, 0, 0), -EBADF);
    expect_int(tusk_stream_sendfile(pair.right, write_only, 0, 0), -EBADF);
    expect_int(tusk_stream_sendfile(pair.right, ends[0], 0, 0), -ESPIPE);
    calls_answer[CALL_SENDFILE] = -EIO;
    expect_int(tusk_stream_sendfile(pair.right, sending.file, 0, 0), -EIO);
    expect_int(send_text(pair.right, "still here"), 0);
    expect_int(tusk_stream_readexactly(pair.left, received, 10), 10);
    /* Somebody closes the file meanwhile. */
    task = start_sending(&sending);
    expect_int(tusk_close(sending.file), 0);
    expect(tusk_stream_read(pair.left, received, sizeof received) > 0);
    expect_int(tusk_await(task), -EBADF);
    expect(!tusk_stream_is_closing(pair.right));
    pair_close(&pair);
    close_both(ends);
    return tusk_close(write_only);
}

static void test_bad_files_leave_the_stream_alone(void **state)
{
    (void)state;
    play_quietly(bad_files);
}

static int to_where_nobody_may_write(void *arg)
{
    struct pair pair;
    int file = new_file();

    (void)arg;
    tusk_try(pair_open_pipe(&pair));
    expect_int(tusk_stream_sendfile(pair.left, file, 0, 0), -EBADF);
    expect(!tusk_stream_is_closing(pair.left));
    expect_int(send_text(pair.right, "abc"), 0);
    expect_int(tusk_stream_readexactly(pair.left, received, 3), 3);
    pair_close(&pair);
    return tusk_close(file);
}

static void test_the_reading_end_of_a_pipe(void **state)
{
    (void)state;
    play_quietly(to_where_nobody_may_write);
}

static tusk_stream *outside;

static int keep_outside(void *arg)
{
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_close(fds[1]));
    return tusk_open_stream(fds[0], &outside);
}

static void test_outside_of_tasks(void **state)
{
    tusk_runner *runner = tusk_runner_create();

    (void)state;
    assert_int_equal(tusk_runner_run(runner, keep_outside, NULL), 0);
    assert_int_equal(tusk_stream_sendfile(outside, 0, 0, 0), TUSK_NOT_IN_TASK);
    tusk_stream_release(outside);
    tusk_runner_close(runner);
}

/* The file shrinks and grows while it is sent: what there is comes. */
static int shrinking(void *arg)
{
    struct pair pair;
    struct sending sending = {.file = new_file()};
    tusk_task *task;

    (void)arg;
    tusk_try(pair_open(&pair));
    sending.stream = pair.right;
    task = start_sending(&sending);
    expect_int(ftruncate(sending.file, SIZE - 500000), 0);
    expect_content(pair.left, 0, SIZE - 500000);
    expect_int(tusk_await(task), SIZE - 500000);
    pair_close(&pair);
    return tusk_close(sending.file);
}

static void test_a_file_that_becomes_shorter(void **state)
{
    (void)state;
    play_quietly(shrinking);
}

/* Every allocation and system call fails once: an error comes, and nothing is left. */
static int once(void *arg)
{
    struct pair pair = {NULL, NULL, {-1, -1}};
    int file = *(const int *)arg;
    int64_t rc = pair_open(&pair);

    if (rc == 0)
        rc = tusk_stream_sendfile(pair.right, file, 0, 1000);
    expect(rc < 0 || rc == 1000);
    if (!pair.left && pair.fds[0] >= 0)
        tusk_close(pair.fds[0]);
    if (!pair.right && pair.fds[1] >= 0)
        tusk_close(pair.fds[1]);
    pair_close(&pair);
    return rc < 0 ? (int)rc : 0;
}

static void test_without_memory(void **state)
{
    int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    int rc = -1;

    (void)state;
    for (long n = 1; rc < 0 && n < 1000; n++) {
        tusk__fail_after(n);
        rc = play_with(once, &file, false);
        tusk__fail_after(0);
    }
    assert_int_equal(rc, 0);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_come_as_they_are),
        cmocka_unit_test(test_by_way_of_memory),
        cmocka_unit_test(test_a_file_has_its_turn),
        cmocka_unit_test(test_after_a_cancel_the_others_go_on),
        cmocka_unit_test(test_a_cancel_before_the_turn_sends_nothing),
        cmocka_unit_test(test_closed_and_aborted),
        cmocka_unit_test(test_a_peer_that_goes),
        cmocka_unit_test(test_bad_files_leave_the_stream_alone),
        cmocka_unit_test(test_the_reading_end_of_a_pipe),
        cmocka_unit_test(test_outside_of_tasks),
        cmocka_unit_test(test_a_file_that_becomes_shorter),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
