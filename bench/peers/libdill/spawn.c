/*
 * spawn with libdill: go() runs the coroutine at once, in place; hclose() takes its handle back.
 */
#include "program.h"

enum {
    WARM_UP = 200 * 1000,
    SPAWNS = 5 * 1000 * 1000,
};

static dill_coroutine void immediate(int value, int64_t *sum)
{
    *sum += value;
}

static double spawn_and_close(int count)
{
    double start = bench_now();
    int64_t sum = 0;

    for (int i = 0; i < count; i++)
        check("hclose", dill_hclose(check("go", dill_go(immediate(i, &sum)))));
    double took = bench_now() - start;
    bench_expect("sum of the results", sum, (int64_t)count * (count - 1) / 2);
    return took;
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);

    report_version();
    spawn_and_close(WARM_UP);
    for (long i = 0; i < repeats; i++)
        bench_report("spawn", spawn_and_close(SPAWNS) * 1e9 / SPAWNS, "ns");
    return 0;
}
