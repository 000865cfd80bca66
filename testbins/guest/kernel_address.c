/* Kernel addresses are there and out of reach. */
#include "t.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile siginfo_t seen;
static volatile long error;
static void on(int number, siginfo_t *info, void *context) {
    seen = *info;
    error = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
    siglongjmp(back, number);
}
static const unsigned long addresses[] = {0xffffc90000000000, 0xffffffff81000000, 0xffff888000000000, 0xffffffffc0000000, 0xfffffffffffff000};
static void try(int write, unsigned long address) {
    struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    if (sigsetjmp(back, 1) == 0) {
        if (write == 2) ((void (*)(void))address)();
        else if (write) *(volatile char *)address = 1;
        else *(volatile char *)address;
        FAIL("no fault at %lx", address);
    }
    CHECK_EQ(seen.si_code, SEGV_MAPERR);
    CHECK((unsigned long)seen.si_addr == address);
}
TEST(reading_kernel_memory_is_a_segmentation_fault) {
    for (int i = 0; i < 5; i++) try(0, addresses[i]);
    CHECK_EQ(error, 5);
}
TEST(writing_kernel_memory_is_a_segmentation_fault) {
    for (int i = 0; i < 5; i++) try(1, addresses[i]);
    CHECK_EQ(error, 7);
}
TEST(jumping_into_the_kernel_is_a_segmentation_fault) {
    for (int i = 0; i < 5; i++) try(2, addresses[i]);
    CHECK_EQ(error, 0x15);
}
TEST(system_calls_refuse_kernel_addresses) {
    int ends[2];
    pipe(ends);
    for (int i = 0; i < 5; i++) {
        CHECK_ERRNO(syscall(SYS_write, ends[1], addresses[i], 1), EFAULT);
        CHECK_ERRNO(syscall(SYS_uname, addresses[i]), EFAULT);
        CHECK_ERRNO(syscall(SYS_open, addresses[i], O_RDONLY), EFAULT);
        CHECK_ERRNO(syscall(SYS_munmap, addresses[i], 4096), EINVAL);
        CHECK_ERRNO(syscall(SYS_mprotect, addresses[i], 4096, PROT_READ), ENOMEM);
    }
}
TEST(system_calls_refuse_non_canonical_addresses) {
    int ends[2];
    pipe(ends);
    CHECK_ERRNO(syscall(SYS_write, ends[1], 0x800000000000, 1), EFAULT);
    CHECK_ERRNO(syscall(SYS_write, ends[1], 0x7ffffffff000, 1), EFAULT);
    CHECK_ERRNO(syscall(SYS_uname, 0x8000000000000000), EFAULT);
}
