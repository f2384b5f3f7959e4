/*
 * tasks: the life of a task among more and more of them: made, started, once
 * overtaken by all others, ended, gathered.
 */
#include "program.h"

enum {
    /* So many lives are measured at once, or one of each where there are more. */
    LIVES = 1000 * 1000,
    WARM_UP = 100 * 1000,
};

static const long counts[] = {1, 10, 100, 1000, 10 * 1000, 100 * 1000, LIVES};

static int once(void *arg)
{
    int64_t *lived = arg;

    tusk_try(tusk_sleep(0));
    ++*lived;
    return 0;
}

/* Nanoseconds for each of count tasks, rounds times. */
static double live(long count, long rounds)
{
    tusk_task **tasks = malloc((size_t)count * sizeof *tasks);
    int64_t lived = 0;

    if (tasks == NULL)
        bench_die("no memory");
    double start = bench_now();
    for (long round = 0; round < rounds; round++) {
        for (long i = 0; i < count; i++)
            tasks[i] = tusk_create_task(once, &lived);
        bench_check("gather", tusk_await(tusk_gather(tasks, (size_t)count)));
    }
    double took = bench_now() - start;
    bench_expect("lives", lived, (int64_t)count * rounds);
    free(tasks);
    return took * 1e9 / (double)lived;
}

static int measure(void *arg)
{
    const long *repeats = arg;

    (void)live(WARM_UP, 1);
    for (long i = 0; i < *repeats; i++)
        for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
            char name[64];

            snprintf(name, sizeof name, "tasks/%ld", counts[k]);
            bench_report(name, live(counts[k], LIVES / counts[k]), "ns");
        }
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
