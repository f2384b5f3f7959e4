/*
 * The load: many connections to one server, each of which sends a request, waits for
 * the complete answer, checks it, and sends the next one. See --help.
 *
 * A phase begins and ends in silence: its last answers are awaited before it is over. So what
 * the server did between the marks before and after a phase (processor time, system calls)
 * belongs to the phase's requests, all of them and nothing else.
 *
 * A connection makes one exchange when it is opened, while nothing else happens. That
 * proves that the server has accepted it, and its memory counts when connections are idle.
 *
 * Level-triggered epoll and one read for each event: all of the client's work is the same for
 * each server, and the server has the other processor for itself.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <sys/epoll.h>

#include "histogram.h"
#include "serve.h"
#include "work.h"

enum {
    EVENTS = 512,
    LONGEST_SILENCE = 10,
    CONNECTIONS_PER_ADDRESS = 10000,
    ADDRESSES = 200,
};

struct options {
    int port;
    long connections, idle, size, files;
    double seconds, warm_up;
    int64_t requests; /* 0: as many as there is time for */
    const char *http;
    bool step;
};

struct connection {
    int fd;
    uint32_t turn;
    bool awaits_room;
    const char *request;
    size_t length, sent, received;
    int64_t asked;
};

struct phase {
    int64_t until; /* no requests from then on */
    int64_t requests_left;
    int64_t answers;
    int64_t under_way;
    struct histogram latency;
};

/* Times of requests are in microseconds; client is the part of the time in which this program ran. */
struct result {
    int64_t requests;
    double seconds, p50, p99, p999, client;
};

static struct options options = {.connections = 100, .size = 64, .seconds = 2, .warm_up = 0.3};
static struct work work;
static int poller;
static struct connection *connections;
static int *idle;
static struct phase phase;
static char answer[256 * 1024];

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double processor_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* With --step: tells who runs this that a point is reached, and waits for a line. */
static void mark(const char *name)
{
    int c;

    if (!options.step)
        return;
    printf("mark %s\n", name);
    fflush(stdout);
    while ((c = getchar()) != '\n')
        if (c == EOF)
            bench_die("standard input has ended at the mark '%s'", name);
}

/* --- one connection -------------------------------------------------------------- */

/*
 * An address has 28,000 ports for connections to one server, so each of some addresses takes
 * a part. The port is chosen by connect(), which may take one that another server's connection has.
 * A reset at the end leaves no port waiting for a minute.
 */
static int connect_from(long index)
{
    struct sockaddr_in from = serve_address(0), to = serve_address(options.port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        bench_die("connection %ld: %s", index + 1, strerror(errno));
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(index / CONNECTIONS_PER_ADDRESS % ADDRESSES));
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){LONGEST_SILENCE, 0},
                     sizeof(struct timeval));
    serve_no_delay(fd);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        bench_die("connection %ld to port %d: %s", index + 1, options.port, strerror(errno));
    return fd;
}

__attribute__((noreturn)) static void die_of_read(ssize_t got)
{
    if (got == 0)
        bench_die("the server closed a connection");
    if (errno == EAGAIN)
        bench_die("no answer for %d s", LONGEST_SILENCE);
    bench_die("read: %s", strerror(errno));
}

static void check_answer(uint32_t turn, size_t offset, const char *bytes, size_t count)
{
    if (work.answer > 0 && offset + count > work.answer)
        bench_die("an answer is longer than %zu bytes", work.answer);
    if (!work_check(&work, turn, offset, bytes, count))
        bench_die("a wrong answer: request %" PRIu32 " of a connection, from byte %zu on", turn, offset);
}

/* Sends one request on a blocking socket and reads its answer. */
static void exchange(int fd, uint32_t turn)
{
    size_t length, received = 0;
    const char *request = work_request(&work, turn, &length);

    if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
        bench_die("send: %s", strerror(errno));
    while (work.answer == 0 || received < work.answer) {
        ssize_t got = recv(fd, answer + received, sizeof answer - 1 - received, 0);
        if (got <= 0)
            die_of_read(got);
        received += (size_t)got;
        if (work.answer == 0)
            work_learn(&work, answer, received);
    }
    check_answer(turn, 0, answer, received);
}

static void watch(struct connection *connection, int how, uint32_t what)
{
    struct epoll_event event = {.events = what, .data.ptr = connection};

    if (epoll_ctl(poller, how, connection->fd, &event) != 0)
        bench_die("epoll_ctl: %s", strerror(errno));
}

