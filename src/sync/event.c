/*
 * Event.
 */
#include "sync/waiters.h"

static const struct tusk__sync_kind an_event = {"an event", "", offsetof(tusk_event, waiters_)};

static TUSK__NOINLINE int wait_slowly(tusk_event *event, struct tusk__task *task)
{
    struct tusk__sync_waiter waiter;

    return tusk__waiters_wait(&event->waiters_, task, &waiter, &an_event);
}

int tusk_event_wait(tusk_event *event)
{
    struct tusk__task *task = tusk__running_task();

    if (unlikely(!task))
        return tusk__waiters_refuse_place();
    if (event->set_)
        return 0;
    return wait_slowly(event, task);
}

void tusk_event_set(tusk_event *event)
{
    event->set_ = true;
    tusk__waiters_wake_all(&event->waiters_);
}

void tusk_event_clear(tusk_event *event)
{
    event->set_ = false;
}

bool tusk_event_is_set(const tusk_event *event)
{
    return event->set_;
}
