/*
 * Sessions of clients: a list, newest first, of at most SESSIONS. A look-up walks it, which for 256
 * entries that differ in their first bytes takes a microsecond, where the handshake takes hundreds.
 *
 * The list has copies, and gives copies: a connection writes to its session, from its own
 * thread, and spoils it when it ends without a goodbye.
 */
#include <string.h>

#include "base/mem.h"
#include "io/tls/context.h"

enum { SESSIONS = 256 };

struct tusk__tls_session {
    struct tusk__tls_session *older;
    struct tusk__tls_session *newer;
    SSL_SESSION *session;
    char key[];
};

static void take_out(struct tusk__tls_sessions *sessions, struct tusk__tls_session *entry)
{
    *(entry->newer ? &entry->newer->older : &sessions->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &sessions->oldest) = entry->newer;
    sessions->count--;
}

static void put_first(struct tusk__tls_sessions *sessions, struct tusk__tls_session *entry)
{
    entry->newer = NULL;
    entry->older = sessions->newest;
    *(entry->older ? &entry->older->newer : &sessions->oldest) = entry;
    sessions->newest = entry;
    sessions->count++;
}

/* Also for NULL. */
static void destroy(struct tusk__tls_session *entry)
{
    if (!entry)
        return;
    SSL_SESSION_free(entry->session);
    tusk__free(entry);
}

void tusk__tls_sessions_init(struct tusk__tls_sessions *sessions)
{
    pthread_mutex_init(&sessions->lock, NULL);
}

void tusk__tls_sessions_close(struct tusk__tls_sessions *sessions)
{
    while (sessions->newest) {
        struct tusk__tls_session *entry = sessions->newest;

        take_out(sessions, entry);
        destroy(entry);
    }
    pthread_mutex_destroy(&sessions->lock);
}

static struct tusk__tls_session *make(const char *key, const SSL_SESSION *session)
{
    size_t size = strlen(key) + 1;
    struct tusk__tls_session *entry = tusk__alloc(sizeof *entry + size);

    if (!entry)
        return NULL;
    memcpy(entry->key, key, size);
    entry->session = SSL_SESSION_dup(session);
    if (entry->session)
        return entry;
    destroy(entry);
    return NULL;
}

void tusk__tls_sessions_put(struct tusk__tls_sessions *sessions, const char *key, const SSL_SESSION *session)
{
    struct tusk__tls_session *entry = make(key, session);
    struct tusk__tls_session *surplus = NULL;

    if (!entry)
        return;
    pthread_mutex_lock(&sessions->lock);
    put_first(sessions, entry);
    if (sessions->count > SESSIONS) {
        surplus = sessions->oldest;
        take_out(sessions, surplus);
    }
    pthread_mutex_unlock(&sessions->lock);
    destroy(surplus);
}

/* The newest session of this key, without those of it that are of no use any more. */
static struct tusk__tls_session *find(struct tusk__tls_sessions *sessions, const char *key)
{
    struct tusk__tls_session *entry = sessions->newest;

    while (entry) {
        struct tusk__tls_session *older = entry->older;

        if (strcmp(entry->key, key) == 0) {
            if (SSL_SESSION_is_resumable(entry->session))
                return entry;
            take_out(sessions, entry);
            destroy(entry);
        }
        entry = older;
    }
    return NULL;
}

SSL_SESSION *tusk__tls_sessions_take(struct tusk__tls_sessions *sessions, const char *key)
{
    struct tusk__tls_session *entry;
    SSL_SESSION *session = NULL;

    pthread_mutex_lock(&sessions->lock);
    entry = find(sessions, key);
    if (entry && SSL_SESSION_get_protocol_version(entry->session) >= TLS1_3_VERSION) {
        take_out(sessions, entry);
        session = entry->session;
        entry->session = NULL;
        destroy(entry);
    } else if (entry) {
        session = SSL_SESSION_dup(entry->session);
    }
    pthread_mutex_unlock(&sessions->lock);
    return session;
}
