#include "io/workers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/sys.h"
#include "os/threads.h"
#include "task/task.h"

_Thread_local struct tusk__worker *tusk__this_worker;

static void lock(struct tusk__workers *workers)
{
    pthread_mutex_lock(&workers->lock);
}

static void unlock(struct tusk__workers *workers)
{
    pthread_mutex_unlock(&workers->lock);
}

/* ---- in a worker's thread ---- */

static void drop(struct tusk__letter *letter)
{
    (void)letter;
}

static void open_cancel(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk__worker *worker = container_of(letter, struct tusk__worker, cancel);

    (void)loop;
    if (worker->task)
        tusk__future_cancel(worker->task, NULL);
}

/* Lets others write to this worker's loop. -ECANCELED if it need not begin. */
static int check_in(struct tusk__worker *worker)
{
    struct tusk__threads *threads = tusk__threads_get(tusk__running_loop);
    bool cancelled;

    if (!threads)
        return tusk_last_error();
    lock(worker->workers);
    worker->port = tusk__port_retain(threads->port);
    cancelled = worker->workers->cancelled;
    unlock(worker->workers);
    return cancelled ? -ECANCELED : 0;
}

static int run_coro(void *arg)
{
    struct tusk__worker *worker = arg;
    int rc = check_in(worker);

    if (rc < 0)
        return rc;
    worker->task = tusk_current_task();
    /* A cancel may come, or a client, whatever else the loop waits for. */
    tusk__running_loop->listeners++;
    rc = worker->workers->coro(worker->workers->arg);
    tusk__running_loop->listeners--;
    worker->task = NULL;
    return rc;
}

static void *work(void *arg)
{
    struct tusk__worker *worker = arg;
    struct tusk__workers *workers = worker->workers;
    const char *message;

    tusk__this_worker = worker;
    worker->rc = (tusk_run)(run_coro, worker, workers->options);
    message = tusk__thread_message(worker->rc);
    if (worker->rc < 0 && message)
        snprintf(worker->message, sizeof worker->message, "%s", message);
    /* The loop that gets it is there until the thread was joined. */
    tusk__port_send(workers->port, &worker->ended);
    return NULL;
}

int tusk_worker_index(void)
{
    return tusk__this_worker ? tusk__this_worker->index : -1;
}

/* ---- in the calling thread ---- */

/* With the lock. */
static void send_cancel(struct tusk__worker *worker)
{
    if (!worker->port || worker->cancel_sent)
        return;
    worker->cancel_sent = true;
    worker->cancel = (struct tusk__letter){{.run = tusk__letter_run}, open_cancel, drop};
    tusk__port_send(worker->port, &worker->cancel);
}

static void cancel_all(struct tusk__workers *workers)
{
    lock(workers);
    workers->cancelled = true;
    for (size_t i = 0; i < workers->started; i++)
        send_cancel(&workers->workers[i]);
    unlock(workers);
}

/* A failure counts for more than a cancel, which may have come of it. */
static void keep_failure(struct tusk__workers *workers, struct tusk__worker *worker)
{
    if (!workers->failed || (workers->failed->rc == -ECANCELED && worker->rc != -ECANCELED))
        workers->failed = worker;
}

static void open_ended(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk__worker *worker = container_of(letter, struct tusk__worker, ended);
    struct tusk__workers *workers = worker->workers;

    atomic_fetch_sub(&loop->external, 1);
    if (worker->rc < 0) {
        keep_failure(workers, worker);
        cancel_all(workers);
    }
    if (--workers->running == 0)
        tusk_event_set(&workers->over);
}

static int start_worker(struct tusk__workers *workers)
{
    size_t i = workers->started;
    struct tusk__worker *worker = &workers->workers[i];
    int rc;

    worker->workers = workers;
    worker->index = (int)i;
    worker->ended = (struct tusk__letter){{.run = tusk__letter_run}, open_ended, drop};
    rc = tusk__fail_now() ? EAGAIN : pthread_create(&worker->thread, NULL, work, worker);
    if (rc != 0)
        return tusk_raise(-EAGAIN, "the system gives no thread for worker %zu of %zu", i + 1, workers->count);
    /* Something goes on outside that will end with a letter. */
    atomic_fetch_add(&tusk__running_loop->external, 1);
    workers->started++;
    workers->running++;
    return 0;
}

static int start_all(struct tusk__workers *workers)
{
    int rc = 0;

    while (rc == 0 && workers->started < workers->count)
        rc = start_worker(workers);
    return rc;
}

/* However often this is cancelled: as long as a worker runs, there is no end. */
static int wait_for_all(struct tusk__workers *workers)
{
    int rc = 0;

    while (workers->running > 0) {
        int waited = tusk_event_wait(&workers->over);

        if (waited < 0) {
            rc = waited;
            cancel_all(workers);
        }
    }
    return rc;
}

static int result(struct tusk__workers *workers, int waited)
{
    const struct tusk__worker *failed = workers->failed;

    if (!failed) {
        /* All have ended well although they were asked to end: so has this. */
        if (waited == -ECANCELED)
            tusk_task_uncancel(tusk_current_task());
        return 0;
    }
    return failed->message[0] ? tusk_raise(failed->rc, "%s", failed->message) : failed->rc;
}

static int control(void *arg)
{
    struct tusk__workers *workers = arg;
    struct tusk__threads *threads = tusk__threads_get(tusk__running_loop);
    int started, waited;

    if (!threads)
        return tusk_last_error();
    workers->port = tusk__port_retain(threads->port);
    started = start_all(workers);
    if (started < 0)
        cancel_all(workers);
    waited = wait_for_all(workers);
    return started < 0 ? started : result(workers, waited);
}

static void destroy(struct tusk__workers *workers)
{
    /* If the calling thread's loop failed, they have not been told. */
    cancel_all(workers);
    for (size_t i = 0; i < workers->started; i++) {
        pthread_join(workers->workers[i].thread, NULL);
        if (workers->workers[i].port)
            tusk__port_release(workers->workers[i].port);
    }
    if (workers->port)
        tusk__port_release(workers->port);
    pthread_mutex_destroy(&workers->lock);
    tusk__free(workers);
}

static const struct tusk_run_options no_options;

int(tusk_workers)(size_t count, tusk_coro *coro, void *arg, const struct tusk_run_options *options)
{
    struct tusk_run_options own = {0};
    struct tusk__workers *workers;
    int rc;

    options = options ? options : &no_options;
    if (!coro)
        return tusk_raise(-EINVAL, "workers need a coroutine, and this one is NULL");
    if (tusk__running_loop)
        return TUSK_LOOP_RUNNING;
    count = count > 0 ? count : tusk__processor_count();
    if (count > INT32_MAX)
        return -EINVAL;
    workers = tusk__alloc(sizeof *workers + count * sizeof workers->workers[0]);
    if (!workers)
        return -ENOMEM;
    workers->coro = coro;
    workers->arg = arg;
    workers->options = options;
    workers->count = count;
    pthread_mutex_init(&workers->lock, NULL);
    own.debug = options->debug;
    own.poller = options->poller;
    rc = (tusk_run)(control, workers, &own);
    destroy(workers);
    return rc;
}
