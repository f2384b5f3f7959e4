/*
 * The event loop: its life, its turns, its runs. loop.h says how turns work.
 */
#include "loop/loop.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/copy.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/sys.h"
#include "loop/schedule.h"
#include "loop/watchdog.h"

/*
 * How long a busy loop may go without a full turn, in nanoseconds, and how
 * many quick turns it may make at most. Reading the clock costs 20 ns and a poll
 * 300 or more; in 50 us that is below 1 %. 64 bounds what happens when short
 * turns suddenly become long ones: it is the first 64 of these that go by without a poll.
 */
enum { POLL_INTERVAL = 50000, QUICK_TURNS_MAX = 64 };

/* asyncio's slow_callback_duration, in nanoseconds. */
enum { SLOW_STEP = 100000000 };

_Thread_local struct tusk_loop *tusk__running_loop;

int64_t tusk__loop_clock(struct tusk_loop *loop)
{
    loop->seen = loop->is_virtual ? loop->now : tusk__clock_ns();
    return loop->seen;
}

static void read_clock(struct tusk_loop *loop)
{
    loop->now = tusk__loop_clock(loop);
}

static int64_t far_deadline(int64_t from, double seconds)
{
    double nanoseconds = (double)from + seconds * 1e9;

    if (nanoseconds >= (double)TUSK__HORIZON)
        return TUSK__FOREVER;
    return nanoseconds <= -(double)TUSK__HORIZON ? -TUSK__HORIZON : (int64_t)nanoseconds;
}

int64_t tusk__loop_deadline(int64_t from, double seconds)
{
    int64_t when;

    /* Doubles are exact to 2^53 ns, 104 days: near deadlines are added as integers. */
    if (unlikely(!(seconds > -9e6 && seconds < 9e6)))
        return far_deadline(from, seconds);
    when = from + (int64_t)(seconds * 1e9 + (seconds < 0 ? -0.5 : 0.5));
    return when >= TUSK__HORIZON ? TUSK__FOREVER : when;
}

void tusk__loop_add_timer(struct tusk_loop *loop, struct tusk__timer *timer, int64_t when)
{
    timer->when = when;
    tusk__wheel_insert(&loop->wheel, timer);
    /*
     * One that is due already belongs to the very next iteration. `now` would not do: a long
     * callback leaves it behind.
     */
    if (when <= loop->seen || (!loop->is_virtual && when - loop->seen < POLL_INTERVAL))
        tusk__loop_attend(loop);
}

/* ---- life ---- */

static uint64_t seed_of_environment(void)
{
    const char *value = getenv("TUSK_SCHEDULE_SEED");

    return value ? strtoull(value, NULL, 10) : 0;
}

static bool environment_says_debug(void)
{
    const char *value = getenv("TUSK_DEBUG");

    return value && *value && strcmp(value, "0") != 0;
}

static int64_t clock_of_poller(struct tusk__poller *poller)
{
    return tusk__loop_clock(container_of(poller, struct tusk_loop, poller));
}

static void init(struct tusk_loop *loop, const struct tusk_loop_options *options)
{
    loop->is_virtual = options && options->clock == TUSK_CLOCK_VIRTUAL;
    loop->debug = (options && options->debug) || environment_says_debug();
    loop->schedule = options && options->schedule_seed ? options->schedule_seed : seed_of_environment();
    loop->poller.clock = clock_of_poller;
    loop->poller.seed = loop->schedule;
    loop->slow_step = SLOW_STEP;
    loop->ready_end = &loop->ready;
    read_clock(loop);
    loop->polled_at = loop->now;
    tusk__wheel_init(&loop->wheel, loop->now);
    tusk__stock_open(&loop->stock);
    tusk__calls_open(loop);
    tusk__inbox_sleep(&loop->inbox);
}

/* Debug mode: the poller that was asked for is not to be had here. Said once in a process. */
static void report_refusal(struct tusk_loop *loop)
{
    static atomic_bool said;
    const struct tusk__poller *poller = &loop->poller;
    char message[96];
    struct tusk_exception_context context = {
        .message = message, .error = poller->refused_code, .error_message = poller->refused_why};

    if (!loop->debug || !poller->refused || atomic_exchange(&said, true))
        return;
    snprintf(message, sizeof message, "The poller %s is not to be had here, so %s is used",
             poller->refused->name, poller->backend->name);
    tusk__loop_report(loop, &context);
}

