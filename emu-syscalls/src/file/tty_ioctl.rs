//! `ioctl_tty(2)`: requests on either side of a terminal.
//!
//! **Invariant**: errors come in Linux's order: background check, argument, permission, action.

use crate::abi::errno::Errno;
use crate::abi::termios::{TERMIO_SIZE, TERMIOS_SIZE, TERMIOS2_SIZE, Termios, cc, cflag, pkt, req};
use crate::arg::{Addr, Fd};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::dev::makedev;
use crate::file::fdtable::put_file;
use crate::file::jobctl::{self, SIGTTOU};
use crate::file::tty::{self, TtyId, WinSize, Wire};
use crate::file::{FileId, flags};
use crate::seam::Direction;
use crate::task::GroupId;
use crate::task::wait::{OnSignal, Wait, WaitKey};
use crate::vfs::open::new_file;

/// Which side of a pair a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The terminal itself.
    Slave,
    /// The pseudo-terminal's master.
    Master,
}

/// What TCSETS* wait for or throw away first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    Drained,
    Flushed,
}

/// A request on `side` of terminal `id` through the open file `file`.
pub(crate) fn ioctl(
    ctx: &mut Ctx<'_>,
    file: FileId,
    id: TtyId,
    side: Side,
    request: u32,
    arg: Addr,
) -> SysResult {
    match request {
        req::TCGETS | req::TCGETS2 | req::TCGETA => get_settings(ctx, id, request, arg),
        req::TCSETS | req::TCSETS2 | req::TCSETA => set_settings(ctx, id, request, arg, When::Now),
        req::TCSETSW | req::TCSETSW2 | req::TCSETAW => set_settings(ctx, id, request, arg, When::Drained),
        req::TCSETSF | req::TCSETSF2 | req::TCSETAF => set_settings(ctx, id, request, arg, When::Flushed),
        req::TIOCGWINSZ => {
            let size = ctx.k.ttys.get(id).map(|tty| tty.winsize).unwrap_or_default();
            let mut bytes = [0; 8];
            for (slot, value) in
                bytes.chunks_exact_mut(2).zip([size.rows, size.cols, size.xpixel, size.ypixel])
            {
                slot.copy_from_slice(&value.to_le_bytes());
            }
            ctx.write_user(arg, &bytes)?;
            Ok(0)
        }
        req::TIOCSWINSZ => {
            let mut bytes = [0; 8];
            ctx.read_user(arg, &mut bytes)?;
            let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
            let size = WinSize { rows: half(0), cols: half(2), xpixel: half(4), ypixel: half(6) };
            tty::resize(ctx.k, id, size);
            Ok(0)
        }
        req::TIOCGPGRP | req::TIOCSPGRP | req::TIOCGSID | req::TIOCSCTTY | req::TIOCNOTTY => {
            session(ctx, file, id, side, request, arg)
        }
        req::TIOCGPTN
        | req::TIOCSPTLCK
        | req::TIOCGPTLCK
        | req::TIOCPKT
        | req::TIOCGPKT
        | req::TIOCSIG
        | req::TIOCGPTPEER
            if side == Side::Master =>
        {
            master(ctx, id, request, arg)
        }
        req::TCXONC | req::TCFLSH | req::TCSBRK | req::TCSBRKP | req::TIOCSBRK | req::TIOCCBRK => {
            line(ctx, id, side, request, arg)
        }
        _ => queues(ctx, id, side, request, arg),
    }
}

fn get_settings(ctx: &mut Ctx<'_>, id: TtyId, request: u32, arg: Addr) -> SysResult {
    let termios = ctx.k.ttys.get(id).map(|tty| tty.termios).unwrap_or_default();
    match request {
        req::TCGETS => ctx.write_user(arg, &termios.to_bytes()[..TERMIOS_SIZE])?,
        req::TCGETS2 => ctx.write_user(arg, &termios.to_bytes())?,
        _ => ctx.write_user(arg, &termios.to_termio())?,
    }
    Ok(0)
}

