/*
 * The handler walks the stack by _Unwind_Backtrace. It takes no memory (after its first call, which
 * tusk__sample_open makes), and current C libraries find unwind tables without a lock; with older
 * ones it may wait for a thread that loads a library. On x86-64 it needs 5.5 KiB of its stack.
 *
 * Rejected: copying the registers and walking from outside, for which the compiler's unwinder has
 * no door; frame pointers, which system libraries are built without; backtrace(3), which is
 * the same walk by another name where it exists at all.
 */
#include "base/sample.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unwind.h>

#include "base/compiler.h"
#include "base/symbol.h"
#include "base/sys.h"

/* IDLE -> WANTED (who asks) -> TAKING -> TAKEN (the handler); WANTED -> IDLE (taken back). */
enum { IDLE, WANTED, TAKING, TAKEN };

/* How long to wait for a signal to be taken, in nanoseconds: machines may be busy, emulators slow. */
#define PATIENCE ((int64_t)2000000000)

static _Thread_local struct tusk__sample *open_here TUSK__SIGNAL_SAFE_TLS;

/* ---- the walk ---- */

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
    struct tusk__sample *sample = arg;
    uintptr_t address = _Unwind_GetIP(context);

    /* Some unwinders tell of the end as of a frame at 0. */
    if (address == 0 || sample->count == TUSK__FRAMES_MAX)
        return _URC_NORMAL_STOP;
    sample->frames[sample->count++] = address;
    return _URC_NO_REASON;
}

/*
 * The handler's own frames come before the one where the signal came. Tools that deliver signals when
 * they like call the handler from somewhere else: then everything is shown.
 */
static void take(struct tusk__sample *sample, uintptr_t interrupted)
{
    int first = 0;

    sample->count = 0;
    _Unwind_Backtrace(note_frame, sample);
    while (first < sample->count && sample->frames[first] != interrupted)
        first++;
    sample->exact = first < sample->count;
    sample->first = sample->exact ? first : 0;
}

static void on_signal(int signum, siginfo_t *info, void *context)
{
    int saved = errno;
    struct tusk__sample *sample = open_here;
    int wanted = WANTED;

    (void)signum;
    (void)info;
    if (sample && atomic_compare_exchange_strong(&sample->state, &wanted, TAKING)) {
        take(sample, tusk__interrupted_at(context).instruction);
        atomic_store(&sample->state, TAKEN);
    }
    errno = saved;
}

/* ---- the signal ---- */

static bool is_ours(int signum)
{
    struct sigaction action;

    return sigaction(signum, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) &&
           action.sa_sigaction == on_signal;
}

static bool has_default(int signum)
{
    struct sigaction action;

    return sigaction(signum, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
           action.sa_handler == SIG_DFL;
}

static bool install(int signum)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    return sigaction(signum, &action, NULL) == 0;
}

/* Emulators let handlers be installed for signals that they cannot send: so this thread gets one. */
static bool take_over(int signum)
{
    return (is_ours(signum) || (has_default(signum) && install(signum))) &&
           pthread_kill(pthread_self(), signum) == 0;
}

/*
 * Who blocks a signal may wait for it by other means, so blocked ones come last, and of them only
 * those that nothing but a program itself can send.
 */
static int choose(const sigset_t *blocked)
{
    int signum;

    for (int i = 0; (signum = tusk__spare_signal(i)) != 0; i++)
        if (!sigismember(blocked, signum) && take_over(signum))
            return signum;
    for (int i = 1; (signum = tusk__spare_signal(i)) != 0; i++)
        if (take_over(signum))
            return signum;
    return 0;
}

/* Sets whether this thread blocks the signal. */
static void block(int how, int signum)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signum);
    pthread_sigmask(how, &set, NULL);
}

void tusk__sample_open(struct tusk__sample *sample)
{
    static atomic_bool has_walked;
    sigset_t blocked;

    sample->thread = pthread_self();
    if (!atomic_exchange(&has_walked, true))
        take(sample, 0);
    atomic_store(&sample->state, IDLE);
    open_here = sample;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    sample->signum = choose(&blocked);
    sample->unblocked = sample->signum != 0 && sigismember(&blocked, sample->signum);
    if (sample->unblocked)
        block(SIG_UNBLOCK, sample->signum);
}

void tusk__sample_close(struct tusk__sample *sample)
{
    if (sample->unblocked)
        block(SIG_BLOCK, sample->signum);
    open_here = NULL;
}

/* ---- question and answer ---- */

void tusk__sample_withdraw(struct tusk__sample *sample)
{
    int wanted = WANTED;

    atomic_compare_exchange_strong(&sample->state, &wanted, IDLE);
}

int tusk__sample_ask(struct tusk__sample *sample)
{
    int rc;

    if (sample->signum == 0)
        return -ENOTSUP;
    if (!is_ours(sample->signum))
        return -EBUSY;
    atomic_store(&sample->state, WANTED);
    rc = -pthread_kill(sample->thread, sample->signum);
    if (rc < 0)
        tusk__sample_withdraw(sample);
    return rc;
}

int tusk__sample_wait(struct tusk__sample *sample)
{
    const struct timespec moment = {.tv_nsec = 200000};
    int64_t end = tusk__clock_ns() + PATIENCE;
    int state;

    while ((state = atomic_load(&sample->state)) == WANTED || state == TAKING) {
        int wanted = WANTED;

        if (tusk__clock_ns() >= end && atomic_compare_exchange_strong(&sample->state, &wanted, IDLE))
            return -ETIMEDOUT;
        nanosleep(&moment, NULL);
    }
    return state == TAKEN ? 0 : -ECANCELED;
}

/* ---- the text ---- */

/* One line; its length. */
static size_t write_frame(int number, uintptr_t address, char *text, size_t size)
{
    struct tusk__symbol symbol;
    int length;

    if (!tusk__symbol_find(address, &symbol))
        length = snprintf(text, size, "    #%d 0x%012zx\n", number, (size_t)address);
    else
        length =
            snprintf(text, size, "    #%d 0x%012zx%s%s (%s+0x%zx)\n", number, (size_t)address,
                     symbol.function[0] ? " in " : "", symbol.function, symbol.module, (size_t)symbol.offset);
    return (size_t)length;
}

void tusk__sample_write(const struct tusk__sample *sample, char *text, size_t size)
{
    static const char more[] = "    ...\n";
    size_t used = 0;
    int i;

    size -= sizeof more;
    for (i = sample->first; i < sample->count; i++) {
        /* A call may be the last thing in its function: what it returns to belongs to the next one then. */
        uintptr_t address = sample->frames[i] - (i > sample->first || !sample->exact);
        size_t length = write_frame(i - sample->first, address, text + used, size - used);

        if (length >= size - used)
            break;
        used += length;
    }
    if (i < sample->count || sample->count == TUSK__FRAMES_MAX)
        memcpy(text + used, more, sizeof more);
    else
        text[used] = '\0';
}
