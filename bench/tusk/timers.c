/*
 * timers: with a million pending timers, create one and cancel it.
 *
 * All deadlines are random over an hour, and a minute away at least, so that
 * none comes while we measure. The loop has a turn after every thousand pairs,
 * within the time measured: a timer that is only marked as cancelled has to be cleared away
 * at some time.
 */
#include "program.h"

enum {
    PENDING = 1000 * 1000,
    WARM_UP = 100 * 1000,
    PAIRS = 2 * 1000 * 1000,
    PAIRS_PER_TURN = 1000,
};

static tusk_handle pending[PENDING];

static int must_not_run(void *arg)
{
    (void)arg;
    bench_die("a timer ran");
}

static tusk_handle call_some_time(tusk_loop *loop, uint64_t *random)
{
    double delay = 60 + 3600 * 0x1p-64 * (double)bench_random(random);

    return tusk_loop_call_later(loop, delay, must_not_run, NULL);
}

static int create_and_cancel(tusk_loop *loop, uint64_t *random, int count)
{
    int cancelled = 0;

    for (int i = 1; i <= count; i++) {
        cancelled += tusk_handle_cancel(call_some_time(loop, random));
        if (i % PAIRS_PER_TURN == 0)
            tusk_try(tusk_sleep(0));
    }
    bench_expect("cancelled", cancelled, count);
    return 0;
}

static int measure(void *arg)
{
    const long *repeats = arg;
    tusk_loop *loop = tusk_get_running_loop();
    uint64_t random = 88172645463325252u;
    int cancelled = 0;

    for (int i = 0; i < PENDING; i++)
        pending[i] = call_some_time(loop, &random);
    tusk_try(create_and_cancel(loop, &random, WARM_UP));
    for (long i = 0; i < *repeats; i++) {
        double start = bench_now();
        tusk_try(create_and_cancel(loop, &random, PAIRS));
        bench_report("timers", (bench_now() - start) * 1e9 / PAIRS, "ns");
    }
    for (int i = 0; i < PENDING; i++)
        cancelled += tusk_handle_cancel(pending[i]);
    bench_expect("pending to the end", cancelled, PENDING);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
