/*
 * Workers: one program on many processors, a loop in each of several threads.
 *
 *     static int serve(void *arg)                    // runs in each thread
 *     {
 *         tusk_server *server;
 *
 *         tusk_try(tusk_start_server(handle, arg, NULL, 8080, &server));
 *         ...
 *     }
 *
 *     int main(void) { return tusk_workers(0, serve, NULL) < 0; }
 *
 * Each worker has a loop of its own, and tasks never change thread. So what one worker made belongs
 * to it, and what all of them use, such as arg, needs what threads need: atomics or locks.
 *
 * Servers that workers start on the same host and port, or path, share one listening socket, and a
 * client goes to the worker that has the fewest: so the workers are evenly busy, whoever happened
 * to accept. A worker whose server is closed gets no more, and the others go on. A server with
 * .reuse_port shares nothing: there the system divides the clients.
 */
#ifndef TUSK_WORKERS_H
#define TUSK_WORKERS_H

#include <tusk/run.h>

TUSK_BEGIN_DECLS

/*
 * Runs coro(arg) in count threads (0: as many as there are processors), in each as tusk_run() does,
 * and waits for all of them. The first that fails has the others cancelled, and its error and
 * message are what is returned; else 0. In the main thread, Ctrl-C cancels them all, as it does a
 * run: -EINTR. Other errors: TUSK_LOOP_RUNNING inside of a loop, -EINVAL, -EAGAIN if the system
 * gives no threads, -ENOMEM. Call it outside of tasks. Options: those of tusk_run(), for each of
 * the runs.
 */
TUSK_API int tusk_workers(size_t count, tusk_coro *coro, void *arg, const struct tusk_run_options *options);

/* Which worker this thread is, from 0 on; -1 if it is none. Does not suspend. Any thread. */
TUSK_API int tusk_worker_index(void);

#ifndef __cplusplus
#define tusk_workers(count, coro, ...) TUSK__WORKERS(count, coro, __VA_ARGS__, .tusk__end = 0)
#define TUSK__WORKERS(count, coro, arg, ...)                                                                 \
    (tusk_workers)(count, coro, arg, &(const struct tusk_run_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
