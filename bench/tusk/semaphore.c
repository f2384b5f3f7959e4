/*
 * semaphore: a permit handed over to a task that waits for it, to and fro between two tasks. Each
 * is a release, an acquire that waits, and a switch.
 */
#include "program.h"

enum {
    WARM_UP = 100 * 1000,
    ROUNDS = 5 * 1000 * 1000,
};

struct side {
    tusk_semaphore *mine;
    tusk_semaphore *theirs;
    long rounds;
    int64_t turns;
};

static int take_turns(void *arg)
{
    struct side *side = arg;

    for (long i = 0; i < side->rounds; i++) {
        tusk_try(tusk_semaphore_acquire(side->mine));
        side->turns++;
        tusk_semaphore_release(side->theirs);
    }
    return 0;
}

static double hand_over(long rounds)
{
    tusk_semaphore left = TUSK_SEMAPHORE_INIT(1);
    tusk_semaphore right = TUSK_SEMAPHORE_INIT(0);
    struct side sides[] = {{&left, &right, rounds, 0}, {&right, &left, rounds, 0}};
    tusk_task *tasks[] = {tusk_create_task(take_turns, &sides[0]), tusk_create_task(take_turns, &sides[1])};
    double start = bench_now();

    bench_check("gather", tusk_await(tusk_gather(tasks, 2)));
    double took = bench_now() - start;
    bench_expect("turns", sides[0].turns + sides[1].turns, 2 * (int64_t)rounds);
    return took * 1e9 / (2 * (double)rounds);
}

static int measure(void *arg)
{
    const long *repeats = arg;

    (void)hand_over(WARM_UP);
    for (long i = 0; i < *repeats; i++)
        bench_report("semaphore", hand_over(ROUNDS), "ns");
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
