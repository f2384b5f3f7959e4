/*
 * Futures: their life, their outcome, their references.
 */
#include "task/future.h"

#include <errno.h>

#include "base/error.h"
#include "task/callback.h"
#include "task/gather.h"
#include "task/task.h"

/* How many freed futures debug mode remembers: a wrong use mostly follows soon. */
enum { QUARANTINE = 4096 };

/* ---- life ---- */

static void unlink_alive(struct tusk__tasks *tasks, struct tusk_future *future)
{
    if (future->older)
        future->older->newer = future->newer;
    else
        tasks->oldest = future->newer;
    if (future->newer)
        future->newer->older = future->older;
    else
        tasks->newest = future->older;
}

static struct tusk_future *create(struct tusk_loop *loop, const char *where)
{
    struct tusk__tasks *tasks = tusk__tasks_get(loop);
    struct tusk_future *future;

    if (!tasks)
        return NULL;
    future = tusk__slab_get(&tasks->futures);
    if (!future)
        return tusk__fail(-ENOMEM);
    tusk__future_init(future, loop, TUSK__FUTURE, where);
    return future;
}

tusk_future *(tusk_create_future)(const char *where)
{
    if (!tusk__running_loop)
        return tusk__fail(TUSK_NO_RUNNING_LOOP);
    return create(tusk__running_loop, where);
}

tusk_future *(tusk_loop_create_future)(tusk_loop *loop, const char *where)
{
    if (!loop)
        return tusk__fail(-EINVAL);
    /* It would go with the loop while its maker has it: the exception handler may ask during the close. */
    if (loop->closed)
        return tusk__fail(TUSK_LOOP_CLOSED);
    return create(loop, where);
}

static void report(const struct tusk_future *future, const char *message)
{
    char name[128];
    struct tusk_exception_context context = {
        .message = message,
        .error = future->result < 0 ? future->result : 0,
        .error_message = future->text ? future->text->text : NULL,
        .future = (struct tusk_future *)future,
        .where = future->where,
    };

    if (future->kind == TUSK__TASK) {
        tusk__future_describe(future, name, sizeof name);
        context.task_name = name;
    }
    tusk__loop_report(future->loop, &context);
}

static void recycle(struct tusk__tasks *tasks, struct tusk_future *future)
{
    if (future->kind == TUSK__TASK)
        tusk__slab_put(&tasks->tasks, tusk__task_of(future));
    else if (future->kind == TUSK__FUTURE)
        tusk__slab_put(&tasks->futures, future);
    else
        tusk__stock_put(&future->loop->stock, future);
}

/* Keeps a freed future for a while, and recycles the one that was there longest. */
static void quarantine(struct tusk__tasks *tasks, struct tusk_future *future)
{
    struct tusk_future *oldest = tasks->quarantine;

    future->newer = NULL;
    if (oldest)
        tasks->quarantine_end->newer = future;
    else
        tasks->quarantine = future;
    tasks->quarantine_end = future;
    if (!oldest || tasks->quarantined < QUARANTINE) {
        tasks->quarantined++;
        return;
    }
    tasks->quarantine = oldest->newer;
    recycle(tasks, oldest);
}

/* Frees what the future owns, and leaves the bare memory. */
static void clear(struct tusk_future *future)
{
    tusk__callbacks_free(future);
    tusk__cell_drop(future->handle.context);
    tusk__text_release(future->text);
    if (future->kind == TUSK__TASK)
        tusk__task_clear(tusk__task_of(future));
    else if (future->kind == TUSK__GATHER)
        tusk__gather_clear(future);
    future->state = TUSK__FREED;
}

static TUSK__NOINLINE void free_slowly(struct tusk_future *future)
{
    struct tusk__tasks *tasks = tusk__tasks_of(future->loop);

    if (unlikely(future->state == TUSK__FAILED)) {
        /* The handler may retain it, or look at it: it is alive once more, for the call. */
        future->references = 1;
        future->state = TUSK__FINISHED;
        report(future, future->kind == TUSK__TASK ? "Task exception was never retrieved"
                                                  : "Future exception was never retrieved");
        if (--future->references > 0)
            return;
    }
    unlink_alive(tasks, future);
    clear(future);
    if (unlikely(future->loop->debug))
        quarantine(tasks, future);
    else
        recycle(tasks, future);
}

/* True for a task that owns nothing but its memory. */
static bool is_bare_task(const struct tusk_future *future)
{
    return future->kind == TUSK__TASK &&
           !((uintptr_t)future->text | (uintptr_t)future->callbacks | future->handle.context) &&
           future->state != TUSK__FAILED &&
           tusk__task_is_clear(container_of(future, struct tusk__task, future));
}

void tusk__future_free(struct tusk_future *future)
{
    struct tusk__tasks *tasks = tusk__tasks_of(future->loop);

    if (unlikely(!is_bare_task(future) || future->loop->debug)) {
        free_slowly(future);
        return;
    }
    unlink_alive(tasks, future);
    future->state = TUSK__FREED;
    tusk__slab_put(&tasks->tasks, tusk__task_of(future));
}

