/* What the examples have in common as programs: the options of their command line, and their end. */
#ifndef EXAMPLES_PROGRAM_H
#define EXAMPLES_PROGRAM_H

/* "--root FOLDER   what to serve". The value is what it was if the option is not given. */
struct program_option {
    const char *name;
    const char *what;
    const char *help;
    const char **value;
};

/* At most so many, and the last of the array is {0}. */
enum { PROGRAM_OPTIONS = 8 };

struct program {
    const char *name;
    const char *about;
    /* What follows the options: "URL..."; NULL: nothing may. */
    const char *arguments;
    struct program_option options[PROGRAM_OPTIONS + 1];
};

/*
 * Takes the options, and returns the index of the first argument behind them. Ends the program for --help, and
 * for what it does not know.
 */
int program_options(const struct program *program, int argc, char **argv);

/* The number that an argument is. If it is none, or not within the limits, the program ends with an error. */
long program_number(const char *what, const char *text, long least, long most);

/* 0 is a port too: whichever is free. */
int program_port(const char *text);

/*
 * The exit status of a program whose tusk_run() returned rc: says what went wrong, if something did. Ctrl-C is
 * how a server is meant to end.
 */
int program_end(const struct program *program, int rc);

#endif
