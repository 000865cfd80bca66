//! `landlock_create_ruleset(2)`, `landlock_add_rule(2)`, `landlock_restrict_self(2)`; the calls about security modules.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, Len, U32};
use crate::calls::desc::fd_result;
use crate::ctx::{Ctx, SysResult};
use crate::file::{File, flags};
use crate::landlock::{
    BIND_TCP, CONNECT_TCP, Ruleset, RulesetFile, SCOPE_ABSTRACT, SCOPE_SIGNAL, fs, restrict, ruleset_of,
};
use crate::task::creds::{cap, has};

/// Version of the interface: files, truncation, ports, device requests, scopes.
const VERSION: u64 = 6;
/// `struct landlock_ruleset_attr` of version 1 and of this one, in bytes.
const ATTR_SIZE: (u64, u64) = (8, 24);

/// `landlock_create_ruleset(2)`
pub(crate) fn landlock_create_ruleset(ctx: &mut Ctx<'_>, attr: Addr, size: Len, bits: U32) -> SysResult {
    const GET_VERSION: u32 = 1;
    const GET_ERRATA: u32 = 2;
    if bits.0 != 0 {
        if attr != Addr::NULL || size.0 != 0 {
            return Err(Errno::EINVAL.into());
        }
        return match bits.0 {
            GET_VERSION => Ok(VERSION),
            GET_ERRATA => Ok(0),
            _ => Err(Errno::EINVAL.into()),
        };
    }
    if attr == Addr::NULL {
        return Err(Errno::EFAULT.into());
    }
    if size.0 < ATTR_SIZE.0 {
        return Err(Errno::EINVAL.into());
    }
    if size.0 > 4096 {
        return Err(Errno::E2BIG.into());
    }
    let mut raw = vec![0; usize::try_from(size.0.max(ATTR_SIZE.1)).unwrap_or(0)];
    let given = usize::try_from(size.0).unwrap_or(0);
    ctx.read_user(attr, &mut raw[..given])?;
    let (known, more) = raw.split_at(24);
    if more.iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG.into());
    }
    let word =
        |at: usize| known.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    let ruleset =
        Ruleset { handled_fs: word(0), handled_net: word(8), scoped: word(16), ..Ruleset::default() };
    if ruleset.handled_fs & !fs::ALL != 0
        || ruleset.handled_net & !(BIND_TCP | CONNECT_TCP) != 0
        || ruleset.scoped & !(SCOPE_ABSTRACT | SCOPE_SIGNAL) != 0
    {
        return Err(Errno::EINVAL.into());
    }
    if ruleset.handled_fs == 0 && ruleset.handled_net == 0 && ruleset.scoped == 0 {
        return Err(Errno::ENOMSG.into());
    }
    let ruleset = ctx.k.landlock.rulesets.insert(ruleset);
    let fd = ctx.install(File::Ruleset(RulesetFile { ruleset }), flags::O_RDWR, true)?;
    Ok(fd_result(fd))
}