void tusk__future_destroy(struct tusk_future *future)
{
    struct tusk__tasks *tasks = tusk__tasks_of(future->loop);

    /* An exception handler may give back the program's reference: it must not be the last. */
    future->references++;
    if (future->kind == TUSK__TASK && tusk__future_pending(future))
        report(future, "Task was destroyed but it is pending!");
    else if (future->state == TUSK__FAILED)
        report(future, future->kind == TUSK__TASK ? "Task exception was never retrieved"
                                                  : "Future exception was never retrieved");
    else if (future->loop->debug)
        report(future, "A reference was never handed on (tusk_await or tusk_release it)");
    unlink_alive(tasks, future);
    clear(future);
    recycle(tasks, future);
}

int tusk__future_misused(const struct tusk_future *future)
{
    struct tusk_exception_context context = {
        .message = "A reference was used after it had been handed on or released",
        .error = TUSK_RELEASED,
        .where = future->where,
    };

    if (future->loop->debug)
        tusk__loop_report(future->loop, &context);
    return TUSK_RELEASED;
}

/* ---- outcome ---- */

void tusk__future_call_back_all(struct tusk_future *future, struct tusk__handle *handles)
{
    struct tusk_loop *loop = future->loop;

    do {
        struct tusk__handle *next = handles->next;

        if (handles->run == tusk__callback_run)
            future->references++;
        tusk__loop_push(loop, handles);
        handles = next;
    } while (handles);
}

bool tusk__future_remove(struct tusk_future *future, const struct tusk__handle *handle)
{
    struct tusk__handle *previous = NULL;

    for (struct tusk__handle *at = future->callbacks; at; previous = at, at = at->next) {
        if (at != handle)
            continue;
        if (previous)
            previous->next = at->next;
        else
            future->callbacks = at->next;
        if (!at->next)
            future->callbacks_end = previous;
        return true;
    }
    return false;
}

bool(tusk_future_cancel)(tusk_future *future, const struct tusk_cancel_options *options)
{
    struct tusk__text *text;
    bool cancelled;

    if (!future || future->state == TUSK__FREED) {
        if (future)
            tusk__future_misused(future);
        return false;
    }
    text = tusk__text_copy(-ECANCELED, options ? options->msg : NULL);
    cancelled = tusk__future_cancel(future, text);
    tusk__text_release(text);
    return cancelled;
}

static int check_settable(struct tusk_future *future)
{
    if (!future)
        return -EINVAL;
    if (future->state == TUSK__FREED)
        return tusk__future_misused(future);
    if (future->kind != TUSK__FUTURE || !tusk__future_pending(future))
        return TUSK_INVALID_STATE;
    return 0;
}

int tusk_future_set_result(tusk_future *future, int result)
{
    int rc = check_settable(future);

    if (rc < 0)
        return rc;
    if (result < 0)
        return -EINVAL;
    tusk__future_finish(future, TUSK__FINISHED, result);
    return 0;
}

int tusk_future_set_exception(tusk_future *future, int code, const char *format, ...)
{
    int rc = check_settable(future);
    va_list args;

    if (rc < 0)
        return rc;
    if (code >= 0)
        return -EINVAL;
    va_start(args, format);
    tusk__text_put(&future->text, tusk__text_new(code, format, args));
    va_end(args);
    tusk__future_finish(future, TUSK__FINISHED, code);
    return 0;
}

/* ---- references and questions ---- */

tusk_future *tusk_retain(tusk_future *future)
{
    if (!future)
        return NULL;
    if (unlikely(future->state == TUSK__FREED)) {
        tusk__fail(tusk__future_misused(future));
        return NULL;
    }
    future->references++;
    return future;
}

void tusk_release(tusk_future *future)
{
    if (!future)
        return;
    if (unlikely(future->state == TUSK__FREED))
        tusk__future_misused(future);
    else
        tusk__future_release(future);
}

bool tusk_future_done(const tusk_future *future)
{
    return !future || !tusk__future_pending(future);
}

bool tusk_future_cancelled(const tusk_future *future)
{
    return future && future->state == TUSK__CANCELLED;
}

int tusk_future_result(tusk_future *future)
{
    if (!future)
        return tusk__creation_error();
    if (future->state == TUSK__FREED)
        return tusk__future_misused(future);
    return tusk__future_pending(future) ? TUSK_INVALID_STATE : tusk__future_outcome(future);
}

int tusk_future_exception(tusk_future *future)
{
    int result = tusk_future_result(future);

    return result < 0 ? result : 0;
}

const char *tusk_future_message(const tusk_future *future)
{
    if (!future || tusk__future_pending(future) || future->state == TUSK__FREED || !future->text)
        return NULL;
    return future->text->text;
}

tusk_loop *tusk_future_get_loop(const tusk_future *future)
{
    return future ? future->loop : NULL;
}
