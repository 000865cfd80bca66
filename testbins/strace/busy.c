/* Thousands of calls of many kinds, by processes and threads, a fixed number of each, some of which fail. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void work(int rounds)
{
	char buf[64];
	struct stat st;

	for (int i = 0; i < rounds; i++) {
		int pipes[2], fd;
		struct iovec vec[2] = { { "ab", 2 }, { "cd", 2 } };

		syscall(SYS_getpid);
		syscall(SYS_getppid);
		pipe(pipes);
		writev(pipes[1], vec, 2);
		read(pipes[0], buf, 4);
		struct pollfd ready = { pipes[0], POLLIN };
		poll(&ready, 1, 0);
		close(pipes[0]);
		close(pipes[1]);
		close(pipes[1]); /* EBADF */
		fd = open("/dev/null", O_RDWR);
		pread(fd, buf, sizeof(buf), 0);
		lseek(fd, 5, SEEK_SET);
		fstat(fd, &st);
		dup2(fd, 90);
		close(90);
		close(fd);
		open("/nonexistent/file", O_RDONLY); /* ENOENT */
		stat("/nonexistent", &st);
		access("/", R_OK);
		mkdir("/", 0700); /* EEXIST */
		if (i % 7 == 0) {
			void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			mprotect(page, 4096, PROT_READ | PROT_WRITE);
			munmap(page, 4096);
			mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* EINVAL */
		}
		if (i % 3 == 0)
			kill(getpid(), 0);
		if (i % 11 == 0)
			socket(AF_UNIX, 99, 0); /* ESOCKTNOSUPPORT */
	}
}

static void *thread(void *arg)
{
	for (int i = 0; i < 200; i++)
		syscall(SYS_gettid);
	/* No call of the C library's that depends on who is first. */
	syscall(SYS_exit, 0);
	return arg;
}

static void handler(int signo) { (void)signo; }

int main(void)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &act, NULL);
	for (int i = 0; i < 50; i++)
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			work(60 + i);
			_exit(i);
		}
		wait(NULL);
	}
	for (int i = 0; i < 3; i++) {
		/* Each in a stack of its own, waited for by polling nothing: raw threads. */
		char *stack = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		volatile int *done = (int *)stack;
		int tid = clone((int (*)(void *))thread, stack + (1 << 16),
				CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
				CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID,
				NULL, (int *)done, NULL, (int *)done);
		(void)tid;
		while (*done)
			;
	}
	work(100);
	return 0;
}
