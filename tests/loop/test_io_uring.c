/*
 * What the poller io_uring has beside the contract that test_poll.c asks of each: requests, whose
 * buffers are the kernel's until the end; completions that overflow; a descriptor that is closed
 * while it is watched; another thread; and that another poller takes its place where it is not to be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "loop/trace.h"

#ifdef TUSK_HAVE_LIBURING
#include "loop/poll/uring/uring.h"
#endif

#if defined(__linux__)
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#define SECOND ((int64_t)1000000000)

static struct tusk__poller poller;

static bool is_there(void)
{
    return strcmp(poller.backend->name, "io_uring") == 0;
}

static int setup(void **state)
{
    live_setup(state);
    unsetenv("TUSK_POLLER");
    return tusk__poller_open(&poller, "io_uring");
}

static int teardown(void **state)
{
    poller.backend->close(&poller);
    return live_teardown(state);
}

#define skip_without_it()                                                                                    \
    do {                                                                                                     \
        if (!is_there())                                                                                     \
            skip();                                                                                          \
    } while (0)

static void look(void)
{
    assert_int_equal(poller.backend->wait(&poller, 0), 0);
}

/* Waits as long as it takes, but not for ever. How many waits it takes is the system's business. */
#define wait_for(condition)                                                                                  \
    do {                                                                                                     \
        for (time_t end_ = time(NULL) + 20; !(condition) && time(NULL) < end_;)                              \
            assert_int_equal(poller.backend->wait(&poller, SECOND / 10), 0);                                 \
        assert_true(condition);                                                                              \
    } while (0)

/* ---- watches ---- */

struct counter {
    struct tusk__watch watch;
    int calls;
    int events;
};

static void count(struct tusk__watch *watch, int events)
{
    struct counter *counter = container_of(watch, struct counter, watch);

    counter->calls++;
    counter->events = events;
}

static void watch_edges(struct counter *counter, int fd)
{
    counter->watch =
        (struct tusk__watch){.fd = fd, .events = TUSK__POLL_READ | TUSK__POLL_EDGE, .ready = count};
    assert_int_equal(poller.backend->watch(&poller, &counter->watch), 0);
}

static void unwatch(struct counter *counter)
{
    poller.backend->unwatch(&poller, &counter->watch);
}

/* The owner has read what there was; or found nothing at all. */
static void found(struct counter *counter, bool anything)
{
    poller.backend->expect(&poller, &counter->watch,
                           anything ? TUSK__POLL_READ : TUSK__POLL_READ | TUSK__POLL_VAIN);
}

static void tcp_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ends[1], (struct sockaddr *)&address, size), 0);
    ends[0] = accept(listener, NULL, NULL);
    assert_true(ends[0] >= 0);
    close(listener);
}

static bool has_ended(int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&at, 1, 0) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

/* In whatever state its poll is: the kernel keeps no reference to it. */
static void test_a_socket_that_is_closed_is_closed(void **state)
{
    (void)state;
    skip_without_it();
    for (int turn = 0; turn < 5; turn++) {
        struct counter counter = {.calls = 0};
        int ends[2];

        tcp_pair(ends);
        watch_edges(&counter, ends[0]);
        if (turn > 0)
            look();
        if (turn == 2)
            assert_int_equal(write(ends[1], "x", 1), 1);
        if (turn >= 3) {
            counter.watch.events |= TUSK__POLL_WRITE;
            assert_int_equal(poller.backend->again(&poller, &counter.watch, TUSK__POLL_WRITE), 0);
        }
        if (turn == 4)
            look();
        unwatch(&counter);
        close(ends[0]);
        assert_true(has_ended(ends[1]));
        close(ends[1]);
        look();
        assert_int_equal(counter.calls, turn == 4);
    }
}

#ifdef TUSK_HAVE_LIBURING
/* The count of a number's polls begins anew after 2^32 of them. */
static void test_the_count_of_polls_wraps(void **state)
{
    struct tusk__uring *uring = poller.state;
    struct counter counter = {.calls = 0};
    int ends[2];
    char byte;

    (void)state;
    skip_without_it();
    assert_int_equal(pipe(ends), 0);
    watch_edges(&counter, ends[0]);
    look();
    unwatch(&counter);
    uring->slots[ends[0]].generation = UINT32_MAX - 3;
    for (int i = 0; i < 6; i++) {
        watch_edges(&counter, ends[0]);
        counter.calls = 0;
        look();
        assert_int_equal(counter.calls, 0);
        assert_int_equal(write(ends[1], "x", 1), 1);
        wait_for(counter.calls > 0);
        assert_int_equal(counter.calls, 1);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        unwatch(&counter);
    }
    assert_in_range(uring->slots[ends[0]].generation, 0, 10);
    close(ends[0]);
    close(ends[1]);
}
#endif

