/* The C library's memcpy, memset, memchr, strlen and memcmp over short and long buffers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
    static const unsigned size[] = {7, 24, 80, 300, 1500, 9000, 70000, 500000};
    char *volatile a = malloc(1 << 20), *volatile b = malloc(1 << 20);
    uint64_t sum = 0;
    memset(a, 'x', 1 << 20);
    for (int s = 0; s < 8; s++) {
        unsigned n = size[s], rounds = 40000000 / (n + 200);
        for (unsigned r = 0; r < rounds; r++) {
            unsigned off = r % 61;
            memcpy(b + off, a + (r & 15), n);
            b[off + n] = 0;
            sum += strlen(b + off);
            a[off + n / 2] = (char)('a' + r % 7);
            sum += (uint64_t)(memcmp(a, b, n) != 0);
            sum += (uint64_t)((char *)memchr(b + off, 0, n + 1) - b);
            if ((r & 3) == 0) memset(b, 'y', n);
        }
    }
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
