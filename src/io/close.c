/*
 * Waiting for descriptors that others use, and letting go of them.
 */
#include <poll.h>
#include <stdio.h>

#include "base/error.h"
#include "io/operation.h"

/* ---- poll_fd ---- */

/* Wakes a task for whichever direction comes first. */
struct either {
    struct tusk__waiter waiter;
    struct tusk__io_waiter ears[2];
    struct tusk__descriptor *descriptor;
};

static void leave(struct either *either)
{
    for (int i = 0; i < 2; i++)
        tusk__descriptor_unlisten(either->descriptor, (enum tusk__direction)i, &either->ears[i]);
}

static bool cancel(struct tusk__wait *wait, struct tusk__text *text)
{
    leave(container_of(wait, struct either, waiter.wait));
    return tusk__waiter_cancel(wait, text);
}

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    const struct either *either = container_of(wait, struct either, waiter.wait);

    snprintf(text, size, "descriptor %d to become ready", either->descriptor->watch.fd);
}

static const struct tusk__wait_kind kind = {.cancel = cancel, .describe = describe};

static void wake_reader(struct tusk__io_waiter *ear, int rc)
{
    tusk__waiter_end(&container_of(ear, struct either, ears[TUSK__READ])->waiter, rc);
}

static void wake_writer(struct tusk__io_waiter *ear, int rc)
{
    tusk__waiter_end(&container_of(ear, struct either, ears[TUSK__WRITE])->waiter, rc);
}

/*
 * What the poller is to tell of, for these events of poll(2). POLLHUP and POLLERR come unasked, if it
 * is to tell of anything: of urgent data, which is rare.
 */
static int directions_of(int events)
{
    static const int readable = POLLIN | POLLRDNORM | POLLRDBAND,
                     writable = POLLOUT | POLLWRNORM | POLLWRBAND;
    int directions = 0;

    if (events & readable)
        directions |= TUSK__POLL_READ;
    if (events & writable)
        directions |= TUSK__POLL_WRITE;
    return directions == 0 || events & ~(readable | writable) ? directions | TUSK__POLL_URGENT : directions;
}

static int listen_for(struct either *either, int directions)
{
    struct tusk__descriptor *descriptor = either->descriptor;
    int rc = 0;

    tusk__descriptor_expect(descriptor, directions);
    either->ears[TUSK__READ].ready = wake_reader;
    either->ears[TUSK__WRITE].ready = wake_writer;
    if (directions & (TUSK__POLL_READ | TUSK__POLL_URGENT))
        rc = tusk__descriptor_listen(descriptor, TUSK__READ, &either->ears[TUSK__READ]);
    if (rc == 0 && (directions & TUSK__POLL_WRITE))
        rc = tusk__descriptor_listen(descriptor, TUSK__WRITE, &either->ears[TUSK__WRITE]);
    if (rc < 0)
        leave(either);
    return rc;
}

static int wait_for_either(struct tusk__task *task, struct tusk__descriptor *descriptor, int directions)
{
    struct either either = {.descriptor = descriptor};
    int rc;

    rc = listen_for(&either, directions);
    if (rc < 0)
        return rc;
    tusk__waiter_init(&either.waiter, task, &kind);
    rc = tusk__waiter_wait(&either.waiter);
    leave(&either);
    return rc == 0 && descriptor->closed ? -EBADF : rc;
}

/*
 * Others read and write here, and what they found nobody told us: it looks, and
 * waits for a change that comes after the look.
 */
static int wait_for_events(const struct tusk__call *call, int events)
{
    struct tusk__descriptor *descriptor = call->descriptor;
    const struct tusk__system *system = tusk__system_of(call->io->loop);
    int fd = descriptor->watch.fd;
    int rc = system->poll(fd, events);

    /* They may even have closed it, and this may be another one. */
    if (rc == 0 && descriptor->watched)
        rc = tusk__descriptor_watch(descriptor, 0, true);
    while (rc == 0) {
        rc = wait_for_either(call->task, descriptor, directions_of(events));
        if (rc == 0)
            rc = system->poll(fd, events);
    }
    return rc > 0 && (rc & POLLNVAL) ? -EBADF : rc;
}

int tusk_poll_fd(int fd, int events)
{
    struct tusk__call call;
    int rc;

    tusk_try(tusk__call_begin_with(&call, fd, tusk__descriptor_look));
    tusk__descriptor_retain(call.descriptor);
    rc = wait_for_events(&call, events);
    tusk__descriptor_let_go(call.descriptor);
    tusk__descriptor_release(call.descriptor);
    return rc;
}

/* ---- closing ---- */

static struct tusk__descriptor *known(int fd)
{
    struct tusk__io *io = tusk__running_loop ? tusk__running_loop->io : NULL;

    return io ? tusk__descriptor_find(io, fd) : NULL;
}

int tusk_detach(int fd)
{
    struct tusk__descriptor *descriptor = known(fd);

    if (fd < 0 || (descriptor && descriptor->standing == TUSK__CLOSING))
        return -EBADF;
    if (descriptor)
        tusk__descriptor_forget(descriptor);
    return 0;
}

int tusk_close(int fd)
{
    struct tusk__descriptor *descriptor = known(fd);

    if (descriptor)
        return descriptor->standing == TUSK__CLOSING ? -EBADF : tusk__descriptor_close(descriptor);
    /* A loop without I/O has made none of those that its poller may have. */
    return tusk__running_loop && tusk__running_loop->io ? tusk__system_of(tusk__running_loop)->close(fd)
                                                        : tusk__system_real.close(fd);
}
