//! Terminals: state, files, and the host's own terminal.
//!
//! Key types: [`Tty`] (one terminal: the slave's side of a pair), [`TtyFile`]. Neighbours: [`super::ldisc`] (what input and
//! output go through), [`super::pty`] (the master's side), [`super::jobctl`] (sessions, background groups, hangup),
//! [`super::tty_ioctl`].
//!
//! **Invariant**: a byte that a write counted as taken is in `out` or on the wire; a host that cannot take it now gets it
//! later. The host's terminal is raw: editing, echo and signals are made here.

use std::collections::VecDeque;

use crate::abi::errno::Errno;
use crate::abi::termios::{Termios, cc, lflag};
use crate::arena::id;
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::dev::makedev;
use crate::file::jobctl;
use crate::file::ldisc::Ldisc;
use crate::file::{File, FileId, FileOps, Ready, flags};
use crate::kernel::Kernel;
use crate::seam::{Direction, Host, Stream, StreamKind};
use crate::task::wait::{OnSignal, Wait, WaitKey};
use crate::task::{GroupId, TaskId};
use crate::vfs::walk::Walk;
use crate::vfs::{Loc, Stat, ftype};

id! {
    /// A terminal.
    TtyId;
}

/// Bytes of output that may wait before a writer has to.
const OUTPUT_MAX: usize = 8192;
/// The same for the host's terminal.
const HOST_OUTPUT_MAX: usize = 65536;
/// Bytes of input that may wait for the line discipline.
pub(crate) const WAITING_MAX: usize = 65536;

/// What is at the other end of a terminal's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// A pseudo-terminal master.
    Master,
    /// The host's terminal.
    Host {
        /// Where output goes.
        output: Stream,
        /// Whether input comes from standard input, and has not ended.
        input: bool,
    },
}

/// Size in characters and pixels (`struct winsize`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WinSize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
    /// Width in pixels.
    pub xpixel: u16,
    /// Height in pixels.
    pub ypixel: u16,
}

/// A terminal.
#[derive(Debug, Clone)]
pub struct Tty {
    /// Its number below /dev/pts.
    pub index: u32,
    /// The other end.
    pub wire: Wire,
    /// Settings.
    pub termios: Termios,
    /// Size.
    pub winsize: WinSize,
    /// Line discipline.
    pub ld: Ldisc,
    /// Processed output on its way to the wire.
    pub out: VecDeque<u8>,
    /// Session that it controls.
    pub session: Option<GroupId>,
    /// Foreground process group.
    pub pgrp: Option<GroupId>,
    /// TIOCEXCL.
    pub exclusive: bool,
    /// TIOCSPTLCK: the slave cannot be opened.
    pub locked: bool,
    /// Open files of the slave's side.
    pub slaves: u32,
    /// Whether the slave was open once and is closed now.
    pub slave_closed: bool,
    /// Open files of the master's side.
    pub masters: u32,
    /// How often it was hung up; files opened before are dead.
    pub hangups: u32,
    /// TIOCPKT.
    pub packet_mode: bool,
    /// Status bits that the master has not read.
    pub packet_status: u8,
    /// Owner of the node in /dev/pts.
    pub owner: u32,
    /// Its group.
    pub group: u32,
    /// Its permission bits.
    pub mode: u32,
}

/// Group of new terminals: Debian's `tty`.
const TTY_GROUP: u32 = 5;

impl Tty {
    /// A terminal nobody has opened.
    #[must_use]
    pub fn new(index: u32, wire: Wire) -> Self {
        Tty {
            index,
            wire,
            termios: Termios::default(),
            winsize: WinSize::default(),
            ld: Ldisc::default(),
            out: VecDeque::new(),
            session: None,
            pgrp: None,
            exclusive: false,
            locked: false,
            slaves: 0,
            slave_closed: false,
            masters: 0,
            hangups: 0,
            packet_mode: false,
            packet_status: 0,
            owner: 0,
            group: TTY_GROUP,
            mode: 0o620,
        }
    }

    fn output_max(&self) -> usize {
        if self.wire == Wire::Master { OUTPUT_MAX } else { HOST_OUTPUT_MAX }
    }

    /// Bytes of output that a writer may add now.
    fn output_room(&self) -> usize {
        if self.ld.stopped { 0 } else { self.output_max().saturating_sub(self.out.len()) }
    }

    /// Output processing of `data` as far as there is room; how much was taken.
    fn output(&mut self, data: &[u8]) -> usize {
        let mut wire = Vec::new();
        let room = self.output_room();
        let mut taken = 0;
        for byte in data {
            // One character becomes eight at most (a tab).
            if wire.len() + 8 > room {
                break;
            }
            self.output_char(*byte, &mut wire);
            taken += 1;
        }
        self.out.extend(wire);
        taken
    }

