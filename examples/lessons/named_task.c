/*
 * Tasks have names. Give one with .name, and a report of an error says which
 * task it was; a coroutine finds its own task with tusk_current_task().
 *
 * Takes 1 second.
 */
#include <stdio.h>
#include <tusk.h>

static int my_coroutine(void *arg)
{
    (void)arg;

    /* The task that runs this function now. This handle is only lent: there is nothing to give back. */
    tusk_task *task = tusk_current_task();
    const char *task_name = tusk_task_get_name(task);

    printf("Task %s has started.\n", task_name);
    tusk_try(tusk_sleep(1));
    printf("Task %s is done.\n", task_name);
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;

    /* Options are written at the end of the call, by name, in any number, or not at all. */
    tusk_task *task = tusk_create_task(my_coroutine, NULL, .name = "my_task");

    /* Created is not started: the task's own first line comes after this one. */
    printf("Task %s is created, but not started yet\n", tusk_task_get_name(task));
    tusk_try(tusk_await(task));
    puts("Waiting for my_task is over, and main() goes on.");
    puts("main() ends.");
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
