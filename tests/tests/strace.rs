//! `emu strace` against Debian's strace: the same static programs and options, compared line by line.
//!
//! `emu_tests::traces` takes out what depends on the machine. What the scheduler decides differs between native runs too:
//! ours must equal one of a few of them.
#![allow(clippy::disallowed_methods, reason = "tests work on the host")]
#![allow(missing_docs, reason = "tests are named by what they show")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use emu_tests::{emu, fixtures, native, program, run, testbins, traces};

const STRACE: &str = "/usr/bin/strace";

/// A static program made from a source of a folder of `testbins`.
fn guest(folder: &str, name: &str) -> PathBuf {
    static MADE: Mutex<()> = Mutex::new(());
    let _made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("strace-{name}"));
    if !program.exists() {
        let source = testbins().join(folder).join(format!("{name}.c"));
        let fresh = program.with_extension(format!("{:?}", std::thread::current().id()));
        let done = Command::new("cc")
            .args(["-static", "-O1", "-pthread", "-w", "-o"])
            .arg(&fresh)
            .arg(source)
            .status()
            .expect("a C compiler runs");
        assert!(done.success());
        // Tests run at once: none may run a program that another is writing.
        std::fs::rename(&fresh, &program).expect("a built program can be moved");
    }
    program
}

/// The trace of one program, of strace or of ours, in a fresh directory `work` below `dir`.
fn trace_in(dir: &Path, emulated: bool, options: &[&str], program: &Path, args: &[&str]) -> String {
    let work = dir.join("work");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir(&work).expect("a fresh directory can be made");
    fixtures(&work);
    std::fs::write(work.join("one.c"), "int one(void) { return 1; }\n").expect("a fixture can be written");
    // Programs print the time of day of a file: two runs are not in one minute.
    for name in ["a.txt", "tree", "tree/x", "tree/sub"] {
        let file = std::fs::File::open(work.join(name)).expect("a fixture can be opened");
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        file.set_modified(long_ago).expect("the time of a fixture can be set");
    }
    let file = dir.join("trace");
    for old in traces_at(&file) {
        let _ = std::fs::remove_file(old.1);
    }
    let mut command = Command::new(if emulated { emu() } else { PathBuf::from(STRACE) });
    if emulated {
        command.args(["strace", "--root", "/", "--cwd"]).arg(&work);
    }
    for variable in ["PATH=/bin", "HOME=/root", "TERM=xterm", "LANG=C", "TZ=UTC"] {
        command.args(["-E", variable]);
    }
    command.args(options).arg("-o").arg(&file).arg(program).args(args);
    let _ = run(command, &work, b"");
    let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    // With -ff each task has a file of its own: as one, with the numbers in front.
    traces_at(&file).into_iter().fold(String::new(), |mut all, (pid, path)| {
        for line in read(&path).lines() {
            if let Some(pid) = pid {
                all.push_str(&format!("{pid} "));
            }
            all.push_str(line);
            all.push('\n');
        }
        all
    })
}

/// The files of a trace: one, or one a task with its number.
fn traces_at(file: &Path) -> Vec<(Option<u32>, PathBuf)> {
    let mut found = vec![(None, file.to_owned())];
    let (dir, name) = (file.parent().expect("a directory"), file.file_name().expect("a name"));
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.file_stem() == Some(name)
            && let Some(pid) = path.extension().and_then(|pid| pid.to_str()?.parse().ok())
        {
            found.push((Some(pid), path));
        }
    }
    found.retain(|(_, path)| path.is_file());
    found.sort();
    found
}

/// Both traces of one program.
fn both(options: &[&str], program: &Path, args: &[&str]) -> (String, String) {
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let trace = |emulated| trace_in(dir.path(), emulated, options, program, args);
    (trace(false), trace(true))
}

/// Pairs of traces of which one must agree: what the scheduler decides is not the same each time, nor how often glibc's
/// mkstemp draws a name (one draw in 22 is thrown away).
const TRIES: usize = 6;

