/*
 * One direction of a connection: bytes that are on their way to a reader, and those that have come.
 *
 * The reader owns it, for what was sent arrives also after the sender has gone. Bytes travel in
 * pieces, each with its time of arrival, never one before another; behind the last comes the end, and
 * behind that a reset. Room that the reader makes is known to the writer a delay later.
 *
 * Readiness has edges as the system's has: a read that brings less than was there leaves the rest as
 * something that has not come yet, and a write that takes less than would fit leaves no room at all, so
 * that in both cases an edge follows.
 */
#ifndef TUSK__LOOP_POLL_SIMULATED_FLOW_H
#define TUSK__LOOP_POLL_SIMULATED_FLOW_H

#include <sys/socket.h>

#include "loop/poll/simulated/network.h"

enum { TUSK__SIM_PIECES = 16 };

struct tusk__sim_piece {
    int64_t when;
    size_t size;
};

struct tusk__sim_flow {
    struct tusk__sim_network *network;
    /* There are no delays. */
    bool instant;
    /* A ring: `count` bytes from `start` on, of which the first `arrived` have come. NULL: never used. */
    char *data;
    size_t size;
    size_t start;
    size_t count;
    size_t arrived;
    /* How much it may hold. */
    size_t limit;
    /* Bytes that were read, and the writer has not heard of it. */
    size_t unheard;
    /* What the rest of `count` comes in. More pieces than fit are one with the last. */
    struct tusk__sim_piece pieces[TUSK__SIM_PIECES];
    size_t piece_count;
    /* The writer has ended; the end has come. */
    bool ending;
    bool ended;
    /* A reset is on its way; behind everything else. */
    bool resetting;
    /* When what comes last comes. */
    int64_t last;
    /* The writer found no room and wants to hear of some. */
    bool full;
    /* There is no room for a while, by chance. */
    bool held;
    /* The next piece, or the end, arrives; the writer hears of room. */
    struct tusk__timer arrival;
    struct tusk__timer room;
};

/* Of a new flow. The timers' functions are the socket's. */
void tusk__sim_flow_open(struct tusk__sim_flow *flow, struct tusk__sim_network *network, bool is_unix);
void tusk__sim_flow_close(struct tusk__sim_flow *flow);

/* When something arrives that sets out now. */
int64_t tusk__sim_flow_arrival(const struct tusk__sim_flow *flow);

/* Room for the writer, in bytes; and whether that is enough to call it writable. */
size_t tusk__sim_flow_room(const struct tusk__sim_flow *flow);
bool tusk__sim_flow_is_writable(const struct tusk__sim_flow *flow);

/* How many bytes were taken; -EAGAIN, -ENOMEM. */
ssize_t tusk__sim_flow_write(struct tusk__sim_flow *flow, const struct iovec *data, size_t count);

/* Reads bytes that have come: how many. */
size_t tusk__sim_flow_read(struct tusk__sim_flow *flow, const struct iovec *buffers, size_t count, bool peek);

/* Behind what was written comes the end, or a reset. */
void tusk__sim_flow_end(struct tusk__sim_flow *flow);
void tusk__sim_flow_reset(struct tusk__sim_flow *flow);

/* What is on its way is lost. */
void tusk__sim_flow_drop(struct tusk__sim_flow *flow);

/* What tusk__sim_flow_arrive says has come. */
enum tusk__sim_arrival { TUSK__SIM_BYTES, TUSK__SIM_END, TUSK__SIM_RESET };

/* `arrival` has fired: what has come. Starts it again for what is next. */
enum tusk__sim_arrival tusk__sim_flow_arrive(struct tusk__sim_flow *flow);

/* `room` has fired: true if the writer wants to hear of it. */
bool tusk__sim_flow_make_room(struct tusk__sim_flow *flow);

#endif
