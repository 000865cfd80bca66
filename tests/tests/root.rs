//! A Debian root made by debootstrap: dynamic programs through ld.so, compared with chroot(8).
//!
//! The root is `target/debian-root`, made by
//! `debootstrap --variant=minbase --include=perl,python3 bookworm target/debian-root`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "tests are named by what they show, and work on the host"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use emu_tests::{Outcome, run, run_emu, skip};

fn root(test: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debian-root");
    if root.join("usr/bin/python3").exists() {
        return root.canonicalize().ok();
    }
    let how = "debootstrap --variant=minbase --include=perl,python3 bookworm target/debian-root";
    skip(test, &format!("the Debian package debootstrap, and run: {how}"));
    None
}

fn compare(test: &str, command: &str) {
    let Some(root) = root(test) else { return };
    let option = root.to_str().expect("the path is UTF-8");
    let emulated =
        run_emu(&["--root", option], Path::new("/bin/bash"), &["-c", command], Path::new("/"), b"");
    let mut chroot = Command::new("chroot");
    chroot.arg(&root).args(["/bin/bash", "-c", command]);
    let native = run(chroot, Path::new("/"), b"");
    assert_eq!(text(&native), text(&emulated), "chroot (left) and emu differ");
}

/// As text; what `ls -la /` shows of /dev, /proc, /sys and the root itself is the machine's own.
fn text(outcome: &Outcome) -> (String, String, i32) {
    let own = |line: &&str| ["total ", " dev", " proc", " sys", " ."].iter().any(|end| line.contains(end));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let kept: Vec<&str> = stdout.lines().filter(|line| !own(line) || !line.starts_with(['d', 't'])).collect();
    (kept.join("\n"), String::from_utf8_lossy(&outcome.stderr).into_owned(), outcome.status)
}

#[test]
fn dynamic_programs_give_what_they_give_in_a_chroot() {
    compare(
        "root",
        r#"ls -la / | head; cat /etc/os-release; dpkg -l | wc -l; perl -e "print 6*7"; python3 --version"#,
    );
}

#[test]
fn python_and_perl_compute() {
    compare(
        "root",
        r#"python3 -c 'import json,math,re,hashlib,subprocess; print(json.dumps({"pi": math.pi, "e": math.exp(1)}), re.findall("[a-z]+", "ab1cd"), hashlib.sha256(b"x").hexdigest(), subprocess.check_output(["echo", "child"]))'
perl -e 'my %h = map { $_ => length } qw(a bb ccc); print join(",", map { "$_=$h{$_}" } sort keys %h), "\n"; print sprintf("%.15g", sqrt 2), "\n"; open my $f, "<", "/etc/passwd"; my @l = <$f>; print scalar(@l), "\n"'
sort /etc/passwd | sha256sum; find /etc -type f | sort | head -n 20; tar cf - /etc/apt 2>/dev/null | tar tf - | sort | head"#,
    );
}

#[test]
fn a_program_found_late_in_path_gives_its_status() {
    let Some(root) = root("root") else { return };
    let option = root.to_str().expect("the path is UTF-8");
    let status = |script: &str| {
        run_emu(&["--root", option], Path::new("sh"), &["-c", script], Path::new("/"), b"").status
    };
    assert_eq!(status("exit 3"), 3);
    assert_eq!(status("kill -SEGV $$"), 139);
}
