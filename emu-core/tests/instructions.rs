//! docs/instructions.md is made of the instruction table: `EMU_BLESS=1 cargo test -p emu-core --test instructions`.
#![allow(clippy::disallowed_methods, reason = "a test reads and writes the file it checks")]

use emu_core::cpu::CpuModel;
use emu_core::decode::features::{Standing, standing};
use iced_x86::{Code, EncodingKind};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const INTRODUCTION: &str = "# Instructions

Made from the instruction table by `EMU_BLESS=1 cargo test -p emu-core --test instructions`; do not edit.

Every form of instruction that iced-x86 knows in 64-bit mode, by the processor feature it belongs to. *Executed from
v2* means: executed by the models `x86-64-v2` and above, and `#UD` below, as on a processor without the feature.
*Refused*: always `#UD`, because no model claims the feature. *Missing*: reported by name, then `#UD`.

";

fn model(m: CpuModel) -> &'static str {
    match m {
        CpuModel::V1 => "v1",
        CpuModel::V2 => "v2",
        CpuModel::V3 => "v3",
    }
}

fn feature(code: Code) -> String {
    let names: Vec<String> = code.cpuid_features().iter().map(|f| format!("{f:?}")).collect();
    names.join(" + ")
}

fn document() -> String {
    let mut groups: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let (mut executed, mut refused, mut missing) = (0, 0, 0);
    for code in Code::values() {
        let info = code.op_code();
        let real = info.is_instruction() && info.mode64();
        if !real || matches!(info.encoding(), EncodingKind::MVEX) && code == Code::INVALID {
            continue;
        }
        let how = match standing(code) {
            Standing::Implemented(m) => {
                executed += 1;
                format!("Executed from {}", model(m))
            }
            Standing::Refused(why) => {
                refused += 1;
                format!("Refused ({why})")
            }
            Standing::Missing(why) => {
                missing += 1;
                format!("Missing ({why})")
            }
        };
        groups.entry(feature(code)).or_default().entry(how).or_default().push(format!("{code:?}"));
    }
    let mut out = INTRODUCTION.to_owned();
    let _ = writeln!(out, "{executed} forms executed, {refused} refused, {missing} missing.");
    for (name, kinds) in groups {
        let _ = write!(out, "\n## {name}\n");
        for (how, forms) in kinds {
            let _ = write!(out, "\n{how}, {}:\n", forms.len());
            for form in forms {
                let _ = writeln!(out, "- {form}");
            }
        }
    }
    out
}

#[test]
fn the_document_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/instructions.md");
    let made = document();
    if std::env::var_os("EMU_BLESS").is_some() {
        assert!(std::fs::write(path, &made).is_ok(), "cannot write {path}");
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/instructions.md is stale: EMU_BLESS=1 cargo test -p emu-core --test instructions"
    );
}

#[test]
fn what_a_model_claims_is_executed() {
    let mut missing = Vec::new();
    for code in Code::values().filter(|c| c.op_code().is_instruction() && c.op_code().mode64()) {
        if let Standing::Missing(_) = standing(code) {
            let vector = code.cpuid_features().iter().any(|f| {
                let name = format!("{f:?}");
                ["MMX", "SSE", "AVX", "FMA", "F16C", "BMI", "AES", "SHA"].iter().any(|p| name.starts_with(p))
            });
            if vector {
                missing.push(code);
            }
        }
    }
    assert_eq!(missing, []);
}
