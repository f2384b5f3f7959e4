/*
 * Streams: what is read, what is written, who waits, and how they end.
 */
#include "io/pair.h"

#include <fcntl.h>
#include <unistd.h>

#include "io/ends.h"
#include "io/ways.h"
#include "support/live.h"

/* ---- reading ---- */

static int read_what_is_there(void *arg)
{
    struct pair pair;
    char buffer[16];

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "hello, world"));
    expect_int(tusk_stream_read(pair.left, buffer, 5), 5);
    expect(memcmp(buffer, "hello", 5) == 0);
    expect_int(tusk_stream_read(pair.left, buffer, sizeof buffer), 7);
    expect(memcmp(buffer, ", world", 7) == 0);
    expect_int(tusk_stream_read(pair.left, buffer, 0), 0);
    tusk_stream_close(pair.right);
    expect(!tusk_stream_at_eof(pair.left));
    expect_int(tusk_stream_read(pair.left, buffer, 5), 0);
    expect_int(tusk_stream_read(pair.left, buffer, 5), 0);
    expect(tusk_stream_at_eof(pair.left));
    pair_close(&pair);
    return 0;
}

static void test_read(void **state)
{
    (void)state;
    play_quietly(read_what_is_there);
}

static int lines(void *arg)
{
    struct pair pair;
    const char *line;
    ssize_t length;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "one\n\nthree\nfour"));
    tusk_try(tusk_stream_write_eof(pair.right));
    length = tusk_stream_readline(pair.left, &line);
    expect_lent(line, length, "one\n");
    length = tusk_stream_readline(pair.left, &line);
    expect_lent(line, length, "\n");
    length = tusk_stream_readline(pair.left, &line);
    expect_lent(line, length, "three\n");
    length = tusk_stream_readline(pair.left, &line);
    expect_lent(line, length, "four");
    expect_int(tusk_stream_readline(pair.left, &line), 0);
    expect_int(tusk_stream_readline(pair.left, &line), 0);
    pair_close(&pair);
    return 0;
}

static void test_readline(void **state)
{
    (void)state;
    play_quietly(lines);
}

/* A line that comes byte by byte, with turns of the loop in between. */
static int send_slowly(void *arg)
{
    for (const char *at = "slow\nline\r\n\r\n"; *at; at++) {
        tusk_try(tusk_stream_write(arg, at, 1));
        tusk_try(tusk_sleep(0.1));
    }
    return 0;
}

static int slow_lines(void *arg)
{
    struct pair pair;
    const char *data;
    tusk_task *sender;
    ssize_t length;

    (void)arg;
    tusk_try(pair_open(&pair));
    sender = tusk_create_task(send_slowly, pair.right);
    length = tusk_stream_readline(pair.left, &data);
    expect_lent(data, length, "slow\n");
    length = tusk_stream_readuntil(pair.left, "\r\n\r\n", &data);
    expect_lent(data, length, "line\r\n\r\n");
    tusk_try(tusk_await(sender));
    pair_close(&pair);
    return 0;
}

static void test_slow_lines(void **state)
{
    (void)state;
    play_quietly(slow_lines);
}

static int several_separators(void *arg)
{
    const struct iovec separators[] = {{"\n", 1}, {"\r\n", 2}, {"END", 3}};
    struct pair pair;
    const char *data;
    ssize_t length;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "a\r\nbENDc\nrest"));
    tusk_try(tusk_stream_write_eof(pair.right));
    length = tusk_stream_readuntil_any(pair.left, separators, 3, &data);
    expect_lent(data, length, "a\r\n");
    length = tusk_stream_readuntil_any(pair.left, separators, 3, &data);
    expect_lent(data, length, "bEND");
    length = tusk_stream_readuntil_any(pair.left, separators, 3, &data);
    expect_lent(data, length, "c\n");
    expect_int(tusk_stream_readuntil_any(pair.left, separators, 3, &data), TUSK_INCOMPLETE_READ);
    expect_lent(data, (ssize_t)tusk_stream_partial(pair.left), "rest");
    expect_int(tusk_stream_readuntil_any(pair.left, separators, 3, &data), TUSK_INCOMPLETE_READ);
    expect_int(tusk_stream_partial(pair.left), 0);
    expect_int(tusk_stream_readuntil_any(pair.left, separators, 0, &data), -EINVAL);
    expect_int(tusk_stream_readuntil(pair.left, "", &data), -EINVAL);
    expect_int(tusk_stream_readuntil(pair.left, NULL, &data), -EINVAL);
    pair_close(&pair);
    return 0;
}

static void test_several_separators(void **state)
{
    (void)state;
    play_quietly(several_separators);
}

static int exactly(void *arg)
{
    struct pair pair;
    char buffer[8] = "";

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "12345678abc"));
    tusk_try(tusk_stream_write_eof(pair.right));
    expect_int(tusk_stream_readexactly(pair.left, buffer, 8), 8);
    expect(memcmp(buffer, "12345678", 8) == 0);
    expect_int(tusk_stream_readexactly(pair.left, buffer, 0), 0);
    expect_int(tusk_stream_readexactly(pair.left, buffer, 8), TUSK_INCOMPLETE_READ);
    expect_int(tusk_stream_partial(pair.left), 3);
    expect(memcmp(buffer, "abc", 3) == 0);
    pair_close(&pair);
    return 0;
}

static void test_readexactly(void **state)
{
    (void)state;
    play_quietly(exactly);
}

/* The bytes before the cancel are there for the next reader. */
static int cancelled_reader(void *arg)
{
    struct pair pair;
    tusk_timeout timeout;
    char buffer[10];
    const char *line;
    ssize_t rc;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "0123"));
    tusk_try(tusk_timeout_enter(&timeout, 1));
    rc = tusk_stream_readexactly(pair.left, buffer, sizeof buffer);
    expect_int(tusk_timeout_exit(&timeout, (int)rc), -ETIMEDOUT);
    tusk_try(send_text(pair.right, "45\n"));
    tusk_try(tusk_timeout_enter(&timeout, 1));
    rc = tusk_stream_readuntil(pair.left, "nothing", &line);
    expect_int(tusk_timeout_exit(&timeout, (int)rc), -ETIMEDOUT);
    rc = tusk_stream_readline(pair.left, &line);
    expect_lent(line, rc, "012345\n");
    pair_close(&pair);
    return 0;
}

