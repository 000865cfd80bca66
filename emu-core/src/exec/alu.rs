//! Two-operand arithmetic and logic, and the one-operand forms of them: ADD, ADC, SUB, SBB, CMP, AND, OR, XOR,
//! TEST, INC, DEC, NEG, NOT, XADD, CMPXCHG; each also fused with a conditional jump behind it.

use super::flags::{AF, CF, OF, ZF};
use super::memory::Reach;
use super::operand::{Dst, Int, Src};
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{Exception, reg};
use crate::mem::Access;

/// A two-operand operation.
pub(crate) trait Alu {
    /// False for CMP and TEST.
    const WRITES: bool = true;
    /// The result.
    fn value<T: Int>(ctx: &Ctx, a: T, b: T) -> T;
    /// Sets the flags; `c` is the carry before.
    fn flags<T: Int>(ctx: &mut Ctx, a: T, b: T, r: T);
}

macro_rules! alu {
    ($(#[$d:meta])* $name:ident, $writes:expr, |$ctx:ident, $a:ident, $b:ident| $v:expr, |$r:ident| $f:expr) => {
        $(#[$d])*
        pub(crate) struct $name;
        impl Alu for $name {
            const WRITES: bool = $writes;
            #[inline(always)]
            #[allow(unused_variables, reason = "not every operation looks at everything")]
            fn value<T: Int>($ctx: &Ctx, $a: T, $b: T) -> T {
                T::of($v)
            }
            #[inline(always)]
            #[allow(unused_variables, reason = "not every operation looks at everything")]
            fn flags<T: Int>($ctx: &mut Ctx, $a: T, $b: T, $r: T) {
                $f
            }
        }
    };
}

alu!(/** ADD. All six flags. */ Add, true, |c, a, b| a.u().wrapping_add(b.u()), |r| c.set_add(a, b));
alu!(/** SUB. All six flags. */ Sub, true, |c, a, b| a.u().wrapping_sub(b.u()), |r| c.set_sub(a, b));
alu!(/** CMP. All six flags. */ Cmp, false, |c, a, b| 0, |r| c.set_sub(a, b));
alu!(/** AND. CF, OF, AF clear. */ And, true, |c, a, b| a.u() & b.u(), |r| c.set_logic(r));
alu!(/** OR. CF, OF, AF clear. */ Or, true, |c, a, b| a.u() | b.u(), |r| c.set_logic(r));
alu!(/** XOR. CF, OF, AF clear. */ Xor, true, |c, a, b| a.u() ^ b.u(), |r| c.set_logic(r));
alu!(/** TEST. CF, OF, AF clear. */ Test, false, |c, a, b| 0, |r| c.set_logic(T::of(a.u() & b.u())));
alu!(
    /** ADC. All six flags. */ Adc,
    true,
    |c, a, b| a.u().wrapping_add(b.u()).wrapping_add(u64::from(c.cf())),
    |r| {
        let carry = if c.cf() { r <= a } else { r < a };
        let over = (a.u() ^ r.u()) & (b.u() ^ r.u());
        c.set_mixed(r, carry_bits(carry, (a.u() ^ b.u() ^ r.u()) & 0x10 != 0, T::of(over).msb()));
    }
);
alu!(
    /** SBB. All six flags. */ Sbb,
    true,
    |c, a, b| a.u().wrapping_sub(b.u()).wrapping_sub(u64::from(c.cf())),
    |r| {
        let carry = if c.cf() { a <= b } else { a < b };
        let over = (a.u() ^ b.u()) & (a.u() ^ r.u());
        c.set_mixed(r, carry_bits(carry, (a.u() ^ b.u() ^ r.u()) & 0x10 != 0, T::of(over).msb()));
    }
);

/// CF, AF and OF as bits.
#[inline(always)]
pub(crate) fn carry_bits(carry: bool, aux: bool, over: bool) -> u64 {
    (u64::from(carry) * CF) | (u64::from(aux) * AF) | (u64::from(over) * OF)
}

/// The operation; memory that is not at hand leaves the body before anything is done.
macro_rules! operate {
    ($ctx:ident, $op:ident, $env:ident, $O:ident, $T:ident, $D:ident, $S:ident) => {
        let Some(b) = $S::peek::<$T>($ctx, &$op) else { return $S::miss::<$T>($ctx, $op, $env) };
        if $O::WRITES {
            let Some(at) = $D::reach::<$T>($ctx, &$op) else { return $D::miss_write::<$T>($ctx, $op, $env) };
            let a = $D::read::<$T>($ctx, &$op, at);
            let r = $O::value($ctx, a, b);
            $D::write($ctx, &$op, at, r);
            $O::flags($ctx, a, b, r);
        } else {
            let Some(a) = $D::peek::<$T>($ctx, &$op) else { return $D::miss::<$T>($ctx, $op, $env) };
            $O::flags($ctx, a, b, a);
        }
    };
}

/// Operation with two operands.
pub(crate) fn alu<O: Alu, T: Int, D: Dst, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    operate!(ctx, op, env, O, T, D, S);
    op.next(ctx, env)
}

/// The same, into a register, where nobody reads the flags.
pub(crate) fn alu_quiet<O: Alu, T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(b) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let r = O::value(ctx, T::get(ctx, op.a), b);
    T::put(ctx, op.a, r);
    op.next(ctx, env)
}

