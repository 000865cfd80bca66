//! Terminal settings and requests as guests see them (asm-generic/termbits.h, ioctls.h).
#![allow(missing_docs, reason = "the names are those of termios(3) and ioctl_tty(2)")]

/// Bits of `c_iflag`.
pub mod iflag {
    pub const IGNBRK: u32 = 0o1;
    pub const BRKINT: u32 = 0o2;
    pub const PARMRK: u32 = 0o10;
    pub const ISTRIP: u32 = 0o40;
    pub const INLCR: u32 = 0o100;
    pub const IGNCR: u32 = 0o200;
    pub const ICRNL: u32 = 0o400;
    pub const IUCLC: u32 = 0o1000;
    pub const IXON: u32 = 0o2000;
    pub const IXANY: u32 = 0o4000;
    pub const IXOFF: u32 = 0o10000;
    pub const IMAXBEL: u32 = 0o20000;
    pub const IUTF8: u32 = 0o40000;
}

/// Bits of `c_oflag`.
pub mod oflag {
    pub const OPOST: u32 = 0o1;
    pub const OLCUC: u32 = 0o2;
    pub const ONLCR: u32 = 0o4;
    pub const OCRNL: u32 = 0o10;
    pub const ONOCR: u32 = 0o20;
    pub const ONLRET: u32 = 0o40;
    pub const TABDLY: u32 = 0o14000;
    pub const XTABS: u32 = 0o14000;
}

/// Bits of `c_cflag`.
pub mod cflag {
    pub const CBAUD: u32 = 0o10017;
    pub const CBAUDEX: u32 = 0o10000;
    pub const BOTHER: u32 = 0o10000;
    pub const B38400: u32 = 0o17;
    pub const CSIZE: u32 = 0o60;
    pub const CS8: u32 = 0o60;
    pub const CREAD: u32 = 0o200;
    pub const PARENB: u32 = 0o400;
    pub const CIBAUD_SHIFT: u32 = 16;
}

/// Bits of `c_lflag`.
pub mod lflag {
    pub const ISIG: u32 = 0o1;
    pub const ICANON: u32 = 0o2;
    pub const ECHO: u32 = 0o10;
    pub const ECHOE: u32 = 0o20;
    pub const ECHOK: u32 = 0o40;
    pub const ECHONL: u32 = 0o100;
    pub const NOFLSH: u32 = 0o200;
    pub const TOSTOP: u32 = 0o400;
    pub const ECHOCTL: u32 = 0o1000;
    pub const ECHOPRT: u32 = 0o2000;
    pub const ECHOKE: u32 = 0o4000;
    pub const IEXTEN: u32 = 0o100000;
    pub const EXTPROC: u32 = 0o200000;
}

/// Indexes into `c_cc`.
pub mod cc {
    pub const VINTR: usize = 0;
    pub const VQUIT: usize = 1;
    pub const VERASE: usize = 2;
    pub const VKILL: usize = 3;
    pub const VEOF: usize = 4;
    pub const VTIME: usize = 5;
    pub const VMIN: usize = 6;
    pub const VSTART: usize = 8;
    pub const VSTOP: usize = 9;
    pub const VSUSP: usize = 10;
    pub const VEOL: usize = 11;
    pub const VREPRINT: usize = 12;
    pub const VWERASE: usize = 14;
    pub const VLNEXT: usize = 15;
    pub const VEOL2: usize = 16;
}

