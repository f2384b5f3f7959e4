/*
 * What servers of several workers share: the sockets that they listen on, and the clients.
 *
 * The first worker to listen on an address makes its sockets; each of them watches those by numbers
 * of its own, and whoever is awake accepts. But the connection goes to the worker with the fewest
 * clients, by a letter if that is another one. Rejected: a socket for each worker by SO_REUSEPORT,
 * where the system divides connections by a hash of their addresses (400 of them over 4 workers
 * came out as 84 to 115); and letting whoever accepts keep the connection (it is always the same
 * one that is told first, so it gets nearly all).
 */
#ifndef TUSK__IO_SHARE_H
#define TUSK__IO_SHARE_H

#include "io/listen.h"

struct tusk__share;
struct tusk_server;

/* True in a worker: servers of this loop share what they listen on. */
bool tusk__share_is_possible(const struct tusk_loop *loop);

/*
 * Takes part in what is asked for: makes the sockets, or takes those that another worker has made. The
 * binding is the caller's own, to be closed before tusk__share_leave.
 */
int tusk__share_join(const struct tusk__listen_request *request, struct tusk__binding *ret_binding,
                     struct tusk__share **ret_share);

/* From here on the server gets clients; and, no more. */
void tusk__share_serve(struct tusk__share *share, struct tusk_server *server);
void tusk__share_retire(struct tusk__share *share);

/* True if any worker's server gets clients. */
bool tusk__share_is_served(const struct tusk__share *share);

/* After tusk__share_retire. The last one to leave closes the sockets. */
void tusk__share_leave(struct tusk__share *share);

/*
 * Gives an accepted descriptor, which is its own in any case, to whoever has the fewest clients. 0,
 * or what was short.
 */
int tusk__share_deliver(struct tusk__share *share, int fd);

/* A client of this worker has gone; also after tusk__share_leave. */
void tusk__share_uncount(void);

#endif