fn set_settings(ctx: &mut Ctx<'_>, id: TtyId, request: u32, arg: Addr, when: When) -> SysResult {
    jobctl::check_change(ctx, id, SIGTTOU)?;
    let old = ctx.k.ttys.get(id).map(|tty| tty.termios).unwrap_or_default();
    let mut new: Termios = match request {
        req::TCSETS2 | req::TCSETSW2 | req::TCSETSF2 => {
            let mut bytes = [0; TERMIOS2_SIZE];
            ctx.read_user(arg, &mut bytes)?;
            old.from_bytes(&bytes)
        }
        req::TCSETA | req::TCSETAW | req::TCSETAF => {
            let mut bytes = [0; TERMIO_SIZE];
            ctx.read_user(arg, &mut bytes)?;
            old.from_termio(&bytes)
        }
        _ => {
            let mut bytes = [0; TERMIOS_SIZE];
            ctx.read_user(arg, &mut bytes)?;
            old.from_bytes(&bytes)
        }
    };
    // A pseudo-terminal moves eight bits without parity, whatever is asked for (pty_set_termios).
    new.cflag = (new.cflag & !(cflag::CSIZE | cflag::PARENB)) | cflag::CS8 | cflag::CREAD;
    if when == When::Flushed
        && let Some(tty) = ctx.k.ttys.get_mut(id)
    {
        tty.flush_input();
        tty.ld.waiting.clear();
    }
    if when != When::Now {
        wait_drained(ctx, id)?;
    }
    if let Some(tty) = ctx.k.ttys.get_mut(id) {
        tty.apply(new);
    }
    tty::pump(ctx.k, id);
    tty::flush_to_host(ctx.k, ctx.host, id);
    ctx.k.wake(WaitKey::Tty(id));
    Ok(0)
}

/// Waits until the host has taken all output. What a pseudo-terminal's master has not read counts as sent.
fn wait_drained(ctx: &mut Ctx<'_>, id: TtyId) -> Result<(), Stop> {
    tty::flush_to_host(ctx.k, ctx.host, id);
    match ctx.k.ttys.get(id) {
        Some(tty) if !tty.out.is_empty() => match tty.wire {
            Wire::Host { output, .. } => Err(Stop::Block(Wait::any(
                vec![WaitKey::Tty(id), WaitKey::Host(output, Direction::Write)],
                None,
                OnSignal::Restart,
            ))),
            Wire::Master => Ok(()),
        },
        _ => Ok(()),
    }
}

fn session(ctx: &mut Ctx<'_>, file: FileId, id: TtyId, side: Side, request: u32, arg: Addr) -> SysResult {
    let own = ctx.group().tty == Some(id);
    let (session, pgrp) = ctx.k.ttys.get(id).map_or((None, None), |tty| (tty.session, tty.pgrp));
    match request {
        req::TIOCGPGRP => {
            if side == Side::Slave && !own {
                return Err(Errno::ENOTTY.into());
            }
            ctx.write_u32(arg, pgrp.map_or(0, |group| group.0))?;
            Ok(0)
        }
        req::TIOCGSID => {
            if side == Side::Slave && !own {
                return Err(Errno::ENOTTY.into());
            }
            let session = session.ok_or(Errno::ENOTTY)?;
            ctx.write_u32(arg, session.0)?;
            Ok(0)
        }
        req::TIOCSPGRP => {
            match jobctl::check_change(ctx, id, SIGTTOU) {
                Err(Stop::Errno(Errno::EIO)) => return Err(Errno::ENOTTY.into()),
                other => other?,
            }
            let wanted = ctx.read_u32(arg)?.cast_signed();
            let wanted = GroupId(u32::try_from(wanted).map_err(|_| Errno::EINVAL)?);
            let sid = ctx.group().sid;
            if !own || session != Some(sid) {
                return Err(Errno::ENOTTY.into());
            }
            let member = ctx.k.groups.iter().find(|(_, group)| group.pgid == wanted);
            let (_, member) = member.ok_or(Errno::ESRCH)?;
            if member.sid != sid {
                return Err(Errno::EPERM.into());
            }
            if let Some(tty) = ctx.k.ttys.get_mut(id) {
                tty.pgrp = Some(wanted);
            }
            ctx.k.wake(WaitKey::Tty(id));
            Ok(0)
        }
        req::TIOCSCTTY => {
            let group = ctx.group();
            let leader = group.sid == group.id;
            if leader && session == Some(group.sid) {
                return Ok(0);
            }
            if !leader || group.tty.is_some() {
                return Err(Errno::EPERM.into());
            }
            let admin = jobctl::capable_admin(ctx.k, ctx.tid);
            if session.is_some() {
                if arg.0 != 1 || !admin {
                    return Err(Errno::EPERM.into());
                }
                jobctl::forget_terminal(ctx.k, id);
            }
            if !ctx.file(file).readable() && !admin {
                return Err(Errno::EPERM.into());
            }
            jobctl::take(ctx.k, ctx.tid, id);
            Ok(0)
        }
        _ => {
            if !own {
                return Err(Errno::ENOTTY.into());
            }
            let group = ctx.task().group;
            jobctl::give_up(ctx.k, group);
            Ok(0)
        }
    }
}

