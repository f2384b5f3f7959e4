/*
 * The simulated network: a poller with sockets of its own, for tests. They live in this process and
 * reach only each other; what comes, when, and in which pieces is drawn from a seed. On a virtual
 * clock the same seed gives the same run exactly, and nothing takes time: what is on its way arrives
 * when the clock has jumped there, and when nothing is on its way and all tasks wait, the run ends with
 * -EDEADLK and names them.
 *
 * A loop gets it by its name, "simulated"; its seed is that of the loop's schedule. Each loop has a
 * network of its own. Its sockets are those of tusk_socket(), tusk_socketpair() and accept, of the
 * Internet's two families and the Unix domain, for bytes and for messages. Every address of the
 * Internet is this machine's, but for the documentation's (192.0.2.0/24, 2001:db8::/32), where nobody
 * ever answers. What others made (pipes, files, descriptors of processes, sockets of other libraries)
 * is left to the system and its best poller.
 *
 * What real networks do and this one does not: urgent data, descriptors and credentials in Unix
 * sockets, SOCK_SEQPACKET, duplicates of a number (dup).
 */
#ifndef TUSK__LOOP_POLL_SIMULATED_H
#define TUSK__LOOP_POLL_SIMULATED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tusk__poller;

/* Times are in nanoseconds, chances in thousandths of all calls that they may befall. */
struct tusk__simulated_options {
    /* 0: nothing is left to chance; each delay is the shortest, each buffer the largest. */
    uint64_t seed;
    /* From sending to arriving, and from reading to the writer's hearing of the room. */
    int64_t min_delay;
    int64_t max_delay;
    /* Not in the Unix domain: what is sent there is there, as in a real system. */
    bool instant_unix;
    /* What a connection holds in one direction: on its way, or come and not read. */
    size_t min_buffer;
    size_t max_buffer;
    /* A read or write does less than it could; the rest comes, or gets room, later. */
    int short_reads;
    int short_writes;
    /* Something that is on its way to this socket arrives before its time: between any two calls. */
    int haste;
    /* The poller tells of what it has told already. */
    int repeats;
    /* The connection is reset while something is sent. */
    int resets;
    /* Of messages by the Internet. */
    int losses;
    int duplicates;
    int reorders;
};

/* What a loop gets that was given this seed. */
struct tusk__simulated_options tusk__simulated_defaults(uint64_t seed);

/*
 * Changes the network of this poller. Before its first socket for all of it, later for what comes after. -EINVAL for
 * another poller, or for numbers that make no sense.
 */
int tusk__simulated_configure(struct tusk__poller *poller, const struct tusk__simulated_options *options);

/* How many simulated sockets there are, connections that nobody accepted yet included. */
size_t tusk__simulated_count(const struct tusk__poller *poller);

#endif