static void test_a_cancelled_reader_loses_nothing(void **state)
{
    (void)state;
    play_quietly(cancelled_reader);
}

static int limits(void *arg)
{
    struct pair pair;
    const char *data;
    ssize_t length;
    static char long_line[100];

    (void)arg;
    memset(long_line, 'x', sizeof long_line);
    long_line[99] = '\n';
    tusk_try(pair_open_limited(&pair, 50));
    tusk_try(tusk_stream_write(pair.right, long_line, 100));
    tusk_try(send_text(pair.right, "short\n"));
    expect_int(tusk_stream_readuntil(pair.left, "\n", &data), TUSK_LIMIT_OVERRUN);
    expect_int(tusk_stream_readuntil(pair.left, "\n", &data), TUSK_LIMIT_OVERRUN);
    expect_int(tusk_stream_peek(pair.left, 51, &data), TUSK_LIMIT_OVERRUN);
    expect_text(tusk_message(), "a look at 51 bytes of a stream whose .limit is 50");
    expect(tusk_stream_peek(pair.left, 50, &data) >= 50);
    /* Its line is skipped, the next one is whole. */
    expect_int(tusk_stream_readline(pair.left, &data), TUSK_LIMIT_OVERRUN);
    length = tusk_stream_readline(pair.left, &data);
    expect_lent(data, length, "short\n");
    /* One of exactly the limit, without its end. */
    tusk_try(tusk_stream_write(pair.right, long_line + 49, 51));
    length = tusk_stream_readline(pair.left, &data);
    expect_int(length, 51);
    pair_close(&pair);
    return 0;
}

static void test_limits(void **state)
{
    (void)state;
    play_quietly(limits);
}

static int peeking(void *arg)
{
    struct pair pair;
    const char *data;
    ssize_t length;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "GET / HTTP/1.1"));
    length = tusk_stream_peek(pair.left, 3, &data);
    expect(length >= 3 && memcmp(data, "GET", 3) == 0);
    expect_int(tusk_stream_consume(pair.left, 4), 0);
    expect_int(tusk_stream_consume(pair.left, 11), -EINVAL);
    length = tusk_stream_peek(pair.left, 10, &data);
    expect_lent(data, length, "/ HTTP/1.1");
    tusk_try(tusk_stream_write_eof(pair.right));
    length = tusk_stream_peek(pair.left, 20, &data);
    expect_lent(data, length, "/ HTTP/1.1");
    expect_int(tusk_stream_consume(pair.left, 10), 0);
    expect_int(tusk_stream_peek(pair.left, 1, &data), 0);
    pair_close(&pair);
    return 0;
}

static void test_peek_and_consume(void **state)
{
    (void)state;
    play_quietly(peeking);
}

static int read_one(void *arg)
{
    char byte;

    return (int)tusk_stream_read(arg, &byte, 1);
}

static int two_readers(void *arg)
{
    struct pair pair;
    tusk_task *first;
    char byte;

    (void)arg;
    tusk_try(pair_open(&pair));
    first = tusk_create_task(read_one, pair.left);
    tusk_try(tusk_sleep(0));
    expect_int(tusk_stream_read(pair.left, &byte, 1), TUSK_INVALID_STATE);
    tusk_try(send_text(pair.right, "x"));
    expect_int(tusk_await(first), 1);
    pair_close(&pair);
    return 0;
}

static void test_one_reads_at_a_time(void **state)
{
    (void)state;
    play_quietly(two_readers);
}

static int read_line(void *arg)
{
    const char *line;

    return (int)tusk_stream_readline(arg, &line);
}

/* A second reader would take what the first one has looked at already. */
static int reader_with_a_part(void *arg)
{
    struct pair pair;
    tusk_task *first;
    char buffer[8];
    const char *data;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "abc"));
    first = tusk_create_task(read_line, pair.left);
    tusk_try(tusk_sleep(0.1));
    expect_int(tusk_stream_read(pair.left, buffer, sizeof buffer), TUSK_INVALID_STATE);
    expect_int(tusk_stream_peek(pair.left, 1, &data), TUSK_INVALID_STATE);
    expect_int(tusk_stream_consume(pair.left, 1), TUSK_INVALID_STATE);
    tusk_try(send_text(pair.right, "d\n"));
    expect_int(tusk_await(first), 5);
    pair_close(&pair);
    return 0;
}

static void test_a_part_belongs_to_its_reader(void **state)
{
    (void)state;
    play_quietly(reader_with_a_part);
}

static int close_with_input(void *arg)
{
    struct pair pair;
    char byte;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "one\ntwo\n"));
    expect_int(read_line(pair.left), 4);
    tusk_stream_close(pair.left);
    expect_int(tusk_stream_read(pair.left, &byte, 1), TUSK_STREAM_CLOSED);
    expect_int(read_line(pair.left), TUSK_STREAM_CLOSED);
    pair_close(&pair);
    return 0;
}

static void test_a_closed_stream_gives_nothing(void **state)
{
    (void)state;
    play_quietly(close_with_input);
}

/* Lines around the limit, at once and byte by byte. */
static int exact_limits(void *arg)
{
    enum { LIMIT = 50 };
    bool at_once = arg != NULL;

    for (size_t length = LIMIT - 1; length <= LIMIT + 2; length++) {
        struct pair pair;
        const char *line;
        char text[LIMIT + 4];
        ssize_t wanted = length <= LIMIT ? (ssize_t)length + 1 : TUSK_LIMIT_OVERRUN;
        tusk_task *reader;

        memset(text, 'x', sizeof text);
        text[length] = '\n';
        tusk_try(pair_open_limited(&pair, LIMIT));
        reader = tusk_create_task(read_line, pair.left);
        for (size_t i = 0; i <= length && !at_once; i++) {
            tusk_try(tusk_stream_write(pair.right, text + i, 1));
            tusk_try(tusk_sleep(0.1));
        }
        if (at_once)
            tusk_try(tusk_stream_write(pair.right, text, length + 1));
        expect_int(tusk_await(reader), wanted);
        /* readuntil leaves what is too long, up to its last byte. */
        tusk_try(tusk_stream_write(pair.right, text, length + 1));
        tusk_try(tusk_stream_write_eof(pair.right));
        if (wanted > 0 || at_once) {
            expect_int(tusk_stream_readuntil(pair.left, "\n", &line), wanted);
            expect_int(tusk_stream_peek(pair.left, LIMIT, &line), wanted > 0 ? 0 : (ssize_t)length + 1);
        }
        pair_close(&pair);
    }
    return 0;
}

