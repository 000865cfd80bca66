//! Requests of ioctl(2): their names, and what their argument is.

use super::{Decoder, i32_of, net, signal, u16_of, u32_of};
use crate::observe::names::misc::IOCTL;
use crate::observe::value::{Bytes, Quote, Style, Value, field, verbose};

/// Requests that write to their argument, which is told when they return.
pub(super) fn is_late(request: u32) -> bool {
    matches!(
        request,
        0x5401 | 0x5405 | 0x540f | 0x5411 | 0x5413 | 0x5415 | 0x5419 | 0x541b | 0x5424 | 0x5429 | 0x8004_5430
            | 0x8004_5432 | 0x8004_5438..=0x8004_5440 | 0x8910..=0x8970 | 0x1260 | 0x1268 | 0x8008_1272
            | 0x8008_6601 | TCGETS2
    )
}

/// The name of a request.
pub(super) fn request(request: u32) -> Value {
    let value = u64::from(request);
    if let Some(name) = IOCTL.name(value) {
        return Value::Named { value, text: name.into() };
    }
    let dir = match request >> 30 {
        0 => "_IOC_NONE",
        1 => "_IOC_WRITE",
        2 => "_IOC_READ",
        _ => "_IOC_READ|_IOC_WRITE",
    };
    let part = |n: u32| if n == 0 { "0".to_owned() } else { format!("{n:#x}") };
    let text = format!(
        "_IOC({dir}, {}, {}, {})",
        part(request >> 8 & 0xff),
        part(request & 0xff),
        part(request >> 16 & 0x3fff)
    );
    Value::Named { value, text }
}

