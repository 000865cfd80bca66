//! What AVX and AVX2 add: broadcasts, permutations across halves, insertion and extraction of halves, masked moves,
//! gathers, variable blends, sign tests, clearing of upper halves.
//!
//! **Invariant**: an element whose mask bit is clear is never touched in memory. A gather that faults has taken the
//! elements before the fault and cleared their masks; everything else leaves the state before the instruction.

use super::memory::Reach;
use super::operand::Int;
use super::vecint::{
    LEGACY, VEX128, VEX256, X, halves, high, missed, missed_halves, put, source, source_both,
};
use super::{Ctx, Env, Flow, OpRef, flags};
use crate::cpu::Ymm;
use crate::mem::Access;

/// An operation on whole 256-bit vectors.
pub(crate) trait Wide {
    /// The result.
    fn run(a: Ymm, b: Ymm, imm: u8) -> Ymm;
}

#[inline(always)]
fn dwords(v: Ymm) -> [u32; 8] {
    std::array::from_fn(|i| (v[i / 2] >> (i % 2 * 32)) as u32)
}

#[inline(always)]
fn of_dwords(v: [u32; 8]) -> Ymm {
    std::array::from_fn(|i| u64::from(v[i * 2]) | u64::from(v[i * 2 + 1]) << 32)
}

/// The whole source operand of 256 bits.
#[inline(always)]
fn source256<const MEM: bool>(ctx: &Ctx, op: OpRef) -> Option<Ymm> {
    source_both::<MEM>(ctx, op).map(|(low, up)| [low[0], low[1], up[0], up[1]])
}

/// Body: `a = F(b, source)` over 256 bits.
pub(crate) fn wide<F: Wide, const MEM: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = source256::<MEM>(ctx, op) else { return missed_halves::<VEX256>(ctx, op, env) };
    ctx.ymm[op.a as usize & 15] = F::run(ctx.ymm[op.b as usize & 15], s, op.imm as u8);
    op.next(ctx, env)
}

/// VPERMD, VPERMPS.
pub(crate) struct Vpermd;
impl Wide for Vpermd {
    #[inline(always)]
    fn run(a: Ymm, b: Ymm, _: u8) -> Ymm {
        let (index, from) = (dwords(a), dwords(b));
        of_dwords(std::array::from_fn(|i| from[index[i] as usize & 7]))
    }
}

/// VPERMQ, VPERMPD.
pub(crate) struct Vpermq;
impl Wide for Vpermq {
    #[inline(always)]
    fn run(_: Ymm, b: Ymm, imm: u8) -> Ymm {
        std::array::from_fn(|i| b[(imm >> (i * 2)) as usize & 3])
    }
}

/// VPERM2F128, VPERM2I128.
pub(crate) struct Vperm2;
impl Wide for Vperm2 {
    #[inline(always)]
    fn run(a: Ymm, b: Ymm, imm: u8) -> Ymm {
        let half = |control: u8| match control & 0xb {
            0 => [a[0], a[1]],
            1 => [a[2], a[3]],
            2 => [b[0], b[1]],
            3 => [b[2], b[3]],
            _ => [0; 2],
        };
        let (low, up) = (half(imm), half(imm >> 4));
        [low[0], low[1], up[0], up[1]]
    }
}

/// VINSERTF128, VINSERTI128.
pub(crate) fn insert128<const MEM: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = source::<MEM, VEX128>(ctx, op) else { return missed::<16, VEX128>(ctx, op, env) };
    let mut r = ctx.ymm[op.b as usize & 15];
    let at = (op.imm as usize & 1) * 2;
    r[at] = s[0];
    r[at + 1] = s[1];
    ctx.ymm[op.a as usize & 15] = r;
    op.next(ctx, env)
}

/// VEXTRACTF128, VEXTRACTI128 of register `b`.
pub(crate) fn extract128<const MEM: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = if op.imm & 1 != 0 { high(ctx, op.b) } else { ctx.x(op.b) };
    if MEM {
        let addr = ctx.ea(&op);
        if !ctx.store128(env, addr, v) {
            return ctx.fail(op);
        }
    } else {
        ctx.ymm[op.a as usize & 15] = [v[0], v[1], 0, 0];
    }
    op.next(ctx, env)
}

/// Copies of `v` in 64 bits.
#[inline(always)]
fn replicate<T: Int>(v: T) -> u64 {
    match T::BYTES {
        1 => v.u() * 0x0101_0101_0101_0101,
        2 => v.u() * 0x0001_0001_0001_0001,
        4 => v.u() * 0x0000_0001_0000_0001,
        _ => v.u(),
    }
}

/// VPBROADCASTB and its kin, VBROADCASTSS, VBROADCASTSD.
pub(crate) fn broadcast<T: Int, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let v = if MEM {
        let addr = ctx.ea(&op);
        let Some(v) = ctx.peek::<T>(addr) else {
            return ctx.miss(op, env, &Reach::whole(T::BYTES, Access::Read));
        };
        v
    } else {
        T::of(ctx.x(op.base)[0])
    };
    let v = replicate(v);
    ctx.ymm[op.a as usize & 15] = if K == VEX256 { [v; 4] } else { [v, v, 0, 0] };
    op.next(ctx, env)
}

