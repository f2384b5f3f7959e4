/* The protocol of Redis, for a server: requests as they come, and answers as they go. */
#ifndef EXAMPLES_RESP_H
#define EXAMPLES_RESP_H

#include <tusk.h>

#include "text.h"

enum {
    RESP_MAX_WORDS = 256,
    RESP_MAX_WORD = 16 << 20,
    RESP_ANSWERS = 16 << 10,
};

struct resp_request {
    /* They stand where the request was read from. */
    struct text words[RESP_MAX_WORDS];
    size_t count;
    /* What is wrong with it, if something is. */
    const char *error;
};

/* Lies on the stack of the client's task: what is not used of it costs nothing. */
struct resp_client {
    tusk_stream *stream;
    /* Not 0: the client is not served any more. 1, or the error of a write. */
    int end;
    struct resp_request request;
    /* Answers that are not sent yet. */
    size_t used;
    char answers[RESP_ANSWERS];
};

/*
 * Parses the request that the data begin with: "*2\r\n$4\r\nPING\r\n$2\r\nhi\r\n", or "PING hi\r\n" as people
 * type it. Returns how many bytes it has; 0 if it is not whole yet; -1 if it is none.
 */
long resp_parse(struct resp_request *request, const char *data, size_t size);

/* False if the text is not a number that fits. */
bool resp_integer(struct text text, long long *ret_number);

/*
 * Answers: a line without its end; an error, in which nothing ends the line; a type, a number and the end of the line (":12"); a text with its
 * length. They suspend when there is no more room. So what they say must stay where it is.
 */
void resp_say_line(struct resp_client *client, const char *line);
void resp_say_error(struct resp_client *client, const char *format, ...) TUSK_PRINTF(2, 3);
void resp_say_number(struct resp_client *client, char type, long long number);
void resp_say_bulk(struct resp_client *client, struct text text);

/* Sends them. Suspends. */
void resp_flush(struct resp_client *client);

#endif
