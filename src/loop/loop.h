/*
 * The event loop's own structure, and the words that the layer of tasks uses.
 *
 * The ready queue is a list; `batch` is what is left of the present iteration, cut
 * off the queue when it began, so that what callbacks add runs in the next one.
 *
 * Two kinds of turn lead from one iteration to the next. The quick one takes
 * the ready queue as the new batch, and is all that happens most of the time. The
 * full one (loop.c) takes in what other threads sent, reads the clock, polls, and
 * fires timers. It comes when nothing is ready, when somebody asked for it
 * (tusk__loop_attend), or when the clock says that one is due. The clock is read after
 * `quick_turns` quick turns, a number that follows the measured length of turns,
 * so that at most some POLL_INTERVAL goes by between two looks. So a busy loop
 * makes no system call, and reads no clock, for most of its iterations.
 *
 * Invariant: batch, ready, and everything else but the inbox belong to the
 * loop's thread.
 */
#ifndef TUSK__LOOP_LOOP_H
#define TUSK__LOOP_LOOP_H

#include <stdatomic.h>

#include "base/stock.h"
#include "base/compiler.h"
#include "base/slab.h"
#include "loop/context.h"
#include "loop/handle.h"
#include "loop/inbox.h"
#include "loop/poll/poll.h"
#include "loop/wheel.h"

/* What the layer of tasks adds to a loop. */
struct tusk__loop_hooks {
    /* The thread enters or leaves a run. enter may refuse with a code. */
    int (*enter)(struct tusk_loop *loop);
    void (*leave)(struct tusk_loop *loop);
    /* The loop is about to block. Returns the nanoseconds after which it wants to be asked again, or -1. */
    int64_t (*idle)(struct tusk_loop *loop, int64_t now);
    /* Writes what a handle runs, for a report: a task's name. */
    void (*describe)(struct tusk__handle *handle, char *text, size_t size);
    /* What the handles of tasks run: a seed shuffles these, and no others. */
    void (*step)(struct tusk__handle *handle);
    /* Nothing can ever wake this loop: report who waits for what. */
    void (*deadlock)(struct tusk_loop *loop);
    /* The loop closes: a handle of the hooks' owner stood in the ready queue and will not run. */
    void (*drop)(struct tusk__handle *handle);
    /* The loop closes: free everything. */
    void (*close)(struct tusk_loop *loop);
};

/*
 * A callback that goes into the queue as it is, and knows what to do if its loop
 * closes first: what other threads and the layers beyond tasks send. Nobody has a
 * handle of it, and it needs nothing of the loop's.
 */
struct tusk__letter {
    struct tusk__handle handle;
    /* The letter may be freed, or sent again, in there. */
    void (*open)(struct tusk_loop *loop, struct tusk__letter *letter);
    /* The loop closes: it will not be opened. */
    void (*drop)(struct tusk__letter *letter);
};

/*
 * What a layer beyond that of tasks adds to a loop. It stands first in a block of
 * tusk__alloc, which the loop frees at its end.
 */
struct tusk__extension {
    /* The loop closes. Queues and futures are still there; afterwards nothing may be sent. Names the layer too. */
    void (*close)(struct tusk_loop *loop, struct tusk__extension *extension);
    /* After that, when nothing is in a queue any more. The stacks of tasks are still there. NULL: nothing to do. */
    void (*end)(struct tusk_loop *loop, struct tusk__extension *extension);
    struct tusk__extension *next;
};

struct tusk_loop {
    /* --- what every step touches --- */
    struct tusk__handle *batch;
    struct tusk__handle *ready;
    /* Where the next handle is linked: &ready, or the last one's next. */
    struct tusk__handle **ready_end;
    /* What is running, or NULL. */
    struct tusk__handle *current;
    /* How many quick turns may still follow. */
    uint32_t turns_left;
    /* Debug mode: every step goes by way of the loop, which watches it. */
    bool debug;
    bool running;
    bool stopping;
    /* tusk_loop_run_once: this iteration is the only one. */
    bool once;
    bool closed;
    bool is_virtual;
    /* Iterations since the loop was made. */
    uint64_t iteration;
    /* The layer of tasks' part: NULL before the first future or task. */
    void *tasks;
    /* The layer of I/O's part: NULL before the first descriptor. */
    void *io;
    const struct tusk__loop_hooks *hooks;

    /* --- what turns touch --- */
    /* The clock as the last full turn read it; the time itself if it is virtual. */
    int64_t now;
    /* The clock as anyone read it last. */
    int64_t seen;
    int64_t polled_at;
    uint32_t quick_turns;
    struct tusk__inbox inbox;
    struct tusk__poller poller;
    /*
     * What may come from outside but need not: signals that have handlers, changes of descriptors
     * that somebody waits for. With any there is no deadlock.
     */
    size_t listeners;
    /* How often a poller has told of a descriptor. */
    uint64_t heard;
    struct tusk__wheel wheel;
    /*
     * What goes on outside of the loop and will end with a letter: jobs in threads.
     * Meanwhile a virtual clock stands still. Atomic, for a thread that waits for the loop
     * itself takes its job out of the count as long.
     */
    atomic_size_t external;

    /* --- the rest --- */
    struct tusk__slab calls;
    /* Memory of varying size, also for what other threads send. */
    struct tusk__stock stock;
    /* The state of the random order of tasks; 0 for first in, first out. */
    uint64_t schedule;
    /* Debug mode: how long a step may take, in nanoseconds. */
    int64_t slow_step;
    /* Debug mode: what looks at steps while they run; NULL before the first one. */
    struct tusk__watchdog *watchdog;
    /* There is none, for it could not be made. */
    bool unwatched;
    /* Debug mode has said that nothing is left in this loop that could wake it. */
    bool stuck_reported;
    /* The number that the last call got. */
    uint64_t last_call_id;
    tusk_exception_handler *exception_handler;
    void *exception_handler_arg;
    /* The callback that failed last, and its name for reports. */
    uintptr_t failed_callback;
    char failed_name[128];
    struct tusk__extension *extensions;
};

