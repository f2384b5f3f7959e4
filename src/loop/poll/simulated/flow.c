#include "loop/poll/simulated/flow.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* The first memory of a ring. */
enum { RING = 1024 };

/* ---- the ring ---- */

static void copy_in(struct tusk__sim_flow *flow, const char *data, size_t size)
{
    size_t at = (flow->start + flow->count) & (flow->size - 1);
    size_t first = size < flow->size - at ? size : flow->size - at;

    memcpy(flow->data + at, data, first);
    memcpy(flow->data, data + first, size - first);
    flow->count += size;
}

/* Copies `size` bytes out, `offset` bytes from the first. */
static void copy_out(const struct tusk__sim_flow *flow, size_t offset, char *buffer, size_t size)
{
    size_t at = (flow->start + offset) & (flow->size - 1);
    size_t first = size < flow->size - at ? size : flow->size - at;

    memcpy(buffer, flow->data + at, first);
    memcpy(buffer + first, flow->data, size - first);
}

static int reserve(struct tusk__sim_flow *flow, size_t size)
{
    size_t larger = flow->size ? flow->size : RING;
    char *data;

    if (flow->count + size <= flow->size)
        return 0;
    while (larger < flow->count + size)
        larger *= 2;
    data = tusk__alloc(larger);
    if (!data)
        return -ENOMEM;
    if (flow->count > 0)
        copy_out(flow, 0, data, flow->count);
    tusk__free(flow->data);
    flow->data = data;
    flow->size = larger;
    flow->start = 0;
    return 0;
}

void tusk__sim_flow_open(struct tusk__sim_flow *flow, struct tusk__sim_network *network, bool is_unix)
{
    flow->network = network;
    flow->instant = is_unix && network->options.instant_unix;
    flow->limit = tusk__sim_buffer_size(network);
}

void tusk__sim_flow_close(struct tusk__sim_flow *flow)
{
    if (!flow->network)
        return;
    tusk__sim_stop(flow->network, &flow->arrival);
    tusk__sim_stop(flow->network, &flow->room);
    tusk__free(flow->data);
    flow->data = NULL;
}

/* ---- what is on its way ---- */

int64_t tusk__sim_flow_arrival(const struct tusk__sim_flow *flow)
{
    return tusk__sim_now(flow->network) + (flow->instant ? 0 : tusk__sim_delay(flow->network));
}

/* Starts the timer for whatever comes next, if it does not run. */
static void expect_next(struct tusk__sim_flow *flow)
{
    if (tusk__timer_pending(&flow->arrival))
        return;
    if (flow->piece_count > 0)
        tusk__sim_start_at(flow->network, &flow->arrival, flow->pieces[0].when);
    else if ((flow->ending && !flow->ended) || flow->resetting)
        tusk__sim_start_at(flow->network, &flow->arrival, flow->last);
}

/* When something arrives that is sent now: not before what was sent before. */
static int64_t arrival_time(struct tusk__sim_flow *flow)
{
    int64_t when = tusk__sim_flow_arrival(flow);

    flow->last = when > flow->last ? when : flow->last;
    return flow->last;
}

static void send_piece(struct tusk__sim_flow *flow, size_t size)
{
    struct tusk__sim_piece piece = {arrival_time(flow), size};

    if (flow->piece_count == TUSK__SIM_PIECES)
        piece.size += flow->pieces[--flow->piece_count].size;
    flow->pieces[flow->piece_count++] = piece;
    expect_next(flow);
}

static void take_first_piece(struct tusk__sim_flow *flow)
{
    flow->piece_count--;
    memmove(flow->pieces, flow->pieces + 1, flow->piece_count * sizeof flow->pieces[0]);
}

/* Bytes that had come have not come yet. */
static void send_back(struct tusk__sim_flow *flow, size_t size)
{
    int64_t when = tusk__sim_flow_arrival(flow);

    tusk__sim_stop(flow->network, &flow->arrival);
    flow->arrived -= size;
    if (flow->piece_count == TUSK__SIM_PIECES) {
        flow->pieces[0].size += size;
    } else {
        memmove(flow->pieces + 1, flow->pieces, flow->piece_count * sizeof flow->pieces[0]);
        flow->piece_count++;
        flow->pieces[0] = (struct tusk__sim_piece){when, size};
    }
    flow->last = when > flow->last ? when : flow->last;
    expect_next(flow);
}

void tusk__sim_flow_end(struct tusk__sim_flow *flow)
{
    if (flow->ending)
        return;
    flow->ending = true;
    arrival_time(flow);
    expect_next(flow);
}

void tusk__sim_flow_reset(struct tusk__sim_flow *flow)
{
    if (flow->resetting)
        return;
    flow->resetting = true;
    arrival_time(flow);
    expect_next(flow);
}

