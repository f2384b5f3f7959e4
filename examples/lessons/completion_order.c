/*
 * Tasks start in the order in which they were created, and end in the order in
 * which their work is done. tusk_gather() waits for all of them.
 *
 * Takes 2 seconds.
 */
#include <stdio.h>
#include <tusk.h>

struct job {
    int number;
    int seconds;
};

static int my_coroutine(void *arg)
{
    const struct job *job = arg;

    printf("Coroutine %d has started\n", job->number);
    tusk_try(tusk_sleep(job->seconds));
    printf("Coroutine %d is finished\n", job->number);
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;
    struct job jobs[] = {{1, 2}, {2, 1}};
    tusk_task *tasks[] = {
        tusk_create_task(my_coroutine, &jobs[0]),
        tusk_create_task(my_coroutine, &jobs[1]),
    };

    /*
     * Gathering makes one future of the two tasks: something to await that is
     * done when both are. It takes their handles; only the new one is left, and
     * awaiting takes that.
     */
    return tusk_await(tusk_gather(tasks, 2));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
