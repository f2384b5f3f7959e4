/*
 * A stock: memory of any size for things that come and go, with one owner. A block
 * that is given back is kept for the next that needs one of its size, so
 * that a program which does the same thing over and over takes no memory for it any more.
 *
 * Sizes are powers of two. Kept is up to 256 KiB of each; what is larger, or beyond that, goes back
 * at once, as all of it does when the owner closes. Any thread may take and give: what one sends
 * another receives. Under ASan nothing is kept, so that it sees whoever uses a block too late.
 *
 * Rejected: slabs of several sizes (a chunk of eight for the one gather of a program); a list
 * for each thread (one that only sends would take, one that only receives would keep).
 */
#ifndef TUSK_BASE_STOCK_H
#define TUSK_BASE_STOCK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* 128 bytes << 0 up to 128 << 11, which is 256 KiB. */
enum { TUSK__STOCK_CLASSES = 12 };

struct tusk__stock {
    pthread_mutex_t lock;
    /* Of each size. */
    struct tusk__stock_block *kept[TUSK__STOCK_CLASSES];
    uint32_t counts[TUSK__STOCK_CLASSES];
};

/* Takes no memory yet. */
void tusk__stock_open(struct tusk__stock *stock);

/* Frees what is kept. Blocks in use stay: they are to be given back to nobody. */
void tusk__stock_close(struct tusk__stock *stock);

/* Zeroed memory, or NULL. */
void *tusk__stock_get(struct tusk__stock *stock, size_t size);

/* Takes back what get gave, of this owner or of another, and NULL. Without a stock, frees it. */
void tusk__stock_put(struct tusk__stock *stock, void *memory);

#endif
