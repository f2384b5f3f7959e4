/*
 * What a poller hears when calls find nothing: it may have told of what is gone, or of what cannot be
 * read, and then it wants to know.
 */
#include <sys/socket.h>

/* Before the stage, whose expect() is a macro. */
#include "io/descriptor.h"

#include "task/stage.h"

static struct tusk__poll_backend backend;
static int expected;

static void note_expectation(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    (void)poller;
    (void)watch;
    expected |= events;
}

static void receive(int fd, int result, int expectation)
{
    char bytes[8];

    expected = 0;
    expect_int(tusk_recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), result);
    expect_int(expected, expectation);
}

static void tell(struct tusk__descriptor *descriptor)
{
    descriptor->watch.ready(&descriptor->watch, TUSK__POLL_READ);
}

static void note_expectations(struct tusk__poller *poller)
{
    backend = *poller->backend;
    backend.expect = note_expectation;
    poller->backend = &backend;
}

static int expectations(void *arg)
{
    struct tusk_loop *loop = tusk_get_running_loop();
    struct tusk__descriptor *descriptor;
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    descriptor = tusk__descriptor_find(loop->io, fds[0]);
    expect_int(tusk__descriptor_watch(descriptor, TUSK__POLL_READ, false), 0);
    note_expectations(&loop->poller);
    /* Nobody had told of anything. */
    receive(fds[0], -EAGAIN, TUSK__POLL_READ);
    /* Somebody has, and nothing comes of it. */
    tell(descriptor);
    receive(fds[0], -EAGAIN, TUSK__POLL_READ | TUSK__POLL_VAIN);
    /* Something comes of it, and only then nothing. */
    expect_int(tusk_send(fds[1], "12345678", 8, 0), 8);
    tell(descriptor);
    receive(fds[0], 8, 0);
    receive(fds[0], -EAGAIN, TUSK__POLL_READ);
    tusk_close(fds[0]);
    tusk_close(fds[1]);
    return 0;
}

static void test_what_was_told_in_vain(void **state)
{
    (void)state;
    play_quietly(expectations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_told_in_vain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
