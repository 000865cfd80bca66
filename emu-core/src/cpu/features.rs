//! The features of the processor models: one row for each bit of CPUID.
//!
//! Key table: [`FEATURES`]. CPUID answers from it, the decoder refuses by it what a model lacks, /proc/cpuinfo prints its
//! names.
//!
//! **Invariant**: a model claims a feature exactly if it executes its instructions.

use super::CpuModel;
use iced_x86::CpuidFeature as F;

/// One feature.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// The name in /proc/cpuinfo; empty where Linux prints none.
    pub name: &'static str,
    /// Leaf and subleaf of CPUID.
    pub leaf: (u32, u32),
    /// Register of the answer: 0 eax to 3 edx.
    pub register: usize,
    /// Bit of the register.
    pub bit: u32,
    /// The lowest model that has it.
    pub from: CpuModel,
    /// What iced-x86 calls it: the forms of instruction that need it.
    pub forms: &'static [F],
}

const EAX: usize = 0;
const EBX: usize = 1;
const ECX: usize = 2;
const EDX: usize = 3;

macro_rules! features {
    ($( $leaf:literal . $sub:literal $register:ident $bit:literal $name:literal $from:ident $(= $($form:ident)+)?; )+) => {
        /// All features, in the order of /proc/cpuinfo.
        pub const FEATURES: &[Feature] = &[$(Feature {
            name: $name,
            leaf: ($leaf, $sub),
            register: $register,
            bit: $bit,
            from: CpuModel::$from,
            forms: &[$($(F::$form),+)?],
        }),+];
    };
}

features! {
    1 . 0 EDX 0 "fpu" V1 = FPU FPU287 FPU387;
    1 . 0 EDX 1 "vme" V1;
    1 . 0 EDX 2 "de" V1;
    1 . 0 EDX 3 "pse" V1;
    1 . 0 EDX 4 "tsc" V1 = TSC;
    1 . 0 EDX 5 "msr" V1 = MSR;
    1 . 0 EDX 6 "pae" V1;
    1 . 0 EDX 7 "mce" V1;
    1 . 0 EDX 8 "cx8" V1 = CX8;
    1 . 0 EDX 9 "apic" V1;
    1 . 0 EDX 11 "sep" V1 = SEP;
    1 . 0 EDX 12 "mtrr" V1;
    1 . 0 EDX 13 "pge" V1;
    1 . 0 EDX 14 "mca" V1;
    1 . 0 EDX 15 "cmov" V1 = CMOV;
    1 . 0 EDX 16 "pat" V1;
    1 . 0 EDX 17 "pse36" V1;
    1 . 0 EDX 19 "clflush" V1 = CLFSH;
    1 . 0 EDX 23 "mmx" V1 = MMX;
    1 . 0 EDX 24 "fxsr" V1 = FXSR;
    1 . 0 EDX 25 "sse" V1 = SSE;
    1 . 0 EDX 26 "sse2" V1 = SSE2 PAUSE;
    0x8000_0001 . 0 EDX 11 "syscall" V1 = SYSCALL;
    0x8000_0001 . 0 EDX 20 "nx" V1;
    0x8000_0001 . 0 EDX 27 "rdtscp" V1 = RDTSCP;
    0x8000_0001 . 0 EDX 29 "lm" V1 = X64;
    0x8000_0007 . 0 EDX 8 "constant_tsc" V1;
    1 . 0 ECX 0 "pni" V2 = SSE3;
    1 . 0 ECX 1 "pclmulqdq" V3 = PCLMULQDQ;
    1 . 0 ECX 9 "ssse3" V2 = SSSE3;
    1 . 0 ECX 12 "fma" V3 = FMA;
    1 . 0 ECX 13 "cx16" V2 = CMPXCHG16B;
    1 . 0 ECX 19 "sse4_1" V2 = SSE4_1;
    1 . 0 ECX 20 "sse4_2" V2 = SSE4_2;
    1 . 0 ECX 22 "movbe" V3 = MOVBE;
    1 . 0 ECX 23 "popcnt" V2 = POPCNT;
    1 . 0 ECX 25 "aes" V3 = AES;
    1 . 0 ECX 26 "xsave" V3 = XSAVE;
    1 . 0 ECX 27 "" V3;
    1 . 0 ECX 28 "avx" V3 = AVX;
    1 . 0 ECX 29 "f16c" V3 = F16C;
    1 . 0 ECX 30 "rdrand" V3 = RDRAND;
    1 . 0 ECX 31 "hypervisor" V1;
    0x8000_0001 . 0 ECX 0 "lahf_lm" V1;
    0x8000_0001 . 0 ECX 5 "abm" V3 = LZCNT;
    0x8000_0001 . 0 ECX 6 "sse4a" V2 = SSE4A;
    0x8000_0001 . 0 ECX 8 "3dnowprefetch" V1 = PREFETCHW;
    0x8000_0001 . 0 ECX 22 "topoext" V1;
    7 . 0 EBX 0 "fsgsbase" V1 = FSGSBASE;
    7 . 0 EBX 3 "bmi1" V3 = BMI1;
    7 . 0 EBX 5 "avx2" V3 = AVX2;
    7 . 0 EBX 8 "bmi2" V3 = BMI2;
    7 . 0 EBX 9 "erms" V1;
    7 . 0 EBX 18 "rdseed" V3 = RDSEED;
    7 . 0 EBX 19 "adx" V3 = ADX;
    7 . 0 EBX 23 "clflushopt" V3 = CLFLUSHOPT;
    7 . 0 EBX 24 "clwb" V3 = CLWB;
    7 . 0 EBX 29 "sha_ni" V3 = SHA;
    0xd . 1 EAX 0 "xsaveopt" V3 = XSAVEOPT;
    0xd . 1 EAX 1 "xsavec" V3 = XSAVEC;
    0xd . 1 EAX 2 "xgetbv1" V3;
    7 . 0 ECX 2 "umip" V1;
    7 . 0 ECX 9 "vaes" V3 = VAES;
    7 . 0 ECX 10 "vpclmulqdq" V3 = VPCLMULQDQ;
    7 . 0 ECX 22 "rdpid" V3 = RDPID;
    7 . 0 EDX 14 "serialize" V3 = SERIALIZE;
}

