// The functions behind the macros, from C++17, where options are a pointer.
// Compiled, never run: tests/headers/test_headers.sh.
#include <tusk.h>

static int work(void *arg)
{
    return *static_cast<const int *>(arg);
}

static int tasks(void *arg)
{
    tusk_task_options options{};
    options.name = "named";
    tusk_task *children[2] = {
        tusk_create_task(work, tusk_copy(arg, sizeof(int)), &options),
        tusk_create_task(work, arg, nullptr),
    };
    tusk_future_cancel(children[0], nullptr);
    tusk_try(tusk_sleep(0));
    return tusk_await(tusk_gather(children, 2, nullptr));
}

int main()
{
    int number = 1;
    tusk_run_options options{};
    options.clock = TUSK_CLOCK_VIRTUAL;
    tusk_loop *loop = tusk_new_event_loop(nullptr);
    tusk_handle_cancel(tusk_loop_call_later(loop, 1, work, &number, nullptr));
    tusk_loop_close(loop);
    return tusk_run(tasks, &number, &options) < 0;
}
