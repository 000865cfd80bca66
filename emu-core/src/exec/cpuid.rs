//! CPUID: what the machine claims to be. It claims no more than [`crate::decode`] implements.
//!
//! **Invariant**: nothing depends on the host's processor.

use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{CpuModel, features, reg};

/// The brand string, three leaves of 16 bytes.
const BRAND: &[u8; 48] = b"emu virtual CPU\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// eax, ebx, ecx, edx of a leaf.
pub(crate) fn leaf(model: CpuModel, leaf: u32, sub: u32) -> [u32; 4] {
    let v3 = model >= CpuModel::V3;
    let bits = |register| features::bits(model, leaf, sub, register);
    match leaf {
        // "AuthenticAMD", highest leaf 0xd.
        0 => [0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65],
        // Family 0x17, model 0x31, stepping 0; CLFLUSH lines of 64 bytes; one logical processor.
        1 => [0x0083_0f10, 0x0001_0800, features::bits(model, 1, 0, 2), features::bits(model, 1, 0, 3)],
        7 if sub == 0 => [0, bits(1), bits(2), bits(3)],
        0xd if v3 => match sub {
            0 => [7, 832, 832, 0],
            1 => [bits(0), 832, 0, 0],
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
        // edx: its own and the copies of leaf 1.
        0x8000_0001 => {
            let own = |register| features::bits(model, 0x8000_0001, 0, register);
            [0x0083_0f10, 0, own(2), own(3) | 0x0183_f3ff]
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
        0x8000_0007 => [0, 0, 0, features::bits(model, leaf, 0, 3)],
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
