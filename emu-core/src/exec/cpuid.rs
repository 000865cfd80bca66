//! CPUID: what the machine claims to be. It claims no more than [`crate::decode`] implements.
//!
//! **Invariant**: nothing depends on the host's processor.

use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{CpuModel, reg};

/// Bits of leaf 1, ecx.
mod c1 {
    pub(super) const SSE3: u32 = 1 << 0;
    pub(super) const PCLMULQDQ: u32 = 1 << 1;
    pub(super) const SSSE3: u32 = 1 << 9;
    pub(super) const FMA: u32 = 1 << 12;
    pub(super) const CX16: u32 = 1 << 13;
    pub(super) const SSE41: u32 = 1 << 19;
    pub(super) const SSE42: u32 = 1 << 20;
    pub(super) const MOVBE: u32 = 1 << 22;
    pub(super) const POPCNT: u32 = 1 << 23;
    pub(super) const AES: u32 = 1 << 25;
    pub(super) const XSAVE: u32 = 1 << 26;
    pub(super) const OSXSAVE: u32 = 1 << 27;
    pub(super) const AVX: u32 = 1 << 28;
    pub(super) const F16C: u32 = 1 << 29;
    pub(super) const RDRAND: u32 = 1 << 30;
    pub(super) const HYPERVISOR: u32 = 1 << 31;
}

/// Bits of leaf 7, ebx.
mod b7 {
    pub(super) const FSGSBASE: u32 = 1 << 0;
    pub(super) const BMI1: u32 = 1 << 3;
    pub(super) const AVX2: u32 = 1 << 5;
    pub(super) const BMI2: u32 = 1 << 8;
    pub(super) const ERMS: u32 = 1 << 9;
    pub(super) const RDSEED: u32 = 1 << 18;
    pub(super) const ADX: u32 = 1 << 19;
    pub(super) const CLFLUSHOPT: u32 = 1 << 23;
    pub(super) const CLWB: u32 = 1 << 24;
    pub(super) const SHA: u32 = 1 << 29;
}

/// The brand string, three leaves of 16 bytes.
const BRAND: &[u8; 48] = b"emu virtual CPU\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Highest level of vector instructions that is implemented: claims follow it.
const IMPLEMENTED: CpuModel = CpuModel::V3;

/// eax, ebx, ecx, edx of a leaf.
pub(crate) fn leaf(model: CpuModel, leaf: u32, sub: u32) -> [u32; 4] {
    let level = model.min(IMPLEMENTED);
    let v2 = level >= CpuModel::V2;
    let v3 = level >= CpuModel::V3;
    let on = |yes: bool, bits: u32| if yes { bits } else { 0 };
    match leaf {
        // "AuthenticAMD", highest leaf 0xd.
        0 => [0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65],
        1 => {
            // Family 0x17, model 0x31, stepping 0; CLFLUSH lines of 64 bytes; one logical processor.
            let ecx = on(v2, c1::SSE3 | c1::SSSE3 | c1::CX16 | c1::SSE41 | c1::SSE42 | c1::POPCNT)
                | on(v3, c1::FMA | c1::MOVBE | c1::XSAVE | c1::OSXSAVE | c1::AVX | c1::F16C)
                | on(v3, c1::AES | c1::PCLMULQDQ | c1::RDRAND)
                | c1::HYPERVISOR;
            // FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2.
            [0x0083_0f10, 0x0001_0800, ecx, 0x078b_fbff]
        }
        7 if sub == 0 => {
            let ebx = b7::FSGSBASE
                | b7::ERMS
                | on(v3, b7::BMI1 | b7::AVX2 | b7::BMI2 | b7::ADX | b7::RDSEED | b7::SHA)
                | on(v3, b7::CLFLUSHOPT | b7::CLWB);
            // UMIP; VAES, VPCLMULQDQ, RDPID.
            let ecx = (1 << 2) | on(v3, (1 << 9) | (1 << 10) | (1 << 22));
            [0, ebx, ecx, 0]
        }
        0xd if v3 => match sub {
            0 => [7, 832, 832, 0],
            // XSAVEOPT, XSAVEC, XGETBV with 1.
            1 => [7, 832, 0, 0],
            2 => [256, 576, 0, 0],
            _ => [0; 4],
        },
        // Hypervisor leaves.
        0x4000_0000 => [
            0x4000_0000,
            u32::from_le_bytes(*b"emu "),
            u32::from_le_bytes(*b"emu "),
            u32::from_le_bytes(*b"emu "),
        ],
        0x8000_0000 => [0x8000_001e, 0x6874_7541, 0x444d_4163, 0x6974_6e65],
        0x8000_0001 => {
            // ecx: LAHF, 3DNow! prefetch, topology extensions; SSE4A; LZCNT. edx: SYSCALL NX RDTSCP LM and the copies of leaf 1.
            let ecx = (1 << 0) | (1 << 8) | (1 << 22) | on(v2, 1 << 6) | on(v3, 1 << 5);
            [0x0083_0f10, 0, ecx, (1 << 11) | (1 << 20) | (1 << 27) | (1 << 29) | 0x0183_f3ff]
        }
        0x8000_0002..=0x8000_0004 => {
            let at = (leaf - 0x8000_0002) as usize * 16;
            std::array::from_fn(|i| {
                let p = at + i * 4;
                u32::from_le_bytes([BRAND[p], BRAND[p + 1], BRAND[p + 2], BRAND[p + 3]])
            })
        }
        // 32 KiB level 1, 8 ways, 64-byte lines.
        0x8000_0005 => [0xff40_ff40, 0xff40_ff40, 0x2008_0140, 0x2008_0140],
        // 512 KiB level 2, 8 ways; 16 MiB level 3, 16 ways.
        0x8000_0006 => [0x4800_6400, 0x6800_6400, 0x0200_6140, 0x0080_9140],
        // Invariant TSC.
        0x8000_0007 => [0, 0, 0, 1 << 8],
        // 48 physical, 48 virtual address bits; one processor.
        0x8000_0008 => [0x3030, 0, 0, 0],
        0x8000_001d => match sub {
            0 => [0x0000_0121, (7 << 22) | 63, 63, 0],
            1 => [0x0000_0122, (7 << 22) | 63, 63, 0],
            2 => [0x0000_0143, (7 << 22) | 63, 1023, 2],
            3 => [0x0000_0163, (15 << 22) | 63, 16383, 1],
            _ => [0; 4],
        },
        _ => [0; 4],
    }
}

/// CPUID.
pub(crate) fn cpuid(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = leaf(ctx.model, ctx.regs[reg::RAX] as u32, ctx.regs[reg::RCX] as u32);
    for (r, v) in [reg::RAX, reg::RBX, reg::RCX, reg::RDX].into_iter().zip(v) {
        ctx.regs[r] = u64::from(v);
    }
    op.next(ctx, env)
}
