/*
 * tusk: tasks on an event loop, with asyncio's words, for C.
 *
 *     static int hello(void *arg)
 *     {
 *         (void)arg;
 *         tusk_try(tusk_sleep(1));
 *         puts("hello");
 *         return 0;
 *     }
 *
 *     int main(void) { return tusk_run(hello, NULL) < 0; }
 *
 * One header for each chapter:
 *
 *     tusk/run.h       tusk_run: from main() into the first coroutine and back
 *     tusk/task.h      tasks: create, await, sleep, cancel, gather
 *     tusk/future.h    futures: results that are not there yet
 *     tusk/wait.h      wait, wait_for, shield, as_completed
 *     tusk/timeout.h   time-outs
 *     tusk/group.h     task groups
 *     tusk/sync.h      locks, events, conditions, semaphores, barriers
 *     tusk/queue.h     queues
 *     tusk/thread.h    functions in threads, coroutines from threads
 *     tusk/signal.h    signals
 *     tusk/stream.h    streams: connections as a task reads and writes them
 *     tusk/connection.h from an address to a stream
 *     tusk/server.h    servers: a coroutine for each client
 *     tusk/workers.h   one program on many processors
 *     tusk/tls.h       TLS for streams: certificates, start_tls
 *     tusk/io.h        descriptors: reading, writing, sockets, waiting
 *     tusk/process.h   processes that run beside the loop
 *     tusk/datagram.h  messages instead of streams
 *     tusk/transport.h connections by callbacks: transports and protocols
 *     tusk/resolver.h  from names of hosts to addresses, and back
 *     tusk/context.h   context variables
 *     tusk/loop.h      the event loop below it all: callbacks, timers, time
 *     tusk/error.h     error codes and their messages
 *     tusk/exception.h groups of errors
 *     tusk/base.h      version, and the attributes that the others use
 *
 * Three rules hold for all of them. A function returns 0 or a positive result,
 * or a negative code. Time is in seconds, as a double. Everything belongs to
 * the thread of its loop, unless its comment says that any thread may call it.
 *
 * A program listens to its environment. TUSK_DEBUG=1 switches debug mode on, TUSK_POLLER=poll takes the
 * poller of that name, and TUSK_SCHEDULE_SEED=7 runs tasks in an order drawn from that seed; options of
 * tusk_run() come first.
 */
#ifndef TUSK_H
#define TUSK_H

#include <tusk/base.h>
#include <tusk/connection.h>
#include <tusk/context.h>
#include <tusk/datagram.h>
#include <tusk/error.h>
#include <tusk/exception.h>
#include <tusk/future.h>
#include <tusk/group.h>
#include <tusk/io.h>
#include <tusk/loop.h>
#include <tusk/process.h>
#include <tusk/queue.h>
#include <tusk/resolver.h>
#include <tusk/run.h>
#include <tusk/server.h>
#include <tusk/signal.h>
#include <tusk/stream.h>
#include <tusk/sync.h>
#include <tusk/task.h>
#include <tusk/thread.h>
#include <tusk/timeout.h>
#include <tusk/tls.h>
#include <tusk/transport.h>
#include <tusk/wait.h>
#include <tusk/workers.h>

#endif
