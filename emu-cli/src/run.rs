//! Running a program: options become a machine, the machine runs, its end becomes our exit status.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use emu_core::cpu::CpuModel;
use emu_core::engine::{Engine, interp::Interp, stepper::Stepper};
use emu_syscalls::abi::errno::Errno;
use emu_syscalls::kernel::Config;
use emu_syscalls::machine::{Machine, Stopped};
use emu_syscalls::seam::HostPath;
use emu_syscalls::table::ROWS;
use emu_syscalls::task::TaskId;
use emu_syscalls::task::exec::start::{First, StartError};
use emu_syscalls::vfs::build;
use emu_syscalls::vfs::superblock::Mode;

use crate::args::{CpuArg, EngineArg, RunArgs};
use crate::live::files::Owner;
use crate::live::{LiveHost, Terminal};

/// Exit status when `--timeout` ends the guest (as timeout(1)).
const EXIT_TIMEOUT: i32 = 124;
/// Where programs are looked for in a guest without PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program could not be started.
#[derive(Debug)]
pub(crate) struct NotStarted {
    status: u8,
    why: String,
}

impl NotStarted {
    /// The exit status a shell gives: 126 not executable, 127 not found.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }
    fn not_found(why: String) -> anyhow::Error {
        NotStarted { status: 127, why }.into()
    }
    fn not_executable(why: String) -> anyhow::Error {
        NotStarted { status: 126, why }.into()
    }
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for NotStarted {}

/// Runs a program to its end and gives its exit status.
pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    run_watched(args, |_, _, _| Ok(()))
}

/// How the first process was started.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Its number.
    pub(crate) tid: TaskId,
    /// The program's name as execve(2) would get it.
    pub(crate) program: Vec<u8>,
    /// Arguments.
    pub(crate) argv: Vec<Vec<u8>>,
    /// Environment.
    pub(crate) envp: Vec<Vec<u8>>,
}

/// As [`run`]; `begin` may set up who watches before the first instruction.
pub(crate) fn run_watched(
    args: &RunArgs,
    begin: impl FnOnce(&mut Machine, &mut LiveHost, &Begun) -> Result<()>,
) -> Result<u8> {
    if let Some(option) = args.program.first().filter(|name| bytes(name).starts_with(b"-")) {
        bail!("unknown option {} (emu -h lists them)", option.display());
    }
    let mut host = LiveHost::new().context("cannot connect to the host's streams")?;
    let user = parse_user(&args.user)?;
    host.shares.owner = Owner { host: host_user(), guest: user };
    let config = Config {
        memory: parse_size(&args.memory)?,
        cpu: cpu_model(args.cpu),
        hostname: bytes(&args.hostname),
        user,
        ..Config::default()
    };
    let mut machine = Machine::new(config, engine(args.engine));
    let environment = environment(args);
    let start = match &args.root {
        Some(root) => set_up_root(&mut machine, &mut host, root, args, &environment)?,
        None => set_up_default(&mut machine, &mut host, args)?,
    };
    for spec in &args.bind {
        bind(&mut machine, &mut host, spec)?;
    }
    let begun = start_program(&mut machine, &mut host, &start, args, &environment)?;
    begin(&mut machine, &mut host, &begun)?;
    if let Some(seconds) = args.timeout {
        end_after(seconds)?;
    }
    let terminal = Terminal::raw();
    let end = to_the_end(&mut machine, &mut host);
    drop(terminal);
    if let Some(mut watcher) = machine.watcher.take() {
        watcher.finish(&machine.kernel);
    }
    report(&machine, args)?;
    end
}

/// Where the program is in the guest (the names to try), and its working directory.
struct Start {
    candidates: Vec<Vec<u8>>,
    cwd: Vec<u8>,
}

fn engine(which: EngineArg) -> Box<dyn Engine> {
    match which {
        EngineArg::Interp => Box::new(Interp::new()),
        EngineArg::Stepper => Box::new(Stepper::new()),
    }
}

fn cpu_model(which: CpuArg) -> CpuModel {
    match which {
        CpuArg::V1 => CpuModel::V1,
        CpuArg::V2 => CpuModel::V2,
        CpuArg::V3 => CpuModel::V3,
    }
}

