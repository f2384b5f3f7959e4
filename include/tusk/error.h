/*
 * Errors: codes, and messages that go along with them.
 *
 * Every function of tusk that can fail returns a negative code: an errno with its sign turned
 * (-ECANCELED, -ETIMEDOUT, -EINVAL, -ENOMEM), or one of the codes below, which lie outside the
 * range of errno. A coroutine does the same, so an error travels up through plain returns:
 *
 *     static int fetch(void *arg)
 *     {
 *         struct job *job = arg;
 *
 *         tusk_try(tusk_sleep(0.1));
 *         if (job->url == NULL)
 *             return tusk_raise(-EINVAL, "job %d has no url", job->number);
 *         return 0;
 *     }
 *
 * The message given to tusk_raise() goes along with the code: from the task that raised it to
 * whoever awaits it, and into every report. tusk_describe(rc) is what to print.
 */
#ifndef TUSK_ERROR_H
#define TUSK_ERROR_H

#include <stdarg.h>
#include <tusk/base.h>

TUSK_BEGIN_DECLS

/* What errno has no word for. The values never change. */
enum {
    /*
     * The future is done already, or not done yet, or is no task; or the object is not in the state
     * the call needs.
     */
    TUSK_INVALID_STATE = -10001,
    /* There is no running loop in this thread. */
    TUSK_NO_RUNNING_LOOP = -10002,
    /* A loop runs in this thread already, or this loop runs somewhere. */
    TUSK_LOOP_RUNNING = -10003,
    /* The loop is closed. */
    TUSK_LOOP_CLOSED = -10004,
    /* The loop was stopped before the future was done. */
    TUSK_LOOP_STOPPED = -10005,
    /* The future belongs to another loop, or tasks of another loop wait for the object. */
    TUSK_OTHER_LOOP = -10006,
    /* A task awaited itself. */
    TUSK_AWAITED_ITSELF = -10007,
    /* The caller is not a coroutine: only a task may suspend. */
    TUSK_NOT_IN_TASK = -10008,
    /* The reference was handed on before (seen in debug mode only). */
    TUSK_RELEASED = -10009,
    /*
     * This processor or process has shadow stacks switched on (CET), which tusk's switches cannot
     * keep.
     */
    TUSK_SHADOW_STACK = -10010,
    /* Several errors at once, of a task group: see tusk/exception.h. */
    TUSK_EXCEPTION_GROUP = -10011,
    /* The queue was shut down. */
    TUSK_QUEUE_SHUT_DOWN = -10012,
    /* The queue is empty (the calls that do not wait). */
    TUSK_QUEUE_EMPTY = -10013,
    /* The queue is full (the calls that do not wait). */
    TUSK_QUEUE_FULL = -10014,
    /* The barrier is broken. */
    TUSK_BROKEN_BARRIER = -10015,
    /*
     * The loop runs in another thread (seen in debug mode only): use
     * tusk_loop_call_soon_threadsafe().
     */
    TUSK_OTHER_THREAD = -10016,
    /* The executor was shut down: it takes no more work. */
    TUSK_EXECUTOR_SHUT_DOWN = -10017,
    /* The stream was closed or aborted. */
    TUSK_STREAM_CLOSED = -10018,
    /* The stream ended before all that was asked for had come. */
    TUSK_INCOMPLETE_READ = -10019,
    /* A line, what stands before a separator, or what tusk_stream_peek() is to show, is longer than the stream's limit. */
    TUSK_LIMIT_OVERRUN = -10020,
    /*
     * A system call said ECANCELED: the clock of a timer descriptor was set (TFD_TIMER_CANCEL_ON_SET), say. Nobody has
     * cancelled the task, which is what -ECANCELED means.
     */
    TUSK_CANCELED_BY_SYSTEM = -10021,

    /* --- the resolver's: EAI_AGAIN of <netdb.h> is TUSK_EAI_AGAIN; see tusk/resolver.h --- */

