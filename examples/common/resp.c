/*
 * Nothing is copied on its way in. On its way out everything is collected, for one write.
 */
#include "resp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- requests ---- */

/* "12\r\n" from *at on, which moves behind it. 0 if there is not all of it, -1 if it is none. */
static int parse_number(const char **at, const char *end, long most, long *ret_count)
{
    const char *digit = *at;
    long count = 0;

    for (; digit < end && *digit >= '0' && *digit <= '9'; digit++) {
        count = count * 10 + (*digit - '0');
        if (count > most)
            return -1;
    }
    if (digit == end)
        return 0;
    if (digit == *at || *digit != '\r')
        return -1;
    if (end - digit < 2)
        return 0;
    *at = digit + 2;
    *ret_count = count;
    return digit[1] == '\n' ? 1 : -1;
}

/* "$4\r\nPING\r\n" */
static int parse_word(struct resp_request *request, const char **at, const char *end)
{
    const char *start = *at + 1;
    long size;
    int rc;

    if (*at == end)
        return 0;
    request->error = "Protocol error: expected '$'";
    if (**at != '$')
        return -1;
    request->error = "Protocol error: invalid bulk length";
    rc = parse_number(&start, end, RESP_MAX_WORD, &size);
    if (rc <= 0 || end - start < size + 2)
        return rc < 0 ? -1 : 0;
    request->words[request->count++] = (struct text){start, (size_t)size};
    *at = start + size + 2;
    return 1;
}

static long parse_array(struct resp_request *request, const char *data, const char *end)
{
    const char *at = data + 1;
    long count;
    int rc;

    request->error = "Protocol error: invalid multibulk length";
    rc = parse_number(&at, end, RESP_MAX_WORDS, &count);
    while (rc > 0 && count-- > 0)
        rc = parse_word(request, &at, end);
    return rc > 0 ? at - data : rc;
}

static long parse_line(struct resp_request *request, const char *data, const char *end)
{
    const char *newline = memchr(data, '\n', (size_t)(end - data));

    request->error = "Protocol error: too big inline request";
    if (!newline)
        return end - data > 65536 ? -1 : 0;
    for (const char *at = data; at < newline;) {
        const char *start = at;

        while (at < newline && *at != ' ' && *at != '\t' && *at != '\r')
            at++;
        if (at > start && request->count == RESP_MAX_WORDS)
            return -1;
        if (at > start)
            request->words[request->count++] = (struct text){start, (size_t)(at - start)};
        else
            at++;
    }
    return newline + 1 - data;
}

long resp_parse(struct resp_request *request, const char *data, size_t size)
{
    request->count = 0;
    if (size == 0)
        return 0;
    return *data == '*' ? parse_array(request, data, data + size) : parse_line(request, data, data + size);
}

bool resp_integer(struct text text, long long *ret_number)
{
    char copy[24] = "";
    char *end;

    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.size);
    if (*copy != '-' && (*copy < '0' || *copy > '9'))
        return false;
    errno = 0;
    *ret_number = strtoll(copy, &end, 10);
    return errno == 0 && end == copy + text.size;
}

/* ---- answers ---- */

static void send_data(struct resp_client *client, const char *data, size_t size)
{
    int rc = client->end < 0 ? client->end : tusk_stream_write(client->stream, data, size);

    if (rc < 0)
        client->end = rc;
}

void resp_flush(struct resp_client *client)
{
    if (client->used > 0)
        send_data(client, client->answers, client->used);
    client->used = 0;
}

static void say(struct resp_client *client, const char *data, size_t size)
{
    if (client->used + size > RESP_ANSWERS)
        resp_flush(client);
    if (size > RESP_ANSWERS) {
        send_data(client, data, size);
        return;
    }
    memcpy(client->answers + client->used, data, size);
    client->used += size;
}

void resp_say_line(struct resp_client *client, const char *line)
{
    say(client, line, strlen(line));
    say(client, "\r\n", 2);
}

void resp_say_error(struct resp_client *client, const char *format, ...)
{
    char line[160] = "-ERR ";
    va_list args;

    va_start(args, format);
    vsnprintf(line + 5, sizeof line - 5, format, args);
    va_end(args);
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    resp_say_line(client, line);
}

/* By hand, since it is in most answers, and printf is slow. */
void resp_say_number(struct resp_client *client, char type, long long number)
{
    char text[32];
    char *at = text + sizeof text;
    unsigned long long rest = number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;

    *--at = '\n';
    *--at = '\r';
    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0)
        *--at = '-';
    *--at = type;
    say(client, at, (size_t)(text + sizeof text - at));
}

void resp_say_bulk(struct resp_client *client, struct text text)
{
    resp_say_number(client, '$', (long long)text.size);
    say(client, text.data, text.size);
    say(client, "\r\n", 2);
}