/// The guest's environment: a small one, the host's TERM, and what `--env` says.
#[expect(clippy::disallowed_methods, reason = "the command line's layer")]
fn environment(args: &RunArgs) -> Vec<Vec<u8>> {
    let mut variables: Vec<(Vec<u8>, Vec<u8>)> = vec![
        (b"PATH".to_vec(), DEFAULT_PATH.into()),
        (b"HOME".to_vec(), b"/root".to_vec()),
        (b"TERM".to_vec(), std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned()).into_bytes()),
    ];
    variables.retain(|(name, _)| !args.unset.contains(name));
    for setting in &args.env {
        let setting = bytes(setting);
        let (key, value) = match setting.iter().position(|byte| *byte == b'=') {
            Some(at) => (setting[..at].to_vec(), Some(setting[at + 1..].to_vec())),
            None => {
                let value =
                    std::env::var_os(String::from_utf8_lossy(&setting).as_ref()).map(|value| bytes(&value));
                (setting, value)
            }
        };
        variables.retain(|(name, _)| *name != key);
        if let Some(value) = value {
            variables.push((key, value));
        }
    }
    variables.into_iter().map(|(key, value)| [key, b"=".to_vec(), value].concat()).collect()
}

/// `--root`: a directory or an archive becomes the guest's root; the program is looked for in it.
fn set_up_root(
    machine: &mut Machine,
    host: &mut LiveHost,
    root: &Path,
    args: &RunArgs,
    environment: &[Vec<u8>],
) -> Result<Start> {
    let k = &mut machine.kernel;
    let what = || format!("cannot use {} as root", root.display());
    if root.is_dir() {
        let share = host.shares.add_dir(root)?;
        build::mount_share(k, host, b"/", share, Mode::Cow).map_err(errno_error).with_context(what)?;
    } else if root.is_file() {
        let share = host.shares.add_file(root)?;
        let archive = HostPath { share, path: Vec::new() };
        build::mount_tar(k, host, b"/", &archive, Mode::Cow).map_err(errno_error).with_context(what)?;
    } else {
        bail!("{} is neither a directory nor a tar file (see --root)", root.display());
    }
    build::mount_system(k, host).map_err(errno_error).with_context(what)?;
    let name = bytes(&args.program[0]);
    let candidates = if name.contains(&b'/') {
        vec![name]
    } else {
        let path = environment.iter().find_map(|setting| setting.strip_prefix(b"PATH=")).unwrap_or_default();
        path.split(|byte| *byte == b':').map(|dir| [dir, b"/", &name].concat()).collect()
    };
    Ok(Start { candidates, cwd: args.cwd.as_deref().map_or_else(|| b"/".to_vec(), bytes) })
}

/// Without `--root`: a small root in memory, the current directory copy-on-write, and the program.
fn set_up_default(machine: &mut Machine, host: &mut LiveHost, args: &RunArgs) -> Result<Start> {
    let k = &mut machine.kernel;
    build::default_root(k, host).map_err(errno_error).context("cannot make the guest's root")?;
    let cwd = std::env::current_dir().context("cannot tell the current directory")?;
    let guest_cwd = guest_path(&cwd);
    if guest_cwd != b"/" {
        let share = host.shares.add_dir(&cwd)?;
        build::mount_share(k, host, &guest_cwd, share, Mode::Cow)
            .map_err(errno_error)
            .with_context(|| format!("cannot share {}", cwd.display()))?;
    }
    let typed = Path::new(&args.program[0]);
    let on_host = if bytes(typed.as_os_str()).contains(&b'/') || typed.is_absolute() {
        cwd.join(typed)
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|dir| dir.join(typed))
            .find(|file| file.is_file())
            .ok_or_else(|| NotStarted::not_found(format!("{}: not found in PATH", typed.display())))?
    };
    let meta = std::fs::metadata(&on_host)
        .map_err(|error| NotStarted::not_found(format!("{}: {}", typed.display(), plain(&error))))?;
    if meta.is_dir() {
        return Err(NotStarted::not_executable(format!("{}: is a directory", typed.display())));
    }
    let in_guest = guest_path(&on_host);
    let inside =
        guest_cwd != b"/" && on_host.starts_with(&cwd) && !typed.components().any(|c| c.as_os_str() == "..");
    if !inside {
        // A link is followed here, since where it leads need not exist in the guest.
        let real = std::fs::canonicalize(&on_host)
            .map_err(|error| NotStarted::not_found(format!("{}: {}", typed.display(), plain(&error))))?;
        let share = host.shares.add_file(&real)?;
        match build::add_host_file(k, host, &in_guest, HostPath { share, path: Vec::new() }) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => {
                return Err(
                    errno_error(errno).context(format!("cannot show {} to the guest", typed.display()))
                );
            }
        }
    }
    Ok(Start { candidates: vec![in_guest], cwd: args.cwd.as_deref().map_or(guest_cwd, bytes) })
}

