/*
 * Tasks: made, ended, cancelled, named.
 */
#include "task/task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* ---- making ---- */

static const struct tusk_task_options no_options;

static int check(const struct tusk_loop *loop, tusk_coro *coro, const struct tusk_task_options *options)
{
    if (!loop)
        return -EINVAL;
    if (loop->closed)
        return TUSK_LOOP_CLOSED;
    if (loop->debug && tusk__loop_check_thread((struct tusk_loop *)loop) < 0)
        return TUSK_OTHER_THREAD;
    if (!coro)
        return tusk_raise(-EINVAL, "a task needs a coroutine, and this one is NULL");
    if (options->stack_size != 0 && options->stack_size < TUSK_STACK_MIN)
        return tusk_raise(-EINVAL, "a stack of %zu bytes is too small: the minimum is %zu",
                          options->stack_size, TUSK_STACK_MIN);
    if (options->stack_size > UINT32_MAX)
        return tusk_raise(-EINVAL, "a stack of %zu bytes is too large: the maximum is %u",
                          options->stack_size, UINT32_MAX);
    return 0;
}

static char *copy_name(const char *name)
{
    size_t size = strlen(name) + 1;
    char *copy = tusk__alloc(size);

    if (copy)
        memcpy(copy, name, size);
    return copy;
}

/* Makes a slab's memory a task, with a reference for the creator and one for the loop. */
TUSK__ALWAYS_INLINE void init(struct tusk__task *task, struct tusk__tasks *tasks, tusk_coro *coro, void *arg,
                              const char *where, uintptr_t context)
{
    tusk__future_init(&task->future, tasks->loop, TUSK__TASK, where);
    task->future.handle.run = tusk__task_step;
    task->future.handle.context = context;
    task->future.references = 2;
    task->coro = coro;
    task->arg = arg;
    task->number = 0;
    memset(&task->place, 0, sizeof *task - offsetof(struct tusk__task, place));
    tasks->pending++;
}

/* Takes back what init did. */
static void *discard(struct tusk__task *task)
{
    tusk__tasks_of(task->future.loop)->pending--;
    tusk__future_free(&task->future);
    return tusk__fail(-ENOMEM);
}

static bool is_on_stack_of(const struct tusk__task *task, const char *pointer)
{
    const struct tusk__stack *stack = task->place.stack;

    return stack && pointer >= stack->low && pointer < stack->low + stack->size;
}

/* Debug mode: the end of the running task looks for those that have a pointer into its stack. */
static void note_lender(const void *arg)
{
    struct tusk__task *maker = tusk__running_task();

    if (maker && is_on_stack_of(maker, arg))
        maker->lends = true;
}

/* A creation with options, on a loop that may be anything. */
static TUSK__NOINLINE tusk_task *create_with(struct tusk_loop *loop, tusk_coro *coro, void *arg,
                                             bool owns_arg, const struct tusk_task_options *options)
{
    struct tusk__tasks *tasks;
    struct tusk__task *task;
    int rc = check(loop, coro, options);

    if (rc < 0)
        return tusk__fail(rc);
    tasks = tusk__tasks_get(loop);
    if (!tasks)
        return NULL;
    task = tusk__slab_get(&tasks->tasks);
    if (!task)
        return tusk__fail(-ENOMEM);
    init(task, tasks, coro, arg, options->tusk__where,
         tusk__cell_for(*tusk__current_cell(), options->context));
    if (options->name && !(task->name = copy_name(options->name)))
        return discard(task);
    if (!options->name)
        task->number = ++tasks->last_number;
    task->stack_size = options->stack_size != TUSK_STACK_DEFAULT ? (uint32_t)options->stack_size : 0;
    task->future.owns_arg = owns_arg;
    if (unlikely(loop->debug))
        note_lender(arg);
    if (options->eager_start && loop == tusk__running_loop)
        tusk__task_start_eagerly(tasks, task);
    else
        tusk__loop_push(loop, &task->future.handle);
    return &task->future;
}

/* create, when a tusk_copy waits for its task: it belongs to the task, or goes with the failure. */
static tusk_task *create_with_copy(struct tusk_loop *loop, tusk_coro *coro, void *arg,
                                   const struct tusk_task_options *options)
{
    tusk_task *task;
    bool owns_arg;

    if (tusk__copy_failed(arg))
        return tusk__fail(-ENOMEM);
    owns_arg = tusk__copy_claim(arg);
    task = create_with(loop, coro, arg, owns_arg, options);
    if (!task && owns_arg)
        tusk__copy_free(arg);
    return task;
}

tusk_task *tusk_task_new(tusk_loop *loop, tusk_coro *coro, void *arg, const struct tusk_task_options *options)
{
    if (!options)
        options = &no_options;
    if (unlikely(tusk__copies_wait()))
        return create_with_copy(loop, coro, arg, options);
    return create_with(loop, coro, arg, false, options);
}

tusk_task *(tusk_loop_create_task)(tusk_loop *loop, tusk_coro *coro, void *arg,
                                   const struct tusk_task_options *options)
{
    if (loop && loop->tasks && tusk__tasks_of(loop)->factory)
        return tusk__tasks_of(loop)->factory(loop, coro, arg, options ? options : &no_options);
    return tusk_task_new(loop, coro, arg, options);
}

