/*
 * switch with libdill: two coroutines take turns by yield().
 */
#include "yield.h"

enum {
    WARM_UP = 200 * 1000,
    ROUNDS = 10 * 1000 * 1000,
};

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);

    report_version();
    (void)yield_among(2, WARM_UP);
    for (long i = 0; i < repeats; i++)
        bench_report("switch", yield_among(2, ROUNDS), "ns");
    return 0;
}
