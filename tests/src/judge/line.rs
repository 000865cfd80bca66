//! One case as one line: `bytes ; before => after`.
//!
//! Both sides are fields `name=value`, values in hexadecimal: general registers, `rip`, `rflags`, `fsbase`, `gsbase`,
//! the selectors `es`, `ds`, `fs`, `gs`, `mxcsr`, `ymm3`
//! (four quadwords, lowest first, joined by colons), `fcw`, `fsw`, `top`, `tags`, `fip`, `fdp`, `fop`, `fpr3` (physical, sign and exponent,
//! colon, significand), `[address]` (bytes). What is not named before is zero, or as Linux starts a program; what
//! is not named after is unchanged. `end=done` or `end=vector:error:address` closes the line.

use super::{After, Case, DATA_SIZE, End, Image, READ_ONLY, region_of};
use emu_core::cpu::{Cpu, CpuModel, F80};
use std::fmt::Write;

/// Names of the general registers.
pub const REGISTERS: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

fn words(ymm: [u64; 4]) -> String {
    format!("{:x}:{:x}:{:x}:{:x}", ymm[0], ymm[1], ymm[2], ymm[3])
}

fn fields(from: &Cpu, to: &Cpu) -> String {
    let mut out = String::new();
    let mut field = |name: &str, value: String| {
        let _ = write!(out, " {name}={value}");
    };
    for (i, name) in REGISTERS.iter().enumerate() {
        if from.regs[i] != to.regs[i] {
            field(name, format!("{:x}", to.regs[i]));
        }
    }
    if from.rip != to.rip {
        field("rip", format!("{:x}", to.rip));
    }
    if from.rflags != to.rflags {
        field("rflags", format!("{:x}", to.rflags));
    }
    for (name, old, new) in [("fsbase", from.fs_base, to.fs_base), ("gsbase", from.gs_base, to.gs_base)] {
        if old != new {
            field(name, format!("{new:x}"));
        }
    }
    for (i, name) in [(0, "es"), (3, "ds"), (4, "fs"), (5, "gs")] {
        if from.selectors[i] != to.selectors[i] {
            field(name, format!("{:x}", to.selectors[i]));
        }
    }
    if from.mxcsr != to.mxcsr {
        field("mxcsr", format!("{:x}", to.mxcsr));
    }
    for i in 0..16 {
        if from.ymm[i] != to.ymm[i] {
            field(&format!("ymm{i}"), words(to.ymm[i]));
        }
    }
    let (x, y) = (&from.x87, &to.x87);
    for (name, old, new) in [
        ("fcw", x.control, y.control),
        ("fsw", x.status, y.status),
        ("top", u16::from(x.top), u16::from(y.top)),
        ("tags", u16::from(x.in_use), u16::from(y.in_use)),
    ] {
        if old != new {
            field(name, format!("{new:x}"));
        }
    }
    for (name, old, new) in
        [("fip", x.ip, y.ip), ("fdp", x.dp, y.dp), ("fop", u64::from(x.opcode), u64::from(y.opcode))]
    {
        if old != new {
            field(name, format!("{new:x}"));
        }
    }
    for i in 0..8 {
        if x.regs[i] != y.regs[i] {
            field(&format!("fpr{i}"), format!("{:x}:{:x}", y.regs[i].sign_exp, y.regs[i].mantissa));
        }
    }
    out
}

fn memory(region: u64, from: &Image, to: &Image) -> String {
    let mut out = String::new();
    let mut at = 0;
    while at < DATA_SIZE {
        if from.0[at] == to.0[at] {
            at += 1;
            continue;
        }
        let mut end = at;
        while end < DATA_SIZE
            && end < at + 64
            && to.0[end..DATA_SIZE.min(end + 4)] != from.0[end..DATA_SIZE.min(end + 4)]
        {
            end += 1;
        }
        let _ = write!(out, " [{:x}]=", region + READ_ONLY + at as u64);
        for byte in &to.0[at..end] {
            let _ = write!(out, "{byte:02x}");
        }
        at = end;
    }
    out
}

