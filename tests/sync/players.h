/*
 * What the tests of src/sync share, beside the stage of src/task: waiting words
 * for reports, and tasks in numbers.
 */
#ifndef TESTS_SYNC_PLAYERS_H
#define TESTS_SYNC_PLAYERS_H

#include <pthread.h>

#include "task/stage.h"
#include "task/task.h"

/* Lets the others run, some times over. */
static STAGE_UNUSED void let_run(int times)
{
    while (times-- > 0)
        expect_int(tusk_sleep(0), 0);
}

/* What a report would say that the task waits for; "" if it does not. */
static STAGE_UNUSED const char *waits_for(tusk_task *task)
{
    static char text[128];
    const struct tusk__wait *wait = tusk__task_of(task)->wait;

    text[0] = '\0';
    if (wait)
        wait->kind->describe(wait, text, sizeof text);
    return text;
}

/* Expects that to be the object of that kind; `rest` is what a report says behind its address. */
static STAGE_UNUSED void expect_waits(tusk_task *task, const char *kind, const void *object, const char *rest)
{
    char wanted[128];

    snprintf(wanted, sizeof wanted, "%s at %p%s", kind, object, rest);
    expect_text(waits_for(task), wanted);
}

/* Cancels the task, awaits it, and says whether it ended by that. */
static STAGE_UNUSED void cancel_and_await(tusk_task *task)
{
    expect(tusk_task_cancel(task));
    expect_int(tusk_await(task), -ECANCELED);
}

struct elsewhere {
    tusk_coro *coro;
    void *arg;
    int rc;
};

static STAGE_UNUSED void *run_elsewhere(void *arg)
{
    struct elsewhere *elsewhere = arg;

    elsewhere->rc = tusk_run(elsewhere->coro, elsewhere->arg, .clock = TUSK_CLOCK_VIRTUAL);
    return NULL;
}

/* Runs coro(arg) on a loop in another thread, while this one stands still. */
static STAGE_UNUSED int play_elsewhere(tusk_coro *coro, void *arg)
{
    struct elsewhere elsewhere = {coro, arg, -EAGAIN};
    pthread_t thread;

    if (pthread_create(&thread, NULL, run_elsewhere, &elsewhere) == 0)
        pthread_join(thread, NULL);
    return elsewhere.rc;
}

#endif
