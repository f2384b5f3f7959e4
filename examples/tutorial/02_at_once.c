/* Three tasks at once: they take as long as the longest of them. */
#include <stdio.h>
#include <tusk.h>

struct order {
    const char *dish;
    int seconds;
};

static int cook(void *arg)
{
    const struct order *order = arg;

    printf("%s: %d s\n", order->dish, order->seconds);
    tusk_try(tusk_sleep(order->seconds));
    printf("ready: %s\n", order->dish);
    return 0;
}

static int manager(void *arg)
{
    struct order orders[] = {{"steak", 3}, {"salad", 1}, {"soup", 2}};
    tusk_task *tasks[3];
    double start = tusk_loop_time(tusk_get_running_loop());

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(cook, &orders[i]);
    tusk_try(tusk_await(tusk_gather(tasks, 3)));
    printf("all together: %.0f s\n", tusk_loop_time(tusk_get_running_loop()) - start);
    return 0;
}

int main(void)
{
    return tusk_run(manager, NULL) < 0;
}
