//! Integer operations by the host's own instructions.
//!
//! Key trait: [`HostOp`], the counterpart of [`V2`](crate::exec::vecint::V2) on the same marker types.

#![allow(clippy::wildcard_imports, reason = "the host's instructions are the vocabulary of this module")]

use std::arch::x86_64::*;

use crate::exec::crypto::*;
use crate::exec::vecavx::{Vperm2, Vpermd, Vpermq, Wide};
use crate::exec::vecint::*;
use crate::exec::{Ctx, Env, Flow, OpRef};

/// An operation on two vectors and an immediate: what the marker type's `V2` says.
pub(crate) trait HostOp: V2 {
    /// On 128 bits.
    ///
    /// # Safety
    /// [`super::available`].
    unsafe fn half(a: __m128i, b: __m128i, imm: u8) -> __m128i;
    /// On 256 bits.
    ///
    /// # Safety
    /// [`super::available`].
    unsafe fn whole(a: __m256i, b: __m256i, imm: u8) -> __m256i;
}

/// Shifts of all lanes by one count.
pub(crate) trait HostShift: V2 {
    /// On 128 bits.
    ///
    /// # Safety
    /// [`super::available`].
    unsafe fn half(a: __m128i, count: __m128i) -> __m128i;
    /// On 256 bits.
    ///
    /// # Safety
    /// [`super::available`].
    unsafe fn whole(a: __m256i, count: __m128i) -> __m256i;
}

/// An operation on whole 256-bit vectors.
pub(crate) trait HostWide: Wide {
    /// The result.
    ///
    /// # Safety
    /// [`super::available`].
    unsafe fn whole(a: __m256i, b: __m256i, imm: u8) -> __m256i;
}

/// Body: `a = F(b, source)`.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn v2<F: HostOp, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    if K == VEX256 {
        let Some(s) = ctx.source_whole::<MEM>(op) else { return missed::<32, K>(ctx, op, env) };
        // SAFETY: this body runs where the host has the instructions.
        let r = unsafe { F::whole(ctx.whole(op.b), s, op.imm as u8) };
        ctx.set_whole(op.a, r);
    } else {
        let Some(s) = ctx.source_half::<MEM, K>(op) else { return missed::<16, K>(ctx, op, env) };
        // SAFETY: as above.
        let r = unsafe { F::half(ctx.half(op.b), s, op.imm as u8) };
        ctx.set_half::<K>(op.a, r);
    }
    op.next(ctx, env)
}

/// Body: `a = F(b, source)` over 256 bits.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn wide<F: HostWide, const MEM: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = ctx.source_whole::<MEM>(op) else { return missed::<32, VEX256>(ctx, op, env) };
    // SAFETY: this body runs where the host has the instructions.
    let r = unsafe { F::whole(ctx.whole(op.b), s, op.imm as u8) };
    ctx.set_whole(op.a, r);
    op.next(ctx, env)
}

/// Body: shift of register `b` by the immediate.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn shift_imm<F: HostShift, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let count = _mm_cvtsi32_si128(op.imm as i32 & 0xff);
    // SAFETY: this body runs where the host has the instructions.
    unsafe {
        if K == VEX256 {
            ctx.set_whole(op.a, F::whole(ctx.whole(op.b), count));
        } else {
            ctx.set_half::<K>(op.a, F::half(ctx.half(op.b), count));
        }
    }
    op.next(ctx, env)
}

/// Body: shift by the count in a 128-bit source.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn shift_reg<F: HostShift, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(count) = ctx.source_half::<MEM, K>(op) else { return missed::<16, K>(ctx, op, env) };
    // SAFETY: this body runs where the host has the instructions.
    unsafe {
        if K == VEX256 {
            ctx.set_whole(op.a, F::whole(ctx.whole(op.b), count));
        } else {
            ctx.set_half::<K>(op.a, F::half(ctx.half(op.b), count));
        }
    }
    op.next(ctx, env)
}

