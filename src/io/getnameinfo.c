/*
 * From addresses to names. See resolver.h for how the waiting is done.
 *
 * The system writes to memory of the query's own, for the caller's is gone when it was cancelled. It
 * has room for all names there are, so that what does not fit into the caller's is found out here:
 * some systems cut it.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "io/eai.h"
#include "io/resolver.h"
#include "task/task.h"

struct query {
    struct tusk__lookup lookup;
    struct sockaddr_storage address;
    socklen_t length;
    int flags;
    bool wants_host;
    bool wants_service;
    char host[NI_MAXHOST];
    char service[NI_MAXSERV];
};

static int ask(struct tusk__lookup *lookup)
{
    struct query *query = container_of(lookup, struct query, lookup);
    char *host = query->wants_host ? query->host : NULL;
    char *service = query->wants_service ? query->service : NULL;
    int eai;

    errno = 0;
    eai = tusk__resolver_system.getnameinfo((struct sockaddr *)&query->address, query->length, host,
                                            host ? sizeof query->host : 0, service,
                                            service ? sizeof query->service : 0, query->flags);
    return tusk__eai_code(eai, errno);
}

static void drop(struct tusk__lookup *lookup)
{
    (void)lookup;
}

static struct query *make(const struct sockaddr *address, socklen_t length, int flags)
{
    struct query *query = tusk__alloc(sizeof *query);

    if (!query)
        return NULL;
    query->lookup.ask = ask;
    query->lookup.drop = drop;
    atomic_init(&query->lookup.references, 1);
    memcpy(&query->address, address, length);
    query->length = length;
    query->flags = flags;
    return query;
}

static bool is_numeric(const struct query *query)
{
    return (!query->wants_host || query->flags & NI_NUMERICHOST) &&
           (!query->wants_service || query->flags & NI_NUMERICSERV);
}

static int hand_over(const struct query *query, char *ret_host, size_t host_size, char *ret_service,
                     size_t service_size)
{
    size_t host = ret_host ? strlen(query->host) + 1 : 0;
    size_t service = ret_service ? strlen(query->service) + 1 : 0;

    if (host > host_size || service > service_size)
        return tusk_raise(TUSK_EAI_OVERFLOW, "%s: %zu and %zu bytes are needed",
                          tusk_strerror(TUSK_EAI_OVERFLOW), host, service);
    if (ret_host)
        memcpy(ret_host, query->host, host);
    if (ret_service)
        memcpy(ret_service, query->service, service);
    return 0;
}

static int check(const struct sockaddr *address, socklen_t length, const char *ret_host,
                 const char *ret_service)
{
    if (!address || length < offsetof(struct sockaddr, sa_data) || length > sizeof(struct sockaddr_storage))
        return tusk_raise(-EINVAL, "no address has %lu bytes", address ? (unsigned long)length : 0UL);
    if (!ret_host && !ret_service)
        return tusk_raise(-EINVAL, "neither the host's name nor the service's is wanted");
    return 0;
}

int tusk_getnameinfo(const struct sockaddr *address, socklen_t length, char *ret_host, size_t host_size,
                     char *ret_service, size_t service_size, int flags)
{
    struct query *query;
    int rc;

    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    tusk_try(check(address, length, ret_host, ret_service));
    query = make(address, length, flags);
    if (!query)
        return -ENOMEM;
    query->wants_host = ret_host != NULL;
    query->wants_service = ret_service != NULL;
    rc = is_numeric(query) ? ask(&query->lookup) : tusk__lookup_run(&query->lookup, NULL);
    if (rc == 0)
        rc = hand_over(query, ret_host, host_size, ret_service, service_size);
    tusk__lookup_release(&query->lookup);
    return rc;
}
