//! Single bits and bit counts: BT, BTS, BTR, BTC, BSF, BSR, TZCNT, LZCNT, POPCNT, BMI1, BMI2, CRC32, ADCX, ADOX.

use super::flags::{AF, CF, OF, PF, SF, ZF, parity};
use super::operand::{Dst, Int, Src};
use super::{Ctx, Env, Flow, OpRef};

/// What a bit test does to the bit: BT 0, BTS 1, BTR 2, BTC 3.
#[inline(always)]
fn change<const KIND: u8>(a: u64, bit: u64) -> u64 {
    match KIND {
        0 => a,
        1 => a | bit,
        2 => a & !bit,
        _ => a ^ bit,
    }
}

#[inline(always)]
fn set_cf(ctx: &mut Ctx, on: bool) {
    ctx.set_some(CF, u64::from(on) * CF);
}

/// Bit operation with the bit number taken modulo the width. CF: the bit; the other flags stay.
pub(crate) fn bit<T: Int, D: Dst, S: Src, const KIND: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(n) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let mask = 1u64 << (n.u() & u64::from(T::BITS - 1));
    let a = if KIND == 0 {
        let Some(a) = D::peek::<T>(ctx, &op) else { return D::miss::<T>(ctx, op, env) };
        a
    } else {
        let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
        let a = D::read::<T>(ctx, &op, at);
        D::write(ctx, &op, at, T::of(change::<KIND>(a.u(), mask)));
        a
    };
    set_cf(ctx, a.u() & mask != 0);
    op.next(ctx, env)
}

/// Bit operation on a bit string in memory: the bit number in a register reaches beyond the operand.
/// `imm` masks the address.
pub(crate) fn bit_string<T: Int, const KIND: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let n = T::get(ctx, op.b).s();
    let word = (n >> T::BITS.trailing_zeros()) as u64;
    let addr = ctx.ea(&op).wrapping_add(word.wrapping_mul(T::BYTES)) & op.imm;
    let mask = 1u64 << (n as u64 & u64::from(T::BITS - 1));
    let a = if KIND == 0 {
        let Some(a) = ctx.load::<T>(env, addr) else { return ctx.fail(op) };
        a
    } else {
        if !ctx.claim(env, addr, T::BYTES) {
            return ctx.fail(op);
        }
        let Some(a) = ctx.load::<T>(env, addr) else { return ctx.fail(op) };
        if !ctx.store(env, addr, T::of(change::<KIND>(a.u(), mask))) {
            return ctx.fail(op);
        }
        a
    };
    set_cf(ctx, a.u() & mask != 0);
    op.next(ctx, env)
}

/// A count or selection with one source.
pub(crate) trait Scan {
    /// Result (`None`: the destination stays) and all six flags.
    fn run<T: Int>(ctx: &Ctx, v: T) -> (Option<T>, u64);
}

fn pzs<T: Int>(r: T) -> u64 {
    (u64::from(parity(r.u() as u8)) * PF) | (u64::from(r.u() == 0) * ZF) | (u64::from(r.msb()) * SF)
}

