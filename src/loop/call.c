/*
 * Calls: callbacks that were registered with call_soon, call_later, call_at.
 *
 * The public tusk_handle names a call by address and number. Calls live in a
 * slab whose memory stays what it is until the loop closes, and a number is
 * never used twice: so an old handle can be told from the call that has its
 * place now, and cancelling too late is harmless. asyncio counts references to its handles
 * instead; in C everyone would have to release each handle that he ignores.
 */
#include <errno.h>
#include <math.h>

#include "base/error.h"
#include "base/mem.h"
#include "loop/loop.h"

struct call {
    struct tusk__timer timer;
    /* The number in its tusk_handle; 0 once it runs, is cancelled or free. */
    uint64_t id;
    struct tusk_loop *loop;
    tusk_callback *callback;
    void *arg;
};

/* A call from another thread, or for one. */
struct threadsafe_call {
    struct tusk__letter letter;
    struct tusk_loop *loop;
    tusk_callback *callback;
    void *arg;
};

static const tusk_handle empty;

static struct call *call_of(struct tusk__handle *handle)
{
    return container_of(handle, struct call, timer.handle);
}

static void call_free(struct call *call)
{
    call->id = 0;
    tusk__cell_drop(call->timer.handle.context);
    tusk__slab_put(&call->loop->calls, call);
}

void tusk__run_callback(struct tusk_loop *loop, tusk_callback *callback, void *arg)
{
    unsigned messages = tusk__thread_messages;
    int rc = callback(arg);

    if (unlikely(rc < 0))
        tusk__report_callback(loop, (uintptr_t)callback, NULL, rc, messages);
}

static void run_call(struct tusk__handle *handle)
{
    struct call *call = call_of(handle);

    call->id = 0;
    tusk__run_callback(call->loop, call->callback, call->arg);
    /* Until here it was the current handle, whose context the callback saw. */
    call->loop->current = NULL;
    call_free(call);
}

/* A call that was cancelled when it stood in the queue already. */
static void skip_call(struct tusk__handle *handle)
{
    struct call *call = call_of(handle);

    call->loop->current = NULL;
    call_free(call);
}

/* Puts another handle in the place of the one that *link leads to; NULL closes the gap. */
static void replace(struct tusk_loop *loop, struct tusk__handle **link, struct tusk__handle *by)
{
    struct tusk__handle *old = *link;

    if (by)
        by->next = old->next;
    *link = by ? by : old->next;
    if (loop->ready_end == &old->next)
        loop->ready_end = by ? &by->next : link;
}

void tusk__loop_orphan(struct tusk_loop *loop, struct tusk__handle *handle)
{
    struct tusk__handle **lists[] = {&loop->batch, &loop->ready};
    struct call *stand_in = tusk__slab_get(&loop->calls);

    if (stand_in) {
        stand_in->timer.handle.run = skip_call;
        stand_in->timer.handle.context = 0;
        stand_in->timer.link = NULL;
        stand_in->id = 0;
        stand_in->loop = loop;
    }
    for (size_t i = 0; i < 2; i++) {
        struct tusk__handle **link = lists[i];

        while (*link && *link != handle)
            link = &(*link)->next;
        if (*link)
            replace(loop, link, stand_in ? &stand_in->timer.handle : NULL);
    }
}

/* A new call that is in no queue yet. */
static struct call *call_new(struct tusk_loop *loop, tusk_callback *callback, void *arg,
                             tusk_context *context)
{
    struct call *call;

    if (!loop || !callback)
        return tusk__fail(-EINVAL);
    if (loop->closed)
        return tusk__fail(TUSK_LOOP_CLOSED);
    if (unlikely(loop->debug) && tusk__loop_check_thread(loop) < 0)
        return tusk__fail(TUSK_OTHER_THREAD);
    call = tusk__slab_get(&loop->calls);
    if (!call)
        return tusk__fail(-ENOMEM);
    call->timer.handle.run = run_call;
    call->timer.handle.context = tusk__cell_for(*tusk__current_cell(), context);
    call->timer.link = NULL;
    call->id = ++loop->last_call_id;
    call->loop = loop;
    call->callback = callback;
    call->arg = arg;
    return call;
}

static tusk_handle handle_of(struct call *call)
{
    return (tusk_handle){call, call->id};
}

static tusk_handle call_at_nanoseconds(struct tusk_loop *loop, int64_t when, tusk_callback *callback,
                                       void *arg, const struct tusk_call_options *options)
{
    struct call *call = call_new(loop, callback, arg, options ? options->context : NULL);

    if (!call)
        return empty;
    tusk__loop_add_timer(loop, &call->timer, when);
    return handle_of(call);
}

static tusk_handle fail(int code)
{
    tusk__fail(code);
    return empty;
}

tusk_handle(tusk_loop_call_soon)(tusk_loop *loop, tusk_callback *callback, void *arg,
                                 const struct tusk_call_options *options)
{
    struct call *call = call_new(loop, callback, arg, options ? options->context : NULL);

    if (!call)
        return empty;
    tusk__loop_push(loop, &call->timer.handle);
    return handle_of(call);
}

tusk_handle(tusk_loop_call_later)(tusk_loop *loop, double delay, tusk_callback *callback, void *arg,
                                  const struct tusk_call_options *options)
{
    if (!loop || isnan(delay))
        return fail(-EINVAL);
    return call_at_nanoseconds(loop, tusk__loop_deadline(tusk__loop_clock(loop), delay), callback, arg,
                               options);
}