    /// How many bytes a reader has to wait for, as poll sees it.
    fn poll_minimum(&self) -> usize {
        let (time, min) = (self.termios.cc[cc::VTIME], usize::from(self.termios.cc[cc::VMIN]));
        if self.termios.l(lflag::ICANON) || time != 0 || min == 0 { 1 } else { min }
    }
}

/// A terminal (a slave's side) as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtyFile {
    /// Which.
    pub tty: TtyId,
    /// Its count of hangups when opened.
    pub opened: u32,
}

impl TtyFile {
    /// The terminal, unless it was hung up since.
    pub(crate) fn live<'k>(&self, k: &'k Kernel) -> Option<&'k Tty> {
        k.ttys.get(self.tty).filter(|tty| tty.hangups == self.opened)
    }
}

impl FileOps for TtyFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        if self.live(ctx.k).is_none() {
            return Ok(Vec::new());
        }
        jobctl::check_read(ctx, self.tty)?;
        if max == 0 {
            return Ok(Vec::new());
        }
        host_input(ctx.k, ctx.host, self.tty);
        // What was sent in between may have been a signal to ourselves; the way out of the kernel sees it.
        let Some(tty) = self.live(ctx.k) else { return Ok(Vec::new()) };
        let available = tty.available();
        let canonical = tty.termios.l(lflag::ICANON);
        let (min, time) = (usize::from(tty.termios.cc[cc::VMIN]), u64::from(tty.termios.cc[cc::VTIME]));
        let enough = if canonical { 1 } else { min.clamp(1, max) };
        let nonblock = ctx.file(id).flags & flags::O_NONBLOCK != 0;
        if available >= enough || (available > 0 && nonblock) {
            return Ok(self.take(ctx, max));
        }
        if canonical {
            return Err(ctx.block_on(id));
        }
        if min == 0 && time == 0 {
            return Ok(Vec::new());
        }
        if nonblock {
            return Err(Errno::EAGAIN.into());
        }
        // VTIME: without VMIN a limit for the whole read; with VMIN one between bytes, from the first on.
        let mut until = None;
        if time != 0 && (min == 0 || available > 0) {
            let now = ctx.now_ns();
            let seen = u64::try_from(available).unwrap_or(0);
            if ctx.call.deadline_ns.is_none() || ctx.call.done != seen {
                ctx.call.deadline_ns = Some(now + time * 100_000_000);
                ctx.call.done = seen;
            }
            until = ctx.call.deadline_ns;
            if until.is_some_and(|at| at <= now) {
                return Ok(if available > 0 { self.take(ctx, max) } else { Vec::new() });
            }
        }
        Err(Stop::Block(Wait::any(vec![WaitKey::Tty(self.tty)], until, OnSignal::Restart)))
    }

    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], _pos: u64) -> Result<usize, Stop> {
        let Some(tty) = self.live(ctx.k) else { return Err(Errno::EIO.into()) };
        if tty.termios.l(lflag::TOSTOP) {
            jobctl::check_change(ctx, self.tty, jobctl::SIGTTOU)?;
        }
        if data.is_empty() {
            return Ok(0);
        }
        flush_to_host(ctx.k, ctx.host, self.tty);
        let Some(tty) = ctx.k.ttys.get_mut(self.tty) else { return Err(Errno::EIO.into()) };
        let taken = tty.output(data);
        if taken == 0 {
            return Err(ctx.block_on(id));
        }
        flush_to_host(ctx.k, ctx.host, self.tty);
        ctx.k.wake(WaitKey::Tty(self.tty));
        Ok(taken)
    }

    fn ready(&self, k: &mut Kernel, host: &mut dyn Host, _id: FileId) -> Ready {
        if self.live(k).is_none() {
            return Ready::IN | Ready::OUT | Ready::ERR | Ready::HUP | Ready::RDNORM | Ready::WRNORM;
        }
        host_input(k, host, self.tty);
        flush_to_host(k, host, self.tty);
        let mut ready = Ready::empty();
        if let Some(tty) = self.live(k) {
            ready.set(Ready::IN | Ready::RDNORM, tty.available() >= tty.poll_minimum());
            ready.set(Ready::OUT | Ready::WRNORM, tty.output_room() > 256);
        }
        ready
    }

    fn wait_keys(&self, _k: &Kernel, _id: FileId) -> Vec<WaitKey> {
        vec![WaitKey::Tty(self.tty)]
    }

    fn ioctl(&self, ctx: &mut Ctx<'_>, id: FileId, request: u32, arg: Addr) -> SysResult {
        if self.live(ctx.k).is_none() {
            let gone =
                if request == crate::abi::termios::req::TIOCSPGRP { Errno::ENOTTY } else { Errno::EIO };
            return Err(gone.into());
        }
        super::tty_ioctl::ioctl(ctx, id, self.tty, super::tty_ioctl::Side::Slave, request, arg)
    }

    fn reopen(&self, ctx: &mut Ctx<'_>, _id: FileId, open_flags: u32) -> Result<File, Stop> {
        open(ctx, self.tty, open_flags)
    }

    fn stat(&self, k: &Kernel, id: FileId) -> Stat {
        let rdev = k.ttys.get(self.tty).map_or(0, |tty| makedev(136, tty.index));
        Stat { rdev, ..Stat::anonymous(u64::from(id.0), ftype::S_IFCHR | 0o620) }
    }

    fn release(&self, k: &mut Kernel, _id: FileId) {
        super::pty::slave_closed(k, self.tty);
    }

    fn describe(&self, k: &Kernel, _id: FileId) -> String {
        k.ttys.get(self.tty).map_or_else(|| "/dev/tty".to_owned(), |tty| format!("/dev/pts/{}", tty.index))
    }
}

