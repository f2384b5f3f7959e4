/*
 * Futures and tasks from the inside. They are one type: a task's struct begins
 * with a future's, and `kind` says what it is.
 *
 * Life of a future: pending; then cancelled or finished, for ever; freed with its last
 * reference. The loop holds one reference to each task that is not done. All
 * live ones stand in one list of their loop, oldest first: for all_tasks, and for the
 * end of the loop.
 *
 * Callbacks are handles in a list. When the future is done, each goes to the
 * ready queue, in order. A task that awaits puts its own handle there: an await
 * allocates nothing.
 */
#ifndef TUSK__TASK_FUTURE_H
#define TUSK__TASK_FUTURE_H

#include "base/text.h"
#include "loop/loop.h"

enum tusk__kind { TUSK__FUTURE, TUSK__TASK, TUSK__GATHER, TUSK__SHIELD };

/* FREED is 0: what was never in use looks freed. */
enum tusk__state {
    TUSK__FREED,
    TUSK__PENDING,
    TUSK__CANCELLED,
    TUSK__FINISHED,
    /* Finished with an error that nobody has looked at. */
    TUSK__FAILED,
};

struct tusk_future {
    /* A task's next step. In other futures unused. */
    struct tusk__handle handle;
    /* Where done callbacks wait; callbacks_end is only meaningful while there are any. */
    struct tusk__handle *callbacks;
    struct tusk__handle *callbacks_end;
    struct tusk_loop *loop;
    struct tusk_future *older;
    struct tusk_future *newer;
    /*
     * The message that goes with the error. While a task runs: that of the last
     * error it raised or received.
     */
    struct tusk__text *text;
    /* "file.c:12", static, or NULL. */
    const char *where;
    int32_t references;
    /* Once finished: 0 or more, or the negative code. */
    int32_t result;
    /* The place in the gather that looked at it last: finds duplicates. */
    uint32_t gather_index;
    /* enum tusk__state. A word of its own: a read wider than the write before it stalls the processor. */
    uint32_t state;
    /* enum tusk__kind */
    uint8_t kind;
    /* The end of a run has cancelled it and waits for it. */
    bool leftover;
    /* A task's arg is a tusk_copy and belongs to it. */
    bool owns_arg;
};

static inline bool tusk__future_pending(const struct tusk_future *future)
{
    return future->state == TUSK__PENDING;
}

/* One step of a task: what its handle runs. */
void tusk__task_step(struct tusk__handle *handle);

void tusk__future_call_back_all(struct tusk_future *future, struct tusk__handle *handles);

/* Makes the handles of a list ready that was a done future's. Most have one: of a task that awaits. */
static inline void tusk__future_call_back(struct tusk_future *future, struct tusk__handle *handles)
{
    if (likely(!handles->next && handles->run == tusk__task_step))
        tusk__loop_push(future->loop, handles);
    else
        tusk__future_call_back_all(future, handles);
}

/* Ends a pending future, and makes its callbacks ready. A negative result of a FINISHED one is an error. */
static inline void tusk__future_finish(struct tusk_future *future, enum tusk__state state, int result)
{
    struct tusk__handle *handles = future->callbacks;

    future->state = state == TUSK__FINISHED && result < 0 ? TUSK__FAILED : state;
    future->result = result;
    future->callbacks = NULL;
    if (handles)
        tusk__future_call_back(future, handles);
}

/* Somebody has looked at the error, if there is one. */
static inline void tusk__future_retrieved(struct tusk_future *future)
{
    if (unlikely(future->state == TUSK__FAILED))
        future->state = TUSK__FINISHED;
}

/* What a done future has for who asks; the error counts as retrieved. */
static inline int tusk__future_outcome(struct tusk_future *future)
{
    tusk__future_retrieved(future);
    return future->result;
}

/* Cancels any kind of future. The text, which may be NULL, stays the caller's. False if it is done. */
bool tusk__future_cancel(struct tusk_future *future, struct tusk__text *text);

/* Adds a handle to the callbacks of a pending future. */
static inline void tusk__future_append(struct tusk_future *future, struct tusk__handle *handle)
{
    handle->next = NULL;
    if (future->callbacks)
        future->callbacks_end->next = handle;
    else
        future->callbacks = handle;
    future->callbacks_end = handle;
}

/* Takes a handle out of the callbacks; false if it is not there. */
bool tusk__future_remove(struct tusk_future *future, const struct tusk__handle *handle);

/* Frees it: the last reference is gone. */
void tusk__future_free(struct tusk_future *future);

static inline void tusk__future_release(struct tusk_future *future)
{
    if (--future->references == 0)
        tusk__future_free(future);
}

/* Frees what is left of it at the end of its loop, whoever still refers to it. */
void tusk__future_destroy(struct tusk_future *future);

/* The future was freed before: reports it in debug mode, returns TUSK_RELEASED. */
int tusk__future_misused(const struct tusk_future *future);

/* Gives the text of an error, or NULL, to whoever runs: the task, or else the thread. The text stays the caller's. */
void tusk__receive_text(int code, struct tusk__text *text);

#endif
