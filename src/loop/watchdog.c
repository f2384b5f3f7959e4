/*
 * Everything is guarded by the lock, but `name` and `text` while a report is written: as long as `reporting`
 * is set the end of the step waits, so that nobody else touches them, and so that what is said of a step as it
 * runs comes before what is said of its end.
 *
 * A child of the process has the memory of a watchdog, but not its thread, and its lock may be held for ever.
 * There it is left alone, and the loop goes on without one.
 *
 * Reports are written by write() and without memory: the step may be stuck in malloc, or with the lock of
 * stderr. The first line comes before the backtrace, for the names of functions are not to be had
 * while a library is being loaded.
 *
 * Rejected: one thread for all loops (it would have to know which of them still exist); a timer's
 * signal (each tick would interrupt a step, and a handler cannot look up names).
 */
#include "loop/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sample.h"
#include "base/sys.h"
#include "loop/loop.h"

/* Lower limits are for the report at the end of a step only: looking as often would take a processor. */
#define LIMIT_MIN ((int64_t)1000000)

struct tusk__watchdog {
    pthread_mutex_t lock;
    /* For the watchdog: there is something to look at, or it shall end. */
    pthread_cond_t look;
    /* For the loop: the report is written. */
    pthread_cond_t written;
    pthread_t thread;
    /* The value of `forks` in the process to which the thread belongs. */
    unsigned fork;
    bool closing;
    /* It sleeps without end, until a step begins. */
    bool idle;
    bool reporting;
    /* A step runs: the last of `steps`. */
    bool running;
    int64_t start;
    int64_t limit;
    /* How many steps had begun: by now, at the last look between two of them, and with the one reported last. */
    uint64_t steps;
    uint64_t looked;
    uint64_t reported;
    char name[128];
    /* The sample is open: the loop's thread is in a run. Of that thread only. */
    bool entered;
    struct tusk__sample sample;
    /* The last backtrace, "" if there was none. */
    char text[16 * 1024];
};

/* How often this process is the child of one that had a watchdog. */
static unsigned forks;

static void count_fork(void)
{
    forks++;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

/* ---- the report ---- */

static void say(const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t written = write(STDERR_FILENO, text, left);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        left -= (size_t)written;
    }
}

static void say_what_runs(const struct tusk__watchdog *self, int64_t took)
{
    const char *name = self->name;
    char line[256];

    snprintf(line, sizeof line, "tusk: Executing a %s has taken %.3f seconds so far%s%s%s\n",
             name[0] ? "step" : "callback", (double)took / 1e9, name[0] ? ": task '" : "", name,
             name[0] ? "'" : "");
    say(line);
}

static const char *reason(int rc)
{
    switch (rc) {
    case -ENOTSUP:
        return "    (no backtrace: the program uses every signal that could ask for it)\n";
    case -EBUSY:
        return "    (no backtrace: the program has taken the signal that asks for it)\n";
    case -ETIMEDOUT:
        return "    (no backtrace: the thread does not take signals)\n";
    case -ECANCELED:
        return "    (no backtrace: it has just ended)\n";
    default:
        return "    (no backtrace: the thread cannot be asked for it)\n";
    }
}

/* With the lock, which it gives away meanwhile. */
static void report(struct tusk__watchdog *self, int64_t now)
{
    int rc = tusk__sample_ask(&self->sample);

    self->reporting = true;
    self->reported = self->steps;
    self->text[0] = '\0';
    pthread_mutex_unlock(&self->lock);
    say_what_runs(self, now - self->start);
    if (rc == 0)
        rc = tusk__sample_wait(&self->sample);
    if (rc == 0)
        tusk__sample_write(&self->sample, self->text, sizeof self->text);
    say(rc == 0 ? self->text : reason(rc));
    pthread_mutex_lock(&self->lock);
    self->reporting = false;
    pthread_cond_signal(&self->written);
}

/* ---- the thread ---- */

/* When to look again: when the step that runs is due, or one that begins just now could be. */
static int64_t next_look(struct tusk__watchdog *self, int64_t now)
{
    if (self->running && self->reported != self->steps)
        return self->start + self->limit;
    if (self->looked == self->steps)
        return TUSK__NEVER;
    self->looked = self->steps;
    return now + self->limit;
}

static void sleep_until(struct tusk__watchdog *self, int64_t when)
{
    self->idle = when == TUSK__NEVER;
    if (self->idle)
        pthread_cond_wait(&self->look, &self->lock);
    else
        tusk__cond_wait_until(&self->look, &self->lock, when);
    self->idle = false;
}

