/* The stack: growth, its end, its permissions. */
#include "t.h"
#include <sys/resource.h>

static int deep(int n) {
    volatile char frame[1000];
    frame[0] = n;
    return n ? deep(n - 1) + frame[0] * 0 : 0;
}
/* Where the stack is, hidden from the compiler, which knows where its objects end. */
__attribute__((noipa)) static char *here(void) { return __builtin_frame_address(0); }
TEST(the_stack_grows_by_use) { CHECK_EQ(deep(5000), 0); }
TEST(an_endless_recursion_is_sigsegv) { DIES_OF(SIGSEGV, deep(1 << 30)); }
TEST(an_overflow_can_be_handled_on_an_alternate_stack) {
    void on(int number) {
        (void)number;
        _exit(33);
    }
    pid_t pid = t_fork();
    if (pid == 0) {
        stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
        sigaltstack(&stack, NULL);
        t_handle(SIGSEGV, on, SA_ONSTACK);
        deep(1 << 30);
    }
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 33);
}
TEST(without_an_alternate_stack_an_overflow_kills) {
    DIES_OF(SIGSEGV, t_handle(SIGSEGV, t_ignore, 0); deep(1 << 30));
}
TEST(far_below_the_stack_pointer_may_be_touched_within_the_limit) {
    *(volatile char *)(here() - (1 << 20)) = 1;
}
TEST(the_limit_holds) {
    struct rlimit limit = {1 << 20, 1 << 20};
    CHECK_EQ(setrlimit(RLIMIT_STACK, &limit), 0);
    DIES_OF(SIGSEGV, *(volatile char *)(here() - (2 << 20)) = 1);
}
TEST(the_stack_is_not_executable) {
    volatile unsigned char code[] = {0xc3};
    DIES_OF(SIGSEGV, ((void (*)(void))(unsigned long)code)());
}
TEST(a_grows_down_mapping_grows) {
    char *at = mmap(NULL, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(at, 64 * 4096);
    char *low = mmap(at + 63 * 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
    CHECK(low == at + 63 * 4096);
    *(volatile char *)(low - 4096) = 1;
    *(volatile char *)(low - 2 * 4096) = 1;
}
TEST(the_red_zone_survives_a_signal) {
    long value;
    signal(SIGUSR1, t_ignore);
    asm volatile("movq $0x1234, -8(%%rsp); movq $0x5678, -128(%%rsp); mov %[nr], %%eax; syscall; mov -8(%%rsp), %[v]; add -128(%%rsp), %[v]"
                 : [v] "=&r"(value) : [nr] "i"(SYS_kill), "D"(getpid()), "S"(SIGUSR1) : "rax", "rcx", "r11", "memory");
    CHECK_EQ(value, 0x1234 + 0x5678);
}
