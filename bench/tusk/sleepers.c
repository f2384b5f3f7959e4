/*
 * sleepers: a million tasks that each sleep for one second, from the first
 * creation to the end of the last, and the memory they have while all sleep.
 *
 * Each measurement is a process of its own, because a second one in the same
 * process would find its stacks in the pool. Compare the time with that of
 * floor/floor.c, which says what it is mostly made of.
 *
 * All sleep at the moment when the last one is about to: tasks that were ready
 * together run in one iteration, and no timer is looked at before it ends. That
 * nobody has ended by then is checked.
 */
#include <errno.h>

#include "program.h"

struct sleepers {
    long count;
    long started;
    long ended;
    double resident_before;
    double resident_asleep;
};

static int sleep_a_second(void *arg)
{
    struct sleepers *sleepers = arg;

    if (++sleepers->started == sleepers->count) {
        bench_expect("awake already", sleepers->ended, 0);
        sleepers->resident_asleep = bench_resident();
    }
    tusk_try(tusk_sleep(1));
    sleepers->ended++;
    return 0;
}

static int make_and_gather(void *arg)
{
    struct sleepers *sleepers = arg;
    size_t count = (size_t)sleepers->count;
    tusk_task **tasks = malloc(count * sizeof *tasks);

    if (tasks == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        tasks[i] = tusk_create_task(sleep_a_second, sleepers);
    int rc = tusk_await(tusk_gather(tasks, count));
    free(tasks);
    return rc;
}

static int measure(void *arg)
{
    struct sleepers *sleepers = arg;

    sleepers->resident_before = bench_resident();
    double start = bench_now();
    bench_check("gather", make_and_gather(sleepers));
    double took = bench_now() - start;
    double bytes = sleepers->resident_asleep - sleepers->resident_before;
    bench_expect("ended", sleepers->ended, sleepers->count);
    bench_report("sleepers", took, "s");
    bench_report("sleepers_kib", bytes / 1024 / (double)sleepers->count, "KiB");
    return 0;
}

static void run_sleepers(long count)
{
    struct sleepers sleepers = {.count = count};

    bench_check("tusk_run", tusk_run(measure, &sleepers));
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);
    long count = bench_count(argc, argv, 2, 1000 * 1000);

    bench_version(tusk_version());
    for (long i = 0; i < repeats; i++)
        bench_in_child(run_sleepers, count);
    return 0;
}
