/*
 * The threads of the resolver, and what a loop knows of them. See resolver.h.
 */
#include "io/resolver.h"

#include "base/error.h"
#include "base/mem.h"
#include "os/executor.h"

/*
 * Threads of a loop. One is not enough, for a name server that does not answer holds its thread for
 * 5 to 30 seconds; with many, each loop of a busy server would ask that name server ever harder, and
 * every thread costs a stack. With four, three names may be stuck and the fourth thread goes on.
 */
enum { THREADS_MAX = 4 };

/*
 * 10 s: a program that resolves names now and then starts a thread each time, which takes some 10 us,
 * nothing next to a name server; one that does so all the time never starts another.
 */
#define PATIENCE ((int64_t)10 * 1000000000)

/* Its sizes have another type in some systems. */
static int real_getnameinfo(const struct sockaddr *address, socklen_t length, char *ret_host,
                            socklen_t host_size, char *ret_service, socklen_t service_size, int flags)
{
    return getnameinfo(address, length, ret_host, host_size, ret_service, service_size, flags);
}

struct tusk__resolver_system tusk__resolver_system = {
    .getaddrinfo = getaddrinfo,
    .freeaddrinfo = freeaddrinfo,
    .getnameinfo = real_getnameinfo,
    .patience = PATIENCE,
};

struct resolver {
    struct tusk__extension extension;
    struct tusk_thread_pool_executor *threads;
    /* Those that tasks wait for, each with a reference. */
    struct tusk__link *lookups;
};

/* ---- of a loop ---- */

static struct tusk__lookup *take_lookup(struct resolver *resolver)
{
    struct tusk__link *link = resolver->lookups;

    if (!link)
        return NULL;
    tusk__link_remove(link);
    return container_of(link, struct tusk__lookup, link);
}

static void close_resolver(struct tusk_loop *loop, struct tusk__extension *extension)
{
    struct resolver *resolver = container_of(extension, struct resolver, extension);
    struct tusk__lookup *lookup;

    (void)loop;
    while ((lookup = take_lookup(resolver)) != NULL)
        tusk__lookup_release(lookup);
    /* Those that are stuck end by themselves, and free the pool. */
    tusk__executor_dismiss(resolver->threads);
}

static struct resolver *make(struct tusk_loop *loop)
{
    struct resolver *resolver = tusk__alloc(sizeof *resolver);

    if (!resolver)
        return tusk__fail(-ENOMEM);
    resolver->threads = tusk_thread_pool_executor_create(THREADS_MAX);
    if (!resolver->threads) {
        tusk__free(resolver);
        return NULL;
    }
    tusk__executor_end_idle(resolver->threads, tusk__resolver_system.patience);
    resolver->extension.close = close_resolver;
    tusk__loop_extend(loop, &resolver->extension);
    return resolver;
}

static struct resolver *resolver_of(struct tusk_loop *loop)
{
    struct tusk__extension *extension = tusk__loop_extension(loop, close_resolver);

    return extension ? container_of(extension, struct resolver, extension) : make(loop);
}

/* ---- lookups ---- */

void tusk__lookup_release(struct tusk__lookup *lookup)
{
    /* The last one must see the answer. */
    if (atomic_fetch_sub_explicit(&lookup->references, 1, memory_order_acq_rel) > 1)
        return;
    lookup->drop(lookup);
    tusk__free(lookup);
}

static void forget(void *lookup)
{
    tusk__lookup_release(lookup);
}

static int ask(void *arg)
{
    struct tusk__lookup *lookup = arg;

    return lookup->ask(lookup);
}

int tusk__lookup_run(struct tusk__lookup *lookup, const char *where)
{
    struct tusk_loop *loop = tusk__running_loop;
    struct resolver *resolver = resolver_of(loop);
    tusk_future *future;
    int rc;

    if (!resolver)
        return tusk_last_error();
    /* One for the thread, and one for who waits. */
    atomic_store_explicit(&lookup->references, 2, memory_order_relaxed);
    tusk__link_add(&resolver->lookups, &lookup->link);
    future = tusk__executor_start(loop, resolver->threads, ask, lookup, forget, 0, where);
    if (!future)
        tusk__lookup_release(lookup);
    rc = tusk_await(future);
    tusk__link_remove(&lookup->link);
    return rc;
}
