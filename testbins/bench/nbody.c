/* Five bodies under gravity: double arithmetic and square roots. */
#include <math.h>
#include <stdio.h>
enum { N = 5 };
static double p[N][3], v[N][3], m[N];
static double energy(void) {
    double e = 0;
    for (int i = 0; i < N; i++) {
        e += 0.5 * m[i] * (v[i][0] * v[i][0] + v[i][1] * v[i][1] + v[i][2] * v[i][2]);
        for (int j = i + 1; j < N; j++) {
            double d2 = 0;
            for (int c = 0; c < 3; c++) d2 += (p[i][c] - p[j][c]) * (p[i][c] - p[j][c]);
            e -= m[i] * m[j] / sqrt(d2);
        }
    }
    return e;
}
int main(void) {
    for (int i = 0; i < N; i++) {
        m[i] = i ? 0.01 * i : 40;
        for (int c = 0; c < 3; c++) {
            p[i][c] = i ? (i * 5 + c * 3) % 11 + i : 0;
            v[i][c] = i ? ((i * 3 + c * 7) % 5 - 2) * 0.5 : 0;
        }
    }
    for (int step = 0; step < 500000; step++) {
        const double dt = 0.001;
        for (int i = 0; i < N; i++)
            for (int j = i + 1; j < N; j++) {
                double d[3], d2 = 0;
                for (int c = 0; c < 3; c++) d[c] = p[i][c] - p[j][c], d2 += d[c] * d[c];
                double mag = dt / (d2 * sqrt(d2));
                for (int c = 0; c < 3; c++) v[i][c] -= d[c] * m[j] * mag, v[j][c] += d[c] * m[i] * mag;
            }
        for (int i = 0; i < N; i++)
            for (int c = 0; c < 3; c++) p[i][c] += dt * v[i][c];
    }
    printf("%.9f\n", energy());
    return 0;
}
