//! What was typed becomes a description of a machine, and the host that it runs against.
//!
//! **Invariant**: shares are made here, from what the user named, and nowhere else.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use emu_core::cpu::CpuModel;
use emu_core::engine::Engine;
use emu_syscalls::abi::errno::Errno;
use emu_syscalls::kernel::{Config, Network};
use emu_syscalls::machine::Machine;
use emu_syscalls::seam::deterministic::DeterministicHost;
use emu_syscalls::seam::{Host, ShareId};
use emu_syscalls::setup::{Setup, SetupError, Step};
use emu_syscalls::task::TaskId;
use emu_syscalls::task::exec::start::StartError;
use emu_syscalls::vfs::superblock::Mode;

use crate::args::{CpuArg, NetArg, RunArgs};
use crate::live::LiveHost;
use crate::live::files::Owner;

/// Where programs are looked for in a guest without PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program could not be started.
#[derive(Debug)]
pub(crate) struct NotStarted {
    status: u8,
    why: String,
    errno: Errno,
}

impl NotStarted {
    /// The exit status a shell gives: 126 not executable, 127 not found.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }
    /// What execve(2) would have said.
    pub(crate) fn errno(&self) -> Errno {
        self.errno
    }
    fn not_found(why: String) -> anyhow::Error {
        NotStarted { status: NOT_FOUND, why, errno: Errno::ENOENT }.into()
    }
    fn not_executable(why: String, errno: Errno) -> anyhow::Error {
        NotStarted { status: 126, why, errno }.into()
    }
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for NotStarted {}

/// A shell's exit status for a command that is not there.
pub(crate) const NOT_FOUND: u8 = 127;

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

/// A machine to be built, and what to say if a part of it cannot be.
pub(crate) struct Plan {
    /// The description.
    pub(crate) setup: Setup,
    /// Names of the shares on the host, in order.
    pub(crate) shares: Vec<String>,
    what: Vec<String>,
}

impl Plan {
    fn add(&mut self, step: Step, what: String) {
        self.setup.steps.push(step);
        self.what.push(what);
    }

    /// Shares a directory or a file of the host.
    fn share(&mut self, host: &mut LiveHost, path: &Path) -> Result<ShareId> {
        let id = add_share(host, path)?;
        let name = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        self.shares.push(name.to_string_lossy().into_owned());
        Ok(id)
    }

