/*
 * Bytes in a row: put in at the end, taken out at the start. The memory comes from the blocks of the
 * loop and goes back there when nothing is left, so what has no bytes has no memory.
 */
#ifndef TUSK__IO_BYTES_H
#define TUSK__IO_BYTES_H

#include "io/io.h"

/*
 * 16 KiB is a record of TLS, and more than nearly every request. Kept are as many blocks as
 * connections usually have data at one time; what is more goes back to the system.
 */
enum { TUSK__BLOCK = 16384, TUSK__BLOCKS_KEPT = 64 };

struct tusk__block {
    struct tusk__block *next;
};

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

/* Gives the memory back, with what is in it. */
void tusk__bytes_close(struct tusk__io *io, struct tusk__bytes *bytes);

/*
 * Gives the memory back if there are no bytes in it. Every connection does this each time it waits, so it is
 * made for the common case: a block that goes back to the others.
 */
static inline void tusk__bytes_trim(struct tusk__io *io, struct tusk__bytes *bytes)
{
    struct tusk__block *block = (struct tusk__block *)(void *)bytes->data;

    if (!block || bytes->start != bytes->end)
        return;
    if (unlikely(bytes->capacity != TUSK__BLOCK || io->block_count >= TUSK__BLOCKS_KEPT)) {
        tusk__bytes_close(io, bytes);
        return;
    }
    block->next = io->blocks;
    io->blocks = block;
    io->block_count++;
    bytes->data = NULL;
    bytes->capacity = 0;
    bytes->start = bytes->end = 0;
}

/* Gives a block to bytes without memory, if one is there already: true then. */
static inline bool tusk__bytes_lend(struct tusk__io *io, struct tusk__bytes *bytes)
{
    struct tusk__block *block = io->blocks;

    if (bytes->data || !block)
        return false;
    io->blocks = block->next;
    io->block_count--;
    bytes->data = (char *)block;
    bytes->capacity = TUSK__BLOCK;
    return true;
}

/*
 * Memory of the loop's for what is handed on before anything else is read: NULL if there is none.
 * As much as asyncio reads at once.
 */
enum { TUSK__SCRATCH = 262144 };

char *tusk__scratch(struct tusk__io *io);
#endif