tusk_loop *(tusk_new_event_loop)(const struct tusk_loop_options *options)
{
    struct tusk_loop *loop = tusk__alloc(sizeof *loop);
    int rc;

    if (!loop)
        return tusk__fail(-ENOMEM);
    rc = tusk__poller_open(&loop->poller, options ? options->poller : NULL);
    if (rc < 0) {
        if (rc == -EINVAL)
            tusk__thread_message_set(
                rc,
                "no poller of this name; .poller and TUSK_POLLER take epoll, io_uring, poll or simulated");
        tusk__free(loop);
        return tusk__fail(rc);
    }
    init(loop, options);
    report_refusal(loop);
    return loop;
}

struct tusk__extension *tusk__loop_extension(const struct tusk_loop *loop,
                                             void (*close)(struct tusk_loop *loop, struct tusk__extension *))
{
    struct tusk__extension *extension = loop->extensions;

    while (extension && extension->close != close)
        extension = extension->next;
    return extension;
}

void tusk__loop_extend(struct tusk_loop *loop, struct tusk__extension *extension)
{
    extension->next = loop->extensions;
    loop->extensions = extension;
}

static void close_extensions(struct tusk_loop *loop)
{
    for (struct tusk__extension *at = loop->extensions; at; at = at->next)
        at->close(loop, at);
}

static void end_extensions(struct tusk_loop *loop)
{
    for (struct tusk__extension *at = loop->extensions; at; at = at->next)
        if (at->end)
            at->end(loop, at);
}

static void free_extensions(struct tusk_loop *loop)
{
    while (loop->extensions) {
        struct tusk__extension *extension = loop->extensions;

        loop->extensions = extension->next;
        tusk__free(extension);
    }
}

/* Copies of this thread that were made for a task and never given to one. */
static void drop_copies(struct tusk_loop *loop)
{
    struct tusk_exception_context context = {.message = "A tusk_copy was never given to a task"};

    if (tusk__copies_drop() > 0 && loop->debug)
        tusk__loop_report(loop, &context);
}

int tusk_loop_close(tusk_loop *loop)
{
    if (!loop)
        return 0;
    if (loop->running)
        return TUSK_LOOP_RUNNING;
    loop->closed = true;
    tusk__watchdog_close(loop);
    close_extensions(loop);
    tusk__calls_close(loop);
    end_extensions(loop);
    if (loop->hooks)
        loop->hooks->close(loop);
    free_extensions(loop);
    drop_copies(loop);
    tusk__slab_close(&loop->calls);
    tusk__stock_close(&loop->stock);
    loop->poller.backend->close(&loop->poller);
    tusk__free(loop);
    return 0;
}

/* ---- turns ---- */

static void push_due(void *arg, struct tusk__handle *handle)
{
    tusk__loop_push(arg, handle);
}

static void fire_timers(struct tusk_loop *loop)
{
    if (tusk__wheel_bound(&loop->wheel) <= loop->now)
        tusk__wheel_advance(&loop->wheel, loop->now, push_due, loop);
}

/* What other threads sent becomes ready. */
static void take_letters(struct tusk_loop *loop)
{
    struct tusk__handle *letter = tusk__inbox_take(&loop->inbox);

    while (letter) {
        struct tusk__handle *next = letter->next;

        tusk__loop_push(loop, letter);
        letter = next;
    }
}

static int poll(struct tusk_loop *loop, int64_t timeout)
{
    int rc = loop->poller.backend->wait(&loop->poller, timeout);

    read_clock(loop);
    loop->polled_at = loop->now;
    return rc;
}

/*
 * Debug mode, before a sleep without end: with no timer, no job and no signal left, and nobody who waits
 * for a descriptor, only another thread could wake this loop. Said once.
 */
static void report_stuck(struct tusk_loop *loop)
{
    if (!loop->debug || loop->stuck_reported || !loop->hooks || loop->listeners > 0 ||
        atomic_load(&loop->external) > 0)
        return;
    loop->stuck_reported = true;
    loop->hooks->deadlock(loop);
}

