/*
 * switch_many: the same as switch among more and more tasks, which shows what
 * the caches make of their stacks.
 *
 * The creation of the tasks is part of the time, so each has a few hundred
 * turns at least, where their number allows it.
 */
#include "yield.h"

enum {
    SWITCHES = 10 * 1000 * 1000,
    MOST_TASKS = 100 * 1000,
};

static const long counts[] = {2, 10, 100, 1000, 10 * 1000, MOST_TASKS};

static void measure_once(void)
{
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "switch_many/%ld", counts[i]);
        bench_report(name, yield_among(counts[i], SWITCHES / counts[i]), "ns");
    }
}

static int measure(void *arg)
{
    const long *repeats = arg;

    /* Gives the pool its stacks: their first touch is not what is measured here. */
    (void)yield_among(MOST_TASKS, 2);
    for (long i = 0; i < *repeats; i++)
        measure_once();
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