/// `--bind HOST[:GUEST][:ro|rw|cow]`
fn bind(machine: &mut Machine, host: &mut LiveHost, spec: &str) -> Result<()> {
    let mut rest = spec;
    let mut mode = Mode::Cow;
    for (suffix, meaning) in [(":ro", Mode::Ro), (":rw", Mode::Rw), (":cow", Mode::Cow)] {
        if let Some(before) = rest.strip_suffix(suffix) {
            (rest, mode) = (before, meaning);
            break;
        }
    }
    let (from, to) = match rest.rsplit_once(':') {
        Some((from, to)) if to.starts_with('/') => (from, to.as_bytes().to_vec()),
        Some((from, "")) => (from, guest_path(&absolute(Path::new(from))?)),
        _ => (rest, guest_path(&absolute(Path::new(rest))?)),
    };
    let from = Path::new(from);
    let what = || format!("cannot bind {} to {}", from.display(), String::from_utf8_lossy(&to));
    let k = &mut machine.kernel;
    if from.is_dir() {
        let share = host.shares.add_dir(from)?;
        build::mount_share(k, host, &to, share, mode).map_err(errno_error).with_context(what)
    } else if from.is_file() && mode != Mode::Rw {
        let share = host.shares.add_file(from)?;
        build::add_host_file(k, host, &to, HostPath { share, path: Vec::new() })
            .map_err(errno_error)
            .with_context(what)
    } else if from.is_file() {
        bail!("{}: a single file can be bound ro or cow; bind its directory for rw", from.display());
    } else {
        bail!("{}: no such file or directory (see --bind)", from.display());
    }
}

fn start_program(
    machine: &mut Machine,
    host: &mut LiveHost,
    start: &Start,
    args: &RunArgs,
    environment: &[Vec<u8>],
) -> Result<Begun> {
    let argv: Vec<Vec<u8>> = args.program.iter().map(|arg| bytes(arg)).collect();
    let mut last = None;
    for candidate in &start.candidates {
        let first = First { program: candidate, argv: &argv, envp: environment, cwd: &start.cwd };
        match machine.start(host, &first) {
            Ok(tid) => {
                let typed = &argv[0];
                let program = if typed.contains(&b'/') { typed } else { candidate };
                return Ok(Begun {
                    tid,
                    program: program.clone(),
                    argv: argv.clone(),
                    envp: environment.to_vec(),
                });
            }
            Err(error @ StartError::NotFound(_)) => last = Some(error),
            Err(StartError::Directory(dir, errno)) => bail!("working directory {dir}: {errno}"),
            Err(StartError::Setup(errno)) => bail!("cannot set up the first process: {errno}"),
            Err(error) => return Err(NotStarted::not_executable(error.to_string())),
        }
    }
    Err(match last {
        Some(error) if start.candidates.len() == 1 => NotStarted::not_found(error.to_string()),
        _ => NotStarted::not_found(format!("{}: not found in the guest's PATH", args.program[0].display())),
    })
}

fn to_the_end(machine: &mut Machine, host: &mut LiveHost) -> Result<u8> {
    loop {
        match machine.run(host, u64::MAX) {
            Stopped::Exited(status) => {
                tell_gaps(machine);
                if let Some(death) = machine.kernel.death.as_deref() {
                    say(death);
                }
                return Ok(exit_status(status));
            }
            Stopped::Report => tell_gaps(machine),
            Stopped::Budget | Stopped::HostGone => bail!("the instruction count overflowed"),
            Stopped::Deadlock(tasks) => {
                tell_gaps(machine);
                say("every task waits for something that can never happen:");
                for line in tasks {
                    say(&format!("  {line}"));
                }
                bail!("the guest is deadlocked");
            }
        }
    }
}

fn tell_gaps(machine: &mut Machine) {
    for gap in std::mem::take(&mut machine.kernel.gaps_new) {
        say(&format!("not supported: {}, {}", gap.what, gap.at));
    }
}

/// One line of ours on standard error; the terminal may be in raw mode.
fn say(line: &str) {
    let end = if Terminal::is_raw() { "\r\n" } else { "\n" };
    let _ = write!(std::io::stderr(), "emu: {line}{end}");
}

