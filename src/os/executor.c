/*
 * Thread pools. A thread is started when a job comes and none is idle, up to the
 * maximum, and stays until the pool is shut down, or until it was idle for too long.
 *
 * A thread that ends joins the one that ended before it. So the list of threads
 * has no more than one entry, whoever waits joins only the last one, and when nobody
 * waits the last one detaches itself: no thread is left unjoined, and none is held up.
 *
 * Invariants: handles + workers > 0; what is 0 first does not free the pool, the other one does.
 */
#include "os/executor.h"

#include <errno.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sys.h"

/* asyncio's limit and its addition: threads that wait for the system need no processor. */
enum { DEFAULT_MAX = 32, BEYOND_PROCESSORS = 4 };

struct tusk_thread_pool_executor {
    pthread_mutex_t lock;
    /* A job came, or the pool was shut down. */
    pthread_cond_t work;
    /* A thread has ended. */
    pthread_cond_t left;
    struct tusk__job *first;
    struct tusk__job *last;
    size_t queued;
    size_t max_workers;
    size_t workers;
    /* How long a thread waits for a job, in nanoseconds; INT64_MAX: for ever. */
    int64_t patience;
    /*
     * Threads that will take the next job: each waits, or is on its way. A thread counts again
     * before it sends its result, so that a loop which answers a result with a job finds it. That
     * step is made without the lock.
     */
    atomic_size_t idle;
    /* Those of them that wait. */
    size_t waiting;
    /* References of programs and loops. */
    size_t handles;
    bool shut_down;
    /* The thread that ended last and that nobody has joined. */
    bool has_ended;
    pthread_t ended;
};

/* The pool that this thread works for. */
static _Thread_local const struct tusk_thread_pool_executor *employer;

/* ---- life ---- */

static size_t default_workers(void)
{
    size_t count = tusk__processor_count() + BEYOND_PROCESSORS;

    return count < DEFAULT_MAX ? count : DEFAULT_MAX;
}

tusk_thread_pool_executor *tusk_thread_pool_executor_create(size_t max_workers)
{
    struct tusk_thread_pool_executor *executor = tusk__alloc(sizeof *executor);

    if (!executor)
        return tusk__fail(-ENOMEM);
    pthread_mutex_init(&executor->lock, NULL);
    tusk__cond_init(&executor->work);
    tusk__cond_init(&executor->left);
    executor->max_workers = max_workers > 0 ? max_workers : default_workers();
    executor->patience = INT64_MAX;
    executor->handles = 1;
    return executor;
}

void tusk__executor_end_idle(struct tusk_thread_pool_executor *executor, int64_t after)
{
    executor->patience = after;
}

struct tusk_thread_pool_executor *tusk__executor_retain(struct tusk_thread_pool_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->handles++;
    pthread_mutex_unlock(&executor->lock);
    return executor;
}

static void destroy(struct tusk_thread_pool_executor *executor)
{
    pthread_mutex_destroy(&executor->lock);
    pthread_cond_destroy(&executor->work);
    pthread_cond_destroy(&executor->left);
    tusk__free(executor);
}

void tusk_thread_pool_executor_release(tusk_thread_pool_executor *executor)
{
    bool last;

    if (!executor)
        return;
    pthread_mutex_lock(&executor->lock);
    last = --executor->handles == 0;
    if (last)
        executor->shut_down = true;
    pthread_cond_broadcast(&executor->work);
    last = last && executor->workers == 0;
    pthread_mutex_unlock(&executor->lock);
    if (!last)
        return;
    if (executor->has_ended)
        pthread_join(executor->ended, NULL);
    destroy(executor);
}

/* ---- threads ---- */

/* Waits, with the lock; -ETIMEDOUT at the deadline. INT64_MAX: there is none. */
static int wait_until(struct tusk_thread_pool_executor *executor, pthread_cond_t *condition, int64_t deadline)
{
    if (deadline == INT64_MAX)
        return -pthread_cond_wait(condition, &executor->lock);
    return tusk__cond_wait_until(condition, &executor->lock, deadline);
}

static struct tusk__job *take_first(struct tusk_thread_pool_executor *executor)
{
    struct tusk__job *job = executor->first;

    atomic_fetch_sub(&executor->idle, 1);
    if (!job)
        return NULL;
    executor->first = job->next;
    executor->queued--;
    return job;
}

/* The next job, or NULL when there is none: the pool is shut down, or this thread has waited for too long. */
static struct tusk__job *wait_for_job(struct tusk_thread_pool_executor *executor)
{
    int64_t deadline = executor->patience == INT64_MAX ? INT64_MAX : tusk__clock_ns() + executor->patience;
    int rc = 0;

    while (!executor->first && !executor->shut_down && rc == 0) {
        executor->waiting++;
        rc = wait_until(executor, &executor->work, deadline);
        executor->waiting--;
    }
    return take_first(executor);
}

