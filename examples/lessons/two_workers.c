/*
 * Two tasks from one coroutine, each with an argument of its own. The one that
 * sleeps less ends first, though it was created last.
 *
 * Takes 2 seconds.
 */
#include <stdio.h>
#include <tusk.h>

/* What a worker is told. A coroutine has one argument, so it goes into a struct. */
struct work {
    const char *name;
    int seconds;
};

static int worker(void *arg)
{
    const struct work *work = arg;

    tusk_try(tusk_sleep(work->seconds));
    printf("%s is finished\n", work->name);
    return 0;
}

static int main_coroutine(void *arg)
{
    (void)arg;

    /*
     * The tasks get pointers to these two variables. That is safe, because main
     * awaits both tasks below: its variables live longer than they do.
     */
    struct work a = {"A", 2};
    struct work b = {"B", 1};
    tusk_task *task1 = tusk_create_task(worker, &a);
    tusk_task *task2 = tusk_create_task(worker, &b);

    puts("Both tasks are started");

    /* B ends while main still waits for A. Awaiting B afterwards takes no time. */
    tusk_try(tusk_await(task1));
    tusk_try(tusk_await(task2));
    puts("All tasks are finished");
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(main_coroutine, NULL) < 0;
}
