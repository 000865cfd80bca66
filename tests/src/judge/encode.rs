//! Makes bytes that probably decode to a given form, and ways to spoil them.

use super::values::Random;
use iced_x86::{Code, EncodingKind, MandatoryPrefix, Mnemonic, OpCodeOperandKind, OpCodeTableKind};

/// Whether the judge can run this form: it needs nothing from the system and returns to us.
#[must_use]
pub fn judged(code: Code) -> bool {
    use Mnemonic as M;
    let info = code.op_code();
    let name = format!("{code:?}");
    // Not decoded as this project reads bytes, or not in 64-bit mode of any processor of today.
    let foreign = name.contains("KNC")
        || name.ends_with("_m1664")
        || (name.starts_with("Bnd") && info.encoding() == EncodingKind::Legacy);
    matches!(info.encoding(), EncodingKind::Legacy | EncodingKind::VEX)
        && info.is_instruction()
        && info.mode64()
        && !info.fwait()
        && !foreign
        && !matches!(
            code.mnemonic(),
            // To the system, or what differs from one processor to the next.
            M::INVALID
                | M::Int
                | M::Int1
                | M::Int3
                | M::Into
                | M::Syscall
                | M::Sysenter
                | M::Serialize
                | M::Rdtsc
                | M::Rdtscp
                | M::Rdrand
                | M::Rdseed
                | M::Rdpid
                | M::Rdpmc
                | M::Cpuid
                | M::Xgetbv
                | M::Str
                | M::Sldt
                | M::Smsw
                | M::Sgdt
                | M::Sidt
                | M::Rdpkru
                | M::Wrpkru
                | M::Monitor
                | M::Mwait
                | M::Monitorx
                | M::Mwaitx
                | M::Clzero
                | M::Vmcall
                | M::Vmmcall
                | M::Xbegin
                | M::Xabort
                | M::Xend
                | M::Xtest
        )
        // Vendors differ about prefetches of registers.
        && !matches!(
            code,
            Code::Reservednop_rm16_r16_0F0D | Code::Reservednop_rm32_r32_0F0D | Code::Reservednop_rm64_r64_0F0D
        )
}

