/*
 * The simulated network. What a real system does as well is asked of both, in the same words: the
 * same calls through the table of each must say the same.
 */
#include "io/net.h"

#include <poll.h>

#include "io/io.h"
#include "io/system.h"
#include "loop/poll/simulated.h"

#if !defined(POLLRDHUP)
#define POLLRDHUP 0
#endif

#define SECOND 1000000000LL

static const struct tusk__system *sys(void)
{
    return tusk__system_of(tusk_get_running_loop());
}

/* Lets arrive what is on its way: a wait in vain on the real clock, a jump on the virtual one. */
static void settle(void)
{
    expect_int(tusk_sleep(0.02), 0);
}

/* ---- worlds ---- */

/* What tests compare: words, one for each step. */
static char words[2048];

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (words[0])
        strcat(words, " ");
    stage_append(words, sizeof words - 1, format, args);
    va_end(args);
}

struct world {
    const char *poller;
    enum tusk_clock clock;
    const struct tusk__simulated_options *options;
    /* Of the loop, and so of the network if there are no options. */
    uint64_t seed;
    int (*body)(void *arg);
    void *arg;
};

static int live_in(void *arg)
{
    const struct world *world = arg;
    struct tusk__poller *poller = &tusk_get_running_loop()->poller;
    struct tusk__io *io;
    int rc;

    tusk_loop_set_exception_handler(tusk_get_running_loop(), keep_report, NULL);
    expect_int(tusk__io_running(&io), 0);
    if (world->options)
        expect_int(tusk__simulated_configure(poller, world->options), 0);
    rc = world->body(world->arg);
    expect_int(tusk__simulated_count(poller), 0);
    return rc;
}

/* Runs it there; it must leave nothing behind. Returns what it returned. */
static int run_in(const struct world *world)
{
    size_t live = tusk__live();
    size_t descriptors = open_descriptors();
    int rc;

    stage_clean();
    words[0] = '\0';
    rc = tusk_run(live_in, (void *)world, .poller = world->poller, .clock = world->clock,
                  .schedule_seed = world->seed);
    assert_int_equal(tusk__live(), live);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(stage_failures, 0);
    return rc;
}

static int simulate(int (*body)(void *arg), void *arg, const struct tusk__simulated_options *options)
{
    return run_in(&(struct world){"simulated", TUSK_CLOCK_VIRTUAL, options, 0, body, arg});
}

/* The simulated network says these words. */
static void simulate_words(int (*body)(void *arg), void *arg, const char *wanted)
{
    assert_int_equal(simulate(body, arg, NULL), 0);
    assert_string_equal(words, wanted);
}

/* So does the system that this was written after. */
static void compare(int (*body)(void *arg), void *arg, const char *wanted)
{
    simulate_words(body, arg, wanted);
#if defined(__linux__)
    assert_int_equal(run_in(&(struct world){.body = body, .arg = arg}), 0);
    assert_string_equal(words, wanted);
#endif
}

/* ---- words ---- */

/* What poll(2) says: in, out, reading half ended, hung up, error. */
static void look(int fd)
{
    int events = sys()->poll(fd, POLLIN | POLLOUT | POLLRDHUP);

    say("%s%s%s%s%s%s", events & POLLIN ? "i" : "", events & POLLOUT ? "o" : "",
        events & POLLRDHUP ? "r" : "", events & POLLHUP ? "h" : "", events & POLLERR ? "e" : "",
        events ? "" : "-");
}

static void say_result(ssize_t rc)
{
    if (rc < 0)
        say("%s", tusk_errorname((int)rc));
    else
        say("%zd", rc);
}

/* Says what it has read, or why not. */
static void say_read(int fd, size_t size)
{
    char text[32];
    ssize_t rc = sys()->recv(fd, text, size, 0);

    if (rc > 0)
        say("%.*s", (int)rc, text);
    else if (rc == 0)
        say("''");
    else
        say_result(rc);
}

static void say_write(int fd)
{
    say_result(sys()->send(fd, "x", 1, 0));
}

static void put(int fd, const char *text)
{
    expect_int(sys()->send(fd, text, strlen(text), 0), strlen(text));
}