/// VBROADCASTF128, VBROADCASTI128.
pub(crate) fn broadcast128(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let Some(v) = ctx.load128(env, addr) else { return ctx.fail(op) };
    ctx.ymm[op.a as usize & 15] = [v[0], v[1], v[0], v[1]];
    op.next(ctx, env)
}

/// VZEROUPPER; with `ALL` VZEROALL.
pub(crate) fn zero<const ALL: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    for y in &mut ctx.ymm {
        *y = if ALL { [0; 4] } else { [y[0], y[1], 0, 0] };
    }
    op.next(ctx, env)
}

/// Lane `i` of width `T`.
#[inline(always)]
fn lane<T: Int>(v: &Ymm, i: u64) -> T {
    let at = i * T::BYTES;
    T::of(v[(at as usize / 8) & 3] >> (at % 8 * 8))
}

#[inline(always)]
fn set_lane<T: Int>(v: &mut Ymm, i: u64, x: T) {
    let at = i * T::BYTES;
    let word = &mut v[(at as usize / 8) & 3];
    let shift = at % 8 * 8;
    *word = *word & !((u64::MAX >> T::SH) << shift) | x.u() << shift;
}

const fn lanes<T: Int>(k: u8) -> u64 {
    (if k == VEX256 { 32 } else { 16 }) / T::BYTES
}

/// VMASKMOVPS, VPMASKMOVD and their doubles from memory: mask in `b`, lanes without it are zero.
pub(crate) fn mask_load<T: Int, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let mask = ctx.ymm[op.b as usize & 15];
    let mut r = [0; 4];
    for i in 0..lanes::<T>(K) {
        if lane::<T>(&mask, i).msb() {
            let at = addr.wrapping_add(i * T::BYTES);
            let Some(v) = ctx.load_element::<T>(env, at) else { return ctx.fail(op) };
            set_lane(&mut r, i, v);
        }
    }
    ctx.ymm[op.a as usize & 15] = r;
    op.next(ctx, env)
}

/// The same to memory: mask in `a`, data in `b`.
pub(crate) fn mask_store<T: Int, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let (mask, data) = (ctx.ymm[op.a as usize & 15], ctx.ymm[op.b as usize & 15]);
    for check in [true, false] {
        for i in (0..lanes::<T>(K)).filter(|&i| lane::<T>(&mask, i).msb()) {
            let at = addr.wrapping_add(i * T::BYTES);
            let ok = if check {
                ctx.writable(env, at, T::BYTES)
            } else {
                ctx.store_element(env, at, lane::<T>(&data, i))
            };
            if !ok {
                return ctx.fail(op);
            }
        }
    }
    op.next(ctx, env)
}

/// Bits of the immediate of a gather.
pub(crate) mod gather_imm {
    /// Slot of the mask register.
    pub(crate) const MASK: u64 = 15;
    /// The address is cut to 32 bits.
    pub(crate) const NARROW: u64 = 0x10;
}

/// VPGATHERDD and its kin: data lanes of `T`, index lanes of `I` in vector register `b`, segment base in slot `index`.
pub(crate) fn gather<T: Int, I: Int, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let m = (op.imm & gather_imm::MASK) as usize;
    let (base, index) = (ctx.r(op.base).wrapping_add(op.disp as u64), ctx.ymm[op.b as usize & 15]);
    let (mut r, mut mask) = (ctx.ymm[op.a as usize & 15], ctx.ymm[m]);
    let n = lanes::<T>(K).min(lanes::<I>(K));
    let wide = n * T::BYTES > 16;
    for i in 0..n {
        if lane::<T>(&mask, i).msb() {
            let at = base.wrapping_add((lane::<I>(&index, i).s() as u64) << (op.scale & 7));
            let at = if op.imm & gather_imm::NARROW != 0 { at & 0xffff_ffff } else { at };
            let Some(v) = ctx.load_element::<T>(env, at.wrapping_add(ctx.r(op.index))) else {
                ctx.ymm[op.a as usize & 15] = r;
                ctx.ymm[m] = mask;
                return ctx.fail(op);
            };
            set_lane(&mut r, i, v);
        }
        set_lane(&mut mask, i, T::of(0));
    }
    // Lanes beyond those gathered are cleared.
    let keep = n * T::BYTES / 8;
    for (i, word) in r.iter_mut().enumerate() {
        if i as u64 >= keep.max(1) || (!wide && i >= 2) {
            *word = 0;
        }
    }
    ctx.ymm[op.a as usize & 15] = r;
    ctx.ymm[m] = [0; 4];
    op.next(ctx, env)
}

