/*
 * to_thread: run a function that returns at once in a thread, and await it; the
 * time of one round trip. Two threads take turns, so it is the system's way of waking
 * them that is measured, and what tusk adds.
 */
#include "program.h"

enum {
    WARM_UP = 1000,
    TRIPS = 20 * 1000,
};

static int increment(void *arg)
{
    int64_t *count = arg;

    ++*count;
    return 0;
}

static void round_trips(int64_t trips)
{
    int64_t count = 0;

    for (int64_t i = 0; i < trips; i++)
        bench_check("to_thread", tusk_to_thread(increment, &count));
    bench_expect("calls", count, trips);
}

static int measure(void *arg)
{
    const long *repeats = arg;

    round_trips(WARM_UP);
    for (long i = 0; i < *repeats; i++) {
        double start = bench_now();
        round_trips(TRIPS);
        bench_report("to_thread", (bench_now() - start) * 1e9 / TRIPS, "ns");
    }
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
