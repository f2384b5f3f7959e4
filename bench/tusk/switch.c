/*
 * switch: two tasks take turns by tusk_sleep(0); the time of one switch,
 * everything that the scheduler does for it included.
 */
#include "yield.h"

enum {
    WARM_UP = 200 * 1000,
    ROUNDS = 10 * 1000 * 1000,
};

static int measure(void *arg)
{
    const long *repeats = arg;

    (void)yield_among(2, WARM_UP);
    for (long i = 0; i < *repeats; i++)
        bench_report("switch", yield_among(2, ROUNDS), "ns");
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
