/*
 * A program of which one task blocks the loop, in the way its first argument names. What test_stuck.py looks at from
 * outside. The functions have no external names: what blocks most is static.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tusk.h>

#define NEVER_INLINE __attribute__((noinline))

/* Calls that are the last thing in their function would leave no frame. */
#define keep_frame() __asm__ volatile("" : : : "memory")

/* Until the other end of standard input is closed. */
static NEVER_INLINE int wait_for_kitchen(void)
{
    char byte;
    ssize_t got = read(STDIN_FILENO, &byte, 1);

    keep_frame();
    return got < 0 ? -errno : (int)got;
}

/*
 * Each way begins with a step that has nothing to do: when the next one is found to take long, it is
 * in what blocks, also where everything takes long.
 */
static int read_for_long(void *arg)
{
    int rc = tusk_sleep(0);

    (void)arg;
    if (rc == 0)
        rc = wait_for_kitchen();
    keep_frame();
    return rc;
}

static NEVER_INLINE void count_grains(void)
{
    static volatile unsigned long grains;

    for (;;)
        grains++;
}

static int count_for_ever(void *arg)
{
    (void)arg;
    tusk_try(tusk_sleep(0));
    count_grains();
    keep_frame();
    return 0;
}

static NEVER_INLINE int dive(int depth)
{
    int rc = depth > 0 ? dive(depth - 1) : wait_for_kitchen();

    keep_frame();
    return rc;
}

static int dive_deep(void *arg)
{
    int rc = tusk_sleep(0);

    (void)arg;
    if (rc == 0)
        rc = dive(200);
    keep_frame();
    return rc;
}

static const struct {
    const char *word;
    tusk_coro *coro;
} ways[] = {
    {"read", read_for_long},
    {"spin", count_for_ever},
    {"dive", dive_deep},
};

static int report_to_program(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    fprintf(stderr, "handler: %s: %s\n%s", context->message, context->task_name ? context->task_name : "-",
            context->backtrace ? context->backtrace : "nothing\n");
    return 0;
}

static int serve(void *arg)
{
    char **words = arg;

    if (words[2] && strcmp(words[2], "handler") == 0)
        tusk_loop_set_exception_handler(tusk_get_running_loop(), report_to_program, NULL);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (words[1] && strcmp(words[1], ways[i].word) == 0)
            return tusk_await(tusk_create_task(ways[i].coro, NULL, .name = "soup"));
    return -EINVAL;
}

int main(int argc, char **argv)
{
    (void)argc;
    return tusk_run(serve, argv) < 0;
}
