/*
 * The smallest task: a coroutine that sleeps for a second and says hello.
 *
 * A coroutine is an ordinary C function that takes a pointer and returns an
 * int. What makes it special is what it may do: wait, in tusk_sleep() here,
 * without holding up anything else in the program.
 *
 * Takes 1 second.
 */
#include <stdio.h>
#include <tusk.h>

static int example_coroutine(void *arg)
{
    (void)arg; /* this coroutine needs no argument */

    /* A negative result is an error; tusk_try() hands it to the caller and goes no further. */
    tusk_try(tusk_sleep(1));
    puts("Hello from coroutine!");
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;

    /* A task is a coroutine on its way: it runs beside the one that made it. */
    tusk_task *task = tusk_create_task(example_coroutine, NULL);

    /* Wait until it has ended. Its result, or its error, is then ours. */
    return tusk_await(task);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */

    /* From plain C into the first coroutine; returns when that one has ended. */
    return tusk_run(main_coroutine, NULL) < 0;
}
