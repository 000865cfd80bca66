//! String instructions: MOVS, STOS, LODS, CMPS, SCAS, alone and repeated.
//!
//! **Invariant**: an iteration counts as one instruction; a repeated instruction with a count of zero counts as one.
//! Between iterations the state is exact, so a fault or the end of the budget stops in the middle.

use super::memory::canonical;
use super::operand::Int;
use super::{Ctx, Env, Flow, OpRef, Stop};
use crate::cpu::reg;
use crate::mem::{Access, PAGE_SIZE};

const RSI: u8 = reg::RSI as u8;
const RDI: u8 = reg::RDI as u8;
const RCX: u8 = reg::RCX as u8;
const RAX: u8 = reg::RAX as u8;

/// What a string instruction does.
pub(crate) trait Str {
    /// True for CMPS and SCAS, whose repetition looks at ZF.
    const COMPARES: bool;
    /// One iteration. False: it faulted.
    fn one<T: Int, A: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> bool;
    /// Where an instruction repeated while equal looks before anything else. False: it faulted.
    fn first<T: Int, A: Int>(_: &mut Ctx, _: OpRef, _: &mut Env<'_>) -> bool {
        true
    }
    /// Up to `n` iterations at once; how many were done. 0: go one by one.
    fn bulk<T: Int, A: Int>(_: &mut Ctx, _: OpRef, _: &mut Env<'_>, _: u64) -> u64 {
        0
    }
}

/// Address of the source; segment base in slot `op.b`.
#[inline(always)]
fn source<A: Int>(ctx: &Ctx, op: OpRef) -> u64 {
    A::get(ctx, RSI).u().wrapping_add(ctx.r(op.b))
}

#[inline(always)]
fn step<T: Int, A: Int>(ctx: &mut Ctx, r: u8) {
    let by = if ctx.df() { T::BYTES.wrapping_neg() } else { T::BYTES };
    let v = A::of(A::get(ctx, r).u().wrapping_add(by));
    A::put(ctx, r, v);
}

/// Elements of width `T` from `addr` to the end of its page.
fn room<T: Int>(addr: u64) -> u64 {
    (PAGE_SIZE - (addr & 0xfff)) / T::BYTES
}

/// MOVS.
pub(crate) struct Movs;
impl Str for Movs {
    const COMPARES: bool = false;
    #[inline(always)]
    fn one<T: Int, A: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> bool {
        let (from, to) = (source::<A>(ctx, op), A::get(ctx, RDI).u());
        let Some(v) = ctx.load::<T>(env, from) else { return false };
        if !ctx.store(env, to, v) {
            return false;
        }
        step::<T, A>(ctx, RSI);
        step::<T, A>(ctx, RDI);
        true
    }
    fn bulk<T: Int, A: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>, n: u64) -> u64 {
        let (from, to) = (source::<A>(ctx, op), A::get(ctx, RDI).u());
        // Forward overlap repeats the pattern: one by one. Likewise whatever may fault.
        let n = n.min(room::<T>(from)).min(room::<T>(to));
        let bytes = n * T::BYTES;
        if A::BITS != 64 || ctx.df() || to.wrapping_sub(from) < bytes || !canonical(from) || !canonical(to) {
            return 0;
        }
        let Some(src) = ctx.host(env, from, Access::Read) else { return quiet(ctx) };
        let Some(dst) = ctx.host(env, to, Access::Write) else { return quiet(ctx) };
        // The write may have given the page of the source a new frame.
        let Some(src) = ctx.host(env, from, Access::Read).or(Some(src)) else { return quiet(ctx) };
        // SAFETY: both pointers are good to the end of their page, and `n` keeps within both.
        unsafe { std::ptr::copy(src, dst, bytes as usize) };
        ctx.w(RSI, ctx.r(RSI).wrapping_add(bytes));
        ctx.w(RDI, ctx.r(RDI).wrapping_add(bytes));
        n
    }
}

/// A bulk operation that cannot: the iteration by itself meets the fault again.
fn quiet(ctx: &mut Ctx) -> u64 {
    ctx.stop = Stop::None;
    0
}

