/*
 * How tasks get the processor: the only place where coroutines meet the loop.
 *
 * The loop runs a task's handle on its own stack, which switches to the task.
 * When the task suspends, it does not go back there: it looks at what is next
 * in the queue itself, and if that is a task, goes on with it at once. Only for
 * what the loop must do (a full turn, a callback of the user) does it return to the loop's
 * own place, called home. Order is the same in both ways, since both take from the same queue.
 *
 * A coroutine that has ended leaves its stack to the next one: `worker` is a
 * loop that runs one task after the other on the same stack, as long as these start fresh.
 * So tasks that never wait share one stack, and starting one costs a call.
 *
 * Rejected: returning to the loop after each step, as asyncio does (two switches
 * a step instead of one); running the whole loop on the suspending task's stack
 * (its depth would depend on what happens to be polled and reported there).
 */
#include <errno.h>

#include "base/error.h"
#include "task/task.h"

/*
 * What runs next, if a task can go on with it here: a task, its handle already
 * taken. NULL: the loop must go on, to make a full turn, to run a callback of the
 * user, or to watch each step in debug mode. Light handles are run on the way,
 * on the stack of `here`.
 */
static struct tusk__task *next_task(struct tusk__tasks *tasks, struct tusk__coro *here)
{
    struct tusk_loop *loop = tasks->loop;
    struct tusk__handle *handle;

    if (loop->debug)
        return NULL;
    while ((handle = tusk__loop_next(loop)) != NULL) {
        if (handle->run == tusk__task_step) {
            tusk__loop_take(loop, handle);
            return tusk__task_of_handle(handle);
        }
        if (!tusk__handle_is_light(handle))
            return NULL;
        tusk__loop_take(loop, handle);
        tasks->between = here;
        handle->run(handle);
        tasks->between = NULL;
    }
    return NULL;
}

/*
 * Among many tasks the next one is in no cache any more. While this one runs, its
 * memory may come: of the next task the stack, where it was suspended; of the one after
 * it the task itself, in which the place of its stack is read next time. 54 ns a switch
 * among 10,000 tasks became 35, 74 among 100,000 became 50.
 */
TUSK__ALWAYS_INLINE void prefetch(const struct tusk__handle *next)
{
    if (!next || next->run != tusk__task_step)
        return;
    __builtin_prefetch(container_of(next, struct tusk__task, future.handle)->place.sp);
    __builtin_prefetch(next->next);
    __builtin_prefetch((const void *)((uintptr_t)next->next + 64));
}

/* The same at first sight: NULL if it takes a second look. */
TUSK__ALWAYS_INLINE struct tusk__task *next_task_quickly(struct tusk_loop *loop)
{
    struct tusk__handle *handle = tusk__loop_next_quickly(loop);

    if (unlikely(!handle || handle->run != tusk__task_step || loop->debug))
        return NULL;
    tusk__loop_take(loop, handle);
    prefetch(loop->batch);
    return tusk__task_of_handle(handle);
}

/* Ends a task that has not started. */
static TUSK__NOINLINE bool refuse(struct tusk__task *task, struct tusk__coro *here, int code,
                                  const char *reason)
{
    struct tusk__tasks *tasks = tusk__tasks_of(task->future.loop);

    tasks->between = here;
    if (reason)
        tusk__text_put(&task->future.text, tusk__text_copy(code, reason));
    tusk__task_finish_unstarted(task, code);
    tasks->between = NULL;
    return false;
}

/*
 * Makes a task that has not started ready to start: gives it a stack. False if
 * there is nothing to start, for it was cancelled or there is no stack: it has ended then.
 */
TUSK__ALWAYS_INLINE bool prepare(struct tusk__tasks *tasks, struct tusk__task *task, struct tusk__coro *here)
{
    if (unlikely(task->must_cancel))
        return refuse(task, here, -ECANCELED, NULL);
    if (likely(task->stack_size == 0 && tasks->spare)) {
        task->place.stack = tasks->spare;
        tasks->spare = NULL;
        return true;
    }
    if (unlikely(tusk__pool_get(&tasks->pool, task->stack_size, &task->place.stack) < 0))
        return refuse(task, here, -ENOMEM, tusk__pool_reason(&tasks->pool));
    return true;
}

static void worker(void *arg);
static void finish_pinned(struct tusk__tasks *tasks);
static int call_pinned(struct tusk__tasks *tasks);

/* True if the task has been given a stack but has not run on it yet. */
static bool is_fresh(const struct tusk__task *task)
{
    return task->place.sp == NULL;
}

