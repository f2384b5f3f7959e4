/*
 * The poller of the simulated network: it tells of the network's own sockets, and has a real poller
 * beneath for everything else.
 */
#include "loop/poll/simulated.h"

#include <errno.h>
#include <poll.h>

#include "base/mem.h"
#include "loop/poll/backends.h"
#include "loop/poll/simulated/socket.h"
#include "loop/poll/simulated/table.h"

#if !defined(POLLRDHUP)
#define POLLRDHUP 0
#endif

/* In `expected` of a watch: its socket is one of ours. No other backend has such a direction. */
enum { OURS = 1 << 16 };

/* So many may be told of before whose turn it is. */
enum { DISORDER = 8 };

static struct tusk__sim_network *network_of(const struct tusk__poller *poller)
{
    return poller->state;
}

/* ---- life ---- */

static int simulated_open(struct tusk__poller *poller)
{
    struct tusk__sim_network *network = tusk__alloc(sizeof *network);
    int rc;

    if (!network)
        return -ENOMEM;
    rc = tusk__poller_open_best(&network->real);
    if (rc < 0) {
        tusk__free(network);
        return rc;
    }
    network->poller = poller;
    network->told_end = &network->told;
    poller->state = network;
    return 0;
}

/* Sockets that are left lose their network; their numbers are still their owners'. */
static void simulated_close(struct tusk__poller *poller)
{
    struct tusk__sim_network *network = network_of(poller);

    while (network->sockets)
        tusk__sim_socket_abandon(network->sockets);
    network->real.backend->close(&network->real);
    tusk__free(network);
    poller->state = NULL;
}

/* ---- telling ---- */

static int events_of(struct tusk__sim_socket *socket)
{
    int found = tusk__sim_socket_poll(socket);
    int events = 0;

    if (found & (POLLIN | POLLRDHUP | POLLHUP | POLLERR))
        events |= TUSK__POLL_READ;
    if (found & (POLLOUT | POLLHUP | POLLERR))
        events |= TUSK__POLL_WRITE;
    events &= socket->watch->events | (found & (POLLHUP | POLLERR) ? TUSK__POLL_READ | TUSK__POLL_WRITE : 0);
    if (events && (found & (POLLRDHUP | POLLHUP | POLLERR)))
        events |= TUSK__POLL_ENDED;
    return events;
}

/* One of the first that are left to tell of. */
static struct tusk__sim_socket *choose(struct tusk__sim_network *network)
{
    struct tusk__sim_socket *at = network->telling;

    for (uint64_t place = tusk__sim_draw(network, DISORDER); place > 0 && at->told_next; place--)
        at = at->told_next;
    return at;
}

/* What ready() brings about is for the next round. It may also end any watch. */
static void tell_all(struct tusk__sim_network *network)
{
    if (!network->told)
        return;
    network->telling = network->told;
    network->telling->told_from = &network->telling;
    network->told = NULL;
    network->told_end = &network->told;
    while (network->telling) {
        struct tusk__sim_socket *socket = choose(network);
        int events = events_of(socket);

        tusk__sim_socket_untell(socket);
        if (events)
            socket->watch->ready(socket->watch, events);
    }
}

/* A watch that is not edge-triggered hears in each wait of what is there. */
static void add_levels(struct tusk__sim_network *network)
{
    if (network->levels == 0)
        return;
    for (struct tusk__sim_socket *at = network->sockets; at; at = at->next)
        if (at->watch && !(at->watch->events & TUSK__POLL_EDGE) && events_of(at))
            tusk__sim_socket_tell(at, at->watch->events);
}

/*
 * A look costs a system call only if there is something to look at. Of many wake-ups one wait may leave some, which
 * the next look takes, so that no sleep after that is cut short.
 */
static int wait_for_others(struct tusk__sim_network *network, int64_t timeout)
{
    bool woken = atomic_exchange(&network->woken, false);
    bool looks = woken || network->woken_before || network->real.watched > 0;

    network->woken_before = woken;
    if (timeout == 0 && !looks)
        return 0;
    return network->real.backend->wait(&network->real, timeout);
}