/// A wait status as a shell's exit status.
fn exit_status(status: u32) -> u8 {
    let signal = status & 0x7f;
    let code = if signal == 0 { (status >> 8) & 0xff } else { 128 + signal };
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// What is told at the end: dropped writes, statistics, the kernel log.
#[expect(clippy::disallowed_methods, reason = "the command line's layer: --stats names a file of the host")]
fn report(machine: &Machine, args: &RunArgs) -> Result<()> {
    let k = &machine.kernel;
    let dropped = k.vfs.dropped_changes();
    if dropped.count > 0 {
        let files = if dropped.count == 1 { "1 file".to_owned() } else { format!("{} files", dropped.count) };
        say(&format!("writes to {files} stayed in memory and are dropped; --bind DIR:rw keeps them"));
    }
    if let Some(path) = &args.stats {
        let counts: serde_json::Map<String, serde_json::Value> = ROWS
            .iter()
            .filter_map(|row| {
                let count = k.syscall_counts.get(usize::try_from(row.nr).ok()?).copied()?;
                (count > 0).then(|| (row.name.to_owned(), count.into()))
            })
            .collect();
        let text = serde_json::json!({
            "instructions": k.retired, "memory": k.mem.used(), "syscalls": counts,
        });
        std::fs::write(path, format!("{text}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.dmesg {
        let mut stderr = std::io::stderr().lock();
        for record in k.log.records() {
            let _ = write!(stderr, "[{:5}.{:06}] ", record.at_us / 1_000_000, record.at_us % 1_000_000);
            let _ = stderr.write_all(&record.text);
            let _ = stderr.write_all(b"\n");
        }
    }
    Ok(())
}

/// Ends emu from another thread when the time is up, whatever the guest does.
fn end_after(seconds: f64) -> Result<()> {
    let limit = Duration::try_from_secs_f64(seconds).context("--timeout takes a number of seconds")?;
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        Terminal::restore();
        eprintln!("emu: ended after {seconds} s (--timeout)");
        std::process::exit(EXIT_TIMEOUT);
    });
    Ok(())
}

fn errno_error(errno: Errno) -> anyhow::Error {
    anyhow::anyhow!("{}", errno.text().unwrap_or("unknown error"))
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path)
        .with_context(|| format!("{}: no such file or directory (see --bind)", path.display()))
}

/// The guest's name for an absolute path of the host: the same on Unix, `/c/dir` for `C:\dir`.
fn guest_path(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    for component in path.components() {
        use std::path::Component;
        match component {
            Component::Normal(name) => {
                text.push(b'/');
                text.extend(bytes(name));
            }
            Component::Prefix(prefix) => {
                let drive = prefix.as_os_str().to_string_lossy().trim_end_matches(':').to_lowercase();
                text.push(b'/');
                text.extend(drive.trim_start_matches(['\\', '?', '.']).bytes());
            }
            Component::ParentDir => {
                let end = text.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                text.truncate(end);
            }
            Component::RootDir | Component::CurDir => {}
        }
    }
    if text.is_empty() { b"/".to_vec() } else { text }
}

#[cfg(unix)]
fn bytes(text: &OsStr) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(text).to_vec()
}

#[cfg(not(unix))]
fn bytes(text: &OsStr) -> Vec<u8> {
    text.to_string_lossy().into_owned().into_bytes()
}

#[cfg(unix)]
fn host_user() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

#[cfg(not(unix))]
fn host_user() -> (u32, u32) {
    (0, 0)
}

fn parse_user(text: &str) -> Result<(u32, u32)> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| text.parse().with_context(|| format!("--user takes numbers, not {text:?}"));
    Ok((number(uid)?, number(gid)?))
}

/// A size in bytes, with an optional K, M, G or T.
fn parse_size(text: &str) -> Result<u64> {
    let (digits, shift) = match text.to_ascii_uppercase().as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        Some(b'T') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let number: u64 =
        digits.parse().with_context(|| format!("--memory takes a size such as 512M, not {text:?}"))?;
    match number.checked_mul(1 << shift) {
        Some(size) if size >= 1 << 20 => Ok(size),
        Some(_) => bail!("--memory: at least 1M"),
        None => bail!("--memory: {text} is too large"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_suffixes() {
        assert_eq!(parse_size("512M").unwrap(), 512 << 20);
        assert_eq!(parse_size("2g").unwrap(), 2 << 30);
        assert!(parse_size("x").is_err());
        assert!(parse_size("1").is_err());
        assert!(parse_size("99999999999T").is_err());
    }

    #[test]
    fn guest_paths_are_absolute_and_plain() {
        assert_eq!(guest_path(Path::new("/a/./b/../c")), b"/a/c");
        assert_eq!(guest_path(Path::new("/")), b"/");
    }
}
