/*
 * timeout: enter and leave a time-out of a minute around nothing; and wait_for on a
 * future that is done.
 */
#include "program.h"

enum {
    WARM_UP = 200 * 1000,
    ROUNDS = 5 * 1000 * 1000,
};

static double enter_and_leave(int count)
{
    tusk_timeout timeout;
    double start = bench_now();

    for (int i = 0; i < count; i++) {
        bench_check("enter", tusk_timeout_enter(&timeout, 60));
        bench_expect("exit", tusk_timeout_exit(&timeout, i & 1), i & 1);
    }
    return bench_now() - start;
}

static double wait_for_done(int count)
{
    tusk_future *future = tusk_create_future();
    double start;

    bench_check("set_result", tusk_future_set_result(future, 1));
    start = bench_now();
    for (int i = 0; i < count; i++)
        bench_expect("wait_for", tusk_wait_for(tusk_retain(future), 60), 1);
    start = bench_now() - start;
    tusk_release(future);
    return start;
}

static int measure(void *arg)
{
    const long *repeats = arg;

    enter_and_leave(WARM_UP);
    wait_for_done(WARM_UP);
    for (long i = 0; i < *repeats; i++) {
        bench_report("timeout", enter_and_leave(ROUNDS) * 1e9 / ROUNDS, "ns");
        bench_report("wait_for", wait_for_done(ROUNDS) * 1e9 / ROUNDS, "ns");
    }
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
