/* For each feature whether CPUID claims it and whether its instruction is executed: the two must agree. */
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
static sigjmp_buf back;
static void on(int number) { (void)number, siglongjmp(back, 1); }
static int bit(unsigned leaf, unsigned sub, int reg, int n) {
    unsigned r[4] = {0};
    return __get_cpuid_count(leaf, sub, &r[0], &r[1], &r[2], &r[3]) && r[reg] >> n & 1;
}
static int wrong;
static char area[64] __attribute__((aligned(64)));
#define TRY(name, leaf, sub, reg, n, ...)                                     \
    do {                                                                      \
        int claimed = bit(leaf, sub, reg, n), runs = 0;                       \
        if (!sigsetjmp(back, 1)) {                                            \
            asm volatile(__VA_ARGS__);                                        \
            runs = 1;                                                         \
        }                                                                     \
        printf("%s %d %d\n", name, claimed, runs);                            \
        wrong |= claimed != runs;                                             \
    } while (0)
#define A ::"r"(area), "a"(0), "d"(0) : "rcx", "rbx", "xmm0", "memory", "cc"
int main(void) {
    signal(SIGILL, on);
    TRY("sse2", 1, 0, 3, 26, "paddq %%xmm0, %%xmm0" A);
    TRY("sse3", 1, 0, 2, 0, "haddps %%xmm0, %%xmm0" A);
    TRY("ssse3", 1, 0, 2, 9, "pshufb %%xmm0, %%xmm0" A);
    TRY("sse4.1", 1, 0, 2, 19, "pmulld %%xmm0, %%xmm0" A);
    TRY("sse4.2", 1, 0, 2, 20, "pcmpgtq %%xmm0, %%xmm0" A);
    TRY("popcnt", 1, 0, 2, 23, "popcnt %%rax, %%rcx" A);
    TRY("cx16", 1, 0, 2, 13, "xor %%ebx, %%ebx; xor %%ecx, %%ecx; lock cmpxchg16b (%0)" A);
    TRY("pclmulqdq", 1, 0, 2, 1, "pclmulqdq $0, %%xmm0, %%xmm0" A);
    TRY("aes", 1, 0, 2, 25, "aesenc %%xmm0, %%xmm0" A);
    TRY("movbe", 1, 0, 2, 22, "movbe (%0), %%ecx" A);
    TRY("xsave", 1, 0, 2, 27, "xor %%ecx, %%ecx; xgetbv" ::: "rax", "rcx", "rdx");
    TRY("avx", 1, 0, 2, 28, "vaddps %%ymm0, %%ymm0, %%ymm0" A);
    TRY("f16c", 1, 0, 2, 29, "vcvtph2ps %%xmm0, %%xmm0" A);
    TRY("fma", 1, 0, 2, 12, "vfmadd231ps %%xmm0, %%xmm0, %%xmm0" A);
    TRY("rdrand", 1, 0, 2, 30, "rdrand %%rcx" A);
    TRY("avx2", 7, 0, 1, 5, "vpaddq %%ymm0, %%ymm0, %%ymm0" A);
    TRY("bmi1", 7, 0, 1, 3, "andn %%rax, %%rax, %%rcx" A);
    TRY("bmi2", 7, 0, 1, 8, "pdep %%rax, %%rax, %%rcx" A);
    TRY("adx", 7, 0, 1, 19, "adcx %%rax, %%rcx" A);
    TRY("rdseed", 7, 0, 1, 18, "rdseed %%rcx" A);
    TRY("sha", 7, 0, 1, 29, "sha256msg1 %%xmm0, %%xmm0" A);
    TRY("vaes", 7, 0, 2, 9, "vaesenc %%ymm0, %%ymm0, %%ymm0" A);
    TRY("vpclmulqdq", 7, 0, 2, 10, "vpclmulqdq $0, %%ymm0, %%ymm0, %%ymm0" A);
    TRY("rdpid", 7, 0, 2, 22, "rdpid %%rcx" A);
    TRY("avx512f", 7, 0, 1, 16, "vpaddq %%zmm0, %%zmm0, %%zmm0" A);
    TRY("3dnow", 0x80000001, 0, 3, 31, ".byte 0x0f, 0x0f, 0xc0, 0x9e" A);
    return wrong;
}
