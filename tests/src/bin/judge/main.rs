//! Compares the interpreter with the processor this runs on, one random instruction at a time.
//!
//! `judge [--seed N] [--count N] [--threads N] [--only SUBSTR] [--engine NAME] [--keep N] [--strict]`
//!
//! `--strict` compares flags that are undefined too.
//!
//! `judge --lines [--seed N] [--only SUBSTR]` prints one line a form for `tests/ins`. `--all` takes forms that the
//! interpreter does not implement too.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod run;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() -> std::process::ExitCode {
    eprintln!("judge: needs Linux on x86-64");
    std::process::ExitCode::FAILURE
}
