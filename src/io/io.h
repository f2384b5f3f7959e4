/*
 * What I/O adds to a loop: the table of its descriptors, and memory that is used again.
 * Belongs to the loop's thread.
 */
#ifndef TUSK__IO_IO_H
#define TUSK__IO_IO_H

#include <errno.h>
#include <tusk/io.h>

#include "loop/loop.h"
#include "os/threads.h"

struct tusk__descriptor;
struct tusk__block;

/*
 * After so many calls that did not have to wait, in one step of a task, it lets the
 * others run: a peer that sends fast enough would have the loop for itself. 128
 * calls of a microsecond are about as long as anybody should wait. Many bytes count as several
 * calls: a microsecond is what it takes to copy about TUSK__IO_BUDGET_BYTES of them.
 */
enum { TUSK__IO_BUDGET = 128, TUSK__IO_BUDGET_BYTES = 8192 };

struct tusk__io {
    struct tusk__extension extension;
    struct tusk_loop *loop;
    /* Memory for bytes that is free: see bytes.c. */
    struct tusk__block *blocks;
    size_t block_count;
    /* See TUSK__IO_BUDGET: what is left of it, of which task in which iteration. */
    const struct tusk__handle *budget_owner;
    uint64_t budget_iteration;
    uint32_t budget;
    /* By number; NULL where nothing is known. */
    struct tusk__descriptor **table;
    size_t table_size;
    struct tusk__slab descriptors;
    /* All streams, servers, transports and processes of the loop, to be closed with it. */
    struct tusk__link *closables;
    /* What transports read into; NULL before the first. */
    char *scratch;
    /* Threads for files; NULL before the first. */
    tusk_thread_pool_executor *files;
};

/*
 * Something that ends with its loop. The loop closes: close() gives back what it holds outside of
 * the loop. No task runs any more, and none is to be woken.
 */
struct tusk__closable {
    struct tusk__link link;
    void (*close)(struct tusk__closable *closable);
};

/* Frees the memory that is kept for bytes. */
void tusk__blocks_close(struct tusk__io *io);

struct tusk__io *tusk__io_make(struct tusk_loop *loop);

/* The I/O of a loop, made when first needed; NULL on an error (tusk_last_error()). */
static inline struct tusk__io *tusk__io_get(struct tusk_loop *loop)
{
    return likely(loop->io != NULL) ? loop->io : tusk__io_make(loop);
}

/* That of the running loop: 0, TUSK_NO_RUNNING_LOOP, or why there is none. */
int tusk__io_running(struct tusk__io **ret_io);

static inline void tusk__io_add_closable(struct tusk__io *io, struct tusk__closable *closable,
                                         void (*close)(struct tusk__closable *closable))
{
    closable->close = close;
    tusk__link_add(&io->closables, &closable->link);
}

static inline void tusk__io_remove_closable(struct tusk__closable *closable)
{
    if (closable->link.from)
        tusk__link_remove(&closable->link);
}

/* True if the running task has made so many calls without waiting that it must let the others run. */
static inline bool tusk__io_over_budget(struct tusk__io *io)
{
    if (unlikely(io->budget_iteration != io->loop->iteration || io->budget_owner != io->loop->current)) {
        io->budget_iteration = io->loop->iteration;
        io->budget_owner = io->loop->current;
        io->budget = TUSK__IO_BUDGET;
    }
    if (unlikely(io->budget == 0))
        return true;
    io->budget--;
    return false;
}

/* So many bytes were copied. */
static inline void tusk__io_charge(struct tusk__io *io, size_t bytes)
{
    if (unlikely(bytes >= TUSK__IO_BUDGET_BYTES))
        io->budget -= bytes / TUSK__IO_BUDGET_BYTES < io->budget ? (uint32_t)(bytes / TUSK__IO_BUDGET_BYTES)
                                                                 : io->budget;
}

#endif
