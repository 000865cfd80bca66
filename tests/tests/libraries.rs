//! Libraries of Debian, linked statically into programs of ours: the same output natively and under every processor
//! model; and glibc's mathematics, bit for bit.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests are named by what they show, and work on the host"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use emu_tests::{native, run_emu, run_native, skip, testbins};

const MODELS: [&str; 3] = ["x86-64-v1", "x86-64-v2", "x86-64-v3"];

/// Compiles a program of `testbins/libs`; skipped, naming the package, if that does not work.
fn compile(dir: &Path, name: &str, flags: &[&str], libraries: &[&str], package: &str) -> Option<PathBuf> {
    if !native() {
        return None;
    }
    let program = dir.join(name);
    let source = testbins().join("libs").join(format!("{name}.c"));
    let mut command = Command::new("cc");
    command.args(["-w", "-static"]).args(flags).arg("-o").arg(&program).arg(source).args(libraries);
    let built = command.output().is_ok_and(|output| output.status.success());
    if !built {
        skip(name, &format!("a C compiler and the Debian package {package}"));
    }
    built.then_some(program)
}

/// Runs a program natively and under every model.
fn same_under_every_model(name: &str, libraries: &[&str], package: &str) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let Some(program) = compile(dir.path(), name, &["-O2"], libraries, package) else { return };
    let expected = run_native(&program, &[""; 0], dir.path(), b"");
    for model in MODELS {
        let got = run_emu(&["--cpu", model], &program, &[""; 0], dir.path(), b"");
        assert!(got == expected, "{name} under {model}: {}", first_difference(&expected.stdout, &got.stdout));
    }
    println!("{name}: {} bytes of output agree under each model", expected.stdout.len());
}

fn first_difference(expected: &[u8], got: &[u8]) -> String {
    let (expected, got) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(got));
    let pair = expected.lines().zip(got.lines()).find(|(a, b)| a != b);
    pair.map_or_else(
        || "one output is longer".to_owned(),
        |(a, b)| format!("{a:?} natively, {b:?} under emu"),
    )
}

/// glibc's loader asks CPUID what the processor can do.
#[test]
fn a_program_marked_for_v3_is_refused_by_lesser_models() {
    if !native() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let (source, program) = (dir.path().join("isa.c"), dir.path().join("isa"));
    std::fs::write(&source, "int puts(const char *); int main(void) { puts(\"ran\"); return 0; }")
        .expect("the source can be written");
    let mut command = Command::new("cc");
    command.args(["-Wl,-z,x86-64-v3", "-o"]).arg(&program).arg(&source);
    if !command.output().is_ok_and(|output| output.status.success()) {
        return skip("isa", "a C compiler and the Debian package libc6-dev");
    }
    for model in MODELS {
        let got = run_emu(&["--root", "/", "--cpu", model], &program, &[""; 0], dir.path(), b"");
        let said = [got.stdout, got.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let expected = if model == "x86-64-v3" { "ran" } else { "CPU ISA level is lower than required" };
        assert!(said.contains(expected), "{model}: {said}");
    }
}

#[test]
fn zlib_gives_what_it_gives_natively() {
    same_under_every_model("zlib", &["-lz"], "zlib1g-dev");
}

#[test]
fn zstd_gives_what_it_gives_natively() {
    same_under_every_model("zstd", &["-lzstd"], "libzstd-dev");
}

#[test]
fn sqlite_gives_what_it_gives_natively() {
    same_under_every_model("sqlite", &["-lsqlite3", "-lm", "-ldl", "-lpthread"], "libsqlite3-dev");
}

#[test]
fn openssl_gives_what_it_gives_natively() {
    same_under_every_model("crypto", &["-lcrypto", "-ldl", "-lpthread"], "libssl-dev");
}

#[test]
fn every_model_executes_what_it_claims_and_refuses_the_rest() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let Some(program) = compile(dir.path(), "features", &["-O1"], &[], "libc6-dev") else { return };
    let counts = MODELS.map(|model| {
        let got = run_emu(&["--cpu", model], &program, &[""; 0], dir.path(), b"");
        let text = String::from_utf8_lossy(&got.stdout).into_owned();
        assert_eq!(got.status, 0, "{model}:\n{text}{}", String::from_utf8_lossy(&got.stderr));
        text.lines().filter(|line| line.ends_with(" 1 1")).count()
    });
    assert_eq!(counts, [1, 7, 24]);
}

