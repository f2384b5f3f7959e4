/*
 * Cancelling: asyncio's rules. A cancel goes from a task to what it awaits, down
 * to the leaves. asyncio does that by recursion; here it is a walk without one, so that
 * a hundred thousand tasks which await each other, directly or by gathers, can
 * be cancelled at their head, and with what is on the stack of a small task.
 *
 * A gather on the way keeps its own part of the walk: the gather it came from, and which
 * child is next. A ring, of tasks that await each other, has no leaf: it is cut open at one
 * of its members (asyncio's recursion fails there).
 */
#include <errno.h>
#include <limits.h>

#include "task/gather.h"

struct walk {
    struct tusk__text *text;
    /* A task that was asked this often in this round is a leaf. */
    uint32_t enough;
    /* The gather whose children are being asked, or NULL. */
    struct tusk__gather *gather;
};

static void cancel_at_next_step(struct tusk__task *task, struct tusk__text *text)
{
    task->must_cancel = true;
    tusk__text_put(&task->cancel_text, tusk__text_retain(text));
}

/* The task that this one awaits, if that is not done. */
static struct tusk__task *next_of(const struct tusk__task *task)
{
    struct tusk_future *future = tusk__awaited(task->wait);

    return future && future->kind == TUSK__TASK && tusk__future_pending(future) ? tusk__task_of(future)
                                                                                : NULL;
}

/*
 * The member of a ring at which a chain of awaits is to be cut, or NULL if it has an
 * end: a leaf, or a task that was asked often enough. (Brent's algorithm.)
 */
static struct tusk__task *find_ring(struct tusk__task *head, uint32_t enough)
{
    struct tusk__task *tortoise = head;
    struct tusk__task *hare = next_of(head);
    size_t power = 1;
    size_t steps = 1;

    while (hare && hare != tortoise) {
        if (hare->future.gather_index >= enough)
            return NULL;
        if (steps++ == power) {
            tortoise = hare;
            power *= 2;
            steps = 1;
        }
        hare = next_of(hare);
    }
    return hare;
}

/* Takes the task out of its await: it goes on in the next iteration, cancelled. */
static void cut(struct tusk__task *task, struct tusk__text *text)
{
    cancel_at_next_step(task, text);
    tusk__await_abandon(task);
}

static struct tusk__gather *begin(struct walk *walk, struct tusk__gather *gather, struct tusk__task *awaiter)
{
    gather->cancel_here = true;
    gather->cancel_accepted = false;
    gather->cancel_index = 0;
    gather->cancel_awaiter = awaiter;
    gather->cancel_from = walk->gather;
    walk->gather = gather;
    return gather;
}

static struct tusk__gather *awaited_gather(const struct tusk__task *task)
{
    struct tusk_future *future = tusk__awaited(task->wait);

    return future && future->kind == TUSK__GATHER && tusk__future_pending(future) ? tusk__gather_of(future)
                                                                                  : NULL;
}

/* The end of a chain of awaits: what it waits for is asked, at once or by going on into a gather. */
static void cancel_leaf(struct walk *walk, struct tusk__task *task)
{
    struct tusk__gather *gather = awaited_gather(task);

    if (gather && gather->cancel_here) {
        gather->abandoned = true;
        cut(task, walk->text);
    } else if (gather) {
        begin(walk, gather, task);
    } else if (!task->wait || !task->wait->kind->cancel(task->wait, walk->text)) {
        cancel_at_next_step(task, walk->text);
    }
}

static void count(struct tusk__task *task)
{
    task->cancels++;
    task->future.gather_index++;
}

