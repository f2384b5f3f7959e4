#include "io/io.h"

#include "base/error.h"
#include "base/mem.h"
#include "io/descriptor.h"

/* Threads and the poller read and write in buffers of tasks, which go with the loop. So it waits for them. */
static void end_files(struct tusk__io *io)
{
    struct tusk__poller *poller = &io->loop->poller;

    if (poller->backend->settle)
        poller->backend->settle(poller);
    if (!io->files)
        return;
    tusk_thread_pool_executor_shutdown(io->files, true, true);
    tusk_thread_pool_executor_release(io->files);
}

static void close_io(struct tusk_loop *loop, struct tusk__extension *extension)
{
    struct tusk__io *io = (struct tusk__io *)extension;

    while (io->closables) {
        struct tusk__closable *closable = container_of(io->closables, struct tusk__closable, link);

        tusk__link_remove(&closable->link);
        closable->close(closable);
    }
    end_files(io);
    for (size_t i = 0; i < io->table_size; i++)
        if (io->table[i])
            tusk__descriptor_give_up(io->table[i]);
    tusk__blocks_close(io);
    tusk__free(io->scratch);
    tusk__slab_close(&io->descriptors);
    tusk__free(io->table);
    loop->io = NULL;
}

struct tusk__io *tusk__io_make(struct tusk_loop *loop)
{
    struct tusk__io *io;

    if (loop->closed)
        return tusk__fail(TUSK_LOOP_CLOSED);
    io = tusk__alloc(sizeof *io);
    if (!io)
        return tusk__fail(-ENOMEM);
    io->loop = loop;
    io->extension.close = close_io;
    tusk__slab_init(&io->descriptors, sizeof(struct tusk__descriptor), 0);
    tusk__loop_extend(loop, &io->extension);
    if (loop->poller.backend->rest_on)
        loop->poller.backend->rest_on(&tusk__system_real);
    loop->io = io;
    return io;
}

int tusk__io_running(struct tusk__io **ret_io)
{
    if (!tusk__running_loop)
        return TUSK_NO_RUNNING_LOOP;
    *ret_io = tusk__io_get(tusk__running_loop);
    return *ret_io ? 0 : tusk_last_error();
}
