/*
 * The contract of poll.h, asked of each poller: what it watches, how it is
 * woken, how long it sleeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "loop/trace.h"

#if defined(__linux__)
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

enum { PIPES = 40 };

struct pipe_watch {
    struct tusk__watch watch;
    int ends[2];
    int calls;
    int events;
    /* Unwatched by ready() of this one, unless NULL. */
    struct pipe_watch *victim;
    /* Watched by ready() of this one, unless NULL. */
    struct pipe_watch *newcomer;
};

static struct tusk__poller poller;
static struct pipe_watch pipes[PIPES];

static int setup(void **state)
{
    live_setup(state);
    memset(pipes, 0, sizeof pipes);
    return tusk__poller_open(&poller, NULL);
}

static int teardown(void **state)
{
    poller.backend->close(&poller);
    for (int i = 0; i < PIPES; i++) {
        if (pipes[i].ends[0] > 0)
            close(pipes[i].ends[0]);
        if (pipes[i].ends[1] > 0)
            close(pipes[i].ends[1]);
    }
    return live_teardown(state);
}

static void watch(struct pipe_watch *pipe)
{
    assert_int_equal(poller.backend->watch(&poller, &pipe->watch), 0);
}

static void unwatch(struct pipe_watch *pipe)
{
    poller.backend->unwatch(&poller, &pipe->watch);
}

static void ready(struct tusk__watch *watched, int events)
{
    struct pipe_watch *pipe = container_of(watched, struct pipe_watch, watch);

    pipe->calls++;
    pipe->events = events;
    if (pipe->newcomer)
        watch(pipe->newcomer);
    pipe->newcomer = NULL;
    if (pipe->victim)
        unwatch(pipe->victim);
    pipe->victim = NULL;
}

/* A pipe whose reading end may be watched. */
static void open_pipe(struct pipe_watch *pipe_watch)
{
    assert_int_equal(pipe(pipe_watch->ends), 0);
    pipe_watch->watch =
        (struct tusk__watch){.fd = pipe_watch->ends[0], .events = TUSK__POLL_READ, .ready = ready};
}

static void fill(struct pipe_watch *pipe)
{
    assert_int_equal(write(pipe->ends[1], "x", 1), 1);
}

static void empty(struct pipe_watch *pipe)
{
    char byte;

    assert_int_equal(read(pipe->ends[0], &byte, 1), 1);
}

static void look(void)
{
    assert_int_equal(poller.backend->wait(&poller, 0), 0);
}

static int64_t time_of_wait(int64_t timeout)
{
    int64_t start = tusk__clock_ns();

    assert_int_equal(poller.backend->wait(&poller, timeout), 0);
    return tusk__clock_ns() - start;
}

#define SECOND ((int64_t)1000000000)

/* ---- watching ---- */

static void test_ready_is_called_once_a_wait_as_long_as_it_is_ready(void **state)
{
    (void)state;
    open_pipe(&pipes[0]);
    watch(&pipes[0]);
    assert_int_equal(poller.watched, 1);
    look();
    assert_int_equal(pipes[0].calls, 0);
    fill(&pipes[0]);
    for (int i = 1; i <= 3; i++) {
        assert_true(time_of_wait(100 * SECOND) < 20 * SECOND);
        assert_int_equal(pipes[0].calls, i);
        assert_int_equal(pipes[0].events, TUSK__POLL_READ);
    }
    empty(&pipes[0]);
    look();
    assert_int_equal(pipes[0].calls, 3);
    unwatch(&pipes[0]);
    assert_int_equal(poller.watched, 0);
    fill(&pipes[0]);
    look();
    assert_int_equal(pipes[0].calls, 3);
}

static void test_many_pipes(void **state)
{
    (void)state;
    for (int i = 0; i < PIPES; i++) {
        open_pipe(&pipes[i]);
        watch(&pipes[i]);
    }
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < PIPES; i += round)
            fill(&pipes[i]);
        look();
        for (int i = 0; i < PIPES; i++) {
            assert_int_equal(pipes[i].calls, i % round == 0);
            if (i % round == 0)
                empty(&pipes[i]);
            pipes[i].calls = 0;
        }
    }
    for (int i = 0; i < PIPES; i += 2)
        unwatch(&pipes[i]);
    for (int i = 0; i < PIPES; i++)
        fill(&pipes[i]);
    look();
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(pipes[i].calls, i % 2);
    assert_int_equal(poller.watched, PIPES / 2);
}

