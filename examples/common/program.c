#include "program.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <tusk.h>

long program_number(const char *what, const char *text, long least, long most)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && number >= least && number <= most)
        return number;
    fprintf(stderr, "%s is a number from %ld to %ld, and not '%s'\n", what, least, most, text);
    exit(2);
}

int program_port(const char *text)
{
    return (int)program_number("a port", text, 0, 65535);
}

static void help(const struct program *program)
{
    printf("usage: %s [OPTION]... %s\n\n%s\n\n", program->name, program->arguments ? program->arguments : "",
           program->about);
    for (const struct program_option *option = program->options; option->name; option++) {
        printf("  --%s %s\t%s", option->name, option->what, option->help);
        if (*option->value)
            printf(" (default: %s)", *option->value);
        printf("\n");
    }
}

static void misuse(const struct program *program)
{
    fprintf(stderr, "See: %s --help\n", program->name);
    exit(2);
}

int program_options(const struct program *program, int argc, char **argv)
{
    struct option longs[PROGRAM_OPTIONS + 2] = {{"help", no_argument, NULL, 'h'}};
    int chosen, count = 0;

    for (; program->options[count].name; count++)
        longs[count + 1] =
            (struct option){program->options[count].name, required_argument, NULL, 1000 + count};
    /* "+": options behind the first argument are that argument's. */
    while ((chosen = getopt_long(argc, argv, "+h", longs, NULL)) != -1) {
        if (chosen == 'h') {
            help(program);
            exit(0);
        }
        if (chosen < 1000)
            misuse(program);
        *program->options[chosen - 1000].value = optarg;
    }
    if (optind < argc && !program->arguments) {
        fprintf(stderr, "%s: what is '%s'?\n", program->name, argv[optind]);
        misuse(program);
    }
    return optind;
}

int program_end(const struct program *program, int rc)
{
    if (rc >= 0 || rc == -EINTR)
        return 0;
    fprintf(stderr, "%s: %s\n", program->name, tusk_describe(rc));
    return 1;
}
