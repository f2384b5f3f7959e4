/*
 * Error codes as text. Codes that programs meet often have their sentence in
 * the table, so that reports are the same on every system and in every locale;
 * the others come from libc.
 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct description {
    int code;
    const char *name;
    const char *text;
};

/* A code whose sentence is libc's. */
#define NAME(code)                                                                                           \
    {                                                                                                        \
        -(code), #code, NULL                                                                                 \
    }

/* What tusk itself returns or what programs meet most has a sentence; the rest goes to strerror. */
static const struct description descriptions[] = {
    {0, "0", "success"},
    {TUSK_INVALID_STATE, "TUSK_INVALID_STATE",
     "wrong state for this call, such as done already or not done yet"},
    {TUSK_NO_RUNNING_LOOP, "TUSK_NO_RUNNING_LOOP",
     "no event loop is running in this thread; tusk_run starts one"},
    {TUSK_LOOP_RUNNING, "TUSK_LOOP_RUNNING", "an event loop is running already; inside of it, await a task"},
    {TUSK_LOOP_CLOSED, "TUSK_LOOP_CLOSED", "the event loop is closed"},
    {TUSK_LOOP_STOPPED, "TUSK_LOOP_STOPPED", "the event loop was stopped before the future was done"},
    {TUSK_OTHER_LOOP, "TUSK_OTHER_LOOP", "the future belongs to another event loop"},
    {TUSK_AWAITED_ITSELF, "TUSK_AWAITED_ITSELF", "a task cannot await itself"},
    {TUSK_NOT_IN_TASK, "TUSK_NOT_IN_TASK",
     "only a task can wait; this is a plain callback or no task runs here"},
    {TUSK_RELEASED, "TUSK_RELEASED",
     "the reference was handed on or released before; tusk_retain makes another"},
    {TUSK_SHADOW_STACK, "TUSK_SHADOW_STACK",
     "shadow stacks (CET) are on, which tusk's stack switches cannot keep; start the program with "
     "GLIBC_TUNABLES=glibc.cpu.hwcaps=-SHSTK or build tusk with -DTUSK_CORO=ucontext"},
    {TUSK_EXCEPTION_GROUP, "TUSK_EXCEPTION_GROUP", "several errors at once, in a task group"},
    {TUSK_QUEUE_SHUT_DOWN, "TUSK_QUEUE_SHUT_DOWN", "the queue was shut down"},
    {TUSK_QUEUE_EMPTY, "TUSK_QUEUE_EMPTY", "the queue is empty"},
    {TUSK_QUEUE_FULL, "TUSK_QUEUE_FULL", "the queue is full"},
    {TUSK_BROKEN_BARRIER, "TUSK_BROKEN_BARRIER", "the barrier is broken"},
    {TUSK_OTHER_THREAD, "TUSK_OTHER_THREAD",
     "the loop runs in another thread; use tusk_loop_call_soon_threadsafe"},
    {TUSK_EXECUTOR_SHUT_DOWN, "TUSK_EXECUTOR_SHUT_DOWN", "the executor was shut down"},
    {TUSK_STREAM_CLOSED, "TUSK_STREAM_CLOSED", "the stream was closed"},
    {TUSK_INCOMPLETE_READ, "TUSK_INCOMPLETE_READ", "the stream ended before all that was asked for had come"},
    {TUSK_LIMIT_OVERRUN, "TUSK_LIMIT_OVERRUN", "no separator was found within the stream's limit"},
    {TUSK_CANCELED_BY_SYSTEM, "TUSK_CANCELED_BY_SYSTEM",
     "the system cancelled the call (a timer whose clock was set?)"},
    {TUSK_EAI_ADDRFAMILY, "TUSK_EAI_ADDRFAMILY", "the host has no address of this family"},
    {TUSK_EAI_AGAIN, "TUSK_EAI_AGAIN", "no answer from the name server for now; try again later"},
    {TUSK_EAI_BADFLAGS, "TUSK_EAI_BADFLAGS", "the resolver does not know these flags, or not together"},
    {TUSK_EAI_BADHINTS, "TUSK_EAI_BADHINTS", "the resolver does not understand these hints"},
    {TUSK_EAI_FAIL, "TUSK_EAI_FAIL", "the name server failed for good"},
    {TUSK_EAI_FAMILY, "TUSK_EAI_FAMILY", "the resolver does not know this address family"},
    {TUSK_EAI_IDN_ENCODE, "TUSK_EAI_IDN_ENCODE", "the host name cannot be encoded as an international one"},
    {TUSK_EAI_NODATA, "TUSK_EAI_NODATA", "the host is known but has no address"},
    {TUSK_EAI_NONAME, "TUSK_EAI_NONAME", "the host or the service is not known"},
    {TUSK_EAI_OVERFLOW, "TUSK_EAI_OVERFLOW", "the name does not fit into the memory given for it"},
    {TUSK_EAI_PROTOCOL, "TUSK_EAI_PROTOCOL", "the resolver does not know this protocol"},
    {TUSK_EAI_SERVICE, "TUSK_EAI_SERVICE", "there is no such service for this type of socket"},
    {TUSK_EAI_SOCKTYPE, "TUSK_EAI_SOCKTYPE", "the resolver does not know this type of socket"},
    {TUSK_EAI_UNKNOWN, "TUSK_EAI_UNKNOWN", "the resolver failed with a code that tusk does not know"},
    {TUSK_TLS_CERTIFICATE, "TUSK_TLS_CERTIFICATE", "TLS: the peer's certificate was not accepted"},
    {TUSK_TLS_FAILED, "TUSK_TLS_FAILED", "TLS failed, or the peer refused it"},
    {TUSK_TLS_EOF, "TUSK_TLS_EOF", "TLS: the connection was cut off, so something may be missing"},
    {TUSK_TLS_FILE, "TUSK_TLS_FILE", "TLS: a file of certificates or keys has not what it should have"},
    {-ECANCELED, "ECANCELED", "the operation was cancelled"},
    {-ETIMEDOUT, "ETIMEDOUT", "the operation timed out"},
    {-EINVAL, "EINVAL", "invalid argument"},
    {-ENOMEM, "ENOMEM", "out of memory"},
    {-EDEADLK, "EDEADLK", "deadlock: nothing is left that could wake anyone"},
    {-ENOTSUP, "ENOTSUP", "not supported here"},
    {-EMFILE, "EMFILE", "too many open files in this process"},
    {-ENFILE, "ENFILE", "too many open files in this system"},
    {-EAGAIN, "EAGAIN", "try again later"},
    {-EPERM, "EPERM", "not permitted"},
    {-EACCES, "EACCES", "permission denied"},
    {-ENOENT, "ENOENT", "no such file or directory"},
    {-EEXIST, "EEXIST", "it exists already"},
    {-EBADF, "EBADF", "bad file descriptor"},
    {-EBUSY, "EBUSY", "busy"},
    {-EIO, "EIO", "input or output error"},
    {-EPIPE, "EPIPE", "the other end is closed"},
    {-ECONNRESET, "ECONNRESET", "connection reset by the other end"},
    {-ECONNREFUSED, "ECONNREFUSED", "connection refused"},
    {-EADDRINUSE, "EADDRINUSE", "the address is in use"},
    NAME(E2BIG),
    NAME(EADDRNOTAVAIL),
    NAME(EAFNOSUPPORT),
    NAME(EALREADY),
    NAME(EBADMSG),
    NAME(ECHILD),
    NAME(ECONNABORTED),
    NAME(EDESTADDRREQ),
    NAME(EDOM),
    NAME(EDQUOT),
    NAME(EFAULT),
    NAME(EFBIG),
    NAME(EHOSTDOWN),
    NAME(EHOSTUNREACH),
    NAME(EIDRM),
    NAME(EILSEQ),
    NAME(EINPROGRESS),
    NAME(EINTR),
    NAME(EISCONN),
    NAME(EISDIR),
    NAME(ELOOP),
    NAME(EMLINK),
    NAME(EMSGSIZE),
    NAME(ENAMETOOLONG),
    NAME(ENETDOWN),
    NAME(ENETRESET),
    NAME(ENETUNREACH),
    NAME(ENOBUFS),
    NAME(ENODEV),
    NAME(ENOEXEC),
    NAME(ENOLCK),
    NAME(ENOMSG),
    NAME(ENOPROTOOPT),
    NAME(ENOSPC),
    NAME(ENOSYS),
    NAME(ENOTBLK),
    NAME(ENOTCONN),
    NAME(ENOTDIR),
    NAME(ENOTEMPTY),
    NAME(ENOTRECOVERABLE),
    NAME(ENOTSOCK),
    NAME(ENOTTY),
    NAME(ENXIO),
    NAME(EOVERFLOW),
    NAME(EOWNERDEAD),
    NAME(EPROTO),
    NAME(EPROTONOSUPPORT),
    NAME(EPROTOTYPE),
    NAME(ERANGE),
    NAME(EROFS),
    NAME(ESHUTDOWN),
    NAME(ESPIPE),
    NAME(ESRCH),
    NAME(ESTALE),
    NAME(ETXTBSY),
    NAME(EUSERS),
    NAME(EXDEV),
};

