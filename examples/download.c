/*
 * Fetches many files at once by HTTP and HTTPS.
 *
 *     download http://localhost:8000/a http://localhost:8000/b https://example.org/c
 *
 * It shows a client: connections with and without TLS, lines and then bytes from one stream, files that are
 * written while the network goes on (tusk_write() leaves that to a thread), a semaphore for how many are
 * fetched at a time, and a task that draws bars for all of them, if somebody is watching at a terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <tusk.h>
#include <unistd.h>

#include "common/program.h"

enum { BAR = 30 };

struct file {
    const char *url;
    bool is_https;
    char host[256];
    int port;
    const char *path;
    /* Where it is written to, and what that is called until it is complete. */
    char name[256];
    char part[264];
    /* -1: the server did not say. */
    long long size;
    long long got;
    bool done;
    int rc;
};

static struct {
    struct file *files;
    int count;
    double patience;
    tusk_semaphore places;
    tusk_tls_context *tls;
} all;

/* ---- from a URL to a file ---- */

static int parse_url(struct file *file, const char *url)
{
    const char *slash, *colon, *end;

    file->url = url;
    file->is_https = strncmp(url, "https://", 8) == 0;
    if (!file->is_https && strncmp(url, "http://", 7) != 0)
        return -EINVAL;
    url += file->is_https ? 8 : 7;
    slash = url + strcspn(url, "/");
    colon = memchr(url, ':', (size_t)(slash - url));
    end = colon ? colon : slash;
    file->path = *slash ? slash : "/";
    file->port = colon ? atoi(colon + 1) : file->is_https ? 443 : 80;
    if (end == url || (size_t)(end - url) >= sizeof file->host || file->port < 1 || file->port > 65535 ||
        strpbrk(url, " \r\n"))
        return -EINVAL;
    memcpy(file->host, url, (size_t)(end - url));
    end = file->path + strcspn(file->path, "?#");
    for (slash = end; slash > file->path && slash[-1] != '/';)
        slash--;
    snprintf(file->name, sizeof file->name, "%.*s", (int)(end - slash), slash);
    if (*file->name == '\0' || strcmp(file->name, "..") == 0 || strcmp(file->name, ".") == 0)
        strcpy(file->name, "index.html");
    snprintf(file->part, sizeof file->part, "%s.part", file->name);
    return 0;
}

/* ---- fetching ---- */

/* The status, and the size in file->size. Other fields are not looked at. */
static int read_head(struct file *file, tusk_stream *stream)
{
    const char *line;
    ssize_t length;
    int status = 0;

    file->size = -1;
    while ((length = tusk_stream_readline(stream, &line)) > 2) {
        char field[64];

        snprintf(field, sizeof field, "%.*s", (int)length, line);
        if (status == 0 && sscanf(field, "HTTP/1.%*d %d", &status) != 1)
            return tusk_raise(-EPROTO, "that is not HTTP");
        if (strncasecmp(field, "Content-Length:", 15) == 0)
            file->size = strtoll(field + 15, NULL, 10);
    }
    if (length < 0)
        return (int)length;
    return length == 0 ? TUSK_INCOMPLETE_READ : status;
}

static int copy_body(struct file *file, tusk_stream *stream, int fd)
{
    char buffer[32 * 1024];
    ssize_t count = 1;

    while (file->got != file->size && count > 0) {
        tusk_timeout timeout;

        tusk_try(tusk_timeout_enter(&timeout, all.patience));
        count = tusk_timeout_exit(&timeout, (int)tusk_stream_read(stream, buffer, sizeof buffer));
        if (count > 0)
            tusk_try(tusk_sendall(fd, buffer, (size_t)count));
        file->got += count > 0 ? count : 0;
    }
    if (count < 0)
        return (int)count;
    return file->got < file->size ? TUSK_INCOMPLETE_READ : 0;
}

