//! Shifts and rotates: SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD, and BMI2's flagless SHLX, SHRX, SARX, RORX.
//!
//! **Invariant**: OF is what the last single-bit step gives, whatever the count; AF is set by shifts and kept by
//! rotates (AMD Zen). A count of zero changes no flag.

use super::alu::carry_bits;
use super::flags::{CF, OF};
use super::operand::{Dst, Int, Src};
use super::{Ctx, Env, Flow, OpRef};

/// A shift or rotate by a count already masked to 5 or 6 bits and not zero.
pub(crate) trait Shift {
    /// The result; sets the flags.
    fn run<T: Int>(ctx: &mut Ctx, a: T, n: u32) -> T;
}

/// A shift or rotate that can do without flags.
pub(crate) trait Plain: Shift {
    /// The result.
    fn value<T: Int>(a: T, n: u32) -> T;
}

impl Plain for Shl {
    #[inline(always)]
    fn value<T: Int>(a: T, n: u32) -> T {
        T::of(a.u() << n)
    }
}

impl Plain for Shr {
    #[inline(always)]
    fn value<T: Int>(a: T, n: u32) -> T {
        T::of(a.u() >> n)
    }
}

impl Plain for Sar {
    #[inline(always)]
    fn value<T: Int>(a: T, n: u32) -> T {
        T::of((a.s() >> n) as u64)
    }
}

impl Plain for Rol {
    #[inline(always)]
    fn value<T: Int>(a: T, n: u32) -> T {
        rotate_left(a, n)
    }
}

impl Plain for Ror {
    #[inline(always)]
    fn value<T: Int>(a: T, n: u32) -> T {
        rotate_left(a, T::BITS - n % T::BITS)
    }
}

/// SHL.
pub(crate) struct Shl;
impl Shift for Shl {
    #[inline(always)]
    fn run<T: Int>(ctx: &mut Ctx, a: T, n: u32) -> T {
        let r = Self::value(a, n);
        let carry = n <= T::BITS && (a.u() >> (T::BITS - n.min(T::BITS))) & 1 != 0;
        ctx.set_mixed(r, carry_bits(carry, true, r.msb() != carry));
        r
    }
}

/// SHR.
pub(crate) struct Shr;
impl Shift for Shr {
    #[inline(always)]
    fn run<T: Int>(ctx: &mut Ctx, a: T, n: u32) -> T {
        let r = Self::value(a, n);
        let carry = (a.u() >> (n - 1)) & 1 != 0;
        ctx.set_mixed(r, carry_bits(carry, true, n == 1 && a.msb()));
        r
    }
}

/// SAR.
pub(crate) struct Sar;
impl Shift for Sar {
    #[inline(always)]
    fn run<T: Int>(ctx: &mut Ctx, a: T, n: u32) -> T {
        let r = Self::value(a, n);
        let carry = (a.s() >> (n - 1)) & 1 != 0;
        ctx.set_mixed(r, carry_bits(carry, true, false));
        r
    }
}

#[inline(always)]
fn set_cf_of(ctx: &mut Ctx, carry: bool, over: bool) {
    ctx.set_some(CF | OF, carry_bits(carry, false, over));
}

#[inline(always)]
fn rotate_left<T: Int>(a: T, n: u32) -> T {
    let n = n % T::BITS;
    if n == 0 { a } else { T::of((a.u() << n) | (a.u() >> (T::BITS - n))) }
}

/// ROL.
pub(crate) struct Rol;
impl Shift for Rol {
    #[inline(always)]
    fn run<T: Int>(ctx: &mut Ctx, a: T, n: u32) -> T {
        let r = Self::value(a, n);
        let carry = r.u() & 1 != 0;
        set_cf_of(ctx, carry, r.msb() != carry);
        r
    }
}

/// ROR.
pub(crate) struct Ror;
impl Shift for Ror {
    #[inline(always)]
    fn run<T: Int>(ctx: &mut Ctx, a: T, n: u32) -> T {
        let r = Self::value(a, n);
        let next = (r.u() >> (T::BITS - 2)) & 1 != 0;
        set_cf_of(ctx, r.msb(), r.msb() != next);
        r
    }
}

/// RCL.
pub(crate) struct Rcl;
impl Shift for Rcl {
    #[inline(always)]
    fn run<T: Int>(ctx: &mut Ctx, a: T, n: u32) -> T {
        let n = n % (T::BITS + 1);
        let wide = u128::from(a.u()) | (u128::from(ctx.cf()) << T::BITS);
        let r = if n == 0 { wide } else { (wide << n) | (wide >> (T::BITS + 1 - n)) };
        let carry = (r >> T::BITS) & 1 != 0;
        let v = T::of(r as u64);
        set_cf_of(ctx, carry, v.msb() != carry);
        v
    }
}

/// RCR.
pub(crate) struct Rcr;
impl Shift for Rcr {
    #[inline(always)]
    fn run<T: Int>(ctx: &mut Ctx, a: T, n: u32) -> T {
        let n = n % (T::BITS + 1);
        let wide = u128::from(a.u()) | (u128::from(ctx.cf()) << T::BITS);
        let r = if n == 0 { wide } else { (wide >> n) | (wide << (T::BITS + 1 - n)) };
        let carry = (r >> T::BITS) & 1 != 0;
        let v = T::of(r as u64);
        let next = (v.u() >> (T::BITS - 2)) & 1 != 0;
        set_cf_of(ctx, carry, v.msb() != next);
        v
    }
}

