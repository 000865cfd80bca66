//! Standard streams, terminal and signals of a Unix host.
//!
//! **Invariant**: no file flag of a stream is changed (they are shared with whoever started us); a write is made only
//! when poll(2) says that it will not block.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use emu_syscalls::abi::errno::Errno;
use emu_syscalls::seam::{Direction, HostEvent, Stream, StreamKind, WindowSize};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::signal::{
    SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};

/// What one write to a pipe may hold without blocking when poll says it is writable (POSIX PIPE_BUF).
const PIPE_BUF: usize = 4096;
/// Longest single write to other streams.
const WRITE_MAX: usize = 64 * 1024;

/// Signals of the host that are passed on, with the numbers x86-64 Linux gives them.
const PASSED_ON: [(i32, u8); 7] =
    [(SIGHUP, 1), (SIGINT, 2), (SIGQUIT, 3), (SIGUSR1, 10), (SIGUSR2, 12), (SIGTERM, 15), (SIGCONT, 18)];

#[derive(Debug)]
pub(super) struct Streams {
    signals: Vec<(Arc<AtomicBool>, HostEvent)>,
    /// Readable when a signal came, so that poll(2) ends.
    wake: UnixStream,
    kinds: [StreamKind; 3],
}

fn fd(stream: Stream) -> BorrowedFd<'static> {
    match stream {
        Stream::Stdin => rustix::stdio::stdin(),
        Stream::Stdout => rustix::stdio::stdout(),
        Stream::Stderr => rustix::stdio::stderr(),
    }
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdin => 0,
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    }
}

fn kind(stream: Stream) -> StreamKind {
    let fd = fd(stream);
    let Ok(stat) = rustix::fs::fstat(fd) else { return StreamKind::Closed };
    if isatty(fd) {
        return StreamKind::Terminal;
    }
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => StreamKind::File(u64::try_from(stat.st_size).unwrap_or(0)),
        FileType::CharacterDevice | FileType::BlockDevice => StreamKind::CharDevice,
        _ => StreamKind::Pipe,
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    if error == rustix::io::Errno::AGAIN {
        return Errno::EAGAIN;
    }
    if error == rustix::io::Errno::PIPE {
        return Errno::EPIPE;
    }
    if error == rustix::io::Errno::NOSPC {
        return Errno::ENOSPC;
    }
    if error == rustix::io::Errno::BADF {
        return Errno::EBADF;
    }
    if error == rustix::io::Errno::FBIG {
        return Errno::EFBIG;
    }
    Errno::EIO
}

