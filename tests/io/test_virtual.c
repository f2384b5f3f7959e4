/*
 * A clock that jumps, and sockets of the system: whatever they have comes before the time does.
 */
#include "io/pair.h"

enum { SIZE = 300000 };

/*
 * What is kept is sent by the poller's own callback, which leaves no task ready, only the other
 * socket readable. No time may go by for that.
 */
static int sent_by_the_poller(void *arg)
{
    static char data[SIZE];
    struct pair pair;
    tusk_timeout timeout;
    double start;
    int small = 4096;

    (void)arg;
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fds), 0);
    expect_int(setsockopt(pair.fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    tusk_try(tusk_open_stream(pair.fds[0], &pair.left));
    tusk_try(tusk_open_stream(pair.fds[1], &pair.right));
    tusk_try(tusk_stream_set_write_buffer_limits(pair.left, SIZE, 0));
    tusk_try(tusk_stream_write(pair.left, data, SIZE));
    expect(tusk_stream_get_write_buffer_size(pair.left) > SIZE / 2);
    start = tusk_loop_time(tusk_get_running_loop());
    tusk_try(tusk_timeout_enter(&timeout, 10));
    expect_int(tusk_timeout_exit(&timeout, (int)tusk_stream_readexactly(pair.right, data, SIZE)), SIZE);
    expect(tusk_loop_time(tusk_get_running_loop()) - start < 1e-6);
    pair_close(&pair);
    return 0;
}

static void test_sent_by_the_poller(void **state)
{
    (void)state;
    play_quietly(sent_by_the_poller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sent_by_the_poller)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
