/*
 * Closing: under those who wait, twice, behind tusk's back, and numbers that come back as
 * something else.
 */
#include "io/descriptor.h"

#include "task/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/calls.h"
#include "io/ends.h"
#include "support/live.h"

static int read_one(void *arg)
{
    char byte;

    return (int)tusk_read((int)(intptr_t)arg, &byte, 1);
}

static int write_much(void *arg)
{
    static char bytes[1 << 22];

    return tusk_sendall((int)(intptr_t)arg, bytes, sizeof bytes);
}

static int accept_one(void *arg)
{
    return tusk_accept((int)(intptr_t)arg, NULL, NULL);
}

static int wait_for_input(void *arg)
{
    return tusk_poll_fd((int)(intptr_t)arg, POLLIN);
}

static int send_zeros(void *arg)
{
    int file = open_file();
    int rc;

    expect_int(ftruncate(file, 1 << 24), 0);
    rc = (int)tusk_sendfile((int)(intptr_t)arg, file, 0, 0);
    expect_int(tusk_close(file), 0);
    return rc;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static struct tusk__descriptor *record(int fd)
{
    return tusk__descriptor_find(tusk_get_running_loop()->io, fd);
}

/* ---- those who wait ---- */

static int close_under(tusk_coro *coro, int fd, int peer)
{
    tusk_task *tasks[2];

    tasks[0] = tusk_create_task(coro, as_arg(fd));
    tasks[1] = tusk_create_task(coro, as_arg(fd));
    tusk_try(tusk_sleep(0));
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(tasks[0]));
    expect(!tusk_future_done(tasks[1]));
    expect_int(tusk_close(fd), 0);
    expect(!is_open(fd));
    expect_int(tusk_await(tasks[0]), -EBADF);
    expect_int(tusk_await(tasks[1]), -EBADF);
    return tusk_close(peer);
}

static int close_under_all(void *arg)
{
    static tusk_coro *const coros[] = {read_one, write_much, wait_for_input, send_zeros};
    struct sockaddr_in address;
    int fds[2];

    (void)arg;
    for (size_t i = 0; i < sizeof coros / sizeof coros[0]; i++) {
        tcp_pair(fds);
        tusk_try(close_under(coros[i], fds[0], fds[1]));
        unix_pair(fds);
        tusk_try(close_under(coros[i], fds[0], fds[1]));
    }
    fds[0] = tcp_listen(&address, 1);
    return close_under(accept_one, fds[0], tusk_socket(AF_INET, SOCK_STREAM, 0));
}

static void test_who_waits_is_told(void **state)
{
    (void)state;
    play_quietly(close_under_all);
}

