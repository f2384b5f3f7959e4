#include "io/bytes.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

static char *get(struct tusk__io *io, size_t capacity)
{
    struct tusk__block *block = io->blocks;

    if (capacity != TUSK__BLOCK || !block)
        return tusk__alloc(capacity);
    io->blocks = block->next;
    io->block_count--;
    return (char *)block;
}

static void put(struct tusk__io *io, char *data, size_t capacity)
{
    struct tusk__block *block = (struct tusk__block *)(void *)data;

    if (!data || capacity != TUSK__BLOCK || io->block_count >= TUSK__BLOCKS_KEPT) {
        tusk__free(data);
        return;
    }
    block->next = io->blocks;
    io->blocks = block;
    io->block_count++;
}

char *tusk__scratch(struct tusk__io *io)
{
    if (!io->scratch)
        io->scratch = tusk__alloc(TUSK__SCRATCH);
    return io->scratch;
}

void tusk__blocks_close(struct tusk__io *io)
{
    while (io->blocks) {
        struct tusk__block *block = io->blocks;

        io->blocks = block->next;
        tusk__free(block);
    }
}

/* Moves the bytes to memory with room for size of them, `gap` bytes from its start. */
static int move(struct tusk__io *io, struct tusk__bytes *bytes, size_t size, size_t gap)
{
    size_t capacity = TUSK__BLOCK;
    size_t count = tusk__bytes_size(bytes);
    char *data;

    if (size > SIZE_MAX / 2)
        return -ENOMEM;
    while (capacity < size)
        capacity *= 2;
    data = get(io, capacity);
    if (!data)
        return -ENOMEM;
    if (count > 0)
        memcpy(data + gap, tusk__bytes_first(bytes), count);
    put(io, bytes->data, bytes->capacity);
    *bytes = (struct tusk__bytes){data, capacity, gap, gap + count};
    return 0;
}

/*
 * Bytes are moved to the front only where that frees as much as is moved, or where there are few: else each
 * byte that is put in could cost a move of all.
 */
int tusk__bytes_reserve(struct tusk__io *io, struct tusk__bytes *bytes, size_t size)
{
    size_t count = tusk__bytes_size(bytes);
    size_t wanted;

    if (count == 0)
        bytes->start = bytes->end = 0;
    if (bytes->capacity - bytes->end >= size)
        return 0;
    if (__builtin_add_overflow(count, size, &wanted))
        return -ENOMEM;
    if (bytes->capacity < wanted)
        return move(io, bytes, wanted, 0);
    if (bytes->capacity > TUSK__BLOCK && bytes->start < count)
        return move(io, bytes, bytes->capacity + 1, 0);
    memmove(bytes->data, tusk__bytes_first(bytes), count);
    bytes->start = 0;
    bytes->end = count;
    return 0;
}

int tusk__bytes_append(struct tusk__io *io, struct tusk__bytes *bytes, const void *data, size_t size)
{
    int rc = tusk__bytes_reserve(io, bytes, size);

    if (rc < 0 || size == 0)
        return rc;
    memcpy(bytes->data + bytes->end, data, size);
    bytes->end += size;
    return 0;
}

int tusk__bytes_put_back(struct tusk__io *io, struct tusk__bytes *bytes, const void *data, size_t size)
{
    int rc = bytes->start >= size ? 0 : move(io, bytes, tusk__bytes_size(bytes) + size, size);

    if (rc < 0 || size == 0)
        return rc;
    bytes->start -= size;
    memcpy(bytes->data + bytes->start, data, size);
    return 0;
}

void tusk__bytes_close(struct tusk__io *io, struct tusk__bytes *bytes)
{
    put(io, bytes->data, bytes->capacity);
    *bytes = (struct tusk__bytes){NULL, 0, 0, 0};
}
