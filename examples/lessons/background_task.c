/*
 * A task in the background: it runs while main does something else.
 *
 * There is one thread, and no task interrupts another. A task runs until it
 * waits for something; then it is the turn of the next one that can go on.
 *
 * Takes 2 seconds.
 */
#include <stdio.h>
#include <tusk.h>

static int say_hello(void *arg)
{
    (void)arg;
    puts("Hello!");
    tusk_try(tusk_sleep(1));
    puts("Bye!");
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;
    tusk_task *task = tusk_create_task(say_hello, NULL);

    /* This comes first: the task starts when main waits, and main has not waited yet. */
    puts("Task created");

    /* Main sleeps for two seconds. The task says both of its words meanwhile. */
    tusk_try(tusk_sleep(2));
    puts("main is finished");

    /* It ended a second ago, so there is nothing to wait for: this gives its result at once. */
    return tusk_await(task);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
