/*
 * tusk_copy: arguments that tasks own. See copy.h.
 */
#include "base/copy.h"

#include <stdalign.h>
#include <string.h>

#include "base/mem.h"

struct tusk__copy {
    struct tusk__copy *next;
    alignas(max_align_t) char data[];
};

_Thread_local struct tusk__copy *tusk__waiting_copies;

/*
 * Stands for a copy that failed: it waits in the list like others, so that the
 * creation which gets it fails too.
 */
static _Thread_local struct tusk__copy failed;

void *tusk__copy_make(const void *data, size_t size)
{
    struct tusk__copy *copy = tusk__alloc(sizeof *copy + size);

    if (copy && data)
        memcpy(copy->data, data, size);
    if (!copy) {
        copy = &failed;
        /* It may wait already, for a creation that never came. */
        tusk__copy_failed(copy->data);
    }
    copy->next = tusk__waiting_copies;
    tusk__waiting_copies = copy;
    return copy->data;
}

/* The link in the list that leads to the copy with this data. */
static struct tusk__copy **find(const void *arg)
{
    struct tusk__copy **link = &tusk__waiting_copies;

    while (*link && (*link)->data != arg)
        link = &(*link)->next;
    return link;
}

static struct tusk__copy *take(const void *arg)
{
    struct tusk__copy **link = find(arg);
    struct tusk__copy *copy = *link;

    if (copy)
        *link = copy->next;
    return copy;
}

bool tusk__copy_failed(const void *arg)
{
    return arg == failed.data && take(arg) != NULL;
}

bool tusk__copy_claim(void *arg)
{
    return take(arg) != NULL && arg != failed.data;
}

void tusk__copy_free(void *arg)
{
    if (arg)
        tusk__free(container_of(arg, struct tusk__copy, data));
}

size_t tusk__copies_drop(void)
{
    size_t count = 0;

    for (; tusk__waiting_copies; count++) {
        struct tusk__copy *copy = tusk__waiting_copies;

        tusk__waiting_copies = copy->next;
        if (copy != &failed)
            tusk__free(copy);
    }
    return count;
}
