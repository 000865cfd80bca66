//! The line discipline N_TTY: editing, echo, signals and flow control on input; column and newline work on output.
//!
//! Neighbours: [`super::tty`] holds the [`Tty`] and connects it to files and to the host.
//!
//! **Invariant**: pure work on one [`Tty`]: signals are returned to the caller, who sends them; buffers are bounded
//! ([`INPUT_MAX`], [`OUTPUT_HARD_MAX`]).

use std::collections::VecDeque;

use crate::abi::termios::{Termios, cc, iflag, lflag, oflag, pkt};
use crate::file::tty::Tty;

/// Characters that the input buffer holds (N_TTY_BUF_SIZE).
pub const INPUT_MAX: usize = 4096;
/// Echo beyond this many waiting bytes is dropped.
pub const OUTPUT_HARD_MAX: usize = 1 << 17;

/// A signal that input asks for, to the foreground process group.
pub(crate) type Signals = Vec<u8>;

/// A character in the input buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The character.
    pub byte: u8,
    /// Whether a line ends here; with byte 0 it is an end-of-file mark.
    pub end: bool,
}

/// State of the line discipline.
#[derive(Debug, Clone, Default)]
pub struct Ldisc {
    /// Input that was taken in: complete lines, then the line being edited.
    pub input: VecDeque<Cell>,
    /// How many cells belong to complete lines (canonical mode).
    pub canon: usize,
    /// Bytes from the wire that found no room yet.
    pub waiting: VecDeque<u8>,
    /// The next character is taken literally.
    lnext: bool,
    /// Inside a `\.../` of ECHOPRT.
    erasing: bool,
    /// Marks put by a switch to canonical mode are no end of file.
    pushed: bool,
    /// Output column.
    column: usize,
    /// Column at which the line being edited began.
    canon_column: usize,
    /// Output is stopped (VSTOP, TCOOFF).
    pub stopped: bool,
    /// Stopped by TCOOFF: only TCOON starts it.
    pub tco_stopped: bool,
    /// Echo that waits for output to be started.
    held: VecDeque<u8>,
}

fn is_control(c: u8) -> bool {
    c < 0x20 || c == 0x7f
}

fn is_continuation(c: u8, termios: &Termios) -> bool {
    termios.i(iflag::IUTF8) && c & 0xc0 == 0x80
}

impl Tty {
    /// Takes bytes from the wire, as far as there is room; the rest stays in `waiting`.
    pub(crate) fn receive(&mut self) -> Signals {
        let mut signals = Vec::new();
        while let Some(&c) = self.ld.waiting.front() {
            let len = self.ld.input.len();
            if len >= INPUT_MAX - 1 {
                // A line too long for the buffer goes on losing its last character, so that its end can come in.
                if !self.termios.l(lflag::ICANON) || self.ld.canon > 0 {
                    break;
                }
                if len >= INPUT_MAX {
                    self.ld.input.pop_back();
                }
            }
            self.ld.waiting.pop_front();
            self.receive_char(c, &mut signals);
        }
        signals
    }

    fn receive_char(&mut self, c: u8, signals: &mut Signals) {
        let t = self.termios;
        let mut c = c;
        if t.i(iflag::ISTRIP) {
            c &= 0x7f;
        }
        if t.i(iflag::IUCLC) && t.l(lflag::IEXTEN) {
            c = c.to_ascii_lowercase();
        }
        if self.ld.lnext {
            self.ld.lnext = false;
            self.plain_char(c);
        } else if t.l(lflag::EXTPROC) {
            self.put(c, false);
        } else {
            self.special_char(c, signals);
        }
    }

    fn special_char(&mut self, c: u8, signals: &mut Signals) {
        let t = self.termios;
        let mut c = c;
        if t.i(iflag::IXON) {
            if t.is(c, cc::VSTART) {
                self.start_output();
                return;
            }
            if t.is(c, cc::VSTOP) {
                self.stop_output();
                return;
            }
        }
        if t.l(lflag::ISIG) {
            let signal = match c {
                _ if t.is(c, cc::VINTR) => 2,
                _ if t.is(c, cc::VQUIT) => 3,
                _ if t.is(c, cc::VSUSP) => 20,
                _ => 0,
            };
            if signal != 0 {
                self.signal_char(c, signal, signals);
                return;
            }
        }
        if self.ld.stopped && !self.ld.tco_stopped && t.i(iflag::IXON) && t.i(iflag::IXANY) {
            self.start_output();
        }
        match c {
            b'\r' if t.i(iflag::IGNCR) => return,
            b'\r' if t.i(iflag::ICRNL) => c = b'\n',
            b'\n' if t.i(iflag::INLCR) => c = b'\r',
            _ => {}
        }
        if t.l(lflag::ICANON) && self.canonical_char(c) {
            return;
        }
        if t.l(lflag::ECHO) && c == b'\n' {
            self.finish_erasing();
            self.echo_raw(b'\n');
            self.put(c, false);
        } else {
            self.plain_char(c);
        }
    }