static void test_reading_and_writing(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pipes[0].ends[0] = ends[0];
    pipes[0].ends[1] = ends[1];
    pipes[0].watch = (struct tusk__watch){.fd = ends[0], .events = TUSK__POLL_WRITE, .ready = ready};
    fill(&pipes[0]);
    watch(&pipes[0]);
    look();
    assert_int_equal(pipes[0].events, TUSK__POLL_WRITE);
    unwatch(&pipes[0]);
    pipes[0].watch.events = TUSK__POLL_READ | TUSK__POLL_WRITE;
    watch(&pipes[0]);
    look();
    assert_int_equal(pipes[0].events, TUSK__POLL_READ | TUSK__POLL_WRITE);
    assert_int_equal(pipes[0].calls, 2);
    unwatch(&pipes[0]);
}

static void test_the_end_of_a_pipe_is_something_to_read(void **state)
{
    (void)state;
    open_pipe(&pipes[0]);
    watch(&pipes[0]);
    close(pipes[0].ends[1]);
    pipes[0].ends[1] = 0;
    look();
    assert_int_equal(pipes[0].calls, 1);
    assert_true(pipes[0].events & TUSK__POLL_READ);
}

static void test_a_reader_that_left_is_something_to_write(void **state)
{
    (void)state;
    open_pipe(&pipes[0]);
    pipes[0].watch.fd = pipes[0].ends[1];
    pipes[0].watch.events = TUSK__POLL_WRITE;
    close(pipes[0].ends[0]);
    pipes[0].ends[0] = 0;
    watch(&pipes[0]);
    look();
    assert_int_equal(pipes[0].calls, 1);
    assert_true(pipes[0].events & TUSK__POLL_WRITE);
}

/* ---- changes from inside of ready() ---- */

static void test_none_is_ready_after_it_was_unwatched(void **state)
{
    (void)state;
    /* Each unwatches the next, the last one the first: whoever is called first saves himself. */
    for (int distance = 1; distance < 5; distance++) {
        int calls = 0;
        int watched = 5;

        for (int i = 0; i < 5; i++) {
            if (distance == 1)
                open_pipe(&pipes[i]);
            if (distance == 1)
                fill(&pipes[i]);
            pipes[i].calls = 0;
            watch(&pipes[i]);
        }
        pipes[0].victim = &pipes[distance];
        pipes[distance].victim = &pipes[0];
        look();
        for (int i = 0; i < 5; i++)
            calls += pipes[i].calls;
        assert_int_equal(calls, 4);
        assert_int_equal(pipes[0].calls + pipes[distance].calls, 1);
        for (int i = 0; i < 5; i++) {
            /* The one who was called unwatched the other. */
            if ((i == 0 || i == distance) && pipes[i].calls == 0)
                watched--;
            else
                unwatch(&pipes[i]);
            pipes[i].victim = NULL;
        }
        assert_int_equal(watched, 4);
        assert_int_equal(poller.watched, 0);
    }
}

static void test_a_watch_ends_itself(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        open_pipe(&pipes[i]);
        fill(&pipes[i]);
        pipes[i].victim = &pipes[i];
        watch(&pipes[i]);
    }
    look();
    look();
    for (int i = 0; i < 5; i++)
        assert_int_equal(pipes[i].calls, 1);
    assert_int_equal(poller.watched, 0);
}

static void test_a_watch_begins_inside_of_ready(void **state)
{
    (void)state;
    for (int i = 0; i < PIPES; i++) {
        open_pipe(&pipes[i]);
        fill(&pipes[i]);
    }
    /* Half of them bring in the other half; room for them has to grow on the way. */
    for (int i = 0; i < PIPES / 2; i++) {
        pipes[i].newcomer = &pipes[PIPES / 2 + i];
        watch(&pipes[i]);
    }
    look();
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(pipes[i].calls, i < PIPES / 2);
    look();
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(pipes[i].calls, i < PIPES / 2 ? 2 : 1);
}

