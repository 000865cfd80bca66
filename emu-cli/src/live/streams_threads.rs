//! Standard streams of a host without poll(2): a thread reads standard input, writes block.
//!
//! **Invariant**: the reading thread never holds a lock while it waits for input.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use emu_syscalls::abi::errno::Errno;
use emu_syscalls::seam::{Direction, HostEvent, Stream, StreamKind, WindowSize};

#[derive(Debug, Default)]
struct Input {
    bytes: Mutex<(VecDeque<u8>, bool)>,
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct Streams {
    input: Arc<Input>,
    reading: bool,
}

impl Streams {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Streams { input: Arc::default(), reading: false })
    }

    fn start_reading(&mut self) {
        if self.reading {
            return;
        }
        self.reading = true;
        let input = Arc::clone(&self.input);
        std::thread::spawn(move || {
            let mut buf = [0; 4096];
            loop {
                let n = io::stdin().read(&mut buf).unwrap_or(0);
                let Ok(mut state) = input.bytes.lock() else { return };
                state.0.extend(&buf[..n]);
                state.1 = n == 0;
                input.changed.notify_all();
                if n == 0 {
                    return;
                }
            }
        });
    }

    pub(super) fn stream_kind(&self, stream: Stream) -> StreamKind {
        let terminal = match stream {
            Stream::Stdin => io::stdin().is_terminal(),
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        };
        if terminal { StreamKind::Terminal } else { StreamKind::Pipe }
    }

    pub(super) fn stream_read(&mut self, _stream: Stream, max: usize) -> Result<Vec<u8>, Errno> {
        self.start_reading();
        let mut state = self.input.bytes.lock().map_err(|_| Errno::EIO)?;
        if state.0.is_empty() {
            return if state.1 { Ok(Vec::new()) } else { Err(Errno::EAGAIN) };
        }
        let take = max.min(state.0.len());
        Ok(state.0.drain(..take).collect())
    }

    pub(super) fn stream_write(&mut self, stream: Stream, data: &[u8]) -> Result<usize, Errno> {
        let done = match stream {
            Stream::Stdin => return Err(Errno::EBADF),
            Stream::Stdout => io::stdout().write(data).and_then(|n| io::stdout().flush().map(|()| n)),
            Stream::Stderr => io::stderr().write(data),
        };
        done.map_err(
            |error| if error.kind() == io::ErrorKind::BrokenPipe { Errno::EPIPE } else { Errno::EIO },
        )
    }

    pub(super) fn stream_ready(&mut self, stream: Stream) -> (bool, bool) {
        if stream != Stream::Stdin {
            return (false, true);
        }
        self.start_reading();
        let readable = self.input.bytes.lock().is_ok_and(|state| !state.0.is_empty() || state.1);
        (readable, false)
    }

    pub(super) fn window_size(&self) -> Option<WindowSize> {
        None
    }

    pub(super) fn poll(&mut self) -> Vec<HostEvent> {
        if self.reading && self.stream_ready(Stream::Stdin).0 {
            vec![HostEvent::Readable(Stream::Stdin)]
        } else {
            Vec::new()
        }
    }

    pub(super) fn wait(
        &mut self,
        timeout_ns: Option<u64>,
        interest: &[(Stream, Direction)],
    ) -> Vec<HostEvent> {
        let writers = interest.iter().filter(|(_, direction)| *direction == Direction::Write);
        let mut events: Vec<HostEvent> = writers.map(|(stream, _)| HostEvent::Writable(*stream)).collect();
        let reads = interest.contains(&(Stream::Stdin, Direction::Read));
        if !events.is_empty() {
            return events;
        }
        if !reads {
            if let Some(ns) = timeout_ns {
                std::thread::sleep(Duration::from_nanos(ns));
            }
            return events;
        }
        self.start_reading();
        let Ok(state) = self.input.bytes.lock() else { return events };
        let empty = |state: &mut (VecDeque<u8>, bool)| state.0.is_empty() && !state.1;
        let limit = Duration::from_nanos(timeout_ns.unwrap_or(u64::MAX / 2));
        let woken = self.input.changed.wait_timeout_while(state, limit, empty);
        if woken.is_ok_and(|(_, timeout)| !timeout.timed_out()) {
            events.push(HostEvent::Readable(Stream::Stdin));
        }
        events
    }
}

/// The host's terminal; its mode is left alone here.
#[derive(Debug)]
pub(crate) struct Terminal;

impl Terminal {
    /// Raw mode is not switched on such a host.
    pub(crate) fn raw() -> Option<Terminal> {
        None
    }
    /// Never.
    pub(crate) fn is_raw() -> bool {
        false
    }
    /// Nothing to put back.
    pub(crate) fn restore() {}
}
