/*
 * Tasks from the inside, and how they wait.
 *
 * A task runs when the loop runs its handle. It suspends in one place only,
 * tusk__suspend, and goes on when something has put its handle into the ready
 * queue (tusk__wake). Everything that can wait is made of these words:
 *
 *     struct tusk__wait wait = {.kind = &kind};      on the waiter's stack
 *     ... leave a pointer to it where the event will look ...
 *     tusk__park(task, &wait);                       until tusk__wake(task)
 *     return tusk__resumed(task, result);
 *
 * The cancel hook is called when the task is cancelled while it waits. If the
 * event has not happened, it takes the record out of wherever it was left,
 * sees to it that the task is woken, and returns true. If it has happened already, and
 * the task is in the ready queue for it, it returns false: then the cancel is delivered
 * instead of the result, by tusk__resumed.
 */
#ifndef TUSK__TASK_TASK_H
#define TUSK__TASK_TASK_H

#include <tusk/task.h>

#include "base/mem.h"
#include "coro/coro.h"
#include "coro/pool.h"
#include "base/copy.h"
#include "task/future.h"

struct tusk__wait;

struct tusk__wait_kind {
    bool (*cancel)(struct tusk__wait *wait, struct tusk__text *text);
    /* What a report says the task waits for: "task 'x'". Writes at most size bytes. */
    void (*describe)(const struct tusk__wait *wait, char *text, size_t size);
    /* The loop closes, and the task never runs again: gives back what the wait took. NULL: nothing. */
    void (*abandon)(struct tusk__wait *wait);
};

struct tusk__wait {
    const struct tusk__wait_kind *kind;
};

/* Who created a task with .eager_start, and gets the processor back at its first suspension. */
struct tusk__eager {
    struct tusk__coro *creator;
    struct tusk__handle *creator_handle;
};

struct tusk__task {
    struct tusk_future future;
    tusk_coro *coro;
    void *arg;
    /* The N of Task-N, if it has no other name. */
    uint64_t number;
    /* --- all below is zero at first --- */
    /* Its place while it is suspended; without a stack before its first step and after its last. */
    struct tusk__coro place;
    /* What it waits for, or NULL: it runs, or is ready. */
    struct tusk__wait *wait;
    struct tusk__eager *eager;
    struct tusk__text *cancel_text;
    /* NULL as long as nobody asked for the name that the number gives. */
    char *name;
    /* cancel() less uncancel(). */
    int32_t cancels;
    /* Bytes; 0 is the default. */
    uint32_t stack_size;
    /* A cancel is to be delivered at the next step. */
    bool must_cancel;
    /* Debug mode: it made a task whose argument lies in its own stack. */
    bool lends;
    /* Time-outs and groups that it entered and did not leave. */
    uint32_t scopes;
};

/* What tasks add to a loop. */
struct tusk__tasks {
    struct tusk_loop *loop;
    struct tusk__slab tasks;
    struct tusk__slab futures;
    struct tusk__slab callbacks;
    struct tusk__pool pool;
    /*
     * The stack that was left last, if it is a default one: the next task to start
     * finds it in one load, where the pool takes three that depend on each other.
     */
    struct tusk__stack *spare;
    /* The loop's own place, while tasks run. */
    struct tusk__coro home;
    /*
     * Whose stack it is on which tusk's own code runs between two tasks, which may call an
     * exception handler. NULL: home.
     */
    struct tusk__coro *between;
    /* A pinned task whose coroutine has returned this, and that is to be finished at home. */
    struct tusk__task *ended;
    int ended_rc;
    /*
     * The main task of a run is pinned: when it has ended its stack stays as it is, until
     * tusk__tasks_unpin. What it runs and with what; and its stack, once it was finished.
     */
    struct tusk__task *pinned;
    tusk_coro *pinned_coro;
    void *pinned_arg;
    struct tusk__stack *pinned_stack;
    /* All live futures. */
    struct tusk_future *oldest;
    struct tusk_future *newest;
    /* Tasks that are not done. */
    size_t pending;
    /* Makes the tasks, instead of tusk_task_new; or NULL. */
    tusk_task_factory *factory;
    /* The N of the last Task-N. */
    uint64_t last_number;
    /* Debug mode: freed futures that are kept a while, by their `newer`, so that late users are caught. */
    struct tusk_future *quarantine;
    struct tusk_future *quarantine_end;
    size_t quarantined;
};

static inline struct tusk__task *tusk__task_of(struct tusk_future *future)
{
    return container_of(future, struct tusk__task, future);
}

static inline struct tusk__tasks *tusk__tasks_of(const struct tusk_loop *loop)
{
    return loop->tasks;
}

struct tusk__tasks *tusk__tasks_make(struct tusk_loop *loop);

/* The tasks of a loop, made when the first is needed; NULL on an error (tusk_last_error()). */
static inline struct tusk__tasks *tusk__tasks_get(struct tusk_loop *loop)
{
    return likely(loop->tasks != NULL) ? loop->tasks : tusk__tasks_make(loop);
}

