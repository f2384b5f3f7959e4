/*
 * Create and await: the two steps that every program with tasks is made of.
 *
 * Takes 1 second.
 */
#include <stdio.h>
#include <tusk.h>

static int my_coroutine(void *arg)
{
    (void)arg;
    puts("The task begins");
    tusk_try(tusk_sleep(1));
    puts("The task is done");
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;

    /* Creating a task only puts it in line. Nothing of it has run when this returns. */
    tusk_task *task = tusk_create_task(my_coroutine, NULL);

    /*
     * Now main waits, and so the task gets its turn. The handle goes back to
     * tusk here: who awaits a task has nothing to free and does not use the
     * handle again, as with pthread_join().
     */
    return tusk_await(task);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
