/* Core files: core(5), proc_pid_coredump_filter(5). */
#include "t.h"
#include <elf.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/user.h>

/* Whether a file named "core" is what a dump makes here. */
static bool usual(void) {
    char text[200] = "";
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
    if (fd >= 0) read(fd, text, sizeof text - 1);
    close(fd);
    fd = open("/proc/sys/kernel/core_uses_pid", O_RDONLY);
    char digit = '0';
    if (fd >= 0) read(fd, &digit, 1);
    close(fd);
    return !strcmp(text, "core\n") && digit == '0';
}
static void limit(rlim_t soft) {
    struct rlimit r = {soft, RLIM_INFINITY};
    CHECK_EQ(setrlimit(RLIMIT_CORE, &r), 0);
}
static volatile char *mapped, *hidden;
static int run(void (*body)(void)) {
    pid_t pid = fork();
    if (!pid) {
        body();
        _exit(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}
static unsigned char *file;
static size_t size;
static Elf64_Ehdr *load(const char *name) {
    struct stat s;
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0);
    CHECK_EQ(fstat(fd, &s), 0);
    CHECK_EQ(s.st_mode & 07777, 0600);
    size = s.st_size;
    file = mmap(0, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    Elf64_Ehdr *h = (void *)file;
    CHECK(!memcmp(h->e_ident, ELFMAG, 4) && h->e_type == ET_CORE && h->e_machine == EM_X86_64);
    return h;
}
/* A note: the nth of its type. */
static void *note(Elf64_Ehdr *h, unsigned type, int nth, size_t *length) {
    Elf64_Phdr *p = (void *)(file + h->e_phoff);
    for (int i = 0; i < h->e_phnum; i++) {
        if (p[i].p_type != PT_NOTE) continue;
        for (size_t at = p[i].p_offset; at + 12 <= p[i].p_offset + p[i].p_filesz;) {
            Elf64_Nhdr *n = (void *)(file + at);
            unsigned char *body = file + at + 12 + (n->n_namesz + 3 & ~3);
            at = body - file + (n->n_descsz + 3 & ~3);
            if (n->n_type == type && nth-- == 0) {
                if (length) *length = n->n_descsz;
                return body;
            }
        }
    }
    return 0;
}
/* A byte of memory in the file; -1 if it is not there. */
static int byte(Elf64_Ehdr *h, volatile void *where) {
    Elf64_Phdr *p = (void *)(file + h->e_phoff);
    uint64_t at = (uintptr_t)where;
    for (int i = 0; i < h->e_phnum; i++)
        if (p[i].p_type == PT_LOAD && at >= p[i].p_vaddr && at < p[i].p_vaddr + p[i].p_memsz) {
            if (at - p[i].p_vaddr >= p[i].p_filesz) return -1;
            uint64_t off = p[i].p_offset + (at - p[i].p_vaddr);
            return off < size ? file[off] : 0;
        }
    return -1;
}

static int known = 0x1234567;
static void segv(void) {
    limit(RLIM_INFINITY);
    mapped[5] = 'm';
    hidden[5] = 'h';
    madvise((void *)hidden, 4096, MADV_DONTDUMP);
    known = 0x7654321;
    asm volatile("mov $0x1122334455667788, %%r12\n mov $0x99, %%eax\n movl %%eax, 8" ::: "r12", "rax");
}
TEST(a_segfault_leaves_registers_memory_and_what_happened) {
    if (!usual()) return;
    mapped = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hidden = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status = run(segv);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
    Elf64_Ehdr *h = load("core");
    size_t length;
    struct elf_prstatus *p = note(h, NT_PRSTATUS, 0, &length);
    CHECK_EQ(length, sizeof *p);
    CHECK(p->pr_cursig == SIGSEGV && p->pr_info.si_signo == SIGSEGV && p->pr_ppid == getpid());
    struct user_regs_struct *r = (void *)p->pr_reg;
    CHECK(r->r12 == 0x1122334455667788 && r->rax == 0x99);
    CHECK(r->rip > (uintptr_t)segv && r->rip < (uintptr_t)segv + 1000);
    CHECK(r->cs == 0x33 && r->ss == 0x2b && r->fs_base != 0);
    struct elf_prpsinfo *i = note(h, NT_PRPSINFO, 0, &length);
    CHECK_EQ(length, sizeof *i);
    CHECK(i->pr_pid == p->pr_pid && i->pr_uid == getuid() && i->pr_sname == 'R' && i->pr_psargs[0]);
    siginfo_t *s = note(h, NT_SIGINFO, 0, &length);
    CHECK(length == 128 && s->si_signo == SIGSEGV && s->si_code == SEGV_MAPERR && s->si_addr == (void *)8);
    uint64_t *a = note(h, NT_AUXV, 0, &length);
    while (a[0] && a[0] != AT_PAGESZ) a += 2;
    CHECK_EQ(a[1], 4096);
    uint64_t *f = note(h, NT_FILE, 0, &length);
    CHECK(f && f[0] >= 2 && f[1] == 4096 && f[2] % 4096 == 0 && f[3] > f[2]);
    char *name = (char *)(f + 2 + 3 * f[0]);
    CHECK(name[0] == '/');
    CHECK(note(h, NT_FPREGSET, 0, &length) && length == 512);
    CHECK(note(h, NT_X86_XSTATE, 0, &length) && length >= 576);
    CHECK_EQ(byte(h, &mapped[5]), 'm');
    CHECK_EQ(byte(h, &mapped[4096]), 0);
    CHECK_EQ(byte(h, &hidden[5]), -1);
    CHECK(byte(h, &known) == 0x21 && byte(h, (char *)&known + 3) == 7);
    CHECK_EQ(byte(h, (void *)(r->rsp & ~7)) < 0, 0);
}
static void fpe(void) {
    limit(RLIM_INFINITY);
    kill(getpid(), SIGFPE);
}
static void none(void) {
    limit(0);
    abort();
}
static void small(void) {
    limit(4095);
    abort();
}
static void undumpable(void) {
    limit(RLIM_INFINITY);
    prctl(PR_SET_DUMPABLE, 0);
    abort();
}
static void nowhere(void) {
    limit(RLIM_INFINITY);
    mkdir("core", 0700);
    abort();
}
static void harmless(void) {
    limit(RLIM_INFINITY);
    raise(SIGTERM);
}
TEST(what_forbids_a_core_file_leaves_none) {
    int status = run(none);
    CHECK(WTERMSIG(status) == SIGABRT && !WCOREDUMP(status));
    CHECK(!WCOREDUMP(run(small)));
    CHECK(!WCOREDUMP(run(undumpable)));
    CHECK(!WCOREDUMP(run(harmless)));
    CHECK_ERRNO(access("core", F_OK), ENOENT);
    if (usual()) CHECK(!WCOREDUMP(run(nowhere)));
}
TEST(a_signal_that_was_sent_says_who_sent_it) {
    if (!usual()) return;
    /* A file that is there is replaced, not written over. */
    int fd = open("core", O_CREAT | O_RDWR, 0644);
    write(fd, "old", 3);
    int status = run(fpe);
    CHECK(WTERMSIG(status) == SIGFPE && WCOREDUMP(status));
    siginfo_t *s = note(load("core"), NT_SIGINFO, 0, 0);
    CHECK(s->si_signo == SIGFPE && s->si_code == SI_USER);
    char old[4] = "";
    pread(fd, old, 3, 0);
    CHECK_STR(old, "old");
}
static void shared(void) {
    limit(RLIM_INFINITY);
    int fd = open("/proc/self/coredump_filter", O_RDWR);
    CHECK_EQ(write(fd, "0x32\n", 5), 5);
    mapped[5] = 'm';
    hidden[5] = 's';
    abort();
}
TEST(the_filter_chooses_what_is_written) {
    if (!usual()) return;
    mapped = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hidden = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(WCOREDUMP(run(shared)));
    Elf64_Ehdr *h = load("core");
    CHECK_EQ(byte(h, &mapped[5]), -1);
    CHECK_EQ(byte(h, &hidden[5]), 's');
}
static int filter(int value) {
    char text[20] = "";
    int fd = open("/proc/self/coredump_filter", O_RDWR), n = snprintf(text, sizeof text, "%d", value);
    if (value >= 0) CHECK_EQ(write(fd, text, n), n);
    n = pread(fd, text, sizeof text - 1, 0);
    CHECK_EQ(n, 9);
    close(fd);
    return strtol(text, 0, 16);
}
static void child(void) { CHECK_EQ(filter(-1), 0x1f); }
TEST(the_filter_is_kept_by_children_and_reads_back) {
    filter(0x33);
    CHECK_EQ(filter(-1), 0x33);
    CHECK_EQ(filter(0xffff), 0x1ff);
    CHECK_EQ(filter(0x1f), 0x1f);
    CHECK_EQ(run(child), 0);
    int fd = open("/proc/self/coredump_filter", O_RDWR);
    CHECK_ERRNO(write(fd, "zz", 2), EINVAL);
}
static void *idle(void *p) {
    *(volatile int *)p = 1;
    for (;;) pause();
}
#include <pthread.h>
static volatile int ready[3];
static void *spin(void *p) {
    asm volatile("mov $0x1357902468, %%r13\n movl $1, (%0)\n 1: jmp 1b" ::"r"(p) : "r13", "memory");
    return 0;
}
static void threads(void) {
    pthread_t t;
    limit(RLIM_INFINITY);
    for (int i = 0; i < 2; i++) pthread_create(&t, 0, idle, (void *)&ready[i]);
    pthread_create(&t, 0, spin, (void *)&ready[2]);
    while (!ready[0] || !ready[1] || !ready[2]) usleep(1000);
    abort();
}
TEST(every_thread_is_in_the_file_the_one_that_ended_it_first) {
    if (!usual()) return;
    CHECK(WCOREDUMP(run(threads)));
    Elf64_Ehdr *h = load("core");
    struct elf_prstatus *p = note(h, NT_PRSTATUS, 0, 0), *other = note(h, NT_PRSTATUS, 2, 0);
    struct elf_prpsinfo *i = note(h, NT_PRPSINFO, 0, 0);
    CHECK(p->pr_pid == i->pr_pid && other && other->pr_pid != p->pr_pid);
    CHECK(!note(h, NT_PRSTATUS, 4, 0) && note(h, NT_FPREGSET, 3, 0) && note(h, NT_X86_XSTATE, 3, 0));
    bool spinning = false;
    for (int n = 1; n < 4; n++) {
        other = note(h, NT_PRSTATUS, n, 0);
        struct user_regs_struct *r = (void *)other->pr_reg;
        spinning |= r->r13 == 0x1357902468 && r->rip > (uintptr_t)spin && r->rip < (uintptr_t)spin + 100;
    }
    CHECK(spinning);
}
