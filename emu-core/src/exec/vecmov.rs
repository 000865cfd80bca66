//! Moves of vectors and between vectors and general registers. No flags.

use super::memory::Reach;
use super::operand::{Dst, Int, Src};
use super::vecint::{VEX256, X, b16, d4, halves, high, load_x, missed_halves, of_d4, put};
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{Exception, reg};
use crate::mem::Access;

/// Load or register copy of a whole vector; `ALIGN`: `#GP` on misalignment (of 32 bytes for 256).
pub(crate) fn load<const MEM: bool, const ALIGN: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let n = if K == VEX256 { 32 } else { 16 };
    if MEM {
        let addr = ctx.ea(&op);
        if ALIGN && addr & (n - 1) != 0 {
            return ctx.raise(op, Exception::gp());
        }
        let Some(p) = ctx.readable(addr, n) else {
            return ctx.miss(op, env, &Reach::whole(n, Access::Read));
        };
        // SAFETY: `readable` vouches for `n` bytes.
        let v = unsafe { load_x(p) };
        if K == VEX256 {
            // SAFETY: as above.
            let h = unsafe { load_x(p.add(16)) };
            ctx.ymm[op.a as usize & 15] = [v[0], v[1], h[0], h[1]];
        } else {
            put::<K>(ctx, op.a, v);
        }
    } else if K == VEX256 {
        ctx.ymm[op.a as usize & 15] = ctx.ymm[op.base as usize & 15];
    } else {
        let v = ctx.x(op.base);
        put::<K>(ctx, op.a, v);
    }
    op.next(ctx, env)
}

/// Store of a whole vector, register `b`.
pub(crate) fn store<const ALIGN: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let n = if K == VEX256 { 32 } else { 16 };
    let addr = ctx.ea(&op);
    if ALIGN && addr & (n - 1) != 0 {
        return ctx.raise(op, Exception::gp());
    }
    let Some(p) = ctx.writeable(addr, n) else {
        return ctx.miss(op, env, &Reach::whole(n, Access::Write));
    };
    let y = &ctx.ymm[op.b as usize & 15];
    for (i, word) in y.iter().take(n as usize / 8).enumerate() {
        // SAFETY: `writeable` vouches for `n` bytes.
        unsafe { u64::store(p.add(i * 8), *word) };
    }
    op.next(ctx, env)
}

/// MOVD, MOVQ, MOVSS, MOVSD into a vector register from a general register or memory: the rest is cleared.
pub(crate) fn load_low<T: Int, S: Src, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    put::<K>(ctx, op.a, [v.u(), 0]);
    op.next(ctx, env)
}

/// MOVD, MOVQ, MOVSS, MOVSD out of vector register `b`.
pub(crate) fn store_low<T: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let v = T::of(ctx.x(op.b)[0]);
    D::write(ctx, &op, at, v);
    op.next(ctx, env)
}

/// MOVQ between vector registers: the upper quadword is cleared.
pub(crate) fn movq<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = ctx.x(op.base)[0];
    put::<K>(ctx, op.a, [v, 0]);
    op.next(ctx, env)
}

/// MOVSS (`T` 32 bits), MOVSD between registers: only the low part is replaced.
pub(crate) fn merge_low<T: Int, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let (a, b) = (ctx.x(op.b), ctx.x(op.base));
    let mask = u64::MAX >> T::SH;
    put::<K>(ctx, op.a, [(a[0] & !mask) | (b[0] & mask), a[1]]);
    op.next(ctx, env)
}

/// MOVLPS, MOVLPD (`HALF` 0), MOVHPS, MOVHPD (1) from memory.
pub(crate) fn load_half<const HALF: usize, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let Some(v) = ctx.peek::<u64>(addr) else {
        return ctx.miss(op, env, &Reach::whole(8, Access::Read));
    };
    let mut a = ctx.x(op.b);
    a[HALF] = v;
    put::<K>(ctx, op.a, a);
    op.next(ctx, env)
}

/// The same to memory, from register `b`.
pub(crate) fn store_half<const HALF: usize>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let v = ctx.x(op.b)[HALF];
    let Some(at) = ctx.reach::<u64>(addr) else {
        return ctx.miss(op, env, &Reach::whole(8, Access::Write));
    };
    at.write(v);
    op.next(ctx, env)
}

/// MOVLHPS.
pub(crate) fn movlhps<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let r = [ctx.x(op.b)[0], ctx.x(op.base)[0]];
    put::<K>(ctx, op.a, r);
    op.next(ctx, env)
}

/// MOVHLPS.
pub(crate) fn movhlps<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let r = [ctx.x(op.base)[1], ctx.x(op.b)[1]];
    put::<K>(ctx, op.a, r);
    op.next(ctx, env)
}

/// MOVDDUP from memory: 64 bits, any alignment.
pub(crate) fn movddup_load<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let Some(v) = ctx.peek::<u64>(addr) else {
        return ctx.miss(op, env, &Reach::whole(8, Access::Read));
    };
    put::<K>(ctx, op.a, [v, v]);
    op.next(ctx, env)
}

