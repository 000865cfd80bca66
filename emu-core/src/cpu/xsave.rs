//! The memory images of the floating-point and vector state: FXSAVE64 and XSAVE64 (SDM volume 1, 10.5 and 13.4),
//! standard format.
//!
//! **Invariant**: saving and restoring a state gives the same state; an image with reserved MXCSR bits is refused.
#![allow(clippy::cast_possible_truncation, reason = "fields of an image are cut from wider words")]

use super::{Cpu, F80, X87};

/// Bytes of the legacy area (FXSAVE).
pub const FXSAVE_SIZE: usize = 512;
/// Bytes of legacy area, header and the upper halves of the ymm registers.
pub const XSAVE_SIZE: usize = 832;
/// Where the upper halves of the ymm registers stand.
pub const YMM_OFFSET: usize = 576;
/// State component bits: x87, SSE, AVX.
pub const XFEATURES: u64 = 7;
/// MXCSR bits that may be set.
pub const MXCSR_MASK: u32 = 0xffff;

/// Why an image cannot be restored: the processor raises #GP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("image of the floating-point state is not valid")]
pub struct BadImage;

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

fn u16_at(image: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([image[at], image[at + 1]])
}

fn u32_at(image: &[u8], at: usize) -> u32 {
    u32::from(u16_at(image, at)) | u32::from(u16_at(image, at + 2)) << 16
}

fn u64_at(image: &[u8], at: usize) -> u64 {
    u64::from(u32_at(image, at)) | u64::from(u32_at(image, at + 4)) << 32
}

/// The image that FXSAVE64 writes; the 48 bytes that software may use are zero. As on AMD's processors the last
/// instruction is in it only while an exception waits.
#[must_use]
pub fn fxsave(cpu: &Cpu) -> [u8; FXSAVE_SIZE] {
    let mut out = [0; FXSAVE_SIZE];
    let x = &cpu.x87;
    put(&mut out, 0, &x.control.to_le_bytes());
    put(&mut out, 2, &(x.status & !0x3800 | u16::from(x.top & 7) << 11).to_le_bytes());
    out[4] = x.in_use;
    if x.status & 0x80 != 0 {
        put(&mut out, 6, &x.opcode.to_le_bytes());
        put(&mut out, 8, &x.ip.to_le_bytes());
        put(&mut out, 16, &x.dp.to_le_bytes());
    }
    put(&mut out, 24, &cpu.mxcsr.to_le_bytes());
    put(&mut out, 28, &MXCSR_MASK.to_le_bytes());
    for i in 0..8 {
        let st = x.regs[(usize::from(x.top) + i) & 7];
        put(&mut out, 32 + 16 * i, &st.mantissa.to_le_bytes());
        put(&mut out, 40 + 16 * i, &st.sign_exp.to_le_bytes());
    }
    for (i, ymm) in cpu.ymm.iter().enumerate() {
        put(&mut out, 160 + 16 * i, &ymm[0].to_le_bytes());
        put(&mut out, 168 + 16 * i, &ymm[1].to_le_bytes());
    }
    out
}

fn x87_from(image: &[u8]) -> X87 {
    let status = u16_at(image, 2);
    let top = (status >> 11 & 7) as u8;
    let mut regs = [F80::default(); 8];
    for i in 0..8 {
        regs[(usize::from(top) + i) & 7] =
            F80 { mantissa: u64_at(image, 32 + 16 * i), sign_exp: u16_at(image, 40 + 16 * i) };
    }
    let control = u16_at(image, 0) & 0x1f3f | 0x40;
    // Pointers have 57 bits.
    let pointer = |at| (u64_at(image, at).cast_signed() << 7 >> 7).cast_unsigned();
    // The summary follows from flags and masks.
    let pending = status & !control & 0x3f != 0;
    X87 {
        regs,
        control,
        status: status & !0xb880 | if pending { 0x8080 } else { 0 },
        in_use: image[4],
        top,
        opcode: u16_at(image, 6) & 0x7ff,
        ip: pointer(8),
        dp: pointer(16),
        code: 0,
        data: 0,
    }
}

/// Makes an image of FXSAVE64 one of FXSAVE: pointers of 32 bits, and selectors beside them.
pub fn narrow(image: &mut [u8], x: &X87) {
    if x.status & 0x80 != 0 {
        for (at, selector) in [(12, x.code), (20, x.data)] {
            put(image, at, &selector.to_le_bytes());
            put(image, at + 2, &[0; 2]);
        }
    }
}