macro_rules! ops {
    ($($name:ty = |$a:ident, $b:ident, $imm:ident| $half:expr, $whole:expr;)*) => {
        $(
            impl HostOp for $name {
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                #[allow(unused_variables, reason = "not every operation has an immediate or a first source")]
                unsafe fn half($a: __m128i, $b: __m128i, $imm: u8) -> __m128i {
                    $half
                }
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                #[allow(unused_variables, reason = "not every operation has an immediate or a first source")]
                unsafe fn whole($a: __m256i, $b: __m256i, $imm: u8) -> __m256i {
                    $whole
                }
            }
        )*
        #[cfg(test)]
        fn check_ops(check: &mut tests::Check) {
            $(check.op::<$name>(stringify!($name));)*
        }
    };
}

/// Both halves by the operation on one.
macro_rules! halves {
    ($a:ident, $b:ident, |$x:ident, $y:ident| $e:expr) => {{
        let one = |$x: __m128i, $y: __m128i| $e;
        let low = one(_mm256_castsi256_si128($a), _mm256_castsi256_si128($b));
        let high = one(_mm256_extracti128_si256::<1>($a), _mm256_extracti128_si256::<1>($b));
        _mm256_set_m128i(high, low)
    }};
}

/// The immediate's two bits for each dword, as a control of dwords.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn pairs(imm: u8) -> __m128i {
    _mm_srlv_epi32(_mm_set1_epi32(i32::from(imm)), _mm_setr_epi32(0, 2, 4, 6))
}

/// A mask of dwords from the immediate's bits from `first` on.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn bits(imm: u8) -> __m256i {
    _mm256_sllv_epi32(_mm256_set1_epi32(i32::from(imm)), _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24))
}

/// A mask of qwords from the immediate's low four bits.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn bits_q(imm: u8) -> __m256i {
    _mm256_sllv_epi64(_mm256_set1_epi64x(i64::from(imm)), _mm256_setr_epi64x(63, 62, 61, 60))
}

/// The immediate's low four bits, each as bit 1 of a qword.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn singles(imm: u8) -> __m256i {
    _mm256_srlv_epi64(_mm256_set1_epi64x(i64::from(imm) << 1), _mm256_setr_epi64x(0, 1, 2, 3))
}

/// A mask of words from the immediate's bits, the same in both halves.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn words(imm: u8) -> __m256i {
    let one = _mm_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128);
    let one = _mm256_broadcastsi128_si256(one);
    _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(i16::from(imm)), one), one)
}

/// Bytes `imm` to `imm + 15` of `a:b`, `b` below; zero beyond.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn align(a: __m256i, b: __m256i, imm: u8) -> __m256i {
    const FIRST: [u8; 32] = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
        14, 15,
    ];
    // SAFETY: the array has 32 bytes.
    let first = unsafe { _mm256_loadu_si256(FIRST.as_ptr().cast()) };
    let at = _mm256_adds_epu8(first, _mm256_set1_epi8(imm.cast_signed()));
    // An index of sixteen or more gets its top bit, which gives zero.
    let low = _mm256_shuffle_epi8(b, _mm256_adds_epu8(at, _mm256_set1_epi8(0x70)));
    let up = _mm256_sub_epi8(at, _mm256_set1_epi8(16));
    let high = _mm256_shuffle_epi8(a, _mm256_adds_epu8(up, _mm256_set1_epi8(0x70)));
    _mm256_or_si256(low, high)
}

#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn low(v: __m256i) -> __m128i {
    _mm256_castsi256_si128(v)
}

#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn wider(v: __m128i) -> __m256i {
    _mm256_castsi128_si256(v)
}

#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn carryless(a: __m128i, b: __m128i, imm: u8) -> __m128i {
    match imm & 0x11 {
        0 => _mm_clmulepi64_si128::<0>(a, b),
        1 => _mm_clmulepi64_si128::<1>(a, b),
        0x10 => _mm_clmulepi64_si128::<0x10>(a, b),
        _ => _mm_clmulepi64_si128::<0x11>(a, b),
    }
}

