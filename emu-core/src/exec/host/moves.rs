//! Moves of vectors, broadcasts, masks and blends by the host's own instructions.
#![allow(clippy::wildcard_imports, reason = "the host's instructions are the vocabulary of this module")]

use std::arch::x86_64::*;

use crate::cpu::Exception;
use crate::exec::flags::{CF, ZF};
use crate::exec::memory::Reach;
use crate::exec::operand::{Int, Src};
use crate::exec::vecint::{VEX256, missed, missed_halves};
use crate::exec::{Ctx, Env, Flow, OpRef};
use crate::mem::Access;

/// Load or register copy of a whole vector; `ALIGN`: `#GP` on misalignment (of 32 bytes for 256).
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn load<const MEM: bool, const ALIGN: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let n = if K == VEX256 { 32 } else { 16 };
    if MEM {
        let addr = ctx.ea(&op);
        let Some(p) = ctx.readable(addr, n).filter(|_| !ALIGN || addr & (n - 1) == 0) else {
            return not_loaded::<ALIGN, K>(ctx, op, env);
        };
        // SAFETY: `readable` vouches for `n` bytes.
        unsafe {
            if K == VEX256 {
                ctx.set_whole(op.a, _mm256_loadu_si256(p.cast()));
            } else {
                ctx.set_half::<K>(op.a, _mm_loadu_si128(p.cast()));
            }
        }
    } else if K == VEX256 {
        let v = ctx.whole(op.base);
        ctx.set_whole(op.a, v);
    } else {
        let v = ctx.half(op.base);
        ctx.set_half::<K>(op.a, v);
    }
    op.next(ctx, env)
}

#[cold]
#[inline(never)]
fn not_loaded<const ALIGN: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let n = if K == VEX256 { 32 } else { 16 };
    if ALIGN && ctx.ea(&op) & (n - 1) != 0 {
        return ctx.raise(op, Exception::gp());
    }
    ctx.miss(op, env, &Reach::whole(n, Access::Read))
}

/// Store of a whole vector, register `b`.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn store<const ALIGN: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let n = if K == VEX256 { 32 } else { 16 };
    let addr = ctx.ea(&op);
    let Some(p) = ctx.writeable(addr, n).filter(|_| !ALIGN || addr & (n - 1) == 0) else {
        return not_stored::<ALIGN, K>(ctx, op, env);
    };
    // SAFETY: `writeable` vouches for `n` bytes.
    unsafe {
        if K == VEX256 {
            _mm256_storeu_si256(p.cast(), ctx.whole(op.b));
        } else {
            _mm_storeu_si128(p.cast(), ctx.half(op.b));
        }
    }
    op.next(ctx, env)
}

#[cold]
#[inline(never)]
fn not_stored<const ALIGN: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let n = if K == VEX256 { 32 } else { 16 };
    if ALIGN && ctx.ea(&op) & (n - 1) != 0 {
        return ctx.raise(op, Exception::gp());
    }
    ctx.miss(op, env, &Reach::whole(n, Access::Write))
}

/// MOVD, MOVQ, MOVSS, MOVSD into a vector register from a general register or memory: the rest is cleared.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn load_low<T: Int, S: Src, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    ctx.set_half::<K>(op.a, _mm_cvtsi64_si128(v.u().cast_signed()));
    op.next(ctx, env)
}

/// MOVQ between vector registers: the upper quadword is cleared.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn movq<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = _mm_move_epi64(ctx.half(op.base));
    ctx.set_half::<K>(op.a, v);
    op.next(ctx, env)
}

/// MOVSS (`T` 32 bits), MOVSD between registers: only the low part is replaced.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn merge_low<T: Int, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let (a, b) = (ctx.half(op.b), ctx.half(op.base));
    let r = if T::BYTES == 4 { _mm_blend_epi32::<1>(a, b) } else { _mm_blend_epi32::<3>(a, b) };
    ctx.set_half::<K>(op.a, r);
    op.next(ctx, env)
}

