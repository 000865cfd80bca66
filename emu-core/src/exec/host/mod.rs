//! Bodies that do a vector instruction by the host's own, where that is an x86-64 of this level.
//!
//! The portable bodies beside this module are the definition; these are chosen in their place when a block is decoded
//! (`Lower::host`), if [`available`]. They work on whole registers: a register written in halves and read whole waits
//! for its store.
//!
//! **Invariant**: an operation here is defined to the bit and raises nothing, or the body proves that beforehand and
//! goes to the portable one otherwise. So results never depend on which ran.

#[cfg(target_arch = "x86_64")]
pub(crate) mod float;
#[cfg(target_arch = "x86_64")]
pub(crate) mod int;
#[cfg(target_arch = "x86_64")]
pub(crate) mod moves;

/// Whether the host has every instruction that these bodies use.
pub(crate) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        has!("avx2") && has!("fma") && has!("bmi1") && has!("bmi2") && has!("aes") && has!("pclmulqdq")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_loadu_si128, _mm_storeu_si128, _mm256_loadu_si256, _mm256_storeu_si256,
        _mm256_zextsi128_si256,
    };

    use crate::exec::vecint::LEGACY;
    use crate::exec::{Ctx, Env, Flow, OpFn, OpRef};

    /// A body that needs the host's instructions.
    pub(crate) type HostFn = unsafe fn(&mut Ctx, OpRef, &mut Env<'_>) -> Flow;

    /// As a body like all others.
    ///
    /// # Safety
    /// It is called only where [`super::available`].
    pub(crate) const unsafe fn body(f: HostFn) -> OpFn {
        // SAFETY: the types differ in `unsafe` alone, and the caller answers for that.
        unsafe { std::mem::transmute::<HostFn, OpFn>(f) }
    }

    impl Ctx {
        #[inline(always)]
        fn vector(&self, i: u8) -> *const u8 {
            debug_assert!(i < 16);
            // SAFETY: the decoder puts only numbers of vector registers where these bodies look for them.
            unsafe { self.ymm.as_ptr().add(i as usize).cast() }
        }

        #[inline(always)]
        fn vector_mut(&mut self, i: u8) -> *mut u8 {
            debug_assert!(i < 16);
            // SAFETY: as above.
            unsafe { self.ymm.as_mut_ptr().add(i as usize).cast() }
        }

        /// The low half of a vector register.
        #[inline]
        #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
        pub(crate) fn half(&self, i: u8) -> __m128i {
            // SAFETY: a register has 32 bytes.
            unsafe { _mm_loadu_si128(self.vector(i).cast()) }
        }

        /// A whole vector register.
        #[inline]
        #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
        pub(crate) fn whole(&self, i: u8) -> __m256i {
            // SAFETY: a register has 32 bytes.
            unsafe { _mm256_loadu_si256(self.vector(i).cast()) }
        }

        /// Writes the low half by the rule of the encoding `K`.
        #[inline]
        #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
        pub(crate) fn set_half<const K: u8>(&mut self, i: u8, v: __m128i) {
            if K == LEGACY {
                // SAFETY: a register has 32 bytes.
                unsafe { _mm_storeu_si128(self.vector_mut(i).cast(), v) }
            } else {
                self.set_whole(i, _mm256_zextsi128_si256(v));
            }
        }

        /// Writes a whole vector register.
        #[inline]
        #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
        pub(crate) fn set_whole(&mut self, i: u8, v: __m256i) {
            // SAFETY: a register has 32 bytes.
            unsafe { _mm256_storeu_si256(self.vector_mut(i).cast(), v) }
        }

        /// A 128-bit source operand; `None`: end in [`crate::exec::vecint::missed`].
        #[inline]
        #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
        pub(crate) fn source_half<const MEM: bool, const K: u8>(&self, op: OpRef) -> Option<__m128i> {
            if !MEM {
                return Some(self.half(op.base));
            }
            let addr = self.ea(&op);
            if K == LEGACY && addr & 15 != 0 {
                return None;
            }
            // SAFETY: `readable` vouches for 16 bytes.
            self.readable(addr, 16).map(|p| unsafe { _mm_loadu_si128(p.cast()) })
        }

        /// A 256-bit source operand; `None`: end in [`crate::exec::vecint::missed`].
        #[inline]
        #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
        pub(crate) fn source_whole<const MEM: bool>(&self, op: OpRef) -> Option<__m256i> {
            if !MEM {
                return Some(self.whole(op.base));
            }
            // SAFETY: `readable` vouches for 32 bytes.
            self.readable(self.ea(&op), 32).map(|p| unsafe { _mm256_loadu_si256(p.cast()) })
        }
    }
}
#[cfg(target_arch = "x86_64")]
pub(crate) use registers::{HostFn, body};
