/*
 * What stands at an address of this program: its file, where in that, and the
 * name of the function. For reports; reads files, but takes no memory.
 *
 * The name comes from the symbol table of the file itself, not from what it
 * exports: so functions that are static have theirs too, and no program
 * has to be linked in a special way. A file without that table (stripped) has the
 * names that it exports.
 */
#ifndef TUSK__BASE_SYMBOL_H
#define TUSK__BASE_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tusk__symbol {
    /* The path of the program or library. */
    char module[1024];
    /* Where in that, as addr2line takes it. */
    uintptr_t offset;
    /* "" if it is not known. */
    char function[128];
};

/* False if the address is in no file. May wait while another thread loads a library. */
bool tusk__symbol_find(uintptr_t address, struct tusk__symbol *ret);

#endif
