/*
 * Which poller a loop gets.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/poll/backends.h"

static const struct tusk__poll_backend *const backends[] = {
#if defined(__linux__)
    &tusk__poll_epoll,  &tusk__poll_io_uring,
#endif
#if defined(TUSK_HAVE_KQUEUE)
    &tusk__poll_kqueue,
#endif
    &tusk__poll_poll,   &tusk__poll_simulated,
};

static const struct tusk__poll_backend *find(const char *name)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        if (strcmp(backends[i]->name, name) == 0)
            return backends[i];
    return NULL;
}

/* Opens it, or what is there in its place. */
static int open_backend(struct tusk__poller *poller, const struct tusk__poll_backend *backend)
{
    int rc;

    *poller = (struct tusk__poller){.backend = backend};
    if (!backend)
        return -EINVAL;
    rc = backend->open(poller);
    if (rc == 0 || !backend->otherwise)
        return rc;
    poller->refused = backend;
    poller->refused_code = rc;
    poller->backend = backend->otherwise;
    return poller->backend->open(poller);
}

int tusk__poller_open_best(struct tusk__poller *poller)
{
    return open_backend(poller, backends[0]);
}

int tusk__poller_open(struct tusk__poller *poller, const char *name)
{
    if (!name || !*name)
        name = getenv("TUSK_POLLER");
    return open_backend(poller, name && *name ? find(name) : backends[0]);
}
