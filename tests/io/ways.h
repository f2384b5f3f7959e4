/*
 * Each way to write into a stream, for tests of what holds for all of them.
 *
 * Include it after io/pair.h and io/ends.h.
 */
#ifndef TESTS_IO_WAYS_H
#define TESTS_IO_WAYS_H

enum { WAY_PIECE = 5000, WAY_PIECES = 1000 };

static char way_data[WAY_PIECE];

static STAGE_UNUSED int way_write(tusk_stream *stream, int file)
{
    (void)file;
    return tusk_stream_write(stream, way_data, sizeof way_data);
}

static STAGE_UNUSED int way_writelines(tusk_stream *stream, int file)
{
    const struct iovec lines[] = {{way_data, 1000}, {way_data, 0}, {way_data, WAY_PIECE - 1000}};

    (void)file;
    return tusk_stream_writelines(stream, lines, 3);
}

static STAGE_UNUSED int way_print(tusk_stream *stream, int file)
{
    (void)file;
    return tusk_stream_print(stream, "%0*d", WAY_PIECE, 1);
}

static STAGE_UNUSED int way_sendfile(tusk_stream *stream, int file)
{
    int64_t sent = tusk_stream_sendfile(stream, file, 0, WAY_PIECE);

    return sent < 0 ? (int)sent : 0;
}

struct way {
    int (*write)(tusk_stream *stream, int file);
    tusk_stream *stream;
    int file;
};

/* 1 when it has written all: nothing has stopped it. */
static STAGE_UNUSED int way_go(void *arg)
{
    const struct way *way = arg;

    for (int i = 0; i < WAY_PIECES; i++)
        tusk_try(way->write(way->stream, way->file));
    return 1;
}

/* To a peer that does not read: whoever writes must wait, and little is kept meanwhile. */
static STAGE_UNUSED int ways_wait(int (*open)(struct pair *pair))
{
    static int (*const ways[])(tusk_stream *, int) = {way_write, way_writelines, way_print, way_sendfile};
    int file = open_file();

    expect_int(pwrite(file, way_data, sizeof way_data, 0), sizeof way_data);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct pair pair;
        struct way way = {.write = ways[i], .file = file};
        tusk_task *task;

        tusk_try(open(&pair));
        way.stream = pair.right;
        task = tusk_create_task(way_go, &way);
        tusk_try(tusk_sleep(1));
        expect(!tusk_future_done(task));
        expect(tusk_stream_get_write_buffer_size(pair.right) <= 2 * 65536);
        tusk_stream_abort(pair.right);
        expect(tusk_await(task) < 0);
        pair_close(&pair);
    }
    return tusk_close(file);
}

#endif
