/* Integer and floating-point kernels in 256-bit vectors: a checksum with byte shuffles, a matrix product with FMA. */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#define V3 __attribute__((target("avx2,fma")))
static uint8_t bytes[1 << 16];
static float a[128][128], b[128][128], c[128][128];
V3 static uint64_t mix(int rounds) {
    __m256i acc = _mm256_setzero_si256(), key = _mm256_set1_epi32(0x9e3779b1);
    __m256i turn = _mm256_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0, 5, 6, 7, 4, 9,
                                    10, 11, 8, 13, 14, 15, 12);
    for (int r = 0; r < rounds; r++)
        for (unsigned i = 0; i < sizeof bytes; i += 32) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(bytes + i));
            __m256i m = _mm256_mullo_epi32(_mm256_xor_si256(v, acc), key);
            acc = _mm256_add_epi32(_mm256_shuffle_epi8(acc, turn), _mm256_srli_epi32(m, 7));
            acc = _mm256_add_epi64(acc, _mm256_sad_epu8(v, _mm256_setzero_si256()));
            acc = _mm256_blendv_epi8(acc, _mm256_max_epu8(acc, v), _mm256_cmpgt_epi8(v, key));
        }
    return _mm256_extract_epi64(acc, 0) ^ _mm256_extract_epi64(acc, 3);
}
V3 static void product(void) {
    for (int i = 0; i < 128; i++)
        for (int j = 0; j < 128; j += 8) {
            __m256 s = _mm256_setzero_ps();
            for (int k = 0; k < 128; k++)
                s = _mm256_fmadd_ps(_mm256_broadcast_ss(&a[i][k]), _mm256_loadu_ps(&b[k][j]), s);
            _mm256_storeu_ps(&c[i][j], s);
        }
}
int main(void) {
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 131 + (i >> 8));
    for (int i = 0; i < 128; i++)
        for (int j = 0; j < 128; j++) a[i][j] = (float)((i * 7 + j) % 13 - 6), b[i][j] = (float)((i + j * 5) % 11 - 5);
    unsigned long long x = mix(800);
    for (int r = 0; r < 60; r++) product(), a[r][r] += 1;
    printf("%llx %g\n", x, (double)c[17][93]);
    return 0;
}
