#include "io/descriptor.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/watcher.h"

/* ---- waiters ---- */

static void append(struct tusk__descriptor *descriptor, struct tusk__readiness *readiness,
                   struct tusk__io_waiter *waiter)
{
    /* As long as anybody waits, something may come from outside. */
    descriptor->io->loop->listeners += !descriptor->inside;
    waiter->next = NULL;
    waiter->from = readiness->end;
    *readiness->end = waiter;
    readiness->end = &waiter->next;
}

static void take_out(struct tusk__descriptor *descriptor, struct tusk__io_waiter *waiter)
{
    descriptor->io->loop->listeners -= !descriptor->inside;
    *waiter->from = waiter->next;
    if (waiter->next)
        waiter->next->from = waiter->from;
    waiter->from = NULL;
}

/* Wakes all that wait now; who waits again meanwhile is for the next time. */
static void wake_all(struct tusk__descriptor *descriptor, struct tusk__readiness *readiness, int rc)
{
    struct tusk__io_waiter *list = readiness->first;

    if (!list)
        return;
    list->from = &list;
    readiness->first = NULL;
    readiness->end = &readiness->first;
    while (list) {
        struct tusk__io_waiter *waiter = list;

        take_out(descriptor, waiter);
        waiter->ready(waiter, rc);
    }
}

/* It is really there: what a watcher calls need not try first. */
static bool is_there(const struct tusk__descriptor *descriptor, enum tusk__direction direction)
{
    struct tusk_loop *loop = descriptor->io->loop;
    int events = direction == TUSK__READ ? POLLIN | POLLPRI : POLLOUT;

    return !loop->poller.backend->vague || tusk__system_of(loop)->poll(descriptor->watch.fd, events) != 0;
}

static void change(struct tusk__descriptor *descriptor, enum tusk__direction direction)
{
    struct tusk__readiness *readiness = &descriptor->directions[direction];

    readiness->ready = true;
    readiness->fresh = true;
    wake_all(descriptor, readiness, 0);
    if (unlikely(descriptor->watchers[direction] != NULL) && is_there(descriptor, direction))
        tusk__watcher_ready(descriptor->watchers[direction]);
}

/* The poller tells of a change. */
static void hear(struct tusk__watch *watch, int events)
{
    struct tusk__descriptor *descriptor = container_of(watch, struct tusk__descriptor, watch);

    descriptor->io->loop->heard++;
    /* Both make reads stop short where no edge follows: see short_tells. */
    if (unlikely(events & (TUSK__POLL_ENDED | TUSK__POLL_URGENT))) {
        descriptor->ended = descriptor->ended || events & TUSK__POLL_ENDED;
        descriptor->directions[TUSK__READ].short_tells = false;
    }
    tusk__descriptor_retain(descriptor);
    if (events & TUSK__POLL_READ)
        change(descriptor, TUSK__READ);
    if (events & TUSK__POLL_WRITE)
        change(descriptor, TUSK__WRITE);
    tusk__descriptor_release(descriptor);
}

static int watch_first(struct tusk__descriptor *descriptor, int events)
{
    struct tusk__poller *poller = &descriptor->io->loop->poller;
    int rc;

    descriptor->watch.events = events | TUSK__POLL_EDGE;
    descriptor->watch.ready = hear;
    rc = poller->backend->watch(poller, &descriptor->watch);
    descriptor->watched = rc == 0;
    if (rc < 0)
        descriptor->watch.events = 0;
    return rc;
}

static void unwatch(struct tusk__descriptor *descriptor)
{
    struct tusk__poller *poller = &descriptor->io->loop->poller;

    if (descriptor->watched)
        poller->backend->unwatch(poller, &descriptor->watch);
    descriptor->watched = false;
    descriptor->watch.events = 0;
}

int tusk__descriptor_watch(struct tusk__descriptor *descriptor, int directions, bool anew)
{
    struct tusk__poller *poller = &descriptor->io->loop->poller;
    int events = descriptor->watch.events | directions;

    /* Its number may be another one's. */
    if (unlikely(descriptor->closed))
        return -EBADF;
    if (!descriptor->watched)
        return watch_first(descriptor, events);
    if (!anew && events == descriptor->watch.events)
        return 0;
    descriptor->watch.events = events;
    if (poller->backend->again(poller, &descriptor->watch, directions) == 0)
        return 0;
    /* It was closed behind our back: what has the number now is registered in its place. */
    unwatch(descriptor);
    return watch_first(descriptor, events);
}