tusk_handle(tusk_loop_call_at)(tusk_loop *loop, double when, tusk_callback *callback, void *arg,
                               const struct tusk_call_options *options)
{
    if (!loop || isnan(when))
        return fail(-EINVAL);
    tusk__loop_clock(loop);
    return call_at_nanoseconds(loop, tusk__loop_deadline(0, when), callback, arg, options);
}

tusk_handle(tusk_call_soon)(tusk_callback *callback, void *arg, const struct tusk_call_options *options)
{
    if (!tusk__running_loop)
        return fail(TUSK_NO_RUNNING_LOOP);
    return (tusk_loop_call_soon)(tusk__running_loop, callback, arg, options);
}

tusk_handle(tusk_call_later)(double delay, tusk_callback *callback, void *arg,
                             const struct tusk_call_options *options)
{
    if (!tusk__running_loop)
        return fail(TUSK_NO_RUNNING_LOOP);
    return (tusk_loop_call_later)(tusk__running_loop, delay, callback, arg, options);
}

tusk_handle(tusk_call_at)(double when, tusk_callback *callback, void *arg,
                          const struct tusk_call_options *options)
{
    if (!tusk__running_loop)
        return fail(TUSK_NO_RUNNING_LOOP);
    return (tusk_loop_call_at)(tusk__running_loop, when, callback, arg, options);
}

static struct tusk__letter *letter_of(struct tusk__handle *handle)
{
    return container_of(handle, struct tusk__letter, handle);
}

void tusk__letter_run(struct tusk__handle *handle)
{
    struct tusk_loop *loop = tusk__running_loop;

    letter_of(handle)->open(loop, letter_of(handle));
    loop->current = NULL;
}

void tusk__loop_send(struct tusk_loop *loop, struct tusk__letter *letter)
{
    if (tusk__inbox_send(&loop->inbox, &letter->handle))
        loop->poller.backend->wake(&loop->poller);
}

static void drop_threadsafe_call(struct tusk__letter *letter)
{
    struct threadsafe_call *call = container_of(letter, struct threadsafe_call, letter);

    tusk__cell_drop(letter->handle.context);
    tusk__stock_put(&call->loop->stock, call);
}

static void open_threadsafe_call(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct threadsafe_call *call = container_of(letter, struct threadsafe_call, letter);

    tusk__run_callback(loop, call->callback, call->arg);
    drop_threadsafe_call(letter);
}

int tusk_loop_call_soon_threadsafe(tusk_loop *loop, tusk_callback *callback, void *arg)
{
    struct threadsafe_call *call;

    if (!loop || !callback)
        return -EINVAL;
    if (loop->closed)
        return TUSK_LOOP_CLOSED;
    call = tusk__stock_get(&loop->stock, sizeof *call);
    if (!call)
        return -ENOMEM;
    call->letter =
        (struct tusk__letter){{.run = tusk__letter_run}, open_threadsafe_call, drop_threadsafe_call};
    call->loop = loop;
    call->callback = callback;
    call->arg = arg;
    if (loop == tusk__running_loop)
        tusk__loop_push(loop, &call->letter.handle);
    else
        tusk__loop_send(loop, &call->letter);
    return 0;
}

/* The call behind a handle, if it is still to run. */
static struct call *pending_call(tusk_handle handle)
{
    struct call *call = handle.handle_;

    return call && handle.id_ && call->id == handle.id_ ? call : NULL;
}

bool tusk_handle_cancel(tusk_handle handle)
{
    struct call *call = pending_call(handle);

    if (!call)
        return false;
    if (tusk__timer_pending(&call->timer)) {
        tusk__wheel_remove(&call->loop->wheel, &call->timer);
        call_free(call);
    } else {
        call->id = 0;
        call->timer.handle.run = skip_call;
    }
    return true;
}

bool tusk_handle_pending(tusk_handle handle)
{
    return pending_call(handle) != NULL;
}

double tusk_handle_when(tusk_handle handle)
{
    struct call *call = pending_call(handle);

    if (!call || !tusk__timer_pending(&call->timer))
        return NAN;
    return call->timer.when >= TUSK__FOREVER ? (double)INFINITY : (double)call->timer.when / 1e9;
}

void tusk__calls_open(struct tusk_loop *loop)
{
    /* Stale handles read the number of a freed call: it stays readable, up to the next field. */
    tusk__slab_init(&loop->calls, sizeof(struct call), offsetof(struct call, loop));
}

static void close_queue(struct tusk_loop *loop, struct tusk__handle *handle)
{
    while (handle) {
        struct tusk__handle *next = handle->next;

        if (handle->run == run_call || handle->run == skip_call)
            call_free(call_of(handle));
        else if (handle->run == tusk__letter_run)
            letter_of(handle)->drop(letter_of(handle));
        else
            loop->hooks->drop(handle);
        handle = next;
    }
}

static void push(void *loop, struct tusk__handle *handle)
{
    tusk__loop_push(loop, handle);
}

void tusk__calls_close(struct tusk_loop *loop)
{
    tusk__wheel_advance(&loop->wheel, TUSK__FOREVER, push, loop);
    close_queue(loop, loop->batch);
    close_queue(loop, loop->ready);
    close_queue(loop, tusk__inbox_take(&loop->inbox));
    loop->batch = NULL;
    loop->ready = NULL;
    loop->ready_end = &loop->ready;
}
