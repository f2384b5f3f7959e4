/*
 * spawn: create a task that returns at once, and await it, one at a time.
 */
#include "program.h"

enum {
    WARM_UP = 200 * 1000,
    SPAWNS = 5 * 1000 * 1000,
};

static int immediate(void *arg)
{
    const int *value = arg;

    return *value;
}

static double spawn_and_await(int count)
{
    double start = bench_now();
    int64_t sum = 0;

    for (int i = 0; i < count; i++)
        sum += bench_check("await", tusk_await(tusk_create_task(immediate, &i)));
    double took = bench_now() - start;
    bench_expect("sum of the results", sum, (int64_t)count * (count - 1) / 2);
    return took;
}

static int measure(void *arg)
{
    const long *repeats = arg;

    spawn_and_await(WARM_UP);
    for (long i = 0; i < *repeats; i++)
        bench_report("spawn", spawn_and_await(SPAWNS) * 1e9 / SPAWNS, "ns");
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
