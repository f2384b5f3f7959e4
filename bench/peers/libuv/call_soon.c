/*
 * call_soon with libuv, which has no such call: idle handles that are stopped and
 * started again by their callback, so that each run is registered anew. libuv
 * polls in each iteration.
 */
#include <uv.h>

#include "../../common/measure.h"

enum {
    WIDEST = 1000,
    WARM_UP = 100 * 1000,
    CALLS = 5 * 1000 * 1000,
    CALLS_ALONE = 500 * 1000,
};

static uv_idle_t handles[WIDEST];
static int64_t calls_left;
static int64_t calls_done;

static void again(uv_idle_t *handle)
{
    calls_done++;
    uv_idle_stop(handle);
    if (calls_left > 0) {
        calls_left--;
        uv_idle_start(handle, again);
    }
}

static double call_in_turn(uv_loop_t *loop, int width, int64_t calls)
{
    calls_left = calls - width;
    calls_done = 0;
    double start = bench_now();
    for (int i = 0; i < width; i++)
        uv_idle_start(&handles[i], again);
    uv_run(loop, UV_RUN_DEFAULT);
    double took = bench_now() - start;
    bench_expect("calls", calls_done, calls);
    return took * 1e9 / (double)calls;
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);
    uv_loop_t *loop = uv_default_loop();

    bench_version(uv_version_string());
    for (int i = 0; i < WIDEST; i++)
        uv_idle_init(loop, &handles[i]);
    (void)call_in_turn(loop, WIDEST, WARM_UP);
    (void)call_in_turn(loop, 1, WARM_UP);
    for (long i = 0; i < repeats; i++) {
        bench_report("call_soon", call_in_turn(loop, WIDEST, CALLS), "ns");
        bench_report("call_soon_one", call_in_turn(loop, 1, CALLS_ALONE), "ns");
    }
    return 0;
}
