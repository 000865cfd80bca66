//! Tells what differs between two states after the same instruction, leaving out what is undefined.

use super::{After, Case, End, READ_ONLY};
use emu_core::cpu::{Cpu, F80};
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register, RflagsBits};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether undefined flags are compared too.
pub static STRICT: AtomicBool = AtomicBool::new(false);

/// Whether the host is not one of the processors whose approximations are those of [`emu_core::fp::approximate`], and
/// which keep the last instruction of the x87 unit.
pub static FOREIGN: AtomicBool = AtomicBool::new(false);

/// What the architecture leaves open about an instruction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Open {
    /// Status flags that are undefined.
    pub flags: u64,
    /// x87 results and precision flags may be one unit in the last place apart.
    pub transcendental: bool,
    /// Vector and memory results are approximations of the processor's own.
    pub approximate: bool,
    /// Results for this operand are undefined.
    pub destination: bool,
    /// The x87 state is undefined.
    pub x87: bool,
    /// Bits of the x87 status word that are undefined or differ between vendors.
    pub status: u16,
}

/// Decodes the last instruction of a case.
#[must_use]
pub fn decode(case: &Case) -> Instruction {
    case.instructions().last().copied().unwrap_or_default()
}

/// The address of the memory operand of an instruction; 0 if it has none.
#[must_use]
pub fn address(instruction: &Instruction, cpu: &Cpu) -> u64 {
    let operand = (0..instruction.op_count()).find(|i| {
        !matches!(
            instruction.op_kind(*i),
            OpKind::Register
                | OpKind::Immediate8
                | OpKind::Immediate8_2nd
                | OpKind::Immediate16
                | OpKind::Immediate32
                | OpKind::Immediate64
                | OpKind::Immediate8to16
                | OpKind::Immediate8to32
                | OpKind::Immediate8to64
                | OpKind::Immediate32to64
        )
    });
    let value = |register: Register, _, _| match register {
        Register::RIP => Some(cpu.rip),
        Register::CS | Register::DS | Register::ES | Register::SS => Some(0),
        Register::FS => Some(cpu.fs_base),
        Register::GS => Some(cpu.gs_base),
        _ => super::generate::general(register)
            .map(|i| if register.size() == 4 { cpu.regs[i] & 0xffff_ffff } else { cpu.regs[i] }),
    };
    operand.and_then(|operand| instruction.virtual_address(operand, 0, value)).unwrap_or(0)
}

/// Which results of a form are open, whatever its operands; `None` if none are.
#[must_use]
pub fn open_form(instruction: &Instruction) -> Option<Open> {
    let mut open = Open::default();
    match instruction.mnemonic() {
        Mnemonic::Fsin
        | Mnemonic::Fcos
        | Mnemonic::Fsincos
        | Mnemonic::Fptan
        | Mnemonic::Fpatan
        | Mnemonic::F2xm1
        | Mnemonic::Fyl2x
        | Mnemonic::Fyl2xp1 => {
            open.transcendental = true;
            // Results are one unit apart: underflow, C1, and the summary of them.
            open.status = 0x8290;
        }
        Mnemonic::Fcomi | Mnemonic::Fcomip | Mnemonic::Fucomi | Mnemonic::Fucomip => open.status = 0x200,
        Mnemonic::Ffree | Mnemonic::Ffreep | Mnemonic::Fxtract => open.status = 0x4700,
        Mnemonic::Rcpps
        | Mnemonic::Rcpss
        | Mnemonic::Rsqrtps
        | Mnemonic::Rsqrtss
        | Mnemonic::Vrcpps
        | Mnemonic::Vrcpss
        | Mnemonic::Vrsqrtps
        | Mnemonic::Vrsqrtss => open.approximate = true,
        _ => return None,
    }
    Some(open)
}

const FLAGS: [(u32, u64); 6] = [
    (RflagsBits::OF, 0x800),
    (RflagsBits::SF, 0x80),
    (RflagsBits::ZF, 0x40),
    (RflagsBits::AF, 0x10),
    (RflagsBits::CF, 1),
    (RflagsBits::PF, 4),
];

