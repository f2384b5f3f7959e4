/*
 * Tasks: coroutines that run side by side in one thread.
 *
 *     static int cook(void *arg)
 *     {
 *         const struct order *order = arg;
 *
 *         tusk_try(tusk_sleep(2));
 *         printf("%s is ready\n", order->dish);
 *         return 0;
 *     }
 *
 *     tusk_task *task = tusk_create_task(cook, &order, .name = "cook");
 *     ...
 *     rc = tusk_await(task);
 *
 * A coroutine is a plain C function, int coro(void *arg). It may suspend anywhere, however deep in
 * its calls: in tusk_await, tusk_sleep and whatever else says that it suspends. While it is
 * suspended, others run. It ends with 0, a positive result, or a negative code.
 *
 * A task is created ready and starts in the next iteration of the loop. The loop keeps it until it
 * is done, whether you keep a reference or not (see tusk/future.h for who owns what). Its argument
 * must live until it has ended: on the creator's stack if the creator awaits it, else by
 * tusk_copy().
 */
#ifndef TUSK_TASK_H
#define TUSK_TASK_H

#include <tusk/future.h>

TUSK_BEGIN_DECLS

/* A coroutine. May suspend. Returns 0 or a positive result, or a negative code. */
typedef int tusk_coro(void *arg);

/* The smallest stack a task may ask for, and what it gets without asking, in bytes. */
#define TUSK_STACK_MIN ((size_t)16 * 1024)
#define TUSK_STACK_DEFAULT ((size_t)224 * 1024)

struct tusk_task_options {
    /* Copied. Without one the task is "Task-N". */
    const char *name;
    /* The task runs in this context instead of a copy of its creator's. Retained. */
    tusk_context *context;
    /* Bytes of stack, at least TUSK_STACK_MIN; 0 for TUSK_STACK_DEFAULT. It is
     * address space: memory is taken for what is touched. */
    size_t stack_size;
    /* Run the first step now, inside of the creation, instead of in the next iteration. */
    bool eager_start;
    /* Where it was made, for reports: filled in by the macro. */
    const char *tusk__where;
};

struct tusk_gather_options {
    /* Errors of children are results like others, and do not end the gather. */
    bool return_exceptions;
    /* Where the results go, in the order of the arguments: one int for each.
     * Written when the gather succeeds. NULL: nowhere. */
    int *results;
    const char *tusk__where;
};

/*
 * Makes a task that runs coro(arg) on the running loop, beginning in the next iteration. One
 * reference, yours. NULL on an error (tusk_last_error()): TUSK_NO_RUNNING_LOOP, -EINVAL for a NULL
 * coroutine or a stack size too small, -ENOMEM. Does not suspend. Options: .name, .context,
 * .stack_size, .eager_start.
 */
TUSK_API tusk_task *tusk_create_task(tusk_coro *coro, void *arg, const struct tusk_task_options *options);

/*
 * The same as tusk_create_task() on a loop that may not run yet. Also -EINVAL for a NULL loop, and
 * TUSK_LOOP_CLOSED.
 */
TUSK_API tusk_task *tusk_loop_create_task(tusk_loop *loop, tusk_coro *coro, void *arg,
                                          const struct tusk_task_options *options);

/*
 * Makes a task without asking the loop's task factory: factories call it. (asyncio.Task) Reference
 * and errors are as of tusk_create_task(). options is a pointer in C too; NULL for none.
 */
TUSK_API tusk_task *tusk_task_new(tusk_loop *loop, tusk_coro *coro, void *arg,
                                  const struct tusk_task_options *options);

/* What makes the tasks of a loop. options is never NULL. */
typedef tusk_task *tusk_task_factory(tusk_loop *loop, tusk_coro *coro, void *arg,
                                     const struct tusk_task_options *options);

/*
 * Lets factory make all tasks of the loop from now on; NULL brings back the usual way. Returns 0,
 * -EINVAL for a NULL loop, TUSK_LOOP_CLOSED or -ENOMEM. Does not suspend.
 */
TUSK_API int tusk_loop_set_task_factory(tusk_loop *loop, tusk_task_factory *factory);

/* The loop's factory, or NULL. Does not suspend. */
TUSK_API tusk_task_factory *tusk_loop_get_task_factory(const tusk_loop *loop);

/* A factory whose tasks all start at once, as with .eager_start. */
TUSK_API tusk_task *tusk_eager_task_factory(tusk_loop *loop, tusk_coro *coro, void *arg,
                                            const struct tusk_task_options *options);

/* asyncio's other name for tusk_create_task(). */
TUSK_API tusk_task *tusk_ensure_future(tusk_coro *coro, void *arg, const struct tusk_task_options *options);

/*
 * Copies size bytes for the argument of the task that is created next:
 *
 *     for (int i = 0; i < 3; i++)
 *         tusk_release(tusk_create_task(serve, tusk_copy(&clients[i])));
 *
 * The copy belongs to the task and is freed with the end of its coroutine. Without memory the
 * creation fails with -ENOMEM. Does not suspend. In C, the size is left out: tusk_copy(pointer)
 * copies what the pointer points to.
 */