fn master(ctx: &mut Ctx<'_>, id: TtyId, request: u32, arg: Addr) -> SysResult {
    let gone = Errno::EIO;
    match request {
        req::TIOCGPTN => {
            let index = ctx.k.ttys.get(id).ok_or(gone)?.index;
            ctx.write_u32(arg, index)?;
        }
        req::TIOCSPTLCK => {
            let lock = ctx.read_u32(arg)? != 0;
            ctx.k.ttys.get_mut(id).ok_or(gone)?.locked = lock;
        }
        req::TIOCGPTLCK => {
            let locked = ctx.k.ttys.get(id).ok_or(gone)?.locked;
            ctx.write_u32(arg, u32::from(locked))?;
        }
        req::TIOCPKT => {
            let on = ctx.read_u32(arg)? != 0;
            let tty = ctx.k.ttys.get_mut(id).ok_or(gone)?;
            if on && !tty.packet_mode {
                tty.packet_status = 0;
            }
            tty.packet_mode = on;
        }
        req::TIOCGPKT => {
            let on = ctx.k.ttys.get(id).ok_or(gone)?.packet_mode;
            ctx.write_u32(arg, u32::from(on))?;
        }
        req::TIOCSIG => {
            let signal = u8::try_from(arg.0).ok().filter(|n| matches!(n, 2 | 3 | 20)).ok_or(Errno::EINVAL)?;
            jobctl::signal_foreground(ctx.k, id, signal);
        }
        _ => {
            let open_flags = u32::try_from(arg.0).map_err(|_| Errno::EINVAL)?;
            let file = tty::open(ctx, id, open_flags)?;
            let loc = tty::place(ctx.k, ctx.host, ctx.tid, id);
            let new = new_file(ctx.k, file, open_flags & !flags::O_CLOEXEC, loc);
            let cloexec = open_flags & flags::O_CLOEXEC != 0;
            let Fd(fd) = ctx.install_id(new, cloexec).inspect_err(|_| put_file(ctx.k, new))?;
            return u64::try_from(fd).map_err(|_| Errno::EMFILE.into());
        }
    }
    Ok(0)
}

/// Requests about the line: flow, flushing, breaks.
fn line(ctx: &mut Ctx<'_>, id: TtyId, side: Side, request: u32, arg: Addr) -> SysResult {
    jobctl::check_change(ctx, id, SIGTTOU)?;
    match request {
        req::TCFLSH => {
            let tty = ctx.k.ttys.get_mut(id).ok_or(Errno::EIO)?;
            // Seen from the master, input and output change places.
            let (input, output) = match (arg.0, side) {
                (0, Side::Slave) | (1, Side::Master) => (true, false),
                (1, Side::Slave) | (0, Side::Master) => (false, true),
                (2, _) => (true, true),
                _ => return Err(Errno::EINVAL.into()),
            };
            if input {
                tty.flush_input();
                tty.ld.waiting.clear();
                tty.packet(pkt::FLUSHREAD, 0);
            }
            if output {
                tty.out.clear();
                tty.packet(pkt::FLUSHWRITE, 0);
            }
        }
        req::TCXONC => {
            let tty = ctx.k.ttys.get_mut(id).ok_or(Errno::EIO)?;
            match arg.0 {
                0 => {
                    tty.stop_output();
                    tty.ld.tco_stopped = true;
                }
                1 => {
                    tty.ld.tco_stopped = false;
                    tty.start_output();
                }
                // TCIOFF and TCION send VSTOP or VSTART to the other end.
                2 | 3 => {
                    let index = if arg.0 == 2 { cc::VSTOP } else { cc::VSTART };
                    let c = tty.termios.cc[index];
                    if c != 0 {
                        match side {
                            Side::Slave => tty.out.push_back(c),
                            Side::Master => tty.ld.waiting.push_back(c),
                        }
                    }
                }
                _ => return Err(Errno::EINVAL.into()),
            }
            tty::pump(ctx.k, id);
        }
        // A pair has no line to break: tcdrain and tcsendbreak only wait.
        _ => wait_drained(ctx, id)?,
    }
    tty::flush_to_host(ctx.k, ctx.host, id);
    ctx.k.wake(WaitKey::Tty(id));
    Ok(0)
}

