/*
 * Reading and writing: each call on each kind of descriptor.
 */
#include "io/descriptor.h"

#include "task/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/sys.h"
#include "io/calls.h"
#include "io/ends.h"

#if defined(__linux__)
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#endif

/* ---- bytes there and back ---- */

enum { MUCH = 3 << 20 };

static char sent[MUCH];
static char received[MUCH];

static void fill(char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 2654435761U >> 13);
}

struct end {
    int fd;
    size_t size;
};

static int send_much(void *arg)
{
    const struct end *end = arg;

    return tusk_sendall(end->fd, sent, end->size);
}

/* Reads into `received` until the end, or as much as is wanted. */
static int receive_much(void *arg)
{
    const struct end *end = arg;
    size_t done = 0;
    ssize_t rc = 1;

    memset(received, 0, sizeof received);
    while (done < end->size && (rc = tusk_read(end->fd, received + done, end->size - done)) > 0)
        done += (size_t)rc;
    expect_int(memcmp(sent, received, end->size), 0);
    return rc < 0 ? (int)rc : (int)done;
}

static void transfer(int from, int to, size_t size)
{
    struct end in = {from, size}, out = {to, size};
    tusk_task *sender = tusk_create_task(send_much, &in);

    expect_int(receive_much(&out), size);
    expect_int(tusk_await(sender), 0);
}

static int transfers(void *arg)
{
    int fds[2];

    (void)arg;
    fill(sent, sizeof sent);
    tcp_pair(fds);
    transfer(fds[0], fds[1], MUCH);
    transfer(fds[1], fds[0], MUCH);
    close_both(fds);
    unix_pair(fds);
    transfer(fds[0], fds[1], MUCH);
    close_both(fds);
    tusk_try(tusk_pipe(fds));
    transfer(fds[1], fds[0], MUCH);
    close_both(fds);
    return 0;
}

static void test_more_than_the_system_takes_at_once(void **state)
{
    (void)state;
    play_quietly(transfers);
}

static int vectors(void *arg)
{
    char one[3], two[5] = "", three[2];
    struct iovec in[] = {{one, 3}, {NULL, 0}, {two, 4}, {three, 2}};
    struct iovec out[] = {{"abc", 3}, {NULL, 0}, {"defg", 4}};
    int fds[2];

    for (int kind = 0; kind < 3; kind++) {
        if (kind == 0)
            tcp_pair(fds);
        else if (kind == 1)
            unix_pair(fds);
        else
            tusk_try(tusk_pipe(fds));
        expect_int(tusk_writev(fds[kind == 2], out, 3), 7);
        expect_int(tusk_readv(fds[kind != 2], in, 4), 7);
        expect_int(memcmp(one, "abc", 3), 0);
        expect_text(two, "defg");
        expect_int(tusk_writev(fds[kind == 2], out, 0), 0);
        close_both(fds);
    }
    (void)arg;
    return 0;
}

static void test_several_buffers(void **state)
{
    (void)state;
    play_quietly(vectors);
}

static int nothing(void *arg)
{
    char byte, buffer[10];
    int fds[2];
    int null = open("/dev/null", O_RDWR);

    (void)arg;
    /* No bytes are asked for: it need not wait for some. */
    tusk_try(tusk_pipe(fds));
    expect_int(tusk_read(fds[0], &byte, 0), 0);
    expect_int(tusk_write(fds[1], "", 0), 0);
    expect_int(tusk_read(fds[0], NULL, 0), 0);
    expect_int(tusk_sendall(fds[1], NULL, 0), 0);
    expect_int(tusk_write(fds[1], "x", 1), 1);
    expect_int(tusk_read(fds[0], buffer, sizeof buffer), 1);
    expect_int(tusk_read(fds[0], buffer, 0), 0);
    close_both(fds);
    unix_pair(fds);
    expect_int(tusk_write(fds[1], "", 0), 0);
    expect_int(tusk_send(fds[1], NULL, 0, 0), 0);
    close_both(fds);
    expect_int(tusk_read(null, &byte, 0), 0);
    return tusk_close(null);
}

static void test_calls_for_no_bytes(void **state)
{
    (void)state;
    play_quietly(nothing);
}

/* ---- sockets of messages ---- */

