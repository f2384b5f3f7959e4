#include "base/stock.h"

#include <stdalign.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

#define SMALLEST ((size_t)128)
#define KEPT_MAX ((size_t)256 * 1024)

/* What stands before the memory. */
struct tusk__stock_block {
    /* The next one that is kept. */
    struct tusk__stock_block *next;
    /* TUSK__STOCK_CLASSES: too large for any. */
    unsigned size_class;
    alignas(max_align_t) char memory[];
};

static size_t size_of(unsigned size_class)
{
    return SMALLEST << size_class;
}

/* The class of the smallest block with room for so much. */
static unsigned class_for(size_t size)
{
    unsigned size_class = 0;

    while (size_class < TUSK__STOCK_CLASSES && size > size_of(size_class) - sizeof(struct tusk__stock_block))
        size_class++;
    return size_class;
}

void tusk__stock_open(struct tusk__stock *stock)
{
    memset(stock, 0, sizeof *stock);
    pthread_mutex_init(&stock->lock, NULL);
}

void tusk__stock_close(struct tusk__stock *stock)
{
    for (unsigned i = 0; i < TUSK__STOCK_CLASSES; i++) {
        struct tusk__stock_block *block = stock->kept[i];

        while (block) {
            struct tusk__stock_block *next = block->next;

            tusk__free(block);
            block = next;
        }
    }
    pthread_mutex_destroy(&stock->lock);
}

/* ---- what is kept ---- */

static struct tusk__stock_block *take(struct tusk__stock *stock, unsigned size_class)
{
    struct tusk__stock_block *block;

    pthread_mutex_lock(&stock->lock);
    block = stock->kept[size_class];
    if (block) {
        stock->kept[size_class] = block->next;
        stock->counts[size_class]--;
    }
    pthread_mutex_unlock(&stock->lock);
    return block;
}

/* False if there is enough of it. */
static bool keep(struct tusk__stock *stock, struct tusk__stock_block *block)
{
    unsigned size_class = block->size_class;
    bool kept;

    pthread_mutex_lock(&stock->lock);
    kept = stock->counts[size_class] < KEPT_MAX / size_of(size_class);
    if (kept) {
        block->next = stock->kept[size_class];
        stock->kept[size_class] = block;
        stock->counts[size_class]++;
    }
    pthread_mutex_unlock(&stock->lock);
    return kept;
}

/* ---- taking and giving ---- */

static struct tusk__stock_block *allocate(unsigned size_class, size_t size)
{
    struct tusk__stock_block *block = NULL;

    if (size_class < TUSK__STOCK_CLASSES)
        block = tusk__alloc(size_of(size_class));
    else if (size <= SIZE_MAX - sizeof *block)
        block = tusk__alloc(sizeof *block + size);
    if (block)
        block->size_class = size_class;
    return block;
}

void *tusk__stock_get(struct tusk__stock *stock, size_t size)
{
    unsigned size_class = class_for(size);
    struct tusk__stock_block *block;

    if (tusk__fail_now())
        return NULL;
    block = size_class < TUSK__STOCK_CLASSES ? take(stock, size_class) : NULL;
    if (block)
        return memset(block->memory, 0, size);
    block = allocate(size_class, size);
    return block ? block->memory : NULL;
}

void tusk__stock_put(struct tusk__stock *stock, void *memory)
{
    struct tusk__stock_block *block = memory ? container_of(memory, struct tusk__stock_block, memory) : NULL;

    if (!block)
        return;
    if (!stock || TUSK__ASAN || block->size_class == TUSK__STOCK_CLASSES || !keep(stock, block))
        tusk__free(block);
}