static void *watch(void *arg)
{
    struct tusk__watchdog *self = arg;

    pthread_mutex_lock(&self->lock);
    while (!self->closing) {
        int64_t now = tusk__clock_ns();
        int64_t when = next_look(self, now);

        if (when <= now)
            report(self, now);
        else
            sleep_until(self, when);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* The program's signals are for its own threads. */
static int start_thread(struct tusk__watchdog *self)
{
    sigset_t all;
    sigset_t before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&self->thread, NULL, watch, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

/* ---- life ---- */

static int64_t limit_of(const struct tusk_loop *loop)
{
    int64_t limit = loop->slow_step;

    if (limit < LIMIT_MIN)
        return LIMIT_MIN;
    /* No sum with it wraps. */
    return limit < INT64_MAX / 4 ? limit : INT64_MAX / 4;
}

static struct tusk__watchdog *make(const struct tusk_loop *loop, int *ret_error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tusk__watchdog *self = tusk__alloc(sizeof *self);

    *ret_error = -ENOMEM;
    if (!self)
        return NULL;
    pthread_once(&once, watch_forks);
    pthread_mutex_init(&self->lock, NULL);
    tusk__cond_init(&self->look);
    pthread_cond_init(&self->written, NULL);
    self->fork = forks;
    self->limit = limit_of(loop);
    *ret_error = start_thread(self);
    if (*ret_error == 0)
        return self;
    tusk__free(self);
    return NULL;
}

/* Not again after a failure: debug mode goes on with what it can still report. */
static void begin_watching(struct tusk_loop *loop)
{
    struct tusk_exception_context context = {.message = "Steps that do not end will not be reported"};

    if (loop->unwatched)
        return;
    loop->watchdog = make(loop, &context.error);
    if (loop->watchdog)
        return;
    loop->unwatched = true;
    tusk__loop_report(loop, &context);
}

/* The loop's watchdog, if it is one of this process. */
static struct tusk__watchdog *watchdog_of(const struct tusk_loop *loop)
{
    return loop->watchdog && loop->watchdog->fork == forks ? loop->watchdog : NULL;
}

void tusk__watchdog_close(struct tusk_loop *loop)
{
    struct tusk__watchdog *self = watchdog_of(loop);

    if (self) {
        pthread_mutex_lock(&self->lock);
        self->closing = true;
        pthread_cond_signal(&self->look);
        pthread_mutex_unlock(&self->lock);
        pthread_join(self->thread, NULL);
        pthread_mutex_destroy(&self->lock);
        pthread_cond_destroy(&self->look);
        pthread_cond_destroy(&self->written);
    }
    tusk__free(loop->watchdog);
    loop->watchdog = NULL;
}

/* ---- steps ---- */

void tusk__watchdog_begin(struct tusk_loop *loop, const char *name, int64_t start)
{
    struct tusk__watchdog *self;

    if (!loop->watchdog)
        begin_watching(loop);
    self = watchdog_of(loop);
    if (!self)
        return;
    if (!self->entered)
        tusk__sample_open(&self->sample);
    self->entered = true;
    pthread_mutex_lock(&self->lock);
    self->running = true;
    self->start = start;
    self->steps++;
    snprintf(self->name, sizeof self->name, "%s", name);
    if (self->idle)
        pthread_cond_signal(&self->look);
    pthread_mutex_unlock(&self->lock);
}

const char *tusk__watchdog_end(struct tusk_loop *loop)
{
    struct tusk__watchdog *self = watchdog_of(loop);
    bool taken;

    if (!self)
        return NULL;
    pthread_mutex_lock(&self->lock);
    if (self->reporting)
        tusk__sample_withdraw(&self->sample);
    while (self->reporting)
        pthread_cond_wait(&self->written, &self->lock);
    self->running = false;
    taken = self->reported == self->steps && self->text[0];
    pthread_mutex_unlock(&self->lock);
    return taken ? self->text : NULL;
}

void tusk__watchdog_adjust(struct tusk_loop *loop)
{
    struct tusk__watchdog *self = watchdog_of(loop);

    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->limit = limit_of(loop);
    pthread_cond_signal(&self->look);
    pthread_mutex_unlock(&self->lock);
}

void tusk__watchdog_leave(struct tusk_loop *loop)
{
    struct tusk__watchdog *self = loop->watchdog;

    if (!self || !self->entered)
        return;
    tusk__sample_close(&self->sample);
    self->entered = false;
}
