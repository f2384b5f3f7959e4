/*
 * Scenes with a transport: a protocol that sends everything back, and a task that talks to it.
 */
#include "io/soak/soak.h"

struct mirror {
    struct line line;
    tusk_transport *transport;
    /* Reads on after a pause of its own. */
    tusk_handle resume;
    bool is_full;
    tusk_event gone;
    int error;
};

static void note_made(void *self, tusk_transport *transport)
{
    struct mirror *mirror = self;

    mirror->transport = transport;
    if (chance(50))
        tusk_transport_set_write_buffer_limits(transport, some_size(100000), 0);
}

static int resume(void *arg)
{
    struct mirror *mirror = arg;

    if (mirror->transport && !mirror->is_full)
        tusk_transport_resume_reading(mirror->transport);
    return 0;
}

static void reflect(void *self, const void *data, size_t size)
{
    struct mirror *mirror = self;

    verify(&mirror->line.ways[1], data, size);
    if (count(tusk_transport_write(mirror->transport, data, size)) == 0)
        mirror->line.ways[0].sent += size;
    if (!chance(5) || tusk_handle_pending(mirror->resume))
        return;
    tusk_transport_pause_reading(mirror->transport);
    mirror->resume = tusk_call_later(some_time(), resume, mirror);
}

static char room[7000];

static void *give_room(void *self, size_t size_hint, size_t *ret_size)
{
    (void)self;
    (void)size_hint;
    *ret_size = some_size(sizeof room);
    return room;
}

static void take_room(void *self, size_t size)
{
    reflect(self, room, size);
}

static void note_full(void *self)
{
    struct mirror *mirror = self;

    mirror->is_full = true;
    tusk_transport_pause_reading(mirror->transport);
}

static void note_room(void *self)
{
    struct mirror *mirror = self;

    mirror->is_full = false;
    tusk_transport_resume_reading(mirror->transport);
}

static void note_lost(void *self, int error)
{
    struct mirror *mirror = self;

    mirror->transport = NULL;
    mirror->error = error;
    tusk_event_set(&mirror->gone);
}

/* Without eof_received the transport closes at the end of what comes, when all is written. */
static const struct tusk_protocol protocols[] = {
    {.connection_made = note_made,
     .data_received = reflect,
     .connection_lost = note_lost,
     .pause_writing = note_full,
     .resume_writing = note_room},
    {.connection_made = note_made,
     .get_buffer = give_room,
     .buffer_updated = take_room,
     .connection_lost = note_lost,
     .pause_writing = note_full,
     .resume_writing = note_room},
};

static void play(struct mirror *mirror)
{
    struct line *line = &mirror->line;
    tusk_task *disturber = chance(50) ? tusk_create_task(line_disturb, line) : NULL;
    bool is_whole = chance(80);

    line_start_end(&line->ends[1]);
    if (!is_whole) {
        count(nap());
        if (mirror->transport && chance(50))
            tusk_transport_abort(mirror->transport);
        else
            end_abort(&line->ends[1]);
    }
    line_wait(line);
    if (is_whole && !soak.has_resets && !line->ways[1].torn && mirror->error == 0 &&
        line->ways[0].sent != line->ways[1].sent)
        complain("a mirror got %zu bytes of %zu", line->ways[0].sent, line->ways[1].sent);
    if (is_whole && !line->ways[1].torn)
        line_check(line, 0);
    end_close(&line->ends[1]);
    if (disturber)
        count(tusk_await(disturber));
    if (count(tusk_event_wait(&mirror->gone)) < 0)
        complain("a mirror is left");
    tusk_handle_cancel(mirror->resume);
}

void play_mirror(void)
{
    struct mirror mirror = {.line = {.half_closes = true, .is_mirrored = true}};
    struct line *line = &mirror.line;

    if (line_open(line) < 0)
        return;
    line->ways[0].key = line->ways[1].key;
    line->ways[0].total = line->ways[1].total;
    if (count(tusk_open_transport(line->ends[0].fd, &protocols[draw(2)], &mirror, NULL)) < 0) {
        complain("no transport");
        line_close(line);
        return;
    }
    play(&mirror);
    /* The transport has closed it. */
    line->ends[0].closed = true;
    line_close(line);
}
