/*
 * Done callbacks: what users add to a future.
 *
 * One that waits in its future's list goes when the future goes. One in the
 * ready queue holds a reference to the future: tusk__future_finish takes it.
 */
#ifndef TUSK__TASK_CALLBACK_H
#define TUSK__TASK_CALLBACK_H

#include "base/slab.h"
#include "task/future.h"

/* Bytes of an object of the slab of callbacks: for one, or for a child's record of a group. */
enum { TUSK__CALLBACK_SIZE = 64 };

/* What the handle of a done callback runs: it is known by this. */
void tusk__callback_run(struct tusk__handle *handle);

void tusk__callbacks_open(struct tusk__slab *slab);

/* Frees the callbacks of a future that will not be called any more. */
void tusk__callbacks_free(struct tusk_future *future);

/* Frees a handle that stands in the queue of a loop that closes, if it is a done callback. */
void tusk__callback_drop(struct tusk__handle *handle);

#endif
