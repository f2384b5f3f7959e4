/*
 * Two tasks awaited one after the other take as long as the longer one, and not
 * as long as both together: they run from the moment they were created, and it
 * does not matter which of them main is waiting for.
 *
 * Takes 2 seconds, not 3.
 */
#include <stdio.h>
#include <tusk.h>

static int task1(void *arg)
{
    (void)arg;
    tusk_try(tusk_sleep(1));
    puts("Task 1 is finished");
    return 0;
}

static int task2(void *arg)
{
    (void)arg;
    tusk_try(tusk_sleep(2));
    puts("Task 2 is finished");
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;
    tusk_task *first = tusk_create_task(task1, NULL);
    tusk_task *second = tusk_create_task(task2, NULL);

    /* Both sleep at the same time. After the first second this returns ... */
    tusk_try(tusk_await(first));

    /* ... and there is only one second left of the second task. */
    tusk_try(tusk_await(second));
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
