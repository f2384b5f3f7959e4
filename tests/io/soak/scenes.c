/*
 * Scenes with a connection of their own.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "io/soak/soak.h"
#include "io/system.h"

static const struct tusk__system *sys(void)
{
    return tusk__system_of(tusk_get_running_loop());
}

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
        line.ends[0] =
            (struct end){.line = &line, .fd = ends[1], .out = &line.ways[0], .high = 65536, .limit = 65536};
        line.ends[1] =
            (struct end){.line = &line, .fd = ends[0], .in = &line.ways[0], .high = 65536, .limit = 65536};
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

/* Closes the number under a stream or under those who wait. A stream that was lost has no number. */
static void close_number(struct end *end)
{
    if (!end->closed && !(end->stream && tusk_stream_is_closing(end->stream)))
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
    count(nap());
    line.stops = chance(50);
    cut(&line);
    /* A writer whose peer has stopped reading, and the other way round. */
    if (chance(50))
        count(nap());
    end_close(&line.ends[0]);
    end_close(&line.ends[1]);
    line_wait(&line);
    /* Two streams that are closed and have both more to send than the other takes would wait for ever. */
    tusk_stream_abort(line.ends[0].stream);
    line_close(&line);
}

/* ---- what is left to the loop ---- */

/* Streams that nobody closes, with something to be sent, as who is cancelled leaves them. */
void play_forgetting(void)
{
    struct line line = {0};

    if (!soak.forgets || line_open(&line) < 0)
        return;
    for (int i = 0; i < 2; i++) {
        struct end *end = &line.ends[i];

        if (!end->stream)
            end_close(end);
        else if (chance(70))
            count(tusk_stream_write(end->stream, noise_at(0, 0), some_size(end->high)));
        if (end->stream && chance(20))
            tusk_stream_release(end->stream);
    }
}

/* ---- several writers of one stream ---- */

enum { WRITERS = 3, FRAME_MAX = 3000, LARGE_FRAME_MAX = 150000 };

struct frame {
    uint32_t size;
    uint32_t writer;
    uint32_t number;
};

struct writer {
    struct end *end;
    uint32_t index;
    uint32_t frames;
    size_t largest;
};

/* Frames of one writer come in their order, each in one piece. */
static int write_frames(void *arg)
{
    struct writer *writer = arg;

    for (uint32_t i = 0; i < writer->frames; i++) {
        struct frame frame = {(uint32_t)some_size(writer->largest), writer->index, i};
        struct iovec pieces[] = {{&frame, sizeof frame}, {(void *)noise_at(frame.writer, i), frame.size}};
        ssize_t rc;

        do
            rc = count(tusk_stream_writelines(writer->end->stream, pieces, 2));
        while (rc == -ECANCELED && tusk_task_uncancel(tusk_current_task()) >= 0);
        if (rc < 0)
            return (int)rc;
    }
    return 0;
}

static bool is_right(const struct frame *frame, const uint32_t next[WRITERS])
{
    return frame->size > 0 && frame->size <= LARGE_FRAME_MAX && frame->writer < WRITERS &&
           frame->number == next[frame->writer];
}

static int read_content(tusk_stream *stream, const struct frame *frame)
{
    char bytes[FRAME_MAX];
    const char *wanted = noise_at(frame->writer, frame->number);

    for (size_t done = 0; done < frame->size;) {
        size_t left = frame->size - done;
        ssize_t rc = count(tusk_stream_readexactly(stream, bytes, left < sizeof bytes ? left : sizeof bytes));

        if (rc < 0)
            return (int)rc;
        if (memcmp(bytes, wanted + done, (size_t)rc) != 0)
            complain("frame %u of writer %u was written over", frame->number, frame->writer);
        done += (size_t)rc;
    }
    return 0;
}

static int read_frame(tusk_stream *stream, uint32_t next[WRITERS])
{
    struct frame frame;
    ssize_t rc = count(tusk_stream_readexactly(stream, &frame, sizeof frame));

    if (rc < 0)
        return (int)rc;
    if (!is_right(&frame, next)) {
        complain("a frame that nobody wrote: size %u, writer %u, number %u", frame.size, frame.writer,
                 frame.number);
        return -EIO;
    }
    next[frame.writer]++;
    return read_content(stream, &frame);
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
        int rc = nap();

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
    /* What is larger than the mark may be sent in part when it is cancelled. */
    bool disturbs = line->ends[0].high > FRAME_MAX + sizeof(struct frame) && chance(50);
    size_t largest = disturbs || chance(50) ? FRAME_MAX : LARGE_FRAME_MAX;
    int rc;

    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&line->ends[0], i, (uint32_t)some_size(30), largest};
        tasks[i] = tusk_create_task(write_frames, &writers[i]);
    }
    let_begin();
    if (disturbs)
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
    if (line.ends[0].stream && line.ends[1].stream)
        write_together(&line);
    line_close(&line);
}

/* ---- several tasks at one descriptor ---- */

enum { CROWD = 4, LETTERS = 5000 };

struct crowd {
    int fds[2];
    size_t sent[CROWD];
    size_t received[CROWD];
    size_t begun;
    size_t gone;
};

/* Each writes a letter of his own, and who is last ends the half. */
static int write_letters(void *arg)
{
    struct crowd *crowd = arg;
    size_t index = crowd->begun++;
    size_t total = some_size(LETTERS);
    char letters[LETTERS];
    ssize_t rc = 0;

    memset(letters, (int)('a' + index), sizeof letters);
    while (crowd->sent[index] < total && rc >= 0) {
        rc = count(tusk_write(crowd->fds[0], letters, some_size(total - crowd->sent[index])));
        crowd->sent[index] += rc > 0 ? (size_t)rc : 0;
    }
    if (++crowd->gone == CROWD)
        sys()->shutdown(crowd->fds[0], SHUT_WR);
    return rc < 0 ? (int)rc : 0;
}

/* All of it goes to somebody. */
static int read_letters(void *arg)
{
    struct crowd *crowd = arg;
    char letters[LETTERS];
    ssize_t rc;

    while ((rc = count(tusk_read(crowd->fds[1], letters, some_size(sizeof letters)))) > 0)
        for (ssize_t i = 0; i < rc; i++)
            crowd->received[(letters[i] - 'a') & (CROWD - 1)]++;
    return (int)rc;
}

void play_crowd(void)
{
    struct crowd crowd = {0};
    tusk_task *tasks[2 * CROWD];

    if (soak.has_resets || tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, crowd.fds) < 0)
        return;
    for (int i = 0; i < 2 * CROWD; i++)
        tasks[i] = tusk_create_task(i % 2 ? read_letters : write_letters, &crowd);
    if (tusk_wait(tasks, 2 * CROWD, .timeout = soak.is_real ? 60 : 1000000) != 2 * CROWD)
        complain("a crowd hangs");
    tusk_close(crowd.fds[0]);
    tusk_close(crowd.fds[1]);
    for (int i = 0; i < 2 * CROWD; i++)
        count(tusk_await(tasks[i]));
    for (int i = 0; i < CROWD; i++)
        if (crowd.sent[i] != crowd.received[i])
            complain("letter %c: %zu sent, %zu received", 'a' + i, crowd.sent[i], crowd.received[i]);
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
