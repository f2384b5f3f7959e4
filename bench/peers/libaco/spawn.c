/*
 * spawn with libaco: create, resume, destroy. All coroutines share one stack, and
 * none is suspended, so that nothing is ever copied. The flags of MXCSR are cleared
 * for the reason told in switch.c.
 */
#include <fenv.h>

#include "program.h"

enum {
    WARM_UP = 200 * 1000,
    SPAWNS = 5 * 1000 * 1000,
};

struct work {
    int value;
    int64_t sum;
};

static void immediate(void)
{
    struct work *work = aco_get_arg();

    work->sum += work->value;
    aco_exit();
}

static double spawn_and_destroy(aco_t *main_co, aco_share_stack_t *stack, int count)
{
    struct work work = {0, 0};
    double start = bench_now();

    feclearexcept(FE_ALL_EXCEPT);
    for (work.value = 0; work.value < count; work.value++) {
        aco_t *co = aco_create(main_co, stack, 0, immediate, &work);
        aco_resume(co);
        if (!co->is_end)
            bench_die("the coroutine did not end");
        aco_destroy(co);
    }
    double took = bench_now() - start;
    bench_expect("sum of the results", work.sum, (int64_t)count * (count - 1) / 2);
    return took;
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);

    report_version();
    aco_thread_init(NULL);
    aco_t *main_co = aco_create(NULL, NULL, 0, NULL, NULL);
    aco_share_stack_t *stack = aco_share_stack_new(0);
    spawn_and_destroy(main_co, stack, WARM_UP);
    for (long i = 0; i < repeats; i++)
        bench_report("spawn", spawn_and_destroy(main_co, stack, SPAWNS) * 1e9 / SPAWNS, "ns");
    aco_share_stack_destroy(stack);
    aco_destroy(main_co);
    return 0;
}
