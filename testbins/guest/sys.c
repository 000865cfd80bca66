/* uname and its like, random numbers, descriptor tables of the processor, calls that no longer exist. */
#include "t.h"
#include <asm/ldt.h>
#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

TEST(uname_names_linux_on_x86_64) {
    struct utsname name;
    CHECK_EQ(syscall(SYS_uname, &name), 0);
    CHECK_STR(name.sysname, "Linux");
    CHECK_STR(name.machine, "x86_64");
    CHECK(name.release[0] >= '4' && name.nodename[0] && name.version[0] == '#');
    CHECK_ERRNO(syscall(SYS_uname, BAD), EFAULT);
}
TEST(host_and_domain_names_can_be_set) {
    struct utsname name;
    unshare(CLONE_NEWUTS);
    CHECK_EQ(syscall(SYS_sethostname, "guest", 5), 0);
    CHECK_EQ(syscall(SYS_setdomainname, "domain", 6), 0);
    uname(&name);
    CHECK(!strcmp(name.nodename, "guest") && !strcmp(name.domainname, "domain"));
    CHECK_ERRNO(syscall(SYS_sethostname, "x", 65), EINVAL);
    CHECK_ERRNO(syscall(SYS_sethostname, "x", -1), EINVAL);
    CHECK_ERRNO(syscall(SYS_sethostname, BAD, 5), EFAULT);
    CHECK_ERRNO(syscall(SYS_setdomainname, "x", 65), EINVAL);
    setuid(1000);
    CHECK_ERRNO(syscall(SYS_sethostname, "x", 65), EPERM);
    CHECK_ERRNO(syscall(SYS_setdomainname, "x", 1), EPERM);
}
TEST(sysinfo_tells_of_memory_and_processes) {
    struct sysinfo info;
    CHECK_EQ(syscall(SYS_sysinfo, &info), 0);
    CHECK(info.uptime > 0 && info.totalram > 0 && info.procs > 0 && info.mem_unit > 0);
    CHECK_ERRNO(syscall(SYS_sysinfo, BAD), EFAULT);
}
TEST(the_kernel_log_can_be_asked) {
    char text[256];
    CHECK(syscall(SYS_syslog, 10, NULL, 0) > 0);
    CHECK(syscall(SYS_syslog, 3, text, 256) >= 0);
    CHECK_ERRNO(syscall(SYS_syslog, 99, NULL, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_syslog, 3, NULL, 10), EINVAL);
    CHECK_ERRNO(syscall(SYS_syslog, 3, text, -1), EINVAL);
}
TEST(random_bytes_differ) {
    uint64_t a[2] = {0}, b[2] = {0};
    CHECK_EQ(syscall(SYS_getrandom, a, 16, 0), 16);
    CHECK_EQ(syscall(SYS_getrandom, b, 16, 1), 16);
    CHECK(a[0] != b[0] && a[1] != b[1]);
    CHECK_EQ(syscall(SYS_getrandom, a, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_getrandom, a, 16, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_getrandom, a, 16, 6), EINVAL);
    CHECK_ERRNO(syscall(SYS_getrandom, BAD, 16, 0), EFAULT);
    int fd = open("/dev/urandom", O_RDONLY);
    CHECK_EQ(read(fd, a, 16), 16);
    CHECK(a[0] != a[1]);
}
TEST(the_local_descriptor_table_starts_empty) {
    char table[64];
    CHECK_EQ(syscall(SYS_modify_ldt, 0, table, sizeof table), 0);
    /* The kernel returns an unsigned int here: the C library sees no error. */
    CHECK_EQ(syscall(SYS_modify_ldt, 1, table, 3), (unsigned)-EINVAL);
    CHECK_EQ(syscall(SYS_modify_ldt, 99, table, 0), (unsigned)-ENOSYS);
}
TEST(port_access_is_checked_or_missing) {
    CHECK_EQ(syscall(SYS_iopl, 4), -1);
    CHECK(errno == EINVAL || errno == ENOSYS);
    CHECK_EQ(syscall(SYS_ioperm, 65536UL, 1UL, 1), -1);
    CHECK(errno == EINVAL || errno == ENOSYS);
}
TEST(restartable_sequences_register_once) {
    static struct { uint32_t cpu, id; uint64_t cs; uint32_t flags, pad[3]; } area __attribute__((aligned(32)));
    CHECK_ERRNO(syscall(SYS_rseq, &area, 32, 2, 0x1234), EINVAL);
    CHECK_ERRNO(syscall(SYS_rseq, &area, 32, 1, 0x1234), EINVAL);
    long result = syscall(SYS_rseq, &area, 32, 0, 0x1234);
    CHECK(result == 0 || errno == EINVAL || errno == EBUSY);
}
TEST(calls_that_linux_no_longer_has_are_enosys) {
    static const int gone[] = {134, 156, 174, 177, 178, 180, 181, 182, 183, 184, 185, 205, 211, 212, 214, 215, 236};
    for (unsigned i = 0; i < sizeof gone / sizeof *gone; i++) CHECK_ERRNO(syscall(gone[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}
TEST(the_call_of_return_probes_is_theirs_alone) { DIES_OF(SIGILL, syscall(335)); }
TEST(numbers_that_no_call_has_are_enosys) {
    static const long none[] = {340, 400, 423, 5000, 0x7fffffff, -1, -2};
    for (int i = 0; i < 7; i++) CHECK_ERRNO(syscall(none[i], 0, 0, 0), ENOSYS);
    CHECK_ERRNO(syscall(0x40000000 + SYS_getpid), ENOSYS);
}
TEST(only_the_low_half_of_the_number_counts) { CHECK_EQ(syscall(0x100000000 + SYS_getpid), getpid()); }
TEST(a_call_keeps_all_but_rax_rcx_and_r11) {
    unsigned long rbx, r8, r9, r10, rcx, r11;
    asm volatile("mov $1, %%r8; mov $2, %%r9; mov $3, %%r10; mov $4, %%rbx; mov $39, %%eax; stc; syscall; 1: lea 1b(%%rip), %%rax; sub %%rax, %%rcx;"
                 "mov %%rbx, %0; mov %%r8, %1; mov %%r9, %2; mov %%r10, %3; mov %%rcx, %4; mov %%r11, %5"
                 : "=m"(rbx), "=m"(r8), "=m"(r9), "=m"(r10), "=m"(rcx), "=m"(r11)::"rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "cc", "memory");
    CHECK(r8 == 1 && r9 == 2 && r10 == 3 && rbx == 4 && rcx == 0 && (r11 & 1));
}