impl TtyFile {
    fn take(&self, ctx: &mut Ctx<'_>, max: usize) -> Vec<u8> {
        let Some(tty) = ctx.k.ttys.get_mut(self.tty) else { return Vec::new() };
        let data = tty.take(max);
        pump(ctx.k, self.tty);
        flush_to_host(ctx.k, ctx.host, self.tty);
        data
    }
}

/// Opens a terminal's slave side. `EIO` while locked or without a master, `EBUSY` if somebody has it exclusively.
pub(crate) fn open(ctx: &mut Ctx<'_>, id: TtyId, open_flags: u32) -> Result<File, Stop> {
    let privileged = super::jobctl::capable_admin(ctx.k, ctx.tid);
    let Some(tty) = ctx.k.ttys.get_mut(id) else { return Err(Errno::ENXIO.into()) };
    if tty.locked || (tty.wire == Wire::Master && tty.masters == 0) {
        return Err(Errno::EIO.into());
    }
    if tty.exclusive && !privileged {
        return Err(Errno::EBUSY.into());
    }
    tty.slaves += 1;
    tty.slave_closed = false;
    let opened = tty.hangups;
    let readable = open_flags & flags::O_ACCMODE != flags::O_WRONLY;
    if open_flags & flags::O_NOCTTY == 0 && readable {
        jobctl::adopt(ctx.k, ctx.tid, id);
    }
    ctx.k.wake(WaitKey::Tty(id));
    Ok(File::Tty(TtyFile { tty: id, opened }))
}

/// Lets the line discipline work on what came in, sends the signals it asks for, and wakes whoever waits.
pub(crate) fn pump(k: &mut Kernel, id: TtyId) {
    let Some(tty) = k.ttys.get_mut(id) else { return };
    if tty.ld.waiting.is_empty() {
        return;
    }
    let signals = tty.receive();
    for signal in signals {
        jobctl::signal_foreground(k, id, signal);
    }
    k.wake(WaitKey::Tty(id));
}

// The host's terminal.

/// The terminal behind which the host's stands.
fn find_host_tty(k: &Kernel) -> Option<TtyId> {
    k.ttys.iter().find(|(_, tty)| matches!(tty.wire, Wire::Host { .. })).map(|(id, _)| id)
}

/// The host's terminal as one of ours, made when first asked for; `None` if no standard stream is a terminal.
pub fn host_tty(k: &mut Kernel, host: &mut dyn Host) -> Option<TtyId> {
    if let Some(id) = find_host_tty(k) {
        return Some(id);
    }
    let mut is_tty = |stream| host.stream_kind(stream) == StreamKind::Terminal;
    let input = is_tty(Stream::Stdin);
    let output = [Stream::Stdout, Stream::Stderr].into_iter().find(|stream| is_tty(*stream));
    if !input && output.is_none() {
        return None;
    }
    let wire = Wire::Host { output: output.unwrap_or(Stream::Stdin), input };
    let mut tty = Tty::new(super::pty::free_index(k), wire);
    tty.owner = k.config.user.0;
    // A terminal of today speaks UTF-8: erasing takes back whole characters.
    tty.termios.iflag |= crate::abi::termios::iflag::IUTF8;
    if let Some(size) = host.window_size() {
        tty.winsize = WinSize { rows: size.rows, cols: size.cols, ..WinSize::default() };
    }
    Some(k.ttys.insert(tty))
}

/// Makes the host's terminal the controlling terminal of the first process, in the foreground.
pub fn control_host_tty(k: &mut Kernel, tid: TaskId, id: TtyId) {
    jobctl::adopt(k, tid, id);
}

