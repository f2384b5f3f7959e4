/* Results and errors: a cook returns the price of a dish, or says what is missing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tusk.h>

/* A plain function that waits. Returns a price, or an error with a message. */
static int buy(const char *thing)
{
    tusk_try(tusk_sleep(0.1));
    if (strcmp(thing, "eggs") == 0)
        return tusk_raise(-ENOENT, "there are no %s in the shop", thing);
    return 4;
}

static int cook_salad(void *arg)
{
    (void)arg;
    return buy("lettuce");
}

static int cook_omelette(void *arg)
{
    int milk, eggs;

    (void)arg;
    tusk_try(milk = buy("milk"));
    tusk_try(eggs = buy("eggs"));
    printf("the omelette is ready\n"); /* not today */
    return milk + eggs;
}

static int manager(void *arg)
{
    tusk_task *tasks[2];
    int prices[2], rc;

    (void)arg;
    rc = tusk_await(tusk_create_task(cook_salad, NULL));
    printf("salad: %d\n", rc);
    rc = tusk_await(tusk_create_task(cook_omelette, NULL));
    printf("omelette: %s, that is: %s (%s)\n", tusk_errorname(rc), tusk_strerror(rc), tusk_message());

    tasks[0] = tusk_create_task(cook_salad, NULL);
    tasks[1] = tusk_create_task(cook_omelette, NULL);
    tusk_try(tusk_await(tusk_gather(tasks, 2, .return_exceptions = true, .results = prices)));
    printf("both: %d and %s\n", prices[0], tusk_errorname(prices[1]));

    tusk_release(tusk_create_task(cook_omelette, NULL, .name = "nobody's omelette"));
    return tusk_sleep(1);
}

int main(void)
{
    return tusk_run(manager, NULL) < 0;
}
