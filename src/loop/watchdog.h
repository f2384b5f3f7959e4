/*
 * Debug mode's watchdog: says what a step does while it still runs, if that takes
 * too long. A step that never ends is in no other report.
 *
 * It is a thread of the loop's own, begun by the first step that is watched and
 * joined when the loop closes; without debug mode there is none. When a step has taken
 * longer than the loop's slow_step, the thread writes to standard error what runs, and then its
 * backtrace, once a step. It writes there itself, past the loop's exception handler, which
 * belongs to the loop's thread; when the step ends at last, the exception handler
 * gets the backtrace with its report.
 *
 * It sleeps until the step that runs is due, so it wakes up some times a second for a busy
 * loop, and not at all for an idle one.
 */
#ifndef TUSK__LOOP_WATCHDOG_H
#define TUSK__LOOP_WATCHDOG_H

#include <stdint.h>

struct tusk_loop;
struct tusk__watchdog;

/* A step begins: the task's name, or "" for a callback, and the clock. The loop's thread, as for all of these. */
void tusk__watchdog_begin(struct tusk_loop *loop, const char *name, int64_t start);

/* It has ended. The backtrace that was taken meanwhile, valid until the next one begins; or NULL. */
const char *tusk__watchdog_end(struct tusk_loop *loop);

/* slow_step has changed: also for the step that runs. */
void tusk__watchdog_adjust(struct tusk_loop *loop);

/* This thread leaves the run. */
void tusk__watchdog_leave(struct tusk_loop *loop);

/* The loop closes. */
void tusk__watchdog_close(struct tusk_loop *loop);

#endif
