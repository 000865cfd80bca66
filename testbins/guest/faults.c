/* What a handler is told about each exception. */
#include "t.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile siginfo_t seen;
static volatile long trap, error, cr2, rip, flags;
static void on(int number, siginfo_t *info, void *context) {
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    seen = *info;
    trap = regs[REG_TRAPNO], error = regs[REG_ERR], cr2 = regs[REG_CR2], rip = regs[REG_RIP];
    flags = regs[REG_EFL];
    siglongjmp(back, number);
}
/* Runs the statement and expects the signal. */
#define RAISES(number, code, ...)                                                                               \
    do {                                                                                                        \
        struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO};                                 \
        sigaction(number, &action, NULL);                                                                       \
        if (sigsetjmp(back, 1) == 0) {                                                                          \
            __VA_ARGS__;                                                                                        \
            FAIL("no signal");                                                                                  \
        }                                                                                                       \
        CHECK_EQ(seen.si_signo, number);                                                                        \
        CHECK_EQ(seen.si_code, code);                                                                           \
    } while (0)
static char *page(int prot) { return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static volatile int zero;

TEST(division_by_zero_is_fpe_intdiv_at_the_instruction) {
    RAISES(SIGFPE, FPE_INTDIV, asm volatile("div %0" ::"r"(zero), "a"(1), "d"(0)));
    CHECK(trap == 0 && (long)seen.si_addr == rip);
}
TEST(division_overflow_is_the_same) { RAISES(SIGFPE, FPE_INTDIV, asm volatile("idivl %0" ::"r"(-1), "a"(INT_MIN), "d"(-1))); }
TEST(an_undefined_instruction_is_ill_illopn) {
    RAISES(SIGILL, ILL_ILLOPN, asm volatile("ud2"));
    CHECK(trap == 6 && (long)seen.si_addr == rip);
}
TEST(int3_is_trap_with_rip_behind_it) {
    RAISES(SIGTRAP, SI_KERNEL, asm volatile("int3"));
    CHECK_EQ(trap, 3);
    CHECK_EQ(*(unsigned char *)(rip - 1), 0xcc);
}
TEST(the_trap_flag_steps_one_instruction) {
    RAISES(SIGTRAP, TRAP_TRACE, asm volatile("pushf; orl $0x100, (%%rsp); popf; nop; nop" ::: "memory", "cc"));
    CHECK_EQ(trap, 1);
}
TEST(int1_is_trap_brkpt) {
    RAISES(SIGTRAP, TRAP_BRKPT, asm volatile(".byte 0xf1"));
    CHECK_EQ(trap, 1);
}
TEST(a_fault_saves_flags_with_rf_and_a_trap_without) {
    RAISES(SIGILL, ILL_ILLOPN, asm volatile("ud2"));
    CHECK_EQ(flags & 0x10000, 0x10000);
    RAISES(SIGSEGV, SEGV_MAPERR, *(volatile char *)8);
    CHECK_EQ(flags & 0x10000, 0x10000);
    RAISES(SIGFPE, FPE_INTDIV, asm volatile("div %0" ::"r"(zero), "a"(1), "d"(0)));
    CHECK_EQ(flags & 0x10000, 0x10000);
    RAISES(SIGTRAP, SI_KERNEL, asm volatile("int3"));
    CHECK_EQ(flags & 0x10000, 0);
}
static volatile int steps;
static void on_step(int number, siginfo_t *info, void *context) {
    CHECK(number == SIGTRAP && info->si_code == TRAP_TRACE && context);
    steps++;
}
/* Traps between the POPF that sets the trap flag and the one that clears it, itself and the two before it included. */
#define STEPS(code)                                                                                             \
    ({                                                                                                          \
        struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};                            \
        sigaction(SIGTRAP, &action, NULL);                                                                      \
        steps = 0;                                                                                              \
        asm volatile("sub $128, %%rsp; pushf; orl $0x100, (%%rsp); popf;" code                                  \
                     "; pushf; andl $~0x100, (%%rsp); popf; nop; add $128, %%rsp" ::                            \
                         : "rax", "rcx", "rdx", "rdi", "r11", "memory", "cc");                                  \
        steps - 3;                                                                                              \
    })