/// Says how the traces of one program differ, if they do.
fn difference(options: &[&str], program: &Path, args: &[&str]) -> Option<String> {
    let follow = options.iter().any(|option| option.starts_with("-f"));
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let mut last = String::new();
    for _ in 0..TRIES {
        let ours = trace_in(dir.path(), true, options, program, args);
        let theirs = trace_in(dir.path(), false, options, program, args);
        match traces::difference(&theirs, &ours, follow) {
            None => return None,
            Some(text) => last = text,
        }
    }
    Some(format!("### strace {} {} {}\n{last}", options.join(" "), program.display(), args.join(" ")))
}

const BUSYBOX: &str = "/usr/bin/busybox";
const BASH: &str = "/bin/bash-static";

/// Cases of a list: `options | program | arguments`, a line each; `FOLDER:NAME` is a program of `testbins`.
fn compare(list: &str) {
    if !native()
        || program("strace", &[STRACE], "strace").is_none()
        || program("strace", &[BUSYBOX], "busybox-static").is_none()
        || program("strace", &[BASH], "bash-static").is_none()
    {
        return;
    }
    let mut failures = Vec::new();
    let mut count = 0;
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let mut parts = line.split('|').map(str::trim);
        let options: Vec<&str> = parts.next().unwrap_or_default().split_whitespace().collect();
        let named = parts.next().unwrap_or_default();
        let path = match named {
            "busybox" => PathBuf::from(BUSYBOX),
            "bash" => PathBuf::from(BASH),
            path if path.starts_with('/') => PathBuf::from(path),
            other => match other.split_once(':') {
                Some((folder, name)) => guest(folder, name),
                None => panic!("no program {other}"),
            },
        };
        let args: Vec<&str> = parts.collect();
        count += 1;
        failures.extend(difference(&options, &path, &args));
    }
    assert!(failures.is_empty(), "{} of {count} differ\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn programs_that_read_and_write_files() {
    compare(
        "
        | busybox | cat | a.txt | b.txt
        -v | busybox | cat | a.txt
        | busybox | cat | nosuchfile
        | busybox | sort | words
        | busybox | grep | ap | words
        | busybox | head | -n | 1 | words
        | busybox | tail | -n | 2 | words
        | busybox | wc | words
        | busybox | cp | a.txt | c.txt
        | busybox | mv | a.txt | c.txt
        | busybox | rm | a.txt
        | busybox | mkdir | d
        | busybox | touch | t
        | busybox | ln | -s | a | b
        | busybox | chmod | 600 | a.txt
        | busybox | dd | if=a.txt | of=o | bs=4
        | busybox | md5sum | a.txt
        | busybox | ls | -l | a.txt
        | busybox | id
        | busybox | pwd
        | busybox | sleep | 0.1
        | busybox | date | -u | -d | @1000000000
        ",
    );
}

#[test]
fn how_values_are_printed() {
    compare(
        "
        -s 5 | busybox | cat | a.txt
        -x | busybox | cat | a.txt
        -xx | busybox | cat | a.txt
        -y | busybox | cat | a.txt
        -yy | busybox | cat | a.txt
        -X raw | busybox | cat | a.txt
        -X verbose | busybox | cat | a.txt
        -n | busybox | cat | a.txt
        -a 20 | busybox | cat | a.txt
        -e raw=openat | busybox | cat | a.txt
        -e read=3 -e write=1 | busybox | head | -c | 5 | a.txt
        -q -q | busybox | true
        -e quiet=exit | busybox | true
        -f -y -e trace=%desc | guest:splice
        -v -s 100 -e trace=%file | busybox | ls | -l | a.txt
        --strings-in-hex=non-ascii-chars | busybox | cat | a.txt
        -e abbrev=none -e trace=%stat | busybox | ls | -l | a.txt
        --const-print-style=verbose -e trace=%memory | busybox | true
        -e write=1 | busybox | echo | hello, long line of text
        -e verbose=none | busybox | ls | -l | a.txt
        -e verbose=none -e trace=execve,wait4,rt_sigaction,clone -f | busybox | sh | -c | cat a.txt; true
        -e verbose=!newfstatat | busybox | id
        --decode-fds=path -e trace=%desc | busybox | cat | a.txt
        --decode-fds=none -e trace=%desc | busybox | cat | a.txt
        -f | strace:terminal
        -f -v | strace:terminal
        -f -yy -e trace=!newfstatat | strace:terminal
        -f -e verbose=none -e trace=ioctl,poll,prctl | strace:terminal
        ",
    );
}