/* A descriptor is closed and its number comes back at once, under another watch. */
static void test_a_number_used_again_is_another_watch(void **state)
{
    int number_before;

    (void)state;
    open_pipe(&pipes[0]);
    fill(&pipes[0]);
    watch(&pipes[0]);
    look();
    assert_int_equal(pipes[0].calls, 1);
    number_before = pipes[0].ends[0];
    unwatch(&pipes[0]);
    close(pipes[0].ends[0]);
    pipes[0].ends[0] = 0;
    open_pipe(&pipes[1]);
    assert_int_equal(pipes[1].ends[0], number_before);
    watch(&pipes[1]);
    fill(&pipes[1]);
    look();
    assert_int_equal(pipes[0].calls, 1);
    assert_int_equal(pipes[1].calls, 1);
}

/* ---- edge-triggered watches ---- */

/* A socket whose peer is ends[1], watched for changes in these directions. */
static void watch_edges(struct pipe_watch *pipe_watch, int domain, int directions)
{
    int fds[2];

    if (domain == AF_UNIX) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    } else {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        int listener = socket(AF_INET, SOCK_STREAM, 0);

        assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
        fds[1] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fds[1], (struct sockaddr *)&address, size), 0);
        fds[0] = accept(listener, NULL, NULL);
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        close(listener);
    }
    pipe_watch->ends[0] = fds[0];
    pipe_watch->ends[1] = fds[1];
    pipe_watch->watch =
        (struct tusk__watch){.fd = fds[0], .events = directions | TUSK__POLL_EDGE, .ready = ready};
    watch(pipe_watch);
}

/* What the owner says who has found nothing there. */
static void found_nothing(struct pipe_watch *pipe, int directions)
{
    if (poller.backend->expect)
        poller.backend->expect(&poller, &pipe->watch, directions);
}

/* What one look brings: TUSK__POLL_*, or -1 for no call. */
static int news_of(struct pipe_watch *pipe)
{
    int calls = pipe->calls;

    look();
    return pipe->calls == calls ? -1 : pipe->events;
}

static int again(struct pipe_watch *pipe, int directions)
{
    return poller.backend->again(&poller, &pipe->watch, directions);
}

static void fill_up(int fd)
{
    static char bytes[1 << 16];

    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
}

static void empty_all(int fd)
{
    static char bytes[1 << 16];

    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
}

static void test_an_edge_for_what_is_ready_at_first(void **state)
{
    (void)state;
    watch_edges(&pipes[0], AF_UNIX, TUSK__POLL_READ);
    assert_int_equal(news_of(&pipes[0]), -1);
    watch_edges(&pipes[1], AF_UNIX, TUSK__POLL_WRITE);
    assert_int_equal(news_of(&pipes[1]), TUSK__POLL_WRITE);
    assert_int_equal(news_of(&pipes[1]), -1);
    unwatch(&pipes[0]);
    fill(&pipes[0]);
    watch(&pipes[0]);
    assert_int_equal(news_of(&pipes[0]), TUSK__POLL_READ);
    assert_int_equal(news_of(&pipes[0]), -1);
}

static void test_an_edge_for_each_change(void **state)
{
    (void)state;
    watch_edges(&pipes[0], AF_UNIX, TUSK__POLL_READ);
    for (int i = 0; i < 3; i++) {
        fill(&pipes[0]);
        assert_int_equal(news_of(&pipes[0]), TUSK__POLL_READ);
        /* It is still there, and that is no change. */
        assert_int_equal(news_of(&pipes[0]), -1);
        assert_int_equal(news_of(&pipes[0]), -1);
        empty(&pipes[0]);
        found_nothing(&pipes[0], TUSK__POLL_READ);
        assert_int_equal(news_of(&pipes[0]), -1);
    }
    /* Between the look and what the owner says. */
    fill(&pipes[0]);
    found_nothing(&pipes[0], TUSK__POLL_READ);
    assert_int_equal(news_of(&pipes[0]), TUSK__POLL_READ);
    assert_int_equal(news_of(&pipes[0]), -1);
}

static void test_an_edge_for_room(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        watch_edges(&pipes[i], i == 0 ? AF_UNIX : AF_INET, TUSK__POLL_WRITE);
        assert_int_equal(news_of(&pipes[i]), TUSK__POLL_WRITE);
        for (int round = 0; round < 3; round++) {
            fill_up(pipes[i].ends[0]);
            found_nothing(&pipes[i], TUSK__POLL_WRITE);
            assert_int_equal(news_of(&pipes[i]), -1);
            empty_all(pipes[i].ends[1]);
            /* By way of the network it takes a moment. */
            assert_true(time_of_wait(20 * SECOND) < 20 * SECOND);
            assert_int_equal(pipes[i].events, TUSK__POLL_WRITE);
            empty_all(pipes[i].ends[1]);
        }
    }
}

