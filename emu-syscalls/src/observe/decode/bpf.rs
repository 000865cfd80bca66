//! Filters of the classic packet machine (`struct sock_fprog`), as seccomp(2) and sockets take them.

use super::{Decoder, named, u16_of, u32_of, u64_of};
use crate::observe::names::kernel::SECCOMP_RET;
use crate::observe::value::{Value, field};

/// What a filter is for: it tells what its result means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An action for a system call.
    Seccomp,
    /// A length of a packet.
    Socket,
}

impl Decoder<'_> {
    /// `struct sock_fprog`: its instructions only with `-v`.
    pub(super) fn filter_program(&mut self, addr: u64, kind: Kind) -> Value {
        let Some(b) = self.bytes(addr, 16) else { return Value::Addr(addr) };
        let (len, filter) = (u64::from(u16_of(&b, 0)), u64_of(&b, 8));
        let told = self.list(filter, len, 8, |b| instruction(b, kind)).unwrap_or(Value::Addr(filter));
        let told = Value::Either { brief: Box::new(Value::Addr(filter)), verbose: Box::new(told) };
        Value::Struct(vec![field("len", Value::Uint(len)), field("filter", told)])
    }
}

fn instruction(b: &[u8], kind: Kind) -> Value {
    let (code, jt, jf, k) = (u16_of(b, 0), b[2], b[3], u32_of(b, 4));
    let value = match (code & 7, code & 0x18, kind) {
        (RET, 0, Kind::Seccomp) => action(k),
        _ => Value::Hex(u64::from(k)),
    };
    let style = crate::observe::value::Style::default();
    let code = code_text(code);
    let value = value.to_text(&style);
    Value::text(if jt != 0 || jf != 0 {
        let hex = |n: u8| Value::Hex(u64::from(n)).to_text(&style);
        format!("BPF_JUMP({code}, {value}, {}, {})", hex(jt), hex(jf))
    } else {
        format!("BPF_STMT({code}, {value})")
    })
}

/// What a seccomp filter answers: an action, and data for it.
fn action(k: u32) -> Value {
    let (what, data) = (u64::from(k & 0xffff_0000), k & 0xffff);
    let what = named(&SECCOMP_RET, what);
    if data == 0 {
        return what;
    }
    let text = what.to_text(&crate::observe::value::Style::default());
    Value::text(format!("{text}|{data:#x}"))
}

const RET: u16 = 6;

/// The parts of an operation's code: class, then what the class has.
fn code_text(code: u16) -> String {
    const CLASS: [&str; 8] =
        ["BPF_LD", "BPF_LDX", "BPF_ST", "BPF_STX", "BPF_ALU", "BPF_JMP", "BPF_RET", "BPF_MISC"];
    const SIZE: [&str; 4] = ["BPF_W", "BPF_H", "BPF_B", "0x18 /* BPF_??? */"];
    const MODE: [&str; 6] = ["BPF_IMM", "BPF_ABS", "BPF_IND", "BPF_MEM", "BPF_LEN", "BPF_MSH"];
    const ALU: [&str; 11] = [
        "BPF_ADD", "BPF_SUB", "BPF_MUL", "BPF_DIV", "BPF_OR", "BPF_AND", "BPF_LSH", "BPF_RSH", "BPF_NEG",
        "BPF_MOD", "BPF_XOR",
    ];
    const JUMP: [&str; 5] = ["BPF_JA", "BPF_JEQ", "BPF_JGT", "BPF_JGE", "BPF_JSET"];
    let at = |list: &[&'static str], index: u16, unknown: &str| {
        let raw = index << if unknown == "BPF_MODE" { 5 } else { 4 };
        list.get(usize::from(index))
            .map_or_else(|| format!("{raw:#x} /* {unknown}_??? */"), |name| (*name).to_owned())
    };
    let class = CLASS[usize::from(code & 7)];
    let (size, mode, operation) = (code >> 3 & 3, code >> 5 & 7, code >> 4 & 15);
    let source = if code & 8 == 0 { "BPF_K" } else { "BPF_X" };
    let rest = |rest: u16| if rest == 0 { String::new() } else { format!("|{rest:#x}") };
    let high = code & !0xff;
    match code & 7 {
        0 | 1 => {
            format!("{class}|{}|{}{}", SIZE[usize::from(size)], at(&MODE, mode, "BPF_MODE"), rest(high))
        }
        2 | 3 => format!("{class}{}", rest(code & !7)),
        4 => format!("{class}|{source}|{}{}", at(&ALU, operation, "BPF_OP"), rest(high)),
        5 => format!("{class}|{source}|{}{}", at(&JUMP, operation, "BPF_OP"), rest(high)),
        RET => {
            let from = ["BPF_K", "BPF_X", "BPF_A", "0x18 /* BPF_RVAL_??? */"][usize::from(size)];
            format!("{class}|{from}{}", rest(code & !0x1f))
        }
        _ => match code & 0xf8 {
            0 => format!("{class}|BPF_TAX{}", rest(high)),
            0x80 => format!("{class}|BPF_TXA{}", rest(high)),
            other => format!("{class}|{other:#x} /* BPF_MISCOP_??? */{}", rest(high)),
        },
    }
}
