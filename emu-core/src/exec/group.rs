//! Several instructions at once: the body of the first operation does the work of those behind it too, as far as
//! everything is at hand; then they run one by one, the first by the body that it had ([`Block::apart`]).
//!
//! Key traits: [`Made`] (a value that goes into a register), [`alu::Alu`] and [`Plain`] (what is done with it);
//! [`Simple`], any two of which make a pair.
//! Neighbour: `decode/group.rs` puts them there.
//!
//! **Invariant**: nothing of an instruction is done before everything in it that may miss is found; so faults are the
//! single operations'.

use super::operand::{AtBase, Dst, Im, Int, Me, Ra, Rb, Src};
use super::shift::{Plain, Sar, Shl, Shr, mask};
use super::{Ctx, Env, Flow, Op, OpFn, OpRef, alu, branch};
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

/// Runs the first operation of a group by the body that is its own.
#[cold]
#[inline(never)]
fn apart(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    (ctx.body_of(op))(ctx, op, env)
}

/// A register is made, then an operation changes it; without flags if `QUIET`.
pub(crate) fn made_alu<M: Made, O: alu::Alu, T: Int, S: Src, const QUIET: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let second = op.ahead(1);
    let Some(v) = M::made(ctx, &op) else { return apart(ctx, op, env) };
    let Some(b) = S::peek::<T>(ctx, &second) else { return apart(ctx, op, env) };
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
    let second = op.ahead(1);
    let Some(v) = M::made(ctx, &op) else { return apart(ctx, op, env) };
    let n = second.imm as u32 & mask::<T>();
    let r = if QUIET { O::value(T::of(v), n) } else { O::run(ctx, T::of(v), n) };
    T::put(ctx, second.a, r);
    second.next(ctx, env)
}

/// In [`made_load`]: the register is the base, without an index.
pub(crate) const NEAR: u8 = 0;
/// It is the base.
pub(crate) const BASE: u8 = 1;
/// It is the index.
pub(crate) const INDEX: u8 = 2;

/// A register is made, and another loaded from an address in which it is the `ROLE`: `T`, with its sign if `SIGNED`.
pub(crate) fn made_load<M: Made, T: Int, const SIGNED: bool, const ROLE: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let second = op.ahead(1);
    let Some(v) = M::made(ctx, &op) else { return apart(ctx, op, env) };
    let scaled = |v: u64| v.wrapping_shl(u32::from(second.scale));
    let sum = match ROLE {
        NEAR => v,
        BASE => v.wrapping_add(scaled(ctx.r(second.index))),
        _ => scaled(v).wrapping_add(ctx.r(second.base)),
    };
    let Some(w) = ctx.peek::<T>(sum.wrapping_add(second.disp as u64)) else { return apart(ctx, op, env) };
    ctx.w(op.a, v);
    ctx.w(second.a, if SIGNED { w.s() as u64 } else { w.u() });
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
    let second = op.ahead(1);
    let Some(v) = M::made(ctx, &op) else { return apart(ctx, op, env) };
    let a = T::of(v);
    let Some(b) = W::with(ctx, &second, a) else { return apart(ctx, op, env) };
    ctx.w(op.a, v);
    O::flags(ctx, a, b, a);
    if ctx.cond::<CC>() { ctx.follow(second, env) } else { second.past(ctx, env) }
}

/// `N` registers are pushed.
pub(crate) fn pushes<const N: usize>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(8 * N as u64);
    let Some(p) = ctx.writeable(sp, 8 * N as u64) else { return apart(ctx, op, env) };
    for i in 0..N {
        let v = ctx.r(op.ahead(i).a);
        // SAFETY: there are `N` words behind `p`, in one page.
        unsafe { u64::store(p.add(8 * (N - 1 - i)), v) };
    }
    ctx.w(RSP, sp);
    op.ahead(N - 1).next(ctx, env)
}

/// `N` registers are popped.
pub(crate) fn pops<const N: usize>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(p) = ctx.readable(sp, 8 * N as u64) else { return apart(ctx, op, env) };
    for i in 0..N {
        // SAFETY: there are `N` words behind `p`, in one page.
        let v = unsafe { u64::load(p.add(8 * i)) };
        ctx.w(op.ahead(i).a, v);
    }
    ctx.w(RSP, sp.wrapping_add(8 * N as u64));
    op.ahead(N - 1).next(ctx, env)
}

/// An instruction that goes on with the next one.
pub(crate) trait Simple {
    /// Does it. False: something is not at hand, and nothing was done.
    fn run(ctx: &mut Ctx, op: &Op) -> bool;
}

