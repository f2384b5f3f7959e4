/*
 * Bytes in a row: put in at the end, taken out at the start. The memory comes from the blocks of the
 * loop and goes back there when nothing is left, so what has no bytes has no memory.
 */
#ifndef TUSK__IO_BYTES_H
#define TUSK__IO_BYTES_H

#include "io/io.h"

struct tusk__bytes {
    /* NULL: no memory. */
    char *data;
    size_t capacity;
    /* The bytes are [start, end). */
    size_t start;
    size_t end;
};

static inline size_t tusk__bytes_size(const struct tusk__bytes *bytes)
{
    return bytes->end - bytes->start;
}

static inline const char *tusk__bytes_first(const struct tusk__bytes *bytes)
{
    return bytes->data + bytes->start;
}

/* Makes room for size more bytes at data + end. 0 or -ENOMEM. */
int tusk__bytes_reserve(struct tusk__io *io, struct tusk__bytes *bytes, size_t size);

/* Puts bytes in at the end: 0 or -ENOMEM. */
int tusk__bytes_append(struct tusk__io *io, struct tusk__bytes *bytes, const void *data, size_t size);

/* Puts bytes back in at the start: 0 or -ENOMEM. */
int tusk__bytes_put_back(struct tusk__io *io, struct tusk__bytes *bytes, const void *data, size_t size);

/* Takes bytes out. They stay where they are until the next call that changes `bytes`. */
static inline void tusk__bytes_consume(struct tusk__bytes *bytes, size_t size)
{
    bytes->start += size;
}

/* Gives the memory back if there are no bytes in it. */
void tusk__bytes_trim(struct tusk__io *io, struct tusk__bytes *bytes);

/* Gives the memory back, with what is in it. */
void tusk__bytes_close(struct tusk__io *io, struct tusk__bytes *bytes);

#endif