macro_rules! scan {
    ($(#[$d:meta])* $name:ident, |$ctx:ident, $v:ident| $e:expr) => {
        $(#[$d])*
        pub(crate) struct $name;
        impl Scan for $name {
            #[inline(always)]
            #[allow(unused_variables, reason = "not every operation looks at the flags")]
            fn run<T: Int>($ctx: &Ctx, $v: T) -> (Option<T>, u64) {
                $e
            }
        }
    };
}

scan!(/** BSF. ZF: the source is zero; PF by the result, the rest clear. */ Bsf, |c, v| {
    if v.u() == 0 { (None, ZF | PF) } else {
        let r = u64::from(v.u().trailing_zeros());
        (Some(T::of(r)), u64::from(parity(r as u8)) * PF)
    }
});
scan!(/** BSR. As BSF. */ Bsr, |c, v| {
    if v.u() == 0 { (None, ZF | PF) } else {
        let r = u64::from(63 - v.u().leading_zeros());
        (Some(T::of(r)), u64::from(parity(r as u8)) * PF)
    }
});
scan!(/** TZCNT. CF: the source is zero; ZF by the result; OF stays, the rest clear. */ Tzcnt, |c, v| {
    let r = u64::from(v.u().trailing_zeros().min(T::BITS));
    (Some(T::of(r)), (u64::from(c.of()) * OF) | (u64::from(v.u() == 0) * CF) | (u64::from(r == 0) * ZF))
});
scan!(/** LZCNT. As TZCNT. */ Lzcnt, |c, v| {
    let r = u64::from(v.u().leading_zeros() - T::SH);
    (Some(T::of(r)), (u64::from(c.of()) * OF) | (u64::from(v.u() == 0) * CF) | (u64::from(r == 0) * ZF))
});
scan!(/** POPCNT. ZF; the rest clear. */ Popcnt, |c, v| {
    (Some(T::of(u64::from(v.u().count_ones()))), u64::from(v.u() == 0) * ZF)
});
scan!(/** BLSR. CF: the source is zero; SF, ZF, PF by the result. */ Blsr, |c, v| {
    let r = T::of(v.u() & v.u().wrapping_sub(1));
    (Some(r), pzs(r) | (u64::from(v.u() == 0) * CF))
});
scan!(/** BLSI. CF: the source is not zero. */ Blsi, |c, v| {
    let r = T::of(v.u() & v.u().wrapping_neg());
    (Some(r), pzs(r) | (u64::from(v.u() != 0) * CF))
});
scan!(/** BLSMSK. CF: the source is zero. */ Blsmsk, |c, v| {
    let r = T::of(v.u() ^ v.u().wrapping_sub(1));
    (Some(r), pzs(r) | (u64::from(v.u() == 0) * CF))
});

/// A [`Scan`].
pub(crate) fn scan<O: Scan, T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let (r, bits) = O::run(ctx, v);
    if let Some(r) = r {
        T::put(ctx, op.a, r);
    }
    ctx.set_explicit(bits);
    op.next(ctx, env)
}

/// ANDN: slot `imm` is inverted. CF, OF, AF clear.
pub(crate) fn andn<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let r = T::of(!ctx.r(op.imm as u8 & 15) & v.u());
    T::put(ctx, op.a, r);
    ctx.set_logic(r);
    op.next(ctx, env)
}

/// BEXTR: control in slot `imm`. ZF; AF set, as AMD Zen does.
pub(crate) fn bextr<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let control = ctx.r(op.imm as u8 & 15);
    let (start, len) = (control & 0xff, (control >> 8) & 0xff);
    let r = if start >= 64 { 0 } else { v.u() >> start };
    let r = if len >= 64 { r } else { r & ((1 << len) - 1) };
    T::put(ctx, op.a, T::of(r));
    ctx.set_explicit(pzs(T::of(r)) & !SF | AF);
    op.next(ctx, env)
}

/// BZHI: index in slot `imm`. CF: the index reaches past the width.
pub(crate) fn bzhi<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let n = ctx.r(op.imm as u8 & 15) & 0xff;
    let past = n >= u64::from(T::BITS);
    let r = T::of(if past { v.u() } else { v.u() & ((1 << n) - 1) });
    T::put(ctx, op.a, r);
    ctx.set_explicit(pzs(r) | (u64::from(past) * CF));
    op.next(ctx, env)
}

/// PDEP: source in slot `imm`, mask in the operand. No flags.
pub(crate) fn pdep<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let (mut mask, mut from, mut r) = (v.u(), ctx.r(op.imm as u8 & 15), 0);
    while mask != 0 {
        let low = mask & mask.wrapping_neg();
        if from & 1 != 0 {
            r |= low;
        }
        from >>= 1;
        mask ^= low;
    }
    T::put(ctx, op.a, T::of(r));
    op.next(ctx, env)
}

/// PEXT: source in slot `imm`, mask in the operand. No flags.
pub(crate) fn pext<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let (mut mask, from, mut r, mut n) = (v.u(), ctx.r(op.imm as u8 & 15), 0, 0);
    while mask != 0 {
        let low = mask & mask.wrapping_neg();
        if from & low != 0 {
            r |= 1 << n;
        }
        n += 1;
        mask ^= low;
    }
    T::put(ctx, op.a, T::of(r));
    op.next(ctx, env)
}

/// CRC32 (polynomial 11EDC6F41h) of an operand of width `T`. No flags.
pub(crate) fn crc32<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let mut crc = ctx.r(op.a) as u32;
    for byte in &v.u().to_le_bytes()[..T::BYTES as usize] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 != 0 { 0x82f6_3b78 } else { 0 };
        }
    }
    ctx.w(op.a, u64::from(crc));
    op.next(ctx, env)
}

/// ADCX (`FLAG` = CF), ADOX (`FLAG` = OF): only that flag is read and set.
pub(crate) fn adcx<T: Int, S: Src, const FLAG: u64>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(b) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let carry = if FLAG == CF { ctx.cf() } else { ctx.of() };
    let sum = u128::from(T::get(ctx, op.a).u()) + u128::from(b.u()) + u128::from(carry);
    T::put(ctx, op.a, T::of(sum as u64));
    ctx.set_some(FLAG, u64::from(sum >> T::BITS != 0) * FLAG);
    op.next(ctx, env)
}
