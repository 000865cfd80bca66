//! The machine as a whole: names, statistics, randomness (uname(2), sysinfo(2), getrandom(2) ...).

use crate::abi::errno::Errno;
use crate::abi::uts::{RELEASE, VERSION};
use crate::arg::{Addr, I32, Len, OutBuf, U32};
use crate::ctx::{Ctx, SysResult};
use crate::task::creds::{cap, need};

const UNAME26: u32 = 0x0002_0000;
const PER_LINUX32: u32 = 8;

/// `uname(2)`
pub(crate) fn uname(ctx: &mut Ctx<'_>, buf: Addr) -> SysResult {
    let persona = ctx.task().attrs.personality;
    let release = if persona & UNAME26 != 0 { "2.6.72" } else { RELEASE };
    let machine = if persona & 0xff == PER_LINUX32 { "i686" } else { "x86_64" };
    let mut bytes = [0; 6 * 65];
    let node = ctx.k.config.hostname.clone();
    let domain = ctx.k.domainname.clone();
    let fields: [&[u8]; 6] =
        [b"Linux", &node, release.as_bytes(), VERSION.as_bytes(), machine.as_bytes(), &domain];
    for (slot, field) in bytes.chunks_exact_mut(65).zip(fields) {
        let len = field.len().min(64);
        slot[..len].copy_from_slice(&field[..len]);
    }
    ctx.write_user(buf, &bytes)?;
    Ok(0)
}

fn read_name(ctx: &mut Ctx<'_>, name: Addr, len: I32) -> Result<Vec<u8>, Errno> {
    need(&ctx.task().creds, cap::SYS_ADMIN)?;
    let len = usize::try_from(len.0).ok().filter(|len| *len <= 64).ok_or(Errno::EINVAL)?;
    let mut bytes = vec![0; len];
    ctx.read_user(name, &mut bytes)?;
    Ok(bytes)
}

/// `sethostname(2)`
pub(crate) fn sethostname(ctx: &mut Ctx<'_>, name: Addr, len: I32) -> SysResult {
    ctx.k.config.hostname = read_name(ctx, name, len)?;
    Ok(0)
}

/// `setdomainname(2)`
pub(crate) fn setdomainname(ctx: &mut Ctx<'_>, name: Addr, len: I32) -> SysResult {
    ctx.k.domainname = read_name(ctx, name, len)?;
    Ok(0)
}

/// `sysinfo(2)`
pub(crate) fn sysinfo(ctx: &mut Ctx<'_>, info: Addr) -> SysResult {
    let now = ctx.now_ns();
    let now = ctx.to_namespace(now, crate::time::Boot::Yes);
    let uptime = now.saturating_sub(ctx.k.time.boot_ns).div_ceil(crate::time::NS_PER_SEC);
    // As /proc/loadavg says.
    let load = 0u64;
    let total = ctx.k.mem.limit();
    let free = total.saturating_sub(ctx.k.mem.occupied());
    let mut bytes = [0u8; 112];
    let mut put = |at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(0, uptime);
    for at in [8, 16, 24] {
        put(at, load);
    }
    put(32, total);
    put(40, free);
    let procs = u16::try_from(ctx.k.tasks.len()).unwrap_or(u16::MAX);
    bytes[80..82].copy_from_slice(&procs.to_le_bytes());
    bytes[104..108].copy_from_slice(&1u32.to_le_bytes());
    ctx.write_user(info, &bytes)?;
    Ok(0)
}

/// `getrandom(2)`
pub(crate) fn getrandom(ctx: &mut Ctx<'_>, buf: OutBuf<1>, buflen: Len, flags: U32) -> SysResult {
    const NONBLOCK_RANDOM_INSECURE: u32 = 7;
    const RANDOM_AND_INSECURE: u32 = 6;
    /// Bytes made at a time.
    const CHUNK: u64 = 1 << 16;
    if flags.0 & !NONBLOCK_RANDOM_INSECURE != 0 || flags.0 & RANDOM_AND_INSECURE == RANDOM_AND_INSECURE {
        return Err(Errno::EINVAL.into());
    }
    let len = buflen.0.min(0x7fff_f000);
    let mut done = 0;
    while done < len {
        let step = (len - done).min(CHUNK);
        let mut bytes = vec![0; usize::try_from(step).unwrap_or(0)];
        ctx.host.entropy(&mut bytes);
        match ctx.write_user(buf.addr().at(done), &bytes) {
            Ok(()) => done += step,
            Err(errno) if done == 0 => return Err(errno.into()),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// `userfaultfd(2)`
pub(crate) fn userfaultfd(ctx: &mut Ctx<'_>, flags: I32) -> SysResult {
    const USER_MODE_ONLY: u32 = 1;
    let bits = flags.0.cast_unsigned();
    let allowed = crate::vfs::procfs::sysctl::number(ctx.k, "vm/unprivileged_userfaultfd") != 0;
    if bits & USER_MODE_ONLY == 0 && !allowed {
        need(&ctx.task().creds, cap::SYS_PTRACE)?;
    }
    crate::file::userfault::make(ctx, bits)
}
