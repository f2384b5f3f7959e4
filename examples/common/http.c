/*
 * The root is closed: a path with ".." is refused, and so is one that links lead out of the root. For that the
 * system says what a path is when all links in it are followed.
 */
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* "/a%20b?x" becomes "/a b". False if it cannot be one. */
static bool decode(struct text url, char *path)
{
    for (size_t i = 0; i < url.size && url.data[i] != '?' && url.data[i] != '#'; i++) {
        char code[3] = {0};

        *path = url.data[i];
        if (*path == '%') {
            if (url.size - i < 3 || strspn(memcpy(code, url.data + i + 1, 2), "0123456789abcdefABCDEF") != 2)
                return false;
            *path = (char)strtol(code, NULL, 16);
            i += 2;
        }
        if (*path++ == '\0')
            return false;
    }
    *path = '\0';
    return true;
}

static bool has_parent(const char *path)
{
    while ((path = strstr(path, "/..")) != NULL) {
        path += 3;
        if (*path == '/' || *path == '\0')
            return true;
    }
    return false;
}

static int status_of_errno(void)
{
    return errno == EACCES ? 403 : errno == EMFILE || errno == ENFILE || errno == ENOMEM ? 503 : 404;
}

static bool below(const char *root, const char *path)
{
    size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

    return strncmp(path, root, length) == 0 && path[length] == '/';
}

/* A link that was put there just now is not followed, and a pipe holds nobody up. */
static int open_regular(struct http_file *file)
{
    struct stat info;

    file->fd = open(file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file->fd < 0)
        return status_of_errno();
    if (fstat(file->fd, &info) == 0 && S_ISREG(info.st_mode)) {
        file->size = info.st_size;
        return 200;
    }
    close(file->fd);
    return 404;
}

int http_open(const char *root, struct text url, struct http_file *file)
{
    size_t length = strlen(root);
    char path[2 * PATH_MAX];

    file->fd = -1;
    if (url.size == 0 || *url.data != '/')
        return 400;
    if (length + url.size + sizeof "index.html" > sizeof path)
        return 414;
    memcpy(path, root, length);
    if (!decode(url, path + length))
        return 400;
    if (has_parent(path + length))
        return 403;
    if (path[strlen(path) - 1] == '/')
        strcat(path, "index.html");
    if (!realpath(path, file->name))
        return status_of_errno();
    return below(root, file->name) ? open_regular(file) : 403;
}

const char *http_reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 414:
        return "URI Too Long";
    default:
        return "Service Unavailable";
    }
}

const char *http_type(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css"},
        {".js", "text/javascript"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".svg", "image/svg+xml"},
        {".pdf", "application/pdf"},
        {".wasm", "application/wasm"},
    };
    const char *suffix = strrchr(name, '.');

    for (size_t i = 0; suffix && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(suffix, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

size_t http_head(char head[HTTP_HEAD_SIZE], int status, const char *type, size_t size, bool keep)
{
    time_t seconds = time(NULL);
    struct tm tm;
    char date[64];

    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &tm));
    return (size_t)snprintf(head, HTTP_HEAD_SIZE,
                            "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                            "%sConnection: %s\r\n\r\n",
                            status, http_reason(status), date, type, size,
                            status == 405 ? "Allow: GET, HEAD\r\n" : "", keep ? "keep-alive" : "close");
}
