//! Replacing the program of a process (fs/exec.c): what `execve(2)` does, and how the first program comes to be.
//!
//! Order as in Linux: find the file, copy the strings, look what kind of file it is (scripts name another), build the new
//! memory, and only then give up the old: so a failure leaves the caller as it was.
//!
//! Key types: [`Program`], [`args::Strings`]. Neighbours: [`load`] maps images, [`stack`] lays the first stack,
//! [`start`] makes the first process.
//!
//! **Invariant**: past [`commit`] nothing fails.

use emu_core::cpu::Cpu;
use emu_core::elf::ElfError;

use crate::abi::errno::Errno;
use crate::arg::DirFd;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::entry::{NO_SYSCALL, PtRegs, USER_CS, USER_SS};
use crate::kernel::Kernel;
use crate::mm::MmId;
use crate::task::sighand::{SigInfo, si, sig};
use crate::task::signal::{To, post};
use crate::task::{Creds, creds, ptrace};
use crate::vfs::ftype::{S_ISGID, S_ISUID};
use crate::vfs::perm::MAY_EXEC;
use crate::vfs::{InodeId, Loc, MountFlags, Resolve, permission, read_inode, resolve};

pub mod args;
mod hooks;
pub mod load;
pub mod stack;
pub mod start;

use args::Strings;

/// `AT_SYMLINK_NOFOLLOW`
pub const AT_SYMLINK_NOFOLLOW: i32 = 0x100;
/// `AT_EMPTY_PATH`
pub const AT_EMPTY_PATH: i32 = 0x1000;
/// Bytes of a file that decide what kind it is (BINPRM_BUF_SIZE).
const HEAD: usize = 256;
/// Scripts whose interpreter is a script, and so on, before `ELOOP`.
const SCRIPTS_MAX: u32 = 5;

/// A file that may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executable {
    /// Where it lies.
    pub loc: Loc,
    /// What it is.
    pub inode: InodeId,
}

/// What is executed: the name and the strings change when a script names its interpreter.
#[derive(Debug, Clone)]
pub struct Program {
    /// The file that is loaded.
    pub file: Executable,
    /// Name as the caller gave it (`AT_EXECFN`).
    pub filename: Vec<u8>,
    /// Arguments and environment.
    pub strings: Strings,
    /// The descriptor through which it was named is closed by the exec: an interpreter could not open it.
    pub name_vanishes: bool,
}

/// Whether programs may not be run from where the place lies.
#[must_use]
pub fn is_noexec(k: &Kernel, loc: Loc) -> bool {
    k.vfs.mount(loc.mount).flags.contains(MountFlags::NOEXEC)
}

/// Finds a file to execute. `EACCES` if it is no regular file or may not be executed, `ETXTBSY` if it is being written.
pub fn find(ctx: &mut Ctx<'_>, base: DirFd, path: &[u8], how: Resolve) -> Result<Executable, Stop> {
    let loc = resolve(ctx, base, path, how)?;
    crate::vfs::tree::settle(ctx.k, ctx.host, loc.dentry)?;
    let inode = ctx.k.vfs.inode_at(loc);
    let node = ctx.k.vfs.inode(inode);
    if node.is_symlink() {
        return Err(Errno::ELOOP.into());
    }
    if !node.is_regular() || node.content().is_none() || is_noexec(ctx.k, loc) {
        return Err(Errno::EACCES.into());
    }
    let writers = node.writers;
    permission(ctx, inode, MAY_EXEC)?;
    crate::landlock::check_path(ctx.k, ctx.tid, loc, crate::landlock::fs::EXECUTE)?;
    if writers > 0 {
        return Err(Errno::ETXTBSY.into());
    }
    use crate::file::fanotify::{ask, fan};
    ask(ctx, loc, fan::OPEN_PERM | fan::OPEN_EXEC_PERM)?;
    use crate::file::inotify::mask;
    crate::vfs::open::notify(ctx.k, loc, mask::OPEN | mask::OPEN_EXEC);
    Ok(Executable { loc, inode })
}