#[test]
fn times_are_printed() {
    compare(
        "
        -t | busybox | cat | a.txt
        -tt | busybox | cat | a.txt
        -ttt | busybox | cat | a.txt
        -r | busybox | cat | a.txt
        -T | busybox | cat | a.txt
        -T -tt | busybox | true
        -f -ttt -T | busybox | sh | -c | cat a.txt; true
        --absolute-timestamps=precision:ns | busybox | true
        --absolute-timestamps=format:unix,precision:ms | busybox | true
        --relative-timestamps=ns | busybox | true
        --syscall-times=ns | busybox | true
        --syscall-times=s | busybox | true
        ",
    );
}

#[test]
fn a_file_for_each_task() {
    compare(
        "
        -ff | busybox | sh | -c | cat a.txt; sort words
        -ff -e trace=%process | guest:faults
        -ff -tt | busybox | sh | -c | true; true
        ",
    );
}

#[test]
fn which_calls_are_printed() {
    compare(
        "
        -e trace=file | busybox | cat | a.txt
        -e trace=%desc | busybox | cat | a.txt
        -e trace=%memory | busybox | cat | a.txt
        -e trace=!read,write | busybox | cat | a.txt
        -e trace=/^open.t$,/^clos | busybox | cat | a.txt
        -z | busybox | cat | nosuchfile | a.txt
        -Z | busybox | cat | nosuchfile | a.txt
        -e status=failed | busybox | cat | nosuchfile | a.txt
        -P a.txt | busybox | cat | a.txt | b.txt
        -f -e trace=%process | guest:exec
        -f -e trace=%creds | guest:faults
        -f -e trace=%file | guest:rename
        -f -e trace=%stat | guest:rename
        -f -e trace=rename,/^link | guest:rename
        -f -e trace=%network | guest:udp
        -f -e trace=%network | guest:sockopt
        -f -e trace=%memory | guest:mremap
        -f -e trace=splice,sendfile,tee | guest:splice
        -f -e trace=%signal | busybox | sh | -c | kill -USR1 $$
        -f -e trace=prctl | guest:prctl
        -f -e trace=!all | guest:faults
        -e %file | busybox | cat | a.txt
        -e trace=?nosuchcall,openat | busybox | cat | a.txt
        -e trace=openat@64 | busybox | cat | a.txt
        -e trace=%%stat | busybox | ls | -l | a.txt
        -e trace=%pure | busybox | id
        -e trace=%clock | busybox | sleep | 0
        -e status=!successful | busybox | cat | nosuchfile | a.txt
        -e status=unfinished | busybox | true
        -P nosuchfile -P b.txt | busybox | cat | nosuchfile | a.txt | b.txt
        -f -e trace=%ipc | guest:faults
        -f -z -e trace=%file | guest:link
        -e signal=none -e trace=kill | busybox | sh | -c | kill -SEGV $$
        -e signal=KILL -e trace=kill | busybox | sh | -c | kill -SEGV $$
        -e signal=!CHLD -f -e trace=wait4 | busybox | sh | -c | cat a.txt; sort words
        -f -b execve -e trace=execve,wait4 | busybox | sh | -c | /usr/bin/busybox true; /usr/bin/busybox false; true
        ",
    );
}

