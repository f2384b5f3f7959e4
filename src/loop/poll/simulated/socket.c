#include "loop/poll/simulated/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

#if !defined(POLLRDHUP)
#define POLLRDHUP 0
#endif

/* ---- life ---- */

/* The network begins with its first socket: only then the poller knows its clock and its seed. */
static void start(struct tusk__sim_network *network)
{
    struct tusk__simulated_options options = tusk__simulated_defaults(network->poller->seed);

    if (network->started)
        return;
    network->started = true;
    tusk__wheel_init(&network->wheel, tusk__sim_now(network));
    if (!network->configured)
        tusk__simulated_configure(network->poller, &options);
}

/* The address of a socket that has none. */
static struct tusk__sim_address no_address(int domain)
{
    struct tusk__sim_address address;

    memset(&address, 0, sizeof address);
    address.any.ss_family = (sa_family_t)domain;
    address.size = domain == AF_INET    ? (socklen_t)sizeof(struct sockaddr_in)
                   : domain == AF_INET6 ? (socklen_t)sizeof(struct sockaddr_in6)
                                        : (socklen_t)offsetof(struct sockaddr_un, sun_path);
    return address;
}

struct tusk__sim_socket *tusk__sim_socket_new(struct tusk__sim_network *network, int domain, int type)
{
    struct tusk__sim_socket *socket = tusk__alloc(sizeof *socket);

    if (!socket)
        return NULL;
    start(network);
    socket->network = network;
    socket->fd = -1;
    socket->domain = domain;
    socket->type = type;
    socket->local = no_address(domain);
    socket->queue_end = &socket->queue;
    socket->messages_end = &socket->messages;
    tusk__sim_flow_open(&socket->in, network, domain == AF_UNIX);
    tusk__sim_connection_open(socket);
    socket->next = network->sockets;
    socket->from = &network->sockets;
    if (socket->next)
        socket->next->from = &socket->next;
    network->sockets = socket;
    network->count++;
    return socket;
}

void tusk__sim_socket_free(struct tusk__sim_socket *socket)
{
    struct tusk__sim_network *network = socket->network;

    tusk__sim_number_forget(socket);
    tusk__sim_socket_untell(socket);
    tusk__sim_unbind(socket);
    tusk__sim_stop(network, &socket->step);
    tusk__sim_flow_close(&socket->in);
    if (socket->watch)
        network->levels -= !(socket->watch->events & TUSK__POLL_EDGE);
    *socket->from = socket->next;
    if (socket->next)
        socket->next->from = socket->from;
    network->count--;
    tusk__free(socket);
}

void tusk__sim_socket_abandon(struct tusk__sim_socket *socket)
{
    if (socket->type == SOCK_STREAM)
        tusk__sim_connection_leave(socket);
    else
        tusk__sim_message_leave(socket);
    tusk__sim_socket_free(socket);
}

/* It has a number from here on, or is gone. */
static int open_number(struct tusk__sim_socket *socket)
{
    int rc = tusk__sim_number_open(socket);

    if (rc == 0)
        return socket->fd;
    tusk__sim_socket_free(socket);
    return rc;
}

int tusk__sim_socket_open(struct tusk__sim_network *network, int domain, int type)
{
    struct tusk__sim_socket *socket = tusk__sim_socket_new(network, domain, type);

    return socket ? open_number(socket) : -ENOMEM;
}

int tusk__sim_socket_open_pair(struct tusk__sim_network *network, int domain, int type, int ret_fds[2])
{
    int left = tusk__sim_socket_open(network, domain, type);
    int right = left < 0 ? left : tusk__sim_socket_open(network, domain, type);

    if (right < 0) {
        if (left >= 0)
            tusk__sim_socket_close(tusk__sim_number_find(left));
        return right;
    }
    tusk__sim_connection_join(tusk__sim_number_find(left), tusk__sim_number_find(right));
    ret_fds[0] = left;
    ret_fds[1] = right;
    return 0;
}

int tusk__sim_socket_close(struct tusk__sim_socket *socket)
{
    int fd = socket->fd;

    tusk__sim_socket_abandon(socket);
    return close(fd) < 0 ? -errno : 0;
}

/* ---- telling ---- */

void tusk__sim_socket_tell(struct tusk__sim_socket *socket, int directions)
{
    struct tusk__sim_network *network = socket->network;

    if (!socket->watch || !(socket->watch->events & directions) || socket->told_from)
        return;
    socket->told_next = NULL;
    socket->told_from = network->told_end;
    *network->told_end = socket;
    network->told_end = &socket->told_next;
}

