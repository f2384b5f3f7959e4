/*
 * What tasks add to a loop: slabs, stacks, the list of all futures; and what the
 * loop asks of them when it starts, idles, is stuck, and closes.
 */
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "coro/overflow.h"
#include "task/callback.h"
#include "task/task.h"

/* Called in a signal handler: the name must be there already, or made without memory. */
static const char *running_task_name(void *arg)
{
    static _Thread_local char name[128];
    struct tusk_loop *loop = arg;

    if (!loop->current || loop->current->run != tusk__task_step)
        return NULL;
    tusk__future_describe(&tusk__task_of_handle(loop->current)->future, name, sizeof name);
    return name;
}

static int enter(struct tusk_loop *loop)
{
    int rc = tusk__coro_check();

    if (rc < 0)
        return rc;
    return tusk__overflow_enter(&tusk__tasks_of(loop)->pool, running_task_name, loop);
}

static void leave(struct tusk_loop *loop)
{
    (void)loop;
    tusk__overflow_leave();
}

static int64_t idle(struct tusk_loop *loop, int64_t now)
{
    return tusk__pool_trim(&tusk__tasks_of(loop)->pool, now);
}

/* One line for each task that waits. */
static void report_waiting(struct tusk_loop *loop, struct tusk__task *task)
{
    char name[128];
    char what[160] = "nothing that tusk knows of";
    char message[256];
    struct tusk_exception_context context = {
        .message = message,
        .future = &task->future,
        .task_name = name,
    };

    tusk__future_describe(&task->future, name, sizeof name);
    if (task->wait)
        task->wait->kind->describe(task->wait, what, sizeof what);
    snprintf(message, sizeof message, "Deadlock: waiting for %s", what);
    tusk__loop_report(loop, &context);
}

static void describe(struct tusk__handle *handle, char *text, size_t size)
{
    if (handle->run == tusk__task_step)
        tusk__future_describe(&tusk__task_of_handle(handle)->future, text, size);
}

static void deadlock(struct tusk_loop *loop)
{
    for (struct tusk_future *at = tusk__tasks_of(loop)->oldest; at; at = at->newer)
        if (at->kind == TUSK__TASK && tusk__future_pending(at))
            report_waiting(loop, tusk__task_of(at));
}

static void free_quarantine(struct tusk__tasks *tasks)
{
    while (tasks->quarantine) {
        struct tusk_future *future = tasks->quarantine;

        tasks->quarantine = future->newer;
        /* Futures and tasks go with their slabs. */
        if (future->kind == TUSK__GATHER || future->kind == TUSK__SHIELD)
            tusk__stock_put(&tasks->loop->stock, future);
    }
}

/* Tasks that will never run again do not give back what they took for a wait. */
static void abandon_wait(struct tusk_future *future)
{
    struct tusk__wait *wait = future->kind == TUSK__TASK ? tusk__task_of(future)->wait : NULL;

    if (wait && wait->kind->abandon)
        wait->kind->abandon(wait);
}

static void close(struct tusk_loop *loop)
{
    struct tusk__tasks *tasks = tusk__tasks_of(loop);

    /* Handles in the lists of futures lie in tasks and gathers: no list must outlive them. */
    for (struct tusk_future *at = tasks->oldest; at; at = at->newer)
        tusk__callbacks_free(at);
    for (struct tusk_future *at = tasks->oldest; at; at = at->newer)
        abandon_wait(at);
    while (tasks->oldest)
        tusk__future_destroy(tasks->oldest);
    free_quarantine(tasks);
    tusk__pool_close(&tasks->pool);
    tusk__slab_close(&tasks->callbacks);
    tusk__slab_close(&tasks->futures);
    tusk__slab_close(&tasks->tasks);
    tusk__free(tasks);
    loop->tasks = NULL;
}

static const struct tusk__loop_hooks hooks = {
    .enter = enter,
    .leave = leave,
    .idle = idle,
    .describe = describe,
    .step = tusk__task_step,
    .deadlock = deadlock,
    .drop = tusk__callback_drop,
    .close = close,
};

static int make(struct tusk_loop *loop)
{
    struct tusk__tasks *tasks = tusk__alloc(sizeof *tasks);
    int rc;

    if (!tasks)
        return -ENOMEM;
    rc = tusk__pool_init(&tasks->pool);
    if (rc < 0) {
        tusk__free(tasks);
        return rc;
    }
    tasks->loop = loop;
    tusk__slab_init(&tasks->tasks, sizeof(struct tusk__task), 0);
    tusk__slab_init(&tasks->futures, sizeof(struct tusk_future), 0);
    tusk__callbacks_open(&tasks->callbacks);
    loop->tasks = tasks;
    /* In a running loop the first task is also when the thread begins to have tasks. */
    rc = loop->running ? enter(loop) : 0;
    if (rc == 0) {
        loop->hooks = &hooks;
        return 0;
    }
    tusk__pool_close(&tasks->pool);
    tusk__free(tasks);
    loop->tasks = NULL;
    return rc;
}

struct tusk__tasks *tusk__tasks_make(struct tusk_loop *loop)
{
    int rc = loop->closed ? TUSK_LOOP_CLOSED : make(loop);

    return rc < 0 ? tusk__fail(rc) : loop->tasks;
}
