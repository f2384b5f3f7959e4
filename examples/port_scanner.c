/*
 * Finds the ports of a host that somebody listens on.
 *
 *     port_scanner localhost 1 1024
 *
 * It shows a task for each of thousands of things to do, and a semaphore that lets so many of them act at
 * a time; time-outs; and a task that shows how far it is, for those who watch at a terminal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <tusk.h>
#include <unistd.h>

#include "common/program.h"

struct scan {
    const char *host;
    int first;
    int last;
    double patience;
    tusk_semaphore places;
    int done;
    int found;
    /* One for each port from first on. */
    bool *is_open;
};

struct probe {
    struct scan *scan;
    int port;
};

/* True if somebody answers. The codes of those who do not are all the same to us, but for a cancel. */
static int connect_once(const struct probe *probe)
{
    tusk_stream *stream = NULL;
    tusk_timeout timeout;
    int rc;

    tusk_try(tusk_timeout_enter(&timeout, probe->scan->patience));
    rc = tusk_timeout_exit(&timeout, tusk_open_connection(probe->scan->host, probe->port, &stream));
    if (stream)
        tusk_stream_abort(stream);
    tusk_stream_release(stream);
    if (rc == -ECANCELED || rc == -EMFILE || rc == -ENOMEM)
        return rc;
    return rc == 0;
}

static int try_port(void *arg)
{
    const struct probe *probe = arg;
    struct scan *scan = probe->scan;
    int is_open;

    tusk_try(tusk_semaphore_acquire(&scan->places));
    is_open = connect_once(probe);
    tusk_semaphore_release(&scan->places);
    tusk_try(is_open);
    scan->is_open[probe->port - scan->first] = is_open;
    scan->found += is_open;
    scan->done++;
    return 0;
}

static int show_progress(void *arg)
{
    const struct scan *scan = arg;

    for (;;) {
        fprintf(stderr, "\r%d of %d ports, %d open ", scan->done, scan->last - scan->first + 1, scan->found);
        fflush(stderr);
        tusk_try(tusk_sleep(0.1));
    }
}

/* The first error ends them all. */
static int try_ports(struct scan *scan)
{
    tusk_task_group group;
    int rc = tusk_task_group_enter(&group);

    if (rc < 0)
        return rc;
    for (int port = scan->first; port <= scan->last && rc == 0; port++) {
        struct probe probe = {scan, port};

        if (!tusk_task_group_create_task(&group, try_port, tusk_copy(&probe)))
            rc = tusk_last_error();
    }
    return tusk_task_group_exit(&group, rc);
}

static int scan_host(void *arg)
{
    struct scan *scan = arg;
    tusk_task *progress =
        isatty(STDERR_FILENO) ? tusk_create_task(show_progress, scan, .name = "progress") : NULL;
    int rc = try_ports(scan);

    if (progress) {
        tusk_task_cancel(progress);
        if (tusk_await(progress) == -ECANCELED)
            fprintf(stderr, "\r\033[K");
    }
    for (int port = scan->first; port <= scan->last && rc == 0; port++)
        if (scan->is_open[port - scan->first])
            printf("%d\n", port);
    return rc;
}

static const char *places_text = "200", *patience_text = "2";
static const struct program program = {
    .name = "port_scanner",
    .about = "Prints the ports of a host, from FIRST to LAST, that somebody listens on.\n"
             "Scan your own hosts, or those whose owners know.",
    .arguments = "HOST FIRST LAST",
    .options = {{"at-once", "NUMBER", "so many are tried at a time", &places_text},
                {"patience", "SECONDS", "how long to wait for each", &patience_text}},
};

int main(int argc, char **argv)
{
    int first = program_options(&program, argc, argv);
    struct scan scan = {0};
    int rc;

    if (argc - first != 3) {
        fprintf(stderr, "port_scanner: HOST, FIRST and LAST are needed. See: port_scanner --help\n");
        return 2;
    }
    scan.host = argv[first];
    scan.first = (int)program_number("the first port", argv[first + 1], 1, 65535);
    scan.last = (int)program_number("the last port", argv[first + 2], scan.first, 65535);
    scan.patience = (double)program_number("a patience", patience_text, 1, 3600);
    scan.places = (tusk_semaphore)TUSK_SEMAPHORE_INIT(program_number("at-once", places_text, 1, 10000));
    scan.is_open = calloc((size_t)(scan.last - scan.first) + 1, sizeof *scan.is_open);
    if (!scan.is_open)
        return program_end(&program, -ENOMEM);
    rc = tusk_run(scan_host, &scan);
    free(scan.is_open);
    return rc == -EINTR ? 130 : program_end(&program, rc);
}