int tusk__descriptor_listen(struct tusk__descriptor *descriptor, enum tusk__direction direction,
                            struct tusk__io_waiter *waiter)
{
    bool is_watched = descriptor->watch.events & 1 << direction;
    int rc = likely(is_watched) ? 0 : tusk__descriptor_watch(descriptor, 1 << direction, false);

    if (rc == 0)
        append(descriptor, &descriptor->directions[direction], waiter);
    return rc;
}

void tusk__descriptor_unlisten(struct tusk__descriptor *descriptor, enum tusk__direction direction,
                               struct tusk__io_waiter *waiter)
{
    struct tusk__readiness *readiness = &descriptor->directions[direction];

    if (!waiter->from)
        return;
    if (readiness->end == &waiter->next)
        readiness->end = waiter->from;
    take_out(descriptor, waiter);
}

/* ---- records ---- */

/* Makes room in the table for this number. */
static int reserve(struct tusk__io *io, int fd)
{
    size_t size = io->table_size ? io->table_size : 64;
    struct tusk__descriptor **table;

    if ((size_t)fd < io->table_size)
        return 0;
    while (size <= (size_t)fd)
        size *= 2;
    table = tusk__alloc_array(size, sizeof(struct tusk__descriptor *));
    if (!table)
        return -ENOMEM;
    if (io->table)
        memcpy(table, io->table, io->table_size * sizeof(struct tusk__descriptor *));
    tusk__free(io->table);
    io->table = table;
    io->table_size = size;
    return 0;
}

void tusk__descriptor_refresh(struct tusk__descriptor *descriptor)
{
    bool streams = descriptor->kind == TUSK__FD_STREAM || descriptor->kind == TUSK__FD_PIPE;

    descriptor->ended = false;
    descriptor->directions[TUSK__READ].ready = true;
    descriptor->directions[TUSK__WRITE].ready = true;
    descriptor->directions[TUSK__READ].short_tells = streams && !descriptor->parcels;
    descriptor->directions[TUSK__WRITE].short_tells = streams;
}

static void set_kind(struct tusk__descriptor *descriptor, enum tusk__fd_kind kind)
{
    descriptor->parcels = kind == TUSK__FD_UNIX;
    descriptor->kind = (uint8_t)(kind == TUSK__FD_UNIX ? TUSK__FD_STREAM : kind);
    if (unlikely(descriptor->io->loop->debug))
        descriptor->identity = tusk__system_identity(descriptor->watch.fd);
    tusk__descriptor_refresh(descriptor);
}

static void init(struct tusk__descriptor *descriptor, struct tusk__io *io, int fd)
{
    const struct tusk__poller *poller = &io->loop->poller;

    memset(descriptor, 0, sizeof *descriptor);
    descriptor->watch.fd = fd;
    descriptor->io = io;
    descriptor->fd = fd;
    descriptor->references = 1;
    descriptor->inside = poller->backend->owns && poller->backend->owns(poller, fd);
    for (int i = 0; i < 2; i++)
        descriptor->directions[i].end = &descriptor->directions[i].first;
}

/* Debug mode: the number that was our own was closed behind our back. */
static void report_stale(struct tusk_loop *loop, int fd)
{
    char message[96];
    struct tusk_exception_context context = {.message = message, .error = -EBADF};

    if (!loop->debug)
        return;
    snprintf(message, sizeof message, "Descriptor %d was closed by other means than tusk_close()", fd);
    tusk__loop_report(loop, &context);
}

/* Lets go of a record that is out of date. A guest may close his descriptor as he likes; ours must not be. */
static void drop_stale(struct tusk__descriptor *descriptor)
{
    struct tusk_loop *loop = descriptor->io->loop;
    bool is_ours = descriptor->standing == TUSK__OURS;
    int fd = descriptor->watch.fd;

    tusk__descriptor_forget(descriptor);
    if (is_ours)
        report_stale(loop, fd);
}

/* A record for the number in place of the one that is there. */
static int make(struct tusk__io *io, int fd, struct tusk__descriptor **ret_descriptor)
{
    int rc = reserve(io, fd);

    if (rc < 0)
        return rc;
    while (io->table[fd])
        drop_stale(io->table[fd]);
    *ret_descriptor = tusk__slab_get(&io->descriptors);
    if (!*ret_descriptor)
        return -ENOMEM;
    init(*ret_descriptor, io, fd);
    io->table[fd] = *ret_descriptor;
    return 0;
}