/// `execveat(2)` with the strings still in user memory.
pub fn execveat(
    ctx: &mut Ctx<'_>,
    base: DirFd,
    path: Vec<u8>,
    argv: crate::arg::Addr,
    envp: crate::arg::Addr,
    flags: i32,
) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut how = Resolve::empty();
    how.set(Resolve::FOLLOW, flags & AT_SYMLINK_NOFOLLOW == 0);
    how.set(Resolve::EMPTY, flags & AT_EMPTY_PATH != 0);
    let file = find(ctx, base, &path, how)?;
    let by_descriptor = base != DirFd::CWD && path.first() != Some(&b'/');
    let filename = match (by_descriptor, path.is_empty()) {
        (false, _) => path,
        (true, true) => format!("/dev/fd/{}", base.0).into_bytes(),
        (true, false) => [format!("/dev/fd/{}/", base.0).as_bytes(), &path].concat(),
    };
    let table = ctx.k.fd_tables.get(ctx.task().fds);
    let name_vanishes =
        by_descriptor && table.and_then(|table| table.fds.get(&base.0)).is_some_and(|fd| fd.cloexec);
    let limit = args::limit(ctx.group().rlimits[3].0);
    let strings = args::copy(ctx, &filename, argv, envp, limit)?;
    let old = ctx.tid;
    exec(ctx, Program { file, filename, strings, name_vanishes })?;
    let task = ctx.task();
    if ptrace::wants(task, ptrace::option::TRACEEXEC) {
        ptrace::push_event(ctx.k, ctx.tid, ptrace::event::EXEC, u64::from(old.0));
    } else if task.trace.tracer.is_some() && !task.trace.seized {
        let info = SigInfo::user(sig::TRAP, si::USER, task.group.0, task.creds.uid[0]);
        post(ctx.k, To::Thread(ctx.tid), info);
    }
    Err(Stop::NoReturn)
}

/// Makes `program` the program of the calling task.
pub fn exec(ctx: &mut Ctx<'_>, mut program: Program) -> Result<(), Stop> {
    let mut scripts = 0;
    loop {
        let head = read_inode(ctx.k, ctx.host, program.file.inode, 0, HEAD)?;
        if !head.starts_with(b"#!") {
            break;
        }
        scripts += 1;
        if scripts > SCRIPTS_MAX {
            return Err(Errno::ELOOP.into());
        }
        if program.name_vanishes {
            return Err(Errno::ENOENT.into());
        }
        let (interpreter, argument) = args::script(&head)?;
        program.strings.interpose(&interpreter, argument.as_deref(), &program.filename_for_script())?;
        program.file = find(ctx, DirFd::CWD, &interpreter, Resolve::FOLLOW)?;
        program.strings.interpreter = Some(interpreter);
    }
    let creds = new_creds(ctx, program.file);
    let loaded = load::load(ctx, &program, &creds)?;
    commit(ctx, &program, creds, loaded)
}

impl Program {
    /// What a script's interpreter gets as the script's name: the last file that was named.
    fn filename_for_script(&self) -> Vec<u8> {
        self.strings.interpreter.clone().unwrap_or_else(|| self.filename.clone())
    }
}

/// Why the file is no program, for a message to the user; `None` if it looks like one.
pub fn why_not(ctx: &mut Ctx<'_>, file: Executable) -> Option<ElfError> {
    load::parse(ctx.k, ctx.host, file.inode).err()
}

/// All capabilities there are (CAP_CHECKPOINT_RESTORE is the last).
const CAP_ALL: u64 = (1 << 41) - 1;
const SECBIT_NOROOT: u32 = 1;
/// `SECBIT_KEEP_CAPS`, cleared by every exec.
const SECBIT_KEEP_CAPS: u32 = 1 << 4;

