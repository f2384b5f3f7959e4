#include "os/job.h"

#include <errno.h>
#include <pthread.h>

#include "base/error.h"

static _Thread_local struct tusk__job *current;

/* For all jobs together: a loop that closes while one of its functions runs is rare. */
static pthread_mutex_t end_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t one_has_ended = PTHREAD_COND_INITIALIZER;

/* ---- references and memory ---- */

static void forget_arg(struct tusk__job *job)
{
    if (job->forget)
        job->forget(job->arg);
    job->forget = NULL;
}

/* Any thread. */
static void release(struct tusk__job *job)
{
    if (atomic_fetch_sub_explicit(&job->references, 1, memory_order_acq_rel) > 1)
        return;
    forget_arg(job);
    tusk__text_release(job->text);
    tusk__cell_drop(job->context);
    tusk__port_put(job->port, job);
}

/* ---- what the loop counts ---- */

/*
 * Each change is of who makes the exchange, so nobody counts twice. The count of the
 * loop may be one short or one too many for a moment; the loop looks again when it is woken.
 */
static void uncount(struct tusk_loop *loop, struct tusk__job *job)
{
    if (atomic_exchange(&job->count, TUSK__JOB_UNCOUNTED) == TUSK__JOB_COUNTED)
        atomic_fetch_sub(&loop->external, 1);
}

static bool recount(struct tusk__job *job, int from, int to)
{
    return atomic_compare_exchange_strong(&job->count, &from, to);
}

void tusk__job_park(struct tusk__job *job)
{
    struct tusk_loop *loop = tusk__port_enter(job->port);

    if (!loop)
        return;
    if (recount(job, TUSK__JOB_COUNTED, TUSK__JOB_PARKED)) {
        atomic_fetch_sub(&loop->external, 1);
        /* It may block for the sake of this job alone. */
        loop->poller.backend->wake(&loop->poller);
    }
    tusk__port_leave(job->port);
}

void tusk__job_unpark(struct tusk__job *job)
{
    struct tusk_loop *loop = tusk__port_enter(job->port);

    if (!loop)
        return;
    if (recount(job, TUSK__JOB_PARKED, TUSK__JOB_COUNTED))
        atomic_fetch_add(&loop->external, 1);
    tusk__port_leave(job->port);
}

/* ---- the thread's side ---- */

struct tusk__job *tusk__job_current(const struct tusk_loop *loop)
{
    return current && atomic_load(&current->port->loop) == loop ? current : NULL;
}

/* A message that was there before belongs to another error. */
static void keep_message(struct tusk__job *job, unsigned messages)
{
    if (job->result < 0 && tusk__thread_messages != messages)
        job->text = tusk__text_copy(job->result, tusk__thread_message(job->result));
}

/* The function has ended. Its loop is told, if that waits for nothing else. */
static void end(struct tusk__job *job)
{
    if (atomic_exchange(&job->state, TUSK__JOB_ENDED) != TUSK__JOB_OUTWAITED)
        return;
    pthread_mutex_lock(&end_lock);
    pthread_cond_broadcast(&one_has_ended);
    pthread_mutex_unlock(&end_lock);
}

void tusk__job_call(struct tusk__job *job)
{
    unsigned messages = tusk__thread_messages;

    /* Each job begins in its own context, or an empty one, and not in what the one before has left. */
    tusk__cell_drop(tusk__thread_cell);
    tusk__thread_cell = job->context;
    job->context = 0;
    current = job;
    job->result = job->function(job->arg);
    current = NULL;
    keep_message(job, messages);
    tusk__cell_drop(tusk__thread_cell);
    tusk__thread_cell = 0;
    forget_arg(job);
    end(job);
}

/* True for the one side that may decide what becomes of a job that waits. */
static bool take(struct tusk__job *job, enum tusk__job_state state)
{
    int waits = TUSK__JOB_WAITS;

    return atomic_compare_exchange_strong(&job->state, &waits, (int)state);
}

bool tusk__job_begin(struct tusk__job *job)
{
    return take(job, TUSK__JOB_RUNS);
}

void tusk__job_tell(struct tusk__job *job)
{
    if (tusk__port_send(job->port, &job->ended) < 0)
        release(job);
}

void tusk__job_forget(struct tusk__job *job)
{
    release(job);
}

void tusk__job_refuse(struct tusk__job *job)
{
    if (!take(job, TUSK__JOB_CANCELLED)) {
        release(job);
        return;
    }
    job->result = -ECANCELED;
    forget_arg(job);
    tusk__job_tell(job);
}

/* ---- the loop's side ---- */