int tusk__descriptor_adopt(struct tusk__io *io, int fd, enum tusk__fd_kind kind,
                           struct tusk__descriptor **ret_descriptor)
{
    int rc = make(io, fd, ret_descriptor);

    if (rc == 0)
        set_kind(*ret_descriptor, kind);
    return rc;
}

/* Debug mode: another open file has the number than the one whose record this is. */
static bool is_another(const struct tusk__descriptor *descriptor)
{
    return descriptor->identity && descriptor->identity != tusk__system_identity(descriptor->watch.fd);
}

/* From here on tusk reads and writes it. */
static void own(struct tusk__descriptor *descriptor, enum tusk__fd_kind kind)
{
    int terminal = kind == TUSK__FD_BLOCKING ? tusk__system_reopen_terminal(descriptor->watch.fd) : -ENOTTY;

    if (kind != TUSK__FD_STREAM && kind != TUSK__FD_UNIX && kind != TUSK__FD_MESSAGES)
        tusk__system_ignore_sigpipe();
    if (terminal >= 0)
        descriptor->fd = terminal;
    set_kind(descriptor, terminal >= 0 ? TUSK__FD_DEVICE : kind);
    descriptor->standing = TUSK__OURS;
}

int tusk__descriptor_look(struct tusk__io *io, int fd, struct tusk__descriptor **ret_descriptor)
{
    int rc;

    *ret_descriptor = tusk__descriptor_find(io, fd);
    if (*ret_descriptor)
        return (*ret_descriptor)->standing == TUSK__CLOSING ? -EBADF : 0;
    rc = fd < 0 ? POLLNVAL : tusk__system_of(io->loop)->poll(fd, 0);
    if (rc > 0 && (rc & POLLNVAL))
        rc = -EBADF;
    if (rc >= 0)
        rc = make(io, fd, ret_descriptor);
    if (rc < 0)
        return rc;
    (*ret_descriptor)->standing = TUSK__GUEST;
    set_kind(*ret_descriptor, TUSK__FD_DEVICE);
    return 0;
}

/* What is known of the number is out of date. */
static bool is_stale(struct tusk__descriptor *descriptor)
{
    if (descriptor->standing == TUSK__GUEST)
        return descriptor->watched && tusk__descriptor_watch(descriptor, 0, true) < 0;
    return descriptor->standing == TUSK__OURS && is_another(descriptor);
}

int tusk__descriptor_get_carefully(struct tusk__io *io, int fd, struct tusk__descriptor **ret_descriptor)
{
    int kind;
    int rc;

    if (*ret_descriptor && is_stale(*ret_descriptor)) {
        drop_stale(*ret_descriptor);
        *ret_descriptor = tusk__descriptor_find(io, fd);
    }
    if (*ret_descriptor && (*ret_descriptor)->standing != TUSK__GUEST)
        return (*ret_descriptor)->standing == TUSK__CLOSING ? -EBADF : 0;
    kind = fd < 0 ? -EBADF : tusk__system_of(io->loop)->kind(fd);
    if (kind < 0)
        return kind;
    rc = *ret_descriptor ? 0 : make(io, fd, ret_descriptor);
    if (rc == 0)
        own(*ret_descriptor, (enum tusk__fd_kind)kind);
    return rc;
}

int tusk__descriptor_keep(struct tusk__io *io, int fd, enum tusk__fd_kind kind)
{
    struct tusk__descriptor *descriptor;
    int rc = tusk__descriptor_adopt(io, fd, kind, &descriptor);

    if (rc < 0)
        tusk__system_of(io->loop)->close(fd);
    return rc < 0 ? rc : fd;
}

void tusk__descriptor_release(struct tusk__descriptor *descriptor)
{
    if (--descriptor->references == 0)
        tusk__slab_put(&descriptor->io->descriptors, descriptor);
}

/* Nobody can use it from here on. */
static void shut(struct tusk__descriptor *descriptor)
{
    unwatch(descriptor);
    descriptor->closed = true;
    atomic_store(&descriptor->closed_for_threads, true);
    /* No call is worth trying: whoever still holds the record finds that he cannot wait either. */
    descriptor->directions[TUSK__READ].ready = false;
    descriptor->directions[TUSK__WRITE].ready = false;
    if (descriptor->fd != descriptor->watch.fd)
        tusk__system_real.close(descriptor->fd);
    descriptor->fd = descriptor->watch.fd;
    tusk__watcher_remove(descriptor, TUSK__READ);
    tusk__watcher_remove(descriptor, TUSK__WRITE);
}

