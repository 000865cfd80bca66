/* execve and execveat: what survives, what does not, how it fails. */
#include "t.h"
#include <elf.h>
#include <sys/auxv.h>

static char self[PATH_MAX];
static char *env[] = {"A=1", "B=two", NULL};
__attribute__((constructor)) static void know_self(void) { readlink("/proc/self/exe", self, sizeof self - 1); }

/* What the program does when it is executed again: `PROGRAM NAME` runs the test of that name. */
static int again(const char *name) {
    char *argv[] = {"again", (char *)name, NULL};
    pid_t pid = t_fork();
    if (pid == 0) {
        syscall(SYS_execve, self, argv, env);
        _exit(99);
    }
    return WEXITSTATUS(t_wait(pid));
}
extern char **environ;
static int executed(void) { return getenv("B") && !getenv("PATH"); }

TEST(arguments_and_environment_arrive) {
    if (executed()) _exit(strcmp(environ[0], "A=1") || strcmp(environ[1], "B=two") || environ[2] ? 1 : 40);
    CHECK_EQ(again("arguments_and_environment_arrive"), 40);
}
TEST(cloexec_descriptors_are_closed_and_others_kept) {
    if (executed()) _exit(fcntl(60, F_GETFD) == -1 && fcntl(61, F_GETFD) == 0 ? 41 : 1);
    dup3(0, 60, O_CLOEXEC), dup2(0, 61);
    CHECK_EQ(again("cloexec_descriptors_are_closed_and_others_kept"), 41);
}
TEST(ignored_signals_stay_and_handlers_go) {
    struct sigaction a, b;
    sigset_t set;
    if (executed()) {
        sigaction(SIGUSR1, NULL, &a), sigaction(SIGUSR2, NULL, &b), sigprocmask(SIG_BLOCK, NULL, &set);
        _exit(a.sa_handler == SIG_IGN && b.sa_handler == SIG_DFL && sigismember(&set, SIGHUP) ? 42 : 1);
    }
    signal(SIGUSR1, SIG_IGN), signal(SIGUSR2, t_ignore);
    sigemptyset(&set), sigaddset(&set, SIGHUP), sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK_EQ(again("ignored_signals_stay_and_handlers_go"), 42);
}
TEST(the_pid_and_pending_signals_survive) {
    sigset_t set;
    if (executed()) {
        sigpending(&set);
        _exit(getpid() == atoi(t_text("pid")) && sigismember(&set, SIGUSR1) ? 43 : 1);
    }
    char pid[16], *argv[] = {"again", "the_pid_and_pending_signals_survive", NULL};
    pid_t child = t_fork();
    if (child == 0) {
        sprintf(pid, "%d", getpid());
        t_file("pid", pid);
        sigemptyset(&set), sigaddset(&set, SIGUSR1), sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGUSR1);
        execve(self, argv, env);
    }
    CHECK_EQ(WEXITSTATUS(t_wait(child)), 43);
}
TEST(the_auxiliary_vector_describes_the_program) {
    CHECK_EQ(getauxval(AT_PAGESZ), 4096);
    CHECK_EQ(getauxval(AT_UID) + getauxval(AT_EUID) + getauxval(AT_SECURE), 0);
    CHECK_EQ(getauxval(AT_CLKTCK), 100);
    CHECK(getauxval(AT_RANDOM) && getauxval(AT_PHDR) && getauxval(AT_ENTRY));
    CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
    CHECK_STR((char *)getauxval(AT_PLATFORM), "x86_64");
    CHECK(strlen((char *)getauxval(AT_EXECFN)) > 0);
}
TEST(the_stack_is_aligned_to_sixteen_at_entry) {
    CHECK_EQ(((unsigned long)environ - 8) % 8, 0);
    CHECK_EQ(getauxval(AT_BASE), 0);
}
TEST(a_script_runs_its_interpreter) {
    char line[PATH_MAX + 32];
    snprintf(line, sizeof line, "#!%s prints_its_arguments\n", self);
    t_file("script", line);
    chmod("script", 0755);
    char *argv[] = {"zero", "one", "two", NULL};
    pid_t pid = t_fork();
    if (pid == 0) {
        execve("./script", argv, env);
        _exit(99);
    }
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 44);
}
TEST(prints_its_arguments) {
    if (!executed()) return;
    const char *line = t_text("/proc/self/cmdline");
    line += strlen(line) + 1;
    CHECK_STR(line, "prints_its_arguments");
    line += strlen(line) + 1;
    CHECK_STR(line, "./script");
    line += strlen(line) + 1;
    CHECK_STR(line, "one");
    _exit(44);
}
TEST(failures_are_told_and_leave_the_program_running) {
    char *argv[] = {"x", NULL};
    t_file("plain", "hello");
    CHECK_ERRNO(syscall(SYS_execve, "none", argv, env), ENOENT);
    CHECK_ERRNO(syscall(SYS_execve, "", argv, env), ENOENT);
    CHECK_ERRNO(syscall(SYS_execve, "plain", argv, env), EACCES);
    chmod("plain", 0755);
    CHECK_ERRNO(syscall(SYS_execve, "plain", argv, env), ENOEXEC);
    CHECK_ERRNO(syscall(SYS_execve, "plain/x", argv, env), ENOTDIR);
    CHECK_ERRNO(syscall(SYS_execve, ".", argv, env), EACCES);
    CHECK_ERRNO(syscall(SYS_execve, BAD, argv, env), EFAULT);
    CHECK_ERRNO(syscall(SYS_execve, self, BAD, env), EFAULT);
    CHECK_ERRNO(syscall(SYS_execve, self, argv, BAD), EFAULT);
    t_file("plain", "#!/no/such/interpreter\n");
    CHECK_ERRNO(syscall(SYS_execve, "plain", argv, env), ENOENT);
    t_file("plain", "");
    CHECK_ERRNO(syscall(SYS_execve, "plain", argv, env), ENOEXEC);
    t_file("plain", "\177ELF");
    CHECK_ERRNO(syscall(SYS_execve, "plain", argv, env), ENOEXEC);
}
TEST(too_long_an_argument_is_e2big) {
    char *large = malloc(200000);
    memset(large, 'x', 199999);
    large[199999] = 0;
    char *argv[] = {"x", large, NULL};
    CHECK_ERRNO(syscall(SYS_execve, self, argv, env), E2BIG);
}
TEST(interpreters_cannot_nest_for_ever) {
    t_file("loop", "#!./loop\n");
    chmod("loop", 0755);
    char *argv[] = {"x", NULL};
    CHECK_ERRNO(syscall(SYS_execve, "./loop", argv, env), ELOOP);
}
TEST(execveat_runs_a_descriptor) {
    if (executed()) _exit(45);
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    char *argv[] = {"again", "execveat_runs_a_descriptor", NULL};
    pid_t pid = t_fork();
    if (pid == 0) {
        syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
        _exit(99);
    }
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 45);
}
TEST(execveat_checks_flags_and_links) {
    char *argv[] = {"x", NULL};
    symlink(self, "link");
    CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "link", argv, env, AT_SYMLINK_NOFOLLOW), ELOOP);
    CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "link", argv, env, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "", argv, env, 0), ENOENT);
    CHECK_ERRNO(syscall(SYS_execveat, 99, "x", argv, env, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_execveat, 99, "", argv, env, AT_EMPTY_PATH), EBADF);
}
TEST(a_running_program_cannot_be_written) { CHECK_ERRNO(open(self, O_WRONLY), ETXTBSY); }
TEST(an_empty_argv_becomes_one_empty_string) {
    pid_t pid = t_fork();
    char *none[] = {NULL}, *marked[] = {"B=two", "EMPTY=1", NULL};
    if (pid == 0) {
        syscall(SYS_execve, self, none, marked);
        _exit(99);
    }
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 46);
}
__attribute__((constructor)) static void was_given_none(int argc, char **argv) {
    if (getenv("EMPTY")) _exit(argc == 1 && argv[0][0] == 0 && !argv[1] ? 46 : 1);
}
