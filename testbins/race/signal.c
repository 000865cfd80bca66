/* A process waits for a signal of its child: if it comes between the look at the flag and pause, it waits for ever. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile sig_atomic_t came;
static void note(int number) { came = number; }
int main(void) {
    signal(SIGUSR1, note);
    for (int i = 0; i < 10; i++) {
        came = 0;
        pid_t child = fork();
        if (child == 0) {
            kill(getppid(), SIGUSR1);
            _exit(0);
        }
        while (!came) {
            for (volatile int work = 0; work < 20; work++) {}
            pause();
        }
        waitpid(child, 0, 0);
    }
    puts("done");
    return 0;
}