/// MOVLPS, MOVLPD (`HALF` 0), MOVHPS, MOVHPD (1) from memory.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn load_half<const HALF: usize, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = ctx.peek::<u64>(ctx.ea(&op)) else {
        return ctx.miss(op, env, &Reach::whole(8, Access::Read));
    };
    let (a, v) = (ctx.half(op.b), v.cast_signed());
    let r = if HALF == 0 { _mm_insert_epi64::<0>(a, v) } else { _mm_insert_epi64::<1>(a, v) };
    ctx.set_half::<K>(op.a, r);
    op.next(ctx, env)
}

/// MOVLHPS.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn movlhps<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let r = _mm_unpacklo_epi64(ctx.half(op.b), ctx.half(op.base));
    ctx.set_half::<K>(op.a, r);
    op.next(ctx, env)
}

/// MOVHLPS.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn movhlps<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let r = _mm_unpackhi_epi64(ctx.half(op.base), ctx.half(op.b));
    ctx.set_half::<K>(op.a, r);
    op.next(ctx, env)
}

/// MOVDDUP from memory: 64 bits, any alignment.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn movddup_load<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = ctx.peek::<u64>(ctx.ea(&op)) else {
        return ctx.miss(op, env, &Reach::whole(8, Access::Read));
    };
    ctx.set_half::<K>(op.a, _mm_set1_epi64x(v.cast_signed()));
    op.next(ctx, env)
}

/// PMOVMSKB.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn pmovmskb<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let m = if K == VEX256 {
        _mm256_movemask_epi8(ctx.whole(op.base))
    } else {
        _mm_movemask_epi8(ctx.half(op.base))
    };
    ctx.w(op.a, u64::from(m.cast_unsigned()));
    op.next(ctx, env)
}

/// MOVMSKPS.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn movmskps<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let m = if K == VEX256 {
        _mm256_movemask_ps(_mm256_castsi256_ps(ctx.whole(op.base)))
    } else {
        _mm_movemask_ps(_mm_castsi128_ps(ctx.half(op.base)))
    };
    ctx.w(op.a, u64::from(m.cast_unsigned()));
    op.next(ctx, env)
}

/// MOVMSKPD.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn movmskpd<const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let m = if K == VEX256 {
        _mm256_movemask_pd(_mm256_castsi256_pd(ctx.whole(op.base)))
    } else {
        _mm_movemask_pd(_mm_castsi128_pd(ctx.half(op.base)))
    };
    ctx.w(op.a, u64::from(m.cast_unsigned()));
    op.next(ctx, env)
}

/// PINSRD, PINSRQ: lane `LANE` of the result; the other lanes come from register `b`, the new value from general
/// register `index` or memory.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn insert<T: Int, const LANE: i32, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let v = if MEM {
        let Some(v) = ctx.peek::<T>(ctx.ea(&op)) else {
            return ctx.miss(op, env, &Reach::whole(T::BYTES, Access::Read));
        };
        v.s()
    } else {
        ctx.r(op.index).cast_signed()
    };
    let a = ctx.half(op.b);
    let r = if T::BYTES == 8 {
        if LANE == 0 { _mm_insert_epi64::<0>(a, v) } else { _mm_insert_epi64::<1>(a, v) }
    } else {
        match LANE {
            0 => _mm_insert_epi32::<0>(a, v as i32),
            1 => _mm_insert_epi32::<1>(a, v as i32),
            2 => _mm_insert_epi32::<2>(a, v as i32),
            _ => _mm_insert_epi32::<3>(a, v as i32),
        }
    };
    ctx.set_half::<K>(op.a, r);
    op.next(ctx, env)
}

/// PTEST. ZF: `a & b` is zero; CF: `!a & b` is zero; the rest clear.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn ptest<const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let (zero, carry) = if K == VEX256 {
        let Some(s) = ctx.source_whole::<MEM>(op) else { return missed::<32, K>(ctx, op, env) };
        let a = ctx.whole(op.a);
        (_mm256_testz_si256(a, s), _mm256_testc_si256(a, s))
    } else {
        let Some(s) = ctx.source_half::<MEM, K>(op) else { return missed::<16, K>(ctx, op, env) };
        let a = ctx.half(op.a);
        (_mm_testz_si128(a, s), _mm_testc_si128(a, s))
    };
    ctx.set_explicit((u64::from(zero != 0) * ZF) | (u64::from(carry != 0) * CF));
    op.next(ctx, env)
}