    /// Builds the machine and starts its program.
    pub(crate) fn build(&self, host: &mut dyn Host, engine: Box<dyn Engine>) -> Result<(Machine, Begun)> {
        let (machine, index) = self.setup.build_and_tell(host, engine).map_err(|error| match error {
            SetupError::Step(part, errno) => errno_error(errno).context(self.what[part].clone()),
            SetupError::Start(StartError::NotFound(_)) if self.setup.candidates.len() != 1 => {
                let name = String::from_utf8_lossy(&self.setup.argv[0]).into_owned();
                NotStarted::not_found(format!("{name}: not found in the guest's PATH"))
            }
            SetupError::Start(error) => match error {
                StartError::NotFound(_) => NotStarted::not_found(error.to_string()),
                StartError::Directory(dir, errno) => anyhow::anyhow!("working directory {dir}: {errno}"),
                StartError::Setup(errno) => anyhow::anyhow!("cannot set up the first process: {errno}"),
                error => {
                    let errno = match &error {
                        StartError::NotExecutable(_, errno) => *errno,
                        StartError::Interpreter(..) => Errno::ENOENT,
                        StartError::TooLong => Errno::E2BIG,
                        _ => Errno::ENOEXEC,
                    };
                    let small = matches!(self.setup.steps.first(), Some(Step::DefaultRoot));
                    let mut why = error.to_string();
                    if small && matches!(error, StartError::Interpreter(..)) {
                        why.push_str(
                            " (--root DIR gives the guest loaders and libraries, --root / the host's)",
                        );
                    }
                    NotStarted::not_executable(why, errno)
                }
            },
        })?;
        let typed = &self.setup.argv[0];
        let begun = Begun {
            tid: machine.init.context("a machine without a first process")?,
            program: if typed.contains(&b'/') { typed.clone() } else { self.setup.candidates[index].clone() },
            argv: self.setup.argv.clone(),
            envp: self.setup.envp.clone(),
        };
        Ok((machine, begun))
    }
}

/// What was typed as a machine, with the shares it needs in a live host.
pub(crate) fn plan(args: &RunArgs) -> Result<(Plan, LiveHost)> {
    if let Some(option) = args.program.first().filter(|name| bytes(name).starts_with(b"-")) {
        bail!("unknown option {} (emu -h lists them)", option.display());
    }
    let mut host = LiveHost::new().context("cannot connect to the host's streams")?;
    let user = parse_user(&args.user)?;
    host.shares.owner = owner(user);
    let config = Config {
        memory: parse_size(&args.memory)?,
        cpu: cpu_model(args.cpu),
        hostname: bytes(&args.hostname),
        user,
        network: network(args.net)?,
        chaos: args.chaos.then(|| args.seed().unwrap_or(0)),
        schedule: args.schedule.as_deref().map(crate::explore::read_schedule).transpose()?,
        ..Config::default()
    };
    let setup = Setup {
        config,
        steps: Vec::new(),
        candidates: Vec::new(),
        argv: args.program.iter().map(|arg| bytes(arg)).collect(),
        envp: environment(args),
        cwd: Vec::new(),
    };
    let mut plan = Plan { setup, shares: Vec::new(), what: Vec::new() };
    match &args.root {
        Some(root) => plan_root(&mut plan, &mut host, root, args)?,
        None => plan_default(&mut plan, &mut host, args)?,
    }
    for spec in &args.bind {
        plan_bind(&mut plan, &mut host, spec)?;
    }
    Ok((plan, host))
}

/// Whose files the guest's user owns.
pub(crate) fn owner(user: (u32, u32)) -> Owner {
    Owner {
        #[cfg(unix)]
        host: host_user(),
        guest: user,
    }
}

/// Shares a directory or a file of the host.
pub(crate) fn add_share(host: &mut LiveHost, path: &Path) -> Result<ShareId> {
    if path.is_dir() { host.shares.add_dir(path) } else { host.shares.add_file(path) }
}

/// The host that a run goes against: the live one, or what `--deterministic` leaves of it.
pub(crate) fn host(args: &RunArgs, live: LiveHost) -> Box<dyn Host> {
    match args.seed() {
        Some(seed) => Box::new(DeterministicHost::new(live, seed)),
        None => Box::new(live),
    }
}

fn network(which: NetArg) -> Result<Network> {
    match which {
        NetArg::None => Ok(Network::None),
        NetArg::Loopback => Ok(Network::Loopback),
        NetArg::Host => {
            bail!(
                "--net host: guests cannot reach the host's network yet; --net loopback gives them one of their own"
            )
        }
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
    let terminal = if args.seed().is_some() { None } else { std::env::var("TERM").ok() };
    let terminal = terminal.unwrap_or_else(|| "dumb".to_owned());
    let mut variables: Vec<(Vec<u8>, Vec<u8>)> = vec![
        (b"PATH".to_vec(), DEFAULT_PATH.into()),
        (b"HOME".to_vec(), b"/root".to_vec()),
        (b"TERM".to_vec(), terminal.into_bytes()),
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
fn plan_root(plan: &mut Plan, host: &mut LiveHost, root: &Path, args: &RunArgs) -> Result<()> {
    let what = format!("cannot use {} as root", root.display());
    let at = b"/".to_vec();
    let step = if root.is_dir() {
        Step::Share { at, share: plan.share(host, root)?, mode: Mode::Cow }
    } else if root.is_file() {
        Step::Archive { at, share: plan.share(host, root)?, mode: Mode::Cow }
    } else {
        bail!("{} is neither a directory nor a tar file (see --root)", root.display());
    };
    plan.add(step, what.clone());
    plan.add(Step::System, what);
    let name = bytes(&args.program[0]);
    plan.setup.candidates = if name.contains(&b'/') {
        vec![name]
    } else {
        let environment = &plan.setup.envp;
        let path = environment.iter().find_map(|setting| setting.strip_prefix(b"PATH=")).unwrap_or_default();
        path.split(|byte| *byte == b':').map(|dir| [dir, b"/", &name].concat()).collect()
    };
    plan.setup.cwd = args.cwd.as_deref().map_or_else(|| b"/".to_vec(), bytes);
    Ok(())
}

/// Without `--root`: a small root in memory, the current directory copy-on-write, and the program.
fn plan_default(plan: &mut Plan, host: &mut LiveHost, args: &RunArgs) -> Result<()> {
    plan.add(Step::DefaultRoot, "cannot make the guest's root".to_owned());
    let cwd = std::env::current_dir().context("cannot tell the current directory")?;
    let guest_cwd = guest_path(&cwd);
    if guest_cwd != b"/" {
        let share = plan.share(host, &cwd)?;
        plan.add(
            Step::Share { at: guest_cwd.clone(), share, mode: Mode::Cow },
            format!("cannot share {}", cwd.display()),
        );
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
        return Err(NotStarted::not_executable(
            format!("{}: is a directory", typed.display()),
            Errno::EACCES,
        ));
    }
    let in_guest = guest_path(&on_host);
    let inside =
        guest_cwd != b"/" && on_host.starts_with(&cwd) && !typed.components().any(|c| c.as_os_str() == "..");
    if !inside {
        // A link is followed here, since where it leads need not exist in the guest.
        let real = std::fs::canonicalize(&on_host)
            .map_err(|error| NotStarted::not_found(format!("{}: {}", typed.display(), plain(&error))))?;
        let share = plan.share(host, &real)?;
        plan.add(
            Step::FileIfMissing { at: in_guest.clone(), share },
            format!("cannot show {} to the guest", typed.display()),
        );
    }
    plan.setup.candidates = vec![in_guest];
    plan.setup.cwd = args.cwd.as_deref().map_or(guest_cwd, bytes);
    Ok(())
}

/// `--bind HOST[:GUEST][:ro|rw|cow]`
fn plan_bind(plan: &mut Plan, host: &mut LiveHost, spec: &str) -> Result<()> {
    let mut rest = spec;
    let mut mode = Mode::Cow;
    for (suffix, meaning) in [(":ro", Mode::Ro), (":rw", Mode::Rw), (":cow", Mode::Cow)] {
        if let Some(before) = rest.strip_suffix(suffix) {
            (rest, mode) = (before, meaning);
            break;
        }
    }
    let (from, at) = match rest.rsplit_once(':') {
        Some((from, to)) if to.starts_with('/') => (from, to.as_bytes().to_vec()),
        Some((from, "")) => (from, guest_path(&absolute(Path::new(from))?)),
        _ => (rest, guest_path(&absolute(Path::new(rest))?)),
    };
    let from = Path::new(from);
    let what = format!("cannot bind {} to {}", from.display(), String::from_utf8_lossy(&at));
    if from.is_dir() {
        let share = plan.share(host, from)?;
        plan.add(Step::Share { at, share, mode }, what);
    } else if from.is_file() && mode != Mode::Rw {
        let share = plan.share(host, from)?;
        plan.add(Step::File { at, share }, what);
    } else if from.is_file() {
        bail!("{}: a single file can be bound ro or cow; bind its directory for rw", from.display());
    } else {
        bail!("{}: no such file or directory (see --bind)", from.display());
    }
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