/// STOS.
pub(crate) struct Stos;
impl Str for Stos {
    const COMPARES: bool = false;
    #[inline(always)]
    fn one<T: Int, A: Int>(ctx: &mut Ctx, _: OpRef, env: &mut Env<'_>) -> bool {
        let to = A::get(ctx, RDI).u();
        let v = T::get(ctx, RAX);
        if !ctx.store(env, to, v) {
            return false;
        }
        step::<T, A>(ctx, RDI);
        true
    }
    fn bulk<T: Int, A: Int>(ctx: &mut Ctx, _: OpRef, env: &mut Env<'_>, n: u64) -> u64 {
        let to = A::get(ctx, RDI).u();
        let n = n.min(room::<T>(to));
        if A::BITS != 64 || ctx.df() || !canonical(to) {
            return 0;
        }
        let Some(dst) = ctx.host(env, to, Access::Write) else { return quiet(ctx) };
        let v = T::get(ctx, RAX);
        for i in 0..n {
            // SAFETY: the pointer is good to the end of the page, and `n` keeps within.
            unsafe { T::store(dst.add((i * T::BYTES) as usize), v) };
        }
        ctx.w(RDI, to.wrapping_add(n * T::BYTES));
        n
    }
}

/// LODS.
pub(crate) struct Lods;
impl Str for Lods {
    const COMPARES: bool = false;
    #[inline(always)]
    fn one<T: Int, A: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> bool {
        let from = source::<A>(ctx, op);
        let Some(v) = ctx.load::<T>(env, from) else { return false };
        T::put(ctx, RAX, v);
        step::<T, A>(ctx, RSI);
        true
    }
}

/// CMPS. All six flags.
pub(crate) struct Cmps;
impl Str for Cmps {
    const COMPARES: bool = true;
    #[inline(always)]
    fn one<T: Int, A: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> bool {
        let (from, to) = (source::<A>(ctx, op), A::get(ctx, RDI).u());
        // The second operand is read first.
        let Some(b) = ctx.load::<T>(env, to) else { return false };
        let Some(a) = ctx.load::<T>(env, from) else { return false };
        step::<T, A>(ctx, RSI);
        step::<T, A>(ctx, RDI);
        ctx.set_sub(a, b);
        true
    }
    fn first<T: Int, A: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> bool {
        // While equal, of bytes the first operand is.
        T::BYTES != 1 || ctx.load::<T>(env, source::<A>(ctx, op)).is_some()
    }
}

/// SCAS. All six flags.
pub(crate) struct Scas;
impl Str for Scas {
    const COMPARES: bool = true;
    #[inline(always)]
    fn one<T: Int, A: Int>(ctx: &mut Ctx, _: OpRef, env: &mut Env<'_>) -> bool {
        let to = A::get(ctx, RDI).u();
        let Some(b) = ctx.load::<T>(env, to) else { return false };
        let a = T::get(ctx, RAX);
        step::<T, A>(ctx, RDI);
        ctx.set_sub(a, b);
        true
    }
}

/// One iteration, not repeated.
pub(crate) fn string<O: Str, T: Int, A: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if !O::one::<T, A>(ctx, op, env) {
        return ctx.fail(op);
    }
    op.next(ctx, env)
}

/// Repeated: REP or REPE (`NE` false), REPNE. Ends its block.
pub(crate) fn rep<O: Str, T: Int, A: Int, const NE: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let mut count = A::get(ctx, RCX).u();
    if count == 0 {
        // Not even the upper half of a narrow count is written.
        return ctx.follow(op, env);
    }
    // One iteration is in the block's count already.
    let mut may = if ctx.single { 1 } else { (ctx.remaining + ctx.reserve) as u64 + 1 };
    let mut done = 0i64;
    loop {
        let mut n = if ctx.alignment_checked() { 0 } else { O::bulk::<T, A>(ctx, op, env, count.min(may)) };
        if n == 0 {
            if !(NE || O::first::<T, A>(ctx, op, env)) || !O::one::<T, A>(ctx, op, env) {
                ctx.spend(done);
                return ctx.fail(op);
            }
            n = 1;
        }
        count -= n;
        may -= n;
        done += n as i64;
        A::put(ctx, RCX, A::of(count));
        if count == 0 || (O::COMPARES && ctx.zf() == NE) {
            ctx.spend(done - 1);
            return ctx.follow(op, env);
        }
        if may == 0 {
            ctx.spend(done - 1);
            ctx.rip = ctx.ip_of(&op);
            ctx.link = std::ptr::null();
            return Flow::STOP;
        }
    }
}