static void test_limits_at_their_bytes(void **state)
{
    static int at_once;

    (void)state;
    assert_int_equal(play_with(exact_limits, &at_once, false), 0);
    assert_int_equal(play_with(exact_limits, NULL, false), 0);
}

/* ---- writing ---- */

enum { LARGE = 3000000 };

static char *pattern(size_t size, unsigned char first)
{
    char *data = malloc(size);

    for (size_t i = 0; i < size; i++)
        data[i] = (char)(first + i % 251);
    return data;
}

static int write_large(void *arg)
{
    char *data = pattern(LARGE, 1);
    int rc = tusk_stream_write(arg, data, LARGE);

    memset(data, 0, LARGE);
    free(data);
    return rc;
}

static int check_large(tusk_stream *stream)
{
    char *data = malloc(LARGE);
    char *wanted = pattern(LARGE, 1);
    ssize_t rc = tusk_stream_readexactly(stream, data, LARGE);

    expect_int(rc, LARGE);
    expect(memcmp(data, wanted, LARGE) == 0);
    free(data);
    free(wanted);
    return 0;
}

static int back_pressure(void *arg)
{
    struct pair pair;
    tusk_task *writer;

    (void)arg;
    tusk_try(pair_open(&pair));
    writer = tusk_create_task(write_large, pair.right);
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(writer));
    tusk_try(check_large(pair.left));
    tusk_try(tusk_await(writer));
    pair_close(&pair);
    return 0;
}

static void test_a_large_write_waits_for_its_reader(void **state)
{
    (void)state;
    play_quietly(back_pressure);
}

/* Small ones are kept up to the mark, and then they wait too. */
static int write_small_ones(void *arg)
{
    char data[1000];
    int count = 0;

    memset(data, 'x', sizeof data);
    while (count < 10000) {
        tusk_try(tusk_stream_write(arg, data, sizeof data));
        count++;
    }
    return count;
}

static int small_writes(void *arg)
{
    struct pair pair;
    tusk_task *writer;
    char buffer[4096];
    size_t total = 0;
    ssize_t rc;

    (void)arg;
    tusk_try(pair_open(&pair));
    writer = tusk_create_task(write_small_ones, pair.right);
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(writer));
    expect(tusk_stream_get_write_buffer_size(pair.right) <= 65536);
    expect(tusk_stream_get_write_buffer_size(pair.right) > 65536 - 1000);
    while (total < 10000000 && (rc = tusk_stream_read(pair.left, buffer, sizeof buffer)) > 0)
        total += (size_t)rc;
    expect_int(total, 10000000);
    expect_int(tusk_await(writer), 10000);
    expect_int(tusk_stream_get_write_buffer_size(pair.right), 0);
    pair_close(&pair);
    return 0;
}

static void test_small_writes_wait_above_the_mark(void **state)
{
    (void)state;
    play_quietly(small_writes);
}

static int every_way(void *arg)
{
    (void)arg;
    return ways_wait(pair_open);
}

static void test_every_way_of_writing_obeys_the_mark(void **state)
{
    (void)state;
    play_quietly(every_way);
}

struct author {
    tusk_stream *stream;
    char letter;
    size_t size;
};

static int write_letters(void *arg)
{
    const struct author *author = arg;
    char *data = malloc(author->size);
    int rc = 0;

    memset(data, author->letter, author->size);
    for (int i = 0; i < 20 && rc == 0; i++)
        rc = tusk_stream_write(author->stream, data, author->size);
    free(data);
    return rc;
}

/* Large and small ones at once: each call's bytes stay together. */
static int many_writers(void *arg)
{
    enum { WRITERS = 6 };
    static const size_t sizes[WRITERS] = {100000, 17, 5000, 200000, 70000, 1};
    struct pair pair;
    struct author authors[WRITERS];
    tusk_task *tasks[WRITERS];
    size_t total = 0;

    (void)arg;
    tusk_try(pair_open(&pair));
    for (int i = 0; i < WRITERS; i++) {
        authors[i] = (struct author){pair.right, (char)('a' + i), sizes[i]};
        tasks[i] = tusk_create_task(write_letters, &authors[i]);
        total += 20 * sizes[i];
    }
    while (total > 0) {
        char *data = malloc(200000);
        char letter;
        size_t size;

        expect_int(tusk_stream_readexactly(pair.left, &letter, 1), 1);
        size = letter >= 'a' && letter < 'a' + WRITERS ? sizes[letter - 'a'] : 0;
        expect(size > 0);
        if (size == 0)
            break;
        if (size > 1)
            expect_int(tusk_stream_readexactly(pair.left, data, size - 1), size - 1);
        for (size_t i = 0; i + 1 < size; i++)
            if (data[i] != letter) {
                expect(data[i] == letter);
                break;
            }
        total -= size;
        free(data);
    }
    tusk_try(tusk_await(tusk_gather(tasks, WRITERS)));
    pair_close(&pair);
    return 0;
}

static void test_writers_take_turns(void **state)
{
    (void)state;
    play_quietly(many_writers);
}

static int pieces(void *arg)
{
    enum { COUNT = 100 };
    struct pair pair;
    struct iovec data[COUNT];
    static char texts[COUNT][8];
    char buffer[COUNT * 8];
    const char *line;
    ssize_t length;
    size_t total = 0;

    (void)arg;
    tusk_try(pair_open(&pair));
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "%d,", i);
        /* Some are empty. */
        data[i] = (struct iovec){texts[i], i % 7 == 3 ? 0 : strlen(texts[i])};
        memcpy(buffer + total, texts[i], data[i].iov_len);
        total += data[i].iov_len;
    }
    tusk_try(tusk_stream_writelines(pair.right, data, COUNT));
    expect_int(tusk_stream_peek(pair.left, total, &line), total);
    expect(memcmp(line, buffer, total) == 0);
    tusk_try(tusk_stream_consume(pair.left, total));
    tusk_try(tusk_stream_print(pair.right, "%s %d %0600d\n", "x", 5, 7));
    length = tusk_stream_readline(pair.left, &line);
    expect_int(length, 4 + 600 + 1);
    expect(length > 4 && memcmp(line, "x 5 ", 4) == 0 && line[length - 2] == '7');
    expect_int(tusk_stream_writelines(pair.right, NULL, 1), -EINVAL);
    expect_int(tusk_stream_writelines(pair.right, NULL, 0), 0);
    expect_int(tusk_stream_write(pair.right, NULL, 5), -EINVAL);
    pair_close(&pair);
    return 0;
}

