/*
 * Locks, events, conditions, semaphores, barriers, queues.
 */
#include "operations.h"

#include <tusk/queue.h>
#include <tusk/sync.h>

/* ---- the things ---- */

/* Four values share each priority. */
static int compare_items(const void *left, const void *right)
{
    return *(const int *)left / 4 - *(const int *)right / 4;
}

static void open_queue(tusk_queue *queue, int number)
{
    if (number % 3 == 0)
        tusk_queue_init(queue, sizeof(int), 2, NULL);
    else if (number % 3 == 1)
        tusk_lifo_queue_init(queue, sizeof(int), 1, NULL);
    else
        tusk_priority_queue_init(queue, sizeof(int), 0, NULL, compare_items);
}

void things_open(struct things *things)
{
    for (int i = 0; i < SLOTS; i++) {
        things->conditions[i] = (tusk_condition)TUSK_CONDITION_INIT_WITH(i == 0 ? &things->locks[0] : NULL);
        things->semaphores[i] = (tusk_semaphore)TUSK_SEMAPHORE_INIT(i % 3);
        things->bounded[i] = (tusk_bounded_semaphore)TUSK_BOUNDED_SEMAPHORE_INIT(i % 3 + 1);
        things->barriers[i] = (tusk_barrier)TUSK_BARRIER_INIT((size_t)i % 3 + 2);
        open_queue(&things->queues[i], i);
    }
}

void things_release_all(struct things *things)
{
    for (int i = 0; i < SLOTS; i++)
        if (tusk_lock_locked(&things->locks[i]))
            tusk_lock_release(&things->locks[i]);
    for (int i = 1; i < SLOTS; i++)
        if (tusk_condition_locked(&things->conditions[i]))
            tusk_condition_release(&things->conditions[i]);
}

void things_close(struct things *things)
{
    for (int i = 0; i < SLOTS; i++)
        tusk_queue_close(&things->queues[i]);
}

/* The thing of an array that an operation's first operand names. */
#define THING(array) (&actor->runner->things->array[op->operands[0].number])

static int number_of(const struct op *op)
{
    return op->operands[1].number;
}

/* asyncio gives True where tusk gives 0. */
static int as_true(int rc)
{
    return rc == 0 ? 1 : rc;
}

/* Leaves a scope: an error of its release takes the place of all that its body came to. */
static int leave_scope(struct actor *actor, int rc, int released, tusk_exception *error)
{
    if (released < 0)
        actor->returned = false;
    else
        released = rc < 0 ? raise_again(rc, error) : rc;
    tusk_exception_release(error);
    return leave_block(actor, released);
}

static tusk_exception *keep_error(int rc)
{
    return rc < 0 ? tusk_exception_retain(tusk_exception_last()) : NULL;
}

/* ---- locks ---- */

int run_lock_acquire(struct actor *actor, const struct op *op)
{
    return as_true(tusk_lock_acquire(THING(locks)));
}

int run_lock_release(struct actor *actor, const struct op *op)
{
    return tusk_lock_release(THING(locks));
}

int run_lock_locked(struct actor *actor, const struct op *op)
{
    return tusk_lock_locked(THING(locks));
}

int run_lock_scope(struct actor *actor, const struct op *op)
{
    tusk_exception *error;
    int rc;

    tusk_try(tusk_lock_acquire(THING(locks)));
    rc = run_ops(actor, op->body);
    error = keep_error(rc);
    return leave_scope(actor, rc, tusk_lock_release(THING(locks)), error);
}

/* ---- events ---- */

int run_event_wait(struct actor *actor, const struct op *op)
{
    return as_true(tusk_event_wait(THING(events)));
}

int run_event_set(struct actor *actor, const struct op *op)
{
    tusk_event_set(THING(events));
    return 0;
}

int run_event_clear(struct actor *actor, const struct op *op)
{
    tusk_event_clear(THING(events));
    return 0;
}

/* ---- conditions ---- */

int run_condition_acquire(struct actor *actor, const struct op *op)
{
    return as_true(tusk_condition_acquire(THING(conditions)));
}