/* The end of this thread, with the lock, which it gives back. */
static void end(struct tusk_thread_pool_executor *executor)
{
    bool has_previous = executor->has_ended;
    pthread_t previous = executor->ended;
    bool last = --executor->workers == 0;
    bool orphan = last && executor->handles == 0;

    executor->has_ended = true;
    executor->ended = pthread_self();
    pthread_cond_broadcast(&executor->left);
    pthread_mutex_unlock(&executor->lock);
    if (has_previous)
        pthread_join(previous, NULL);
    if (orphan) {
        pthread_detach(pthread_self());
        destroy(executor);
    }
}

static void run(struct tusk_thread_pool_executor *executor, struct tusk__job *job)
{
    bool begun = tusk__job_begin(job);

    if (begun)
        tusk__job_call(job);
    atomic_fetch_add(&executor->idle, 1);
    if (begun)
        tusk__job_tell(job);
    else
        tusk__job_forget(job);
}

static void *work(void *arg)
{
    struct tusk_thread_pool_executor *executor = arg;
    struct tusk__job *job;

    employer = executor;
    pthread_mutex_lock(&executor->lock);
    while ((job = wait_for_job(executor)) != NULL) {
        pthread_mutex_unlock(&executor->lock);
        run(executor, job);
        pthread_mutex_lock(&executor->lock);
    }
    end(executor);
    return NULL;
}

/* Sees to it that somebody will take the job that comes now. */
static int provide_thread(struct tusk_thread_pool_executor *executor)
{
    pthread_t thread;
    int rc;

    if (atomic_load(&executor->idle) > executor->queued || executor->workers == executor->max_workers)
        return 0;
    rc = tusk__fail_now() ? EAGAIN : pthread_create(&thread, NULL, work, executor);
    if (rc == 0) {
        executor->workers++;
        atomic_fetch_add(&executor->idle, 1);
    }
    /* With others at work the job only waits longer. */
    return rc == 0 || executor->workers > 0 ? 0 : -EAGAIN;
}

static void append(struct tusk_thread_pool_executor *executor, struct tusk__job *job)
{
    job->next = NULL;
    if (executor->first)
        executor->last->next = job;
    else
        executor->first = job;
    executor->last = job;
    executor->queued++;
}

int tusk__executor_submit(struct tusk_thread_pool_executor *executor, struct tusk__job *job)
{
    int rc;

    pthread_mutex_lock(&executor->lock);
    rc = executor->shut_down ? TUSK_EXECUTOR_SHUT_DOWN : provide_thread(executor);
    if (rc == 0) {
        append(executor, job);
        /* Those on their way look at the queue by themselves. */
        if (executor->queued + executor->waiting > atomic_load(&executor->idle))
            pthread_cond_signal(&executor->work);
    }
    pthread_mutex_unlock(&executor->lock);
    return rc;
}

/* ---- shutting down ---- */

static void refuse_all(struct tusk__job *job)
{
    while (job) {
        struct tusk__job *next = job->next;

        tusk__job_refuse(job);
        job = next;
    }
}

static void close_queue(struct tusk_thread_pool_executor *executor, bool cancel_futures)
{
    struct tusk__job *refused = NULL;

    pthread_mutex_lock(&executor->lock);
    executor->shut_down = true;
    if (cancel_futures) {
        refused = executor->first;
        executor->first = NULL;
        executor->queued = 0;
    }
    pthread_cond_broadcast(&executor->work);
    pthread_mutex_unlock(&executor->lock);
    refuse_all(refused);
}

/* Joins the thread that ended last, if nobody has. With the lock, which it gives back. */
static void join_ended(struct tusk_thread_pool_executor *executor)
{
    bool has_ended = executor->has_ended;
    pthread_t ended = executor->ended;

    executor->has_ended = false;
    pthread_mutex_unlock(&executor->lock);
    if (has_ended)
        pthread_join(ended, NULL);
}

int tusk__executor_wait(struct tusk_thread_pool_executor *executor, int64_t deadline)
{
    int rc = 0;

    pthread_mutex_lock(&executor->lock);
    while (executor->workers > 0 && rc == 0)
        rc = wait_until(executor, &executor->left, deadline);
    rc = executor->workers == 0 ? 0 : rc;
    join_ended(executor);
    return rc;
}

void tusk__executor_dismiss(struct tusk_thread_pool_executor *executor)
{
    close_queue(executor, true);
    pthread_mutex_lock(&executor->lock);
    /* There is nothing left to take, so whoever is idle ends without delay, and says so. */
    while (atomic_load(&executor->idle) > 0)
        wait_until(executor, &executor->left, INT64_MAX);
    join_ended(executor);
    tusk_thread_pool_executor_release(executor);
}

int tusk_thread_pool_executor_shutdown(tusk_thread_pool_executor *executor, bool wait, bool cancel_futures)
{
    if (!executor)
        return -EINVAL;
    close_queue(executor, cancel_futures);
    if (!wait)
        return 0;
    if (employer == executor)
        return -EDEADLK;
    return tusk__executor_wait(executor, INT64_MAX);
}
