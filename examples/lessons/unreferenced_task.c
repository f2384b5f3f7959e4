/*
 * A task that nobody holds a handle of runs to its end all the same: the loop
 * keeps every task until it is done. (In Python such a task may vanish in the
 * middle of its work, and programs keep lists of tasks to prevent that. In tusk
 * there is nothing to prevent.)
 *
 * Takes 2 seconds.
 */
#include <stdio.h>
#include <tusk.h>

static int my_task(void *arg)
{
    (void)arg;
    puts("----------");
    puts("Running my task");
    tusk_try(tusk_sleep(1));
    puts("Task complete");
    puts("----------");
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;
    tusk_task *task = tusk_create_task(my_task, NULL);

    if (task == NULL)
        return tusk_last_error();

    /* Given back before the task has even started. From here on nobody but the loop knows the task. */
    tusk_release(task);
    return tusk_sleep(2);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