/// The same, and the conditional jump behind it.
pub(crate) fn alu_jcc<O: Alu, T: Int, D: Dst, S: Src, const CC: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    operate!(ctx, op, env, O, T, D, S);
    if ctx.cond::<CC>() { ctx.follow(op, env) } else { op.past(ctx, env) }
}

/// A one-operand operation.
pub(crate) trait Unary {
    /// The result.
    fn value<T: Int>(a: T) -> T;
    /// Sets the flags.
    fn flags<T: Int>(ctx: &mut Ctx, a: T, r: T);
}

/// INC. CF stays.
pub(crate) struct Inc;
impl Unary for Inc {
    #[inline(always)]
    fn value<T: Int>(a: T) -> T {
        T::of(a.u().wrapping_add(1))
    }
    #[inline(always)]
    fn flags<T: Int>(ctx: &mut Ctx, a: T, r: T) {
        let bits = carry_bits(ctx.cf(), r.u() & 0xf == 0, r.msb() && !a.msb());
        ctx.set_mixed(r, bits);
    }
}

/// DEC. CF stays.
pub(crate) struct Dec;
impl Unary for Dec {
    #[inline(always)]
    fn value<T: Int>(a: T) -> T {
        T::of(a.u().wrapping_sub(1))
    }
    #[inline(always)]
    fn flags<T: Int>(ctx: &mut Ctx, a: T, r: T) {
        let bits = carry_bits(ctx.cf(), a.u() & 0xf == 0, a.msb() && !r.msb());
        ctx.set_mixed(r, bits);
    }
}

/// NEG. All six flags.
pub(crate) struct Neg;
impl Unary for Neg {
    #[inline(always)]
    fn value<T: Int>(a: T) -> T {
        T::of(0u64.wrapping_sub(a.u()))
    }
    #[inline(always)]
    fn flags<T: Int>(ctx: &mut Ctx, a: T, _: T) {
        ctx.set_sub(T::of(0), a);
    }
}

/// NOT. No flags.
pub(crate) struct Not;
impl Unary for Not {
    #[inline(always)]
    fn value<T: Int>(a: T) -> T {
        T::of(!a.u())
    }
    #[inline(always)]
    fn flags<T: Int>(_: &mut Ctx, _: T, _: T) {}
}

