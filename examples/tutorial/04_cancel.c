/* A task that is cancelled cleans up and ends; Ctrl-C is such a cancel too. */
#include <errno.h>
#include <stdio.h>
#include <tusk.h>

static int roast(void *arg)
{
    int rc;

    (void)arg;
    printf("the oven is on\n");
    rc = tusk_sleep(3600);
    printf("the oven is off\n"); /* whatever happened */
    return rc;
}

static int manager(void *arg)
{
    tusk_task *task = tusk_create_task(roast, NULL);
    int rc = tusk_sleep(2);

    (void)arg;
    if (rc == 0)
        printf("the guests have left\n");
    tusk_task_cancel(task);
    if (tusk_await(task) == -ECANCELED)
        printf("no roast today\n");
    return rc;
}

int main(void)
{
    int rc = tusk_run(manager, NULL);

    if (rc == -EINTR)
        printf("ended by Ctrl-C\n");
    return rc < 0;
}
