/*
 * Signals: the table of the process, and the handlers of a loop.
 *
 * A handler may run in any thread, at any time, while another thread takes
 * its listener away. So it says in `busy` that it is inside, before it looks at the table;
 * who takes a listener out of the table waits until nobody is inside before the
 * listener may go. The operations are sequentially consistent: either the handler sees
 * that the listener is gone, or the other one sees that it is inside.
 */
#include "os/signal.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <tusk/signal.h>

#include "base/error.h"
#include "base/mem.h"

/* ---- the table of the process ---- */

/* Which loop has the signal, and who listens there. */
static _Atomic(struct tusk_loop *) owners[NSIG];
static _Atomic(struct tusk__signal_listener *) listeners[NSIG];
static atomic_int busy;
/* The process that the table is for: a child inherits the handlers, but not the loops. */
static _Atomic(pid_t) process;

/* In a child of the process the signal does what it does by default, once this handler has returned. */
static void do_default(int signum)
{
    signal(signum, SIG_DFL);
    raise(signum);
}

static void notify(struct tusk__signal_listener *listener, int signum)
{
    if (listener->once)
        signal(signum, SIG_DFL);
    atomic_fetch_add(&listener->count, 1);
    if (!atomic_exchange(&listener->sent, true))
        tusk__loop_send(listener->loop, &listener->letter);
}

static void on_signal(int signum)
{
    int saved = errno;
    struct tusk__signal_listener *listener;

    if (atomic_load(&process) != getpid()) {
        do_default(signum);
    } else {
        atomic_fetch_add(&busy, 1);
        listener = atomic_load(&listeners[signum]);
        if (listener)
            notify(listener, signum);
        atomic_fetch_sub(&busy, 1);
    }
    errno = saved;
}

static void wait_for_handlers(void)
{
    while (atomic_load(&busy) > 0)
        sched_yield();
}

static bool has_disposition(int signum, void (*handler)(int signum))
{
    struct sigaction action;

    return sigaction(signum, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
           action.sa_handler == handler;
}

/* The first use in a child of fork: what its parent had is not its own. */
static void renew_table(void)
{
    pid_t self = getpid();

    if (atomic_load(&process) == self)
        return;
    for (int i = 0; i < NSIG; i++) {
        if (atomic_load(&listeners[i]) && has_disposition(i, on_signal))
            signal(i, SIG_DFL);
        atomic_store(&owners[i], NULL);
        atomic_store(&listeners[i], NULL);
    }
    atomic_store(&busy, 0);
    atomic_store(&process, self);
}

static int install(int signum)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    /* A task's stack may be small; and programs need not know that calls of theirs were interrupted. */
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    return sigaction(signum, &action, NULL) < 0 ? -errno : 0;
}

bool tusk__signal_is_default(int signum)
{
    renew_table();
    return has_disposition(signum, SIG_DFL);
}

int tusk__signal_listen(int signum, struct tusk__signal_listener *listener)
{
    struct tusk_loop *owner = NULL;
    int rc;

    renew_table();
    if (!atomic_compare_exchange_strong(&owners[signum], &owner, listener->loop) && owner != listener->loop)
        return -EBUSY;
    atomic_store(&listeners[signum], listener);
    rc = install(signum);
    if (rc < 0) {
        atomic_store(&listeners[signum], NULL);
        atomic_store(&owners[signum], NULL);
    }
    wait_for_handlers();
    return rc;
}

void tusk__signal_unlisten(int signum, struct tusk__signal_listener *listener)
{
    if (atomic_load(&process) != getpid())
        return;
    if (atomic_load(&listeners[signum]) == listener) {
        if (has_disposition(signum, on_signal))
            signal(signum, SIG_DFL);
        atomic_store(&listeners[signum], NULL);
        wait_for_handlers();
        atomic_store(&owners[signum], NULL);
    }
    wait_for_handlers();
}

/* ---- the handlers of a loop ---- */