/* Blocks until the deadline, or until something comes. */
static int sleep_until(struct tusk_loop *loop, int64_t deadline)
{
    int64_t timeout = deadline == TUSK__NEVER ? -1 : deadline - loop->now;
    int64_t wanted = loop->hooks ? loop->hooks->idle(loop, loop->now) : -1;
    int rc = 0;

    if (timeout < 0)
        report_stuck(loop);
    if (wanted >= 0 && (timeout < 0 || wanted < timeout))
        timeout = wanted;
    tusk__inbox_sleep(&loop->inbox);
    if (!tusk__inbox_full(&loop->inbox))
        rc = poll(loop, timeout);
    tusk__inbox_awake(&loop->inbox);
    take_letters(loop);
    return rc;
}

/* Virtual time jumps to the next timer; without one nothing is left that could happen. */
static int jump(struct tusk_loop *loop, int64_t deadline)
{
    if (deadline == TUSK__NEVER) {
        if (loop->hooks)
            loop->hooks->deadlock(loop);
        return -EDEADLK;
    }
    loop->now = deadline;
    loop->seen = loop->now;
    return 0;
}

/*
 * What a descriptor has for us now comes before what the next timer has. Who hears of one may read and write at
 * once, and leave nothing ready but what that brings to other descriptors: so the poller is asked until it
 * has nothing to tell.
 */
static int look_and_jump(struct tusk_loop *loop, int64_t deadline)
{
    uint64_t heard;
    int rc = 0;

    do {
        heard = loop->heard;
        rc = loop->poller.watched > 0 ? poll(loop, 0) : 0;
    } while (rc == 0 && !loop->ready && loop->heard != heard);
    return rc < 0 || loop->ready ? rc : jump(loop, deadline);
}

/* Virtual time must not jump: something goes on outside, or only what may come from there is left. */
static bool stands_still(struct tusk_loop *loop, int64_t deadline)
{
    return atomic_load(&loop->external) > 0 || (deadline == TUSK__NEVER && loop->listeners > 0) ||
           tusk__inbox_full(&loop->inbox);
}

/* When the next thing happens by itself: a timer fires, or something in the poller. */
static int64_t next_event(struct tusk_loop *loop)
{
    int64_t timer = tusk__wheel_bound(&loop->wheel);
    int64_t due = tusk__poller_due(&loop->poller);

    return timer < due ? timer : due;
}

/* Waits until something is ready, but not beyond `until`. */
static int wait_for_work(struct tusk_loop *loop, int64_t until)
{
    int rc = 0;

    while (rc == 0 && !loop->ready && loop->now < until) {
        int64_t event = next_event(loop);
        int64_t deadline = event < until ? event : until;

        if (!loop->is_virtual)
            rc = sleep_until(loop, deadline);
        else if (stands_still(loop, deadline))
            rc = sleep_until(loop, TUSK__NEVER);
        else
            rc = look_and_jump(loop, deadline);
        fire_timers(loop);
    }
    return rc;
}

/*
 * Sets how many quick turns may follow, so that they take about one interval.
 * `since` is how long the last ones took, all together.
 */
static void adapt(struct tusk_loop *loop, int64_t since)
{
    int64_t turns = loop->quick_turns;

    if (since > POLL_INTERVAL)
        turns = turns * POLL_INTERVAL / since;
    else if (since < POLL_INTERVAL / 2)
        turns = turns * 2 + 1;
    loop->quick_turns = (uint32_t)(turns < QUICK_TURNS_MAX ? turns : QUICK_TURNS_MAX);
}

static bool poll_is_due(const struct tusk_loop *loop)
{
    /* A virtual clock does not show how long it was; the turns that have gone by do. */
    return loop->poller.watched > 0 && (loop->is_virtual || loop->now - loop->polled_at >= POLL_INTERVAL);
}

bool tusk__loop_renew(struct tusk_loop *loop)
{
    int64_t before = loop->now;

    if (loop->stopping || loop->once || loop->debug || loop->schedule || tusk__inbox_full(&loop->inbox))
        return false;
    read_clock(loop);
    adapt(loop, loop->now - before);
    if (poll_is_due(loop) || tusk__wheel_bound(&loop->wheel) <= loop->now)
        return false;
    /* One at least: the turn that is asked for now. */
    loop->turns_left = loop->quick_turns + 1;
    return true;
}

