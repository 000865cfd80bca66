/* zstd: levels from the fastest to the slowest over three kinds of data, a dictionary, a stream; there and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
enum { N = 100000 };
static unsigned char data[N], packed[2 * N], back[N];
static unsigned long long hash(const unsigned char *p, size_t n) {
    unsigned long long h = 0xcbf29ce484222325u;
    while (n--) h = (h ^ *p++) * 0x100000001b3u;
    return h;
}
static void fill(int kind) {
    unsigned x = 99;
    for (int i = 0; i < N; i++) {
        x = x * 1103515245u + 12345;
        data[i] = kind == 0 ? x >> 24 : kind == 1 ? "pack my box with five dozen"[(x >> 16) % 27] : (i ^ i >> 5) & 63;
    }
}
int main(void) {
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_DCtx *d = ZSTD_createDCtx();
    for (int kind = 0; kind < 3; kind++) {
        fill(kind);
        for (int level = -5; level <= 22; level += level < 15 ? 1 : 7) {
            ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
            ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
            ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
            size_t n = ZSTD_compress2(c, packed, sizeof packed, data, N);
            size_t m = ZSTD_decompressDCtx(d, back, N, packed, n);
            size_t u = ZSTD_compress_usingDict(c, packed + n, sizeof packed - n, data + N / 2, N / 4, data, N / 2, level);
            printf("%d %d: %zu %016llx %zu %d %zu\n", kind, level, n, hash(packed, n), m, memcmp(data, back, N), u);
        }
    }
    return 0;
}