/* A file that is not complete goes. */
static int save_body(struct file *file, tusk_stream *stream)
{
    int fd = open(file->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc;

    if (fd < 0)
        return tusk_raise(-errno, "cannot write %s: %s", file->part, strerror(errno));
    rc = copy_body(file, stream, fd);
    if (tusk_close(fd) < 0 && rc == 0)
        rc = -EIO;
    if (rc == 0 && rename(file->part, file->name) != 0)
        rc = -errno;
    if (rc < 0)
        unlink(file->part);
    return rc;
}

static int ask(struct file *file, tusk_stream *stream)
{
    tusk_timeout timeout;
    int status;

    tusk_try(tusk_timeout_enter(&timeout, all.patience));
    status = tusk_stream_print(stream, "GET %.*s HTTP/1.0\r\nHost: %s:%d\r\nConnection: close\r\n\r\n",
                               (int)strcspn(file->path, "#"), file->path, file->host, file->port);
    status = tusk_timeout_exit(&timeout, status < 0 ? status : read_head(file, stream));
    if (status >= 0 && status != 200)
        return tusk_raise(-EPROTO, "the server says %d", status);
    return status < 0 ? status : 0;
}

static int fetch(struct file *file)
{
    tusk_stream *stream;
    tusk_timeout timeout;
    int rc;

    tusk_try(tusk_timeout_enter(&timeout, all.patience));
    rc = tusk_timeout_exit(&timeout, tusk_open_connection(file->host, file->port, &stream,
                                                          .tls = file->is_https ? all.tls : NULL));
    if (rc < 0)
        return rc;
    rc = ask(file, stream);
    if (rc == 0)
        rc = save_body(file, stream);
    tusk_stream_release(stream);
    return rc;
}

/* One that fails does not keep the others from going on, so it is no error of this task. */
static int fetch_one(void *arg)
{
    struct file *file = arg;

    tusk_try(tusk_semaphore_acquire(&all.places));
    file->rc = fetch(file);
    tusk_semaphore_release(&all.places);
    if (file->rc == -ECANCELED)
        return file->rc;
    file->done = true;
    if (file->rc < 0)
        fprintf(stderr, "%s%s: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", file->url,
                tusk_describe(file->rc));
    else
        printf("%s: %lld bytes\n", file->name, file->got);
    fflush(stdout);
    return 0;
}

/* ---- the bars ---- */

static void draw(const struct file *file)
{
    int part = file->size > 0 ? (int)(file->got * BAR / file->size) : file->done ? BAR : 0;

    fprintf(stderr, "\033[K%-30.30s [%.*s%*s] %lld\n", file->name, part, "##############################",
            BAR - part, "", file->got);
}

/* Those under way, below what was printed; the cursor goes back up, so that the next time it is the same place. */
static int draw_bars(void *arg)
{
    (void)arg;
    for (;;) {
        int lines = 0;

        for (int i = 0; i < all.count; i++)
            if (all.files[i].got > 0 && !all.files[i].done && ++lines)
                draw(&all.files[i]);
        fprintf(stderr, lines > 0 ? "\033[J\033[%dA" : "\033[J", lines);
        fflush(stderr);
        tusk_try(tusk_sleep(0.1));
    }
}

static int fetch_all(void *arg)
{
    tusk_task *bars = isatty(STDERR_FILENO) ? tusk_create_task(draw_bars, NULL, .name = "bars") : NULL;
    tusk_task_group group;
    int rc = tusk_task_group_enter(&group);

    (void)arg;
    if (rc == 0) {
        for (int i = 0; i < all.count; i++)
            tusk_task_group_create_task(&group, fetch_one, &all.files[i], .name = all.files[i].name);
        rc = tusk_task_group_exit(&group, 0);
    }
    if (bars) {
        tusk_task_cancel(bars);
        tusk_release(bars);
        fprintf(stderr, "\033[J");
    }
    for (int i = 0; i < all.count && rc == 0; i++)
        rc = all.files[i].rc < 0;
    return rc;
}

/* ---- the command line ---- */

static const char *places_text = "8", *patience_text = "30", *ca;
static const struct program program = {
    .name = "download",
    .about = "Fetches files into this folder, under the last part of their names.",
    .arguments = "URL...",
    .options = {{"at-once", "NUMBER", "so many are fetched at a time", &places_text},
                {"patience", "SECONDS", "how long to wait for a server that sends nothing", &patience_text},
                {"ca", "FILE", "trust these certificates (PEM), instead of the system's", &ca}},
};

static bool read_urls(char **urls)
{
    bool is_https = false;

    all.files = calloc((size_t)all.count + 1, sizeof *all.files);
    for (int i = 0; all.files && i < all.count; i++) {
        if (parse_url(&all.files[i], urls[i]) < 0) {
            fprintf(stderr, "download: '%s' is no URL of HTTP\n", urls[i]);
            exit(2);
        }
        is_https = is_https || all.files[i].is_https;
    }
    all.tls = is_https ? tusk_tls_context_create(.ca_file = ca) : NULL;
    return all.files && (all.tls || !is_https);
}

int main(int argc, char **argv)
{
    int first = program_options(&program, argc, argv);
    int rc;

    all.count = argc - first;
    if (all.count == 0) {
        fprintf(stderr, "download: no URL. See: download --help\n");
        return 2;
    }
    all.patience = (double)program_number("a patience", patience_text, 1, 86400);
    all.places = (tusk_semaphore)TUSK_SEMAPHORE_INIT(program_number("at-once", places_text, 1, 1000));
    rc = read_urls(argv + first) ? tusk_run(fetch_all, NULL) : tusk_last_error();
    tusk_tls_context_release(all.tls);
    free(all.files);
    return rc == -EINTR ? 130 : rc > 0 ? 1 : program_end(&program, rc);
}
