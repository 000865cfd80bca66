/* Chases keys through a hash table larger than the caches. */
#include <stdint.h>
#include <stdio.h>
enum { BITS = 20, N = 1 << BITS };
static uint64_t key[N], value[N];
static uint64_t slot_of(uint64_t k) {
    uint64_t i = (k * 0x9e3779b97f4a7c15u) >> (64 - BITS);
    while (key[i] && key[i] != k) i = (i + 1) & (N - 1);
    return i;
}
int main(void) {
    uint64_t x = 1, sum = 0;
    for (int i = 1; i <= N / 2; i++) {
        uint64_t s = slot_of(i);
        key[s] = i;
        value[s] = (uint64_t)i * 7919 % (N / 2) + 1;
    }
    for (int i = 0; i < 1000000; i++) {
        x = value[slot_of(x)];
        sum += x;
    }
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
