/*
 * lock: acquire and release a lock that nobody else wants.
 *
 * lock_contended: two tasks that both want it, each keeping it over a sleep(0): one acquire, one
 * release, one sleep.
 */
#include "program.h"

enum {
    WARM_UP = 100 * 1000,
    ROUNDS = 20 * 1000 * 1000,
    CONTENDED = 2 * 1000 * 1000,
};

struct work {
    tusk_lock lock;
    long rounds;
    int64_t done;
};

static double uncontended(long rounds)
{
    tusk_lock lock = TUSK_LOCK_INIT;
    double start = bench_now();

    for (long i = 0; i < rounds; i++) {
        bench_check("acquire", tusk_lock_acquire(&lock));
        tusk_lock_release(&lock);
    }
    double took = bench_now() - start;
    bench_expect("locked", tusk_lock_locked(&lock), 0);
    return took * 1e9 / (double)rounds;
}

static int keep_often(void *arg)
{
    struct work *work = arg;

    for (long i = 0; i < work->rounds; i++) {
        tusk_try(tusk_lock_acquire(&work->lock));
        tusk_try(tusk_sleep(0));
        work->done++;
        tusk_lock_release(&work->lock);
    }
    return 0;
}

static double contended(long rounds)
{
    struct work work = {.rounds = rounds};
    tusk_task *tasks[2] = {tusk_create_task(keep_often, &work), tusk_create_task(keep_often, &work)};
    double start = bench_now();

    bench_check("gather", tusk_await(tusk_gather(tasks, 2)));
    double took = bench_now() - start;
    bench_expect("turns", work.done, 2 * (int64_t)rounds);
    return took * 1e9 / (double)work.done;
}

static int measure(void *arg)
{
    const long *repeats = arg;

    (void)uncontended(WARM_UP);
    (void)contended(WARM_UP);
    for (long i = 0; i < *repeats; i++) {
        bench_report("lock", uncontended(ROUNDS), "ns");
        bench_report("lock_contended", contended(CONTENDED), "ns");
    }
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
