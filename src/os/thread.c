/*
 * From the loop into threads: to_thread, run_in_executor, the default executor.
 */
#include <tusk/wait.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/copy.h"
#include "base/error.h"
#include "base/sys.h"
#include "os/executor.h"

/* ---- running functions ---- */

/* The executor to use; NULL on an error. */
static struct tusk_thread_pool_executor *choose(struct tusk__threads *threads,
                                                struct tusk_thread_pool_executor *executor)
{
    if (executor)
        return executor;
    if (threads->shut_down)
        return tusk__fail(tusk_raise(TUSK_EXECUTOR_SHUT_DOWN, "the default executor was shut down"));
    if (!threads->executor)
        threads->executor = tusk_thread_pool_executor_create(0);
    return threads->executor;
}

static int check(const struct tusk_loop *loop, tusk_coro *function)
{
    if (!loop)
        return -EINVAL;
    if (loop->closed)
        return TUSK_LOOP_CLOSED;
    if (!function)
        return tusk_raise(-EINVAL, "a thread needs a function, and this one is NULL");
    return 0;
}

/* A call that a thread is to make. */
struct request {
    struct tusk_loop *loop;
    /* NULL: the default one. */
    struct tusk_thread_pool_executor *executor;
    tusk_coro *function;
    void *arg;
    /* What becomes of arg after the call, or NULL. */
    void (*forget)(void *arg);
    uintptr_t context;
    const char *where;
};

/* Its executor is one from then on. */
static struct tusk__job *make_job(struct request *request)
{
    struct tusk__threads *threads;
    int rc = check(request->loop, request->function);

    if (rc < 0)
        return tusk__fail(rc);
    threads = tusk__threads_get(request->loop);
    request->executor = threads ? choose(threads, request->executor) : NULL;
    return request->executor ? tusk__job_new(request->loop, request->function, request->arg, request->where)
                             : NULL;
}

/* *ret_job is valid until the future is done; NULL with a failure. */
static tusk_future *start(struct request *request, struct tusk__job **ret_job)
{
    struct tusk__job *job = make_job(request);
    tusk_future *future;
    int rc;

    *ret_job = job;
    if (!job) {
        tusk__cell_drop(request->context);
        return NULL;
    }
    job->context = request->context;
    job->forget = request->forget;
    future = tusk_retain(job->future);
    rc = tusk__executor_submit(request->executor, job);
    if (rc == 0)
        return future;
    *ret_job = NULL;
    tusk__job_discard(job);
    tusk__future_release(future);
    if (rc == TUSK_EXECUTOR_SHUT_DOWN)
        tusk_raise(rc, "%s", tusk_strerror(rc));
    return tusk__fail(rc);
}

tusk_future *tusk__executor_start(struct tusk_loop *loop, struct tusk_thread_pool_executor *executor,
                                  tusk_coro *function, void *arg, void (*forget)(void *arg),
                                  uintptr_t context, const char *where)
{
    struct request request = {loop, executor, function, arg, forget, context, where};
    struct tusk__job *job;

    return start(&request, &job);
}

/* The same when a tusk_copy waits: it belongs to the job, or goes with the failure. */
static tusk_future *start_with_copy(struct request *request, struct tusk__job **ret_job)
{
    tusk_future *future;

    *ret_job = NULL;
    if (tusk__copies_wait() && tusk__copy_failed(request->arg)) {
        tusk__cell_drop(request->context);
        return tusk__fail(-ENOMEM);
    }
    if (tusk__copies_wait() && tusk__copy_claim(request->arg))
        request->forget = tusk__copy_free;
    future = start(request, ret_job);
    if (!future && request->forget)
        request->forget(request->arg);
    return future;
}

tusk_future *(tusk_loop_run_in_executor)(tusk_loop *loop, tusk_thread_pool_executor *executor,
                                         tusk_coro *function, void *arg, const char *where)
{
    struct request request = {loop, executor, function, arg, .where = where};
    struct tusk__job *job;

    return start_with_copy(&request, &job);
}

tusk_future *(tusk_run_in_executor)(tusk_thread_pool_executor *executor, tusk_coro *function, void *arg,
                                    const char *where)
{
    if (tusk__running_loop)
        return (tusk_loop_run_in_executor)(tusk__running_loop, executor, function, arg, where);
    tusk__copy_discard(arg);
    return tusk__fail(TUSK_NO_RUNNING_LOOP);
}

bool tusk__outwait(tusk_future *future)
{
    tusk_future *futures[] = {future};
    bool cancelled = false;

    while (!tusk_future_done(future))
        if (tusk_wait(futures, 1) == -ECANCELED)
            cancelled = true;
    return cancelled;
}

/*
 * To the function's end, whoever cancels, for it may use what the caller's stack has. What has not started never
 * will, and nobody waits for that.
 */
static int await_end(tusk_future *future, struct tusk__job *job)
{
    struct tusk__task *task = tusk__running_task();
    tusk_future *futures[] = {future};
    struct tusk__text *text;
    int rc;

    if (tusk_future_done(future))
        return tusk_await(future);
    job->uses_stack = true;
    if (tusk_wait(futures, 1) != -ECANCELED)
        return tusk_await(future);
    /* The cancel's words, and not those of an error that nobody will hear of. */
    text = tusk__text_retain(task->future.text);
    if (!tusk_future_done(future) && tusk__job_withdraw(job))
        tusk_future_cancel(future);
    tusk__outwait(future);
    rc = tusk_await(future);
    (void)rc;
    tusk__text_put(&task->future.text, text);
    return -ECANCELED;
}