/// Bytes that probably decode to `code`, with a random tail.
pub(super) fn encode(r: &mut Random, code: Code) -> Vec<u8> {
    let info = code.op_code();
    let mut bytes = Vec::with_capacity(32);
    if info.address_size() == 32 || r.one_in(30) {
        bytes.push(0x67);
    }
    if r.one_in(20) {
        bytes.push(r.pick(&[0x2e, 0x3e, 0x26, 0x36, 0x64, 0x64, 0x65, 0x65]));
    }
    let in_opcode = info.op_kinds().iter().any(|kind| {
        use OpCodeOperandKind as K;
        matches!(kind, K::r8_opcode | K::r16_opcode | K::r32_opcode | K::r64_opcode | K::sti_opcode)
    });
    let mut opcode = info.op_code();
    if in_opcode {
        opcode |= (r.bits() & 7) as u32;
    }
    let map = match info.table() {
        OpCodeTableKind::Normal => 0,
        OpCodeTableKind::T0F => 1,
        OpCodeTableKind::T0F38 => 2,
        OpCodeTableKind::T0F3A => 3,
        _ => 4,
    };
    let prefix = match info.mandatory_prefix() {
        MandatoryPrefix::P66 => 1,
        MandatoryPrefix::PF3 => 2,
        MandatoryPrefix::PF2 => 3,
        _ => 0,
    };
    if info.encoding() == EncodingKind::VEX {
        let w = u8::from(if info.is_wig() { r.one_in(2) } else { info.w() != 0 });
        let l = if info.is_lig() { r.bits() as u8 & 1 } else { info.l() as u8 };
        let vvvv = if r.one_in(2) { 15 } else { r.bits() as u8 & 15 };
        let last = vvvv << 3 | l << 2 | prefix;
        let rxb = r.bits() as u8 & 0xe0;
        if map == 1 && w == 0 && r.one_in(2) {
            bytes.extend([0xc5, rxb & 0x80 | last]);
        } else {
            bytes.extend([0xc4, rxb | map, w << 7 | last]);
        }
    } else {
        if info.operand_size() == 16 {
            bytes.push(0x66);
        }
        if info.can_use_lock_prefix() && r.one_in(4) {
            bytes.push(0xf0);
        }
        if info.can_use_rep_prefix() && r.one_in(2) {
            bytes.push(0xf3);
        } else if info.can_use_repne_prefix() && r.one_in(3) {
            bytes.push(0xf2);
        }
        if prefix != 0 {
            bytes.push([0, 0x66, 0xf3, 0xf2][usize::from(prefix)]);
        }
        let wide = info.operand_size() == 64 && !(info.default_op_size64() || info.force_op_size64());
        let wide = wide || info.w() == 1;
        if wide || r.one_in(2) {
            let extra = if r.one_in(2) { r.bits() as u8 & 7 } else { 0 };
            let ignored = (info.force_op_size64() || info.operand_size() == 0) && r.one_in(8);
            bytes.push(0x40 | u8::from(wide || ignored) << 3 | extra);
        }
        match map {
            1 => bytes.push(0x0f),
            2 => bytes.extend([0x0f, 0x38]),
            3 => bytes.extend([0x0f, 0x3a]),
            _ => {}
        }
    }
    if info.op_code_len() == 2 {
        bytes.push((opcode >> 8) as u8);
    }
    bytes.push(opcode as u8);
    let modrm = bytes.len();
    for _ in 0..12 {
        bytes.push(r.bits() as u8);
    }
    if info.group_index() >= 0 {
        bytes[modrm] = bytes[modrm] & !0x38 | (info.group_index() as u8) << 3;
    }
    if info.rm_group_index() >= 0 {
        bytes[modrm] = bytes[modrm] & !0xc7 | 0xc0 | info.rm_group_index() as u8;
    }
    bytes
}

/// Spoils an encoding: prefixes that do not belong, reserved fields, too many bytes.
pub(super) fn spoil(r: &mut Random, bytes: &mut Vec<u8>) {
    let vex = bytes.iter().take(4).position(|byte| matches!(byte, 0xc4 | 0xc5));
    match (r.below(10), vex) {
        (0, _) => bytes.insert(0, 0xf0),
        (1 | 2, _) => {
            let prefix = r.pick(&[0x66, 0xf2, 0xf3, 0x66]);
            bytes.insert(0, prefix);
        }
        (3, _) => {
            let rex = 0x40 | r.bits() as u8 & 15;
            bytes.insert(0, rex);
        }
        (4, _) => {
            // Redundant prefixes up to the longest instruction, or beyond it.
            for _ in 0..r.below(14) {
                let prefix = r.pick(&[0x2e, 0x3e, 0x26, 0x36]);
                bytes.insert(0, prefix);
            }
        }
        (_, Some(at)) => {
            let last = if bytes[at] == 0xc4 { at + 2 } else { at + 1 };
            bytes[last] ^= match r.below(4) {
                0 => 0x80,
                1 => 4,
                2 => 1 << r.below(2),
                _ => (r.bits() as u8 & 15) << 3,
            };
        }
        (5, None) => {
            let prefix = 0xf0;
            let at = r.below(3).min(bytes.len() as u64) as usize;
            bytes.insert(at, prefix);
        }
        (6, None) => {
            let more = [r.pick(&[0xf2, 0xf3]), r.pick(&[0xf2, 0xf3, 0x66])];
            bytes.splice(0..0, more);
        }
        _ => {
            // Another ModRM, or another operand of the opcode, somewhere in the middle.
            let at = (1 + r.below(4)) as usize;
            if let Some(byte) = bytes.get_mut(at)
                && !matches!(*byte, 0x0f | 0x40..=0x4f | 0x66 | 0xf0 | 0xf2 | 0xf3 | 0x64 | 0x65 | 0x67)
            {
                *byte ^= 0xc0;
            }
        }
    }
}