/* Registers for room only when there was none, which is rare. */
static void send_rest(struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->request + connection->sent,
                        connection->length - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && errno != EAGAIN)
        bench_die("send: %s", strerror(errno));
    connection->sent += sent < 0 ? 0 : (size_t)sent;
    if (connection->awaits_room != (connection->sent < connection->length)) {
        connection->awaits_room = !connection->awaits_room;
        watch(connection, EPOLL_CTL_MOD, EPOLLIN | (connection->awaits_room ? EPOLLOUT : 0U));
    }
}

static void ask(struct connection *connection, int64_t now)
{
    if (now >= phase.until || phase.requests_left == 0)
        return;
    phase.requests_left--;
    phase.under_way++;
    connection->turn++;
    connection->request = work_request(&work, connection->turn, &connection->length);
    connection->sent = 0;
    connection->received = 0;
    connection->asked = now;
    send_rest(connection);
}

static void read_answer(struct connection *connection)
{
    ssize_t got = recv(connection->fd, answer, sizeof answer, MSG_DONTWAIT);
    int64_t now;

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        die_of_read(got);
    check_answer(connection->turn, connection->received, answer, (size_t)got);
    connection->received += (size_t)got;
    if (connection->received < work.answer)
        return;
    now = now_ns();
    histogram_add(&phase.latency, (uint64_t)(now - connection->asked));
    phase.answers++;
    phase.under_way--;
    ask(connection, now);
}

/* --- phases ---------------------------------------------------------------------- */

static void wait_for_events(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poller, events, EVENTS, LONGEST_SILENCE * 1000);

    if (count == 0)
        bench_die("no answer for %d s, %" PRId64 " requests are under way", LONGEST_SILENCE, phase.under_way);
    if (count < 0 && errno != EINTR)
        bench_die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (events[i].events & EPOLLOUT)
            send_rest(connection);
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            read_answer(connection);
    }
}

/* All connections ask, for a time or until that many requests (0: any number) are made and answered. */
static void run_phase(double seconds, int64_t requests)
{
    int64_t start = now_ns();

    memset(&phase, 0, sizeof phase);
    phase.until = requests > 0 ? INT64_MAX : start + (int64_t)(seconds * 1e9);
    phase.requests_left = requests > 0 ? requests : INT64_MAX;
    for (long i = 0; i < options.connections; i++)
        ask(&connections[i], now_ns());
    while (phase.under_way > 0)
        wait_for_events();
}

static struct result measure(void)
{
    struct result result;
    double processor, start;

    if (options.warm_up > 0)
        run_phase(options.warm_up, 0);
    mark("warm");
    processor = processor_seconds();
    start = bench_now();
    run_phase(options.seconds, options.requests);
    result.seconds = bench_now() - start;
    result.client = (processor_seconds() - processor) / result.seconds;
    mark("measured");
    result.requests = phase.answers;
    result.p50 = histogram_part(&phase.latency, 0.5) / 1e3;
    result.p99 = histogram_part(&phase.latency, 0.99) / 1e3;
    result.p999 = histogram_part(&phase.latency, 0.999) / 1e3;
    return result;
}

/* As members of a JSON object. */
static void print_result(const struct result *result)
{
    printf("\"requests\": %" PRId64 ", \"seconds\": %.6f, \"rate\": %.1f, \"p50\": %.2f, \"p99\": %.2f, "
           "\"p999\": %.2f, \"client\": %.4f",
           result->requests, result->seconds, (double)result->requests / result->seconds, result->p50,
           result->p99, result->p999, result->client);
}

