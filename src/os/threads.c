#include "os/threads.h"

#include <errno.h>

#include "base/error.h"
#include "base/mem.h"

static void close_threads(struct tusk_loop *loop, struct tusk__extension *extension)
{
    struct tusk__threads *threads = container_of(extension, struct tusk__threads, extension);

    (void)loop;
    tusk__port_close(threads->port);
    tusk__jobs_close(threads);
    tusk__concurrent_close(threads);
    tusk_thread_pool_executor_release(threads->executor);
    tusk__port_release(threads->port);
}

/* Not before: a function may wait for what stands in a queue of the loop. */
static void end_threads(struct tusk_loop *loop, struct tusk__extension *extension)
{
    (void)loop;
    tusk__jobs_outwait(container_of(extension, struct tusk__threads, extension));
}

static struct tusk__threads *make(struct tusk_loop *loop)
{
    struct tusk__threads *threads = tusk__alloc(sizeof *threads);

    if (!threads)
        return tusk__fail(-ENOMEM);
    threads->port = tusk__port_new(loop);
    if (!threads->port) {
        tusk__free(threads);
        return tusk__fail(-ENOMEM);
    }
    threads->extension.close = close_threads;
    threads->extension.end = end_threads;
    tusk__loop_extend(loop, &threads->extension);
    return threads;
}

struct tusk__threads *tusk__threads_get(struct tusk_loop *loop)
{
    struct tusk__extension *extension = tusk__loop_extension(loop, close_threads);

    return extension ? container_of(extension, struct tusk__threads, extension) : make(loop);
}

bool tusk__threads_have_executor(const struct tusk_loop *loop)
{
    struct tusk__extension *extension = tusk__loop_extension(loop, close_threads);

    return extension && container_of(extension, struct tusk__threads, extension)->executor;
}