/// A register is made.
pub(crate) struct Put<M>(std::marker::PhantomData<M>);
impl<M: Made> Simple for Put<M> {
    #[inline(always)]
    fn run(ctx: &mut Ctx, op: &Op) -> bool {
        let Some(v) = M::made(ctx, op) else { return false };
        ctx.w(op.a, v);
        true
    }
}

/// LEA of width `T`, without an index if `NEAR`.
pub(crate) struct Lea<T, const NEAR: bool>(std::marker::PhantomData<T>);
impl<T: Int, const NEAR: bool> Simple for Lea<T, NEAR> {
    #[inline(always)]
    fn run(ctx: &mut Ctx, op: &Op) -> bool {
        let v = if NEAR { ctx.r(op.base).wrapping_add(op.disp as u64) } else { ctx.ea(op) };
        T::put(ctx, op.a, T::of(v));
        true
    }
}

/// Arithmetic on a register; without flags if `QUIET`.
pub(crate) struct Do<O, T, S, const QUIET: bool>(std::marker::PhantomData<(O, T, S)>);
impl<O: alu::Alu, T: Int, S: Src, const QUIET: bool> Simple for Do<O, T, S, QUIET> {
    #[inline(always)]
    fn run(ctx: &mut Ctx, op: &Op) -> bool {
        let Some(b) = S::peek::<T>(ctx, op) else { return false };
        let a = T::get(ctx, op.a);
        let r = O::value(ctx, a, b);
        T::put(ctx, op.a, r);
        if !QUIET {
            O::flags(ctx, a, b, r);
        }
        true
    }
}

/// A shift of a register by an immediate, without flags.
pub(crate) struct Shift<O, T>(std::marker::PhantomData<(O, T)>);
impl<O: Plain, T: Int> Simple for Shift<O, T> {
    #[inline(always)]
    fn run(ctx: &mut Ctx, op: &Op) -> bool {
        let v = O::value(T::get(ctx, op.a), op.imm as u32 & mask::<T>());
        T::put(ctx, op.a, v);
        true
    }
}

/// MOV to memory.
pub(crate) struct Store<T, D, S>(std::marker::PhantomData<(T, D, S)>);
impl<T: Int, D: Dst, S: Src> Simple for Store<T, D, S> {
    #[inline(always)]
    fn run(ctx: &mut Ctx, op: &Op) -> bool {
        let (Some(v), Some(at)) = (S::peek::<T>(ctx, op), D::reach::<T>(ctx, op)) else { return false };
        D::write(ctx, op, at, v);
        true
    }
}

/// PUSH of a register.
pub(crate) struct Push;
impl Simple for Push {
    #[inline(always)]
    fn run(ctx: &mut Ctx, op: &Op) -> bool {
        let sp = ctx.r(RSP).wrapping_sub(8);
        let Some(at) = ctx.reach::<u64>(sp) else { return false };
        at.write(ctx.r(op.a));
        ctx.w(RSP, sp);
        true
    }
}

/// POP of a register.
pub(crate) struct Pop;
impl Simple for Pop {
    #[inline(always)]
    fn run(ctx: &mut Ctx, op: &Op) -> bool {
        let sp = ctx.r(RSP);
        let Some(v) = ctx.peek::<u64>(sp) else { return false };
        ctx.w(RSP, sp.wrapping_add(8));
        ctx.w(op.a, v);
        true
    }
}

/// Two instructions. The second may miss when the first is done.
fn pair<A: Simple, B: Simple>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let second = op.ahead(1);
    if !A::run(ctx, &op) {
        return apart(ctx, op, env);
    }
    if !B::run(ctx, &second) {
        return missed(ctx, op, env);
    }
    second.next(ctx, env)
}

/// The first of two instructions is done, the second is to run alone.
#[cold]
#[inline(never)]
fn missed(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    op.next(ctx, env)
}

/// An instruction, a comparison (`O`, of width `T`, of registers or with an immediate), and a conditional jump.
pub(crate) fn before_jcc<A: Simple, O: alu::Alu, T: Int, S: Src, const CC: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    if !A::run(ctx, &op) {
        return apart(ctx, op, env);
    }
    alu::alu_jcc::<O, T, Ra, S, CC>(ctx, op.ahead(1), env)
}

/// An instruction, and an indirect jump.
fn before_jump<A: Simple, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if !A::run(ctx, &op) {
        return apart(ctx, op, env);
    }
    branch::jmp_ind::<S>(ctx, op.ahead(1), env)
}

macro_rules! kinds {
    ($($name:ident: $t:ty,)*) => {
        /// The instructions of which any two make a pair.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            $(#[doc = stringify!($t)] $name,)*
        }
        /// How many.
        const KINDS: usize = [$(Kind::$name),*].len();

        /// The bodies of pairs that begin with `A`.
        const fn seconds<A: Simple>() -> [OpFn; KINDS] {
            [$(pair::<A, $t>),*]
        }
        static PAIRS: [[OpFn; KINDS]; KINDS] = [$(seconds::<$t>()),*];
        static JUMPS: [[OpFn; 2]; KINDS] = [$([before_jump::<$t, Ra>, before_jump::<$t, Me>]),*];
    };
}

