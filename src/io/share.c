#include "io/share.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "io/server.h"
#include "io/workers.h"

struct seat {
    /* The worker has joined. With the lock. */
    bool taken;
    /* Clients may be sent there. Any thread. */
    atomic_bool open;
    /* The worker's own. NULL: it does not serve. */
    struct tusk_server *server;
};

struct tusk__share {
    struct tusk__share *next;
    struct tusk__workers *workers;
    /* Those who have joined, and letters on their way. */
    atomic_int references;

    /* --- with the lock of the workers --- */
    char *key;
    struct tusk__binding binding;
    size_t members;

    /* One for each worker. */
    struct seat seats[];
};

/* A client for another worker. */
struct delivery {
    struct tusk__letter letter;
    struct tusk__share *share;
    int fd;
};

static struct seat *own_seat(struct tusk__share *share)
{
    return &share->seats[tusk__this_worker->index];
}

bool tusk__share_is_possible(const struct tusk_loop *loop)
{
    return tusk__this_worker && !loop->poller.backend->owns;
}

static void unref(struct tusk__share *share)
{
    /* The last one must see what the others did. */
    if (atomic_fetch_sub_explicit(&share->references, 1, memory_order_acq_rel) == 1)
        tusk__free(share);
}

/* ---- joining and leaving, with the lock ---- */

/* One that this worker is not in already: if it listens twice on one address, that is its own fault. */
static struct tusk__share *find(const struct tusk__workers *workers, const char *key)
{
    for (struct tusk__share *at = workers->shares; at; at = at->next)
        if (strcmp(at->key, key) == 0 && !own_seat(at)->taken)
            return at;
    return NULL;
}

/* Takes the key if it succeeds. */
static int make(struct tusk__workers *workers, const struct tusk__listen_request *request, char *key,
                struct tusk__share **ret_share)
{
    struct tusk__share *share = tusk__alloc(sizeof *share + workers->count * sizeof share->seats[0]);
    int rc = share ? tusk__binding_open(&share->binding, request) : -ENOMEM;

    if (rc < 0) {
        tusk__free(share);
        return rc;
    }
    share->workers = workers;
    share->key = key;
    share->next = workers->shares;
    workers->shares = share;
    *ret_share = share;
    return 0;
}

static void take_out(struct tusk__share *share)
{
    struct tusk__share **link = &share->workers->shares;

    while (*link != share)
        link = &(*link)->next;
    *link = share->next;
    tusk__binding_close(&share->binding);
    tusk__free(share->key);
}

static void become_member(struct tusk__share *share)
{
    own_seat(share)->taken = true;
    share->members++;
    atomic_fetch_add(&share->references, 1);
}

static int join(struct tusk__workers *workers, const struct tusk__listen_request *request, char *key,
                struct tusk__binding *ret_binding, struct tusk__share **ret_share)
{
    struct tusk__share *share = find(workers, key);
    bool is_new = !share;
    int rc = is_new ? make(workers, request, key, &share) : 0;

    if (!is_new || rc < 0)
        tusk__free(key);
    if (rc < 0)
        return rc;
    rc = tusk__binding_copy(ret_binding, &share->binding);
    if (rc == 0) {
        become_member(share);
        *ret_share = share;
    } else if (is_new) {
        take_out(share);
        tusk__free(share);
    }
    return rc;
}

int tusk__share_join(const struct tusk__listen_request *request, struct tusk__binding *ret_binding,
                     struct tusk__share **ret_share)
{
    struct tusk__workers *workers = tusk__this_worker->workers;
    char *key = tusk__request_key(request);
    int rc;

    if (!key)
        return -ENOMEM;
    pthread_mutex_lock(&workers->lock);
    rc = join(workers, request, key, ret_binding, ret_share);
    pthread_mutex_unlock(&workers->lock);
    return rc;
}

void tusk__share_serve(struct tusk__share *share, struct tusk_server *server)
{
    own_seat(share)->server = server;
    atomic_store(&own_seat(share)->open, true);
}

void tusk__share_retire(struct tusk__share *share)
{
    atomic_store(&own_seat(share)->open, false);
    own_seat(share)->server = NULL;
}

bool tusk__share_is_served(const struct tusk__share *share)
{
    for (size_t i = 0; i < share->workers->count; i++)
        if (atomic_load(&share->seats[i].open))
            return true;
    return false;
}

void tusk__share_leave(struct tusk__share *share)
{
    struct tusk__workers *workers = share->workers;

    pthread_mutex_lock(&workers->lock);
    own_seat(share)->taken = false;
    if (--share->members == 0)
        take_out(share);
    pthread_mutex_unlock(&workers->lock);
    unref(share);
}

