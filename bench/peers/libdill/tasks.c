/*
 * tasks with libdill: the life of a coroutine among more and more of them, up to
 * the number at which it fails. A gate keeps them until all are made.
 */
#include "yield.h"

enum {
    LIVES = 1000 * 1000,
    WARM_UP = 10 * 1000,
};

static void measure_one(long count)
{
    double took = 0;

    for (long round = 0; round < LIVES / count; round++) {
        double each = yield_among(count, 1);

        if (each < 0) {
            printf("tasks/%ld fail reached %ld of %ld\n", count, (long)-each, count);
            return;
        }
        took += each;
    }
    char name[64];
    snprintf(name, sizeof name, "tasks/%ld", count);
    bench_report(name, took / (double)(LIVES / count), "ns");
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);

    report_version();
    (void)yield_among(WARM_UP, 1);
    for (long i = 0; i < repeats; i++)
        for (long count = 1; count <= LIVES; count *= 10)
            measure_one(count);
    return 0;
}
