/*
 * The resolver: from the names of hosts and services to addresses, and back.
 *
 *     struct addrinfo *list;
 *
 *     tusk_try(tusk_getaddrinfo("example.org", "https", &list, .type = SOCK_STREAM));
 *     for (const struct addrinfo *at = list; at; at = at->ai_next)
 *         ...
 *     freeaddrinfo(list);
 *
 * The system's own getaddrinfo() and getnameinfo() answer, so what the system is told about hosts
 * and name servers holds here too. They may block for long: they run in threads, up to four of each
 * loop, which do nothing else. So functions in other threads do not wait for name servers, nor the
 * other way round. Where nothing can block, as with "127.0.0.1" and "443", there is no thread, and
 * the task does not suspend.
 *
 * Nothing stops a lookup that runs in a thread. Whoever is cancelled while waiting for it is free at
 * once; its answer is dropped when it comes, also after the loop has closed. Neither the end of a
 * run nor that of the process waits for it. A virtual clock stands still as long as somebody waits
 * for a lookup.
 *
 * Errors are EAI_AGAIN as TUSK_EAI_AGAIN, and so on (tusk/error.h), but for two that errno has:
 * EAI_MEMORY is -ENOMEM, and EAI_SYSTEM is what the system said.
 */
#ifndef TUSK_RESOLVER_H
#define TUSK_RESOLVER_H

#include <netdb.h>
#include <sys/socket.h>
#include <tusk/base.h>

/* Strict C11 (-std=c11) hides what is in it; -D_POSIX_C_SOURCE=200809L shows it. */
struct addrinfo;

TUSK_BEGIN_DECLS

/* What to look for: the fields of the hints that getaddrinfo() takes. 0: anything. */
struct tusk_getaddrinfo_options {
    /* AF_INET, AF_INET6 */
    int family;
    /* SOCK_STREAM, SOCK_DGRAM. Without one, each address comes once for each type. */
    int type;
    /* IPPROTO_TCP, IPPROTO_UDP */
    int proto;
    /* AI_PASSIVE, AI_ADDRCONFIG, AI_CANONNAME, ... */
    int flags;
    const char *tusk__where;
};

/*
 * The addresses of a host and a service. (loop.getaddrinfo) The host is a name, or an address as
 * text, with a scope if it has one ("fe80::1%eth0"); NULL: this machine, or any of its addresses with
 * AI_PASSIVE. The service is a name or a number up to 65535; NULL or "": port 0. Not both NULL.
 *
 * Returns 0, and the list of addresses, which is yours: freeaddrinfo(). Else a negative code, and
 * ret_list stays as it was: a TUSK_EAI_ code; -ENAMETOOLONG for more than 1024 bytes, for no name is
 * ever cut; -EINVAL; -ECANCELED; TUSK_NOT_IN_TASK; -EAGAIN if the system gives no thread; -ENOMEM.
 * host and service are copied. Suspends, unless both are numbers, or NULL, or the flags say that
 * they are. Options: .family, .type, .proto, .flags.
 */
TUSK_API TUSK_MUST_CHECK int tusk_getaddrinfo(const char *host, const char *service,
                                              struct addrinfo **ret_list,
                                              const struct tusk_getaddrinfo_options *options);

/*
 * The names of an address's host and service, or their numbers where they have no name.
 * (loop.getnameinfo) host_size and service_size are in bytes, with room for the 0 at the end:
 * NI_MAXHOST and NI_MAXSERV are always enough. NULL for what is not wanted; not for both. flags:
 * NI_NUMERICHOST, NI_NAMEREQD, ...
 *
 * Returns 0, or a negative code, and nothing is written: TUSK_EAI_OVERFLOW if one of the two does not
 * fit, for no name is ever cut; else as tusk_getaddrinfo(). The address is copied. Suspends, unless
 * the flags ask for numbers only.
 */
TUSK_API TUSK_MUST_CHECK int tusk_getnameinfo(const struct sockaddr *address, socklen_t length,
                                              char *ret_host, size_t host_size, char *ret_service,
                                              size_t service_size, int flags);

#ifndef __cplusplus
#define tusk_getaddrinfo(host, service, ...)                                                                 \
    TUSK__GETADDRINFO(host, service, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__GETADDRINFO(host, service, ret_list, ...)                                                      \
    (tusk_getaddrinfo)(host, service, ret_list, &(const struct tusk_getaddrinfo_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