static void test_edges_of_both_directions(void **state)
{
    (void)state;
    watch_edges(&pipes[0], AF_UNIX, TUSK__POLL_READ | TUSK__POLL_WRITE);
    assert_int_equal(news_of(&pipes[0]), TUSK__POLL_WRITE);
    fill(&pipes[0]);
    found_nothing(&pipes[0], TUSK__POLL_READ);
    /* What is ready anyway may be told with it. */
    assert_true(news_of(&pipes[0]) & TUSK__POLL_READ);
    empty(&pipes[0]);
    found_nothing(&pipes[0], TUSK__POLL_READ);
    assert_int_equal(news_of(&pipes[0]), -1);
    fill_up(pipes[0].ends[0]);
    found_nothing(&pipes[0], TUSK__POLL_WRITE);
    fill(&pipes[0]);
    assert_int_equal(news_of(&pipes[0]), TUSK__POLL_READ);
    empty_all(pipes[0].ends[1]);
    assert_true(news_of(&pipes[0]) & TUSK__POLL_WRITE);
}

static void test_what_is_ready_can_be_told_again(void **state)
{
    (void)state;
    watch_edges(&pipes[0], AF_UNIX, TUSK__POLL_READ);
    fill(&pipes[0]);
    assert_int_equal(news_of(&pipes[0]), TUSK__POLL_READ);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(news_of(&pipes[0]), -1);
        assert_int_equal(again(&pipes[0], TUSK__POLL_READ), 0);
        assert_int_equal(news_of(&pipes[0]), TUSK__POLL_READ);
    }
    empty(&pipes[0]);
    assert_int_equal(again(&pipes[0], TUSK__POLL_READ), 0);
    assert_int_equal(news_of(&pipes[0]), -1);
    fill(&pipes[0]);
    assert_int_equal(news_of(&pipes[0]), TUSK__POLL_READ);
}

static void test_a_direction_that_comes_later(void **state)
{
    (void)state;
    watch_edges(&pipes[0], AF_UNIX, TUSK__POLL_READ);
    assert_int_equal(news_of(&pipes[0]), -1);
    pipes[0].watch.events |= TUSK__POLL_WRITE;
    assert_int_equal(again(&pipes[0], TUSK__POLL_WRITE), 0);
    assert_int_equal(news_of(&pipes[0]), TUSK__POLL_WRITE);
    fill(&pipes[0]);
    assert_true(news_of(&pipes[0]) & TUSK__POLL_READ);
    fill_up(pipes[0].ends[0]);
    found_nothing(&pipes[0], TUSK__POLL_WRITE);
    assert_int_equal(news_of(&pipes[0]), -1);
    empty_all(pipes[0].ends[1]);
    assert_true(news_of(&pipes[0]) & TUSK__POLL_WRITE);
}

/* Whoever waits for whatever hears that there is nothing to wait for; of the other direction he may hear. */
static void test_the_end_is_told_to_both_directions(void **state)
{
    (void)state;
    for (int watched = TUSK__POLL_READ; watched <= (TUSK__POLL_READ | TUSK__POLL_WRITE); watched++) {
        struct pipe_watch *pipe = &pipes[watched];
        int expected = watched | (watched & TUSK__POLL_READ ? TUSK__POLL_ENDED : 0);

        watch_edges(pipe, AF_UNIX, watched);
        fill_up(pipe->ends[0]);
        found_nothing(pipe, TUSK__POLL_READ | TUSK__POLL_WRITE);
        look();
        close(pipe->ends[1]);
        pipe->ends[1] = 0;
        /* Twice: it stays ended. */
        for (int i = 0; i < 2; i++) {
            int told = news_of(pipe);

            assert_true(told >= 0);
            assert_int_equal(told & expected, expected);
            assert_int_equal(news_of(pipe), -1);
            assert_int_equal(again(pipe, watched), 0);
        }
    }
}

/* The peer writes no more, and may still read. */
static void test_half_an_end_is_something_to_read(void **state)
{
    (void)state;
    watch_edges(&pipes[0], AF_INET, TUSK__POLL_READ);
    shutdown(pipes[0].ends[1], SHUT_WR);
    assert_true(time_of_wait(20 * SECOND) < 20 * SECOND);
    assert_true(pipes[0].events & TUSK__POLL_READ);
    look();
    assert_int_equal(news_of(&pipes[0]), -1);
}