/* An eager task suspends for the first time: its creator goes on. */
static void return_to_creator(struct tusk__task *task)
{
    struct tusk__eager *eager = task->eager;

    task->eager = NULL;
    task->future.loop->current = eager->creator_handle;
    tusk__coro_switch(&task->place, eager->creator);
}

/* Goes on with a task that is prepared, in place of one that suspends. */
TUSK__ALWAYS_INLINE void go_on_with(struct tusk__task *task, struct tusk__task *next)
{
    if (is_fresh(next))
        tusk__coro_start(&task->place, &next->place, worker, next);
    else
        tusk__coro_switch(&task->place, &next->place);
}

static TUSK__NOINLINE void suspend_slowly(struct tusk__task *task)
{
    struct tusk__tasks *tasks = tusk__tasks_of(task->future.loop);
    struct tusk__task *next;

    if (task->eager) {
        return_to_creator(task);
        return;
    }
    do
        next = next_task(tasks, &task->place);
    while (next && !tusk__task_started(next) && !prepare(tasks, next, &task->place));
    if (!next)
        tusk__coro_switch(&task->place, &tasks->home);
    else if (next != task)
        go_on_with(task, next);
}

/*
 * The way that most suspensions go: straight to the next task. Everything else is
 * suspend_slowly's, called last, so that this needs to save no registers for it.
 * There is one such function for all kinds of waiting: tasks that are all suspended in one place
 * keep the processor's prediction of returns in step.
 */
void tusk__suspend(struct tusk__task *task)
{
    struct tusk_loop *loop = task->future.loop;
    struct tusk__task *next = unlikely(task->eager != NULL) ? NULL : next_task_quickly(loop);

    if (unlikely(!next || (!tusk__task_started(next) && !prepare(tusk__tasks_of(loop), next, &task->place))))
        suspend_slowly(task);
    else if (next != task)
        go_on_with(task, next);
}

void tusk__cancel_wait(struct tusk__task *task, struct tusk__wait *wait)
{
    /* Before, for it may come round a ring of awaits and be for this task after all. */
    task->must_cancel = false;
    if (!wait->kind->cancel(wait, task->cancel_text))
        task->must_cancel = true;
}

int tusk__resumed_cancelled(struct tusk__task *task, int result)
{
    task->must_cancel = false;
    /* What was awaited was cancelled itself: its message is the one that counts. */
    if (result == -ECANCELED)
        return result;
    tusk__text_put(&task->future.text, task->cancel_text);
    task->cancel_text = NULL;
    return -ECANCELED;
}

/* A stack is free, though it may still run: to be left. */
TUSK__ALWAYS_INLINE void give_back(struct tusk__tasks *tasks, struct tusk__stack *stack)
{
    if (unlikely(tasks->spare || tusk__stack_size(stack) != TUSK_STACK_DEFAULT)) {
        tusk__pool_put(&tasks->pool, stack);
        return;
    }
    tusk__stack_unpoison(stack);
    tasks->spare = stack;
}

/* Where a stack goes on whose task has ended, to the place of `to`, for good. */
_Noreturn TUSK__ALWAYS_INLINE void leave_to(struct tusk__tasks *tasks, struct tusk__coro *self,
                                            struct tusk__coro *to)
{
    give_back(tasks, self->stack);
    tusk__coro_leave(self, to);
}

/* An eager task has ended without suspending: its creator goes on. */
_Noreturn TUSK__ALWAYS_INLINE void leave_to_creator(struct tusk__tasks *tasks, struct tusk__coro *self,
                                                    struct tusk__eager *eager)
{
    tasks->loop->current = eager->creator_handle;
    leave_to(tasks, self, eager->creator);
}

/* Gives a task that has not started the stack that has become free here, or a fitting one. */
static bool prepare_here(struct tusk__tasks *tasks, struct tusk__task *task, struct tusk__coro *self)
{
    if (unlikely(task->must_cancel || task->stack_size != 0 ||
                 tusk__stack_size(self->stack) != TUSK_STACK_DEFAULT))
        return prepare(tasks, task, self);
    task->place.stack = self->stack;
    return true;
}

/*
 * The coroutine of a pinned task. When the task's own coroutine has returned, its
 * frames are dead, but others may still have pointers to them: from there on nothing may run
 * below this frame, so it leaves at once, and the task is finished at home. The gap
 * keeps what leaving writes out of those frames.
 */
