//! String comparison of SSE4.2: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM.

use super::flags::{CF, OF, SF, ZF};
use super::vecint::{X, b16, put, w8};
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::reg;

/// The elements of a vector by the format bits of the immediate, as integers that compare right.
fn elements(v: X, imm: u8) -> ([i32; 16], usize) {
    let mut out = [0; 16];
    if imm & 1 == 0 {
        for (o, b) in out.iter_mut().zip(b16(v)) {
            *o = if imm & 2 == 0 { i32::from(b) } else { i32::from(b as i8) };
        }
        (out, 16)
    } else {
        for (o, w) in out.iter_mut().zip(w8(v)) {
            *o = if imm & 2 == 0 { i32::from(w) } else { i32::from(w as i16) };
        }
        (out, 8)
    }
}

/// Intermediate result 2 (SDM volume 2, 4.1) for strings of lengths `la`, `lb`.
fn compare(a: &[i32; 16], la: usize, b: &[i32; 16], lb: usize, n: usize, imm: u8) -> u32 {
    let mut r = 0u32;
    for j in 0..n {
        let hit = match imm >> 2 & 3 {
            // Equal any.
            0 => j < lb && (0..la).any(|i| a[i] == b[j]),
            // Ranges.
            1 => j < lb && (0..la / 2).any(|i| a[i * 2] <= b[j] && b[j] <= a[i * 2 + 1]),
            // Equal each.
            2 => match (j < la, j < lb) {
                (true, true) => a[j] == b[j],
                (false, false) => true,
                _ => false,
            },
            // Equal ordered: past the end of the second string only an ended first one matches.
            _ => (0..n - j).all(|i| i >= la || (i + j < lb && a[i] == b[i + j])),
        };
        r |= u32::from(hit) << j;
    }
    let all = (1u32 << n) - 1;
    let valid = (1u32 << lb) - 1;
    match imm >> 4 & 3 {
        1 => r ^ all,
        3 => r ^ valid,
        _ => r,
    }
}

/// All four: `EXPLICIT` lengths in rax and rdx (`WIDE`: 64 bits), else up to a zero; `MASK` to xmm0, else an index to
/// rcx. CF, ZF, SF, OF as the SDM says; AF, PF clear. Memory need not be aligned.
pub(crate) fn pcmpstr<const EXPLICIT: bool, const MASK: bool, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let s = if MEM {
        let addr = ctx.ea(&op);
        let Some(v) = ctx.load128(env, addr) else { return ctx.fail(op) };
        v
    } else {
        ctx.x(op.base)
    };
    let imm = op.imm as u8;
    let wide = op.imm & 0x100 != 0;
    let (a, n) = elements(ctx.x(op.a), imm);
    let (b, _) = elements(s, imm);
    let length = |v: u64| {
        let size = if wide { v.cast_signed().unsigned_abs() } else { u64::from((v as i32).unsigned_abs()) };
        size.min(n as u64) as usize
    };
    let (la, lb) = if EXPLICIT {
        (length(ctx.regs[reg::RAX]), length(ctx.regs[reg::RDX]))
    } else {
        let end = |v: &[i32; 16]| v[..n].iter().position(|x| *x == 0).unwrap_or(n);
        (end(&a), end(&b))
    };
    let r = compare(&a, la, &b, lb, n, imm);
    if MASK {
        let v = if imm & 0x40 == 0 {
            [u64::from(r), 0]
        } else {
            let width = 128 / n;
            let ones = u128::MAX >> (128 - width);
            let v = (0..n).filter(|i| r >> i & 1 != 0).fold(0u128, |v, i| v | ones << (i * width));
            [v as u64, (v >> 64) as u64]
        };
        put::<K>(ctx, 0, v);
    } else {
        let index = if r == 0 {
            n as u32
        } else if imm & 0x40 == 0 {
            r.trailing_zeros()
        } else {
            31 - r.leading_zeros()
        };
        ctx.regs[reg::RCX] = u64::from(index);
    }
    ctx.set_explicit(
        (u64::from(r != 0) * CF)
            | (u64::from(lb < n) * ZF)
            | (u64::from(la < n) * SF)
            | (u64::from(r & 1 != 0) * OF),
    );
    op.next(ctx, env)
}
