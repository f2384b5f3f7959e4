/*
 * condition: two tasks take turns by a condition. Each turn is a notify, and a wait with its release of
 * the lock, its switch, and its acquire.
 */
#include "program.h"

enum {
    WARM_UP = 100 * 1000,
    ROUNDS = 5 * 1000 * 1000,
};

struct game {
    tusk_condition condition;
    long rounds;
    int64_t turns;
};

static int play(void *arg)
{
    struct game *game = arg;

    tusk_condition_scope(&game->condition);
    for (long i = 0; i < game->rounds; i++) {
        game->turns++;
        tusk_condition_notify(&game->condition, 1);
        tusk_try(tusk_condition_wait(&game->condition));
    }
    tusk_condition_notify(&game->condition, 1);
    return 0;
}

static double take_turns(long rounds)
{
    struct game game = {.rounds = rounds};
    tusk_task *tasks[2] = {tusk_create_task(play, &game), tusk_create_task(play, &game)};
    double start = bench_now();

    bench_check("gather", tusk_await(tusk_gather(tasks, 2)));
    double took = bench_now() - start;
    bench_expect("turns", game.turns, 2 * (int64_t)rounds);
    return took * 1e9 / (double)game.turns;
}

static int measure(void *arg)
{
    const long *repeats = arg;

    (void)take_turns(WARM_UP);
    for (long i = 0; i < *repeats; i++)
        bench_report("condition", take_turns(ROUNDS), "ns");
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
