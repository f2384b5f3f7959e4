/*
 * What ELF and Mach-O call differently in assembly. For .S files, for the names
 * that C code jumps to, and for assembly that tools/amalgamate puts into C.
 */
#ifndef TUSK_CORO_ARCH_ASSEMBLY_H
#define TUSK_CORO_ARCH_ASSEMBLY_H

#ifdef __APPLE__
#define TUSK__SYMBOL(name) _##name
#define TUSK__SYMBOL_TEXT(name) "_" name
#define TUSK__LABEL(name) L##name
#else
#define TUSK__SYMBOL(name) name
#define TUSK__SYMBOL_TEXT(name) name
#define TUSK__LABEL(name) .L##name
#endif

#if defined(__APPLE__) && defined(__aarch64__)
#define TUSK__NEXT %%
#else
#define TUSK__NEXT ;
#endif
#ifdef __APPLE__
#define TUSK__FUNCTION(name)                                                                       \
    .private_extern TUSK__SYMBOL(name) TUSK__NEXT                                                  \
    .p2align 5 TUSK__NEXT                                                                          \
    TUSK__SYMBOL(name):
#define TUSK__END(name)
#define TUSK__END_FILE .subsections_via_symbols
#else
#define TUSK__FUNCTION(name)                                                                       \
    .globl name TUSK__NEXT                                                                         \
    .hidden name TUSK__NEXT                                                                        \
    .type name, %function TUSK__NEXT                                                               \
    .p2align 5 TUSK__NEXT                                                                          \
    name:
#define TUSK__END(name) .size name, . - name
/* Without this mark the linker makes every stack of the program executable. */
#define TUSK__END_FILE .section .note.GNU-stack, "", %progbits
#endif

#endif
