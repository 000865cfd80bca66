//! `struct timex`: what adjtimex(2) and clock_adjtime(2) read and change (kernel/time/ntp.c).

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Ctx, SysResult};
use crate::task::creds;
use crate::time::NS_PER_SEC;

/// `ADJ_*` bits of `modes`.
mod adj {
    pub(super) const OFFSET: u32 = 1;
    pub(super) const FREQUENCY: u32 = 2;
    pub(super) const MAXERROR: u32 = 4;
    pub(super) const ESTERROR: u32 = 8;
    pub(super) const STATUS: u32 = 0x10;
    pub(super) const TIMECONST: u32 = 0x20;
    pub(super) const TAI: u32 = 0x80;
    pub(super) const SETOFFSET: u32 = 0x100;
    pub(super) const MICRO: u32 = 0x1000;
    /// With [`ADJTIME`] it only reads; else it selects nanoseconds.
    pub(super) const NANO: u32 = 0x2000;
    pub(super) const TICK: u32 = 0x4000;
    /// adjtime(3): a single offset.
    pub(super) const ADJTIME: u32 = 0x8000;
}

/// `STA_NANO`
const STA_NANO: u32 = 0x2000;
/// `STA_UNSYNC`
const STA_UNSYNC: u32 = 0x40;
/// Status bits that only the kernel sets.
const STA_READ_ONLY: u32 = 0xff00;
/// Largest frequency offset: 500 parts per million.
const MAX_FREQUENCY: i64 = 500 << 16;
/// Bytes of `struct timex`.
const SIZE: usize = 208;

fn word(bytes: &[u8; SIZE], at: usize) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    i64::from_le_bytes(word)
}

fn half(bytes: &[u8; SIZE], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Checks in Linux's order (timekeeping_validate_timex).
fn check(ctx: &Ctx<'_>, bytes: &[u8; SIZE]) -> Result<(), Errno> {
    let modes = half(bytes, 0);
    if modes & adj::ADJTIME != 0 {
        if modes & adj::OFFSET == 0 {
            return Err(Errno::EINVAL);
        }
        if modes & adj::NANO == 0 {
            creds::need(&ctx.task().creds, creds::cap::SYS_TIME)?;
        }
    } else {
        if modes != 0 {
            creds::need(&ctx.task().creds, creds::cap::SYS_TIME)?;
        }
        if modes & adj::TICK != 0 && !(9_000..=11_000).contains(&word(bytes, 88)) {
            return Err(Errno::EINVAL);
        }
    }
    if modes & adj::SETOFFSET != 0 {
        creds::need(&ctx.task().creds, creds::cap::SYS_TIME)?;
        let limit = if modes & adj::NANO != 0 { 1_000_000_000 } else { 1_000_000 };
        if !(0..limit).contains(&word(bytes, 80)) {
            return Err(Errno::EINVAL);
        }
    }
    Ok(())
}

/// Changes what `modes` names and writes all of it back. The answer is the state of the clock.
pub(super) fn adjust(ctx: &mut Ctx<'_>, buf: Addr) -> SysResult {
    /// `TIME_ERROR`: the clock is not in step.
    const TIME_ERROR: u64 = 5;
    let mut bytes = [0; SIZE];
    ctx.read_user(buf, &mut bytes)?;
    check(ctx, &bytes)?;
    let modes = half(&bytes, 0);
    if modes & adj::SETOFFSET != 0 {
        let fraction = word(&bytes, 80) * if modes & adj::NANO != 0 { 1 } else { 1000 };
        let by = word(&bytes, 72).saturating_mul(1_000_000_000).saturating_add(fraction);
        let now = ctx.realtime_ns();
        let then = now.checked_add_signed(by).ok_or(Errno::EINVAL)?;
        super::clock::set_realtime(ctx, then)?;
    }
    let slews = adj::OFFSET | adj::FREQUENCY | adj::TICK;
    if modes & slews != 0 && modes & (adj::ADJTIME | adj::NANO) != adj::ADJTIME | adj::NANO {
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap("adjtimex: the clock keeps the host's rate".into(), at);
    }
    let mut kept = ctx.k.time.adjustment;
    let mut offset = kept.offset;
    if modes & adj::ADJTIME != 0 {
        offset = kept.single;
        if modes & adj::NANO == 0 {
            kept.single = word(&bytes, 8);
        }
    } else {
        if modes & adj::STATUS != 0 {
            kept.status = kept.status & STA_READ_ONLY | half(&bytes, 40) & !STA_READ_ONLY;
        }
        if modes & adj::NANO != 0 {
            kept.status |= STA_NANO;
        }
        if modes & adj::MICRO != 0 {
            kept.status &= !STA_NANO;
        }
        if modes & adj::FREQUENCY != 0 {
            kept.frequency = word(&bytes, 16).clamp(-MAX_FREQUENCY, MAX_FREQUENCY);
        }
        if modes & adj::MAXERROR != 0 {
            kept.max_error = word(&bytes, 24).clamp(0, 16_000_000);
        }
        if modes & adj::ESTERROR != 0 {
            kept.estimated_error = word(&bytes, 32).clamp(0, 16_000_000);
        }
        if modes & adj::TIMECONST != 0 {
            let shift = if kept.status & STA_NANO == 0 { 4 } else { 0 };
            kept.constant = word(&bytes, 48).clamp(0, 10).saturating_add(shift).min(10);
        }
        if modes & adj::TAI != 0 {
            kept.tai = i32::try_from(word(&bytes, 48)).ok().filter(|tai| *tai >= 0).unwrap_or(kept.tai);
        }
        if modes & adj::OFFSET != 0 && kept.status & 1 != 0 {
            kept.offset = word(&bytes, 8);
        }
        if modes & adj::TICK != 0 {
            kept.tick = word(&bytes, 88);
        }
        if modes & adj::OFFSET != 0 {
            offset = kept.offset;
        }
    }
    ctx.k.time.adjustment = kept;
    let now = ctx.realtime_ns();
    let unit = if kept.status & STA_NANO != 0 { 1 } else { 1000 };
    let mut put = |at: usize, value: i64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(8, offset);
    put(16, kept.frequency);
    put(24, kept.max_error);
    put(32, kept.estimated_error);
    put(40, i64::from(kept.status));
    put(48, kept.constant);
    put(56, 1);
    put(64, MAX_FREQUENCY);
    put(72, (now / NS_PER_SEC).cast_signed());
    put(80, (now % NS_PER_SEC / unit).cast_signed());
    put(88, kept.tick);
    bytes[96..160].fill(0);
    bytes[160..164].copy_from_slice(&kept.tai.to_le_bytes());
    ctx.write_user(buf, &bytes)?;
    Ok(if kept.status & STA_UNSYNC != 0 { TIME_ERROR } else { 0 })
}
