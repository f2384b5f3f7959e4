/*
 * What the client asks for, and how it tells a right answer from a wrong one.
 *
 * Each connection counts its requests; the number is the turn. A request depends
 * on its turn, so that an answer meant for another request or another connection is noticed.
 *
 * Echo: a piece of a random text, from a place that the turn names. Of a long answer each
 * piece is compared at its two ends, and each sixteenth answer in full: comparing
 * all would take the client longer than a server takes to echo it.
 *
 * HTTP: GET of one of some files in turn. Their answers have one length, which the first one
 * tells; after it, only the status and the number of bytes are looked at.
 */
#ifndef BENCH_LOAD_WORK_H
#define BENCH_LOAD_WORK_H

#include <stdbool.h>

#include "../common/measure.h"

enum {
    WORK_PLACES = 4096,
    WORK_ENDS = 64,
    WORK_PATH = 256,
};

struct work {
    char *text;                    /* echo: WORK_PLACES + answer bytes */
    char (*gets)[WORK_PATH + 128]; /* HTTP: a request for each file; NULL: it is an echo */
    uint32_t files;
    size_t answer; /* bytes of an answer; 0: not known yet */
};

BENCH_UNUSED static struct work work_echo(size_t size)
{
    struct work work = {.answer = size, .text = malloc(WORK_PLACES + size)};
    uint64_t random = 88172645463325252U;

    if (work.text == NULL)
        bench_die("out of memory");
    for (size_t i = 0; i < WORK_PLACES + size; i++)
        work.text[i] = (char)(bench_random(&random) >> 32);
    return work;
}

/* GET of path followed by 0, 1, ... files - 1; of path itself if files is 0. */
BENCH_UNUSED static struct work work_http(const char *path, uint32_t files)
{
    struct work work = {.files = files > 0 ? files : 1};

    if (strlen(path) >= WORK_PATH)
        bench_die("the path is longer than %d", WORK_PATH - 1);
    work.gets = calloc(work.files, sizeof *work.gets);
    if (work.gets == NULL)
        bench_die("out of memory");
    for (uint32_t i = 0; i < work.files; i++) {
        char number[16] = "";
        if (files > 0)
            snprintf(number, sizeof number, "%" PRIu32, i);
        snprintf(work.gets[i], sizeof *work.gets, "GET %s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path,
                 number);
    }
    return work;
}

BENCH_UNUSED static void work_free(struct work *work)
{
    free(work->text);
    free(work->gets);
}

/* Odd, so that all places come round. */
static inline const char *work_text(const struct work *work, uint32_t turn)
{
    return work->text + turn * 61 % WORK_PLACES;
}

static inline const char *work_request(const struct work *work, uint32_t turn, size_t *length)
{
    const char *get;

    if (work->gets == NULL) {
        *length = work->answer;
        return work_text(work, turn);
    }
    get = work->gets[turn % work->files];
    *length = strlen(get);
    return get;
}

/* Is this the piece of the answer that begins at offset? */
static inline bool work_check(const struct work *work, uint32_t turn, size_t offset, const char *bytes,
                              size_t count)
{
    const char *want;

    if (work->gets != NULL)
        return offset > 0 || count < 12 || memcmp(bytes, "HTTP/1.1 200", 12) == 0;
    want = work_text(work, turn) + offset;
    if (count <= 2 * WORK_ENDS || turn % 16 == 0)
        return memcmp(bytes, want, count) == 0;
    return memcmp(bytes, want, WORK_ENDS) == 0 &&
           memcmp(bytes + count - WORK_ENDS, want + count - WORK_ENDS, WORK_ENDS) == 0;
}

/* Finds out how long an answer is, from the beginning of one; leaves it unknown when that is too short. */
BENCH_UNUSED static void work_learn(struct work *work, char *bytes, size_t count)
{
    char *end, *length;

    bytes[count] = '\0';
    end = strstr(bytes, "\r\n\r\n");
    if (end == NULL)
        return;
    length = strcasestr(bytes, "\r\ncontent-length:");
    if (length == NULL || length > end)
        bench_die("the server's answer has no Content-Length");
    work->answer = (size_t)(end + 4 - bytes) + strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
}

#endif
