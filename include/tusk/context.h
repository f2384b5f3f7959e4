/*
 * Context variables: values that follow a task, and not a thread.
 *
 *     static tusk_context_var request = TUSK_CONTEXT_VAR("request", NULL);
 *
 *     tusk_context_var_set(&request, &r, NULL);
 *     ...
 *     struct request *r = tusk_context_var_get(&request);
 *
 * A task starts with a copy of the context of whoever created it; what it sets is its own. A
 * callback runs in a copy of the context it was registered in. Copies are cheap: contexts share
 * what they have in common.
 *
 * A tusk_context is such a context as an object, for tasks and callbacks that shall share one: pass
 * it as .context = ctx.
 *
 * tusk keeps the values as the pointers they are; what they point to is yours.
 */
#ifndef TUSK_CONTEXT_H
#define TUSK_CONTEXT_H

#include <tusk/base.h>

TUSK_BEGIN_DECLS

/* A variable. Define it once, at file level; its address is its identity. */
typedef struct tusk_context_var {
    /* For who debugs. */
    const char *name;
    /* What it is where nobody has set it. */
    void *default_value;
} tusk_context_var;

/* A variable with a name and a default, which may be NULL. */
#define TUSK_CONTEXT_VAR(name, default_value)                                                                \
    {                                                                                                        \
        (name), (default_value)                                                                              \
    }

/*
 * What a variable was before a set: for tusk_context_var_reset(). Yours, nothing to free; not to be
 * changed.
 */
typedef struct tusk_token {
    /* NULL once it was used. */
    const tusk_context_var *var;
    /* The value it had. */
    void *old_value;
    /* False: it had its default. */
    bool was_set;
} tusk_token;

/* A context as an object, counted by references. */
typedef struct tusk_context tusk_context;

/*
 * The variable's value in the current context, or its default. Does not suspend. Any thread:
 * outside a loop each thread has a context of its own.
 */
TUSK_API void *tusk_context_var_get(const tusk_context_var *var);

/*
 * Sets the variable in the current context, and says in ret_token (unless NULL) what it was.
 * Returns 0, -EINVAL for a NULL variable, or -ENOMEM with nothing changed. Does not suspend. Any
 * thread.
 */
TUSK_API int tusk_context_var_set(const tusk_context_var *var, void *value, tusk_token *ret_token);

/*
 * Makes the variable again what it was before the set that gave the token. Returns 0, -EINVAL if
 * the token is another variable's or was used already, or -ENOMEM. Does not suspend. Any thread.
 */
TUSK_API int tusk_context_var_reset(const tusk_context_var *var, tusk_token *token);

/*
 * A copy of the current context as an object, with one reference that is yours. NULL without
 * memory. Does not suspend. Any thread.
 */
TUSK_API tusk_context *tusk_copy_context(void);

/* Another reference to a context; returns it. Takes NULL. Not thread-safe. */
TUSK_API tusk_context *tusk_context_retain(tusk_context *context);

/* Gives a reference back. Takes NULL. Not thread-safe. */
TUSK_API void tusk_context_release(tusk_context *context);

/*
 * Calls function(arg) in that context and returns what it returned; what it sets stays in the
 * context. The function may suspend if the caller may. Returns -EINVAL without context or function.
 */
TUSK_API int tusk_context_run(tusk_context *context, int (*function)(void *arg), void *arg);

TUSK_END_DECLS

#endif