impl Feature {
    /// Whether a model has it.
    #[must_use]
    pub fn of(&self, model: CpuModel) -> bool {
        model >= self.from
    }
}

/// The bits of one register of CPUID's answer that a model's features make.
#[must_use]
pub fn bits(model: CpuModel, leaf: u32, subleaf: u32, register: usize) -> u32 {
    FEATURES
        .iter()
        .filter(|f| f.leaf == (leaf, subleaf) && f.register == register && f.of(model))
        .fold(0, |bits, f| bits | 1 << f.bit)
}

/// The names of a model's features, as /proc/cpuinfo has them.
pub fn names(model: CpuModel) -> impl Iterator<Item = &'static str> {
    FEATURES.iter().filter(move |f| f.of(model) && !f.name.is_empty()).map(|f| f.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    #[test]
    fn what_is_claimed_is_executed_from_the_same_model_on() {
        let (mut checked, mut wrong) = (0, Vec::new());
        for code in iced_x86::Code::values() {
            let info = code.op_code();
            for feature in FEATURES {
                let legacy =
                    matches!(info.encoding(), iced_x86::EncodingKind::Legacy | iced_x86::EncodingKind::VEX);
                let needs = code.cpuid_features().iter().any(|f| feature.forms.contains(f));
                if needs && legacy && info.is_instruction() && info.mode64() && !info.fwait() {
                    checked += 1;
                    let lowest = decode::features::lowest_for(code);
                    if lowest.is_some_and(|lowest| lowest < feature.from) {
                        wrong.push(code);
                    }
                }
            }
        }
        assert!(checked > 1000);
        assert_eq!(wrong, []);
    }

    #[test]
    fn no_bit_has_two_rows() {
        let mut seen = std::collections::BTreeSet::new();
        for f in FEATURES {
            assert!(seen.insert((f.leaf, f.register, f.bit)), "{f:?}");
        }
    }
}