/// VPBROADCASTB and its kin, VBROADCASTSS, VBROADCASTSD.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn broadcast<T: Int, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let v = if MEM {
        let Some(v) = ctx.peek::<T>(ctx.ea(&op)) else {
            return ctx.miss(op, env, &Reach::whole(T::BYTES, Access::Read));
        };
        _mm_cvtsi64_si128(v.u().cast_signed())
    } else {
        ctx.half(op.base)
    };
    if K == VEX256 {
        let r = match T::BYTES {
            1 => _mm256_broadcastb_epi8(v),
            2 => _mm256_broadcastw_epi16(v),
            4 => _mm256_broadcastd_epi32(v),
            _ => _mm256_broadcastq_epi64(v),
        };
        ctx.set_whole(op.a, r);
    } else {
        let r = match T::BYTES {
            1 => _mm_broadcastb_epi8(v),
            2 => _mm_broadcastw_epi16(v),
            4 => _mm_broadcastd_epi32(v),
            _ => _mm_broadcastq_epi64(v),
        };
        ctx.set_half::<K>(op.a, r);
    }
    op.next(ctx, env)
}

/// VBROADCASTF128, VBROADCASTI128.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn broadcast128(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(p) = ctx.readable(ctx.ea(&op), 16) else {
        return ctx.miss(op, env, &Reach::whole(16, Access::Read));
    };
    // SAFETY: `readable` vouches for 16 bytes.
    let v = unsafe { _mm_loadu_si128(p.cast()) };
    ctx.set_whole(op.a, _mm256_broadcastsi128_si256(v));
    op.next(ctx, env)
}

/// VINSERTF128, VINSERTI128.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn insert128<const UP: bool, const MEM: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(s) = ctx.source_half::<MEM, VEX256>(op) else { return missed::<16, VEX256>(ctx, op, env) };
    let a = ctx.whole(op.b);
    let r = if UP { _mm256_inserti128_si256::<1>(a, s) } else { _mm256_inserti128_si256::<0>(a, s) };
    ctx.set_whole(op.a, r);
    op.next(ctx, env)
}

/// VEXTRACTF128, VEXTRACTI128 of register `b`.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn extract128<const UP: bool, const MEM: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let a = ctx.whole(op.b);
    let r = if UP { _mm256_extracti128_si256::<1>(a) } else { _mm256_castsi256_si128(a) };
    if MEM {
        let Some(p) = ctx.writeable(ctx.ea(&op), 16) else {
            return ctx.miss(op, env, &Reach::whole(16, Access::Write));
        };
        // SAFETY: `writeable` vouches for 16 bytes.
        unsafe { _mm_storeu_si128(p.cast(), r) }
    } else {
        ctx.set_half::<VEX256>(op.a, r);
    }
    op.next(ctx, env)
}

/// VZEROUPPER.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn zero_upper(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    for y in &mut ctx.ymm {
        // SAFETY: a register has 32 bytes.
        unsafe { _mm_storeu_si128(y.as_mut_ptr().add(2).cast(), _mm_setzero_si128()) }
    }
    op.next(ctx, env)
}