int run_condition_release(struct actor *actor, const struct op *op)
{
    return tusk_condition_release(THING(conditions));
}

int run_condition_scope(struct actor *actor, const struct op *op)
{
    tusk_exception *error;
    int rc;

    tusk_try(tusk_condition_acquire(THING(conditions)));
    rc = run_ops(actor, op->body);
    error = keep_error(rc);
    return leave_scope(actor, rc, tusk_condition_release(THING(conditions)), error);
}

int run_condition_wait(struct actor *actor, const struct op *op)
{
    return as_true(tusk_condition_wait(THING(conditions)));
}

struct goal {
    const int *counter;
    int least;
};

static int is_reached(void *arg)
{
    const struct goal *goal = arg;

    return *goal->counter >= goal->least;
}

int run_condition_wait_for(struct actor *actor, const struct op *op)
{
    struct goal goal = {&actor->runner->things->counter, number_of(op)};

    return tusk_condition_wait_for(THING(conditions), is_reached, &goal);
}

int run_condition_count(struct actor *actor, const struct op *op)
{
    (void)op;
    return ++actor->runner->things->counter;
}

int run_condition_notify(struct actor *actor, const struct op *op)
{
    return tusk_condition_notify(THING(conditions), (size_t)number_of(op));
}

int run_condition_notify_all(struct actor *actor, const struct op *op)
{
    return tusk_condition_notify_all(THING(conditions));
}

/* ---- semaphores ---- */

int run_semaphore_acquire(struct actor *actor, const struct op *op)
{
    return as_true(tusk_semaphore_acquire(THING(semaphores)));
}

int run_semaphore_release(struct actor *actor, const struct op *op)
{
    return tusk_semaphore_release(THING(semaphores));
}

int run_semaphore_locked(struct actor *actor, const struct op *op)
{
    return tusk_semaphore_locked(THING(semaphores));
}

int run_bounded_acquire(struct actor *actor, const struct op *op)
{
    return as_true(tusk_bounded_semaphore_acquire(THING(bounded)));
}

int run_bounded_release(struct actor *actor, const struct op *op)
{
    return tusk_bounded_semaphore_release(THING(bounded));
}

int run_bounded_locked(struct actor *actor, const struct op *op)
{
    return tusk_bounded_semaphore_locked(THING(bounded));
}

/* ---- barriers ---- */

int run_barrier_wait(struct actor *actor, const struct op *op)
{
    return tusk_barrier_wait(THING(barriers));
}

int run_barrier_reset(struct actor *actor, const struct op *op)
{
    return tusk_barrier_reset(THING(barriers));
}

int run_barrier_abort(struct actor *actor, const struct op *op)
{
    return tusk_barrier_abort(THING(barriers));
}

int run_barrier_waiting(struct actor *actor, const struct op *op)
{
    return (int)tusk_barrier_n_waiting(THING(barriers));
}

/* ---- queues ---- */

int run_queue_put(struct actor *actor, const struct op *op)
{
    int item = number_of(op);

    return tusk_queue_put(THING(queues), &item);
}

int run_queue_get(struct actor *actor, const struct op *op)
{
    int item;

    tusk_try(tusk_queue_get(THING(queues), &item));
    return item;
}

int run_queue_put_nowait(struct actor *actor, const struct op *op)
{
    int item = number_of(op);

    return tusk_queue_put_nowait(THING(queues), &item);
}

int run_queue_get_nowait(struct actor *actor, const struct op *op)
{
    int item;

    tusk_try(tusk_queue_get_nowait(THING(queues), &item));
    return item;
}

int run_queue_task_done(struct actor *actor, const struct op *op)
{
    return tusk_queue_task_done(THING(queues));
}

int run_queue_join(struct actor *actor, const struct op *op)
{
    return tusk_queue_join(THING(queues));
}

int run_queue_size(struct actor *actor, const struct op *op)
{
    return (int)tusk_queue_qsize(THING(queues));
}

int run_queue_shutdown(struct actor *actor, const struct op *op)
{
    tusk_queue_shutdown(THING(queues), .immediate = has_flag(op, 1));
    return 0;
}
