/*
 * What threads add to a loop: its port, its default executor, and lists of what
 * goes on in threads for it. Belongs to the loop's thread.
 */
#ifndef TUSK__OS_THREADS_H
#define TUSK__OS_THREADS_H

#include <tusk/thread.h>

#include "os/port.h"

/* A place in a list whose order does not matter. Zero: in none. */
struct tusk__link {
    struct tusk__link *next;
    struct tusk__link **from;
};

static inline void tusk__link_add(struct tusk__link **list, struct tusk__link *link)
{
    link->next = *list;
    link->from = list;
    if (link->next)
        link->next->from = &link->next;
    *list = link;
}

static inline void tusk__link_remove(struct tusk__link *link)
{
    *link->from = link->next;
    if (link->next)
        link->next->from = link->from;
    link->from = NULL;
}

struct tusk__threads {
    struct tusk__extension extension;
    struct tusk__port *port;
    /* The default one; NULL before its first use. */
    struct tusk_thread_pool_executor *executor;
    /* shutdown_default_executor was called: the default one takes nothing more. */
    bool shut_down;
    /* Jobs whose futures are not settled. */
    struct tusk__link *jobs;
    /* When the loop closes: those whose functions may use the stacks of tasks. */
    struct tusk__link *last_jobs;
    /* Tasks that threads have a future of. */
    struct tusk__link *concurrent;
};

/* Those of a loop, made when first needed; NULL on an error (tusk_last_error()). */
struct tusk__threads *tusk__threads_get(struct tusk_loop *loop);

/* True if the loop has a default executor, and something to shut down therefore. */
bool tusk__threads_have_executor(const struct tusk_loop *loop);

/* The loop closes: its jobs, and its futures for threads, are told. */
void tusk__jobs_close(struct tusk__threads *threads);
void tusk__concurrent_close(struct tusk__threads *threads);

/* Blocks until no function runs that may use the stack of a task. Nobody waits for the loop any more. */
void tusk__jobs_outwait(struct tusk__threads *threads);

#endif
