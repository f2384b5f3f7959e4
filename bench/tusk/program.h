/*
 * The frame of tusk's benchmarks: a coroutine that warms up and measures, run
 * by tusk_run() in the usual way.
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <tusk.h>

#include "../common/measure.h"

/* Ends the program if the code is an error: a benchmark that failed has no number. */
static inline int bench_check(const char *what, int rc)
{
    if (rc < 0)
        bench_die("%s: %s", what, tusk_strerror(rc));
    return rc;
}

/* Runs coro(&repeats), with the repeats from the command line. */
static inline int bench_program(int argc, char **argv, tusk_coro *coro)
{
    long repeats = bench_count(argc, argv, 1, 1);

    bench_version(tusk_version());
    bench_check("tusk_run", tusk_run(coro, &repeats));
    return 0;
}

#endif
