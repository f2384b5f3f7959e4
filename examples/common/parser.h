/*
 * The parser for HTTP by its two names: llhttp, and http_parser, which came before it. Their callbacks are the
 * same.
 */
#ifndef EXAMPLES_PARSER_H
#define EXAMPLES_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef EXAMPLES_PARSER_LLHTTP

#include <llhttp.h>

typedef llhttp_t request_parser;
typedef llhttp_settings_t parser_callbacks;

static inline void parser_init(request_parser *parser, const parser_callbacks *callbacks)
{
    llhttp_init(parser, HTTP_REQUEST, callbacks);
}

/* False if these bytes are not HTTP, or a callback said no. */
static inline bool parser_execute(request_parser *parser, const parser_callbacks *callbacks, const char *data,
                                  size_t size)
{
    (void)callbacks;
    return llhttp_execute(parser, data, size) == HPE_OK;
}

/* Whether the client expects that the connection goes on. */
static inline bool parser_should_keep_alive(const request_parser *parser)
{
    return llhttp_should_keep_alive(parser) != 0;
}

#else

#include <http_parser.h>

typedef http_parser request_parser;
typedef http_parser_settings parser_callbacks;

static inline void parser_init(request_parser *parser, const parser_callbacks *callbacks)
{
    (void)callbacks;
    http_parser_init(parser, HTTP_REQUEST);
}

static inline bool parser_execute(request_parser *parser, const parser_callbacks *callbacks, const char *data,
                                  size_t size)
{
    return http_parser_execute(parser, callbacks, data, size) == size && HTTP_PARSER_ERRNO(parser) == HPE_OK;
}

static inline bool parser_should_keep_alive(const request_parser *parser)
{
    return http_should_keep_alive(parser) != 0;
}

#endif

#endif
