/*
 * Task groups: a scope that ends when all tasks made in it have ended.
 *
 *     tusk_task_group group;
 *     int rc = tusk_task_group_enter(&group);
 *
 *     if (rc == 0) {
 *         for (int i = 0; i < 3; i++)
 *             tusk_task_group_create_task(&group, fetch, &pages[i]);
 *         rc = tusk_task_group_exit(&group, rc);
 *     }
 *
 * The first child that fails cancels the others and the body. The exit waits for all of them,
 * however often its task is cancelled meanwhile, and returns TUSK_EXCEPTION_GROUP if any failed:
 * tusk/exception.h has the errors of all. Children's arguments may lie on the stack of who entered:
 * they end first.
 */
#ifndef TUSK_GROUP_H
#define TUSK_GROUP_H

#include <tusk/task.h>

TUSK_BEGIN_DECLS

/* A scope. On the stack of its task, from enter to exit; its fields are tusk's. */
typedef struct tusk_task_group {
    void *tusk__private[16];
} tusk_task_group;

/*
 * Enters the scope. Returns 0, -EINVAL for NULL, or TUSK_NOT_IN_TASK; then there is nothing to
 * exit. Does not suspend.
 */
TUSK_API TUSK_MUST_CHECK int tusk_task_group_enter(tusk_task_group *group);

/*
 * Makes a task in the group: by its body, or by its children until the last has ended. The handle
 * is borrowed: it is valid until the task is done (of one that was eager and is done already: until
 * the exit), or longer with tusk_retain(). NULL on an error
 * (tusk_last_error()): TUSK_INVALID_STATE if the group was not entered, is aborting or has ended;
 * else as tusk_create_task(), with its options. A creation that fails aborts nothing: check it, or
 * await what it returned. Does not suspend.
 */
TUSK_API tusk_task *tusk_task_group_create_task(tusk_task_group *group, tusk_coro *coro, void *arg,
                                                const struct tusk_task_options *options);

/*
 * Cancels all children and the body, as a failing child would; but it is no error: the exit returns
 * 0. Does not suspend. (asyncio 3.15: TaskGroup.cancel)
 */
TUSK_API int tusk_task_group_cancel(tusk_task_group *group);

/*
 * Leaves the scope with what its body returned: a negative rc cancels the children first. Waits
 * until all have ended. Returns rc if all is well; TUSK_EXCEPTION_GROUP if a child or the body
 * failed; -ECANCELED if this task was cancelled from outside and no child failed. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_task_group_exit(tusk_task_group *group, int rc);

#ifndef __cplusplus
#define tusk_task_group_create_task(group, coro, ...)                                                        \
    TUSK__GROUP_CREATE_TASK(group, coro, __VA_ARGS__, .tusk__where = TUSK__HERE)
#define TUSK__GROUP_CREATE_TASK(group, coro, arg, ...)                                                       \
    (tusk_task_group_create_task)(group, coro, arg, &(const struct tusk_task_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
