/*
 * gather with libdill: a bundle of 100,000 coroutines, each of which runs to its
 * end within its creation, so that one stack serves all.
 */
#include "program.h"

enum {
    TASKS = 100 * 1000,
    ROUNDS = 10,
};

static int values[TASKS];
static int results[TASKS];

static dill_coroutine void immediate(const int *value, int *result)
{
    *result = *value;
}

static void make_and_wait(void)
{
    int bundle = check("bundle", dill_bundle());
    int64_t sum = 0;

    for (int i = 0; i < TASKS; i++)
        check("bundle_go", dill_bundle_go(bundle, immediate(&values[i], &results[i])));
    check("bundle_wait", dill_bundle_wait(bundle, -1));
    check("hclose", dill_hclose(bundle));
    for (int i = 0; i < TASKS; i++)
        sum += results[i];
    bench_expect("sum of the results", sum, (int64_t)TASKS * (TASKS - 1) / 2);
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);

    report_version();
    for (int i = 0; i < TASKS; i++)
        values[i] = i;
    make_and_wait();
    make_and_wait();
    for (long i = 0; i < repeats; i++) {
        double start = bench_now();
        for (int round = 0; round < ROUNDS; round++)
            make_and_wait();
        bench_report("gather", (bench_now() - start) * 1e9 / TASKS / ROUNDS, "ns");
    }
    return 0;
}
