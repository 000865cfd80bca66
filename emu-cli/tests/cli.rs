//! The command line: help, errors, exit statuses.
#![allow(missing_docs, reason = "tests are named by what they show")]

use std::process::{Command, Output};

fn emu(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emu")).args(args).output().expect("emu can be run")
}

#[test]
fn syscalls_prints_a_row_for_each_of_the_384_numbers() {
    let out = emu(&["syscalls"]);
    assert!(out.status.success());
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 384);
}

#[test]
fn help_fits_a_screen() {
    let out = emu(&["-h"]);
    assert!(out.status.success());
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.lines().count() <= 40, "{text}");
}

#[test]
fn a_mistaken_option_is_an_error_of_emu() {
    let out = emu(&["--no-such-option", "x"]);
    assert_eq!(out.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&out.stderr).contains("--no-such-option"));
}

#[test]
fn a_missing_program_is_127_and_named() {
    let out = emu(&["./no-such-program"]);
    assert_eq!(out.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&out.stderr).contains("no-such-program"));
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_dynamic_program_without_a_root_is_126_and_says_what_gives_it_one() {
    let out = emu(&["/bin/ls"]);
    assert_eq!(out.status.code(), Some(126));
    assert!(String::from_utf8_lossy(&out.stderr).contains("--root"));
}