static void test_pieces(void **state)
{
    (void)state;
    play_quietly(pieces);
}

/* With a mark of 0 nothing is kept: a write is over when the system has it all. */
static int no_buffer(void *arg)
{
    struct pair pair;
    tusk_task *writer;

    (void)arg;
    tusk_try(pair_open(&pair));
    expect_int(tusk_stream_set_write_buffer_limits(pair.right, 1, 2), -EINVAL);
    expect_int(tusk_stream_set_write_buffer_limits(pair.right, 0, 0), 0);
    writer = tusk_create_task(write_small_ones, pair.right);
    tusk_try(tusk_sleep(1));
    expect_int(tusk_stream_get_write_buffer_size(pair.right), 0);
    expect(!tusk_future_done(writer));
    tusk_task_cancel(writer);
    expect_int(tusk_await(writer), -ECANCELED);
    pair_close(&pair);
    return 0;
}

static void test_no_buffer(void **state)
{
    (void)state;
    play_quietly(no_buffer);
}

/* Fills the stream and what is behind it, until so much is unsent. Returns how many bytes that took. */
static ssize_t stuff(tusk_stream *stream, size_t unsent)
{
    static const char filling[1000];
    ssize_t total = 0;

    while (tusk_stream_get_write_buffer_size(stream) < unsent) {
        tusk_try(tusk_stream_write(stream, filling, sizeof filling));
        total += (ssize_t)sizeof filling;
    }
    return total;
}

static int pass_over(tusk_stream *stream, ssize_t size)
{
    char buffer[1000];

    while (size > 0) {
        ssize_t count =
            tusk_stream_read(stream, buffer, (size_t)size < sizeof buffer ? (size_t)size : sizeof buffer);

        if (count <= 0)
            return count < 0 ? (int)count : -EPIPE;
        size -= count;
    }
    return 0;
}

static int write_sixty_as(void *arg)
{
    char data[60000];

    memset(data, 'A', sizeof data);
    return tusk_stream_write(arg, data, sizeof data);
}

static int write_b(void *arg)
{
    return tusk_stream_write(arg, "b", 1);
}

/* Small ones that come later do not pass a large one that waits. */
static int turns(void *arg)
{
    struct pair pair;
    tusk_task *tasks[2];
    char *data = malloc(60001);
    ssize_t filling;

    (void)arg;
    tusk_try(pair_open(&pair));
    filling = stuff(pair.right, 50000);
    tasks[0] = tusk_create_task(write_sixty_as, pair.right);
    tasks[1] = tusk_create_task(write_b, pair.right);
    tusk_try(tusk_sleep(1));
    expect(!tusk_future_done(tasks[0]) && !tusk_future_done(tasks[1]));
    tusk_try(pass_over(pair.left, filling));
    expect_int(tusk_stream_readexactly(pair.left, data, 60001), 60001);
    expect(data[0] == 'A' && data[59999] == 'A' && data[60000] == 'b');
    tusk_try(tusk_await(tusk_gather(tasks, 2)));
    free(data);
    pair_close(&pair);
    return 0;
}

static void test_nobody_is_overtaken(void **state)
{
    (void)state;
    play_quietly(turns);
}

/* A writer that waits for its turn was there before the end: it comes before it, or is cancelled. */
static int eof_behind_writers(void *arg)
{
    bool is_cancelled = arg != NULL;
    struct pair pair;
    tusk_task *large;
    tusk_task *small;
    char buffer[8];

    tusk_try(pair_open(&pair));
    large = tusk_create_task(write_large, pair.right);
    small = tusk_create_task(write_b, pair.right);
    tusk_try(tusk_sleep(1));
    tusk_try(tusk_stream_write_eof(pair.right));
    expect_int(send_text(pair.right, "late"), TUSK_INVALID_STATE);
    if (is_cancelled)
        tusk_task_cancel(small);
    tusk_try(check_large(pair.left));
    expect_int(tusk_await(small), is_cancelled ? -ECANCELED : 0);
    tusk_try(tusk_await(large));
    expect_int(tusk_stream_readexactly(pair.left, buffer, 2), TUSK_INCOMPLETE_READ);
    expect_int(tusk_stream_partial(pair.left), is_cancelled ? 0 : 1);
    pair_close(&pair);
    return 0;
}

static void test_the_end_comes_after_writers_that_wait(void **state)
{
    static int yes;

    (void)state;
    play_quietly(eof_behind_writers);
    assert_int_equal(play_with(eof_behind_writers, &yes, false), 0);
}

/* ---- ending ---- */

/* Reads or writes byte by byte, until something is wrong: who needs not wait makes way all the same. */
static int read_bytes(void *arg)
{
    char byte;
    ssize_t rc;

    while ((rc = tusk_stream_read(arg, &byte, 1)) == 1)
        ;
    return (int)rc;
}

static int write_bytes(void *arg)
{
    int rc;

    while ((rc = tusk_stream_write(arg, "x", 1)) == 0)
        ;
    return rc;
}

static int release_arg(void *arg)
{
    tusk_stream_release(arg);
    return 0;
}

static int release_under_busy_one(tusk_coro *coro)
{
    static const char text[300];
    struct pair pair;
    tusk_task *busy;

    tusk_try(pair_open(&pair));
    tusk_try(tusk_stream_write(pair.right, text, sizeof text));
    busy = tusk_create_task(coro, pair.left);
    tusk_try(tusk_await(tusk_create_task(release_arg, pair.left)));
    expect_int(tusk_await(busy), TUSK_STREAM_CLOSED);
    tusk_stream_release(pair.right);
    return 0;
}

static int release_under_busy_ones(void *arg)
{
    (void)arg;
    tusk_try(release_under_busy_one(read_bytes));
    return release_under_busy_one(write_bytes);
}