ops! {
    Pand = |a, b, imm| _mm_and_si128(a, b), _mm256_and_si256(a, b);
    Por = |a, b, imm| _mm_or_si128(a, b), _mm256_or_si256(a, b);
    Pxor = |a, b, imm| _mm_xor_si128(a, b), _mm256_xor_si256(a, b);
    Pandn = |a, b, imm| _mm_andnot_si128(a, b), _mm256_andnot_si256(a, b);
    Paddb = |a, b, imm| _mm_add_epi8(a, b), _mm256_add_epi8(a, b);
    Paddw = |a, b, imm| _mm_add_epi16(a, b), _mm256_add_epi16(a, b);
    Paddd = |a, b, imm| _mm_add_epi32(a, b), _mm256_add_epi32(a, b);
    Paddq = |a, b, imm| _mm_add_epi64(a, b), _mm256_add_epi64(a, b);
    Psubb = |a, b, imm| _mm_sub_epi8(a, b), _mm256_sub_epi8(a, b);
    Psubw = |a, b, imm| _mm_sub_epi16(a, b), _mm256_sub_epi16(a, b);
    Psubd = |a, b, imm| _mm_sub_epi32(a, b), _mm256_sub_epi32(a, b);
    Psubq = |a, b, imm| _mm_sub_epi64(a, b), _mm256_sub_epi64(a, b);
    Paddsb = |a, b, imm| _mm_adds_epi8(a, b), _mm256_adds_epi8(a, b);
    Paddsw = |a, b, imm| _mm_adds_epi16(a, b), _mm256_adds_epi16(a, b);
    Paddusb = |a, b, imm| _mm_adds_epu8(a, b), _mm256_adds_epu8(a, b);
    Paddusw = |a, b, imm| _mm_adds_epu16(a, b), _mm256_adds_epu16(a, b);
    Psubsb = |a, b, imm| _mm_subs_epi8(a, b), _mm256_subs_epi8(a, b);
    Psubsw = |a, b, imm| _mm_subs_epi16(a, b), _mm256_subs_epi16(a, b);
    Psubusb = |a, b, imm| _mm_subs_epu8(a, b), _mm256_subs_epu8(a, b);
    Psubusw = |a, b, imm| _mm_subs_epu16(a, b), _mm256_subs_epu16(a, b);
    Pmullw = |a, b, imm| _mm_mullo_epi16(a, b), _mm256_mullo_epi16(a, b);
    Pmulhw = |a, b, imm| _mm_mulhi_epi16(a, b), _mm256_mulhi_epi16(a, b);
    Pmulhuw = |a, b, imm| _mm_mulhi_epu16(a, b), _mm256_mulhi_epu16(a, b);
    Pmulhrsw = |a, b, imm| _mm_mulhrs_epi16(a, b), _mm256_mulhrs_epi16(a, b);
    Pmulld = |a, b, imm| _mm_mullo_epi32(a, b), _mm256_mullo_epi32(a, b);
    Pmuludq = |a, b, imm| _mm_mul_epu32(a, b), _mm256_mul_epu32(a, b);
    Pmuldq = |a, b, imm| _mm_mul_epi32(a, b), _mm256_mul_epi32(a, b);
    Pmaddwd = |a, b, imm| _mm_madd_epi16(a, b), _mm256_madd_epi16(a, b);
    Pmaddubsw = |a, b, imm| _mm_maddubs_epi16(a, b), _mm256_maddubs_epi16(a, b);
    Psadbw = |a, b, imm| _mm_sad_epu8(a, b), _mm256_sad_epu8(a, b);
    Pavgb = |a, b, imm| _mm_avg_epu8(a, b), _mm256_avg_epu8(a, b);
    Pavgw = |a, b, imm| _mm_avg_epu16(a, b), _mm256_avg_epu16(a, b);
    Pminub = |a, b, imm| _mm_min_epu8(a, b), _mm256_min_epu8(a, b);
    Pmaxub = |a, b, imm| _mm_max_epu8(a, b), _mm256_max_epu8(a, b);
    Pminsb = |a, b, imm| _mm_min_epi8(a, b), _mm256_min_epi8(a, b);
    Pmaxsb = |a, b, imm| _mm_max_epi8(a, b), _mm256_max_epi8(a, b);
    Pminsw = |a, b, imm| _mm_min_epi16(a, b), _mm256_min_epi16(a, b);
    Pmaxsw = |a, b, imm| _mm_max_epi16(a, b), _mm256_max_epi16(a, b);
    Pminuw = |a, b, imm| _mm_min_epu16(a, b), _mm256_min_epu16(a, b);
    Pmaxuw = |a, b, imm| _mm_max_epu16(a, b), _mm256_max_epu16(a, b);
    Pminsd = |a, b, imm| _mm_min_epi32(a, b), _mm256_min_epi32(a, b);
    Pmaxsd = |a, b, imm| _mm_max_epi32(a, b), _mm256_max_epi32(a, b);
    Pminud = |a, b, imm| _mm_min_epu32(a, b), _mm256_min_epu32(a, b);
    Pmaxud = |a, b, imm| _mm_max_epu32(a, b), _mm256_max_epu32(a, b);
    Pcmpeqb = |a, b, imm| _mm_cmpeq_epi8(a, b), _mm256_cmpeq_epi8(a, b);
    Pcmpeqw = |a, b, imm| _mm_cmpeq_epi16(a, b), _mm256_cmpeq_epi16(a, b);
    Pcmpeqd = |a, b, imm| _mm_cmpeq_epi32(a, b), _mm256_cmpeq_epi32(a, b);
    Pcmpeqq = |a, b, imm| _mm_cmpeq_epi64(a, b), _mm256_cmpeq_epi64(a, b);
    Pcmpgtb = |a, b, imm| _mm_cmpgt_epi8(a, b), _mm256_cmpgt_epi8(a, b);
    Pcmpgtw = |a, b, imm| _mm_cmpgt_epi16(a, b), _mm256_cmpgt_epi16(a, b);
    Pcmpgtd = |a, b, imm| _mm_cmpgt_epi32(a, b), _mm256_cmpgt_epi32(a, b);
    Pcmpgtq = |a, b, imm| _mm_cmpgt_epi64(a, b), _mm256_cmpgt_epi64(a, b);
    Pabsb = |a, b, imm| _mm_abs_epi8(b), _mm256_abs_epi8(b);
    Pabsw = |a, b, imm| _mm_abs_epi16(b), _mm256_abs_epi16(b);
    Pabsd = |a, b, imm| _mm_abs_epi32(b), _mm256_abs_epi32(b);
    Psignb = |a, b, imm| _mm_sign_epi8(a, b), _mm256_sign_epi8(a, b);
    Psignw = |a, b, imm| _mm_sign_epi16(a, b), _mm256_sign_epi16(a, b);
    Psignd = |a, b, imm| _mm_sign_epi32(a, b), _mm256_sign_epi32(a, b);
    Punpcklbw = |a, b, imm| _mm_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(a, b);
    Punpckhbw = |a, b, imm| _mm_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(a, b);
    Punpcklwd = |a, b, imm| _mm_unpacklo_epi16(a, b), _mm256_unpacklo_epi16(a, b);
    Punpckhwd = |a, b, imm| _mm_unpackhi_epi16(a, b), _mm256_unpackhi_epi16(a, b);
    Punpckldq = |a, b, imm| _mm_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(a, b);
    Punpckhdq = |a, b, imm| _mm_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(a, b);
    Punpcklqdq = |a, b, imm| _mm_unpacklo_epi64(a, b), _mm256_unpacklo_epi64(a, b);
    Punpckhqdq = |a, b, imm| _mm_unpackhi_epi64(a, b), _mm256_unpackhi_epi64(a, b);
    Packsswb = |a, b, imm| _mm_packs_epi16(a, b), _mm256_packs_epi16(a, b);
    Packuswb = |a, b, imm| _mm_packus_epi16(a, b), _mm256_packus_epi16(a, b);
    Packssdw = |a, b, imm| _mm_packs_epi32(a, b), _mm256_packs_epi32(a, b);
    Packusdw = |a, b, imm| _mm_packus_epi32(a, b), _mm256_packus_epi32(a, b);
    Phaddw = |a, b, imm| _mm_hadd_epi16(a, b), _mm256_hadd_epi16(a, b);
    Phsubw = |a, b, imm| _mm_hsub_epi16(a, b), _mm256_hsub_epi16(a, b);
    Phaddsw = |a, b, imm| _mm_hadds_epi16(a, b), _mm256_hadds_epi16(a, b);
    Phsubsw = |a, b, imm| _mm_hsubs_epi16(a, b), _mm256_hsubs_epi16(a, b);
    Phaddd = |a, b, imm| _mm_hadd_epi32(a, b), _mm256_hadd_epi32(a, b);
    Phsubd = |a, b, imm| _mm_hsub_epi32(a, b), _mm256_hsub_epi32(a, b);
    Pshufb = |a, b, imm| _mm_shuffle_epi8(a, b), _mm256_shuffle_epi8(a, b);
    Pshufd = |a, b, imm|
        _mm_castps_si128(_mm_permutevar_ps(_mm_castsi128_ps(b), pairs(imm))),
        _mm256_castps_si256(
            _mm256_permutevar_ps(_mm256_castsi256_ps(b), _mm256_broadcastsi128_si256(pairs(imm)))
        );
    Shufps = |a, b, imm| {
        let by = pairs(imm);
        let p = _mm_permutevar_ps(_mm_castsi128_ps(a), by);
        let q = _mm_permutevar_ps(_mm_castsi128_ps(b), by);
        _mm_castps_si128(_mm_shuffle_ps::<0xe4>(p, q))
    }, {
        let by = _mm256_broadcastsi128_si256(pairs(imm));
        let p = _mm256_permutevar_ps(_mm256_castsi256_ps(a), by);
        let q = _mm256_permutevar_ps(_mm256_castsi256_ps(b), by);
        _mm256_castps_si256(_mm256_shuffle_ps::<0xe4>(p, q))
    };
    Palignr = |a, b, imm| low(align(wider(a), wider(b), imm)), align(a, b, imm);
    Split<Blendps, 4> = |a, b, imm|
        _mm_castps_si128(
            _mm_blendv_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), _mm_castsi128_ps(low(bits(imm))))
        ),
        _mm256_castps_si256(_mm256_blendv_ps(
            _mm256_castsi256_ps(a),
            _mm256_castsi256_ps(b),
            _mm256_castsi256_ps(bits(imm)),
        ));
    Split<Blendpd, 2> = |a, b, imm|
        _mm_castpd_si128(
            _mm_blendv_pd(_mm_castsi128_pd(a), _mm_castsi128_pd(b), _mm_castsi128_pd(low(bits_q(imm))))
        ),
        _mm256_castpd_si256(_mm256_blendv_pd(
            _mm256_castsi256_pd(a),
            _mm256_castsi256_pd(b),
            _mm256_castsi256_pd(bits_q(imm)),
        ));
    Split<Shufpd, 2> = |a, b, imm| {
        let by = low(singles(imm));
        let p = _mm_permutevar_pd(_mm_castsi128_pd(a), by);
        let q = _mm_permutevar_pd(_mm_castsi128_pd(b), by);
        _mm_castpd_si128(_mm_shuffle_pd::<2>(p, q))
    }, {
        let by = singles(imm);
        let p = _mm256_permutevar_pd(_mm256_castsi256_pd(a), by);
        let q = _mm256_permutevar_pd(_mm256_castsi256_pd(b), by);
        _mm256_castpd_si256(_mm256_shuffle_pd::<10>(p, q))
    };
    Split<Permilpd, 2> = |a, b, imm|
        _mm_castpd_si128(_mm_permutevar_pd(_mm_castsi128_pd(b), low(singles(imm)))),
        _mm256_castpd_si256(_mm256_permutevar_pd(_mm256_castsi256_pd(b), singles(imm)));
    Pblendw = |a, b, imm|
        _mm_blendv_epi8(a, b, low(words(imm))),
        _mm256_blendv_epi8(a, b, words(imm));
    Movddup = |a, b, imm| _mm_unpacklo_epi64(b, b), _mm256_unpacklo_epi64(b, b);
    Movsldup = |a, b, imm| _mm_shuffle_epi32::<0xa0>(b), _mm256_shuffle_epi32::<0xa0>(b);
    Movshdup = |a, b, imm| _mm_shuffle_epi32::<0xf5>(b), _mm256_shuffle_epi32::<0xf5>(b);
    Vpermilps = |a, b, imm|
        _mm_castps_si128(_mm_permutevar_ps(_mm_castsi128_ps(a), b)),
        _mm256_castps_si256(_mm256_permutevar_ps(_mm256_castsi256_ps(a), b));
    Vpermilpd = |a, b, imm|
        _mm_castpd_si128(_mm_permutevar_pd(_mm_castsi128_pd(a), b)),
        _mm256_castpd_si256(_mm256_permutevar_pd(_mm256_castsi256_pd(a), b));
    Vpsllvd = |a, b, imm| _mm_sllv_epi32(a, b), _mm256_sllv_epi32(a, b);
    Vpsllvq = |a, b, imm| _mm_sllv_epi64(a, b), _mm256_sllv_epi64(a, b);
    Vpsrlvd = |a, b, imm| _mm_srlv_epi32(a, b), _mm256_srlv_epi32(a, b);
    Vpsrlvq = |a, b, imm| _mm_srlv_epi64(a, b), _mm256_srlv_epi64(a, b);
    Vpsravd = |a, b, imm| _mm_srav_epi32(a, b), _mm256_srav_epi32(a, b);
    Aesenc = |a, b, imm| _mm_aesenc_si128(a, b), halves!(a, b, |x, y| _mm_aesenc_si128(x, y));
    Aesenclast = |a, b, imm| _mm_aesenclast_si128(a, b), halves!(a, b, |x, y| _mm_aesenclast_si128(x, y));
    Aesdec = |a, b, imm| _mm_aesdec_si128(a, b), halves!(a, b, |x, y| _mm_aesdec_si128(x, y));
    Aesdeclast = |a, b, imm| _mm_aesdeclast_si128(a, b), halves!(a, b, |x, y| _mm_aesdeclast_si128(x, y));
    Pclmulqdq = |a, b, imm| carryless(a, b, imm), halves!(a, b, |x, y| carryless(x, y, imm));
}

