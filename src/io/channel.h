/*
 * Channels: what streams and transports are made on. A channel reads and
 * writes bytes without waiting: those of a descriptor, or those inside of TLS on a
 * descriptor.
 *
 * The sides are independent. A side that is tried when its descriptor has nothing says -EAGAIN without a system
 * call, so it may be tried at any time. After -EAGAIN, wants[side] says which direction of the descriptor must
 * become ready before the side is worth another try: with TLS a reading side may have to
 * write. Whoever waits uses tusk__channel_listen(), which knows that direction.
 *
 * A channel owns its descriptor and closes it. It never suspends and runs no code of the user.
 */
#ifndef TUSK__IO_CHANNEL_H
#define TUSK__IO_CHANNEL_H

#include "io/descriptor.h"

struct tusk__channel;

struct tusk__channel_kind {
    /* Bytes; 0 at the end; -EAGAIN; or the error, which comes again at the next call. */
    ssize_t (*read)(struct tusk__channel *channel, void *buffer, size_t size);
    /* How many bytes were taken, at least one; -EAGAIN (nothing was taken); or the error. */
    ssize_t (*write)(struct tusk__channel *channel, const struct iovec *data, int count);
    /*
     * Has the system send up to size bytes of a file from *offset on, which moves. As write; 0 at the file's end;
     * -ENOTSUP: the bytes have to be written. NULL: always.
     */
    ssize_t (*sendfile)(struct tusk__channel *channel, int file, off_t *offset, size_t size);
    /*
     * No more writes: tells the peer. 0; -EAGAIN: call again when wants[TUSK__WRITE] is ready; or an error.
     * NULL: the kind cannot be half-closed.
     */
    int (*shut_down)(struct tusk__channel *channel);
    /*
     * A graceful end, when everything was written: 0, or an error: it may be closed now; -EAGAIN: call again when
     * wants[TUSK__WRITE] is ready. NULL: nothing to do.
     */
    int (*finish)(struct tusk__channel *channel);
    /* What only this kind knows of the connection, as tusk_stream_get_extra_info; -ENOENT. NULL: nothing. */
    int (*info)(const struct tusk__channel *channel, const char *name, void *ret_value, size_t *size);
    /* Frees what the kind has; NULL: nothing. The descriptor is closed by tusk__channel_close. */
    void (*close)(struct tusk__channel *channel);
};

struct tusk__channel {
    const struct tusk__channel_kind *kind;
    /* With a reference; NULL once it is closed. */
    struct tusk__descriptor *descriptor;
    enum tusk__direction wants[2];
    /* The kind's own: the TLS connection. */
    void *state;
};

extern const struct tusk__channel_kind tusk__channel_plain;

/* A plain channel on a descriptor, which becomes the channel's. */
void tusk__channel_open(struct tusk__channel *channel, struct tusk__descriptor *descriptor);

/* Closes the descriptor; once. Waiters of the descriptor get -EBADF. */
void tusk__channel_close(struct tusk__channel *channel);

/*
 * Closes a descriptor and gives up the reference, unless somebody has closed it by its number: that may be another
 * descriptor's by now.
 */
static inline void tusk__descriptor_end(struct tusk__descriptor *descriptor)
{
    if (!descriptor->closed)
        tusk__descriptor_close(descriptor);
    tusk__descriptor_release(descriptor);
}

/* False if a read would say -EAGAIN: so that no memory is taken for it. */
static inline bool tusk__channel_may_read(const struct tusk__channel *channel)
{
    return channel->kind != &tusk__channel_plain || channel->descriptor->directions[TUSK__READ].ready;
}

static inline bool tusk__channel_is_socket(const struct tusk__channel *channel)
{
    return channel->descriptor->kind == TUSK__FD_STREAM || channel->descriptor->kind == TUSK__FD_MESSAGES;
}

static inline ssize_t tusk__channel_read(struct tusk__channel *channel, void *buffer, size_t size)
{
    return channel->kind->read(channel, buffer, size);
}

static inline ssize_t tusk__channel_write(struct tusk__channel *channel, const struct iovec *data, int count)
{
    return channel->kind->write(channel, data, count);
}

/* Waits for one change of the channel. wants[] may change meanwhile, so it knows where it waits itself. */
struct tusk__channel_ear {
    struct tusk__io_waiter waiter;
    enum tusk__direction direction;
};

/* It does not want to hear any more. Also for one that does not wait, and when the channel is closed. */
static inline void tusk__channel_unlisten(struct tusk__channel *channel, struct tusk__channel_ear *ear)
{
    if (ear->waiter.from)
        tusk__descriptor_unlisten(channel->descriptor, ear->direction, &ear->waiter);
}

/* Lets the ear hear when the side is worth another try; one that waits already too. As tusk__descriptor_listen. */
static inline int tusk__channel_listen(struct tusk__channel *channel, enum tusk__direction side,
                                       struct tusk__channel_ear *ear)
{
    if (ear->waiter.from && ear->direction == channel->wants[side])
        return 0;
    tusk__channel_unlisten(channel, ear);
    ear->direction = channel->wants[side];
    return tusk__descriptor_listen(channel->descriptor, ear->direction, &ear->waiter);
}

#endif
