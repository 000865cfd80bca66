//! What makes a process: its strings, its capabilities, how it is scheduled, on which processors and nodes.

use super::{Decoder, i32_of, named, u32_of, u64_of};
use crate::observe::names::task as nt;
use crate::observe::value::{Value, field};

impl Decoder<'_> {
    pub(super) fn sched_attr(&mut self, addr: u64, i: usize) -> Option<Value> {
        let size = self.u32_at(addr)?;
        let size = if i == 1 && self.call.nr == 315 { (self.reg(2) as u32).min(size) } else { size };
        if size < 48 {
            let mut fields = vec![field("size", Value::Uint(u64::from(size)))];
            if self.entering() {
                fields.truncate(1);
            }
            return Some(Value::Struct(fields));
        }
        let b = self.bytes(addr, if size >= 56 { 56 } else { 48 })?;
        let mut fields = vec![
            field("size", Value::Uint(u64::from(size))),
            field("sched_policy", named(&nt::SCHED, u64::from(u32_of(&b, 4)))),
            field("sched_flags", named(&nt::SCHED_FLAG, u64_of(&b, 8))),
            field("sched_nice", Value::Int(i32_of(&b, 16))),
            field("sched_priority", Value::Uint(u64::from(u32_of(&b, 20)))),
            field("sched_runtime", Value::Uint(u64_of(&b, 24))),
            field("sched_deadline", Value::Uint(u64_of(&b, 32))),
            field("sched_period", Value::Uint(u64_of(&b, 40))),
        ];
        if size >= 56 {
            fields.push(field("sched_util_min", Value::Uint(u64::from(u32_of(&b, 48)))));
            fields.push(field("sched_util_max", Value::Uint(u64::from(u32_of(&b, 52)))));
        }
        Some(Value::Struct(fields))
    }

    pub(super) fn cpu_set(&mut self, addr: u64, len: usize) -> Option<Value> {
        let len = if self.entering() { self.reg(len) } else { self.value() };
        let b = self.bytes(addr, usize::try_from(len.min(1024)).ok()?)?;
        let names = b
            .iter()
            .enumerate()
            .flat_map(|(n, byte)| (0..8).filter(move |bit| byte >> bit & 1 != 0).map(move |bit| n * 8 + bit))
            .map(|cpu| cpu.to_string())
            .collect();
        Some(Value::Set { names, inverted: false })
    }

    pub(super) fn nodes(&mut self, addr: u64, count: usize) -> Option<Value> {
        let bits = self.reg(count);
        let words = bits.div_ceil(64).min(16);
        self.list(addr, words, 8, |b| Value::text(format!("{:#016x}", u64_of(b, 0))))
    }

    pub(super) fn cap_header(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 8)?;
        Some(Value::Struct(vec![
            field("version", {
                let version = u64::from(u32_of(&b, 0));
                match nt::CAP_VERSION.name(version) {
                    Some(name) => Value::Named { value: version, text: name.into() },
                    None => Value::Note(Box::new(Value::Hex(version)), nt::CAP_VERSION.unknown.into()),
                }
            }),
            field("pid", Value::Int(i32_of(&b, 4))),
        ]))
    }

    pub(super) fn cap_data(&mut self, addr: u64) -> Option<Value> {
        let head = self.reg(0);
        let version = self.u32_at(head)?;
        let two = matches!(version, 0x2007_1026 | 0x2008_0522);
        let b = self.bytes(addr, if two { 24 } else { 12 })?;
        let set = |at: usize| {
            let high = if two { u64::from(u32_of(&b, at + 12)) << 32 } else { 0 };
            let bits = u64::from(u32_of(&b, at)) | high;
            let names: Vec<String> = (0..64)
                .filter(|bit| bits >> bit & 1 != 0)
                .map(|bit| match nt::CAP.name(bit) {
                    Some(name) => format!("1<<{name}"),
                    None => format!("1<<{bit:#x}"),
                })
                .collect();
            Value::Named { value: bits, text: if names.is_empty() { "0".into() } else { names.join("|") } }
        };
        Some(Value::Struct(vec![
            field("effective", set(0)),
            field("permitted", set(4)),
            field("inheritable", set(8)),
        ]))
    }

    /// `argv`: strings, as many as `-s` lets through.
    pub(super) fn strings(&mut self, addr: u64) -> Option<Value> {
        let mut items = Vec::new();
        loop {
            let at = addr + items.len() as u64 * 8;
            match self.u64_at(at) {
                None if items.is_empty() => return None,
                None => {
                    items.push(Value::text(format!("... /* {at:#x} */")));
                    return Some(Value::array(items));
                }
                Some(0) => return Some(Value::array(items)),
                Some(_) if items.len() >= self.style.limit.max(32) => {
                    return Some(Value::Array { items, more: true });
                }
                Some(text) => items.push(self.string(text)),
            }
        }
    }

    /// `envp`: how many, and with `-v` the strings.
    pub(super) fn environment(&mut self, addr: u64) -> Option<Value> {
        let mut count = 0u64;
        let mut broken = false;
        loop {
            match self.u64_at(addr + count * 8) {
                None if count == 0 => return None,
                None => broken = true,
                Some(0) => {}
                Some(_) if count < 65_536 => {
                    count += 1;
                    continue;
                }
                Some(_) => broken = true,
            }
            break;
        }
        let unterminated = if broken { ", unterminated" } else { "" };
        let note = format!("{count} var{}{unterminated}", if count == 1 { "" } else { "s" });
        let verbose = self.strings(addr).unwrap_or(Value::Addr(addr));
        Some(Value::Either {
            brief: Box::new(Value::Note(Box::new(Value::Addr(addr)), note)),
            verbose: Box::new(verbose),
        })
    }
}
