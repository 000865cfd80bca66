//! A few vector instructions by the host's own, where it is an x86-64 that has them: they are exact and say the same
//! everywhere. Each gives `None` on other hosts.
//!
//! **Invariant**: only operations whose result is defined to the bit and that raise nothing.

use super::vecint::X;

macro_rules! by_host {
    ($($(#[$d:meta])* $name:ident($a:ident, $b:ident), $feature:tt => $e:expr;)*) => {
        $(
            $(#[$d])*
            #[inline(always)]
            pub(crate) fn $name(a: X, b: X) -> Option<X> {
                #[cfg(target_arch = "x86_64")]
                if std::arch::is_x86_feature_detected!($feature) {
                    #[target_feature(enable = $feature)]
                    #[allow(unused_imports, reason = "each uses one of them")]
                    fn run(a: X, b: X) -> X {
                        use std::arch::x86_64::{
                            _mm_aesdec_si128, _mm_aesdeclast_si128, _mm_aesenc_si128, _mm_aesenclast_si128,
                            _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_sad_epu8, _mm_set_epi64x,
                            _mm_shuffle_epi8, _mm_unpackhi_epi64,
                        };
                        let $a = _mm_set_epi64x(a[1].cast_signed(), a[0].cast_signed());
                        let $b = _mm_set_epi64x(b[1].cast_signed(), b[0].cast_signed());
                        let r = $e;
                        let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(r, r));
                        [_mm_cvtsi128_si64(r).cast_unsigned(), high.cast_unsigned()]
                    }
                    // SAFETY: the host has the feature.
                    return Some(unsafe { run(a, b) });
                }
                let _ = (a, b);
                None
            }
        )*
    };
}

by_host! {
    /// AESENC.
    aesenc(a, b), "aes" => _mm_aesenc_si128(a, b);
    /// AESENCLAST.
    aesenclast(a, b), "aes" => _mm_aesenclast_si128(a, b);
    /// AESDEC.
    aesdec(a, b), "aes" => _mm_aesdec_si128(a, b);
    /// AESDECLAST.
    aesdeclast(a, b), "aes" => _mm_aesdeclast_si128(a, b);
    /// PCLMULQDQ of the low quadwords.
    pclmulqdq(a, b), "pclmulqdq" => _mm_clmulepi64_si128::<0>(a, b);
    /// PSHUFB.
    pshufb(a, b), "ssse3" => _mm_shuffle_epi8(a, b);
    /// PSADBW.
    psadbw(a, b), "sse2" => _mm_sad_epu8(a, b);
}
