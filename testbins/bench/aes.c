/* AES-128 in counter mode by AESENC, with a GHASH-like product by PCLMULQDQ. */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#define AES __attribute__((target("aes,pclmul,sse4.1")))
AES static __m128i next(__m128i k, __m128i g) {
    g = _mm_shuffle_epi32(g, 0xff);
    for (int i = 0; i < 3; i++) k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
    return _mm_xor_si128(k, g);
}
#define ROUND(i, rcon) rk[i] = next(rk[i - 1], _mm_aeskeygenassist_si128(rk[i - 1], rcon))
AES int main(void) {
    __m128i rk[11], sum = _mm_setzero_si128(), tag = _mm_set_epi64x(3, 5), h = _mm_set_epi64x(0x1234567, 0x89abcdef);
    rk[0] = _mm_set_epi64x(0x0f0e0d0c0b0a0908, 0x0706050403020100);
    ROUND(1, 1); ROUND(2, 2); ROUND(3, 4); ROUND(4, 8); ROUND(5, 16);
    ROUND(6, 32); ROUND(7, 64); ROUND(8, 128); ROUND(9, 27); ROUND(10, 54);
    for (int64_t i = 0; i < 4000000; i += 4) {
        __m128i b[4];
        for (int j = 0; j < 4; j++) b[j] = _mm_xor_si128(_mm_set_epi64x(7, i + j), rk[0]);
        for (int r = 1; r < 10; r++)
            for (int j = 0; j < 4; j++) b[j] = _mm_aesenc_si128(b[j], rk[r]);
        for (int j = 0; j < 4; j++) sum = _mm_xor_si128(sum, _mm_aesenclast_si128(b[j], rk[10]));
        tag = _mm_xor_si128(_mm_clmulepi64_si128(tag, h, 0x00), _mm_clmulepi64_si128(_mm_xor_si128(tag, sum), h, 0x11));
    }
    printf("%llx %llx\n", (unsigned long long)_mm_cvtsi128_si64(sum), (unsigned long long)_mm_cvtsi128_si64(tag));
    return 0;
}
