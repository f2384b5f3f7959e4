/*
 * Task groups. The group is on its task's stack; each child has a record from
 * the slab of callbacks, whose handle stands among the child's callbacks. A
 * child that failed leaves its record behind, with its error, until the exit.
 */
#include <tusk/group.h>

#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "task/callback.h"
#include "task/waiter.h"

struct child {
    struct tusk__handle handle;
    struct group *group;
    /* The task, with a reference: until it has ended, or, if it failed, until the exit. */
    struct tusk_future *future;
    struct child *next;
    struct child *previous;
};

_Static_assert(sizeof(struct child) <= TUSK__CALLBACK_SIZE,
               "a child's record does not fit into the slab of callbacks");

struct group {
    struct tusk_loop *loop;
    struct tusk__task *parent;
    /* Children that run, oldest first. */
    struct child *first;
    struct child *last;
    /* Children that failed, in the order of their ends. */
    struct child *failed;
    struct child *failed_last;
    size_t failures;
    /* Children that had ended when they were made, and well: kept for whoever holds their handles. */
    struct child *kept;
    /* The exit waits for the children with it, or NULL. */
    struct tusk__waiter *waiter;
    bool entered;
    bool exiting;
    bool aborting;
    /* A child's failure has cancelled the parent: the exit takes that back. */
    bool parent_cancel_requested;
};

_Static_assert(sizeof(struct group) <= sizeof(tusk_task_group), "tusk_task_group is too small");

static struct group *group_of(tusk_task_group *group)
{
    return (struct group *)group;
}

/* ---- children ---- */

static struct child *child_new(struct group *group)
{
    struct child *child = tusk__slab_get(&tusk__tasks_of(group->loop)->callbacks);

    if (!child)
        return NULL;
    child->group = group;
    child->handle.context = TUSK__LIGHT;
    return child;
}

static void child_free(struct child *child)
{
    tusk__slab_put(&tusk__tasks_of(child->group->loop)->callbacks, child);
}

static void link_child(struct group *group, struct child *child)
{
    child->next = NULL;
    child->previous = group->last;
    if (group->last)
        group->last->next = child;
    else
        group->first = child;
    group->last = child;
}

static void unlink_child(struct group *group, struct child *child)
{
    if (child->previous)
        child->previous->next = child->next;
    else
        group->first = child->next;
    if (child->next)
        child->next->previous = child->previous;
    else
        group->last = child->previous;
}

static void abort_children(struct group *group)
{
    struct child *next;

    group->aborting = true;
    for (struct child *child = group->first; child; child = next) {
        next = child->next;
        if (tusk__future_pending(child->future))
            tusk__future_cancel(child->future, NULL);
    }
}

/* The text of an error, also of one that has no message: a group lists them by their texts. */
static struct tusk__text *text_of(struct tusk__text *text, int code)
{
    return text && text->code == code ? tusk__text_retain(text) : tusk__text_copy(code, "");
}

static void keep_failure(struct group *group, struct child *child)
{
    child->next = NULL;
    if (group->failed)
        group->failed_last->next = child;
    else
        group->failed = child;
    group->failed_last = child;
    group->failures++;
}

static void cancel_parent(struct group *group)
{
    group->parent_cancel_requested = true;
    tusk__future_cancel(&group->parent->future, NULL);
}

/* What asyncio's done callback of a child does. */
static void child_done(struct child *child)
{
    struct group *group = child->group;
    struct tusk_future *future = child->future;
    int code = future->state == TUSK__CANCELLED ? 0 : tusk__future_outcome(future);

    if (group->waiter && !group->first)
        tusk__waiter_end(group->waiter, 0);
    if (code >= 0) {
        child_free(child);
        tusk__future_release(future);
        return;
    }
    keep_failure(group, child);
    if (group->aborting || group->parent_cancel_requested)
        return;
    abort_children(group);
    cancel_parent(group);
}

static void run_child_done(struct tusk__handle *handle)
{
    struct child *child = container_of(handle, struct child, handle);

    child->group->loop->current = NULL;
    unlink_child(child->group, child);
    child_done(child);
}

/* ---- the scope ---- */

int tusk_task_group_enter(tusk_task_group *group)
{
    struct group *self = group_of(group);
    struct tusk__task *task = tusk__running_task();

    if (!group)
        return -EINVAL;
    *self = (struct group){0};
    if (!task)
        return TUSK_NOT_IN_TASK;
    self->loop = task->future.loop;
    self->parent = task;
    task->scopes++;
    self->entered = true;
    return 0;
}

static int check_creation(const struct group *group)
{
    if (!group || !group->entered)
        return tusk_raise(TUSK_INVALID_STATE, "the task group has not been entered");
    if (group->exiting && !group->first)
        return tusk_raise(TUSK_INVALID_STATE, "the task group is finished");
    if (group->aborting)
        return tusk_raise(TUSK_INVALID_STATE, "the task group is shutting down");
    return 0;
}

/*
 * An eager child that has ended already. Its handle goes to whoever made it, who cannot know: so it
 * stays valid until the exit, as that of one that failed does anyway.
 */
static void adopt_done(struct group *group, struct child *child)
{
    if (child->future->state == TUSK__FAILED) {
        child_done(child);
        return;
    }
    child->next = group->kept;
    group->kept = child;
}