/* Makes the memory of a future one: pending, one reference, the newest in the list of its loop. */
static inline void tusk__future_init(struct tusk_future *future, struct tusk_loop *loop, enum tusk__kind kind,
                                     const char *where)
{
    struct tusk__tasks *tasks = tusk__tasks_of(loop);

    future->handle.context = 0;
    future->callbacks = NULL;
    future->loop = loop;
    future->text = NULL;
    future->where = where;
    future->references = 1;
    future->result = 0;
    future->kind = (uint8_t)kind;
    future->state = TUSK__PENDING;
    future->leftover = false;
    future->owns_arg = false;
    future->newer = NULL;
    future->older = tasks->newest;
    if (tasks->newest)
        tasks->newest->newer = future;
    else
        tasks->oldest = future;
    tasks->newest = future;
}

/* The task whose handle this is. */
static inline struct tusk__task *tusk__task_of_handle(struct tusk__handle *handle)
{
    return container_of(handle, struct tusk__task, future.handle);
}

/* True from its first step on, for a task that is not done. */
static inline bool tusk__task_started(const struct tusk__task *task)
{
    return task->place.stack != NULL;
}

/* The running task, or NULL. */
static inline struct tusk__task *tusk__running_task(void)
{
    struct tusk_loop *loop = tusk__running_loop;

    if (unlikely(!loop || !loop->current || loop->current->run != tusk__task_step))
        return NULL;
    return tusk__task_of_handle(loop->current);
}

/* Lets the others run until the task's handle comes up in the ready queue. */
void tusk__suspend(struct tusk__task *task);

/* A cancel that came before the task waited: now there is something to cancel. */
void tusk__cancel_wait(struct tusk__task *task, struct tusk__wait *wait);

/* Suspends the task with a wait record for whoever cancels it. */
static inline void tusk__park(struct tusk__task *task, struct tusk__wait *wait)
{
    task->wait = wait;
    if (unlikely(task->must_cancel))
        tusk__cancel_wait(task, wait);
    tusk__suspend(task);
    task->wait = NULL;
}

/* Makes a parked task ready. Once for each park. */
static inline void tusk__wake(struct tusk__task *task)
{
    tusk__loop_push(task->future.loop, &task->future.handle);
}

/* The end of a wait that gave this result: -ECANCELED instead if a cancel was to be delivered. */
int tusk__resumed_cancelled(struct tusk__task *task, int result);

static inline int tusk__resumed(struct tusk__task *task, int result)
{
    return unlikely(task->must_cancel) ? tusk__resumed_cancelled(task, result) : result;
}

/* Runs the first step of a task now, on behalf of its creator. */
void tusk__task_start_eagerly(struct tusk__tasks *tasks, struct tusk__task *task);

void tusk__task_finish_slowly(struct tusk__task *task, int rc);

/* Ends the task with what its coroutine returned. */
static inline void tusk__task_finish(struct tusk__task *task, int rc)
{
    struct tusk_future *future = &task->future;

    if (unlikely(rc < 0 || task->must_cancel || future->owns_arg || future->text || future->loop->debug)) {
        tusk__task_finish_slowly(task, rc);
        return;
    }
    task->place.stack = NULL;
    future->loop->current = NULL;
    tusk__tasks_of(future->loop)->pending--;
    tusk__future_finish(future, TUSK__FINISHED, rc);
    tusk__future_release(future);
}

/* Ends a task that has not started and never will. */
void tusk__task_finish_unstarted(struct tusk__task *task, int rc);

/* Pins a task that has not started. One at a time. */
void tusk__task_pin(struct tusk__task *task);

/* The run of the pinned task has ended before it: it is a task like others from here on. */
void tusk__task_unpin(struct tusk__task *task);

/* Lets the stack of a pinned task go, when no task is left that could look at it. */
void tusk__tasks_unpin(struct tusk__tasks *tasks);

/* Frees what belongs to the task alone. */
void tusk__task_clear(struct tusk__task *task);

/* True if tusk__task_clear has nothing to do, as for most tasks. Without branches: all answers are needed. */
static inline bool tusk__task_is_clear(const struct tusk__task *task)
{
    return !((uintptr_t)task->place.stack | (uintptr_t)task->cancel_text | (uintptr_t)task->name |
             task->future.owns_arg);
}

/* The future that `wait` awaits, or NULL if it is no await. */
struct tusk_future *tusk__awaited(const struct tusk__wait *wait);

/* Ends the await of a task by hand, for a ring of tasks that await each other. */
void tusk__await_abandon(struct tusk__task *task);

/*
 * The end of a run asks every task once. In a chain of a hundred thousand, each
 * of which awaits the next, that would be five thousand million steps: of a
 * task that was asked TUSK__ENOUGH times already in this round, the rest of the chain was too.
 * gather_index counts, from zero.
 */
enum { TUSK__ENOUGH = 100 };
void tusk__future_cancel_in_round(struct tusk_future *future);

/* Writes the task's name, or what kind of future it is. Allocates nothing. */
void tusk__future_describe(const struct tusk_future *future, char *text, size_t size);

#endif
