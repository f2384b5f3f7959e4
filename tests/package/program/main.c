/*
 * A program outside of the tree: it runs two tasks on an installed tusk and
 * says which version it found.
 */
#include <stdio.h>
#include <string.h>
#include <tusk.h>

static int child(void *arg)
{
    tusk_try(tusk_sleep(0.001));
    return *(const int *)arg;
}

static int parent(void *arg)
{
    (void)arg;
    return tusk_await(tusk_create_task(child, &(int){42}));
}

int main(void)
{
    if (tusk_run(parent, NULL) != 42 || strcmp(tusk_version(), TUSK_VERSION) != 0)
        return 1;
    printf("tusk %s works\n", tusk_version());
    return 0;
}
