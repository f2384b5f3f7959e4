/* One task: the manager gives a cook an order, and waits until it is ready. */
#include <stdio.h>
#include <tusk.h>

static int cook(void *arg)
{
    const char *dish = arg;

    printf("the cook begins: %s\n", dish);
    tusk_try(tusk_sleep(1));
    printf("ready: %s\n", dish);
    return 0;
}

static int manager(void *arg)
{
    tusk_task *task = tusk_create_task(cook, "salad");

    (void)arg;
    printf("the order is placed\n");
    return tusk_await(task);
}

int main(void)
{
    return tusk_run(manager, NULL) < 0;
}
