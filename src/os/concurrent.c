/*
 * Futures for threads, and run_coroutine_threadsafe.
 *
 * The future has references of its user and of what is on its way to or from
 * the loop: the letter that makes the task, then the handle among the task's callbacks, and a
 * letter that cancels. What both sides see is under its lock; the task, and the
 * place in the loop's list, are the loop's alone.
 *
 * It does not hold the loop's port before the loop has opened the first letter:
 * ports belong to the loop's thread. So a cancel before that only marks the future, and
 * the letter finds the mark.
 */
#include <errno.h>
#include <math.h>

#include "base/copy.h"
#include "base/error.h"
#include "base/sys.h"
#include "os/job.h"

enum state { PENDING, CANCELLED, FINISHED };

struct callback {
    struct callback *next;
    tusk_concurrent_callback *function;
    void *arg;
};

/* A job of the same loop that waits here; on its thread's stack. */
struct waiter {
    struct waiter *next;
    struct tusk__job *job;
};

struct tusk_concurrent_future {
    struct tusk__letter submitted;
    struct tusk__letter ended;
    struct tusk__letter cancelled;
    atomic_int references;
    /* Only to compare. */
    const struct tusk_loop *loop;
    /* --- the loop's --- */
    tusk_coro *coro;
    void *arg;
    bool owns_arg;
    struct tusk__link link;
    struct tusk_future *task;
    /* --- under the lock --- */
    pthread_mutex_t lock;
    pthread_cond_t done;
    enum state state;
    int result;
    struct tusk__text *text;
    /* Set when the loop has begun with it. */
    struct tusk__port *port;
    /* The loop had begun when the future was finished. */
    bool begun;
    struct callback *callbacks;
    struct callback **callbacks_end;
    struct waiter *waiters;
};

/* ---- references ---- */

static void free_callbacks(struct callback *callback)
{
    while (callback) {
        struct callback *next = callback->next;

        tusk__free(callback);
        callback = next;
    }
}

static struct tusk_concurrent_future *retain(struct tusk_concurrent_future *future)
{
    atomic_fetch_add_explicit(&future->references, 1, memory_order_relaxed);
    return future;
}

void tusk_concurrent_future_release(tusk_concurrent_future *future)
{
    if (!future || atomic_fetch_sub_explicit(&future->references, 1, memory_order_acq_rel) > 1)
        return;
    if (future->owns_arg)
        tusk__copy_free(future->arg);
    tusk__cell_drop(future->submitted.handle.context);
    tusk__cell_drop(future->ended.handle.context);
    tusk__text_release(future->text);
    free_callbacks(future->callbacks);
    pthread_mutex_destroy(&future->lock);
    pthread_cond_destroy(&future->done);
    tusk__port_put(future->port, future);
}

/* ---- the end ---- */

static void call_back(struct tusk_concurrent_future *future, struct callback *callback)
{
    while (callback) {
        struct callback *next = callback->next;

        callback->function(future, callback->arg);
        tusk__free(callback);
        callback = next;
    }
}

/* Threads that waited for the loop are what the loop waits for again, before it takes another turn. */
static void unpark_all(struct waiter *waiter)
{
    for (; waiter; waiter = waiter->next)
        tusk__job_unpark(waiter->job);
}

/* Finishes the future; false if it is done. The message is copied. */
static bool finish(struct tusk_concurrent_future *future, enum state state, int result, const char *message)
{
    struct callback *callbacks = NULL;
    bool first;

    pthread_mutex_lock(&future->lock);
    first = future->state == PENDING;
    if (first) {
        future->state = state;
        future->result = result;
        future->begun = future->port != NULL;
        future->text = tusk__text_copy(result, message);
        callbacks = future->callbacks;
        future->callbacks = NULL;
        unpark_all(future->waiters);
        pthread_cond_broadcast(&future->done);
    }
    pthread_mutex_unlock(&future->lock);
    call_back(future, callbacks);
    return first;
}

/* ---- the loop's side ---- */

static bool is_done(struct tusk_concurrent_future *future)
{
    bool done;

    pthread_mutex_lock(&future->lock);
    done = future->state != PENDING;
    pthread_mutex_unlock(&future->lock);
    return done;
}

/* What the task has goes to the future. Of one that was cancelled nobody retrieves it. */
static void take_outcome(struct tusk_concurrent_future *future)
{
    struct tusk_future *task = future->task;
    enum state state = tusk_future_cancelled(task) ? CANCELLED : FINISHED;

    if (finish(future, state, task->result, task->text ? task->text->text : NULL))
        tusk__future_retrieved(task);
}

