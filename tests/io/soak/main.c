#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "io/io.h"
#include "io/soak/soak.h"
#include "loop/poll/simulated.h"
#include "support/live.h"

/* What ctest takes for "cannot run here". */
enum { SKIPPED = 77 };

/* The noise repeats itself after so many bytes, a prime: two offsets that look alike are far from each other. */
enum { NOISE = 65521 };

enum { TASKS_MAX = 200, ROUND = 20000 };

struct soak soak;

/* ---- chance ---- */

uint64_t draw(uint64_t count)
{
    return count > 1 ? live_random(&soak.random) % count : 0;
}

bool chance(unsigned percent)
{
    return draw(100) < percent;
}

size_t some_size(size_t max)
{
    size_t size = 1;

    if (max == 0)
        return 0;
    while (size < max && draw(4) != 0)
        size *= 4;
    size = 1 + (size_t)draw(size * 4);
    return size < max ? size : max;
}

double some_time(void)
{
    double time = soak.is_real ? 1e-6 : 1e-7;

    while (time < 2e-3 && chance(70))
        time *= 3;
    return time;
}

int nap(void)
{
    int rc = 0;

    if (chance(50))
        return tusk_sleep(some_time());
    for (uint64_t i = 1 + draw(30); rc == 0 && i > 0; i--)
        rc = tusk_sleep(0);
    return rc;
}

ssize_t count(ssize_t rc)
{
    soak.operations++;
    soak.trace = soak.trace * 31 + (uint64_t)rc;
    return rc;
}

/* ---- noise ---- */

static char noise[NOISE + PIECE_MAX];

void noise_make(void)
{
    uint64_t seed = 1;

    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = i < NOISE ? (char)live_random(&seed) : noise[i - NOISE];
}

const char *noise_at(uint32_t key, size_t offset)
{
    return noise + ((size_t)key * 7919 + offset) % NOISE;
}

off_t noise_offset(const char *data)
{
    return (off_t)(data - noise);
}

static void noise_to_file(void)
{
    char path[] = "/tmp/tusk-soak-XXXXXX";

    soak.file = mkstemp(path);
    if (soak.file < 0 || write(soak.file, noise, sizeof noise) != (ssize_t)sizeof noise)
        complain("no file");
    unlink(path);
}

/* ---- complaints ---- */

static uint64_t round_number;
static uint64_t round_seed;

void complain(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "round %llu, operation %llu: ", (unsigned long long)round_number,
            (unsigned long long)soak.operations);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    soak.failures++;
    if (soak.failures >= 20)
        abort();
}

/* Hints of debug mode that this program deserves. */
static bool is_deserved(const char *message)
{
    return strncmp(message, "Executing a ", 12) == 0 ||
           strncmp(message, "Task swallowed a cancel", 23) == 0 || strncmp(message, "Task ended ", 11) == 0 ||
           (soak.forgets && strcmp(message, "A stream was never closed") == 0);
}

static int hear_report(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    if (!is_deserved(context->message))
        complain("reported: %s (%s): %s", context->message, context->task_name ? context->task_name : "-",
                 context->error_message ? context->error_message : tusk_strerror(context->error));
    return 0;
}

/* ---- a round ---- */

static void (*const scenes[])(void) = {
    play_complete, play_complete, play_complete, play_one_way,    play_one_way,    play_cut,
    play_cut,      play_together, play_server,   play_connecting, play_messages,   play_waiting,
    play_server,   play_crowd,    play_mirror,   play_own_server, play_forgetting,
};

static int play_scenes(void *arg)
{
    (void)arg;
    while (soak.operations < soak.limit) {
        if (soak.has_tls && chance(20))
            play_secure();
        else
            scenes[draw(sizeof scenes / sizeof scenes[0])]();
        soak.scenes++;
        count(tusk_sleep(0));
    }
    return 0;
}

