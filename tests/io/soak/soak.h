/*
 * The soak: random tasks on streams, servers and descriptors, for as many operations as one likes.
 *
 * It runs in rounds. Each has a loop of its own, a network of its own, and some tasks that play one
 * scene after the other: a connection that is made, used and ended in some way. What goes through it is
 * noise of which every byte is known, so that each reader knows what it must get. At the end
 * of a round everything must have been given back.
 *
 * Everything is drawn from one seed: on the simulated network the same seed gives the same run.
 */
#ifndef TESTS_IO_SOAK_H
#define TESTS_IO_SOAK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tusk.h>

/* The longest piece that is written at once. */
enum { PIECE_MAX = 300000 };

struct soak {
    uint64_t random;
    /* Done so far, and where this round ends. */
    uint64_t operations;
    uint64_t limit;
    /* Of all results: two runs with one seed must have the same. */
    uint64_t trace;
    /* Connections break by chance: nobody can rely on what is on its way. */
    bool has_resets;
    /* Real sockets and a real clock. */
    bool is_real;
    /* Streams are left to the loop's end. */
    bool forgets;
    /* What noise_at() gives, as a file. */
    int file;
    /* Some of them are inside of TLS. */
    bool has_tls;
    /* Of this round's server; a name in the abstract namespace, or 0 and no name. */
    int port;
    const char *path;
    uint64_t scenes;
    int failures;
};

extern struct soak soak;

/* ---- chance ---- */

uint64_t draw(uint64_t count);
bool chance(unsigned percent);

/* From 1 to max; small ones as often as large ones. */
size_t some_size(size_t max);

/* Seconds: mostly next to nothing. */
double some_time(void);

/*
 * Sleeps for some time, or lets others run a few times: on a clock that jumps whoever wakes up finds all others
 * waiting, and that is not how it always is. 0 or -ECANCELED.
 */
int nap(void);

/* An operation has been made, with this result, which it returns. */
ssize_t count(ssize_t rc);

/* Something is wrong. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* ---- noise ---- */

void noise_make(void);

/* Where in the file this memory stands. */
off_t noise_offset(const char *data);

/* PIECE_MAX bytes of what the direction of this key carries from offset on. */
const char *noise_at(uint32_t key, size_t offset);

/* ---- connections ---- */

struct line;

/* One direction of a connection. */
struct way {
    uint32_t key;
    /* What its writer wants to send; what calls said was sent; what its reader got. */
    size_t total;
    size_t sent;
    size_t received;
    /* A large write was interrupted: nobody knows how much of it was sent. */
    bool torn;
};

/* One end of a connection: a stream or a descriptor. */
struct end {
    struct line *line;
    tusk_stream *stream;
    int fd;
    struct way *out;
    struct way *in;
    /* A stream's high-water mark: what is larger may be sent in part. */
    size_t high;
    /* How long a line may be, and how much it can be asked to show. */
    size_t limit;
    bool closed;
};

enum { PLAYERS = 4 };

struct line {
    struct end ends[2];
    struct way ways[2];
    /* Writers end their half when all is written. */
    bool half_closes;
    /* The first end is left as it is, for a transport. */
    bool is_mirrored;
    /* There is no half-closing: readers stop when they have all. */
    bool knows_totals;
    /* Interrupted calls are not made again. */
    bool stops;
    /* What plays on this line, and whether it has begun: writer and reader of each end. */
    tusk_task *players[PLAYERS];
    bool begun[PLAYERS];
    int codes[PLAYERS];
    bool over;
};

/* Connects both ends in some way. 0, or a code: nothing was made. */
int line_open(struct line *line);

/* Starts writers and readers of these directions (bit 0: from the first end to the second; bit 1: back). */
void line_start(struct line *line, unsigned directions);

/* The same of one end: its writer and its reader. */
void line_start_end(struct end *end);

/* Waits until all players have ended. */
void line_wait(struct line *line);

/* Releases what is left. */
void line_close(struct line *line);

/* All that was sent in this direction has arrived. */
void line_check(const struct line *line, int direction);

/* Cancels players now and then until the line is over. */
int line_disturb(void *arg);

/* These bytes came next in this direction. */
void verify(struct way *way, const void *data, size_t size);

/* One call: how many bytes, 0 at the end of what is read, or a code. */
ssize_t end_write(struct end *end);
ssize_t end_read(struct end *end);
int end_shut_down(struct end *end);
void end_close(struct end *end);
void end_abort(struct end *end);

/* Writes or reads everything; arg is the end. */
int write_everything(void *arg);
int read_everything(void *arg);

/* True for the codes that come of a cancel or a time-out. */
static inline bool is_interrupted(ssize_t rc)
{
    return rc == -ECANCELED || rc == -ETIMEDOUT;
}

/* Calls within a time-out, sometimes. */
ssize_t in_time(ssize_t (*call)(struct end *end), struct end *end);

/* ---- scenes: each returns when all of it is over ---- */

void play_complete(void);
void play_one_way(void);
void play_cut(void);
void play_together(void);
void play_crowd(void);
void play_server(void);
void play_connecting(void);
void play_messages(void);
void play_waiting(void);
void play_mirror(void);
void play_own_server(void);
void play_forgetting(void);

/* Inside of TLS, between open and close, which each round has; prepare comes once. */
void secure_prepare(void);
void secure_open(void);
void secure_close(void);
void play_secure(void);

/* The clients' side of the round's server. */
int serve(tusk_stream *stream, void *arg);

#endif
