//! Links the command without position independence on Linux: its tables of functions then need no relocation at start, which
//! would touch half a megabyte of memory in every run. What the guest sees never depends on host addresses.

#[expect(clippy::disallowed_methods, reason = "Cargo tells a build script what it builds for in variables")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