void tusk__sim_socket_untell(struct tusk__sim_socket *socket)
{
    struct tusk__sim_network *network = socket->network;

    if (!socket->told_from)
        return;
    if (network->told_end == &socket->told_next)
        network->told_end = socket->told_from;
    *socket->told_from = socket->told_next;
    if (socket->told_next)
        socket->told_next->told_from = socket->told_from;
    socket->told_from = NULL;
}

/* ---- what it is ready for ---- */

static int poll_connection(struct tusk__sim_socket *socket)
{
    bool ended = socket->in.ended || socket->read_shut;
    bool writable = socket->write_shut || !socket->peer || tusk__sim_flow_is_writable(&socket->peer->in);
    int events = socket->in.arrived > 0 || ended ? POLLIN : 0;

    if (writable)
        events |= POLLOUT;
    else
        socket->peer->in.full = true;
    if (ended)
        events |= POLLRDHUP;
    if (ended && (socket->write_shut || (tusk__sim_is_unix(socket) && !socket->peer)))
        events |= POLLHUP;
    return events;
}

static int poll_messages(struct tusk__sim_socket *socket)
{
    int events = socket->messages ? POLLIN : 0;

    if (tusk__sim_message_is_writable(socket))
        return events | POLLOUT;
    socket->full = true;
    return events;
}

static bool has_complete(const struct tusk__sim_socket *socket)
{
    for (const struct tusk__sim_socket *at = socket->queue; at; at = at->queue_next)
        if (at->complete)
            return true;
    return false;
}

static int poll_by_state(struct tusk__sim_socket *socket)
{
    switch (socket->state) {
    case TUSK__SIM_LISTENING:
        return has_complete(socket) ? POLLIN : 0;
    case TUSK__SIM_CONNECTING:
        return 0;
    case TUSK__SIM_FRESH:
        return POLLOUT | POLLHUP;
    case TUSK__SIM_CONNECTED:
        return poll_connection(socket);
    default:
        return POLLIN | POLLOUT | POLLHUP | POLLRDHUP;
    }
}

int tusk__sim_socket_poll(struct tusk__sim_socket *socket)
{
    int events = socket->type == SOCK_STREAM ? poll_by_state(socket) : poll_messages(socket);

    return socket->error ? events | POLLERR : events;
}

/* ---- options ---- */

int tusk__sim_socket_take_error(struct tusk__sim_socket *socket)
{
    int error = socket->error;

    socket->error = 0;
    return error;
}

static int get_number(struct tusk__sim_socket *socket, int option, int *ret_value)
{
    switch (option) {
    case SO_ERROR:
        *ret_value = tusk__sim_socket_take_error(socket);
        return 0;
    case SO_TYPE:
        *ret_value = socket->type;
        return 0;
    case SO_ACCEPTCONN:
        *ret_value = socket->state == TUSK__SIM_LISTENING;
        return 0;
    case SO_REUSEADDR:
        *ret_value = socket->reuse_address;
        return 0;
    case SO_RCVBUF:
        *ret_value = (int)socket->in.limit;
        return 0;
    case SO_SNDBUF:
        *ret_value = (int)(socket->peer ? socket->peer->in.limit : socket->in.limit);
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int tusk__sim_socket_get_option(struct tusk__sim_socket *socket, int level, int option, void *ret_value,
                                socklen_t *size)
{
    int value;
    int rc = level == SOL_SOCKET ? get_number(socket, option, &value) : -ENOPROTOOPT;

    if (rc < 0)
        return rc;
    if (*size > sizeof value)
        *size = sizeof value;
    memcpy(ret_value, &value, *size);
    return 0;
}

static bool is_on(const void *value, socklen_t size)
{
    int number = 0;

    memcpy(&number, value, size < sizeof number ? size : sizeof number);
    return number != 0;
}

static void set_linger(struct tusk__sim_socket *socket, const void *value, socklen_t size)
{
    struct linger linger = {0};

    memcpy(&linger, value, size < sizeof linger ? size : sizeof linger);
    socket->abortive = linger.l_onoff && linger.l_linger == 0;
}

/* What means nothing here is taken for granted. */
int tusk__sim_socket_set_option(struct tusk__sim_socket *socket, int level, int option, const void *value,
                                socklen_t size)
{
    if (!value || size < sizeof(int))
        return -EINVAL;
    if (level == SOL_SOCKET && option == SO_LINGER)
        set_linger(socket, value, size);
    else if (level == SOL_SOCKET && option == SO_REUSEADDR)
        socket->reuse_address = is_on(value, size);
#if defined(SO_REUSEPORT)
    else if (level == SOL_SOCKET && option == SO_REUSEPORT)
        socket->reuse_port = is_on(value, size);
#endif
    else if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY)
        socket->only_v6 = is_on(value, size);
    return 0;
}
