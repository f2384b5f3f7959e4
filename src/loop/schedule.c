/*
 * Shuffling a linked list without memory: its handles are dealt to a few piles at
 * random, the piles are put together, and that is done several times. Three rounds of
 * eight piles give each of some five hundred handles a place of its own; more
 * handles are mixed less evenly, which does for finding bugs.
 */
#include "loop/schedule.h"

enum { PILES = 8, ROUNDS = 3 };

/* xorshift64*: short, and good enough to deal cards. */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL;
}

/* Deals the handles in [first, end) once; returns the new first. */
static struct tusk__handle *deal(uint64_t *state, struct tusk__handle *first, struct tusk__handle *end)
{
    struct tusk__handle *piles[PILES] = {0};
    struct tusk__handle **ends[PILES];
    struct tusk__handle *result = end;

    for (int i = 0; i < PILES; i++)
        ends[i] = &piles[i];
    while (first != end) {
        unsigned pile = (unsigned)(draw(state) >> 61);

        *ends[pile] = first;
        ends[pile] = &first->next;
        first = first->next;
    }
    for (int i = PILES - 1; i >= 0; i--) {
        *ends[i] = result;
        if (ends[i] != &piles[i])
            result = piles[i];
    }
    return result;
}

void tusk__schedule_shuffle(uint64_t *state, struct tusk__handle **batch,
                            void (*step)(struct tusk__handle *handle))
{
    struct tusk__handle **link = batch;

    while (*link) {
        struct tusk__handle *end = *link;

        while (end && end->run == step)
            end = end->next;
        for (int round = 0; round < ROUNDS && *link != end; round++)
            *link = deal(state, *link, end);
        while (*link != end)
            link = &(*link)->next;
        if (*link)
            link = &(*link)->next;
    }
}