_Thread_local unsigned tusk__thread_messages;
static _Thread_local int last_error;

/* What code outside of tasks raised last; no message when the text is empty. */
static _Thread_local int message_code;
static _Thread_local char message_text[256];

static const struct description *find(int code)
{
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0]; i++)
        if (descriptions[i].code == code)
            return &descriptions[i];
    return NULL;
}

/* A positive errno is taken for what it means; INT_MIN has no positive twin and stays. */
static int normalized(int code)
{
    return code > 0 ? -code : code;
}

const char *tusk_strerror(int code)
{
    static _Thread_local char unknown[64];
    const struct description *description = find(normalized(code));
    const char *text = unknown;

    if (description != NULL && description->text != NULL)
        return description->text;
    snprintf(unknown, sizeof unknown, "error %d", code);
    if (code > -4096 && code < 4096)
        text = strerror(code < 0 ? -code : code);
    return text;
}

const char *tusk_errorname(int code)
{
    static _Thread_local char unknown[24];
    const struct description *description = find(normalized(code));

    if (description != NULL)
        return description->name;
    snprintf(unknown, sizeof unknown, "E%u", code < 0 ? 0U - (unsigned)code : (unsigned)code);
    return unknown;
}

int tusk_last_error(void)
{
    return last_error;
}

int tusk__creation_error(void)
{
    return last_error < 0 ? last_error : -EINVAL;
}

void *tusk__fail(int code)
{
    last_error = code;
    return NULL;
}

void tusk__thread_message_set(int code, const char *message)
{
    tusk__thread_messages++;
    message_code = code;
    snprintf(message_text, sizeof message_text, "%s", message ? message : "");
}

const char *tusk__thread_message(int code)
{
    return message_text[0] && (code == 0 || code == message_code) ? message_text : NULL;
}