static int run_pinned(void *arg)
{
    struct tusk__task *task = arg;
    struct tusk__tasks *tasks = tusk__tasks_of(task->future.loop);
    struct tusk__coro self = task->place;

    tasks->ended_rc = call_pinned(tasks);
    tasks->ended = task;
    tusk__coro_leave(&self, &tasks->home);
}

static TUSK__NOINLINE int call_pinned(struct tusk__tasks *tasks)
{
    volatile char gap[256];

    gap[0] = 0;
    return tasks->pinned_coro(tasks->pinned_arg) + gap[0];
}

/* The other half, at home. The stack stays until tusk__tasks_unpin, unless the task outlived its run. */
static void finish_pinned(struct tusk__tasks *tasks)
{
    struct tusk__task *task = tasks->ended;
    struct tusk__stack *stack = task->place.stack;
    bool pinned = tasks->pinned == task;

    tasks->ended = NULL;
    if (pinned) {
        tasks->pinned_stack = stack;
        tusk__stack_keep(stack);
    }
    tusk__task_finish(task, tasks->ended_rc);
    if (!pinned)
        tusk__pool_put(&tasks->pool, stack);
}

void tusk__task_pin(struct tusk__task *task)
{
    struct tusk__tasks *tasks = tusk__tasks_of(task->future.loop);

    tasks->pinned = task;
    tasks->pinned_coro = task->coro;
    tasks->pinned_arg = task->arg;
    task->coro = run_pinned;
    task->arg = task;
}

void tusk__task_unpin(struct tusk__task *task)
{
    struct tusk__tasks *tasks = tusk__tasks_of(task->future.loop);

    task->coro = tasks->pinned_coro;
    task->arg = tasks->pinned_arg;
    tasks->pinned = NULL;
}

void tusk__tasks_unpin(struct tusk__tasks *tasks)
{
    if (tasks->pinned_stack)
        tusk__pool_put(&tasks->pool, tasks->pinned_stack);
    tasks->pinned_stack = NULL;
    tasks->pinned = NULL;
}

/* Runs tasks on one stack, one after the other, until one comes that has a stack of its own. */
static void worker(void *arg)
{
    struct tusk__task *task = arg;
    struct tusk__tasks *tasks = tusk__tasks_of(task->future.loop);
    /* Only the stack: to copy all would read sp and stack at once, and wait for the narrower write of the stack. */
    struct tusk__coro self = {.stack = task->place.stack};
    struct tusk__eager *eager;

    tusk__coro_arrived(&task->place);
    for (;;) {
        int rc = task->coro(task->arg);

        eager = task->eager;
        tusk__task_finish(task, rc);
        if (unlikely(eager))
            leave_to_creator(tasks, &self, eager);
        do {
            task = next_task_quickly(tasks->loop);
            if (unlikely(!task))
                task = next_task(tasks, &self);
        } while (task && !tusk__task_started(task) && !prepare_here(tasks, task, &self));
        if (!task)
            leave_to(tasks, &self, &tasks->home);
        if (!is_fresh(task))
            leave_to(tasks, &self, &task->place);
        if (unlikely(task->place.stack != self.stack)) {
            give_back(tasks, self.stack);
            tusk__coro_leave_start(&self, &task->place, worker, task);
        }
    }
}

void tusk__task_step(struct tusk__handle *handle)
{
    struct tusk__task *task = tusk__task_of_handle(handle);
    struct tusk__tasks *tasks = tusk__tasks_of(task->future.loop);

    if (!tusk__task_started(task) && !prepare(tasks, task, NULL))
        return;
    if (is_fresh(task))
        tusk__coro_start(&tasks->home, &task->place, worker, task);
    else
        tusk__coro_switch(&tasks->home, &task->place);
    if (unlikely(tasks->ended != NULL))
        finish_pinned(tasks);
}

void tusk__task_start_eagerly(struct tusk__tasks *tasks, struct tusk__task *task)
{
    struct tusk_loop *loop = tasks->loop;
    struct tusk__task *creator = tusk__running_task();
    struct tusk__coro *here = tasks->between ? tasks->between : &tasks->home;
    struct tusk__eager eager = {
        .creator = creator ? &creator->place : here,
        .creator_handle = loop->current,
    };

    if (!prepare(tasks, task, tasks->between)) {
        loop->current = eager.creator_handle;
        return;
    }
    task->eager = &eager;
    loop->current = &task->future.handle;
    tusk__coro_start(eager.creator, &task->place, worker, task);
}
