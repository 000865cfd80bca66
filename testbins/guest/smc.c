/* Code that is written and changed while the program runs. */
#include "t.h"

typedef int code(int);
static unsigned char *make(int prot, int flags, int fd) {
    unsigned char *at = mmap(NULL, 8192, prot, flags, fd, 0);
    CHECK(at != MAP_FAILED);
    return at;
}
__attribute__((noipa)) static void emit(unsigned char *at, int value) { /* mov eax, value; ret */
    at[0] = 0xb8;
    memcpy(at + 1, &value, 4);
    at[5] = 0xc3;
}
#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

TEST(written_code_runs_and_rewritten_code_runs_anew) {
    unsigned char *at = make(RWX, ANON, -1);
    for (int i = 0; i < 1000; i++) {
        emit(at, i);
        CHECK_EQ(((code *)at)(0), i);
    }
}
TEST(code_can_change_the_instruction_after_itself) {
    unsigned char *at = make(RWX, ANON, -1);
    /* mov byte [rip+1], 7; mov eax, 1; ret : the store changes the constant of the mov behind it */
    static const unsigned char text[] = {0xc6, 0x05, 1, 0, 0, 0, 7, 0xb8, 1, 0, 0, 0, 0xc3};
    memcpy(at, text, sizeof text);
    CHECK_EQ(((code *)at)(0), 7);
}
TEST(a_loop_that_changes_its_own_body) {
    unsigned char *at = make(RWX, ANON, -1);
    /* xor eax,eax; L: add eax,1; inc byte [rip-7+..]: the added constant grows each turn; dec edi; jnz L; ret */
    static const unsigned char text[] = {0x31, 0xc0, 0x83, 0xc0, 1, 0xfe, 0x05, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xcf, 0x75, 0xf3, 0xc3};
    memcpy(at, text, sizeof text);
    CHECK_EQ(((code *)at)(4), 1 + 2 + 3 + 4);
}
TEST(code_across_a_page_is_seen_to_change) {
    unsigned char *at = make(RWX, ANON, -1) + 4096 - 3;
    emit(at, 0x11223344);
    CHECK_EQ(((code *)at)(0), 0x11223344);
    at[4] = 0x55;
    CHECK_EQ(((code *)at)(0), 0x55223344);
    at[1] = 0x66;
    CHECK_EQ(((code *)at)(0), 0x55223366);
}
TEST(two_mappings_of_one_page_see_the_same_code) {
    int fd = syscall(SYS_memfd_create, "jit", 0);
    ftruncate(fd, 8192);
    unsigned char *write = make(PROT_READ | PROT_WRITE, MAP_SHARED, fd), *run = make(PROT_READ | PROT_EXEC, MAP_SHARED, fd);
    for (int i = 0; i < 100; i++) {
        emit(write, i);
        CHECK_EQ(((code *)run)(0), i);
    }
}
TEST(a_call_that_writes_code_is_noticed) {
    unsigned char *at = make(RWX, ANON, -1), image[6];
    emit(at, 1);
    CHECK_EQ(((code *)at)(0), 1);
    emit(image, 2);
    int fd = t_open("f", "");
    write(fd, image, 6);
    CHECK_EQ(pread(fd, at, 6, 0), 6);
    CHECK_EQ(((code *)at)(0), 2);
}
TEST(remapped_and_replaced_code_is_noticed) {
    unsigned char *at = make(RWX, ANON, -1);
    emit(at, 1);
    CHECK_EQ(((code *)at)(0), 1);
    mmap(at, 4096, RWX, ANON | MAP_FIXED, -1, 0);
    emit(at, 3);
    CHECK_EQ(((code *)at)(0), 3);
    madvise(at, 4096, MADV_DONTNEED);
    emit(at, 4);
    CHECK_EQ(((code *)at)(0), 4);
    unsigned char *other = make(RWX, ANON, -1);
    emit(other, 5);
    mremap(other, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at);
    CHECK_EQ(((code *)at)(0), 5);
}
TEST(code_without_execute_permission_stops_running) {
    unsigned char *at = make(RWX, ANON, -1);
    emit(at, 1);
    CHECK_EQ(((code *)at)(0), 1);
    mprotect(at, 4096, PROT_READ | PROT_WRITE);
    DIES_OF(SIGSEGV, ((code *)at)(0));
    munmap(at, 8192);
    DIES_OF(SIGSEGV, ((code *)at)(0));
}
TEST(a_child_s_changes_to_code_stay_its_own) {
    unsigned char *at = make(RWX, ANON, -1);
    emit(at, 1);
    CHECK_EQ(((code *)at)(0), 1);
    IN_CHILD(emit(at, 2); CHECK_EQ(((code *)at)(0), 2));
    CHECK_EQ(((code *)at)(0), 1);
}
TEST(a_modified_static_function_runs_modified) {
    unsigned char *page = (unsigned char *)((unsigned long)emit & ~4095UL);
    CHECK_EQ(mprotect(page, 8192, RWX), 0);
    unsigned char *start = (unsigned char *)(unsigned long)emit;
    DIES_OF(SIGILL, memcpy(start, "\x0f\x0b", 2); emit(page, 0));
}