tusk_task *tusk_eager_task_factory(tusk_loop *loop, tusk_coro *coro, void *arg,
                                   const struct tusk_task_options *options)
{
    struct tusk_task_options eager = options ? *options : no_options;

    eager.eager_start = true;
    return tusk_task_new(loop, coro, arg, &eager);
}

int tusk_loop_set_task_factory(tusk_loop *loop, tusk_task_factory *factory)
{
    struct tusk__tasks *tasks;

    if (!loop)
        return -EINVAL;
    tasks = tusk__tasks_get(loop);
    if (!tasks)
        return tusk_last_error();
    tasks->factory = factory;
    return 0;
}

tusk_task_factory *tusk_loop_get_task_factory(const tusk_loop *loop)
{
    return loop && loop->tasks ? tusk__tasks_of(loop)->factory : NULL;
}

/*
 * True for a creation that needs nothing but a task's memory, which is there: no
 * options, no context to copy, no copy that waits, no debug mode. Such a one calls nobody.
 */
static inline bool is_plain(const struct tusk_loop *loop, tusk_coro *coro,
                            const struct tusk_task_options *options)
{
    return loop->tasks && coro && !tusk__copies_wait() && loop->current && !loop->current->context &&
           tusk__slab_is_ready(&tusk__tasks_of(loop)->tasks) && !tusk__tasks_of(loop)->factory &&
           !((uintptr_t)options->name | (uintptr_t)options->context | options->stack_size |
             options->eager_start | loop->debug);
}

/* tusk_create_task's second look. */
static TUSK__NOINLINE tusk_task *create_here(tusk_coro *coro, void *arg,
                                             const struct tusk_task_options *options)
{
    if (tusk__running_loop)
        return (tusk_loop_create_task)(tusk__running_loop, coro, arg, options);
    tusk__copy_discard(arg);
    return tusk__fail(TUSK_NO_RUNNING_LOOP);
}

tusk_task *(tusk_create_task)(tusk_coro *coro, void *arg, const struct tusk_task_options *options)
{
    struct tusk_loop *loop = tusk__running_loop;
    struct tusk__tasks *tasks;
    struct tusk__task *task;

    if (unlikely(!loop || !options || !is_plain(loop, coro, options)))
        return create_here(coro, arg, options);
    tasks = tusk__tasks_of(loop);
    task = tusk__slab_pop(&tasks->tasks);
    init(task, tasks, coro, arg, options->tusk__where, 0);
    task->number = ++tasks->last_number;
    tusk__loop_push(loop, &task->future.handle);
    return &task->future;
}

tusk_task *(tusk_ensure_future)(tusk_coro *coro, void *arg, const struct tusk_task_options *options)
{
    return (tusk_create_task)(coro, arg, options);
}

void *(tusk_copy)(const void *data, size_t size)
{
    return tusk__copy_make(data, size);
}

/* ---- ending ---- */

static bool is_pinned(const struct tusk__task *task)
{
    return tusk__tasks_of(task->future.loop)->pinned == task;
}

/* What its coroutine gets. */
static void *arg_of(const struct tusk__task *task)
{
    return is_pinned(task) ? tusk__tasks_of(task->future.loop)->pinned_arg : task->arg;
}

static void forget_arg(struct tusk__task *task)
{
    if (unlikely(task->future.owns_arg))
        tusk__copy_free(arg_of(task));
    task->future.owns_arg = false;
}

/* The message that a task leaves behind is the one that came with the code it ends with. */
static void keep_text(struct tusk_future *future, int rc)
{
    if (future->text && future->text->code != rc)
        tusk__text_put(&future->text, NULL);
}

/*
 * Debug mode: the task's stack goes, and another task that is not done was given a pointer
 * into it. Only the argument itself is known, not what it points to. Those it made are newer.
 */
static void report_pointers_into(struct tusk__task *task)
{
    char name[128];
    char other[128];
    char message[384];
    struct tusk_exception_context context = {.message = message, .future = &task->future, .task_name = name};

    tusk__future_describe(&task->future, name, sizeof name);
    for (struct tusk_future *at = task->future.newer; at; at = at->newer) {
        if (at->kind != TUSK__TASK || !tusk__future_pending(at) ||
            !is_on_stack_of(task, arg_of(tusk__task_of(at))))
            continue;
        tusk__future_describe(at, other, sizeof other);
        snprintf(message, sizeof message,
                 "Task ended while task '%s' has a pointer into its stack; await it, or give it a tusk_copy",
                 other);
        context.where = at->where;
        tusk__loop_report(at->loop, &context);
    }
}

static void report_slip(struct tusk__task *task, const char *message)
{
    char name[128];
    struct tusk_exception_context context = {
        .message = message,
        .future = &task->future,
        .task_name = name,
        .where = task->future.where,
    };

    tusk__future_describe(&task->future, name, sizeof name);
    tusk__loop_report(task->future.loop, &context);
}

