/*
 * Switches for AArch64 (AAPCS64, and Apple's).
 *
 * A suspended place is the stack pointer of this frame:
 *
 *     sp + 160  FPCR
 *     sp + 96   d8 to d15
 *     sp        x19 to x30
 *
 * As on x86-64, and for the same reason (see there), what stores a place is
 * called, what goes on at one ends in `ret`, and what only begins or leaves is
 * jumped to. FPCR is written only when it differs.
 *
 * Branch targets: functions are reached by a direct branch; entries by `br x16`,
 * which may land on the pads of both `bti c` and `paciasp`. Return addresses in
 * these frames are not signed; those of C code are, and come back with the same
 * stack pointer that they were signed with.
 */
#include "coro/arch/assembly.h"

#if defined(__aarch64__) && !defined(TUSK_CORO_UCONTEXT)

#define FRAME 176

        .text

        .macro  frame_rules
        .cfi_offset x19, -176
        .cfi_offset x20, -168
        .cfi_offset x21, -160
        .cfi_offset x22, -152
        .cfi_offset x23, -144
        .cfi_offset x24, -136
        .cfi_offset x25, -128
        .cfi_offset x26, -120
        .cfi_offset x27, -112
        .cfi_offset x28, -104
        .cfi_offset x29, -96
        .cfi_offset x30, -88
        .endm

/* Stores this place in *x0, and this thread's FPCR in x9. */
        .macro  save_registers
        hint    #34
        sub     sp, sp, #FRAME
        .cfi_def_cfa_offset FRAME
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        frame_rules
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x9, fpcr
        str     x9, [sp, #160]
        mov     x10, sp
        str     x10, [x0]
        .endm

/* Goes on at x1, with this thread's FPCR in x9. */
        .macro  restore_registers
        mov     sp, x1
        ldr     x10, [sp, #160]
        cmp     x9, x10
        b.ne    2f
1:      ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        .cfi_remember_state
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        add     sp, sp, #FRAME
        .cfi_def_cfa sp, 0
        ret
        .cfi_restore_state
2:      msr     fpcr, x10
        b       1b
        .endm

/* void tusk__arch_switch(void **from, void *to) */
TUSK__FUNCTION(tusk__arch_switch)
        .cfi_startproc
        save_registers
        restore_registers
        .cfi_endproc
TUSK__END(tusk__arch_switch)

/* Jumped to with the place in x1. */
TUSK__FUNCTION(tusk__arch_resume)
        .cfi_startproc
        .cfi_def_cfa x1, FRAME
        frame_rules
        mrs     x9, fpcr
        restore_registers
        .cfi_endproc
TUSK__END(tusk__arch_resume)

/* void tusk__arch_start_at(void **from, void *start, tusk__coro_entry *entry, void *arg) */
TUSK__FUNCTION(tusk__arch_start_at)
        .cfi_startproc
        save_registers
        mov     x16, x2
        mov     x0, x3
        .cfi_undefined x30
        mov     sp, x1
        mov     x29, #0
        adr     x30, TUSK__LABEL(bottom_return)
        br      x16
        .cfi_endproc
TUSK__END(tusk__arch_start_at)

/* Jumped to with the start of the stack in x1, the entry in x16 and its argument in x0. */
TUSK__FUNCTION(tusk__arch_begin)
        .cfi_startproc
        .cfi_undefined x30
        mov     sp, x1
        mov     x29, #0
        adr     x30, TUSK__LABEL(bottom_return)
        br      x16
        .cfi_endproc
TUSK__END(tusk__arch_begin)

/* The caller of every entry, as debuggers see it: the outermost frame. No entry returns to it. */
TUSK__FUNCTION(tusk__coro_bottom)
        .cfi_startproc
        .cfi_undefined x30
        nop
TUSK__LABEL(bottom_return):
        brk     #1
        .cfi_endproc
TUSK__END(tusk__coro_bottom)

#if defined(__ELF__) && defined(__ARM_FEATURE_BTI_DEFAULT)
/* Branch targets are marked: a linked program may ask the kernel to check them. */
        .section .note.gnu.property, "a"
        .p2align 3
        .word   4, 16, 5
        .asciz  "GNU"
        .word   0xc0000000, 4, 1, 0
#endif

#endif

TUSK__END_FILE