    /* The host has no address of the family asked for. */
    TUSK_EAI_ADDRFAMILY = -10101,
    /* No answer from the name server for now. */
    TUSK_EAI_AGAIN = -10102,
    /* Flags that the system does not know, or not together. */
    TUSK_EAI_BADFLAGS = -10103,
    /* Hints that the system does not understand. */
    TUSK_EAI_BADHINTS = -10104,
    /* The name server cannot answer, and will not be able to later. */
    TUSK_EAI_FAIL = -10105,
    /* An address family that the system does not know. */
    TUSK_EAI_FAMILY = -10106,
    /* The host's name cannot be encoded as an international one (AI_IDN). */
    TUSK_EAI_IDN_ENCODE = -10107,
    /* The host is known, but has no address. */
    TUSK_EAI_NODATA = -10108,
    /* The host or the service is not known. */
    TUSK_EAI_NONAME = -10109,
    /* The name does not fit into the caller's memory. */
    TUSK_EAI_OVERFLOW = -10110,
    /* A protocol that the system does not know. */
    TUSK_EAI_PROTOCOL = -10111,
    /* There is no such service, or port. */
    TUSK_EAI_SERVICE = -10112,
    /* A type of socket that the system does not know. */
    TUSK_EAI_SOCKTYPE = -10113,
    /* The resolver failed with a code that tusk does not know. */
    TUSK_EAI_UNKNOWN = -10114,

    /* --- of TLS: see tusk/tls.h. Each comes with a message that says why --- */

    /* The peer's certificate was not accepted: expired, unknown, for another name ..., or there is none. */
    TUSK_TLS_CERTIFICATE = -10201,
    /* TLS failed: what came is no TLS, the two have nothing in common, the peer refused us ... */
    TUSK_TLS_FAILED = -10202,
    /* The connection ended without TLS's goodbye: more may have been meant to come. */
    TUSK_TLS_EOF = -10203,
    /* A file with certificates or keys has not what it should have. */
    TUSK_TLS_FILE = -10204,
};

/*
 * What a code means, as a sentence without a full stop. Also takes positive errno values, 0
 * ("success"), and codes that nobody knows. Does not suspend. The text is static, or valid until
 * this thread's next call. Any thread.
 */
TUSK_API const char *tusk_strerror(int code);

/*
 * The name of a code as it is written in C: "ECANCELED", "TUSK_INVALID_STATE". Unknown codes are
 * "E<number>". Lifetime and threads as for tusk_strerror().
 */
TUSK_API const char *tusk_errorname(int code);

/*
 * Returns code, and keeps the formatted message with it. If the calling coroutine ends with that
 * code, its task keeps the message, whoever awaits the task gets it with the code, and reports show
 * it. A code that is not negative is turned into -EINVAL. Without memory for the message the code
 * goes without it. Outside a task the message is kept for the thread. Does not suspend. Any thread.
 */
TUSK_API int tusk_raise(int code, const char *format, ...) TUSK_PRINTF(2, 3);

/* The same as tusk_raise() with a va_list. */
TUSK_API int tusk_vraise(int code, const char *format, va_list args) TUSK_PRINTF(2, 0);

/*
 * The message of the last error that this task raised or received (outside a task: this thread), or
 * NULL if it had none. Does not suspend. It is valid until the next error. Any thread.
 */
TUSK_API const char *tusk_message(void);

/*
 * Why a call failed that has just returned this code: the message that came with it, or, if it came
 * without one, what tusk_strerror() says. What to print when all you have is `int rc`. A message that
 * came with another code is not taken. Does not suspend. Valid until the next error, or this thread's
 * next call. Any thread.
 */
TUSK_API const char *tusk_describe(int code);

/*
 * The code of the last creation in this thread that failed and returned NULL (or an empty handle).
 * 0 if none has failed. Does not suspend. Any thread.
 */
TUSK_API int tusk_last_error(void);

/*
 * Returns from the calling function when the expression is negative, with its value, as an
 * exception would. For functions that have nothing to clean up. The expression may be a count of any size
 * (ssize_t, int64_t); what is returned is a code, and fits every such function's result.
 */
#define tusk_try(expression)                                                                                 \
    do {                                                                                                     \
        long long tusk__rc = (expression);                                                                   \
        if (tusk__rc < 0)                                                                                    \
            return TUSK__CODE(tusk__rc);                                                                     \
    } while (0)

#ifdef __cplusplus
#define TUSK__CODE(value) static_cast<int>(value)
#else
#define TUSK__CODE(value) ((int)(value))
#endif

TUSK_END_DECLS

#endif