struct handler {
    struct tusk__signal_listener listener;
    tusk_callback *callback;
    void *arg;
    bool active;
};

/* Of a loop that ever had a handler. One block, freed by the loop: letters may be on their way until it closes. */
struct handlers {
    struct tusk__extension extension;
    struct handler of[NSIG];
};

static void open_letter(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct handler *handler = container_of(letter, struct handler, listener.letter);

    tusk__listener_opened(&handler->listener);
    if (handler->active)
        tusk__run_callback(loop, handler->callback, handler->arg);
}

static void drop_letter(struct tusk__letter *letter)
{
    (void)letter;
}

static void forget_context(struct handler *handler)
{
    tusk__cell_drop(handler->listener.letter.handle.context);
    handler->listener.letter.handle.context = 0;
}

static void deactivate(struct tusk_loop *loop, struct handler *handler, int signum)
{
    tusk__signal_unlisten(signum, &handler->listener);
    handler->active = false;
    loop->listeners--;
}

static void close_handlers(struct tusk_loop *loop, struct tusk__extension *extension)
{
    struct handlers *handlers = container_of(extension, struct handlers, extension);

    for (int signum = 1; signum < NSIG; signum++) {
        if (handlers->of[signum].active)
            deactivate(loop, &handlers->of[signum], signum);
        forget_context(&handlers->of[signum]);
    }
}

static struct handlers *find(const struct tusk_loop *loop)
{
    struct tusk__extension *extension = tusk__loop_extension(loop, close_handlers);

    return extension ? container_of(extension, struct handlers, extension) : NULL;
}

static struct handlers *get(struct tusk_loop *loop)
{
    struct handlers *handlers = find(loop);

    if (handlers)
        return handlers;
    handlers = tusk__alloc(sizeof *handlers);
    if (!handlers)
        return NULL;
    for (int signum = 1; signum < NSIG; signum++) {
        struct tusk__signal_listener *listener = &handlers->of[signum].listener;

        listener->loop = loop;
        listener->letter = (struct tusk__letter){{.run = tusk__letter_run}, open_letter, drop_letter};
    }
    handlers->extension.close = close_handlers;
    tusk__loop_extend(loop, &handlers->extension);
    return handlers;
}

/* A fault is raised anew when its handler returns; the others cannot be caught. */
static bool can_be_handled(int signum)
{
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (signum == refused[i])
            return false;
    return signum > 0 && signum < NSIG;
}

static int activate(struct tusk_loop *loop, struct handler *handler, int signum)
{
    int rc = tusk__signal_listen(signum, &handler->listener);

    if (rc == 0 && !handler->active) {
        handler->active = true;
        loop->listeners++;
    }
    return rc;
}

int tusk_loop_add_signal_handler(tusk_loop *loop, int signum, tusk_callback *callback, void *arg)
{
    struct handlers *handlers;
    struct handler *handler;
    uintptr_t context;
    int rc;

    if (!loop || !callback || !can_be_handled(signum))
        return -EINVAL;
    if (loop->closed)
        return TUSK_LOOP_CLOSED;
    handlers = get(loop);
    if (!handlers)
        return -ENOMEM;
    handler = &handlers->of[signum];
    rc = activate(loop, handler, signum);
    if (rc < 0)
        return rc;
    handler->callback = callback;
    handler->arg = arg;
    /* The current context may be the handler's own. */
    context = tusk__cell_copy(*tusk__current_cell());
    forget_context(handler);
    handler->listener.letter.handle.context = context;
    return 0;
}

int tusk_loop_remove_signal_handler(tusk_loop *loop, int signum)
{
    struct handlers *handlers;

    if (!loop || !can_be_handled(signum))
        return -EINVAL;
    handlers = find(loop);
    if (!handlers || !handlers->of[signum].active)
        return 0;
    deactivate(loop, &handlers->of[signum], signum);
    return 1;
}