kinds! {
    Copy64: Put<Zero<u64, Rb>>,
    Copy32: Put<Zero<u32, Rb>>,
    Set64: Put<Zero<u64, Im>>,
    Set32: Put<Zero<u32, Im>>,
    Load64: Put<Zero<u64, Me>>,
    Load64Near: Put<Zero<u64, AtBase>>,
    Load32: Put<Zero<u32, Me>>,
    Load32Near: Put<Zero<u32, AtBase>>,
    Load16: Put<Zero<u16, Me>>,
    Load16Near: Put<Zero<u16, AtBase>>,
    Load8: Put<Zero<u8, Me>>,
    Load8Near: Put<Zero<u8, AtBase>>,
    Copy8: Put<Zero<u8, Rb>>,
    Extend: Put<Sign<u32, Rb>>,
    Extended: Put<Sign<u32, Me>>,
    ExtendedNear: Put<Sign<u32, AtBase>>,
    Lea64: Lea<u64, false>,
    Lea64Near: Lea<u64, true>,
    Lea32: Lea<u32, false>,
    Lea32Near: Lea<u32, true>,
    Add64: Do<alu::Add, u64, Rb, false>,
    Add64Im: Do<alu::Add, u64, Im, false>,
    Add32: Do<alu::Add, u32, Rb, false>,
    Add32Im: Do<alu::Add, u32, Im, false>,
    Sub64: Do<alu::Sub, u64, Rb, false>,
    Sub64Im: Do<alu::Sub, u64, Im, false>,
    Sub32: Do<alu::Sub, u32, Rb, false>,
    Sub32Im: Do<alu::Sub, u32, Im, false>,
    And32Im: Do<alu::And, u32, Im, false>,
    Xor32: Do<alu::Xor, u32, Rb, false>,
    QuietAdd64: Do<alu::Add, u64, Rb, true>,
    QuietAdd64Im: Do<alu::Add, u64, Im, true>,
    QuietAdd32: Do<alu::Add, u32, Rb, true>,
    QuietAdd32Im: Do<alu::Add, u32, Im, true>,
    QuietSub64: Do<alu::Sub, u64, Rb, true>,
    QuietSub64Im: Do<alu::Sub, u64, Im, true>,
    QuietSub32Im: Do<alu::Sub, u32, Im, true>,
    QuietAnd32: Do<alu::And, u32, Rb, true>,
    QuietAnd32Im: Do<alu::And, u32, Im, true>,
    QuietOr64: Do<alu::Or, u64, Rb, true>,
    QuietOr32: Do<alu::Or, u32, Rb, true>,
    QuietXor64: Do<alu::Xor, u64, Rb, true>,
    QuietXor32: Do<alu::Xor, u32, Rb, true>,
    Shl64: Shift<Shl, u64>,
    Shl32: Shift<Shl, u32>,
    Shr64: Shift<Shr, u64>,
    Shr32: Shift<Shr, u32>,
    Sar64: Shift<Sar, u64>,
    Sar32: Shift<Sar, u32>,
    Store64: Store<u64, Me, Rb>,
    Store64Near: Store<u64, AtBase, Rb>,
    Store32: Store<u32, Me, Rb>,
    Store32Near: Store<u32, AtBase, Rb>,
    Store8Near: Store<u8, AtBase, Rb>,
    Store64Im: Store<u64, AtBase, Im>,
    Store32Im: Store<u32, AtBase, Im>,
    Pushed: Push,
    Popped: Pop,
}

impl Kind {
    /// Whether it is a load, but for [`Kind::Popped`].
    pub(crate) fn loads(self) -> bool {
        use Kind::{
            Extended, ExtendedNear, Load8, Load8Near, Load16, Load16Near, Load32, Load32Near, Load64,
            Load64Near,
        };
        matches!(
            self,
            Load64
                | Load64Near
                | Load32
                | Load32Near
                | Load16
                | Load16Near
                | Load8
                | Load8Near
                | Extended
                | ExtendedNear
        )
    }
}

/// The body for two instructions one behind the other.
pub(crate) fn both(a: Kind, b: Kind) -> OpFn {
    PAIRS[a as usize][b as usize]
}

/// The body for an instruction, and an indirect jump to what a register, or else memory has.
pub(crate) fn and_jump(a: Kind, register: bool) -> OpFn {
    JUMPS[a as usize][usize::from(!register)]
}
