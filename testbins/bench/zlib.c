/* zlib: compresses and expands text-like data. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
int main(void) {
    enum { N = 2 << 20 };
    unsigned char *in = malloc(N), *out = malloc(N + N / 8 + 64), *back = malloc(N);
    unsigned x = 1;
    for (int i = 0; i < N; i++) {
        x = x * 1103515245 + 12345;
        in[i] = (x >> 16) % 5 && i > 300 ? in[i - 1 - (x >> 18) % 8 * 37] : (unsigned char)('a' + (x >> 20) % 26);
    }
    uLongf n = N + N / 8 + 64, m = N;
    if (compress2(out, &n, in, N, 6) || uncompress(back, &m, out, n) || memcmp(in, back, N)) return 1;
    printf("%lu %08lx\n", n, crc32(adler32(1, back, N), out, (uInt)n));
    return 0;
}
