/* What strace has structures for: terminals in their three forms, poll and select, filters that answer calls. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termio.h>
#include <unistd.h>

static void terminals(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct termio old;
	char new[64];
	int n;

	grantpt(master);
	unlockpt(master);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	ioctl(slave, TCGETA, &old);
	ioctl(slave, TCSETA, &old);
	ioctl(slave, 0x802c542a, new); /* TCGETS2 */
	ioctl(slave, FIONREAD, &n);
	ioctl(slave, TCSBRK, 1);
	ioctl(slave, TCXONC, 1);
	ioctl(slave, TIOCGETD, &n);
	ioctl(slave, TIOCEXCL);
}

static void readiness(void)
{
	int pipes[2], sockets[2];
	struct pollfd fds[40];
	fd_set set;
	struct timespec none = { 0, 0 };

	pipe(pipes);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
	write(pipes[1], "x", 1);
	fds[0] = (struct pollfd){ pipes[0], POLLIN };
	fds[1] = (struct pollfd){ sockets[1], POLLIN | POLLOUT };
	fds[2] = (struct pollfd){ 77, POLLIN };
	poll(fds, 3, 0);
	ppoll(fds, 2, &none, NULL);
	FD_ZERO(&set);
	FD_SET(pipes[0], &set);
	select(10, &set, NULL, NULL, NULL);
	for (int i = 0; i < 40; i++)
		fds[i] = (struct pollfd){ 500 + i, POLLIN };
	poll(fds, 40, 0);
}

static void filters(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgrp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 7),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | 5),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getgid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 10, code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	syscall(SYS_getpgrp);
	syscall(SYS_getuid);
	if (fork() == 0) {
		syscall(SYS_getppid);
		_exit(0);
	}
	wait(NULL);
	syscall(SYS_getgid);
}

int main(void)
{
	terminals();
	readiness();
	filters();
	return 0;
}
