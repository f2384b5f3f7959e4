/*
 * A simulated network: its sockets, its clock, its chance.
 *
 * Everything that happens later (bytes arrive, room is heard of, a connection is made) is a timer in
 * the network's wheel, on the loop's clock. Whoever looks at the network moves it on first
 * (tusk__sim_advance), so nothing that is due is ever to come.
 *
 * A socket's number is that of a real one, unconnected and used for nothing else: so no number of
 * ours is ever somebody else's, and a real call that reaches it by mistake fails.
 *
 * All of a network belongs to its loop's thread; only the list of numbers is shared.
 */
#ifndef TUSK__LOOP_POLL_SIMULATED_NETWORK_H
#define TUSK__LOOP_POLL_SIMULATED_NETWORK_H

#include <stdatomic.h>

#include "loop/poll/poll.h"
#include "loop/poll/simulated.h"
#include "loop/wheel.h"

struct tusk__sim_socket;

/* Lists by port. */
enum { TUSK__SIM_BUCKETS = 256 };

struct tusk__sim_network {
    struct tusk__poller *poller;
    /* Watches what is not ours. */
    struct tusk__poller real;
    struct tusk__simulated_options options;
    bool configured;
    /* The wheel has the clock's time: from the first socket on. */
    bool started;
    uint64_t random;
    struct tusk__wheel wheel;
    struct tusk__sim_socket *sockets;
    size_t count;
    /* Those with an address of the Internet. */
    struct tusk__sim_socket *bound[TUSK__SIM_BUCKETS];
    /* Watched sockets that the next wait tells of, and those that the present one still has to. */
    struct tusk__sim_socket *told;
    struct tusk__sim_socket **told_end;
    struct tusk__sim_socket *telling;
    /* Somebody, in any thread, has called wake. */
    atomic_bool woken;
    /* The wait before had been woken. The loop's thread only. */
    bool woken_before;
    /* Watches that are not edge-triggered. */
    size_t levels;
    uint16_t last_port;
    uint32_t last_name;
};

/* The network's time in nanoseconds. */
int64_t tusk__sim_now(const struct tusk__sim_network *network);

/* Everything that is due happens. */
void tusk__sim_advance(struct tusk__sim_network *network);

/* Lets the timer fire at this time, or takes that back. */
void tusk__sim_start_at(struct tusk__sim_network *network, struct tusk__timer *timer, int64_t when);
void tusk__sim_stop(struct tusk__sim_network *network, struct tusk__timer *timer);

/* Fires the timer now, if it is pending. */
void tusk__sim_fire(struct tusk__sim_network *network, struct tusk__timer *timer);

/* A random number below `count`. 0 without a seed. */
uint64_t tusk__sim_draw(struct tusk__sim_network *network, uint64_t count);

/* True once in 1000 / thousandths times. Never without a seed. */
bool tusk__sim_chance(struct tusk__sim_network *network, int thousandths);

int64_t tusk__sim_delay(struct tusk__sim_network *network);
size_t tusk__sim_buffer_size(struct tusk__sim_network *network);

/* ---- numbers (numbers.c), from any thread ---- */

/* Opens a number for the socket and remembers whose it is. 0, -EMFILE, -ENOMEM. */
int tusk__sim_number_open(struct tusk__sim_socket *socket);

/* Forgets the number; the descriptor stays open. */
void tusk__sim_number_forget(struct tusk__sim_socket *socket);

/* Somebody may have closed the number behind our back, and it may be another descriptor's: then the socket ends. */
void tusk__sim_number_check(int fd);

/* Whose number it is; NULL: nobody's here. */
struct tusk__sim_socket *tusk__sim_number_find(int fd);

#endif