macro_rules! shifts {
    ($($name:ident = |$a:ident, $count:ident| $half:expr, $whole:expr;)*) => {
        $(
            impl HostShift for $name {
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                unsafe fn half($a: __m128i, $count: __m128i) -> __m128i {
                    $half
                }
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                unsafe fn whole($a: __m256i, $count: __m128i) -> __m256i {
                    $whole
                }
            }
        )*
        #[cfg(test)]
        fn check_shifts(check: &mut tests::Check) {
            $(check.shift::<$name>(stringify!($name));)*
        }
    };
}

/// The byte count as an immediate: sixteen for all that clear everything.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn bytes(count: __m128i) -> u8 {
    _mm_cvtsi128_si64(count).cast_unsigned().min(16) as u8
}

shifts! {
    Psllw = |a, count| _mm_sll_epi16(a, count), _mm256_sll_epi16(a, count);
    Pslld = |a, count| _mm_sll_epi32(a, count), _mm256_sll_epi32(a, count);
    Psllq = |a, count| _mm_sll_epi64(a, count), _mm256_sll_epi64(a, count);
    Psrlw = |a, count| _mm_srl_epi16(a, count), _mm256_srl_epi16(a, count);
    Psrld = |a, count| _mm_srl_epi32(a, count), _mm256_srl_epi32(a, count);
    Psrlq = |a, count| _mm_srl_epi64(a, count), _mm256_srl_epi64(a, count);
    Psraw = |a, count| _mm_sra_epi16(a, count), _mm256_sra_epi16(a, count);
    Psrad = |a, count| _mm_sra_epi32(a, count), _mm256_sra_epi32(a, count);
    Pslldq = |a, count|
        low(align(wider(a), _mm256_setzero_si256(), 16 - bytes(count))),
        align(a, _mm256_setzero_si256(), 16 - bytes(count));
    Psrldq = |a, count|
        low(align(_mm256_setzero_si256(), wider(a), bytes(count))),
        align(_mm256_setzero_si256(), a, bytes(count));
}

