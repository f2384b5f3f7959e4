/*
 * Fuzzes readuntil: bytes that come in pieces, and separators, against the plainest search
 * there is. The input is:
 *
 *     a byte: how many separators, 1 to 3
 *     for each a byte, its length (1 to 4), and its bytes
 *     a byte: the size of the pieces in which the rest comes; and a byte: the limit
 *     the rest: what comes
 */
#include "fuzz/fuzz.h"

#include <sys/socket.h>
#include <tusk.h>

struct input {
    struct iovec separators[3];
    size_t count;
    size_t piece;
    size_t limit;
    const uint8_t *data;
    size_t size;
};

static uint8_t take(const uint8_t **at, const uint8_t *end)
{
    return *at < end ? *(*at)++ : 0;
}

static void parse(const uint8_t *data, size_t size, struct input *input)
{
    static uint8_t bytes[3][4];
    const uint8_t *end = data + size;

    memset(bytes, 0, sizeof bytes);
    input->count = 1 + take(&data, end) % 3u;
    for (size_t i = 0; i < input->count; i++) {
        size_t length = 1 + take(&data, end) % 4u;

        for (size_t j = 0; j < length; j++)
            bytes[i][j] = take(&data, end);
        input->separators[i] = (struct iovec){bytes[i], length};
    }
    input->piece = 1 + take(&data, end);
    input->limit = 1 + take(&data, end);
    input->data = data;
    input->size = (size_t)(end - data);
}

/* The length up to the end of the separator that ends first, of those the longest; 0: none is there. */
static size_t search(const struct input *input, size_t from, size_t *ret_start)
{
    for (size_t end = 1; from + end <= input->size; end++) {
        size_t longest = 0;

        for (size_t i = 0; i < input->count; i++) {
            size_t length = input->separators[i].iov_len;

            if (length <= end && length > longest &&
                memcmp(input->data + from + end - length, input->separators[i].iov_base, length) == 0)
                longest = length;
        }
        if (longest > 0) {
            *ret_start = end - longest;
            return end;
        }
    }
    return 0;
}

static tusk_stream *ends[2];

static int send_in_pieces(void *arg)
{
    const struct input *input = arg;

    for (size_t sent = 0; sent < input->size; sent += input->piece) {
        size_t size = input->size - sent < input->piece ? input->size - sent : input->piece;

        tusk_try(tusk_stream_write(ends[1], input->data + sent, size));
        tusk_try(tusk_sleep(0));
        tusk_try(tusk_sleep(0));
    }
    return tusk_stream_write_eof(ends[1]);
}

static int read_all(const struct input *input)
{
    size_t at = 0;

    for (;;) {
        const char *data = NULL;
        size_t start = 0;
        size_t wanted = search(input, at, &start);
        ssize_t rc = tusk_stream_readuntil_any(ends[0], input->separators, input->count, &data);

        if (rc > 0) {
            demand((size_t)rc == wanted && start <= input->limit);
            demand(memcmp(data, input->data + at, wanted) == 0);
            at += wanted;
        } else if (rc == TUSK_LIMIT_OVERRUN) {
            demand(wanted == 0 || start > input->limit);
            /* Nothing is lost: it can be read in another way. */
            demand(tusk_stream_peek(ends[0], 1, &data) > 0 && (uint8_t)*data == input->data[at]);
            demand(tusk_stream_consume(ends[0], 1) == 0);
            at++;
        } else {
            size_t left = tusk_stream_partial(ends[0]);

            demand(rc == TUSK_INCOMPLETE_READ && wanted == 0 && left == input->size - at);
            demand(left == 0 || memcmp(data, input->data + at, left) == 0);
            return 0;
        }
    }
}

static int check(void *arg)
{
    const struct input *input = arg;
    int fds[2];
    tusk_task *sender;
    int rc;

    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_stream(fds[0], &ends[0], .limit = input->limit));
    tusk_try(tusk_open_stream(fds[1], &ends[1]));
    sender = tusk_create_task(send_in_pieces, (void *)input);
    rc = read_all(input);
    demand(tusk_await(sender) == 0);
    tusk_stream_release(ends[0]);
    tusk_stream_release(ends[1]);
    return rc;
}

static void fuzz(const uint8_t *data, size_t size)
{
    struct input input;

    parse(data, size, &input);
    demand(tusk_run(check, &input) == 0);
}

#ifndef TUSK_LIBFUZZER
int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, CORPUS "/readuntil");
}
#endif
