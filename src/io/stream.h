/*
 * Streams from the inside. A stream is a channel, a buffer for what came, a
 * buffer for what is to be sent, and those who wait.
 *
 * The reading side belongs to the one task that reads: it reads from the channel itself, and nothing is
 * read ahead of it, so a peer that sends too much is stopped by its own socket.
 * The writing side is driven by the poller once something is left over: `flusher`
 * sends what is kept and wakes the writers.
 *
 * Life: whoever has the stream holds one reference, each task that waits in a
 * call of it another, and the stream itself one as long as its channel is
 * open. `closing` is set by close; the channel is closed when everything was
 * sent (or at once by abort or an error), and then the memory goes with the last
 * reference.
 */
#ifndef TUSK__IO_STREAM_H
#define TUSK__IO_STREAM_H

#include <tusk/stream.h>

#include "io/bytes.h"
#include "io/channel.h"
#include "io/row.h"

struct tusk_stream {
    /* --- what every read and write touches, close together: the kernel leaves little of it in the cache --- */
    struct tusk__io *io;
    struct tusk__channel channel;
    uint32_t references;
    /* The channel is closed. */
    bool closed;
    /* Closed by its owner, or lost. */
    bool closing;
    /* The peer has ended. */
    bool eof;
    /* A task is in a call that reads: others are refused. */
    bool reading;
    /* A task sends its own data now, piece by piece: others wait. */
    bool writing;
    /* write_eof was called; and the channel was told. */
    bool eof_wanted;
    bool eof_sent;
    /* What came. */
    struct tusk__bytes in;
    /* What is to be sent. */
    struct tusk__bytes out;
    /* The writers that wait for their turn; the first one has the next. */
    struct tusk__row turns;
    /* How long a line may be. */
    size_t limit;
    /* The task that waits to read, and has not been woken; NULL: none. What it is woken with. */
    struct tusk__task *reader;
    int reader_result;
    struct tusk__channel_ear reader_ear;

    /* --- the rest --- */
    struct tusk__closable closable;
    /* Why the connection was lost; 0: it was not. */
    int error;
    /* See tusk_stream_partial. */
    size_t partial;
    /* The marks of `out`. */
    size_t high;
    size_t low;
    /* Sends what is in `out` whenever the channel can take it. Waiting, if anything is there. */
    struct tusk__channel_ear flusher;
    /* Those who wait: to write, for the low mark, for the end. Woken by any change, each looks itself. */
    struct tusk__row waiters;

    /* Hears of each change: a transport's. Or NULL. */
    void (*owner_changed)(struct tusk_stream *stream, void *owner);
    void *owner;
    /* Called once when the channel is closed: a server's count. Or NULL. */
    void (*closed_hook)(struct tusk_stream *stream, void *arg);
    void *closed_arg;
};

/* A stream on a descriptor, which is the stream's in any case. NULL without memory (tusk_last_error()), and then the descriptor is closed. */
struct tusk_stream *tusk__stream_new(struct tusk__io *io, struct tusk__descriptor *descriptor, size_t limit);

/* Suspends until something about the stream changes. 0 or -ECANCELED. */
int tusk__stream_wait(struct tusk_stream *stream);

/*
 * Suspends the task until the channel's reading side is worth another try: 0, -ECANCELED, TUSK_STREAM_CLOSED.
 * It has set `reading`.
 */
int tusk__stream_wait_readable(struct tusk_stream *stream, struct tusk__task *task);

/* 0, or why nothing can be read or written any more. */
int tusk__stream_check(const struct tusk_stream *stream);

/* Wakes all tasks that wait for a change: each looks whether it is his. */
void tusk__stream_changed(struct tusk_stream *stream);

/* After -EAGAIN: sees to it that `flusher` is called when the channel can take more. False if the stream is lost for it. */
bool tusk__stream_start_flusher(struct tusk_stream *stream);

/* Does what is left to do on the writing side: sends what is kept, ends it, closes; and wakes who waits for that. */
void tusk__stream_flush(struct tusk_stream *stream);

/* The connection is lost: closes the channel and wakes everybody. */
void tusk__stream_lose(struct tusk_stream *stream, int error);

/* The same because something could not be written: what the peer has sent before can still be read. */
void tusk__stream_fail_to_write(struct tusk_stream *stream, int error);

/* Reads what is there into the stream's buffer. */
void tusk__stream_save_input(struct tusk_stream *stream);

/* The same, and that nothing may be written because the writing side has ended. */
int tusk__stream_check_writable(const struct tusk_stream *stream);

/*
 * Takes the turn to write, when all that was written before is with the system: from then to tusk__stream_end_turn()
 * nobody else writes. Check the stream before. 0; -ECANCELED, or what tusk__stream_check says. Suspends.
 */
int tusk__stream_begin_turn(struct tusk_stream *stream);

/* Also when the stream was lost meanwhile. */
void tusk__stream_end_turn(struct tusk_stream *stream);

/* In a turn, after -EAGAIN: suspends until the channel may take more. 0, -ECANCELED, or what tusk__stream_check says. */
int tusk__stream_wait_for_room(struct tusk_stream *stream);

/* In a turn: sends all of it, from where it is. Suspends. */
int tusk__stream_send_in_turn(struct tusk_stream *stream, const void *data, size_t size);

/* Writes without waiting: what the system does not take is kept, however much it is. As tusk_stream_writelines. */
int tusk__stream_post(struct tusk_stream *stream, const struct iovec *data, int count);

/* What can only be written was read, or the other way round: that says nothing of the connection. */
static inline bool tusk__stream_is_misused(const struct tusk_stream *stream, ssize_t rc)
{
    return rc == -EBADF && !stream->closed && !stream->channel.descriptor->closed;
}

static inline struct tusk_stream *tusk__stream_retain(struct tusk_stream *stream)
{
    stream->references++;
    return stream;
}

/* Nobody has it any more. */
void tusk__stream_destroy(struct tusk_stream *stream);

static inline void tusk__stream_unref(struct tusk_stream *stream)
{
    if (unlikely(--stream->references == 0))
        tusk__stream_destroy(stream);
}

#endif