static int play_all_scenes(void)
{
    tusk_task *tasks[TASKS_MAX];
    size_t total = some_size(TASKS_MAX);
    int rc = 0;

    for (size_t i = 0; i < total; i++)
        tasks[i] = tusk_create_task(play_scenes, NULL);
    for (size_t i = 0; i < total; i++) {
        int ended = tusk_await(tasks[i]);

        rc = rc < 0 ? rc : ended;
    }
    return rc;
}

/* Streams that were released send what is left in the background. */
static void wait_for_streams(const struct tusk__io *io)
{
    for (int i = 0; i < 1000 && io->closables; i++)
        count(tusk_sleep(0.1));
    if (io->closables)
        complain("streams are left");
}

static void check_loop(const struct tusk_loop *loop)
{
    const struct tusk__io *io = loop->io;

    for (size_t i = 0; i < io->table_size; i++)
        if (io->table[i])
            complain("descriptor %zu is still known", i);
    if (tusk__slab_in_use(&io->descriptors) != 0)
        complain("%zu records of descriptors are left", tusk__slab_in_use(&io->descriptors));
    if (loop->listeners != 0)
        complain("%zu listeners are left", loop->listeners);
    if (loop->poller.watched != 0)
        complain("%zu descriptors are still watched", loop->poller.watched);
    if (tusk__simulated_count(&loop->poller) != 0)
        complain("%zu simulated sockets are left", tusk__simulated_count(&loop->poller));
}

/* Ports and buffers as they come, resets in every fourth round. */
static void set_up_network(struct tusk__poller *poller)
{
    struct tusk__simulated_options options = tusk__simulated_defaults(1 + draw(UINT32_MAX));

    soak.has_resets = false;
    if (soak.is_real)
        return;
    options.max_delay = (int64_t)some_size(5000000);
    options.min_buffer = 1 + draw(100);
    options.max_buffer = options.min_buffer + some_size(300000);
    options.short_reads = (int)draw(300);
    options.short_writes = (int)draw(300);
    options.haste = (int)draw(300);
    options.repeats = (int)draw(100);
    soak.has_resets = chance(25);
    options.resets = soak.has_resets ? (int)draw(20) : 0;
    if (tusk__simulated_configure(poller, &options) < 0)
        complain("options that make no sense");
}

static int start_servers(tusk_server *servers[2])
{
    static char path[64];

    snprintf(path, sizeof path, "@tusk-soak-%d-%llu", (int)getpid(), (unsigned long long)round_number);
    tusk_try(tusk_start_server(serve, NULL, "127.0.0.1", 0, &servers[0]));
    soak.port = tusk_server_port(servers[0]);
    soak.path = tusk_start_unix_server(serve, NULL, path, &servers[1]) == 0 ? path : NULL;
    return 0;
}

static void stop_servers(tusk_server *servers[2])
{
    int rc;

    for (int i = 0; i < 2; i++) {
        if (!servers[i])
            continue;
        rc = tusk_server_drain(servers[i], 60);
        if (rc != 0)
            complain("clients are left: %d", rc);
        tusk_server_release(servers[i]);
    }
}

static int play_round(void *arg)
{
    struct tusk_loop *loop = tusk_get_running_loop();
    tusk_server *servers[2] = {NULL, NULL};
    int rc;

    (void)arg;
    tusk_loop_set_exception_handler(loop, hear_report, NULL);
    set_up_network(&loop->poller);
    rc = start_servers(servers);
    if (rc < 0)
        return rc;
    if (soak.has_tls)
        secure_open();
    rc = play_all_scenes();
    stop_servers(servers);
    secure_close();
    if (soak.forgets)
        return rc;
    wait_for_streams(loop->io);
    tusk_detach(soak.file);
    check_loop(loop);
    return rc;
}