/* Nothing is ready, and nothing will be by itself: whatever time it is, the loop sleeps. */
static bool sleeps_without_end(struct tusk_loop *loop, int64_t until)
{
    return !loop->ready && !loop->stopping && until == TUSK__NEVER && next_event(loop) == TUSK__NEVER;
}

/*
 * A full turn: everything that comes before the callbacks of an iteration. It
 * waits for something to do until `until`, on the loop's clock.
 */
static int turn(struct tusk_loop *loop, int64_t until)
{
    int64_t before = loop->now;
    int rc;

    take_letters(loop);
    if (!sleeps_without_end(loop, until))
        read_clock(loop);
    if (loop->ready || loop->stopping || until <= loop->now) {
        adapt(loop, loop->now - before);
        rc = poll_is_due(loop) ? poll(loop, 0) : 0;
        fire_timers(loop);
    } else {
        fire_timers(loop);
        rc = wait_for_work(loop, until);
    }
    if (rc < 0)
        return rc;
    loop->turns_left = loop->stopping || loop->once || loop->debug || loop->schedule ? 0 : loop->quick_turns;
    loop->iteration++;
    loop->batch = loop->ready;
    loop->ready = NULL;
    loop->ready_end = &loop->ready;
    if (loop->schedule && loop->hooks)
        tusk__schedule_shuffle(&loop->schedule, &loop->batch, loop->hooks->step);
    return 0;
}

/* The watchdog has printed the backtrace already: it is for handlers of the program. */
static void report_slow(struct tusk_loop *loop, const char *name, int64_t took, const char *backtrace)
{
    char message[96];
    struct tusk_exception_context context = {
        .message = message,
        .task_name = name[0] ? name : NULL,
        .backtrace = loop->exception_handler ? backtrace : NULL,
    };

    snprintf(message, sizeof message, "Executing a %s took %.3f seconds", name[0] ? "step" : "callback",
             (double)took / 1e9);
    tusk__loop_report(loop, &context);
}

/* Debug mode: runs a handle, and reports it if that takes long. It may be gone afterwards, so it is named before. */
static void run_watched(struct tusk_loop *loop, struct tusk__handle *handle)
{
    int64_t start = tusk__clock_ns();
    char name[128] = "";
    const char *backtrace;
    int64_t took;

    if (loop->hooks)
        loop->hooks->describe(handle, name, sizeof name);
    tusk__watchdog_begin(loop, name, start);
    handle->run(handle);
    took = tusk__clock_ns() - start;
    backtrace = tusk__watchdog_end(loop);
    if (took >= loop->slow_step)
        report_slow(loop, name, took, backtrace);
}

/* Runs what is ready, and quick turns as long as these are enough. */
static void run_ready(struct tusk_loop *loop)
{
    struct tusk__handle *handle;

    while ((handle = tusk__loop_next(loop)) != NULL) {
        tusk__loop_take(loop, handle);
        if (unlikely(loop->debug))
            run_watched(loop, handle);
        else
            handle->run(handle);
    }
    loop->current = NULL;
}

/* ---- runs ---- */

/* A child process does not run its parent's loop: it may run one of its own. */
static void forget_in_child(void)
{
    tusk__running_loop = NULL;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_in_child);
}

static int enter(struct tusk_loop *loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int rc;

    if (!loop)
        return -EINVAL;
    if (loop->closed)
        return TUSK_LOOP_CLOSED;
    if (loop->running || tusk__running_loop)
        return TUSK_LOOP_RUNNING;
    pthread_once(&once, watch_forks);
    tusk__running_loop = loop;
    rc = loop->hooks ? loop->hooks->enter(loop) : 0;
    if (rc < 0) {
        tusk__running_loop = NULL;
        return rc;
    }
    loop->running = true;
    tusk__inbox_awake(&loop->inbox);
    return 0;
}

