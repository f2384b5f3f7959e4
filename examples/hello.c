#include <stdio.h>
#include <tusk.h>

struct order {
    int number;
    const char *dish;
};

static int cook(void *arg)
{
    const struct order *order = arg;

    printf("order %d: %s is being cooked\n", order->number, order->dish);
    tusk_try(tusk_sleep(2));
    printf("order %d: %s is ready\n", order->number, order->dish);
    return 0;
}

static int manager(void *arg)
{
    struct order orders[] = {{1, "salad"}, {2, "steak"}, {3, "soup"}};
    tusk_task *tasks[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(cook, &orders[i], .name = orders[i].dish);
    return tusk_await(tusk_gather(tasks, 3)); /* takes the three handles */
}

int main(void)
{
    return tusk_run(manager, NULL) < 0;
}