static int raise_limit(int wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)wanted) {
        limit.rlim_cur = limit.rlim_max < (rlim_t)wanted ? limit.rlim_max : (rlim_t)wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur >= (rlim_t)wanted ? 0 : -1;
}

#if defined(__linux__)
enum { MANY = 5000 };

static struct counter counters[MANY];

static void add_to_all(void)
{
    const uint64_t one = 1;

    for (int i = 0; i < MANY; i++)
        assert_int_equal(write(counters[i].watch.fd, &one, sizeof one), sizeof one);
}

/* Nobody has more than `most` calls; true if all have at least `least`. */
static bool all_called(int least, int most)
{
    bool all = true;

    for (int i = 0; i < MANY; i++) {
        assert_true(counters[i].calls <= most);
        all = all && counters[i].calls >= least;
    }
    return all;
}

static void watch_all(struct counter *first, int number)
{
    for (int i = 0; i < number; i++) {
        int fd = eventfd(0, EFD_NONBLOCK);

        assert_true(fd >= 0);
        first[i].calls = 0;
        watch_edges(&first[i], fd);
    }
}

static void unwatch_all(struct counter *first, int number)
{
    for (int i = 0; i < number; i++) {
        unwatch(&first[i]);
        close(first[i].watch.fd);
    }
}

/* All become ready, and while others are unwatched the kernel tells more than the ring holds. */
static void test_more_completions_than_fit(void **state)
{
    enum { OTHERS = 400 };
    static struct counter others[OTHERS];

    (void)state;
    skip_without_it();
    if (raise_limit(MANY + OTHERS + 100) < 0)
        skip();
    watch_all(counters, MANY);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            counters[i].calls = 0;
        watch_all(others, OTHERS);
        look();
        add_to_all();
        unwatch_all(others, OTHERS);
        /* A poll that has to be begun anew tells once more of what is there. */
        wait_for(all_called(1, 2));
    }
    unwatch_all(counters, MANY);
    assert_int_equal(poller.watched, 0);
}
#else
static void test_more_completions_than_fit(void **state)
{
    (void)state;
    (void)raise_limit;
    skip();
}
#endif

/* A socket that hears of urgent data by one wake-up, where TCP has two. False where there is none. */
static bool unix_pair_with_urgent_data(int ends[2])
{
    bool works;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    works = send(ends[1], "!", 1, MSG_OOB) == 1;
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    return works;
}

enum way { AFTER_NOTHING, AFTER_NEWS, WITH_NEWS, IN_VAIN, BEFORE, WAYS };

/* What comes with it, or before. */
static void send_urgent_data(enum way way, int end, struct counter *counter, struct counter *other)
{
    if (way == AFTER_NEWS || way == WITH_NEWS)
        assert_int_equal(send(end, "a", 1, 0), 1);
    if (way == AFTER_NEWS)
        /* Its owner does not look into it. */
        wait_for(counter->calls == 1 && counter->events == TUSK__POLL_READ);
    if (way == WITH_NEWS)
        /* The kernel has a call in which to take note of it. */
        unwatch(other);
    assert_int_equal(send(end, "!", 1, MSG_OOB), 1);
    if (way == IN_VAIN) {
        wait_for(counter->calls == 1 && counter->events == TUSK__POLL_READ);
        found(counter, false);
    }
    if (way == BEFORE) {
        int fd = counter->watch.fd;

        unwatch(counter);
        watch_edges(counter, fd);
    }
    counter->events = 0;
}

static void find_out_urgent_data(enum way way, const int ends[2], const int others[2])
{
    struct counter counter = {.calls = 0}, other = {.calls = 0};
    char byte;

    watch_edges(&counter, ends[0]);
    watch_edges(&other, others[0]);
    look();
    send_urgent_data(way, ends[1], &counter, &other);
    wait_for(counter.events & TUSK__POLL_URGENT);
    assert_int_equal(recv(ends[0], &byte, 1, MSG_OOB), 1);
    assert_int_equal(byte, '!');
    unwatch(&counter);
    if (way != WITH_NEWS)
        unwatch(&other);
}