/* Some are woken by data, and before they run the number is closed, and comes back with other data. */
static int close_when_woken(void *arg)
{
    tusk_task *tasks[2];
    char byte;
    int fds[2], again[2];

    (void)arg;
    unix_pair(fds);
    tasks[0] = tusk_create_task(read_one, as_arg(fds[1]));
    tasks[1] = tusk_create_task(wait_for_input, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    expect_int(tusk_write(fds[0], "x", 1), 1);
    expect_int(tusk_get_running_loop()->poller.backend->wait(&tusk_get_running_loop()->poller, 0), 0);
    expect(record(fds[1])->directions[TUSK__READ].ready);
    expect_int(tusk_close(fds[1]), 0);
    unix_pair(again);
    expect(again[0] == fds[1] || again[1] == fds[1]);
    expect_int(tusk_write(again[0], "y", 1), 1);
    expect_int(tusk_write(again[1], "y", 1), 1);
    expect_int(tusk_await(tasks[0]), -EBADF);
    expect_int(tusk_await(tasks[1]), -EBADF);
    expect_int(tusk_read(again[0], &byte, 1), 1);
    expect_int(tusk_read(again[1], &byte, 1), 1);
    close_both(again);
    return tusk_close(fds[0]);
}

static void test_who_was_woken_does_not_take_another_s_data(void **state)
{
    (void)state;
    play_quietly(close_when_woken);
}

static ssize_t write_a_byte(int fd, const struct iovec *data, int count)
{
    (void)count;
    return write(fd, data->iov_base, 1);
}

/* A writer is between two portions, for his turn was over, when the number becomes another one's. */
static int close_under_a_busy_writer(void *arg)
{
    struct pollfd look = {.events = POLLIN};
    tusk_task *writer;
    int null = open("/dev/null", O_WRONLY | O_NONBLOCK);
    int ends[2];

    (void)arg;
    calls_watch();
    calls_system.writev = write_a_byte;
    writer = tusk_create_task(write_much, as_arg(null));
    tusk_try(tusk_sleep(0));
    expect_int(tusk_close(null), 0);
    expect_int(pipe(ends), 0);
    look.fd = ends[0] == null ? dup(ends[0]) : ends[0];
    expect_int(dup2(ends[1], null), null);
    expect_int(tusk_await(writer), -EBADF);
    expect_int(poll(&look, 1, 0), 0);
    if (look.fd != ends[0])
        close(look.fd);
    else
        close(ends[0]);
    close(ends[1]);
    close(null);
    return 0;
}

static void test_the_rest_does_not_go_to_another(void **state)
{
    (void)state;
    play_quietly(close_under_a_busy_writer);
}

/* One who makes too many calls lets others run, and they close what he was about to use. */
static int read_bytes(void *arg)
{
    char byte;
    ssize_t rc;

    while ((rc = tusk_read((int)(intptr_t)arg, &byte, 1)) == 1)
        continue;
    return (int)rc;
}

static int close_under_a_busy_reader(void *arg)
{
    tusk_task *reader;
    int zero = open("/dev/zero", O_RDONLY | O_NONBLOCK);
    int fds[2];

    (void)arg;
    reader = tusk_create_task(read_bytes, as_arg(zero));
    tusk_try(tusk_sleep(0));
    expect(!tusk_future_done(reader));
    expect_int(tusk_close(zero), 0);
    unix_pair(fds);
    expect(fds[0] == zero);
    expect_int(tusk_write(fds[1], "x", 1), 1);
    expect_int(tusk_await(reader), -EBADF);
    expect_int(read_one(as_arg(zero)), 1);
    close_both(fds);
    return 0;
}

static void test_whose_turn_is_over_looks_again(void **state)
{
    (void)state;
    play_quietly(close_under_a_busy_reader);
}

struct unix_connect {
    int fd;
    struct sockaddr_un address;
};

static int connect_to(void *arg)
{
    const struct unix_connect *job = arg;

    return tusk_connect(job->fd, (const struct sockaddr *)&job->address, sizeof job->address);
}

/* The queue of the listener is full, so the task tries now and then; meanwhile its socket goes. */
static int close_under_a_patient_connect(void *arg)
{
    struct unix_connect job = {.address = {.sun_family = AF_UNIX}};
    int listener = tusk_socket(AF_UNIX, SOCK_STREAM, 0);
    int first = tusk_socket(AF_UNIX, SOCK_STREAM, 0);
    int other, peer;
    tusk_task *task;

    (void)arg;
    snprintf(job.address.sun_path, sizeof job.address.sun_path, "/tmp/tusk-connect-%d", (int)getpid());
    expect_int(tusk_bind(listener, (struct sockaddr *)&job.address, sizeof job.address), 0);
    expect_int(listen(listener, 0), 0);
    expect_int(tusk_connect(first, (struct sockaddr *)&job.address, sizeof job.address), 0);
    job.fd = tusk_socket(AF_UNIX, SOCK_STREAM, 0);
    task = tusk_create_task(connect_to, &job);
    tusk_try(tusk_sleep(1));
    if (!tusk_future_done(task)) {
        expect_int(tusk_close(job.fd), 0);
        other = tusk_socket(AF_UNIX, SOCK_STREAM, 0);
        expect_int(other, job.fd);
        peer = tusk_accept(listener, NULL, NULL);
        expect_int(tusk_await(task), -EBADF);
        /* Nobody has connected the other one. */
        expect(tusk_write(other, "x", 1) < 0);
        close_both((int[]){other, peer});
    } else {
        expect_int(tusk_await(task), 0);
        expect_int(tusk_close(job.fd), 0);
    }
    unlink(job.address.sun_path);
    close_both((int[]){listener, first});
    return 0;
}

static void test_a_patient_connect_keeps_to_its_socket(void **state)
{
    (void)state;
    play_quietly(close_under_a_patient_connect);
}

/* ---- twice, and outside of tasks ---- */

static int close_twice(void *arg)
{
    int fds[2];

    (void)arg;
    unix_pair(fds);
    expect_int(tusk_close(fds[0]), 0);
    expect_int(tusk_close(fds[0]), -EBADF);
    expect_int(read_one(as_arg(fds[0])), -EBADF);
    return tusk_close(fds[1]);
}

static void test_closing_twice(void **state)
{
    (void)state;
    play_quietly(close_twice);
}

static void test_closing_outside_of_tasks(void **state)
{
    int fd = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(tusk_close(fd), 0);
    assert_false(is_open(fd));
    assert_int_equal(tusk_close(fd), -EBADF);
    assert_int_equal(tusk_detach(fd), 0);
}

/* ---- numbers that come back ---- */

static int numbers_again(void *arg)
{
    char byte;

    (void)arg;
    for (int i = 0; i < 4; i++) {
        int fds[2];

        unix_pair(fds);
        /* What is known at the end: nothing to read, and registered. */
        if (i % 2 == 0) {
            tusk_task *reader = tusk_create_task(read_one, as_arg(fds[1]));

            tusk_try(tusk_sleep(0));
            tusk_task_cancel(reader);
            expect_int(tusk_await(reader), -ECANCELED);
        }
        expect_int(tusk_write(fds[0], "x", 1), 1);
        expect_int(tusk_read(fds[1], &byte, 1), 1);
        close_both(fds);
    }
    return 0;
}

static void test_a_number_that_comes_back_is_new(void **state)
{
    (void)state;
    play_quietly(numbers_again);
}

/* Somebody has closed it by close(2), and the system gives tusk the same number. */
static int closed_by_others(void *arg)
{
    tusk_task *reader;
    int fds[2], again[2];

    (void)arg;
    unix_pair(fds);
    reader = tusk_create_task(read_one, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    close(fds[1]);
    unix_pair(again);
    expect_int(again[0], fds[1]);
    expect_int(tusk_await(reader), -EBADF);
    reader = tusk_create_task(read_one, as_arg(again[0]));
    tusk_try(tusk_sleep(0));
    expect_int(tusk_write(again[1], "x", 1), 1);
    expect_int(tusk_await(reader), 1);
    close_both(again);
    return tusk_close(fds[0]);
}

static void test_a_number_that_others_closed(void **state)
{
    (void)state;
    play_quietly(closed_by_others);
}

/*
 * The same while a duplicate lives on: what the poller has registered cannot be taken back, and
 * goes on to tell of it.
 */
static int closed_with_a_duplicate(void *arg)
{
    tusk_task *reader;
    int fds[2], again[2], copy;

    (void)arg;
    calls_watch();
    unix_pair(fds);
    reader = tusk_create_task(read_one, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    copy = dup(fds[1]);
    close(fds[1]);
    unix_pair(again);
    expect_int(again[0], fds[1]);
    expect_int(tusk_await(reader), -EBADF);
    reader = tusk_create_task(read_one, as_arg(again[0]));
    tusk_try(tusk_sleep(0));
    calls_clear();
    for (int i = 0; i < 3; i++) {
        expect_int(write(fds[0], "x", 1), 1);
        tusk_try(tusk_sleep(1));
    }
    /* Nobody takes that for news of the other one. */
    expect_int(calls_total(), 0);
    expect_int(tusk_close(again[0]), 0);
    expect_int(write(fds[0], "x", 1), 1);
    tusk_try(tusk_sleep(1));
    expect_int(tusk_await(reader), -EBADF);
    close(copy);
    close_both((int[]){fds[0], again[1]});
    return 0;
}

static void test_a_duplicate_that_lives_on(void **state)
{
    (void)state;
    /* It would follow a pointer to what it has freed. */
    if (libkqueue_is(NULL))
        skip();
    play_quietly(closed_with_a_duplicate);
}

/* A call says EBADF: then the record is out of date, and who waits is told. */
static int closed_and_not_again(void *arg)
{
    tusk_task *reader;
    int fds[2];

    (void)arg;
    unix_pair(fds);
    reader = tusk_create_task(read_one, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    close(fds[1]);
    expect_int(tusk_write(fds[1], "x", 1), -EBADF);
    expect_int(tusk_await(reader), -EBADF);
    expect(!record(fds[1]));
    return tusk_close(fds[0]);
}

static void test_a_call_finds_that_it_is_closed(void **state)
{
    (void)state;
    play_quietly(closed_and_not_again);
}

/* Debug mode says what went wrong, and helps. */
static int closed_and_used_again(void *arg)
{
    char byte;
    int fds[2], again[2];

    (void)arg;
    unix_pair(fds);
    expect_int(tusk_recv(fds[1], &byte, 1, MSG_DONTWAIT), -EAGAIN);
    close(fds[1]);
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, again), 0);
    expect_int(again[0], fds[1]);
    expect_int(tusk_write(again[1], "x", 1), 1);
    expect_int(tusk_read(again[0], &byte, 1), 1);
    close_both(again);
    return tusk_close(fds[0]);
}

static void test_debug_mode_sees_what_others_closed(void **state)
{
    (void)state;
    assert_int_equal(play_with(closed_and_used_again, NULL, true), 0);
    assert_non_null(strstr(stage_reports, "was closed by other means than tusk_close()"));
    assert_int_equal(play_with(closed_by_others, NULL, true), 0);
    assert_non_null(strstr(stage_reports, "was closed by other means than tusk_close()"));
}

/* ---- letting go ---- */

static int detach(void *arg)
{
    tusk_task *reader;
    char byte;
    int fds[2];

    (void)arg;
    unix_pair(fds);
    reader = tusk_create_task(read_one, as_arg(fds[1]));
    tusk_try(tusk_sleep(0));
    expect_int(tusk_detach(fds[1]), 0);
    expect_int(tusk_await(reader), -EBADF);
    expect(is_open(fds[1]));
    expect_int(tusk_detach(fds[1]), 0);
    /* It may come back. */
    expect_int(tusk_write(fds[0], "x", 1), 1);
    expect_int(tusk_read(fds[1], &byte, 1), 1);
    close_both(fds);
    return 0;
}

static void test_detaching(void **state)
{
    (void)state;
    play_quietly(detach);
}

static int read_until_end(void *arg)
{
    char buffer[10];
    ssize_t rc;
    int count = 0;

    while ((rc = tusk_read((int)(intptr_t)arg, buffer, sizeof buffer)) > 0)
        count += (int)rc;
    return rc < 0 ? (int)rc : count;
}

static void *run_elsewhere(void *arg)
{
    return as_arg(tusk_run(read_until_end, arg));
}

/* From one loop to another. */
static int hand_over(void *arg)
{
    pthread_t thread;
    char byte;
    void *count;
    int fds[2];

    (void)arg;
    unix_pair(fds);
    expect_int(tusk_write(fds[0], "abc", 3), 3);
    expect_int(tusk_read(fds[1], &byte, 1), 1);
    expect_int(tusk_detach(fds[1]), 0);
    expect_int(pthread_create(&thread, NULL, run_elsewhere, as_arg(fds[1])), 0);
    expect_int(tusk_write(fds[0], "def", 3), 3);
    expect_int(tusk_close(fds[0]), 0);
    pthread_join(thread, &count);
    expect_int((intptr_t)count, 5);
    return tusk_close(fds[1]);
}

static void test_handing_over_to_another_loop(void **state)
{
    (void)state;
    play_quietly(hand_over);
}

/* ---- threads that use the number ---- */

/* A pipe that tusk takes for a file: its reads block a thread until something comes. */
static void open_slow_file(int ret_ends[2])
{
    expect_int(pipe(ret_ends), 0);
    expect_int(tusk_read(ret_ends[0], NULL, 0), 0);
    record(ret_ends[0])->kind = TUSK__FD_FILE;
}

enum { SLOW_CALLS = 6, FILE_THREADS = 4 };

static int close_under_threads(void *arg)
{
    tusk_task *tasks[SLOW_CALLS];
    int results[2] = {0, 0};
    int ends[2], other;

    (void)arg;
    open_slow_file(ends);
    for (int i = 0; i < SLOW_CALLS; i++)
        tasks[i] = tusk_create_task(read_one, as_arg(ends[0]));
    tusk_try(tusk_sleep(0));
    tusk_try(tusk_sleep(0));
    live_sleep_ms(20);
    expect_int(tusk_close(ends[0]), 0);
    /* As good as closed, and yet nobody else gets the number. */
    expect_int(tusk_close(ends[0]), -EBADF);
    expect_int(tusk_detach(ends[0]), -EBADF);
    expect_int(read_one(as_arg(ends[0])), -EBADF);
    expect_int(tusk_poll_fd(ends[0], POLLIN), -EBADF);
    other = open("/dev/null", O_RDONLY);
    expect(other != ends[0]);
    close(other);
    expect(is_open(ends[0]));
    for (int i = 0; i < FILE_THREADS; i++)
        expect_int(write(ends[1], "x", 1), 1);
    for (int i = 0; i < SLOW_CALLS; i++)
        results[tusk_await(tasks[i]) == -EBADF]++;
    /* Those that had begun, and those that had not. */
    expect_int(results[0], FILE_THREADS);
    expect_int(results[1], SLOW_CALLS - FILE_THREADS);
    expect(!is_open(ends[0]));
    close(ends[1]);
    return 0;
}

static void test_a_number_is_kept_while_a_thread_uses_it(void **state)
{
    (void)state;
    /* qemu does not know RWF_NOWAIT, and a pipe in place of a file blocks the loop. */
    if (live_is_emulated())
        skip();
    play_quietly(close_under_threads);
}

/* Lets the thread go on that reads. If it has not even begun, it does not read any more. */
static void *write_later(void *arg)
{
    ssize_t written;

    live_sleep_ms(30);
    written = write((int)(intptr_t)arg, "x", 1);
    (void)written;
    return NULL;
}

/* ---- the end of the loop ---- */

static int slow_ends[2];

static int read_slow_file(void *arg)
{
    (void)arg;
    open_slow_file(slow_ends);
    return read_one(as_arg(slow_ends[0]));
}

static tusk_loop *loop_with_reports(void)
{
    tusk_loop *loop = tusk_new_event_loop();

    tusk_loop_set_exception_handler(loop, keep_report, NULL);
    return loop;
}

static void run_a_while(tusk_loop *loop)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(tusk_loop_run_once(loop, 0), 0);
}

static void close_loop_under_a_thread(bool close_number)
{
    tusk_loop *loop = loop_with_reports();
    pthread_t thread;

    tusk_release(tusk_loop_create_task(loop, read_slow_file, NULL));
    run_a_while(loop);
    assert_int_equal(pthread_create(&thread, NULL, write_later, as_arg(slow_ends[1])), 0);
    if (close_number)
        tusk__descriptor_close(tusk__descriptor_find(loop->io, slow_ends[0]));
    assert_int_equal(tusk_loop_close(loop), 0);
    pthread_join(thread, NULL);
    assert_int_equal(is_open(slow_ends[0]), !close_number);
    if (!close_number)
        close(slow_ends[0]);
    close(slow_ends[1]);
}

/* The buffer is on the stack of a task that ends with the loop: the thread is waited for. */
static void test_a_loop_that_closes_waits_for_threads(void **state)
{
    size_t live = tusk__live();

    (void)state;
    if (live_is_emulated())
        skip();
    stage_clean();
    signal(SIGPIPE, SIG_IGN);
    close_loop_under_a_thread(false);
    close_loop_under_a_thread(true);
    assert_int_equal(stage_failures, 0);
    assert_int_equal(tusk__live(), live);
}

static int fds_of_waiters[2];

static int read_for_ever(void *arg)
{
    (void)arg;
    return read_one(as_arg(fds_of_waiters[0]));
}

static int poll_for_ever(void *arg)
{
    (void)arg;
    return wait_for_input(as_arg(fds_of_waiters[0]));
}

static int fill_for_ever(void *arg)
{
    (void)arg;
    return write_much(as_arg(fds_of_waiters[0]));
}

static int never(void *arg)
{
    (void)arg;
    expect(false);
    return 0;
}

static void test_a_loop_that_closes_under_those_who_wait(void **state)
{
    size_t live = tusk__live();
    tusk_loop *loop = loop_with_reports();

    (void)state;
    stage_clean();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds_of_waiters), 0);
    tusk_release(tusk_loop_create_task(loop, read_for_ever, NULL));
    tusk_release(tusk_loop_create_task(loop, poll_for_ever, NULL));
    tusk_release(tusk_loop_create_task(loop, fill_for_ever, NULL));
    run_a_while(loop);
    assert_int_equal(tusk_loop_add_reader(loop, fds_of_waiters[1], never, NULL), 0);
    assert_int_equal(tusk_loop_close(loop), 0);
    assert_int_equal(tusk__live(), live);
    close(fds_of_waiters[0]);
    close(fds_of_waiters[1]);
    assert_int_equal(stage_failures, 0);
}