    fn signal_char(&mut self, c: u8, signal: u8, signals: &mut Signals) {
        if !self.termios.l(lflag::NOFLSH) {
            self.ld.held.clear();
            self.out.clear();
            self.flush_input();
            self.packet(pkt::FLUSHREAD | pkt::FLUSHWRITE, 0);
        }
        signals.push(signal);
        if self.termios.i(iflag::IXON) {
            self.start_output();
        }
        if self.termios.l(lflag::ECHO) {
            self.echo(c);
        }
    }

    /// Line editing. Whether the character is dealt with.
    fn canonical_char(&mut self, c: u8) -> bool {
        let t = self.termios;
        let extended = t.l(lflag::IEXTEN);
        if t.is(c, cc::VERASE) {
            self.erase(Erase::Char);
        } else if t.is(c, cc::VKILL) {
            self.kill_line();
        } else if t.is(c, cc::VWERASE) && extended {
            self.erase(Erase::Word);
        } else if t.is(c, cc::VLNEXT) && extended {
            self.ld.lnext = true;
            if t.l(lflag::ECHO) {
                self.finish_erasing();
                if t.l(lflag::ECHOCTL) {
                    self.echo_raw(b'^');
                    self.echo_raw(8);
                }
            }
        } else if t.is(c, cc::VREPRINT) && t.l(lflag::ECHO) && extended {
            self.finish_erasing();
            self.echo(c);
            self.echo_raw(b'\n');
            let line: Vec<u8> = self.ld.input.iter().skip(self.ld.canon).map(|cell| cell.byte).collect();
            for byte in line {
                self.echo(byte);
            }
        } else if c == b'\n' {
            if t.l(lflag::ECHO) || t.l(lflag::ECHONL) {
                self.echo_raw(b'\n');
            }
            self.end_line(c);
        } else if t.is(c, cc::VEOF) {
            self.end_line(0);
        } else if t.is(c, cc::VEOL) || (t.is(c, cc::VEOL2) && extended) {
            if t.l(lflag::ECHO) {
                self.mark_column();
                self.echo(c);
            }
            if t.i(iflag::PARMRK) && c == 0xff {
                self.put(c, false);
            }
            self.end_line(c);
        } else {
            return false;
        }
        true
    }

    fn plain_char(&mut self, c: u8) {
        if self.termios.l(lflag::ECHO) {
            self.finish_erasing();
            self.mark_column();
            self.echo(c);
        }
        if self.termios.i(iflag::PARMRK) && c == 0xff {
            self.put(c, false);
        }
        self.put(c, false);
    }

    fn put(&mut self, byte: u8, end: bool) {
        if self.ld.input.len() < INPUT_MAX {
            self.ld.input.push_back(Cell { byte, end });
        }
    }

    fn end_line(&mut self, byte: u8) {
        self.put(byte, true);
        self.ld.canon = self.ld.input.len();
    }

    fn mark_column(&mut self) {
        if self.ld.input.len() == self.ld.canon {
            self.ld.canon_column = self.ld.column;
        }
    }

    fn finish_erasing(&mut self) {
        if self.ld.erasing {
            self.ld.erasing = false;
            self.echo_raw(b'/');
        }
    }

    fn kill_line(&mut self) {
        let t = self.termios;
        if self.ld.input.len() == self.ld.canon {
            return;
        }
        if t.l(lflag::ECHO) && t.l(lflag::ECHOK) && t.l(lflag::ECHOKE) && t.l(lflag::ECHOE) {
            self.erase(Erase::Line);
            return;
        }
        self.ld.input.truncate(self.ld.canon);
        if t.l(lflag::ECHO) {
            self.finish_erasing();
            self.echo(t.cc[cc::VKILL]);
            if t.l(lflag::ECHOK) {
                self.echo_raw(b'\n');
            }
        }
    }

