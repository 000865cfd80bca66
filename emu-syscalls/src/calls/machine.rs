//! What belongs to the processor: local descriptor tables, ports, the terminal line (modify_ldt(2), iopl(2), ioperm(2),
//! uretprobe, vhangup(2)).

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, U32, U64};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::jobctl;
use crate::task::creds::{cap, need};
use crate::task::sighand::{SigInfo, sig};
use crate::task::signal;

/// `modify_ldt(2)`. Linux returns an `unsigned int`, so an error is a large positive number.
pub(crate) fn modify_ldt(ctx: &mut Ctx<'_>, func: I32, ptr: Addr, bytecount: U64) -> SysResult {
    const READ: i32 = 0;
    const WRITE_OLD: i32 = 1;
    const READ_DEFAULT: i32 = 2;
    const WRITE: i32 = 0x11;
    let result = match func.0 {
        // The table is empty.
        READ => Ok(0),
        READ_DEFAULT => {
            let len = bytecount.0.min(128);
            let zeros = vec![0; usize::try_from(len).unwrap_or(0)];
            ctx.write_user(ptr, &zeros).map(|()| len)
        }
        WRITE_OLD | WRITE => return write_ldt(ctx, ptr, bytecount.0, func.0 == WRITE_OLD),
        _ => Err(Errno::ENOSYS),
    };
    Ok(as_unsigned_int(result))
}

fn as_unsigned_int(result: Result<u64, Errno>) -> u64 {
    result.unwrap_or_else(|errno| errno.to_reg() & 0xffff_ffff)
}

fn write_ldt(ctx: &mut Ctx<'_>, ptr: Addr, bytecount: u64, old: bool) -> SysResult {
    const ENTRIES: u32 = 8192;
    let entry = |ctx: &mut Ctx<'_>| -> Result<[u32; 4], Errno> {
        if bytecount != 16 {
            return Err(Errno::EINVAL);
        }
        let mut words = [0; 4];
        for (word, at) in words.iter_mut().zip([0, 4, 8, 12]) {
            *word = ctx.read_u32(ptr.at(at))?;
        }
        let [number, _, _, flags] = words;
        let (contents, absent) = (flags >> 1 & 3, flags >> 5 & 1 != 0);
        if number >= ENTRIES || contents == 3 && (old || !absent) {
            return Err(Errno::EINVAL);
        }
        Ok(words)
    };
    match entry(ctx) {
        Err(errno) => Ok(as_unsigned_int(Err(errno))),
        // An empty entry in an empty table: nothing changes. READ_EXEC_ONLY and NOT_PRESENT mark one.
        Ok([_, 0, 0, flags]) if old || flags & 0x3f == 0x28 => Ok(0),
        Ok(_) => Err(Stop::Unsupported("segments of a local descriptor table")),
    }
}

/// `iopl(2)`: there are no ports.
pub(crate) fn iopl(ctx: &mut Ctx<'_>, level: U32) -> SysResult {
    if level.0 > 3 {
        return Err(Errno::EINVAL.into());
    }
    if level.0 == 0 {
        return Ok(0);
    }
    need(&ctx.task().creds, cap::SYS_RAWIO)?;
    Err(Stop::Unsupported("input and output ports"))
}

/// `ioperm(2)`: there are no ports.
pub(crate) fn ioperm(ctx: &mut Ctx<'_>, from: U64, num: U64, turn_on: I32) -> SysResult {
    const PORTS: u64 = 65536;
    let end = from.0.wrapping_add(num.0);
    if end <= from.0 || end > PORTS {
        return Err(Errno::EINVAL.into());
    }
    if turn_on.0 == 0 {
        return Ok(0);
    }
    need(&ctx.task().creds, cap::SYS_RAWIO)?;
    Err(Stop::Unsupported("input and output ports"))
}

/// `uretprobe`: only the trampoline of return probes may make this call, and there are none.
pub(crate) fn uretprobe(ctx: &mut Ctx<'_>) -> SysResult {
    signal::force(ctx.k, ctx.tid, SigInfo::kernel(sig::ILL));
    Ok(u64::MAX)
}

/// `vhangup(2)`
pub(crate) fn vhangup(ctx: &mut Ctx<'_>) -> SysResult {
    need(&ctx.task().creds, cap::SYS_TTY_CONFIG)?;
    jobctl::vhangup(ctx.k, ctx.tid);
    Ok(0)
}