/// Writes a case and what came of it.
#[must_use]
pub fn write(case: &Case, after: &After) -> String {
    let bytes: Vec<String> = case.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let image = case.image();
    let end = match &after.end {
        End::Done => "done".to_owned(),
        End::Fault { vector, error, address } => format!("{vector:x}:{error:x}:{address:x}"),
        End::Other(what) => what.replace(' ', "_"),
    };
    format!(
        "{} ;{}{} =>{}{} end={end}",
        bytes.join(" "),
        fields(&Cpu::new(CpuModel::V3), &case.before),
        memory(case.region, &Image::default(), &image),
        fields(&case.before, &after.cpu),
        memory(case.region, &image, &after.image),
    )
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

fn set(cpu: &mut Cpu, memory: &mut Vec<(u64, Vec<u8>)>, field: &str) -> Option<()> {
    let (name, value) = field.split_once('=')?;
    if let Some(i) = REGISTERS.iter().position(|register| *register == name) {
        cpu.regs[i] = hex(value)?;
        return Some(());
    }
    let numbered = |prefix: &str, below: usize| {
        name.strip_prefix(prefix).and_then(|n| n.parse::<usize>().ok()).filter(|n| *n < below)
    };
    if let Some(i) = numbered("ymm", 16) {
        let mut parts = value.split(':');
        for word in &mut cpu.ymm[i] {
            *word = hex(parts.next()?)?;
        }
        return Some(());
    }
    if let Some(i) = numbered("fpr", 8) {
        let (sign_exp, mantissa) = value.split_once(':')?;
        cpu.x87.regs[i] = F80 { mantissa: hex(mantissa)?, sign_exp: hex(sign_exp)? as u16 };
        return Some(());
    }
    if let Some(address) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        let bytes = (0..value.len() / 2).map(|i| hex(&value[2 * i..2 * i + 2]).map(|byte| byte as u8));
        memory.push((hex(address)?, bytes.collect::<Option<_>>()?));
        return Some(());
    }
    let number = hex(value)?;
    match name {
        "rip" => cpu.rip = number,
        "rflags" => cpu.rflags = number,
        "fsbase" => cpu.fs_base = number,
        "gsbase" => cpu.gs_base = number,
        "es" => cpu.selectors[0] = number as u16,
        "ds" => cpu.selectors[3] = number as u16,
        "fs" => cpu.selectors[4] = number as u16,
        "gs" => cpu.selectors[5] = number as u16,
        "mxcsr" => cpu.mxcsr = number as u32,
        "fcw" => cpu.x87.control = number as u16,
        "fsw" => cpu.x87.status = number as u16,
        "top" => cpu.x87.top = number as u8 & 7,
        "tags" => cpu.x87.in_use = number as u8,
        "fip" => cpu.x87.ip = number,
        "fdp" => cpu.x87.dp = number,
        "fop" => cpu.x87.opcode = number as u16,
        _ => return None,
    }
    Some(())
}

/// Reads a line back; the region is that of worker 0.
#[must_use]
pub fn read(line: &str) -> Option<(Case, After)> {
    let (bytes, rest) = line.split_once(';')?;
    let (before, after) = rest.split_once("=>")?;
    let bytes =
        bytes.split_whitespace().map(|byte| hex(byte).map(|byte| byte as u8)).collect::<Option<_>>()?;
    let mut cpu = Cpu::new(CpuModel::V3);
    let mut memory = Vec::new();
    for field in before.split_whitespace() {
        set(&mut cpu, &mut memory, field)?;
    }
    let mut case = Case { region: region_of(0), bytes, before: cpu.clone(), memory };
    let mut end = End::Done;
    let mut memory = case.memory.clone();
    for field in after.split_whitespace() {
        match field.strip_prefix("end=") {
            Some("done") => {}
            Some(fault) => {
                let mut parts = fault.split(':').map(hex);
                let mut part = || parts.next().flatten();
                end = End::Fault { vector: part()? as u8, error: part()? as u32, address: part()? };
            }
            None => set(&mut cpu, &mut memory, field)?,
        }
    }
    let before = std::mem::replace(&mut case.memory, memory);
    let image = case.image();
    case.memory = before;
    Some((case, After { cpu, image, end }))
}
