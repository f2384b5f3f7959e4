/*
 * libkqueue stands in for kqueue on Linux. What tests have to know of it.
 */
#ifndef TUSK_TESTS_SUPPORT_LIBKQUEUE_H
#define TUSK_TESTS_SUPPORT_LIBKQUEUE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <tusk/loop.h>

/* Whether it is this poller; NULL: the one that the environment names. Its weak sides: src/loop/poll/kqueue.c. */
static inline bool libkqueue_is(const char *poller)
{
#if defined(TUSK_HAVE_LIBKQUEUE)
    const char *name = poller ? poller : getenv("TUSK_POLLER");

    return name && strcmp(name, "kqueue") == 0;
#else
    (void)poller;
    return false;
#endif
}

/* It keeps descriptors of its own from its first use on: call this before any are counted, as often as you like. */
static inline void libkqueue_warm_up(const char *poller)
{
    static bool is_warm;

    if (!is_warm && libkqueue_is(poller))
        tusk_loop_close(tusk_new_event_loop(.poller = "kqueue"));
    is_warm = true;
}

#endif