impl Streams {
    pub(super) fn new() -> io::Result<Self> {
        let (wake, trigger) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        trigger.set_nonblocking(true)?;
        let mut signals = Vec::new();
        let passed = PASSED_ON.iter().map(|(host, guest)| (*host, HostEvent::Signal(*guest)));
        for (number, event) in passed.chain([(SIGWINCH, HostEvent::WindowSize)]) {
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(number, Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(number, trigger.try_clone()?)?;
            signals.push((flag, event));
        }
        Ok(Streams {
            signals,
            wake,
            kinds: [kind(Stream::Stdin), kind(Stream::Stdout), kind(Stream::Stderr)],
        })
    }

    pub(super) fn stream_kind(&self, stream: Stream) -> StreamKind {
        self.kinds[index(stream)]
    }

    pub(super) fn stream_read(&mut self, stream: Stream, max: usize) -> Result<Vec<u8>, Errno> {
        if !self.stream_ready(stream).0 {
            return Err(Errno::EAGAIN);
        }
        let mut buf = vec![0; max.min(WRITE_MAX)];
        let n = rustix::io::read(fd(stream), &mut buf).map_err(errno)?;
        buf.truncate(n);
        Ok(buf)
    }

    pub(super) fn stream_write(&mut self, stream: Stream, data: &[u8]) -> Result<usize, Errno> {
        let max = match self.stream_kind(stream) {
            StreamKind::Closed => return Err(Errno::EBADF),
            StreamKind::Pipe => PIPE_BUF,
            _ => WRITE_MAX,
        };
        if !self.stream_ready(stream).1 {
            return Err(Errno::EAGAIN);
        }
        rustix::io::write(fd(stream), &data[..data.len().min(max)]).map_err(errno)
    }

    pub(super) fn stream_ready(&mut self, stream: Stream) -> (bool, bool) {
        match self.stream_kind(stream) {
            StreamKind::File(_) | StreamKind::Closed => (true, true),
            _ => {
                let fd = fd(stream);
                let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN | PollFlags::OUT)];
                match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                    Ok(_) => {
                        let got = fds[0].revents();
                        let ended = got.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
                        (got.contains(PollFlags::IN) || ended, got.contains(PollFlags::OUT) || ended)
                    }
                    Err(_) => (false, false),
                }
            }
        }
    }

    pub(super) fn window_size(&self) -> Option<WindowSize> {
        let size =
            [Stream::Stdin, Stream::Stdout, Stream::Stderr].iter().find_map(|s| tcgetwinsize(fd(*s)).ok())?;
        Some(WindowSize { rows: size.ws_row, cols: size.ws_col })
    }

    /// Stops emu as the terminal's stop key would have, with the terminal as it was before us.
    pub(super) fn suspend(&mut self) {
        Terminal::restore();
        // The default action: whoever started us sees us stopped; if nobody could, the kernel ignores it.
        let _ = signal_hook::low_level::raise(SIGTSTP);
        Terminal::raw_again();
    }

    /// Signals that came since last asked.
    pub(super) fn poll(&mut self) -> Vec<HostEvent> {
        let mut events = Vec::new();
        for (flag, event) in &self.signals {
            if flag.swap(false, Ordering::AcqRel) {
                if matches!(event, HostEvent::Signal(18)) {
                    Terminal::raw_again();
                }
                events.push(*event);
            }
        }
        if self.kinds[0] == StreamKind::Terminal && self.stream_ready(Stream::Stdin).0 {
            events.push(HostEvent::Readable(Stream::Stdin));
        }
        events
    }

    pub(super) fn wait(
        &mut self,
        timeout_ns: Option<u64>,
        interest: &[(Stream, Direction)],
    ) -> Vec<HostEvent> {
        let mut events = self.poll_signals_only();
        if !events.is_empty() {
            return events;
        }
        let mut fds: Vec<PollFd<'_>> = interest
            .iter()
            .map(|(stream, direction)| {
                let flags = match direction {
                    Direction::Read => PollFlags::IN,
                    Direction::Write => PollFlags::OUT,
                };
                PollFd::from_borrowed_fd(fd(*stream), flags)
            })
            .collect();
        fds.push(PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN));
        let timeout = timeout_ns.map(|ns| Timespec {
            tv_sec: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(ns % 1_000_000_000).unwrap_or(0),
        });
        // An error is EINTR: the caller comes back.
        let _ = poll(&mut fds, timeout.as_ref());
        for ((stream, direction), fd) in interest.iter().zip(&fds) {
            if !fd.revents().is_empty() {
                events.push(match direction {
                    Direction::Read => HostEvent::Readable(*stream),
                    Direction::Write => HostEvent::Writable(*stream),
                });
            }
        }
        drop(fds);
        let mut sink = [0; 64];
        while matches!((&self.wake).read(&mut sink), Ok(n) if n > 0) {}
        events.extend(self.poll_signals_only());
        events
    }

    fn poll_signals_only(&mut self) -> Vec<HostEvent> {
        let mut events = self.poll();
        events.retain(|event| !matches!(event, HostEvent::Readable(_)));
        events
    }
}

/// What the terminal was like before us, to be put back however emu ends.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

/// The host's terminal in raw mode; put back when dropped, and by [`Terminal::restore`].
#[derive(Debug)]
pub(crate) struct Terminal;

impl Terminal {
    /// Switches to raw mode if standard input is a terminal.
    pub(crate) fn raw() -> Option<Terminal> {
        let stdin = rustix::stdio::stdin();
        if !isatty(stdin) {
            return None;
        }
        let saved = tcgetattr(stdin).ok()?;
        *SAVED.lock().ok()? = Some(saved);
        Terminal::raw_again();
        Some(Terminal)
    }

    /// Raw mode once more, after emu itself was stopped and continued.
    fn raw_again() {
        if let Ok(saved) = SAVED.lock()
            && let Some(saved) = &*saved
        {
            let mut raw = saved.clone();
            raw.make_raw();
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw);
        }
    }

    /// Whether lines must end in a carriage return too.
    pub(crate) fn is_raw() -> bool {
        SAVED.try_lock().is_ok_and(|saved| saved.is_some())
    }

    /// Puts the terminal back as it was.
    pub(crate) fn restore() {
        if let Ok(saved) = SAVED.try_lock()
            && let Some(saved) = &*saved
        {
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, saved);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        Terminal::restore();
        if let Ok(mut saved) = SAVED.lock() {
            *saved = None;
        }
    }
}
