//! Integer vector operations: one body per operation for every encoding (SSE, VEX.128, VEX.256).
//!
//! Key traits: [`V2`] (two sources, maybe an immediate), lane by lane within 128 bits. No flags.

use super::memory::Reach;
use super::operand::Int;
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::Exception;
use crate::mem::Access;

/// 128 bits.
pub(crate) type X = [u64; 2];

/// An operation on two vectors and an immediate. A one-source operation ignores `a`.
pub(crate) trait V2 {
    /// The immediate of the upper half stands that many bits higher.
    const IMM_SHIFT: u32 = 0;
    /// The result.
    fn run(a: X, b: X, imm: u8) -> X;
}

/// Encodings: legacy SSE keeps the upper half of the destination, VEX clears what it does not write.
pub(crate) const LEGACY: u8 = 0;
/// VEX, 128 bits.
pub(crate) const VEX128: u8 = 1;
/// VEX, 256 bits.
pub(crate) const VEX256: u8 = 2;

/// Writes the low half by the rule of the encoding `K`.
#[inline(always)]
pub(crate) fn put<const K: u8>(ctx: &mut Ctx, i: u8, v: X) {
    ctx.set_x(i, v);
    if K != LEGACY {
        let y = &mut ctx.ymm[i as usize & 15];
        y[2] = 0;
        y[3] = 0;
    }
}

/// The upper half of a vector register.
#[inline(always)]
pub(crate) fn high(ctx: &Ctx, i: u8) -> X {
    let y = &ctx.ymm[i as usize & 15];
    [y[2], y[3]]
}

/// Two quadwords at a host address.
///
/// # Safety
/// 16 bytes are readable there.
#[inline(always)]
pub(crate) unsafe fn load_x(p: *const u8) -> X {
    // SAFETY: the caller's promise.
    unsafe { [u64::load(p), u64::load(p.add(8))] }
}

/// A 128-bit source operand; legacy encodings raise `#GP` on misalignment. `None`: end in [`missed`], having done
/// nothing.
#[inline(always)]
pub(crate) fn source<const MEM: bool, const K: u8>(ctx: &Ctx, op: OpRef) -> Option<X> {
    if !MEM {
        return Some(ctx.x(op.base));
    }
    let addr = ctx.ea(&op);
    if K == LEGACY && addr & 15 != 0 {
        return None;
    }
    // SAFETY: `readable` vouches for 16 bytes.
    ctx.readable(addr, 16).map(|p| unsafe { load_x(p) })
}

/// The source of the encoding `K`; its upper half is zero unless that has 256 bits.
#[inline(always)]
pub(crate) fn halves<const MEM: bool, const K: u8>(ctx: &Ctx, op: OpRef) -> Option<(X, X)> {
    if K == VEX256 { source_both::<MEM>(ctx, op) } else { source::<MEM, K>(ctx, op).map(|s| (s, [0; 2])) }
}

/// What a body ends in whose [`halves`] were not at hand.
#[inline(always)]
pub(crate) fn missed_halves<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if K == VEX256 { missed::<32, K>(ctx, op, env) } else { missed::<16, K>(ctx, op, env) }
}

/// Both halves of a 256-bit source operand.
#[inline(always)]
pub(crate) fn source_both<const MEM: bool>(ctx: &Ctx, op: OpRef) -> Option<(X, X)> {
    if !MEM {
        return Some((ctx.x(op.base), high(ctx, op.base)));
    }
    // SAFETY: `readable` vouches for 32 bytes.
    ctx.readable(ctx.ea(&op), 32).map(|p| unsafe { (load_x(p), load_x(p.add(16))) })
}

/// What a body ends in whose source of `N` bytes was not at hand.
#[cold]
#[inline(never)]
pub(crate) fn missed<const N: u64, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if K == LEGACY && ctx.ea(&op) & 15 != 0 {
        return ctx.raise(op, Exception::gp());
    }
    ctx.miss(op, env, &Reach::whole(N, Access::Read))
}

/// Body: `a = F(b, source)`.
pub(crate) fn v2<F: V2, const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let imm = op.imm as u8;
    if K == VEX256 {
        let Some((s, sh)) = source_both::<MEM>(ctx, op) else { return missed::<32, K>(ctx, op, env) };
        let r = F::run(ctx.x(op.b), s, imm);
        let h = F::run(high(ctx, op.b), sh, imm >> F::IMM_SHIFT);
        ctx.ymm[op.a as usize & 15] = [r[0], r[1], h[0], h[1]];
    } else {
        let Some(s) = source::<MEM, K>(ctx, op) else { return missed::<16, K>(ctx, op, env) };
        let r = F::run(ctx.x(op.b), s, imm);
        put::<K>(ctx, op.a, r);
    }
    op.next(ctx, env)
}