static void test_an_edge_for_urgent_data(void **state)
{
    (void)state;
    watch_edges(&pipes[0], AF_INET, TUSK__POLL_READ);
    fill(&pipes[0]);
    assert_true(time_of_wait(20 * SECOND) < 20 * SECOND);
    assert_int_equal(pipes[0].events, TUSK__POLL_READ);
    for (int i = 0; i < 2; i++) {
        char byte;

        assert_int_equal(send(pipes[0].ends[1], "!", 1, MSG_OOB), 1);
        found_nothing(&pipes[0], TUSK__POLL_URGENT);
        assert_true(time_of_wait(20 * SECOND) < 20 * SECOND);
        assert_int_equal(pipes[0].events, TUSK__POLL_READ | TUSK__POLL_URGENT);
        assert_int_equal(news_of(&pipes[0]), -1);
        assert_int_equal(recv(pipes[0].ends[0], &byte, 1, MSG_OOB), 1);
        found_nothing(&pipes[0], TUSK__POLL_URGENT);
        assert_int_equal(news_of(&pipes[0]), -1);
    }
}

static void test_edges_of_many(void **state)
{
    (void)state;
    for (int i = 0; i < PIPES; i++)
        watch_edges(&pipes[i], AF_UNIX, TUSK__POLL_READ);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < PIPES; i += round)
            fill(&pipes[i]);
        look();
        look();
        for (int i = 0; i < PIPES; i++) {
            assert_int_equal(pipes[i].calls, i % round == 0);
            if (i % round == 0)
                empty(&pipes[i]);
            found_nothing(&pipes[i], TUSK__POLL_READ);
            pipes[i].calls = 0;
        }
    }
    for (int i = 0; i < PIPES; i += 2)
        unwatch(&pipes[i]);
    for (int i = 0; i < PIPES; i++)
        fill(&pipes[i]);
    look();
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(pipes[i].calls, i % 2);
}

static void test_what_cannot_be_watched(void **state)
{
    char path[] = "/tmp/tusk-poll-XXXXXX";
    int file = mkstemp(path);
    int directory = open("/", O_RDONLY);

    (void)state;
    unlink(path);
    for (int edge = 0; edge <= TUSK__POLL_EDGE; edge += TUSK__POLL_EDGE) {
        struct tusk__watch none = {.fd = file, .events = TUSK__POLL_READ | edge, .ready = ready};

        assert_int_equal(poller.backend->watch(&poller, &none), -EPERM);
        none.fd = directory;
        assert_int_equal(poller.backend->watch(&poller, &none), -EPERM);
        none.fd = 250;
        assert_int_equal(poller.backend->watch(&poller, &none), -EBADF);
    }
    assert_int_equal(poller.watched, 0);
    close(file);
    close(directory);
}

/* Others close what is watched. */
static void test_one_that_was_closed_can_be_unwatched(void **state)
{
    (void)state;
    watch_edges(&pipes[0], AF_UNIX, TUSK__POLL_READ);
    close(pipes[0].ends[0]);
    assert_true(again(&pipes[0], TUSK__POLL_READ) < 0);
    unwatch(&pipes[0]);
    pipes[0].ends[0] = 0;
    assert_int_equal(poller.watched, 0);
    look();
    assert_int_equal(pipes[0].calls, 0);
}

/*
 * The same, and a duplicate keeps the open file alive, of which the system goes on to tell. The
 * number is another watch's meanwhile, and the old watch is gone.
 */
static void test_what_outlives_its_number_tells_nobody(void **state)
{
    int copy, number, peer;

    (void)state;
    /* It would follow a pointer to what it has freed. */
    if (libkqueue_is(poller.backend->name))
        skip();
    watch_edges(&pipes[0], AF_UNIX, TUSK__POLL_READ);
    number = pipes[0].ends[0];
    peer = pipes[0].ends[1];
    copy = fcntl(number, F_DUPFD, number + 10);
    close(number);
    unwatch(&pipes[0]);
    memset(&pipes[0], 0, sizeof pipes[0]);
    assert_int_equal(write(peer, "x", 1), 1);
    look();
    watch_edges(&pipes[1], AF_UNIX, TUSK__POLL_READ);
    assert_int_equal(pipes[1].ends[0], number);
    assert_int_equal(write(peer, "x", 1), 1);
    assert_int_equal(news_of(&pipes[1]), -1);
    fill(&pipes[1]);
    assert_int_equal(news_of(&pipes[1]), TUSK__POLL_READ);
    close(copy);
    close(peer);
}