    /// Takes back a character, a word or the line being edited.
    fn erase(&mut self, what: Erase) {
        let t = self.termios;
        let mut in_word = false;
        while self.ld.input.len() > self.ld.canon {
            let mut head = self.ld.input.len();
            let mut c;
            loop {
                head -= 1;
                c = self.ld.input[head].byte;
                if !is_continuation(c, &t) || head == self.ld.canon {
                    break;
                }
            }
            // A sequence without its first byte cannot be taken back.
            if is_continuation(c, &t) {
                break;
            }
            if what == Erase::Word {
                if c.is_ascii_alphanumeric() || c == b'_' {
                    in_word = true;
                } else if in_word {
                    break;
                }
            }
            let gone: Vec<u8> = self.ld.input.drain(head..).map(|cell| cell.byte).collect();
            if t.l(lflag::ECHO) {
                self.echo_erased(&gone, what);
            }
            if what == Erase::Char {
                break;
            }
        }
        if self.ld.input.len() == self.ld.canon && t.l(lflag::ECHO) {
            self.finish_erasing();
        }
    }

    fn echo_erased(&mut self, gone: &[u8], what: Erase) {
        let t = self.termios;
        let Some(&c) = gone.first() else { return };
        if t.l(lflag::ECHOPRT) {
            if !self.ld.erasing {
                self.echo_raw(b'\\');
                self.ld.erasing = true;
            }
            self.echo(c);
            for byte in &gone[1..] {
                self.echo_raw(*byte);
            }
        } else if what == Erase::Char && !t.l(lflag::ECHOE) {
            self.echo(t.cc[cc::VERASE]);
        } else if c == b'\t' {
            self.echo_erased_tab();
        } else {
            if is_control(c) && t.l(lflag::ECHOCTL) {
                self.rub_out();
            }
            if !is_control(c) || t.l(lflag::ECHOCTL) {
                self.rub_out();
            }
        }
    }

    fn rub_out(&mut self) {
        for byte in [8, b' ', 8] {
            self.echo_raw(byte);
        }
    }

    /// Moves back over a tab: to where the text before it ends.
    fn echo_erased_tab(&mut self) {
        let t = self.termios;
        let mut width = 0;
        let mut after_tab = false;
        for cell in self.ld.input.iter().skip(self.ld.canon).rev() {
            if cell.byte == b'\t' {
                after_tab = true;
                break;
            }
            if is_control(cell.byte) {
                width += if t.l(lflag::ECHOCTL) { 2 } else { 0 };
            } else if !is_continuation(cell.byte, &t) {
                width += 1;
            }
        }
        if !after_tab {
            width += self.ld.canon_column;
        }
        for _ in 0..8 - (width & 7) {
            self.echo_byte(8);
            self.ld.column = self.ld.column.saturating_sub(1);
        }
    }

    /// Echoes a character, control characters as `^X` where asked for.
    fn echo(&mut self, c: u8) {
        if self.termios.l(lflag::ECHOCTL) && is_control(c) && c != b'\t' {
            self.echo_byte(b'^');
            self.echo_byte(c ^ 0x40);
            self.ld.column += 2;
        } else {
            self.echo_raw(c);
        }
    }

    /// Echoes a character through output processing.
    fn echo_raw(&mut self, c: u8) {
        let mut bytes = Vec::new();
        self.output_char(c, &mut bytes);
        for byte in bytes {
            self.echo_byte(byte);
        }
    }

    fn echo_byte(&mut self, byte: u8) {
        let queue = if self.ld.stopped { &mut self.ld.held } else { &mut self.out };
        if queue.len() < OUTPUT_HARD_MAX {
            queue.push_back(byte);
        }
    }

    /// Output processing of one character; what goes to the wire is appended to `wire`.
    pub(crate) fn output_char(&mut self, c: u8, wire: &mut Vec<u8>) {
        let t = self.termios;
        if !t.o(oflag::OPOST) {
            wire.push(c);
            return;
        }
        let mut c = c;
        match c {
            b'\n' => {
                if t.o(oflag::ONLRET) {
                    self.ld.column = 0;
                }
                if t.o(oflag::ONLCR) {
                    self.ld.column = 0;
                    self.ld.canon_column = 0;
                    wire.push(b'\r');
                } else {
                    self.ld.canon_column = self.ld.column;
                }
            }
            b'\r' => {
                if t.o(oflag::ONOCR) && self.ld.column == 0 {
                    return;
                }
                if t.o(oflag::OCRNL) {
                    c = b'\n';
                    if t.o(oflag::ONLRET) {
                        self.ld.column = 0;
                        self.ld.canon_column = 0;
                    }
                } else {
                    self.ld.column = 0;
                    self.ld.canon_column = 0;
                }
            }
            b'\t' => {
                let spaces = 8 - (self.ld.column & 7);
                self.ld.column += spaces;
                if t.oflag & oflag::TABDLY == oflag::XTABS {
                    wire.extend(std::iter::repeat_n(b' ', spaces));
                    return;
                }
            }
            8 => self.ld.column = self.ld.column.saturating_sub(1),
            _ if is_control(c) => {}
            _ => {
                if t.o(oflag::OLCUC) {
                    c = c.to_ascii_uppercase();
                }
                if !is_continuation(c, &t) {
                    self.ld.column += 1;
                }
            }
        }
        wire.push(c);
    }

