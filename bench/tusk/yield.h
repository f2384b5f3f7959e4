/*
 * Tasks that do nothing but tusk_sleep(0): what switch and switch_many measure.
 */
#ifndef BENCH_YIELD_H
#define BENCH_YIELD_H

#include "program.h"

struct yielder {
    long rounds;
    int64_t *switches;
};

static int yield_often(void *arg)
{
    const struct yielder *yielder = arg;

    for (long i = 0; i < yielder->rounds; i++) {
        tusk_try(tusk_sleep(0));
        (*yielder->switches)++;
    }
    return 0;
}

/* Lets count tasks yield rounds times each; returns nanoseconds per switch, of all tasks together. */
static double yield_among(long count, long rounds)
{
    tusk_task **tasks = malloc((size_t)count * sizeof *tasks);
    int64_t switches = 0;
    struct yielder yielder = {rounds, &switches};

    if (tasks == NULL)
        bench_die("no memory");
    double start = bench_now();
    for (long i = 0; i < count; i++)
        tasks[i] = tusk_create_task(yield_often, &yielder);
    bench_check("gather", tusk_await(tusk_gather(tasks, (size_t)count)));
    double took = bench_now() - start;
    bench_expect("switches", switches, (int64_t)count * rounds);
    free(tasks);
    return took * 1e9 / (double)switches;
}

#endif