static void test_a_stream_released_under_a_busy_task(void **state)
{
    (void)state;
    play_quietly(release_under_busy_ones);
}

static int wait_closed(void *arg)
{
    return tusk_stream_wait_closed(arg);
}

static int drain(void *arg)
{
    return tusk_stream_drain(arg);
}

/* Released at every iteration of those who use it. */
static int release_under_all(void *arg)
{
    static tusk_coro *const calls[] = {read_line, write_large, write_b, drain, wait_closed, read_bytes};
    enum { CALLS = sizeof calls / sizeof calls[0] };

    (void)arg;
    /* Before, they would be given what is freed. */
    for (int steps = 1; steps < 8; steps++) {
        struct pair pair;
        tusk_task *tasks[CALLS];

        tusk_try(pair_open(&pair));
        tusk_try(tusk_stream_set_write_buffer_limits(pair.left, 65536, 0));
        expect(stuff(pair.left, 60000) > 0);
        tusk_try(tusk_stream_set_write_buffer_limits(pair.left, 100, 0));
        for (int i = 0; i < CALLS; i++)
            tasks[i] = tusk_create_task(calls[i], pair.left);
        for (int i = 0; i < steps; i++)
            tusk_try(tusk_sleep(0));
        if (steps % 2)
            tusk_stream_abort(pair.left);
        tusk_stream_release(pair.left);
        tusk_stream_release(pair.right);
        for (int i = 0; i < CALLS; i++)
            expect(tusk_await(tasks[i]) < 0);
    }
    return 0;
}

static void test_a_stream_released_under_everybody(void **state)
{
    (void)state;
    play_quietly(release_under_all);
}

/* What the peer has sent before it went can be read, though a write has failed. */
static int last_words(void *arg)
{
    int fds[2];
    struct pair pair;
    char buffer[16];
    const char *line;

    if (arg)
        tcp_pair(fds);
    else
        unix_pair(fds);
    tusk_try(tusk_open_stream(fds[0], &pair.left));
    tusk_try(tusk_open_stream(fds[1], &pair.right));
    /* One that is never read, so that TCP resets the connection. */
    tusk_try(send_text(pair.left, "unread"));
    tusk_try(tusk_sleep(0.1));
    tusk_try(send_text(pair.right, "go away\nplease"));
    tusk_stream_release(pair.right);
    while (send_text(pair.left, "x") == 0)
        tusk_try(tusk_sleep(0.1));
    expect(tusk_stream_is_closing(pair.left));
    expect_int(tusk_stream_readline(pair.left, &line), 8);
    expect(memcmp(line, "go away\n", 8) == 0);
    expect_int(tusk_stream_readexactly(pair.left, buffer, 6), 6);
    expect(memcmp(buffer, "please", 6) == 0);
    expect_int(tusk_stream_read(pair.left, buffer, 1), send_text(pair.left, "x"));
    expect(tusk_stream_wait_closed(pair.left) < 0);
    tusk_stream_release(pair.left);
    return 0;
}

static void test_the_last_words_of_a_peer(void **state)
{
    static int by_tcp;

    (void)state;
    play_quietly(last_words);
    assert_int_equal(play_with(last_words, &by_tcp, false), 0);
}

/* The same number is somebody else's by now: he is left alone. */
static int number_used_again(void *arg)
{
    struct pair pair;
    int others[2];
    char byte;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_close(pair.fds[0]);
    unix_pair(others);
    expect(others[0] == pair.fds[0] || others[1] == pair.fds[0]);
    tusk_try(tusk_sendall(others[0], "a", 1));
    tusk_try(tusk_sendall(others[1], "b", 1));
    expect_int(tusk_stream_read(pair.left, &byte, 1), -EBADF);
    expect_int(send_text(pair.left, "x"), -EBADF);
    pair_close(&pair);
    expect_int(tusk_recv(others[1], &byte, 1, 0), 1);
    expect(byte == 'a');
    expect_int(tusk_recv(others[0], &byte, 1, 0), 1);
    expect(byte == 'b');
    close_both(others);
    return 0;
}

static void test_a_number_that_is_used_again(void **state)
{
    (void)state;
    play_quietly(number_used_again);
}

static int half_closed(void *arg)
{
    struct pair pair;
    const char *line;
    ssize_t length;
    char byte;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "question"));
    expect(tusk_stream_can_write_eof(pair.right));
    tusk_try(tusk_stream_write_eof(pair.right));
    tusk_try(tusk_stream_write_eof(pair.right));
    expect_int(send_text(pair.right, "more"), TUSK_INVALID_STATE);
    length = tusk_stream_readline(pair.left, &line);
    expect_lent(line, length, "question");
    tusk_try(send_text(pair.left, "answer\n"));
    length = tusk_stream_readline(pair.right, &line);
    expect_lent(line, length, "answer\n");
    tusk_stream_close(pair.left);
    expect_int(tusk_stream_read(pair.right, &byte, 1), 0);
    pair_close(&pair);
    return 0;
}

static void test_half_closed(void **state)
{
    (void)state;
    play_quietly(half_closed);
}

/* What was written before the close arrives, all of it. */
static int close_with_rest(void *arg)
{
    struct pair pair;
    char *data = pattern(60000, 3);
    char *copy = malloc(600000);
    ssize_t rc;
    size_t total = 0;

    (void)arg;
    tusk_try(pair_open(&pair));
    while (tusk_stream_get_write_buffer_size(pair.right) == 0) {
        tusk_try(tusk_stream_write(pair.right, data, 60000));
        total += 60000;
    }
    tusk_stream_close(pair.right);
    expect(tusk_stream_is_closing(pair.right));
    expect(tusk_stream_get_write_buffer_size(pair.right) > 0);
    expect_int(send_text(pair.right, "x"), TUSK_STREAM_CLOSED);
    while (total > 0 && (rc = tusk_stream_readexactly(pair.left, copy, 60000)) == 60000) {
        expect(memcmp(copy, data, 60000) == 0);
        total -= 60000;
    }
    expect_int(total, 0);
    expect_int(tusk_stream_read(pair.left, copy, 1), 0);
    expect_int(tusk_stream_wait_closed(pair.right), 0);
    expect_int(tusk_stream_wait_closed(pair.left), TUSK_INVALID_STATE);
    free(data);
    free(copy);
    pair_close(&pair);
    return 0;
}