/// `landlock_add_rule(2)`
pub(crate) fn landlock_add_rule(
    ctx: &mut Ctx<'_>,
    ruleset_fd: Fd,
    rule_type: I32,
    rule_attr: Addr,
    bits: U32,
) -> SysResult {
    const PATH_BENEATH: i32 = 1;
    const NET_PORT: i32 = 2;
    if bits.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = ruleset_of(ctx, ruleset_fd)?;
    match rule_type.0 {
        PATH_BENEATH => {
            // The structure is packed: eight bytes and four.
            let mut raw = [0; 12];
            ctx.read_user(rule_attr, &mut raw)?;
            let (bits, fd) = raw.split_at(8);
            let bits = bits.try_into().map_or(0, u64::from_le_bytes);
            let fd = fd.try_into().map_or(-1, i32::from_le_bytes);
            let handled = ctx.k.landlock.rulesets.get(id).map_or(0, |ruleset| ruleset.handled_fs);
            if bits == 0 {
                return Err(Errno::ENOMSG.into());
            }
            if bits & !handled != 0 {
                return Err(Errno::EINVAL.into());
            }
            let file = ctx.fd_any(Fd(fd))?;
            let Some(loc) = ctx.file(file).loc else { return Err(Errno::EBADFD.into()) };
            if matches!(ctx.file(file).kind, File::Ruleset(_)) {
                return Err(Errno::EBADFD.into());
            }
            let inode = ctx.k.vfs.inode_at(loc);
            if !ctx.k.vfs.inode(inode).is_dir() && bits & !fs::OF_FILE != 0 {
                return Err(Errno::EINVAL.into());
            }
            let ruleset = ctx.k.landlock.rulesets.get_mut(id).ok_or(Errno::EBADF)?;
            *ruleset.paths.entry(inode).or_insert(0) |= bits;
        }
        NET_PORT => {
            let (bits, port) = (ctx.read_u64(rule_attr)?, ctx.read_u64(rule_attr.at(8))?);
            let ruleset = ctx.k.landlock.rulesets.get_mut(id).ok_or(Errno::EBADF)?;
            if bits == 0 {
                return Err(Errno::ENOMSG.into());
            }
            if bits & !ruleset.handled_net != 0 {
                return Err(Errno::EINVAL.into());
            }
            let port = u16::try_from(port).map_err(|_| Errno::EINVAL)?;
            *ruleset.ports.entry(port).or_insert(0) |= bits;
        }
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// `landlock_restrict_self(2)`
pub(crate) fn landlock_restrict_self(ctx: &mut Ctx<'_>, ruleset_fd: Fd, bits: U32) -> SysResult {
    if !ctx.task().attrs.no_new_privs && !has(&ctx.task().creds, cap::SYS_ADMIN) {
        return Err(Errno::EPERM.into());
    }
    if bits.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = ruleset_of(ctx, ruleset_fd)?;
    let layer = ctx.k.landlock.rulesets.get(id).cloned().ok_or(Errno::EBADF)?;
    let tid = ctx.tid;
    restrict(ctx.k, tid, layer)?;
    Ok(0)
}

/// `LSM_ID_CAPABILITY`, `LSM_ID_LANDLOCK`
const MODULES: [u64; 2] = [100, 110];

/// `lsm_list_modules(2)`
pub(crate) fn lsm_list_modules(ctx: &mut Ctx<'_>, ids: Addr, size: Addr, bits: U32) -> SysResult {
    if bits.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let room = ctx.read_u32(size)?;
    let needed: u32 = 8 * 2;
    ctx.write_u32(size, needed)?;
    if room < needed {
        return Err(Errno::E2BIG.into());
    }
    for (at, module) in (0u64..).zip(MODULES) {
        ctx.write_u64(ids.at(8 * at), module)?;
    }
    Ok(2)
}

/// `lsm_get_self_attr(2)`: the modules here have no attributes.
pub(crate) fn lsm_get_self_attr(
    ctx: &mut Ctx<'_>,
    attr: U32,
    lsm_ctx: Addr,
    size: Addr,
    bits: U32,
) -> SysResult {
    const SINGLE: u32 = 1;
    if attr.0 == 0 || size == Addr::NULL {
        return Err(Errno::EINVAL.into());
    }
    ctx.read_u32(size)?;
    if bits.0 != 0 && (bits.0 != SINGLE || lsm_ctx == Addr::NULL) {
        return Err(Errno::EINVAL.into());
    }
    if bits.0 == SINGLE && ctx.read_u64(lsm_ctx)? == 0 {
        return Err(Errno::EINVAL.into());
    }
    Err(Errno::EOPNOTSUPP.into())
}

/// `lsm_set_self_attr(2)`: the modules here have no attributes.
pub(crate) fn lsm_set_self_attr(
    ctx: &mut Ctx<'_>,
    _attr: U32,
    lsm_ctx: Addr,
    size: U32,
    bits: U32,
) -> SysResult {
    // struct lsm_ctx: id, flags, len, ctx_len.
    const HEAD: u32 = 32;
    if bits.0 != 0 || size.0 < HEAD {
        return Err(Errno::EINVAL.into());
    }
    if size.0 > 4096 {
        return Err(Errno::E2BIG.into());
    }
    let (len, ctx_len) = (ctx.read_u64(lsm_ctx.at(16))?, ctx.read_u64(lsm_ctx.at(24))?);
    let needed = ctx_len.checked_add(u64::from(HEAD)).ok_or(Errno::EINVAL)?;
    if u64::from(size.0) < len || len < needed {
        return Err(Errno::EINVAL.into());
    }
    Err(Errno::EOPNOTSUPP.into())
}