/// A program that asks for a level of the instruction set: glibc looks at its mark when it starts it.
#[test]
fn programs_marked_for_a_level_start_from_this_level_on() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let marked = ["-O3", "-march=x86-64-v3", "-Wl,-z,x86-64-v3"];
    let Some(program) = compile(dir.path(), "zlib", &marked, &["-lz"], "zlib1g-dev") else { return };
    let native = run_native(&program, &[""; 0], dir.path(), b"");
    assert_eq!(run_emu(&[], &program, &[""; 0], dir.path(), b""), native);
}

/// Bytes of a result as `libm` writes it: 16 of value, flags, size.
const RESULT: usize = 18;

/// Distance of two 80-bit numbers in units of the last place.
fn distance(a: &[u8], b: &[u8]) -> u128 {
    let part = |x: &[u8]| {
        let mut wide = [0; 16];
        wide[..10].copy_from_slice(&x[..10]);
        let all = u128::from_le_bytes(wide);
        let (exponent, fraction) = (all >> 64 & 0x7fff, all & (u64::MAX >> 1) as u128);
        (all >> 79 & 1, exponent << 63 | fraction)
    };
    let ((sign_a, a), (sign_b, b)) = (part(a), part(b));
    if sign_a == sign_b { a.abs_diff(b) } else { a + b }
}

/// Long-double functions that glibc composes of several others, so that a unit in one of them counts for more.
const COMPOSED: [&str; 9] = ["sinhl", "coshl", "tanhl", "lgammal", "tgammal", "y0l", "y1l", "ynl", "jnl"];

// Of 224 functions these 24 are known to differ in places, all of `long double`, none in flags alone. The largest
// distances seen with 4000 arguments, in units of the last place:
//
// 1: acosl acoshl asinhl atan2l atanhl atanl coshl erfcl exp10l exp2l expl expm1l log10l log1pl log2l logl powl tgammal ynl
// 2: lgammal sinhl y0l
// 3: tanhl y1l

/// Runs `libm` with `count` arguments a function. Long-double functions may be one unit away where the processor's own
/// transcendental instructions are used; how many are is printed.
fn mathematics_agree(count: &str) {
    const EXACT: &str = "x86-64-v3";
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let flags = ["-O1", "-frounding-math"];
    let Some(program) = compile(dir.path(), "libm", &flags, &["-lm"], "libc6-dev") else { return };
    // glibc chooses by CPUID: natively as under the model that has what this host has.
    let expected = run_native(&program, &[count], dir.path(), b"");
    let got = run_emu(&["--cpu", EXACT], &program, &[count], dir.path(), b"");
    let (a, b) = (String::from_utf8_lossy(&expected.stdout), String::from_utf8_lossy(&got.stdout));
    assert_eq!(a.lines().count(), b.lines().count(), "{}", String::from_utf8_lossy(&got.stderr));
    let mut failures = Vec::new();
    for (native, emulated) in a.lines().zip(b.lines()) {
        if native == emulated {
            continue;
        }
        let name = native.split(' ').next().unwrap_or_default();
        let x = run_native(&program, &[count, name], dir.path(), b"").stdout;
        let y = run_emu(&["--cpu", EXACT], &program, &[count, name], dir.path(), b"").stdout;
        let allowed = if COMPOSED.contains(&name) { 4 } else { 1 };
        let (mut near, mut far, mut flagged, mut worst) = (0, 0, 0, 0);
        for (x, y) in x.chunks_exact(RESULT).zip(y.chunks_exact(RESULT)) {
            let extended = x[17] == 10;
            if x[..16] != y[..16] {
                worst = worst.max(distance(x, y));
                let close = extended && distance(x, y) <= allowed;
                near += u32::from(close);
                far += u32::from(!close);
            } else if x[16] != y[16] {
                flagged += 1;
            }
        }
        println!(
            "{name}: {near} of {count} up to {worst} units away, {far} too far, {flagged} with other flags"
        );
        if far > 0 {
            failures.push(format!("{name}: {far} of {count}"));
        }
    }
    println!("{} functions, {count} arguments each", a.lines().count());
    assert!(failures.is_empty(), "results differ: {failures:?}");
}

#[test]
fn mathematics_give_what_they_give_natively() {
    mathematics_agree("4000");
}

/// `cargo test --release -p emu-tests --test libraries a_million -- --ignored --nocapture` prints each function's count.
#[test]
#[ignore = "takes half an hour: a million arguments a function"]
fn a_million_arguments_give_what_they_give_natively() {
    mathematics_agree("1000000");
}