#[test]
fn processes_threads_and_signals() {
    compare(
        "
        -f | busybox | sh | -c | cat a.txt; sort words
        -f | guest:faults
        -f | guest:smc
        -f | guest:splice
        -f | guest:stack
        -f | guest:copy
        -f | guest:udp
        -f | guest:kernel_address
        -f | guest:poll_masks
        -f | guest:mremap
        -f | guest:aio
        -f | guest:eventfd
        -f | guest:lease
        -f | guest:link
        -f | guest:lock
        -f | guest:numa
        -f | guest:open
        -f | guest:rename
        -f | guest:segments
        -f | guest:sockopt
        -q -f | busybox | sh | -c | /usr/bin/busybox true
        ",
    );
}

/// Programs with a loader and libraries, of the host itself.
#[test]
fn dynamic_programs() {
    if !native()
        || program("strace", &["/usr/bin/python3"], "python3").is_none()
        || program("strace", &["/usr/bin/gcc"], "gcc").is_none()
    {
        return;
    }
    compare(
        "
        | /bin/ls
        | /bin/ls | -l | --color=never | a.txt | words
        -f | /bin/ls | -R | tree
        -y | /bin/cat | a.txt
        | /bin/true
        | /bin/sort | words
        -f | /bin/sh | -c | /bin/cat a.txt
        -f | /usr/bin/python3 | -I | -S | -c | print(sum(range(10)))
        -f | /usr/bin/gcc | -c | -o | one.o | one.c
        ",
    );
}

#[test]
fn calls_that_are_tampered_with() {
    compare(
        "
        -e inject=write:error=ENOSPC | busybox | echo | hi
        -e inject=openat:error=EACCES:when=1 | busybox | cat | a.txt
        -e fault=close:when=2+ | busybox | cat | a.txt
        -e inject=read:retval=0:when=2 | busybox | cat | a.txt
        -e inject=write:retval=3 | busybox | echo | hi
        -e inject=brk:error=ENOMEM:when=3 | busybox | true
        -e inject=write:signal=USR1 | busybox | echo | hi
        -e inject=all:delay_enter=1 | busybox | true
        -f -e inject=mkdir:error=EROFS | guest:faults
        -e inject=write:error=5 | busybox | echo | hi
        ",
    );
}

/// Structures, flags and commands of calls, told as strace tells them whether or not the kernel has the call: every call is
/// answered by an injection.
#[test]
fn arguments_of_newer_calls() {
    const CALLS: &str = "add_key,request_key,keyctl,/landlock,seccomp,userfaultfd,openat2,/fanotify,/handle,open_tree,\
                         move_mount,/^fs,mount_setattr,move_pages,bpf,perf_event_open,sendto";
    let list: String = ["keys", "landlock", "filters", "files", "memory", "programs", "netlink"]
        .iter()
        .map(|part| format!("-e trace={CALLS} -e inject={CALLS}:error=EPERM | strace:arguments | {part}\n"))
        .collect();
    compare(&list);
}

/// Garbage structures, strings without an end, pointers to nothing: told as strace tells them. Only the arguments are compared;
/// which of two mistakes a call complains of is no matter of tracing.
#[test]
fn garbage_is_told_as_strace_tells_it() {
    if !native() || program("strace", &[STRACE], "strace").is_none() {
        return;
    }
    let garbage = guest("strace", "garbage");
    for options in [&["-v"][..], &[], &["-yy"]] {
        let (theirs, ours) = both(options, &garbage, &[]);
        let arguments = |trace: &str| -> Vec<String> {
            let lines = trace.lines().skip_while(|line| !line.starts_with("read(-1, NULL"));
            lines
                .map(|line| line.rsplit_once(") ").map_or(line, |(call, _)| call).trim_end().to_owned())
                .collect()
        };
        let (theirs, ours) = (arguments(&theirs), arguments(&ours));
        assert!(theirs.len() > 700);
        let different: Vec<_> = theirs.iter().zip(&ours).filter(|(theirs, ours)| theirs != ours).collect();
        assert!(different.is_empty() && theirs.len() == ours.len(), "{options:?}: {different:#?}");
    }
}

