//! `syslog(2)`: reading and controlling the kernel log.

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::log::{self, RING_BYTES};
use crate::task::wait::Wait;

const READ: i32 = 2;
const READ_ALL: i32 = 3;
const READ_CLEAR: i32 = 4;
const SIZE_BUFFER: i32 = 10;

/// `syslog(2)`: kernel/printk/printk.c, do_syslog.
pub(crate) fn syslog(ctx: &mut Ctx<'_>, action: I32, bufp: Addr, len: I32) -> SysResult {
    let I32(action) = action;
    match action {
        READ_ALL | SIZE_BUFFER => log::check_read(ctx.k, ctx.tid)?,
        _ => log::check_admin(ctx.k, ctx.tid)?,
    }
    match action {
        // Open and close do nothing.
        0 | 1 => Ok(0),
        READ | READ_ALL | READ_CLEAR => {
            if bufp.0 == 0 || len.0 < 0 {
                return Err(Errno::EINVAL.into());
            }
            let max = usize::try_from(len.0).unwrap_or(0).min(RING_BYTES * 2);
            if max == 0 {
                return Ok(0);
            }
            let text = if action == READ {
                if !ctx.k.log.has_unread() {
                    return Err(Stop::Block(Wait::on(log::WAIT)));
                }
                ctx.prefault_write(bufp, u64::try_from(max).unwrap_or(0))?;
                ctx.k.log.take_unread(max)
            } else {
                ctx.k.log.tail(max)
            };
            ctx.write_user(bufp, &text)?;
            if action == READ_CLEAR {
                ctx.k.log.cleared = ctx.k.log.next;
            }
            Ok(u64::try_from(text.len()).unwrap_or(0))
        }
        5 => {
            ctx.k.log.cleared = ctx.k.log.next;
            Ok(0)
        }
        6 => {
            let log = &mut ctx.k.log;
            log.saved_level.get_or_insert(log.console_level);
            log.console_level = log.minimum_level;
            Ok(0)
        }
        7 => {
            let log = &mut ctx.k.log;
            if let Some(level) = log.saved_level.take() {
                log.console_level = level;
            }
            Ok(0)
        }
        8 => {
            let log = &mut ctx.k.log;
            let level = u8::try_from(len.0).ok().filter(|level| (1..=8).contains(level));
            log.console_level = level.ok_or(Errno::EINVAL)?.max(log.minimum_level);
            log.saved_level = None;
            Ok(0)
        }
        9 => Ok(u64::try_from(ctx.k.log.unread_bytes()).unwrap_or(0)),
        SIZE_BUFFER => Ok(u64::try_from(RING_BYTES).unwrap_or(0)),
        _ => Err(Errno::EINVAL.into()),
    }
}
