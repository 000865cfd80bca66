//! docs/syscalls.md is made of the table: `EMU_BLESS=1 cargo test -p emu-syscalls --test table`.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "tests are named by what they show, and work on the host"
)]

use std::fmt::Write;

use emu_syscalls::table::{ROWS, Support};

const HEAD: &str = "# System calls

Made from the table by `EMU_BLESS=1 cargo test -p emu-syscalls --test table`; do not edit.

Full: as the man page says. Partial: with the named gap. Missing: answered with `ENOSYS`, and named on standard error.
";

fn text() -> String {
    let mut out = HEAD.to_owned();
    let count = |which: fn(&Support) -> bool| ROWS.iter().filter(|row| which(&row.support)).count();
    let full = count(|support| matches!(support, Support::Full));
    let partial = count(|support| matches!(support, Support::Partial(_)));
    let missing = count(|support| matches!(support, Support::Missing(_)));
    let _ = writeln!(out, "\n{} calls: {full} full, {partial} partial, {missing} missing.\n", ROWS.len());
    out.push_str("| number | call | arguments | support | gap |\n|---|---|---|---|---|\n");
    for row in ROWS {
        let args: Vec<&str> = row.args.iter().map(|arg| arg.name).collect();
        let (support, gap) = match row.support {
            Support::Full => ("full", ""),
            Support::Partial(gap) => ("partial", gap),
            Support::Missing(why) => ("missing", why),
        };
        let _ = writeln!(out, "| {} | {} | {} | {support} | {gap} |", row.nr, row.name, args.join(", "));
    }
    out
}

#[test]
fn the_list_of_system_calls_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/syscalls.md");
    let text = text();
    if std::env::var_os("EMU_BLESS").is_some() {
        std::fs::write(path, &text).expect("docs/syscalls.md can be written");
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept.replace("\r\n", "\n") == text,
        "docs/syscalls.md is stale: EMU_BLESS=1 cargo test -p emu-syscalls --test table"
    );
}