/* The kernel cannot tell urgent data from other, but in the end the watch hears of it. */
static void test_urgent_data_is_found_out(void **state)
{
    (void)state;
    skip_without_it();
    for (enum way way = 0; way < WAYS; way++) {
        int ends[2], others[2];

        assert_int_equal(pipe(others), 0);
        if (way == AFTER_NOTHING)
            tcp_pair(ends);
        else if (!unix_pair_with_urgent_data(ends))
            skip();
        find_out_urgent_data(way, ends, others);
        for (int i = 0; i < 2; i++) {
            close(ends[i]);
            close(others[i]);
        }
    }
}

/* Whoever sleeps on the ring's descriptor is woken for it. */
static void test_urgent_data_that_is_found_out_wakes_an_outer_loop(void **state)
{
    struct counter counter = {.calls = 0};
    struct pollfd outer = {.events = POLLIN};
    int ends[2];

    (void)state;
    skip_without_it();
    if (!unix_pair_with_urgent_data(ends))
        skip();
    outer.fd = poller.backend->fileno(&poller);
    assert_true(outer.fd >= 0);
    watch_edges(&counter, ends[0]);
    look();
    send_urgent_data(IN_VAIN, ends[1], &counter, NULL);
    assert_int_equal(poll(&outer, 1, 20000), 1);
    look();
    assert_true(counter.events & TUSK__POLL_URGENT);
    unwatch(&counter);
    close(ends[0]);
    close(ends[1]);
}

/* What is vague does not spoil what is exact. */
static void test_what_is_read_in_time_is_not_urgent(void **state)
{
    struct counter counter = {.calls = 0};
    int ends[2];
    char byte;

    (void)state;
    skip_without_it();
    tcp_pair(ends);
    watch_edges(&counter, ends[0]);
    for (int i = 0; i < 100; i++) {
        int calls = counter.calls;

        assert_int_equal(send(ends[1], "a", 1, 0), 1);
        wait_for(counter.calls > calls);
        assert_int_equal(counter.events, TUSK__POLL_READ);
        assert_int_equal(recv(ends[0], &byte, 1, MSG_DONTWAIT), 1);
        found(&counter, i % 2);
        look();
        assert_int_equal(counter.calls, i + 1);
    }
    unwatch(&counter);
    close(ends[0]);
    close(ends[1]);
}

/* The one that is told first puts another watch in place of the second, under its number. */
struct usurper {
    struct counter counter;
    struct counter *victim;
    struct counter *heir;
};

static void take_over(struct tusk__watch *watch, int events)
{
    struct usurper *usurper = container_of(watch, struct usurper, counter.watch);
    struct counter *victim = usurper->victim;
    int ends[2];

    count(watch, events);
    if (!victim || victim->calls > 0)
        return;
    unwatch(victim);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], victim->watch.fd), victim->watch.fd);
    close(ends[0]);
    close(ends[1]);
    watch_edges(usurper->heir, victim->watch.fd);
    usurper->victim = NULL;
}

static void test_what_was_told_of_a_number_is_not_its_heirs(void **state)
{
    struct counter victim = {.calls = 0}, heir = {.calls = 0};
    struct usurper usurper = {.victim = &victim, .heir = &heir};
    int ends[2], others[2];

    (void)state;
    skip_without_it();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(others), 0);
    watch_edges(&usurper.counter, ends[0]);
    usurper.counter.watch.ready = take_over;
    watch_edges(&victim, others[0]);
    look();
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(write(others[1], "x", 1), 1);
    look();
    assert_int_equal(usurper.counter.calls, 1);
    assert_int_equal(victim.calls, 0);
    assert_int_equal(heir.calls, 0);
    /* Nobody writes to its pipe any more. */
    wait_for(heir.calls == 1);
    unwatch(&usurper.counter);
    unwatch(&heir);
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        close(others[i]);
    }
}

