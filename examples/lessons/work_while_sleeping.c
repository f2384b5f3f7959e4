/*
 * Main works while two tasks sleep. And a function that waits needs no task of
 * its own: it is called like any other, from however deep in the program.
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

/* A plain function. Whoever calls it waits with it, and gets its errors as its result. */
static int hello_every_second(void)
{
    for (int i = 0; i < 2; i++) {
        tusk_try(tusk_sleep(1));
        puts("while I wait, other code runs!");
    }
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;
    struct nap three = {3};
    tusk_task *first_delay = tusk_create_task(delay, &three);
    tusk_task *second_delay = tusk_create_task(delay, &three);

    /* Not a task, but a call: main itself sleeps and prints in there, beside the two tasks. */
    tusk_try(hello_every_second());
    tusk_try(tusk_await(first_delay));
    tusk_try(tusk_await(second_delay));
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