/* ---- child processes ---- */

/* 0 if the child ended well. */
static int end_of(pid_t child)
{
    int status = -1;

    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int talk_to_oneself(void *arg)
{
    int fds[2];
    tusk_task *reader;

    (void)arg;
    tusk_try(tusk_pipe(fds));
    reader = tusk_create_task(read_one, as_arg(fds[0]));
    tusk_try(tusk_sleep(0.001));
    expect_int(tusk_write(fds[1], "x", 1), 1);
    tusk_try(tusk_await(reader) == 1 ? 0 : -EIO);
    close_both(fds);
    return 0;
}

/* The child runs a loop of its own while the parent's waits for a pipe, whose numbers both have. */
static int fork_under_a_reader(void *arg)
{
    int fds[2];
    tusk_task *reader;
    pid_t child;

    (void)arg;
    tusk_try(tusk_pipe(fds));
    reader = tusk_create_task(read_one, as_arg(fds[0]));
    tusk_try(tusk_sleep(0.001));
    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(tusk_run(talk_to_oneself, NULL) == 0 ? 0 : 1);
    expect_int(end_of(child), 0);
    expect(!tusk_future_done(reader));
    expect_int(tusk_write(fds[1], "y", 1), 1);
    expect_int(tusk_await(reader), 1);
    close_both(fds);
    return 0;
}

static void test_a_child_has_a_loop_of_its_own(void **state)
{
    (void)state;
    /*
     * ThreadSanitizer lets no child of a program with threads make any; and for valgrind what the child
     * has of its parent's loop is lost when it has one of its own.
     */
    if (TUSK__TSAN || RUNNING_ON_VALGRIND)
        skip();
    play_quietly(fork_under_a_reader);
}

static int take_byte(void *arg)
{
    char byte;

    trace("%s", read(*(int *)arg, &byte, 1) == 1 ? "taken" : "nothing");
    return 0;
}

/* Until what was watched has come. */
static int run_until_taken(tusk_loop *loop)
{
    int rc = 0;

    for (int i = 0; i < 100 && !stage_trace[0] && rc == 0; i++)
        rc = tusk_loop_run_once(loop, 0.05);
    return rc;
}

/* What the child has is a copy, but what the kernel keeps for it is the parent's as well. */
static void test_a_child_closes_the_loop_of_its_parent(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();
    int fds[2];
    pid_t child;

    (void)state;
    stage_clean();
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], take_byte, &fds[0]), 0);
    assert_int_equal(tusk_loop_run_once(loop, 0), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        tusk_loop_remove_reader(loop, fds[0]);
        _exit(tusk_loop_close(loop) == 0 ? 0 : 1);
    }
    assert_int_equal(end_of(child), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(run_until_taken(loop), 0);
    assert_string_equal(stage_trace, "taken");
    assert_true(tusk_loop_remove_reader(loop, fds[0]));
    assert_int_equal(tusk_loop_close(loop), 0);
    close(fds[0]);
    close(fds[1]);
}