impl HostWide for Vpermd {
    #[inline]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
    unsafe fn whole(a: __m256i, b: __m256i, _: u8) -> __m256i {
        _mm256_permutevar8x32_epi32(b, a)
    }
}

impl HostWide for Vpermq {
    #[inline]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
    unsafe fn whole(_: __m256i, b: __m256i, imm: u8) -> __m256i {
        let q = _mm256_srlv_epi64(_mm256_set1_epi64x(i64::from(imm)), _mm256_setr_epi64x(0, 2, 4, 6));
        let first = _mm256_slli_epi64::<1>(_mm256_and_si256(q, _mm256_set1_epi64x(3)));
        // The dwords of qword n are 2n and 2n + 1.
        let at = _mm256_or_si256(first, _mm256_slli_epi64::<32>(first));
        _mm256_permutevar8x32_epi32(b, _mm256_or_si256(at, _mm256_set1_epi64x(1 << 32)))
    }
}

impl HostWide for Vperm2 {
    #[inline]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
    unsafe fn whole(a: __m256i, b: __m256i, imm: u8) -> __m256i {
        let half = |control: u8| {
            let from = if control & 2 != 0 { b } else { a };
            let v = if control & 1 != 0 {
                _mm256_extracti128_si256::<1>(from)
            } else {
                _mm256_castsi256_si128(from)
            };
            if control & 8 != 0 { _mm_setzero_si128() } else { v }
        };
        _mm256_set_m128i(half(imm >> 4), half(imm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random operands, with a share of equal and extreme bytes.
    pub(super) struct Check {
        state: u64,
        done: usize,
    }

    impl Check {
        fn next(&mut self) -> u64 {
            self.state =
                self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let v = self.state ^ self.state >> 29;
            match v >> 60 {
                0 => 0,
                1 => u64::MAX,
                2 => 0x8000_7fff_8000_0000,
                3 => v & 0x0f0f_0f0f_0f0f_0f0f,
                _ => v,
            }
        }

        fn operand(&mut self) -> [u64; 4] {
            std::array::from_fn(|_| self.next())
        }

        pub(super) fn op<F: HostOp>(&mut self, name: &str) {
            for _ in 0..500 {
                let (a, b, imm) = (self.operand(), self.operand(), (self.next() >> 8) as u8);
                let want = [
                    F::run([a[0], a[1]], [b[0], b[1]], imm),
                    F::run([a[2], a[3]], [b[2], b[3]], imm >> F::IMM_SHIFT),
                ]
                .concat();
                // SAFETY: the caller found the host to have the instructions; vectors are plain bits.
                let (half, whole) = unsafe {
                    let whole: [u64; 4] = std::mem::transmute(F::whole(vector(a), vector(b), imm));
                    let (p, q) = (low(vector(a)), low(vector(b)));
                    let half: [u64; 2] = std::mem::transmute(F::half(p, q, imm));
                    (half, whole)
                };
                assert_eq!((&half[..], &whole[..]), (&want[..2], &want[..]), "{name} {a:x?} {b:x?} {imm:x}");
            }
            self.done += 1;
        }

        pub(super) fn shift<F: HostShift>(&mut self, name: &str) {
            for i in 0..300 {
                let a = self.operand();
                let count = if i < 280 { i } else { self.next() };
                let by = [count, self.next()];
                let want = [F::run([a[0], a[1]], by, 0), F::run([a[2], a[3]], by, 0)].concat();
                // SAFETY: as above.
                let (half, whole) = unsafe {
                    let count = low(vector([by[0], by[1], 0, 0]));
                    let whole: [u64; 4] = std::mem::transmute(F::whole(vector(a), count));
                    let half: [u64; 2] = std::mem::transmute(F::half(low(vector(a)), count));
                    (half, whole)
                };
                assert_eq!((&half[..], &whole[..]), (&want[..2], &want[..]), "{name} {a:x?} {by:x?}");
            }
            self.done += 1;
        }

        fn wide<F: HostWide>(&mut self) {
            for imm in 0..=255 {
                let (a, b) = (self.operand(), self.operand());
                // SAFETY: as above.
                let whole: [u64; 4] = unsafe { std::mem::transmute(F::whole(vector(a), vector(b), imm)) };
                assert_eq!(whole, F::run(a, b, imm), "{a:x?} {b:x?} {imm:x}");
            }
            self.done += 1;
        }
    }

    fn vector(v: [u64; 4]) -> __m256i {
        // SAFETY: both are 32 bytes of plain bits.
        unsafe { std::mem::transmute(v) }
    }

    #[test]
    fn the_hosts_instructions_do_what_the_portable_bodies_do() {
        if !super::super::available() {
            return;
        }
        let mut check = Check { state: 7, done: 0 };
        check_ops(&mut check);
        check_shifts(&mut check);
        check.wide::<Vpermd>();
        check.wide::<Vpermq>();
        check.wide::<Vperm2>();
        assert!(check.done > 100);
    }
}
