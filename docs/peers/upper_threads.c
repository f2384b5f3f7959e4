/* Sends each line back in capitals, with a thread for each client. */
#include <arpa/inet.h>
#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { LINE = 1000, CLIENTS = 1000 };

static double patience = 10;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static int clients[CLIENTS]; /* descriptor + 1, for the end; 0: free */
static int count;

static bool enter(int fd)
{
    bool in = false;

    pthread_mutex_lock(&mutex);
    for (int i = 0; i < CLIENTS && !in; i++)
        if (clients[i] == 0) {
            clients[i] = fd + 1;
            count++;
            in = true;
        }
    pthread_mutex_unlock(&mutex);
    return in;
}

static void leave(int fd)
{
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i] == fd + 1)
            clients[i] = 0;
    count--;
    close(fd); /* with the mutex: drain() must not shut somebody else's down */
    pthread_cond_signal(&left);
    pthread_mutex_unlock(&mutex);
}

static void *shout(void *arg)
{
    int fd = (int)(long)arg;
    FILE *in = fdopen(dup(fd), "r");
    char line[LINE + 1];

    while (in && fgets(line, sizeof line, in)) {
        for (char *at = line; *at; at++)
            *at = (char)toupper((unsigned char)*at);
        if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
            break;
    }
    if (in && ferror(in))
        (void)send(fd, "bye\n", 4, MSG_NOSIGNAL);
    if (in)
        fclose(in);
    leave(fd);
    return NULL;
}

static void *accept_clients(void *arg)
{
    int listener = *(int *)arg;
    struct timeval limit = {(time_t)patience, (suseconds_t)((patience - (int)patience) * 1e6)};
    pthread_t thread;
    int fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (!enter(fd)) {
            close(fd);
        } else if (pthread_create(&thread, NULL, shout, (void *)(long)fd) != 0) {
            leave(fd);
        } else {
            pthread_detach(thread);
        }
    }
    return NULL;
}

/* Lets clients finish for a second, then takes their connections away. */
static void drain(void)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec++;
    pthread_mutex_lock(&mutex);
    while (count > 0 && pthread_cond_timedwait(&left, &mutex, &end) == 0)
        ;
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i] != 0)
            shutdown(clients[i] - 1, SHUT_RDWR);
    while (count > 0)
        pthread_cond_wait(&left, &mutex);
    pthread_mutex_unlock(&mutex);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, signum;
    pthread_t acceptor;
    sigset_t signals;

    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 7777));
    if (argc > 2)
        patience = atof(argv[2]);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 100) != 0) {
        perror("upper_threads");
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("serving on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_create(&acceptor, NULL, accept_clients, &listener);
    sigwait(&signals, &signum);
    shutdown(listener, SHUT_RDWR);
    pthread_join(acceptor, NULL);
    drain();
    return 0;
}