/* Debug mode: what a task that ends has most probably forgotten. */
static void report_slips(struct tusk__task *task, int rc)
{
    if (task->scopes > 0)
        report_slip(task,
                    "Task ended inside of a scope: tusk_timeout_exit or tusk_task_group_exit is missing");
    if (rc >= 0 && task->cancels > 0)
        report_slip(task,
                    "Task swallowed a cancel; if it is meant to go on, it must call tusk_task_uncancel");
    if (task->lends && !is_pinned(task))
        report_pointers_into(task);
}

void tusk__task_finish_slowly(struct tusk__task *task, int rc)
{
    struct tusk_future *future = &task->future;
    struct tusk__tasks *tasks = tusk__tasks_of(future->loop);
    struct tusk__coro here = task->place;
    enum tusk__state state = TUSK__FINISHED;

    /* It cancelled itself and then returned as if nothing had been: the cancel wins. Over an error it does not. */
    if (unlikely(task->must_cancel && rc >= 0))
        rc = tusk__resumed_cancelled(task, rc);
    if (future->loop->debug)
        report_slips(task, rc);
    if (rc == -ECANCELED)
        state = TUSK__CANCELLED;
    if (unlikely(future->text != NULL))
        keep_text(future, rc);
    task->must_cancel = false;
    task->place.stack = NULL;
    forget_arg(task);
    future->loop->current = NULL;
    tasks->pending--;
    tusk__future_finish(future, state, rc);
    /* With the last reference an exception handler may be called, here, on the stack of a task that has ended. */
    tasks->between = here.stack ? &here : NULL;
    tusk__future_release(future);
    tasks->between = NULL;
}

void tusk__task_finish_unstarted(struct tusk__task *task, int rc)
{
    if (task->must_cancel)
        tusk__text_put(&task->future.text, task->cancel_text);
    if (task->must_cancel)
        task->cancel_text = NULL;
    task->must_cancel = false;
    tusk__task_finish(task, rc);
}

void tusk__task_clear(struct tusk__task *task)
{
    struct tusk__tasks *tasks = tusk__tasks_of(task->future.loop);

    if (task->place.stack)
        tusk__pool_put(&tasks->pool, task->place.stack);
    task->place.stack = NULL;
    forget_arg(task);
    tusk__text_release(task->cancel_text);
    task->cancel_text = NULL;
    tusk__free(task->name);
    task->name = NULL;
}

/* ---- names, and what else one can ask ---- */

static struct tusk__task *checked(const struct tusk_future *future)
{
    return future && future->kind == TUSK__TASK && future->state != TUSK__FREED
               ? tusk__task_of((struct tusk_future *)future)
               : NULL;
}

static const char *kind_name(const struct tusk_future *future)
{
    if (future && future->kind == TUSK__GATHER)
        return "a gather";
    return future && future->kind == TUSK__SHIELD ? "a shield" : "a future";
}

void tusk__future_describe(const struct tusk_future *future, char *text, size_t size)
{
    struct tusk__task *task = checked(future);

    if (!task)
        snprintf(text, size, "%s", kind_name(future));
    else if (task->name)
        snprintf(text, size, "%s", task->name);
    else
        snprintf(text, size, "Task-%llu", (unsigned long long)task->number);
}

const char *tusk_task_get_name(tusk_task *task)
{
    struct tusk__task *self = checked(task);
    char name[32];

    if (!self)
        return "";
    if (!self->name) {
        tusk__future_describe(task, name, sizeof name);
        self->name = copy_name(name);
    }
    return self->name ? self->name : "Task (out of memory for its name)";
}

int tusk_task_set_name(tusk_task *task, const char *name)
{
    struct tusk__task *self = checked(task);
    char *copy;

    if (!name)
        return -EINVAL;
    if (!self)
        return TUSK_INVALID_STATE;
    copy = copy_name(name);
    if (!copy)
        return -ENOMEM;
    tusk__free(self->name);
    self->name = copy;
    return 0;
}

tusk_coro *tusk_task_get_coro(const tusk_task *task)
{
    struct tusk__task *self = checked(task);

    if (self && is_pinned(self))
        return tusk__tasks_of(task->loop)->pinned_coro;
    return self ? self->coro : NULL;
}

tusk_context *tusk_task_get_context(tusk_task *task)
{
    return checked(task) ? tusk__cell_object(&task->handle.context) : NULL;
}

size_t tusk_task_stack_used(const tusk_task *task)
{
    struct tusk__task *self = checked(task);

    return self && self->place.stack ? tusk__stack_used(self->place.stack) : 0;
}

tusk_task *tusk_current_task(void)
{
    struct tusk__task *task = tusk__running_task();

    return task ? &task->future : NULL;
}

size_t tusk_all_tasks(tusk_task **ret_tasks, size_t capacity)
{
    struct tusk_loop *loop = tusk__running_loop;
    size_t count = 0;

    if (!loop || !loop->tasks)
        return 0;
    for (struct tusk_future *at = tusk__tasks_of(loop)->oldest; at && ret_tasks && count < capacity;
         at = at->newer)
        if (at->kind == TUSK__TASK && tusk__future_pending(at))
            ret_tasks[count++] = at;
    return tusk__tasks_of(loop)->pending;
}