impl Decoder<'_> {
    pub(super) fn ioctl_arg(&mut self) -> Vec<Value> {
        let (request, addr) = (self.reg(1) as u32, self.reg(2));
        if is_late(request) && self.failed() && !matches!(request, 0x8910..=0x8970) {
            return vec![Value::Addr(addr)];
        }
        let told = match request {
            0x5401..=0x5404 => self.termios(addr, Termios::Kernel),
            0x5405..=0x5408 => self.termios(addr, Termios::Old),
            TCGETS2 | 0x402c_542b..=0x402c_542d => self.termios(addr, Termios::Speeds),
            0x5413 | 0x5414 => self.winsize(addr),
            0x540f
            | 0x5410
            | 0x5429
            | 0x5411
            | 0x541b
            | 0x5421
            | 0x5420
            | 0x8004_5430
            | 0x4004_5431
            | 0x5452
            | 0x5424
            | 0x5423
            | 0x8004_5438..=0x8004_5440 => {
                self.u32_at(addr).map(|n| Value::array(vec![Value::Int(i64::from(n.cast_signed()))]))
            }
            0x5409 | 0x540e | 0x5425 => Some(Value::Int(addr.cast_signed())),
            0x540a => Some(choice(addr, &["TCOOFF", "TCOON", "TCIOFF", "TCION"])),
            0x540b => Some(choice(addr, &["TCIFLUSH", "TCOFLUSH", "TCIOFLUSH"])),
            0x5412 => {
                self.bytes(addr, 1).map(|data| Value::Str(Bytes { data, more: false, kind: Quote::Text }))
            }
            // No argument.
            0x540c | 0x540d | 0x5422 | 0x5450 | 0x5451 | 0x5427 | 0x5428 => return Vec::new(),
            0x4004_5436 => Some(signal::signal(addr as u32)),
            0x5441 => Some(Value::Hex(addr)),
            0x4004_9409 => Some(self.fd((addr as u32).cast_signed())),
            0x8910..=0x8970 => self.interface(request, addr),
            _ if IOCTL.name(u64::from(request)).is_none() => Some(Value::Hex(addr)),
            _ => None,
        };
        vec![told.unwrap_or(Value::Addr(addr))]
    }

    fn winsize(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 8)?;
        let one = |at: usize| Value::Uint(u64::from(u16_of(&b, at)));
        Some(Value::Struct(vec![
            field("ws_row", one(0)),
            field("ws_col", one(2)),
            field("ws_xpixel", one(4)),
            field("ws_ypixel", one(6)),
        ]))
    }

    /// A request about a network interface (netdevice(7)).
    fn interface(&mut self, request: u32, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 40)?;
        let end = b[..16].iter().position(|byte| *byte == 0).unwrap_or(16);
        let name = Value::Str(Bytes { data: b[..end].to_vec(), more: false, kind: Quote::Text });
        let mut fields = vec![field("ifr_name", name)];
        if !self.failed() {
            match request {
                0x8913 => fields.push(field("ifr_flags", super::named(&IFF, u64::from(u16_of(&b, 16))))),
                0x8933 => fields.push(field("ifr_ifindex", Value::Int(i32_of(&b, 16)))),
                0x8915 => fields.push(field("ifr_addr", net::address(&b[16..32]))),
                0x8917 => fields.push(field("ifr_dstaddr", net::address(&b[16..32]))),
                0x8919 => fields.push(field("ifr_broadaddr", net::address(&b[16..32]))),
                0x891b => fields.push(field("ifr_netmask", net::address(&b[16..32]))),
                0x891d => fields.push(field("ifr_metric", Value::Int(i32_of(&b, 16)))),
                // SIOCGIFTXQLEN
                0x8942 => fields.push(field("ifr_qlen", Value::Int(i32_of(&b, 16)))),
                0x8927 => fields.push(field("ifr_hwaddr", hardware_address(&b[16..32]))),
                0x8921 => fields.push(field("ifr_mtu", Value::Int(i32_of(&b, 16)))),
                _ => {}
            }
        }
        Some(Value::Struct(fields))
    }

    /// `struct termios` (termios(3)) and its relatives.
    fn termios(&mut self, addr: u64, form: Termios) -> Option<Value> {
        const CHARS: [&str; 17] = [
            "VINTR", "VQUIT", "VERASE", "VKILL", "VEOF", "VTIME", "VMIN", "VSWTC", "VSTART", "VSTOP",
            "VSUSP", "VEOL", "VREPRINT", "VDISCARD", "VWERASE", "VLNEXT", "VEOL2",
        ];
        const LINES: [&str; 5] = ["N_TTY", "N_SLIP", "N_MOUSE", "N_PPP", "N_STRIP"];
        let (size, line, count) = match form {
            Termios::Kernel => (36, 16, 19),
            Termios::Old => (18, 8, 8),
            Termios::Speeds => (44, 16, 19),
        };
        let b = self.bytes(addr, size)?;
        let flags = |n: usize| match form {
            Termios::Old => u32::from(u16_of(&b, n * 2)),
            _ => u32_of(&b, n * 4),
        };
        let name = LINES
            .get(usize::from(b[line]))
            .map_or_else(|| format!("{:#x} /* N_??? */", b[line]), |n| (*n).into());
        let list: Vec<String> = b[line + 1..line + 1 + count]
            .iter()
            .enumerate()
            .map(|(n, byte)| {
                let byte = Value::Hex(u64::from(*byte)).to_text(&Style::default());
                match CHARS.get(n) {
                    Some(name) => format!("[{name}]={byte}"),
                    None => format!("[{n}]={byte}"),
                }
            })
            .collect();
        let mut fields = vec![
            field("c_iflag", Value::text(empty_if_none(bits(flags(0), &INPUT)))),
            field("c_oflag", Value::text(output(flags(1)))),
            field("c_cflag", Value::text(control(flags(2)))),
            field("c_lflag", Value::text(empty_if_none(bits(flags(3), &LOCAL)))),
            verbose("c_line", Value::text(name)),
            verbose("c_cc", Value::text(format!("[{}]", list.join(", ")))),
        ];
        if form == Termios::Speeds {
            fields.push(verbose("c_ispeed", Value::Uint(u64::from(u32_of(&b, 36)))));
            fields.push(verbose("c_ospeed", Value::Uint(u64::from(u32_of(&b, 40)))));
        }
        Some(Value::Struct(fields))
    }
}

const TCGETS2: u32 = 0x802c_542a;

/// Forms of the settings of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Termios {
    /// `struct termios`
    Kernel,
    /// `struct termio`
    Old,
    /// `struct termios2`
    Speeds,
}

