/* Selectors, segment overrides and far transfers as a 64-bit program meets them. */
#include "t.h"

TEST(data_selectors_may_be_loaded_and_survive_a_call) {
    unsigned short ds, es;
    asm volatile("mov %0, %%ds; mov %0, %%es" ::"r"(0x2b));
    getppid();
    asm volatile("mov %%ds, %0; mov %%es, %1" : "=r"(ds), "=r"(es));
    CHECK(ds == 0x2b && es == 0x2b);
    asm volatile("mov %0, %%ds; mov %0, %%es" ::"r"(0));
}
TEST(code_and_stack_selectors_are_linux_s) {
    unsigned short cs, ss;
    asm volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
    CHECK(cs == 0x33 && ss == 0x2b);
}
TEST(an_address_that_is_only_computed_has_no_segment) {
    unsigned long address;
    asm volatile("lea %%fs:16(%1), %0" : "=r"(address) : "r"(100L));
    CHECK_EQ(address, 116);
}
TEST(a_bad_selector_is_a_fault) { DIES_OF(SIGSEGV, asm volatile("mov %0, %%es" ::"r"(0x18))); }
TEST(no_stack_selector_but_the_one_is_taken) { DIES_OF(SIGSEGV, asm volatile("mov %0, %%ss" ::"r"(0x33))); }
TEST(a_far_return_goes_to_the_same_code_segment) {
    long reached = 0;
    asm volatile("sub $128, %%rsp; push $0x33; lea 1f(%%rip), %%rax; push %%rax; lretq; ud2\n1: add $128, %%rsp; mov $7, %0"
                 : "=r"(reached)::"rax", "memory");
    CHECK_EQ(reached, 7);
}
TEST(an_interrupt_return_loads_flags_and_stack) {
    long flags, moved;
    asm volatile("sub $128, %%rsp; mov %%rsp, %%rcx; push $0x2b; push %%rcx; push $0x246; push $0x33; lea 1f(%%rip), %%rax\n"
                 "push %%rax; iretq; ud2\n1: pushf; pop %0; mov %%rsp, %1; sub %%rcx, %1; add $128, %%rsp"
                 : "=&r"(flags), "=&r"(moved)::"rax", "rcx", "memory", "cc");
    CHECK_EQ(flags & 0x8d5, 0x44);
    CHECK_EQ(moved, 0);
}
TEST(far_jumps_and_calls_go_through_memory) {
    struct __attribute__((packed)) { unsigned offset; unsigned short selector; } to;
    static char code[] = {0x48, 0xcb}; /* lretq */
    char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    memcpy(low, "\xb8\x2a\0\0\0\xcb", 6); /* mov $42, %eax; lret */
    to.offset = (unsigned)(long)low, to.selector = 0x33;
    (void)code;
    /* The frame of a 32-bit far call: what it returns to must lie low, so the call is made from there too. */
    memcpy(low + 64, "\xff\x1f\xc3", 3); /* lcall *(%rdi); ret */
    CHECK_EQ(((int (*)(void *))(low + 64))(&to), 42);
}
TEST(alignment_checks_may_be_asked_for) {
    static char bytes[16];
    DIES_OF(SIGBUS, asm volatile("pushf; orl $0x40000, (%%rsp); popf; movl 1(%0), %%eax" ::"r"(bytes) : "rax", "memory", "cc"));
    asm volatile("pushf; orl $0x40000, (%%rsp); popf; movl 4(%0), %%eax; pushf; andl $~0x40000, (%%rsp); popf" ::"r"(bytes)
                 : "rax", "memory", "cc");
}
TEST(sixteen_bytes_are_too_many) {
    asm volatile(".skip 14, 0x2e; nop");
    DIES_OF(SIGSEGV, asm volatile(".skip 15, 0x2e; nop"));
}