/// Takes pointers and selectors as FXRSTOR does out of what FXRSTOR64 took for pointers.
pub fn split(x: &mut X87) {
    (x.code, x.data) = ((x.ip >> 32) as u16, (x.dp >> 32) as u16);
    x.ip &= 0xffff_ffff;
    x.dp &= 0xffff_ffff;
}

fn load_sse(cpu: &mut Cpu, image: &[u8]) {
    for (i, ymm) in cpu.ymm.iter_mut().enumerate() {
        ymm[0] = u64_at(image, 160 + 16 * i);
        ymm[1] = u64_at(image, 168 + 16 * i);
    }
}

/// What FXRSTOR64 does with an image. The upper halves of the ymm registers stay.
pub fn fxrstor(cpu: &mut Cpu, image: &[u8; FXSAVE_SIZE]) -> Result<(), BadImage> {
    let mxcsr = u32_at(image, 24);
    if mxcsr & !MXCSR_MASK != 0 {
        return Err(BadImage);
    }
    cpu.mxcsr = mxcsr;
    cpu.x87 = x87_from(image);
    load_sse(cpu, image);
    Ok(())
}

/// The image that XSAVE64 writes with all of [`XFEATURES`]: every component is marked as in use.
#[must_use]
pub fn xsave(cpu: &Cpu) -> [u8; XSAVE_SIZE] {
    let mut out = [0; XSAVE_SIZE];
    put(&mut out, 0, &fxsave(cpu));
    put(&mut out, 512, &XFEATURES.to_le_bytes());
    for (i, ymm) in cpu.ymm.iter().enumerate() {
        put(&mut out, YMM_OFFSET + 16 * i, &ymm[2].to_le_bytes());
        put(&mut out, YMM_OFFSET + 16 * i + 8, &ymm[3].to_le_bytes());
    }
    out
}

/// What XRSTOR64 does with an image in standard format for the components of `mask`: those that the header says are not
/// in use are initialised.
pub fn xrstor(cpu: &mut Cpu, image: &[u8; XSAVE_SIZE], mask: u64) -> Result<(), BadImage> {
    let used = u64_at(image, 512);
    if used & !XFEATURES != 0 || image[520..536].iter().any(|byte| *byte != 0) {
        return Err(BadImage);
    }
    let mxcsr = u32_at(image, 24);
    if mask & 6 != 0 {
        if mxcsr & !MXCSR_MASK != 0 {
            return Err(BadImage);
        }
        cpu.mxcsr = mxcsr;
    }
    if mask & 1 != 0 {
        cpu.x87 = if used & 1 != 0 { x87_from(image) } else { X87::default() };
    }
    if mask & 2 != 0 {
        if used & 2 != 0 {
            load_sse(cpu, image);
        } else {
            cpu.ymm.iter_mut().for_each(|ymm| ymm[..2].fill(0));
        }
    }
    if mask & 4 != 0 {
        for (i, ymm) in cpu.ymm.iter_mut().enumerate() {
            for half in 0..2 {
                ymm[2 + half] = if used & 4 != 0 { u64_at(image, YMM_OFFSET + 16 * i + 8 * half) } else { 0 };
            }
        }
    }
    Ok(())
}

/// The state as Linux hands it to a new program or a signal handler.
pub fn initialise(cpu: &mut Cpu) {
    cpu.x87 = X87::default();
    cpu.mxcsr = 0x1f80;
    cpu.ymm = [[0; 4]; 16];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::CpuModel;

    #[test]
    fn a_saved_state_is_restored() {
        let mut cpu = Cpu::new(CpuModel::V3);
        cpu.x87.top = 5;
        cpu.x87.regs[5] = F80 { mantissa: 0x8000_0000_0000_0001, sign_exp: 0x3fff };
        cpu.x87.in_use = 1 << 5;
        cpu.mxcsr = 0x7f80;
        cpu.ymm[15] = [1, 2, 3, 4];
        let image = xsave(&cpu);
        let mut other = Cpu::new(CpuModel::V3);
        assert_eq!(xrstor(&mut other, &image, XFEATURES), Ok(()));
        assert_eq!(other, cpu);
    }

    #[test]
    fn reserved_mxcsr_bits_are_refused() {
        let mut cpu = Cpu::new(CpuModel::V1);
        let mut image = fxsave(&cpu);
        image[26] = 1;
        assert_eq!(fxrstor(&mut cpu, &image), Err(BadImage));
    }
}
