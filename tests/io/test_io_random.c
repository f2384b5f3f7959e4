/*
 * Random traffic: links of all kinds, each with one who writes and one who reads, in portions
 * and by calls as they come. They are cancelled and run into time-outs all the time, and
 * swallow that; links are closed under them, and others get their numbers. Each byte
 * says which link it belongs to and where: none may be lost, doubled or another link's.
 * The seed is printed; TUSK_TEST_SEED repeats it.
 */
#include "task/stage.h"

#include <fcntl.h>
#include <poll.h>

#include "io/ends.h"
#include "support/live.h"

enum { LINKS = 12, LINKS_CLOSED = 4, PORTION_MAX = 20000 };

struct link {
    /* Where one reads and the other writes; -1 when closed. */
    int in, out;
    unsigned number;
    /* How many bytes will go through, have been written, have been read. */
    size_t size;
    size_t written;
    size_t read;
    bool cut;
    /* NULL before their first steps, in which a cancel would end them, and after their last. */
    tusk_task *reader;
    tusk_task *writer;
    tusk_task *tasks[2];
};

static uint64_t seed;
static unsigned links_made;

static unsigned below(unsigned limit)
{
    return (unsigned)(live_random(&seed) % limit);
}

/* Mostly small, sometimes large. */
static size_t some_size(void)
{
    return 1 + below(below(2) ? 10 : below(2) ? 600 : PORTION_MAX);
}

static char byte_of(const struct link *link, size_t place)
{
    return (char)((place + link->number * 7919) * 2654435761U >> 15);
}

/* ---- one who writes ---- */

