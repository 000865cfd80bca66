/* zlib: every level and strategy over four kinds of data, there and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
enum { N = 60000 };
static unsigned char data[N], packed[2 * N], back[N];
static void fill(int kind) {
    unsigned x = 12345;
    for (int i = 0; i < N; i++) {
        x = x * 1103515245u + 12345;
        data[i] = kind == 0 ? 0 : kind == 1 ? x >> 24 : kind == 2 ? "the quick brown fox "[(x >> 16) % 20] : i * i >> 7;
    }
}
int main(void) {
    for (int kind = 0; kind < 4; kind++) {
        fill(kind);
        for (int level = 0; level <= 9; level++)
            for (int strategy = 0; strategy <= 4; strategy++) {
                z_stream z = {0};
                deflateInit2(&z, level, Z_DEFLATED, strategy & 1 ? 31 : 15, 1 + level % 9, strategy);
                z.next_in = data, z.avail_in = N, z.next_out = packed, z.avail_out = sizeof packed;
                int r = deflate(&z, Z_FINISH);
                unsigned long size = z.total_out;
                deflateEnd(&z);
                memset(&z, 0, sizeof z);
                inflateInit2(&z, 47);
                z.next_in = packed, z.avail_in = size, z.next_out = back, z.avail_out = N;
                int s = inflate(&z, Z_FINISH);
                inflateEnd(&z);
                printf("%d %d %d: %d %lu %08lx %08lx %d %d\n", kind, level, strategy, r, size,
                       crc32(0, packed, size), adler32(1, packed, size), s, memcmp(data, back, N));
            }
    }
    return 0;
}