static int write_message(void *arg)
{
    return (int)tusk_write((int)(intptr_t)arg, "hello", 5);
}

static int messages(void *arg)
{
    char buffer[100];
    tusk_task *sender;
    int fds[2];

    for (int type = SOCK_DGRAM;; type = SOCK_SEQPACKET) {
        tusk_try(tusk_socketpair(AF_UNIX, type, 0, fds));
        /* Three messages at one change, each shorter than the buffer. */
        sender = tusk_create_task(write_message, as_arg(fds[0]));
        expect_int(tusk_read(fds[1], buffer, sizeof buffer), 5);
        expect_int(tusk_await(sender), 5);
        expect_int(tusk_send(fds[0], "abc", 3, 0), 3);
        expect_int(tusk_write(fds[0], "de", 2), 2);
        expect_int(tusk_writev(fds[0], (struct iovec[]){{"f", 1}, {"g", 1}}, 2), 2);
        expect_int(tusk_recv(fds[1], buffer, sizeof buffer, 0), 3);
        expect_int(tusk_read(fds[1], buffer, sizeof buffer), 2);
        expect_int(tusk_recv(fds[1], buffer, 1, MSG_TRUNC), 2);
        expect_int(buffer[0], 'f');
        close_both(fds);
        if (type == SOCK_SEQPACKET)
            break;
    }
    (void)arg;
    return 0;
}

static void test_messages_keep_their_limits(void **state)
{
    (void)state;
    play_quietly(messages);
}

static int addresses(void *arg)
{
    struct sockaddr_in left, right, from;
    socklen_t size = sizeof left;
    char buffer[100];
    int fds[2];

    (void)arg;
    left = right = tcp_address(0);
    fds[0] = tusk_socket(AF_INET, SOCK_DGRAM, 0);
    fds[1] = tusk_socket(AF_INET, SOCK_DGRAM, 0);
    expect_int(tusk_bind(fds[0], (struct sockaddr *)&left, size), 0);
    expect_int(tusk_bind(fds[1], (struct sockaddr *)&right, size), 0);
    getsockname(fds[0], (struct sockaddr *)&left, &size);
    getsockname(fds[1], (struct sockaddr *)&right, &size);
    expect_int(tusk_sendto(fds[0], "hello", 5, 0, (struct sockaddr *)&right, sizeof right), 5);
    expect_int(tusk_recvfrom(fds[1], buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size), 5);
    expect_int(from.sin_port, left.sin_port);
    expect_int(size, sizeof from);
    /* Without an interest in who it was; an empty message is one too. */
    expect_int(tusk_sendto(fds[0], NULL, 0, 0, (struct sockaddr *)&right, sizeof right), 0);
    expect_int(tusk_recvfrom(fds[1], buffer, sizeof buffer, 0, NULL, NULL), 0);
    expect_int(tusk_connect(fds[0], (struct sockaddr *)&right, sizeof right), 0);
    expect_int(tusk_send(fds[0], "abc", 3, 0), 3);
    expect_int(tusk_read(fds[1], buffer, sizeof buffer), 3);
    expect_int(tusk_sendto(fds[1], NULL, 1, 0, NULL, 0), -EINVAL);
    expect_int(tusk_recvfrom(fds[1], NULL, 1, 0, NULL, NULL), -EINVAL);
    expect_int(tusk_recvmsg(fds[1], NULL, 0), -EINVAL);
    expect_int(tusk_sendmsg(fds[1], NULL, 0), -EINVAL);
    close_both(fds);
    return 0;
}

static void test_messages_with_addresses(void **state)
{
    (void)state;
    play_quietly(addresses);
}

/* An error that came for an earlier message is one call's result, and not the end. */
static int refused_datagram(void *arg)
{
    struct sockaddr_in address = tcp_address(0);
    socklen_t size = sizeof address;
    int nobody = tusk_socket(AF_INET, SOCK_DGRAM, 0);
    int fd = tusk_socket(AF_INET, SOCK_DGRAM, 0);
    char buffer[10];

    (void)arg;
    expect_int(tusk_bind(nobody, (struct sockaddr *)&address, size), 0);
    getsockname(nobody, (struct sockaddr *)&address, &size);
    expect_int(tusk_connect(fd, (struct sockaddr *)&address, size), 0);
    expect_int(tusk_close(nobody), 0);
    expect_int(tusk_send(fd, "x", 1, 0), 1);
    expect_int(tusk_recv(fd, buffer, sizeof buffer, 0), -ECONNREFUSED);
    expect_int(tusk_recv(fd, buffer, sizeof buffer, MSG_DONTWAIT), -EAGAIN);
    return tusk_close(fd);
}

