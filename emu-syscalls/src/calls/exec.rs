//! `execve(2)` and `execveat(2)`.

use crate::arg::{Addr, DirFd, I32, Path};
use crate::ctx::{Ctx, SysResult};
use crate::task::exec;

/// `execve(2)`
pub(crate) fn execve(ctx: &mut Ctx<'_>, path: Path, argv: Addr, envp: Addr) -> SysResult {
    execveat(ctx, DirFd::CWD, path, argv, envp, I32(0))
}

/// `execveat(2)`
pub(crate) fn execveat(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    argv: Addr,
    envp: Addr,
    flags: I32,
) -> SysResult {
    let path = ctx.read_path(path)?;
    exec::execveat(ctx, dirfd, path, argv, envp, flags.0)
}