static void tell_waiters(struct tusk__descriptor *descriptor)
{
    wake_all(descriptor, &descriptor->directions[TUSK__READ], -EBADF);
    wake_all(descriptor, &descriptor->directions[TUSK__WRITE], -EBADF);
}

void tusk__descriptor_forget(struct tusk__descriptor *descriptor)
{
    descriptor->io->table[descriptor->watch.fd] = NULL;
    descriptor->standing = TUSK__OURS;
    shut(descriptor);
    tell_waiters(descriptor);
    tusk__descriptor_release(descriptor);
}

static int close_number(struct tusk__io *io, int fd)
{
    return tusk__system_of(io->loop)->close(fd);
}

int tusk__descriptor_close(struct tusk__descriptor *descriptor)
{
    struct tusk__io *io = descriptor->io;
    int fd = descriptor->watch.fd;

    if (descriptor->calls > 0) {
        descriptor->standing = TUSK__CLOSING;
        shut(descriptor);
        tell_waiters(descriptor);
        return 0;
    }
    tusk__descriptor_forget(descriptor);
    return close_number(io, fd);
}

static bool is_used(const struct tusk__descriptor *descriptor)
{
    /* The table has one reference, and whoever asks another. */
    return descriptor->references > 2 || descriptor->watchers[TUSK__READ] ||
           descriptor->watchers[TUSK__WRITE] || descriptor->directions[TUSK__READ].first ||
           descriptor->directions[TUSK__WRITE].first;
}

void tusk__descriptor_let_go(struct tusk__descriptor *descriptor)
{
    if (descriptor->standing != TUSK__GUEST || descriptor->closed || is_used(descriptor))
        return;
    if (descriptor->io->loop->poller.backend->vague)
        unwatch(descriptor);
    if (!descriptor->watched)
        tusk__descriptor_forget(descriptor);
}

void tusk__descriptor_give_up(struct tusk__descriptor *descriptor)
{
    shut(descriptor);
    if (descriptor->standing == TUSK__CLOSING)
        close_number(descriptor->io, descriptor->watch.fd);
}

void tusk__descriptor_call_ended(struct tusk__descriptor *descriptor)
{
    if (--descriptor->calls == 0 && descriptor->standing == TUSK__CLOSING) {
        struct tusk__io *io = descriptor->io;
        int fd = descriptor->watch.fd;

        tusk__descriptor_forget(descriptor);
        close_number(io, fd);
    }
}

/* ---- tasks that wait ---- */

struct fd_wait {
    struct tusk__waiter waiter;
    struct tusk__io_waiter ear;
    struct tusk__descriptor *descriptor;
    enum tusk__direction direction;
};

static bool cancel(struct tusk__wait *wait, struct tusk__text *text)
{
    struct fd_wait *fd_wait = container_of(wait, struct fd_wait, waiter.wait);

    tusk__descriptor_unlisten(fd_wait->descriptor, fd_wait->direction, &fd_wait->ear);
    return tusk__waiter_cancel(wait, text);
}

static void describe(const struct tusk__wait *wait, char *text, size_t size)
{
    const struct fd_wait *fd_wait = container_of(wait, struct fd_wait, waiter.wait);

    snprintf(text, size, "descriptor %d to become %s", fd_wait->descriptor->watch.fd,
             fd_wait->direction == TUSK__READ ? "readable" : "writable");
}

static const struct tusk__wait_kind kind = {.cancel = cancel, .describe = describe};

static void wake(struct tusk__io_waiter *ear, int rc)
{
    tusk__waiter_end(&container_of(ear, struct fd_wait, ear)->waiter, rc);
}

int tusk__descriptor_wait(struct tusk__task *task, struct tusk__descriptor *descriptor,
                          enum tusk__direction direction)
{
    struct fd_wait wait;
    int rc;

    wait.ear.ready = wake;
    wait.descriptor = descriptor;
    wait.direction = direction;
    rc = tusk__descriptor_listen(descriptor, direction, &wait.ear);
    if (unlikely(rc < 0))
        return rc;
    tusk__descriptor_retain(descriptor);
    tusk__waiter_init(&wait.waiter, task, &kind);
    rc = tusk__waiter_wait(&wait.waiter);
    if (rc == 0 && descriptor->closed)
        rc = -EBADF;
    tusk__descriptor_release(descriptor);
    return rc;
}