/* As a program does that makes its loop, and then goes into the background. */
static void test_a_child_goes_on_with_the_loop_of_its_parent(void **state)
{
    tusk_loop *loop = tusk_new_event_loop();
    int fds[2];
    pid_t child;

    (void)state;
    stage_clean();
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(tusk_loop_add_reader(loop, fds[0], take_byte, &fds[0]), 0);
    assert_int_equal(tusk_loop_run_once(loop, 0), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        bool fine = write(fds[1], "x", 1) == 1 && run_until_taken(loop) == 0 && stage_trace[0];

        _exit(fine && tusk_loop_remove_reader(loop, fds[0]) && tusk_loop_close(loop) == 0 ? 0 : 1);
    }
    assert_int_equal(end_of(child), 0);
    assert_int_equal(tusk_loop_close(loop), 0);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_waits_is_told),
        cmocka_unit_test(test_who_was_woken_does_not_take_another_s_data),
        cmocka_unit_test(test_the_rest_does_not_go_to_another),
        cmocka_unit_test(test_whose_turn_is_over_looks_again),
        cmocka_unit_test(test_a_patient_connect_keeps_to_its_socket),
        cmocka_unit_test(test_closing_twice),
        cmocka_unit_test(test_closing_outside_of_tasks),
        cmocka_unit_test(test_a_number_that_comes_back_is_new),
        cmocka_unit_test(test_a_number_that_others_closed),
        cmocka_unit_test(test_a_duplicate_that_lives_on),
        cmocka_unit_test(test_a_call_finds_that_it_is_closed),
        cmocka_unit_test(test_debug_mode_sees_what_others_closed),
        cmocka_unit_test(test_detaching),
        cmocka_unit_test(test_handing_over_to_another_loop),
        cmocka_unit_test(test_a_number_is_kept_while_a_thread_uses_it),
        cmocka_unit_test(test_a_loop_that_closes_waits_for_threads),
        cmocka_unit_test(test_a_loop_that_closes_under_those_who_wait),
        cmocka_unit_test(test_a_child_has_a_loop_of_its_own),
        cmocka_unit_test(test_a_child_closes_the_loop_of_its_parent),
        cmocka_unit_test(test_a_child_goes_on_with_the_loop_of_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
