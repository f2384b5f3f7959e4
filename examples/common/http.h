/* What a server of files by HTTP needs besides a parser: which file a URL means, and some words. */
#ifndef EXAMPLES_HTTP_H
#define EXAMPLES_HTTP_H

#include <limits.h>
#include <sys/types.h>

#include "text.h"

struct http_file {
    int fd;
    off_t size;
    char name[PATH_MAX];
};

/*
 * Opens the file that a request's URL means: "/a%20b?x" is the file "a b" in the root, "/" is "index.html".
 * The root is an absolute path without links: realpath(). Returns 200, and the descriptor is yours; or the
 * status that says what is wrong: 400, 403, 404, 414, 503.
 */
int http_open(const char *root, struct text url, struct http_file *file);

enum { HTTP_HEAD_SIZE = 512 };

/* What stands before the body of an answer. Returns its size. */
size_t http_head(char head[HTTP_HEAD_SIZE], int status, const char *type, size_t size, bool keep);

/* "Not Found" */
const char *http_reason(int status);

/* "text/html", by the end of the name. */
const char *http_type(const char *name);

#endif