/// What is open about the instruction of a case.
#[must_use]
pub fn open(case: &Case) -> Open {
    let instruction = decode(case);
    let undefined = instruction.rflags_undefined();
    let mut open = open_form(&instruction).unwrap_or_default();
    let strict = STRICT.load(Ordering::Relaxed);
    for (bit, flag) in FLAGS {
        if undefined & bit != 0 && !strict {
            open.flags |= flag;
        }
    }
    let count = case.before.regs[1] & 0xff;
    match instruction.mnemonic() {
        Mnemonic::Fyl2xp1 => open.x87 = out_of_range(case),
        Mnemonic::Pause => open.destination = case.bytes.iter().any(|byte| byte & 0xf1 == 0x41),
        Mnemonic::Shld | Mnemonic::Shrd => {
            let count = if instruction.op2_kind() == iced_x86::OpKind::Immediate8 {
                u64::from(instruction.immediate8())
            } else {
                count
            };
            let wide = matches!(
                instruction.code(),
                Code::Shld_rm16_r16_imm8
                    | Code::Shld_rm16_r16_CL
                    | Code::Shrd_rm16_r16_imm8
                    | Code::Shrd_rm16_r16_CL
            );
            open.destination = wide && count & 31 > 16 && !strict;
            if open.destination {
                open.flags = 0x8d5;
            }
        }
        // The carry of a shift by more than the width of a small operand.
        Mnemonic::Shl | Mnemonic::Shr | Mnemonic::Sal if !strict => open.flags |= 0x10,
        _ => {}
    }
    open
}

/// Whether st(0) is not between -0.25 and 0.25.
fn out_of_range(case: &Case) -> bool {
    let x87 = &case.before.x87;
    x87.regs[usize::from(x87.top & 7)].sign_exp & 0x7fff >= 16383 - 2
}

/// An end without what Linux hides: it calls every fault above user space one of protection
/// (`set_signal_archinfo`, arch/x86/mm/fault.c).
fn visible(end: &End) -> End {
    /// `TASK_SIZE_MAX` (arch/x86/include/asm/page_64.h).
    const USER_TOP: u64 = 0x7fff_ffff_f000;
    match end {
        End::Fault { vector: 14, error, address } if *address >= USER_TOP => {
            End::Fault { vector: 14, error: error | 1, address: *address }
        }
        other => other.clone(),
    }
}

fn close(a: F80, b: F80, open: Open) -> bool {
    if a == b {
        return true;
    }
    let key = |x: F80| u128::from(x.sign_exp & 0x7fff) << 63 | u128::from(x.mantissa & (u64::MAX >> 1));
    open.transcendental && a.sign_exp >> 15 == b.sign_exp >> 15 && key(a).abs_diff(key(b)) <= 1
}

