/*
 * Scenes with a connection of their own.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "io/soak/soak.h"

/* ---- all arrives, whatever disturbs ---- */

/* Both directions, half-closed, with cancels. */
void play_complete(void)
{
    struct line line = {.half_closes = true};
    tusk_task *disturber = NULL;

    if (line_open(&line) < 0)
        return;
    line_start(&line, 3);
    if (chance(50))
        disturber = tusk_create_task(line_disturb, &line);
    line_wait(&line);
    line_check(&line, 0);
    line_check(&line, 1);
    line_close(&line);
    if (disturber)
        count(tusk_await(disturber));
}

/* The writer closes right behind its last byte: what is left goes out in the background. */
void play_one_way(void)
{
    struct line line = {0};
    int ends[2];

    if (chance(10) && tusk_pipe(ends) == 0) {
        line.ends[0] = (struct end){.line = &line, .fd = ends[1], .out = &line.ways[0], .high = 65536, .limit = 65536};
        line.ends[1] = (struct end){.line = &line, .fd = ends[0], .in = &line.ways[0], .high = 65536, .limit = 65536};
        line.ways[0].total = some_size(200000);
        for (int i = 0; i < 2; i++)
            if (tusk_open_stream(line.ends[i].fd, &line.ends[i].stream) < 0)
                complain("a pipe is no stream");
    } else if (line_open(&line) < 0) {
        return;
    }
    line_start(&line, 1);
    count(tusk_await(line.players[0]));
    line.players[0] = NULL;
    end_close(&line.ends[0]);
    line_wait(&line);
    line_check(&line, 0);
    line_close(&line);
}

/* ---- all that came is right, whenever it ends ---- */

static void cancel_all(struct line *line)
{
    line->stops = true;
    for (int i = 0; i < PLAYERS; i++)
        if (line->players[i])
            tusk_task_cancel(line->players[i]);
}

/* Closes the number under a stream or under those who wait. */
static void close_number(struct end *end)
{
    if (!end->closed)
        tusk_close(end->fd);
    end->closed = true;
}

static void cut(struct line *line)
{
    struct end *end = &line->ends[draw(2)];

    switch (draw(5)) {
    case 0:
        end_abort(end);
        break;
    case 1:
        end_close(end);
        break;
    case 2:
        close_number(end);
        break;
    case 3:
        end_close(&line->ends[0]);
        end_abort(&line->ends[1]);
        break;
    default:
        cancel_all(line);
    }
    count(0);
}

void play_cut(void)
{
    struct line line = {.half_closes = chance(50)};

    if (line_open(&line) < 0)
        return;
    line_start(&line, 3);
    count(tusk_sleep(some_time()));
    line.stops = chance(50);
    cut(&line);
    /* A writer whose peer has stopped reading, and the other way round. */
    if (chance(50))
        count(tusk_sleep(some_time()));
    end_close(&line.ends[0]);
    end_close(&line.ends[1]);
    line_wait(&line);
    /* Two streams that are closed and have both more to send than the other takes would wait for ever. */
    tusk_stream_abort(line.ends[0].stream);
    line_close(&line);
}

/* ---- several writers of one stream ---- */

enum { WRITERS = 3, FRAME_MAX = 3000 };

struct frame {
    uint32_t size;
    uint32_t writer;
    uint32_t number;
};

struct writer {
    struct end *end;
    uint32_t index;
    uint32_t frames;
};

/* Frames of one writer come in their order, each in one piece. */
static int write_frames(void *arg)
{
    struct writer *writer = arg;
    char bytes[sizeof(struct frame) + FRAME_MAX];

    for (uint32_t i = 0; i < writer->frames; i++) {
        struct frame frame = {(uint32_t)some_size(FRAME_MAX), writer->index, i};
        ssize_t rc;

        memcpy(bytes, &frame, sizeof frame);
        memcpy(bytes + sizeof frame, noise_at(frame.writer, frame.number), frame.size);
        do
            rc = count(tusk_stream_write(writer->end->stream, bytes, sizeof frame + frame.size));
        while (rc == -ECANCELED && tusk_task_uncancel(tusk_current_task()) >= 0);
        if (rc < 0)
            return (int)rc;
    }
    return 0;
}

