/* SHA-256 of 32 MiB: rotates and adds in registers. */
#include <stdint.h>
#include <stdio.h>
static uint32_t k[64], h[8];
static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }
static void constants(void) {
    /* The first 64 primes; fractional parts of cube roots and square roots by integer search. */
    int n = 0;
    for (int p = 2; n < 64; p++) {
        int prime = 1;
        for (int d = 2; d * d <= p; d++) prime &= p % d != 0;
        if (!prime) continue;
        unsigned __int128 lo = 0, hi = (unsigned __int128)8 << 32;
        while (hi - lo > 1) {
            unsigned __int128 m = (lo + hi) / 2;
            if (m * m * m <= (unsigned __int128)p << 96) lo = m; else hi = m;
        }
        k[n] = (uint32_t)lo;
        if (n < 8) {
            lo = 0, hi = (unsigned __int128)5 << 32;
            while (hi - lo > 1) {
                unsigned __int128 m = (lo + hi) / 2;
                if (m * m <= (unsigned __int128)p << 64) lo = m; else hi = m;
            }
            h[n] = (uint32_t)lo;
        }
        n++;
    }
}
static void block(const uint8_t *p) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++) w[i] = p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    for (int i = 0; i < 8; i++) s[i] = h[i];
    for (int i = 0; i < 64; i++) {
        uint32_t e1 = ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25), ch = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t t1 = s[7] + e1 + ch + k[i] + w[i];
        uint32_t e0 = ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22), mj = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        for (int j = 7; j > 0; j--) s[j] = s[j - 1];
        s[4] += t1;
        s[0] = t1 + e0 + mj;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
}
int main(void) {
    static uint8_t data[64];
    constants();
    for (int i = 0; i < 32 << 14; i++) {
        data[i & 63] += i;
        block(data);
    }
    for (int i = 0; i < 8; i++) printf("%08x", h[i]);
    printf("\n");
    return 0;
}
