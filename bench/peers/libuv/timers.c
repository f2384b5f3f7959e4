/*
 * timers with libuv: with a million pending timers, start one and stop it.
 *
 * The deadlines and turns of the loop are those of tusk's program. libuv's timers
 * are memory of the caller; one is used again for all pairs, so that nothing is
 * allocated and closed for them.
 */
#include <uv.h>

#include "../../common/measure.h"

enum {
    PENDING = 1000 * 1000,
    WARM_UP = 100 * 1000,
    PAIRS = 2 * 1000 * 1000,
    PAIRS_PER_TURN = 1000,
};

static uv_timer_t pending[PENDING];
static uv_timer_t timer;

static void must_not_run(uv_timer_t *ran)
{
    (void)ran;
    bench_die("a timer ran");
}

static void start_some_time(uv_timer_t *which, uint64_t *random)
{
    double delay = 60e3 + 3600e3 * 0x1p-64 * (double)bench_random(random);

    if (uv_timer_start(which, must_not_run, (uint64_t)delay, 0) != 0)
        bench_die("uv_timer_start failed");
}

static void start_and_stop(uv_loop_t *loop, uint64_t *random, int count)
{
    for (int i = 1; i <= count; i++) {
        start_some_time(&timer, random);
        if (!uv_is_active((uv_handle_t *)&timer))
            bench_die("the timer is not active");
        uv_timer_stop(&timer);
        if (i % PAIRS_PER_TURN == 0)
            uv_run(loop, UV_RUN_NOWAIT);
    }
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);
    uv_loop_t *loop = uv_default_loop();
    uint64_t random = 88172645463325252u;
    int active = 0;

    bench_version(uv_version_string());
    uv_timer_init(loop, &timer);
    for (int i = 0; i < PENDING; i++) {
        uv_timer_init(loop, &pending[i]);
        start_some_time(&pending[i], &random);
    }
    start_and_stop(loop, &random, WARM_UP);
    for (long i = 0; i < repeats; i++) {
        double start = bench_now();
        start_and_stop(loop, &random, PAIRS);
        bench_report("timers", (bench_now() - start) * 1e9 / PAIRS, "ns");
    }
    for (int i = 0; i < PENDING; i++)
        active += uv_is_active((uv_handle_t *)&pending[i]) != 0;
    bench_expect("pending to the end", active, PENDING);
    return 0;
}
