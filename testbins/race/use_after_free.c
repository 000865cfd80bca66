/* One thread looks whether an object is there and then uses it; another takes it away in between. */
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
struct object { volatile int value; };
static struct object *volatile shared;
static void *use(void *unused) {
    long sum = 0;
    for (int i = 0; i < 200; i++)
        if (shared) {
            for (volatile int work = 0; work < 10; work++) {}
            sum += shared->value;
        }
    return unused;
}
static void *drop(void *unused) {
    struct object *object = shared;
    shared = 0;
    munmap(object, 4096);
    return unused;
}
int main(void) {
    pthread_t a, b;
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_create(&a, 0, use, 0);
    pthread_create(&b, 0, drop, 0);
    pthread_join(a, 0);
    pthread_join(b, 0);
    puts("done");
    return 0;
}
