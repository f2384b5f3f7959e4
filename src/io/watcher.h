/*
 * Watchers: the callbacks of add_reader and add_writer. Level-triggered, as in
 * asyncio: called in each iteration as long as the descriptor is ready.
 */
#ifndef TUSK__IO_WATCHER_H
#define TUSK__IO_WATCHER_H

#include "io/descriptor.h"

struct tusk__watcher {
    struct tusk__letter letter;
    /* Which has this watcher; NULL once that is removed. */
    struct tusk__descriptor *descriptor;
    tusk_callback *callback;
    void *arg;
    enum tusk__direction direction;
    /* The letter is in the ready queue. */
    bool queued;
    /* Its callback runs now. */
    bool running;
};

/* The direction has become ready. */
void tusk__watcher_ready(struct tusk__watcher *watcher);

/* Removes the watcher of a direction. False if there was none. */
bool tusk__watcher_remove(struct tusk__descriptor *descriptor, enum tusk__direction direction);

#endif