    /// VSTOP.
    pub(crate) fn stop_output(&mut self) {
        if !self.ld.stopped {
            self.ld.stopped = true;
            self.packet(pkt::STOP, pkt::START);
        }
    }

    /// VSTART: output goes on, held echo first. Nothing while TCOOFF holds.
    pub(crate) fn start_output(&mut self) {
        if self.ld.stopped && !self.ld.tco_stopped {
            self.ld.stopped = false;
            let held = std::mem::take(&mut self.ld.held);
            self.out.extend(held);
            self.packet(pkt::START, pkt::STOP);
        }
    }

    /// Forgets input that nobody has read.
    pub(crate) fn flush_input(&mut self) {
        self.ld.input.clear();
        self.ld.canon = 0;
        self.ld.erasing = false;
        self.ld.lnext = false;
        self.ld.pushed = false;
    }

    /// How many bytes a read can take now; in canonical mode an end-of-file mark alone makes this 1.
    pub(crate) fn available(&self) -> usize {
        if self.by_line() { self.ld.canon } else { self.ld.input.len() }
    }

    /// What FIONREAD says: available bytes without end-of-file marks.
    pub(crate) fn readable_bytes(&self) -> usize {
        let cells = self.ld.input.iter().take(self.available());
        if self.by_line() {
            cells.filter(|cell| !(cell.end && cell.byte == 0)).count()
        } else {
            cells.count()
        }
    }

    fn by_line(&self) -> bool {
        self.termios.l(lflag::ICANON) && !self.termios.l(lflag::EXTPROC)
    }

    /// Takes at most `max` bytes: in canonical mode at most one line. The caller made sure that some are available.
    pub(crate) fn take(&mut self, max: usize) -> Vec<u8> {
        if !self.by_line() {
            let n = max.min(self.ld.input.len());
            self.ld.canon = self.ld.canon.saturating_sub(n);
            return self.ld.input.drain(..n).map(|cell| cell.byte).collect();
        }
        let mut out = Vec::new();
        let mut ended = false;
        while out.len() < max && !ended && self.ld.canon > 0 {
            let Some(cell) = self.ld.input.pop_front() else { break };
            self.ld.canon -= 1;
            ended = cell.end;
            if !(cell.end && cell.byte == 0 && !self.ld.pushed) {
                out.push(cell.byte);
            }
        }
        if ended {
            self.ld.pushed = false;
        } else if self.ld.canon > 0
            && self.ld.input.front() == Some(&Cell { byte: 0, end: true })
            && !self.ld.pushed
        {
            // The buffer was filled exactly up to an end-of-file mark: it is not an end of file of its own.
            self.ld.input.pop_front();
            self.ld.canon -= 1;
        }
        out
    }

    /// The effects of new settings on what is buffered (n_tty_set_termios).
    pub(crate) fn apply(&mut self, new: Termios) {
        let old = self.termios;
        self.termios = new;
        if (old.lflag ^ new.lflag) & (lflag::ICANON | lflag::EXTPROC) != 0 {
            for cell in &mut self.ld.input {
                cell.end = false;
            }
            if !new.l(lflag::ICANON) || self.ld.input.is_empty() {
                self.ld.canon = 0;
                self.ld.pushed = false;
            } else {
                if let Some(last) = self.ld.input.back_mut() {
                    last.end = true;
                }
                self.ld.canon = self.ld.input.len();
                self.ld.pushed = true;
            }
            self.ld.erasing = false;
            self.ld.lnext = false;
        }
        if !new.i(iflag::IXON) && old.i(iflag::IXON) {
            self.start_output();
        }
        let flow = |t: &Termios| t.i(iflag::IXON) && t.cc[cc::VSTOP] == 0x13 && t.cc[cc::VSTART] == 0x11;
        if flow(&old) != flow(&new) {
            let (set, clear) =
                if flow(&new) { (pkt::DOSTOP, pkt::NOSTOP) } else { (pkt::NOSTOP, pkt::DOSTOP) };
            self.packet(set, clear);
        }
        if (old.l(lflag::EXTPROC) || new.l(lflag::EXTPROC)) && old != new {
            self.packet(pkt::IOCTL, 0);
        }
    }

    /// Tells a master in packet mode.
    pub(crate) fn packet(&mut self, set: u8, clear: u8) {
        if self.packet_mode {
            self.packet_status = (self.packet_status & !clear) | set;
        }
    }
}

/// How much an editing character takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Erase {
    Char,
    Word,
    Line,
}
