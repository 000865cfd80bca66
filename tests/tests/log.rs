//! The kernel log: what the kernel says of programs that fail, in Linux's words, and who may read it how.
#![allow(clippy::disallowed_methods, reason = "tests work on the host")]
#![allow(missing_docs, reason = "tests are named by what they show")]

use std::path::{Path, PathBuf};
use std::process::Command;

use emu_tests::{Outcome, emu, native, program, run};
use regex_lite::Regex;

/// Compiles a program from its text.
fn made(name: &str, source: &str) -> PathBuf {
    emu_tests::made(env!("CARGO_TARGET_TMPDIR"), name, source)
}

/// Runs a program under emu with options, in an empty directory.
fn emulated(options: &[&str], program: &Path, args: &[&str]) -> Outcome {
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let mut command = Command::new(emu());
    command.args(options).arg(program).args(args);
    run(command, dir.path(), b"")
}

/// Children that die each of another exception.
const FAULTS: &str = r#"
    #include <stdio.h>
    #include <sys/mman.h>
    #include <sys/wait.h>
    #include <unistd.h>
    int main(void) {
        for (int i = 0; i < 7; i++) {
            int pid = fork();
            if (pid == 0) {
                switch (i) {
                case 0: *(volatile int *)0x1234 = 1; break;
                case 1: __asm__ volatile("xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx"); break;
                case 2: __asm__ volatile("int3"); break;
                case 3: __asm__ volatile("ud2"); break;
                case 4: __asm__ volatile("hlt"); break;
                case 5: ((void (*)(void))0x5000)(); break;
                case 6: {
                    volatile char *page = mmap((void *)0x700000, 4096, PROT_READ,
                                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
                    page[0] = 1;
                } break;
                }
                _exit(0);
            }
            wait(NULL);
            printf("%d ", pid);
        }
        return 0;
    }
"#;

/// Lines of a log without their times, with what depends on the machine taken out.
fn plain(log: &str) -> Vec<String> {
    let rules = [
        (r"^\[ *\d+\.\d+\] ", ""),
        (r"\[\d+\]", "[PID]"),
        (r"sp [0-9a-f]{16}", "sp SP"),
        (r"sp:[0-9a-f]+", "sp:SP"),
        (r"CPU \d+ \(core \d+, socket \d+\)", "CPU N"),
    ];
    let rules = rules.map(|(pattern, with)| (Regex::new(pattern).expect("a pattern"), with));
    log.lines()
        .map(|line| {
            rules.iter().fold(line.to_owned(), |line, (rule, with)| rule.replace(&line, *with).into_owned())
        })
        .collect()
}

#[test]
fn exceptions_leave_linuxs_lines() {
    if !native() {
        return;
    }
    let program = made("log-faults", FAULTS);
    let outcome = emulated(&["--dmesg"], &program, &[]);
    let log = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let ours: Vec<String> = plain(&log).into_iter().skip_while(|line| !line.contains("log-faults")).collect();
    let patterns = [
        r"^log-faults\[PID\]: segfault at 1234 ip [0-9a-f]{16} sp SP error 6 in log-faults\[[0-9a-f]+,401000\+[0-9a-f]+\] likely on CPU N$",
        r"^Code:( [0-9a-f]{2}){42} <[0-9a-f]{2}>( [0-9a-f]{2}){21}$",
        r"^traps: log-faults\[PID\] trap divide error ip:[0-9a-f]+ sp:SP error:0 in log-faults\[[0-9a-f]+,401000\+[0-9a-f]+\]$",
        r"^traps: log-faults\[PID\] trap int3 ip:[0-9a-f]+ sp:SP error:0 in log-faults\[",
        r"^traps: log-faults\[PID\] trap invalid opcode ip:",
        r"^traps: log-faults\[PID\] general protection fault ip:[0-9a-f]+ sp:SP error:0 in log-faults\[",
        r"^log-faults\[PID\]: segfault at 5000 ip 0000000000005000 sp SP error 14 likely on CPU N$",
        r"^Code: Unable to access opcode bytes at 0x4fd6\.$",
        r"^log-faults\[PID\]: segfault at 700000 ip [0-9a-f]{16} sp SP error 6 in log-faults\[",
        r"^Code:( [0-9a-f]{2}){42} <[0-9a-f]{2}>",
    ];
    assert_eq!(ours.len(), patterns.len(), "{log}");
    for (line, pattern) in ours.iter().zip(patterns) {
        assert!(Regex::new(pattern).expect("a pattern").is_match(line), "{line:?} is not {pattern}");
    }
    // The host's own log, where it may be read: the kernel leaves lines out when many come at once, but none is another.
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let _ = run(Command::new(&program), dir.path(), b"");
    let Ok(theirs) = Command::new("dmesg").output() else { return };
    let theirs = plain(&String::from_utf8_lossy(&theirs.stdout));
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let new = release.split('.').next().and_then(|n| n.parse::<u32>().ok()).is_some_and(|major| major >= 6);
    for (at, line) in theirs.iter().enumerate().filter(|(_, line)| new && line.contains("log-faults[PID]")) {
        let has_offset = line.contains(",401000+") || !line.contains(" in ");
        if !has_offset {
            continue;
        }
        let place = ours.iter().position(|our| our == line);
        let place = place.unwrap_or_else(|| panic!("the host says {line:?}, emu {ours:#?}"));
        if line.contains("segfault")
            && let Some(code) = theirs.get(at + 1).filter(|next| next.starts_with("Code:"))
        {
            assert_eq!(code, &ours[place + 1]);
        }
    }
}

#[test]
fn running_out_of_memory_and_gaps_are_in_the_log() {
    if !native() {
        return;
    }
    let hungry = made(
        "log-hungry",
        "#include <stdlib.h>\n#include <string.h>\nint main(void) { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }\n",
    );
    let outcome = emulated(&["--memory", "32M", "--dmesg"], &hungry, &[]);
    let log = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!(outcome.status, 137, "{log}");
    assert!(log.contains("log-hungry invoked oom-killer: gfp_mask=0x"), "{log}");
    let killed = Regex::new(
        r"Out of memory: Killed process \d+ \(log-hungry\) total-vm:\d+kB, anon-rss:\d+kB, file-rss:0kB, shmem-rss:0kB, UID:\d+ pgtables:\d+kB oom_score_adj:0",
    );
    assert!(killed.expect("a pattern").is_match(&log), "{log}");
    let gap = made(
        "log-gap",
        "#include <unistd.h>\n#include <sys/syscall.h>\nint main(void) { syscall(SYS_io_uring_setup, 1, 0); return 0; }\n",
    );
    let outcome = emulated(&["--dmesg"], &gap, &[]);
    let log = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(log.contains("] emu: not supported: system call io_uring_setup (425)"), "{log}");
}

/// dmesg of util-linux and of busybox, with what they can do.
#[test]
fn dmesg_works() {
    if !native()
        || program("log", &["/usr/bin/dmesg", "/bin/dmesg"], "util-linux").is_none()
        || program("log", &["/usr/bin/busybox"], "busybox-static").is_none()
    {
        return;
    }
    let shell = |script: &str| {
        let outcome = emulated(&["--root", "/", "--user", "0"], Path::new("/bin/sh"), &["-c", script]);
        let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert_eq!(outcome.status, 0, "{script}: {said}{}", String::from_utf8_lossy(&outcome.stderr));
        said
    };
    let say = "echo '<3>first message' > /dev/kmsg; echo '<30>second' > /dev/kmsg; ";
    let tail = |text: &str| -> Vec<String> { plain(text).into_iter().rev().take(2).collect() };
    for dmesg in ["dmesg", "busybox dmesg"] {
        assert_eq!(tail(&shell(&format!("{say}{dmesg}"))), ["second", "first message"], "{dmesg}");
        // -r: with the priority; a user cannot forge the kernel's facility.
        let raw = shell(&format!("{say}{dmesg} -r"));
        let raw: Vec<&str> = raw.lines().rev().take(2).collect();
        // util-linux puts the two halves of the number together without shifting one.
        let shown = if dmesg == "dmesg" { ["<7>[", "<3>["] } else { ["<30>[", "<11>["] };
        assert!(raw.iter().zip(shown).all(|(line, head)| line.starts_with(head)), "{raw:?}");
        // -c clears behind what it printed; -n sets the level of the console.
        assert_eq!(shell(&format!("{say}{dmesg} -c > /dev/null; {dmesg} | wc -l")).trim(), "0");
        assert!(shell(&format!("{dmesg} -n 3; cat /proc/sys/kernel/printk")).starts_with("3\t"), "{dmesg}");
    }
    let decoded = shell(&format!("{say}dmesg -x"));
    assert!(decoded.contains("daemon:info  : [") && decoded.contains("user  :err   : ["), "{decoded}");
    let json = shell(&format!("{say}dmesg --json"));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let last = json["dmesg"].as_array().and_then(|all| all.last()).expect("records");
    assert!(last["pri"].is_number() && last["msg"] == "second", "{last}");
    assert_eq!(shell(&format!("{say}dmesg -l err -t")), "first message\n");
    assert_eq!(shell(&format!("{say}dmesg -f daemon -t")), "second\n");
    assert!(shell(&format!("{say}dmesg -T")).contains("] second"));
    // -w follows: what is written later is printed too.
    let followed = shell(
        "dmesg -w -t > /tmp/followed & sleep 0.2; echo later > /dev/kmsg; \
         until grep -q later /tmp/followed; do sleep 0.1; done; kill $!; tail -n 1 /tmp/followed",
    );
    assert_eq!(followed, "later\n");
}

/// Records of /dev/kmsg one by one, its seeks, /proc/kmsg, and who may do what.
#[test]
fn the_log_is_read_as_linux_lets_it_be_read() {
    if !native() {
        return;
    }
    let program = made(
        "log-kmsg",
        r#"
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <poll.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/klog.h>
        #include <unistd.h>
        static char buf[8192];
        static void say(const char *what, long result) {
            printf("%s %ld %s\n", what, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : "");
        }
        int main(void) {
            int fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK), n;
            struct pollfd ready = { fd, POLLIN };
            say("end", lseek(fd, 0, SEEK_END));
            say("poll", poll(&ready, 1, 0));
            say("empty", read(fd, buf, sizeof(buf)));
            say("write", write(fd, "<6>one\\two\x01", 11));
            say("poll", poll(&ready, 1, 0));
            n = read(fd, buf, 10);
            say("short", n);
            n = read(fd, buf, sizeof(buf));
            buf[n > 0 ? n : 0] = 0;
            printf("record %s", strchr(buf, ';') ? strchr(buf, ';') : "?\n");
            say("cur", lseek(fd, 0, SEEK_CUR));
            say("offset", lseek(fd, 1, SEEK_SET));
            say("data", lseek(fd, 0, SEEK_DATA));
            say("set", lseek(fd, 0, SEEK_SET));
            n = read(fd, buf, sizeof(buf));
            printf("first %.4s\n", n > 0 ? buf : "?");
            memset(buf, 'x', sizeof(buf));
            say("long", write(fd, buf, 2000));
            /* The ring overtakes a reader. */
            for (int i = 0; i < 1000; i++) write(fd, buf, 900);
            say("overrun", read(fd, buf, sizeof(buf)));
            say("again", read(fd, buf, sizeof(buf)) > 0);
            say("size", klogctl(10, 0, 0) > 0);
            say("unknown", klogctl(11, 0, 0));
            say("null", klogctl(3, 0, 10));
            say("negative", klogctl(3, buf, -1));
            say("nothing", klogctl(3, buf, 0));
            say("level", klogctl(8, 0, 9));
            say("level", klogctl(8, 0, 4));
            say("unread", klogctl(9, 0, 0) > 0);
            setresuid(1000, 1000, 1000);
            say("user all", klogctl(3, buf, sizeof(buf)) > 0);
            say("user clear", klogctl(5, 0, 0));
            say("user level", klogctl(8, 0, 4));
            say("user read", klogctl(2, buf, 10));
            say("user kmsg", open("/proc/kmsg", O_RDONLY));
            return 0;
        }
        "#,
    );
    let outcome = emulated(&["--user", "0"], &program, &[]);
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let expected = "\
end 0 \npoll 0 \nempty -1 EAGAIN\nwrite 11 \npoll 1 \nshort -1 EINVAL\nrecord ;one\\x5ctwo\\x01\ncur -1 EINVAL\n\
offset -1 ESPIPE\ndata 0 \nset 0 \nfirst 5,0,\nlong -1 EINVAL\noverrun -1 EPIPE\nagain 1 \nsize 1 \n\
unknown -1 EINVAL\nnull -1 EINVAL\nnegative -1 EINVAL\nnothing 0 \nlevel -1 EINVAL\nlevel 0 \nunread 1 \n\
user all 1 \nuser clear -1 EPERM\nuser level -1 EPERM\nuser read -1 EPERM\nuser kmsg -1 EACCES\n";
    assert_eq!(said, expected);
}