/// `struct sockaddr` of an interface's own address.
fn hardware_address(b: &[u8]) -> Value {
    let family = u64::from(u16_of(b, 0));
    let name = match family {
        1 => "ARPHRD_ETHER".to_owned(),
        772 => "ARPHRD_LOOPBACK".to_owned(),
        other => format!("{other:#x} /* ARPHRD_??? */"),
    };
    let bytes: Vec<String> = b[2..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Value::Struct(vec![
        field("sa_family", Value::Named { value: family, text: name }),
        field("sa_data", Value::text(bytes.join(":"))),
    ])
}

fn choice(value: u64, names: &[&str]) -> Value {
    match usize::try_from(value).ok().and_then(|n| names.get(n)) {
        Some(name) => Value::text(*name),
        None => Value::Hex(value),
    }
}

const INPUT: [(u32, &str); 15] = [
    (1, "IGNBRK"),
    (2, "BRKINT"),
    (4, "IGNPAR"),
    (8, "PARMRK"),
    (16, "INPCK"),
    (32, "ISTRIP"),
    (64, "INLCR"),
    (128, "IGNCR"),
    (256, "ICRNL"),
    (512, "IUCLC"),
    (1024, "IXON"),
    (2048, "IXANY"),
    (4096, "IXOFF"),
    (8192, "IMAXBEL"),
    (16384, "IUTF8"),
];
const LOCAL: [(u32, &str); 16] = [
    (1, "ISIG"),
    (2, "ICANON"),
    (4, "XCASE"),
    (8, "ECHO"),
    (16, "ECHOE"),
    (32, "ECHOK"),
    (64, "ECHONL"),
    (128, "NOFLSH"),
    (0x8000, "IEXTEN"),
    (512, "ECHOCTL"),
    (1024, "ECHOPRT"),
    (2048, "ECHOKE"),
    (4096, "FLUSHO"),
    (16384, "PENDIN"),
    (256, "TOSTOP"),
    (0x1_0000, "EXTPROC"),
];
const OUTPUT: [(u32, &str); 8] = [
    (1, "OPOST"),
    (2, "OLCUC"),
    (4, "ONLCR"),
    (8, "OCRNL"),
    (16, "ONOCR"),
    (32, "ONLRET"),
    (64, "OFILL"),
    (128, "OFDEL"),
];

fn bits(value: u32, names: &[(u32, &str)]) -> String {
    let mut rest = value;
    let mut parts = Vec::new();
    for (bit, name) in names {
        if rest & bit != 0 {
            parts.push((*name).to_owned());
            rest &= !bit;
        }
    }
    if rest != 0 {
        parts.push(format!("{rest:#x}"));
    }
    if parts.is_empty() { "0".into() } else { parts.join("|") }
}

/// No flag at all is told as nothing.
fn empty_if_none(text: String) -> String {
    if text == "0" { String::new() } else { text }
}

/// Delays first, as strace tells them, then the flags.
fn output(oflag: u32) -> String {
    let delays = format!(
        "NL{}|CR{}|{}|BS{}|VT{}|FF{}",
        oflag >> 8 & 1,
        oflag >> 9 & 3,
        ["TAB0", "TAB1", "TAB2", "TAB3"][(oflag >> 11 & 3) as usize],
        oflag >> 13 & 1,
        oflag >> 14 & 1,
        oflag >> 15 & 1
    );
    match bits(oflag & !0xff00, &OUTPUT).as_str() {
        "0" => delays,
        flags => format!("{delays}|{flags}"),
    }
}

fn control(cflag: u32) -> String {
    const SLOW: [&str; 16] = [
        "B0", "B50", "B75", "B110", "B134", "B150", "B200", "B300", "B600", "B1200", "B1800", "B2400",
        "B4800", "B9600", "B19200", "B38400",
    ];
    const FAST: [&str; 16] = [
        "BOTHER", "B57600", "B115200", "B230400", "B460800", "B500000", "B576000", "B921600", "B1000000",
        "B1152000", "B1500000", "B2000000", "B2500000", "B3000000", "B3500000", "B4000000",
    ];
    let speed = (cflag & 0xf) as usize;
    let mut parts = vec![if cflag & 0x1000 != 0 { FAST[speed] } else { SLOW[speed] }.to_owned()];
    parts.push(["CS5", "CS6", "CS7", "CS8"][(cflag >> 4 & 3) as usize].to_owned());
    let flags = [
        (0x40, "CSTOPB"),
        (0x80, "CREAD"),
        (0x100, "PARENB"),
        (0x200, "PARODD"),
        (0x400, "HUPCL"),
        (0x800, "CLOCAL"),
        (0x4000_0000, "CMSPAR"),
        (0x8000_0000, "CRTSCTS"),
    ];
    match bits(cflag & !0x103f, &flags).as_str() {
        "0" => {}
        rest => parts.push(rest.to_owned()),
    }
    parts.join("|")
}

static IFF: crate::observe::names::Names = crate::observe::names::Names::bits(
    "IFF_???",
    &[
        (1, "IFF_UP"),
        (2, "IFF_BROADCAST"),
        (4, "IFF_DEBUG"),
        (8, "IFF_LOOPBACK"),
        (16, "IFF_POINTOPOINT"),
        (32, "IFF_NOTRAILERS"),
        (64, "IFF_RUNNING"),
        (128, "IFF_NOARP"),
        (256, "IFF_PROMISC"),
        (512, "IFF_ALLMULTI"),
        (0x1000, "IFF_MULTICAST"),
    ],
);
