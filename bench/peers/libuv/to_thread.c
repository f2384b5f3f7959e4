/*
 * to_thread with libuv: uv_queue_work with a function that returns at once, one
 * after the other, each started by the callback of the one before.
 */
#include <uv.h>

#include "../../common/measure.h"

enum {
    WARM_UP = 1000,
    TRIPS = 20 * 1000,
};

static uv_work_t request;
static int64_t trips_left;
static int64_t count;

static void increment(uv_work_t *work)
{
    (void)work;
    count++;
}

static void again(uv_work_t *work, int status)
{
    if (status == 0 && --trips_left > 0)
        uv_queue_work(work->loop, work, increment, again);
}

static double round_trips(uv_loop_t *loop, int64_t trips)
{
    trips_left = trips;
    count = 0;
    double start = bench_now();
    uv_queue_work(loop, &request, increment, again);
    uv_run(loop, UV_RUN_DEFAULT);
    double took = bench_now() - start;
    bench_expect("calls", count, trips);
    return took * 1e9 / (double)trips;
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);
    uv_loop_t *loop = uv_default_loop();

    bench_version(uv_version_string());
    (void)round_trips(loop, WARM_UP);
    for (long i = 0; i < repeats; i++)
        bench_report("to_thread", round_trips(loop, TRIPS), "ns");
    return 0;
}