void tusk__sim_flow_drop(struct tusk__sim_flow *flow)
{
    tusk__sim_stop(flow->network, &flow->arrival);
    flow->count = flow->arrived;
    flow->piece_count = 0;
    expect_next(flow);
}

enum tusk__sim_arrival tusk__sim_flow_arrive(struct tusk__sim_flow *flow)
{
    enum tusk__sim_arrival result = TUSK__SIM_BYTES;

    if (flow->piece_count > 0) {
        flow->arrived += flow->pieces[0].size;
        take_first_piece(flow);
    } else if (flow->ending && !flow->ended) {
        flow->ended = true;
        result = TUSK__SIM_END;
    } else {
        flow->resetting = false;
        result = TUSK__SIM_RESET;
    }
    expect_next(flow);
    return result;
}

/* The writer will hear of room. */
static void tell_of_room(struct tusk__sim_flow *flow)
{
    if (!tusk__timer_pending(&flow->room))
        tusk__sim_start_at(flow->network, &flow->room, tusk__sim_flow_arrival(flow));
}

/* ---- writing ---- */

size_t tusk__sim_flow_room(const struct tusk__sim_flow *flow)
{
    size_t used = flow->count + flow->unheard;

    return flow->held || used >= flow->limit ? 0 : flow->limit - used;
}

/* A third of it, as the system has it: else each byte that is read would wake the writer. */
bool tusk__sim_flow_is_writable(const struct tusk__sim_flow *flow)
{
    size_t room = tusk__sim_flow_room(flow);

    return room > 0 && room >= flow->limit / 3;
}

static size_t total(const struct iovec *vector, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += vector[i].iov_len;
    return size;
}

/* How much of it is taken: what fits, or by chance less. */
static size_t choose(struct tusk__sim_flow *flow, size_t size)
{
    struct tusk__sim_network *network = flow->network;
    size_t room = tusk__sim_flow_room(flow);
    size_t taken = size < room ? size : room;

    if (taken > 0 && tusk__sim_chance(network, network->options.short_writes)) {
        taken = (size_t)tusk__sim_draw(network, taken);
        flow->held = true;
        tell_of_room(flow);
    }
    flow->full = flow->full || taken < size;
    return taken;
}

static void take(struct tusk__sim_flow *flow, const struct iovec *data, size_t size)
{
    for (; size > 0; data++) {
        size_t portion = data->iov_len < size ? data->iov_len : size;

        if (portion > 0)
            copy_in(flow, data->iov_base, portion);
        size -= portion;
    }
}

/* Cuts what was taken into pieces. */
static void send_pieces(struct tusk__sim_flow *flow, size_t size)
{
    while (size > 0) {
        size_t piece = size;

        if (tusk__sim_draw(flow->network, 4) == 3)
            piece = 1 + (size_t)tusk__sim_draw(flow->network, size);
        send_piece(flow, piece);
        size -= piece;
    }
}

ssize_t tusk__sim_flow_write(struct tusk__sim_flow *flow, const struct iovec *data, size_t count)
{
    size_t size = total(data, count);
    size_t taken = choose(flow, size);

    if (size > 0 && taken == 0)
        return -EAGAIN;
    if (reserve(flow, taken) < 0)
        return -ENOMEM;
    take(flow, data, taken);
    send_pieces(flow, taken);
    return (ssize_t)taken;
}

bool tusk__sim_flow_make_room(struct tusk__sim_flow *flow)
{
    bool tells;

    flow->held = false;
    flow->unheard = 0;
    tells = flow->full && tusk__sim_flow_is_writable(flow);
    flow->full = flow->full && !tells;
    return tells;
}

/* ---- reading ---- */

/* By chance only some of what has come. Not at the end: nothing can come after that. */
static size_t shorten(struct tusk__sim_flow *flow, size_t size)
{
    struct tusk__sim_network *network = flow->network;

    if (size < 2 || flow->ended || !tusk__sim_chance(network, network->options.short_reads))
        return size;
    size = 1 + (size_t)tusk__sim_draw(network, size - 1);
    send_back(flow, flow->arrived - size);
    return size;
}

static void give(const struct tusk__sim_flow *flow, const struct iovec *buffers, size_t size)
{
    for (size_t offset = 0; offset < size; buffers++) {
        size_t portion = buffers->iov_len < size - offset ? buffers->iov_len : size - offset;

        copy_out(flow, offset, buffers->iov_base, portion);
        offset += portion;
    }
}

size_t tusk__sim_flow_read(struct tusk__sim_flow *flow, const struct iovec *buffers, size_t count, bool peek)
{
    size_t wanted = total(buffers, count);
    size_t size = shorten(flow, wanted < flow->arrived ? wanted : flow->arrived);

    give(flow, buffers, size);
    if (peek || size == 0)
        return size;
    flow->start = (flow->start + size) & (flow->size - 1);
    flow->count -= size;
    flow->arrived -= size;
    flow->unheard += size;
    tell_of_room(flow);
    return size;
}