/// VBLENDVPS, VBLENDVPD, VPBLENDVB: mask in the register that `imm` names; `T` is the lane.
pub(crate) fn blendv<T: Int, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    // A mask of whole lanes from sign bits, without branches.
    let spread = |m: u64| {
        let top = match T::BYTES {
            1 => m >> 7 & 0x0101_0101_0101_0101,
            4 => m >> 31 & 0x0000_0001_0000_0001,
            _ => m >> 63,
        };
        top.wrapping_mul(u64::MAX >> T::SH)
    };
    let pick = |a: X, s: X, m: X| -> X {
        std::array::from_fn(|i| {
            let m = spread(m[i]);
            a[i] & !m | s[i] & m
        })
    };
    let m = ctx.ymm[op.imm as usize & 15];
    let Some((s, sh)) = halves::<MEM, K>(ctx, op) else { return missed_halves::<K>(ctx, op, env) };
    let r = pick(ctx.x(op.b), s, [m[0], m[1]]);
    if K == VEX256 {
        let s = sh;
        let h = pick(high(ctx, op.b), s, [m[2], m[3]]);
        ctx.ymm[op.a as usize & 15] = [r[0], r[1], h[0], h[1]];
    } else {
        put::<K>(ctx, op.a, r);
    }
    op.next(ctx, env)
}

/// VTESTPS, VTESTPD. ZF: no sign bit in `a & b`; CF: none in `!a & b`; the rest clear.
pub(crate) fn test_signs<T: Int, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let signs = if T::BYTES == 4 { 0x8000_0000_8000_0000u64 } else { 1 << 63 };
    let Some((s, sh)) = halves::<MEM, K>(ctx, op) else { return missed_halves::<K>(ctx, op, env) };
    let a = ctx.x(op.a);
    let (mut and, mut not) = ((a[0] & s[0]) | (a[1] & s[1]), (!a[0] & s[0]) | (!a[1] & s[1]));
    if K == VEX256 {
        let s = sh;
        let a = high(ctx, op.a);
        and |= (a[0] & s[0]) | (a[1] & s[1]);
        not |= (!a[0] & s[0]) | (!a[1] & s[1]);
    }
    ctx.set_explicit((u64::from(and & signs == 0) * flags::ZF) | (u64::from(not & signs == 0) * flags::CF));
    op.next(ctx, env)
}

/// PMOVZX, PMOVSX: lanes of `T` become lanes of `W` (`SIGNED`). Only as many bytes as are used are read.
pub(crate) fn extend<T: Int, W: Int, const SIGNED: bool, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let n = lanes::<W>(K);
    let from: X = if MEM {
        let addr = ctx.ea(&op);
        let v = match n * T::BYTES {
            16 => ctx.load128(env, addr),
            8 => ctx.load::<u64>(env, addr).map(|v| [v, 0]),
            4 => ctx.load::<u32>(env, addr).map(|v| [u64::from(v), 0]),
            _ => ctx.load::<u16>(env, addr).map(|v| [u64::from(v), 0]),
        };
        let Some(v) = v else { return ctx.fail(op) };
        v
    } else {
        ctx.x(op.base)
    };
    let from = [from[0], from[1], 0, 0];
    let mut r = [0; 4];
    for i in 0..n {
        let v = lane::<T>(&from, i);
        set_lane(&mut r, i, W::of(if SIGNED { v.s() as u64 } else { v.u() }));
    }
    if K == LEGACY {
        ctx.set_x(op.a, [r[0], r[1]]);
    } else {
        ctx.ymm[op.a as usize & 15] = r;
    }
    op.next(ctx, env)
}

/// EXTRQ with immediates: length in `imm`, index in `disp`; the upper half is undefined, AMD
/// processors clear it.
pub(crate) fn extrq(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = ctx.x(op.a);
    ctx.set_x(op.a, [field(v[0], op.imm, op.disp as u64), 0]);
    op.next(ctx, env)
}

/// EXTRQ with length and index in register `b`.
pub(crate) fn extrq_reg(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let (v, control) = (ctx.x(op.a), ctx.x(op.b)[0]);
    ctx.set_x(op.a, [field(v[0], control, control >> 8), 0]);
    op.next(ctx, env)
}

fn field_mask(length: u64) -> u64 {
    let length = length & 63;
    if length == 0 { u64::MAX } else { (1 << length) - 1 }
}

fn field(v: u64, length: u64, index: u64) -> u64 {
    v >> (index & 63) & field_mask(length)
}

/// INSERTQ with immediates: length in `imm`, index in `disp`.
pub(crate) fn insertq(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    insert_field(ctx, op, op.imm, op.disp as u64);
    op.next(ctx, env)
}

/// INSERTQ with length and index in the upper half of register `b`.
pub(crate) fn insertq_reg(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let control = ctx.x(op.b)[1];
    insert_field(ctx, op, control, control >> 8);
    op.next(ctx, env)
}

fn insert_field(ctx: &mut Ctx, op: OpRef, length: u64, index: u64) {
    let (v, from) = (ctx.x(op.a), ctx.x(op.b)[0]);
    let index = index & 63;
    let mask = field_mask(length) << index;
    ctx.set_x(op.a, [v[0] & !mask | from << index & mask, 0]);
}