static bool play(const char *poller, uint64_t number, uint64_t seed)
{
    size_t live;
    int descriptors;
    int rc;

    libkqueue_warm_up(poller);
    live = tusk__live();
    descriptors = live_descriptors();
    round_number = number;
    round_seed = seed + number * 0x9e3779b97f4a7c15U;
    soak.random = round_seed;
    soak.forgets = chance(10);
    rc = tusk_run(play_round, NULL, .poller = poller, .debug = chance(12),
                  .clock = soak.is_real ? TUSK_CLOCK_REAL : TUSK_CLOCK_VIRTUAL,
                  .schedule_seed = chance(70) ? 1 + draw(UINT32_MAX) : 0);
    if (rc < 0)
        complain("the round ended with %s", tusk_strerror(rc));
    if (tusk__live() != live)
        complain("%zu blocks before the round, %zu after it", live, tusk__live());
    if (live_descriptors() != descriptors)
        complain("%d descriptors before the round, %d after it", descriptors, live_descriptors());
    return soak.failures == 0;
}

/* ---- the program ---- */

struct settings {
    const char *poller;
    uint64_t seed;
    uint64_t operations;
    /* Only this round; UINT64_MAX: all. */
    uint64_t round;
};

static int usage(void)
{
    fprintf(stderr, "usage: soak [--seed N] [--operations N] [--poller NAME] [--round N] [--tls]\n"
                    "  --poller   simulated (at first), epoll, poll ...\n"
                    "  --round    only this one, as a failure named it\n"
                    "  --tls      some connections are inside of TLS\n");
    return 2;
}

static bool parse(int argc, char **argv, struct settings *settings)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},   {"operations", required_argument, NULL, 'o'},
        {"poller", required_argument, NULL, 'p'}, {"round", required_argument, NULL, 'r'},
        {"tls", no_argument, NULL, 't'},          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 's')
            settings->seed = strtoull(optarg, NULL, 0);
        else if (option == 'o')
            settings->operations = strtoull(optarg, NULL, 0);
        else if (option == 'p')
            settings->poller = optarg;
        else if (option == 'r')
            settings->round = strtoull(optarg, NULL, 0);
        else if (option == 't')
            soak.has_tls = true;
        else
            return false;
    }
    return optind == argc;
}

static bool soak_for(const struct settings *settings)
{
    uint64_t first = settings->round == UINT64_MAX ? 0 : settings->round;

    for (uint64_t i = first; soak.operations < settings->operations; i++) {
        soak.limit = soak.operations + ROUND;
        if (!play(settings->poller, i, settings->seed)) {
            fprintf(stderr, "soak --poller %s --seed %llu --round %llu%s\n", settings->poller,
                    (unsigned long long)settings->seed, (unsigned long long)i, soak.has_tls ? " --tls" : "");
            return false;
        }
        if (settings->round != UINT64_MAX)
            break;
    }
    return true;
}

static bool has_poller(const char *name)
{
    tusk_loop *loop = tusk_new_event_loop(.poller = name);
    /* Another one takes the place of one that is forbidden. */
    bool is_there = loop && strcmp(tusk_loop_poller(loop), name) == 0;

    if (!is_there)
        printf("this system has no poller %s\n", name);
    tusk_loop_close(loop);
    return is_there;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .poller = "simulated", .operations = (uint64_t)live_count(200000, 20000), .round = UINT64_MAX};
    int64_t begun = tusk__clock_ns();

    settings.seed = live_seed();
    if (!parse(argc, argv, &settings))
        return usage();
    soak.is_real = strcmp(settings.poller, "simulated") != 0;
    printf("soak --poller %s --seed %llu --operations %llu\n", settings.poller,
           (unsigned long long)settings.seed, (unsigned long long)settings.operations);
    fflush(stdout);
    if (!has_poller(settings.poller))
        return SKIPPED;
    noise_make();
    noise_to_file();
    if (soak.has_tls)
        secure_prepare();
    if (!soak_for(&settings))
        return 1;
    printf("%llu operations in %llu scenes, %.1f s, trace %016llx\n", (unsigned long long)soak.operations,
           (unsigned long long)soak.scenes, (double)(tusk__clock_ns() - begun) / 1e9,
           (unsigned long long)soak.trace);
    return 0;
}