/* A task that is not done always takes a cancel, now or at its next step. */
static bool visit_task(struct walk *walk, struct tusk__task *task)
{
    struct tusk__task *ring;
    struct tusk__task *next;
    bool passed = false;

    tusk__future_retrieved(&task->future);
    if (!tusk__future_pending(&task->future))
        return false;
    ring = find_ring(task, walk->enough);
    for (;; task = next) {
        count(task);
        passed = passed || task == ring;
        next = next_of(task);
        if (!next)
            break;
        if (task->future.gather_index > walk->enough)
            return true;
        if (passed && next == ring) {
            cut(task, walk->text);
            return true;
        }
    }
    cancel_leaf(walk, task);
    return true;
}

static bool visit_plain(struct walk *walk, struct tusk_future *future)
{
    tusk__future_retrieved(future);
    if (!tusk__future_pending(future))
        return false;
    tusk__text_put(&future->text, tusk__text_retain(walk->text));
    tusk__future_finish(future, TUSK__CANCELLED, -ECANCELED);
    return true;
}

/* Asks one future. For a gather, that begins a round of its children, and the answer comes at its end. */
static bool visit(struct walk *walk, struct tusk_future *future)
{
    if (future->kind == TUSK__TASK)
        return visit_task(walk, tusk__task_of(future));
    if (future->kind != TUSK__GATHER)
        return visit_plain(walk, future);
    tusk__future_retrieved(future);
    if (tusk__future_pending(future) && !tusk__gather_of(future)->cancel_here)
        begin(walk, tusk__gather_of(future), NULL);
    return false;
}

/* All children of a gather were asked. Returns what it answers to whoever asked it. */
static bool end(struct walk *walk, struct tusk__gather *gather)
{
    struct tusk__task *awaiter = gather->cancel_awaiter;

    walk->gather = gather->cancel_from;
    gather->cancel_here = false;
    /* Only if a child took it: they may all be done already, with the gather's end in the queue. */
    if (gather->cancel_accepted)
        gather->cancel_requested = true;
    else if (awaiter)
        cancel_at_next_step(awaiter, walk->text);
    return gather->cancel_accepted || awaiter;
}

/* The next child that is to be asked: one that is there twice is asked twice, as in asyncio. */
static struct tusk_future *next_child(struct tusk__gather *gather)
{
    while (gather->cancel_index < gather->count) {
        struct tusk__gather_child *child = &gather->children[gather->cancel_index++];
        struct tusk_future *future = gather->children[child->same_as].future;

        if (future)
            return future;
    }
    return NULL;
}

static bool cancel(struct tusk_future *future, struct tusk__text *text, uint32_t enough)
{
    struct walk walk = {.text = text, .enough = enough};
    bool accepted = visit(&walk, future);

    while (walk.gather) {
        struct tusk__gather *gather = walk.gather;
        struct tusk_future *child = next_child(gather);
        bool answer = child ? visit(&walk, child) : end(&walk, gather);
        struct tusk__gather *asker = child ? gather : walk.gather;

        if (asker)
            asker->cancel_accepted = asker->cancel_accepted || answer;
        else
            accepted = accepted || answer;
    }
    return accepted;
}

bool tusk__future_cancel(struct tusk_future *future, struct tusk__text *text)
{
    return cancel(future, text, UINT32_MAX);
}

void tusk__future_cancel_in_round(struct tusk_future *future)
{
    cancel(future, NULL, TUSK__ENOUGH);
}

bool(tusk_task_cancel)(tusk_task *task, const struct tusk_cancel_options *options)
{
    return (tusk_future_cancel)(task, options);
}

int tusk_task_cancelling(const tusk_task *task)
{
    if (!task || task->kind != TUSK__TASK || task->state == TUSK__FREED)
        return TUSK_INVALID_STATE;
    return tusk__task_of((tusk_task *)task)->cancels;
}

int tusk_task_uncancel(tusk_task *task)
{
    struct tusk__task *self;

    if (!task || task->kind != TUSK__TASK || task->state == TUSK__FREED)
        return TUSK_INVALID_STATE;
    self = tusk__task_of(task);
    if (self->cancels > 0 && --self->cancels == 0)
        self->must_cancel = false;
    return self->cancels;
}
