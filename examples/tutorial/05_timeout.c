/* Limits of time: for a piece of code, and for a task. */
#include <errno.h>
#include <stdio.h>
#include <tusk.h>

struct order {
    const char *dish;
    double seconds;
};

static int cook(void *arg)
{
    const struct order *order = arg;
    int rc = tusk_sleep(order->seconds);

    printf("%s: %s\n", order->dish, rc < 0 ? "given up" : "ready");
    return rc;
}

/* A scope: all that waits between enter and exit has one second altogether. */
static int menu(struct order *first, struct order *second)
{
    tusk_timeout second_is_over;
    int rc;

    tusk_try(tusk_timeout_enter(&second_is_over, 1));
    rc = cook(first);
    if (rc == 0)
        rc = cook(second);
    return tusk_timeout_exit(&second_is_over, rc);
}

static int manager(void *arg)
{
    struct order salad = {"salad", 0.3}, soup = {"soup", 0.4}, steak = {"steak", 2};

    (void)arg;
    printf("salad and soup: %s\n", tusk_strerror(menu(&salad, &soup)));
    printf("salad and steak: %s\n", tusk_strerror(menu(&salad, &steak)));
    if (tusk_wait_for(tusk_create_task(cook, &steak), 0.5) == -ETIMEDOUT)
        printf("no steak\n");
    return 0;
}

int main(void)
{
    return tusk_run(manager, NULL) < 0;
}