static int error_of(int fd)
{
    int error = -1;
    socklen_t size = sizeof error;

    expect_int(sys()->getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    return error;
}

/* ---- pairs ---- */

static int *const by_tcp = &(int){AF_INET};
static int *const by_unix = &(int){AF_UNIX};

static void listen_at(int fd, struct sockaddr_in *address, int backlog)
{
    socklen_t size = sizeof *address;

    expect_int(sys()->bind(fd, (struct sockaddr *)address, size), 0);
    expect_int(sys()->listen(fd, backlog), 0);
    expect_int(sys()->getsockname(fd, (struct sockaddr *)address, &size), 0);
    expect_int(size, sizeof *address);
}

static void join_by_tcp(int fds[2])
{
    struct sockaddr_in address = net_address("127.0.0.1", 0);
    int listener = sys()->socket(AF_INET, SOCK_STREAM, 0);
    int rc;

    listen_at(listener, &address, 1);
    fds[0] = sys()->socket(AF_INET, SOCK_STREAM, 0);
    rc = sys()->connect(fds[0], (struct sockaddr *)&address, sizeof address);
    expect(rc == 0 || rc == -EINPROGRESS);
    settle();
    fds[1] = sys()->accept(listener, NULL, NULL);
    expect(fds[1] >= 0);
    sys()->close(listener);
}

static void join(const int *domain, int fds[2])
{
    if (*domain == AF_INET)
        join_by_tcp(fds);
    else
        expect_int(sys()->socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

static void close_both(const int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            expect_int(sys()->close(fds[i]), 0);
}

static void close_one(int fds[2], int i)
{
    expect_int(sys()->close(fds[i]), 0);
    fds[i] = -1;
}

static void make_abortive(int fd)
{
    const struct linger linger = {1, 0};

    expect_int(sys()->setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
}

/* ---- bytes, as everywhere ---- */

static int talk(void *arg)
{
    struct iovec pieces[] = {{(void *)"ab", 2}, {NULL, 0}, {(void *)"cde", 3}};
    char first[2], second[2];
    struct iovec rooms[] = {{first, 2}, {second, 2}};
    int fds[2];
    char peeked[8];

    join(arg, fds);
    look(fds[0]);
    look(fds[1]);
    say_read(fds[0], 8);
    put(fds[0], "hello");
    settle();
    look(fds[0]);
    look(fds[1]);
    say_result(sys()->recv(fds[1], peeked, sizeof peeked, MSG_PEEK));
    say_read(fds[1], 3);
    say_read(fds[1], 8);
    say_read(fds[1], 8);
    say_result(sys()->writev(fds[1], pieces, 3));
    settle();
    say_result(sys()->readv(fds[0], rooms, 2));
    say("%.2s", first);
    say("%.2s", second);
    say_read(fds[0], 8);
    say_result(sys()->send(fds[0], "", 0, 0));
    say_result(sys()->recv(fds[0], first, 0, 0));
    close_both(fds);
    return 0;
}

static void test_bytes_arrive(void **state)
{
    (void)state;
    compare(talk, by_tcp, "o o EAGAIN o io 5 hel lo EAGAIN 5 4 ab cd e 0 EAGAIN");
    compare(talk, by_unix, "o o EAGAIN o io 5 hel lo EAGAIN 5 4 ab cd e 0 EAGAIN");
}

static int half_close(void *arg)
{
    int fds[2];

    join(arg, fds);
    put(fds[0], "abc");
    expect_int(sys()->shutdown(fds[0], SHUT_WR), 0);
    settle();
    look(fds[1]);
    say_read(fds[1], 8);
    say_read(fds[1], 8);
    say_read(fds[1], 8);
    look(fds[1]);
    say_write(fds[1]);
    settle();
    look(fds[0]);
    say_read(fds[0], 8);
    say_read(fds[0], 8);
    say_write(fds[0]);
    expect_int(sys()->shutdown(fds[1], SHUT_WR), 0);
    settle();
    look(fds[0]);
    look(fds[1]);
    close_both(fds);
    return 0;
}

static void test_half_closing(void **state)
{
    (void)state;
    compare(half_close, by_tcp, "ior abc '' '' ior 1 io x EAGAIN EPIPE iorh iorh");
    compare(half_close, by_unix, "ior abc '' '' ior 1 io x EAGAIN EPIPE iorh iorh");
}

static int stop_reading(void *arg)
{
    int fds[2];

    join(arg, fds);
    expect_int(sys()->shutdown(fds[0], SHUT_RD), 0);
    settle();
    look(fds[0]);
    say_read(fds[0], 8);
    look(fds[1]);
    say_write(fds[1]);
    settle();
    say_read(fds[0], 8);
    close_both(fds);
    return 0;
}

static void test_closing_the_reading_half(void **state)
{
    (void)state;
    compare(stop_reading, by_tcp, "ior '' o 1 x");
    compare(stop_reading, by_unix, "ior '' o EPIPE ''");
}

/* ---- ends ---- */

static int close_quietly(void *arg)
{
    int fds[2];

    join(arg, fds);
    put(fds[0], "abc");
    close_one(fds, 0);
    settle();
    look(fds[1]);
    say_read(fds[1], 8);
    say_read(fds[1], 8);
    say_write(fds[1]);
    settle();
    look(fds[1]);
    say_write(fds[1]);
    say_write(fds[1]);
    say_read(fds[1], 8);
    close_both(fds);
    return 0;
}

static void test_closing(void **state)
{
    (void)state;
    compare(close_quietly, by_tcp, "ior abc '' 1 iorhe EPIPE EPIPE ''");
    compare(close_quietly, by_unix, "iorh abc '' EPIPE iorh EPIPE EPIPE ''");
}

static int close_with_unread_bytes(void *arg)
{
    int fds[2];

    join(arg, fds);
    put(fds[0], "for you");
    put(fds[1], "for me");
    settle();
    close_one(fds, 0);
    settle();
    look(fds[1]);
    say_read(fds[1], 8);
    say_read(fds[1], 8);
    say_read(fds[1], 8);
    say_write(fds[1]);
    close_both(fds);
    return 0;
}

static void test_closing_with_unread_bytes_resets(void **state)
{
    (void)state;
    compare(close_with_unread_bytes, by_tcp, "iorhe for you ECONNRESET '' EPIPE");
    compare(close_with_unread_bytes, by_unix, "iorhe for you ECONNRESET '' EPIPE");
}

static int reset(void *arg)
{
    int fds[2];

    join(arg, fds);
    put(fds[0], "abc");
    settle();
    make_abortive(fds[0]);
    close_one(fds, 0);
    settle();
    look(fds[1]);
    say_read(fds[1], 2);
    look(fds[1]);
    say_read(fds[1], 8);
    say_read(fds[1], 8);
    say_read(fds[1], 8);
    look(fds[1]);
    say_write(fds[1]);
    close_both(fds);
    join(arg, fds);
    make_abortive(fds[0]);
    close_one(fds, 0);
    settle();
    say("|");
    say_write(fds[1]);
    say_write(fds[1]);
    say_read(fds[1], 8);
    look(fds[1]);
    close_both(fds);
    join(arg, fds);
    make_abortive(fds[0]);
    close_one(fds, 0);
    settle();
    say("|");
    say_result(-error_of(fds[1]));
    say_result(-error_of(fds[1]));
    say_read(fds[1], 8);
    close_both(fds);
    return 0;
}

static void test_resets(void **state)
{
    (void)state;
    compare(reset, by_tcp,
            "iorhe ab iorhe c ECONNRESET '' iorh EPIPE "
            "| ECONNRESET EPIPE '' iorh | ECONNRESET 0 ''");
    /* The Unix domain knows no such thing: it is a close. */
    compare(reset, by_unix, "iorh ab iorh c '' '' iorh EPIPE | EPIPE EPIPE '' iorh | 0 0 ''");
}

/* What is on its way to somebody who has gone is answered by a reset. */
static int write_to_one_who_closes(void *arg)
{
    int fds[2];

    (void)arg;
    join(by_tcp, fds);
    put(fds[0], "abc");
    put(fds[1], "nobody reads this");
    close_one(fds, 0);
    settle();
    settle();
    say_read(fds[1], 8);
    look(fds[1]);
    close_both(fds);
    return 0;
}

static void test_bytes_that_find_nobody(void **state)
{
    (void)state;
    compare(write_to_one_who_closes, NULL, "abc iorhe");
}

/* ---- full buffers ---- */

static size_t fill(int fd)
{
    static const char block[4096];
    size_t total = 0;
    ssize_t rc;

    while ((rc = sys()->send(fd, block, sizeof block, 0)) > 0)
        total += (size_t)rc;
    expect_int(rc, -EAGAIN);
    return total;
}

static size_t drain(int fd, size_t size)
{
    static char block[4096];
    size_t total = 0;
    ssize_t rc = 1;

    while (total < size && (rc = sys()->recv(fd, block, sizeof block, 0)) > 0)
        total += (size_t)rc;
    return total;
}

static int be_full(void *arg)
{
    int fds[2];
    size_t sent;

    join(arg, fds);
    sent = fill(fds[0]);
    look(fds[0]);
    settle();
    for (size_t read = 0; read < sent; settle())
        read += drain(fds[1], sent - read);
    look(fds[0]);
    look(fds[1]);
    expect(fill(fds[0]) > 0);
    settle();
    close_one(fds, 1);
    settle();
    say_write(fds[0]);
    close_both(fds);
    return 0;
}

static void test_full_buffers(void **state)
{
    (void)state;
    compare(be_full, by_tcp, "- o o ECONNRESET");
    compare(be_full, by_unix, "- o o EPIPE");
}

/* ---- connecting ---- */

static int connect_and_accept(void *arg)
{
    struct sockaddr_in address = net_address("127.0.0.1", 0);
    struct sockaddr_in own, seen, peer;
    socklen_t size = sizeof own;
    int listener = sys()->socket(AF_INET, SOCK_STREAM, 0);
    int fd = sys()->socket(AF_INET, SOCK_STREAM, 0);
    int accepted, rc;

    (void)arg;
    look(fd);
    say_read(fd, 8);
    say_write(fd);
    say_result(sys()->getpeername(fd, (struct sockaddr *)&peer, &size));
    say_result(sys()->accept(listener, NULL, NULL));
    listen_at(listener, &address, 1);
    look(listener);
    say_result(sys()->accept(listener, NULL, NULL));
    rc = sys()->connect(fd, (struct sockaddr *)&address, sizeof address);
    expect(rc == 0 || rc == -EINPROGRESS);
    settle();
    look(listener);
    look(fd);
    say("%d", error_of(fd));
    size = sizeof seen;
    accepted = sys()->accept(listener, (struct sockaddr *)&seen, &size);
    expect_int(size, sizeof seen);
    sys()->getsockname(fd, (struct sockaddr *)&own, &size);
    expect_int(own.sin_port, seen.sin_port);
    expect_int(own.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    sys()->getpeername(fd, (struct sockaddr *)&peer, &size);
    expect_int(peer.sin_port, address.sin_port);
    sys()->getsockname(accepted, (struct sockaddr *)&own, &size);
    expect_int(own.sin_port, address.sin_port);
    look(listener);
    say_result(sys()->accept(listener, NULL, NULL));
    sys()->close(listener);
    sys()->close(fd);
    sys()->close(accepted);
    return 0;
}

static void test_connecting(void **state)
{
    (void)state;
    compare(connect_and_accept, NULL, "oh ENOTCONN EPIPE ENOTCONN EINVAL - EAGAIN i o 0 - EAGAIN");
}

static int be_refused(void *arg)
{
    struct sockaddr_in address = net_address("127.0.0.1", 0);
    int bound = sys()->socket(AF_INET, SOCK_STREAM, 0);
    int fd = sys()->socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof address;

    (void)arg;
    /* Bound, and not listening: nobody else gets this port meanwhile. */
    sys()->bind(bound, (struct sockaddr *)&address, size);
    sys()->getsockname(bound, (struct sockaddr *)&address, &size);
    say_result(sys()->connect(fd, (struct sockaddr *)&address, sizeof address));
    settle();
    look(fd);
    say_result(-error_of(fd));
    look(fd);
    say_read(fd, 8);
    say_write(fd);
    sys()->close(fd);
    sys()->close(bound);
    return 0;
}

static void test_being_refused(void **state)
{
    (void)state;
    compare(be_refused, NULL, "EINPROGRESS iorhe ECONNREFUSED iorh '' EPIPE");
}

/* A connection that is reset in the queue is accepted all the same; a listener that goes resets those that wait. */
static int leave_the_queue(void *arg)
{
    struct sockaddr_in address = net_address("127.0.0.1", 0);
    int listener = sys()->socket(AF_INET, SOCK_STREAM, 0);
    int fds[2];

    (void)arg;
    listen_at(listener, &address, 4);
    for (int i = 0; i < 2; i++) {
        fds[i] = sys()->socket(AF_INET, SOCK_STREAM, 0);
        sys()->connect(fds[i], (struct sockaddr *)&address, sizeof address);
    }
    settle();
    make_abortive(fds[0]);
    close_one(fds, 0);
    settle();
    fds[0] = sys()->accept(listener, NULL, NULL);
    look(fds[0]);
    say_read(fds[0], 8);
    sys()->close(listener);
    settle();
    look(fds[1]);
    say_read(fds[1], 8);
    close_both(fds);
    return 0;
}

static void test_the_queue(void **state)
{
    (void)state;
    compare(leave_the_queue, NULL, "iorhe ECONNRESET iorhe ECONNRESET");
}

/* A queue that is full says nothing: the client asks again after a second. */
static int fill_the_queue(void *arg)
{
    struct sockaddr_in address = net_address("127.0.0.1", 0);
    int listener = sys()->socket(AF_INET, SOCK_STREAM, 0);
    int fds[3];
    double begun;

    (void)arg;
    listen_at(listener, &address, 1);
    for (int i = 0; i < 3; i++) {
        fds[i] = sys()->socket(AF_INET, SOCK_STREAM, 0);
        sys()->connect(fds[i], (struct sockaddr *)&address, sizeof address);
    }
    settle();
    look(fds[0]);
    look(fds[1]);
    look(fds[2]);
    begun = tusk_loop_time(tusk_get_running_loop());
    sys()->close(sys()->accept(listener, NULL, NULL));
    expect_int(tusk_poll_fd(fds[2], POLLOUT), POLLOUT);
    expect(tusk_loop_time(tusk_get_running_loop()) - begun > 0.9);
    sys()->close(listener);
    for (int i = 0; i < 3; i++)
        tusk_close(fds[i]);
    return 0;
}

static void test_a_full_queue(void **state)
{
    (void)state;
    compare(fill_the_queue, NULL, "o o -");
}

/* Nobody ever answers at the documentation's addresses. */
static int knock_in_vain(void *arg)
{
    struct sockaddr_in address = net_address("192.0.2.7", 80);
    int fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    double begun = tusk_loop_time(tusk_get_running_loop());

    (void)arg;
    say_result(sys()->bind(fd, (struct sockaddr *)&address, sizeof address));
    say_result(tusk_connect(fd, (struct sockaddr *)&address, sizeof address));
    expect(tusk_loop_time(tusk_get_running_loop()) - begun > 60);
    address = net_address("255.255.255.255", 80);
    tusk_close(fd);
    fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    say_result(tusk_connect(fd, (struct sockaddr *)&address, sizeof address));
    tusk_close(fd);
    return 0;
}

static void test_addresses_that_lead_nowhere(void **state)
{
    (void)state;
    simulate_words(knock_in_vain, NULL, "EADDRNOTAVAIL ETIMEDOUT ENETUNREACH");
}

/* ---- names ---- */

static int bind_at(const char *host, int port, int domain, bool reuse)
{
    struct sockaddr_in in = net_address(host, port);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = sys()->socket(domain, SOCK_STREAM, 0);
    int on = reuse;
    int rc;

    inet_pton(AF_INET6, host, &in6.sin6_addr);
    sys()->setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    rc = domain == AF_INET ? sys()->bind(fd, (struct sockaddr *)&in, sizeof in)
                           : sys()->bind(fd, (struct sockaddr *)&in6, sizeof in6);
    if (rc < 0)
        sys()->close(fd);
    return rc < 0 ? rc : fd;
}

static int share_ports(void *arg)
{
    struct sockaddr_in address = net_address("127.0.0.1", 0);
    socklen_t size = sizeof address;
    int first = sys()->socket(AF_INET, SOCK_STREAM, 0);
    int second, port;

    (void)arg;
    sys()->bind(first, (struct sockaddr *)&address, size);
    say_result(sys()->bind(first, (struct sockaddr *)&address, size));
    sys()->getsockname(first, (struct sockaddr *)&address, &size);
    port = ntohs(address.sin_port);
    say_result(bind_at("127.0.0.1", port, AF_INET, false));
    say_result(bind_at("0.0.0.0", port, AF_INET, true));
    second = bind_at("127.0.0.2", port, AF_INET, false);
    expect(second >= 0);
    sys()->close(second);
    say_result(bind_at("::", port, AF_INET6, true));
    second = bind_at("::1", port, AF_INET6, true);
    expect(second >= 0);
    sys()->close(second);
    sys()->close(first);
    first = bind_at("127.0.0.1", port, AF_INET, true);
    second = bind_at("127.0.0.1", port, AF_INET, true);
    expect(first >= 0 && second >= 0);
    expect_int(sys()->listen(first, 1), 0);
    say_result(sys()->listen(second, 1));
    say_result(bind_at("127.0.0.1", port, AF_INET, true));
    sys()->close(first);
    sys()->close(second);
    return 0;
}

static void test_ports(void **state)
{
    (void)state;
    compare(share_ports, NULL, "EINVAL EADDRINUSE EADDRINUSE EADDRINUSE EADDRINUSE EADDRINUSE");
}

/* A listener of both families sees clients of the older one by addresses of the newer. */
static int cross_families(void *arg)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    struct sockaddr_in6 seen;
    struct sockaddr_in address = net_address("127.0.0.1", 0);
    socklen_t size = sizeof any;
    char text[64];
    int listener = sys()->socket(AF_INET6, SOCK_STREAM, 0);
    int fd = sys()->socket(AF_INET, SOCK_STREAM, 0);
    int accepted;

    (void)arg;
    expect_int(sys()->bind(listener, (struct sockaddr *)&any, sizeof any), 0);
    expect_int(sys()->listen(listener, 1), 0);
    sys()->getsockname(listener, (struct sockaddr *)&any, &size);
    address.sin_port = any.sin6_port;
    sys()->connect(fd, (struct sockaddr *)&address, sizeof address);
    settle();
    size = sizeof seen;
    accepted = sys()->accept(listener, (struct sockaddr *)&seen, &size);
    say("%d %s", seen.sin6_family == AF_INET6, inet_ntop(AF_INET6, &seen.sin6_addr, text, sizeof text));
    sys()->getsockname(accepted, (struct sockaddr *)&seen, &size);
    say("%s", inet_ntop(AF_INET6, &seen.sin6_addr, text, sizeof text));
    sys()->close(listener);
    sys()->close(fd);
    sys()->close(accepted);
    return 0;
}

static void test_families(void **state)
{
    (void)state;
    compare(cross_families, NULL, "1 ::ffff:127.0.0.1 ::ffff:127.0.0.1");
}

static socklen_t unix_address(struct sockaddr_un *address, const char *path)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    return sizeof *address;
}

static int connect_to_file(void *arg)
{
    char folder[] = "/tmp/tusk-test-XXXXXX";
    struct sockaddr_un address, name;
    char path[64];
    socklen_t length, size;
    int listener = sys()->socket(AF_UNIX, SOCK_STREAM, 0);
    int fds[3], accepted;

    (void)arg;
    expect(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/x", folder);
    length = unix_address(&address, path);
    for (int i = 0; i < 3; i++)
        fds[i] = sys()->socket(AF_UNIX, SOCK_STREAM, 0);
    say_result(sys()->listen(listener, 1));
    say_result(sys()->connect(fds[0], (struct sockaddr *)&address, length));
    say_result(sys()->bind(listener, (struct sockaddr *)&address, length));
    say_result(sys()->bind(fds[0], (struct sockaddr *)&address, length));
    say_result(sys()->connect(fds[0], (struct sockaddr *)&address, length));
    expect_int(sys()->listen(listener, 1), 0);
    for (int i = 0; i < 3; i++)
        say_result(sys()->connect(fds[i], (struct sockaddr *)&address, length));
    put(fds[0], "hello");
    accepted = sys()->accept(listener, NULL, NULL);
    settle();
    say_read(accepted, 8);
    size = sizeof name;
    sys()->getsockname(accepted, (struct sockaddr *)&name, &size);
    expect_text(name.sun_path, path);
    size = sizeof name;
    sys()->getpeername(accepted, (struct sockaddr *)&name, &size);
    expect_int(size, sizeof name.sun_family);
    unlink(path);
    say_result(sys()->connect(fds[2], (struct sockaddr *)&address, length));
    rmdir(folder);
    sys()->close(listener);
    sys()->close(accepted);
    close_both(fds);
    sys()->close(fds[2]);
    return 0;
}

static void test_files(void **state)
{
    (void)state;
    compare(connect_to_file, NULL, "EINVAL ENOENT 0 EADDRINUSE ECONNREFUSED 0 0 EAGAIN hello ENOENT");
}

static socklen_t abstract_address(struct sockaddr_un *address, const char *name)
{
    unix_address(address, "");
    snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "tusk-test-%d-%s", (int)getpid(), name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address->sun_path + 1));
}

/* Names without a file; those of no file and no name get one. */
static int connect_to_names(void *arg)
{
    struct sockaddr_un address;
    socklen_t size = 0;
    int listeners[3], fds[3];

    (void)arg;
    for (int i = 0; i < 3; i++) {
        listeners[i] = sys()->socket(AF_UNIX, SOCK_STREAM, 0);
        size = i < 2 ? abstract_address(&address, i ? "b" : "a") : sizeof(sa_family_t);
        say_result(sys()->bind(listeners[i], (struct sockaddr *)&address, size));
        say_result(sys()->listen(listeners[i], 1));
    }
    fds[0] = sys()->socket(AF_UNIX, SOCK_STREAM, 0);
    size = abstract_address(&address, "b");
    say_result(sys()->bind(fds[0], (struct sockaddr *)&address, size));
    say_result(sys()->connect(fds[0], (struct sockaddr *)&address, size));
    fds[1] = sys()->socket(AF_UNIX, SOCK_STREAM, 0);
    size = sizeof address;
    sys()->getsockname(listeners[2], (struct sockaddr *)&address, &size);
    say("%d", (int)(size - offsetof(struct sockaddr_un, sun_path)));
    say_result(sys()->connect(fds[1], (struct sockaddr *)&address, size));
    fds[2] = sys()->socket(AF_UNIX, SOCK_STREAM, 0);
    size = abstract_address(&address, "c");
    say_result(sys()->connect(fds[2], (struct sockaddr *)&address, size));
    look(listeners[0]);
    look(listeners[1]);
    look(listeners[2]);
    for (int i = 0; i < 3; i++) {
        sys()->close(listeners[i]);
        sys()->close(fds[i]);
    }
    return 0;
}

static void test_names(void **state)
{
    (void)state;
    compare(connect_to_names, NULL, "0 0 0 0 0 0 EADDRINUSE 0 6 0 ECONNREFUSED - i i");
}

/* ---- messages ---- */

static int exchange_messages(void *arg)
{
    struct sockaddr_in places[2] = {net_address("127.0.0.1", 0), net_address("127.0.0.1", 0)};
    struct sockaddr_in from;
    char text[8];
    struct iovec room = {text, 3};
    struct msghdr message = {.msg_iov = &room, .msg_iovlen = 1};
    int fds[2];

    (void)arg;
    for (int i = 0; i < 2; i++) {
        socklen_t size = sizeof places[i];

        fds[i] = sys()->socket(AF_INET, SOCK_DGRAM, 0);
        sys()->bind(fds[i], (struct sockaddr *)&places[i], size);
        sys()->getsockname(fds[i], (struct sockaddr *)&places[i], &size);
    }
    look(fds[0]);
    say_read(fds[0], 8);
    say_write(fds[0]);
    message =
        (struct msghdr){&places[1], sizeof places[1], &(struct iovec){(void *)"hello", 5}, 1, NULL, 0, 0};
    say_result(sys()->sendmsg(fds[0], &message, 0));
    message.msg_iov = &(struct iovec){NULL, 0};
    say_result(sys()->sendmsg(fds[0], &message, 0));
    settle();
    look(fds[1]);
    message = (struct msghdr){&from, sizeof from, &room, 1, NULL, 0, 0};
    say_result(sys()->recvmsg(fds[1], &message, 0));
    say("%d %d %.3s", (message.msg_flags & MSG_TRUNC) != 0, from.sin_port == places[0].sin_port, text);
    say_read(fds[1], 8);
    say_read(fds[1], 8);
    /* Only from whom it is connected to; and who is connected hears that nobody is there. */
    sys()->connect(fds[1], (struct sockaddr *)&places[1], sizeof places[1]);
    message =
        (struct msghdr){&places[1], sizeof places[1], &(struct iovec){(void *)"lost", 4}, 1, NULL, 0, 0};
    say_result(sys()->sendmsg(fds[0], &message, 0));
    settle();
    look(fds[1]);
    sys()->connect(fds[0], (struct sockaddr *)&places[1], sizeof places[1]);
    close_one(fds, 1);
    say_write(fds[0]);
    settle();
    look(fds[0]);
    say_read(fds[0], 8);
    say_read(fds[0], 8);
    close_both(fds);
    return 0;
}

static void test_messages(void **state)
{
    (void)state;
    compare(exchange_messages, NULL,
            "o EAGAIN EDESTADDRREQ 5 0 io 3 1 1 hel '' EAGAIN 4 o 1 oe ECONNREFUSED EAGAIN");
}

static int fill_with_messages(void *arg)
{
    char text[8];
    int fds[2];
    int count = 0;

    (void)arg;
    expect_int(sys()->socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    while (count < 100000 && sys()->send(fds[0], "xyz", 3, 0) == 3)
        count++;
    look(fds[0]);
    say_write(fds[0]);
    settle();
    for (int i = 0; i < count; i++)
        expect_int(sys()->recv(fds[1], text, sizeof text, 0), 3);
    look(fds[0]);
    say_read(fds[1], 8);
    close_one(fds, 1);
    say_write(fds[0]);
    close_both(fds);
    return 0;
}

static void test_messages_of_the_unix_domain(void **state)
{
    (void)state;
    compare(fill_with_messages, NULL, "- EAGAIN o EAGAIN ECONNREFUSED");
}

/* Numbers in order; some lost, some twice, some too early. */
static int count_messages(void *arg)
{
    struct sockaddr_in address = net_address("127.0.0.1", 0);
    socklen_t size = sizeof address;
    int fds[2] = {sys()->socket(AF_INET, SOCK_DGRAM, 0), sys()->socket(AF_INET, SOCK_DGRAM, 0)};
    int *counts = arg;
    int last = -1;
    int number;

    sys()->bind(fds[1], (struct sockaddr *)&address, size);
    sys()->getsockname(fds[1], (struct sockaddr *)&address, &size);
    sys()->connect(fds[0], (struct sockaddr *)&address, size);
    for (int i = 0; i < 1000; i++) {
        put(fds[0], "");
        expect_int(sys()->send(fds[0], &i, sizeof i, 0), sizeof i);
    }
    settle();
    while (sys()->recv(fds[1], &number, sizeof number, 0) >= 0)
        ;
    for (int i = 0; i < 1000; i++)
        expect_int(sys()->send(fds[0], &i, sizeof i, 0), sizeof i);
    settle();
    while (sys()->recv(fds[1], &number, sizeof number, 0) == sizeof number) {
        counts[0]++;
        counts[1] += number == last;
        counts[2] += number < last;
        last = number;
    }
    close_both(fds);
    return 0;
}

static void test_messages_by_chance(void **state)
{
    const struct tusk__simulated_options calm = {
        .seed = 5, .max_delay = 1000000, .min_buffer = 1 << 20, .max_buffer = 1 << 20};
    struct tusk__simulated_options rough = calm;
    int counts[3] = {0};

    (void)state;
    assert_int_equal(simulate(count_messages, counts, &calm), 0);
    assert_int_equal(counts[0], 1000);
    assert_int_equal(counts[1] + counts[2], 0);
    memset(counts, 0, sizeof counts);
    rough.losses = 100;
    assert_int_equal(simulate(count_messages, counts, &rough), 0);
    assert_true(counts[0] > 800 && counts[0] < 970);
    assert_int_equal(counts[1] + counts[2], 0);
    memset(counts, 0, sizeof counts);
    rough.losses = 0;
    rough.duplicates = 100;
    rough.reorders = 100;
    assert_int_equal(simulate(count_messages, counts, &rough), 0);
    assert_true(counts[0] > 1030 && counts[0] < 1200);
    assert_true(counts[2] > 30);
}

/* ---- time ---- */

static int measure(void *arg)
{
    const int64_t *delay = arg;
    int64_t begun;
    char byte;
    int fds[2];

    expect_int(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    begun = tusk__loop_clock(tusk_get_running_loop());
    expect_int(tusk_write(fds[0], "x", 1), 1);
    expect_int(tusk_read(fds[1], &byte, 1), 1);
    expect_int(tusk__loop_clock(tusk_get_running_loop()) - begun, *delay);
    expect_int(tusk_write(fds[1], "y", 1), 1);
    expect_int(tusk_sleep((double)*delay / 1e9 - 1e-9), 0);
    expect_int(sys()->poll(fds[0], POLLIN), 0);
    expect_int(tusk_sleep(1e-9), 0);
    expect_int(sys()->poll(fds[0], POLLIN), POLLIN);
    tusk_close(fds[0]);
    tusk_close(fds[1]);
    return 0;
}

static void test_delays_are_exact(void **state)
{
    struct tusk__simulated_options options = tusk__simulated_defaults(0);
    int64_t delay = 7200 * SECOND + 1;

    (void)state;
    options.instant_unix = false;
    options.min_delay = options.max_delay = delay;
    assert_int_equal(simulate(measure, &delay, &options), 0);
}

/* On the real clock it takes its time: the loop sleeps as long. */
static int wait_really(void *arg)
{
    int64_t begun = tusk__clock_ns();
    char byte;
    int fds[2];

    expect_int(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    expect_int(tusk_write(fds[0], "x", 1), 1);
    expect_int(tusk_read(fds[1], &byte, 1), 1);
    expect(tusk__clock_ns() - begun >= *(int64_t *)arg);
    tusk_close(fds[0]);
    tusk_close(fds[1]);
    return 0;
}

static void test_the_real_clock(void **state)
{
    struct tusk__simulated_options options = tusk__simulated_defaults(0);

    (void)state;
    options.instant_unix = false;
    options.min_delay = options.max_delay = SECOND / 20;
    assert_int_equal(
        run_in(&(struct world){
            .poller = "simulated", .options = &options, .body = wait_really, .arg = &options.min_delay}),
        0);
}

/* ---- what only tusk sees ---- */

static int wait_for_ever(void *arg)
{
    char byte;

    return (int)tusk_read(*(int *)arg, &byte, 1);
}

static int deadlock(void *arg)
{
    tusk_task *task;

    tusk_loop_set_exception_handler(tusk_get_running_loop(), keep_report, NULL);
    expect_int(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, arg), 0);
    task = tusk_create_task(wait_for_ever, arg, .name = "reader");
    return tusk_await(task);
}

/* Nothing is on its way, and nothing from outside could come: that is told, as of any other deadlock. */
static void test_a_deadlock_is_found(void **state)
{
    int fds[2];
    char wanted[128];
    size_t descriptors = open_descriptors();

    (void)state;
    stage_clean();
    assert_int_equal(tusk_run(deadlock, fds, .poller = "simulated", .clock = TUSK_CLOCK_VIRTUAL), -EDEADLK);
    assert_int_equal(stage_failures, 0);
    snprintf(wanted, sizeof wanted,
             "Deadlock: waiting for reader|Task-1|-|-\n"
             "Deadlock: waiting for descriptor %d to become readable|reader|-|-\n",
             fds[0]);
    assert_string_equal(stage_reports, wanted);
    /* The numbers are their owner's, who has never closed them. */
    assert_int_equal(open_descriptors(), descriptors + 2);
    close(fds[0]);
    close(fds[1]);
}

/* Pipes, and sockets that others have made, are the system's. */
static int use_others(void *arg)
{
    int ends[2], fds[2];
    char bytes[4];

    (void)arg;
    expect_int(tusk_pipe(ends), 0);
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    expect_int(tusk_write(ends[1], "a", 1), 1);
    expect_int(tusk_read(ends[0], bytes, 4), 1);
    expect_int(write(fds[0], "b", 1), 1);
    expect_int(tusk_read(fds[1], bytes, 4), 1);
    expect_int(tusk_write(fds[1], "c", 1), 1);
    expect_int(read(fds[0], bytes, 4), 1);
    expect_int(tusk_close(fds[1]), 0);
    expect_int(read(fds[0], bytes, 4), 0);
    close(fds[0]);
    tusk_close(ends[0]);
    tusk_close(ends[1]);
    return 0;
}

static int write_soon(void *arg)
{
    /* Real time passes while virtual time stands still: a pipe is outside. */
    live_sleep_ms(20);
    return write(*(int *)arg, "x", 1) == 1 ? 0 : -EIO;
}

static int write_in_a_thread(void *arg)
{
    return tusk_to_thread(write_soon, arg);
}

static int use_others_while_waiting(void *arg)
{
    int ends[2], fds[2];
    char byte;
    tusk_task *task;

    (void)arg;
    expect_int(tusk_pipe(ends), 0);
    expect_int(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    task = tusk_create_task(write_in_a_thread, &ends[1]);
    expect_int(tusk_write(fds[0], "x", 1), 1);
    expect_int(tusk_read(ends[0], &byte, 1), 1);
    expect_int(tusk_read(fds[1], &byte, 1), 1);
    expect_int(tusk_await(task), 0);
    for (int i = 0; i < 2; i++) {
        tusk_close(ends[i]);
        tusk_close(fds[i]);
    }
    return 0;
}

static void test_descriptors_of_others(void **state)
{
    (void)state;
    assert_int_equal(simulate(use_others, NULL, NULL), 0);
    assert_int_equal(simulate(use_others_while_waiting, NULL, NULL), 0);
}

/* A number that was closed behind our back, and is another one's by now. */
static int close_behind(void *arg)
{
    int fds[2], ends[2];
    char byte;

    (void)arg;
    expect_int(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    close(fds[0]);
    expect_int(tusk_detach(fds[0]), 0);
    expect_int(pipe(ends), 0);
    expect_int(ends[0], fds[0]);
    expect_int(write(ends[1], "x", 1), 1);
    expect_int(tusk_read(ends[0], &byte, 1), 1);
    /* The peer has heard of it. */
    expect_int(tusk_read(fds[1], &byte, 1), 0);
    tusk_close(ends[0]);
    close(ends[1]);
    tusk_close(fds[1]);
    return 0;
}

static void test_numbers_closed_behind_our_back(void **state)
{
    (void)state;
    assert_int_equal(simulate(close_behind, NULL, NULL), 0);
}

/* ---- chance ---- */

enum { TALKERS = 20, TALK = 30000 };

struct talker {
    int fd;
    unsigned char next;
    uint32_t sum;
    bool lost;
};

static int speak(void *arg)
{
    struct talker *talker = arg;
    unsigned char bytes[700];
    size_t sent = 0;

    while (sent < TALK) {
        size_t size = 1 + (sent * 31 + (size_t)talker->fd) % sizeof bytes;
        ssize_t rc;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)(talker->next + i);
        rc = tusk_write(talker->fd, bytes, size);
        if (rc < 0)
            return (int)rc;
        talker->next = (unsigned char)(talker->next + rc);
        sent += (size_t)rc;
        say("%zd", rc);
        words[sizeof words / 2] = '\0';
    }
    return tusk_close(talker->fd);
}

static int hear(void *arg)
{
    struct talker *talker = arg;
    unsigned char bytes[900];
    ssize_t rc;

    while ((rc = tusk_read(talker->fd, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < rc; i++) {
            talker->lost |= bytes[i] != talker->next++;
            talker->sum = talker->sum * 31 + (uint32_t)rc;
        }
    tusk_close(talker->fd);
    return (int)rc;
}

static int converse(void *arg)
{
    uint32_t *sums = arg;
    struct talker speakers[TALKERS] = {0};
    struct talker listeners[TALKERS] = {0};
    tusk_task *tasks[2 * TALKERS];
    int rc;

    for (int i = 0; i < TALKERS; i++) {
        int fds[2];

        join(i % 2 ? by_tcp : by_unix, fds);
        speakers[i].fd = fds[0];
        listeners[i].fd = fds[1];
        tasks[2 * i] = tusk_create_task(speak, &speakers[i]);
        tasks[2 * i + 1] = tusk_create_task(hear, &listeners[i]);
    }
    rc = tusk_await(tusk_gather(tasks, 2 * TALKERS));
    for (int i = 0; i < TALKERS; i++) {
        expect(!listeners[i].lost);
        expect_int(listeners[i].next, speakers[i].next);
        sums[i] = listeners[i].sum;
    }
    return rc;
}

/* The sums say in which pieces it came, in all connections. */
static void test_the_same_seed_gives_the_same_run(void **state)
{
    uint64_t seed = live_seed();
    uint32_t sums[4][TALKERS] = {{0}};
    char first[sizeof words];

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct tusk__simulated_options options = tusk__simulated_defaults(2 * (seed + (i == 3)) + 1);

        options.min_buffer = 16;
        options.max_buffer = 4096;
        assert_int_equal(run_in(&(struct world){"simulated", TUSK_CLOCK_VIRTUAL, &options, i == 2 ? 9 : 0,
                                                converse, sums[i]}),
                         0);
        if (i == 0)
            memcpy(first, words, sizeof first);
        if (i == 1)
            assert_string_equal(words, first);
    }
    assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
    assert_memory_not_equal(sums[0], sums[2], sizeof sums[0]);
    assert_memory_not_equal(sums[0], sums[3], sizeof sums[0]);
}

static int talk_on_a_broken_line(void *arg)
{
    char bytes[100];
    int *resets = arg;

    for (int i = 0; i < 100; i++) {
        int fds[2];
        ssize_t rc = 1;

        join(by_tcp, fds);
        for (int k = 0; k < 10 && rc > 0; k++) {
            rc = tusk_write(fds[0], bytes, sizeof bytes);
            if (rc > 0)
                rc = tusk_read(fds[1], bytes, sizeof bytes);
        }
        *resets += rc == -ECONNRESET;
        expect(rc > 0 || rc == -ECONNRESET);
        tusk_close(fds[0]);
        tusk_close(fds[1]);
    }
    return 0;
}

static void test_resets_by_chance(void **state)
{
    struct tusk__simulated_options options = {
        .seed = 3, .max_delay = 1000, .min_buffer = 4096, .max_buffer = 4096, .resets = 20};
    int resets = 0;

    (void)state;
    assert_int_equal(simulate(talk_on_a_broken_line, &resets, &options), 0);
    assert_true(resets > 5 && resets < 60);
}

/* ---- failures ---- */

static int conversation_of_everything(void *arg)
{
    uint32_t byte;
    struct sockaddr_in address = net_address("127.0.0.1", 0);
    socklen_t size = sizeof address;
    int listener = tusk_socket(AF_INET, SOCK_STREAM, 0);
    int fds[4] = {-1, -1, -1, -1};
    int rc = listener;

    (void)arg;
    if (rc >= 0)
        rc = tusk_bind(listener, (struct sockaddr *)&address, size);
    if (rc == 0)
        rc = tusk_listen(listener, 1);
    if (rc == 0)
        rc = sys()->getsockname(listener, (struct sockaddr *)&address, &size);
    if (rc == 0)
        rc = fds[0] = tusk_socket(AF_INET, SOCK_STREAM, 0);
    if (rc >= 0)
        rc = tusk_connect(fds[0], (struct sockaddr *)&address, size);
    if (rc == 0)
        rc = fds[1] = tusk_accept(listener, NULL, NULL);
    if (rc >= 0)
        rc = (int)tusk_write(fds[0], "x", 1);
    if (rc >= 0)
        rc = (int)tusk_read(fds[1], &byte, 1);
    if (rc >= 0)
        rc = tusk_socketpair(AF_UNIX, SOCK_DGRAM, 0, fds + 2);
    if (rc >= 0)
        rc = (int)tusk_write(fds[2], "x", 1);
    if (rc >= 0)
        rc = (int)tusk_read(fds[3], &byte, 1);
    for (int i = 0; i < 4; i++)
        if (fds[i] >= 0)
            tusk_close(fds[i]);
    if (listener >= 0)
        tusk_close(listener);
    return rc < 0 ? rc : 0;
}

static int fail_at(void *arg)
{
    long n = *(long *)arg;
    int rc;

    tusk__fail_after(n);
    rc = conversation_of_everything(NULL);
    *(bool *)((long *)arg + 1) = tusk__fail_countdown == 0;
    tusk__fail_after(0);
    return rc;
}

static void test_every_failure(void **state)
{
    struct {
        long n;
        bool failed;
    } attempt = {1, true};

    (void)state;
    for (; attempt.failed; attempt.n++) {
        int rc = simulate(fail_at, &attempt, NULL);

        assert_true(rc == 0 || rc == -ENOMEM || rc == -EMFILE || rc == -ENOSPC);
    }
    assert_true(attempt.n > 10);
}

static int configure(void *arg)
{
    struct tusk__poller *poller = &tusk_get_running_loop()->poller;
    struct tusk__simulated_options good = tusk__simulated_defaults(1);
    struct tusk__simulated_options bad[6];

    (void)arg;
    for (int i = 0; i < 6; i++)
        bad[i] = good;
    bad[0].min_delay = -1;
    bad[1].max_delay = -1;
    bad[2].min_buffer = 0;
    bad[3].max_buffer = bad[3].min_buffer - 1;
    bad[4].haste = 1001;
    bad[5].resets = -1;
    for (int i = 0; i < 6; i++)
        expect_int(tusk__simulated_configure(poller, &bad[i]), -EINVAL);
    expect_int(tusk__simulated_configure(poller, &good), 0);
    return 0;
}

static int configure_another(void *arg)
{
    const struct tusk__simulated_options options = tusk__simulated_defaults(1);

    (void)arg;
    expect_int(tusk__simulated_configure(&tusk_get_running_loop()->poller, &options), -EINVAL);
    return 0;
}

static void test_options(void **state)
{
    (void)state;
    assert_int_equal(simulate(configure, NULL, NULL), 0);
    assert_int_equal(run_in(&(struct world){.poller = "poll", .body = configure_another}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_arrive),
        cmocka_unit_test(test_half_closing),
        cmocka_unit_test(test_closing_the_reading_half),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_closing_with_unread_bytes_resets),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_bytes_that_find_nobody),
        cmocka_unit_test(test_full_buffers),
        cmocka_unit_test(test_connecting),
        cmocka_unit_test(test_being_refused),
        cmocka_unit_test(test_the_queue),
        cmocka_unit_test(test_a_full_queue),
        cmocka_unit_test(test_addresses_that_lead_nowhere),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_messages_of_the_unix_domain),
        cmocka_unit_test(test_messages_by_chance),
        cmocka_unit_test(test_delays_are_exact),
        cmocka_unit_test(test_the_real_clock),
        cmocka_unit_test(test_a_deadlock_is_found),
        cmocka_unit_test(test_descriptors_of_others),
        cmocka_unit_test(test_numbers_closed_behind_our_back),
        cmocka_unit_test(test_the_same_seed_gives_the_same_run),
        cmocka_unit_test(test_resets_by_chance),
        cmocka_unit_test(test_every_failure),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