static void test_devices(void **state)
{
    struct counter counter = {.calls = 0};
    int null;

    (void)state;
    skip_without_it();
    null = open("/dev/null", O_RDWR);
    counter.watch =
        (struct tusk__watch){.fd = null, .events = TUSK__POLL_READ | TUSK__POLL_EDGE, .ready = count};
    assert_int_equal(poller.backend->watch(&poller, &counter.watch), -EPERM);
    close(null);
}

/* ---- requests ---- */

struct reading {
    struct tusk__request request;
    struct iovec vector;
    char bytes[64];
    ssize_t result;
    bool done;
};

static void finish(struct tusk__request *request, ssize_t result)
{
    struct reading *reading = container_of(request, struct reading, request);

    assert_false(reading->done);
    reading->done = true;
    reading->result = result;
}

static int submit_for(struct reading *reading, enum tusk__request_code code, int fd, off_t offset)
{
    memset(reading->bytes, '.', sizeof reading->bytes);
    reading->done = false;
    reading->vector = (struct iovec){reading->bytes, sizeof reading->bytes};
    reading->request = (struct tusk__request){
        .code = code, .fd = fd, .buffers = &reading->vector, .count = 1, .offset = offset, .done = finish};
    return poller.backend->submit(&poller, &reading->request);
}

static void submit(struct reading *reading, enum tusk__request_code code, int fd, off_t offset)
{
    assert_int_equal(submit_for(reading, code, fd, offset), 0);
}

static void withdraw(struct reading *reading)
{
    poller.backend->withdraw(&poller, &reading->request);
}

static int temporary_file(void)
{
    char path[] = "/tmp/tusk-uring-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

static void test_reading_and_writing_a_file(void **state)
{
    static struct reading readings[1000];
    enum { COUNT = sizeof readings / sizeof readings[0] };
    char expected[16];
    int fd;

    (void)state;
    skip_without_it();
    fd = temporary_file();
    /* More than the ring takes at once. */
    for (int i = 0; i < COUNT; i++) {
        submit(&readings[i], TUSK__REQUEST_WRITE, fd, (off_t)i * (off_t)sizeof readings[0].bytes);
        snprintf(readings[i].bytes, sizeof readings[i].bytes, "%d", i);
    }
    assert_int_equal(poller.watched, COUNT);
    wait_for(poller.watched == 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(readings[i].result, sizeof readings[0].bytes);
        submit(&readings[i], TUSK__REQUEST_READ, fd, (off_t)i * (off_t)sizeof readings[0].bytes);
    }
    wait_for(poller.watched == 0);
    for (int i = 0; i < COUNT; i++) {
        snprintf(expected, sizeof expected, "%d", i);
        assert_string_equal(readings[i].bytes, expected);
    }
    close(fd);
}

static void test_the_end_of_a_file_and_no_file(void **state)
{
    struct reading end, nothing;
    int fd;

    (void)state;
    skip_without_it();
    fd = temporary_file();
    submit(&end, TUSK__REQUEST_READ, fd, 1 << 20);
    submit(&nothing, TUSK__REQUEST_READ, 999, 0);
    wait_for(poller.watched == 0);
    assert_int_equal(end.result, 0);
    assert_int_equal(nothing.result, -EBADF);
    close(fd);
}

static void test_several_large_buffers(void **state)
{
    static char bytes[3][1 << 18];
    struct iovec vectors[3];
    struct reading writing = {.done = false};
    char byte;
    int fd;

    (void)state;
    skip_without_it();
    fd = temporary_file();
    for (int i = 0; i < 3; i++) {
        memset(bytes[i], 'a' + i, sizeof bytes[i]);
        vectors[i] = (struct iovec){bytes[i], sizeof bytes[i]};
    }
    writing.request = (struct tusk__request){
        .code = TUSK__REQUEST_WRITE, .fd = fd, .buffers = vectors, .count = 3, .offset = 1, .done = finish};
    assert_int_equal(poller.backend->submit(&poller, &writing.request), 0);
    wait_for(writing.done);
    assert_int_equal(writing.result, sizeof bytes);
    assert_int_equal(pread(fd, &byte, 1, 3 << 18), 1);
    assert_int_equal(byte, 'c');
    close(fd);
}

/* Withdrawn before and after the kernel has heard of it, and around the moment in which something comes. */
static void test_nothing_is_lost_with_a_withdrawal(void **state)
{
    (void)state;
    skip_without_it();
    for (int way = 0; way < 8; way++) {
        struct reading reading;
        char rest[64];
        ssize_t left;
        int ends[2];

        assert_int_equal(pipe(ends), 0);
        submit(&reading, TUSK__REQUEST_READ, ends[0], -1);
        if (way & 1)
            look();
        if (way & 2)
            assert_int_equal(write(ends[1], "hello", 5), 5);
        withdraw(&reading);
        /* Several cancels ask several times. */
        withdraw(&reading);
        assert_false(reading.done);
        if (way & 4)
            assert_int_equal(write(ends[1], "world", 5), 5);
        wait_for(reading.done);
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        left = read(ends[0], rest, sizeof rest);
        left = left < 0 ? 0 : left;
        assert_true(reading.result > 0 || reading.result == -ECANCELED);
        assert_int_equal(left + (reading.result > 0 ? reading.result : 0),
                         (way & 2 ? 5 : 0) + (way & 4 ? 5 : 0));
        if (reading.result < 0)
            assert_int_equal(reading.bytes[0], '.');
        close(ends[0]);
        close(ends[1]);
    }
    assert_int_equal(poller.watched, 0);
}

/* The end of the loop: what comes afterwards goes into no buffer. */
static void test_a_poller_that_is_settled_touches_no_buffer(void **state)
{
    struct reading reading, other;
    struct counter counter = {.calls = 0};
    int ends[2];

    (void)state;
    skip_without_it();
    signal(SIGPIPE, SIG_IGN);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(pipe(ends), 0);
        submit(&reading, TUSK__REQUEST_READ, ends[0], -1);
        submit(&other, TUSK__REQUEST_READ, ends[0], -1);
        if (turn > 0)
            look();
        watch_edges(&counter, ends[1]);
        if (turn == 2)
            look();
        poller.backend->settle(&poller);
        assert_int_equal(poller.watched, 1);
        /* Nobody has the pipe any more. */
        close(ends[0]);
        assert_int_equal(write(ends[1], "x", 1), -1);
        assert_int_equal(errno, EPIPE);
        unwatch(&counter);
        look();
        assert_false(reading.done || other.done);
        assert_int_equal(reading.bytes[0], '.');
        assert_int_equal(other.bytes[0], '.');
        close(ends[1]);
    }
}

