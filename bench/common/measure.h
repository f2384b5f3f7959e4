/*
 * What every benchmark in C needs: a clock, resident memory, a random sequence,
 * and the lines that bench/run reads.
 *
 * A program takes how often to measure as its first argument and prints, for
 * each measurement, "name value unit". A peer that cannot do what is asked prints
 * "name fail reason". "version text" says what was measured. It ends with 0
 * if all results were as they should be, so that wrong work has no number.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BENCH_UNUSED __attribute__((unused))

/* Seconds since some point that never changes. */
BENCH_UNUSED static double bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2), unused)) static void bench_die(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* The work was done in full: a benchmark of something else has no number. */
BENCH_UNUSED static void bench_expect(const char *what, int64_t got, int64_t want)
{
    if (got != want)
        bench_die("%s: got %" PRId64 ", want %" PRId64, what, got, want);
}

BENCH_UNUSED static void bench_report(const char *name, double value, const char *unit)
{
    printf("%s %.6g %s\n", name, value, unit);
    fflush(stdout);
}

BENCH_UNUSED static void bench_version(const char *version)
{
    printf("version %s\n", version);
    fflush(stdout);
}

/* Argument number index as a positive count, or what it is without one. */
BENCH_UNUSED static long bench_count(int argc, char **argv, int index, long without)
{
    char *end;
    long count;

    if (argc <= index)
        return without;
    count = strtol(argv[index], &end, 10);
    if (*end != '\0' || count < 1)
        bench_die("usage: %s [repeats [count]]", argv[0]);
    return count;
}

/* A cheap random sequence, the same in every peer and every run. */
BENCH_UNUSED static uint64_t bench_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Bytes of memory that this process has in use right now; without /proc, the most it ever had. */
BENCH_UNUSED static double bench_resident(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    struct rusage usage;
    char line[256];
    double kib = -1;

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (status != NULL)
        fclose(status);
    if (kib >= 0)
        return kib * 1024;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024;
}

/* Runs function(count) in a child process, so that its memory is new to it and gone after it. */
BENCH_UNUSED static void bench_in_child(void (*function)(long count), long count)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child < 0)
        bench_die("fork failed");
    if (child == 0) {
        function(count);
        fflush(stdout);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0)
        bench_die("the child process failed with status %d", status);
}

#endif
