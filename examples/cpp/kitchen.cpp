/*
 * The kitchen in C++17, with the same header: lambdas for tasks, a guard for a lock.
 *
 *     kitchen
 *
 * A coroutine is a function that takes a void pointer. Coro makes one of anything that can be
 * called: the pointer is the callable, so what a lambda captured goes along. C++ has no macros of
 * tusk.h: options are the last argument, nullptr or a struct's address.
 *
 * What C++ must know of tasks:
 * - An exception must not leave a coroutine, for it would have to cross C: Coro makes a code of it.
 * - Cancelling is a code that a wait returns (-ECANCELED), so destructors run as in any return.
 * - Do not wait inside of a catch block: the exceptions that are being handled belong to the
 *   thread, and other tasks run in it meanwhile. Note what happened, leave the block, then wait.
 */
#include <cerrno>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include <tusk.h>

/* A callable as a coroutine and its argument. The callable lives until the task has ended. */
template <class Callable> struct Coro {
    static int run(void *callable)
    {
        try {
            return (*static_cast<Callable *>(callable))();
        } catch (const std::exception &error) {
            return tusk_raise(-EIO, "%s", error.what());
        }
    }
};

template <class Callable> int run(Callable &callable)
{
    return tusk_run(Coro<Callable>::run, &callable, nullptr);
}

/* Tasks that end with their scope, whichever way that is left. */
class Group
{
  public:
    Group() : entered(tusk_task_group_enter(&group))
    {
    }
    Group(const Group &) = delete;
    Group &operator=(const Group &) = delete;

    ~Group()
    {
        if (entered == 0)
            (void)!tusk_task_group_exit(&group, -ECANCELED); /* left early: the tasks are cancelled */
    }

    template <class Callable> int start(Callable &callable, const std::string &name)
    {
        tusk_task_options options{};

        options.name = name.c_str();
        if (entered < 0)
            return entered;
        return tusk_task_group_create_task(&group, Coro<Callable>::run, &callable, &options)
                   ? 0
                   : tusk_last_error();
    }

    /* Waits for all of them; 0, or what went wrong. */
    int wait(int rc)
    {
        if (entered < 0)
            return entered;
        entered = TUSK_INVALID_STATE;
        return tusk_task_group_exit(&group, rc);
    }

  private:
    tusk_task_group group;
    int entered;
};

/* Holds a lock until the end of the scope, if it got it: a wait may be cancelled. */
class Guard
{
  public:
    explicit Guard(tusk_lock &wanted) : lock(wanted), rc(tusk_lock_acquire(&wanted))
    {
    }
    Guard(const Guard &) = delete;
    Guard &operator=(const Guard &) = delete;

    ~Guard()
    {
        if (rc == 0)
            tusk_lock_release(&lock);
    }

    int result() const
    {
        return rc;
    }

  private:
    tusk_lock &lock;
    int rc;
};

struct Order {
    int number;
    std::string dish;
    double seconds;
};

/* There is one oven: what is baked takes turns, what is cut does not. */
static int bake(const Order &order, tusk_lock &oven)
{
    Guard guard(oven);

    tusk_try(guard.result());
    std::printf("order %d: %s is in the oven\n", order.number, order.dish.c_str());
    return tusk_sleep(order.seconds);
}

static int serve(const std::vector<Order> &orders)
{
    tusk_lock oven{};
    std::vector<std::string> served;
    std::deque<std::function<int()>> cooks; /* a deque, for its members stay where they are */
    Group group;                            /* declared last, it ends first: tasks use what is above */

    for (const Order &order : orders) {
        cooks.push_back([&order, &oven, &served] {
            tusk_try(order.seconds > 0 ? bake(order, oven) : tusk_sleep(0));
            served.push_back(order.dish);
            return 0;
        });
        tusk_try(group.start(cooks.back(), order.dish));
    }
    tusk_try(group.wait(0));
    for (const std::string &dish : served)
        std::printf("the waiter serves the %s\n", dish.c_str());
    return 0;
}

int main()
{
    const std::vector<Order> orders{{1, "lasagne", 0.02}, {2, "gratin", 0.01}, {3, "salad", 0}};
    auto main_coro = [&] { return serve(orders); };
    int rc = run(main_coro);

    if (rc < 0)
        std::fprintf(stderr, "kitchen: %s\n", tusk_strerror(rc));
    return rc < 0;
}
