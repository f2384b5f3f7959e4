/*
 * Three sleeps of three seconds at once take three seconds. Tasks wait side by
 * side; only what they compute is done one after the other.
 *
 * Takes 3 seconds, not 9.
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

    /* All three only read their argument, so they may share one. No lock is needed: there is one thread. */
    struct nap three = {3};
    tusk_task *sleep_for_three = tusk_create_task(delay, &three);
    tusk_task *sleep_again = tusk_create_task(delay, &three);
    tusk_task *sleep_once_more = tusk_create_task(delay, &three);

    tusk_try(tusk_await(sleep_for_three));
    tusk_try(tusk_await(sleep_again));
    tusk_try(tusk_await(sleep_once_more));
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
