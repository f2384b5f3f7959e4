/*
 * The restaurant: a manager hands three orders to three waiters, and each
 * waiter has a cook cook the dish and then serves it.
 *
 * Waiters are tasks, because they shall work at the same time. Cooking is a
 * plain function, because a waiter can do nothing before the dish is ready.
 *
 * Takes 2 seconds, as long as one dish.
 */
#include <stdio.h>
#include <tusk.h>

struct order {
    int number;
    const char *dish;
    char plate[64]; /* what the cook hands out; written by cook_order() */
};

/* The chefs, by the number of the order. */
static const char *const chefs[] = {"", "François", "Jean", "Marcel"};

/*
 * A cook prepares the dish. The return value says whether that worked; a result
 * that is more than a number goes into the struct that the caller owns.
 */
static int cook_order(struct order *order)
{
    printf("Chef %s begins to cook order %d: %s\n", chefs[order->number], order->number, order->dish);
    tusk_try(tusk_sleep(2)); /* the time it takes to cook */
    printf("Order %d: %s is ready!\n", order->number, order->dish);
    snprintf(order->plate, sizeof order->plate, "%s for order %d", order->dish, order->number);
    return 0;
}

/* A waiter serves the dish. While this one waits for its cook, the other waiters run. */
static int serve_order(void *arg)
{
    struct order *order = arg;

    tusk_try(cook_order(order));
    printf("The waiter serves the %s\n", order->dish);
    return 0;
}

/* The manager hands out the work. */
static int manager(void *arg)
{
    (void)arg;
    struct order orders[] = {
        {.number = 1, .dish = "salad"},
        {.number = 2, .dish = "steak"},
        {.number = 3, .dish = "soup"},
    };
    tusk_task *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = tusk_create_task(serve_order, &orders[i], .name = orders[i].dish);

    /* Wait for all three. The first error of any of them would come out here. */
    return tusk_await(tusk_gather(tasks, 3));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* show each line at once, through a pipe too */
    return tusk_run(manager, NULL) < 0;
}