static int read_frame(tusk_stream *stream, uint32_t next[WRITERS])
{
    struct frame frame;
    char bytes[FRAME_MAX];
    ssize_t rc = count(tusk_stream_readexactly(stream, &frame, sizeof frame));

    if (rc < 0)
        return (int)rc;
    if (frame.size == 0 || frame.size > FRAME_MAX || frame.writer >= WRITERS || frame.number != next[frame.writer]) {
        complain("a frame that nobody wrote: size %u, writer %u, number %u", frame.size, frame.writer, frame.number);
        return -EIO;
    }
    next[frame.writer]++;
    rc = count(tusk_stream_readexactly(stream, bytes, frame.size));
    if (rc > 0 && memcmp(bytes, noise_at(frame.writer, frame.number), frame.size) != 0)
        complain("frame %u of writer %u was written over", frame.number, frame.writer);
    return rc < 0 ? (int)rc : 0;
}

struct frame_reader {
    tusk_stream *stream;
    uint32_t next[WRITERS];
};

static int read_frames(void *arg)
{
    struct frame_reader *reader = arg;
    int rc;

    do
        rc = read_frame(reader->stream, reader->next);
    while (rc == 0);
    return rc;
}

static void disturb(tusk_task *const *tasks, size_t count)
{
    for (int i = 0; i < 10; i++) {
        int rc = tusk_sleep(some_time());

        if (rc == 0 && chance(50))
            tusk_task_cancel(tasks[draw(count)]);
    }
}

/* A cancel before it began would leave nothing to check. */
static void let_begin(void)
{
    for (int i = 0; i < 3; i++)
        count(tusk_sleep(0));
}

static void check_frames(const struct writer *writers, const struct frame_reader *reader, int rc)
{
    if (soak.has_resets)
        return;
    if (rc != TUSK_INCOMPLETE_READ)
        complain("the reader of frames ended with %s", tusk_strerror(rc));
    for (int i = 0; i < WRITERS; i++)
        if (reader->next[i] != writers[i].frames)
            complain("writer %d: %u frames of %u came", i, reader->next[i], writers[i].frames);
}

static void write_together(struct line *line)
{
    struct writer writers[WRITERS];
    struct frame_reader reader = {.stream = line->ends[1].stream};
    tusk_task *tasks[WRITERS];
    tusk_task *task = tusk_create_task(read_frames, &reader);
    int rc;

    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&line->ends[0], i, (uint32_t)some_size(30)};
        tasks[i] = tusk_create_task(write_frames, &writers[i]);
    }
    let_begin();
    if (chance(50))
        disturb(tasks, WRITERS);
    for (uint32_t i = 0; i < WRITERS; i++) {
        rc = (int)count(tusk_await(tasks[i]));
        if (rc < 0 && !soak.has_resets)
            complain("a writer of frames ended with %s", tusk_strerror(rc));
    }
    end_close(&line->ends[0]);
    rc = (int)count(tusk_await(task));
    check_frames(writers, &reader, rc);
}

void play_together(void)
{
    struct line line = {0};

    if (line_open(&line) < 0)
        return;
    /* What is larger than the mark may be sent in part when it is cancelled. */
    if (line.ends[0].stream && line.ends[1].stream && line.ends[0].high > FRAME_MAX + sizeof(struct frame))
        write_together(&line);
    line_close(&line);
}

/* ---- waiting for descriptors ---- */

struct ear {
    int fd;
    int calls;
};

/* It comes in each iteration, so a clock that waits for a quiet moment would stand still. */
static int on_readable(void *arg)
{
    struct ear *ear = arg;

    if (++ear->calls == 3)
        tusk_remove_reader(ear->fd);
    count(0);
    return 0;
}

/* Callbacks, and tasks that only look, beside each other. */
void play_waiting(void)
{
    struct ear ear = {0};
    int fds[2];
    char byte;

    if (soak.has_resets || tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return;
    if (count(tusk_poll_fd(fds[0], POLLOUT)) != POLLOUT)
        complain("a new socket is not writable");
    ear.fd = fds[1];
    count(tusk_add_reader(fds[1], on_readable, &ear));
    count(tusk_write(fds[0], "x", 1));
    if (!(count(tusk_poll_fd(fds[1], POLLIN)) & POLLIN))
        complain("poll_fd ended with nothing to read");
    /* A busy loop does not look in each iteration. */
    for (int i = 0; i < 1000 && ear.calls == 0; i++)
        count(tusk_sleep(0.001));
    if (ear.calls == 0)
        complain("the callback was not called");
    if (count(tusk_read(fds[1], &byte, 1)) != 1)
        complain("nothing to read");
    if (chance(50))
        tusk_remove_reader(fds[1]);
    tusk_close(fds[0]);
    if (count(tusk_read(fds[1], &byte, 1)) != 0)
        complain("no end");
    tusk_close(fds[1]);
}
