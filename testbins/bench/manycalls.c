/* Many cheap calls, and nothing else: what watching them costs. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	char buf[16];
	int fd = open("/dev/zero", O_RDONLY);

	for (int i = 0; i < 200000; i++) {
		syscall(SYS_getppid);
		read(fd, buf, sizeof(buf));
		lseek(fd, 0, SEEK_SET);
	}
	return 0;
}
