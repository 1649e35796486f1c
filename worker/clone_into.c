/* clone3 into a cgroup; the contract is in clone_into.h.
 *
 * glibc has no function for this call, and syscall(2) can't be used: parent and child would both
 * return from it on one stack, and the child would write over what the parent needs to return.
 * So the child gets a stack of its own, on which nothing is to be found by the compiler's code that
 * surrounds the call. What it does first is therefore written in assembly: call the function, and
 * exit with what that returns. All it needs for it is in two registers that the kernel keeps.
 */
#include "clone_into.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined CLONE_INTO_CGROUP && defined SYS_clone3 && (defined __x86_64__ || defined __aarch64__)

/* Returns in the parent only: the child's number, or an error's less than 0. */
static long
call(const struct clone_args *arguments, int (*child)(void *argument), void *argument)
{
#ifdef __x86_64__
    register int (*function)(void *) __asm__("r12") = child;
    register void *of __asm__("r13") = argument;
    long result = SYS_clone3;
    __asm__ volatile(
        "syscall\n\t"
        "test %%rax, %%rax\n\t"
        "jnz 1f\n\t" /* the parent, or an error */
        "xor %%ebp, %%ebp\n\t" /* the end of the stack, for debuggers */
        "mov %%r13, %%rdi\n\t"
        "call *%%r12\n\t" /* the kernel set the stack, aligned as a call takes it */
        "mov %%eax, %%edi\n\t"
        "mov %[exit], %%eax\n\t"
        "syscall\n\t"
        "ud2\n"
        "1:"
        : "+a"(result)
        : "D"(arguments), "S"(sizeof *arguments), "r"(function), "r"(of), [exit] "i"(SYS_exit)
        : "rcx", "r11", "cc", "memory"); /* what the kernel changes of the parent's */
    return result;
#else
    register int (*function)(void *) __asm__("x20") = child;
    register void *of __asm__("x21") = argument;
    register const void *first __asm__("x0") = arguments;
    register size_t second __asm__("x1") = sizeof *arguments;
    register long number __asm__("x8") = SYS_clone3;
    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t" /* the parent, or an error */
                     "mov x29, xzr\n\t" /* the end of the stack, for debuggers */
                     "mov x30, xzr\n\t"
                     "mov x0, x21\n\t"
                     "blr x20\n\t"
                     "mov x8, %[exit]\n\t"
                     "svc #0\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(first)
                     : "r"(second), "r"(number), "r"(function), "r"(of), [exit] "i"(SYS_exit)
                     : "cc", "memory");
    return (long)(intptr_t)first;
#endif
}

pid_t
clone_into(int cgroup, void *stack, size_t bytes, int (*child)(void *argument), void *argument)
{
    const struct clone_args arguments = {.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)stack,
        .stack_size = bytes,
        .cgroup = (unsigned)cgroup};
    long pid = call(&arguments, child, argument);
    if (pid >= 0)
        return (pid_t)pid;
    errno = (int)-pid;
    return -1;
}

#else

pid_t
clone_into(int cgroup, void *stack, size_t bytes, int (*child)(void *argument), void *argument)
{
    (void)cgroup;
    (void)stack;
    (void)bytes;
    (void)child;
    (void)argument;
    errno = ENOSYS;
    return -1;
}

#endif