/// Columns of `-c` that do not depend on time.
fn counts(trace: &str) -> Vec<String> {
    trace.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn statistics_match() {
    if !native() || program("strace", &[STRACE], "strace").is_none() {
        return;
    }
    let busybox = Path::new(BUSYBOX);
    for (options, args) in [
        (&["-c", "-S", "name", "-U", "calls,errors,name"][..], &["cat", "a.txt", "nosuch"][..]),
        (
            &["-f", "-c", "-S", "name", "-U", "name,calls,errors"],
            &["sh", "-c", "cat a.txt; sort words; cat b.txt"],
        ),
        (&["-w", "-c", "-S", "name", "-U", "calls,name"], &["grep", "-r", "o", "tree"]),
    ] {
        let (theirs, ours) = both(options, busybox, args);
        assert_eq!(counts(&theirs), counts(&ours), "{options:?} {args:?}");
    }
    // A busy program: processes, threads, signals, thousands of calls of many kinds, many of which fail.
    let busy = guest("strace", "busy");
    for sort in ["name", "calls", "errors"] {
        let options = ["-f", "-c", "-S", sort, "-U", "calls,errors,name"];
        let (theirs, ours) = both(&options, &busy, &[]);
        assert_eq!(theirs, ours, "{sort}");
        assert!(ours.lines().last().expect("a sum").starts_with("     8225      1469 total"), "{ours}");
    }
    for options in [&["-f", "-c", "-w", "-S", "name"][..], &["-f", "-C", "-e", "trace=%desc", "-S", "name"]] {
        let columns = |trace: &str| -> Vec<Vec<String>> {
            let table = trace.lines().skip_while(|line| !line.starts_with("% time"));
            table.map(|line| line.split_whitespace().skip(3).map(str::to_owned).collect()).collect()
        };
        let (theirs, ours) = both(options, &busy, &[]);
        assert_eq!(columns(&theirs), columns(&ours), "{options:?}");
        assert!(columns(&ours).len() > 5, "{ours}");
    }
    // With times, all but the times.
    let (_, ours) = both(&["-c"], busybox, &["cat", "a.txt"]);
    assert!(ours.starts_with("% time     seconds  usecs/call     calls    errors syscall\n"), "{ours}");
    assert!(ours.contains("\n100.00 "), "{ours}");
}

/// Runs `emu strace` and gives what it said on standard error.
fn said(args: &[&str]) -> (String, i32) {
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let mut command = Command::new(emu());
    command.arg("strace").args(args);
    let outcome = run(command, dir.path(), b"");
    (String::from_utf8_lossy(&outcome.stderr).into_owned(), outcome.status)
}

/// What strace itself says, without what a program it started says.
fn messages(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with("strace: ") || line.starts_with("Try "))
        .map(|line| line.replace("Try 'emu strace", "Try 'strace"))
        .collect()
}

/// A command line a line; all that strace has to say of it, and how it ends, is the same.
#[test]
fn mistakes_get_straces_messages() {
    if !native() || program("strace", &[STRACE], "strace").is_none() {
        return;
    }
    let list = include_str!("strace-mistakes.txt");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        let args: Vec<&str> = if line.is_empty() { Vec::new() } else { line.split(' ').collect() };
        let theirs = Command::new("strace").args(&args).output().expect("strace runs");
        let root = ["--root", "/"].into_iter().filter(|_| !args.is_empty());
        let (ours, status) = said(&root.chain(args.iter().copied()).collect::<Vec<_>>());
        let text = String::from_utf8_lossy(&theirs.stderr).into_owned();
        assert_eq!(messages(&text), messages(&ours), "{line:?}");
        assert_eq!(theirs.status.code(), Some(status), "{line:?}");
    }
}

