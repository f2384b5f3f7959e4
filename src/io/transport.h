/*
 * Transports from the inside: a protocol on a stream. The stream writes, and tells of
 * changes; the transport reads from the stream's channel when the poller calls.
 *
 * The poller must not run code of the user, so everything that is to be told goes by way
 * of one letter in the ready queue, whose opening looks at what there is to tell.
 */
#ifndef TUSK__IO_TRANSPORT_H
#define TUSK__IO_TRANSPORT_H

#include <tusk/transport.h>

#include "io/stream.h"

struct tusk_transport {
    struct tusk__closable closable;
    struct tusk__letter letter;
    struct tusk__channel_ear ear;
    /* With a reference. */
    struct tusk_stream *stream;
    const struct tusk_protocol *protocol;
    void *self;
    /* The letter is in the ready queue, or must not get there any more. */
    bool queued;
    /* connection_made was called. */
    bool made;
    /* There may be something to read. */
    bool readable;
    bool paused_reading;
    bool paused_writing;
};

/*
 * A transport on a stream, whose reference it takes in any case. connection_made comes in the next iteration.
 * NULL without memory (tusk_last_error()).
 */
struct tusk_transport *tusk__transport_new(struct tusk_stream *stream, const struct tusk_protocol *protocol,
                                           void *self);

/* Calls connection_made now. */
void tusk__transport_begin(struct tusk_transport *transport);

#endif