static void open_connections(void)
{
    connections = calloc((size_t)options.connections, sizeof *connections);
    if (connections == NULL)
        bench_die("out of memory");
    for (long i = 0; i < options.connections; i++) {
        connections[i].fd = connect_from(i);
        connections[i].turn = (uint32_t)i * 7919;
        exchange(connections[i].fd, connections[i].turn);
        watch(&connections[i], EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void open_idle(void)
{
    idle = calloc((size_t)options.idle, sizeof *idle);
    if (idle == NULL)
        bench_die("out of memory");
    for (long i = 0; i < options.idle; i++) {
        idle[i] = connect_from(options.connections + i);
        exchange(idle[i], (uint32_t)i);
    }
    mark("opened");
}

/* --- arguments ------------------------------------------------------------------- */

static const char help[] =
    "usage: client --port PORT [OPTION...]\n"
    "\n"
    "Loads a server on 127.0.0.1 and prints, as one line of JSON, what it saw: requests,\n"
    "seconds, rate (requests a second), p50, p99 and p999 (us from a request to the end of\n"
    "its answer) and client (the processor time of this program in a second).\n"
    "\n"
    "  --port PORT       the server's\n"
    "  --size BYTES      of a request, which the server echoes (default: 64)\n"
    "  --http PATH       ask for this path by HTTP/1.1 with keep-alive instead\n"
    "  --files N         ask for PATH0, PATH1, ... PATH<N-1> in turn, all of the same length\n"
    "  --connections N   that send requests (default: 100)\n"
    "  --idle N          measure twice: \"alone\" without, and then with N connections more, which\n"
    "                    made one exchange each and are silent from then on\n"
    "  --seconds S       how long to measure (default: 2)\n"
    "  --requests N      how many requests to make instead\n"
    "  --warm-up S       before each measurement (default: 0.3)\n"
    "  --step            print \"mark NAME\" where a phase ends, in silence, and go on at a line on\n"
    "                    standard input: \"warm\" and \"measured\" around what is measured, and\n"
    "                    \"opened\" when the idle connections are there\n";

static double to_number(const char *option, const char *text, double least, double most)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || *end != '\0' || !(number >= least && number <= most))
        bench_die("--%s: '%s' is no number from %g to %g", option, text, least, most);
    return number;
}

static long to_count(const char *option, const char *text, double least, double most)
{
    double number = to_number(option, text, least, most);

    if (number != floor(number))
        bench_die("--%s: '%s' is no whole number", option, text);
    return (long)number;
}

static const struct option long_options[] = {
    {"port", required_argument, NULL, 'p'},
    {"size", required_argument, NULL, 's'},
    {"http", required_argument, NULL, 'h'},
    {"files", required_argument, NULL, 'f'},
    {"connections", required_argument, NULL, 'c'},
    {"idle", required_argument, NULL, 'i'},
    {"seconds", required_argument, NULL, 't'},
    {"requests", required_argument, NULL, 'r'},
    {"warm-up", required_argument, NULL, 'w'},
    {"step", no_argument, NULL, 'S'},
    {"help", no_argument, NULL, 'H'},
    {NULL, 0, NULL, 0},
};

static void take_option(int letter, const char *name)
{
    switch (letter) {
    case 'p':
        options.port = (int)to_count(name, optarg, 1, 65535);
        break;
    case 's':
        options.size = to_count(name, optarg, 1, sizeof answer - 1);
        break;
    case 'h':
        options.http = optarg;
        break;
    case 'f':
        options.files = to_count(name, optarg, 1, 1e6);
        break;
    case 'c':
        options.connections = to_count(name, optarg, 1, 1e6);
        break;
    case 'i':
        options.idle = to_count(name, optarg, 1, 1e6);
        break;
    case 't':
        options.seconds = to_number(name, optarg, 0.001, 3600);
        break;
    case 'r':
        options.requests = to_count(name, optarg, 1, 1e12);
        break;
    case 'w':
        options.warm_up = to_number(name, optarg, 0, 3600);
        break;
    case 'S':
        options.step = true;
        break;
    case 'H':
        fputs(help, stdout);
        exit(0);
    default:
        fputs("client --help tells more\n", stderr);
        exit(1);
    }
}

static void parse(int argc, char **argv)
{
    int letter, index = 0;

    while ((letter = getopt_long(argc, argv, "", long_options, &index)) != -1)
        take_option(letter, long_options[index].name);
    if (optind < argc)
        bench_die("what is '%s'? client --help tells more", argv[optind]);
    if (options.port == 0)
        bench_die("--port is missing; client --help tells more");
}

static void check_limit(void)
{
    rlim_t needed = (rlim_t)(options.connections + options.idle) + 16;
    struct rlimit limit;

    serve_raise_limit();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < needed)
        bench_die("%llu descriptors are needed and %llu allowed; raise the limit (ulimit -Hn)",
                  (unsigned long long)needed, (unsigned long long)limit.rlim_cur);
}

static void clean_up(void)
{
    for (long i = 0; i < options.connections; i++)
        close(connections[i].fd);
    for (long i = 0; i < options.idle; i++)
        close(idle[i]);
    close(poller);
    free(connections);
    free(idle);
    work_free(&work);
}

int main(int argc, char **argv)
{
    struct result alone, last;

    parse(argc, argv);
    check_limit();
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0)
        bench_die("epoll: %s", strerror(errno));
    work = options.http != NULL ? work_http(options.http, (uint32_t)options.files)
                                : work_echo((size_t)options.size);
    open_connections();
    last = measure();
    if (options.idle > 0) {
        alone = last;
        open_idle();
        last = measure();
    }
    putchar('{');
    if (options.idle > 0) {
        printf("\"idle\": %ld, \"alone\": {", options.idle);
        print_result(&alone);
        printf("}, ");
    }
    print_result(&last);
    puts("}");
    clean_up();
    return 0;
}