static void leave_task(struct tusk_concurrent_future *future)
{
    tusk__link_remove(&future->link);
    tusk__future_release(future->task);
    future->task = NULL;
    tusk_concurrent_future_release(future);
}

static void open_ended(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk_concurrent_future *future = container_of(letter, struct tusk_concurrent_future, ended);

    (void)loop;
    take_outcome(future);
    leave_task(future);
}

/* The list of the loop has closed it already. */
static void drop_ended(struct tusk__letter *letter)
{
    tusk_concurrent_future_release(container_of(letter, struct tusk_concurrent_future, ended));
}

static void fail_closed(struct tusk_concurrent_future *future)
{
    finish(future, FINISHED, TUSK_LOOP_CLOSED, tusk_strerror(TUSK_LOOP_CLOSED));
}

static void close_future(struct tusk_concurrent_future *future)
{
    struct tusk_future *task = future->task;

    if (!tusk__future_pending(task)) {
        /* `ended` stands in the queue and is dropped there, with its reference. */
        retain(future);
        take_outcome(future);
    } else {
        tusk__future_remove(task, &future->ended.handle);
        fail_closed(future);
    }
    leave_task(future);
}

void tusk__concurrent_close(struct tusk__threads *threads)
{
    while (threads->concurrent)
        close_future(container_of(threads->concurrent, struct tusk_concurrent_future, link));
}

/* From here on a cancel comes as a letter. True if it came before. */
static bool begin(struct tusk_concurrent_future *future, struct tusk__port *port)
{
    bool cancelled;

    pthread_mutex_lock(&future->lock);
    future->port = tusk__port_retain(port);
    cancelled = future->state != PENDING;
    pthread_mutex_unlock(&future->lock);
    return cancelled;
}

static int create_task(struct tusk_loop *loop, struct tusk_concurrent_future *future)
{
    struct tusk__threads *threads = tusk__threads_get(loop);

    if (!threads)
        return tusk_last_error();
    future->task = (tusk_loop_create_task)(loop, future->coro, future->arg, NULL);
    if (!future->task)
        return tusk_last_error();
    future->task->owns_arg = future->owns_arg;
    future->owns_arg = false;
    tusk__link_add(&threads->concurrent, &future->link);
    if (tusk__future_pending(future->task))
        tusk__future_append(future->task, &future->ended.handle);
    else
        tusk__loop_push(loop, &future->ended.handle);
    if (begin(future, threads->port))
        tusk__future_cancel(future->task, NULL);
    return 0;
}

static void open_submitted(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk_concurrent_future *future = container_of(letter, struct tusk_concurrent_future, submitted);
    int rc = is_done(future) ? -ECANCELED : create_task(loop, future);

    if (rc == 0)
        return;
    finish(future, FINISHED, rc, NULL);
    tusk_concurrent_future_release(future);
}

static void drop_submitted(struct tusk__letter *letter)
{
    struct tusk_concurrent_future *future = container_of(letter, struct tusk_concurrent_future, submitted);

    fail_closed(future);
    tusk_concurrent_future_release(future);
}

static void open_cancelled(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk_concurrent_future *future = container_of(letter, struct tusk_concurrent_future, cancelled);

    (void)loop;
    if (future->task)
        tusk__future_cancel(future->task, NULL);
    tusk_concurrent_future_release(future);
}

static void drop_cancelled(struct tusk__letter *letter)
{
    tusk_concurrent_future_release(container_of(letter, struct tusk_concurrent_future, cancelled));
}

/* ---- making ---- */

static struct tusk_concurrent_future *create(struct tusk_loop *loop, tusk_coro *coro, void *arg)
{
    struct tusk_concurrent_future *future;

    if (!loop || !coro)
        return tusk__fail(-EINVAL);
    if (loop->closed)
        return tusk__fail(TUSK_LOOP_CLOSED);
    future = tusk__stock_get(&loop->stock, sizeof *future);
    if (!future)
        return tusk__fail(-ENOMEM);
    future->submitted = (struct tusk__letter){{.run = tusk__letter_run}, open_submitted, drop_submitted};
    future->ended = (struct tusk__letter){{.run = tusk__letter_run}, open_ended, drop_ended};
    future->cancelled = (struct tusk__letter){{.run = tusk__letter_run}, open_cancelled, drop_cancelled};
    atomic_init(&future->references, 2);
    future->loop = loop;
    future->coro = coro;
    future->arg = arg;
    pthread_mutex_init(&future->lock, NULL);
    tusk__cond_init(&future->done);
    future->callbacks_end = &future->callbacks;
    /* The task is made in there, and copies it. */
    future->submitted.handle.context = tusk__cell_copy(*tusk__current_cell());
    return future;
}

