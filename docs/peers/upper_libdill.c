/* Sends each line back in capitals, with a coroutine of libdill for each client. */
#include <ctype.h>
#include <errno.h>
#include <libdill.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>

enum { LINE = 1000 };

static int64_t patience = 10000;

coroutine static void shout(int tcp)
{
    char line[LINE];
    int lines = suffix_attach(tcp, "\n", 1);
    ssize_t size;

    if (lines < 0) {
        hclose(tcp);
        return;
    }
    while ((size = mrecv(lines, line, sizeof line, now() + patience)) >= 0) {
        for (ssize_t i = 0; i < size; i++)
            line[i] = (char)toupper((unsigned char)line[i]);
        if (msend(lines, line, (size_t)size, -1) != 0)
            break;
    }
    if (errno == ETIMEDOUT)
        (void)msend(lines, "bye", 3, now() + 1000);
    tcp = suffix_detach(lines, now() + 1000); /* closes it after an error, such as a deadline */
    if (tcp >= 0)
        (void)tcp_close(tcp, now() + 1000);
}

coroutine static void accept_clients(int listener, int bundle)
{
    int tcp;

    while ((tcp = tcp_accept(listener, NULL, -1)) >= 0)
        if (bundle_go(bundle, shout(tcp)) != 0)
            hclose(tcp);
}

/* libdill leaves signals to the program: they come by a descriptor here. */
static int block_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 7777;
    int signals = block_signals();
    struct ipaddr address;
    int listener, clients, acceptor;

    if (argc > 2)
        patience = (int64_t)(atof(argv[2]) * 1000);
    ipaddr_local(&address, "127.0.0.1", port, IPADDR_IPV4);
    listener = tcp_listen(&address, 100);
    if (listener < 0) {
        perror("upper_libdill");
        return 1;
    }
    printf("serving on 127.0.0.1:%d\n", ipaddr_port(&address));
    fflush(stdout);
    clients = bundle();
    acceptor = go(accept_clients(listener, clients));
    fdin(signals, -1);
    hclose(acceptor);
    hclose(listener);
    bundle_wait(clients, now() + 1000); /* a second to finish; */
    hclose(clients);                    /* who is left is cancelled */
    return 0;
}
