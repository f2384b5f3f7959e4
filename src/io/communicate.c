/*
 * Subprocesses: their whole input and output at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tusk/group.h>

#include "base/mem.h"
#include "io/process.h"

/* What the tasks of one call share. */
struct talk {
    tusk_task_group group;
    /* The first error. */
    int error;
};

/* One failed: the others end, for a program whose output nobody reads would stand still. */
static int settle(struct talk *talk, int rc)
{
    if (rc >= 0 || rc == -ECANCELED)
        return rc;
    if (talk->error == 0)
        talk->error = rc;
    return tusk_task_group_cancel(&talk->group);
}

struct feed {
    struct talk *talk;
    tusk_stream *stream;
    const void *data;
    size_t size;
};

static int write_all(const struct feed *feed)
{
    int rc = 0;

    if (feed->size > 0)
        rc = tusk_stream_write(feed->stream, feed->data, feed->size);
    tusk_stream_close(feed->stream);
    return rc == 0 ? tusk_stream_wait_closed(feed->stream) : rc;
}

/* A program may end before it has read everything: that is its own affair. */
static int feed(void *arg)
{
    const struct feed *feed = arg;
    int rc = write_all(feed);

    return rc == -EPIPE || rc == -ECONNRESET ? 0 : settle(feed->talk, rc);
}

struct collect {
    struct talk *talk;
    tusk_stream *stream;
    /* Or NULL: thrown away. */
    struct tusk_output *output;
};

static int append(struct tusk_output *output, size_t *capacity, const char *data, size_t size)
{
    if (output->size + size >= *capacity) {
        size_t larger = (output->size + size + 1) * 2;
        char *memory = tusk__fail_now() ? NULL : realloc(output->data, larger);

        if (!memory)
            return -ENOMEM;
        output->data = memory;
        *capacity = larger;
    }
    memcpy(output->data + output->size, data, size);
    output->size += size;
    output->data[output->size] = '\0';
    return 0;
}

static int read_all(const struct collect *collect)
{
    size_t capacity = 0;
    const char *data;
    ssize_t count = 0;

    if (collect->output)
        tusk_try(append(collect->output, &capacity, "", 0));
    while ((count = tusk_stream_peek(collect->stream, 1, &data)) > 0) {
        if (collect->output)
            tusk_try(append(collect->output, &capacity, data, (size_t)count));
        tusk_try(tusk_stream_consume(collect->stream, (size_t)count));
    }
    return (int)count;
}

static int collect(void *arg)
{
    const struct collect *collect = arg;

    return settle(collect->talk, read_all(collect));
}

static int start(struct talk *talk, tusk_coro *coro, void *arg, const tusk_stream *stream)
{
    return !stream || tusk_task_group_create_task(&talk->group, coro, arg) ? 0 : tusk_last_error();
}

static int talk(tusk_process *process, struct feed *input, struct collect outputs[2])
{
    struct talk talk = {.error = 0};
    int rc;

    tusk_try(tusk_task_group_enter(&talk.group));
    input->talk = outputs[0].talk = outputs[1].talk = &talk;
    rc = start(&talk, feed, input, input->stream);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = start(&talk, collect, &outputs[i], outputs[i].stream);
    rc = tusk_task_group_exit(&talk.group, settle(&talk, rc));
    input->talk = outputs[0].talk = outputs[1].talk = NULL;
    if (rc < 0)
        return rc;
    return talk.error < 0 ? talk.error : tusk_process_wait(process);
}

/* The streams stay while tasks talk, also if the process is released meanwhile. */
static int talk_and_keep(tusk_process *process, struct feed *input, struct collect outputs[2])
{
    tusk_stream *streams[3] = {input->stream, outputs[0].stream, outputs[1].stream};
    int rc;

    tusk__process_retain(process);
    for (int i = 0; i < 3; i++)
        if (streams[i])
            tusk__stream_retain(streams[i]);
    rc = talk(process, input, outputs);
    for (int i = 0; i < 3; i++)
        if (streams[i])
            tusk__stream_unref(streams[i]);
    tusk__process_unref(process);
    return rc;
}

static void drop(struct tusk_output *output)
{
    if (!output)
        return;
    free(output->data);
    *output = (struct tusk_output){NULL, 0};
}

int tusk_process_communicate(tusk_process *process, const void *input, size_t size,
                             struct tusk_output *ret_output, struct tusk_output *ret_errors)
{
    struct feed in = {.stream = tusk_process_stdin(process), .data = input, .size = size};
    struct collect outs[2] = {{.stream = tusk_process_stdout(process), .output = ret_output},
                              {.stream = tusk_process_stderr(process), .output = ret_errors}};
    int rc;

    if (!process || (size > 0 && (!input || !in.stream)))
        return -EINVAL;
    for (int i = 0; i < 2; i++)
        if (outs[i].output)
            *outs[i].output = (struct tusk_output){NULL, 0};
    rc = talk_and_keep(process, &in, outs);
    if (rc >= 0)
        return 0;
    drop(ret_output);
    drop(ret_errors);
    return rc;
}
