/*
 * A test that is to run with one poller, which TUSK_POLLER names, is skipped where that is not to be had: its
 * loops would take another one, and it would show nothing of what it is named after.
 */
#include <stdio.h>
#include <stdlib.h>

#include "loop/poll/poll.h"

enum { SKIPPED = 77 };

__attribute__((constructor)) static void skip_without_poller(void)
{
    struct tusk__poller poller;

    if (!getenv("TUSK_POLLER") || tusk__poller_open(&poller, NULL) < 0)
        return;
    poller.backend->close(&poller);
    if (!poller.refused)
        return;
    printf("skipped: the poller %s is not to be had here\n", poller.refused->name);
    exit(SKIPPED);
}