/// Requests of `ioctl(2)`.
pub mod req {
    pub const TCGETS: u32 = 0x5401;
    pub const TCSETS: u32 = 0x5402;
    pub const TCSETSW: u32 = 0x5403;
    pub const TCSETSF: u32 = 0x5404;
    pub const TCGETA: u32 = 0x5405;
    pub const TCSETA: u32 = 0x5406;
    pub const TCSETAW: u32 = 0x5407;
    pub const TCSETAF: u32 = 0x5408;
    pub const TCSBRK: u32 = 0x5409;
    pub const TCXONC: u32 = 0x540a;
    pub const TCFLSH: u32 = 0x540b;
    pub const TIOCEXCL: u32 = 0x540c;
    pub const TIOCNXCL: u32 = 0x540d;
    pub const TIOCSCTTY: u32 = 0x540e;
    pub const TIOCGPGRP: u32 = 0x540f;
    pub const TIOCSPGRP: u32 = 0x5410;
    pub const TIOCOUTQ: u32 = 0x5411;
    pub const TIOCSTI: u32 = 0x5412;
    pub const TIOCGWINSZ: u32 = 0x5413;
    pub const TIOCSWINSZ: u32 = 0x5414;
    pub const TIOCGSOFTCAR: u32 = 0x5419;
    pub const TIOCSSOFTCAR: u32 = 0x541a;
    pub const FIONREAD: u32 = 0x541b;
    pub const TIOCCONS: u32 = 0x541d;
    pub const TIOCPKT: u32 = 0x5420;
    pub const TIOCNOTTY: u32 = 0x5422;
    pub const TIOCSETD: u32 = 0x5423;
    pub const TIOCGETD: u32 = 0x5424;
    pub const TCSBRKP: u32 = 0x5425;
    pub const TIOCSBRK: u32 = 0x5427;
    pub const TIOCCBRK: u32 = 0x5428;
    pub const TIOCGSID: u32 = 0x5429;
    pub const TCGETS2: u32 = 0x802c_542a;
    pub const TCSETS2: u32 = 0x402c_542b;
    pub const TCSETSW2: u32 = 0x402c_542c;
    pub const TCSETSF2: u32 = 0x402c_542d;
    pub const TIOCGPTN: u32 = 0x8004_5430;
    pub const TIOCSPTLCK: u32 = 0x4004_5431;
    pub const TIOCGDEV: u32 = 0x8004_5432;
    pub const TIOCSIG: u32 = 0x4004_5436;
    pub const TIOCVHANGUP: u32 = 0x5437;
    pub const TIOCGPKT: u32 = 0x8004_5438;
    pub const TIOCGPTLCK: u32 = 0x8004_5439;
    pub const TIOCGEXCL: u32 = 0x8004_5440;
    pub const TIOCGPTPEER: u32 = 0x5441;
    pub const TIOCGLCKTRMIOS: u32 = 0x5456;
    pub const TIOCSLCKTRMIOS: u32 = 0x5457;
}

/// Status bits that a master in packet mode reads before data.
pub mod pkt {
    pub const FLUSHREAD: u8 = 1;
    pub const FLUSHWRITE: u8 = 2;
    pub const STOP: u8 = 4;
    pub const START: u8 = 8;
    pub const NOSTOP: u8 = 16;
    pub const DOSTOP: u8 = 32;
    pub const IOCTL: u8 = 64;
}

/// Settings of a terminal: the kernel's `struct termios2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Termios {
    pub iflag: u32,
    pub oflag: u32,
    pub cflag: u32,
    pub lflag: u32,
    pub line: u8,
    pub cc: [u8; 19],
    pub ispeed: u32,
    pub ospeed: u32,
}

/// Bytes in `struct termios`.
pub const TERMIOS_SIZE: usize = 36;
/// Bytes in `struct termios2`.
pub const TERMIOS2_SIZE: usize = 44;
/// Bytes in `struct termio`.
pub const TERMIO_SIZE: usize = 18;