/* ---- waking ---- */

static void test_a_wake_before_the_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        poller.backend->wake(&poller);
        poller.backend->wake(&poller);
        assert_true(time_of_wait(100 * SECOND) < 20 * SECOND);
        /* Both were one, and it is used up. */
        assert_true(time_of_wait(2000000) >= 1900000);
    }
}

static void test_a_look_uses_a_wake_up(void **state)
{
    (void)state;
    poller.backend->wake(&poller);
    look();
    assert_true(time_of_wait(2000000) >= 1900000);
}

static void test_very_many_wakes(void **state)
{
    int count = live_count(200000, 20000);

    (void)state;
    for (int i = 0; i < count; i++)
        poller.backend->wake(&poller);
    assert_true(time_of_wait(100 * SECOND) < 20 * SECOND);
    /* What a pipe holds may take a few more. */
    look();
    assert_true(time_of_wait(2000000) >= 1900000);
    poller.backend->wake(&poller);
    assert_true(time_of_wait(100 * SECOND) < 20 * SECOND);
}

static void *wake_later(void *arg)
{
    live_sleep_ms(20);
    poller.backend->wake(&poller);
    return arg;
}

static void test_a_wake_during_the_wait(void **state)
{
    pthread_t thread;
    int64_t taken;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wake_later, NULL), 0);
    taken = time_of_wait(-1);
    assert_true(taken < 20 * SECOND);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void nothing(int signal)
{
    (void)signal;
}

static void test_a_signal_during_the_wait(void **state)
{
    struct sigaction action = {.sa_handler = nothing};
    struct sigaction before;
    struct itimerval timer = {.it_value = {.tv_usec = 20000}};
    tusk_loop *loop = loop_new();

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
    assert_true(time_of_wait(100 * SECOND) < 20 * SECOND);
    /* The loop goes back to sleep: it has something to wait for. */
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
    tusk_loop_call_later(loop, 0.05, note, number(1));
    assert_int_equal(tusk_loop_run_once(loop, 100), 0);
    assert_trace(1);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_int_equal(tusk_loop_close(loop), 0);
}

/* ---- time ---- */

static void test_a_wait_is_never_too_short(void **state)
{
    static const int64_t timeouts[] = {1,       999,     1000,    50000,   999999,
                                       1000000, 1000001, 1500000, 3999999, 10000000};

    (void)state;
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        int64_t taken = time_of_wait(timeouts[i]);

        /* A clock that counts in ticks may end up within one. */
        assert_true(taken >= timeouts[i] - 10000);
        assert_true(taken < 20 * SECOND);
    }
}

static void test_milliseconds_are_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(tusk__milliseconds_up(-1), -1);
    assert_int_equal(tusk__milliseconds_up(INT64_MIN), -1);
    assert_int_equal(tusk__milliseconds_up(0), 0);
    assert_int_equal(tusk__milliseconds_up(1), 1);
    assert_int_equal(tusk__milliseconds_up(1000000), 1);
    assert_int_equal(tusk__milliseconds_up(1000001), 2);
    assert_int_equal(tusk__milliseconds_up(INT64_MAX), INT_MAX);
}

/* ---- opening ---- */

static void test_names(void **state)
{
    struct tusk__poller other;

    (void)state;
    assert_string_equal(poller.backend->name, getenv("TUSK_POLLER"));
    assert_int_equal(tusk__poller_open(&other, "telepathy"), -EINVAL);
    assert_int_equal(tusk__poller_open(&other, "poll "), -EINVAL);
    assert_int_equal(tusk__poller_open(&other, ""), 0);
    assert_string_equal(other.backend->name, getenv("TUSK_POLLER"));
    other.backend->close(&other);
}

static void test_open_fails_without_leaving_anything(void **state)
{
    struct tusk__poller other;
    int rc = -1;

    (void)state;
    for (long n = 1; rc < 0; n++) {
        size_t live = tusk__live();
        int descriptors = live_descriptors();

        tusk__fail_after(n);
        rc = tusk__poller_open(&other, NULL);
        tusk__fail_after(0);
        if (rc == 0)
            other.backend->close(&other);
        else
            assert_true(rc == -ENOMEM || rc == -EMFILE);
        assert_int_equal(tusk__live(), live);
        assert_int_equal(live_descriptors(), descriptors);
        assert_in_range(n, 1, 10);
    }
}