/// Body: shift of register `b` by the immediate, as if the count stood in a vector.
pub(crate) fn shift_imm<F: V2, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let count = [op.imm & 0xff, 0];
    let r = F::run(ctx.x(op.b), count, 0);
    if K == VEX256 {
        let h = F::run(high(ctx, op.b), count, 0);
        ctx.ymm[op.a as usize & 15] = [r[0], r[1], h[0], h[1]];
    } else {
        put::<K>(ctx, op.a, r);
    }
    op.next(ctx, env)
}

/// Body: shift by the count in a 128-bit source, the same for both halves.
pub(crate) fn shift_reg<F: V2, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(s) = source::<MEM, K>(ctx, op) else { return missed::<16, K>(ctx, op, env) };
    let r = F::run(ctx.x(op.b), s, 0);
    if K == VEX256 {
        let h = F::run(high(ctx, op.b), s, 0);
        ctx.ymm[op.a as usize & 15] = [r[0], r[1], h[0], h[1]];
    } else {
        put::<K>(ctx, op.a, r);
    }
    op.next(ctx, env)
}

/// Sixteen bytes.
#[inline(always)]
pub(crate) fn b16(v: X) -> [u8; 16] {
    (u128::from(v[0]) | (u128::from(v[1]) << 64)).to_le_bytes()
}

/// Back from bytes.
#[inline(always)]
pub(crate) fn of_b16(v: [u8; 16]) -> X {
    let w = u128::from_le_bytes(v);
    [w as u64, (w >> 64) as u64]
}

/// Eight words.
#[inline(always)]
pub(crate) fn w8(v: X) -> [u16; 8] {
    std::array::from_fn(|i| (v[i / 4] >> (i % 4 * 16)) as u16)
}

/// Back from words.
#[inline(always)]
pub(crate) fn of_w8(v: [u16; 8]) -> X {
    std::array::from_fn(|i| (0..4).fold(0, |n, j| n | (u64::from(v[i * 4 + j]) << (j * 16))))
}

/// Four doublewords.
#[inline(always)]
pub(crate) fn d4(v: X) -> [u32; 4] {
    [v[0] as u32, (v[0] >> 32) as u32, v[1] as u32, (v[1] >> 32) as u32]
}

/// Back from doublewords.
#[inline(always)]
pub(crate) fn of_d4(v: [u32; 4]) -> X {
    [u64::from(v[0]) | (u64::from(v[1]) << 32), u64::from(v[2]) | (u64::from(v[3]) << 32)]
}

macro_rules! v2 {
    ($($name:ident = |$a:ident, $b:ident, $imm:ident| $e:expr;)*) => {
        $(
            #[doc = concat!("The operation of ", stringify!($name), ".")]
            pub(crate) struct $name;
            impl V2 for $name {
                #[inline(always)]
                #[allow(unused_variables, reason = "not every operation has an immediate or a first source")]
                fn run($a: X, $b: X, $imm: u8) -> X {
                    $e
                }
            }
        )*
    };
}

macro_rules! bytes {
    ($a:ident, $b:ident, |$x:ident, $y:ident| $e:expr) => {{
        let (p, q) = (b16($a), b16($b));
        of_b16(std::array::from_fn(|i| {
            let ($x, $y) = (p[i], q[i]);
            $e
        }))
    }};
}
macro_rules! words {
    ($a:ident, $b:ident, |$x:ident, $y:ident| $e:expr) => {{
        let (p, q) = (w8($a), w8($b));
        of_w8(std::array::from_fn(|i| {
            let ($x, $y) = (p[i], q[i]);
            $e
        }))
    }};
}
macro_rules! dwords {
    ($a:ident, $b:ident, |$x:ident, $y:ident| $e:expr) => {{
        let (p, q) = (d4($a), d4($b));
        of_d4(std::array::from_fn(|i| {
            let ($x, $y) = (p[i], q[i]);
            $e
        }))
    }};
}
macro_rules! qwords {
    ($a:ident, $b:ident, |$x:ident, $y:ident| $e:expr) => {
        std::array::from_fn(|i| {
            let ($x, $y) = ($a[i], $b[i]);
            $e
        })
    };
}

