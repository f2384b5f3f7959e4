/*
 * Two streams whose ends are each other's peer, for the tests of what is made on
 * streams.
 */
#ifndef TESTS_IO_PAIR_H
#define TESTS_IO_PAIR_H

#include "task/stage.h"

#include <sys/socket.h>

struct pair {
    tusk_stream *left;
    tusk_stream *right;
    int fds[2];
};

/* Two connected streams, the left one with this limit. */
static STAGE_UNUSED int pair_open_limited(struct pair *pair, size_t limit)
{
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, pair->fds));
    tusk_try(tusk_open_stream(pair->fds[0], &pair->left, .limit = limit));
    return tusk_open_stream(pair->fds[1], &pair->right);
}

static STAGE_UNUSED int pair_open(struct pair *pair)
{
    return pair_open_limited(pair, 0);
}

static STAGE_UNUSED void pair_close(struct pair *pair)
{
    tusk_stream_release(pair->left);
    tusk_stream_release(pair->right);
}

static STAGE_UNUSED int send_text(tusk_stream *stream, const char *text)
{
    return tusk_stream_write(stream, text, strlen(text));
}

/* The data that was lent is this text. */
#define expect_lent(data, length, wanted)                                                                    \
    do {                                                                                                     \
        char lent_copy[256] = "";                                                                            \
        ssize_t lent_length = (length);                                                                      \
        expect_int(lent_length, strlen(wanted));                                                             \
        if (lent_length > 0 && lent_length < (ssize_t)sizeof lent_copy)                                      \
            memcpy(lent_copy, (data), (size_t)lent_length);                                                  \
        expect_text(lent_copy, (wanted));                                                                    \
    } while (0)

#endif
