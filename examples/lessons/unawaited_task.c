/*
 * A task that nobody awaits ends with the program: when the main coroutine is
 * done, tusk_run() cancels every task that is left. Whoever needs a task's work
 * to be finished awaits the task.
 *
 * Takes 1 second, and the second line is never printed.
 */
#include <stdio.h>
#include <tusk.h>

static int my_coroutine(void *arg)
{
    (void)arg;
    puts("The coroutine has started");

    /*
     * After one second main ends, and this task is cancelled: the sleep returns
     * -ECANCELED instead of 0. tusk_try() sees an error and returns, which is
     * all that a cancelled coroutine has to do.
     */
    tusk_try(tusk_sleep(2));
    puts("The coroutine is finished"); /* never reached */
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;
    tusk_task *task = tusk_create_task(my_coroutine, NULL);

    /* A creation that failed gives NULL. To await NULL returns the reason; who does not await asks for it. */
    if (task == NULL)
        return tusk_last_error();

    /* A handle that is not awaited is given back. The task runs on without it, like a detached thread. */
    tusk_release(task);
    return tusk_sleep(1);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
