/*
 * What the end of a program's run is made of; the runs themselves need signals and
 * threads, and stand in src/os/runner.c.
 */
#ifndef TUSK__TASK_RUN_H
#define TUSK__TASK_RUN_H

#include "loop/loop.h"

/* Cancels the tasks that are left, waits for them, and reports their errors. One pass, as in asyncio. */
void tusk__run_finish_tasks(struct tusk_loop *loop);

/* So many iterations, without waiting. */
void tusk__run_iterate(struct tusk_loop *loop, int count);

#endif
