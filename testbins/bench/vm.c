/* A small bytecode interpreter that counts primes below 9000 by trial division: indirect branches. */
#include <stdio.h>
enum { LOAD, ADD, MOD, JZ, JLT, MOVE, JMP, HALT };
int main(void) {
    static const int code[] = {
        /*  0 */ LOAD, 0, 2,   /* r0: candidate */
        /*  3 */ LOAD, 1, 0,   /* r1: primes found */
        /*  6 */ LOAD, 5, 1,
        /*  9 */ LOAD, 6, 9000,
        /* 12 */ LOAD, 2, 2,   /* r2: divisor */
        /* 15 */ JLT, 2, 0, 25,
        /* 19 */ ADD, 1, 5,    /* no divisor: a prime */
        /* 22 */ JMP, 40, 0,
        /* 25 */ MOVE, 4, 0,
        /* 28 */ MOD, 4, 2,
        /* 31 */ JZ, 4, 40,
        /* 34 */ ADD, 2, 5,
        /* 37 */ JMP, 15, 0,
        /* 40 */ ADD, 0, 5,
        /* 43 */ JLT, 0, 6, 12,
        /* 47 */ HALT,
    };
    static const void *jump[] = {&&load, &&add, &&mod, &&jz, &&jlt, &&move, &&jmp, &&halt};
    long r[8] = {0};
    const int *pc = code;
#define NEXT goto *jump[*pc]
    NEXT;
load: r[pc[1]] = pc[2]; pc += 3; NEXT;
add: r[pc[1]] += r[pc[2]]; pc += 3; NEXT;
mod: r[pc[1]] = (int)r[pc[1]] % (int)r[pc[2]]; pc += 3; NEXT;
jz: if (r[pc[1]] == 0) pc = code + pc[2]; else pc += 3; NEXT;
jlt: if (r[pc[1]] < r[pc[2]]) pc = code + pc[3]; else pc += 4; NEXT;
move: r[pc[1]] = r[pc[2]]; pc += 3; NEXT;
jmp: pc = code + pc[1]; NEXT;
halt:
    printf("%ld\n", r[1]);
    return 0;
}