/// Queues, exclusive use and the rest.
fn queues(ctx: &mut Ctx<'_>, id: TtyId, side: Side, request: u32, arg: Addr) -> SysResult {
    let gone = Errno::EIO;
    match request {
        req::FIONREAD => {
            let tty = ctx.k.ttys.get(id).ok_or(gone)?;
            let n = if side == Side::Slave { tty.readable_bytes() } else { tty.out.len() };
            ctx.write_u32(arg, u32::try_from(n).unwrap_or(u32::MAX))?;
        }
        req::TIOCOUTQ => {
            let tty = ctx.k.ttys.get(id).ok_or(gone)?;
            let n = if matches!(tty.wire, Wire::Host { .. }) { tty.out.len() } else { 0 };
            ctx.write_u32(arg, u32::try_from(n).unwrap_or(u32::MAX))?;
        }
        req::TIOCSTI => {
            let admin = jobctl::capable_admin(ctx.k, ctx.tid);
            if ctx.group().tty != Some(id) && !admin {
                return Err(Errno::EPERM.into());
            }
            let mut byte = [0];
            ctx.read_user(arg, &mut byte)?;
            let tty = ctx.k.ttys.get_mut(id).ok_or(gone)?;
            if tty.ld.waiting.len() < tty::WAITING_MAX {
                tty.ld.waiting.push_back(byte[0]);
            }
            tty::pump(ctx.k, id);
            tty::flush_to_host(ctx.k, ctx.host, id);
        }
        req::TIOCEXCL => ctx.k.ttys.get_mut(id).ok_or(gone)?.exclusive = true,
        req::TIOCNXCL => ctx.k.ttys.get_mut(id).ok_or(gone)?.exclusive = false,
        req::TIOCGEXCL => {
            let exclusive = ctx.k.ttys.get(id).ok_or(gone)?.exclusive;
            ctx.write_u32(arg, u32::from(exclusive))?;
        }
        req::TIOCGETD => ctx.write_u32(arg, 0)?,
        req::TIOCSETD => {
            jobctl::check_change(ctx, id, SIGTTOU)?;
            // N_TTY is the only line discipline there is.
            if ctx.read_u32(arg)? != 0 {
                return Err(Errno::EINVAL.into());
            }
        }
        req::TIOCGSOFTCAR => ctx.write_u32(arg, 0)?,
        req::TIOCSSOFTCAR => {
            ctx.read_u32(arg)?;
        }
        req::TIOCGDEV => {
            let index = ctx.k.ttys.get(id).ok_or(gone)?.index;
            let major = if side == Side::Slave { 136 } else { 128 };
            ctx.write_u32(arg, u32::try_from(makedev(major, index)).unwrap_or(0))?;
        }
        req::TIOCVHANGUP => {
            if !jobctl::capable_admin(ctx.k, ctx.tid) {
                return Err(Errno::EPERM.into());
            }
            jobctl::hangup(ctx.k, id);
        }
        req::TIOCCONS => {
            if !jobctl::capable_admin(ctx.k, ctx.tid) {
                return Err(Errno::EPERM.into());
            }
            let at = format!("task {}", ctx.tid.0);
            ctx.k.gap("ioctl TIOCCONS: console output cannot be redirected".to_owned(), at);
            return Err(Errno::ENOTTY.into());
        }
        req::TIOCGLCKTRMIOS => ctx.write_user(arg, &[0; TERMIOS_SIZE])?,
        req::TIOCSLCKTRMIOS => {
            let at = format!("task {}", ctx.tid.0);
            ctx.k.gap("ioctl TIOCSLCKTRMIOS: terminal settings cannot be locked".to_owned(), at);
            return Err(Errno::ENOTTY.into());
        }
        _ => return Err(Errno::ENOTTY.into()),
    }
    Ok(0)
}