static void leave(struct tusk_loop *loop)
{
    tusk__watchdog_leave(loop);
    tusk__inbox_sleep(&loop->inbox);
    /* Who wrote a letter while the loop was awake did not wake it: an outer loop must see it. */
    if (tusk__inbox_full(&loop->inbox))
        loop->poller.backend->wake(&loop->poller);
    if (loop->hooks)
        loop->hooks->leave(loop);
    loop->running = false;
    loop->stopping = false;
    tusk__running_loop = NULL;
}

int tusk__loop_run(struct tusk_loop *loop)
{
    int rc = enter(loop);

    if (rc < 0)
        return rc;
    do {
        rc = turn(loop, TUSK__NEVER);
        if (rc == 0)
            run_ready(loop);
    } while (rc == 0 && !loop->stopping);
    leave(loop);
    return rc;
}

int tusk_loop_run_forever(tusk_loop *loop)
{
    return tusk__loop_run(loop);
}

/* Until when a run may wait. */
static int64_t end_of_wait(const struct tusk_loop *loop, double timeout)
{
    int64_t deadline = timeout < 0 ? TUSK__FOREVER : tusk__loop_deadline(loop->now, timeout);

    return deadline == TUSK__FOREVER ? TUSK__NEVER : deadline;
}

int tusk_loop_run_once(tusk_loop *loop, double timeout)
{
    int rc;

    if (isnan(timeout))
        return -EINVAL;
    rc = enter(loop);
    if (rc < 0)
        return rc;
    loop->once = true;
    read_clock(loop);
    /* Without a wait it always looks at the descriptors: an outer loop calls because one is ready. */
    if (timeout == 0 && !loop->is_virtual)
        rc = poll(loop, 0);
    if (rc == 0)
        rc = turn(loop, end_of_wait(loop, timeout));
    if (rc == 0)
        run_ready(loop);
    loop->once = false;
    leave(loop);
    return rc;
}

void tusk_loop_stop(tusk_loop *loop)
{
    loop->stopping = true;
    tusk__loop_attend(loop);
}

/* ---- what one can ask ---- */

tusk_loop *tusk_get_running_loop(void)
{
    return tusk__running_loop;
}

bool tusk_loop_is_running(const tusk_loop *loop)
{
    return loop && loop->running;
}

double tusk_loop_time(tusk_loop *loop)
{
    return (double)tusk__loop_clock(loop) / 1e9;
}

double tusk_loop_timeout(tusk_loop *loop)
{
    int64_t event = next_event(loop);
    int64_t now = tusk__loop_clock(loop);

    if (loop->batch || loop->ready || loop->stopping || tusk__inbox_full(&loop->inbox) || event <= now)
        return 0;
    return event == TUSK__NEVER ? (double)INFINITY : (double)(event - now) / 1e9;
}

int tusk_loop_fileno(const tusk_loop *loop)
{
    return loop->poller.backend->fileno(&loop->poller);
}

const char *tusk_loop_poller(const tusk_loop *loop)
{
    return loop->poller.backend->name;
}

void tusk_loop_set_debug(tusk_loop *loop, bool debug)
{
    loop->debug = debug;
    tusk__loop_attend(loop);
}

int tusk_loop_set_slow_callback_duration(tusk_loop *loop, double seconds)
{
    if (!loop || isnan(seconds) || seconds < 0)
        return -EINVAL;
    loop->slow_step = tusk__loop_deadline(0, seconds);
    tusk__watchdog_adjust(loop);
    return 0;
}

double tusk_loop_get_slow_callback_duration(const tusk_loop *loop)
{
    if (!loop)
        return (double)NAN;
    return loop->slow_step == TUSK__FOREVER ? (double)INFINITY : (double)loop->slow_step / 1e9;
}

int tusk__loop_check_thread(struct tusk_loop *loop)
{
    struct tusk_exception_context context = {
        .message = "A loop was used from a thread in which it does not run",
        .error = TUSK_OTHER_THREAD,
    };

    if (!loop->debug || !loop->running || loop == tusk__running_loop)
        return 0;
    /* The loop's own handler belongs to the loop's thread. */
    tusk_loop_default_exception_handler(loop, &context);
    return TUSK_OTHER_THREAD;
}

bool tusk_loop_get_debug(const tusk_loop *loop)
{
    return loop->debug;
}