const SPEEDS: [u32; 16] =
    [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
const FAST_SPEEDS: [u32; 16] = [
    0, 57_600, 115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000,
    2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000,
];

/// The rate that the CBAUD bits name; `None` for `BOTHER`.
fn speed(bits: u32) -> Option<u32> {
    let index = usize::try_from(bits & 0o17).unwrap_or(0);
    match (bits & cflag::CBAUDEX != 0, index) {
        (true, 0) => None,
        (true, _) => FAST_SPEEDS.get(index).copied(),
        (false, _) => SPEEDS.get(index).copied(),
    }
}

impl Default for Termios {
    /// `tty_std_termios`, as a new pseudo-terminal has it.
    fn default() -> Self {
        let mut cc = [0; 19];
        // INIT_C_CC of asm-generic/termios.h.
        cc[cc::VINTR] = 0x03;
        cc[cc::VQUIT] = 0x1c;
        cc[cc::VERASE] = 0x7f;
        cc[cc::VKILL] = 0x15;
        cc[cc::VEOF] = 0x04;
        cc[cc::VMIN] = 1;
        cc[cc::VSTART] = 0x11;
        cc[cc::VSTOP] = 0x13;
        cc[cc::VSUSP] = 0x1a;
        cc[cc::VREPRINT] = 0x12;
        cc[13] = 0x0f; // VDISCARD, which the line discipline does not use
        cc[cc::VWERASE] = 0x17;
        cc[cc::VLNEXT] = 0x16;
        Termios {
            iflag: iflag::ICRNL | iflag::IXON,
            oflag: oflag::OPOST | oflag::ONLCR,
            cflag: cflag::B38400 | cflag::CS8 | cflag::CREAD,
            lflag: lflag::ISIG
                | lflag::ICANON
                | lflag::ECHO
                | lflag::ECHOE
                | lflag::ECHOK
                | lflag::ECHOCTL
                | lflag::ECHOKE
                | lflag::IEXTEN,
            line: 0,
            cc,
            ispeed: 38400,
            ospeed: 38400,
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut quad = [0; 4];
    if let Some(found) = bytes.get(at..at + 4) {
        quad.copy_from_slice(found);
    }
    u32::from_le_bytes(quad)
}
fn half(bytes: &[u8], at: usize) -> u32 {
    word(bytes, at) & 0xffff
}

impl Termios {
    /// As `struct termios2`; the first [`TERMIOS_SIZE`] bytes are `struct termios`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; TERMIOS2_SIZE] {
        let mut out = [0; TERMIOS2_SIZE];
        for (slot, value) in out.chunks_exact_mut(4).zip([self.iflag, self.oflag, self.cflag, self.lflag]) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        out[16] = self.line;
        out[17..36].copy_from_slice(&self.cc);
        out[36..40].copy_from_slice(&self.ispeed.to_le_bytes());
        out[40..44].copy_from_slice(&self.ospeed.to_le_bytes());
        out
    }

    /// From `struct termios` or `struct termios2`; rates follow from `c_cflag` unless that says `BOTHER`.
    #[must_use]
    pub fn from_bytes(&self, bytes: &[u8]) -> Termios {
        let mut new = *self;
        new.iflag = word(bytes, 0);
        new.oflag = word(bytes, 4);
        new.cflag = word(bytes, 8);
        new.lflag = word(bytes, 12);
        new.line = bytes.get(16).copied().unwrap_or(0);
        if let Some(cc) = bytes.get(17..36) {
            new.cc.copy_from_slice(cc);
        }
        if bytes.len() >= TERMIOS2_SIZE {
            new.ispeed = word(bytes, 36);
            new.ospeed = word(bytes, 40);
        }
        new.settle_speeds();
        new
    }

    /// As `struct termio`.
    #[must_use]
    pub fn to_termio(&self) -> [u8; TERMIO_SIZE] {
        let mut out = [0; TERMIO_SIZE];
        for (slot, value) in out.chunks_exact_mut(2).zip([self.iflag, self.oflag, self.cflag, self.lflag]) {
            slot.copy_from_slice(&value.to_le_bytes()[..2]);
        }
        out[8] = self.line;
        out[9..17].copy_from_slice(&self.cc[..8]);
        out
    }

    /// From `struct termio`: the low halves of the flags and the first eight characters.
    #[must_use]
    pub fn from_termio(&self, bytes: &[u8; TERMIO_SIZE]) -> Termios {
        let mut new = *self;
        let mix = |old: u32, at| (old & 0xffff_0000) | half(bytes, at);
        new.iflag = mix(self.iflag, 0);
        new.oflag = mix(self.oflag, 2);
        new.cflag = mix(self.cflag, 4);
        new.lflag = mix(self.lflag, 6);
        new.line = bytes[8];
        new.cc[..8].copy_from_slice(&bytes[9..17]);
        new.settle_speeds();
        new
    }

    fn settle_speeds(&mut self) {
        if let Some(rate) = speed(self.cflag & cflag::CBAUD) {
            self.ospeed = rate;
        }
        let input = (self.cflag >> cflag::CIBAUD_SHIFT) & cflag::CBAUD;
        self.ispeed = match speed(input) {
            // B0 for input means the output's rate.
            Some(0) => self.ospeed,
            Some(rate) => rate,
            None => self.ispeed,
        };
    }

    /// Whether these bits of `c_iflag` are set.
    #[must_use]
    pub fn i(&self, bits: u32) -> bool {
        self.iflag & bits != 0
    }
    /// Whether these bits of `c_oflag` are set.
    #[must_use]
    pub fn o(&self, bits: u32) -> bool {
        self.oflag & bits != 0
    }
    /// Whether these bits of `c_lflag` are set.
    #[must_use]
    pub fn l(&self, bits: u32) -> bool {
        self.lflag & bits != 0
    }
    /// Whether `c` is the special character with this index; 0 disables one.
    #[must_use]
    pub fn is(&self, c: u8, index: usize) -> bool {
        c != 0 && self.cc.get(index) == Some(&c)
    }
}