bool tusk__job_withdraw(struct tusk__job *job)
{
    return take(job, TUSK__JOB_CANCELLED);
}

static void settle(struct tusk__job *job)
{
    struct tusk_future *future = job->future;
    bool refused = atomic_load(&job->state) == TUSK__JOB_CANCELLED;

    tusk__text_put(&future->text, job->text);
    job->text = NULL;
    tusk__future_finish(future, refused ? TUSK__CANCELLED : TUSK__FINISHED, job->result);
}

static void open_ended(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk__job *job = container_of(letter, struct tusk__job, ended);

    uncount(loop, job);
    if (job->future && tusk__future_pending(job->future))
        settle(job);
    release(job);
}

static void drop_ended(struct tusk__letter *letter)
{
    release(container_of(letter, struct tusk__job, ended));
}

/* Gives up the future, and whatever has not started. */
static struct tusk_future *leave(struct tusk__job *job)
{
    struct tusk_future *future = job->future;

    take(job, TUSK__JOB_CANCELLED);
    tusk__link_remove(&job->link);
    job->future = NULL;
    return future;
}

static void open_settled(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk__job *job = container_of(letter, struct tusk__job, settled);
    struct tusk_future *future = leave(job);

    uncount(loop, job);
    loop->current = NULL;
    release(job);
    tusk__future_release(future);
}

static void drop_settled(struct tusk__letter *letter)
{
    release(container_of(letter, struct tusk__job, settled));
}

static void close_job(struct tusk__threads *threads, struct tusk__job *job)
{
    struct tusk_future *future = leave(job);
    bool is_pending = tusk__future_pending(future);

    /* Of a future that is done, `settled` stands in the queue and is dropped there. */
    if (is_pending)
        tusk__future_remove(future, &job->settled.handle);
    if (is_pending && job->uses_stack)
        tusk__link_add(&threads->last_jobs, &job->link);
    else if (is_pending)
        release(job);
    tusk__future_release(future);
}

void tusk__jobs_close(struct tusk__threads *threads)
{
    while (threads->jobs)
        close_job(threads, container_of(threads->jobs, struct tusk__job, link));
}

/* Blocks until the function has ended, if it runs. */
static void outwait(struct tusk__job *job)
{
    int runs = TUSK__JOB_RUNS;

    if (!atomic_compare_exchange_strong(&job->state, &runs, TUSK__JOB_OUTWAITED))
        return;
    pthread_mutex_lock(&end_lock);
    while (atomic_load(&job->state) != TUSK__JOB_ENDED)
        pthread_cond_wait(&one_has_ended, &end_lock);
    pthread_mutex_unlock(&end_lock);
}

void tusk__jobs_outwait(struct tusk__threads *threads)
{
    while (threads->last_jobs) {
        struct tusk__job *job = container_of(threads->last_jobs, struct tusk__job, link);

        tusk__link_remove(&job->link);
        outwait(job);
        release(job);
    }
}

/* ---- making ---- */

static void init(struct tusk__job *job, struct tusk__threads *threads, tusk_coro *function, void *arg)
{
    job->ended = (struct tusk__letter){{.run = tusk__letter_run}, open_ended, drop_ended};
    job->settled = (struct tusk__letter){{.run = tusk__letter_run}, open_settled, drop_settled};
    job->port = tusk__port_retain(threads->port);
    atomic_init(&job->state, TUSK__JOB_WAITS);
    atomic_init(&job->references, 2);
    atomic_init(&job->count, TUSK__JOB_COUNTED);
    job->function = function;
    job->arg = arg;
    tusk__link_add(&threads->jobs, &job->link);
}

struct tusk__job *tusk__job_new(struct tusk_loop *loop, tusk_coro *function, void *arg, const char *where)
{
    struct tusk__threads *threads = tusk__threads_get(loop);
    struct tusk_future *future;
    struct tusk__job *job;

    if (!threads)
        return NULL;
    future = (tusk_loop_create_future)(loop, where);
    if (!future)
        return NULL;
    job = tusk__stock_get(&loop->stock, sizeof *job);
    if (!job) {
        tusk__future_release(future);
        return tusk__fail(-ENOMEM);
    }
    init(job, threads, function, arg);
    job->future = future;
    tusk__future_append(future, &job->settled.handle);
    atomic_fetch_add(&loop->external, 1);
    return job;
}

void tusk__job_discard(struct tusk__job *job)
{
    struct tusk_future *future = leave(job);

    uncount(future->loop, job);
    job->forget = NULL;
    tusk__future_remove(future, &job->settled.handle);
    tusk__future_release(future);
    release(job);
    release(job);
}