/// BSWAP. No flags; 16 bits, undefined, give zero as AMD hardware does.
pub(crate) struct Bswap;
impl Unary for Bswap {
    #[inline(always)]
    fn value<T: Int>(a: T) -> T {
        if T::BITS == 16 { T::of(0) } else { T::of(a.u().swap_bytes() >> T::SH) }
    }
    #[inline(always)]
    fn flags<T: Int>(_: &mut Ctx, _: T, _: T) {}
}

/// Operation with one operand.
pub(crate) fn unary<O: Unary, T: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let a = D::read::<T>(ctx, &op, at);
    let r = O::value(a);
    D::write(ctx, &op, at, r);
    O::flags(ctx, a, r);
    op.next(ctx, env)
}

/// The same of a register where nobody reads the flags.
pub(crate) fn unary_quiet<O: Unary, T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let r = O::value(T::get(ctx, op.a));
    T::put(ctx, op.a, r);
    op.next(ctx, env)
}

/// The same of a register, and the conditional jump behind it.
pub(crate) fn unary_jcc<O: Unary, T: Int, const CC: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let a = T::get(ctx, op.a);
    let r = O::value(a);
    T::put(ctx, op.a, r);
    O::flags(ctx, a, r);
    if ctx.cond::<CC>() { ctx.follow(op, env) } else { op.past(ctx, env) }
}

/// XADD. All six flags.
pub(crate) fn xadd<T: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let b = T::get(ctx, op.b);
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let a = D::read::<T>(ctx, &op, at);
    // The sum goes last: `xadd reg, same reg` leaves the sum.
    let sum = T::of(a.u().wrapping_add(b.u()));
    T::put(ctx, op.b, a);
    D::write(ctx, &op, at, sum);
    ctx.set_add(a, b);
    op.next(ctx, env)
}

/// CMPXCHG. All six flags, as CMP of the accumulator with the destination. The destination is always written.
pub(crate) fn cmpxchg<T: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let old = D::read::<T>(ctx, &op, at);
    let acc = T::get(ctx, reg::RAX as u8);
    if acc == old {
        let new = T::get(ctx, op.b);
        D::write(ctx, &op, at, new);
    } else {
        T::put(ctx, reg::RAX as u8, old);
    }
    ctx.set_sub(acc, old);
    op.next(ctx, env)
}

/// CMPXCHG8B. ZF only.
pub(crate) fn cmpxchg8b(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let Some(at) = ctx.reach::<u64>(addr) else {
        return ctx.miss(op, env, &Reach::whole(8, Access::Write));
    };
    let old = at.read::<u64>();
    let expected = (ctx.regs[reg::RDX] << 32) | (ctx.regs[reg::RAX] & 0xffff_ffff);
    let same = old == expected;
    if same {
        let new = (ctx.regs[reg::RCX] << 32) | (ctx.regs[reg::RBX] & 0xffff_ffff);
        at.write(new);
    } else {
        ctx.regs[reg::RAX] = old & 0xffff_ffff;
        ctx.regs[reg::RDX] = old >> 32;
    }
    let rest = ctx.status() & !ZF;
    ctx.set_explicit(rest | (u64::from(same) * ZF));
    op.next(ctx, env)
}

/// CMPXCHG16B. ZF only; `#GP` if misaligned.
pub(crate) fn cmpxchg16b(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    if addr & 15 != 0 {
        return ctx.raise(op, Exception::gp());
    }
    if ctx.host(env, addr, Access::Write).is_none() {
        return ctx.fail(op);
    }
    let Some(old) = ctx.load128(env, addr) else { return ctx.fail(op) };
    let same = old == [ctx.regs[reg::RAX], ctx.regs[reg::RDX]];
    if same {
        let new = [ctx.regs[reg::RBX], ctx.regs[reg::RCX]];
        if !ctx.store128(env, addr, new) {
            return ctx.fail(op);
        }
    } else {
        ctx.regs[reg::RAX] = old[0];
        ctx.regs[reg::RDX] = old[1];
    }
    let rest = ctx.status() & !ZF;
    ctx.set_explicit(rest | (u64::from(same) * ZF));
    op.next(ctx, env)
}