static void test_close_sends_the_rest(void **state)
{
    (void)state;
    play_quietly(close_with_rest);
}

static int close_under_reader(void *arg)
{
    struct pair pair;
    tusk_task *reader;

    (void)arg;
    tusk_try(pair_open(&pair));
    reader = tusk_create_task(read_one, pair.left);
    tusk_try(tusk_sleep(0));
    tusk_stream_close(pair.left);
    expect_int(tusk_await(reader), TUSK_STREAM_CLOSED);
    pair_close(&pair);
    return 0;
}

static void test_close_wakes_the_reader(void **state)
{
    (void)state;
    play_quietly(close_under_reader);
}

static int abort_under_writer(void *arg)
{
    struct pair pair;
    tusk_task *writer;
    char byte;

    (void)arg;
    tusk_try(pair_open(&pair));
    writer = tusk_create_task(write_large, pair.right);
    tusk_try(tusk_sleep(1));
    tusk_stream_abort(pair.right);
    tusk_stream_abort(pair.right);
    expect_int(tusk_await(writer), TUSK_STREAM_CLOSED);
    expect_int(tusk_stream_read(pair.right, &byte, 1), TUSK_STREAM_CLOSED);
    expect_int(tusk_stream_wait_closed(pair.right), 0);
    pair_close(&pair);
    return 0;
}

static void test_abort_wakes_the_writer(void **state)
{
    (void)state;
    play_quietly(abort_under_writer);
}

static int lost_connection(void *arg)
{
    struct pair pair;
    char byte;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_stream_abort(pair.left);
    expect_int(send_text(pair.right, "x"), -EPIPE);
    expect(tusk_stream_is_closing(pair.right));
    expect_int(send_text(pair.right, "x"), -EPIPE);
    expect_int(tusk_stream_read(pair.right, &byte, 1), -EPIPE);
    expect_int(tusk_stream_wait_closed(pair.right), -EPIPE);
    pair_close(&pair);
    return 0;
}

static void test_a_lost_connection(void **state)
{
    (void)state;
    play_quietly(lost_connection);
}

/* Somebody closes the descriptor behind the stream's back. */
static int stolen_descriptor(void *arg)
{
    struct pair pair;
    tusk_task *reader;

    (void)arg;
    tusk_try(pair_open(&pair));
    reader = tusk_create_task(read_one, pair.left);
    tusk_try(tusk_sleep(0));
    tusk_close(pair.fds[0]);
    expect_int(tusk_await(reader), -EBADF);
    pair_close(&pair);
    return 0;
}

static void test_a_descriptor_closed_under_the_stream(void **state)
{
    (void)state;
    play_quietly(stolen_descriptor);
}

static int release_with_rest(void *arg)
{
    struct pair pair;
    char *data = pattern(60000, 3);
    char *copy = malloc(60000);
    size_t total = 0;

    (void)arg;
    tusk_try(pair_open(&pair));
    while (tusk_stream_get_write_buffer_size(pair.right) == 0) {
        tusk_try(tusk_stream_write(pair.right, data, 60000));
        total += 60000;
    }
    tusk_stream_release(pair.right);
    for (; total > 0; total -= 60000)
        expect_int(tusk_stream_readexactly(pair.left, copy, 60000), 60000);
    expect_int(tusk_stream_read(pair.left, copy, 1), 0);
    tusk_stream_release(pair.left);
    tusk_stream_release(NULL);
    free(data);
    free(copy);
    return 0;
}

static void test_a_released_stream_sends_the_rest(void **state)
{
    (void)state;
    play_quietly(release_with_rest);
}

static int leave_open(void *arg)
{
    struct pair pair;
    char *data = pattern(60000, 3);

    (void)arg;
    tusk_try(pair_open(&pair));
    while (tusk_stream_get_write_buffer_size(pair.right) == 0)
        tusk_try(tusk_stream_write(pair.right, data, 60000));
    tusk_release(tusk_create_task(read_one, pair.right));
    free(data);
    return tusk_sleep(1);
}

static void test_streams_end_with_their_loop(void **state)
{
    (void)state;
    play_quietly(leave_open);
    assert_int_equal(play_with(leave_open, NULL, true), 0);
    assert_non_null(strstr(stage_reports, "A stream was never closed"));
}

/* ---- cancels anywhere ---- */

/*
 * A task writes numbered bytes in pieces of any size, another reads them in any way, and a third one cancels both
 * at any time. A write of no more than the high-water mark happens whole or not at all, and so does
 * each read.
 */
struct stream_of_bytes {
    tusk_stream *stream;
    uint64_t seed;
    uint32_t at;
    uint32_t end;
};

static char byte_at(uint32_t at)
{
    return (char)(at * 2654435761u >> 24);
}

static int write_numbered(void *arg)
{
    struct stream_of_bytes *bytes = arg;
    static char data[65536];

    while (bytes->at < bytes->end) {
        uint32_t most = live_random(&bytes->seed) % 4 ? 3000 : sizeof data;
        uint32_t size = 1 + (uint32_t)(live_random(&bytes->seed) % most);
        int rc;

        size = size < bytes->end - bytes->at ? size : bytes->end - bytes->at;
        for (uint32_t i = 0; i < size; i++)
            data[i] = byte_at(bytes->at + i);
        rc = tusk_stream_write(bytes->stream, data, size);
        if (rc == 0)
            bytes->at += size;
        else if (rc == -ECANCELED)
            tusk_task_uncancel(tusk_current_task());
        else
            return rc;
    }
    return tusk_stream_write_eof(bytes->stream);
}

static ssize_t read_somehow(struct stream_of_bytes *bytes, char *buffer, const char **ret_data)
{
    size_t size = 1 + (size_t)(live_random(&bytes->seed) % 20000);
    char separator[2] = {byte_at(bytes->at + (uint32_t)size), '\0'};
    ssize_t rc;

    *ret_data = buffer;
    switch (live_random(&bytes->seed) % 4) {
    case 0:
        return tusk_stream_read(bytes->stream, buffer, size);
    case 1:
        rc = tusk_stream_readexactly(bytes->stream, buffer, size);
        break;
    case 2:
        rc = tusk_stream_readuntil(bytes->stream, separator[0] ? separator : "x", ret_data);
        break;
    default:
        rc = tusk_stream_peek(bytes->stream, size, ret_data);
        return rc > 0 ? (tusk_stream_consume(bytes->stream, (size_t)rc) == 0 ? rc : -EIO) : rc;
    }
    return rc == TUSK_INCOMPLETE_READ ? (ssize_t)tusk_stream_partial(bytes->stream) : rc;
}

