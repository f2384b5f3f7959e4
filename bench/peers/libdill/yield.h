/*
 * Coroutines that do nothing but yield(): what switch and switch_many measure.
 *
 * They wait at a gate until all are made: go() runs them at once, and early ones
 * would have ended before the last ones began.
 */
#ifndef BENCH_LIBDILL_YIELD_H
#define BENCH_LIBDILL_YIELD_H

#include "program.h"

static dill_coroutine void yield_often(int gate, long rounds, int64_t *switches)
{
    char nothing;

    if (dill_chrecv(gate, &nothing, 1, -1) == 0 || errno != EPIPE)
        return;
    for (long i = 0; i < rounds; i++) {
        check("yield", dill_yield());
        (*switches)++;
    }
}

static void close_all(int bundle, const int *gate)
{
    check("hclose", dill_hclose(bundle));
    check("hclose", dill_hclose(gate[0]));
    check("hclose", dill_hclose(gate[1]));
}

/* Nanoseconds per switch among count coroutines; a negative number if there cannot be as many. */
static double yield_among(long count, long rounds)
{
    int bundle = check("bundle", dill_bundle());
    int64_t switches = 0;
    int gate[2];

    check("chmake", dill_chmake(gate));
    double start = bench_now();

    for (long i = 0; i < count; i++) {
        if (dill_bundle_go(bundle, yield_often(gate[1], rounds, &switches)) < 0) {
            close_all(bundle, gate);
            return (double)-i;
        }
    }
    check("chdone", dill_chdone(gate[0]));
    check("bundle_wait", dill_bundle_wait(bundle, -1));
    double took = bench_now() - start;
    close_all(bundle, gate);
    bench_expect("switches", switches, (int64_t)count * rounds);
    return took * 1e9 / (double)switches;
}

#endif
