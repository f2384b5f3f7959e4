/*
 * Ten tasks made in a loop, each with its own copy of an argument. Ten seconds
 * of sleep take one, for all of them sleep at once.
 *
 * Takes 1 second.
 */
#include <stdio.h>
#include <tusk.h>

struct greeting {
    const char *text;
    int seconds;
};

static int example_coroutine(void *arg)
{
    const struct greeting *greeting = arg;

    tusk_try(tusk_sleep(greeting->seconds));
    puts(greeting->text);
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;
    tusk_task *tasks[10];

    for (int i = 0; i < 10; i++) {
        struct greeting greeting = {"Hello from coroutine!", 1};

        /*
         * The variable is gone when this turn of the loop ends, and the task
         * starts after that. So the task gets a copy. tusk_copy() makes one,
         * which is freed when the task ends.
         */
        tasks[i] = tusk_create_task(example_coroutine, tusk_copy(&greeting));
    }
    return tusk_await(tusk_gather(tasks, 10));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