tusk_concurrent_future *tusk_run_coroutine_threadsafe(tusk_loop *loop, tusk_coro *coro, void *arg)
{
    struct tusk_concurrent_future *future;
    bool owns_arg;

    if (tusk__copies_wait() && tusk__copy_failed(arg))
        return tusk__fail(-ENOMEM);
    owns_arg = tusk__copies_wait() && tusk__copy_claim(arg);
    future = create(loop, coro, arg);
    if (!future) {
        if (owns_arg)
            tusk__copy_free(arg);
        return NULL;
    }
    future->owns_arg = owns_arg;
    tusk__loop_post(loop, &future->submitted);
    return future;
}

/* ---- waiting ---- */

/* Until it is done: 0, or -ETIMEDOUT. With the lock. */
static int wait_until(struct tusk_concurrent_future *future, int64_t deadline)
{
    int rc = 0;

    while (future->state == PENDING && rc == 0)
        rc = deadline == TUSK__FOREVER ? -pthread_cond_wait(&future->done, &future->lock)
                                       : tusk__cond_wait_until(&future->done, &future->lock, deadline);
    return future->state == PENDING ? rc : 0;
}

static void remove_waiter(struct tusk_concurrent_future *future, const struct waiter *waiter)
{
    struct waiter **link = &future->waiters;

    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
}

/* The same for a job of that loop: meanwhile the loop need not wait for it. */
static int wait_parked(struct tusk_concurrent_future *future, int64_t deadline, struct tusk__job *job)
{
    struct waiter waiter = {.next = future->waiters, .job = job};
    int rc;

    future->waiters = &waiter;
    tusk__job_park(job);
    rc = wait_until(future, deadline);
    remove_waiter(future, &waiter);
    tusk__job_unpark(job);
    return rc;
}

static int wait_until_done(struct tusk_concurrent_future *future, double timeout)
{
    int64_t deadline = tusk__loop_deadline(tusk__clock_ns(), timeout);
    struct tusk__job *job = tusk__job_current(future->loop);
    int rc = 0;

    pthread_mutex_lock(&future->lock);
    if (future->state == PENDING && tusk__running_loop == future->loop)
        rc = -EDEADLK;
    else if (future->state == PENDING)
        rc = job ? wait_parked(future, deadline, job) : wait_until(future, deadline);
    pthread_mutex_unlock(&future->lock);
    return rc;
}

int tusk_concurrent_future_result(tusk_concurrent_future *future, double timeout)
{
    int rc;

    if (!future)
        return tusk__creation_error();
    if (isnan(timeout))
        return -EINVAL;
    rc = wait_until_done(future, timeout);
    if (rc < 0)
        return tusk_raise(rc, "%s", tusk_strerror(rc));
    if (future->result < 0 && future->text)
        return tusk_raise(future->result, "%s", future->text->text);
    return future->result;
}

/* ---- what else threads can do ---- */

bool tusk_concurrent_future_cancel(tusk_concurrent_future *future)
{
    if (!future || !finish(future, CANCELLED, -ECANCELED, NULL))
        return false;
    /* If it has not begun, the loop will see it there. */
    if (future->begun && tusk__port_send(future->port, &retain(future)->cancelled) < 0)
        tusk_concurrent_future_release(future);
    return true;
}

bool tusk_concurrent_future_done(tusk_concurrent_future *future)
{
    return !future || is_done(future);
}

bool tusk_concurrent_future_cancelled(tusk_concurrent_future *future)
{
    bool cancelled;

    if (!future)
        return false;
    pthread_mutex_lock(&future->lock);
    cancelled = future->state == CANCELLED;
    pthread_mutex_unlock(&future->lock);
    return cancelled;
}

/* False if the future is done already. */
static bool append(struct tusk_concurrent_future *future, struct callback *callback)
{
    bool pending;

    pthread_mutex_lock(&future->lock);
    pending = future->state == PENDING;
    if (pending) {
        *future->callbacks_end = callback;
        future->callbacks_end = &callback->next;
    }
    pthread_mutex_unlock(&future->lock);
    return pending;
}

int tusk_concurrent_future_add_done_callback(tusk_concurrent_future *future,
                                             tusk_concurrent_callback *callback, void *arg)
{
    struct callback *new;

    if (!future || !callback)
        return -EINVAL;
    new = tusk__alloc(sizeof *new);
    if (!new)
        return -ENOMEM;
    *new = (struct callback){NULL, callback, arg};
    if (!append(future, new))
        call_back(future, new);
    return 0;
}
