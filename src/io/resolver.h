/*
 * What the resolver's questions have in common: the threads that wait for the answers.
 *
 * A lookup is a question with its own copies of all it needs, and room for the answer. It has a
 * reference for each side. The loop's side is the task that waits, and the list of the loop's
 * lookups, from which a loop that closes takes those whose tasks will never run again. The thread's
 * side goes with the job. So a thread that is stuck in the system's resolver holds nobody up: the
 * task leaves, the loop closes, and the thread, when it comes back, finds a lookup that is its own,
 * and frees it with its answer.
 *
 * Threads belong to a loop. Rejected: threads for the whole process. One loop's stuck lookups would
 * hold up another's, and a child process would find them gone.
 */
#ifndef TUSK__IO_RESOLVER_H
#define TUSK__IO_RESOLVER_H

#include <netdb.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include <tusk/resolver.h>

#include "os/threads.h"

/* The system's resolver. Tests put their own here, while no thread looks. */
struct tusk__resolver_system {
    int (*getaddrinfo)(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list);
    void (*freeaddrinfo)(struct addrinfo *list);
    int (*getnameinfo)(const struct sockaddr *address, socklen_t length, char *ret_host, socklen_t host_size,
                       char *ret_service, socklen_t service_size, int flags);
    /* How long a thread waits for a lookup before it ends, in nanoseconds. */
    int64_t patience;
};

extern struct tusk__resolver_system tusk__resolver_system;

/* Stands first in a block of tusk__alloc. */
struct tusk__lookup {
    struct tusk__link link;
    atomic_int references;
    /* Asks the system, in a thread. Returns 0 or a negative code, with its message. */
    int (*ask)(struct tusk__lookup *lookup);
    /* Frees what only the answer needs, in any thread. */
    void (*drop)(struct tusk__lookup *lookup);
};

/*
 * Asks in a thread and waits for the answer. Returns what ask() did; else why it did not or why nobody
 * waits for it any more, and then the answer belongs to the thread. The caller has the one reference
 * that a new lookup has, and keeps it. Suspends.
 */
int tusk__lookup_run(struct tusk__lookup *lookup, const char *where);

void tusk__lookup_release(struct tusk__lookup *lookup);

#endif