static ssize_t write_somehow(const struct link *link, const char *data, size_t size)
{
    struct iovec parts[2] = {{(char *)data, size / 2}, {(char *)data + size / 2, size - size / 2}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    bool is_socket = fcntl(link->out, F_GETFD) >= 0 &&
                     getsockopt(link->out, SOL_SOCKET, SO_TYPE, &(int){0}, &(socklen_t){sizeof(int)}) == 0;

    switch (below(is_socket ? 4 : 2)) {
    case 0:
        return tusk_write(link->out, data, size);
    case 1:
        return tusk_writev(link->out, parts, 2);
    case 2:
        return tusk_send(link->out, data, size, 0);
    default:
        return tusk_sendmsg(link->out, &message, 0);
    }
}

/* ---- one who reads ---- */

static ssize_t read_somehow(const struct link *link, char *buffer, size_t size)
{
    struct iovec parts[2] = {{buffer, size / 3}, {buffer + size / 3, size - size / 3}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    bool is_socket = fcntl(link->in, F_GETFD) >= 0 &&
                     getsockopt(link->in, SOL_SOCKET, SO_TYPE, &(int){0}, &(socklen_t){sizeof(int)}) == 0;
    int rc;

    switch (below(is_socket ? 5 : 3)) {
    case 0:
        return tusk_read(link->in, buffer, size);
    case 1:
        return tusk_readv(link->in, parts, 2);
    case 2:
        rc = tusk_poll_fd(link->in, POLLIN);
        return rc < 0 ? rc : tusk_read(link->in, buffer, size);
    case 3:
        return tusk_recv(link->in, buffer, size, 0);
    default:
        return tusk_recvmsg(link->in, &message, 0);
    }
}

/* ---- both ---- */

/* What a call ends with that can be made again: nothing has been lost. */
static bool was_disturbed(ssize_t rc)
{
    if (rc == -ECANCELED)
        tusk_task_uncancel(tusk_current_task());
    return rc == -ECANCELED || rc == -ETIMEDOUT;
}

/* Runs a call, sometimes with a time-out. */
static ssize_t disturb(ssize_t (*call)(struct link *link, size_t size), struct link *link, size_t size)
{
    tusk_timeout timeout;
    int rc;

    if (below(3))
        return call(link, size);
    rc = tusk_timeout_enter(&timeout, below(2) ? 0 : below(1000) * 1e-6);
    expect_int(rc, 0);
    return tusk_timeout_exit(&timeout, (int)call(link, size));
}

static ssize_t write_portion(struct link *link, size_t size)
{
    char data[PORTION_MAX];
    ssize_t rc;

    for (size_t i = 0; i < size; i++)
        data[i] = byte_of(link, link->written + i);
    rc = write_somehow(link, data, size);
    /* Here, and not behind the time-out, which may come at the same time. */
    if (rc > 0)
        link->written += (size_t)rc;
    return rc;
}

static ssize_t read_portion(struct link *link, size_t size)
{
    char data[PORTION_MAX];
    ssize_t rc = read_somehow(link, data, size);

    for (ssize_t i = 0; i < rc; i++)
        if (data[i] != byte_of(link, link->read + (size_t)i))
            return -EILSEQ;
    if (rc > 0)
        link->read += (size_t)rc;
    return rc;
}

static int pause_sometimes(void)
{
    int rc = below(4) ? 0 : tusk_sleep(below(3) ? 0 : below(100) * 1e-6);

    return was_disturbed(rc) ? 0 : rc;
}

static int close_end(int *fd)
{
    int rc = *fd < 0 ? 0 : tusk_close(*fd);

    *fd = -1;
    return rc;
}

static int writer(void *arg)
{
    struct link *link = arg;
    ssize_t rc = 0;

    link->writer = tusk_current_task();
    while (link->written < link->size && (rc >= 0 || was_disturbed(rc))) {
        size_t left = link->size - link->written, size = some_size();

        rc = pause_sometimes();
        if (rc == 0)
            rc = disturb(write_portion, link, size < left ? size : left);
    }
    /* Closed here or there. */
    expect(rc >= 0 || was_disturbed(rc) ||
           (link->cut && (rc == -EBADF || rc == -EPIPE || rc == -ECONNRESET)));
    link->writer = NULL;
    return close_end(&link->out);
}

static int reader(void *arg)
{
    struct link *link = arg;
    ssize_t rc;

    link->reader = tusk_current_task();
    do {
        rc = pause_sometimes();
        if (rc == 0)
            rc = disturb(read_portion, link, some_size());
    } while (rc > 0 || was_disturbed(rc));
    expect(rc == 0 || (link->cut && (rc == -EBADF || rc == -ECONNRESET)));
    if (!link->cut)
        expect_int(link->read, link->size);
    link->reader = NULL;
    return close_end(&link->in);
}

/* ---- links ---- */

static void open_link(struct link *link)
{
    int fds[2];

    switch (below(5)) {
    case 0:
        tcp_pair(fds);
        break;
    case 1:
        expect_int(tusk_pipe(fds), 0);
        break;
    case 2:
        /* In blocking mode. */
        expect_int(pipe(fds), 0);
        break;
    default:
        unix_pair(fds);
    }
    *link = (struct link){.in = fds[0], .out = fds[1], .number = links_made++};
    link->size = (size_t)below((unsigned)live_count(300000, 60000));
    link->tasks[0] = tusk_create_task(reader, link);
    link->tasks[1] = tusk_create_task(writer, link);
}

static void end_link(struct link *link)
{
    expect_int(tusk_await(tusk_gather(link->tasks, 2)), 0);
    expect(link->cut || link->read == link->written);
}

/* Closes one end under whoever uses it. Sometimes its number comes back at once. */
static void cut_link(struct link *link)
{
    int *fd = below(2) ? &link->in : &link->out;

    if (*fd < 0)
        return;
    link->cut = true;
    expect_int(close_end(fd), 0);
}

static int disturber(void *arg)
{
    struct link *links = arg;

    for (;;) {
        const struct link *link = &links[below(LINKS)];
        tusk_task *task;

        tusk_try(tusk_sleep(below(3) ? 0 : below(200) * 1e-6));
        task = below(2) ? link->reader : link->writer;
        if (task)
            tusk_task_cancel(task);
    }
}

static int traffic(void *arg)
{
    static struct link links[LINKS];
    tusk_task *task;

    (void)arg;
    /* A cancel that comes with the last byte is swallowed, and debug mode says so. */
    tusk_loop_set_exception_handler(tusk_get_running_loop(), keep_report, NULL);
    for (int i = 0; i < LINKS; i++)
        open_link(&links[i]);
    task = tusk_create_task(disturber, links);
    for (int i = 0; i < LINKS_CLOSED; i++) {
        struct link *link = &links[below(LINKS)];

        tusk_try(tusk_sleep(below(1000) * 1e-6));
        cut_link(link);
        end_link(link);
        open_link(link);
    }
    for (int i = 0; i < LINKS; i++)
        end_link(&links[i]);
    tusk_task_cancel(task);
    return tusk_await(task) == -ECANCELED ? 0 : -EIO;
}

static void run(enum tusk_clock clock, bool debug)
{
    size_t live = tusk__live();
    size_t descriptors = open_descriptors();

    assert_int_equal(tusk_run(traffic, NULL, .clock = clock, .debug = debug,
                              .schedule_seed = below(2) ? 1 + below(1000) : 0),
                     0);
    assert_int_equal(stage_failures, 0);
    assert_int_equal(tusk__live(), live);
    assert_int_equal(open_descriptors(), descriptors);
}

static void test_random_traffic(void **state)
{
    int rounds = live_count(12, 3);

    (void)state;
    stage_clean();
    seed = live_seed();
    for (int i = 0; i < rounds; i++) {
        run(TUSK_CLOCK_REAL, false);
        run(TUSK_CLOCK_VIRTUAL, false);
        run(TUSK_CLOCK_REAL, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_traffic)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
