/*
 * A task's result: what its coroutine returns is what tusk_await() returns.
 * Results are 0 or positive, errors are negative.
 *
 * Takes 3 seconds.
 */
#include <stdio.h>
#include <tusk.h>

struct nap {
    int seconds;
};

static int delay(void *arg)
{
    const struct nap *nap = arg;

    printf("sleeping for %d s\n", nap->seconds);
    tusk_try(tusk_sleep(nap->seconds));
    printf("the sleep of %d s is over\n", nap->seconds);
    return nap->seconds;
}

static int main_coroutine(void *arg)
{
    (void)arg;
    struct nap three = {3};
    tusk_task *sleep_for_three = tusk_create_task(delay, &three);

    /*
     * This is not the result yet: it is a task, which will have one. A task
     * without a name of its own is numbered; Task-1 is the main coroutine's.
     */
    puts(tusk_task_get_name(sleep_for_three));

    int result = tusk_await(sleep_for_three);

    if (result < 0)
        return result;
    printf("%d\n", result);
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
