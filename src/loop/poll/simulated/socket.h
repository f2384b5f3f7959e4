/*
 * Simulated sockets: what all of them have, and what those for bytes, those that listen and those for
 * messages have besides.
 *
 * Life: a socket goes when its number is closed (tusk__sim_socket_close), or, if it is a connection
 * that nobody accepted yet and has no number, with its listener. Nothing of it is needed
 * afterwards: what it has sent is its peer's.
 */
#ifndef TUSK__LOOP_POLL_SIMULATED_SOCKET_H
#define TUSK__LOOP_POLL_SIMULATED_SOCKET_H

#include <sys/socket.h>
#include <sys/types.h>

#include "loop/poll/simulated/flow.h"

enum tusk__sim_state {
    TUSK__SIM_FRESH,
    TUSK__SIM_LISTENING,
    TUSK__SIM_CONNECTING,
    TUSK__SIM_CONNECTED,
    /* Reset, or refused. */
    TUSK__SIM_CUT,
};

struct tusk__sim_address {
    struct sockaddr_storage any;
    /* 0: none. */
    socklen_t size;
};

struct tusk__sim_message;

struct tusk__sim_socket {
    struct tusk__sim_network *network;
    /* -1: none. */
    int fd;
    /* Which open file the number is. */
    uint64_t identity;
    int domain;
    int type;
    enum tusk__sim_state state;
    /* SO_ERROR. */
    int error;
    bool reuse_address;
    bool reuse_port;
    bool only_v6;
    /* Closing resets the connection. */
    bool abortive;
    bool read_shut;
    bool write_shut;
    /* All of the network's. */
    struct tusk__sim_socket *next;
    struct tusk__sim_socket **from;

    /* --- names --- */
    struct tusk__sim_address local;
    struct tusk__sim_address remote;
    /* Its place among those with this port; from is NULL: it has none. */
    struct tusk__sim_socket *bound_next;
    struct tusk__sim_socket **bound_from;
    /* The file of a Unix socket; 0: none. */
    dev_t device;
    ino_t inode;

    /* --- telling --- */
    struct tusk__watch *watch;
    /* Its place among those that are to be told of. */
    struct tusk__sim_socket *told_next;
    struct tusk__sim_socket **told_from;

    /* --- connections --- */
    /* The other end; NULL: none, or it has gone. */
    struct tusk__sim_socket *peer;
    struct tusk__sim_flow in;
    /* The next step of connecting; of one that waits to be accepted: it is complete. */
    struct tusk__timer step;
    int tries;

    /* --- listening --- */
    int backlog;
    /* Connections to be accepted, in their order. */
    struct tusk__sim_socket *queue;
    struct tusk__sim_socket **queue_end;
    int queued;
    /* Of such a connection: whose it is, the next one, and whether it is complete. */
    struct tusk__sim_socket *listener;
    struct tusk__sim_socket *queue_next;
    bool complete;

    /* --- messages --- */
    /* On their way to this socket; and those that have come, in their order. */
    struct tusk__sim_message *coming;
    struct tusk__sim_message *messages;
    struct tusk__sim_message **messages_end;
    /* Of both. */
    size_t message_count;
    size_t message_bytes;
    int64_t last_message;
    /* It could not send, and wants to hear when it can. */
    bool full;
    bool held;
    /* The Unix socket that it was connected to has gone. */
    bool orphaned;
};

static inline bool tusk__sim_is_unix(const struct tusk__sim_socket *socket)
{
    return socket->domain == AF_UNIX;
}

/* ---- life (socket.c) ---- */

/* A socket without a number. NULL without memory. */
struct tusk__sim_socket *tusk__sim_socket_new(struct tusk__sim_network *network, int domain, int type);

/* Takes it out of everything and frees it; the number stays open, and peers hear nothing. */
void tusk__sim_socket_free(struct tusk__sim_socket *socket);

/* Its peers hear that it has gone, as if the system closed it. The number stays open. */
void tusk__sim_socket_abandon(struct tusk__sim_socket *socket);

/* New ones: the number, or 0. -EMFILE, -ENOMEM. */
int tusk__sim_socket_open(struct tusk__sim_network *network, int domain, int type);
int tusk__sim_socket_open_pair(struct tusk__sim_network *network, int domain, int type, int ret_fds[2]);
int tusk__sim_socket_close(struct tusk__sim_socket *socket);

/* What poll(2) would say of it, of everything that it could. */
int tusk__sim_socket_poll(struct tusk__sim_socket *socket);