/* A child process has a copy of the ring, which lives as long as that. */
static void test_a_poller_is_settled_while_a_child_lives(void **state)
{
    struct reading reading;
    int ends[2];
    char byte;
    pid_t pid;

    (void)state;
    skip_without_it();
    assert_int_equal(pipe(ends), 0);
    submit(&reading, TUSK__REQUEST_READ, ends[0], -1);
    look();
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    poller.backend->settle(&poller);
    assert_int_equal(poller.watched, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    look();
    assert_false(reading.done);
    assert_int_equal(reading.bytes[0], '.');
    assert_int_equal(read(ends[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
}

static void test_a_poller_is_closed_with_requests(void **state)
{
    struct tusk__poller before = poller;
    struct reading reading;
    int ends[2];

    (void)state;
    skip_without_it();
    assert_int_equal(pipe(ends), 0);
    submit(&reading, TUSK__REQUEST_READ, ends[0], -1);
    look();
    poller.backend->close(&poller);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(reading.bytes[0], '.');
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(tusk__poller_open(&poller, before.backend->name), 0);
}

static void test_a_request_that_fails_leaves_nothing_behind(void **state)
{
    struct reading reading;
    int ends[2];
    int rc = -1;

    (void)state;
    skip_without_it();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    for (long n = 1; rc < 0; n++) {
        assert_in_range(n, 1, 10);
        tusk__fail_after(n);
        rc = submit_for(&reading, TUSK__REQUEST_READ, ends[0], -1);
        tusk__fail_after(0);
        if (rc < 0)
            assert_int_equal(poller.watched, 0);
    }
    wait_for(reading.done);
    assert_int_equal(reading.result, 1);
    close(ends[0]);
    close(ends[1]);
}

/* ---- threads ---- */

static void *wait_here(void *arg)
{
    return number(poller.backend->wait(&poller, *(int64_t *)arg));
}

/* What this returns in a new thread. */
static int in_thread(void *(*function)(void *arg), void *arg)
{
    pthread_t thread;
    void *result;

    assert_int_equal(pthread_create(&thread, NULL, function, arg), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return (int)(intptr_t)result;
}

static int wait_in_thread(int64_t timeout)
{
    return in_thread(wait_here, &timeout);
}

static void test_a_loop_goes_on_in_another_thread(void **state)
{
    struct counter counter = {.calls = 0};
    struct reading reading;
    int ends[2];

    (void)state;
    skip_without_it();
    assert_int_equal(pipe(ends), 0);
    watch_edges(&counter, ends[0]);
    for (int i = 1; i <= 3; i++) {
        char byte;

        look();
        assert_int_equal(write(ends[1], "x", 1), 1);
        assert_int_equal(wait_in_thread(20 * SECOND), 0);
        assert_int_equal(counter.calls, 2 * i - 1);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        found(&counter, true);
        poller.backend->wake(&poller);
        assert_int_equal(wait_in_thread(20 * SECOND), 0);
        assert_int_equal(write(ends[1], "x", 1), 1);
        wait_for(counter.calls == 2 * i);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        found(&counter, true);
    }
    /* With a request it cannot, and says so. */
    look();
    submit(&reading, TUSK__REQUEST_READ, ends[0], -1);
    assert_int_equal(wait_in_thread(0), TUSK_OTHER_THREAD);
    assert_int_equal(write(ends[1], "x", 1), 1);
    wait_for(reading.done);
    assert_int_equal(wait_in_thread(0), 0);
    unwatch(&counter);
    close(ends[0]);
    close(ends[1]);
}

static void *show_here(void *arg)
{
    (void)arg;
    return number(poller.backend->fileno(&poller) >= 0);
}

static void *watch_here(void *arg)
{
    watch_edges(arg, ((struct counter *)arg)->watch.fd);
    return number(poller.backend->wait(&poller, 20 * SECOND));
}

/*
 * The number of a thread that has ended is mostly the next one's, but the ring is not: only the kernel
 * says so.
 */
static void test_a_thread_that_has_the_number_of_another_one(void **state)
{
    struct counter counter = {.calls = 0};
    int ends[2];

    (void)state;
    skip_without_it();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    counter.watch.fd = ends[0];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(in_thread(show_here, NULL), 1);
        assert_int_equal(in_thread(watch_here, &counter), 0);
        wait_for(counter.calls > 0);
        counter.calls = 0;
        unwatch(&counter);
    }
    close(ends[0]);
    close(ends[1]);
}

static void *settle_here(void *arg)
{
    poller.backend->settle(&poller);
    return arg;
}

/* Also if the thread of its requests has ended. */
static void *submit_here(void *arg)
{
    submit(arg, TUSK__REQUEST_READ, ((struct reading *)arg)->request.fd, -1);
    look();
    return arg;
}

static void test_requests_are_settled_in_another_thread(void **state)
{
    (void)state;
    skip_without_it();
    for (int ended = 0; ended < 2; ended++) {
        struct reading reading;
        pthread_t thread;
        int ends[2];

        assert_int_equal(pipe(ends), 0);
        reading.request.fd = ends[0];
        if (ended) {
            assert_int_equal(pthread_create(&thread, NULL, submit_here, &reading), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
            settle_here(NULL);
        } else {
            submit_here(&reading);
            assert_int_equal(pthread_create(&thread, NULL, settle_here, NULL), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
        }
        assert_int_equal(write(ends[1], "x", 1), 1);
        look();
        assert_false(reading.done);
        assert_int_equal(reading.bytes[0], '.');
        assert_int_equal(poller.watched, 0);
        close(ends[0]);
        close(ends[1]);
    }
}

/* ---- where it is not to be had ---- */

#if defined(__linux__) && defined(SYS_io_uring_setup) && defined(SYS_seccomp)
/* From now on the call ends with that error in this process. */
static bool take_call_away(unsigned int number, unsigned int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 && syscall((long)number, -1, NULL) < 0 &&
           errno == (int)error;
}

enum { CHILD_FINE = 0, CHILD_CANNOT = 77 };

/* Two loops that ask for it, one by name and one by the environment, get epoll and work. */
static int live_without_it(void)
{
    for (int by_name = 0; by_name < 2; by_name++) {
        tusk_loop *loop;

        setenv("TUSK_POLLER", by_name ? "poll" : "io_uring", 1);
        loop = by_name ? tusk_new_event_loop(.poller = "io_uring", .debug = true)
                       : tusk_new_event_loop(.debug = true);
        if (!loop)
            return 1;
        if (strcmp(tusk_loop_poller(loop), "epoll") != 0)
            return 2;
        tusk_loop_call_later(loop, 0.001, stop, NULL);
        if (tusk_loop_run_forever(loop) != 0)
            return 3;
        tusk_loop_close(loop);
    }
    return CHILD_FINE;
}

static int child(unsigned int number, unsigned int error, int output)
{
    dup2(output, STDERR_FILENO);
    return take_call_away(number, error) ? live_without_it() : CHILD_CANNOT;
}

/* How often the child's output has this in it. */
static int occurrences(const char *text, const char *what)
{
    int found = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        found++;
    return found;
}

/* In a process of its own. False: calls cannot be taken away here. */
static bool live_in_child(unsigned int number, unsigned int error)
{
    char output[1024] = "";
    int status = 0;
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child(number, error, ends[1]));
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(read(ends[0], output, sizeof output - 1) >= 0);
    close(ends[0]);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_CANNOT)
        return false;
    assert_int_equal(WEXITSTATUS(status), CHILD_FINE);
    assert_int_equal(occurrences(output, "The poller io_uring is not to be had here, so epoll is used"), 1);
    return true;
}

static void test_another_poller_where_it_is_forbidden(void **state)
{
    static const unsigned int calls[] = {SYS_io_uring_setup, SYS_io_uring_enter};
    static const unsigned int errors[] = {ENOSYS, EPERM, ENOMEM, EOPNOTSUPP, EINVAL, EACCES};

    (void)state;
    skip_without_it();
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (size_t j = 0; j < sizeof errors / sizeof errors[0]; j++)
            if (!live_in_child(calls[i], errors[j]))
                skip();
}
#else
static void test_another_poller_where_it_is_forbidden(void **state)
{
    (void)state;
    skip();
}
#endif

static void test_another_poller_if_something_fails(void **state)
{
    struct tusk__poller other;
    bool failed = true;

    (void)state;
    skip_without_it();
    for (long n = 1; failed; n++) {
        size_t live = tusk__live();
        int descriptors = live_descriptors();

        tusk__fail_after(n);
        assert_int_equal(tusk__poller_open(&other, "io_uring"), 0);
        tusk__fail_after(0);
        failed = strcmp(other.backend->name, "epoll") == 0;
        if (failed)
            assert_true(other.refused == poller.backend && other.refused_code < 0);
        else
            assert_null(other.refused);
        other.backend->close(&other);
        assert_int_equal(tusk__live(), live);
        assert_int_equal(live_descriptors(), descriptors);
        assert_in_range(n, 1, 10);
    }
}

/* Whoever does not ask for it hears nothing. */
static void test_the_best_poller_is_not_refused(void **state)
{
    struct tusk__poller other;

    (void)state;
    assert_int_equal(tusk__poller_open(&other, NULL), 0);
    assert_null(other.refused);
    other.backend->close(&other);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_a_socket_that_is_closed_is_closed),
#ifdef TUSK_HAVE_LIBURING
        test(test_the_count_of_polls_wraps),
#endif
        test(test_more_completions_than_fit),
        test(test_urgent_data_is_found_out),
        test(test_urgent_data_that_is_found_out_wakes_an_outer_loop),
        test(test_what_is_read_in_time_is_not_urgent),
        test(test_what_was_told_of_a_number_is_not_its_heirs),
        test(test_devices),
        test(test_reading_and_writing_a_file),
        test(test_the_end_of_a_file_and_no_file),
        test(test_several_large_buffers),
        test(test_nothing_is_lost_with_a_withdrawal),
        test(test_a_poller_that_is_settled_touches_no_buffer),
        test(test_a_poller_is_settled_while_a_child_lives),
        test(test_a_poller_is_closed_with_requests),
        test(test_a_request_that_fails_leaves_nothing_behind),
        test(test_a_loop_goes_on_in_another_thread),
        test(test_a_thread_that_has_the_number_of_another_one),
        test(test_requests_are_settled_in_another_thread),
        test(test_another_poller_where_it_is_forbidden),
        test(test_another_poller_if_something_fails),
        test(test_the_best_poller_is_not_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