static int simulated_wait(struct tusk__poller *poller, int64_t timeout)
{
    struct tusk__sim_network *network = network_of(poller);
    int rc;

    tusk__sim_advance(network);
    add_levels(network);
    rc = wait_for_others(network, network->told ? 0 : timeout);
    if (rc < 0)
        return rc;
    tusk__sim_advance(network);
    add_levels(network);
    tell_all(network);
    return 0;
}

static void simulated_wake(struct tusk__poller *poller)
{
    struct tusk__poller *real = &network_of(poller)->real;

    real->backend->wake(real);
    atomic_store(&network_of(poller)->woken, true);
}

static int64_t simulated_due(struct tusk__poller *poller)
{
    struct tusk__sim_network *network = network_of(poller);

    if (!network->started)
        return TUSK__NEVER;
    tusk__sim_advance(network);
    return network->told ? tusk__sim_now(network) : tusk__wheel_bound(&network->wheel);
}

static bool simulated_owns(const struct tusk__poller *poller, int fd)
{
    const struct tusk__sim_socket *socket = tusk__sim_number_find(fd);

    return socket && socket->network == network_of(poller);
}

/* ---- watches ---- */

static struct tusk__sim_socket *socket_of(const struct tusk__watch *watch)
{
    struct tusk__sim_socket *socket = tusk__sim_number_find(watch->fd);

    return socket && socket->watch == watch ? socket : NULL;
}

/* What is ready now is a change. */
static void look(struct tusk__sim_socket *socket)
{
    if (events_of(socket))
        tusk__sim_socket_tell(socket, TUSK__POLL_READ | TUSK__POLL_WRITE);
}

static int watch_ours(struct tusk__sim_socket *socket, struct tusk__watch *watch)
{
    if (socket->watch)
        return -EEXIST;
    if (tusk__fail_now())
        return -ENOSPC;
    socket->watch = watch;
    socket->network->levels += !(watch->events & TUSK__POLL_EDGE);
    watch->expected = OURS;
    look(socket);
    return 0;
}

static int simulated_watch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct tusk__poller *real = &network_of(poller)->real;
    int rc;

    tusk__sim_number_check(watch->fd);
    watch->expected = 0;
    if (simulated_owns(poller, watch->fd))
        rc = watch_ours(tusk__sim_number_find(watch->fd), watch);
    else
        rc = real->backend->watch(real, watch);
    if (rc == 0)
        poller->watched++;
    return rc;
}

static void simulated_expect(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    struct tusk__poller *real = &network_of(poller)->real;

    if (watch->expected != OURS && real->backend->expect)
        real->backend->expect(real, watch, events);
}

static int simulated_again(struct tusk__poller *poller, struct tusk__watch *watch, int events)
{
    struct tusk__poller *real = &network_of(poller)->real;
    struct tusk__sim_socket *socket;

    if (watch->expected != OURS)
        return real->backend->again(real, watch, events);
    tusk__sim_number_check(watch->fd);
    socket = socket_of(watch);
    if (!socket)
        return -EBADF;
    look(socket);
    return 0;
}

static void simulated_unwatch(struct tusk__poller *poller, struct tusk__watch *watch)
{
    struct tusk__poller *real = &network_of(poller)->real;
    struct tusk__sim_socket *socket;

    poller->watched--;
    if (watch->expected != OURS) {
        real->backend->unwatch(real, watch);
        return;
    }
    socket = socket_of(watch);
    if (!socket)
        return;
    tusk__sim_socket_untell(socket);
    socket->network->levels -= !(watch->events & TUSK__POLL_EDGE);
    socket->watch = NULL;
}

static int simulated_fileno(const struct tusk__poller *poller)
{
    const struct tusk__poller *real = &network_of(poller)->real;

    return real->backend->fileno(real);
}

const struct tusk__poll_backend tusk__poll_simulated = {
    .name = "simulated",
    .system = &tusk__system_simulated,
    .open = simulated_open,
    .close = simulated_close,
    .wait = simulated_wait,
    .wake = simulated_wake,
    .watch = simulated_watch,
    .expect = simulated_expect,
    .again = simulated_again,
    .unwatch = simulated_unwatch,
    .fileno = simulated_fileno,
    .rest_on = tusk__sim_rest_on,
    .due = simulated_due,
    .owns = simulated_owns,
};