/* Something about it has changed in these directions (TUSK__POLL_READ, _WRITE): the next wait tells of it. */
void tusk__sim_socket_tell(struct tusk__sim_socket *socket, int directions);

/* Nobody is to be told of it any more. */
void tusk__sim_socket_untell(struct tusk__sim_socket *socket);

/* The error that stands in the way, which goes with this; 0: none. */
int tusk__sim_socket_take_error(struct tusk__sim_socket *socket);

int tusk__sim_socket_get_option(struct tusk__sim_socket *socket, int level, int option, void *ret_value,
                                socklen_t *size);
int tusk__sim_socket_set_option(struct tusk__sim_socket *socket, int level, int option, const void *value,
                                socklen_t size);

/* ---- names (name.c) ---- */

int tusk__sim_bind(struct tusk__sim_socket *socket, const struct sockaddr *address, socklen_t size);

/* Gives it a local address, if it has none: one to reach `remote` from, or all (NULL). 0; -EADDRNOTAVAIL: no port is left. */
int tusk__sim_bind_any(struct tusk__sim_socket *socket, const struct tusk__sim_address *remote);

/* The address from which it reaches this one. */
struct tusk__sim_address tusk__sim_source(const struct tusk__sim_socket *socket,
                                          const struct tusk__sim_address *remote);
void tusk__sim_unbind(struct tusk__sim_socket *socket);

/* Copies an address in. 0, -EINVAL, -EAFNOSUPPORT. */
int tusk__sim_address_take(const struct tusk__sim_socket *socket, const struct sockaddr *address,
                           socklen_t size, struct tusk__sim_address *ret_address);

/* The same of one that is to be reached: "any" is this machine. */
int tusk__sim_address_take_remote(const struct tusk__sim_socket *socket, const struct sockaddr *address,
                                  socklen_t size, struct tusk__sim_address *ret_address);

/* The same address in the form that the sockets of this domain know: one of IPv4 in that of IPv6, or back. */
struct tusk__sim_address tusk__sim_address_for(int domain, const struct tusk__sim_address *address);

/* Copies it out as the system does. */
void tusk__sim_address_give(const struct tusk__sim_address *address, struct sockaddr *ret_address,
                            socklen_t *size);

/* An address at which nobody ever answers. */
bool tusk__sim_address_is_silent(const struct tusk__sim_address *address);

/* One to which no way leads: the broadcast address. */
bool tusk__sim_address_is_nowhere(const struct tusk__sim_address *address);

/* Somebody else listens there. */
bool tusk__sim_is_taken(const struct tusk__sim_socket *socket);

/* Who is to get what `sender` sends to this address: 0; or -ECONNREFUSED, -ENOENT and the like. */
int tusk__sim_find_receiver(const struct tusk__sim_socket *sender, const struct tusk__sim_address *address,
                            struct tusk__sim_socket **ret_socket);

/* ---- connections (connection.c) ---- */

void tusk__sim_connection_open(struct tusk__sim_socket *socket);
void tusk__sim_connection_join(struct tusk__sim_socket *left, struct tusk__sim_socket *right);
int tusk__sim_listen(struct tusk__sim_socket *socket, int backlog);
/* The next connection's number; -EAGAIN, -EMFILE, -EINVAL. */
int tusk__sim_accept(struct tusk__sim_socket *socket, struct sockaddr *ret_address, socklen_t *size);
int tusk__sim_connect(struct tusk__sim_socket *socket, const struct tusk__sim_address *address);
int tusk__sim_shutdown(struct tusk__sim_socket *socket, int how);
/* Both ends will hear that it is broken, and what is on its way is lost. It has a peer. */
void tusk__sim_connection_break(struct tusk__sim_socket *socket);
/* It goes: peers hear of it. */
void tusk__sim_connection_leave(struct tusk__sim_socket *socket);

/* ---- bytes and messages (transfer.c, message.c) ---- */

ssize_t tusk__sim_receive(struct tusk__sim_socket *socket, struct msghdr *message, int flags);
ssize_t tusk__sim_send(struct tusk__sim_socket *socket, const struct msghdr *message, int flags);

int tusk__sim_message_connect(struct tusk__sim_socket *socket, const struct tusk__sim_address *address);
ssize_t tusk__sim_message_receive(struct tusk__sim_socket *socket, struct msghdr *message, int flags);
ssize_t tusk__sim_message_send(struct tusk__sim_socket *socket, const struct msghdr *message);
bool tusk__sim_message_is_writable(const struct tusk__sim_socket *socket);
/* It goes, with the messages that it has. */
void tusk__sim_message_leave(struct tusk__sim_socket *socket);

#endif
