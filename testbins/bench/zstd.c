/* zstd: compresses and expands text-like data. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
int main(void) {
    enum { N = 4 << 20 };
    unsigned char *in = malloc(N), *out = malloc(ZSTD_compressBound(N)), *back = malloc(N);
    unsigned x = 1;
    for (int i = 0; i < N; i++) {
        x = x * 1103515245 + 12345;
        in[i] = (x >> 16) % 5 && i > 300 ? in[i - 1 - (x >> 18) % 8 * 37] : (unsigned char)('a' + (x >> 20) % 26);
    }
    size_t n = ZSTD_compress(out, ZSTD_compressBound(N), in, N, 3);
    for (int i = 0; i < 4; i++)
        if (ZSTD_isError(n) || ZSTD_decompress(back, N, out, n) != N || memcmp(in, back, N)) return 1;
    printf("%zu\n", n);
    return 0;
}
