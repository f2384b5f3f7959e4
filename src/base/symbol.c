/*
 * Where there are ELF files, their tables are read from the file in pieces: a
 * table of symbols is not in memory, and a file that is mapped could be cut
 * short meanwhile. Elsewhere the system's dladdr has to do.
 */
#include "base/symbol.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if __has_include(<link.h>)
#include <link.h>
#endif

#if defined(ElfW)
typedef ElfW(Ehdr) elf_file;
typedef ElfW(Shdr) elf_section;
typedef ElfW(Sym) elf_symbol;
typedef ElfW(Phdr) elf_part;

/* ---- the file of an address ---- */

struct search {
    uintptr_t address;
    struct tusk__symbol *symbol;
};

/* The program itself often has no name in the list of what is loaded. */
static void name_program(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);

    path[length > 0 ? length : 0] = '\0';
}

static int look_into(struct dl_phdr_info *module, size_t size, void *arg)
{
    struct search *search = arg;
    uintptr_t offset = search->address - module->dlpi_addr;

    (void)size;
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        const elf_part *part = &module->dlpi_phdr[i];

        if (part->p_type != PT_LOAD || offset - part->p_vaddr >= part->p_memsz)
            continue;
        search->symbol->offset = offset;
        if (module->dlpi_name && module->dlpi_name[0])
            snprintf(search->symbol->module, sizeof search->symbol->module, "%s", module->dlpi_name);
        else
            name_program(search->symbol->module, sizeof search->symbol->module);
        return 1;
    }
    return 0;
}

/* ---- the name in the file ---- */

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
    return pread(fd, to, size, (off_t)offset) == (ssize_t)size;
}

static bool read_section(int fd, const elf_file *file, size_t number, elf_section *ret_section)
{
    return number < file->e_shnum &&
           read_at(fd, ret_section, sizeof *ret_section, file->e_shoff + number * sizeof *ret_section);
}

/* The first section of this type. */
static bool find_section(int fd, const elf_file *file, uint32_t type, elf_section *ret_section)
{
    for (size_t i = 0; read_section(fd, file, i, ret_section); i++)
        if (ret_section->sh_type == type)
            return true;
    return false;
}

static bool covers(const elf_symbol *symbol, uintptr_t offset)
{
    return (symbol->st_info & 0xf) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
           offset - symbol->st_value < symbol->st_size;
}

/* The function of the table to which the offset belongs. */
static bool find_function(int fd, const elf_section *table, uintptr_t offset, elf_symbol *ret_symbol)
{
    elf_symbol symbols[128];
    uint64_t left = table->sh_size / sizeof symbols[0];
    uint64_t at = table->sh_offset;

    while (left > 0) {
        size_t count = left < 128 ? (size_t)left : 128;

        if (!read_at(fd, symbols, count * sizeof symbols[0], at))
            return false;
        for (size_t i = 0; i < count; i++) {
            if (covers(&symbols[i], offset)) {
                *ret_symbol = symbols[i];
                return true;
            }
        }
        at += count * sizeof symbols[0];
        left -= count;
    }
    return false;
}

/* Names of one table. */
static bool name_by(int fd, const elf_file *file, uint32_t type, struct tusk__symbol *symbol)
{
    elf_section table;
    elf_section names;
    elf_symbol function;
    ssize_t length;

    if (!find_section(fd, file, type, &table) || !read_section(fd, file, table.sh_link, &names) ||
        !find_function(fd, &table, symbol->offset, &function))
        return false;
    length =
        pread(fd, symbol->function, sizeof symbol->function - 1, (off_t)(names.sh_offset + function.st_name));
    symbol->function[length > 0 ? length : 0] = '\0';
    return true;
}

static void name_function(struct tusk__symbol *symbol)
{
    elf_file file;
    int fd = open(symbol->module, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (read_at(fd, &file, sizeof file, 0) && memcmp(file.e_ident, ELFMAG, SELFMAG) == 0 &&
        file.e_shentsize == sizeof(elf_section) && !name_by(fd, &file, SHT_SYMTAB, symbol))
        name_by(fd, &file, SHT_DYNSYM, symbol);
    close(fd);
}

bool tusk__symbol_find(uintptr_t address, struct tusk__symbol *ret)
{
    struct search search = {address, ret};

    ret->function[0] = '\0';
    if (dl_iterate_phdr(look_into, &search) == 0)
        return false;
    name_function(ret);
    return true;
}
#else
#include <dlfcn.h>

bool tusk__symbol_find(uintptr_t address, struct tusk__symbol *ret)
{
    Dl_info info;

    if (dladdr((void *)address, &info) == 0 || !info.dli_fname)
        return false;
    snprintf(ret->module, sizeof ret->module, "%s", info.dli_fname);
    snprintf(ret->function, sizeof ret->function, "%s", info.dli_sname ? info.dli_sname : "");
    ret->offset = address - (uintptr_t)info.dli_fbase;
    return true;
}
#endif