static void test_an_error_of_a_datagram_is_told_once(void **state)
{
    (void)state;
    play_quietly(refused_datagram);
}

struct flood {
    int fd;
    const struct sockaddr_un *address;
    int count;
};

static int flood(void *arg)
{
    const struct flood *flood = arg;

    for (int i = 0; i < flood->count; i++) {
        ssize_t rc = flood->address ? tusk_sendto(flood->fd, &i, sizeof i, 0, (const void *)flood->address,
                                                  sizeof *flood->address)
                                    : tusk_send(flood->fd, &i, sizeof i, 0);

        expect_int(rc, sizeof i);
    }
    return 0;
}

/*
 * A queue of some ten messages. To a sender by name nothing tells of room in it, for his own
 * socket has always room.
 */
static int full_queue(void *arg)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct flood by_name = {.address = &address, .count = 60}, connected = {.count = 60};
    int receiver = tusk_socket(AF_UNIX, SOCK_DGRAM, 0);
    tusk_task *tasks[2];
    int number;

    (void)arg;
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/tusk-queue-%d", (int)getpid());
    expect_int(tusk_bind(receiver, (struct sockaddr *)&address, sizeof address), 0);
    by_name.fd = tusk_socket(AF_UNIX, SOCK_DGRAM, 0);
    connected.fd = tusk_socket(AF_UNIX, SOCK_DGRAM, 0);
    expect_int(tusk_connect(connected.fd, (struct sockaddr *)&address, sizeof address), 0);
    tasks[0] = tusk_create_task(flood, &by_name);
    tasks[1] = tusk_create_task(flood, &connected);
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(tasks[0]));
    expect(!tusk_future_done(tasks[1]));
    for (int i = 0; i < 120; i++)
        expect_int(tusk_read(receiver, &number, sizeof number), sizeof number);
    expect_int(tusk_await(tusk_gather(tasks, 2)), 0);
    unlink(address.sun_path);
    expect_int(tusk_close(by_name.fd), 0);
    expect_int(tusk_close(connected.fd), 0);
    return tusk_close(receiver);
}

static void test_a_full_queue_of_another_socket(void **state)
{
    (void)state;
    play_quietly(full_queue);
}

/* ---- pipes of others ---- */

static int read_one(void *arg)
{
    char byte;

    return (int)tusk_read((int)(intptr_t)arg, &byte, 1);
}

static int fifo(void *arg)
{
    char path[64];
    tusk_task *reader;
    int in, out;

    (void)arg;
    snprintf(path, sizeof path, "/tmp/tusk-fifo-%d", (int)getpid());
    expect_int(mkfifo(path, 0600), 0);
    in = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    /* It has no writer yet, so it cannot have ended. */
    reader = tusk_create_task(read_one, as_arg(in));
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(reader));
    out = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(reader));
    expect_int(tusk_write(out, "x", 1), 1);
    expect_int(tusk_await(reader), 1);
    reader = tusk_create_task(read_one, as_arg(in));
    tusk_try(tusk_sleep(0));
    expect_int(tusk_close(out), 0);
    expect_int(tusk_await(reader), 0);
    /* Another writer is another beginning. */
    out = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    reader = tusk_create_task(read_one, as_arg(in));
    tusk_try(tusk_sleep(1));
    expect_int(tusk_write(out, "x", 1), 1);
    expect_int(tusk_await(reader), 1);
    unlink(path);
    expect_int(tusk_close(in), 0);
    return tusk_close(out);
}

static void test_a_fifo_without_a_writer_has_not_ended(void **state)
{
    (void)state;
    play_quietly(fifo);
}

