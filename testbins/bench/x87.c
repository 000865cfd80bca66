/* Simpson's rule and a continued fraction in long double: the x87 unit. */
#include <math.h>
#include <stdio.h>
static long double f(long double x) { return (x * x - 3.0L * x + 2.0L) / (1.0L + x * x) + sqrtl(x); }
int main(void) {
    enum { N = 2000000 };
    long double h = 10.0L / N, sum = f(0) + f(10), e = 1;
    for (int i = 1; i < N; i++) sum += (i & 1 ? 4 : 2) * f(i * h);
    for (int i = N; i > 0; i--) e = i + 1 + (i + 1) / e;
    long double s = 0;
    for (int i = 1; i < N / 40; i++) s += sinl(i) * expl(-i * 1e-3L);
    printf("%.15Lg %.15Lg %.12Lg\n", sum * h / 3, e, s);
    return 0;
}