/* The record of a child that was made with it; it may have ended already, if it was eager. */
static void adopt(struct group *group, struct child *child, struct tusk_future *task)
{
    child->future = task;
    child->handle.run = run_child_done;
    if (!tusk__future_pending(task)) {
        adopt_done(group, child);
        return;
    }
    link_child(group, child);
    tusk__future_append(task, &child->handle);
}

tusk_task *(tusk_task_group_create_task)(tusk_task_group *group, tusk_coro *coro, void *arg,
                                         const struct tusk_task_options *options)
{
    struct group *self = group_of(group);
    int rc = check_creation(self);
    struct child *child = rc == 0 ? child_new(self) : NULL;
    tusk_task *task;

    if (!child) {
        tusk__copy_discard(arg);
        return tusk__fail(rc < 0 ? rc : -ENOMEM);
    }
    task = (tusk_loop_create_task)(self->loop, coro, arg, options);
    if (!task) {
        child_free(child);
        return NULL;
    }
    adopt(self, child, task);
    return task;
}

int tusk_task_group_cancel(tusk_task_group *group)
{
    struct group *self = group_of(group);

    if (!group || !self->entered || (self->exiting && !self->first))
        return TUSK_INVALID_STATE;
    if (!self->aborting)
        abort_children(self);
    if (!self->parent_cancel_requested)
        cancel_parent(self);
    return 0;
}

/* ---- the exit ---- */

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    (void)wait;
    snprintf(text, size, "the tasks of a group");
}

static const struct tusk__wait_kind kind = {.cancel = tusk__waiter_cancel, .describe = describe};

/* What travels on: a cancel of the parent, with its message. */
struct propagated {
    int code;
    struct tusk__text *text;
};

static void propagate(struct propagated *propagated, const struct group *group)
{
    struct tusk__text *text = group->parent->future.text;

    propagated->code = -ECANCELED;
    tusk__text_put(&propagated->text, text && text->code == -ECANCELED ? tusk__text_retain(text) : NULL);
}

/* However often the parent is cancelled meanwhile: only the first time, and only if nothing aborts yet, it counts. */
static void wait_for_children(struct group *group, struct propagated *propagated)
{
    while (group->first) {
        struct tusk__waiter waiter;

        tusk__waiter_init(&waiter, group->parent, &kind);
        group->waiter = &waiter;
        if (tusk__waiter_wait(&waiter) == -ECANCELED && !group->aborting) {
            propagate(propagated, group);
            abort_children(group);
        }
        group->waiter = NULL;
    }
}

static struct tusk__text *collect(struct group *group, struct tusk__text *body_error)
{
    size_t count = group->failures + (body_error ? 1 : 0);
    struct tusk__text *text =
        tusk__text_group(TUSK_EXCEPTION_GROUP, "unhandled errors in a TaskGroup", count);
    struct child *next;
    size_t i = 0;

    for (struct child *child = group->failed; child; child = next) {
        next = child->next;
        if (text)
            text->children[i++] = text_of(child->future->text, child->future->result);
        tusk__future_release(child->future);
        child_free(child);
    }
    if (text && body_error)
        text->children[i] = tusk__text_retain(body_error);
    tusk__text_release(body_error);
    return text;
}

/* Errors win over a cancel from outside; but that must not get lost: it comes at the next suspension. */
static int fail(struct group *group, struct tusk__text *body_error)
{
    struct tusk_future *parent = &group->parent->future;

    tusk__text_put(&parent->text, collect(group, body_error));
    if (group->parent->cancels > 0) {
        tusk_task_uncancel(parent);
        tusk__future_cancel(&group->parent->future, NULL);
    }
    return TUSK_EXCEPTION_GROUP;
}

static int finish(struct group *group, int rc, struct tusk__text *body_error, struct propagated *propagated)
{
    bool cancelled;

    if (group->parent_cancel_requested && tusk_task_uncancel(&group->parent->future) == 0)
        propagated->code = 0;
    cancelled = propagated->code == -ECANCELED;
    if (group->failures == 0 && cancelled) {
        tusk__text_put(&group->parent->future.text, propagated->text);
        propagated->text = NULL;
        return -ECANCELED;
    }
    if (group->failures > 0 || (rc < 0 && rc != -ECANCELED))
        return fail(group, body_error);
    return rc < 0 ? 0 : rc;
}

static void drop_kept(struct group *group)
{
    struct child *next;

    for (struct child *child = group->kept; child; child = next) {
        next = child->next;
        tusk__future_release(child->future);
        child_free(child);
    }
}

int tusk_task_group_exit(tusk_task_group *group, int rc)
{
    struct group *self = group_of(group);
    struct propagated propagated = {0};
    struct tusk__text *body_error = NULL;

    if (!group || !self->entered || self->exiting)
        return TUSK_INVALID_STATE;
    /* It is the parent who would be suspended, whoever calls. */
    if (!self->parent || self->parent != tusk__running_task())
        return tusk_raise(TUSK_INVALID_STATE, "the task group was entered by another task");
    self->exiting = true;
    if (rc == -ECANCELED)
        propagate(&propagated, self);
    else if (rc < 0)
        body_error = text_of(self->parent->future.text, rc);
    if (rc < 0 && !self->aborting)
        abort_children(self);
    wait_for_children(self, &propagated);
    rc = finish(self, rc, body_error, &propagated);
    drop_kept(self);
    if (rc == -ECANCELED)
        tusk__text_release(body_error);
    tusk__text_release(propagated.text);
    self->entered = false;
    self->parent->scopes--;
    return rc;
}