/// Bits of a count that count.
#[inline(always)]
pub(crate) fn mask<T: Int>() -> u32 {
    if T::BITS == 64 { 63 } else { 31 }
}

/// By the immediate, masked and not zero.
pub(crate) fn shift_imm<O: Shift, T: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let a = D::read::<T>(ctx, &op, at);
    let r = O::run(ctx, a, op.imm as u32 & mask::<T>());
    D::write(ctx, &op, at, r);
    op.next(ctx, env)
}

/// The same of a register where nobody reads the flags.
pub(crate) fn shift_quiet<O: Plain, T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let r = O::value(T::get(ctx, op.a), op.imm as u32 & mask::<T>());
    T::put(ctx, op.a, r);
    op.next(ctx, env)
}

/// By cl, or by an immediate of zero.
pub(crate) fn shift_cl<O: Shift, T: Int, D: Dst, S: Src>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(n) = S::peek::<u8>(ctx, &op) else { return S::miss::<u8>(ctx, op, env) };
    let n = u32::from(n) & mask::<T>();
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let a = D::read::<T>(ctx, &op, at);
    let r = if n == 0 { a } else { O::run(ctx, a, n) };
    D::write(ctx, &op, at, r);
    op.next(ctx, env)
}

/// The count of SHLD and SHRD: cl.
pub(crate) struct Cl;
/// The count of SHLD and SHRD: the immediate.
pub(crate) struct ByImm;
/// Where a count is.
pub(crate) trait Count {
    /// The count, not masked.
    fn count(ctx: &Ctx, op: &super::Op) -> u32;
}
impl Count for Cl {
    fn count(ctx: &Ctx, _: &super::Op) -> u32 {
        ctx.r(1) as u32
    }
}
impl Count for ByImm {
    fn count(_: &Ctx, op: &super::Op) -> u32 {
        op.imm as u32
    }
}

/// SHLD. 16 bits by more than 16 go on with the source again; only bits of the destination reach the flags, and OF is
/// CF where none of it is left (AMD Zen).
pub(crate) fn shld<T: Int, D: Dst, C: Count>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let n = C::count(ctx, &op) & mask::<T>();
    let b = u128::from(T::get(ctx, op.b).u());
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let a = D::read::<T>(ctx, &op, at);
    if n == 0 {
        D::write(ctx, &op, at, a);
        return op.next(ctx, env);
    }
    let (r, carry) = if T::BITS == 16 {
        let wide = (u128::from(a.u()) << 32) | (b << 16) | b;
        ((wide << n >> 32) as u64, n <= 16 && (wide >> (48 - n)) & 1 != 0)
    } else {
        let wide = (u128::from(a.u()) << T::BITS) | b;
        ((wide << n >> T::BITS) as u64, (a.u() >> (T::BITS - n)) & 1 != 0)
    };
    let r = T::of(r);
    D::write(ctx, &op, at, r);
    let overflow = if n < T::BITS { r.msb() != carry } else { carry };
    ctx.set_mixed(r, carry_bits(carry, true, overflow));
    op.next(ctx, env)
}

/// SHRD. 16 bits as SHLD; only bits of the destination reach CF.
pub(crate) fn shrd<T: Int, D: Dst, C: Count>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let n = C::count(ctx, &op) & mask::<T>();
    let b = u128::from(T::get(ctx, op.b).u());
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let a = D::read::<T>(ctx, &op, at);
    if n == 0 {
        D::write(ctx, &op, at, a);
        return op.next(ctx, env);
    }
    let wide = if T::BITS == 16 {
        (b << 32) | (b << 16) | u128::from(a.u())
    } else {
        (b << T::BITS) | u128::from(a.u())
    };
    let r = T::of((wide >> n) as u64);
    let carry = n <= T::BITS && (wide >> (n - 1)) & 1 != 0;
    let next = (r.u() >> (T::BITS - 2)) & 1 != 0;
    D::write(ctx, &op, at, r);
    ctx.set_mixed(r, carry_bits(carry, true, r.msb() != next));
    op.next(ctx, env)
}

/// SHLX, SHRX, SARX (`KIND` 0, 1, 2): count in register slot `imm`. No flags.
pub(crate) fn shiftx<T: Int, S: Src, const KIND: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(a) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let n = ctx.r(op.imm as u8 & 15) as u32 & mask::<T>();
    let r = match KIND {
        0 => a.u() << n,
        1 => a.u() >> n,
        _ => (a.s() >> n) as u64,
    };
    T::put(ctx, op.a, T::of(r));
    op.next(ctx, env)
}

/// RORX. No flags.
pub(crate) fn rorx<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(a) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let n = op.imm as u32 & mask::<T>();
    let r = rotate_left(a, T::BITS - n);
    T::put(ctx, op.a, r);
    op.next(ctx, env)
}