#[test]
fn what_cannot_apply_says_so() {
    for (args, message) in [
        (&["-p", "1", "x"][..], "strace: -p/--attach: there is no process to attach to"),
        (&["-D", "x"], "strace: -D/--daemonize has no effect"),
        (
            &["-e", "inject=write:poke_enter=@arg1=AA", "x"],
            "strace: inject argument 'poke_enter' is not supported",
        ),
    ] {
        let (ours, _) = said(args);
        assert!(ours.starts_with(message), "{args:?}: {ours}");
    }
}

/// Programs that cannot be started: the call that failed, and what strace says.
#[test]
fn a_program_that_cannot_be_executed() {
    if !native() || program("strace", &[STRACE], "strace").is_none() {
        return;
    }
    let no_vars = |text: String| {
        let from = text.find("], 0x").unwrap_or(text.len());
        let to = text.find(" = -1").unwrap_or(text.len());
        format!("{}{}", &text[..from.min(to)], &text[to..])
    };
    for args in
        [&["/etc/passwd"][..], &["-f", "/tmp"], &["-q", "-q", "/etc/passwd"], &["-e", "trace=none", "/tmp"]]
    {
        let theirs = Command::new("strace").args(args).output().expect("strace runs");
        let (ours, status) = said(&[&["--root", "/"], args].concat());
        assert_eq!(no_vars(String::from_utf8_lossy(&theirs.stderr).into_owned()), no_vars(ours), "{args:?}");
        assert_eq!(theirs.status.code(), Some(status), "{args:?}");
    }
}

/// Where the trace goes: a command's input, behind what a file holds, a command that ends at once.
#[test]
fn the_trace_goes_where_it_is_told() {
    let Some(busybox) = program("strace", &[BUSYBOX], "busybox-static") else { return };
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let run_in = |options: &[&str]| {
        let mut command = Command::new(emu());
        command.arg("strace").args(options).arg(&busybox).args(["echo", "hi"]);
        run(command, dir.path(), b"")
    };
    let expected = "write(1, \"hi\\n\", 3)                     = 3\n+++ exited with 0 +++\n";
    for target in ["|cat > out", "!cat > out", "out"] {
        let outcome = run_in(&["-e", "trace=write", "-o", target]);
        assert_eq!(outcome.stdout, b"hi\n", "{target}");
        let written = std::fs::read_to_string(dir.path().join("out")).expect("the trace was written");
        assert_eq!(written, expected, "{target}");
    }
    let _ = run_in(&["-e", "trace=write", "-A", "-o", "out"]);
    let written = std::fs::read_to_string(dir.path().join("out")).expect("the trace was written");
    assert_eq!(written, expected.repeat(2));
    for target in ["|true", "!exit 3", "|exec <&-; sleep 0.1"] {
        let outcome = run_in(&["-o", target]);
        assert_eq!((outcome.stdout, outcome.status), (b"hi\n".to_vec(), 0), "{target}");
    }
}

#[test]
fn conditions_choose_what_is_injected() {
    let Some(busybox) = program("strace", &[BUSYBOX], "busybox-static") else { return };
    let busybox = busybox.display().to_string();
    let rule = "inject=write:error=ENOSPC:if=fd==2";
    let (trace, _) = said(&["-e", "trace=write", "-e", rule, &busybox, "echo", "hi"]);
    assert!(trace.contains("write(1, \"hi\\n\", 3)                     = 3\n"), "{trace}");
    let rule = "inject=write:error=ENOSPC:if=fd==1:if=count>=3";
    let (trace, _) = said(&["-e", "trace=write", "-e", rule, &busybox, "echo", "hi"]);
    assert!(trace.contains("= -1 ENOSPC (No space left on device) (INJECTED)"), "{trace}");
}

