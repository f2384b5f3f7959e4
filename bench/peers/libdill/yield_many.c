/*
 * switch_many with libdill, up to the number of coroutines at which it fails.
 */
#include "yield.h"

enum {
    SWITCHES = 10 * 1000 * 1000,
    WARM_UP_TASKS = 10 * 1000,
};

static const long counts[] = {2, 10, 100, 1000, 10 * 1000, 100 * 1000};

static void measure_one(long count)
{
    char name[64];
    double took = yield_among(count, SWITCHES / count);

    snprintf(name, sizeof name, "switch_many/%ld", count);
    if (took > 0)
        bench_report(name, took, "ns");
    else
        printf("%s fail reached %ld of %ld\n", name, (long)-took, count);
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);

    report_version();
    (void)yield_among(WARM_UP_TASKS, 2);
    for (long i = 0; i < repeats; i++)
        for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
            measure_one(counts[k]);
    return 0;
}
