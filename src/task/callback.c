/*
 * Done callbacks. Each is a handle of its own, so that it runs as an entry of
 * its own in the ready queue, in the context of its registration.
 */
#include "task/callback.h"

#include <errno.h>

#include "base/error.h"
#include "task/task.h"

struct callback {
    struct tusk__handle handle;
    struct tusk_future *future;
    tusk_done_callback *function;
    void *arg;
};

static struct callback *callback_of(struct tusk__handle *handle)
{
    return container_of(handle, struct callback, handle);
}

static void callback_free(struct callback *callback)
{
    struct tusk_loop *loop = callback->future->loop;

    tusk__cell_drop(callback->handle.context);
    tusk__slab_put(&tusk__tasks_of(loop)->callbacks, callback);
}

void tusk__callback_run(struct tusk__handle *handle)
{
    struct callback *callback = callback_of(handle);
    struct tusk_future *future = callback->future;
    unsigned messages = tusk__thread_messages;
    int rc = callback->function(future, callback->arg);

    if (unlikely(rc < 0))
        tusk__report_callback(future->loop, (uintptr_t)callback->function, future, rc, messages);
    future->loop->current = NULL;
    callback_free(callback);
    tusk__future_release(future);
}

void tusk__callback_drop(struct tusk__handle *handle)
{
    if (handle->run == tusk__callback_run)
        callback_free(callback_of(handle));
}

void tusk__callbacks_free(struct tusk_future *future)
{
    struct tusk__handle *handle = future->callbacks;

    while (handle) {
        struct tusk__handle *next = handle->next;

        tusk__callback_drop(handle);
        handle = next;
    }
    future->callbacks = NULL;
}

static struct callback *create(struct tusk_future *future, tusk_done_callback *function, void *arg,
                               const struct tusk_call_options *options)
{
    struct callback *callback = tusk__slab_get(&tusk__tasks_of(future->loop)->callbacks);

    if (!callback)
        return NULL;
    callback->handle.run = tusk__callback_run;
    callback->handle.context = tusk__cell_for(*tusk__current_cell(), options ? options->context : NULL);
    callback->future = future;
    callback->function = function;
    callback->arg = arg;
    return callback;
}

int(tusk_future_add_done_callback)(tusk_future *future, tusk_done_callback *callback, void *arg,
                                   const struct tusk_call_options *options)
{
    struct callback *new;

    if (!future || !callback)
        return -EINVAL;
    if (future->state == TUSK__FREED)
        return tusk__future_misused(future);
    if (future->loop->closed)
        return TUSK_LOOP_CLOSED;
    new = create(future, callback, arg, options);
    if (!new)
        return -ENOMEM;
    if (tusk__future_pending(future)) {
        tusk__future_append(future, &new->handle);
    } else {
        future->references++;
        tusk__loop_push(future->loop, &new->handle);
    }
    return 0;
}

static bool equal(struct tusk__handle *handle, tusk_done_callback *function, const void *arg)
{
    struct callback *callback = callback_of(handle);

    return handle->run == tusk__callback_run && callback->function == function && callback->arg == arg;
}

/* Takes out of the list, in one pass, what is equal; returns how many there were. */
static int remove_equal(struct tusk_future *future, tusk_done_callback *function, const void *arg)
{
    struct tusk__handle **link = &future->callbacks;
    int count = 0;

    while (*link) {
        struct tusk__handle *handle = *link;

        if (equal(handle, function, arg)) {
            *link = handle->next;
            callback_free(callback_of(handle));
            count++;
        } else {
            future->callbacks_end = handle;
            link = &handle->next;
        }
    }
    return count;
}

int tusk_future_remove_done_callback(tusk_future *future, tusk_done_callback *callback, void *arg)
{
    if (!future)
        return 0;
    if (future->state == TUSK__FREED)
        return tusk__future_misused(future);
    return remove_equal(future, callback, arg);
}

void tusk__callbacks_open(struct tusk__slab *slab)
{
    _Static_assert(sizeof(struct callback) <= TUSK__CALLBACK_SIZE, "a callback does not fit into its slab");
    tusk__slab_init(slab, TUSK__CALLBACK_SIZE, 0);
}