int(tusk_to_thread)(tusk_coro *function, void *arg, const struct tusk_to_thread_options *options)
{
    static const struct tusk_to_thread_options nothing;
    struct request request = {.loop = tusk__running_loop, .function = function, .arg = arg};
    struct tusk__job *job;
    tusk_future *future;

    options = options ? options : &nothing;
    if (!tusk__running_task()) {
        tusk__copy_discard(arg);
        return TUSK_NOT_IN_TASK;
    }
    request.executor = options->executor;
    request.context = tusk__cell_copy(*tusk__current_cell());
    request.where = options->tusk__where;
    future = start_with_copy(&request, &job);
    return options->wait && job ? await_end(future, job) : tusk_await(future);
}

/* ---- the default executor ---- */

int tusk_loop_set_default_executor(tusk_loop *loop, tusk_thread_pool_executor *executor)
{
    struct tusk__threads *threads;

    if (!loop || !executor)
        return -EINVAL;
    threads = tusk__threads_get(loop);
    if (!threads)
        return tusk_last_error();
    tusk__executor_retain(executor);
    tusk_thread_pool_executor_release(threads->executor);
    threads->executor = executor;
    return 0;
}

struct farewell {
    struct tusk_thread_pool_executor *executor;
    int64_t deadline;
};

/* The job: waits for the threads of the executor. */
static int wait_for_end(void *arg)
{
    struct farewell *farewell = arg;
    int rc = tusk__executor_wait(farewell->executor, farewell->deadline);

    tusk_thread_pool_executor_release(farewell->executor);
    return rc;
}

static void *run_job(void *job)
{
    tusk__job_call(job);
    tusk__job_tell(job);
    return NULL;
}

static int64_t deadline_of(double timeout)
{
    int64_t deadline = tusk__loop_deadline(tusk__clock_ns(), timeout);

    return deadline == TUSK__FOREVER ? INT64_MAX : deadline;
}

/*
 * The wait takes place in a thread of its own, as in asyncio: the loop goes on
 * meanwhile, and the time is real also where the loop's clock is not.
 */
static tusk_future *start_farewell(struct tusk_loop *loop, struct tusk_thread_pool_executor *executor,
                                   double timeout, pthread_t *ret_thread)
{
    struct farewell farewell = {.deadline = deadline_of(timeout)};
    void *arg;
    struct tusk__job *job;
    tusk_future *future;
    int rc;

    farewell.executor = tusk__executor_retain(executor);
    arg = (tusk_copy)(&farewell, sizeof farewell);
    job = tusk__copy_failed(arg) ? tusk__fail(-ENOMEM) : tusk__job_new(loop, wait_for_end, arg, NULL);
    if (!job) {
        tusk__copy_discard(arg);
        tusk_thread_pool_executor_release(executor);
        return NULL;
    }
    job->forget = tusk__copy_claim(arg) ? tusk__copy_free : NULL;
    /* Cancelled or not, it must give the executor back. */
    tusk__job_begin(job);
    future = tusk_retain(job->future);
    rc = tusk__fail_now() ? EAGAIN : pthread_create(ret_thread, NULL, run_job, job);
    if (rc == 0)
        return future;
    tusk__copy_free(arg);
    tusk__job_discard(job);
    tusk__future_release(future);
    tusk_thread_pool_executor_release(executor);
    return tusk__fail(-rc);
}

static int report_late_threads(struct tusk_loop *loop, double timeout)
{
    char message[128];
    struct tusk_exception_context context = {.message = message, .error = -ETIMEDOUT};

    snprintf(message, sizeof message, "The threads of the default executor did not end within %g seconds",
             timeout);
    tusk__loop_report(loop, &context);
    return -ETIMEDOUT;
}

static int say_farewell(struct tusk_loop *loop, struct tusk_thread_pool_executor *executor, double timeout)
{
    pthread_t thread = pthread_self();
    tusk_future *future = start_farewell(loop, executor, timeout, &thread);
    bool ended;
    int rc;

    if (!future)
        return tusk_last_error();
    rc = tusk_await(tusk_retain(future));
    ended = tusk_future_done(future) && !tusk_future_cancelled(future);
    tusk_release(future);
    /* What it had to do is done, or else nobody waits for it any more. */
    if (ended)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
    return rc == -ETIMEDOUT ? report_late_threads(loop, timeout) : rc;
}

int tusk_loop_shutdown_default_executor(tusk_loop *loop, double timeout)
{
    struct tusk__threads *threads;

    if (!loop || isnan(timeout))
        return -EINVAL;
    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    threads = tusk__threads_get(loop);
    if (!threads)
        return tusk_last_error();
    threads->shut_down = true;
    if (!threads->executor)
        return 0;
    tusk_thread_pool_executor_shutdown(threads->executor, false, false);
    return say_farewell(loop, threads->executor, timeout);
}
