/*
 * gather: make 100,000 tasks that return at once, and gather them.
 *
 * The results are asked for, and summed up within the time measured.
 */
#include "program.h"

enum {
    TASKS = 100 * 1000,
    ROUNDS = 10,
};

static int values[TASKS];
static int results[TASKS];
static tusk_task *tasks[TASKS];

static int immediate(void *arg)
{
    const int *value = arg;

    return *value;
}

static void make_and_gather(void)
{
    int64_t sum = 0;

    for (int i = 0; i < TASKS; i++)
        tasks[i] = tusk_create_task(immediate, &values[i]);
    bench_check("gather", tusk_await(tusk_gather(tasks, TASKS, .results = results)));
    for (int i = 0; i < TASKS; i++)
        sum += results[i];
    bench_expect("sum of the results", sum, (int64_t)TASKS * (TASKS - 1) / 2);
}

static int measure(void *arg)
{
    const long *repeats = arg;

    for (int i = 0; i < TASKS; i++)
        values[i] = i;
    make_and_gather();
    make_and_gather();
    for (long i = 0; i < *repeats; i++) {
        double start = bench_now();
        for (int round = 0; round < ROUNDS; round++)
            make_and_gather();
        bench_report("gather", (bench_now() - start) * 1e9 / TASKS / ROUNDS, "ns");
    }
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