/* The loop that runs in this thread. */
extern _Thread_local struct tusk_loop *tusk__running_loop;

/* The context of code outside of any loop. */
extern _Thread_local uintptr_t tusk__thread_cell;

/* The cell of whatever runs in this thread: a task, a callback, or the thread itself. */
static inline uintptr_t *tusk__current_cell(void)
{
    struct tusk_loop *loop = tusk__running_loop;

    return loop && loop->current ? &loop->current->context : &tusk__thread_cell;
}

/* Puts a handle at the end of the ready queue: it runs in the next iteration. */
static inline void tusk__loop_push(struct tusk_loop *loop, struct tusk__handle *handle)
{
    handle->next = NULL;
    *loop->ready_end = handle;
    loop->ready_end = &handle->next;
}

/* Asks for a full turn at the end of this iteration. */
static inline void tusk__loop_attend(struct tusk_loop *loop)
{
    loop->turns_left = 0;
}

/*
 * The quick turns are used up. True if the clock says that more may follow:
 * no timer is due, nothing has to be polled, no letter is there.
 */
bool tusk__loop_renew(struct tusk_loop *loop);

/*
 * What runs next, if that takes no more than a quick turn; NULL says nothing but
 * that it takes more. It stays where it is until tusk__loop_take.
 */
TUSK__ALWAYS_INLINE struct tusk__handle *tusk__loop_next_quickly(struct tusk_loop *loop)
{
    if (likely(loop->batch != NULL))
        return loop->batch;
    if (unlikely(loop->ready == NULL || loop->turns_left == 0))
        return NULL;
    loop->turns_left--;
    loop->iteration++;
    loop->batch = loop->ready;
    loop->ready = NULL;
    loop->ready_end = &loop->ready;
    return loop->batch;
}

/* What runs next, or NULL if the loop has to make a full turn first. */
static inline struct tusk__handle *tusk__loop_next(struct tusk_loop *loop)
{
    if (unlikely(!loop->batch && loop->ready && loop->turns_left == 0) && !tusk__loop_renew(loop))
        return NULL;
    return tusk__loop_next_quickly(loop);
}

/* Takes what tusk__loop_next returned out of the queue: it is what runs now. */
static inline void tusk__loop_take(struct tusk_loop *loop, struct tusk__handle *handle)
{
    loop->batch = handle->next;
    loop->current = handle;
}

/* In debug mode, TUSK_OTHER_THREAD and a report if the loop runs in a thread that is not this one; else 0. */
int tusk__loop_check_thread(struct tusk_loop *loop);

/* The clock in nanoseconds, as it is now. */
int64_t tusk__loop_clock(struct tusk_loop *loop);

/* seconds from `from`, in nanoseconds; TUSK__FOREVER if that is beyond the horizon. Not for NaN. */
int64_t tusk__loop_deadline(int64_t from, double seconds);

/*
 * Adds a timer due at `when`. The caller has just read the clock: that tells
 * whether the timer is due in the next iteration already.
 */
void tusk__loop_add_timer(struct tusk_loop *loop, struct tusk__timer *timer, int64_t when);

/* Removes a timer if it is pending. */
static inline void tusk__loop_remove_timer(struct tusk_loop *loop, struct tusk__timer *timer)
{
    if (tusk__timer_pending(timer))
        tusk__wheel_remove(&loop->wheel, timer);
}

/* Runs the loop until it is stopped: what the public runs are made of. */
int tusk__loop_run(struct tusk_loop *loop);

/* Reports to the exception handler. Any of future, name and error message may be missing. */
void tusk__loop_report(struct tusk_loop *loop, const struct tusk_exception_context *context);

/*
 * Takes a handle out of the ready queue, in which it is, and leaves one in its
 * place that does nothing: the iteration goes as if it had been cancelled. Searches the queue:
 * for the rare case that something ends just when it has become ready.
 */
void tusk__loop_orphan(struct tusk_loop *loop, struct tusk__handle *handle);

/* Runs a callback of the user; what goes wrong there is reported. */
void tusk__run_callback(struct tusk_loop *loop, tusk_callback *callback, void *arg);

/*
 * Reports that the callback at this address failed with rc; `messages` is tusk__thread_messages as it
 * was before. future may be NULL.
 */
void tusk__report_callback(struct tusk_loop *loop, uintptr_t callback, struct tusk_future *future, int rc,
                           unsigned messages);

/* What the handle of a letter runs: it is known by this. */
void tusk__letter_run(struct tusk__handle *handle);

/* Sends a letter, from any thread or from the handler of a signal. */
void tusk__loop_send(struct tusk_loop *loop, struct tusk__letter *letter);

/* The extension that closes by this function, or NULL. The loop's thread. */
struct tusk__extension *tusk__loop_extension(const struct tusk_loop *loop,
                                             void (*close)(struct tusk_loop *loop, struct tusk__extension *));

/* Adds one. */
void tusk__loop_extend(struct tusk_loop *loop, struct tusk__extension *extension);

/* Makes the slab of calls; frees all calls that are still to run. */
void tusk__calls_open(struct tusk_loop *loop);
void tusk__calls_close(struct tusk_loop *loop);

#endif
