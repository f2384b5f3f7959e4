/*
 * Signals: callbacks of a loop.
 *
 *     static int reload(void *arg) { ... return 0; }
 *
 *     tusk_loop_add_signal_handler(tusk_get_running_loop(), SIGHUP, reload, &settings);
 *
 * The callback runs in an iteration of the loop like any other, so it may do whatever callbacks do:
 * make tasks, set futures. Signals that come before it has begun to run are one call; one that
 * comes later is another call. Several signals are called for in the order in which the system
 * delivered them.
 *
 * A signal has one handler in the process. A child process made by fork does not have its parent's
 * handlers: there a signal does what it does by default.
 */
#ifndef TUSK_SIGNAL_H
#define TUSK_SIGNAL_H

#include <tusk/loop.h>

TUSK_BEGIN_DECLS

/*
 * Calls callback(arg) in the loop when the signal comes, in a copy of the current context, instead
 * of what the signal did before. A second call for the same signal replaces the callback. Returns
 * 0; -EINVAL without callback, for a number that is no signal, for SIGKILL and SIGSTOP, and for
 * SIGSEGV, SIGBUS, SIGFPE and SIGILL, which the faulting code would raise for ever; -EBUSY if
 * another loop has the signal; TUSK_LOOP_CLOSED; -ENOMEM. Does not suspend. The loop's thread,
 * which need not be the main one.
 */
TUSK_API int tusk_loop_add_signal_handler(tusk_loop *loop, int signum, tusk_callback *callback, void *arg);

/*
 * Takes the handler away: the signal does again what it does by default. A call that is still to
 * come is forgotten. Returns 1, or 0 if the loop had none; -EINVAL as
 * tusk_loop_add_signal_handler(). Closing a loop does this for all of its handlers. Does not
 * suspend. The loop's thread.
 */
TUSK_API int tusk_loop_remove_signal_handler(tusk_loop *loop, int signum);

TUSK_END_DECLS

#endif
