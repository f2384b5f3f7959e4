#include "io/watcher.h"

#include "base/error.h"
#include "base/mem.h"

void tusk__watcher_ready(struct tusk__watcher *watcher)
{
    if (watcher->queued || watcher->running)
        return;
    watcher->queued = true;
    tusk__loop_push(watcher->descriptor->io->loop, &watcher->letter.handle);
}

static void destroy(struct tusk__watcher *watcher)
{
    tusk__cell_drop(watcher->letter.handle.context);
    tusk__free(watcher);
}

/* The poller tells of what is ready, as if it had just become so. */
static int look_anew(struct tusk__watcher *watcher)
{
    return tusk__descriptor_watch(watcher->descriptor, 1 << watcher->direction, true);
}

/* The callback has read what it wanted, we do not know how. If it has closed the descriptor, that was its last call. */
static void look_again(struct tusk__watcher *watcher)
{
    struct tusk__descriptor *descriptor = watcher->descriptor;

    if (look_anew(watcher) < 0)
        tusk__watcher_remove(descriptor, watcher->direction);
}

static void open_letter(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct tusk__watcher *watcher = container_of(letter, struct tusk__watcher, letter);

    watcher->queued = false;
    if (watcher->descriptor) {
        watcher->running = true;
        tusk__run_callback(loop, watcher->callback, watcher->arg);
        watcher->running = false;
    }
    loop->current = NULL;
    if (watcher->descriptor)
        look_again(watcher);
    else
        destroy(watcher);
}

static void drop_letter(struct tusk__letter *letter)
{
    destroy(container_of(letter, struct tusk__watcher, letter));
}

bool tusk__watcher_remove(struct tusk__descriptor *descriptor, enum tusk__direction direction)
{
    struct tusk__watcher *watcher = descriptor->watchers[direction];

    if (!watcher)
        return false;
    descriptor->watchers[direction] = NULL;
    descriptor->io->loop->listeners -= !descriptor->inside;
    watcher->descriptor = NULL;
    /* One that is queued or running goes afterwards. */
    if (!watcher->queued && !watcher->running)
        destroy(watcher);
    return true;
}

static int add(struct tusk__descriptor *descriptor, enum tusk__direction direction, tusk_callback *callback,
               void *arg)
{
    struct tusk__watcher *watcher = tusk__alloc(sizeof *watcher);
    int rc;

    if (!watcher)
        return -ENOMEM;
    *watcher = (struct tusk__watcher){
        .letter = {{.run = tusk__letter_run, .context = tusk__cell_for(*tusk__current_cell(), NULL)},
                   open_letter,
                   drop_letter},
        .descriptor = descriptor,
        .callback = callback,
        .arg = arg,
        .direction = direction,
    };
    rc = look_anew(watcher);
    if (rc < 0) {
        destroy(watcher);
        return rc;
    }
    tusk__watcher_remove(descriptor, direction);
    descriptor->watchers[direction] = watcher;
    descriptor->io->loop->listeners += !descriptor->inside;
    return 0;
}

static int add_to(tusk_loop *loop, int fd, enum tusk__direction direction, tusk_callback *callback, void *arg)
{
    struct tusk__io *io;
    struct tusk__descriptor *descriptor;
    int rc;

    if (!loop || !callback)
        return -EINVAL;
    if (loop->debug && tusk__loop_check_thread(loop) < 0)
        return TUSK_OTHER_THREAD;
    io = tusk__io_get(loop);
    if (!io)
        return tusk_last_error();
    rc = tusk__descriptor_look(io, fd, &descriptor);
    return rc < 0 ? rc : add(descriptor, direction, callback, arg);
}

static bool remove_from(tusk_loop *loop, int fd, enum tusk__direction direction)
{
    struct tusk__io *io = loop ? loop->io : NULL;
    struct tusk__descriptor *descriptor = io ? tusk__descriptor_find(io, fd) : NULL;

    if (!descriptor || (loop->debug && tusk__loop_check_thread(loop) < 0) ||
        !tusk__watcher_remove(descriptor, direction))
        return false;
    tusk__descriptor_let_go(tusk__descriptor_retain(descriptor));
    tusk__descriptor_release(descriptor);
    return true;
}

int tusk_loop_add_reader(tusk_loop *loop, int fd, tusk_callback *callback, void *arg)
{
    return add_to(loop, fd, TUSK__READ, callback, arg);
}

int tusk_loop_add_writer(tusk_loop *loop, int fd, tusk_callback *callback, void *arg)
{
    return add_to(loop, fd, TUSK__WRITE, callback, arg);
}

bool tusk_loop_remove_reader(tusk_loop *loop, int fd)
{
    return remove_from(loop, fd, TUSK__READ);
}

bool tusk_loop_remove_writer(tusk_loop *loop, int fd)
{
    return remove_from(loop, fd, TUSK__WRITE);
}

int tusk_add_reader(int fd, tusk_callback *callback, void *arg)
{
    return tusk__running_loop ? tusk_loop_add_reader(tusk__running_loop, fd, callback, arg)
                              : TUSK_NO_RUNNING_LOOP;
}

int tusk_add_writer(int fd, tusk_callback *callback, void *arg)
{
    return tusk__running_loop ? tusk_loop_add_writer(tusk__running_loop, fd, callback, arg)
                              : TUSK_NO_RUNNING_LOOP;
}

bool tusk_remove_reader(int fd)
{
    return tusk_loop_remove_reader(tusk__running_loop, fd);
}

bool tusk_remove_writer(int fd)
{
    return tusk_loop_remove_writer(tusk__running_loop, fd);
}
