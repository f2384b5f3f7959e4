/*
 * Counts of durations, in nanoseconds, in buckets of at most 1 % of their value.
 *
 * The values of one power of two share 128 buckets. Adding is a shift and an increment,
 * and a window of millions of answers takes no more memory than an empty one.
 */
#ifndef BENCH_LOAD_HISTOGRAM_H
#define BENCH_LOAD_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_BITS = 7,
    HISTOGRAM_FINE = 1 << HISTOGRAM_BITS,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_BITS) * HISTOGRAM_FINE,
};

struct histogram {
    int64_t count;
    int64_t buckets[HISTOGRAM_BUCKETS];
};

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    int shift = 0;

    if (value >= 2 * HISTOGRAM_FINE)
        shift = 63 - __builtin_clzll(value) - HISTOGRAM_BITS;
    histogram->buckets[shift * HISTOGRAM_FINE + (int)(value >> shift)]++;
    histogram->count++;
}

/* The value that this part of all values is not above; 0 if there are none. */
static inline double histogram_part(const struct histogram *histogram, double part)
{
    double wanted = part * (double)histogram->count;
    int64_t seen = 0;
    int bucket = 0;

    if (histogram->count == 0)
        return 0;
    while (bucket < HISTOGRAM_BUCKETS - 1 && (double)(seen += histogram->buckets[bucket]) < wanted)
        bucket++;
    if (bucket < 2 * HISTOGRAM_FINE)
        return bucket;
    int shift = bucket / HISTOGRAM_FINE - 1;
    return ((double)(bucket - shift * HISTOGRAM_FINE) + 0.5) * (double)(1ULL << shift);
}

#endif
