/*
 * Subprocesses: their whole input and output at once.
 */
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <tusk/group.h>

#include "io/process.h"

/* The tasks keep their errors to themselves, so that the first one does not end the others. */
struct feed {
    tusk_stream *stream;
    const void *data;
    size_t size;
    int rc;
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
    struct feed *feed = arg;
    int rc = write_all(feed);

    if (rc == -ECANCELED)
        return rc;
    feed->rc = rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
    return 0;
}

struct collect {
    tusk_stream *stream;
    /* Or NULL: thrown away. */
    struct tusk_output *output;
    int rc;
};

static int append(struct tusk_output *output, size_t *capacity, const char *data, size_t size)
{
    if (output->size + size >= *capacity) {
        size_t larger = (output->size + size + 1) * 2;
        char *memory = realloc(output->data, larger);

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
    struct collect *collect = arg;

    collect->rc = read_all(collect);
    return collect->rc == -ECANCELED ? collect->rc : 0;
}

static int start(tusk_task_group *group, tusk_coro *coro, void *arg, const tusk_stream *stream)
{
    return !stream || tusk_task_group_create_task(group, coro, arg) ? 0 : tusk_last_error();
}

static int talk(tusk_process *process, struct feed *input, struct collect outputs[2])
{
    tusk_task_group group;
    int rc;

    tusk_try(tusk_task_group_enter(&group));
    rc = start(&group, feed, input, input->stream);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = start(&group, collect, &outputs[i], outputs[i].stream);
    tusk_try(tusk_task_group_exit(&group, rc));
    tusk_try(input->rc);
    tusk_try(outputs[0].rc);
    tusk_try(outputs[1].rc);
    return tusk_process_wait(process);
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
    rc = talk(process, &in, outs);
    if (rc >= 0)
        return 0;
    drop(ret_output);
    drop(ret_errors);
    return rc;
}
