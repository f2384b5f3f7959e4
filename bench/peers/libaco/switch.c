/*
 * switch with libaco: main resumes a coroutine, which yields back to main. Each
 * round is two switches; nobody decides who comes next. The coroutine has a
 * stack to itself, so that nothing is copied.
 *
 * A switch loads MXCSR, which takes tens of nanoseconds when that changes a flag.
 * Reading the clock sets a flag in main, and not in the coroutine; clearing it
 * gives libaco its best time.
 */
#include <fenv.h>

#include "program.h"

enum {
    WARM_UP = 200 * 1000,
    ROUNDS = 10 * 1000 * 1000,
};

static void yield_forever(void)
{
    int64_t *yields = aco_get_arg();

    for (;;) {
        (*yields)++;
        aco_yield();
    }
}

static double resume_often(aco_t *co, int64_t *yields, int64_t rounds)
{
    int64_t before = *yields;
    double start = bench_now();

    feclearexcept(FE_ALL_EXCEPT);
    for (int64_t i = 0; i < rounds; i++)
        aco_resume(co);
    double took = bench_now() - start;
    bench_expect("yields", *yields - before, rounds);
    return took * 1e9 / (2 * (double)rounds);
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);
    int64_t yields = 0;

    report_version();
    aco_thread_init(NULL);
    aco_t *main_co = aco_create(NULL, NULL, 0, NULL, NULL);
    aco_share_stack_t *stack = aco_share_stack_new(0);
    aco_t *co = aco_create(main_co, stack, 0, yield_forever, &yields);
    (void)resume_often(co, &yields, WARM_UP);
    for (long i = 0; i < repeats; i++)
        bench_report("switch", resume_often(co, &yields, ROUNDS), "ns");
    aco_destroy(co);
    aco_share_stack_destroy(stack);
    aco_destroy(main_co);
    return 0;
}
