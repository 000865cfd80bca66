//! The first process of a machine.
//!
//! Number 1 is the kernel's own init, which no guest sees as a task: signals to it are special in Linux, and the first
//! program shall behave as any other. So the first program is number 2, its parent is 1.
//!
//! **Invariant**: everything follows from the arguments, the configuration and what the streams are.

use emu_core::cpu::Cpu;
use emu_core::elf::ElfError;

use super::args::{self, Strings};
use super::{Program, exec, find, hooks, why_not};
use crate::abi::errno::Errno;
use crate::arg::DirFd;
use crate::ctx::{Call, Ctx, Stop};
use crate::file::fdtable::{Descriptor, FdTable};
use crate::file::stream::StreamFile;
use crate::file::{File, FileId, OpenFile, flags, tty};
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::seam::{Host, Stream, StreamKind};
use crate::task::{FsContext, TaskId};
use crate::vfs::open::new_file;
use crate::vfs::{Resolve, resolve};

/// Why no program could be started. The names are those of the guest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The program is not there.
    #[error("{0}: not found")]
    NotFound(String),
    /// It may not be executed.
    #[error("{0}: cannot be executed: {1}")]
    NotExecutable(String, Errno),
    /// It is no program for this machine.
    #[error("{0}: {1}")]
    Format(String, ElfError),
    /// It is neither a program nor a script.
    #[error("{0}: not a program: its interpreter {1}")]
    Interpreter(String, String),
    /// The working directory.
    #[error("working directory {0}: {1}")]
    Directory(String, Errno),
    /// Arguments and environment are too long.
    #[error("arguments and environment are too long")]
    TooLong,
    /// Nothing is mounted, or memory is too small.
    #[error("cannot set up the first process: {0}")]
    Setup(Errno),
}

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct First<'a> {
    /// Path of the program in the guest's tree.
    pub program: &'a [u8],
    /// Arguments, the program's name first.
    pub argv: &'a [Vec<u8>],
    /// Environment.
    pub envp: &'a [Vec<u8>],
    /// Working directory; empty for the root.
    pub cwd: &'a [u8],
}

/// Makes the first process and loads its program.
pub fn start(k: &mut Kernel, host: &mut dyn Host, first: &First<'_>) -> Result<TaskId, StartError> {
    let tid = hooks::first_pid(k).map_err(StartError::Setup)?;
    make_task(k, host, tid).map_err(StartError::Setup)?;
    let mut ctx = Ctx { k, host, tid, call: Call::default() };
    let started = enter_directory(&mut ctx, first.cwd).and_then(|()| load(&mut ctx, first));
    match started {
        Ok(()) => Ok(tid),
        Err(error) => {
            hooks::discard(ctx.k, tid);
            Err(error)
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn errno(stop: Stop) -> Errno {
    match stop {
        Stop::Errno(errno) => errno,
        _ => Errno::ENOSYS,
    }
}

fn make_task(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) -> Result<(), Errno> {
    let root = k.vfs.root().ok_or(Errno::ENOENT)?;
    let kernel_stack_top = k.make_kernel_stack(tid)?;
    let space = k.mem.create_space();
    let mm = k.mms.insert(Mm::new(space));
    let fs = k.fs_contexts.insert(FsContext { cwd: root, root, umask: 0o022, users: 1 });
    let fds = k.fd_tables.insert(FdTable::new());
    let cpu = Cpu { cpl: 0, ..Cpu::new(k.config.cpu) };
    hooks::insert_first(k, host, hooks::Parts { tid, kernel_stack_top, mm, fs, fds, cpu });
    let task = k.task_mut(tid);
    task.in_kernel = true;
    k.sched.add(tid);
    standard_streams(k, host, tid);
    Ok(())
}

/// Descriptors 0, 1 and 2: one terminal of ours for those that are a terminal on the host (the controlling terminal of
/// the new session), else the stream itself. What is closed on the host is closed here.
fn standard_streams(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) {
    let terminal = tty::host_tty(k, host);
    if let Some(id) = terminal {
        tty::control_host_tty(k, tid, id);
    }
    let mut shared: Option<FileId> = None;
    for (fd, stream) in [(0, Stream::Stdin), (1, Stream::Stdout), (2, Stream::Stderr)] {
        let file = match host.stream_kind(stream) {
            StreamKind::Closed => continue,
            StreamKind::Terminal => {
                let Some(file) = shared.or_else(|| {
                    let id = terminal?;
                    let place = tty::place(k, host, tid, id);
                    let kind = tty::open_direct(k, id)?;
                    let file = new_file(k, kind, flags::O_RDWR, place);
                    k.files.get_mut(file)?.refs = 0;
                    Some(file)
                }) else {
                    continue;
                };
                shared = Some(file);
                if let Some(open) = k.files.get_mut(file) {
                    open.refs += 1;
                }
                file
            }
            _ => {
                let mode = if stream == Stream::Stdin { 0 } else { flags::O_WRONLY };
                k.files.insert(OpenFile::new(File::Stream(StreamFile { stream }), mode))
            }
        };
        let table = k.task(tid).fds;
        if let Some(table) = k.fd_tables.get_mut(table) {
            table.fds.insert(fd, Descriptor { file, cloexec: false });
        }
    }
}

fn enter_directory(ctx: &mut Ctx<'_>, cwd: &[u8]) -> Result<(), StartError> {
    if cwd.is_empty() {
        return Ok(());
    }
    let loc = resolve(ctx, DirFd::CWD, cwd, Resolve::FOLLOW | Resolve::DIRECTORY)
        .map_err(|stop| StartError::Directory(text(cwd), errno(stop)))?;
    let fs = ctx.task().fs;
    if let Some(fs) = ctx.k.fs_contexts.get_mut(fs) {
        fs.cwd = loc;
    }
    Ok(())
}

fn load(ctx: &mut Ctx<'_>, first: &First<'_>) -> Result<(), StartError> {
    let name = || text(first.program);
    let file = find(ctx, DirFd::CWD, first.program, Resolve::FOLLOW).map_err(|stop| match errno(stop) {
        Errno::ENOENT | Errno::ENOTDIR => StartError::NotFound(name()),
        other => StartError::NotExecutable(name(), other),
    })?;
    let limit = args::limit(ctx.group().rlimits[3].0);
    let mut strings = Strings::new(first.program, limit).map_err(|_| StartError::TooLong)?;
    for variable in first.envp {
        strings.push_env(variable.clone()).map_err(|_| StartError::TooLong)?;
    }
    for arg in first.argv {
        strings.push_arg(arg.clone()).map_err(|_| StartError::TooLong)?;
    }
    if first.argv.is_empty() {
        strings.push_arg(first.program.to_vec()).map_err(|_| StartError::TooLong)?;
    }
    let program = Program { file, filename: first.program.to_vec(), strings, name_vanishes: false };
    exec(ctx, program).map_err(|stop| match (errno(stop), why_not(ctx, file)) {
        (Errno::ENOEXEC, Some(error)) => StartError::Format(name(), error),
        (other, Some(ElfError::NotElf)) => StartError::Interpreter(name(), interpreter_problem(other)),
        (Errno::ENOENT, _) => StartError::Interpreter(name(), "is not there".to_owned()),
        (other, _) => StartError::NotExecutable(name(), other),
    })
}

fn interpreter_problem(errno: Errno) -> String {
    match errno {
        Errno::ENOENT => "is not there".to_owned(),
        other => format!("cannot be executed: {other}"),
    }
}
