//! Which processor model has which instructions, by the feature flags that iced-x86 gives to each form and the table
//! [`crate::cpu::features`].
//!
//! Key function: [`standing`]. Neighbours: [`super::select`] refuses what the model lacks, [`crate::exec::cpuid`] claims
//! what it has, docs/instructions.md is made of it.
//!
//! **Invariant**: a form whose features are all in the table, and which can occur in 64-bit mode, is implemented or has
//! its reason here.

use iced_x86::{Code, CpuidFeature, EncodingKind, OpCodeOperandKind};

use crate::cpu::CpuModel;
use crate::cpu::features::FEATURES;

/// How a form of instruction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Executed, from this model on; below it `#UD`.
    Implemented(CpuModel),
    /// `#UD`, as on a processor without it; with the reason.
    Refused(&'static str),
    /// Reported by name, then `#UD`; with the reason.
    Missing(&'static str),
}

/// The lowest model with each feature, by its number.
static LOWEST: [Option<CpuModel>; 256] = {
    use CpuidFeature as F;
    // What has no bit of CPUID.
    const PLAIN: [F; 14] = [
        F::INTEL8086,
        F::INTEL8086_ONLY,
        F::INTEL186,
        F::INTEL286,
        F::INTEL386,
        F::INTEL486,
        F::CPUID,
        F::RDPMC,
        F::MULTIBYTENOP,
        // Hints: without the feature they do nothing.
        F::CET_IBT,
        F::CLDEMOTE,
        F::PREFETCHWT1,
        F::PREFETCHITI,
        F::WBNOINVD,
    ];
    let mut lowest = [None; 256];
    let mut i = 0;
    while i < PLAIN.len() {
        lowest[PLAIN[i] as usize] = Some(CpuModel::V1);
        i += 1;
    }
    let mut row = FEATURES.len();
    // The first row that names a feature counts.
    while row > 0 {
        row -= 1;
        let forms = FEATURES[row].forms;
        let mut form = 0;
        while form < forms.len() {
            lowest[forms[form] as usize] = Some(FEATURES[row].from);
            form += 1;
        }
    }
    lowest
};

/// The lowest model with a feature; `None`: no model has it.
#[must_use]
pub fn lowest(feature: CpuidFeature) -> Option<CpuModel> {
    LOWEST[feature as usize & 0xff]
}

/// The lowest model with an instruction form.
#[must_use]
pub fn lowest_for(code: Code) -> Option<CpuModel> {
    if matches!(code.encoding(), EncodingKind::EVEX | EncodingKind::MVEX) {
        return None;
    }
    if hint(code) {
        return Some(CpuModel::V1);
    }
    code.cpuid_features().iter().try_fold(CpuModel::V1, |model, f| Some(model.max(lowest(*f)?)))
}

/// Forms that lie in the opcodes reserved for hints: nothing on a processor without the feature.
#[must_use]
pub(super) fn hint(code: Code) -> bool {
    use iced_x86::Mnemonic as M;
    matches!(code.mnemonic(), M::Rdsspd | M::Rdsspq)
        || (code.cpuid_features() == [CpuidFeature::MPX] && code.encoding() == EncodingKind::Legacy)
}

/// How a form stands.
#[must_use]
pub fn standing(code: Code) -> Standing {
    let Some(model) = lowest_for(code) else { return Standing::Refused(refusal(code)) };
    if super::implemented(code) {
        return Standing::Implemented(model);
    }
    use iced_x86::Mnemonic as M;
    let info = code.op_code();
    if info.fwait() {
        return Standing::Refused("an assembler's pair: it decodes as WAIT and the form without it");
    }
    match code.mnemonic() {
        M::Ud0 | M::Ud1 | M::Ud2 => Standing::Refused("made to raise #UD"),
        M::Sysenter => Standing::Refused("AMD processors have no SYSENTER in 64-bit mode"),
        M::Reservednop => Standing::Refused("AMD processors take PREFETCH with a register for invalid"),
        _ if info.op_kinds().contains(&OpCodeOperandKind::sibmem) => Standing::Refused("AMX"),
        _ => Standing::Missing("not needed by any program seen"),
    }
}

fn refusal(code: Code) -> &'static str {
    use CpuidFeature as F;
    match code.encoding() {
        EncodingKind::EVEX => return "AVX-512 is in no model",
        EncodingKind::MVEX => return "Knights Corner is in no model",
        EncodingKind::XOP => return "AMD XOP, TBM and LWP are in no model",
        EncodingKind::D3NOW => return "3DNow! is in no model",
        _ => {}
    }
    match code.cpuid_features().iter().find(|f| lowest(**f).is_none()) {
        Some(F::KNC) => "Knights Corner is in no model",
        Some(F::D3NOW | F::D3NOWEXT) => "3DNow! is in no model",
        Some(F::FMA4 | F::XOP | F::TBM | F::LWP) => "AMD FMA4, XOP, TBM and LWP are in no model",
        Some(F::AMX_BF16 | F::AMX_FP16 | F::AMX_INT8 | F::AMX_TILE | F::AMX_COMPLEX) => "AMX is in no model",
        Some(
            F::SVM | F::VMX | F::SEV_ES | F::SEV_SNP | F::SKINIT_or_SVM | F::INVEPT | F::INVVPID | F::TDX,
        ) => "the machine is no host of virtual machines",
        Some(F::HLE_or_RTM | F::RTM | F::TSXLDTRK) => "transactions are in no model",
        Some(F::AVX512F | F::AVX512BW | F::AVX512DQ) => "AVX-512 is in no model",
        Some(
            F::PADLOCK_ACE
            | F::PADLOCK_GMI
            | F::PADLOCK_PHE
            | F::PADLOCK_PMM
            | F::PADLOCK_RNG
            | F::PADLOCK_UNDOC,
        ) => "VIA PadLock is in no model",
        Some(F::SMAP | F::INVPCID | F::XSAVES | F::SMM | F::SMX | F::FRED | F::LKGS) => {
            "for kernels; the model does not have it"
        }
        _ => "the feature is in no model",
    }
}