static int read_numbered(void *arg)
{
    struct stream_of_bytes *bytes = arg;
    static char buffer[20000];

    while (!tusk_stream_at_eof(bytes->stream)) {
        const char *data;
        ssize_t count = read_somehow(bytes, buffer, &data);
        bool is_right = true;

        if (count == -ECANCELED)
            tusk_task_uncancel(tusk_current_task());
        else if (count < 0)
            return (int)count;
        for (ssize_t i = 0; i < count; i++)
            is_right = is_right && data[i] == byte_at(bytes->at + (uint32_t)i);
        if (!is_right)
            return tusk_raise(-EIO, "wrong bytes after %u", bytes->at);
        bytes->at += count > 0 ? (uint32_t)count : 0;
    }
    return 0;
}

static int cancels_anywhere(void *arg)
{
    struct pair pair;
    uint64_t seed = *(uint64_t *)arg;
    struct stream_of_bytes out = {.seed = seed + 1, .end = (uint32_t)live_count(4000000, 1000000)};
    struct stream_of_bytes in = {.seed = seed + 2};
    tusk_task *tasks[2];

    tusk_try(pair_open(&pair));
    out.stream = pair.right;
    in.stream = pair.left;
    tasks[0] = tusk_create_task(write_numbered, &out);
    tasks[1] = tusk_create_task(read_numbered, &in);
    /* A task that was cancelled before its start would do nothing. */
    tusk_try(tusk_sleep(0));
    while (!tusk_future_done(tasks[1])) {
        int pause = (int)(live_random(&seed) % 5);

        if (live_random(&seed) % 3 == 0)
            tusk_task_cancel(tasks[live_random(&seed) % 2]);
        for (int i = 0; i < pause; i++)
            tusk_try(tusk_sleep(i == 3 ? 0.001 : 0));
    }
    expect_int(tusk_await(tasks[1]), 0);
    expect_int(in.at, out.end);
    tusk_stream_abort(pair.left);
    expect_int(tusk_await(tasks[0]), 0);
    pair_close(&pair);
    return 0;
}

static void test_cancels_anywhere(void **state)
{
    uint64_t seed = live_seed();

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(play_with(cancels_anywhere, &seed, false), 0);
        seed++;
    }
}

/* A task that is always ready does not keep the loop from looking at its descriptors. */
static int busy_beside_a_stream(void *arg)
{
    struct pair pair;
    tusk_task *reader;
    int turns = 0;

    (void)arg;
    tusk_try(pair_open(&pair));
    reader = tusk_create_task(read_one, pair.left);
    tusk_try(tusk_sleep(0));
    tusk_try(send_text(pair.right, "x"));
    while (!tusk_future_done(reader) && turns < 10000) {
        tusk_try(tusk_sleep(0));
        turns++;
    }
    expect(turns < 1000);
    expect_int(tusk_await(reader), 1);
    pair_close(&pair);
    return 0;
}

static void test_a_busy_virtual_clock(void **state)
{
    (void)state;
    play_quietly(busy_beside_a_stream);
}

/* ---- other things ---- */

static int knowing(void *arg)
{
    struct pair pair;
    struct sockaddr_storage address;
    size_t size = sizeof address;
    char text[64] = "x";
    int fd = -1;

    (void)arg;
    tusk_try(pair_open(&pair));
    expect_int(tusk_stream_get_extra_info(pair.left, "sockname", &address, &size), 0);
    expect_int(address.ss_family, AF_UNIX);
    size = sizeof fd;
    expect_int(tusk_stream_get_extra_info(pair.left, "fd", &fd, &size), 0);
    expect_int(fd, pair.fds[0]);
    size = 1;
    expect_int(tusk_stream_get_extra_info(pair.left, "fd", &fd, &size), -EINVAL);
    size = sizeof fd;
    expect_int(tusk_stream_get_extra_info(pair.left, "colour", &fd, &size), -ENOENT);
    expect_text(tusk_stream_peername(pair.left, text, sizeof text), "");
    pair_close(&pair);
    return 0;
}

static void test_extra_info(void **state)
{
    (void)state;
    play_quietly(knowing);
}

static int no_delay(int fd)
{
    int on = -1;
    socklen_t size = sizeof on;

    return ends_system()->getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0 ? on != 0 : -1;
}

