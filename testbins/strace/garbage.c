/* Calls with structures of garbage, strings that do not end, and pointers to nothing, to the last bytes of a page, to memory
 * that cannot be read. None of them does anything: descriptors are -1, or what is pointed to is refused. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define C(name, ...) syscall(SYS_##name, __VA_ARGS__)

/* Whether it points to readable garbage: some calls would do something then. */
static void all(long p, int whole)
{
	C(read, -1, p, 8);
	C(write, -1, p, 8);
	C(readv, -1, p, 3);
	C(writev, -1, p, 3);
	C(pread64, -1, p, 8, 0);
	C(preadv, -1, p, 2, 0, 0);
	C(stat, p, p);
	C(lstat, p, p);
	C(fstat, -1, p);
	C(newfstatat, -1, p, p, 0);
	C(statx, -1, p, 0, 0x7ff, p);
	C(open, p, O_RDONLY);
	C(openat, -1, p, O_RDONLY | O_CLOEXEC);
	C(openat2, -1, p, p, 24);
	C(access, p, R_OK);
	C(faccessat, -1, p, R_OK);
	C(readlink, p, p, 10);
	C(readlinkat, -1, p, p, 10);
	C(chdir, p);
	C(mkdirat, -1, p, 0700);
	C(unlinkat, -1, p, 0);
	C(renameat2, -1, p, -1, p, 0);
	C(linkat, -1, p, -1, p, 0);
	C(symlinkat, p, -1, p);
	C(fchmodat, -1, p, 0600);
	C(fchownat, -1, p, 0, 0, 0);
	C(utimensat, -1, p, p, 0);
	C(statfs, p, p);
	C(fstatfs, -1, p);
	C(getdents64, -1, p, 100);
	C(getxattr, p, p, p, 8);
	C(setxattr, p, p, p, 8, 0);
	C(listxattr, p, p, 8);
	C(poll, p, 3, 0);
	C(ppoll, p, 2, p, p, 8);
	C(epoll_ctl, -1, 1, -1, p);
	C(epoll_wait, -1, p, 3, 0);
	C(timerfd_settime, -1, 0, p, p);
	C(timerfd_gettime, -1, p);
	C(nanosleep, whole ? 0 : p, p);
	C(clock_nanosleep, 99, 0, p, p);
	C(clock_settime, 99, p);
	C(setitimer, 99, p, p);
	C(getitimer, 99, p);
	C(timer_create, 99, p, p);
	C(timer_settime, 12345, 0, p, p);
	C(rt_sigaction, 99, p, p, 8);
	C(rt_sigprocmask, 99, p, 0, 8);
	C(rt_sigtimedwait, p, p, p, 4);
	C(rt_sigqueueinfo, -5, 10, p);
	C(wait4, -77, p, 1, p);
	C(getrlimit, 99, p);
	C(setrlimit, 99, p);
	C(prlimit64, 0, 99, p, p);
	C(getrusage, 99, p);
	C(bind, -1, p, 16);
	C(connect, -1, p, 28);
	C(accept4, -1, p, p, 0);
	C(sendto, -1, p, 8, 0, p, 16);
	C(recvfrom, -1, p, 8, 0, p, p);
	C(sendmsg, -1, p, 0);
	C(recvmsg, -1, p, 0);
	C(sendmmsg, -1, p, 2, 0);
	C(recvmmsg, -1, p, 2, 0, p);
	C(getsockname, -1, p, p);
	C(setsockopt, -1, 1, 2, p, 4);
	C(getsockopt, -1, 1, 2, p, p);
	C(sched_setparam, -1, p);
	C(sched_getparam, -1, p);
	C(sched_setscheduler, -1, 99, p);
	C(sched_rr_get_interval, -1, p);
	C(semop, -1, p, 2);
	C(semtimedop, -1, p, 1, p);
	C(msgsnd, -1, p, 8, 0);
	C(msgctl, -1, 1, p);
	C(shmctl, -1, 1, p);
	C(mq_open, p, O_RDONLY, 0, p);
	C(mq_timedsend, -1, p, 8, 0, p);
	C(mq_getsetattr, -1, p, p);
	C(io_submit, 0, 2, p);
	C(io_getevents, 0, 1, 2, p, p);
	C(fcntl, -1, F_SETLK, p);
	C(fcntl, -1, F_OFD_GETLK, p);
	C(fcntl, -1, F_SETOWN_EX, p);
	C(ioctl, -1, 0x5401, p);
	C(ioctl, -1, 0x5402, p);
	C(ioctl, -1, 0x5414, p);
	C(process_vm_readv, -1, p, 2, p, 2, 0);
	C(name_to_handle_at, -1, p, p, p, 0);
	C(inotify_add_watch, -1, p, 2);
	C(fanotify_mark, -1, 1, 2, -1, p);
	C(copy_file_range, -1, p, -1, p, 8, 0);
	C(splice, -1, p, -1, p, 8, 0);
	C(vmsplice, -1, p, 2, 0);
	C(sendfile, -1, -1, p, 8);
	C(signalfd4, -1, p, 7, 0);
	C(clone3, p, 8);
	C(capget, p, 0);
	C(sched_setattr, -1, p, 0);
	C(sched_getattr, -1, p, 7, 0);
	C(move_pages, -1, 2, p, p, p, 0);
	C(get_robust_list, -1, p, p);
	C(utimes, p, p);
	C(futimesat, -1, p, p);
	C(pselect6, -1, p, p, p, p, p);
	C(mount, p, p, p, 0x80000000, p);
	C(add_key, p, p, p, 8, 0);
	C(request_key, p, p, p, 0);
	C(execveat, -1, p, p, p, 0);
}

int main(void)
{
	char *map = mmap((void *)0x600000, 3 * 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	memset(map, 0xff, 4096);
	mprotect(map + 2 * 4096, 4096, PROT_NONE);
	munmap(map + 4096, 4096);
	all(0, 0);
	all(16, 0);
	all((long)map + 2 * 4096, 0);
	all((long)map + 4096 - 4, 0);
	all((long)map + 4096 - 20, 0);
	all(-1, 0);
	all(0x8000000000000000, 0);
	return 0;
}
