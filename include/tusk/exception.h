/*
 * Exceptions: what is known of an error beside its code, its message, and, for a group, each of its
 * errors.
 *
 *     if (rc == TUSK_EXCEPTION_GROUP)
 *         for (size_t i = 0; i < tusk_exception_count(tusk_exception_last()); i++)
 *             puts(tusk_exception_message(tusk_exception_child(tusk_exception_last(), i)));
 *
 * The functions take NULL, which is an error of which nothing is known. None of them suspends.
 */
#ifndef TUSK_EXCEPTION_H
#define TUSK_EXCEPTION_H

#include <tusk/future.h>

TUSK_BEGIN_DECLS

/* An error. Never changes; counted by references. */
typedef struct tusk__text tusk_exception;

/*
 * What is known of the last error this task raised or received. NULL outside of tasks, and for an
 * error without a message. Valid until the next error.
 */
TUSK_API const tusk_exception *tusk_exception_last(void);

/*
 * What is known of the error of a future; valid as long as the future. NULL if it has none, or one
 * without a message.
 */
TUSK_API const tusk_exception *tusk_exception_of(const tusk_future *future);

/*
 * Another reference, for an error that is to be kept while other errors come and go; give it back
 * with tusk_exception_release(). In the thread of its loop only.
 *
 *     tusk_exception *error = tusk_exception_retain(tusk_exception_last());
 *     clean_up();                                  // may raise and receive errors of its own
 *     rc = tusk_exception_raise(error, rc);
 *     tusk_exception_release(error);
 */
TUSK_API tusk_exception *tusk_exception_retain(const tusk_exception *exception);
TUSK_API void tusk_exception_release(tusk_exception *exception);

/*
 * Makes an error this task's last one again, and returns its code; for NULL, code. Like
 * tusk_raise(), but with all that is known of the error.
 */
TUSK_API int tusk_exception_raise(const tusk_exception *exception, int code);

/* The code of an error; 0 for NULL. */
TUSK_API int tusk_exception_code(const tusk_exception *exception);

/* The message of an error; "" for NULL. Valid as long as the error. */
TUSK_API const char *tusk_exception_message(const tusk_exception *exception);

/* How many errors a group has; 0 for a single error. */
TUSK_API size_t tusk_exception_count(const tusk_exception *exception);

/* One of a group's errors, borrowed from the group; NULL beyond the last. */
TUSK_API const tusk_exception *tusk_exception_child(const tusk_exception *exception, size_t index);

TUSK_END_DECLS

#endif
