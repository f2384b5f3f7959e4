/*
 * From names to addresses. See resolver.h for how the waiting is done.
 *
 * Text that is an address or a number is known before anybody is asked, and then the system's call
 * cannot block: it is made at once, with the flags that say so. What may be left to read are a file
 * in /etc, once, and the machine's own interfaces.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/eai.h"
#include "io/resolver.h"
#include "task/task.h"

/*
 * No system gives a name of more bytes (NI_MAXHOST counts the 0), and none takes one: libraries
 * that systems load to resolve names have cut longer ones, or written past their memory.
 */
enum { LONGEST_NAME = NI_MAXHOST - 1, HIGHEST_PORT = 65535 };

struct query {
    struct tusk__lookup lookup;
    struct addrinfo hints;
    struct addrinfo *list;
    /* In `names`, or NULL. */
    const char *host;
    const char *service;
    char names[];
};

/* ---- queries ---- */

static int explain(const struct query *query, int code)
{
    if (code == TUSK_EAI_UNKNOWN)
        return code;
    return tusk_raise(code, "%s: host '%s', service '%s'", tusk_strerror(code),
                      query->host ? query->host : "", query->service ? query->service : "");
}

static int ask(struct tusk__lookup *lookup)
{
    struct query *query = container_of(lookup, struct query, lookup);
    struct addrinfo *list = NULL;
    int eai;

    errno = 0;
    eai = tusk__resolver_system.getaddrinfo(query->host, query->service, &query->hints, &list);
    if (eai != 0)
        return explain(query, tusk__eai_code(eai, errno));
    query->list = list;
    return 0;
}

static void drop(struct tusk__lookup *lookup)
{
    struct query *query = container_of(lookup, struct query, lookup);

    if (query->list)
        tusk__resolver_system.freeaddrinfo(query->list);
}

static size_t size_of(const char *name)
{
    return name ? strlen(name) + 1 : 0;
}

static const char *copy_name(char *place, const char *name)
{
    return name ? memcpy(place, name, size_of(name)) : NULL;
}

static struct query *make(const char *host, const char *service,
                          const struct tusk_getaddrinfo_options *options)
{
    struct query *query = tusk__alloc(sizeof *query + size_of(host) + size_of(service));

    if (!query)
        return NULL;
    query->lookup.ask = ask;
    query->lookup.drop = drop;
    atomic_init(&query->lookup.references, 1);
    query->hints.ai_family = options->family;
    query->hints.ai_socktype = options->type;
    query->hints.ai_protocol = options->proto;
    query->hints.ai_flags = options->flags;
    query->host = copy_name(query->names, host);
    query->service = copy_name(query->names + size_of(host), service);
    return query;
}

/* ---- what cannot block ---- */

static bool is_scoped_address(const char *host, size_t length)
{
    struct in6_addr address;
    char text[INET6_ADDRSTRLEN];

    if (length >= sizeof text)
        return false;
    memcpy(text, host, length);
    text[length] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_address(const char *host)
{
    struct in6_addr address;
    size_t length = strcspn(host, "%");

    if (host[length] == '%')
        return is_scoped_address(host, length);
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* The number that the text is, as far as there are ports, or -1 for a name. What is a number is the system's idea. */
static long port_of(const char *service)
{
    char *end;
    long port = strtol(service, &end, 10);

    if (*end != '\0')
        return -1;
    return port < 0 || port > HIGHEST_PORT ? HIGHEST_PORT + 1 : port;
}

/* True if nobody needs to be asked; and then the flags say so to the system. */
static bool is_numeric(struct query *query)
{
    struct addrinfo *hints = &query->hints;
    const char *host = query->host;
    const char *service = query->service;

    if (host && !(hints->ai_flags & AI_NUMERICHOST) && !is_address(host))
        return false;
    if (service && !(hints->ai_flags & AI_NUMERICSERV) && port_of(service) < 0)
        return false;
    hints->ai_flags |= (host ? AI_NUMERICHOST : 0) | (service ? AI_NUMERICSERV : 0);
    return true;
}

/* ---- the public function ---- */

static int check_length(const char *what, const char *name)
{
    size_t length = name ? strlen(name) : 0;

    if (length <= LONGEST_NAME)
        return 0;
    return tusk_raise(-ENAMETOOLONG, "the name of a %s has %zu bytes, and %d is the most", what, length,
                      LONGEST_NAME);
}

static int check(const char *host, const char *service, struct addrinfo **ret_list)
{
    if (!ret_list)
        return tusk_raise(-EINVAL, "there is no place for the list of addresses");
    tusk_try(check_length("host", host));
    tusk_try(check_length("service", service));
    if (host && !*host)
        return tusk_raise(TUSK_EAI_NONAME, "the name of the host is empty; NULL is this machine");
    /* Some systems take the number for another, smaller one. */
    if (service && port_of(service) > HIGHEST_PORT)
        return tusk_raise(TUSK_EAI_SERVICE, "there is no port %s: they go from 0 to %d", service,
                          HIGHEST_PORT);
    return 0;
}

int(tusk_getaddrinfo)(const char *host, const char *service, struct addrinfo **ret_list,
                      const struct tusk_getaddrinfo_options *options)
{
    static const struct tusk_getaddrinfo_options none;
    struct query *query;
    int rc;

    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    options = options ? options : &none;
    tusk_try(check(host, service, ret_list));
    query = make(host, service, options);
    if (!query)
        return -ENOMEM;
    rc = is_numeric(query) ? ask(&query->lookup) : tusk__lookup_run(&query->lookup, options->tusk__where);
    if (rc == 0) {
        *ret_list = query->list;
        query->list = NULL;
    }
    tusk__lookup_release(&query->lookup);
    return rc;
}