/* A socket of the user's own, connected before it is a stream; a Unix socket has no such thing. */
static int nothing_is_held_back(void *arg)
{
    struct sockaddr_in address;
    int listener = tcp_listen(&address, 1);
    tusk_stream *stream;
    int fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    /* The simulated network has no such thing. */
    bool is_real = ends_system() == &tusk__system_real;
    int fds[2];

    (void)arg;
    expect_int(tusk_connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    expect(!is_real || no_delay(fd) == 0);
    tusk_try(tusk_open_stream(fd, &stream));
    expect(!is_real || no_delay(fd) == 1);
    tusk_stream_release(stream);
    unix_pair(fds);
    tusk_try(tusk_open_stream(fds[0], &stream));
    tusk_stream_release(stream);
    expect_int(tusk_close(fds[1]), 0);
    return tusk_close(listener);
}

static void test_a_tcp_socket_sends_at_once(void **state)
{
    (void)state;
    play_quietly(nothing_is_held_back);
}

static int pipes(void *arg)
{
    int ends[2];
    tusk_stream *reader;
    tusk_stream *writer;
    const char *line;
    ssize_t length;

    (void)arg;
    tusk_try(tusk_pipe(ends));
    tusk_try(tusk_open_stream(ends[0], &reader));
    tusk_try(tusk_open_stream(ends[1], &writer));
    tusk_try(send_text(writer, "through a pipe\n"));
    length = tusk_stream_readline(reader, &line);
    expect_lent(line, length, "through a pipe\n");
    tusk_try(tusk_stream_write_eof(writer));
    expect_int(tusk_stream_readline(reader, &line), 0);
    expect_int(tusk_stream_wait_closed(writer), 0);
    tusk_stream_release(writer);
    tusk_stream_release(reader);
    return 0;
}

static void test_pipes(void **state)
{
    (void)state;
    play_quietly(pipes);
}

/* The wrong side of a pipe: an error, and the right one goes on. */
static int wrong_sides(void *arg)
{
    int ends[2];
    tusk_stream *reader;
    tusk_stream *writer;
    char byte;

    (void)arg;
    tusk_try(tusk_pipe(ends));
    tusk_try(tusk_open_stream(ends[0], &reader));
    tusk_try(tusk_open_stream(ends[1], &writer));
    expect_int(send_text(reader, "x"), -EBADF);
    expect_int(tusk_stream_read(writer, &byte, 1), -EBADF);
    expect(!tusk_stream_is_closing(reader) && !tusk_stream_is_closing(writer));
    tusk_try(send_text(writer, "y"));
    expect_int(tusk_stream_read(reader, &byte, 1), 1);
    tusk_stream_release(writer);
    tusk_stream_release(reader);
    return 0;
}

static void test_wrong_sides(void **state)
{
    (void)state;
    play_quietly(wrong_sides);
}

/* Ends in blocking mode, as a shell gives them, stay so. */
static int blocking_pipes(void *arg)
{
    int ends[2];
    tusk_stream *reader;
    tusk_stream *writer;
    tusk_task *task;

    (void)arg;
    expect_int(pipe(ends), 0);
    tusk_try(tusk_open_stream(ends[0], &reader));
    tusk_try(tusk_open_stream(ends[1], &writer));
    task = tusk_create_task(write_large, writer);
    tusk_try(check_large(reader));
    tusk_try(tusk_await(task));
    expect(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK) && !(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
    tusk_stream_release(writer);
    expect_int(read_line(reader), 0);
    tusk_stream_release(reader);
    return 0;
}

static void test_blocking_pipes(void **state)
{
    (void)state;
    play_quietly(blocking_pipes);
}

static int misuse(void *arg)
{
    tusk_stream *stream;
    char byte;
    const char *data;
    int messages[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_DGRAM, 0, messages));
    expect_int(tusk_open_stream(messages[0], &stream), -EINVAL);
    close_both(messages);
    expect_int(tusk_open_stream(-1, &stream), -EBADF);
    expect_int(tusk_open_stream(999, &stream), -EBADF);
    expect_int(tusk_open_stream(0, NULL), -EINVAL);
    expect_int(tusk_stream_read(NULL, &byte, 1), -EINVAL);
    expect_int(tusk_stream_readexactly(NULL, &byte, 1), -EINVAL);
    expect_int(tusk_stream_readline(NULL, &data), -EINVAL);
    expect_int(tusk_stream_peek(NULL, 1, &data), -EINVAL);
    expect_int(tusk_stream_write(NULL, &byte, 1), -EINVAL);
    expect_int(tusk_stream_drain(NULL), -EINVAL);
    expect_int(tusk_stream_wait_closed(NULL), -EINVAL);
    tusk_stream_close(NULL);
    tusk_stream_abort(NULL);
    return 0;
}

static void test_misuse(void **state)
{
    (void)state;
    play_quietly(misuse);
}

/* Every allocation fails once: an error comes, and nothing is left. */
static int some_of_everything(void *arg)
{
    struct pair pair = {NULL, NULL, {-1, -1}};
    const char *line;
    ssize_t rc;

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fds));
    rc = tusk_open_stream(pair.fds[0], &pair.left);
    if (rc < 0)
        tusk_close(pair.fds[0]);
    if (rc == 0)
        rc = tusk_open_stream(pair.fds[1], &pair.right);
    if (rc < 0 && !pair.right)
        tusk_close(pair.fds[1]);
    if (rc == 0)
        rc = tusk_stream_print(pair.right, "%0700d\n", 1);
    if (rc == 0)
        rc = tusk_stream_readline(pair.left, &line);
    pair_close(&pair);
    return rc < 0 ? (int)rc : 0;
}

static void test_without_memory(void **state)
{
    int rc = -1;

    (void)state;
    for (long n = 1; rc < 0 && n < 1000; n++) {
        tusk__fail_after(n);
        rc = play(some_of_everything);
        tusk__fail_after(0);
        assert_true(rc == 0 || rc == -ENOMEM || rc == -EMFILE || rc == -ENOSPC);
    }
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_readline),
        cmocka_unit_test(test_slow_lines),
        cmocka_unit_test(test_several_separators),
        cmocka_unit_test(test_readexactly),
        cmocka_unit_test(test_a_cancelled_reader_loses_nothing),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_peek_and_consume),
        cmocka_unit_test(test_one_reads_at_a_time),
        cmocka_unit_test(test_a_part_belongs_to_its_reader),
        cmocka_unit_test(test_a_closed_stream_gives_nothing),
        cmocka_unit_test(test_limits_at_their_bytes),
        cmocka_unit_test(test_a_large_write_waits_for_its_reader),
        cmocka_unit_test(test_small_writes_wait_above_the_mark),
        cmocka_unit_test(test_every_way_of_writing_obeys_the_mark),
        cmocka_unit_test(test_writers_take_turns),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_no_buffer),
        cmocka_unit_test(test_nobody_is_overtaken),
        cmocka_unit_test(test_the_end_comes_after_writers_that_wait),
        cmocka_unit_test(test_a_stream_released_under_a_busy_task),
        cmocka_unit_test(test_a_stream_released_under_everybody),
        cmocka_unit_test(test_the_last_words_of_a_peer),
        cmocka_unit_test(test_a_number_that_is_used_again),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_close_sends_the_rest),
        cmocka_unit_test(test_close_wakes_the_reader),
        cmocka_unit_test(test_abort_wakes_the_writer),
        cmocka_unit_test(test_a_lost_connection),
        cmocka_unit_test(test_a_descriptor_closed_under_the_stream),
        cmocka_unit_test(test_a_released_stream_sends_the_rest),
        cmocka_unit_test(test_streams_end_with_their_loop),
        cmocka_unit_test(test_cancels_anywhere),
        cmocka_unit_test(test_a_busy_virtual_clock),
        cmocka_unit_test(test_extra_info),
        cmocka_unit_test(test_a_tcp_socket_sends_at_once),
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_wrong_sides),
        cmocka_unit_test(test_blocking_pipes),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