/// Names the parts that differ; empty if none does.
#[must_use]
pub fn differences(case: &Case, host: &After, ours: &After) -> Vec<String> {
    let mut parts = Vec::new();
    if let End::Fault { vector: 14, address, .. } = ours.end
        && super::is_ours(case.region, address)
    {
        // On the host it reached the tester's own memory.
        return parts;
    }
    let instruction = decode(case);
    if let (End::Fault { vector: 14, address: a, .. }, End::Fault { vector: 14, address: b, .. }) =
        (&host.end, &ours.end)
        && a != b
        && a & 0xffff_ffff == b & 0xffff_ffff
        && matches!(
            instruction.mnemonic(),
            Mnemonic::Vmaskmovps | Mnemonic::Vmaskmovpd | Mnemonic::Vpmaskmovd | Mnemonic::Vpmaskmovq
        )
    {
        // With 32-bit addresses, whether lanes behind the border wrap is the processor's own.
        return parts;
    }
    let masked_store = matches!(instruction.mnemonic(), Mnemonic::Maskmovdqu | Mnemonic::Vmaskmovdqu);
    if masked_store && matches!(host.end, End::Fault { .. }) && ours.end == End::Done {
        // Processors differ about faults of bytes that the mask leaves out.
        return parts;
    }
    let wide_far_call =
        instruction.is_call_far_indirect() && case.bytes.iter().any(|byte| byte & 0xf8 == 0x48);
    if wide_far_call {
        // AMD's processors push 64 bits then, though they read only 48.
        return parts;
    }
    if host.cpu.mxcsr & 0x2_0000 != 0 {
        // AMD's mask of misalignment exceptions, a feature of its own.
        return parts;
    }
    let vector = |end: &End| if let End::Fault { vector, .. } = end { *vector } else { 0 };
    if instruction.is_invalid() && case.bytes.len() == 15 && (vector(&host.end), vector(&ours.end)) == (13, 6)
    {
        // Processors find out how long an instruction is before they find out that there is none.
        return parts;
    }
    if visible(&host.end) != visible(&ours.end) {
        parts.push("end".to_owned());
        return parts;
    }
    let open = open(case);
    let foreign = FOREIGN.load(Ordering::Relaxed);
    for (i, (a, b)) in host.cpu.regs.iter().zip(&ours.cpu.regs).enumerate() {
        if a != b && !open.destination {
            parts.push(super::line::REGISTERS[i].to_owned());
        }
    }
    if host.cpu.rip != ours.cpu.rip {
        parts.push("rip".to_owned());
    }
    // A fault leaves even undefined flags alone.
    let undefined = if host.end == End::Done { open.flags } else { 0 };
    if (host.cpu.rflags ^ ours.cpu.rflags) & 0x24_4cd5 & !undefined != 0 {
        parts.push("rflags".to_owned());
    }
    if host.cpu.mxcsr != ours.cpu.mxcsr {
        parts.push("mxcsr".to_owned());
    }
    for (name, a, b) in
        [("fsbase", host.cpu.fs_base, ours.cpu.fs_base), ("gsbase", host.cpu.gs_base, ours.cpu.gs_base)]
    {
        if a != b {
            parts.push(name.to_owned());
        }
    }
    for (i, name) in [(0, "es"), (3, "ds"), (4, "fs"), (5, "gs")] {
        // A return from the kernel leaves no level in a null selector.
        let plain = |s: u16| if s & 0xfffc == 0 { 0 } else { s };
        if plain(host.cpu.selectors[i]) != plain(ours.cpu.selectors[i]) {
            parts.push(name.to_owned());
        }
    }
    let (x, y) = (&host.cpu.x87, &ours.cpu.x87);
    let control = |x: u16| x | 0x40;
    for (name, differs) in [
        ("fcw", control(x.control) != control(y.control)),
        ("fsw", (x.status ^ y.status) & !open.status != 0),
        ("top", x.top != y.top),
        ("tags", x.in_use != y.in_use),
    ] {
        if differs && !open.x87 {
            parts.push(name.to_owned());
        }
    }
    // A signal frame shows these only while an exception waits.
    if x.status & 0x80 != 0 && (x.ip, x.dp, x.opcode) != (y.ip, y.dp, y.opcode) && !foreign {
        parts.push("last".to_owned());
    }
    for i in 0..8 {
        if !open.x87 && !close(x.regs[i], y.regs[i], open) {
            parts.push(format!("fpr{i}"));
        }
    }
    if !(open.approximate && foreign) {
        for i in 0..16 {
            if host.cpu.ymm[i] != ours.cpu.ymm[i] {
                parts.push(format!("ymm{i}"));
            }
        }
    }
    // XSAVEOPT leaves out what it knows to be in memory.
    let optimised = matches!(instruction.mnemonic(), Mnemonic::Xsaveopt | Mnemonic::Xsaveopt64);
    if host.image != ours.image && !open.destination && !optimised {
        // What MXCSR may hold stands in the images of the vector state.
        let mask = if decode(case).op_code().is_save_restore() {
            address(&instruction, &case.before).wrapping_add(28).wrapping_sub(case.region + READ_ONLY)
        } else {
            u64::MAX
        };
        let bytes = host.image.0.iter().zip(ours.image.0.iter()).enumerate();
        let mut bytes = bytes.filter(|(at, (a, b))| a != b && (*at as u64).wrapping_sub(mask) >= 4);
        if let Some((at, _)) = bytes.next() {
            parts.push(format!("[{:#x}]", case.region + READ_ONLY + at as u64));
        }
    }
    parts
}
