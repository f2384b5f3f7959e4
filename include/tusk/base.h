/*
 * Basics: what every header of tusk needs, the version and names for attributes.
 */
#ifndef TUSK_BASE_H
#define TUSK_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The version of these headers, which is the one that a program was compiled with: as numbers, for
 * #if, and as text. tusk_version() is that of the library.
 */
#define TUSK_VERSION_MAJOR 0
#define TUSK_VERSION_MINOR 1
#define TUSK_VERSION_PATCH 0
#define TUSK_VERSION "0.1.0"

/* What stands around the declarations of a header, so that C++ knows them as C's. */
#ifdef __cplusplus
#define TUSK_BEGIN_DECLS extern "C" {
#define TUSK_END_DECLS }
#else
#define TUSK_BEGIN_DECLS
#define TUSK_END_DECLS
#endif

/* A symbol of the shared library; everything without it stays hidden. Who puts tusk into a library
   of his own may keep it for himself: -DTUSK_API= */
#ifndef TUSK_API
#define TUSK_API __attribute__((visibility("default")))
#endif

/*
 * Of a function whose result says whether it worked, or whether this task was cancelled: an ignored
 * one is a bug.
 */
#define TUSK_MUST_CHECK __attribute__((warn_unused_result))

/* "file.c:12", the place of a macro's use: reports of debug mode say where things were made. */
#define TUSK__STRING_OF(x) #x
#define TUSK__STRING(x) TUSK__STRING_OF(x)
#define TUSK__HERE __FILE__ ":" TUSK__STRING(__LINE__)

/*
 * The compiler checks the arguments as it does printf's: the format is parameter text, its
 * arguments begin at first.
 */
#define TUSK_PRINTF(text, first) __attribute__((format(printf, text, first)))

TUSK_BEGIN_DECLS

/*
 * The version of the library that is running, as "major.minor.patch". Compare it with TUSK_VERSION,
 * which is the one this program was compiled with. Does not suspend. Any thread.
 */
TUSK_API const char *tusk_version(void);

TUSK_END_DECLS

#endif