#[test]
fn a_full_disk_behind_the_trace_does_not_disturb_the_guest() {
    let Some(busybox) = program("strace", &[BUSYBOX], "busybox-static") else { return };
    if !Path::new("/dev/full").exists() {
        return;
    }
    for target in ["/dev/full", "|true"] {
        let dir = tempfile::tempdir().expect("a fresh directory can be made");
        fixtures(dir.path());
        let mut command = Command::new(emu());
        command.args(["strace", "-o", target]).arg(&busybox).args(["cat", "a.txt"]);
        let outcome = run(command, dir.path(), b"");
        assert_eq!(outcome.stdout, b"one\ntwo\nthree\nfour\n", "{target}");
        assert_eq!(outcome.status, 0, "{target}");
    }
}

#[test]
fn watching_changes_no_instruction_count() {
    let Some(busybox) = program("strace", &[BUSYBOX], "busybox-static") else { return };
    if !native() {
        return;
    }
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    fixtures(dir.path());
    let counts = |options: Option<&str>, program: &Path, args: &[&str]| {
        let stats = dir.path().join("stats");
        let mut command = Command::new(emu());
        if let Some(options) = options {
            command.arg("strace").args(options.split_whitespace()).arg("-o").arg(dir.path().join("trace"));
        }
        // Time does not decide how often who runs.
        command.arg("--deterministic=1").arg("--stats").arg(&stats).arg(program).args(args);
        let outcome = run(command, dir.path(), b"");
        let text = std::fs::read_to_string(&stats).expect("counts were written");
        let counts: serde_json::Value = serde_json::from_str(&text).expect("they are JSON");
        (counts["instructions"].clone(), counts["syscalls"].clone(), outcome.status)
    };
    let busy = guest("strace", "busy");
    let shell = ["sh", "-c", "cat a.txt | sort; for i in 1 2 3; do (exit $i) & done; wait; kill -USR1 $$"];
    let programs: [(&Path, &[&str]); 4] = [
        (&busybox, &["md5sum", "a.txt", "b.txt", "words"]),
        (&busybox, &["cat", "nosuchfile"]),
        (&busybox, &shell),
        (&busy, &[]),
    ];
    for (program, args) in programs {
        let plain = counts(None, program, args);
        for options in
            ["", "-f -v -yy", "-c", "-f -c -w", "-f -e trace=openat", "-k -f", "-ff -tt -T -i -n", "--json"]
        {
            assert_eq!(plain, counts(Some(options), program, args), "{options} {program:?} {args:?}");
        }
    }
}

#[test]
fn each_line_of_json_is_an_object() {
    let Some(busybox) = program("strace", &[BUSYBOX], "busybox-static") else { return };
    let busybox = busybox.display().to_string();
    let (trace, _) = said(&["--json", &busybox, "echo", "hi"]);
    let lines: Vec<serde_json::Value> =
        trace.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let write = lines.iter().find(|line| line["syscall"] == "write").expect("a write");
    assert_eq!(write["args"], serde_json::json!(["1", "\"hi\\n\"", "3"]));
    assert_eq!(write["result"], 3);
    assert_eq!(lines.last().expect("lines")["type"], "exit");
}

#[test]
fn the_readmes_examples_run() {
    let Some(_) = program("strace", &["/bin/ls"], "coreutils") else { return };
    if !native() {
        return;
    }
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).expect("README");
    let (_, section) = readme.split_once("## Seeing it work").expect("a section with examples");
    let (_, block) = section.split_once("```sh\n").expect("a block of commands");
    let (block, _) = block.split_once("```").expect("its end");
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let bin = emu().parent().expect("emu lies in a directory").to_owned();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    let mut ran = 0;
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let command_line = line.split("  # ").next().unwrap_or(line).trim_end();
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("PATH={path}; {command_line}"));
        let outcome = run(command, dir.path(), b"");
        assert_eq!(outcome.status, 0, "{command_line}: {}", String::from_utf8_lossy(&outcome.stderr));
        let said = [outcome.stdout, outcome.stderr].concat();
        assert!(!said.is_empty(), "{command_line} says nothing");
        if command_line.contains("ip_forward") {
            assert_eq!(said, b"1\n");
        }
        ran += 1;
    }
    assert!(ran >= 8, "{ran} examples");
}
