/*
 * System calls that say ECANCELED, as the read of a timer does whose clock was set: nobody has cancelled the task.
 */
#include "io/pair.h"

#include <fcntl.h>
#include <unistd.h>

#include "io/system.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <sys/timerfd.h>

/* The timer whose clock was set, for a test must not set the clock of the machine. */
static int timer = -1;

/* In place of the C library's. */
ssize_t readv(int fd, const struct iovec *buffers, int count)
{
    if (fd == timer) {
        errno = ECANCELED;
        return -1;
    }
    return syscall(SYS_readv, fd, buffers, count);
}

static int read_timer(void *arg)
{
    uint64_t expirations;

    (void)arg;
    return (int)tusk_read(timer, &expirations, sizeof expirations);
}

static int clock_was_set(void *arg)
{
    tusk_task *task;

    (void)arg;
    timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    expect(timer >= 0);
    task = tusk_create_task(read_timer, NULL);
    expect_int(tusk_await(tusk_retain(task)), TUSK_CANCELED_BY_SYSTEM);
    expect(!tusk_future_cancelled(task));
    tusk_release(task);
    return tusk_close(timer);
}

static void test_a_timer_whose_clock_was_set(void **state)
{
    (void)state;
    play_quietly(clock_was_set);
}
#endif

static void test_in_one_place(void **state)
{
    (void)state;
    assert_int_equal(tusk__system_error(ECANCELED), TUSK_CANCELED_BY_SYSTEM);
    assert_int_equal(tusk__system_error(EPIPE), -EPIPE);
    assert_int_equal(tusk__system_error(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(__linux__)
        cmocka_unit_test(test_a_timer_whose_clock_was_set),
#endif
        cmocka_unit_test(test_in_one_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
