/*
 * queue: a message between two tasks. They send it to and fro over two queues, so each message wakes
 * a task that waits, and is a switch: nothing is gained by numbers.
 *
 * queue_stream/N: one task sends and one receives, with room for N.
 */
#include "program.h"

enum {
    WARM_UP = 100 * 1000,
    ROUNDS = 5 * 1000 * 1000,
};

struct stream {
    tusk_queue *out;
    tusk_queue *in;
    long rounds;
};

/* Takes each message out of one queue and puts it, plus one, into the other. */
static int relay(void *arg)
{
    const struct stream *stream = arg;

    for (long i = 0; i < stream->rounds; i++) {
        int64_t message = 0;
        tusk_try(tusk_queue_get(stream->in, &message));
        message++;
        tusk_try(tusk_queue_put(stream->out, &message));
    }
    return 0;
}

static double send_to_and_fro(long rounds)
{
    tusk_queue there = TUSK_QUEUE_INIT(int64_t, 0);
    tusk_queue back = TUSK_QUEUE_INIT(int64_t, 0);
    struct stream streams[] = {{&there, &back, rounds}, {&back, &there, rounds}};
    tusk_task *tasks[] = {tusk_create_task(relay, &streams[0]), tusk_create_task(relay, &streams[1])};
    int64_t message = 0;
    double start = bench_now();

    bench_check("put", tusk_queue_put(&there, &message));
    bench_check("gather", tusk_await(tusk_gather(tasks, 2)));
    double took = bench_now() - start;
    bench_check("get", tusk_queue_get(&there, &message));
    bench_expect("hops", message, 2 * (int64_t)rounds);
    bench_check("close", tusk_queue_close(&there));
    bench_check("close", tusk_queue_close(&back));
    return took * 1e9 / (2 * (double)rounds);
}

static int produce(void *arg)
{
    const struct stream *stream = arg;

    for (int64_t i = 0; i < stream->rounds; i++)
        tusk_try(tusk_queue_put(stream->out, &i));
    return 0;
}

static double send_through(size_t room, long rounds)
{
    tusk_queue queue = TUSK_QUEUE_INIT(int64_t, room);
    struct stream stream = {&queue, NULL, rounds};
    tusk_task *task = tusk_create_task(produce, &stream);
    int64_t sum = 0;
    double start = bench_now();

    for (long i = 0; i < rounds; i++) {
        int64_t message = 0;
        bench_check("get", tusk_queue_get(&queue, &message));
        sum += message;
    }
    double took = bench_now() - start;
    bench_check("await", tusk_await(task));
    bench_expect("sum of the messages", sum, (int64_t)rounds * (rounds - 1) / 2);
    bench_check("close", tusk_queue_close(&queue));
    return took * 1e9 / (double)rounds;
}

static int measure(void *arg)
{
    const long *repeats = arg;

    (void)send_to_and_fro(WARM_UP);
    for (long i = 0; i < *repeats; i++) {
        bench_report("queue", send_to_and_fro(ROUNDS), "ns");
        bench_report("queue_stream/1", send_through(1, ROUNDS), "ns");
        bench_report("queue_stream/64", send_through(64, ROUNDS), "ns");
    }
    return 0;
}

int main(int argc, char **argv)
{
    return bench_program(argc, argv, measure);
}
