/* Quicksort of integers: compares, swaps, unpredictable branches. */
#include <stdio.h>
enum { N = 1000000 };
static unsigned v[N];
static void sort(unsigned *a, long n) {
    while (n > 1) {
        unsigned pivot = a[n / 2];
        long i = 0, j = n - 1;
        while (i <= j) {
            while (a[i] < pivot) i++;
            while (a[j] > pivot) j--;
            if (i <= j) {
                unsigned t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        sort(a, j + 1);
        a += i;
        n -= i;
    }
}
int main(void) {
    unsigned x = 1, sum = 0;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < N; i++) v[i] = x = x * 1664525u + 1013904223u;
        sort(v, N);
        for (int i = 0; i < N; i += 1000) sum = sum * 31 + v[i];
    }
    printf("%u\n", sum);
    return 0;
}
