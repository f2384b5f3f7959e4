/*
 * sleepers with libdill. Each stack has a guard page by mprotect, which splits a
 * mapping in two, so that it meets vm.max_map_count before a million; how far it
 * came is reported.
 */
#include "program.h"

static long started;
static long ended;

static dill_coroutine void sleep_a_second(void)
{
    started++;
    check("msleep", dill_msleep(dill_now() + 1000));
    ended++;
}

static void run_sleepers(long count)
{
    double resident_before = bench_resident();
    double start = bench_now();
    int bundle = check("bundle", dill_bundle());

    for (long i = 0; i < count; i++) {
        if (dill_bundle_go(bundle, sleep_a_second()) < 0) {
            printf("sleepers fail reached %ld of %ld: %s\n", i, count, strerror(errno));
            printf("sleepers_kib fail reached %ld of %ld\n", i, count);
            return;
        }
    }
    double bytes = bench_resident() - resident_before;
    bench_expect("asleep", started, count);
    check("bundle_wait", dill_bundle_wait(bundle, -1));
    double took = bench_now() - start;
    bench_expect("ended", ended, count);
    bench_report("sleepers", took, "s");
    bench_report("sleepers_kib", bytes / 1024 / (double)count, "KiB");
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);
    long count = bench_count(argc, argv, 2, 1000 * 1000);

    report_version();
    for (long i = 0; i < repeats; i++)
        bench_in_child(run_sleepers, count);
    return 0;
}
