/*
 * What the tests of the resolver ask, and a substitute for the system's resolver, which answers, fails
 * or is stuck as it is told.
 */
#ifndef TESTS_IO_RESOLVER_STUB_H
#define TESTS_IO_RESOLVER_STUB_H

#include "task/stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "io/resolver.h"
#include "support/live.h"

/* The most threads that one loop's resolver has. */
enum { LANE = 4 };

/* ---- the substitute ---- */

/* Static, for threads outlive their tests. */
static struct {
    struct tusk__resolver_system real;
    /* What it answers: 0, and one address; or an error. */
    int eai;
    int error;
    /* What getnameinfo() says. */
    char host[NI_MAXHOST];
    char service[NI_MAXSERV];
    /* Whose name begins with "stuck" waits at `open`. */
    sem_t reached;
    sem_t open;
    pthread_t loop_thread;
    atomic_int here;
    atomic_int asked;
    atomic_int freed;
    atomic_int inside;
    atomic_int most;
    /* Threads that have asked, and those of them that have ended. */
    atomic_int threads;
    atomic_int ended;
    pthread_key_t key;
    pthread_mutex_t lock;
    /* The names of the hosts in the order of their asking, each with a blank. */
    char order[4096];
    /* The question that came last. */
    char last_host[NI_MAXHOST + 1];
    char last_service[NI_MAXHOST + 1];
    struct addrinfo last_hints;
} system_stub = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void wait_at(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0)
        ;
}

static void open_for(int count)
{
    for (int i = 0; i < count; i++)
        sem_post(&system_stub.open);
}

static void count_end(void *value)
{
    (void)value;
    atomic_fetch_add(&system_stub.ended, 1);
}

static void count_thread(void)
{
    if (pthread_equal(pthread_self(), system_stub.loop_thread)) {
        atomic_fetch_add(&system_stub.here, 1);
    } else if (!pthread_getspecific(system_stub.key)) {
        pthread_setspecific(system_stub.key, &system_stub);
        atomic_fetch_add(&system_stub.threads, 1);
    }
}

static void remember(const char *host, const char *service, const struct addrinfo *hints)
{
    size_t length;

    pthread_mutex_lock(&system_stub.lock);
    snprintf(system_stub.last_host, sizeof system_stub.last_host, "%s", host ? host : "NULL");
    snprintf(system_stub.last_service, sizeof system_stub.last_service, "%s", service ? service : "NULL");
    system_stub.last_hints = *hints;
    length = strlen(system_stub.order);
    snprintf(system_stub.order + length, sizeof system_stub.order - length, "%s ", host ? host : "NULL");
    pthread_mutex_unlock(&system_stub.lock);
}

static void enter(void)
{
    int now = atomic_fetch_add(&system_stub.inside, 1) + 1;
    int most = atomic_load(&system_stub.most);

    count_thread();
    while (now > most && !atomic_compare_exchange_weak(&system_stub.most, &most, now))
        ;
    atomic_fetch_add(&system_stub.asked, 1);
}

static void wait_if_stuck(const char *name)
{
    if (!name || strncmp(name, "stuck", 5) != 0)
        return;
    sem_post(&system_stub.reached);
    wait_at(&system_stub.open);
}

static int leave(int eai)
{
    atomic_fetch_sub(&system_stub.inside, 1);
    errno = eai ? system_stub.error : ERANGE;
    return eai;
}

/* "number.17" has the address 10.0.0.17, and so on; all others 127.0.0.1. */
static int stub_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                            struct addrinfo **ret_list)
{
    struct addrinfo real_hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char address[32] = "127.0.0.1";
    int number;

    remember(host, service, hints);
    enter();
    wait_if_stuck(host);
    if (system_stub.eai)
        return leave(system_stub.eai);
    if (host && sscanf(host, "number.%d", &number) == 1)
        snprintf(address, sizeof address, "10.0.%d.%d", number / 256 % 256, number % 256);
    return leave(getaddrinfo(address, "80", &real_hints, ret_list));
}

static void stub_freeaddrinfo(struct addrinfo *list)
{
    freeaddrinfo(list);
    atomic_fetch_add(&system_stub.freed, 1);
}

static int stub_getnameinfo(const struct sockaddr *address, socklen_t length, char *ret_host,
                            socklen_t host_size, char *ret_service, socklen_t service_size, int flags)
{
    (void)address;
    (void)length;
    (void)flags;
    enter();
    wait_if_stuck(system_stub.host);
    if (system_stub.eai)
        return leave(system_stub.eai);
    if (ret_host)
        snprintf(ret_host, host_size, "%s", system_stub.host);
    if (ret_service)
        snprintf(ret_service, service_size, "%s", system_stub.service);
    return leave(0);
}