TUSK_API void *tusk_copy(const void *data, size_t size);

/*
 * Suspends this task for delay seconds. 0 or less: lets the others run once. Infinite: until it is
 * cancelled. Returns 0, -ECANCELED, -EINVAL for NaN, or TUSK_NOT_IN_TASK in a plain callback.
 */
TUSK_API TUSK_MUST_CHECK int tusk_sleep(double delay);

/*
 * The task that is running, or NULL in a plain callback and outside of a loop. Does not suspend.
 * Any thread.
 */
TUSK_API tusk_task *tusk_current_task(void);

/*
 * The tasks of the running loop that are not done, oldest first: up to capacity of them go to
 * ret_tasks, borrowed. Returns how many there are. Does not suspend.
 */
TUSK_API size_t tusk_all_tasks(tusk_task **ret_tasks, size_t capacity);

/*
 * Waits for all futures at once. Returns a future; await it:
 *
 *     rc = tusk_await(tusk_gather(tasks, 3));
 *
 * Takes the reference of each. Its result is 0 once all have succeeded. The first error of a child
 * is its error, at once, while the others run on. Cancelling it cancels the children; it is done
 * when they have ended. A future that is there twice (with a reference for each) counts once and
 * has its result in both places. NULL children, failed creations, count as children with that
 * error. NULL on an error (-ENOMEM: the references are taken all the same). Options:
 * .return_exceptions, .results. Does not suspend.
 */
TUSK_API tusk_future *tusk_gather(tusk_future *const *futures, size_t count,
                                  const struct tusk_gather_options *options);

/*
 * Asks a task to end: what it waits for returns -ECANCELED, now or at its next suspension; a task
 * that has not started never does. It is a request: the task may clean up, or go on. True if it was
 * not done. Option: .msg. Does not suspend.
 */
TUSK_API bool tusk_task_cancel(tusk_task *task, const struct tusk_cancel_options *options);

/*
 * How often a cancel was asked for, less the calls of tusk_task_uncancel(). TUSK_INVALID_STATE for
 * a plain future. Does not suspend.
 */
TUSK_API int tusk_task_cancelling(const tusk_task *task);

/*
 * Takes back one request to cancel, for code that caught it; returns how many are left. At 0, a
 * cancel that has not been delivered is not delivered. TUSK_INVALID_STATE for a plain future. Does
 * not suspend.
 */
TUSK_API int tusk_task_uncancel(tusk_task *task);

/* The task's name; "" for a plain future or NULL. Valid until it is set or the task is gone. */
TUSK_API const char *tusk_task_get_name(tusk_task *task);

/*
 * Gives the task another name, copied. Returns 0, -EINVAL, -ENOMEM, or TUSK_INVALID_STATE for a
 * plain future.
 */
TUSK_API int tusk_task_set_name(tusk_task *task, const char *name);

/* The task's coroutine, or NULL for a plain future. */
TUSK_API tusk_coro *tusk_task_get_coro(const tusk_task *task);

/*
 * The task's context, with one reference that is yours. NULL for a plain future, or without memory.
 */
TUSK_API tusk_context *tusk_task_get_context(tusk_task *task);

/*
 * How many bytes of a task's stack have been in use at most, by this task or those that had the stack
 * before it: its high-water mark. 0 if it has no stack now. A look into memory: for tests and
 * tuning, not for each request.
 */
TUSK_API size_t tusk_task_stack_used(const tusk_task *task);

#ifndef __cplusplus
#define tusk_create_task(coro, ...) TUSK__CREATE_TASK(coro, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__CREATE_TASK(coro, arg, ...)                                                                    \
    (tusk_create_task)(coro, arg, &(const struct tusk_task_options){__VA_ARGS__})
#define tusk_loop_create_task(loop, coro, ...)                                                               \
    TUSK__LOOP_CREATE_TASK(loop, coro, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__LOOP_CREATE_TASK(loop, coro, arg, ...)                                                         \
    (tusk_loop_create_task)(loop, coro, arg, &(const struct tusk_task_options){__VA_ARGS__})
#define tusk_ensure_future(coro, ...) TUSK__ENSURE_FUTURE(coro, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__ENSURE_FUTURE(coro, arg, ...)                                                                  \
    (tusk_ensure_future)(coro, arg, &(const struct tusk_task_options){__VA_ARGS__})
#define tusk_gather(futures, ...) TUSK__GATHER(futures, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__GATHER(futures, count, ...)                                                                    \
    (tusk_gather)(futures, count, &(const struct tusk_gather_options){__VA_ARGS__})
#define tusk_task_cancel(...) TUSK__TASK_CANCEL(__VA_ARGS__, .tusk__end = 0)
#define TUSK__TASK_CANCEL(task, ...)                                                                         \
    (tusk_task_cancel)(task, &(const struct tusk_cancel_options){__VA_ARGS__})
#define tusk_copy(pointer) ((tusk_copy)((pointer), sizeof *(pointer)))
#endif

TUSK_END_DECLS

#endif