/* ---- clients ---- */

void tusk__share_uncount(void)
{
    atomic_fetch_sub(&tusk__this_worker->clients, 1);
}

/*
 * The index of an open seat whose worker has the fewest clients, this one's if it has no more than
 * others; -1: none.
 */
static int find_idlest(const struct tusk__share *share, long *ret_clients)
{
    struct tusk__workers *workers = share->workers;
    int own = tusk__this_worker->index;
    int best = -1;

    for (size_t i = 0; i < workers->count; i++) {
        /* This worker first. */
        int index = (own + (int)i) % (int)workers->count;
        long clients = atomic_load(&workers->workers[index].clients);

        if (!atomic_load(&share->seats[index].open) || (best >= 0 && clients >= *ret_clients))
            continue;
        best = index;
        *ret_clients = clients;
    }
    return best;
}

/* The same, and counts a client there: only if nobody else has meanwhile. */
static int reserve_idlest(const struct tusk__share *share)
{
    long clients = 0;
    int index;

    do
        index = find_idlest(share, &clients);
    while (index >= 0 &&
           !atomic_compare_exchange_weak(&share->workers->workers[index].clients, &clients, clients + 1));
    return index;
}

static void forget(struct delivery *delivery)
{
    unref(delivery->share);
    tusk__free(delivery);
}

/* A client that was counted here and that this worker does not serve any more. */
static void pass_on(struct tusk__share *share, int fd)
{
    int rc;

    tusk__share_uncount();
    rc = tusk__share_deliver(share, fd);
    /* It was closed then: without memory nobody here could say more. */
    (void)rc;
}

/* In the server's context, as if it had accepted by itself. */
static void take_delivery(struct tusk_loop *loop, struct tusk_server *server, int fd)
{
    struct tusk__handle *current = loop->current;
    int rc;

    tusk__server_retain(server);
    loop->current = &server->listeners[0].again.handle;
    rc = tusk__server_take(server, fd);
    if (rc < 0)
        tusk__server_report_shortage(server, rc);
    loop->current = current;
    tusk__server_unref(server);
}

static void open_delivery(struct tusk_loop *loop, struct tusk__letter *letter)
{
    struct delivery *delivery = container_of(letter, struct delivery, letter);
    struct tusk_server *server = own_seat(delivery->share)->server;

    if (server)
        take_delivery(loop, server, delivery->fd);
    else
        pass_on(delivery->share, delivery->fd);
    forget(delivery);
}

static void drop_delivery(struct tusk__letter *letter)
{
    struct delivery *delivery = container_of(letter, struct delivery, letter);

    pass_on(delivery->share, delivery->fd);
    forget(delivery);
}

/* Sends the client to another worker, where it was counted. TUSK_LOOP_CLOSED, -ENOMEM: it stays here. */
static int post(struct tusk__share *share, int index, int fd)
{
    /* It was set before the worker's coroutine began, and so before it took its seat. */
    struct tusk__port *port = share->workers->workers[index].port;
    struct delivery *delivery = tusk__alloc(sizeof *delivery);
    int rc;

    if (!delivery)
        return -ENOMEM;
    delivery->letter = (struct tusk__letter){{.run = tusk__letter_run}, open_delivery, drop_delivery};
    delivery->share = share;
    delivery->fd = fd;
    atomic_fetch_add(&share->references, 1);
    rc = tusk__port_send(port, &delivery->letter);
    if (rc < 0)
        forget(delivery);
    return rc;
}

/* The worker where the client was counted cannot have it. */
static void take_back(struct tusk__share *share, int index, int rc)
{
    atomic_fetch_sub(&share->workers->workers[index].clients, 1);
    if (rc == TUSK_LOOP_CLOSED)
        atomic_store(&share->seats[index].open, false);
}

int tusk__share_deliver(struct tusk__share *share, int fd)
{
    int rc = TUSK_LOOP_CLOSED;

    while (rc == TUSK_LOOP_CLOSED) {
        int index = reserve_idlest(share);

        if (index < 0)
            break;
        if (index == tusk__this_worker->index)
            return tusk__server_take(own_seat(share)->server, fd);
        rc = post(share, index, fd);
        if (rc < 0)
            take_back(share, index, rc);
    }
    if (rc < 0)
        tusk__system_real.close(fd);
    /* With nobody left to take it, it is as if it had come a moment later. */
    return rc == TUSK_LOOP_CLOSED ? 0 : rc;
}