/// Saturates to a signed byte.
#[inline(always)]
fn sb(v: i32) -> u8 {
    v.clamp(-128, 127) as u8
}
#[inline(always)]
fn ub(v: i32) -> u8 {
    v.clamp(0, 255) as u8
}
#[inline(always)]
fn sw(v: i32) -> u16 {
    v.clamp(-32768, 32767) as u16
}
#[inline(always)]
fn uw(v: i32) -> u16 {
    v.clamp(0, 65535) as u16
}
#[inline(always)]
fn i8x(v: u8) -> i32 {
    i32::from(v as i8)
}
#[inline(always)]
fn i16x(v: u16) -> i32 {
    i32::from(v as i16)
}

v2! {
    Pand = |a, b, imm| [a[0] & b[0], a[1] & b[1]];
    Por = |a, b, imm| [a[0] | b[0], a[1] | b[1]];
    Pxor = |a, b, imm| [a[0] ^ b[0], a[1] ^ b[1]];
    Pandn = |a, b, imm| [!a[0] & b[0], !a[1] & b[1]];
    Paddb = |a, b, imm| bytes!(a, b, |x, y| x.wrapping_add(y));
    Paddw = |a, b, imm| words!(a, b, |x, y| x.wrapping_add(y));
    Paddd = |a, b, imm| dwords!(a, b, |x, y| x.wrapping_add(y));
    Paddq = |a, b, imm| qwords!(a, b, |x, y| x.wrapping_add(y));
    Psubb = |a, b, imm| bytes!(a, b, |x, y| x.wrapping_sub(y));
    Psubw = |a, b, imm| words!(a, b, |x, y| x.wrapping_sub(y));
    Psubd = |a, b, imm| dwords!(a, b, |x, y| x.wrapping_sub(y));
    Psubq = |a, b, imm| qwords!(a, b, |x, y| x.wrapping_sub(y));
    Paddsb = |a, b, imm| bytes!(a, b, |x, y| sb(i8x(x) + i8x(y)));
    Paddsw = |a, b, imm| words!(a, b, |x, y| sw(i16x(x) + i16x(y)));
    Paddusb = |a, b, imm| bytes!(a, b, |x, y| x.saturating_add(y));
    Paddusw = |a, b, imm| words!(a, b, |x, y| x.saturating_add(y));
    Psubsb = |a, b, imm| bytes!(a, b, |x, y| sb(i8x(x) - i8x(y)));
    Psubsw = |a, b, imm| words!(a, b, |x, y| sw(i16x(x) - i16x(y)));
    Psubusb = |a, b, imm| bytes!(a, b, |x, y| x.saturating_sub(y));
    Psubusw = |a, b, imm| words!(a, b, |x, y| x.saturating_sub(y));
    Pmullw = |a, b, imm| words!(a, b, |x, y| x.wrapping_mul(y));
    Pmulhw = |a, b, imm| words!(a, b, |x, y| ((i16x(x) * i16x(y)) >> 16) as u16);
    Pmulhuw = |a, b, imm| words!(a, b, |x, y| ((u32::from(x) * u32::from(y)) >> 16) as u16);
    Pmulhrsw = |a, b, imm| words!(a, b, |x, y| ((((i16x(x) * i16x(y)) >> 14) + 1) >> 1) as u16);
    Pmulld = |a, b, imm| dwords!(a, b, |x, y| x.wrapping_mul(y));
    Pmuludq = |a, b, imm| qwords!(a, b, |x, y| (x & 0xffff_ffff) * (y & 0xffff_ffff));
    Pmuldq = |a, b, imm| qwords!(a, b, |x, y| (i64::from(x as i32) * i64::from(y as i32)) as u64);
    Pmaddwd = |a, b, imm| {
        let (p, q) = (w8(a), w8(b));
        of_d4(std::array::from_fn(|i| {
            (i16x(p[i * 2]) * i16x(q[i * 2])).wrapping_add(i16x(p[i * 2 + 1]) * i16x(q[i * 2 + 1])) as u32
        }))
    };
    Pmaddubsw = |a, b, imm| {
        let (p, q) = (b16(a), b16(b));
        of_w8(std::array::from_fn(|i| {
            sw(i32::from(p[i * 2]) * i8x(q[i * 2]) + i32::from(p[i * 2 + 1]) * i8x(q[i * 2 + 1]))
        }))
    };
    Psadbw = |a, b, imm| {
        let (p, q) = (b16(a), b16(b));
        std::array::from_fn(|i| (0..8).map(|j| u64::from(p[i * 8 + j].abs_diff(q[i * 8 + j]))).sum())
    };
    Pavgb = |a, b, imm| bytes!(a, b, |x, y| ((u16::from(x) + u16::from(y) + 1) >> 1) as u8);
    Pavgw = |a, b, imm| words!(a, b, |x, y| ((u32::from(x) + u32::from(y) + 1) >> 1) as u16);
    Pminub = |a, b, imm| bytes!(a, b, |x, y| x.min(y));
    Pmaxub = |a, b, imm| bytes!(a, b, |x, y| x.max(y));
    Pminsb = |a, b, imm| bytes!(a, b, |x, y| (x as i8).min(y as i8) as u8);
    Pmaxsb = |a, b, imm| bytes!(a, b, |x, y| (x as i8).max(y as i8) as u8);
    Pminsw = |a, b, imm| words!(a, b, |x, y| (x as i16).min(y as i16) as u16);
    Pmaxsw = |a, b, imm| words!(a, b, |x, y| (x as i16).max(y as i16) as u16);
    Pminuw = |a, b, imm| words!(a, b, |x, y| x.min(y));
    Pmaxuw = |a, b, imm| words!(a, b, |x, y| x.max(y));
    Pminsd = |a, b, imm| dwords!(a, b, |x, y| (x as i32).min(y as i32) as u32);
    Pmaxsd = |a, b, imm| dwords!(a, b, |x, y| (x as i32).max(y as i32) as u32);
    Pminud = |a, b, imm| dwords!(a, b, |x, y| x.min(y));
    Pmaxud = |a, b, imm| dwords!(a, b, |x, y| x.max(y));
    Pcmpeqb = |a, b, imm| bytes!(a, b, |x, y| if x == y { 0xff } else { 0 });
    Pcmpeqw = |a, b, imm| words!(a, b, |x, y| if x == y { 0xffff } else { 0 });
    Pcmpeqd = |a, b, imm| dwords!(a, b, |x, y| if x == y { u32::MAX } else { 0 });
    Pcmpeqq = |a, b, imm| qwords!(a, b, |x, y| if x == y { u64::MAX } else { 0 });
    Pcmpgtb = |a, b, imm| bytes!(a, b, |x, y| if x as i8 > y as i8 { 0xff } else { 0 });
    Pcmpgtw = |a, b, imm| words!(a, b, |x, y| if x as i16 > y as i16 { 0xffff } else { 0 });
    Pcmpgtd = |a, b, imm| dwords!(a, b, |x, y| if x as i32 > y as i32 { u32::MAX } else { 0 });
    Pcmpgtq = |a, b, imm| qwords!(a, b, |x, y| if x as i64 > y as i64 { u64::MAX } else { 0 });
    Pabsb = |a, b, imm| bytes!(a, b, |x, y| (y as i8).unsigned_abs());
    Pabsw = |a, b, imm| words!(a, b, |x, y| (y as i16).unsigned_abs());
    Pabsd = |a, b, imm| dwords!(a, b, |x, y| (y as i32).unsigned_abs());
    Psignb = |a, b, imm| bytes!(a, b, |x, y| match (y as i8).signum() { 0 => 0, 1 => x, _ => x.wrapping_neg() });
    Psignw = |a, b, imm| words!(a, b, |x, y| match (y as i16).signum() { 0 => 0, 1 => x, _ => x.wrapping_neg() });
    Psignd = |a, b, imm| dwords!(a, b, |x, y| match (y as i32).signum() { 0 => 0, 1 => x, _ => x.wrapping_neg() });
    Punpcklbw = |a, b, imm| {
        let (p, q) = (b16(a), b16(b));
        of_b16(std::array::from_fn(|i| if i % 2 == 0 { p[i / 2] } else { q[i / 2] }))
    };
    Punpckhbw = |a, b, imm| {
        let (p, q) = (b16(a), b16(b));
        of_b16(std::array::from_fn(|i| if i % 2 == 0 { p[8 + i / 2] } else { q[8 + i / 2] }))
    };
    Punpcklwd = |a, b, imm| {
        let (p, q) = (w8(a), w8(b));
        of_w8(std::array::from_fn(|i| if i % 2 == 0 { p[i / 2] } else { q[i / 2] }))
    };
    Punpckhwd = |a, b, imm| {
        let (p, q) = (w8(a), w8(b));
        of_w8(std::array::from_fn(|i| if i % 2 == 0 { p[4 + i / 2] } else { q[4 + i / 2] }))
    };
    Punpckldq = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        of_d4([p[0], q[0], p[1], q[1]])
    };
    Punpckhdq = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        of_d4([p[2], q[2], p[3], q[3]])
    };
    Punpcklqdq = |a, b, imm| [a[0], b[0]];
    Punpckhqdq = |a, b, imm| [a[1], b[1]];
    Packsswb = |a, b, imm| {
        let (p, q) = (w8(a), w8(b));
        of_b16(std::array::from_fn(|i| sb(i16x(if i < 8 { p[i] } else { q[i - 8] }))))
    };
    Packuswb = |a, b, imm| {
        let (p, q) = (w8(a), w8(b));
        of_b16(std::array::from_fn(|i| ub(i16x(if i < 8 { p[i] } else { q[i - 8] }))))
    };
    Packssdw = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        of_w8(std::array::from_fn(|i| sw((if i < 4 { p[i] } else { q[i - 4] }) as i32)))
    };
    Packusdw = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        of_w8(std::array::from_fn(|i| uw((if i < 4 { p[i] } else { q[i - 4] }) as i32)))
    };
    Psllw = |a, b, imm| words!(a, a, |x, y| if b[0] > 15 { 0 } else { x << b[0] });
    Pslld = |a, b, imm| dwords!(a, a, |x, y| if b[0] > 31 { 0 } else { x << b[0] });
    Psllq = |a, b, imm| qwords!(a, a, |x, y| if b[0] > 63 { 0 } else { x << b[0] });
    Psrlw = |a, b, imm| words!(a, a, |x, y| if b[0] > 15 { 0 } else { x >> b[0] });
    Psrld = |a, b, imm| dwords!(a, a, |x, y| if b[0] > 31 { 0 } else { x >> b[0] });
    Psrlq = |a, b, imm| qwords!(a, a, |x, y| if b[0] > 63 { 0 } else { x >> b[0] });
    Psraw = |a, b, imm| words!(a, a, |x, y| ((x as i16) >> b[0].min(15)) as u16);
    Psrad = |a, b, imm| dwords!(a, a, |x, y| ((x as i32) >> b[0].min(31)) as u32);
    Pslldq = |a, b, imm| {
        let v = u128::from(a[0]) | (u128::from(a[1]) << 64);
        let r = if b[0] > 15 { 0 } else { v << (b[0] * 8) };
        [r as u64, (r >> 64) as u64]
    };
    Psrldq = |a, b, imm| {
        let v = u128::from(a[0]) | (u128::from(a[1]) << 64);
        let r = if b[0] > 15 { 0 } else { v >> (b[0] * 8) };
        [r as u64, (r >> 64) as u64]
    };
    Pshufd = |a, b, imm| {
        let q = d4(b);
        of_d4(std::array::from_fn(|i| q[(imm >> (i * 2)) as usize & 3]))
    };
    Pshuflw = |a, b, imm| {
        let q = w8(b);
        of_w8(std::array::from_fn(|i| if i < 4 { q[(imm >> (i * 2)) as usize & 3] } else { q[i] }))
    };
    Pshufhw = |a, b, imm| {
        let q = w8(b);
        of_w8(std::array::from_fn(|i| if i < 4 { q[i] } else { q[4 + ((imm >> (i * 2 - 8)) as usize & 3)] }))
    };
    Shufps = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        of_d4(std::array::from_fn(|i| (if i < 2 { p } else { q })[(imm >> (i * 2)) as usize & 3]))
    };
    Shufpd = |a, b, imm| [a[imm as usize & 1], b[(imm >> 1) as usize & 1]];
    Pshufb = |a, b, imm| {
        let (p, q) = (b16(a), b16(b));
        of_b16(std::array::from_fn(|i| if q[i] & 0x80 != 0 { 0 } else { p[q[i] as usize & 15] }))
    };
    Palignr = |a, b, imm| {
        let (p, q) = (b16(a), b16(b));
        of_b16(std::array::from_fn(|i| {
            let at = i + imm as usize;
            if at < 16 { q[at] } else if at < 32 { p[at - 16] } else { 0 }
        }))
    };
    Pblendw = |a, b, imm| {
        let (p, q) = (w8(a), w8(b));
        of_w8(std::array::from_fn(|i| if imm >> i & 1 != 0 { q[i] } else { p[i] }))
    };
    Blendps = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        of_d4(std::array::from_fn(|i| if imm >> i & 1 != 0 { q[i] } else { p[i] }))
    };
    Blendpd = |a, b, imm| std::array::from_fn(|i| if imm >> i & 1 != 0 { b[i] } else { a[i] });
    Phaddw = |a, b, imm| pairs_w(a, b, |x, y| x.wrapping_add(y));
    Phsubw = |a, b, imm| pairs_w(a, b, |x, y| x.wrapping_sub(y));
    Phaddsw = |a, b, imm| pairs_w(a, b, |x, y| sw(i16x(x) + i16x(y)));
    Phsubsw = |a, b, imm| pairs_w(a, b, |x, y| sw(i16x(x) - i16x(y)));
    Phaddd = |a, b, imm| pairs_d(a, b, |x, y| x.wrapping_add(y));
    Phsubd = |a, b, imm| pairs_d(a, b, |x, y| x.wrapping_sub(y));
    Phminposuw = |a, b, imm| {
        let q = w8(b);
        let (at, min) = q.iter().enumerate().min_by_key(|&(i, v)| (*v, i)).map_or((0, 0), |(i, v)| (i, *v));
        [u64::from(min) | ((at as u64) << 16), 0]
    };
    Mpsadbw = |a, b, imm| {
        let (p, q) = (b16(a), b16(b));
        let (from, block) = ((imm >> 2 & 1) as usize * 4, (imm & 3) as usize * 4);
        of_w8(std::array::from_fn(|i| {
            (0..4).map(|j| u16::from(p[from + i + j].abs_diff(q[block + j]))).sum()
        }))
    };
    Vpermilps = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        of_d4(std::array::from_fn(|i| p[q[i] as usize & 3]))
    };
    Vpermilpd = |a, b, imm| std::array::from_fn(|i| a[(b[i] >> 1) as usize & 1]);
    Permilpd = |a, b, imm| [b[imm as usize & 1], b[(imm >> 1) as usize & 1]];
    Vpsllvd = |a, b, imm| dwords!(a, b, |x, y| if y > 31 { 0 } else { x << y });
    Vpsllvq = |a, b, imm| qwords!(a, b, |x, y| if y > 63 { 0 } else { x << y });
    Vpsrlvd = |a, b, imm| dwords!(a, b, |x, y| if y > 31 { 0 } else { x >> y });
    Vpsrlvq = |a, b, imm| qwords!(a, b, |x, y| if y > 63 { 0 } else { x >> y });
    Vpsravd = |a, b, imm| dwords!(a, b, |x, y| ((x as i32) >> y.min(31)) as u32);
    Movddup = |a, b, imm| [b[0], b[0]];
    Movsldup = |a, b, imm| {
        let q = d4(b);
        of_d4([q[0], q[0], q[2], q[2]])
    };
    Movshdup = |a, b, imm| {
        let q = d4(b);
        of_d4([q[1], q[1], q[3], q[3]])
    };
}

/// `F` whose immediate for the upper half stands `N` bits higher.
pub(crate) struct Split<F, const N: u32>(std::marker::PhantomData<F>);
impl<F: V2, const N: u32> V2 for Split<F, N> {
    const IMM_SHIFT: u32 = N;
    #[inline(always)]
    fn run(a: X, b: X, imm: u8) -> X {
        F::run(a, b, imm)
    }
}

#[inline(always)]
fn pairs_w(a: X, b: X, f: impl Fn(u16, u16) -> u16) -> X {
    let (p, q) = (w8(a), w8(b));
    of_w8(std::array::from_fn(|i| {
        let s = if i < 4 { &p } else { &q };
        f(s[i % 4 * 2], s[i % 4 * 2 + 1])
    }))
}

#[inline(always)]
fn pairs_d(a: X, b: X, f: impl Fn(u32, u32) -> u32) -> X {
    let (p, q) = (d4(a), d4(b));
    of_d4(std::array::from_fn(|i| {
        let s = if i < 2 { &p } else { &q };
        f(s[i % 2 * 2], s[i % 2 * 2 + 1])
    }))
}
