/*
 * The report of a stack overflow.
 *
 * The handler is installed once for the process, and what was installed before
 * is called for every fault that is not ours. It runs on a signal stack, which
 * is the thread's: one is made here only for a thread that has none.
 *
 * After its line the handler takes itself out and returns: the instruction
 * faults again, and the program ends by the same signal, with a core that shows
 * the place. Nothing here allocates, locks or formats with stdio.
 */
#include "coro/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"

/* Longer names are cut. */
#define NAME_MAX_SHOWN ((size_t)200)

struct registration {
    struct tusk__pool *pool;
    const char *(*running_task_name)(void *arg);
    void *arg;
    /* The signal stack made here, or NULL. */
    void *signal_stack;
};

static _Thread_local struct registration registered TUSK__SIGNAL_SAFE_TLS;
static pthread_once_t install_once = PTHREAD_ONCE_INIT;
static struct sigaction previous_segv;
static struct sigaction previous_bus;

struct line {
    char text[512];
    size_t length;
};

static void add_text(struct line *line, const char *text, size_t most)
{
    for (size_t i = 0; i < most && text[i] != '\0' && line->length < sizeof line->text; i++)
        line->text[line->length++] = text[i];
}

static void add_number(struct line *line, size_t number)
{
    char digits[24];
    size_t first = sizeof digits - 1;

    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add_text(line, &digits[first], sizeof digits);
}

static void report(const struct tusk__stack *stack)
{
    const char *name = registered.running_task_name(registered.arg);
    struct line line = {.length = 0};
    ssize_t written;

    add_text(&line, "tusk: stack overflow in task '", SIZE_MAX);
    add_text(&line, name != NULL ? name : "?", NAME_MAX_SHOWN);
    add_text(&line, "': its stack of ", SIZE_MAX);
    add_number(&line, tusk__stack_size(stack));
    add_text(&line, " bytes is full; create it with a larger .stack_size, such as ", SIZE_MAX);
    add_number(&line, 2 * tusk__stack_size(stack));
    add_text(&line, "\n", SIZE_MAX);
    written = write(STDERR_FILENO, line.text, line.length);
    (void)written;
}

/* Lets the handler from before, or the default action, deal with the signal. */
static void pass_on(int signal_number, siginfo_t *info, void *context)
{
    const struct sigaction *previous = signal_number == SIGSEGV ? &previous_segv : &previous_bus;

    if ((previous->sa_flags & SA_SIGINFO) != 0) {
        previous->sa_sigaction(signal_number, info, context);
    } else if (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN) {
        /* A fault comes again by itself; a signal that somebody sent does not. */
        if (previous->sa_handler == SIG_IGN && info->si_code <= 0)
            return;
        sigaction(signal_number, previous, NULL);
        if (info->si_code <= 0)
            raise(signal_number);
    } else {
        previous->sa_handler(signal_number);
    }
}

/*
 * The stack that overflowed, or NULL. A fault in a guard is an overflow only
 * if the stack pointer is in the same slot: a stray pointer may hit a guard too.
 */
static const struct tusk__stack *overflowed_stack(const siginfo_t *info, const void *context)
{
    uintptr_t sp = tusk__interrupted_at(context).stack_pointer;
    const struct tusk__stack *stack;

    /* Codes of 0 and less are signals that somebody sent. */
    if (registered.pool == NULL || info->si_code <= 0)
        return NULL;
    stack = tusk__pool_find_guard(registered.pool, info->si_addr);
    if (stack == NULL || sp == 0)
        return stack;
    return sp >= (uintptr_t)stack->low - stack->size_class->guard_size && sp <= (uintptr_t)stack->start
               ? stack
               : NULL;
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    const struct tusk__stack *stack = overflowed_stack(info, context);

    if (stack == NULL) {
        pass_on(signal_number, info, context);
        return;
    }
    report(stack);
    sigaction(SIGSEGV, &previous_segv, NULL);
    sigaction(SIGBUS, &previous_bus, NULL);
}

static void install(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous_segv);
    sigaction(SIGBUS, &action, &previous_bus);
}

/* Gives the thread a signal stack, if it has none. */
static int make_signal_stack(void **ret_memory)
{
    stack_t now;
    size_t size = tusk__signal_stack_size();
    void *memory;

    *ret_memory = NULL;
    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0)
        return 0;
    memory = tusk__alloc(size);
    if (memory == NULL)
        return -ENOMEM;
    now = (stack_t){.ss_sp = memory, .ss_size = size};
    tusk__assert(sigaltstack(&now, NULL) == 0);
    *ret_memory = memory;
    return 0;
}

int tusk__overflow_enter(struct tusk__pool *pool, const char *(*running_task_name)(void *arg), void *arg)
{
    void *signal_stack;

    if (make_signal_stack(&signal_stack) < 0)
        return -ENOMEM;
    registered = (struct registration){
        .pool = pool,
        .running_task_name = running_task_name,
        .arg = arg,
        .signal_stack = signal_stack,
    };
    pthread_once(&install_once, install);
    return 0;
}

void tusk__overflow_leave(void)
{
    /* Some systems want a size even to switch it off. */
    stack_t none = {.ss_flags = SS_DISABLE, .ss_size = tusk__signal_stack_size()};

    registered.pool = NULL;
    if (registered.signal_stack != NULL) {
        tusk__assert(sigaltstack(&none, NULL) == 0);
        tusk__free(registered.signal_stack);
        registered.signal_stack = NULL;
    }
}