/// Credentials after the exec: set-id bits, then capabilities (capabilities(7), "Transformation during execve").
fn new_creds(ctx: &Ctx<'_>, file: Executable) -> Creds {
    let task = ctx.task();
    let old = &task.creds;
    let mut new = old.clone();
    let node = ctx.k.vfs.inode(file.inode);
    let nosuid = ctx.k.vfs.mount(file.loc.mount).flags.contains(MountFlags::NOSUID);
    let tracer = task.trace.tracer.and_then(|id| ctx.k.tasks.get(id));
    let watched = tracer.is_some_and(|tracer| !creds::has(&tracer.creds, creds::cap::SYS_PTRACE));
    if !nosuid && !watched && !hooks::no_new_privs(task) {
        if node.mode & S_ISUID != 0 {
            new.uid[1] = node.uid;
        }
        if node.mode & (S_ISGID | 0o010) == S_ISGID | 0o010 {
            new.gid[1] = node.gid;
        }
    }
    new.uid[2] = new.uid[1];
    new.uid[3] = new.uid[1];
    new.gid[2] = new.gid[1];
    new.gid[3] = new.gid[1];
    if is_secure(&new) {
        new.cap_ambient = 0;
    }
    let root_counts = new.securebits & SECBIT_NOROOT == 0;
    let (is_root, runs_as_root) = (new.uid[0] == 0, new.uid[1] == 0);
    let (file_permitted, file_effective) = match root_counts && (is_root || runs_as_root) {
        true => (CAP_ALL, runs_as_root),
        false => (0, false),
    };
    let inherited = if file_permitted == 0 { 0 } else { old.cap_inheritable };
    new.cap_permitted = inherited | file_permitted & old.cap_bounding | new.cap_ambient;
    new.cap_effective = if file_effective { new.cap_permitted } else { new.cap_ambient };
    new.securebits &= !SECBIT_KEEP_CAPS;
    new
}

/// Whether the program runs with more rights than its caller (`AT_SECURE`).
#[must_use]
pub fn is_secure(creds: &Creds) -> bool {
    creds.uid[0] != creds.uid[1] || creds.gid[0] != creds.gid[1]
}

/// The point of no return: the old program's threads, memory, handlers and descriptors go.
fn commit(ctx: &mut Ctx<'_>, program: &Program, creds: Creds, loaded: load::Loaded) -> Result<(), Stop> {
    if let Err(errno) = hooks::kill_other_threads(ctx) {
        crate::mm::put(ctx.k, loaded.mm);
        return Err(errno.into());
    }
    hooks::release_memory(ctx);
    let tid = ctx.tid;
    let old = replace_memory(ctx, loaded.mm);
    if let Some(old) = old {
        crate::mm::put(ctx.k, old);
    }
    hooks::reset(ctx);
    close_on_exec(ctx);
    // A new program has neither its thread's keyring nor its process's (prepare_exec_creds).
    ctx.task_mut().keys.thread = None;
    ctx.group_mut().process_keyring = None;
    let name = &program.filename;
    let base = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
    let comm = base[..base.len().min(15)].to_vec();
    let task = ctx.k.task_mut(tid);
    task.comm = comm;
    task.time = task.children_time.take().unwrap_or(task.time);
    let namespace = task.time.id;
    task.creds = creds;
    task.clear_child_tid = 0;
    task.robust_list = (0, 0);
    task.rseq = (0, 0, 0);
    task.altstack = (0, 0, 0);
    task.saved_mask = None;
    task.restart_call = None;
    task.cpu = Cpu { icount: task.cpu.icount, tsc_aux: task.cpu.tsc_aux, cpl: 0, ..fresh_cpu(&task.cpu) };
    let regs = PtRegs {
        ip: loaded.entry,
        sp: loaded.sp,
        cs: USER_CS,
        ss: USER_SS,
        flags: fresh_flags(),
        orig_ax: NO_SYSCALL,
        ..PtRegs::default()
    };
    if namespace != 0 {
        ctx.k.time.frozen.insert(namespace);
    }
    ctx.k.set_user_regs(tid, &regs);
    Ok(())
}

fn fresh_cpu(old: &Cpu) -> Cpu {
    Cpu { rip: old.rip, regs: old.regs, ..Cpu::new(old.model) }
}

fn fresh_flags() -> u64 {
    use emu_core::cpu::RFlags;
    (RFlags::FIXED | RFlags::IF).bits()
}

/// Gives the task its new memory and returns the old.
fn replace_memory(ctx: &mut Ctx<'_>, mm: MmId) -> Option<MmId> {
    ctx.task_mut().mm.replace(mm)
}

fn close_on_exec(ctx: &mut Ctx<'_>) {
    hooks::unshare_files(ctx);
    crate::file::fdtable::close_on_exec(ctx.k, ctx.tid);
}
