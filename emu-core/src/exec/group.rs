//! Several instructions at once: an operation that stands before those of its instructions and does the work of all if
//! everything is at hand; if not it does nothing, and they run one by one.
//!
//! Key traits: [`Made`] (a value that goes into a register), [`alu::Alu`] and [`Plain`] (what is done with it).
//! Neighbour: `decode/group.rs` puts them there.
//!
//! **Invariant**: nothing is changed before everything that may miss is found; so faults are the single operations'.

use super::operand::{Int, Src};
use super::shift::{Plain, mask};
use super::{Ctx, Env, Flow, Op, OpRef, alu};
use crate::cpu::reg;

const RSP: u8 = reg::RSP as u8;

/// What an instruction puts into the register `a`.
pub(crate) trait Made {
    /// The value for the whole register, if that takes no walk.
    fn made(ctx: &Ctx, op: &Op) -> Option<u64>;
}

/// MOV and MOVZX of width `T`.
pub(crate) struct Zero<T, S>(std::marker::PhantomData<(T, S)>);
impl<T: Int, S: Src> Made for Zero<T, S> {
    #[inline(always)]
    fn made(ctx: &Ctx, op: &Op) -> Option<u64> {
        S::peek::<T>(ctx, op).map(T::u)
    }
}

/// MOVSX of width `T` to 64 bits.
pub(crate) struct Sign<T, S>(std::marker::PhantomData<(T, S)>);
impl<T: Int, S: Src> Made for Sign<T, S> {
    #[inline(always)]
    fn made(ctx: &Ctx, op: &Op) -> Option<u64> {
        S::peek::<T>(ctx, op).map(|v| v.s() as u64)
    }
}

/// A register is made, then an operation changes it; without flags if `QUIET`.
pub(crate) fn made_alu<M: Made, O: alu::Alu, T: Int, S: Src, const QUIET: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let (first, second) = (op.ahead(1), op.ahead(2));
    let Some(v) = M::made(ctx, &first) else { return op.next(ctx, env) };
    let Some(b) = S::peek::<T>(ctx, &second) else { return op.next(ctx, env) };
    let a = T::of(v);
    let r = O::value(ctx, a, b);
    T::put(ctx, second.a, r);
    if !QUIET {
        O::flags(ctx, a, b, r);
    }
    second.next(ctx, env)
}

/// A register is made, then shifted by an immediate; without flags if `QUIET`.
pub(crate) fn made_shift<M: Made, O: Plain, T: Int, const QUIET: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let (first, second) = (op.ahead(1), op.ahead(2));
    let Some(v) = M::made(ctx, &first) else { return op.next(ctx, env) };
    let n = second.imm as u32 & mask::<T>();
    let r = if QUIET { O::value(T::of(v), n) } else { O::run(ctx, T::of(v), n) };
    T::put(ctx, second.a, r);
    second.next(ctx, env)
}

/// The register that was made, compared with itself.
pub(crate) struct Same;
/// The register that was made, compared with another operand.
pub(crate) struct Other<S>(std::marker::PhantomData<S>);
/// With what a register that was made is compared.
pub(crate) trait With {
    /// That.
    fn with<T: Int>(ctx: &Ctx, op: &Op, a: T) -> Option<T>;
}
impl With for Same {
    #[inline(always)]
    fn with<T: Int>(_: &Ctx, _: &Op, a: T) -> Option<T> {
        Some(a)
    }
}
impl<S: Src> With for Other<S> {
    #[inline(always)]
    fn with<T: Int>(ctx: &Ctx, op: &Op, _: T) -> Option<T> {
        S::peek(ctx, op)
    }
}

/// A register is made and compared, and a conditional jump follows.
pub(crate) fn made_jcc<M: Made, O: alu::Alu, T: Int, W: With, const CC: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let (first, second) = (op.ahead(1), op.ahead(2));
    let Some(v) = M::made(ctx, &first) else { return op.next(ctx, env) };
    let a = T::of(v);
    let Some(b) = W::with(ctx, &second, a) else { return op.next(ctx, env) };
    ctx.w(first.a, v);
    O::flags(ctx, a, b, a);
    if ctx.cond::<CC>() { ctx.follow(second, env) } else { second.past(ctx, env) }
}

/// `N` registers are pushed.
pub(crate) fn pushes<const N: usize>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(8 * N as u64);
    let Some(p) = ctx.writeable(sp, 8 * N as u64) else { return op.next(ctx, env) };
    for i in 0..N {
        let v = ctx.r(op.ahead(1 + i).a);
        // SAFETY: there are `N` words behind `p`, in one page.
        unsafe { u64::store(p.add(8 * (N - 1 - i)), v) };
    }
    ctx.w(RSP, sp);
    op.ahead(N).next(ctx, env)
}

/// `N` registers are popped.
pub(crate) fn pops<const N: usize>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(p) = ctx.readable(sp, 8 * N as u64) else { return op.next(ctx, env) };
    for i in 0..N {
        // SAFETY: there are `N` words behind `p`, in one page.
        let v = unsafe { u64::load(p.add(8 * i)) };
        ctx.w(op.ahead(1 + i).a, v);
    }
    ctx.w(RSP, sp.wrapping_add(8 * N as u64));
    op.ahead(N).next(ctx, env)
}