/// The place of a terminal below /dev/pts, for ttyname(3); `None` if nothing is mounted there.
pub fn place(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, id: TtyId) -> Option<Loc> {
    let path = format!("/dev/pts/{}", k.ttys.get(id)?.index);
    let mut walk = Walk::of_kernel(k, host).ok()?;
    walk.who = Some(tid);
    walk.all(path.as_bytes()).ok()
}

/// An open file on a terminal without going through a path (standard streams).
pub fn open_direct(k: &mut Kernel, id: TtyId) -> Option<File> {
    let tty = k.ttys.get_mut(id)?;
    tty.slaves += 1;
    Some(File::Tty(TtyFile { tty: id, opened: tty.hangups }))
}

/// Host streams that terminals want to hear of.
pub fn host_interest(k: &Kernel) -> Vec<(Stream, Direction)> {
    let mut wanted = Vec::new();
    for (_, tty) in k.ttys.iter() {
        if let Wire::Host { output, input } = tty.wire {
            if input && tty.ld.waiting.len() < INPUT_STEP {
                wanted.push((Stream::Stdin, Direction::Read));
            }
            if !tty.out.is_empty() {
                wanted.push((output, Direction::Write));
            }
        }
    }
    wanted
}

/// Bytes asked of the host at once.
const INPUT_STEP: usize = 4096;

/// Takes what the host's terminal has for us, if this is the host's terminal.
pub(crate) fn host_input(k: &mut Kernel, host: &mut dyn Host, id: TtyId) {
    loop {
        let Some(tty) = k.ttys.get_mut(id) else { return };
        let Wire::Host { input: true, output } = tty.wire else { return };
        if tty.ld.waiting.len() >= INPUT_STEP {
            break;
        }
        match host.stream_read(Stream::Stdin, INPUT_STEP) {
            Ok(data) if !data.is_empty() => {
                tty.ld.waiting.extend(data);
                pump(k, id);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => break,
            // The end of a raw terminal, or an error: it was hung up.
            Ok(_) | Err(_) => {
                tty.wire = Wire::Host { output, input: false };
                jobctl::hangup(k, id);
                return;
            }
        }
    }
    flush_to_host(k, host, id);
}

/// Writes waiting output to the host, as far as it takes it, if this is the host's terminal.
pub(crate) fn flush_to_host(k: &mut Kernel, host: &mut dyn Host, id: TtyId) {
    let Some(tty) = k.ttys.get(id) else { return };
    let Wire::Host { output, .. } = tty.wire else { return };
    if tty.out.is_empty() {
        return;
    }
    let Some(tty) = k.ttys.get_mut(id) else { return };
    while !tty.out.is_empty() {
        let (first, _) = tty.out.as_slices();
        match host.stream_write(output, first) {
            Ok(0) | Err(Errno::EAGAIN | Errno::EINTR) => return,
            Ok(n) => {
                let n = n.min(tty.out.len());
                tty.out.drain(..n);
            }
            // Nobody will ever see it.
            Err(_) => tty.out.clear(),
        }
    }
}

/// The host's terminal has input.
pub fn host_readable(k: &mut Kernel, host: &mut dyn Host, stream: Stream) {
    if stream == Stream::Stdin
        && let Some(id) = find_host_tty(k)
    {
        host_input(k, host, id);
    }
}

/// The host's terminal can take output again.
pub fn host_writable(k: &mut Kernel, host: &mut dyn Host) {
    if let Some(id) = find_host_tty(k) {
        flush_to_host(k, host, id);
        k.wake(WaitKey::Tty(id));
    }
}

/// Writes all waiting output before the machine ends; waits for the host at most `patience_ns`.
pub fn drain(k: &mut Kernel, host: &mut dyn Host, patience_ns: u64) {
    let Some(id) = find_host_tty(k) else { return };
    let end = k.time.monotonic(host, k.retired).saturating_add(patience_ns);
    loop {
        flush_to_host(k, host, id);
        let Some(tty) = k.ttys.get(id) else { return };
        let Wire::Host { output, .. } = tty.wire else { return };
        if tty.out.is_empty() || k.time.monotonic(host, k.retired) >= end {
            return;
        }
        host.wait(k.retired, Some(end), &[(output, Direction::Write)]);
    }
}

/// The host's terminal changed its size.
pub fn host_resized(k: &mut Kernel, host: &mut dyn Host) {
    let Some(id) = find_host_tty(k) else { return };
    if let Some(size) = host.window_size() {
        resize(k, id, WinSize { rows: size.rows, cols: size.cols, ..WinSize::default() });
    }
}

/// Sets the size; the foreground group hears of a change by SIGWINCH.
pub(crate) fn resize(k: &mut Kernel, id: TtyId, size: WinSize) {
    let Some(tty) = k.ttys.get_mut(id) else { return };
    if tty.winsize != size {
        tty.winsize = size;
        jobctl::signal_foreground(k, id, jobctl::SIGWINCH);
    }
}
