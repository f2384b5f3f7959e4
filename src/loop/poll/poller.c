/*
 * Which poller a loop gets.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/poll/backends.h"

static const struct tusk__poll_backend *const backends[] = {
#if defined(__linux__)
    &tusk__poll_epoll,
#endif
    &tusk__poll_poll,
};

static const struct tusk__poll_backend *find(const char *name)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        if (strcmp(backends[i]->name, name) == 0)
            return backends[i];
    return NULL;
}

int tusk__poller_open(struct tusk__poller *poller, const char *name)
{
    if (!name || !*name)
        name = getenv("TUSK_POLLER");
    poller->watched = 0;
    poller->backend = name && *name ? find(name) : backends[0];
    return poller->backend ? poller->backend->open(poller) : -EINVAL;
}
