/*
 * Error codes as text, and the error of the last creation that returned NULL.
 */
#ifndef TUSK__BASE_ERROR_H
#define TUSK__BASE_ERROR_H

#include <tusk/error.h>

/*
 * Remembers why a creation in this thread fails. Returns NULL, so that a
 * constructor can end with it.
 */
void *tusk__fail(int code);

/* The error of whoever gets NULL in place of what a creation returned: that of the last one that failed. */
int tusk__creation_error(void);

/*
 * The last message of code in this thread that runs outside of tasks. Kept in a
 * fixed buffer, and cut to it, so that no thread leaves memory behind.
 */
void tusk__thread_message_set(int code, const char *message);

/* How many messages this thread has set: so one can tell a new one from an old one. */
extern _Thread_local unsigned tusk__thread_messages;

/* That message, if it came with this code (0: with any); else NULL. */
const char *tusk__thread_message(int code);

#endif
