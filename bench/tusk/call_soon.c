/*
 * call_soon: callbacks that register themselves again, in a loop without any
 * coroutine; the time of one registration and one run.
 *
 * With a thousand callbacks in the queue it is the cost of a callback; with
 * one, each is an iteration of its own, which is the cost of an iteration.
 */
#include "program.h"

enum {
    WARM_UP = 100 * 1000,
    CALLS = 10 * 1000 * 1000,
};

struct chain {
    tusk_loop *loop;
    int64_t calls_left;
    int64_t calls_done;
};

static int again(void *arg)
{
    struct chain *chain = arg;

    chain->calls_done++;
    if (chain->calls_left > 0) {
        chain->calls_left--;
        tusk_loop_call_soon(chain->loop, again, chain);
    } else {
        tusk_loop_stop(chain->loop);
    }
    return 0;
}

static double call_in_turn(tusk_loop *loop, int64_t width, int64_t calls)
{
    struct chain chain = {loop, calls - width, 0};
    double start = bench_now();

    for (int64_t i = 0; i < width; i++)
        tusk_loop_call_soon(loop, again, &chain);
    bench_check("run_forever", tusk_loop_run_forever(loop));
    double took = bench_now() - start;
    bench_expect("calls", chain.calls_done, calls);
    return took * 1e9 / (double)calls;
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);
    tusk_loop *loop = tusk_new_event_loop();

    if (loop == NULL)
        bench_die("new_event_loop: %s", tusk_strerror(tusk_last_error()));
    bench_version(tusk_version());
    (void)call_in_turn(loop, 1000, WARM_UP);
    (void)call_in_turn(loop, 1, WARM_UP);
    for (long i = 0; i < repeats; i++) {
        bench_report("call_soon", call_in_turn(loop, 1000, CALLS), "ns");
        bench_report("call_soon_one", call_in_turn(loop, 1, CALLS), "ns");
    }
    return bench_check("loop_close", tusk_loop_close(loop));
}