/// VBLENDVPS, VBLENDVPD, VPBLENDVB: mask in the register that `imm` names; `T` is the lane.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn blendv<T: Int, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let mask = op.imm as u8 & 15;
    if K == VEX256 {
        let Some(s) = ctx.source_whole::<MEM>(op) else { return missed::<32, K>(ctx, op, env) };
        let (a, m) = (ctx.whole(op.b), ctx.whole(mask));
        let r = match T::BYTES {
            1 => _mm256_blendv_epi8(a, s, m),
            4 => _mm256_castps_si256(_mm256_blendv_ps(
                _mm256_castsi256_ps(a),
                _mm256_castsi256_ps(s),
                _mm256_castsi256_ps(m),
            )),
            _ => _mm256_castpd_si256(_mm256_blendv_pd(
                _mm256_castsi256_pd(a),
                _mm256_castsi256_pd(s),
                _mm256_castsi256_pd(m),
            )),
        };
        ctx.set_whole(op.a, r);
    } else {
        let Some(s) = ctx.source_half::<MEM, K>(op) else { return missed_halves::<K>(ctx, op, env) };
        let (a, m) = (ctx.half(op.b), ctx.half(mask));
        let r = match T::BYTES {
            1 => _mm_blendv_epi8(a, s, m),
            4 => {
                _mm_castps_si128(_mm_blendv_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(s), _mm_castsi128_ps(m)))
            }
            _ => {
                _mm_castpd_si128(_mm_blendv_pd(_mm_castsi128_pd(a), _mm_castsi128_pd(s), _mm_castsi128_pd(m)))
            }
        };
        ctx.set_half::<K>(op.a, r);
    }
    op.next(ctx, env)
}

/// PMOVZX, PMOVSX: lanes of `T` become lanes of `W` (`SIGNED`). Only as many bytes as are used are read.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn extend<T: Int, W: Int, const SIGNED: bool, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let n = (if K == VEX256 { 32 } else { 16 }) / W::BYTES * T::BYTES;
    let s = if MEM {
        let Some(p) = ctx.readable(ctx.ea(&op), n) else {
            return ctx.miss(op, env, &Reach::whole(n, Access::Read));
        };
        // SAFETY: `readable` vouches for `n` bytes.
        unsafe {
            match n {
                16 => _mm_loadu_si128(p.cast()),
                8 => _mm_loadu_si64(p),
                4 => _mm_loadu_si32(p),
                _ => _mm_loadu_si16(p),
            }
        }
    } else {
        ctx.half(op.base)
    };
    if K == VEX256 {
        let r = match (T::BYTES, W::BYTES, SIGNED) {
            (1, 2, false) => _mm256_cvtepu8_epi16(s),
            (1, 4, false) => _mm256_cvtepu8_epi32(s),
            (1, _, false) => _mm256_cvtepu8_epi64(s),
            (2, 4, false) => _mm256_cvtepu16_epi32(s),
            (2, _, false) => _mm256_cvtepu16_epi64(s),
            (_, _, false) => _mm256_cvtepu32_epi64(s),
            (1, 2, true) => _mm256_cvtepi8_epi16(s),
            (1, 4, true) => _mm256_cvtepi8_epi32(s),
            (1, _, true) => _mm256_cvtepi8_epi64(s),
            (2, 4, true) => _mm256_cvtepi16_epi32(s),
            (2, _, true) => _mm256_cvtepi16_epi64(s),
            (_, _, true) => _mm256_cvtepi32_epi64(s),
        };
        ctx.set_whole(op.a, r);
    } else {
        let r = match (T::BYTES, W::BYTES, SIGNED) {
            (1, 2, false) => _mm_cvtepu8_epi16(s),
            (1, 4, false) => _mm_cvtepu8_epi32(s),
            (1, _, false) => _mm_cvtepu8_epi64(s),
            (2, 4, false) => _mm_cvtepu16_epi32(s),
            (2, _, false) => _mm_cvtepu16_epi64(s),
            (_, _, false) => _mm_cvtepu32_epi64(s),
            (1, 2, true) => _mm_cvtepi8_epi16(s),
            (1, 4, true) => _mm_cvtepi8_epi32(s),
            (1, _, true) => _mm_cvtepi8_epi64(s),
            (2, 4, true) => _mm_cvtepi16_epi32(s),
            (2, _, true) => _mm_cvtepi16_epi64(s),
            (_, _, true) => _mm_cvtepi32_epi64(s),
        };
        ctx.set_half::<K>(op.a, r);
    }
    op.next(ctx, env)
}
