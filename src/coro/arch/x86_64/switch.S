/*
 * Switches for x86-64 (System V).
 *
 * A suspended place is the stack pointer of this frame:
 *
 *     sp + 64  return address
 *     sp + 16  r15 r14 r13 r12 rbx rbp, upwards
 *     sp + 8   MXCSR
 *     sp       x87 control word
 *
 * The processor predicts returns by pairing them with calls. Two tasks that
 * suspend at the same place in the program have the same return addresses above
 * them, so a switch that is called and returns keeps them paired, and costs
 * 2.7 ns; one that pops the address and jumps costs little by itself, but makes
 * every return after it a misprediction: 19 ns. So everything that stores a
 * place is called, everything that goes on at a place ends in `ret`, and the
 * two that only begin or only leave (which would unbalance the pairs) are
 * jumped to.
 *
 * Writing MXCSR costs 35 to 60 ns when its flags differ, so it is written only
 * when its control bits do, and the sticky flags go along with the thread. The
 * two control words are read by two narrow loads: one wide load over two narrow
 * stores would wait for both to reach the cache.
 *
 * Nothing here is marked for CET: shadow stacks are not kept, and
 * tusk__coro_check() says so.
 */
#include "coro/arch/assembly.h"

#if defined(__x86_64__) && !defined(TUSK_CORO_UCONTEXT)

#define FRAME 64
/*
 * Rounding and exception masks; the bits below are the sticky flags. In brackets, for inside of a macro
 * Apple's assembler takes $0 for an argument.
 */
#define MXCSR_CONTROL (0xffc0)

        .text

/* Pushes the registers of this place. */
        .macro  save_registers
        .cfi_def_cfa rsp, 8
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset rbp, -16
        pushq   %rbx
        .cfi_def_cfa_offset 24
        .cfi_offset rbx, -24
        pushq   %r12
        .cfi_def_cfa_offset 32
        .cfi_offset r12, -32
        pushq   %r13
        .cfi_def_cfa_offset 40
        .cfi_offset r13, -40
        pushq   %r14
        .cfi_def_cfa_offset 48
        .cfi_offset r14, -48
        pushq   %r15
        .cfi_def_cfa_offset 56
        .cfi_offset r15, -56
        subq    $16, %rsp
        .cfi_def_cfa_offset FRAME + 8
        stmxcsr 8(%rsp)
        fnstcw  (%rsp)
        movq    %rsp, (%rdi)
        .endm

/* Goes on at rsi, with this thread's MXCSR in eax and x87 control word in ecx. */
        .macro  restore_registers
        movq    %rsi, %rsp
        xorl    8(%rsp), %eax
        testl   $MXCSR_CONTROL, %eax
        jne     3f
1:      cmpw    %cx, (%rsp)
        jne     4f
2:      movq    16(%rsp), %r15
        movq    24(%rsp), %r14
        movq    32(%rsp), %r13
        movq    40(%rsp), %r12
        movq    48(%rsp), %rbx
        movq    56(%rsp), %rbp
        addq    $FRAME, %rsp
        .cfi_remember_state
        .cfi_def_cfa rsp, 8
        .cfi_restore rbp
        .cfi_restore rbx
        .cfi_restore r12
        .cfi_restore r13
        .cfi_restore r14
        .cfi_restore r15
        retq
        .cfi_restore_state
3:      ldmxcsr 8(%rsp)
        jmp     1b
4:      fldcw   (%rsp)
        jmp     2b
        .endm

/* void tusk__arch_switch(void **from, void *to) */
TUSK__FUNCTION(tusk__arch_switch)
        .cfi_startproc
        save_registers
        movl    8(%rsp), %eax
        movzwl  (%rsp), %ecx
        restore_registers
        .cfi_endproc
TUSK__END(tusk__arch_switch)

/* Jumped to with the place in rsi. What runs is dead, so its stack serves for the control words. */
TUSK__FUNCTION(tusk__arch_resume)
        .cfi_startproc
        .cfi_def_cfa rsi, FRAME + 8
        .cfi_offset rbp, -16
        .cfi_offset rbx, -24
        .cfi_offset r12, -32
        .cfi_offset r13, -40
        .cfi_offset r14, -48
        .cfi_offset r15, -56
        stmxcsr -8(%rsp)
        fnstcw  -16(%rsp)
        movl    -8(%rsp), %eax
        movzwl  -16(%rsp), %ecx
        restore_registers
        .cfi_endproc
TUSK__END(tusk__arch_resume)

/* void tusk__arch_start_at(void **from, void *start, tusk__coro_entry *entry, void *arg) */
TUSK__FUNCTION(tusk__arch_start_at)
        .cfi_startproc
        save_registers
        movq    %rcx, %rdi
        movq    %rsi, %rsp
        .cfi_undefined rip
        leaq    TUSK__LABEL(bottom_return)(%rip), %rax
        pushq   %rax
        xorl    %ebp, %ebp
        jmp     *%rdx
        .cfi_endproc
TUSK__END(tusk__arch_start_at)

/* Jumped to with the start of the stack in rsi, the entry in rdx and its argument in rdi. */
TUSK__FUNCTION(tusk__arch_begin)
        .cfi_startproc
        .cfi_undefined rip
        movq    %rsi, %rsp
        leaq    TUSK__LABEL(bottom_return)(%rip), %rax
        pushq   %rax
        xorl    %ebp, %ebp
        jmp     *%rdx
        .cfi_endproc
TUSK__END(tusk__arch_begin)

/* The caller of every entry, as debuggers see it: the outermost frame. No entry returns to it. */
TUSK__FUNCTION(tusk__coro_bottom)
        .cfi_startproc
        .cfi_undefined rip
        nop
TUSK__LABEL(bottom_return):
        ud2
        .cfi_endproc
TUSK__END(tusk__coro_bottom)

#endif

TUSK__END_FILE
