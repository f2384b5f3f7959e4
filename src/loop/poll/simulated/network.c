#include "loop/poll/simulated/network.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "loop/poll/backends.h"

/* Without a seed: what a quick machine has between two processes. */
enum { DELAY = 20000, BUFFER = 1 << 18 };

/* With one: from nothing to a millisecond, and from the least that a system gives. */
enum { DELAY_MAX = 1000000, BUFFER_MIN = 4096, BUFFER_MAX = 1 << 16 };

struct tusk__simulated_options tusk__simulated_defaults(uint64_t seed)
{
    if (seed == 0)
        return (struct tusk__simulated_options){.min_delay = DELAY,
                                                .max_delay = DELAY,
                                                .instant_unix = true,
                                                .min_buffer = BUFFER,
                                                .max_buffer = BUFFER};
    return (struct tusk__simulated_options){
        .seed = seed,
        .max_delay = DELAY_MAX,
        .min_buffer = BUFFER_MIN,
        .max_buffer = BUFFER_MAX,
        .short_reads = 100,
        .short_writes = 100,
        .haste = 100,
        .repeats = 20,
    };
}

static bool is_share(int thousandths)
{
    return thousandths >= 0 && thousandths <= 1000;
}

static bool make_sense(const struct tusk__simulated_options *options)
{
    return options->min_delay >= 0 && options->max_delay >= options->min_delay &&
           options->max_delay < TUSK__HORIZON / 1024 && options->min_buffer > 0 &&
           options->max_buffer >= options->min_buffer && options->max_buffer <= (size_t)1 << 30 &&
           is_share(options->short_reads) && is_share(options->short_writes) && is_share(options->haste) &&
           is_share(options->repeats) && is_share(options->resets) && is_share(options->losses) &&
           is_share(options->duplicates) && is_share(options->reorders);
}

int tusk__simulated_configure(struct tusk__poller *poller, const struct tusk__simulated_options *options)
{
    struct tusk__sim_network *network = poller->state;

    if (poller->backend != &tusk__poll_simulated || !make_sense(options))
        return -EINVAL;
    network->options = *options;
    network->random = options->seed;
    network->configured = true;
    return 0;
}

size_t tusk__simulated_count(const struct tusk__poller *poller)
{
    const struct tusk__sim_network *network = poller->state;

    return poller->backend == &tusk__poll_simulated ? network->count : 0;
}

/* ---- time ---- */

int64_t tusk__sim_now(const struct tusk__sim_network *network)
{
    struct tusk__poller *poller = network->poller;

    return poller->clock ? poller->clock(poller) : tusk__clock_ns();
}

static void run(void *arg, struct tusk__handle *handle)
{
    (void)arg;
    handle->run(handle);
}

void tusk__sim_advance(struct tusk__sim_network *network)
{
    int64_t now;

    if (!network->started)
        return;
    now = tusk__sim_now(network);
    /* What happens may bring about something else that is due already. */
    while (tusk__wheel_bound(&network->wheel) <= now)
        tusk__wheel_advance(&network->wheel, now, run, NULL);
}

void tusk__sim_start_at(struct tusk__sim_network *network, struct tusk__timer *timer, int64_t when)
{
    tusk__sim_stop(network, timer);
    timer->when = when;
    tusk__wheel_insert(&network->wheel, timer);
}

void tusk__sim_stop(struct tusk__sim_network *network, struct tusk__timer *timer)
{
    if (tusk__timer_pending(timer))
        tusk__wheel_remove(&network->wheel, timer);
}

void tusk__sim_fire(struct tusk__sim_network *network, struct tusk__timer *timer)
{
    if (!tusk__timer_pending(timer))
        return;
    tusk__wheel_remove(&network->wheel, timer);
    timer->handle.run(&timer->handle);
}

/* ---- chance ---- */

/* splitmix64: any seed will do. */
static uint64_t next(struct tusk__sim_network *network)
{
    uint64_t value = network->random += 0x9e3779b97f4a7c15U;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9U;
    value = (value ^ value >> 27) * 0x94d049bb133111ebU;
    return value ^ value >> 31;
}

uint64_t tusk__sim_draw(struct tusk__sim_network *network, uint64_t count)
{
    return network->options.seed && count > 1 ? next(network) % count : 0;
}

bool tusk__sim_chance(struct tusk__sim_network *network, int thousandths)
{
    return thousandths > 0 && network->options.seed && next(network) % 1000 < (uint64_t)thousandths;
}

/* One in four things is there at once. */
int64_t tusk__sim_delay(struct tusk__sim_network *network)
{
    const struct tusk__simulated_options *options = &network->options;
    uint64_t range = (uint64_t)(options->max_delay - options->min_delay);

    if (tusk__sim_draw(network, 4) == 0)
        return options->min_delay;
    return options->min_delay + (int64_t)tusk__sim_draw(network, range + 1);
}

/* Small ones are as likely as large ones. */
size_t tusk__sim_buffer_size(struct tusk__sim_network *network)
{
    size_t size = network->options.max_buffer;
    size_t least = network->options.min_buffer;

    while (size / 2 >= least && tusk__sim_draw(network, 8) != 0)
        size /= 2;
    return size - (size_t)tusk__sim_draw(network, (size - least) / 2 + 1);
}