TEST(the_trap_flag_steps_through_every_kind_of_instruction) {
    static char to[16];
    CHECK_EQ(STEPS("nop; nop"), 2);
    CHECK_EQ(STEPS("rdtsc; nop"), 2);
    CHECK_EQ(STEPS("mov $39, %%eax; syscall; nop"), 2);
    asm volatile("" ::"r"(to) : "memory");
    CHECK_EQ(STEPS("mov %%rsp, %%rdi; sub $32, %%rdi; mov $5, %%ecx; rep stosb"), 8);
    CHECK_EQ(STEPS("xor %%ecx, %%ecx; rep stosb"), 2);
    CHECK_EQ(STEPS("mov $3, %%ecx; 1: dec %%ecx; jnz 1b"), 7);
    /* Nothing traps between a load of ss and the instruction behind it. */
    CHECK_EQ(STEPS("mov %%ss, %%eax; mov %%eax, %%ss; nop; nop"), 3);
}
/* The signal that the bytes raise as the last ones before a page that may not be executed. */
static int at_the_end(const char *bytes, size_t length) {
    char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(at + 4096, 4096, PROT_NONE);
    memcpy(at + 4096 - length, bytes, length);
    struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    int number = sigsetjmp(back, 1);
    if (number == 0)
        ((void (*)(void))(at + 4096 - length))();
    CHECK_EQ(rip, (long)at + 4096 - length);
    CHECK_EQ((long)seen.si_addr, number == SIGILL ? rip : (long)at + 4096);
    munmap(at, 8192);
    return number;
}
#define AT_THE_END(bytes) at_the_end(bytes, sizeof bytes - 1)
TEST(an_undefined_encoding_is_read_as_far_as_its_opcode_promises) {
    CHECK_EQ(AT_THE_END("\x06"), SIGILL);
    CHECK_EQ(AT_THE_END("\x27"), SIGILL);
    CHECK_EQ(AT_THE_END("\x60"), SIGILL);
    CHECK_EQ(AT_THE_END("\x0f\x04"), SIGILL);
    CHECK_EQ(AT_THE_END("\xdb\xfc"), SIGILL);
    CHECK_EQ(AT_THE_END("\xd9\xe2"), SIGILL);
    CHECK_EQ(AT_THE_END("\x82\xc0"), SIGSEGV);
    CHECK_EQ(AT_THE_END("\x82\xc0\x00"), SIGILL);
    CHECK_EQ(AT_THE_END("\xfe\x50"), SIGSEGV);
    CHECK_EQ(AT_THE_END("\xfe\x50\x00"), SIGILL);
    CHECK_EQ(AT_THE_END("\x0f\x3a\xff\xc0"), SIGSEGV);
    CHECK_EQ(AT_THE_END("\x0f\x3a\xff\xc0\x00"), SIGILL);
}
TEST(reading_nothing_is_maperr) {
    RAISES(SIGSEGV, SEGV_MAPERR, *(volatile char *)8);
    CHECK(trap == 14 && (long)seen.si_addr == 8 && cr2 == 8 && error == 4);
}
TEST(writing_nothing_says_so) {
    RAISES(SIGSEGV, SEGV_MAPERR, *(volatile char *)16 = 1);
    CHECK(error == 6 && cr2 == 16);
}
TEST(writing_read_only_memory_is_accerr) {
    volatile char *at = page(PROT_READ);
    (void)at[5];
    RAISES(SIGSEGV, SEGV_ACCERR, at[5] = 1);
    CHECK(error == 7 && (char *)seen.si_addr == at + 5);
}
TEST(executing_data_is_accerr) {
    char *at = page(PROT_READ | PROT_WRITE);
    at[0] = 0xc3;
    RAISES(SIGSEGV, SEGV_ACCERR, ((void (*)(void))at)());
    CHECK((char *)seen.si_addr == at && rip == (long)at && error == 0x15);
}
TEST(jumping_to_nothing_is_maperr_there) {
    RAISES(SIGSEGV, SEGV_MAPERR, ((void (*)(void))64)());
    CHECK(rip == 64 && cr2 == 64 && error == 0x14);
}
TEST(an_access_across_a_page_names_the_missing_page) {
    char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(at + 4096, 4096);
    RAISES(SIGSEGV, SEGV_MAPERR, *(volatile long *)(at + 4092) = -1);
    CHECK((char *)seen.si_addr == at + 4096);
    CHECK_EQ(at[4092], 0);
}
TEST(a_non_canonical_address_is_a_general_protection_fault) {
    RAISES(SIGSEGV, SI_KERNEL, *(volatile char *)0x8000000000000000);
    CHECK(trap == 13 && seen.si_addr == NULL && error == 0);
}
TEST(a_non_canonical_stack_is_sigbus) { DIES_OF(SIGBUS, asm volatile("movabs $0x8000000000000000, %%rsp; push %%rax" ::: "memory")); }
TEST(privileged_instructions_are_general_protection_faults) {
    RAISES(SIGSEGV, SI_KERNEL, asm volatile("hlt"));
    CHECK_EQ(trap, 13);
    RAISES(SIGSEGV, SI_KERNEL, asm volatile("mov %%cr0, %%rax" ::: "rax"));
    RAISES(SIGSEGV, SI_KERNEL, asm volatile("cli"));
    RAISES(SIGSEGV, SI_KERNEL, asm volatile("in $0x80, %%al" ::: "rax"));
    RAISES(SIGSEGV, SI_KERNEL, asm volatile("wrmsr"));
}
TEST(an_unknown_interrupt_vector_is_refused) {
    RAISES(SIGSEGV, SI_KERNEL, asm volatile("int $0x21"));
    CHECK_EQ(error, 0x21 * 8 + 2);
}
TEST(a_misaligned_vector_access_is_a_general_protection_fault) {
    static char data[64] __attribute__((aligned(16)));
    RAISES(SIGSEGV, SI_KERNEL, asm volatile("movaps %0, %%xmm0" ::"m"(data[1]) : "xmm0"));
}
TEST(the_alignment_flag_makes_misaligned_accesses_sigbus) {
    static volatile int data[4];
    DIES_OF(SIGBUS, asm volatile("pushf; orl $0x40000, (%%rsp); popf; movl $1, 1(%0)" ::"r"(data) : "memory", "cc"));
}
TEST(access_beyond_a_file_is_bus_adrerr) {
    volatile char *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, t_open("f", ""), 0);
    RAISES(SIGBUS, BUS_ADRERR, at[7]);
    CHECK((char *)seen.si_addr == at + 7);
}
TEST(floating_point_exceptions_name_their_kind) {
    unsigned csr = 0x1f80 & ~0x200;
    RAISES(SIGFPE, FPE_FLTDIV, asm volatile("ldmxcsr %0" ::"m"(csr)); volatile double x = 1, y = 0; x = x / y);
    CHECK_EQ(trap, 19);
    csr = 0x1f80 & ~0x80;
    RAISES(SIGFPE, FPE_FLTINV, asm volatile("ldmxcsr %0" ::"m"(csr)); volatile double x = 0, y = 0; x = x / y);
}
TEST(x87_exceptions_wait_for_the_next_instruction) {
    unsigned short control = 0x37f & ~4;
    RAISES(SIGFPE, FPE_FLTDIV, asm volatile("fldcw %0; fld1; fldz; fdivrp; fwait" ::"m"(control)));
    CHECK_EQ(trap, 16);
}
TEST(a_fault_with_the_signal_blocked_kills) {
    DIES_OF(SIGSEGV, sigset_t set; sigfillset(&set); sigprocmask(SIG_SETMASK, &set, NULL); *(volatile char *)8);
    DIES_OF(SIGSEGV, signal(SIGSEGV, SIG_IGN); *(volatile char *)8);
}
TEST(string_operations_stop_where_they_fault) {
    char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(at + 4096, 4096);
    RAISES(SIGSEGV, SEGV_MAPERR, char *to = at + 4000; long n = 1000; asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(7) : "memory"));
    CHECK(at[3999] == 0 && at[4000] == 7 && at[4095] == 7 && (char *)seen.si_addr == at + 4096);
}