fn byte_mask(v: X) -> u64 {
    b16(v).iter().enumerate().fold(0, |m, (i, b)| m | (u64::from(b >> 7) << i))
}

/// PMOVMSKB.
pub(crate) fn pmovmskb<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let mut m = byte_mask(ctx.x(op.base));
    if K == VEX256 {
        m |= byte_mask(high(ctx, op.base)) << 16;
    }
    ctx.w(op.a, m);
    op.next(ctx, env)
}

/// MOVMSKPS.
pub(crate) fn movmskps<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let mask = |v: X| d4(v).iter().enumerate().fold(0, |m, (i, d)| m | (u64::from(d >> 31) << i));
    let mut m = mask(ctx.x(op.base));
    if K == VEX256 {
        m |= mask(high(ctx, op.base)) << 4;
    }
    ctx.w(op.a, m);
    op.next(ctx, env)
}

/// MOVMSKPD.
pub(crate) fn movmskpd<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let mask = |v: X| (v[0] >> 63) | (v[1] >> 63 << 1);
    let mut m = mask(ctx.x(op.base));
    if K == VEX256 {
        m |= mask(high(ctx, op.base)) << 2;
    }
    ctx.w(op.a, m);
    op.next(ctx, env)
}

/// PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS: lane `imm` of register `b`.
pub(crate) fn extract<T: Int, W: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let lane = op.imm as usize & (16 / T::BYTES as usize - 1);
    let at = lane * T::BYTES as usize;
    let v = ctx.x(op.b)[at / 8] >> (at % 8 * 8);
    let Some(at) = D::reach::<W>(ctx, &op) else { return D::miss_write::<W>(ctx, op, env) };
    D::write(ctx, &op, at, W::of(T::of(v).u()));
    op.next(ctx, env)
}

/// PINSRB, PINSRW, PINSRD, PINSRQ: lane `imm` of the result; the other lanes come from register `b`, the new value
/// from general register `index` or memory.
pub(crate) fn insert<T: Int, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let v = if MEM {
        let addr = ctx.ea(&op);
        let Some(v) = ctx.peek::<T>(addr) else {
            return ctx.miss(op, env, &Reach::whole(T::BYTES, Access::Read));
        };
        v.u()
    } else {
        T::of(ctx.r(op.index)).u()
    };
    let lane = op.imm as usize & (16 / T::BYTES as usize - 1);
    let at = lane * T::BYTES as usize;
    let mut r = ctx.x(op.b);
    let shift = at % 8 * 8;
    r[at / 8] = (r[at / 8] & !((u64::MAX >> T::SH) << shift)) | (v << shift);
    put::<K>(ctx, op.a, r);
    op.next(ctx, env)
}

/// INSERTPS.
pub(crate) fn insertps<const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let imm = op.imm as usize;
    let v = if MEM {
        let addr = ctx.ea(&op);
        let Some(v) = ctx.peek::<u32>(addr) else {
            return ctx.miss(op, env, &Reach::whole(4, Access::Read));
        };
        v
    } else {
        d4(ctx.x(op.base))[imm >> 6 & 3]
    };
    let mut r = d4(ctx.x(op.b));
    r[imm >> 4 & 3] = v;
    for (i, lane) in r.iter_mut().enumerate() {
        if imm >> i & 1 != 0 {
            *lane = 0;
        }
    }
    put::<K>(ctx, op.a, of_d4(r));
    op.next(ctx, env)
}

/// MASKMOVDQU: bytes of `a` whose mask byte in `b` is negative go to rdi (segment base in slot `index`,
/// address masked by `imm`).
pub(crate) fn maskmovdqu(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = (ctx.regs[reg::RDI] & op.imm).wrapping_add(ctx.r(op.index));
    let (v, m) = (b16(ctx.x(op.a)), b16(ctx.x(op.b)));
    // AMD processors check all sixteen bytes, whatever the mask.
    if !ctx.aligned_if_asked(addr, 8) || !ctx.writable(env, addr, 8) || !ctx.writable(env, addr, 16) {
        return ctx.fail(op);
    }
    for i in (0..16).filter(|&i| m[i] & 0x80 != 0) {
        if !ctx.store(env, addr.wrapping_add(i as u64), v[i]) {
            return ctx.fail(op);
        }
    }
    op.next(ctx, env)
}

/// PTEST. ZF: `a & b` is zero; CF: `!a & b` is zero; the rest clear.
pub(crate) fn ptest<const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some((s, sh)) = halves::<MEM, K>(ctx, op) else { return missed_halves::<K>(ctx, op, env) };
    let a = ctx.x(op.a);
    let (mut and, mut not) = ((a[0] & s[0]) | (a[1] & s[1]), (!a[0] & s[0]) | (!a[1] & s[1]));
    if K == VEX256 {
        let s = sh;
        let a = high(ctx, op.a);
        and |= (a[0] & s[0]) | (a[1] & s[1]);
        not |= (!a[0] & s[0]) | (!a[1] & s[1]);
    }
    ctx.set_explicit((u64::from(and == 0) * super::flags::ZF) | (u64::from(not == 0) * super::flags::CF));
    op.next(ctx, env)
}
