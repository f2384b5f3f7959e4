/*
 * The frame of libdill's benchmarks, and what their coroutines have in common.
 */
#ifndef BENCH_LIBDILL_PROGRAM_H
#define BENCH_LIBDILL_PROGRAM_H

#define DILL_DISABLE_RAW_NAMES
#include <libdill.h>

#include <errno.h>

#include "../../common/measure.h"

/* The header knows the version of the binary interface only; bench/run finds the other one. */
static inline void report_version(void)
{
    char version[64];

    snprintf(version, sizeof version, "ABI-%d.%d.%d", DILL_VERSION_CURRENT, DILL_VERSION_REVISION,
             DILL_VERSION_AGE);
    bench_version(version);
}

static inline int check(const char *what, int rc)
{
    if (rc < 0)
        bench_die("%s: %s", what, strerror(errno));
    return rc;
}

#endif