static int set_up(void **state)
{
    live_setup(state);
    system_stub.eai = system_stub.error = 0;
    strcpy(system_stub.host, "host.example");
    strcpy(system_stub.service, "http");
    sem_init(&system_stub.reached, 0, 0);
    sem_init(&system_stub.open, 0, 0);
    system_stub.loop_thread = pthread_self();
    atomic_store(&system_stub.here, 0);
    atomic_store(&system_stub.asked, 0);
    atomic_store(&system_stub.freed, 0);
    atomic_store(&system_stub.most, 0);
    atomic_store(&system_stub.threads, 0);
    atomic_store(&system_stub.ended, 0);
    system_stub.order[0] = '\0';
    tusk__resolver_system.getaddrinfo = stub_getaddrinfo;
    tusk__resolver_system.freeaddrinfo = stub_freeaddrinfo;
    tusk__resolver_system.getnameinfo = stub_getnameinfo;
    return 0;
}

/* The threads of the resolver end by themselves, and the last one frees what they share. */
static int tear_down(void **state)
{
    open_for(100);
    live_wait_for_blocks(live_before.blocks);
    while (atomic_load(&system_stub.ended) < atomic_load(&system_stub.threads))
        live_sleep_ms(1);
    tusk__resolver_system = system_stub.real;
    return live_teardown(state);
}

/* Once, before the tests. */
static void prepare_stub(void)
{
    system_stub.real = tusk__resolver_system;
    pthread_key_create(&system_stub.key, count_end);
}

#define resolver_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static STAGE_UNUSED int use_real_system(void **state)
{
    set_up(state);
    tusk__resolver_system = system_stub.real;
    return 0;
}

#define system_test(function) cmocka_unit_test_setup_teardown(function, use_real_system, tear_down)

/* A run on a clock that jumps, of which nothing is reported; threads may still be there after it. */
static int act_with(tusk_coro *coro, void *arg)
{
    struct stage_play play = {coro, arg};
    int rc;

    stage_clean();
    rc = tusk_run(stage_main, &play, .clock = TUSK_CLOCK_VIRTUAL);
    assert_int_equal(stage_failures, 0);
    assert_string_equal(stage_reports, "");
    return rc;
}

static int act(tusk_coro *coro)
{
    return act_with(coro, NULL);
}

/* ---- what tests ask ---- */

static struct addrinfo *const untouched = (struct addrinfo *)&system_stub;

/* Looks a name up and forgets the addresses. */
static int look_up(const char *host, const char *service)
{
    struct addrinfo *list = untouched;
    int rc = tusk_getaddrinfo(host, service, &list, .type = SOCK_STREAM);

    expect((rc == 0) == (list != untouched));
    if (rc == 0)
        freeaddrinfo(list);
    return rc;
}

static int look_up_arg(void *arg)
{
    return look_up(arg, "http");
}

static tusk_task *start_lookup(const char *host)
{
    return tusk_create_task(look_up_arg, (void *)(uintptr_t)host, .eager_start = true);
}

/* Starts so many that are stuck, and waits until they are. */
static STAGE_UNUSED void start_stuck(tusk_task **tasks, int count)
{
    for (int i = 0; i < count; i++)
        tasks[i] = start_lookup("stuck");
    for (int i = 0; i < count; i++)
        wait_at(&system_stub.reached);
}

static STAGE_UNUSED void cancel_all(tusk_task **tasks, int count)
{
    for (int i = 0; i < count; i++)
        expect(tusk_task_cancel(tasks[i]));
    for (int i = 0; i < count; i++)
        expect_int(tusk_await(tasks[i]), -ECANCELED);
}

/* "address port" of the first one. */
static const char *first_of(const struct addrinfo *list)
{
    static char text[128];
    char host[NI_MAXHOST];
    char service[NI_MAXSERV];

    if (getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return "?";
    snprintf(text, sizeof text, "%.60s %.20s", host, service);
    return text;
}

static socklen_t address_of(const char *host, uint16_t port, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;

    memset(ret_address, 0, sizeof *ret_address);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    inet_pton(AF_INET6, host, &v6->sin6_addr);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof *v6;
}

static int names_of(const char *address, uint16_t port, int flags, char *ret_host, char *ret_service)
{
    struct sockaddr_storage storage;
    socklen_t length = address_of(address, port, &storage);

    return tusk_getnameinfo((struct sockaddr *)&storage, length, ret_host, NI_MAXHOST, ret_service,
                            NI_MAXSERV, flags);
}

#endif