static void test_a_watch_fails_without_leaving_anything(void **state)
{
    (void)state;
    /* However many there are: what has to grow may fail, and then nothing has changed. */
    for (int i = 0; i < PIPES; i++) {
        size_t watched = poller.watched;

        open_pipe(&pipes[i]);
        tusk__fail_after(1);
        if (poller.backend->watch(&poller, &pipes[i].watch) < 0) {
            assert_int_equal(poller.watched, watched);
            tusk__fail_after(0);
            watch(&pipes[i]);
        }
        tusk__fail_after(0);
        fill(&pipes[i]);
    }
    look();
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(pipes[i].calls, 1);
}

#if defined(__linux__) && defined(SYS_epoll_pwait2) && defined(SYS_seccomp)
/* From now on this process has no epoll_pwait2: the call ends with that error. */
static bool take_epoll_pwait2_away(unsigned int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
           syscall(SYS_epoll_pwait2, -1, NULL, 0, NULL, NULL, (size_t)0) < 0 && errno == (int)error;
}

enum { CHILD_FINE = 0, CHILD_CANNOT = 77 };

static int child_without_epoll_pwait2(unsigned int error)
{
    static const int64_t timeouts[] = {1, 1000, 1500000, 5000000, 2000001};

    if (!take_epoll_pwait2_away(error))
        return CHILD_CANNOT;
    for (int i = 0; i < 5; i++) {
        int64_t start = tusk__clock_ns();

        if (poller.backend->wait(&poller, timeouts[i]) != 0)
            return 1;
        if (tusk__clock_ns() - start < timeouts[i] - 10000)
            return 2;
    }
    poller.backend->wake(&poller);
    if (poller.backend->wait(&poller, 100 * SECOND) != 0)
        return 3;
    return CHILD_FINE;
}

static void test_a_kernel_without_epoll_pwait2(void **state)
{
    static const unsigned int errors[] = {ENOSYS, EPERM};

    (void)state;
    /* There is no queue in a child of fork. */
    if (libkqueue_is(poller.backend->name))
        skip();
    for (int i = 0; i < 2; i++) {
        int status = 0;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            _exit(child_without_epoll_pwait2(errors[i]));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == CHILD_CANNOT)
            skip();
        assert_int_equal(WEXITSTATUS(status), CHILD_FINE);
    }
}
#else
static void test_a_kernel_without_epoll_pwait2(void **state)
{
    (void)state;
    skip();
}
#endif

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_ready_is_called_once_a_wait_as_long_as_it_is_ready),
        test(test_many_pipes),
        test(test_reading_and_writing),
        test(test_the_end_of_a_pipe_is_something_to_read),
        test(test_a_reader_that_left_is_something_to_write),
        test(test_none_is_ready_after_it_was_unwatched),
        test(test_a_watch_ends_itself),
        test(test_a_watch_begins_inside_of_ready),
        test(test_a_number_used_again_is_another_watch),
        test(test_an_edge_for_what_is_ready_at_first),
        test(test_an_edge_for_each_change),
        test(test_an_edge_for_room),
        test(test_edges_of_both_directions),
        test(test_what_is_ready_can_be_told_again),
        test(test_a_direction_that_comes_later),
        test(test_the_end_is_told_to_both_directions),
        test(test_half_an_end_is_something_to_read),
        test(test_an_edge_for_urgent_data),
        test(test_edges_of_many),
        test(test_what_cannot_be_watched),
        test(test_one_that_was_closed_can_be_unwatched),
        test(test_what_outlives_its_number_tells_nobody),
        test(test_a_wake_before_the_wait),
        test(test_a_look_uses_a_wake_up),
        test(test_very_many_wakes),
        test(test_a_wake_during_the_wait),
        test(test_a_signal_during_the_wait),
        test(test_a_wait_is_never_too_short),
        test(test_milliseconds_are_rounded_up),
        test(test_names),
        test(test_open_fails_without_leaving_anything),
        test(test_a_watch_fails_without_leaving_anything),
        test(test_a_kernel_without_epoll_pwait2),
    };

    return run_with_each_poller(tests);
}