static void close_plainly(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static bool is_blocking(int fd)
{
    return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* In the mode in which other processes expect them, and without ever blocking. */
static void use_blocking_pipe(void)
{
    tusk_task *reader;
    int ends[2];

    expect_int(pipe(ends), 0);
    reader = tusk_create_task(read_one, as_arg(ends[0]));
    expect_int(tusk_sleep(1), 0);
    expect(!tusk_future_done(reader));
    expect_int(tusk_write(ends[1], "x", 1), 1);
    expect_int(tusk_await(reader), 1);
    transfer(ends[1], ends[0], 1 << 20);
    expect(is_blocking(ends[0]) && is_blocking(ends[1]));
    expect_int(tusk_close(ends[1]), 0);
    expect_int(read_one(as_arg(ends[0])), 0);
    expect_int(tusk_close(ends[0]), 0);
}

static ssize_t not_now(int fd, const struct iovec *buffers, int count, off_t offset)
{
    (void)fd;
    (void)buffers;
    (void)count;
    (void)offset;
    return -ENOTSUP;
}

static int blocking_pipes(void *arg)
{
    (void)arg;
    calls_watch();
    use_blocking_pipe();
    /* A system that has no calls for it. */
    calls_system.readv_now = not_now;
    calls_system.writev_now = not_now;
    use_blocking_pipe();
    expect(calls_made[CALL_POLL] > 0);
    return 0;
}

static void test_pipes_in_blocking_mode(void **state)
{
    (void)state;
    fill(sent, sizeof sent);
    play_quietly(blocking_pipes);
}

static int broken_pipe(void *arg)
{
    int fds[2];

    for (int kind = 0; kind < 4; kind++) {
        if (kind == 0)
            tusk_try(tusk_pipe(fds));
        else if (kind == 1)
            expect_int(pipe(fds), 0);
        else if (kind == 2)
            tcp_pair(fds);
        else
            unix_pair(fds);
        expect_int(tusk_close(fds[0]), 0);
        for (int i = 0; i < 20 && tusk_write(fds[1], "x", 1) == 1; i++)
            tusk_try(tusk_sleep(0));
        expect_int(tusk_write(fds[1], "x", 1), -EPIPE);
        expect_int(tusk_sendall(fds[1], "xyz", 3), -EPIPE);
        expect_int(tusk_close(fds[1]), 0);
    }
    (void)arg;
    return 0;
}

/* A process of its own, for it begins with the signal as it is when a program starts. */
static void test_nobody_dies_of_sigpipe(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        _exit(tusk_run(broken_pipe, NULL) != 0 || stage_failures != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void note_signal(int signal)
{
    (void)signal;
}

static int use_pipe(void *arg)
{
    int ends[2];

    (void)arg;
    tusk_try(tusk_pipe(ends));
    close_both(ends);
    return 0;
}

static void test_a_handler_of_sigpipe_stays(void **state)
{
    struct sigaction before, now, mine = {.sa_handler = note_signal};

    (void)state;
    sigaction(SIGPIPE, &mine, &before);
    play_quietly(use_pipe);
    sigaction(SIGPIPE, NULL, &now);
    assert_ptr_equal(now.sa_handler, note_signal);
    sigaction(SIGPIPE, &before, NULL);
}

/* ---- terminals ---- */

/* Both ends of a pseudo-terminal that passes bytes on as they are; false without any. */
static bool open_terminal(int ret_ends[2])
{
    struct termios mode;
    const char *name;

    ret_ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
    if (ret_ends[0] < 0 || grantpt(ret_ends[0]) < 0 || unlockpt(ret_ends[0]) < 0)
        return false;
    name = ptsname(ret_ends[0]);
    ret_ends[1] = name ? open(name, O_RDWR | O_NOCTTY) : -1;
    if (ret_ends[1] < 0)
        return false;
    tcgetattr(ret_ends[1], &mode);
    mode.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG);
    mode.c_oflag &= (tcflag_t)~OPOST;
    mode.c_iflag = 0;
    tcsetattr(ret_ends[1], TCSANOW, &mode);
    return true;
}

static int terminal(void *arg)
{
    tusk_task *reader;
    int ends[2];

    (void)arg;
    if (!open_terminal(ends))
        return 0;
    reader = tusk_create_task(read_one, as_arg(ends[1]));
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(reader));
    expect_int(tusk_write(ends[0], "x", 1), 1);
    expect_int(tusk_await(reader), 1);
    expect(is_blocking(ends[0]) && is_blocking(ends[1]));
#if defined(__linux__)
    /* More than it holds: whoever writes has to wait for this same thread. */
    transfer(ends[1], ends[0], 1 << 18);
#endif
    expect_int(tusk_close(ends[1]), 0);
    /* There is no other side any more: Linux says EIO, others that it is the end. */
    expect(read_one(as_arg(ends[0])) <= 0);
    return tusk_close(ends[0]);
}

static void test_terminals(void **state)
{
    (void)state;
    fill(sent, sizeof sent);
    play_quietly(terminal);
}

static int waiting_for_terminal(void *arg)
{
    int ends[2];

    if (!open_terminal(ends))
        return 0;
    *(int *)arg = ends[0];
    ((int *)arg)[1] = ends[1];
    tusk_release(tusk_create_task(read_one, as_arg(ends[1])));
    return tusk_sleep(0);
}

/* The loop has opened it once more, and closes that at its end. */
static void test_terminals_that_nobody_closes(void **state)
{
    int ends[2] = {-1, -1};
    size_t descriptors = open_descriptors();

    (void)state;
    assert_int_equal(tusk_run(waiting_for_terminal, ends), 0);
    if (ends[0] >= 0)
        close_plainly(ends);
    assert_int_equal(open_descriptors(), descriptors);
}

/* ---- devices ---- */

static int devices(void *arg)
{
    char buffer[100] = "abc";

    for (int mode = 0; mode <= O_NONBLOCK; mode += O_NONBLOCK) {
        int null = open("/dev/null", O_RDWR | mode);
        int zero = open("/dev/zero", O_RDONLY | mode);

        expect_int(tusk_read(null, buffer, sizeof buffer), 0);
        expect_int(tusk_write(null, buffer, sizeof buffer), sizeof buffer);
        expect_int(tusk_sendall(null, sent, sizeof sent), 0);
        expect_int(tusk_read(zero, buffer, sizeof buffer), sizeof buffer);
        expect_int(buffer[0], 0);
        expect_int(tusk_pread(zero, buffer, sizeof buffer, 10), sizeof buffer);
        expect_int(tusk_poll_fd(zero, POLLIN), POLLIN);
        expect_int(tusk_recv(zero, buffer, 1, 0), -ENOTSOCK);
        expect_int(tusk_accept(zero, NULL, NULL), -ENOTSOCK);
        close_both((int[]){null, zero});
    }
    (void)arg;
    return 0;
}

static void test_devices(void **state)
{
    (void)state;
    play_quietly(devices);
}

/* One that says that there is nothing, and that the poller cannot watch: a thread may wait for it. */
static int unwatchable(void *arg)
{
    int null = open("/dev/null", O_RDWR | O_NONBLOCK);
    char byte;

    (void)arg;
    calls_watch();
    calls_answer[CALL_READV] = -EAGAIN;
    expect_int(tusk_read(null, &byte, 1), 0);
    calls_answer[CALL_WRITEV] = -EAGAIN;
    expect_int(tusk_write(null, "x", 1), 1);
    expect_int(tusk_recv(null, &byte, 1, 0), -ENOTSOCK);
    return tusk_close(null);
}

static void test_a_device_that_cannot_be_watched(void **state)
{
    (void)state;
    play_quietly(unwatchable);
}

#if defined(__linux__)
static int read_number(void *arg)
{
    /* Room for more than there ever is. */
    uint64_t numbers[16] = {0};

    expect_int(tusk_read((int)(intptr_t)arg, numbers, sizeof numbers), sizeof numbers[0]);
    return (int)numbers[0];
}

static void use_eventfd(int flags)
{
    uint64_t number = 7;
    int fd = eventfd(0, flags);
    tusk_task *reader = tusk_create_task(read_number, as_arg(fd));

    expect_int(tusk_sleep(1), 0);
    expect(!tusk_future_done(reader));
    expect_int(tusk_write(fd, &number, sizeof number), sizeof number);
    expect_int(tusk_await(reader), 7);
    /* A semaphore gives one at a time. */
    if (flags & EFD_SEMAPHORE)
        expect_int(tusk_read(fd, &number, sizeof number), sizeof number);
    expect_int(tusk_close(fd), 0);
}

static void use_timerfd(int flags)
{
    struct itimerspec time = {.it_value = {.tv_nsec = 2000000}, .it_interval = {.tv_nsec = 2000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, flags);

    expect_int(timerfd_settime(fd, 0, &time, NULL), 0);
    for (int i = 0; i < 3; i++)
        expect(read_number(as_arg(fd)) >= 1);
    expect_int(tusk_close(fd), 0);
}

static int event_descriptors(void *arg)
{
    (void)arg;
    use_eventfd(EFD_NONBLOCK);
    use_eventfd(0);
    use_timerfd(TFD_NONBLOCK);
    use_timerfd(0);
    return 0;
}
#endif

static void test_event_and_timer_descriptors(void **state)
{
    (void)state;
#if defined(__linux__)
    play_quietly(event_descriptors);
#else
    skip();
#endif
}

/* ---- files ---- */

static int files(void *arg)
{
    char buffer[100] = "";
    int fd = open_file();

    (void)arg;
    expect_int(tusk_write(fd, "hello world", 11), 11);
    expect_int(tusk_pread(fd, buffer, 5, 6), 5);
    expect_text(buffer, "world");
    expect_int(tusk_read(fd, buffer, sizeof buffer), 0);
    expect_int(lseek(fd, 0, SEEK_SET), 0);
    expect_int(tusk_read(fd, buffer, 5), 5);
    expect_int(tusk_read(fd, buffer + 5, 50), 6);
    expect_text(buffer, "hello world");
    expect_int(tusk_pwrite(fd, "W", 1, 6), 1);
    expect_int(tusk_writev(fd, (struct iovec[]){{"!", 1}, {"!", 1}}, 2), 2);
    expect_int(lseek(fd, 0, SEEK_SET), 0);
    expect_int(tusk_readv(fd, (struct iovec[]){{buffer, 6}, {buffer + 6, 50}}, 2), 13);
    expect_text(buffer, "hello World!!");
    expect_int(tusk_pread(fd, buffer, 1, -1), -EINVAL);
    expect_int(tusk_pwrite(fd, buffer, 1, -1), -EINVAL);
    expect_int(tusk_recv(fd, buffer, 1, 0), -ENOTSOCK);
    expect_int(tusk_pread(fd, buffer, 10, 1000), 0);
    return tusk_close(fd);
}

static void test_files(void **state)
{
    (void)state;
    play_quietly(files);
}

/* All of a large file at once, for what is in memory as for what is not. */
static int large_file(void *arg)
{
    int fd = open_file();

    (void)arg;
    fill(sent, sizeof sent);
    expect_int(tusk_sendall(fd, sent, sizeof sent), 0);
    /* Only a part of it is in memory now, where the system does what one asks it. */
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    expect_int(pread(fd, received, 300000, 100000), 300000);
    expect_int(tusk_pread(fd, received, 200000, 300000), 200000);
    expect_int(memcmp(received, sent + 300000, 200000), 0);
    expect_int(lseek(fd, 350000, SEEK_SET), 350000);
    expect_int(tusk_read(fd, received, 250000), 250000);
    expect_int(memcmp(received, sent + 350000, 250000), 0);
    for (size_t size = 1000; size <= sizeof sent; size *= 7) {
        memset(received, 0, sizeof received);
        expect_int(tusk_pread(fd, received, size, 10), size < sizeof sent - 10 ? size : sizeof sent - 10);
        expect_int(memcmp(received, sent + 10, size), 0);
        expect_int(tusk_pread(fd, received, size, (off_t)(sizeof sent - size / 2)), size / 2);
        expect_int(memcmp(received, sent + sizeof sent - size / 2, size / 2), 0);
    }
    return tusk_close(fd);
}

static void test_large_files(void **state)
{
    (void)state;
    play_quietly(large_file);
}

static int count_turns(void *arg)
{
    int *turns = arg;

    for (;;) {
        ++*turns;
        tusk_try(tusk_sleep(0));
    }
}

static int files_in_memory(void *arg)
{
    char buffer[1000] = "";
    int fd = open_file();
    int turns = 0;
    tusk_task *other;

    (void)arg;
    expect_int(tusk_pwrite(fd, buffer, sizeof buffer, 0), sizeof buffer);
    if (tusk__system_real.readv_now(fd, &(struct iovec){buffer, 1}, 1, 0) == 1) {
        other = tusk_create_task(count_turns, &turns);
        for (int i = 0; i < 50; i++)
            expect_int(tusk_pread(fd, buffer, sizeof buffer, 0), sizeof buffer);
        /* It was not away. */
        expect_int(turns, 0);
        tusk_task_cancel(other);
        expect_int(tusk_await(other), -ECANCELED);
    }
    return tusk_close(fd);
}

static void test_what_is_in_memory_is_read_at_once(void **state)
{
    (void)state;
    play_quietly(files_in_memory);
}

static int directories(void *arg)
{
    char buffer[100] = "";
    int fd = open("/", O_RDONLY | O_DIRECTORY);

    (void)arg;
    expect_int(tusk_read(fd, buffer, sizeof buffer), -EISDIR);
    expect_int(tusk_write(fd, buffer, sizeof buffer), -EBADF);
    return tusk_close(fd);
}

static void test_directories(void **state)
{
    (void)state;
    play_quietly(directories);
}

static int places(void *arg)
{
    char byte = 0;
    int fds[2];

    (void)arg;
    unix_pair(fds);
    expect_int(tusk_pread(fds[0], &byte, 1, 0), -ESPIPE);
    expect_int(tusk_pwrite(fds[0], &byte, 1, 0), -ESPIPE);
    close_both(fds);
    tusk_try(tusk_pipe(fds));
    expect_int(tusk_pread(fds[0], &byte, 1, 0), -ESPIPE);
    /* The other end, and it still knows its own. */
    expect_int(tusk_read(fds[1], &byte, 1), -EBADF);
    expect_int(tusk_write(fds[1], &byte, 1), 1);
    expect_int(tusk_read(fds[0], &byte, 1), 1);
    close_both(fds);
    return 0;
}

static void test_what_a_descriptor_cannot_do(void **state)
{
    (void)state;
    play_quietly(places);
}

/* ---- sendfile ---- */

struct file_to_send {
    int fd;
    int file;
    off_t offset;
    size_t count;
};

static int send_file(void *arg)
{
    const struct file_to_send *job = arg;

    return (int)tusk_sendfile(job->fd, job->file, job->offset, job->count);
}

static void send_file_through(int from, int to, int file, off_t offset, size_t count)
{
    struct file_to_send job = {from, file, offset, count};
    tusk_task *sender = tusk_create_task(send_file, &job);
    size_t wanted = count ? count : sizeof sent - (size_t)offset;
    size_t done = 0;

    while (done < wanted) {
        ssize_t rc = tusk_read(to, received + done, wanted - done);

        expect(rc > 0);
        if (rc <= 0)
            break;
        done += (size_t)rc;
    }
    expect_int(tusk_await(sender), wanted);
    expect_int(memcmp(received, sent + offset, wanted), 0);
}

static int sendfiles(void *arg)
{
    int file = open_file();
    int fds[2];
    int other;

    (void)arg;
    calls_watch();
    fill(sent, sizeof sent);
    expect_int(tusk_sendall(file, sent, sizeof sent), 0);
    tcp_pair(fds);
    send_file_through(fds[0], fds[1], file, 0, 0);
    send_file_through(fds[0], fds[1], file, 12345, 100000);
    expect_int(tusk_sendfile(fds[0], file, (off_t)sizeof sent, 0), 0);
    expect_int(tusk_sendfile(fds[0], file, -1, 0), -EINVAL);
    expect_int(tusk_sendfile(fds[0], 1000, 0, 0), -EBADF);
    /* A file that was only sent is its owner's, and nothing is remembered of it. */
    other = fcntl(file, F_DUPFD, 100);
    send_file_through(fds[0], fds[1], other, 0, 1000);
    expect(!tusk__descriptor_find(tusk_get_running_loop()->io, other));
    close(other);
    /* From what is no file. */
    expect_int(tusk_sendfile(fds[0], fds[1], 0, 0), -ESPIPE);
    /* Where the system cannot. */
    calls_answer[CALL_SENDFILE] = -ENOTSUP;
    send_file_through(fds[0], fds[1], file, 1000, 0);
    close_both(fds);
    tusk_try(tusk_pipe(fds));
    send_file_through(fds[1], fds[0], file, 0, 0);
    close_both(fds);
    /* In blocking mode, and to a file. */
    expect_int(pipe(fds), 0);
    send_file_through(fds[1], fds[0], file, 0, 0);
    close_both(fds);
    other = open_file();
    expect_int(tusk_sendfile(other, file, 5, 1000000), 1000000);
    expect_int(tusk_pread(other, received, sizeof received, 0), 1000000);
    expect_int(memcmp(received, sent + 5, 1000000), 0);
    close_both((int[]){other, file});
    return 0;
}

static void test_sendfile(void **state)
{
    (void)state;
    play_quietly(sendfiles);
}

static int sendfile_to_nobody(void *arg)
{
    int file = open_file();
    int fds[2];
    int64_t rc = 1;

    (void)arg;
    expect_int(pwrite(file, "abc", 3, 0), 3);
    unix_pair(fds);
    expect_int(tusk_close(fds[1]), 0);
    for (int i = 0; i < 3 && rc >= 0; i++)
        rc = tusk_sendfile(fds[0], file, 0, 0);
    expect_int(rc, -EPIPE);
    close_both((int[]){fds[0], file});
    return 0;
}

static void test_sendfile_raises_no_sigpipe(void **state)
{
    struct sigaction before, plain = {.sa_handler = SIG_DFL};

    (void)state;
    sigaction(SIGPIPE, &plain, &before);
    play_quietly(sendfile_to_nobody);
    sigaction(SIGPIPE, &before, NULL);
}

/* ---- cancels ---- */

static int write_file(void *arg)
{
    static char bytes[1 << 20];

    return (int)tusk_pwrite((int)(intptr_t)arg, bytes, sizeof bytes, 0);
}

/* A cancel waits for who uses the buffer: a thread, which ends its call, or a poller, which may not have begun. */
static int cancel_file(void *arg)
{
    bool by_poller = tusk_get_running_loop()->poller.backend->submit != NULL;
    int fd = open_file();
    struct stat status;

    (void)arg;
    for (int turns = 0; turns < 4; turns++) {
        tusk_task *task = tusk_create_task(write_file, as_arg(fd));
        int rc;

        expect_int(ftruncate(fd, 0), 0);
        for (int i = 0; i < turns; i++)
            tusk_try(tusk_sleep(0));
        tusk_task_cancel(task);
        rc = tusk_await(task);
        /* The thread may have been quicker. */
        expect(rc == -ECANCELED || (turns > 0 && rc == 1 << 20));
        fstat(fd, &status);
        expect(status.st_size == (turns ? 1 << 20 : 0) || (by_poller && status.st_size == 0));
    }
    return tusk_close(fd);
}

static void test_a_cancel_waits_for_the_thread(void **state)
{
    (void)state;
    play_quietly(cancel_file);
    assert_int_equal(play_with(cancel_file, NULL, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_than_the_system_takes_at_once),
        cmocka_unit_test(test_several_buffers),
        cmocka_unit_test(test_calls_for_no_bytes),
        cmocka_unit_test(test_messages_keep_their_limits),
        cmocka_unit_test(test_messages_with_addresses),
        cmocka_unit_test(test_an_error_of_a_datagram_is_told_once),
        cmocka_unit_test(test_a_full_queue_of_another_socket),
        cmocka_unit_test(test_a_fifo_without_a_writer_has_not_ended),
        cmocka_unit_test(test_pipes_in_blocking_mode),
        cmocka_unit_test(test_nobody_dies_of_sigpipe),
        cmocka_unit_test(test_a_handler_of_sigpipe_stays),
        cmocka_unit_test(test_terminals),
        cmocka_unit_test(test_terminals_that_nobody_closes),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_a_device_that_cannot_be_watched),
        cmocka_unit_test(test_event_and_timer_descriptors),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_large_files),
        cmocka_unit_test(test_what_is_in_memory_is_read_at_once),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_what_a_descriptor_cannot_do),
        cmocka_unit_test(test_sendfile),
        cmocka_unit_test(test_sendfile_raises_no_sigpipe),
        cmocka_unit_test(test_a_cancel_waits_for_the_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
