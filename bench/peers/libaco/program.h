/*
 * The frame of libaco's benchmarks. libaco switches between coroutines and has
 * no scheduler and no loop: its numbers are those of a part of the work.
 */
#ifndef BENCH_LIBACO_PROGRAM_H
#define BENCH_LIBACO_PROGRAM_H

#include <aco.h>

#include "../../common/measure.h"

static inline void report_version(void)
{
    char version[64];

    snprintf(version, sizeof version, "%d.%d.%d", ACO_VERSION_MAJOR, ACO_VERSION_MINOR, ACO_VERSION_PATCH);
    bench_version(version);
}

#endif
